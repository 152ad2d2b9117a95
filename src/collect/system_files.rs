//! Reads the system's own files, and files that options name, with the caller's rights.
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
        set_up::{self, JAMF_LINK, JamfTool, SsoProfile},
        tenants::Tenants,
    },
};

const JAMF_AAD: &str = "com.jamf.management.jamfAAD.plist";
const PREFERENCES: &str = "Library/Preferences";
const JAMF_AGENT: &str = "com.jamfsoftware.jamf.plist";
/// The path of root's home in copies of the system's files, and its real path: on a Mac, `/var` is a link.
const HOME_OF_ROOT: [&str; 2] = ["var/root", "private/var/root"];
const APPLICATIONS: &str = "Applications";
const COMPANY_PORTAL: &str = "Company Portal.app";
const JAMF_COMMANDS: &str = "usr/local/jamf/bin";
const JAMF: &str = "Library/Application Support/JAMF";

/// Where macOS keeps managed preferences: those for all users, and in a folder with a user's name those for that user.
const MANAGED_PREFERENCES: &str = "Library/Managed Preferences";
/// The managed preferences that a profile with the payload `com.apple.extensiblesso` sets.
const EXTENSIBLE_SSO: &str = "com.apple.extensiblesso.plist";

/// The managed preferences with this tool's own settings.
const SETTINGS: &str = "wpj-state.plist";

/// The files with the version of macOS. The first one comes first because macOS may show an older version in the second
/// one to a program that was built for an older macOS.
const SYSTEM_VERSION: [&str; 2] =
    ["System/Library/CoreServices/.SystemVersionPlatform.plist", "System/Library/CoreServices/SystemVersion.plist"];
/// The first macOS release whose declarations can set up single sign-on without a file.
const FIRST_WITH_DECLARATIONS: u32 = 27;

/// The preferences in which the login window remembers the last user.
const LOGIN_WINDOW: &str = "Library/Preferences/com.apple.loginwindow.plist";

/// The folder in which homes normally are.
const HOMES: &str = "Users";

/// The largest system file or saved output that is read, in bytes.
const MAX_SIZE: u64 = 1024 * 1024;

/// The name that the login window remembers.
pub(super) fn last_user(root: &Path, trail: &Trail) -> Result<Option<String>, Obstacle> {
    let path = root.join(LOGIN_WINDOW);
    trail.at(&path);
    let bytes = file::read(&path, MAX_SIZE).map_err(|cause| Obstacle { path: Some(path), cause })?;
    // A file that is not a property list counts as one without a name.
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
        // Links are not followed: only a real folder counts as a home.
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

/// The contents of the files that options name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Given {
    pub(super) login_keychain: Option<Witness<LoginKeychain>>,
    pub(super) jamf_aad: Option<Witness<JamfAad>>,
    pub(super) platform_sso: Witness<PlatformSso>,
    pub(super) sso_extension: Witness<SsoStatus>,
}

/// Reads the files that options name.
/// Fails if the folder for the system's files does not exist, or if a saved output or the plist cannot be read, even if
/// the answer would not need it.
pub(super) fn read_given(request: &Request, depth: Depth, tenants: &Tenants, trail: &Trail) -> Result<Given, Obstacle> {
    if let Some(given) = &request.system_root {
        trail.at(given);
        if !given.is_dir() {
            return Err(Obstacle { path: Some(given.clone()), cause: Cause::FolderMissing });
        }
    }
    let keychain = request.keychain.as_ref().map(|path| home::read_given_keychain(path, depth, tenants, trail));
    Ok(Given {
        login_keychain: keychain.transpose()?,
        jamf_aad: request.plist.as_ref().map(|path| home::read_given_plist(path, trail)).transpose()?,
        platform_sso: saved(request.app_sso_state.as_deref(), app_sso::parse, trail)?,
        sso_extension: saved(request.psso_status.as_deref(), sso_status::parse, trail)?,
    })
}

/// Reads how the Mac is set up, from copies of the system's files or from this Mac's own files.
pub(super) fn set_up(copies: Option<&Path>, own: &Path, user: &User, trail: &Trail) -> SetUp {
    SystemFiles { root: copies.unwrap_or(own), is_copy: copies.is_some(), trail }.set_up(user)
}

/// Reads a saved output of a command.
/// Fails if the file cannot be read.
fn saved<T>(path: Option<&Path>, parse: fn(&str) -> Result<T, Unclear>, trail: &Trail) -> Result<Witness<T>, Obstacle> {
    let Some(path) = path else { return Ok(Witness::not_checked(None)) };
    trail.at(path);
    let bytes = file::read(path, MAX_SIZE).and_then(|bytes| bytes.ok_or(Cause::FileMissing));
    let bytes = bytes.map_err(|cause| Obstacle { path: Some(path.to_owned()), cause })?;
    let found = platform_sso::saved(&String::from_utf8_lossy(&bytes), parse);
    let probe = found.map_or_else(|unclear| Probe::Unreadable(Cause::Unclear(unclear)), Probe::Found);
    Ok(Witness { path: Some(path.to_owned()), probe })
}

