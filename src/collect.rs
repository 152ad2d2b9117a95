//! Collects the evidence: who the Mac's users are, what their files contain, and what commands print. Decides nothing.

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
    cli::{Output, Request, Subject, UseMacosReader, UserChoice, attribute::Attribute},
    evidence::{
        Cause, Evidence, Obstacle, Probe, RememberedKey, SecondOpinion, SetUp, Source, SsoSetUp, User, Witness,
    },
    parse::{
        keychain::{self, ErrorKind},
        login_keychain::{Depth, LoginKeychain},
        settings::Settings,
        timestamp::Timestamp,
    },
};
use deadline::Deadline;
use this_mac::ThisMac;
use who::Choice;

/// Collects what the request needs from this Mac, for each user in question. If a system service does not answer in
/// time, prints the late answer and ends this process.
pub fn collect(request: &Request, late_answer: &dyn Fn() -> LateAnswer) -> Vec<Evidence> {
    gather(request, &ThisMac::new(Deadline::in_time(request.deadline), late_answer))
}

/// Like [`collect`], but from any Mac, so tests can use a made-up one.
pub fn gather(request: &Request, mac: &impl Mac) -> Vec<Evidence> {
    let mut targets = targets(request, mac);
    read_homes(request, mac, &mut targets);
    read_given(request, mac, &mut targets);
    read_second_opinions(request, mac, &mut targets);
    check_single_sign_on(request, mac, &mut targets);
    recall_keys(mac, &mut targets);
    read_account_records(request, mac, &mut targets);
    // Last, because no state depends on it, and a hanging disk may use up the remaining time.
    read_set_up(request, mac, &mut targets);
    let as_root = mac.is_root();
    targets.into_iter().map(|target| Evidence { as_root, ..target.evidence }).collect()
}

/// A user to check: the evidence so far, and the rights with which to read the home.
struct Target {
    evidence: Evidence,
    rights: Rights,
}

