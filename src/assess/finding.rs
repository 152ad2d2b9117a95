//! The kinds of findings: a closed set, documented in the README.

/// One thing worth telling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
    pub code: Code,
    /// The thing itself, in a sentence.
    pub message: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Keeps the registration from working.
    Error,
    /// May keep it from working, or the answer from being complete.
    Warning,
    /// Good to know.
    Info,
}

impl Severity {
    /// The word that the JSON output uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// The kinds of findings: a closed set, documented in the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The registration needs repair.
    RegistrationNeedsRepair,
    /// A Workplace Join identity stands only in a keychain that macOS put aside.
    LoginKeychainReset,
    /// The validity of the Workplace Join certificate is over.
    CertificateExpired,
    /// The plist cannot be parsed.
    PlistUnparsable,
    /// A Workplace Join certificate lacks its private key.
    CertificateWithoutPrivateKey,
    /// A Workplace Join key lacks its certificate.
    PrivateKeyWithoutCertificate,
    /// The validity of the Workplace Join certificate has not begun.
    CertificateNotYetValid,
    /// `have_an_Azure_id` is not in the plist.
    HaveAnAzureIdMissing,
    /// `have_an_Azure_id` is false.
    HaveAnAzureIdFalse,
    /// `have_an_Azure_id` is neither true nor false.
    HaveAnAzureIdUnexpected,
    /// `gatherAADInfo` was once run as root.
    GatheredAsRoot,
    /// Jamf's agent was not told that conditional access is in use.
    ConditionalAccessDisabled,
    /// A certificate cannot be parsed.
    CertificateUnparsable,
    /// The console's record contradicts itself.
    ConsoleContradictory,
    /// The state rests on macOS' own keychain reader.
    SecondOpinionUsed,
    /// macOS' own keychain reader finds other certificates or keys.
    SecondOpinionDiffers,
    /// macOS' own keychain reader was wanted, and there is no answer of its.
    SecondOpinionMissing,
    /// The user has to register again.
    NeedsRegistration,
    /// The device is registered, but not this user.
    UserNotRegistered,
    /// Platform SSO is configured, but the device is not registered.
    DeviceNotRegistered,
    /// The user is registered, and new keys have to be made.
    NeedsNewKeys,
    /// Two sources name different devices.
    DeviceIdsDiffer,
    /// What a command printed cannot be used.
    OutputUnusable,
    /// The plist cannot be read, and the state does not need it.
    PlistUnreadable,
    /// Tables of the keychain cannot be read, and the state does not need them.
    OtherRecordsUnreadable,
    /// A keychain that macOS put aside cannot be read.
    RenamedKeychainUnreadable,
    /// There are several Workplace Join identities.
    SeveralWorkplaceJoinIdentities,
    /// Only records other than certificates name the Workplace Join issuer.
    IssuerNameOutsideCertificates,
    /// Platform SSO belongs to another identity provider.
    AnotherProvider,
    /// macOS' own keychain reader finds the same certificates and keys.
    SecondOpinionAgrees,
    /// This is not about the person at the console.
    NotAtTheConsole,
}

impl Code {
    /// All codes, the most severe first.
    pub const ALL: [Self; 31] = [
        Self::RegistrationNeedsRepair,
        Self::LoginKeychainReset,
        Self::CertificateExpired,
        Self::PlistUnparsable,
        Self::CertificateWithoutPrivateKey,
        Self::PrivateKeyWithoutCertificate,
        Self::CertificateNotYetValid,
        Self::HaveAnAzureIdMissing,
        Self::HaveAnAzureIdFalse,
        Self::HaveAnAzureIdUnexpected,
        Self::ConditionalAccessDisabled,
        Self::CertificateUnparsable,
        Self::ConsoleContradictory,
        Self::SecondOpinionUsed,
        Self::SecondOpinionDiffers,
        Self::SecondOpinionMissing,
        Self::NeedsRegistration,
        Self::UserNotRegistered,
        Self::DeviceNotRegistered,
        Self::NeedsNewKeys,
        Self::DeviceIdsDiffer,
        Self::GatheredAsRoot,
        Self::OutputUnusable,
        Self::PlistUnreadable,
        Self::OtherRecordsUnreadable,
        Self::RenamedKeychainUnreadable,
        Self::SeveralWorkplaceJoinIdentities,
        Self::IssuerNameOutsideCertificates,
        Self::AnotherProvider,
        Self::SecondOpinionAgrees,
        Self::NotAtTheConsole,
    ];

