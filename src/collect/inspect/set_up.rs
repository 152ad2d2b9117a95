//! Reads how the Mac is set up for JamfAAD from the system's own files.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    Inspection, PLIST,
    sso::{EXTENSIBLE_SSO, MANAGED_PREFERENCES},
};
use crate::{
    cli::Who,
    collect::{file, system::System},
    evidence::{Cause, Probe, SetUp},
    parse::set_up::{self, JAMF_TOOLS, JamfTool},
};

const JAMF_AAD: &str = "com.jamf.management.jamfAAD.plist";
const PREFERENCES: &str = "Library/Preferences";
const JAMF_AGENT: &str = "com.jamfsoftware.jamf.plist";
/// Where root's home is in copies of the system's files, and where it really is: `/var` is a link on a Mac.
const HOME_OF_ROOT: [&str; 2] = ["var/root", "private/var/root"];
const APPLICATIONS: &str = "Applications";
const COMPANY_PORTAL: &str = "Company Portal.app";
const JAMF: &str = "Library/Application Support/JAMF";

/// None of these files is larger, in bytes.
const MAX_SIZE: u64 = 1024 * 1024;

/// Where the system's files are.
struct Place<'a> {
    root: &'a Path,
    /// Whether these are copies, which need not be complete: a folder that is not there tells nothing.
    is_copy: bool,
}

impl Place<'_> {
    fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }
}

impl<S: System> Inspection<'_, S> {
    /// Reads the system's files: those of this Mac, unless the home may be another's, or copies that were given.
    pub(super) fn set_up(&self) -> SetUp {
        let place = match (&self.request.system_root, self.who) {
            (Some(root), _) => Place { root, is_copy: true },
            (None, Who::Console | Who::User(_)) if self.system.is_mac() => {
                Place { root: self.system.root(), is_copy: false }
            }
            (None, _) => return SetUp::NOT_ASKED,
        };
        let [in_copy, in_truth] = HOME_OF_ROOT;
        let home_of_root = if place.is_copy { in_copy } else { in_truth };
        let agent =
            |bytes: Vec<u8>| set_up::conditional_access(&bytes).map_err(|words| Cause::Failed(words.to_owned()));
        SetUp {
            preferences: self.managed(&place, JAMF_AAD, |files| set_up::preferences(files).map(Some)),
            allow_list: self.managed(&place, EXTENSIBLE_SSO, set_up::allow_list),
            conditional_access: self.unless_lacking(&place, PREFERENCES, || {
                self.system_file(&place.at(PREFERENCES).join(JAMF_AGENT)).and_then(agent)
            }),
            plist_of_root: self
                .unless_lacking(&place, home_of_root, || self.is_there(&place.at(home_of_root).join(PLIST), |_| true)),
            company_portal: self.unless_lacking(&place, APPLICATIONS, || {
                self.is_there(&place.at(APPLICATIONS).join(COMPANY_PORTAL), fs::Metadata::is_dir)
            }),
            jamf_tool: self.unless_lacking(&place, JAMF, || self.jamf_tool(&place)),
        }
    }

    fn unless_lacking<T>(&self, place: &Place<'_>, folder: &str, ask: impl FnOnce() -> Probe<T>) -> Probe<T> {
        if self.lacks(place, folder) { Probe::NotAsked } else { ask() }
    }

    /// Whether what should be in a folder may be missing only because the folder was not copied.
    fn lacks(&self, place: &Place<'_>, folder: &str) -> bool {
        let folder = place.at(folder);
        place.is_copy && !(self.progress.asks(&folder).is_ok() && folder.is_dir())
    }

    /// Reads managed preferences: the user's, if there are any, go before the ones for all.
    fn managed<T>(
        &self,
        place: &Place<'_>,
        name: &str,
        read: impl FnOnce(&[Vec<u8>]) -> Result<Option<T>, &'static str>,
    ) -> Probe<T> {
        if self.lacks(place, MANAGED_PREFERENCES) {
            return Probe::NotAsked;
        }
        let folder = place.at(MANAGED_PREFERENCES);
        // A home without an account is normally called like its user.
        let of_home = || self.user.home.as_deref().and_then(Path::file_name);
        let user = self.user.name.as_deref().map(OsStr::new).or_else(of_home);
        let of_user = user.map(|user| folder.join(user).join(name));
        let mut files = Vec::new();
        for path in of_user.into_iter().chain([folder.join(name)]) {
            match self.system_file(&path) {
                Probe::Found(bytes) => files.push(bytes),
                Probe::Absent | Probe::NotAsked => {}
                Probe::Unreadable(cause) => return Probe::Unreadable(cause),
            }
        }
        if files.is_empty() {
            return Probe::Absent;
        }
        match read(&files) {
            Ok(found) => found.map_or(Probe::Absent, Probe::Found),
            Err(words) => Probe::Unreadable(Cause::Failed(words.to_owned())),
        }
    }

    fn jamf_tool(&self, place: &Place<'_>) -> Probe<JamfTool> {
        for (tool, path) in JAMF_TOOLS {
            match self.is_there(&place.at(path), fs::Metadata::is_file) {
                Probe::Found(()) => return Probe::Found(tool),
                Probe::Absent | Probe::NotAsked => {}
                Probe::Unreadable(cause) => return Probe::Unreadable(cause),
            }
        }
        Probe::Absent
    }

    fn system_file(&self, path: &Path) -> Probe<Vec<u8>> {
        let bytes = self.at_system(path, || file::read(path, MAX_SIZE));
        bytes.map_or_else(Probe::Unreadable, |bytes| bytes.map_or(Probe::Absent, Probe::Found))
    }

    fn is_there(&self, path: &Path, is_right: impl FnOnce(&fs::Metadata) -> bool) -> Probe<()> {
        let look = || match fs::metadata(path) {
            Ok(found) if is_right(&found) => Ok(Probe::Found(())),
            Ok(_) => Ok(Probe::Absent),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Probe::Absent),
            Err(error) => Err(file::cause_of(&error)),
        };
        self.at_system(path, look).unwrap_or_else(Probe::Unreadable)
    }

    /// Opens or reads something of the system's. Copies may be anybody's: what lies below the home is its user's.
    fn at_system<T>(&self, path: &Path, work: impl FnOnce() -> Result<T, Cause>) -> Result<T, Cause> {
        if self.request.system_root.is_some() {
            return self.at(path, work);
        }
        self.progress.asks(path)?;
        work()
    }
}
