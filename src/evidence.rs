//! What was found on the Mac: plain data, gathered by [`collect`](crate::collect), judged by [`assess`](crate::assess).

mod optional_path;
mod path;

use std::path::PathBuf;

use crate::parse::{
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
    /// Why nothing could be determined, if that is so.
    pub obstacle: Option<Obstacle>,
    pub login_keychain: Witness<LoginKeychain>,
    /// What macOS's own reader says about the login keychain.
    pub second_opinion: SecondOpinion,
    /// Keychains that macOS put aside when a password was reset; looked for only in detail, and only if the login
    /// keychain has no Workplace Join key.
    pub renamed_keychains: Vec<Witness<LoginKeychain>>,
    /// Platform SSO; not asked if the login keychain has the key, or if it cannot be.
    pub platform_sso: Witness<PlatformSso>,
    /// Microsoft's SSO extension, by Jamf's tool; not asked if anything else has shown the key, or if it cannot be.
    pub sso_extension: Witness<SsoStatus>,
    /// Whether commands about single sign-on could be run: as root, in the user's session.
    pub can_ask_sso: bool,
    /// Whether single sign-on is set up; asked only if the commands do not say whether there is a key.
    pub sso_set_up: SsoSetUp,
    /// Whether root asked.
    pub as_root: bool,
    /// The tenants whose registrations count.
    pub expected_tenants: Tenants,
    /// For how many days a key that was proven in a session is remembered; `None` if not at all.
    pub remember_key_days: Option<u16>,
    /// What was noted of a key outside the login keychain; read only if nobody can be asked now.
    pub remembered_key: Witness<RememberedKey>,
    /// The user principal name to which the account's record links it; looked for only in detail.
    pub linked_name: Option<String>,
    /// How the Mac is set up for JamfAAD; asked only in detail.
    pub set_up: SetUp,
    pub jamf_aad: Witness<JamfAad>,
}

impl Evidence {
    /// No evidence, because of an obstacle.
    pub fn none(user: User, obstacle: Obstacle) -> Self {
        Self { user, obstacle: Some(obstacle), ..Self::default() }
    }

    /// The identity in the login keychain that counts.
    pub(crate) fn identity(&self) -> Option<&WorkplaceJoinCertificate> {
        self.login_keychain.probe.found()?.identity_of(&self.expected_tenants)
    }

    /// Whether Jamf's tool was asked and gave no answer, which asking again might.
    pub(crate) const fn has_no_answer_of_jamf(&self) -> bool {
        matches!(&self.sso_extension.probe, Probe::Unreadable(Cause::Unclear(unclear)) if unclear.is_no_answer())
    }
}

/// Whether Platform SSO or Microsoft's SSO extension is set up for a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SsoSetUp {
    #[default]
    NotAsked,
    /// No file sets it up.
    Nothing,
    /// No file sets it up, but since macOS 27 a declaration can do so without one.
    MayBeDeclared,
    /// By this file.
    By(#[serde(with = "path")] PathBuf),
}

/// A key outside the login keychain that a run in a session has proven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedKey {
    pub uid: u32,
    #[serde(with = "path")]
    pub home: PathBuf,
    pub device_id: Option<String>,
    pub tenant_id: Option<String>,
    /// When it was proven.
    pub noted: Timestamp,
}

/// A file or program, and what it says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Witness<T> {
    /// The file or program, if there is one.
    #[serde(with = "optional_path")]
    pub path: Option<PathBuf>,
    pub probe: Probe<T>,
}

impl<T> Default for Witness<T> {
    fn default() -> Self {
        Self::not_asked(None)
    }
}

impl<T> Witness<T> {
    /// A file that was not read.
    pub const fn not_asked(path: Option<PathBuf>) -> Self {
        Self { path, probe: Probe::NotAsked }
    }
}

/// What came of reading a file, or of running a program.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum Probe<T> {
    /// It was read.
    Found(T),
    /// There is no such file. That is an answer, not a failure.
    Absent,
    /// It is there, or may be, but could not be read.
    Unreadable(Cause),
    /// It was not needed.
    #[default]
    NotAsked,
}

impl<T> Probe<T> {
    /// What was found, if anything was.
    pub(crate) const fn found(&self) -> Option<&T> {
        match self {
            Self::Found(found) => Some(found),
            Self::Absent | Self::Unreadable(_) | Self::NotAsked => None,
        }
    }

