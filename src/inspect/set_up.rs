//! Reads how the Mac is set up for JamfAAD from the system's own files.

use std::{fs, io, path::Path};

use super::{
    Inspection, PLIST,
    sso::{EXTENSIBLE_SSO, MANAGED_PREFERENCES},
};
use crate::{
    cause::Cause,
    cli::Who,
    evidence::Probe,
    file,
    set_up::{self, JAMF_TOOLS, JamfTool, SetUp},
    system::System,
};

const JAMF_AAD: &str = "com.jamf.management.jamfAAD.plist";
const JAMF_AGENT: &str = "Library/Preferences/com.jamfsoftware.jamf.plist";
const HOME_OF_ROOT: &str = "var/root";
const COMPANY_PORTAL: &str = "Applications/Company Portal.app";

/// None of these files is larger, in bytes.
const MAX_SIZE: u64 = 1024 * 1024;

impl<S: System> Inspection<'_, S> {
    /// Reads the system's files: those of this Mac, unless the home may be another's, or copies that were given.
    pub(super) fn set_up(&self) -> SetUp {
        let root = match (&self.request.system_root, self.who) {
            (Some(root), _) => root,
            (None, Who::Home(_)) => return SetUp::NOT_ASKED,
            (None, Who::Console | Who::User(_)) if self.system.is_mac() => self.system.root(),
            (None, Who::Console | Who::User(_)) => return SetUp::NOT_ASKED,
        };
        SetUp {
            preferences: self.managed(root, JAMF_AAD, |files| set_up::preferences(files).map(Some)),
            allow_list: self.managed(root, EXTENSIBLE_SSO, set_up::allow_list),
            conditional_access: self
                .system_file(&root.join(JAMF_AGENT))
                .and_then(|bytes| set_up::conditional_access(&bytes).map_err(|words| Cause::Failed(words.to_owned()))),
            plist_of_root: self.is_there(&root.join(HOME_OF_ROOT).join(PLIST), |_| true),
            company_portal: self.is_there(&root.join(COMPANY_PORTAL), fs::Metadata::is_dir),
            jamf_tool: self.jamf_tool(root),
        }
    }

    /// Reads managed preferences: the user's, if there are any, go before the ones for all.
    fn managed<T>(
        &self,
        root: &Path,
        name: &str,
        read: impl FnOnce(&[Vec<u8>]) -> Result<Option<T>, &'static str>,
    ) -> Probe<T> {
        let folder = root.join(MANAGED_PREFERENCES);
        let of_user = self.user.name.as_ref().map(|user| folder.join(user).join(name));
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

    fn system_file(&self, path: &Path) -> Probe<Vec<u8>> {
        self.progress.asks(path);
        file::read(path, MAX_SIZE).map_or_else(Probe::Unreadable, |bytes| bytes.map_or(Probe::Absent, Probe::Found))
    }

    fn jamf_tool(&self, root: &Path) -> Probe<JamfTool> {
        for (tool, path) in JAMF_TOOLS {
            match self.is_there(&root.join(path), fs::Metadata::is_file) {
                Probe::Found(()) => return Probe::Found(tool),
                Probe::Absent | Probe::NotAsked => {}
                Probe::Unreadable(cause) => return Probe::Unreadable(cause),
            }
        }
        Probe::Absent
    }

    fn is_there(&self, path: &Path, is_right: impl FnOnce(&fs::Metadata) -> bool) -> Probe<()> {
        self.progress.asks(path);
        match fs::metadata(path) {
            Ok(found) if is_right(&found) => Probe::Found(()),
            Ok(_) => Probe::Absent,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Probe::Absent,
            Err(error) => Probe::Unreadable(file::cause_of(&error)),
        }
    }
}
