//! Reads a user's files; decides nothing.
//!
//! The home belongs to its user and this may run as root, so nothing in it is trusted: no symbolic link is followed in
//! place of a file, nothing but a regular file is read, and none that is larger than any real one.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use nix::{errno::Errno, fcntl::OFlag};

use crate::{
    cause::Cause,
    cli::{Output, Request},
    evidence::{Evidence, Probe, User, UserSource, Witness},
    jamf_aad::{self, JamfAad},
    keychain::ErrorKind,
    login_keychain::{self, Depth, LoginKeychain},
};

const KEYCHAINS: &str = "Library/Keychains";
const LOGIN_KEYCHAIN: &str = "login.keychain-db";
/// A Mac upgraded from long ago may have only this one.
const OLD_LOGIN_KEYCHAIN: &str = "login.keychain";
const PLIST: &str = "Library/Preferences/com.jamf.management.jamfAAD.plist";

const MAX_KEYCHAIN_SIZE: u64 = 1024 * 1024 * 1024;
const MAX_PLIST_SIZE: u64 = 16 * 1024 * 1024;

/// Bounds the work that a hostile home can make.
const MAX_RENAMED_KEYCHAINS: usize = 16;
const MAX_FOLDER_ENTRIES: usize = 10_000;

/// How long a keychain is empty while macOS creates it.
const CREATION: Duration = Duration::from_millis(200);

/// Reads what the request needs.
#[must_use]
pub fn inspect(request: &Request) -> Evidence {
    let depth = match request.output {
        Output::Result => Depth::State,
        Output::Json => Depth::Details,
    };
    let home = &request.home;
    let user = User { name: None, uid: None, home: home.clone(), source: UserSource::HomeOption };
    let checked = check_home(home);
    if checked.is_err() {
        let path = request.keychain.clone().unwrap_or_else(|| login_keychain_path(home));
        return Evidence {
            user,
            home: checked,
            login_keychain: Witness { path, probe: Probe::NotAsked },
            renamed_keychains: Vec::new(),
            jamf_aad: Witness { path: plist_path(request), probe: Probe::NotAsked },
        };
    }
    let login_keychain = login_keychain(request, depth);
    let has_key = match &login_keychain.probe {
        Probe::Found(found) => found.workplace_join_identity().is_some(),
        Probe::Absent | Probe::Unreadable(_) | Probe::NotAsked => false,
    };
    let renamed_keychains = if depth == Depth::Details && !has_key && request.keychain.is_none() {
        renamed_keychains(&home.join(KEYCHAINS))
    } else {
        Vec::new()
    };
    let jamf_aad = if depth == Depth::Details || has_key { jamf_aad(request) } else { Probe::NotAsked };
    Evidence {
        user,
        home: checked,
        login_keychain,
        renamed_keychains,
        jamf_aad: Witness { path: plist_path(request), probe: jamf_aad },
    }
}

fn check_home(home: &Path) -> Result<(), Cause> {
    match fs::metadata(home) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Cause::HomeNotADirectory),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Cause::HomeMissing),
        Err(error) => Err(cause_of(&error)),
    }
}

fn login_keychain(request: &Request, depth: Depth) -> Witness<LoginKeychain> {
    if let Some(path) = &request.keychain {
        return Witness { path: path.clone(), probe: expected(read_keychain(path, depth)) };
    }
    let preferred = login_keychain_path(&request.home);
    let old = preferred.with_file_name(OLD_LOGIN_KEYCHAIN);
    let probe = read_keychain(&preferred, depth);
    if !matches!(probe, Probe::Absent) {
        return Witness { path: preferred, probe };
    }
    match read_keychain(&old, depth) {
        Probe::Absent => Witness { path: preferred, probe },
        probe => Witness { path: old, probe },
    }
}

fn login_keychain_path(home: &Path) -> PathBuf {
    home.join(KEYCHAINS).join(LOGIN_KEYCHAIN)
}

/// A file that was named expressly has to be there.
fn expected<T>(probe: Probe<T>) -> Probe<T> {
    match probe {
        Probe::Absent => Probe::Unreadable(Cause::FileMissing),
        probe => probe,
    }
}

