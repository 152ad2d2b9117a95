//! Decides between the four states, or gives the reason why the state cannot be determined.

use crate::{
    assess::key::Storage,
    evidence::{Cause, Evidence, Obstacle, Probe, SsoSetUp},
    parse::{
        jamf_aad::{HaveAnAzureId, JamfAad},
        platform_sso::{Absence, Key, app_sso::PlatformSso},
    },
    rows::rows,
};

rows! {
    /// How far a user's registration has got, the best first: the text of the extension attribute. The four texts are
    /// the tool's public interface, because smart groups depend on them.
    pub enum RegistrationState(&'static str) {
        Registered => ("Registered",),
        PlistMissing => ("WPJ Key present, JamfAAD PLIST missing",),
        AadIdNotAcquired => ("WPJ Key present, AAD ID not acquired",),
        NotRegistered => ("Not Registered",),
    }
}

impl RegistrationState {
    /// The text of the extension attribute.
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }
}

pub(super) fn registration_state(evidence: &Evidence) -> Result<RegistrationState, Obstacle> {
    if let Some(obstacle) = &evidence.obstacle {
        return Err(obstacle.clone());
    }
    if Storage::shown_by(evidence).is_some() {
        return with_workplace_join_key(evidence);
    }
    let keychain = &evidence.login_keychain;
    let in_keychain = |cause| Err(Obstacle { path: keychain.path.clone(), cause });
    match &keychain.probe {
        Probe::Found(found) => match &found.unknown_issuer {
            Some(offset) => in_keychain(Cause::UnknownIssuer(*offset)),
            None => without_key_in_keychain(evidence),
        },
        Probe::Absent => without_key_in_keychain(evidence),
        Probe::Unreadable(cause) => in_keychain(cause.clone()),
        Probe::NotChecked => in_keychain(Cause::NotRead),
    }
}

/// Whether the commands prove that there is no key outside the login keychain.
pub(super) fn has_no_key_outside(evidence: &Evidence) -> bool {
    without_key_in_keychain(evidence) == Ok(RegistrationState::NotRegistered)
}

/// The state when the login keychain has no key. The key may still be in the Secure Enclave if the command outputs
/// leave that open, or if no command could be run.
fn without_key_in_keychain(evidence: &Evidence) -> Result<RegistrationState, Obstacle> {
    let Evidence { platform_sso, sso_extension, sso_set_up, .. } = evidence;
    let by_app_sso = |cause| Err(Obstacle { path: platform_sso.path.clone(), cause });
    let by_jamf = |cause: &Cause| Err(Obstacle { path: sso_extension.path.clone(), cause: cause.clone() });
    let app_sso = match &platform_sso.probe {
        Probe::Found(found) => Some(found.key),
        Probe::Unreadable(cause) => return by_app_sso(cause.clone()),
        Probe::Absent | Probe::NotChecked => None,
    };
    let tenant_id = platform_sso.probe.found().and_then(PlatformSso::tenant_id);
    // What another tenant's registration will give does not count.
    if let Some(Key::UnderWay(under_way)) = app_sso
        && evidence.expected_tenants.accept(tenant_id)
    {
        return by_app_sso(Cause::UnderWay(under_way));
    }
    // In a session, the commands could have been run if they were there.
    let unchecked = |otherwise| if evidence.can_check_sso { Cause::CommandsMissing } else { otherwise };
    match &sso_extension.probe {
        Probe::Found(_) => Ok(RegistrationState::NotRegistered),
        // Without an answer from Jamf's tool, there is certainly no key only if single sign-on is not set up.
        Probe::Unreadable(cause) => {
            let nothing = app_sso == Some(Key::Absent(Absence::NotConfigured)) && *sso_set_up == SsoSetUp::Nothing;
            if evidence.jamf_gave_no_answer() && nothing {
                Ok(RegistrationState::NotRegistered)
            } else {
                by_jamf(cause)
            }
        }
        Probe::Absent | Probe::NotChecked if app_sso == Some(Key::Absent(Absence::DeviceLost)) => {
            by_app_sso(Cause::DeviceLost)
        }
        Probe::Absent | Probe::NotChecked => match sso_set_up {
            SsoSetUp::By(path) => Err(Obstacle { path: Some(path.clone()), cause: unchecked(Cause::NoSession) }),
            SsoSetUp::MayBeDeclared => Err(unchecked(Cause::MayBeDeclared).into()),
            SsoSetUp::Nothing | SsoSetUp::NotChecked => Ok(RegistrationState::NotRegistered),
        },
    }
}

fn with_workplace_join_key(evidence: &Evidence) -> Result<RegistrationState, Obstacle> {
    let plist = &evidence.jamf_aad;
    let undetermined = |cause| Err(Obstacle { path: plist.path.clone(), cause });
    match &plist.probe {
        Probe::Found(JamfAad::Parsed { have_an_azure_id: HaveAnAzureId::True, .. }) => {
            Ok(RegistrationState::Registered)
        }
        Probe::Found(JamfAad::Parsed { .. } | JamfAad::Unparsable(_)) => Ok(RegistrationState::AadIdNotAcquired),
        Probe::Absent => Ok(RegistrationState::PlistMissing),
        Probe::Unreadable(cause) => undetermined(cause.clone()),
        Probe::NotChecked => undetermined(Cause::NotRead),
    }
}
