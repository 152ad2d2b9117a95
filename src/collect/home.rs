//! Reads a user's home: the login keychain, keychains that macOS renamed, and JamfAAD's plist.
//!
//! All of this runs in a reader process with the user's own rights; see [`reader`](super::reader).

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use super::{
    file,
    reader::{Rights, Trail},
};
use crate::{
    evidence::{Cause, Obstacle, Probe, Witness},
    parse::{
        jamf_aad::{self, JamfAad},
        keychain::{self, ErrorKind},
        login_keychain::{self, Depth, LoginKeychain},
        settings::{self, Settings},
        tenants::Tenants,
    },
};

const KEYCHAINS: &str = "Library/Keychains";
const LOGIN_KEYCHAIN: &str = "login.keychain-db";
/// A Mac that was upgraded from an old macOS may have only this one.
const OLD_LOGIN_KEYCHAIN: &str = "login.keychain";
pub(super) const PLIST: &str = "Library/Preferences/com.jamf.management.jamfAAD.plist";

const MAX_KEYCHAIN_SIZE: u64 = 256 * 1024 * 1024;

/// JamfAAD's plist has a few hundred bytes.
const MAX_PLIST_SIZE: u64 = 1024 * 1024;

/// Limits the work that a hostile home can cause.
const MAX_RENAMED_KEYCHAINS: usize = 16;
/// The total size of the renamed keychains that are read, in bytes.
const MAX_RENAMED_SIZE: u64 = 64 * 1024 * 1024;
const MAX_FOLDER_ENTRIES: usize = 10_000;

/// How long to wait for an empty keychain, because macOS may be creating it.
const CREATION: Duration = Duration::from_millis(200);

/// The path of a login keychain with the name that macOS prefers.
pub(super) fn login_keychain_of(home: &Path) -> PathBuf {
    home.join(KEYCHAINS).join(LOGIN_KEYCHAIN)
}

pub(super) fn plist_of(home: &Path) -> PathBuf {
    home.join(PLIST)
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) home: &'a Path,
    /// Whether to read the login keychain of this home; not if an option names another file.
    pub(super) keychain: bool,
    /// Whether to read the plist of this home; not if an option names another file.
    pub(super) plist: bool,
    /// The files with this tool's settings for this user, in order of precedence.
    pub(super) settings: &'a [PathBuf],
    /// The tenants that were given.
    pub(super) tenants: &'a Tenants,
    pub(super) depth: Depth,
    /// Whether the user may never have logged in, so a missing `Library` is not an error.
    pub(super) may_be_unused: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) settings: Settings,
    pub(super) login_keychain: Option<Witness<LoginKeychain>>,
    pub(super) renamed_keychains: Vec<Witness<LoginKeychain>>,
    pub(super) jamf_aad: Option<Witness<JamfAad>>,
}

/// Reads a home, and the settings for its user.
/// Fails if it is not a home, or if settings cannot be read.
pub(super) fn read(wanted: &Wanted<'_>, rights: Rights, trail: &Trail) -> Result<Found, Obstacle> {
    let Wanted { home, depth, .. } = *wanted;
    let reading = Reading { depth, rights, trail, tenants: wanted.tenants };
    let settings = read_settings(wanted.settings, &reading)?;
    // The option takes precedence over the setting.
    let set = settings.tenants.as_ref().and_then(|tenants| tenants.as_ref().ok());
    let tenants = if wanted.tenants.accept_all() { set.unwrap_or(wanted.tenants) } else { wanted.tenants };
    let reading = Reading { tenants, ..reading };
    trail.at(home);
    let has_library = check(home, trail)
        .map_err(|cause| Obstacle { path: Some(home.to_owned()), cause: reading.cause_for_user(cause) })?;
    if !has_library && !wanted.may_be_unused && (wanted.keychain || wanted.plist) {
        return Err(Obstacle { path: Some(home.to_owned()), cause: Cause::NotAHome });
    }
    let login_keychain = wanted.keychain.then(|| reading.login_keychain(home));
    let renamed_keychains = match &login_keychain {
        Some(keychain) if depth == Depth::Details && has_no_key(&keychain.probe, tenants) => {
            reading.renamed_keychains(&home.join(KEYCHAINS))
        }
        _ => Vec::new(),
    };
    let jamf_aad = wanted.plist.then(|| {
        let path = plist_of(home);
        Witness { probe: reading.plist(&path), path: Some(path) }
    });
    Ok(Found { settings, login_keychain, renamed_keychains, jamf_aad })
}