/// Reads a keychain from one descriptor: macOS replaces the file at each change, so that is a consistent snapshot.
fn read_keychain(path: &Path, depth: Depth) -> Probe<LoginKeychain> {
    let read = || {
        let Some(file) = open(path, MAX_KEYCHAIN_SIZE)? else { return Ok(Probe::Absent) };
        login_keychain::read(&file, depth).map(Probe::Found).map_err(Cause::Keychain)
    };
    once_more_if_empty(read, || thread::sleep(CREATION)).unwrap_or_else(Probe::Unreadable)
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

/// Reads the keychains that macOS puts aside when it makes a new login keychain: `login_renamed_N.keychain-db`.
fn renamed_keychains(folder: &Path) -> Vec<Witness<LoginKeychain>> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries
        .take(MAX_FOLDER_ENTRIES)
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_str().is_some_and(is_renamed_keychain))
        .map(|entry| entry.path())
        .collect();
    paths.sort_unstable();
    paths.truncate(MAX_RENAMED_KEYCHAINS);
    paths.into_iter().map(|path| Witness { probe: read_keychain(&path, Depth::State), path }).collect()
}

fn is_renamed_keychain(name: &str) -> bool {
    name.strip_prefix("login_renamed_")
        .and_then(|rest| rest.strip_suffix(".keychain-db"))
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn plist_path(request: &Request) -> PathBuf {
    request.plist.clone().unwrap_or_else(|| request.home.join(PLIST))
}

fn jamf_aad(request: &Request) -> Probe<JamfAad> {
    let read = |path: &Path| {
        let Some(file) = open(path, MAX_PLIST_SIZE)? else { return Ok(Probe::Absent) };
        let mut bytes = Vec::new();
        // The file may grow after it was measured.
        file.take(MAX_PLIST_SIZE).read_to_end(&mut bytes).map_err(|error| cause_of(&error))?;
        Ok(Probe::Found(jamf_aad::parse(&bytes)))
    };
    let probe = read(&plist_path(request)).unwrap_or_else(Probe::Unreadable);
    if request.plist.is_some() { expected(probe) } else { probe }
}

/// Opens a regular file of at most `limit` bytes; `None` if there is none.
fn open(path: &Path, limit: u64) -> Result<Option<File>, Cause> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = match OpenOptions::new().read(true).custom_flags(flags.bits()).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cause_of(&error)),
    };
    let metadata = file.metadata().map_err(|error| cause_of(&error))?;
    let kind = metadata.file_type();
    if kind.is_dir() {
        return Err(Cause::NotAFile("a directory"));
    }
    if kind.is_fifo() {
        return Err(Cause::NotAFile("a FIFO"));
    }
    if !kind.is_file() {
        return Err(Cause::NotAFile("a device"));
    }
    if metadata.len() > limit {
        return Err(Cause::TooLarge { size: metadata.len(), limit });
    }
    Ok(Some(file))
}

fn cause_of(error: &io::Error) -> Cause {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EACCES) => Cause::PermissionDenied,
        Some(Errno::EPERM) => Cause::NotPermitted,
        Some(Errno::ELOOP) => Cause::SymbolicLink,
        // What opening a socket gives: the former on Linux, the latter on macOS.
        Some(Errno::ENXIO | Errno::EOPNOTSUPP) => Cause::NotAFile("a socket"),
        _ => Cause::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keychain;

    #[test]
    fn only_numbered_login_keychains_count_as_renamed() {
        assert!(is_renamed_keychain("login_renamed_1.keychain-db"));
        assert!(is_renamed_keychain("login_renamed_23.keychain-db"));
        for name in
            ["login_renamed_.keychain-db", "login_renamed_1", "login_renamed_1a.keychain-db", "login.keychain-db"]
        {
            assert!(!is_renamed_keychain(name), "{name}");
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

    #[test]
    fn the_rights_of_a_file_and_what_else_forbids_it_have_different_causes() {
        let cause = |errno: Errno| cause_of(&io::Error::from_raw_os_error(errno as i32));
        assert_eq!(cause(Errno::EACCES), Cause::PermissionDenied);
        assert_eq!(cause(Errno::EPERM), Cause::NotPermitted);
        assert_eq!(cause(Errno::ELOOP), Cause::SymbolicLink);
        assert_eq!(cause(Errno::ENXIO), Cause::NotAFile("a socket"));
        assert_eq!(cause(Errno::EOPNOTSUPP), Cause::NotAFile("a socket"));
        let failed = cause(Errno::EIO);
        assert!(matches!(&failed, Cause::Failed(words) if words.starts_with("Input/output error")), "{failed:?}");
    }
}
