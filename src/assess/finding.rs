//! The kinds of findings: a closed set, which the README lists.

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub code: Code,
    /// The thing itself, in a sentence.
    pub(crate) message: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The registration does not work.
    Error,
    /// The registration may not work, or the answer may be incomplete.
    Warning,
    /// For information.
    Info,
}

impl Severity {
    /// The word that the JSON output uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// Declares the kinds of findings, the most severe first: severity, code, text of the extension attribute, remedy.
macro_rules! codes {
    ($($code:ident: $severity:ident, $name:literal, $short:literal, $remedy:literal;)*) => {
        /// The kinds of findings: a closed set, documented in the README.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $($code,)*
        }

        impl Code {
            /// All codes, the most severe first.
            pub const ALL: &[Self] = &[$(Self::$code),*];

            /// Severity, code, text of the extension attribute, and remedy.
            const fn row(self) -> (Severity, &'static str, &'static str, &'static str) {
                match self {
                    $(Self::$code => (Severity::$severity, $name, $short, $remedy),)*
                }
            }
        }
    };
}

codes! {
    RegistrationNeedsRepair: Error, "registration-needs-repair", "Registration needs repair",
        "Run the registration policy in Self Service.";
    LoginKeychainReset: Error, "login-keychain-reset", "Login keychain was reset",
        "Run the registration policy in Self Service.";
    CertificateExpired: Error, "certificate-expired", "WPJ certificate expired",
        "Run the registration policy in Self Service.";
    PlistUnparsable: Error, "plist-unparsable", "JamfAAD plist cannot be parsed",
        "Run Jamf's gatherAADInfo as the logged-in user, never as root.";
    CertificateWithoutPrivateKey: Warning, "certificate-without-private-key", "WPJ certificate lacks its private key",
        "Run the registration policy in Self Service.";
    PrivateKeyWithoutCertificate: Warning, "private-key-without-certificate", "WPJ key lacks its certificate",
        "Run the registration policy in Self Service.";
    CertificateNotYetValid: Warning, "certificate-not-yet-valid", "WPJ certificate not yet valid",
        "Check the Mac's clock.";
    HaveAnAzureIdMissing: Warning, "have-an-azure-id-missing", "have_an_Azure_id missing",
        "Run Jamf's gatherAADInfo as the logged-in user, never as root.";
    HaveAnAzureIdFalse: Warning, "have-an-azure-id-false", "have_an_Azure_id is false",
        "Run Jamf's gatherAADInfo as the logged-in user, never as root.";
    HaveAnAzureIdUnexpected: Warning, "have-an-azure-id-unexpected", "have_an_Azure_id neither true nor false",
        "Run Jamf's gatherAADInfo as the logged-in user, never as root.";
    ConditionalAccessDisabled: Warning, "conditional-access-disabled", "microsoftCAEnabled is not true",
        "Run sudo jamf manage, and check that Jamf Pro shares inventory.";
    CertificateUnparsable: Warning, "certificate-unparsable", "Certificate cannot be parsed",
        "Look at the certificate in Keychain Access.";
    ConsoleContradictory: Warning, "console-contradictory", "Console user contradictory",
        "Run it again when the users have finished switching.";
    SecondOpinionUsed: Warning, "second-opinion-used", "Keychain damaged, second opinion used",
        "Reset the login keychain and register again if items are missing from it.";
    SecondOpinionDiffers: Warning, "second-opinion-differs", "Second opinion differs",
        "Report it, with the numbers.";
    SecondOpinionMissing: Warning, "second-opinion-missing", "Second opinion missing",
        "Run it on a Mac whose disk has room; if that does not help, report it.";
    NeedsRegistration: Warning, "needs-registration", "Platform SSO needs registration",
        "Run the registration policy in Self Service.";
    UserNotRegistered: Warning, "user-not-registered", "User not registered with Platform SSO",
        "Run the registration policy in Self Service.";
    DeviceNotRegistered: Warning, "device-not-registered", "Device not registered with Platform SSO",
        "Run the registration policy in Self Service.";
    NeedsNewKeys: Warning, "needs-new-keys", "Platform SSO needs new keys",
        "None needed; macOS makes them at the next sign-in.";
    DeviceIdsDiffer: Warning, "device-ids-differ", "Device ids differ",
        "Find out in Entra which device is this Mac, and delete the other.";
    GatheredAsRoot: Warning, "gathered-as-root", "gatherAADInfo was run as root",
        "Find what runs gatherAADInfo as root, and have it run as the user; then delete JamfAAD's plist in /var/root/Library/Preferences.";
    OutputUnusable: Warning, "output-unusable", "Command output unusable",
        "Run it again; if that does not help, report the output.";
    PlistUnreadable: Warning, "plist-unreadable", "JamfAAD plist unreadable",
        "Run it with sudo; if that does not help, look at what stands in its place.";
    OtherRecordsUnreadable: Warning, "other-records-unreadable", "Other keychain records unreadable",
        "Restore the login keychain from a backup if passwords are missing.";
    RenamedKeychainUnreadable: Warning, "renamed-keychain-unreadable", "Renamed keychain unreadable",
        "Run it with sudo; if that does not help, look at what stands in its place.";
    SeveralWorkplaceJoinIdentities: Info, "several-workplace-join-identities", "Several WPJ identities",
        "None needed; old ones may be deleted in Keychain Access.";
    IssuerNameOutsideCertificates: Info, "issuer-name-outside-certificates", "WPJ issuer named outside certificates",
        "None needed; this is what a deleted registration leaves, for example an identity preference.";
    AnotherProvider: Info, "another-provider", "Platform SSO of another provider",
        "None needed; Microsoft's registration is another one.";
    SecondOpinionAgrees: Info, "second-opinion-agrees", "Second opinion agrees",
        "None needed.";
    NotAtTheConsole: Info, "not-at-the-console", "User not at the console",
        "None needed; ask about somebody else with --user.";
}

impl Code {
    /// How bad it is.
    pub const fn severity(self) -> Severity {
        self.row().0
    }

    /// The code as the JSON output has it.
    pub const fn as_str(self) -> &'static str {
        self.row().1
    }

    /// What the extension attribute `finding` has: short, and without any character that Jamf Pro may not take.
    pub const fn short_text(self) -> &'static str {
        self.row().2
    }

    /// What to do about it.
    pub(crate) const fn remedy(self) -> &'static str {
        self.row().3
    }

    /// A finding of this kind.
    pub(super) const fn says(self, message: String) -> Finding {
        Finding { code: self, message }
    }
}
