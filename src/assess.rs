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
    pub(crate) evidence: &'a Evidence,
}

impl Assessment<'_> {
    /// The code of the most severe finding, if it is an error or a warning.
    pub(crate) fn gravest(&self) -> Option<finding::Code> {
        let first = self.findings.first()?;
        (first.code.severity() != finding::Severity::Info).then_some(first.code)
    }
}

/// Assesses the evidence. `now` decides only whether a certificate is valid, which does not change the state.
pub fn assess(evidence: &Evidence, now: Timestamp) -> Assessment<'_> {
    let state = registration_state(evidence);
    let findings = findings::all(evidence, state.as_ref().ok().copied(), now);
    let remedy = remedy(state.as_ref().copied(), &findings, evidence);
    Assessment { state, findings, remedy, evidence }
}
