//! The kinds of findings: a closed set, which `docs/remedies.md` lists.

use crate::{assess::remedy::Remedy, rows::rows};

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

/// What to do about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mend {
    /// Nothing; why, or what else may be done.
    Nothing(&'static str),
    /// A remedy for the registration.
    By(Remedy),
    /// A step of its own.
    Step(&'static str),
}

use Mend::{By, Nothing, Step};
use Severity::{Error, Info, Warning};

rows! {
    /// The kinds of findings, the most severe first: severity, code, text of the extension attribute, what to do.
    pub enum Code(Severity, &'static str, &'static str, Mend) {
        RegisteredWithAnotherTenant => (Error, "registered-with-another-tenant", "Registered with another tenant", By(Remedy::CheckTenant)),
        UserKeyInvalid => (Error, "user-key-invalid", "Platform SSO key is invalid", By(Remedy::RegisterInMacos)),
        DeviceRegistrationLost => (Error, "device-registration-lost", "Device registration lost", By(Remedy::RegisterInMacos)),
        RegistrationNeedsRepair => (Error, "registration-needs-repair", "Registration needs repair", By(Remedy::RegisterInMacos)),
        LoginKeychainReset => (Error, "login-keychain-reset", "Login keychain was reset", By(Remedy::RegisterInSelfService)),
        CertificateExpired => (Error, "certificate-expired", "WPJ certificate expired", By(Remedy::RegisterInSelfService)),
        PlistUnparsable => (Error, "plist-unparsable", "JamfAAD plist cannot be parsed", By(Remedy::GatherAadInfo)),
        CertificateWithoutPrivateKey => (Warning, "certificate-without-private-key", "WPJ certificate lacks its private key", By(Remedy::RegisterInSelfService)),
        PrivateKeyWithoutCertificate => (Warning, "private-key-without-certificate", "WPJ key lacks its certificate", By(Remedy::RegisterInSelfService)),
        CertificateNotYetValid => (Warning, "certificate-not-yet-valid", "WPJ certificate not yet valid", Step("Set the clock: System Settings > General > Date & Time.")),
        HaveAnAzureIdMissing => (Warning, "have-an-azure-id-missing", "have_an_Azure_id missing", By(Remedy::GatherAadInfo)),
        HaveAnAzureIdFalse => (Warning, "have-an-azure-id-false", "have_an_Azure_id is false", By(Remedy::GatherAadInfo)),
        HaveAnAzureIdUnexpected => (Warning, "have-an-azure-id-unexpected", "have_an_Azure_id neither true nor false", By(Remedy::GatherAadInfo)),
        AzureIdWithoutToken => (Warning, "azure-id-without-token", "have_an_Azure_id set, but no token ever", By(Remedy::GatherAadInfo)),
        SsoProfileMissing => (Warning, "sso-profile-missing", "SSO extension profile missing", By(Remedy::DeployProfile)),
        JamfBlocked => (Warning, "jamf-blocked", "AppBlockList blocks Jamf", Step("Take Jamf's apps off AppBlockList in the profile of Microsoft's SSO extension.")),
        OldConnector => (Warning, "old-connector", "Old connector, retired in January 2025", Step("Move Jamf Pro to the Device Compliance integration, then run /usr/local/jamf/bin/jamf manage as root.")),
        ConditionalAccessDisabled => (Warning, "conditional-access-disabled", "microsoftCAEnabled is not true", Step("Run sudo jamf manage, and check that Jamf Pro shares inventory.")),
        CertificateUnparsable => (Warning, "certificate-unparsable", "Certificate cannot be parsed", Step("Look at the certificate in Keychain Access.")),
        ConsoleContradictory => (Warning, "console-contradictory", "Console user contradictory", Step("Run it again when the users have finished switching.")),
        SecondOpinionUsed => (Warning, "second-opinion-used", "Keychain damaged, second opinion used", Step("Reset the login keychain and register again if items are missing from it.")),
        SecondOpinionDiffers => (Warning, "second-opinion-differs", "Second opinion differs", Step("Report it, with the numbers.")),
        SecondOpinionMissing => (Warning, "second-opinion-missing", "Second opinion missing", Step("Run it on a Mac whose disk has room; if that does not help, report it.")),
        RegistrationUnderWay => (Warning, "registration-under-way", "Platform SSO registration under way", By(Remedy::FinishInMacos)),
        NeedsRegistration => (Warning, "needs-registration", "Platform SSO needs registration", By(Remedy::RegisterInMacos)),
        UserNotRegistered => (Warning, "user-not-registered", "User not registered with Platform SSO", By(Remedy::RegisterInMacos)),
        DeviceNotRegistered => (Warning, "device-not-registered", "Device not registered with Platform SSO", By(Remedy::RegisterInMacos)),
        PlatformSsoToRegister => (Warning, "platform-sso-to-register", "Platform SSO still to be registered", By(Remedy::RegisterInMacos)),
        NeedsNewKeys => (Warning, "needs-new-keys", "Platform SSO needs new keys", Nothing("None needed; macOS makes them at the next sign-in.")),
        TenantNotKnown => (Warning, "tenant-not-known", "Tenant of the WPJ key not known", Step("Look the device id up in Entra, to see whether it is a device of yours.")),
        SeveralDeviceIds => (Warning, "several-device-ids", "Several device ids", Step("Find out in Entra which device is this Mac, and delete the other.")),
        RememberedKeyUnusable => (Warning, "remembered-key-unusable", "Remembered key unusable", Step("Remove the note that the message names; the next run in a session writes it anew.")),
        GatheredAsRoot => (Warning, "gathered-as-root", "gatherAADInfo was run as root", Step("Find what runs gatherAADInfo as root, and have it run as the user; then delete JamfAAD's plist in /var/root/Library/Preferences.")),
        OutputUnusable => (Warning, "output-unusable", "Command output unusable", Step("Run the command by hand as the user, and see what it prints.")),
        PlistUnreadable => (Warning, "plist-unreadable", "JamfAAD plist unreadable", Step("Run it with sudo; if that does not help, look at what stands in its place.")),
        OtherRecordsUnreadable => (Warning, "other-records-unreadable", "Other keychain records unreadable", Step("Restore the login keychain from a backup if passwords are missing.")),
        RenamedKeychainUnreadable => (Warning, "renamed-keychain-unreadable", "Renamed keychain unreadable", Step("Run it with sudo; if that does not help, look at what stands in its place.")),
        SeveralWorkplaceJoinIdentities => (Info, "several-workplace-join-identities", "Several WPJ identities", Nothing("None needed; old ones may be deleted in Keychain Access.")),
        IssuerNameOutsideCertificates => (Info, "issuer-name-outside-certificates", "WPJ issuer named outside certificates", Nothing("None needed; this is what a deleted registration leaves, for example an identity preference.")),
        AnotherProvider => (Info, "another-provider", "Platform SSO of another provider", Nothing("None needed; Microsoft's registration is another one.")),
        PlatformSsoNotSetUp => (Info, "platform-sso-not-set-up", "Platform SSO not set up", Nothing("None needed; a registration without Platform SSO counts as well.")),
        KeyRemembered => (Info, "key-remembered", "Key remembered from a session", Nothing("None needed; the next inventory in a session of the user asks again.")),
        SecondOpinionAgrees => (Info, "second-opinion-agrees", "Second opinion agrees", Nothing("None needed.")),
        NotAtTheConsole => (Info, "not-at-the-console", "User not at the console", Nothing("None needed; ask about somebody else with --user.")),
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

    pub const fn mend(self) -> Mend {
        self.row().3
    }

    /// What to do about it, in a sentence.
    pub(crate) const fn remedy(self) -> &'static str {
        match self.mend() {
            Nothing(words) | Step(words) => words,
            By(remedy @ (Remedy::GatherAadInfo | Remedy::DeployProfile | Remedy::CheckTenant)) => remedy.for_admin(),
            By(remedy) => remedy.for_user(),
        }
    }

    pub(super) const fn says(self, message: String) -> Finding {
        Finding { code: self, message }
    }
}
