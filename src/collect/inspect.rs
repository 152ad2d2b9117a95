//! Reads a user's files, and asks the Mac about what they do not show; decides nothing.
//!
//! The home belongs to its user and this may run as root, so nothing in it is trusted: what lies below it is opened with
//! the user's rights, and only as [`file::open`] allows.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    cli::{AskMacos, Request, Who},
    collect::{
        file,
        progress::Progress,
        second_opinion,
        system::System,
        user::{self, Choice, Hidden},
    },
    evidence::{Cause, Evidence, Obstacle, Probe, SecondOpinion, SetUp, User, Witness},
    parse::{
        jamf_aad::{self, JamfAad},
        keychain::{self, ErrorKind, Keychain},
        login_keychain::{self, Depth, LoginKeychain},
        records::Records,
    },
};

mod home;
mod set_up;
mod sso;

use home::Home;
use sso::Sso;

const KEYCHAINS: &str = "Library/Keychains";
const LOGIN_KEYCHAIN: &str = "login.keychain-db";
/// A Mac upgraded from long ago may have only this one.
const OLD_LOGIN_KEYCHAIN: &str = "login.keychain";
const PLIST: &str = "Library/Preferences/com.jamf.management.jamfAAD.plist";

const MAX_KEYCHAIN_SIZE: u64 = 1024 * 1024 * 1024;

/// No preference file is larger, in bytes.
pub const MAX_PLIST_SIZE: u64 = 16 * 1024 * 1024;

/// What is larger, no application has written. It is a worker's, because it may take more memory than there is, which
/// ends a process. What JamfAAD writes has some hundred bytes.
const ORDINARY_PLIST_SIZE: u64 = 64 * 1024;

/// Likewise, for as much of a keychain as has to be read. Keys and certificates have some ten kilobytes, the others some
/// hundred.
const ORDINARY_KEYCHAIN_SIZE: u64 = 1024 * 1024;

/// Bounds the work that a hostile home can make.
const MAX_RENAMED_KEYCHAINS: usize = 16;
const MAX_FOLDER_ENTRIES: usize = 10_000;

/// How long a keychain is empty while macOS creates it.
const CREATION: Duration = Duration::from_millis(200);

/// Reads what the request needs of one user, and tells `progress` which file it is at.
#[must_use]
pub fn inspect(request: &Request, who: &Who, system: &impl System, progress: &Progress) -> Evidence {
    match user::choose(who, system) {
        Ok(choice) => inspect_choice(request, who, choice, system, progress),
        Err(obstacle) => Evidence::none(User::UNKNOWN, obstacle),
    }
}

/// Reads what the request needs of the person with this number; `None` if that is nobody.
#[must_use]
pub fn inspect_person(request: &Request, uid: u32, system: &impl System, progress: &Progress) -> Option<Evidence> {
    Some(match user::person(uid, system)? {
        Ok(choice) => inspect_choice(request, &Who::Console, choice, system, progress),
        Err(Hidden { user, obstacle }) => Evidence::none(user, obstacle),
    })
}

fn inspect_choice(request: &Request, who: &Who, choice: Choice, system: &impl System, progress: &Progress) -> Evidence {
    let root = || system_root_exists(request, progress);
    let home = match Home::of(&choice, system, progress).and_then(|home| root().map(|()| home)) {
        Ok(home) => home,
        Err(obstacle) => {
            return Evidence {
                login_keychain: Witness::not_asked(request.keychain.clone().or(login_keychain_of(&choice.user))),
                jamf_aad: Witness::not_asked(request.plist.clone().or(plist_of(&choice.user))),
                ..Evidence::none(choice.user, obstacle)
            };
        }
    };
    let depth = if request.needs_details() { Depth::Details } else { Depth::State };
    Inspection { request, system, progress, who, user: &choice.user, home, depth }.evidence()
}

