//! The decision: from evidence to one of four states, or to the reason why there is none. No files, no clock.

mod finding;

use std::path::Path;

pub use finding::{Code, Finding, Severity};

use crate::{
    cause::{Cause, Obstacle},
    certificate::Description,
    evidence::{Evidence, Probe},
    jamf_aad::{HaveAnAzureId, JamfAad},
    login_keychain::LoginKeychain,
    platform_sso::Key,
    timestamp::Timestamp,
};

/// How far a user's registration got. The four strings are the tool's public interface: smart groups are built on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationState {
    /// The Workplace Join key is present and JamfAAD has obtained the Azure AD ID.
    Registered,
    /// The Workplace Join key is present; JamfAAD has never run for this user.
    PlistMissing,
    /// The Workplace Join key is present; JamfAAD has run, but not obtained the Azure AD ID.
    AadIdNotAcquired,
    /// There is no Workplace Join key.
    NotRegistered,
}

impl RegistrationState {
    /// All states, the best first.
    pub const ALL: [Self; 4] = [Self::Registered, Self::PlistMissing, Self::AadIdNotAcquired, Self::NotRegistered];

    /// The text of the extension attribute.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "Registered",
            Self::PlistMissing => "WPJ Key present, JamfAAD PLIST missing",
            Self::AadIdNotAcquired => "WPJ Key present, AAD ID not acquired",
            Self::NotRegistered => "Not Registered",
        }
    }

    /// What it means, in a sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Registered => "The Workplace Join key is there, and JamfAAD has obtained the Azure AD ID.",
            Self::PlistMissing => "The Workplace Join key is there, but JamfAAD has never run for this user.",
            Self::AadIdNotAcquired => "The Workplace Join key is there, but JamfAAD did not obtain the Azure AD ID.",
            Self::NotRegistered => "There is no Workplace Join key: never registered, or the key was lost.",
        }
    }
}

/// Why the state cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undetermined<'a> {
    /// The file, if it is one.
    pub path: Option<&'a Path>,
    /// What is wrong with it.
    pub cause: &'a Cause,
}

/// The answer, with the evidence that it rests on; every kind of output is drawn from this.
#[derive(Debug, Clone)]
pub struct Assessment<'a> {
    /// The state, or why there is none.
    pub state: Result<RegistrationState, Undetermined<'a>>,
    /// What else is worth telling, the most severe first.
    pub findings: Vec<Finding>,
    /// What was found.
    pub evidence: &'a Evidence,
}

/// Judges the evidence. `now` only decides whether a certificate is valid, which does not change the state.
#[must_use]
pub fn assess(evidence: &Evidence, now: Timestamp) -> Assessment<'_> {
    Assessment { state: registration_state(evidence), findings: finding::all(evidence, now), evidence }
}

/// Where the Workplace Join key is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// The user's login keychain.
    LoginKeychain,
    /// The Mac's Secure Enclave.
    SecureEnclave,
}

impl Storage {
    /// The word that the JSON output uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LoginKeychain => "login-keychain",
            Self::SecureEnclave => "secure-enclave",
        }
    }

    /// The words that people and extension attributes get.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LoginKeychain => "Login Keychain",
            Self::SecureEnclave => "Secure Enclave",
        }
    }

    /// Where the evidence shows the key, if anywhere.
    #[must_use]
    pub fn shown_by(evidence: &Evidence) -> Option<Self> {
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
pub struct WorkplaceJoin<'a> {
    /// Where the key is kept.
    pub storage: Storage,
    /// The device's id in Microsoft Entra.
    pub device_id: Option<&'a str>,
    /// The tenant's id in Microsoft Entra.
    pub tenant_id: Option<&'a str>,
    /// The user principal name; in the login keychain it is only looked for in detail.
    pub user_principal_name: Option<&'a str>,
    /// What the certificate says; `None` if it cannot be parsed, or is not shown.
    pub certificate: Option<&'a Description>,
}

impl<'a> WorkplaceJoin<'a> {
    /// What the evidence shows, if it shows the key.
    #[must_use]
    pub fn shown_by(evidence: &'a Evidence) -> Option<Self> {
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

fn registration_state(evidence: &Evidence) -> Result<RegistrationState, Undetermined<'_>> {
    if let Some(Obstacle { path, cause }) = &evidence.obstacle {
        return Err(Undetermined { path: path.as_deref(), cause });
    }
    if Storage::shown_by(evidence).is_some() {
        return with_workplace_join_key(evidence);
    }
    let keychain = &evidence.login_keychain;
    let in_keychain = |cause| Err(Undetermined { path: keychain.path.as_deref(), cause });
    match &keychain.probe {
        Probe::Found(found) => match &found.unknown_issuer {
            Some(cause) => in_keychain(cause),
            None => without_key_in_keychain(evidence),
        },
        Probe::Absent => without_key_in_keychain(evidence),
        Probe::Unreadable(cause) => in_keychain(cause),
        Probe::NotAsked => in_keychain(&Cause::NotRead),
    }
}

/// The key may still be in the Secure Enclave, if a source that was asked does not tell, or none could be asked.
fn without_key_in_keychain(evidence: &Evidence) -> Result<RegistrationState, Undetermined<'_>> {
    let Evidence { platform_sso, sso_extension, unasked_sso, .. } = evidence;
    // Jamf's tool knows of Platform SSO, too, so that what it says settles the matter.
    match (&sso_extension.probe, &platform_sso.probe) {
        (Probe::Found(_), _) => Ok(RegistrationState::NotRegistered),
        (Probe::Unreadable(cause), _) => Err(Undetermined { path: sso_extension.path.as_deref(), cause }),
        (_, Probe::Unreadable(cause)) => Err(Undetermined { path: platform_sso.path.as_deref(), cause }),
        _ => match unasked_sso {
            Some(path) => Err(Undetermined { path: Some(path), cause: &Cause::NoSession }),
            None => Ok(RegistrationState::NotRegistered),
        },
    }
}

fn with_workplace_join_key(evidence: &Evidence) -> Result<RegistrationState, Undetermined<'_>> {
    let plist = &evidence.jamf_aad;
    let undetermined = |cause| Err(Undetermined { path: plist.path.as_deref(), cause });
    match &plist.probe {
        Probe::Found(JamfAad::Parsed { have_an_azure_id: HaveAnAzureId::True, .. }) => {
            Ok(RegistrationState::Registered)
        }
        Probe::Found(JamfAad::Parsed { .. } | JamfAad::Unparsable(_)) => Ok(RegistrationState::AadIdNotAcquired),
        Probe::Absent => Ok(RegistrationState::PlistMissing),
        Probe::Unreadable(cause) => undetermined(cause),
        Probe::NotAsked => undetermined(&Cause::NotRead),
    }
}
