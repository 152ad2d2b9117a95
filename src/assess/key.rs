//! The Workplace Join key that counts, and where it is kept.

use serde::Serialize;

use crate::{
    evidence::{Evidence, RememberedKey},
    parse::{
        certificate::Description,
        login_keychain::{LoginKeychain, WorkplaceJoinCertificate},
        platform_sso::{Absence, Key, app_sso::PlatformSso, sso_status::SsoStatus},
        set_up::SsoProfile,
        timestamp::Timestamp,
    },
};

/// Where the Workplace Join key is kept, in the words of the JSON output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Storage {
    LoginKeychain,
    SecureEnclave,
}

impl Storage {
    /// The name in extension attributes and in output for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LoginKeychain => "Login Keychain",
            Self::SecureEnclave => "Secure Enclave",
        }
    }

    /// Where the evidence shows a key that counts, if anywhere.
    pub(crate) fn shown_by(evidence: &Evidence) -> Option<Self> {
        if evidence.identity().is_some() {
            return Some(Self::LoginKeychain);
        }
        let in_enclave =
            platform_sso(evidence).is_some() || sso_extension(evidence).is_some() || remembered_key(evidence).is_some();
        in_enclave.then_some(Self::SecureEnclave)
    }
}

/// The answer of `app-sso`, if it shows a key that counts.
pub(crate) fn platform_sso(evidence: &Evidence) -> Option<&PlatformSso> {
    let found = evidence.platform_sso.probe.found().filter(|found| found.key.is_present())?;
    evidence.expected_tenants.accept(found.tenant_id()).then_some(found)
}

/// The answer of Jamf's tool, if it shows a key that counts.
pub(crate) fn sso_extension(evidence: &Evidence) -> Option<&SsoStatus> {
    let found = evidence.sso_extension.probe.found().filter(|found| found.key.is_present())?;
    evidence.expected_tenants.accept(evidence.sso_extension_tenant()).then_some(found)
}

/// The key noted in an earlier run, if it counts.
pub(crate) fn remembered_key(evidence: &Evidence) -> Option<&RememberedKey> {
    let found = evidence.remembered_key.probe.found()?;
    evidence.expected_tenants.accept(found.tenant_id.as_deref()).then_some(found)
}

/// The tenants of registrations that do not count, without duplicates.
pub(crate) fn other_tenants(evidence: &Evidence) -> Vec<&str> {
    let in_keychain = evidence.login_keychain.probe.found();
    // The device's registration names a tenant even if the user's part is missing.
    let by_app_sso = evidence.platform_sso.probe.found();
    let by_jamf = evidence.sso_extension.probe.found();
    let mut tenants: Vec<&str> = in_keychain
        .into_iter()
        .flat_map(LoginKeychain::identities)
        .filter_map(WorkplaceJoinCertificate::tenant_id)
        .chain(by_app_sso.and_then(PlatformSso::tenant_id))
        .chain(by_jamf.and_then(|_| evidence.sso_extension_tenant()))
        .chain(evidence.remembered_key.probe.found().and_then(|found| found.tenant_id.as_deref()))
        .filter(|tenant| !evidence.expected_tenants.accept(Some(tenant)))
        .collect();
    tenants.sort_unstable();
    tenants.dedup();
    tenants
}

/// Where a device ID was found, in the words of the JSON output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceSource {
    LoginKeychain,
    PlatformSso,
    SsoExtension,
}

/// A device ID, and where it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Device<'a> {
    pub(crate) source: DeviceSource,
    pub(crate) device_id: &'a str,
    pub(crate) tenant_id: Option<&'a str>,
    /// When the device was registered; `None` from Jamf's tool, which does not report it.
    pub(crate) since: Option<Timestamp>,
}