fn read_settings(files: &[PathBuf], reading: &Reading<'_>) -> Result<Settings, Obstacle> {
    let mut settings = Settings::default();
    for path in files {
        reading.trail.at(path);
        let failed = |cause| Obstacle { path: Some(path.clone()), cause: reading.cause_for_user(cause) };
        if let Some(bytes) = file::read(path, MAX_PLIST_SIZE).map_err(failed)? {
            match settings::parse(&bytes) {
                Ok(found) => settings = settings.or(found),
                // With tenants given, no state depends on the settings.
                Err(problem) if !reading.tenants.accept_all() => settings.unused.push(problem.to_string()),
                Err(problem) => return Err(failed(Cause::Settings(problem))),
            }
            if let Some(Err(problem)) = settings.tenants
                && reading.tenants.accept_all()
            {
                return Err(failed(Cause::Settings(problem)));
            }
        }
    }
    Ok(settings)
}

/// Whether the home has a `Library`.
/// Fails if this is not a home.
fn check(home: &Path, trail: &Trail) -> Result<bool, Cause> {
    let found = file::check_folder(home)?;
    // A folder that everybody can write to is not a home, for example `/Users/Shared`.
    if found.uid() == 0 && found.mode() & 0o022 != 0 {
        return Err(Cause::SharedFolder);
    }
    let library = home.join("Library");
    trail.at(&library);
    match fs::metadata(library) {
        Ok(_) => Ok(true),
        // A broken link counts as present, because it may lead to a disk that is not mounted now.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(file::is_absent(&home.join(KEYCHAINS)).is_err()),
        // Other errors are reported with the file that is needed.
        Err(_) => Ok(true),
    }
}

pub(super) fn owner(home: &Path, trail: &Trail) -> Result<u32, Obstacle> {
    trail.at(home);
    let found = file::check_folder(home).map_err(|cause| Obstacle { path: Some(home.to_owned()), cause })?;
    Ok(found.uid())
}

pub(super) fn exists(home: &Path, trail: &Trail) -> Result<bool, Cause> {
    trail.at(home);
    match file::check_folder(home) {
        Ok(_) => Ok(true),
        Err(Cause::HomeMissing | Cause::HomeNotADirectory) => Ok(false),
        Err(cause) => Err(cause),
    }
}

/// When an account's login keychain was last modified, in microseconds since 1970; `None` if there is none.
pub(super) fn keychain_changed(home: &Path, trail: &Trail) -> Result<Option<u64>, Cause> {
    let mut latest = None;
    for name in [LOGIN_KEYCHAIN, OLD_LOGIN_KEYCHAIN] {
        let path = home.join(KEYCHAINS).join(name);
        trail.at(&path);
        latest = latest.max(file::changed(&path)?);
    }
    let since_1970 = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok(latest.map(|time| u64::try_from(since_1970(time).as_micros()).unwrap_or(u64::MAX)))
}

pub(super) fn read_given_keychain(
    path: &Path,
    depth: Depth,
    tenants: &Tenants,
    trail: &Trail,
) -> Result<Witness<LoginKeychain>, Obstacle> {
    let reading = Reading { depth, rights: Rights::Caller, trail, tenants };
    match expected(reading.keychain(path, depth)) {
        // Other sources may show the key, but the option is wrong.
        Probe::Unreadable(cause @ Cause::FileMissing) => Err(Obstacle { path: Some(path.to_owned()), cause }),
        probe => Ok(Witness { path: Some(path.to_owned()), probe }),
    }
}

/// Reads the plist that an option names.
/// Fails if the file is missing, cannot be read, or is not a property list. In a home, a damaged plist still shows that
/// JamfAAD has run; a named file that is not a plist is more likely a mistake.
pub(super) fn read_given_plist(path: &Path, trail: &Trail) -> Result<Witness<JamfAad>, Obstacle> {
    let reading = Reading { depth: Depth::State, rights: Rights::Caller, trail, tenants: &Tenants::default() };
    let probe = expected(reading.plist(path)).and_then(|found| match found {
        JamfAad::Unparsable(problem) => Err(Cause::NotAPlist(problem)),
        JamfAad::Parsed { .. } => Ok(found),
    });
    match probe {
        Probe::Unreadable(cause) => Err(Obstacle { path: Some(path.to_owned()), cause }),
        probe => Ok(Witness { path: Some(path.to_owned()), probe }),
    }
}

/// Treats a missing file as an error, because an option names it.
fn expected<T>(probe: Probe<T>) -> Probe<T> {
    match probe {
        Probe::Absent => Probe::Unreadable(Cause::FileMissing),
        probe => probe,
    }
}