/// A folder that was named expressly has to be there.
fn system_root_exists(request: &Request, progress: &Progress) -> Result<(), Obstacle> {
    let Some(root) = &request.system_root else { return Ok(()) };
    let asked = progress.asks(root).and_then(|()| if root.is_dir() { Ok(()) } else { Err(Cause::FolderMissing) });
    asked.map_err(|cause| Obstacle { path: Some(root.clone()), cause })
}

/// Both names of an account's login keychain, the one that macOS prefers first.
#[must_use]
pub fn login_keychains(home: &Path) -> [PathBuf; 2] {
    [LOGIN_KEYCHAIN, OLD_LOGIN_KEYCHAIN].map(|name| home.join(KEYCHAINS).join(name))
}

fn login_keychain_of(user: &User) -> Option<PathBuf> {
    user.home.as_ref().map(|home| home.join(KEYCHAINS).join(LOGIN_KEYCHAIN))
}

fn plist_of(user: &User) -> Option<PathBuf> {
    user.home.as_ref().map(|home| home.join(PLIST))
}

/// One look at one user's files.
struct Inspection<'a, S> {
    request: &'a Request,
    system: &'a S,
    progress: &'a Progress,
    who: &'a Who,
    user: &'a User,
    home: Home,
    depth: Depth,
}

/// A keychain's path, what was found in it, and the file itself if it could be opened.
struct Opened {
    path: Option<PathBuf>,
    probe: Probe<LoginKeychain>,
    file: Option<File>,
}

