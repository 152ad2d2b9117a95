//! Asks the Mac: who its users are, what their files say, and what its commands answer. Decides nothing.

mod children;
mod deadline;
mod file;
mod home;
mod mac;
mod memory;
mod platform;
mod reader;
mod second_opinion;
mod signals;
mod sso;
mod system_files;
mod this_mac;
mod watchdog;
mod who;

use std::{
    path::{Path, PathBuf},
    slice,
    time::Duration,
};

pub use children::{Failure, Printed};
pub use mac::{Account, Mac};
pub use reader::{Job, Rights, Trail, last_panic, note_panics};
pub use second_opinion::{SecondReading, read_copy};
pub use watchdog::LateAnswer;

use crate::{
    cli::{AskMacos, Output, Request, Subject, Who, attribute::Attribute},
    evidence::{
        Cause, Evidence, Obstacle, Probe, RememberedKey, SecondOpinion, SetUp, Source, SsoSetUp, User, Witness,
    },
    parse::{
        keychain::{self, ErrorKind},
        login_keychain::{Depth, LoginKeychain},
        timestamp::Timestamp,
    },
};
use deadline::Deadline;
use this_mac::ThisMac;
use who::Choice;

/// Asks this Mac what the request needs, of each user in question. If a system service does not answer in time, the
/// late answer is printed, and this process ends.
pub fn collect(request: &Request, late_answer: &dyn Fn() -> LateAnswer) -> Vec<Evidence> {
    gather(request, &ThisMac::new(Deadline::in_time(request.deadline), late_answer))
}

/// As [`collect`], of any Mac.
pub fn gather(request: &Request, mac: &impl Mac) -> Vec<Evidence> {
    let mut people = people(request, mac);
    read_homes(request, mac, &mut people);
    read_given(request, mac, &mut people);
    ask_second_opinion(request, mac, &mut people);
    ask_about_single_sign_on(request, mac, &mut people);
    recall_keys(request, mac, &mut people);
    read_account_records(request, mac, &mut people);
    // Last, because no state depends on it, and a disk that hangs may take all the time that is left.
    read_set_up(request, mac, &mut people);
    let as_root = mac.is_root();
    people.into_iter().map(|person| Evidence { as_root, ..person.evidence }).collect()
}

/// A user, what is known, and with whose rights to read the home.
struct Person {
    evidence: Evidence,
    rights: Rights,
}

impl Person {
    fn new(request: &Request, user: User, rights: Result<Rights, Obstacle>) -> Self {
        let in_home = |path: fn(&Path) -> PathBuf| user.home.as_deref().map(path);
        let login_keychain = request.keychain.clone().or_else(|| in_home(home::login_keychain_of));
        let jamf_aad = request.plist.clone().or_else(|| in_home(home::plist_of));
        let evidence = Evidence {
            obstacle: rights.as_ref().err().cloned(),
            login_keychain: Witness::not_asked(login_keychain),
            expected_tenants: request.tenants.clone(),
            remember_key_days: request.remember_key_days,
            jamf_aad: Witness::not_asked(jamf_aad),
            user,
            ..Evidence::default()
        };
        Self { evidence, rights: rights.unwrap_or(Rights::Caller) }
    }

    fn is_readable(&self) -> bool {
        self.evidence.obstacle.is_none()
    }

    fn has_key_in_keychain(&self) -> bool {
        self.evidence.identity().is_some()
    }
}

fn people(request: &Request, mac: &impl Mac) -> Vec<Person> {
    let person = |found: who::Person| match found {
        Ok(Choice { user, account }) => {
            let rights = account.map_or(Rights::Caller, |account| mac.rights_of(account.uid, account.gid));
            Person::new(request, user, Ok(rights))
        }
        Err(unknown) => {
            let (user, obstacle) = *unknown;
            Person::new(request, user, Err(obstacle))
        }
    };
    let of_nobody = |obstacle| vec![Person::new(request, User::default(), Err(obstacle))];
    match &request.subject {
        Subject::One(Who::Home(home)) => given_homes(request, slice::from_ref(home), mac),
        Subject::Homes(homes) => given_homes(request, homes, mac),
        Subject::One(Who::Nobody) => {
            let user = User { source: Some(Source::FilesGiven), ..User::default() };
            vec![Person::new(request, user, Ok(Rights::Caller))]
        }
        Subject::One(who) => {
            let name = if let Who::User(name) = who { Some(name.as_str()) } else { None };
            vec![person(who::choose(name, mac).map_err(|obstacle| Box::new((User::default(), obstacle))))]
        }
        Subject::AllUsers => {
            who::everybody(mac).map_or_else(of_nobody, |everybody| everybody.into_iter().map(person).collect())
        }
    }
}

