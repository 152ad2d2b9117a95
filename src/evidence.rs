//! What was found on the Mac: plain data, gathered by [`inspect`](crate::inspect) and judged by [`state`](crate::state).

use std::path::PathBuf;

use crate::{
    cause::{Cause, Obstacle},
    jamf_aad::JamfAad,
    login_keychain::LoginKeychain,
    platform_sso::{app_sso::PlatformSso, sso_status::SsoStatus},
    second_opinion::SecondOpinion,
    set_up::SetUp,
    user::User,
};

/// Everything that was found.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// Whose evidence this is.
    pub user: User,
    /// What kept the files from being asked, if anything did.
    pub obstacle: Option<Obstacle>,
    /// The login keychain.
    pub login_keychain: Witness<LoginKeychain>,
    /// What macOS' own reader says about the login keychain.
    pub second_opinion: SecondOpinion,
    /// Keychains that macOS put aside when a password was reset; looked for only in detail, and only if the login
    /// keychain has no Workplace Join key.
    pub renamed_keychains: Vec<(PathBuf, Probe<LoginKeychain>)>,
    /// Platform SSO; not asked if the login keychain has the key, or if it cannot be.
    pub platform_sso: Witness<PlatformSso>,
    /// Microsoft's SSO extension, by Jamf's tool; not asked if anything else has shown the key, or if it cannot be.
    pub sso_extension: Witness<SsoStatus>,
    /// Whether commands could be run that tell about single sign-on: as root, in a session of the user's.
    pub can_ask_sso: bool,
    /// What sets up single sign-on, if neither source could be asked because the user has no session.
    pub unasked_sso: Option<PathBuf>,
    /// How the Mac is set up for JamfAAD; asked only in detail.
    pub set_up: SetUp,
    /// The plist of JamfAAD; without detail not asked if there is no Workplace Join key.
    pub jamf_aad: Witness<JamfAad>,
}

impl Evidence {
    /// No evidence, because of an obstacle.
    #[must_use]
    pub fn none(user: User, obstacle: Obstacle) -> Self {
        Self {
            user,
            obstacle: Some(obstacle),
            login_keychain: Witness::not_asked(None),
            second_opinion: SecondOpinion::NotAsked,
            renamed_keychains: Vec::new(),
            platform_sso: Witness::not_asked(None),
            sso_extension: Witness::not_asked(None),
            can_ask_sso: false,
            unasked_sso: None,
            set_up: SetUp::NOT_ASKED,
            jamf_aad: Witness::not_asked(None),
        }
    }
}

/// A file or program that was asked, and what it said.
#[derive(Debug, Clone)]
pub struct Witness<T> {
    /// The file or program; `None` if there is none to ask.
    pub path: Option<PathBuf>,
    /// What it said.
    pub probe: Probe<T>,
}

impl<T> Witness<T> {
    /// A file that was not asked.
    #[must_use]
    pub const fn not_asked(path: Option<PathBuf>) -> Self {
        Self { path, probe: Probe::NotAsked }
    }
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

    /// Makes more of what was found.
    #[must_use]
    pub fn and_then<U>(self, read: impl FnOnce(T) -> Result<U, Cause>) -> Probe<U> {
        match self {
            Self::Found(found) => read(found).map_or_else(Probe::Unreadable, Probe::Found),
            Self::Absent => Probe::Absent,
            Self::Unreadable(cause) => Probe::Unreadable(cause),
            Self::NotAsked => Probe::NotAsked,
        }
    }
}