impl Target {
    fn new(request: &Request, user: User, rights: Result<Rights, Obstacle>) -> Self {
        let in_home = |path: fn(&Path) -> PathBuf| user.home.as_deref().map(path);
        let login_keychain = request.keychain.clone().or_else(|| in_home(home::login_keychain_of));
        let jamf_aad = request.plist.clone().or_else(|| in_home(home::plist_of));
        let evidence = Evidence {
            obstacle: rights.as_ref().err().cloned(),
            login_keychain: Witness::not_checked(login_keychain),
            expected_tenants: request.tenants.clone(),
            jamf_aad: Witness::not_checked(jamf_aad),
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

fn targets(request: &Request, mac: &impl Mac) -> Vec<Target> {
    let target = |found: who::LocalUser| match found {
        Ok(Choice { user, account }) => {
            let rights = account.map_or(Rights::Caller, |account| mac.rights_of(account.uid, account.gid));
            Target::new(request, user, Ok(rights))
        }
        Err(unknown) => {
            let (user, obstacle) = *unknown;
            Target::new(request, user, Err(obstacle))
        }
    };
    let of_nobody = |obstacle| vec![Target::new(request, User::default(), Err(obstacle))];
    match &request.subject {
        Subject::One(UserChoice::Home(home)) => given_homes(request, slice::from_ref(home), mac),
        Subject::Homes(homes) => given_homes(request, homes, mac),
        Subject::One(UserChoice::Unknown) => {
            let user = User { source: Some(Source::FilesGiven), ..User::default() };
            vec![Target::new(request, user, Ok(Rights::Caller))]
        }
        Subject::One(who) => {
            let name = if let UserChoice::User(name) = who { Some(name.as_str()) } else { None };
            vec![target(who::choose(name, mac).map_err(|obstacle| Box::new((User::default(), obstacle))))]
        }
        Subject::AllUsers => {
            who::local_users(mac).map_or_else(of_nobody, |local_users| local_users.into_iter().map(target).collect())
        }
    }
}

/// The users whose homes were given with `--home`. Root reads each home with its owner's rights, so it looks up the
/// owner first.
fn given_homes(request: &Request, homes: &[PathBuf], mac: &impl Mac) -> Vec<Target> {
    let target = |home: &PathBuf, rights| {
        let user = User { home: Some(home.clone()), source: Some(Source::HomeOption), ..User::default() };
        Target::new(request, user, rights)
    };
    if !mac.is_root() {
        return homes.iter().map(|home| target(home, Ok(Rights::Caller))).collect();
    }
    let jobs = homes.iter().map(|home| Job::new(Rights::Caller, |trail| home::owner(home, trail)));
    let owners = mac.read(jobs.collect());
    let rights = |home: &PathBuf, owner: Result<u32, Obstacle>| {
        let uid = owner.map_err(|found| with_home_path(found, Some(home)))?;
        let gid = mac.by_uid(uid)?.map_or(platform::NOBODY_GROUP, |account| account.gid);
        Ok(mac.rights_of(uid, gid))
    };
    homes.iter().zip(owners).map(|(home, owner)| target(home, rights(home, owner))).collect()
}

/// The obstacle with the home as its path, if the reader process named no file: the whole home could not be read.
fn with_home_path(obstacle: Obstacle, home: Option<&Path>) -> Obstacle {
    Obstacle { path: obstacle.path.or_else(|| home.map(Path::to_owned)), ..obstacle }
}

fn depth(request: &Request) -> Depth {
    if request.needs_details() { Depth::Details } else { Depth::State }
}

/// Reads the homes, each with its user's rights. With `--all-users`, drops users who turn out to have no home.
fn read_homes(request: &Request, mac: &impl Mac, targets: &mut Vec<Target>) {
    // A home given with `--home` may come from another Mac, so this Mac's settings do not apply.
    let has_settings = |user: &User| mac.is_mac() && user.is_of_this_mac();
    let files =
        |user: &User| if has_settings(user) { system_files::settings_files(mac.root(), user) } else { Vec::new() };
    let settings: Vec<Vec<PathBuf>> = targets.iter().map(|target| files(&target.evidence.user)).collect();
    let jobs =
        targets.iter().zip(&settings).filter(|(target, _)| target.is_readable()).filter_map(|(target, settings)| {
            let user = &target.evidence.user;
            let wanted = home::Wanted {
                home: user.home.as_deref()?,
                settings,
                tenants: &request.tenants,
                keychain: request.keychain.is_none(),
                plist: request.plist.is_none(),
                depth: depth(request),
                may_be_unused: user.has_session == Some(false),
            };
            let rights = target.rights;
            Some(Job::new(rights, move |trail| home::read(&wanted, rights, trail)))
        });
    let mut found = mac.read(jobs.collect()).into_iter();
    targets.retain_mut(|target| {
        let Evidence { user, obstacle, login_keychain, renamed_keychains, jamf_aad, .. } = &mut target.evidence;
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
                apply_settings(&mut target.evidence, found.settings, request);
            }
            Some(Err(Obstacle { cause: Cause::HomeMissing | Cause::HomeNotADirectory, .. }))
                if user.source == Some(Source::AllUsers) && user.has_session != Some(true) =>
            {
                return false;
            }
            Some(Err(found)) => *obstacle = Some(with_home_path(found, user.home.as_deref())),
        }
        true
    });
}

/// Options take precedence over settings.
fn apply_settings(evidence: &mut Evidence, settings: Settings, request: &Request) {
    evidence.unused_settings = settings.unused;
    if let Some(Ok(tenants)) = settings.tenants
        && request.tenants.accept_all()
    {
        evidence.expected_tenants = tenants;
    }
    // Files that options name may come from another Mac, so nothing is remembered then.
    let days = request.remember_key_days.or(settings.remember_key_days).filter(|&days| days > 0);
    evidence.remember_key_days = days.filter(|_| !request.gives_files() && evidence.user.is_of_this_mac());
}

/// Reads the files that options name, with the caller's rights.
fn read_given(request: &Request, mac: &impl Mac, targets: &mut [Target]) {
    if !request.gives_files() {
        return;
    }
    let targets: Vec<&mut Target> = targets.iter_mut().filter(|target| target.is_readable()).collect();
    let jobs = targets.iter().map(|target| {
        let tenants = &target.evidence.expected_tenants;
        Job::new(Rights::Caller, move |trail| system_files::read_given(request, depth(request), tenants, trail))
    });
    let found = mac.read(jobs.collect());
    for (target, found) in targets.into_iter().zip(found) {
        let evidence = &mut target.evidence;
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
fn read_set_up(request: &Request, mac: &impl Mac, targets: &mut [Target]) {
    if !request.needs_set_up() {
        return;
    }
    let given = request.system_root.as_deref();
    let is_of_this_mac = |target: &Target| mac.is_mac() && target.evidence.user.is_of_this_mac();
    let has_set_up = |target: &&mut Target| target.is_readable() && (given.is_some() || is_of_this_mac(target));
    let mut targets: Vec<&mut Target> = targets.iter_mut().filter(has_set_up).collect();
    let jobs = targets.iter().map(|target| {
        let user = &target.evidence.user;
        Job::new(Rights::Caller, move |trail| Ok(system_files::set_up(given, mac.root(), user, trail)))
    });
    let found = mac.read(jobs.collect());
    for (target, found) in targets.iter_mut().zip(found) {
        match found {
            Ok(found) => target.evidence.set_up = found,
            // Findings and the remedy depend on it.
            Err(obstacle) if matches!(request.output, Output::Result(Attribute::Finding | Attribute::Remedy)) => {
                target.evidence.obstacle = Some(obstacle);
            }
            Err(obstacle) => target.evidence.set_up = SetUp::unreadable(&obstacle.cause),
        }
    }
}

/// Reads the login keychain with macOS's own reader, too, if this tool finds it damaged or the option requests it.
fn read_second_opinions(request: &Request, mac: &impl Mac, targets: &mut [Target]) {
    let is_wanted = |target: &&mut Target| match request.second_opinion {
        UseMacosReader::Never => false,
        UseMacosReader::IfDamaged => damage(&target.evidence.login_keychain.probe).is_some() && mac.is_mac(),
        UseMacosReader::Always => true,
    };
    let wanted: Vec<&mut Target> = targets.iter_mut().filter(|target| target.is_readable()).filter(is_wanted).collect();
    // Each second reading gets one share of the remaining time, and the later steps another.
    for (parts, target) in (2..wanted.len() + 2).rev().zip(wanted) {
        let keychain = &mut target.evidence.login_keychain;
        let damage = damage(&keychain.probe);
        let rights = if request.keychain.is_some() { Rights::Caller } else { target.rights };
        // A file that is missing or cannot be opened needs no second reader to say so.
        let is_there = matches!(keychain.probe, Probe::Found(_)) || damage.is_some();
        let Some(path) = keychain.path.as_ref().filter(|_| is_there) else { continue };
        let reading = mac.second_reading(path, rights, parts);
        let changed = || "the keychain changed between the two reads".to_owned();
        let tenants = &target.evidence.expected_tenants;
        let opinion = reading.and_then(|SecondReading { judged, comparison }| match damage {
            Some(error) => match judged.filter(|judged| judged.identity_of(tenants).is_some()) {
                Some(judged) => {
                    keychain.probe = Probe::Found(judged);
                    Ok(SecondOpinion::Used(error))
                }
                None => Ok(SecondOpinion::NoKey),
            },
            None => comparison.map(SecondOpinion::from).ok_or_else(changed),
        });
        target.evidence.second_opinion = opinion.unwrap_or_else(SecondOpinion::Missing);
    }
}

/// What is wrong with a keychain's format. An empty keychain is not damaged: macOS is creating it or never filled it.
fn damage(probe: &Probe<LoginKeychain>) -> Option<keychain::Error> {
    match probe {
        Probe::Unreadable(cause) => cause.damage().filter(|error| error.kind != ErrorKind::Empty),
        Probe::Found(_) | Probe::Absent | Probe::NotChecked => None,
    }
}

/// Runs the commands that show keys outside the login keychain, if that is needed for a user. Where the commands
/// cannot answer, checks whether single sign-on is set up, so whether there may be such a key.
fn check_single_sign_on(request: &Request, mac: &impl Mac, targets: &mut [Target]) {
    for target in targets.iter_mut().filter(|target| target.is_readable()) {
        target.evidence.can_check_sso = sso::prefix(&target.evidence.user, mac).is_some();
    }
    let keyless = |target: &&mut Target| target.is_readable() && !target.has_key_in_keychain();
    let needs_check = |target: &&mut Target| {
        target.is_readable() && (request.always_runs_commands() || !target.has_key_in_keychain())
    };
    let users = targets.iter_mut().filter(needs_check).map(|target| &mut target.evidence).collect();
    sso::run_commands(users, request.lists_devices(), mac);
    let copies = request.system_root.as_deref();
    let is_undecided = |target: &&mut Target| {
        let Target { evidence, .. } = &**target;
        let is_of_this_mac = mac.is_mac() && evidence.user.name.is_some();
        let has_no_answer = matches!(
            (&evidence.platform_sso.probe, &evidence.sso_extension.probe),
            (Probe::NotChecked, Probe::NotChecked)
        );
        let is_unchecked = is_of_this_mac && (!evidence.can_check_sso || has_no_answer);
        let is_unanswered = (is_of_this_mac || copies.is_some()) && evidence.jamf_gave_no_answer();
        keyless(target) && (is_unchecked || is_unanswered)
    };
    let mut open: Vec<&mut Target> = targets.iter_mut().filter(is_undecided).collect();
    let jobs = open.iter().map(|target| {
        let user = &target.evidence.user;
        Job::new(Rights::Caller, move |trail| Ok(system_files::sso_set_up(copies, mac.root(), user, trail)))
    });
    let found = mac.read(jobs.collect());
    for (target, found) in open.iter_mut().zip(found) {
        match found {
            Ok(found) => target.evidence.sso_set_up = found,
            Err(obstacle) => target.evidence.obstacle = Some(obstacle),
        }
    }
}

/// Reads the user principal names from the account records, if the output shows details.
fn read_account_records(request: &Request, mac: &impl Mac, targets: &mut [Target]) {
    if request.lists_devices() {
        sso::read_account_records(targets.iter_mut().map(|target| &mut target.evidence).collect(), mac);
    }
}

/// Reads the notes about keys for users who have no key in the login keychain and no session, if keys are remembered.
fn recall_keys(mac: &impl Mac, targets: &mut [Target]) {
    let wanted = |target: &Target| {
        let Evidence { user, sso_set_up, remember_key_days, .. } = &target.evidence;
        let is_root = user.uid.is_some_and(|uid| mac.command_as(uid).is_some());
        let has_no_session = target.is_readable() && !target.has_key_in_keychain() && user.has_session == Some(false);
        // If single sign-on is not set up, there is no such key, even if there is a note of one.
        let is_set_up = matches!(sso_set_up, SsoSetUp::By(_) | SsoSetUp::MayBeDeclared);
        remember_key_days.filter(|_| is_root && has_no_session && is_set_up)
    };
    let mut targets: Vec<(u16, &mut Target)> =
        targets.iter_mut().filter_map(|target| Some((wanted(target)?, target))).collect();
    let now = Timestamp::now();
    let jobs = targets.iter().map(|(days, target)| {
        let (user, days) = (&target.evidence.user, *days);
        Job::new(Rights::Caller, move |trail| Ok(memory::read(mac.root(), user, days, now, trail)))
    });
    let found = mac.read(jobs.collect());
    for ((_, target), found) in targets.iter_mut().zip(found) {
        match found {
            Ok(found) => target.evidence.remembered_key = found,
            Err(obstacle) => {
                target.evidence.remembered_key =
                    Witness { path: obstacle.path, probe: Probe::Unreadable(obstacle.cause) }
            }
        }
    }
}

/// Writes the notes of proven keys, and removes the notes of users who have no key; each item is a UID with a note or
/// `None`. It runs after the answer was printed, so it has only the remaining time.
/// Returns what could not be written or removed.
pub fn remember_keys(notes: Vec<(u32, Option<RememberedKey>)>, left: Duration) -> Vec<Obstacle> {
    if notes.is_empty() {
        return Vec::new();
    }
    // No system service is called from here on, so no late answer is needed.
    let nothing = || LateAnswer { status: 0, reasons: String::new(), document: String::new() };
    remember(notes, &ThisMac::new(Deadline::in_time(left), &nothing))
}

/// As [`remember_keys`], on any Mac.
pub fn remember(notes: Vec<(u32, Option<RememberedKey>)>, mac: &impl Mac) -> Vec<Obstacle> {
    let jobs = notes.into_iter().map(|(uid, note)| {
        Job::new(Rights::Caller, move |trail| match note {
            Some(note) => memory::write(mac.root(), &note, trail),
            None => memory::remove(mac.root(), uid, trail),
        })
    });
    mac.read(jobs.collect()).into_iter().filter_map(Result::err).collect()
}
