//! Registrations whose key is in the Secure Enclave: nothing of them is in the login keychain.
//!
//! Two commands tell about them, [`app_sso`] of macOS and [`sso_status`] of Jamf's tool. What they print is for people,
//! and changes from release to release: whatever cannot be understood is [`Unclear`], never "not registered".

pub mod app_sso;
pub mod sso_status;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::parse::property_list;

/// Why a command's output tells nothing.
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

/// Whether managed preferences of the domain `com.apple.extensiblesso` set up Platform SSO, or Microsoft's extension.
/// Such as cannot be read may.
#[must_use]
pub fn is_configured_by(preferences: &[u8]) -> bool {
    property_list::dictionary(preferences).map_or(true, |preferences| {
        let extension = preferences.get("ExtensionIdentifier").and_then(plist::Value::as_string);
        preferences.contains_key("PlatformSSO") || extension.is_some_and(is_microsoft_s)
    })
}

/// Whether this is the identifier of Microsoft's extension.
#[must_use]
pub fn is_microsoft_s(extension: &str) -> bool {
    extension.eq_ignore_ascii_case(MICROSOFT)
}

/// Whether a program with this name has printed how it is called, because it lacks the verb that it was called with.
/// Public sources do not show what old releases print then, so this looks for what such a text can hardly do without: a
/// line with its usage, or the verbs of Jamf's tool.
#[must_use]
pub fn is_usage(text: &str, program: &str) -> bool {
    let (text, program) = (text.to_ascii_lowercase(), program.to_ascii_lowercase());
    let is_its_usage = |line: &str| line.trim().strip_prefix("usage:").is_some_and(|words| words.contains(&program));
    let verbs = ["gatheraadinfo", "registerwithintune"];
    let by_others = ["launchctl", "sudo"].iter().any(|word| text.contains(word));
    !by_others && (text.lines().any(is_its_usage) || verbs.iter().all(|verb| text.contains(verb)))
}

/// Whether a source shows the key of the user in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Key {
    /// It is there.
    Present,
    /// It is there, and new keys have to be made.
    NeedsNewKeys,
    /// It is not there; why.
    Absent(Absence),
}

impl Key {
    /// Whether it is there.
    #[must_use]
    pub const fn is_there(self) -> bool {
        matches!(self, Self::Present | Self::NeedsNewKeys)
    }
}

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Absence {
    /// Platform SSO is not configured.
    NotConfigured,
    /// Platform SSO belongs to another identity provider.
    AnotherProvider,
    /// The device is not registered, or by somebody else than Microsoft.
    DeviceNotRegistered,
    /// The device is registered, but not this user.
    UserNotRegistered,
    /// The user has to register again.
    NeedsRegistration,
    /// The registration needs repair.
    NeedsRepair,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platform_sso_or_microsoft_s_extension_set_up_single_sign_on() {
        let is_configured = |entries: &str| {
            is_configured_by(format!("<plist version=\"1.0\"><dict>{entries}</dict></plist>").as_bytes())
        };
        let extension = |name: &str| format!("<key>ExtensionIdentifier</key><string>{name}</string>");
        assert!(is_configured(&extension(MICROSOFT)));
        assert!(is_configured(&(extension("com.contoso.sso") + "<key>PlatformSSO</key><dict/>")));
        assert!(!is_configured(&extension("com.apple.AppSSOKerberos.KerberosExtension")));
        assert!(!is_configured(""));
        assert!(is_configured_by(b"no property list"));
        assert!(is_configured_by(b"<plist version=\"1.0\"><array/></plist>"));
    }

    #[test]
    fn how_a_program_is_called_is_told_from_other_text() {
        assert!(is_usage("error\nUsage: app-sso <verb>", "app-sso"));
        assert!(is_usage("verbs: clean, gatherAADInfo, registerWithIntune", "Jamf Conditional Access"));
        for text in [
            "usage: sudo -h | -K | -k | -V",
            "Usage: launchctl asuser <UID> app-sso",
            "dyld: memory usage: 5",
            "gatherAADInfo failed",
            "sudo: unknown user",
        ] {
            assert!(!is_usage(text, "app-sso"), "{text}");
        }
    }
}
