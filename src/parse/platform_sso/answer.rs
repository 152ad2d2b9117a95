//! What the outputs of the commands can show about a registration.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a command's output gives no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum Unclear {
    /// The command timed out, or its output says that it did.
    #[error("the command timed out")]
    TimedOut,
    /// The command printed nothing, or only the beginning of an answer.
    #[error("the command gave no answer")]
    NoAnswer,
    /// Like [`NoAnswer`](Self::NoAnswer), but with a message on standard error; contains its first line.
    #[error("the command gave no answer, but printed: {0}")]
    OnlyWords(String),
    /// Like [`NoAnswer`](Self::NoAnswer), but the command was ended by a signal; contains which one.
    #[error("the command gave no answer: {0}")]
    Ended(String),
    /// The command could not be run; contains the operating system's message.
    #[error("the command could not be run: {0}")]
    Failed(String),
    /// `sudo` refused to run the command because of root's account; contains its message.
    #[error("{0}")]
    Refused(String),
    /// The output was saved as root, so it shows nothing about any user.
    #[error("this output was saved as root")]
    TakenAsRoot,
    /// A saved output comes from the other command.
    #[error("this is the output of Jamf's tool")]
    JamfToolOutput,
    /// A saved output comes from the other command.
    #[error("this is the output of app-sso")]
    AppSsoOutput,
    /// The output has an unknown form; contains a description that does not quote the output.
    #[error("the output cannot be understood: {0}")]
    Unintelligible(Cow<'static, str>),
}

impl Unclear {
    /// Whether running the command again may help.
    pub const fn may_answer_later(&self) -> bool {
        matches!(self, Self::TimedOut | Self::NoAnswer | Self::OnlyWords(_) | Self::Ended(_))
    }
}

/// The identifier of Microsoft's SSO extension.
const MICROSOFT: &str = "com.microsoft.CompanyPortalMac.ssoextension";

/// Whether this is the identifier of Microsoft's SSO extension.
pub fn is_microsoft_extension(extension: &str) -> bool {
    extension.eq_ignore_ascii_case(MICROSOFT)
}

/// Whether a source shows the key of the user in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Key {
    Present,
    /// The key is present, but macOS must create new keys.
    NeedsNewKeys,
    Absent(Absence),
    /// The registration is in progress, so there may or may not be a key.
    UnderWay(UnderWay),
}

impl Key {
    pub const fn is_present(self) -> bool {
        matches!(self, Self::Present | Self::NeedsNewKeys)
    }
}

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Absence {
    NotConfigured,
    /// An output that was saved as root shows no registered device; it has no section about the user.
    NoDevice,
    /// Platform SSO belongs to another identity provider.
    AnotherProvider,
    /// The device is not registered, or not with Microsoft.
    DeviceNotRegistered,
    /// The user's part of the registration is present, but the device's part is lost.
    DeviceLost,
    /// The device is registered, but not this user.
    UserNotRegistered,
    /// The user must register again.
    NeedsRegistration,
    /// The user's key can no longer be used.
    UserKeyInvalid,
    /// Jamf's tool says that the registration needs repair.
    NeedsRepair,
}

/// What is missing to finish a user's registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnderWay {
    /// The user must sign in once with the local password.
    NeedsBinding,
    /// The user must finish the registration in macOS's dialogs.
    NewUser,
}
