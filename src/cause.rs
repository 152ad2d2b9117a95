//! Why a file could not be read, and what to do about it: the words that end up on standard error.

use std::{fmt, path::PathBuf};

use crate::{
    keychain::{self, ErrorKind},
    platform_sso::Unclear,
};

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The home directory does not exist.
    HomeMissing,
    /// What was given as home directory is none.
    HomeNotADirectory,
    /// A file that was named expressly does not exist.
    FileMissing,
    /// A folder that was named expressly does not exist, or is something else.
    FolderMissing,
    /// Nobody can tell whose home it would be; what failed.
    AccountsUnavailable(String),
    /// There is no account with this name or number.
    NoSuchAccount(String),
    /// The user's rights could not be taken, so that nothing was read.
    RightsNotTaken {
        /// The user's number.
        uid: u32,
        /// The operating system's words.
        words: String,
    },
    /// The process' own rights could not be taken back.
    RightsNotGivenBack(String),
    /// Too much time has passed; the limit in seconds.
    DeadlinePassed(u64),
    /// This tool itself failed; the words.
    Crashed(String),
    /// The caller's rights do not suffice (`EACCES`).
    PermissionDenied,
    /// Root has looked with the user's rights, and these do not suffice (`EACCES`).
    DeniedToUser,
    /// Something else than the file's rights forbids it (`EPERM`): macOS' privacy protection, a security agent.
    NotPermitted,
    /// A symbolic link stands in its place.
    SymbolicLink,
    /// A folder on the way to it is a symbolic link that leads nowhere; which.
    LinkToNowhere(PathBuf),
    /// Something else stands in place of a folder on the way to it.
    NotAFolder,
    /// Something else than a regular file stands in its place; what.
    NotAFile(&'static str),
    /// It is larger than any real one, in bytes.
    TooLarge {
        /// Its size.
        size: u64,
        /// The largest size that is read.
        limit: u64,
    },
    /// A command's output tells nothing.
    Unclear(Unclear),
    /// It sets up single sign-on, which cannot be asked about because the user has no session.
    NoSession,
    /// The operating system's words.
    Failed(String),
    /// It is no keychain, or a damaged one.
    Keychain(keychain::Error),
    /// The certificate record at this offset has a private key, but nothing tells its issuer.
    UnknownIssuer(u64),
    /// It would have been needed, but was not read.
    NotRead,
}

/// What is in the way, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// The file or folder, if it is one.
    pub path: Option<PathBuf>,
    /// What is wrong.
    pub cause: Cause,
}

impl From<Cause> for Obstacle {
    fn from(cause: Cause) -> Self {
        Self { path: None, cause }
    }
}

impl Cause {
    /// What to do about it.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::HomeMissing | Self::HomeNotADirectory => "give an existing home directory with --home",
            Self::FileMissing => "give an existing file",
            Self::FolderMissing => "give an existing folder",
            Self::AccountsUnavailable(_) => "name the user with --user or the home directory with --home",
            Self::NoSuchAccount(_) => "name an account of this Mac with --user or a home directory with --home",
            Self::RightsNotTaken { .. } => "run it as root or as this user",
            Self::RightsNotGivenBack(_) => "run it again",
            Self::DeadlinePassed(_) => "find out what holds it up, or give it more time with --deadline",
            Self::Crashed(_) => "report this, with the output of --version",
            Self::PermissionDenied => "run it with sudo",
            Self::DeniedToUser => "give its user the right to read it",
            Self::NotPermitted => {
                "allow the calling program Full Disk Access, or put it on the security agent's allow-list"
            }
            Self::LinkToNowhere(_) => "bring back what the link leads to",
            Self::NotAFolder => "put the folder back in its place",
            Self::SymbolicLink | Self::NotAFile(_) => "put the file itself in this place",
            Self::TooLarge { .. } => "find out what wrote it and move it away",
            Self::Unclear(_) => "run it again; if that does not help, report the output",
            Self::NoSession => "run it with sudo while the user is logged in",
            Self::Failed(_) => "run it again, and check the disk if that does not help",
            Self::Keychain(error) => match error.kind {
                ErrorKind::Empty => "run it again when the user has logged in",
                ErrorKind::NotAKeychain | ErrorKind::Sqlite | ErrorKind::UnknownVersion(_) => {
                    "check that this is the login keychain"
                }
                ErrorKind::Read(_) => "run it again, and check the disk if that does not help",
                _ => "restore it from a backup, or reset the login keychain and register again",
            },
            Self::UnknownIssuer(_) => "delete the certificate in Keychain Access and register again",
            Self::NotRead => "run it again",
        }
    }

    /// What is wrong with the keychain's format, if it was read and that is what is wrong.
    #[must_use]
    pub const fn damage(&self) -> Option<keychain::Error> {
        match self {
            Self::Keychain(error) if !matches!(error.kind, ErrorKind::Read(_)) => Some(*error),
            _ => None,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HomeMissing => f.write_str("this home directory does not exist"),
            Self::HomeNotADirectory => f.write_str("this is not a directory"),
            Self::FileMissing => f.write_str("this file does not exist"),
            Self::FolderMissing => f.write_str("there is no such folder"),
            Self::AccountsUnavailable(words) => write!(f, "it cannot be told whose Mac this is: {words}"),
            Self::NoSuchAccount(who) => write!(f, "there is no account {who:?}"),
            Self::RightsNotTaken { uid, words } => {
                write!(f, "the rights of the user with the number {uid} cannot be taken: {words}")
            }
            Self::RightsNotGivenBack(words) => write!(f, "root's rights cannot be taken back: {words}"),
            Self::DeadlinePassed(seconds) => write!(f, "no answer within {seconds} s"),
            Self::Crashed(words) => write!(f, "this tool failed: {words}"),
            Self::PermissionDenied => f.write_str("permission denied"),
            Self::DeniedToUser => f.write_str("permission denied, even to its user"),
            Self::NotPermitted => {
                f.write_str("the operation is not permitted, by macOS' privacy protection or a security agent")
            }
            Self::SymbolicLink => f.write_str("this is a symbolic link, which is not followed"),
            Self::LinkToNowhere(link) => {
                write!(f, "the folder {} on the way to it is a symbolic link that leads nowhere", link.display())
            }
            Self::NotAFolder => f.write_str("something on the way to it is not a folder"),
            Self::NotAFile(what) => write!(f, "this is {what}, not a regular file"),
            Self::TooLarge { size, limit } => write!(f, "the file has {size} bytes, and no more than {limit} are read"),
            Self::Unclear(unclear) => unclear.fmt(f),
            Self::NoSession => f.write_str(
                "this sets up single sign-on, whose keys only show in a session of the user's, and none could be entered",
            ),
            Self::Failed(words) => f.write_str(words),
            Self::Keychain(error) => error.fmt(f),
            Self::UnknownIssuer(offset) => write!(
                f,
                "a certificate that has a private key cannot be read, nor can its stored issuer (at offset {offset})"
            ),
            Self::NotRead => f.write_str("this file was not read"),
        }
    }
}