impl<S: System> Inspection<'_, S> {
    fn evidence(&self) -> Evidence {
        let (login_keychain, second_opinion) = self.ask_macos(self.login_keychain());
        let has_key = login_keychain.probe.found().is_some_and(|found| found.workplace_join_identity().is_some());
        let in_detail = self.depth == Depth::Details;
        let sso = match (has_key, in_detail) {
            (false, _) => self.sso(),
            // No command is run, and only details can still depend on saved outputs.
            (true, true) => self.saved_sso(),
            (true, false) => Sso::not_asked(),
        };
        let has_no_key = match &login_keychain.probe {
            Probe::Found(found) => !has_key && found.unknown_issuer.is_none(),
            Probe::Absent => true,
            Probe::Unreadable(_) | Probe::NotAsked => false,
        };
        let renamed_keychains = match &self.user.home {
            Some(home) if in_detail && has_no_key && self.request.keychain.is_none() => {
                self.renamed_keychains(&home.join(KEYCHAINS))
            }
            _ => Vec::new(),
        };
        let has_key = has_key || sso.shows_key();
        let jamf_aad = Witness {
            path: self.request.plist.clone().or_else(|| plist_of(self.user)),
            probe: if in_detail || has_key { self.jamf_aad() } else { Probe::NotAsked },
        };
        Evidence {
            user: self.user.clone(),
            obstacle: None,
            login_keychain,
            second_opinion,
            renamed_keychains,
            platform_sso: sso.platform_sso,
            sso_extension: sso.sso_extension,
            can_ask_sso: self.session_prefix().is_some(),
            unasked_sso: sso.unasked,
            set_up: if self.request.needs_set_up() { self.set_up() } else { SetUp::NOT_ASKED },
            jamf_aad,
        }
    }

    /// Opens or reads something at `path`, with the user's rights if it is below the home.
    fn at<T>(&self, path: &Path, work: impl FnOnce() -> Result<T, Cause>) -> Result<T, Cause> {
        self.progress.asks(path)?;
        self.home.rights_at(path).with(work)
    }

    fn login_keychain(&self) -> Opened {
        if let Some(path) = &self.request.keychain {
            let (probe, file) = self.read_keychain(path, self.depth);
            return Opened { path: Some(path.clone()), probe: expected(probe), file };
        }
        let Some(home) = &self.user.home else { return Opened { path: None, probe: Probe::Absent, file: None } };
        let [preferred, old] = login_keychains(home);
        let (probe, file) = self.read_keychain(&preferred, self.depth);
        if !matches!(probe, Probe::Absent) {
            return Opened { path: Some(preferred), probe, file };
        }
        match self.read_keychain(&old, self.depth) {
            (Probe::Absent, _) => Opened { path: Some(preferred), probe, file },
            (probe, file) => Opened { path: Some(old), probe, file },
        }
    }

    /// Reads a keychain from one descriptor: macOS replaces the file at each change, so that is a consistent snapshot.
    fn read_keychain(&self, path: &Path, depth: Depth) -> (Probe<LoginKeychain>, Option<File>) {
        let mut opened = None;
        let read = || {
            self.at(path, || {
                let Some(file) = file::open(path, MAX_KEYCHAIN_SIZE)? else { return Ok(Probe::Absent) };
                let keychain = Keychain::open(&*opened.insert(file)).map_err(Cause::Keychain)?;
                if login_keychain::needed(&keychain, depth) > ORDINARY_KEYCHAIN_SIZE {
                    self.progress.only_as_worker()?;
                }
                login_keychain::read_open(&keychain, depth).map(Probe::Found).map_err(Cause::Keychain)
            })
        };
        let probe = once_more_if_empty(read, || self.system.pause(CREATION)).unwrap_or_else(Probe::Unreadable);
        (probe, opened)
    }

    /// Asks macOS' own reader where this crate's finds the file's format wrong, or where that was asked for.
    fn ask_macos(&self, opened: Opened) -> (Witness<LoginKeychain>, SecondOpinion) {
        let Opened { path, probe, file } = opened;
        let damage = damage(&probe);
        let wanted = match self.request.second_opinion {
            AskMacos::Never => false,
            AskMacos::IfDamaged => damage.is_some() && self.system.is_mac(),
            AskMacos::Always => true,
        };
        if !wanted {
            return (Witness { path, probe }, SecondOpinion::NotAsked);
        }
        let theirs = match (&probe, damage, &file, &path) {
            (Probe::Found(_), _, Some(file), Some(path)) | (_, Some(_), Some(file), Some(path)) => {
                self.second_opinion(path, file)
            }
            _ => Err("there is no keychain file to ask about".to_owned()),
        };
        match (theirs, damage) {
            (Err(words), _) => (Witness { path, probe }, SecondOpinion::Missing(words)),
            (Ok(theirs), Some(error)) => match login_keychain::judge(&theirs) {
                Ok(found) => (Witness { path, probe: Probe::Found(found) }, SecondOpinion::Used(error)),
                Err(words) => (Witness { path, probe }, SecondOpinion::Missing(words)),
            },
            (Ok(theirs), None) => {
                let ours = file.ok_or(()).and_then(|file| Records::read(&file).map_err(drop));
                let opinion = ours.map_or_else(
                    |()| SecondOpinion::Missing("the file has changed meanwhile".to_owned()),
                    |ours| second_opinion::compare(&ours, &theirs),
                );
                (Witness { path, probe }, opinion)
            }
        }
    }

    fn second_opinion(&self, path: &Path, file: &File) -> Result<Records, String> {
        second_opinion::ask(file, self.home.rights_at(path), self.progress, |copy| self.system.read_keychain(copy))
    }

    /// Reads the keychains that macOS puts aside when it makes a new login keychain: `login_renamed_N.keychain-db`.
    fn renamed_keychains(&self, folder: &Path) -> Vec<Witness<LoginKeychain>> {
        let list = || match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(file::cause_of(&error)),
            Ok(entries) => Ok(entries.take(MAX_FOLDER_ENTRIES).filter_map(Result::ok).collect()),
        };
        let entries = match self.at(folder, list) {
            Ok(entries) => entries,
            Err(cause) => return vec![Witness { path: Some(folder.to_owned()), probe: Probe::Unreadable(cause) }],
        };
        let numbered = |entry: &fs::DirEntry| Some((number_of_renamed(entry.file_name().to_str()?)?, entry.path()));
        let mut numbered: Vec<(u32, PathBuf)> = entries.iter().filter_map(numbered).collect();
        // The highest number is the latest.
        numbered.sort_unstable_by(|one, other| other.cmp(one));
        numbered.truncate(MAX_RENAMED_KEYCHAINS);
        let read = |(_, path): (u32, PathBuf)| {
            let (probe, _) = self.read_keychain(&path, Depth::State);
            Witness { path: Some(path), probe }
        };
        numbered.into_iter().map(read).collect()
    }

    fn jamf_aad(&self) -> Probe<JamfAad> {
        let open = |path: &Path| {
            let Some(file) = file::open(path, MAX_PLIST_SIZE)? else { return Ok(None) };
            let mut bytes = file::content(&file, ORDINARY_PLIST_SIZE + 1)?;
            if bytes.len() as u64 > ORDINARY_PLIST_SIZE {
                self.progress.only_as_worker()?;
                bytes.extend(file::content(&file, MAX_PLIST_SIZE - bytes.len() as u64)?);
            }
            Ok(Some(bytes))
        };
        let read = |path: &Path| {
            let found = self.at(path, || open(path));
            found.map_or_else(Probe::Unreadable, |bytes| {
                bytes.map_or(Probe::Absent, |bytes| Probe::Found(jamf_aad::parse(&bytes)))
            })
        };
        match (&self.request.plist, plist_of(self.user)) {
            (Some(path), _) => expected(read(path)),
            (None, Some(path)) => read(&path),
            (None, None) => Probe::Absent,
        }
    }
}

