//! The kinds of findings: a closed set, which the README lists.

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
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
    ($($(#[$doc:meta])* $code:ident: $severity:ident, $name:literal, $short:literal, $remedy:literal;)*) => {
        /// The kinds of findings: a closed set, documented in the README.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $($(#[$doc])* $code,)*
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
    /// The registration needs repair.
    RegistrationNeedsRepair: Error, "registration-needs-repair", "Registration needs repair",
        "Run the registration policy in Self Service.";
    /// The only Workplace Join identity is in a keychain that macOS put aside.
    LoginKeychainReset: Error, "login-keychain-reset", "Login keychain was reset",
        "Run the registration policy in Self Service.";
    /// The validity of the Workplace Join certificate is over.
    CertificateExpired: Error, "certificate-expired", "WPJ certificate expired",
        "Run the registration policy in Self Service.";
    /// The plist cannot be parsed.
    PlistUnparsable: Error, "plist-unparsable", "JamfAAD plist cannot be parsed",
        "Run Jamf's gatherAADInfo as the logged-in user, never as root.";
    /// A Workplace Join certificate lacks its private key.
    CertificateWithoutPrivateKey: Warning, "certificate-without-private-key", "WPJ certificate lacks its private key",
        "Run the registration policy in Self Service.";
    /// A Workplace Join key lacks its certificate.
    PrivateKeyWithoutCertificate: Warning, "private-key-without-certificate", "WPJ key lacks its certificate",
        "Run the registration policy in Self Service.";
    /// The validity of the Workplace Join certificate has not begun.
    CertificateNotYetValid: Warning, "certificate-not-yet-valid", "WPJ certificate not yet valid",
        "Check the Mac's clock.";
    /// `have_an_Azure_id` is not in the plist.
    HaveAnAzureIdMissing: Warning, "have-an-azure-id-missing", "have_an_Azure_id missing",
        "Run Jamf's gatherAADInfo as the logged-in user, never as root.";
    /// `have_an_Azure_id` is false.
    HaveAnAzureIdFalse: Warning, "have-an-azure-id-false", "have_an_Azure_id is false",
        "Run Jamf's gatherAADInfo as the logged-in user, never as root.";
    /// `have_an_Azure_id` is neither true nor false.
    HaveAnAzureIdUnexpected: Warning, "have-an-azure-id-unexpected", "have_an_Azure_id neither true nor false",
        "Run Jamf's gatherAADInfo as the logged-in user, never as root.";
    /// The Jamf agent's preferences do not switch conditional access on.
    ConditionalAccessDisabled: Warning, "conditional-access-disabled", "microsoftCAEnabled is not true",
        "Run sudo jamf manage, and check that Jamf Pro shares inventory.";
    /// A certificate cannot be parsed.
    CertificateUnparsable: Warning, "certificate-unparsable", "Certificate cannot be parsed",
        "Look at the certificate in Keychain Access.";
    /// The console's record contradicts itself.
    ConsoleContradictory: Warning, "console-contradictory", "Console user contradictory",
        "Run it again when the users have finished switching.";
    /// The state rests on macOS's own keychain reader.
    SecondOpinionUsed: Warning, "second-opinion-used", "Keychain damaged, second opinion used",
        "Reset the login keychain and register again if items are missing from it.";
    /// macOS's own keychain reader finds other certificates or keys.
    SecondOpinionDiffers: Warning, "second-opinion-differs", "Second opinion differs",
        "Report it, with the numbers.";
    /// macOS's own keychain reader was needed but gave no usable answer.
    SecondOpinionMissing: Warning, "second-opinion-missing", "Second opinion missing",
        "Run it on a Mac whose disk has room; if that does not help, report it.";
    /// The user has to register again.
    NeedsRegistration: Warning, "needs-registration", "Platform SSO needs registration",
        "Run the registration policy in Self Service.";
    /// The device is registered, but not this user.
    UserNotRegistered: Warning, "user-not-registered", "User not registered with Platform SSO",
        "Run the registration policy in Self Service.";
    /// Platform SSO is configured, but the device is not registered.
    DeviceNotRegistered: Warning, "device-not-registered", "Device not registered with Platform SSO",
        "Run the registration policy in Self Service.";
    /// The user is registered, and new keys have to be made.
    NeedsNewKeys: Warning, "needs-new-keys", "Platform SSO needs new keys",
        "None needed; macOS makes them at the next sign-in.";
    /// Two sources name different devices.
    DeviceIdsDiffer: Warning, "device-ids-differ", "Device ids differ",
        "Find out in Entra which device is this Mac, and delete the other.";
    /// `gatherAADInfo` was once run as root.
    GatheredAsRoot: Warning, "gathered-as-root", "gatherAADInfo was run as root",
        "Find what runs gatherAADInfo as root, and have it run as the user; then delete JamfAAD's plist in /var/root/Library/Preferences.";
    /// What a command printed cannot be used.
    OutputUnusable: Warning, "output-unusable", "Command output unusable",
        "Run it again; if that does not help, report the output.";
    /// The plist cannot be read, and the state does not need it.
    PlistUnreadable: Warning, "plist-unreadable", "JamfAAD plist unreadable",
        "Run it with sudo; if that does not help, look at what stands in its place.";
    /// Tables of the keychain cannot be read, and the state does not need them.
    OtherRecordsUnreadable: Warning, "other-records-unreadable", "Other keychain records unreadable",
        "Restore the login keychain from a backup if passwords are missing.";
    /// A keychain that macOS put aside cannot be read.
    RenamedKeychainUnreadable: Warning, "renamed-keychain-unreadable", "Renamed keychain unreadable",
        "Run it with sudo; if that does not help, look at what stands in its place.";
    /// There are several Workplace Join identities.
    SeveralWorkplaceJoinIdentities: Info, "several-workplace-join-identities", "Several WPJ identities",
        "None needed; old ones may be deleted in Keychain Access.";
    /// Only records other than certificates name the Workplace Join issuer.
    IssuerNameOutsideCertificates: Info, "issuer-name-outside-certificates", "WPJ issuer named outside certificates",
        "None needed; this is what a deleted registration leaves, for example an identity preference.";
    /// Platform SSO belongs to another identity provider.
    AnotherProvider: Info, "another-provider", "Platform SSO of another provider",
        "None needed; Microsoft's registration is another one.";
    /// macOS's own keychain reader finds the same certificates and keys.
    SecondOpinionAgrees: Info, "second-opinion-agrees", "Second opinion agrees",
        "None needed.";
    /// This is not about the person at the console.
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
