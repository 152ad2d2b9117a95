//! What a command's output can show about a registration.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a command's output shows nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum Unclear {
    /// The command did not answer in time, or says that nobody answered it.
    #[error("there was no answer in time")]
    TimedOut,
    /// The command could not be run; the operating system's words.
    #[error("it could not be run: {0}")]
    Failed(String),
    /// The output is not what is known of it; what is strange. It quotes nothing of the output.
    #[error("the output cannot be understood: {0}")]
    Unintelligible(Cow<'static, str>),
}

/// Microsoft's extension; other identity providers have theirs.
const MICROSOFT: &str = "com.microsoft.CompanyPortalMac.ssoextension";

/// Whether this is the identifier of Microsoft's extension.
pub fn is_of_microsoft(extension: &str) -> bool {
    extension.eq_ignore_ascii_case(MICROSOFT)
}

/// Whether a source shows the key of the user in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Key {
    Present,
    /// It is there, and new keys have to be made.
    NeedsNewKeys,
    Absent(Absence),
}

impl Key {
    pub const fn is_there(self) -> bool {
        matches!(self, Self::Present | Self::NeedsNewKeys)
    }
}

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Absence {
    NotConfigured,
    /// Platform SSO belongs to another identity provider.
    AnotherProvider,
    /// The device is not registered, or by somebody else than Microsoft.
    DeviceNotRegistered,
    /// The device is registered, but not this user.
    UserNotRegistered,
    /// The user has to register again.
    NeedsRegistration,
    NeedsRepair,
}