    /// The code as the JSON output has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RegistrationNeedsRepair => "registration-needs-repair",
            Self::LoginKeychainReset => "login-keychain-reset",
            Self::CertificateExpired => "certificate-expired",
            Self::PlistUnparsable => "plist-unparsable",
            Self::CertificateWithoutPrivateKey => "certificate-without-private-key",
            Self::PrivateKeyWithoutCertificate => "private-key-without-certificate",
            Self::CertificateNotYetValid => "certificate-not-yet-valid",
            Self::HaveAnAzureIdMissing => "have-an-azure-id-missing",
            Self::HaveAnAzureIdFalse => "have-an-azure-id-false",
            Self::HaveAnAzureIdUnexpected => "have-an-azure-id-unexpected",
            Self::GatheredAsRoot => "gathered-as-root",
            Self::ConditionalAccessDisabled => "conditional-access-disabled",
            Self::CertificateUnparsable => "certificate-unparsable",
            Self::ConsoleContradictory => "console-contradictory",
            Self::SecondOpinionUsed => "second-opinion-used",
            Self::SecondOpinionDiffers => "second-opinion-differs",
            Self::SecondOpinionMissing => "second-opinion-missing",
            Self::NeedsRegistration => "needs-registration",
            Self::UserNotRegistered => "user-not-registered",
            Self::DeviceNotRegistered => "device-not-registered",
            Self::NeedsNewKeys => "needs-new-keys",
            Self::DeviceIdsDiffer => "device-ids-differ",
            Self::OutputUnusable => "output-unusable",
            Self::PlistUnreadable => "plist-unreadable",
            Self::OtherRecordsUnreadable => "other-records-unreadable",
            Self::RenamedKeychainUnreadable => "renamed-keychain-unreadable",
            Self::SeveralWorkplaceJoinIdentities => "several-workplace-join-identities",
            Self::IssuerNameOutsideCertificates => "issuer-name-outside-certificates",
            Self::AnotherProvider => "another-provider",
            Self::SecondOpinionAgrees => "second-opinion-agrees",
            Self::NotAtTheConsole => "not-at-the-console",
        }
    }

    /// What the extension attribute `finding` has: short, and without any character that Jamf Pro may not take.
    #[must_use]
    pub const fn short_text(self) -> &'static str {
        match self {
            Self::RegistrationNeedsRepair => "Registration needs repair",
            Self::LoginKeychainReset => "Login keychain was reset",
            Self::CertificateExpired => "WPJ certificate expired",
            Self::PlistUnparsable => "JamfAAD plist cannot be parsed",
            Self::CertificateWithoutPrivateKey => "WPJ certificate lacks its private key",
            Self::PrivateKeyWithoutCertificate => "WPJ key lacks its certificate",
            Self::CertificateNotYetValid => "WPJ certificate not yet valid",
            Self::HaveAnAzureIdMissing => "have_an_Azure_id missing",
            Self::HaveAnAzureIdFalse => "have_an_Azure_id is false",
            Self::HaveAnAzureIdUnexpected => "have_an_Azure_id neither true nor false",
            Self::GatheredAsRoot => "gatherAADInfo was run as root",
            Self::ConditionalAccessDisabled => "microsoftCAEnabled is not true",
            Self::CertificateUnparsable => "Certificate cannot be parsed",
            Self::ConsoleContradictory => "Console user contradictory",
            Self::SecondOpinionUsed => "Keychain damaged, second opinion used",
            Self::SecondOpinionDiffers => "Second opinion differs",
            Self::SecondOpinionMissing => "Second opinion missing",
            Self::NeedsRegistration => "Platform SSO needs registration",
            Self::UserNotRegistered => "User not registered with Platform SSO",
            Self::DeviceNotRegistered => "Device not registered with Platform SSO",
            Self::NeedsNewKeys => "Platform SSO needs new keys",
            Self::DeviceIdsDiffer => "Device ids differ",
            Self::OutputUnusable => "Command output unusable",
            Self::PlistUnreadable => "JamfAAD plist unreadable",
            Self::OtherRecordsUnreadable => "Other keychain records unreadable",
            Self::RenamedKeychainUnreadable => "Renamed keychain unreadable",
            Self::SeveralWorkplaceJoinIdentities => "Several WPJ identities",
            Self::IssuerNameOutsideCertificates => "WPJ issuer named outside certificates",
            Self::AnotherProvider => "Platform SSO of another provider",
            Self::SecondOpinionAgrees => "Second opinion agrees",
            Self::NotAtTheConsole => "User not at the console",
        }
    }

    /// How bad it is.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::RegistrationNeedsRepair
            | Self::LoginKeychainReset
            | Self::CertificateExpired
            | Self::PlistUnparsable => Severity::Error,
            Self::CertificateWithoutPrivateKey
            | Self::PrivateKeyWithoutCertificate
            | Self::CertificateNotYetValid
            | Self::HaveAnAzureIdMissing
            | Self::HaveAnAzureIdFalse
            | Self::HaveAnAzureIdUnexpected
            | Self::GatheredAsRoot
            | Self::ConditionalAccessDisabled
            | Self::CertificateUnparsable
            | Self::ConsoleContradictory
            | Self::SecondOpinionUsed
            | Self::SecondOpinionDiffers
            | Self::SecondOpinionMissing
            | Self::NeedsRegistration
            | Self::UserNotRegistered
            | Self::DeviceNotRegistered
            | Self::NeedsNewKeys
            | Self::DeviceIdsDiffer
            | Self::OutputUnusable
            | Self::PlistUnreadable
            | Self::OtherRecordsUnreadable
            | Self::RenamedKeychainUnreadable => Severity::Warning,
            Self::SeveralWorkplaceJoinIdentities
            | Self::IssuerNameOutsideCertificates
            | Self::AnotherProvider
            | Self::SecondOpinionAgrees
            | Self::NotAtTheConsole => Severity::Info,
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::RegistrationNeedsRepair
            | Self::NeedsRegistration
            | Self::UserNotRegistered
            | Self::DeviceNotRegistered
            | Self::LoginKeychainReset
            | Self::CertificateExpired
            | Self::CertificateWithoutPrivateKey
            | Self::PrivateKeyWithoutCertificate => "Run the registration policy in Self Service.",
            Self::PlistUnparsable
            | Self::HaveAnAzureIdMissing
            | Self::HaveAnAzureIdFalse
            | Self::HaveAnAzureIdUnexpected => "Run Jamf's gatherAADInfo as the logged-in user, never as root.",
            Self::GatheredAsRoot => {
                "Find what runs gatherAADInfo as root, and have it run as the user; then delete JamfAAD's plist in /var/root/Library/Preferences."
            }
            Self::ConditionalAccessDisabled => "Run sudo jamf manage, and check that Jamf Pro shares inventory.",
            Self::CertificateNotYetValid => "Check the Mac's clock.",
            Self::NeedsNewKeys => "None needed; macOS makes them at the next sign-in.",
            Self::DeviceIdsDiffer => "Find out in Entra which device is this Mac, and delete the other.",
            Self::OutputUnusable => "Run it again; if that does not help, report the output.",
            Self::AnotherProvider => "None needed; Microsoft's registration is another one.",
            Self::CertificateUnparsable => "Look at the certificate in Keychain Access.",
            Self::ConsoleContradictory => "Run it again when the users have finished switching.",
            Self::SecondOpinionUsed => "Reset the login keychain and register again if items are missing from it.",
            Self::SecondOpinionDiffers => "Report it, with the numbers.",
            Self::SecondOpinionMissing => "Run it on a Mac whose disk has room; if that does not help, report it.",
            Self::PlistUnreadable | Self::RenamedKeychainUnreadable => {
                "Run it with sudo; if that does not help, look at what stands in its place."
            }
            Self::OtherRecordsUnreadable => "Restore the login keychain from a backup if passwords are missing.",
            Self::SeveralWorkplaceJoinIdentities => "None needed; old ones may be deleted in Keychain Access.",
            Self::IssuerNameOutsideCertificates => {
                "None needed; this is what a deleted registration leaves, for example an identity preference."
            }
            Self::SecondOpinionAgrees => "None needed.",
            Self::NotAtTheConsole => "None needed; ask about somebody else with --user.",
        }
    }

    /// Its place among all codes, the most severe first.
    pub(super) fn rank(self) -> usize {
        Self::ALL.iter().position(|&code| code == self).unwrap_or(Self::ALL.len())
    }

    /// A finding of this kind.
    pub(super) const fn says(self, message: String) -> Finding {
        Finding { code: self, message }
    }
}