/// Whether a login keychain certainly has no Workplace Join key that counts.
fn has_no_key(probe: &Probe<LoginKeychain>, tenants: &Tenants) -> bool {
    match probe {
        Probe::Found(found) => found.identity_of(tenants).is_none() && found.unknown_issuer.is_none(),
        Probe::Absent => true,
        Probe::Unreadable(_) | Probe::NotChecked => false,
    }
}

struct Reading<'a> {
    depth: Depth,
    rights: Rights,
    trail: &'a Trail,
    tenants: &'a Tenants,
}

impl Reading<'_> {
    /// The cause, as it applies to the user whose rights are used: running with sudo would not help.
    fn cause_for_user(&self, cause: Cause) -> Cause {
        match (cause, self.rights) {
            (Cause::PermissionDenied, Rights::User { .. }) => Cause::DeniedToUser,
            (cause, _) => cause,
        }
    }

    fn login_keychain(&self, home: &Path) -> Witness<LoginKeychain> {
        let preferred = login_keychain_of(home);
        let old = home.join(KEYCHAINS).join(OLD_LOGIN_KEYCHAIN);
        let mut found = self.keychain(&preferred, self.depth);
        if matches!(found, Probe::Absent) {
            let of_old = self.keychain(&old, self.depth);
            // macOS may have replaced the old keychain by the new one between the two reads.
            found = self.keychain(&preferred, self.depth);
            if matches!(found, Probe::Absent) && !matches!(of_old, Probe::Absent) {
                return Witness { path: Some(old), probe: of_old };
            }
        }
        Witness { path: Some(preferred), probe: found }
    }

    fn keychain(&self, path: &Path, depth: Depth) -> Probe<LoginKeychain> {
        let read = || self.keychain_within(&mut { MAX_KEYCHAIN_SIZE }, path, depth);
        self.probe(once_more_if_empty(read, || thread::sleep(CREATION)))
    }

    /// Reads a keychain of at most `left` bytes, and subtracts its size from `left`.
    fn keychain_within(&self, left: &mut u64, path: &Path, depth: Depth) -> Result<Option<LoginKeychain>, Cause> {
        self.trail.at(path);
        file::stable(path, *left, |file| {
            let size = file.metadata().map_err(|error| file::cause_of(&error))?.len();
            *left = left.saturating_sub(size);
            login_keychain::read_for(file, depth, self.tenants).map_err(Cause::Keychain)
        })
    }

    fn plist(&self, path: &Path) -> Probe<JamfAad> {
        self.trail.at(path);
        self.probe(file::read(path, MAX_PLIST_SIZE).map(|bytes| bytes.map(|bytes| jamf_aad::parse(&bytes))))
    }

    fn probe<T>(&self, found: Result<Option<T>, Cause>) -> Probe<T> {
        match found {
            Ok(found) => found.map_or(Probe::Absent, Probe::Found),
            Err(cause) => Probe::Unreadable(self.cause_for_user(cause)),
        }
    }

    /// Reads the keychains that macOS renames when it creates a new login keychain: `login_renamed_N.keychain-db`.
    fn renamed_keychains(&self, folder: &Path) -> Vec<Witness<LoginKeychain>> {
        self.trail.at(folder);
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                let probe = Probe::Unreadable(self.cause_for_user(file::cause_of(&error)));
                return vec![Witness { path: Some(folder.to_owned()), probe }];
            }
            Ok(entries) => entries.take(MAX_FOLDER_ENTRIES).filter_map(Result::ok),
        };
        let numbered = |entry: fs::DirEntry| Some((number_of_renamed(entry.file_name().to_str()?)?, entry.path()));
        let mut numbered: Vec<(u32, PathBuf)> = entries.filter_map(numbered).collect();
        // The highest number is the latest.
        numbered.sort_unstable_by(|one, other| other.cmp(one));
        numbered.truncate(MAX_RENAMED_KEYCHAINS);
        let mut left = MAX_RENAMED_SIZE;
        let read = |(_, path): (u32, PathBuf)| Witness {
            probe: self.probe(self.keychain_within(&mut left, &path, Depth::State)),
            path: Some(path),
        };
        numbered.into_iter().map(read).collect()
    }
}

/// Reads an empty keychain once more after `wait`, because macOS may be creating it.
fn once_more_if_empty<T>(mut read: impl FnMut() -> Result<T, Cause>, wait: impl FnOnce()) -> Result<T, Cause> {
    match read() {
        Err(Cause::Keychain(keychain::Error { kind: ErrorKind::Empty, .. })) => {
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
mod tests;