    /// Makes more of what was found.
    pub(crate) fn and_then<U>(self, read: impl FnOnce(T) -> Result<U, Cause>) -> Probe<U> {
        match self {
            Self::Found(found) => read(found).map_or_else(Probe::Unreadable, Probe::Found),
            Self::Absent => Probe::Absent,
            Self::Unreadable(cause) => Probe::Unreadable(cause),
            Self::NotAsked => Probe::NotAsked,
        }
    }
}

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// The home directory does not exist.
    HomeMissing,
    /// What was given as home directory is not a directory.
    HomeNotADirectory,
    /// This directory has no `Library`, as every home has.
    NotAHome,
    /// This directory is root's, and others may write to it: not a home.
    SharedFolder,
    /// The file changes while it is read.
    Changing,
    /// A file that was named expressly does not exist.
    FileMissing,
    /// A folder that was named expressly does not exist, or is something else.
    FolderMissing,
    /// The user cannot be determined; what failed.
    AccountsUnavailable(String),
    /// There is no account with this name or UID.
    NoSuchAccount(String),
    /// The reader process could not become the user, so nothing was read.
    RightsNotTaken {
        uid: u32,
        /// The operating system's words.
        words: String,
    },
    /// Too much time has passed; the limit in seconds.
    DeadlinePassed(u64),
    /// This tool itself failed; where.
    Crashed(String),
    /// The process that reads a user's files was ended, or gave no answer; how.
    ReaderFailed(String),
    /// The caller's rights do not suffice (`EACCES`).
    PermissionDenied,
    /// Root has looked with the user's rights, and these do not suffice (`EACCES`).
    DeniedToUser,
    /// Not the file's rights forbid it, but macOS's privacy protection or a security agent (`EPERM`).
    NotPermitted,
    SymbolicLink,
    /// A folder on the way to it is a symbolic link that leads nowhere; which.
    LinkToNowhere(#[serde(with = "path")] PathBuf),
    /// Something on the way to it is not a folder.
    NotAFolder,
    /// It is not a regular file; what it is.
    NotAFile(FileKind),
    /// It is larger than any real one, in bytes.
    TooLarge {
        size: u64,
        /// The largest size that is read.
        limit: u64,
    },
    /// A command's output does not give an answer.
    Unclear(Unclear),
    /// It sets up single sign-on, which cannot be asked about because the user has no session.
    NoSession,
    /// As [`NoSession`](Self::NoSession), but no file sets it up; a declaration may.
    MayBeDeclared,
    /// The user's registration with Platform SSO is under way.
    UnderWay(UnderWay),
    /// The device's registration with Platform SSO is gone, and nothing says whether there is another key.
    DeviceLost,
    /// This tool's own settings cannot be used.
    Settings(settings::Problem),
    /// A note of a key does not count.
    Note(NoteProblem),
    /// It was given as JamfAAD's plist, and is none that can be read.
    NotAPlist(Problem),
    /// The operating system's words.
    Failed(String),
    /// It is not a keychain, or a damaged one.
    Keychain(keychain::Error),
    /// The certificate record at this offset has a private key, but its issuer cannot be read.
    UnknownIssuer(u64),
    /// It would have been needed, but was not read.
    NotRead,
}

/// Why a note of a key does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoteProblem {
    Damaged,
    FromTheFuture,
    OfAnotherHome,
    /// Others could have written it.
    NotRoots,
}

/// What may be where a regular file belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileKind {
    Directory,
    Fifo,
    Device,
    Socket,
}

/// Why something cannot be determined, and which file is concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obstacle {
    /// The file or folder, if it is one.
    #[serde(with = "optional_path")]
    pub path: Option<PathBuf>,
    pub cause: Cause,
}

impl Cause {
    /// What is wrong with the keychain's format, if it was read and that is what is wrong.
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

/// Whose evidence it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The account's short name, if known.
    pub name: Option<String>,
    pub uid: Option<u32>,
    /// The home directory; `None` if there is nobody.
    #[serde(with = "optional_path")]
    pub home: Option<PathBuf>,
    /// Why this user; `None` if the choice could not be made.
    pub source: Option<Source>,
    /// Whether this user is at the console.
    pub console: Console,
    /// Whether this user has a session on this Mac, if that is known.
    pub has_session: Option<bool>,
}

/// Why a user was chosen; the JSON output has these words.
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
    /// Nobody is at the console, nor is it known who was; this user's login keychain changed last.
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
    /// Yes.
    ThisUser,
    /// The console's record says so, but the session that says to be on the console is another user's.
    Contradictory,
    /// Nobody is.
    Nobody,
    Another(u32),
    /// It was not checked, or could not be.
    #[default]
    NotAsked,
}

/// What the system's files show.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SetUp {
    pub preferences: Probe<Preferences>,
    /// What a profile sets up for single sign-on; absent if there is none.
    pub sso_profile: Probe<SsoProfile>,
    /// What the preferences of Jamf's agent say.
    pub agent: Probe<Agent>,
    /// JamfAAD's plist in root's home: found if `gatherAADInfo` was once run as root.
    pub plist_of_root: Probe<()>,
    pub company_portal: Probe<()>,
    pub jamf_tool: Probe<JamfTool>,
    /// The short link to Jamf's tool.
    pub jamf_link: Probe<()>,
}

impl SetUp {
    /// Nothing of it could be read.
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

/// What became of the second opinion.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecondOpinion {
    /// It was neither needed nor asked for.
    #[default]
    NotAsked,
    /// It was needed but gave no usable answer; why.
    Missing(String),
    /// It finds the same certificates and private keys; how many.
    Agrees(Counts),
    Differs {
        /// What only this tool's reader finds.
        only_here: Counts,
        only_there: Counts,
    },
    /// It is what the answer rests on, because this tool's reader could not read the file.
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
