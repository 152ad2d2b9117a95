//! Derives the state, the findings and the remedy from the evidence and the time, without reading files or the clock.

pub mod finding;
pub(crate) mod findings;
pub mod key;
mod matrix;
pub mod memory;
pub(crate) mod reason;
pub mod remedy;
pub mod state;

use crate::{
    assess::{
        finding::Finding,
        matrix::remedy,
        remedy::Remedy,
        state::{RegistrationState, registration_state},
    },
    evidence::{Evidence, Obstacle},
    parse::timestamp::Timestamp,
};

/// The answer with the evidence for it. Every kind of output is made from this.
#[derive(Debug, Clone)]
pub struct Assessment<'a> {
    pub state: Result<RegistrationState, Obstacle>,
    /// Other observations, the most severe first.
    pub findings: Vec<Finding>,
    /// What to do for this user.
    pub remedy: Remedy,
    /// Whether the commands show that there is no key outside the login keychain.
    pub(crate) has_no_key_outside: bool,
    pub(crate) now: Timestamp,
    pub(crate) evidence: &'a Evidence,
}

/// Assesses the evidence. `now` decides only whether a certificate is valid, which does not change the state.
pub fn assess(evidence: &Evidence, now: Timestamp) -> Assessment<'_> {
    let state = registration_state(evidence);
    let findings = findings::all(evidence, state.as_ref().ok().copied(), now);
    let remedy = remedy(state.as_ref().copied(), &findings, evidence);
    let has_no_key_outside = state::has_no_key_outside(evidence);
    Assessment { state, findings, remedy, has_no_key_outside, now, evidence }
}
