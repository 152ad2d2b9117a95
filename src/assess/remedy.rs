//! The remedies: what the user and the administrator do. Reports, JSON, policy scripts and `docs/remedies.md` use them.

use crate::rows::rows;

rows! {
    /// What to do for a user. Each has a code, the text of the extension attribute (policy scripts act on it), what the
    /// user does, what the administrator does, and the source.
    pub enum Remedy(&'static str, &'static str, &'static str, &'static str, &'static str) {
        Nothing => (
            "none", "None",
            "Nothing.",
            "Nothing.",
            "",
        ),
        CheckTenant => (
            "check-tenant", "Check tenant",
            "Nothing.",
            "Find out whose Mac this is, because it is registered with an unexpected tenant. If it is yours, have the user \
             remove that account in Company Portal, and register.",
            "https://learn.microsoft.com/entra/identity/devices/manage-device-identities",
        ),
        RegisterInMacos => (
            "register-in-macos", "Register or repair in macOS",
            "Answer the notification \"Registration Required\" (a Focus hides it). Or open System Settings > Users & \
             Groups, click the (i) beside your name, then Platform SSO > Register or Repair. On macOS 14: Edit beside \
             Network Account Server, then Register or Repair.",
            "When the user has registered, run gatherAADInfo once as the user. If the registration never finishes \
             without an error, check for legacy per-user MFA that is \"Enforced\".",
            "https://learn.microsoft.com/entra/identity/devices/troubleshoot-macos-platform-single-sign-on-extension",
        ),
        DeployProfile => (
            "deploy-sso-profile", "Deploy SSO profile, then register",
            "When the profile is there, open Self Service, run the registration policy, and follow the sign-in prompts \
             until Company Portal has finished.",
            "Deploy a profile for Microsoft's SSO extension first: new registrations need it.",
            "https://learn.microsoft.com/entra/identity-platform/apple-sso-plugin",
        ),
        RegisterInSelfService => (
            "register-in-self-service", "Register in Self Service",
            "Open Self Service, run the registration policy, and follow the sign-in prompts until Company Portal has \
             finished. Do not open Company Portal directly, because only the policy starts JamfAAD.",
            "Send the user the registration policy in Self Service.",
            "https://github.com/benwhitis/Jamf_Conditional_Access/wiki/MacOS-Conditional-Access-Best-Practices",
        ),
        GatherAadInfo => (
            "gather-aad-info", "Run gatherAADInfo",
            "Sign in if a window asks you to.",
            "Run gatherAADInfo once as the user, never as root. JamfAAD has not retried by itself since Jamf Pro 11.5.",
            "https://community.jamf.com/t5/jamf-pro/configure-platform-single-sign-on-pssoe-for-microsoft-entra-id/m-p/333024",
        ),
        SignInLocally => (
            "sign-in-locally", "Sign in with local password",
            "Log out of the Mac, and log in once with the local password, which finishes the registration.",
            "Nothing, unless the user cannot sign in.",
            "Names in Apple's PlatformSSO framework, which Apple does not document.",
        ),
        FinishInMacos => (
            "finish-in-macos", "Finish registration in macOS",
            "Finish the registration that macOS has begun: answer its notification, or log out and in.",
            "If it never finishes without an error, check for legacy per-user MFA that is \"Enforced\".",
            "https://support.jamf.com/en/articles/15290326",
        ),
        LookInSession => (
            "look-in-session", "Check while user is logged in",
            "Log in.",
            "Update the inventory while the user is logged in, because a key in the Secure Enclave shows only then.",
            "https://github.com/Macjutsu/pseudo",
        ),
        MendEvidence => (
            "mend-evidence", "See the reason",
            "Nothing.",
            "Mend what the reason names. Until then, it is unknown whether the user is registered.",
            "",
        ),
    }
}

impl Remedy {
    /// The code as the JSON output has it.
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The text for the extension attribute `remedy`.
    pub const fn short_text(self) -> &'static str {
        self.row().1
    }

    pub const fn for_user(self) -> &'static str {
        self.row().2
    }

    pub const fn for_admin(self) -> &'static str {
        self.row().3
    }

    /// The part that matters most, as a sentence.
    pub(crate) const fn action(self) -> &'static str {
        match self {
            Self::GatherAadInfo
            | Self::DeployProfile
            | Self::CheckTenant
            | Self::LookInSession
            | Self::MendEvidence => self.for_admin(),
            Self::Nothing => "None needed.",
            Self::RegisterInMacos | Self::RegisterInSelfService | Self::SignInLocally | Self::FinishInMacos => {
                self.for_user()
            }
        }
    }

    /// Whether the user registers, which needs Company Portal.
    pub(crate) const fn registers(self) -> bool {
        matches!(self, Self::RegisterInSelfService | Self::DeployProfile | Self::RegisterInMacos)
    }

    /// Whether JamfAAD has to run, which needs Jamf's tool.
    pub(crate) const fn gathers(self) -> bool {
        self.registers() || matches!(self, Self::GatherAadInfo)
    }

    /// The source: a web address, or a description.
    pub const fn source(self) -> &'static str {
        self.row().4
    }
}
