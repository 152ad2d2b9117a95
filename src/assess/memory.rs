//! Decides what to remember about a user's key outside the login keychain, once a run in the user's session shows it.

use crate::{
    assess::{
        Assessment,
        key::{platform_sso, sso_extension, tenant_of},
    },
    evidence::RememberedKey,
};

/// The user's UID, and the note to write about the key outside the login keychain, or `None` to remove an old note
/// because there is certainly no key. Nothing if keys are not to be remembered, or if this run proves nothing.
pub fn note(assessment: &Assessment<'_>) -> Option<(u32, Option<RememberedKey>)> {
    let Assessment { evidence, now, .. } = assessment;
    evidence.remember_key_days.filter(|_| evidence.can_ask_sso)?;
    let (uid, home) = (evidence.user.uid?, evidence.user.home.clone()?);
    let note = |device_id: Option<&str>, tenant_id: Option<&str>| {
        let [device_id, tenant_id] = [device_id, tenant_id].map(|id| id.map(str::to_owned));
        Some((uid, Some(RememberedKey { uid, home, device_id, tenant_id, noted: *now })))
    };
    if let Some(found) = platform_sso(evidence) {
        let certificate = found.certificate.as_ref();
        return note(certificate.and_then(|it| it.device_id.as_deref()), tenant_of(found));
    }
    if let Some(found) = sso_extension(evidence) {
        return note(found.device_id.as_deref(), found.tenant_id.as_deref());
    }
    let was_answered = evidence.platform_sso.probe.found().is_some() || evidence.sso_extension.probe.found().is_some();
    (was_answered && assessment.has_no_key_outside).then_some((uid, None))
}
