//! Chooses one remedy for each user, by state and findings.

use crate::{
    assess::{
        finding::{Code, Finding},
        key::{platform_sso, remembered_key, sso_extension},
        remedy::Remedy,
        state::RegistrationState,
    },
    evidence::{Cause, Evidence, Obstacle, Source},
    parse::platform_sso::{Key, UnderWay},
};

/// Findings about Platform SSO that the user mends in macOS.
const MENDED_IN_MACOS: [Code; 7] = [
    Code::UserKeyInvalid,
    Code::DeviceRegistrationLost,
    Code::RegistrationNeedsRepair,
    Code::NeedsRegistration,
    Code::UserNotRegistered,
    Code::DeviceNotRegistered,
    Code::PlatformSsoToRegister,
];

pub(super) fn remedy(state: Result<RegistrationState, &Obstacle>, findings: &[Finding], evidence: &Evidence) -> Remedy {
    let has = |codes: &[Code]| findings.iter().any(|finding| codes.contains(&finding.code));
    // Jamf's status 1 and 2 mean that Platform SSO is enabled.
    let of_platform_sso =
        || platform_sso(evidence).is_some() || sso_extension(evidence).is_some_and(|found| found.status > 0);
    let of_findings = || {
        if let Some(Key::UnderWay(what)) = evidence.platform_sso.probe.found().map(|found| found.key)
            && has(&[Code::RegistrationUnderWay])
        {
            return Some(match what {
                UnderWay::NeedsBinding => Remedy::SignInLocally,
                UnderWay::NewUser => Remedy::FinishInMacos,
            });
        }
        has(&MENDED_IN_MACOS).then_some(Remedy::RegisterInMacos)
    };
    match state {
        // No user has logged in yet.
        _ if evidence.user.source == Some(Source::None) => Remedy::LookInSession,
        Err(Obstacle { cause: Cause::NoSession | Cause::MayBeDeclared, .. }) => Remedy::LookInSession,
        // A registration here that is under way only has to be finished.
        _ if has(&[Code::RegisteredWithAnotherTenant]) && !has(&[Code::RegistrationUnderWay]) => Remedy::CheckTenant,
        // A finding may call for a remedy even if the state could not be determined.
        Err(_) => of_findings().unwrap_or(Remedy::MendEvidence),
        Ok(state) => of_findings().unwrap_or_else(|| match state {
            RegistrationState::NotRegistered if has(&[Code::SsoProfileMissing]) => Remedy::DeployProfile,
            RegistrationState::NotRegistered => Remedy::RegisterInSelfService,
            _ if has(&[Code::CertificateExpired]) => {
                if of_platform_sso() {
                    Remedy::RegisterInMacos
                } else {
                    Remedy::RegisterInSelfService
                }
            }
            // The note does not say whether the key was one of Platform SSO.
            RegistrationState::PlistMissing if remembered_key(evidence).is_some() => Remedy::LookInSession,
            RegistrationState::PlistMissing if of_platform_sso() => Remedy::GatherAadInfo,
            RegistrationState::PlistMissing => Remedy::RegisterInSelfService,
            RegistrationState::AadIdNotAcquired => Remedy::GatherAadInfo,
            RegistrationState::Registered if has(&[Code::AzureIdWithoutToken]) => Remedy::GatherAadInfo,
            RegistrationState::Registered => Remedy::Nothing,
        }),
    }
}
