//! Outputs of `app-sso platform -s` and Jamf's `getPSSOStatus`, in the known formats.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::certificate::Certificate;

/// The identifier of Microsoft's SSO extension.
pub const MICROSOFT: &str = "com.microsoft.CompanyPortalMac.ssoextension";

/// The state of Platform SSO that an output shows.
#[derive(Debug, Clone)]
pub struct PlatformSso {
    /// Whether the output has a section for the device.
    pub device: bool,
    /// The identifier of the identity provider's extension.
    pub extension: &'static str,
    /// Whether the device's registration is complete.
    pub registration_completed: bool,
    /// The device's certificate.
    pub certificate: Option<Certificate>,
    /// The user's registration state, if any.
    pub user_state: Option<&'static str>,
    /// How the user signs in.
    pub login_type: &'static str,
    /// The Kerberos tickets: key path, realm, and the user's name.
    pub tickets: Vec<[&'static str; 3]>,
    /// The sign-in name, which macOS normally masks.
    pub login_user_name: &'static str,
}

impl PlatformSso {
    /// A user registered with Microsoft.
    pub fn registered() -> Self {
        Self {
            device: true,
            extension: MICROSOFT,
            registration_completed: true,
            certificate: Some(Certificate::workplace_join()),
            user_state: Some("POUserStateNormal (0)"),
            login_type: "POLoginTypeUserSecureEnclaveKey (2)",
            tickets: vec![["tgt_cloud", "KERBEROS.MICROSOFTONLINE.COM", "adele.vance@contoso.com"]],
            login_user_name: "a***@contoso.com",
        }
    }

    /// The output of most releases: JSON.
    pub fn json(&self) -> Vec<u8> {
        let certificate = self.certificate_text().map(|text| format!("  \"deviceSigningCertificate\" : \"{text}\",\n"));
        let device = format!(
            "{{\n  \"_deviceEncryptionKeyData\" : \"AAAA\",\n  \"_deviceSigningKeyData\" : \"AAAA\",\n  \
             \"authorizationEnabled\" : false,\n  \"created\" : \"2026-03-05T16:36:57Z\",\n  \
             \"createUserLoginTypes\" : [\n    1,\n    3\n  ],\n  \"createUsersEnabled\" : false,\n{}  \
             \"encryptionAlgorithm\" : \"ECDHE-A256GCM\",\n  \"extensionIdentifier\" : \"{}\",\n  \
             \"fileVaultPolicy\" : \"None (0)\",\n  \"loginFrequency\" : 64800,\n  \
             \"loginPolicy\" : \"None (0)\",\n  \"loginType\" : \"{}\",\n  \
             \"protocolVersion\" : 1,\n  \"registrationCompleted\" : {},\n  \"sdkVersionString\" : 15.2,\n  \
             \"sharedDeviceKeys\" : true,\n  \"signingAlgorithm\" : \"ES256\",\n  \
             \"tokenToUserMapping\" : {{\n    \"AccountName\" : \"preferred_username\",\n    \
             \"FullName\" : \"name\"\n  }},\n  \"unlockPolicy\" : \"None (0)\",\n  \"version\" : 1\n}}",
            certificate.unwrap_or_default(),
            self.extension,
            self.login_type,
            self.registration_completed
        );
        let ticket = |[path, realm, name]: &[&str; 3]| {
            format!(
                "    {{\n      \"importSuccessful\" : true,\n      \"realm\" : \"{realm}\",\n      \
                 \"ticketKeyPath\" : \"{path}\",\n      \"upn\" : \"{}@{realm}\"\n    }}",
                name.replace('@', "\\\\@")
            )
        };
        let tickets: Vec<String> = self.tickets.iter().map(ticket).collect();
        let user = self.user_state.map(|state| {
            format!(
                "{{\n  \"kerberosStatus\" : [\n{}\n  ],\n  \"lastLoginDate\" : \"2026-03-05T16:36:57Z\",\n  \
                 \"loginType\" : \"{}\",\n  \"state\" : \"{state}\",\n  \
                 \"userLoginConfiguration\" : {{\n    \"loginUserName\" : \"{}\"\n  }},\n  \"version\" : 1\n}}",
                tickets.join(",\n"),
                self.login_type,
                self.login_user_name
            )
        });
        output(self.device.then_some(&device), user.as_deref())
    }

    /// The output of some releases: old-style property lists.
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
        output(self.device.then_some(&device), user.as_deref())
    }

    /// The output when root runs `app-sso`: without the user's section and the tokens.
    pub fn as_root(&self) -> Vec<u8> {
        let whole = String::from_utf8(self.json()).expect("it is text");
        whole.split_once("User Configuration:").expect("it has the section").0.as_bytes().to_vec()
    }

    /// The output after a shell's `echo`, which turns two backslashes into one.
    pub fn through_echo(&self) -> Vec<u8> {
        String::from_utf8(self.json()).expect("it is text").replace("\\\\", "\\").into_bytes()
    }

    fn certificate_text(&self) -> Option<String> {
        self.certificate.as_ref().map(|certificate| URL_SAFE_NO_PAD.encode(certificate.der()))
    }
}

/// The section about the identity provider, which is the same for all users.
const LOGIN: &str = "{
  \"accountDisplayName\" : \"Contoso\",
  \"audience\" : \"login.microsoftonline.com\",
  \"clientID\" : \"00000000-1111-4222-8333-444444444444\",
  \"created\" : \"2026-03-05T16:36:57Z\",
  \"issuer\" : \"https://login.microsoftonline.com/7e0c6b1d-2f4a-4c58-9d3e-1a2b3c4d5e6f/v2.0\",
  \"uniqueIdentifierClaimName\" : \"oid\",
  \"userSEPKeyBiometricPolicy\" : \"None (0)\"
}";

/// The output of `app-sso` if nothing is configured.
pub fn not_configured() -> Vec<u8> {
    output(None, None)
}

fn output(device: Option<&String>, user: Option<&str>) -> Vec<u8> {
    let login = if device.is_some() { LOGIN } else { "(null)" };
    let device = device.map_or("(null)", String::as_str);
    let tokens = if user.is_some() {
        "Received:\n2026-03-05T16:36:57Z\nExpiration:\n2026-03-19T16:36:56Z (Not Expired)\n"
    } else {
        ""
    };
    let user = user.unwrap_or("(null)");
    format!(
        "Time: 2026-03-05 16:36:57 +0000\n\nDevice Configuration:\n {device}\n\nLogin Configuration:\n {login}\n\n\
         User Configuration:\n {user}\n\nSSO Tokens:\n{tokens}"
    )
    .into_bytes()
}

/// The output of Jamf's tool with this status and, unless it is empty, this device ID.
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
