//! Which remedy mends what: one for each Mac, by its state and findings.

use crate::{
    assess::{
        finding::{Code, Finding},
        key::Storage,
        remedy::Remedy,
        state::RegistrationState,
    },
    evidence::{Cause, Evidence, Obstacle},
    parse::platform_sso::{Key, UnderWay},
};

/// Platform SSO is set up, and what it lacks is mended in macOS.
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
    let of_platform_sso = || {
        let by_app_sso = evidence.platform_sso.probe.found().is_some_and(|found| found.key.is_there());
        // 1 and 2: Platform SSO is enabled.
        by_app_sso || evidence.sso_extension.probe.found().is_some_and(|found| found.status > 0)
    };
    let under_way = |under_way| match under_way {
        UnderWay::NeedsBinding => Remedy::SignInLocally,
        UnderWay::NewUser => Remedy::FinishInMacos,
    };
    let in_enclave = || Storage::shown_by(evidence) == Some(Storage::SecureEnclave);
    match state {
        Err(obstacle) => match &obstacle.cause {
            Cause::UnderWay(what) => under_way(*what),
            Cause::DeviceLost => Remedy::RegisterInMacos,
            Cause::NoSession | Cause::MayBeDeclared => Remedy::LookInSession,
            _ => Remedy::MendEvidence,
        },
        Ok(_) if has(&MENDED_IN_MACOS) => Remedy::RegisterInMacos,
        Ok(_) if has(&[Code::RegistrationUnderWay]) => match evidence.platform_sso.probe.found().map(|found| found.key)
        {
            Some(Key::UnderWay(what)) => under_way(what),
            _ => Remedy::FinishInMacos,
        },
        Ok(RegistrationState::NotRegistered) if has(&[Code::SsoProfileMissing]) => Remedy::DeployProfile,
        Ok(RegistrationState::NotRegistered) => Remedy::RegisterInSelfService,
        Ok(_) if has(&[Code::CertificateExpired]) => {
            if in_enclave() && of_platform_sso() {
                Remedy::RegisterInMacos
            } else {
                Remedy::RegisterInSelfService
            }
        }
        Ok(RegistrationState::PlistMissing) => {
            if in_enclave() && of_platform_sso() {
                Remedy::GatherAadInfo
            } else {
                Remedy::RegisterInSelfService
            }
        }
        Ok(RegistrationState::AadIdNotAcquired) => Remedy::GatherAadInfo,
        Ok(RegistrationState::Registered) if has(&[Code::AzureIdWithoutToken]) => Remedy::GatherAadInfo,
        Ok(RegistrationState::Registered) => Remedy::Nothing,
    }
}
