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
    /// The command printed nothing, or only the beginning of an answer.
    #[error("there was no answer")]
    NoAnswer,
    /// As [`NoAnswer`](Self::NoAnswer), but it said something on standard error; the first line.
    #[error("there was no answer; it said: {0}")]
    OnlyWords(String),
    /// The command could not be run; the operating system's words.
    #[error("it could not be run: {0}")]
    Failed(String),
    /// `sudo` would not run the command as the user; its own words.
    #[error("{0}")]
    Refused(String),
    /// The output is root's, which says nothing about any user.
    #[error("this output was taken as root")]
    TakenAsRoot,
    /// A saved output is that of the other command.
    #[error("this is the output of Jamf's tool")]
    OfJamfsTool,
    #[error("this is the output of app-sso")]
    OfAppSso,
    /// The output is not what is known of it; what is strange. It quotes nothing of the output.
    #[error("the output cannot be understood: {0}")]
    Unintelligible(Cow<'static, str>),
}

impl Unclear {
    /// Whether asking again may help.
    pub const fn is_no_answer(&self) -> bool {
        matches!(self, Self::TimedOut | Self::NoAnswer | Self::OnlyWords(_))
    }
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
    /// The user is being registered, so there may be a key or not.
    UnderWay(UnderWay),
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
    /// Root's output shows no device; it has nothing about the user.
    NoDevice,
    /// Platform SSO belongs to another identity provider.
    AnotherProvider,
    /// The device is not registered, or by somebody else than Microsoft.
    DeviceNotRegistered,
    /// The user's part of the registration is there, but the device's is gone.
    DeviceLost,
    /// The device is registered, but not this user.
    UserNotRegistered,
    /// The user has to register again.
    NeedsRegistration,
    /// The user's key can no longer be used.
    UserKeyInvalid,
    /// Jamf's tool says that the registration needs repair.
    NeedsRepair,
}

/// What the registration of a user waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnderWay {
    /// The user has to sign in once with the local password.
    NeedsBinding,
    /// The user has to finish what macOS asks for.
    NewUser,
}
