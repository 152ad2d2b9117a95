//! The kinds of findings: a closed set, which the README lists.

use crate::rows::rows;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub code: Code,
    /// The thing itself, in a sentence.
    pub(crate) message: String,
}

rows! {
    /// How bad a finding is: the registration does not work; it may not, or something is unknown; for information.
    pub enum Severity(&'static str) {
        Error => ("error",),
        Warning => ("warning",),
        Info => ("info",),
    }
}

impl Severity {
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }
}

rows! {
    /// The kinds of findings, the most severe first: severity, code, text of the extension attribute, remedy.
    pub enum Code(Severity, &'static str, &'static str, &'static str) {
        RegistrationNeedsRepair => (Severity::Error, "registration-needs-repair", "Registration needs repair", "Run the registration policy in Self Service."),
        LoginKeychainReset => (Severity::Error, "login-keychain-reset", "Login keychain was reset", "Run the registration policy in Self Service."),
        CertificateExpired => (Severity::Error, "certificate-expired", "WPJ certificate expired", "Run the registration policy in Self Service."),
        PlistUnparsable => (Severity::Error, "plist-unparsable", "JamfAAD plist cannot be parsed", "Run Jamf's gatherAADInfo as the logged-in user, never as root."),
        CertificateWithoutPrivateKey => (Severity::Warning, "certificate-without-private-key", "WPJ certificate lacks its private key", "Run the registration policy in Self Service."),
        PrivateKeyWithoutCertificate => (Severity::Warning, "private-key-without-certificate", "WPJ key lacks its certificate", "Run the registration policy in Self Service."),
        CertificateNotYetValid => (Severity::Warning, "certificate-not-yet-valid", "WPJ certificate not yet valid", "Check the Mac's clock."),
        HaveAnAzureIdMissing => (Severity::Warning, "have-an-azure-id-missing", "have_an_Azure_id missing", "Run Jamf's gatherAADInfo as the logged-in user, never as root."),
        HaveAnAzureIdFalse => (Severity::Warning, "have-an-azure-id-false", "have_an_Azure_id is false", "Run Jamf's gatherAADInfo as the logged-in user, never as root."),
        HaveAnAzureIdUnexpected => (Severity::Warning, "have-an-azure-id-unexpected", "have_an_Azure_id neither true nor false", "Run Jamf's gatherAADInfo as the logged-in user, never as root."),
        ConditionalAccessDisabled => (Severity::Warning, "conditional-access-disabled", "microsoftCAEnabled is not true", "Run sudo jamf manage, and check that Jamf Pro shares inventory."),
        CertificateUnparsable => (Severity::Warning, "certificate-unparsable", "Certificate cannot be parsed", "Look at the certificate in Keychain Access."),
        ConsoleContradictory => (Severity::Warning, "console-contradictory", "Console user contradictory", "Run it again when the users have finished switching."),
        SecondOpinionUsed => (Severity::Warning, "second-opinion-used", "Keychain damaged, second opinion used", "Reset the login keychain and register again if items are missing from it."),
        SecondOpinionDiffers => (Severity::Warning, "second-opinion-differs", "Second opinion differs", "Report it, with the numbers."),
        SecondOpinionMissing => (Severity::Warning, "second-opinion-missing", "Second opinion missing", "Run it on a Mac whose disk has room; if that does not help, report it."),
        NeedsRegistration => (Severity::Warning, "needs-registration", "Platform SSO needs registration", "Run the registration policy in Self Service."),
        UserNotRegistered => (Severity::Warning, "user-not-registered", "User not registered with Platform SSO", "Run the registration policy in Self Service."),
        DeviceNotRegistered => (Severity::Warning, "device-not-registered", "Device not registered with Platform SSO", "Run the registration policy in Self Service."),
        NeedsNewKeys => (Severity::Warning, "needs-new-keys", "Platform SSO needs new keys", "None needed; macOS makes them at the next sign-in."),
        DeviceIdsDiffer => (Severity::Warning, "device-ids-differ", "Device ids differ", "Find out in Entra which device is this Mac, and delete the other."),
        GatheredAsRoot => (Severity::Warning, "gathered-as-root", "gatherAADInfo was run as root", "Find what runs gatherAADInfo as root, and have it run as the user; then delete JamfAAD's plist in /var/root/Library/Preferences."),
        OutputUnusable => (Severity::Warning, "output-unusable", "Command output unusable", "Run it again; if that does not help, report the output."),
        PlistUnreadable => (Severity::Warning, "plist-unreadable", "JamfAAD plist unreadable", "Run it with sudo; if that does not help, look at what stands in its place."),
        OtherRecordsUnreadable => (Severity::Warning, "other-records-unreadable", "Other keychain records unreadable", "Restore the login keychain from a backup if passwords are missing."),
        RenamedKeychainUnreadable => (Severity::Warning, "renamed-keychain-unreadable", "Renamed keychain unreadable", "Run it with sudo; if that does not help, look at what stands in its place."),
        SeveralWorkplaceJoinIdentities => (Severity::Info, "several-workplace-join-identities", "Several WPJ identities", "None needed; old ones may be deleted in Keychain Access."),
        IssuerNameOutsideCertificates => (Severity::Info, "issuer-name-outside-certificates", "WPJ issuer named outside certificates", "None needed; this is what a deleted registration leaves, for example an identity preference."),
        AnotherProvider => (Severity::Info, "another-provider", "Platform SSO of another provider", "None needed; Microsoft's registration is another one."),
        SecondOpinionAgrees => (Severity::Info, "second-opinion-agrees", "Second opinion agrees", "None needed."),
        NotAtTheConsole => (Severity::Info, "not-at-the-console", "User not at the console", "None needed; ask about somebody else with --user."),
    }
}

impl Code {
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

    pub(crate) const fn remedy(self) -> &'static str {
        self.row().3
    }

    pub(super) const fn says(self, message: String) -> Finding {
        Finding { code: self, message }
    }
}
