//! Registrations whose key is in the Secure Enclave: nothing of them is in the login keychain.
//!
//! Two commands show them, macOS's `app-sso` and Jamf's tool. What they print is for people and changes from release to
//! release: what cannot be understood is [`Unclear`], never "not registered".

mod answer;
pub mod app_sso;
pub mod sso_status;

use crate::parse::property_list;

pub use answer::{Absence, Key, Unclear, is_of_microsoft};

/// Whether managed preferences of the domain `com.apple.extensiblesso` set up Platform SSO, or Microsoft's extension.
/// Those that cannot be read may.
pub fn is_configured_by(preferences: &[u8]) -> bool {
    property_list::dictionary(preferences).map_or(true, |preferences| {
        let extension = preferences.get("ExtensionIdentifier").and_then(plist::Value::as_string);
        preferences.contains_key("PlatformSSO") || extension.is_some_and(is_of_microsoft)
    })
}

/// Whether a program with this name has printed how it is called, because it lacks the verb that it was called with.
/// Public sources do not show what old releases print then, so this looks for what such a text can hardly do without: a
/// line with its usage, or the verbs of Jamf's tool.
pub fn is_usage(text: &str, program: &str) -> bool {
    let (text, program) = (text.to_ascii_lowercase(), program.to_ascii_lowercase());
    let is_its_usage = |line: &str| line.trim().strip_prefix("usage:").is_some_and(|words| words.contains(&program));
    let verbs = ["gatheraadinfo", "registerwithintune"];
    let by_others = ["launchctl", "sudo"].iter().any(|word| text.contains(word));
    !by_others && (text.lines().any(is_its_usage) || verbs.iter().all(|verb| text.contains(verb)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platform_sso_or_the_extension_of_microsoft_set_up_single_sign_on() {
        let is_configured = |entries: &str| {
            is_configured_by(format!("<plist version=\"1.0\"><dict>{entries}</dict></plist>").as_bytes())
        };
        let extension = |name: &str| format!("<key>ExtensionIdentifier</key><string>{name}</string>");
        assert!(is_configured(&extension("com.microsoft.CompanyPortalMac.ssoextension")));
        assert!(is_configured(&(extension("com.contoso.sso") + "<key>PlatformSSO</key><dict/>")));
        assert!(!is_configured(&extension("com.apple.AppSSOKerberos.KerberosExtension")));
        assert!(!is_configured(""));
        assert!(is_configured_by(b"no property list"));
        assert!(is_configured_by(b"<plist version=\"1.0\"><array/></plist>"));
    }

    #[test]
    fn how_a_program_is_called_is_distinguished_from_other_text() {
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