/// What is wrong with a keychain's format. An empty one has none, and is just being created or was never filled.
fn damage(probe: &Probe<LoginKeychain>) -> Option<keychain::Error> {
    match probe {
        Probe::Unreadable(cause) => cause.damage().filter(|error| error.kind != ErrorKind::Empty),
        Probe::Found(_) | Probe::Absent | Probe::NotAsked => None,
    }
}

/// A file that was named expressly has to be there.
fn expected<T>(probe: Probe<T>) -> Probe<T> {
    match probe {
        Probe::Absent => Probe::Unreadable(Cause::FileMissing),
        probe => probe,
    }
}

/// Reads again, after `wait`, what was empty: macOS may be just creating it.
fn once_more_if_empty<T>(mut read: impl FnMut() -> Result<T, Cause>, wait: impl FnOnce()) -> Result<T, Cause> {
    match read() {
        Err(Cause::Keychain(error)) if error.kind == ErrorKind::Empty => {
            wait();
            read()
        }
        outcome => outcome,
    }
}

fn number_of_renamed(name: &str) -> Option<u32> {
    name.strip_prefix("login_renamed_")?.strip_suffix(".keychain-db")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbered_login_keychains_count_as_renamed() {
        assert_eq!(number_of_renamed("login_renamed_1.keychain-db"), Some(1));
        assert_eq!(number_of_renamed("login_renamed_23.keychain-db"), Some(23));
        for name in
            ["login_renamed_.keychain-db", "login_renamed_1", "login_renamed_1a.keychain-db", "login.keychain-db"]
        {
            assert_eq!(number_of_renamed(name), None, "{name}");
        }
    }

    #[test]
    fn an_empty_keychain_is_read_once_more_and_nothing_else_is() {
        let empty = Err(Cause::Keychain(keychain::Error { kind: ErrorKind::Empty, offset: 0 }));
        let outcome = |answers: &[Result<u8, Cause>]| {
            let (mut reads, mut waits) = (0, 0);
            let read = || {
                reads += 1;
                answers[reads - 1].clone()
            };
            let outcome = once_more_if_empty(read, || waits += 1);
            (outcome, reads, waits)
        };
        assert_eq!(outcome(&[Ok(1)]), (Ok(1), 1, 0));
        assert_eq!(outcome(&[empty.clone(), Ok(1)]), (Ok(1), 2, 1));
        assert_eq!(outcome(&[empty.clone(), empty.clone()]), (empty, 2, 1));
        assert_eq!(outcome(&[Err(Cause::SymbolicLink)]), (Err(Cause::SymbolicLink), 1, 0));
    }
}