/// The users whose homes were given: a home is its owner's. Only root has to find out who that is.
fn given_homes(request: &Request, homes: &[PathBuf], mac: &impl Mac) -> Vec<Person> {
    let person = |home: &PathBuf, rights| {
        let user = User { home: Some(home.clone()), source: Some(Source::HomeOption), ..User::default() };
        Person::new(request, user, rights)
    };
    if !mac.is_root() {
        return homes.iter().map(|home| person(home, Ok(Rights::Caller))).collect();
    }
    let jobs = homes.iter().map(|home| Job::new(Rights::Caller, |trail| home::owner(home, trail)));
    let owners = mac.read(jobs.collect());
    let rights = |home: &PathBuf, owner: Result<u32, Obstacle>| {
        let uid = owner.map_err(|found| at_home(found, Some(home)))?;
        let gid = mac.by_uid(uid)?.map_or(platform::NOBODY_GROUP, |account| account.gid);
        Ok(mac.rights_of(uid, gid))
    };
    homes.iter().zip(owners).map(|(home, owner)| person(home, rights(home, owner))).collect()
}

/// What a reader process reports without a file is in the way of the whole home.
fn at_home(obstacle: Obstacle, home: Option<&Path>) -> Obstacle {
    Obstacle { path: obstacle.path.or_else(|| home.map(Path::to_owned)), ..obstacle }
}

fn depth(request: &Request) -> Depth {
    if request.needs_details() { Depth::Details } else { Depth::State }
}

/// Reads the homes, each as its user. Who turns out to have none is not one of all users.
fn read_homes(request: &Request, mac: &impl Mac, people: &mut Vec<Person>) {
    // A home that is given may be another Mac's.
    let has_settings = |user: &User| mac.is_mac() && user.is_of_this_mac();
    let files =
        |user: &User| if has_settings(user) { system_files::settings_files(mac.root(), user) } else { Vec::new() };
    let settings: Vec<Vec<PathBuf>> = people.iter().map(|person| files(&person.evidence.user)).collect();
    let jobs =
        people.iter().zip(&settings).filter(|(person, _)| person.is_readable()).filter_map(|(person, settings)| {
            let user = &person.evidence.user;
            let wanted = home::Wanted {
                home: user.home.as_deref()?,
                settings,
                keychain: request.keychain.is_none(),
                plist: request.plist.is_none(),
                depth: depth(request),
                may_be_unused: user.has_session == Some(false),
            };
            let rights = person.rights;
            Some(Job::new(rights, move |trail| home::read(&wanted, rights, trail)))
        });
    let mut found = mac.read(jobs.collect()).into_iter();
    people.retain_mut(|person| {
        let Evidence { user, obstacle, login_keychain, renamed_keychains, jamf_aad, .. } = &mut person.evidence;
        if obstacle.is_some() {
            return true;
        }
        let found = if user.home.is_some() { found.next() } else { None };
        match found {
            None => {
                login_keychain.probe = Probe::Absent;
                jamf_aad.probe = Probe::Absent;
            }
            Some(Ok(found)) => {
                *renamed_keychains = found.renamed_keychains;
                *login_keychain = found.login_keychain.unwrap_or_else(|| login_keychain.clone());
                *jamf_aad = found.jamf_aad.unwrap_or_else(|| jamf_aad.clone());
                if request.tenants.are_any() {
                    person.evidence.expected_tenants = found.settings.tenants;
                }
                person.evidence.remember_key_days = request.remember_key_days.or(found.settings.remember_key_days);
            }
            Some(Err(Obstacle { cause: Cause::HomeMissing | Cause::HomeNotADirectory, .. }))
                if user.source == Some(Source::AllUsers) && user.has_session != Some(true) =>
            {
                return false;
            }
            Some(Err(found)) => *obstacle = Some(at_home(found, user.home.as_deref())),
        }
        true
    });
}

