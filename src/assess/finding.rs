//! The kinds of findings, which `docs/remedies.md` lists.

use crate::{assess::remedy::Remedy, rows::rows};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub code: Code,
    /// What was found on this Mac, in a sentence.
    pub(crate) message: String,
}

rows! {
    /// How severe a finding is. Error: the registration does not work. Warning: something may be wrong, or is unknown.
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

/// What to do about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mend {
    /// Nothing has to be done; the text says why.
    Nothing(&'static str),
    /// This remedy mends the registration.
    By(Remedy),
    /// This step.
    Step(&'static str),
}

use Mend::{By, Nothing, Step};
use Severity::{Error, Info, Warning};

rows! {
    /// The kinds of findings, the most severe first. Each has a severity, a code, the text of the extension attribute,
    /// a clause, and what to do.
    pub enum Code(Severity, &'static str, &'static str, &'static str, Mend) {
        RegisteredWithAnotherTenant => (Error, "registered-with-another-tenant", "Registered with another tenant", "the key belongs to another tenant", By(Remedy::CheckTenant)),
        UserKeyInvalid => (Error, "user-key-invalid", "Platform SSO key is invalid", "the Platform SSO key is invalid", By(Remedy::RegisterInMacos)),
        DeviceRegistrationLost => (Error, "device-registration-lost", "Device registration lost", "the device's registration is lost", By(Remedy::RegisterInMacos)),
        RegistrationNeedsRepair => (Error, "registration-needs-repair", "Registration needs repair", "the registration needs repair", By(Remedy::RegisterInMacos)),
        LoginKeychainReset => (Error, "login-keychain-reset", "Login keychain was reset", "the login keychain was reset", By(Remedy::RegisterInSelfService)),
        CertificateExpired => (Error, "certificate-expired", "WPJ certificate expired", "the certificate has expired", By(Remedy::RegisterInSelfService)),
        PlistUnparsable => (Error, "plist-unparsable", "JamfAAD plist cannot be parsed", "the JamfAAD plist cannot be parsed", By(Remedy::GatherAadInfo)),
        CertificateWithoutPrivateKey => (Warning, "certificate-without-private-key", "WPJ certificate lacks its private key", "a certificate lacks its private key", By(Remedy::RegisterInSelfService)),
        PrivateKeyWithoutCertificate => (Warning, "private-key-without-certificate", "WPJ key lacks its certificate", "a WPJ key lacks its certificate", By(Remedy::RegisterInSelfService)),
        CertificateNotYetValid => (Warning, "certificate-not-yet-valid", "WPJ certificate not yet valid", "the certificate is not valid yet", Step("Set the clock in System Settings > General > Date & Time, because the certificate is not valid yet.")),
        HaveAnAzureIdMissing => (Warning, "have-an-azure-id-missing", "have_an_Azure_id missing", "have_an_Azure_id is missing", By(Remedy::GatherAadInfo)),
        HaveAnAzureIdFalse => (Warning, "have-an-azure-id-false", "have_an_Azure_id is false", "have_an_Azure_id is false", By(Remedy::GatherAadInfo)),
        HaveAnAzureIdUnexpected => (Warning, "have-an-azure-id-unexpected", "have_an_Azure_id neither true nor false", "have_an_Azure_id is neither true nor false", By(Remedy::GatherAadInfo)),
        AzureIdWithoutToken => (Warning, "azure-id-without-token", "have_an_Azure_id set, but never a token", "JamfAAD has never had a token", By(Remedy::GatherAadInfo)),
        SsoProfileMissing => (Warning, "sso-profile-missing", "SSO extension profile missing", "the SSO extension's profile is missing", By(Remedy::DeployProfile)),
        JamfBlocked => (Warning, "jamf-blocked", "AppBlockList blocks Jamf", "AppBlockList blocks Jamf", Step("Escalate to the Jamf administrator, with this report: the profile for Microsoft's SSO extension must not list Jamf's apps in AppBlockList.")),
        OldConnector => (Warning, "old-connector", "Old connector, retired in January 2025", "Jamf uses the old connector", Step("Escalate to the Jamf administrator, with this report: Jamf Pro must move from the connector that was retired in January 2025 to the Device Compliance integration.")),
        ConditionalAccessDisabled => (Warning, "conditional-access-disabled", "microsoftCAEnabled is not true", "microsoftCAEnabled is not true", Step("Escalate to the Jamf administrator, with this report: Jamf Pro must share inventory with Microsoft; then /usr/local/jamf/bin/jamf manage must run on this Mac as root.")),
        CertificateUnparsable => (Warning, "certificate-unparsable", "Certificate cannot be parsed", "a certificate cannot be parsed", Step("Escalate to the Jamf administrator, with this report: check in Keychain Access whether the certificate that cannot be parsed is the Workplace Join one.")),
        ConsoleContradictory => (Warning, "console-contradictory", "Console user contradictory", "macOS names two console users", Step("Run this again when the users have finished switching, because macOS names two users.")),
        SecondOpinionUsed => (Warning, "second-opinion-used", "Keychain damaged, second opinion used", "the login keychain is damaged", Step("Escalate to the Jamf administrator, with this report: restore the login keychain from a backup, because it is damaged. Tell the user not to reset it: that loses the passwords in it.")),
        SecondOpinionDiffers => (Warning, "second-opinion-differs", "Second opinion differs", "the second opinion differs", Step("Report this under Issues on the project's page at GitHub, with the numbers and the output of --version. Issues are public, so leave out names and IDs.")),
        SecondOpinionMissing => (Warning, "second-opinion-missing", "Second opinion missing", "the second opinion is missing", Step("Run this on a Mac with room on its disk, and with more time (--deadline), because macOS's own reader must read a copy of the keychain.")),
        RegistrationUnderWay => (Warning, "registration-under-way", "Platform SSO registration under way", "macOS is still registering the user", By(Remedy::FinishInMacos)),
        NeedsRegistration => (Warning, "needs-registration", "Platform SSO needs registration", "Platform SSO needs registration", By(Remedy::RegisterInMacos)),
        UserNotRegistered => (Warning, "user-not-registered", "User not registered with Platform SSO", "the user has not registered with Platform SSO", By(Remedy::RegisterInMacos)),
        DeviceNotRegistered => (Warning, "device-not-registered", "Device not registered with Platform SSO", "the device has not registered with Platform SSO", By(Remedy::RegisterInMacos)),
        PlatformSsoToRegister => (Warning, "platform-sso-to-register", "Platform SSO still to be registered", "Platform SSO still has to be registered", By(Remedy::RegisterInMacos)),
        NeedsNewKeys => (Warning, "needs-new-keys", "Platform SSO needs new keys", "Platform SSO needs new keys", Nothing("None needed; macOS creates them at the next sign-in.")),
        TenantNotKnown => (Warning, "tenant-not-known", "Tenant of the WPJ key not known", "the key's tenant is not known", Step("Escalate to the Entra administrator, with the device ID, because only Entra shows whether the device is yours.")),
        SeveralDeviceIds => (Warning, "several-device-ids", "Several device IDs", "this Mac has several device IDs", Step("Escalate to the Entra administrator, with these device IDs: one is this Mac's, and the others should be deleted.")),
        RememberedKeyUnusable => (Warning, "remembered-key-unusable", "Remembered key unusable", "the note of a key is unusable", Step("Remove the note whose path the report shows, because it is unusable. The next run while the user is logged in writes a new one.")),
        SettingUnusable => (Warning, "setting-unusable", "wpj-state setting unusable", "a wpj-state setting is unusable", Step("Escalate to the Jamf administrator, with this report: the profile with wpj-state's settings must be corrected.")),
        GatheredAsRoot => (Warning, "gathered-as-root", "gatherAADInfo was run as root", "gatherAADInfo was run as root", Step("Escalate to the Jamf administrator, with this report: something runs gatherAADInfo as root, and must run it as the user.")),
        OutputUnusable => (Warning, "output-unusable", "Command output unusable", "a command's output is unusable", Step("Run this with --explain, because the report has the step for this output.")),
        PlistUnreadable => (Warning, "plist-unreadable", "JamfAAD plist unreadable", "the JamfAAD plist is unreadable", Step("Check what is at the path of JamfAAD's plist, and its permissions, because it cannot be read.")),
        OtherRecordsUnreadable => (Warning, "other-records-unreadable", "Other keychain records unreadable", "other keychain records are unreadable", Step("Ask the user whether passwords are missing, because some records of the login keychain are damaged. If so, escalate to the Jamf administrator, who restores it from a backup.")),
        RenamedKeychainUnreadable => (Warning, "renamed-keychain-unreadable", "Renamed keychain unreadable", "a renamed keychain is unreadable", Nothing("None needed; a renamed keychain is an old one.")),
        SeveralWorkplaceJoinIdentities => (Info, "several-workplace-join-identities", "Several WPJ identities", "", Nothing("None needed; old ones may be deleted in Keychain Access.")),
        IssuerNameOutsideCertificates => (Info, "issuer-name-outside-certificates", "WPJ issuer named outside certificates", "", Nothing("None needed; a deleted registration leaves such records, for example an identity preference.")),
        AnotherProvider => (Info, "another-provider", "Platform SSO of another provider", "", Nothing("None needed; this does not affect the registration with Microsoft.")),
        PlatformSsoNotSetUp => (Info, "platform-sso-not-set-up", "Platform SSO not set up", "", Nothing("None needed; a registration without Platform SSO counts as well.")),
        KeyRemembered => (Info, "key-remembered", "Key remembered from a session", "", Nothing("None needed; the next inventory update while the user is logged in checks again.")),
        SecondOpinionAgrees => (Info, "second-opinion-agrees", "Second opinion agrees", "", Nothing("None needed.")),
        NotAtTheConsole => (Info, "not-at-the-console", "User not at the console", "", Nothing("None needed; use --user to report on another user.")),
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

    /// The short text for the extension attribute `finding`, in characters that Jamf Pro accepts.
    pub const fn short_text(self) -> &'static str {
        self.row().2
    }

    /// The finding as a clause that can follow "but" or "because"; empty if it is only for information.
    pub(crate) const fn clause(self) -> &'static str {
        self.row().3
    }

    pub const fn mend(self) -> Mend {
        self.row().4
    }

    /// What to do about the finding, in a sentence.
    pub(crate) const fn remedy(self) -> &'static str {
        match self.mend() {
            Nothing(words) | Step(words) => words,
            By(remedy) => remedy.action(),
        }
    }

    pub(super) const fn says(self, message: String) -> Finding {
        Finding { code: self, message }
    }
}