/// Every device ID that was found.
pub(crate) fn devices(evidence: &Evidence) -> Vec<Device<'_>> {
    let in_keychain = evidence.login_keychain.probe.found().into_iter().flat_map(LoginKeychain::identities);
    let in_keychain =
        in_keychain.filter_map(|identity| of_certificate(DeviceSource::LoginKeychain, identity.description.as_ref()?));
    let by_app_sso = evidence.platform_sso.probe.found().and_then(|found| found.certificate.as_ref());
    let by_app_sso = by_app_sso.and_then(|certificate| of_certificate(DeviceSource::PlatformSso, certificate));
    let by_jamf = evidence.sso_extension.probe.found().and_then(|found| {
        let (device_id, tenant_id) = (found.device_id.as_deref()?, evidence.sso_extension_tenant());
        Some(Device { source: DeviceSource::SsoExtension, device_id, tenant_id, since: None })
    });
    in_keychain.chain(by_app_sso).chain(by_jamf).collect()
}

fn of_certificate(source: DeviceSource, description: &Description) -> Option<Device<'_>> {
    let tenant_id = description.tenant_id.as_deref();
    Some(Device {
        source,
        device_id: description.device_id.as_deref()?,
        tenant_id,
        since: Some(description.not_before),
    })
}

/// The name that a command or else the account record shows, unless it is another identity provider's, or known to be
/// that of a registration with another tenant than this.
fn other_name<'a>(evidence: &'a Evidence, tenant_id: Option<&str>) -> Option<&'a str> {
    let is_of_another = |other: Option<&str>| other.zip(tenant_id).is_some_and(|(one, other)| one != other);
    let by_app_sso = evidence.platform_sso.probe.found();
    let is_of_another_provider = by_app_sso.is_some_and(|found| found.key == Key::Absent(Absence::AnotherProvider))
        || evidence.set_up.sso_profile.found() == Some(&SsoProfile::OfAnother);
    let by_jamf = evidence.sso_extension.probe.found().filter(|_| !is_of_another(evidence.sso_extension_tenant()));
    let by_jamf = by_jamf.and_then(|found| found.user_principal_name.as_deref());
    // The account is linked to the user of Platform SSO.
    let by_platform_sso = match by_app_sso {
        Some(found) if is_of_another(found.tenant_id()) => by_jamf,
        found => {
            let name = found.and_then(|found| found.user_principal_name.as_deref());
            name.or(by_jamf).or(evidence.linked_name.as_deref())
        }
    };
    by_platform_sso.filter(|_| !is_of_another_provider)
}

/// The Workplace Join key that counts, and what is known about its registration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WorkplaceJoin<'a> {
    pub(crate) storage: Storage,
    pub(crate) device_id: Option<&'a str>,
    pub(crate) tenant_id: Option<&'a str>,
    /// The user principal name; searched in the login keychain and the account record only if details are wanted.
    pub(crate) user_principal_name: Option<&'a str>,
    /// The certificate's fields; `None` if it cannot be parsed, or if the source does not show it.
    pub(crate) certificate: Option<&'a Description>,
}

impl<'a> WorkplaceJoin<'a> {
    pub(crate) fn shown_by(evidence: &'a Evidence) -> Option<Self> {
        let storage = Storage::shown_by(evidence)?;
        let with = |device_id, tenant_id, name: Option<&'a str>, certificate| Self {
            storage,
            device_id,
            tenant_id,
            user_principal_name: name.or_else(|| other_name(evidence, tenant_id)),
            certificate,
        };
        let of_certificate = |certificate: Option<&'a Description>, name| {
            let device_id = certificate.and_then(|it| it.device_id.as_deref());
            with(device_id, certificate.and_then(|it| it.tenant_id.as_deref()), name, certificate)
        };
        if let Some(identity) = evidence.identity() {
            let details = evidence.login_keychain.probe.found().and_then(|found| found.details.as_ref());
            let name = details.and_then(|details| details.user_principal_name.as_deref());
            return Some(of_certificate(identity.description.as_ref(), name));
        }
        // Platform SSO comes first because it shows the certificate, which Jamf's tool does not.
        if let Some(found) = platform_sso(evidence) {
            return Some(of_certificate(found.certificate.as_ref(), found.user_principal_name.as_deref()));
        }
        if let Some(found) = sso_extension(evidence) {
            let (device_id, tenant_id) = (found.device_id.as_deref(), evidence.sso_extension_tenant());
            return Some(with(device_id, tenant_id, found.user_principal_name.as_deref(), None));
        }
        let found = remembered_key(evidence)?;
        Some(with(found.device_id.as_deref(), found.tenant_id.as_deref(), None, None))
    }
}