/// Reads the files that were given, with the caller's rights.
fn read_given(request: &Request, mac: &impl Mac, people: &mut [Person]) {
    if !request.gives_files() {
        return;
    }
    let people: Vec<&mut Person> = people.iter_mut().filter(|person| person.is_readable()).collect();
    let job = || Job::new(Rights::Caller, |trail| system_files::read_given(request, depth(request), trail));
    let found = mac.read(people.iter().map(|_| job()).collect());
    for (person, found) in people.into_iter().zip(found) {
        let evidence = &mut person.evidence;
        match found {
            Ok(found) => {
                evidence.login_keychain = found.login_keychain.unwrap_or_else(|| evidence.login_keychain.clone());
                evidence.jamf_aad = found.jamf_aad.unwrap_or_else(|| evidence.jamf_aad.clone());
                evidence.platform_sso = found.platform_sso;
                evidence.sso_extension = found.sso_extension;
            }
            Err(obstacle) => evidence.obstacle = Some(obstacle),
        }
    }
}

/// Reads how the Mac is set up, with the caller's rights.
fn read_set_up(request: &Request, mac: &impl Mac, people: &mut [Person]) {
    if !request.needs_set_up() {
        return;
    }
    let given = request.system_root.as_deref();
    let is_of_this_mac = |person: &Person| mac.is_mac() && person.evidence.user.is_of_this_mac();
    let has_set_up = |person: &&mut Person| person.is_readable() && (given.is_some() || is_of_this_mac(person));
    let mut people: Vec<&mut Person> = people.iter_mut().filter(has_set_up).collect();
    let jobs = people.iter().map(|person| {
        let user = &person.evidence.user;
        Job::new(Rights::Caller, move |trail| Ok(system_files::set_up(given, mac.root(), user, trail)))
    });
    let found = mac.read(jobs.collect());
    for (person, found) in people.iter_mut().zip(found) {
        match found {
            Ok(found) => person.evidence.set_up = found,
            // Findings and the remedy depend on it.
            Err(obstacle) if matches!(request.output, Output::Result(Attribute::Finding | Attribute::Remedy)) => {
                person.evidence.obstacle = Some(obstacle);
            }
            Err(obstacle) => person.evidence.set_up = SetUp::unreadable(&obstacle.cause),
        }
    }
}

/// Asks macOS's own reader where this tool's finds a keychain damaged, or where that was asked for.
fn ask_second_opinion(request: &Request, mac: &impl Mac, people: &mut [Person]) {
    let is_wanted = |person: &&mut Person| match request.second_opinion {
        AskMacos::Never => false,
        AskMacos::IfDamaged => damage(&person.evidence.login_keychain.probe).is_some() && mac.is_mac(),
        AskMacos::Always => true,
    };
    let asked: Vec<&mut Person> = people.iter_mut().filter(|person| person.is_readable()).filter(is_wanted).collect();
    // One part of the time for each, and one for what comes after them.
    for (parts, person) in (2..asked.len() + 2).rev().zip(asked) {
        let keychain = &mut person.evidence.login_keychain;
        let damage = damage(&keychain.probe);
        let rights = if request.keychain.is_some() { Rights::Caller } else { person.rights };
        let reading = match (&keychain.path, &keychain.probe) {
            (Some(path), Probe::Found(_)) => mac.second_reading(path, rights, parts),
            (Some(path), _) if damage.is_some() => mac.second_reading(path, rights, parts),
            _ => Err("there is no keychain file to ask about".to_owned()),
        };
        let changed = || "the file has changed meanwhile".to_owned();
        let opinion = reading.and_then(|SecondReading { judged, comparison }| match damage {
            Some(error) => {
                keychain.probe = Probe::Found(judged?);
                Ok(SecondOpinion::Used(error))
            }
            None => comparison.map(SecondOpinion::from).ok_or_else(changed),
        });
        person.evidence.second_opinion = opinion.unwrap_or_else(SecondOpinion::Missing);
    }
}

/// What is wrong with a keychain's format. An empty one has none, and is just being created or was never filled.
fn damage(probe: &Probe<LoginKeychain>) -> Option<keychain::Error> {
    match probe {
        Probe::Unreadable(cause) => cause.damage().filter(|error| error.kind != ErrorKind::Empty),
        Probe::Found(_) | Probe::Absent | Probe::NotAsked => None,
    }
}

