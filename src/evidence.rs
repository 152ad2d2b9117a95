//! What was found on the Mac: plain data, gathered by [`inspect`](crate::inspect) and judged by [`state`](crate::state).

use std::path::PathBuf;

use crate::{cause::Cause, jamf_aad::JamfAad, login_keychain::LoginKeychain};

/// Everything that was found.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// Whose evidence this is.
    pub user: User,
    /// Whether the home directory is one; if not, no file was asked.
    pub home: Result<(), Cause>,
    /// The login keychain.
    pub login_keychain: Witness<LoginKeychain>,
    /// Keychains that macOS put aside when a password was reset; looked for only in detail, and only if the login
    /// keychain has no Workplace Join key.
    pub renamed_keychains: Vec<Witness<LoginKeychain>>,
    /// The plist of JamfAAD; without detail not asked if there is no Workplace Join key.
    pub jamf_aad: Witness<JamfAad>,
}

/// Whose home was looked at.
#[derive(Debug, Clone)]
pub struct User {
    /// The account's short name, if known.
    pub name: Option<String>,
    /// The account's number, if known.
    pub uid: Option<u32>,
    /// The home directory.
    pub home: PathBuf,
    /// Why this user.
    pub source: UserSource,
}

/// Why a user was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserSource {
    /// The home directory was given.
    HomeOption,
}

impl UserSource {
    /// The word that the JSON output uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HomeOption => "home-option",
        }
    }
}

/// A file that was asked, and what it said.
#[derive(Debug, Clone)]
pub struct Witness<T> {
    /// The file.
    pub path: PathBuf,
    /// What it said.
    pub probe: Probe<T>,
}

/// What came of asking a file.
#[derive(Debug, Clone)]
pub enum Probe<T> {
    /// It was read.
    Found(T),
    /// There is no such file. That is an answer, not a failure.
    Absent,
    /// It is there, or may be, but could not be read.
    Unreadable(Cause),
    /// It was not needed.
    NotAsked,
}

impl<T> Probe<T> {
    /// What was found, if anything was.
    pub const fn found(&self) -> Option<&T> {
        match self {
            Self::Found(found) => Some(found),
            Self::Absent | Self::Unreadable(_) | Self::NotAsked => None,
        }
    }
}
