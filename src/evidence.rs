//! What was found on the Mac, as plain data that [`collect`](crate::collect) fills in and [`assess`](crate::assess)
//! uses.

mod optional_path;
mod path;

use std::path::PathBuf;

use crate::parse::{
    certificate::Description,
    jamf_aad::JamfAad,
    keychain::{self, ErrorKind},
    login_keychain::{LoginKeychain, WorkplaceJoinCertificate},
    platform_sso::{Unclear, UnderWay, app_sso::PlatformSso, sso_status::SsoStatus},
    property_list::Problem,
    records::{Comparison, Counts},
    set_up::{Agent, JamfTool, Preferences, SsoProfile},
    settings,
    tenants::Tenants,
    timestamp::Timestamp,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    pub user: User,
    /// Why nothing could be determined, if an obstacle prevented it.
    pub obstacle: Option<Obstacle>,
    pub login_keychain: Witness<LoginKeychain>,
    /// The result of reading the login keychain with macOS's own reader.
    pub second_opinion: SecondOpinion,
    /// Keychains that macOS renamed when a password was reset. They are read only if details are wanted and the login
    /// keychain has no Workplace Join key.
    pub renamed_keychains: Vec<Witness<LoginKeychain>>,
    /// Platform SSO; not checked if the command cannot be run, or if the output does not need it.
    pub platform_sso: Witness<PlatformSso>,
    /// Microsoft's SSO extension; not checked if Jamf's tool cannot be run, or if the output does not need it.
    pub sso_extension: Witness<SsoStatus>,
    /// Whether the commands for single sign-on can be run, which needs root and a session of the user.
    pub can_check_sso: bool,
    /// Whether single sign-on is set up; checked only if the commands leave open whether there is a key.
    pub sso_set_up: SsoSetUp,
    /// Whether root asked.
    pub as_root: bool,
    /// The tenants whose registrations count.
    pub expected_tenants: Tenants,
    /// For how many days a key that was found in a session is remembered; `None` if keys are not remembered.
    pub remember_key_days: Option<u16>,
    /// What is wrong in this tool's own settings and was therefore not used.
    pub unused_settings: Vec<String>,
    /// The note of a key outside the login keychain; read only if the user has no session now.
    pub remembered_key: Witness<RememberedKey>,
    /// The user principal name in the account record; read only if details are wanted.
    pub linked_name: Option<String>,
    /// How the Mac is set up for JamfAAD; checked only if the output needs it.
    pub set_up: SetUp,
    pub jamf_aad: Witness<JamfAad>,
}

impl Evidence {
    /// Evidence that contains only an obstacle.
    pub fn none(user: User, obstacle: Obstacle) -> Self {
        Self { user, obstacle: Some(obstacle), ..Self::default() }
    }

    /// The Workplace Join identity in the login keychain, among those of the expected tenants.
    pub(crate) fn identity(&self) -> Option<&WorkplaceJoinCertificate> {
        self.login_keychain.probe.found()?.identity_of(&self.expected_tenants)
    }

    /// The tenant of the registration that Jamf's tool shows. If the tool leaves it blank, another source may
    /// show the same device with its tenant.
    pub(crate) fn sso_extension_tenant(&self) -> Option<&str> {
        let found = self.sso_extension.probe.found()?;
        let in_keychain = self.login_keychain.probe.found().into_iter().flat_map(LoginKeychain::identities);
        let by_app_sso = self.platform_sso.probe.found().and_then(|found| found.certificate.as_ref());
        let mut certificates = in_keychain.filter_map(|found| found.description.as_ref()).chain(by_app_sso);
        let device_id = found.device_id.as_deref();
        let is_same = |certificate: &&Description| {
            certificate.device_id.as_deref().zip(device_id).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
        };
        found.tenant_id.as_deref().or_else(|| certificates.find(is_same)?.tenant_id.as_deref())
    }

    /// Whether Jamf's tool was run and gave no answer, so it may answer a second time.
    pub(crate) const fn jamf_gave_no_answer(&self) -> bool {
        matches!(&self.sso_extension.probe, Probe::Unreadable(Cause::Unclear(unclear)) if unclear.may_answer_later())
    }
}

/// Whether Platform SSO or Microsoft's SSO extension is set up for a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SsoSetUp {
    #[default]
    NotChecked,
    /// No file sets it up.
    Nothing,
    /// No file sets it up, but since macOS 27 a declaration can do so without one.
    MayBeDeclared,
    /// This file sets it up.
    By(#[serde(with = "path")] PathBuf),
}

/// A key outside the login keychain that an earlier run found in the user's session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedKey {
    pub uid: u32,
    #[serde(with = "path")]
    pub home: PathBuf,
    pub device_id: Option<String>,
    pub tenant_id: Option<String>,
    /// When it was found.
    pub noted: Timestamp,
}

/// A file or program, and what was found in its content or output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Witness<T> {
    /// The file or program, if there is one.
    #[serde(with = "optional_path")]
    pub path: Option<PathBuf>,
    pub probe: Probe<T>,
}