/// Asks about keys outside the login keychain where that has none; where nobody says, whether there may be one.
fn ask_about_single_sign_on(request: &Request, mac: &impl Mac, people: &mut [Person]) {
    for person in people.iter_mut().filter(|person| person.is_readable()) {
        person.evidence.can_ask_sso = sso::prefix(&person.evidence.user, mac).is_some();
    }
    let keyless = |person: &&mut Person| person.is_readable() && !person.has_key_in_keychain();
    let is_asked = |person: &&mut Person| {
        person.is_readable() && (request.asks_commands_anyway() || !person.has_key_in_keychain())
    };
    sso::ask(people.iter_mut().filter(is_asked).map(|person| &mut person.evidence).collect(), mac);
    let copies = request.system_root.as_deref();
    let is_open = |person: &&mut Person| {
        let Person { evidence, .. } = &**person;
        let is_of_this_mac = mac.is_mac() && evidence.user.name.is_some();
        let is_unasked = is_of_this_mac && !evidence.can_ask_sso;
        let is_unanswered = (is_of_this_mac || copies.is_some()) && evidence.has_no_answer_of_jamf();
        keyless(person) && (is_unasked || is_unanswered)
    };
    let mut open: Vec<&mut Person> = people.iter_mut().filter(is_open).collect();
    let jobs = open.iter().map(|person| {
        let user = &person.evidence.user;
        Job::new(Rights::Caller, move |trail| Ok(system_files::sso_set_up(copies, mac.root(), user, trail)))
    });
    let found = mac.read(jobs.collect());
    for (person, found) in open.iter_mut().zip(found) {
        match found {
            Ok(found) => person.evidence.sso_set_up = found,
            Err(obstacle) => person.evidence.obstacle = Some(obstacle),
        }
    }
}

/// Asks for the names to which the accounts are linked, where details are shown.
fn read_account_records(request: &Request, mac: &impl Mac, people: &mut [Person]) {
    if request.needs_account_records() {
        sso::ask_account_records(people.iter_mut().map(|person| &mut person.evidence).collect(), mac);
    }
}

/// Recalls the keys of users who have none in the login keychain and cannot be asked, where keys are remembered.
fn recall_keys(request: &Request, mac: &impl Mac, people: &mut [Person]) {
    let wanted = |person: &Person| {
        let Evidence { user, login_keychain, sso_set_up, remember_key_days, .. } = &person.evidence;
        let acts_as_root = user.uid.is_some_and(|uid| mac.command_as(uid).is_some());
        let is_alone = person.is_readable() && !person.has_key_in_keychain() && user.has_session == Some(false);
        // Where nothing sets up single sign-on, there is no key, whatever was noted.
        let is_set_up = matches!(sso_set_up, SsoSetUp::By(_) | SsoSetUp::MayBeDeclared);
        let is_open = is_set_up || !home::has_no_key(&login_keychain.probe);
        remember_key_days.filter(|_| acts_as_root && is_alone && is_open && !request.has_saved_outputs())
    };
    let mut people: Vec<(u16, &mut Person)> =
        people.iter_mut().filter_map(|person| Some((wanted(person)?, person))).collect();
    let now = Timestamp::now();
    let jobs = people.iter().map(|(days, person)| {
        let (user, days) = (&person.evidence.user, *days);
        Job::new(Rights::Caller, move |trail| Ok(memory::read(mac.root(), user, days, now, trail)))
    });
    let found = mac.read(jobs.collect());
    for ((_, person), found) in people.iter_mut().zip(found) {
        match found {
            Ok(found) => person.evidence.remembered_key = found,
            Err(obstacle) => {
                person.evidence.remembered_key =
                    Witness { path: obstacle.path, probe: Probe::Unreadable(obstacle.cause) }
            }
        }
    }
}

/// Notes keys that were proven, or removes the notes of users who have none; each is `None` or the note. Nothing
/// depends on it any more, so it has a time of its own.
/// Gives what could not be done.
pub fn remember_keys(notes: Vec<(u32, Option<RememberedKey>)>) -> Vec<Obstacle> {
    remember_below(Path::new("/"), notes)
}

fn remember_below(root: &Path, notes: Vec<(u32, Option<RememberedKey>)>) -> Vec<Obstacle> {
    let jobs = notes.into_iter().map(|(uid, note)| {
        Job::new(Rights::Caller, move |trail| match note {
            Some(note) => memory::write(root, &note, trail),
            None => memory::remove(root, uid, trail),
        })
    });
    reader::read_all(jobs.collect(), &Deadline::in_time(TIME_TO_REMEMBER)).into_iter().filter_map(Result::err).collect()
}

const TIME_TO_REMEMBER: Duration = Duration::from_secs(2);