/// Whether single sign-on is set up for this user, according to copies of the system's files or this Mac's own files. A
/// file that cannot be read is assumed to set it up.
pub(super) fn sso_set_up(copies: Option<&Path>, own: &Path, user: &User, trail: &Trail) -> SsoSetUp {
    let place = SystemFiles { root: copies.unwrap_or(own), is_copy: copies.is_some(), trail };
    let is_set_up = |path: &PathBuf| match place.file(path) {
        Probe::Found(bytes) => set_up::sso_profile(&[bytes]).map_or(true, |found| found.is_some()),
        Probe::Absent | Probe::NotChecked => false,
        Probe::Unreadable(_) => true,
    };
    match place.managed_files(user, EXTENSIBLE_SSO).into_iter().find(is_set_up) {
        Some(path) => SsoSetUp::By(path),
        None if place.lacks_copy_of(MANAGED_PREFERENCES) => SsoSetUp::NotChecked,
        None if place.can_have_declarations() => SsoSetUp::MayBeDeclared,
        None => SsoSetUp::Nothing,
    }
}

/// The files with this tool's settings for a user, in order of precedence.
pub(super) fn settings_files(root: &Path, user: &User) -> Vec<PathBuf> {
    SystemFiles { root, is_copy: false, trail: &Trail::SILENT }.managed_files(user, SETTINGS)
}

/// The major version of macOS.
pub(super) fn macos_version(root: &Path, trail: &Trail) -> Option<u32> {
    SYSTEM_VERSION.iter().find_map(|name| {
        let path = root.join(name);
        trail.at(&path);
        let mut bytes = Vec::new();
        // Links are followed, because the first file is one on some releases; both are on the sealed volume.
        fs::File::open(&path).ok()?.take(MAX_SIZE).read_to_end(&mut bytes).ok()?;
        let file = property_list::dictionary(&bytes).ok()?;
        file.get("ProductVersion")?.as_string()?.split('.').next()?.parse().ok()
    })
}

/// The system's files below a root folder: this Mac's own, or copies.
struct SystemFiles<'a> {
    root: &'a Path,
    /// Whether these are copies, which may be incomplete, so a missing folder shows nothing.
    is_copy: bool,
    trail: &'a Trail,
}

impl SystemFiles<'_> {
    fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }

    fn set_up(&self, user: &User) -> SetUp {
        let [in_copy, on_this_mac] = HOME_OF_ROOT;
        let home_of_root = if self.is_copy { in_copy } else { on_this_mac };
        let agent = |bytes: Vec<u8>| set_up::agent(&bytes).map_err(|problem| Cause::Failed(problem.to_string()));
        SetUp {
            preferences: self.managed(user, JAMF_AAD, |files| set_up::preferences(files).map(Some)),
            sso_profile: match self.managed(user, EXTENSIBLE_SSO, set_up::sso_profile) {
                Probe::Absent | Probe::Found(SsoProfile::OfAnother) if self.can_have_declarations() => {
                    Probe::NotChecked
                }
                probe => probe,
            },
            agent: self.if_copied(PREFERENCES, || self.file(&self.at(PREFERENCES).join(JAMF_AGENT)).and_then(agent)),
            plist_of_root: self.if_copied(home_of_root, || self.exists(&self.at(home_of_root).join(PLIST), |_| true)),
            company_portal: self.if_copied(APPLICATIONS, || {
                self.exists(&self.at(APPLICATIONS).join(COMPANY_PORTAL), fs::Metadata::is_dir)
            }),
            jamf_tool: self.if_copied(JAMF, || self.jamf_tool()),
            jamf_link: self.if_copied(JAMF_COMMANDS, || self.exists(&self.at(JAMF_LINK), fs::Metadata::is_file)),
        }
    }

    /// Whether this folder was not copied, so a file that is missing in it may exist on the Mac.
    fn lacks_copy_of(&self, folder: &str) -> bool {
        let folder = self.at(folder);
        self.trail.at(&folder);
        self.is_copy && !folder.is_dir()
    }

    fn if_copied<T>(&self, folder: &str, read: impl FnOnce() -> Probe<T>) -> Probe<T> {
        if self.lacks_copy_of(folder) { Probe::NotChecked } else { read() }
    }

    /// Whether a declaration may set up single sign-on without a file in this release of macOS. Copies without the
    /// release are assumed to come from an earlier one.
    fn can_have_declarations(&self) -> bool {
        let version = macos_version(self.root, self.trail);
        version.map_or(!self.is_copy, |version| version >= FIRST_WITH_DECLARATIONS)
    }

    /// The files with managed preferences: the user's first, because they take precedence, then those for all users.
    fn managed_files(&self, user: &User, name: &str) -> Vec<PathBuf> {
        let folder = self.at(MANAGED_PREFERENCES);
        // A home without an account normally has its user's name.
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
        // A Mac without managed preferences has no such folder. If the folder beside it was copied, this one probably
        // did not exist. That is enough for a finding, but not for a state.
        if self.lacks_copy_of(MANAGED_PREFERENCES) && self.lacks_copy_of(PREFERENCES) {
            return Probe::NotChecked;
        }
        let mut files = Vec::new();
        for path in self.managed_files(user, name) {
            match self.file(&path) {
                Probe::Found(bytes) => files.push(bytes),
                Probe::Absent | Probe::NotChecked => {}
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
            match self.exists(&self.at(tool.path()), fs::Metadata::is_file) {
                Probe::Found(()) => return Probe::Found(tool),
                Probe::Absent | Probe::NotChecked => {}
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

    fn exists(&self, path: &Path, is_expected_kind: impl FnOnce(&fs::Metadata) -> bool) -> Probe<()> {
        self.trail.at(path);
        match fs::metadata(path) {
            Ok(found) if is_expected_kind(&found) => Probe::Found(()),
            Ok(_) => Probe::Absent,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Probe::Absent,
            Err(error) => Probe::Unreadable(file::cause_of(&error)),
        }
    }
}

#[cfg(test)]
mod tests;