impl<T> Default for Witness<T> {
    fn default() -> Self {
        Self::not_checked(None)
    }
}

impl<T> Witness<T> {
    /// A file that was not read.
    pub const fn not_checked(path: Option<PathBuf>) -> Self {
        Self { path, probe: Probe::NotChecked }
    }

    /// Why it cannot be used, if that is so.
    pub(crate) fn obstacle(&self) -> Option<Obstacle> {
        match &self.probe {
            Probe::Unreadable(cause) => Some(Obstacle { path: self.path.clone(), cause: cause.clone() }),
            Probe::Found(_) | Probe::Absent | Probe::NotChecked => None,
        }
    }
}

/// The outcome of reading a file or running a program.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum Probe<T> {
    /// The file or output was read.
    Found(T),
    /// There is no such file, which is an answer, not a failure.
    Absent,
    /// The file exists, or may exist, but could not be read.
    Unreadable(Cause),
    /// The file or program was not needed.
    #[default]
    NotChecked,
}

impl<T> Probe<T> {
    /// What was found, if anything was.
    pub(crate) const fn found(&self) -> Option<&T> {
        match self {
            Self::Found(found) => Some(found),
            Self::Absent | Self::Unreadable(_) | Self::NotChecked => None,
        }
    }

    /// Maps the found value; an error makes the result unreadable.
    pub(crate) fn and_then<U>(self, read: impl FnOnce(T) -> Result<U, Cause>) -> Probe<U> {
        match self {
            Self::Found(found) => read(found).map_or_else(Probe::Unreadable, Probe::Found),
            Self::Absent => Probe::Absent,
            Self::Unreadable(cause) => Probe::Unreadable(cause),
            Self::NotChecked => Probe::NotChecked,
        }
    }
}

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// The home directory does not exist.
    HomeMissing,
    /// The path that was given as home directory is not a directory.
    HomeNotADirectory,
    /// The directory has no `Library`, but every home has one.
    NotAHome,
    /// The directory belongs to root and is writable by others, so it is not a home.
    SharedFolder,
    /// The file kept changing while it was read.
    Changing,
    /// A file that an option names does not exist.
    FileMissing,
    /// A folder that an option names does not exist, or is not a folder.
    FolderMissing,
    /// The user cannot be determined; contains what failed.
    AccountsUnavailable(String),
    /// There is no account with this name or UID.
    NoSuchAccount(String),
    /// The reader process could not become the user, so nothing was read.
    RightsNotTaken {
        uid: u32,
        /// The operating system's message.
        words: String,
    },
    /// The deadline has passed; contains the limit in seconds.
    DeadlinePassed(u64),
    /// This tool panicked; contains the place.
    Crashed(String),
    /// The process that reads a user's files was killed or gave no answer; contains the reason.
    ReaderFailed(String),
    /// The caller's rights do not suffice (`EACCES`).
    PermissionDenied,
    /// Root read with the user's rights, and these do not suffice (`EACCES`).
    DeniedToUser,
    /// macOS's privacy protection or a security agent forbids it (`EPERM`).
    NotPermitted,
    SymbolicLink,
    /// A folder in the path is a broken symbolic link; contains the link's path.
    LinkToNowhere(#[serde(with = "path")] PathBuf),
    /// A part of the path is not a folder.
    NotAFolder,
    /// The path is not a regular file; contains what it is.
    NotAFile(FileKind),
    /// The file is larger than any real one; the sizes are in bytes.
    TooLarge {
        size: u64,
        /// The largest size that is read.
        limit: u64,
    },
    /// A command's output gives no answer.
    Unclear(Unclear),
    /// The file sets up single sign-on, whose key cannot be checked because the user has no session.
    NoSession,
    /// Like [`NoSession`](Self::NoSession), but no file sets up single sign-on; a declaration may do so.
    MayBeDeclared,
    /// Single sign-on is or may be set up, and no command of this Mac can show its keys.
    CommandsMissing,
    /// The user's registration with Platform SSO is under way.
    UnderWay(UnderWay),
    /// The device's registration with Platform SSO is lost, and nothing shows whether there is another key.
    DeviceLost,
    /// This tool's own settings cannot be used.
    Settings(settings::Problem),
    /// A note of a key does not count.
    Note(NoteProblem),
    /// The file was given as JamfAAD's plist, but is not a plist, or cannot be read as one.
    NotAPlist(Problem),
    /// Another error; contains the operating system's message.
    Failed(String),
    /// The file is not a keychain, or is damaged.
    Keychain(keychain::Error),
    /// The certificate record at this offset has a private key, but its issuer cannot be read.
    UnknownIssuer(u64),
    /// The file was needed, but was not read.
    NotRead,
}

/// Why a note of a key does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoteProblem {
    Damaged,
    FromTheFuture,
    OfAnotherHome,
    /// Another user than root could have written it.
    NotPrivateToRoot,
}

/// What was found instead of a regular file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileKind {
    Directory,
    Fifo,
    Device,
    Socket,
}

