//! What the system's own files say, and files that were given by an option: read with the caller's own rights.
//!
//! All of this runs in a reader process; see [`reader`](super::reader).

use std::{
    ffi::OsStr,
    fs,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    file,
    home::{self, PLIST},
    reader::Trail,
};
use crate::{
    cli::Request,
    evidence::{Cause, Obstacle, Probe, SetUp, SsoSetUp, User, Witness},
    parse::{
        jamf_aad::JamfAad,
        login_keychain::{Depth, LoginKeychain},
        platform_sso::{
            self, Unclear,
            app_sso::{self, PlatformSso},
            sso_status::{self, SsoStatus},
        },
        property_list::{self, Problem},
        set_up::{self, JAMF_LINK, JamfTool},
    },
};

const JAMF_AAD: &str = "com.jamf.management.jamfAAD.plist";
const PREFERENCES: &str = "Library/Preferences";
const JAMF_AGENT: &str = "com.jamfsoftware.jamf.plist";
/// Where root's home is in copies of the system's files, and where it really is: `/var` is a link on a Mac.
const HOME_OF_ROOT: [&str; 2] = ["var/root", "private/var/root"];
const APPLICATIONS: &str = "Applications";
const COMPANY_PORTAL: &str = "Company Portal.app";
const JAMF_COMMANDS: &str = "usr/local/jamf/bin";
const JAMF: &str = "Library/Application Support/JAMF";

/// Where macOS keeps what a profile with the payload `com.apple.extensiblesso` sets, for all users or, in a folder of
/// the user's name, for one.
const MANAGED_PREFERENCES: &str = "Library/Managed Preferences";
const EXTENSIBLE_SSO: &str = "com.apple.extensiblesso.plist";

/// This tool's own settings.
const SETTINGS: &str = "wpj-state.plist";

/// Where macOS has its version, and the first one whose declarations can set up single sign-on without a file. A program
/// that was built for an older macOS gets to see an older version under the second name.
const SYSTEM_VERSION: [&str; 2] =
    ["System/Library/CoreServices/.SystemVersionPlatform.plist", "System/Library/CoreServices/SystemVersion.plist"];
const FIRST_WITH_DECLARATIONS: u32 = 27;

/// Where the login window remembers the last user.
const LOGIN_WINDOW: &str = "Library/Preferences/com.apple.loginwindow.plist";

/// Where homes normally are.
const HOMES: &str = "Users";

/// None of these files is larger, in bytes; nor is a saved output.
const MAX_SIZE: u64 = 1024 * 1024;

/// The name that the login window remembers.
pub(super) fn last_user(root: &Path, trail: &Trail) -> Result<Option<String>, Obstacle> {
    let path = root.join(LOGIN_WINDOW);
    trail.at(&path);
    let bytes = file::read(&path, MAX_SIZE).map_err(|cause| Obstacle { path: Some(path), cause })?;
    // Something that is not a property list remembers nobody.
    let remembered = bytes.and_then(|bytes| property_list::dictionary(&bytes).ok());
    Ok(remembered.as_ref().and_then(|it| it.get("lastUserName")?.as_string()).map(str::to_owned))
}

pub(super) fn home_owners(root: &Path, trail: &Trail) -> Result<Vec<u32>, Obstacle> {
    let folder = root.join(HOMES);
    trail.at(&folder);
    let failed =
        |path: &Path, error: &io::Error| Obstacle { path: Some(path.to_owned()), cause: file::cause_of(error) };
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| failed(&folder, &error))?,
    };
    let mut owners = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| failed(&folder, &error))?;
        trail.at(&entry.path());
        // Links are not followed: only what is itself a folder is somebody's home.
        match entry.metadata() {
            Ok(found) if found.is_dir() => owners.push(found.uid()),
            Ok(_) => {}
            // It has just been removed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&entry.path(), &error)),
        }
    }
    Ok(owners)
}

/// What was found in files that were given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Given {
    pub(super) login_keychain: Option<Witness<LoginKeychain>>,
    pub(super) jamf_aad: Option<Witness<JamfAad>>,
    pub(super) platform_sso: Witness<PlatformSso>,
    pub(super) sso_extension: Witness<SsoStatus>,
}

