//! Evidence and time to a state and findings: no files, no clock.

pub mod finding;
pub(crate) mod findings;
pub mod key;
pub(crate) mod reason;
pub mod state;

use crate::{
    assess::{
        finding::Finding,
        state::{RegistrationState, registration_state},
    },
    evidence::{Evidence, Obstacle},
    parse::timestamp::Timestamp,
};

/// The answer, with the evidence that it rests on; every kind of output is drawn from this.
#[derive(Debug, Clone)]
pub struct Assessment<'a> {
    pub state: Result<RegistrationState, Obstacle>,
    /// What else was found, the most severe first.
    pub findings: Vec<Finding>,
    pub(crate) evidence: &'a Evidence,
}

/// Assesses the evidence. `now` only decides whether a certificate is valid, which does not change the state.
pub fn assess(evidence: &Evidence, now: Timestamp) -> Assessment<'_> {
    Assessment { state: registration_state(evidence), findings: findings::all(evidence, now), evidence }
}
