//! The decision: from evidence to one of four states, or to the reason why there is none. No files, no clock.

mod finding;

use std::path::Path;

pub use finding::{Code, Finding, Severity};

use crate::{
    cause::{Cause, Obstacle},
    evidence::{Evidence, Probe},
    jamf_aad::{HaveAnAzureId, JamfAad},
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

fn registration_state(evidence: &Evidence) -> Result<RegistrationState, Undetermined<'_>> {
    if let Some(Obstacle { path, cause }) = &evidence.obstacle {
        return Err(Undetermined { path: path.as_deref(), cause });
    }
    let keychain = &evidence.login_keychain;
    let undetermined = |cause| Err(Undetermined { path: keychain.path.as_deref(), cause });
    match &keychain.probe {
        Probe::Found(found) if found.workplace_join_identity().is_some() => with_workplace_join_key(evidence),
        Probe::Found(found) => match &found.unknown_issuer {
            Some(cause) => undetermined(cause),
            None => Ok(RegistrationState::NotRegistered),
        },
        Probe::Absent => Ok(RegistrationState::NotRegistered),
        Probe::Unreadable(cause) => undetermined(cause),
        Probe::NotAsked => undetermined(&Cause::NotRead),
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