/// Reads the files that were given.
/// Fails if the folder that was given for the system's files is not there, or if a saved output or the plist cannot be
/// read, needed or not: it was named to count.
pub(super) fn read_given(request: &Request, depth: Depth, trail: &Trail) -> Result<Given, Obstacle> {
    if let Some(given) = &request.system_root {
        trail.at(given);
        if !given.is_dir() {
            return Err(Obstacle { path: Some(given.clone()), cause: Cause::FolderMissing });
        }
    }
    Ok(Given {
        login_keychain: request.keychain.as_ref().map(|path| home::read_given_keychain(path, depth, trail)),
        jamf_aad: request.plist.as_ref().map(|path| home::read_given_plist(path, trail)).transpose()?,
        platform_sso: saved(request.app_sso_state.as_deref(), app_sso::parse, trail)?,
        sso_extension: saved(request.psso_status.as_deref(), sso_status::parse, trail)?,
    })
}

/// Reads how the Mac is set up: from the copies that were given, or from this Mac's own files.
pub(super) fn set_up(copies: Option<&Path>, own: &Path, user: &User, trail: &Trail) -> SetUp {
    Place { root: copies.unwrap_or(own), is_copy: copies.is_some(), trail }.set_up(user)
}

/// Reads a saved output of a command.
/// Fails if the file cannot be read.
fn saved<T>(path: Option<&Path>, parse: fn(&str) -> Result<T, Unclear>, trail: &Trail) -> Result<Witness<T>, Obstacle> {
    let Some(path) = path else { return Ok(Witness::not_asked(None)) };
    trail.at(path);
    let bytes = file::read(path, MAX_SIZE).and_then(|bytes| bytes.ok_or(Cause::FileMissing));
    let bytes = bytes.map_err(|cause| Obstacle { path: Some(path.to_owned()), cause })?;
    let found = platform_sso::saved(&String::from_utf8_lossy(&bytes), parse);
    let probe = found.map_or_else(|unclear| Probe::Unreadable(Cause::Unclear(unclear)), Probe::Found);
    Ok(Witness { path: Some(path.to_owned()), probe })
}

/// Whether single sign-on is set up for this user, by copies of the system's files or by this Mac's own. A file that
/// cannot be read may set it up.
pub(super) fn sso_set_up(copies: Option<&Path>, own: &Path, user: &User, trail: &Trail) -> SsoSetUp {
    let place = Place { root: copies.unwrap_or(own), is_copy: copies.is_some(), trail };
    let is_set_up = |path: &PathBuf| match place.file(path) {
        Probe::Found(bytes) => set_up::sso_profile(&[bytes]).map_or(true, |found| found.is_some()),
        Probe::Absent | Probe::NotAsked => false,
        Probe::Unreadable(_) => true,
    };
    match place.managed_files(user, EXTENSIBLE_SSO).into_iter().find(is_set_up) {
        Some(path) => SsoSetUp::By(path),
        None if place.is_incomplete(MANAGED_PREFERENCES) => SsoSetUp::NotAsked,
        None if place.can_have_declarations() => SsoSetUp::MayBeDeclared,
        None => SsoSetUp::Nothing,
    }
}

/// Where this tool's own settings for a user are.
pub(super) fn settings_files(root: &Path, user: &User) -> Vec<PathBuf> {
    Place { root, is_copy: false, trail: &Trail::SILENT }.managed_files(user, SETTINGS)
}

/// The first number of macOS's version.
pub(super) fn macos_version(root: &Path, trail: &Trail) -> Option<u32> {
    SYSTEM_VERSION.iter().find_map(|name| {
        let path = root.join(name);
        trail.at(&path);
        let mut bytes = Vec::new();
        // The first is a link on some releases; both are on the sealed volume.
        fs::File::open(&path).ok()?.take(MAX_SIZE).read_to_end(&mut bytes).ok()?;
        let file = property_list::dictionary(&bytes).ok()?;
        file.get("ProductVersion")?.as_string()?.split('.').next()?.parse().ok()
    })
}

struct Place<'a> {
    root: &'a Path,
    /// Whether these are copies, which need not be complete: a folder that is not there says nothing.
    is_copy: bool,
    trail: &'a Trail,
}

