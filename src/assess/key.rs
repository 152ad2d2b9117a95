//! The Workplace Join key that counts, and where it is kept.

use serde::Serialize;

use crate::{
    evidence::Evidence,
    parse::{certificate::Description, login_keychain::LoginKeychain, platform_sso::Key},
};

/// Where the Workplace Join key is kept; the JSON output has these words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Storage {
    LoginKeychain,
    SecureEnclave,
}

impl Storage {
    /// The words that people and extension attributes get.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LoginKeychain => "Login Keychain",
            Self::SecureEnclave => "Secure Enclave",
        }
    }

    /// Where the evidence shows the key, if anywhere.
    pub(crate) fn shown_by(evidence: &Evidence) -> Option<Self> {
        let keychain = evidence.login_keychain.probe.found();
        if keychain.is_some_and(|found| found.workplace_join_identity().is_some()) {
            return Some(Self::LoginKeychain);
        }
        let platform_sso = evidence.platform_sso.probe.found().map(|found| found.key);
        let sso_extension = evidence.sso_extension.probe.found().map(|found| found.key);
        [platform_sso, sso_extension].into_iter().flatten().any(Key::is_there).then_some(Self::SecureEnclave)
    }
}

/// The Workplace Join key that counts, and what is known about the registration that it belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WorkplaceJoin<'a> {
    pub(crate) storage: Storage,
    pub(crate) device_id: Option<&'a str>,
    pub(crate) tenant_id: Option<&'a str>,
    /// The user principal name; in the login keychain it is only looked for in detail.
    pub(crate) user_principal_name: Option<&'a str>,
    /// What the certificate says; `None` if it cannot be parsed, or is not shown.
    pub(crate) certificate: Option<&'a Description>,
}

impl<'a> WorkplaceJoin<'a> {
    pub(crate) fn shown_by(evidence: &'a Evidence) -> Option<Self> {
        let storage = Storage::shown_by(evidence)?;
        let of_certificate = |certificate: Option<&'a Description>, user_principal_name| Self {
            storage,
            device_id: certificate.and_then(|it| it.device_id.as_deref()),
            tenant_id: certificate.and_then(|it| it.tenant_id.as_deref()),
            user_principal_name,
            certificate,
        };
        if storage == Storage::LoginKeychain {
            let found = evidence.login_keychain.probe.found();
            let identity = found.and_then(LoginKeychain::workplace_join_identity);
            let details = found.and_then(|found| found.details.as_ref());
            let name = details.and_then(|details| details.user_principal_name.as_deref());
            return Some(of_certificate(identity.and_then(|identity| identity.description.as_ref()), name));
        }
        // What Platform SSO says, if it shows the key; else what Jamf's tool does.
        if let Some(found) = evidence.platform_sso.probe.found().filter(|found| found.key.is_there()) {
            return Some(of_certificate(found.certificate.as_ref(), found.user_principal_name.as_deref()));
        }
        let found = evidence.sso_extension.probe.found();
        Some(Self {
            device_id: found.and_then(|found| found.device_id.as_deref()),
            tenant_id: found.and_then(|found| found.tenant_id.as_deref()),
            ..of_certificate(None, found.and_then(|found| found.user_principal_name.as_deref()))
        })
    }
}
