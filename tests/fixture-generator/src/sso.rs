//! What `app-sso platform -s` and Jamf's `getPSSOStatus` print, in the shape that is known of them.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::certificate::Certificate;

/// Microsoft's extension.
pub const MICROSOFT: &str = "com.microsoft.CompanyPortalMac.ssoextension";

/// The state of Platform SSO to be.
#[derive(Debug, Clone)]
pub struct PlatformSso {
    /// The extension of the identity provider.
    pub extension: &'static str,
    /// Whether the device's registration is complete.
    pub registration_completed: bool,
    /// The device's certificate.
    pub certificate: Option<Certificate>,
    /// The state of the user's registration, if there is one.
    pub user_state: Option<&'static str>,
}

impl PlatformSso {
    /// A user registered with Microsoft.
    pub fn registered() -> Self {
        Self {
            extension: MICROSOFT,
            registration_completed: true,
            certificate: Some(Certificate::workplace_join()),
            user_state: Some("POUserStateNormal (0)"),
        }
    }

    /// As most releases print it: JSON.
    pub fn json(&self) -> Vec<u8> {
        let certificate = self.certificate_text().map(|text| format!("  \"deviceSigningCertificate\" : \"{text}\",\n"));
        let device = format!(
            "{{\n  \"_deviceSigningKeyData\" : \"AAAA\",\n{}  \"extensionIdentifier\" : \"{}\",\n  \
             \"loginType\" : \"POLoginTypeUserSecureEnclaveKey (2)\",\n  \"registrationCompleted\" : {},\n  \
             \"tokenToUserMapping\" : {{\n    \"AccountName\" : \"preferred_username\"\n  }}\n}}",
            certificate.unwrap_or_default(),
            self.extension,
            self.registration_completed
        );
        let user = self.user_state.map(|state| {
            format!(
                "{{\n  \"kerberosStatus\" : [\n    {{\n      \"realm\" : \"KERBEROS.CONTOSO.COM\",\n      \
                 \"upn\" : \"adele.vance\\\\@contoso.com@KERBEROS.CONTOSO.COM\"\n    }}\n  ],\n  \"state\" : \"{state}\",\n  \
                 \"version\" : 1\n}}"
            )
        });
        output(&device, user.as_deref())
    }

    /// As some releases print it: an old-style property list.
    pub fn old_style(&self) -> Vec<u8> {
        let certificate = self.certificate_text().map(|text| format!("    deviceSigningCertificate = \"{text}\";\n"));
        let device = format!(
            "{{\n{}    extensionIdentifier = \"{}\";\n    registrationCompleted = {};\n}}",
            certificate.unwrap_or_default(),
            self.extension,
            u8::from(self.registration_completed)
        );
        let user = self.user_state.map(|state| {
            format!("{{\n    kerberosStatus =     (\n    );\n    state = \"{state}\";\n    version = 1;\n}}")
        });
        output(&device, user.as_deref())
    }

    fn certificate_text(&self) -> Option<String> {
        self.certificate.as_ref().map(|certificate| URL_SAFE_NO_PAD.encode(certificate.der()))
    }
}

/// What `app-sso` prints where nothing is configured.
pub fn not_configured() -> Vec<u8> {
    output("(null)", None)
}

fn output(device: &str, user: Option<&str>) -> Vec<u8> {
    let user = user.unwrap_or("(null)");
    format!(
        "Time: 2026-03-05 16:36:57 +0000\n\nDevice Configuration:\n {device}\n\nLogin Configuration:\n (null)\n\n\
         User Configuration:\n {user}\n\nSSO Tokens:\n"
    )
    .into_bytes()
}

/// What Jamf's tool prints: the status, and the device id if there is one.
pub fn sso_status(status: u8, device_id: &str) -> Vec<u8> {
    let tenant_id = if device_id.is_empty() { "" } else { "7e0c6b1d-2f4a-4c58-9d3e-1a2b3c4d5e6f" };
    let name = if device_id.is_empty() { "" } else { "adele.vance@contoso.com" };
    format!(
        "{status}\nextraDeviceInformation [AnyHashable(\"isSSOExtensionInFullMode\"): 1, \
         AnyHashable(\"primary_registration_metadata_device_id\"): {device_id}, \
         AnyHashable(\"primary_registration_metadata_tenant_id\"): {tenant_id}, \
         AnyHashable(\"primary_registration_metadata_upn\"): {name}, \
         AnyHashable(\"primary_registration_metadata_cloud_host\"): ]\n"
    )
    .into_bytes()
}