impl Place<'_> {
    fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }

    fn set_up(&self, user: &User) -> SetUp {
        let [in_copy, in_truth] = HOME_OF_ROOT;
        let home_of_root = if self.is_copy { in_copy } else { in_truth };
        let agent = |bytes: Vec<u8>| set_up::agent(&bytes).map_err(|problem| Cause::Failed(problem.to_string()));
        SetUp {
            preferences: self.managed(user, JAMF_AAD, |files| set_up::preferences(files).map(Some)),
            sso_profile: match self.managed(user, EXTENSIBLE_SSO, set_up::sso_profile) {
                Probe::Absent if self.can_have_declarations() => Probe::NotAsked,
                probe => probe,
            },
            agent: self
                .unless_lacking(PREFERENCES, || self.file(&self.at(PREFERENCES).join(JAMF_AGENT)).and_then(agent)),
            plist_of_root: self
                .unless_lacking(home_of_root, || self.is_there(&self.at(home_of_root).join(PLIST), |_| true)),
            company_portal: self.unless_lacking(APPLICATIONS, || {
                self.is_there(&self.at(APPLICATIONS).join(COMPANY_PORTAL), fs::Metadata::is_dir)
            }),
            jamf_tool: self.unless_lacking(JAMF, || self.jamf_tool()),
            jamf_link: self.unless_lacking(JAMF_COMMANDS, || self.is_there(&self.at(JAMF_LINK), fs::Metadata::is_file)),
        }
    }

    /// Whether a folder was not copied, so that what should be in it may be missing only for that.
    fn is_incomplete(&self, folder: &str) -> bool {
        let folder = self.at(folder);
        self.trail.at(&folder);
        self.is_copy && !folder.is_dir()
    }

    fn unless_lacking<T>(&self, folder: &str, read: impl FnOnce() -> Probe<T>) -> Probe<T> {
        if self.is_incomplete(folder) { Probe::NotAsked } else { read() }
    }

    /// Whether this macOS can have single sign-on set up without a file.
    fn can_have_declarations(&self) -> bool {
        macos_version(self.root, self.trail).is_some_and(|version| version >= FIRST_WITH_DECLARATIONS)
    }

    /// Where managed preferences are: the user's, which go first, and the ones for all.
    fn managed_files(&self, user: &User, name: &str) -> Vec<PathBuf> {
        let folder = self.at(MANAGED_PREFERENCES);
        // A home without an account is normally called like its user.
        let of_home = || user.home.as_deref().and_then(Path::file_name);
        let name_of_user = user.name.as_deref().map(OsStr::new).or_else(of_home);
        let of_user = name_of_user.map(|user| folder.join(user).join(name));
        of_user.into_iter().chain([folder.join(name)]).collect()
    }

    /// Reads managed preferences.
    fn managed<T>(
        &self,
        user: &User,
        name: &str,
        read: impl FnOnce(&[Vec<u8>]) -> Result<Option<T>, Problem>,
    ) -> Probe<T> {
        // A Mac without any has no such folder, so its neighbour shows whether it would have been copied. That is
        // enough for a finding, but not for a state.
        if self.is_incomplete(MANAGED_PREFERENCES) && self.is_incomplete(PREFERENCES) {
            return Probe::NotAsked;
        }
        let mut files = Vec::new();
        for path in self.managed_files(user, name) {
            match self.file(&path) {
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
            Err(problem) => Probe::Unreadable(Cause::Failed(problem.to_string())),
        }
    }

    fn jamf_tool(&self) -> Probe<JamfTool> {
        for tool in JamfTool::ALL {
            match self.is_there(&self.at(tool.path()), fs::Metadata::is_file) {
                Probe::Found(()) => return Probe::Found(tool),
                Probe::Absent | Probe::NotAsked => {}
                Probe::Unreadable(cause) => return Probe::Unreadable(cause),
            }
        }
        Probe::Absent
    }

    fn file(&self, path: &Path) -> Probe<Vec<u8>> {
        self.trail.at(path);
        let bytes = file::read(path, MAX_SIZE);
        bytes.map_or_else(Probe::Unreadable, |bytes| bytes.map_or(Probe::Absent, Probe::Found))
    }

    fn is_there(&self, path: &Path, is_right: impl FnOnce(&fs::Metadata) -> bool) -> Probe<()> {
        self.trail.at(path);
        match fs::metadata(path) {
            Ok(found) if is_right(&found) => Probe::Found(()),
            Ok(_) => Probe::Absent,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Probe::Absent,
            Err(error) => Probe::Unreadable(file::cause_of(&error)),
        }
    }
}

#[cfg(test)]
mod tests;
