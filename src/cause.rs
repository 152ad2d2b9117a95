//! Why a file could not be read, and what to do about it: the words that end up on standard error.

use std::fmt;

use crate::keychain::{self, ErrorKind};

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The home directory does not exist.
    HomeMissing,
    /// What was given as home directory is none.
    HomeNotADirectory,
    /// A file that was named expressly does not exist.
    FileMissing,
    /// The caller's rights do not suffice (`EACCES`).
    PermissionDenied,
    /// Something else than the file's rights forbids it (`EPERM`): macOS' privacy protection, a security agent.
    NotPermitted,
    /// A symbolic link stands in its place.
    SymbolicLink,
    /// Something else than a regular file stands in its place; what.
    NotAFile(&'static str),
    /// It is larger than any real one, in bytes.
    TooLarge {
        /// Its size.
        size: u64,
        /// The largest size that is read.
        limit: u64,
    },
    /// The operating system's words.
    Failed(String),
    /// It is no keychain, or a damaged one.
    Keychain(keychain::Error),
    /// The certificate record at this offset has a private key, but nothing tells its issuer.
    UnknownIssuer(u64),
    /// It would have been needed, but was not read.
    NotRead,
}

impl Cause {
    /// What to do about it.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::HomeMissing | Self::HomeNotADirectory => "give an existing home directory with --home",
            Self::FileMissing => "give an existing file",
            Self::PermissionDenied => "run it with sudo",
            Self::NotPermitted => {
                "allow the calling program Full Disk Access, or put it on the security agent's allow-list"
            }
            Self::SymbolicLink | Self::NotAFile(_) => "put the file itself in this place",
            Self::TooLarge { .. } => "find out what wrote it and move it away",
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

    /// Whether the file was read, and is wrong.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        match self {
            Self::Keychain(error) => !matches!(error.kind, ErrorKind::Read(_)),
            _ => false,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HomeMissing => f.write_str("this home directory does not exist"),
            Self::HomeNotADirectory => f.write_str("this is not a directory"),
            Self::FileMissing => f.write_str("this file does not exist"),
            Self::PermissionDenied => f.write_str("permission denied"),
            Self::NotPermitted => {
                f.write_str("the operation is not permitted, by macOS' privacy protection or a security agent")
            }
            Self::SymbolicLink => f.write_str("this is a symbolic link, which is not followed"),
            Self::NotAFile(what) => write!(f, "this is {what}, not a regular file"),
            Self::TooLarge { size, limit } => write!(f, "the file has {size} bytes, and no more than {limit} are read"),
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