/// Why something cannot be determined, and because of which file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obstacle {
    /// The file or folder, if it is one.
    #[serde(with = "optional_path")]
    pub path: Option<PathBuf>,
    pub cause: Cause,
}

impl Obstacle {
    /// Whether this says why a file or output cannot be used.
    pub(crate) fn explains<T>(&self, source: &Witness<T>) -> bool {
        // These are about one file; the others can concern several at once.
        let is_of_one = matches!(self.cause, Cause::SymbolicLink | Cause::NotAFile(_) | Cause::TooLarge { .. });
        source.obstacle().is_some_and(|it| it.cause == self.cause && (!is_of_one || it.path == self.path))
    }
}

impl Cause {
    /// What is wrong with the keychain's format, if the cause is its format and not a failed read.
    pub(crate) const fn damage(&self) -> Option<keychain::Error> {
        match self {
            Self::Keychain(error) if !matches!(error.kind, ErrorKind::Read(_)) => Some(*error),
            _ => None,
        }
    }
}

impl From<Cause> for Obstacle {
    fn from(cause: Cause) -> Self {
        Self { path: None, cause }
    }
}

/// The user whom the evidence is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The account's short name, if known.
    pub name: Option<String>,
    pub uid: Option<u32>,
    /// The home directory; `None` if there is no user.
    #[serde(with = "optional_path")]
    pub home: Option<PathBuf>,
    /// Why this user; `None` if the choice could not be made.
    pub source: Option<Source>,
    /// Whether this user is at the console.
    pub console: Console,
    /// Whether this user has a session on this Mac, if that is known.
    pub has_session: Option<bool>,
}

/// Why a user was chosen, in the words of the JSON output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The home directory was given by an option.
    HomeOption,
    UserOption,
    /// The user is at the console.
    Console,
    /// Nobody is at the console; this user was there last.
    LastConsole,
    /// Nobody is at the console, and the last user is not known; this user's login keychain changed last.
    MostRecent,
    AllUsers,
    /// Keychain and plist were given, and nobody was named.
    FilesGiven,
    /// Nobody has ever used this Mac.
    None,
}

impl User {
    /// Whether this is somebody of this Mac. What was given by an option may be another Mac's.
    pub(crate) fn is_of_this_mac(&self) -> bool {
        !matches!(self.source, Some(Source::HomeOption | Source::FilesGiven))
    }
}

/// Whether the chosen user is at the console.
#[derive(Debug, Clone, Default, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Console {
    /// This user is at the console.
    ThisUser,
    /// The console record names this user, but the session on the console belongs to another user.
    Contradictory,
    /// Nobody is at the console.
    Nobody,
    /// The user with this UID is at the console.
    Another(u32),
    /// The console user was not checked, or could not be determined.
    #[default]
    NotChecked,
}

/// How the Mac is set up, according to the system's files.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SetUp {
    pub preferences: Probe<Preferences>,
    /// What a profile configures for single sign-on; absent if there is no profile.
    pub sso_profile: Probe<SsoProfile>,
    /// The preferences of the Jamf agent.
    pub agent: Probe<Agent>,
    /// JamfAAD's plist in root's home, which exists if `gatherAADInfo` was run as root.
    pub plist_of_root: Probe<()>,
    pub company_portal: Probe<()>,
    pub jamf_tool: Probe<JamfTool>,
    /// The short link to Jamf's tool.
    pub jamf_link: Probe<()>,
}

impl SetUp {
    /// A set-up of which nothing could be read.
    pub(crate) fn unreadable(cause: &Cause) -> Self {
        Self {
            preferences: Probe::Unreadable(cause.clone()),
            sso_profile: Probe::Unreadable(cause.clone()),
            agent: Probe::Unreadable(cause.clone()),
            plist_of_root: Probe::Unreadable(cause.clone()),
            company_portal: Probe::Unreadable(cause.clone()),
            jamf_tool: Probe::Unreadable(cause.clone()),
            jamf_link: Probe::Unreadable(cause.clone()),
        }
    }
}

/// The outcome of reading the login keychain with macOS's own reader.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecondOpinion {
    /// A second opinion was neither needed nor requested.
    #[default]
    NotChecked,
    /// A second opinion was needed, but macOS's reader gave no usable answer; contains the reason.
    Missing(String),
    /// macOS's reader found no key in a damaged keychain, which proves nothing.
    NoKey,
    /// Both readers found the same certificates and private keys; contains their numbers.
    Agrees(Counts),
    Differs {
        /// What only this tool's reader found.
        only_here: Counts,
        /// What only macOS's reader found.
        only_there: Counts,
    },
    /// The answer relies on macOS's reader, because this tool's reader could not read the file.
    Used(keychain::Error),
}

impl From<Comparison> for SecondOpinion {
    fn from(found: Comparison) -> Self {
        let Comparison { ours, only_ours, only_theirs } = found;
        if [only_ours, only_theirs] == [Counts::default(); 2] {
            Self::Agrees(ours)
        } else {
            Self::Differs { only_here: only_ours, only_there: only_theirs }
        }
    }
}
