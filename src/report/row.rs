//! What a list of users tells about each.

use serde::{Deserialize, Serialize};

use super::{attribute::key_storage, json, reason::reason};
use crate::{
    assess::{Assessment, key::WorkplaceJoin},
    cli::Output,
};

/// A user's row; workers give it to their supervisor as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The short name, or else the home.
    name: Option<String>,
    /// The account's number.
    pub uid: Option<u32>,
    /// The state; `None` if it cannot be told.
    pub state: Option<String>,
    /// Where the key is, if that is known.
    pub storage: Option<String>,
    /// The device's id in Microsoft Entra.
    pub device_id: Option<String>,
    /// Why the state cannot be told, if it cannot.
    pub reason: Option<String>,
    /// The JSON object, if JSON is asked for.
    pub json: Option<String>,
}

impl Row {
    /// What is told about one user.
    ///
    /// # Errors
    /// None in practice: there is nothing that JSON cannot express.
    pub fn of(assessment: &Assessment<'_>, output: Output) -> serde_json::Result<Self> {
        let user = &assessment.evidence.user;
        let home = || user.home.as_ref().map(|home| home.to_string_lossy().into_owned());
        let device_id = WorkplaceJoin::shown_by(assessment.evidence).and_then(|found| found.device_id);
        Ok(Self {
            name: user.name.clone().or_else(home),
            uid: user.uid,
            state: assessment.state.as_ref().ok().map(|state| state.as_str().to_owned()),
            storage: key_storage(assessment).map(str::to_owned),
            device_id: device_id.map(str::to_owned),
            reason: assessment.state.as_ref().err().map(reason),
            json: if output == Output::Json { Some(json::object(assessment)?) } else { None },
        })
    }

    /// The name that stands for the user: the short name, or else the home, or else the number.
    #[must_use]
    pub fn label(&self) -> Option<String> {
        self.name.clone().or_else(|| self.number())
    }

    /// The number, as it stands for a user.
    #[must_use]
    pub fn number(&self) -> Option<String> {
        self.uid.map(|uid| format!("#{uid}"))
    }
}
