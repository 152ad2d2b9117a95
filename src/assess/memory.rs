//! Decides what to remember about a user's key outside the login keychain, once a run in the user's session shows it.

use crate::{
    assess::{
        key::{platform_sso, sso_extension},
        state::has_no_key_outside,
    },
    evidence::{Evidence, RememberedKey},
    parse::{
        platform_sso::{app_sso::PlatformSso, sso_status::SsoStatus},
        timestamp::Timestamp,
    },
};

/// The user's UID, and the note to write about the key outside the login keychain, or `None` to remove an old note
/// because there is certainly no key. Nothing if keys are not to be remembered, or if this run proves nothing.
/// Whether the key's tenant counts is decided only when the note is read.
pub fn note(evidence: &Evidence, now: Timestamp) -> Option<(u32, Option<RememberedKey>)> {
    evidence.remember_key_days.filter(|_| evidence.can_check_sso)?;
    let (uid, home) = (evidence.user.uid?, evidence.user.home.as_ref()?);
    let note = |device_id: Option<&str>, tenant_id: Option<&str>| {
        let [device_id, tenant_id] = [device_id, tenant_id].map(|id| id.map(str::to_owned));
        Some((uid, Some(RememberedKey { uid, home: home.clone(), device_id, tenant_id, noted: now })))
    };
    let of_platform_sso = |found: &PlatformSso| {
        note(found.certificate.as_ref().and_then(|it| it.device_id.as_deref()), found.tenant_id())
    };
    let of_sso_extension = |found: &SsoStatus| note(found.device_id.as_deref(), evidence.sso_extension_tenant());
    let (by_app_sso, by_jamf) = (evidence.platform_sso.probe.found(), evidence.sso_extension.probe.found());
    // A key that counts takes precedence over one of another tenant.
    if let Some(found) = platform_sso(evidence) {
        return of_platform_sso(found);
    }
    if let Some(found) = sso_extension(evidence) {
        return of_sso_extension(found);
    }
    if let Some(found) = by_app_sso.filter(|found| found.key.is_present()) {
        return of_platform_sso(found);
    }
    if let Some(found) = by_jamf.filter(|found| found.key.is_present()) {
        return of_sso_extension(found);
    }
    // If the login keychain has the key, a run may have left out Jamf's tool.
    let was_answered = by_jamf.is_some() || (by_app_sso.is_some() && evidence.identity().is_none());
    (was_answered && has_no_key_outside(evidence)).then_some((uid, None))
}
