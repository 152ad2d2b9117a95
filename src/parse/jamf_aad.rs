//! Reads JamfAAD's plist, `com.jamf.management.jamfAAD.plist`, in XML or binary format.
//!
//! Two keys are used. `have_an_Azure_id` shows whether Jamf's last `gatherAADInfo` obtained the user's Azure AD ID.
//! `last_aad_token_timestamp` is the time of the last token in seconds since 1970, or 0. Both occur in several types.
//!
//! No error quotes the file, because its content belongs to a user.

use std::time::Duration;

use plist::Value;
use serde::{Deserialize, Serialize};

use crate::parse::{
    property_list::{self, Kind, Problem},
    timestamp::Timestamp,
};

const HAVE_AN_AZURE_ID: &str = "have_an_Azure_id";
const LAST_TOKEN: &str = "last_aad_token_timestamp";

/// The contents of the plist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum JamfAad {
    Parsed {
        /// Whether the Azure AD ID was obtained.
        have_an_azure_id: HaveAnAzureId,
        last_token: LastToken,
    },
    /// The file is not a plist, or exceeds a limit; contains the problem.
    Unparsable(Problem),
}

/// When JamfAAD last obtained a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LastToken {
    /// There is no time, or it is 0.
    Never,
    At(Timestamp),
    /// The value is not a time.
    Unexpected,
}

impl LastToken {
    pub(crate) const fn time(self) -> Option<Timestamp> {
        match self {
            Self::At(time) => Some(time),
            Self::Never | Self::Unexpected => None,
        }
    }
}

/// The value of `have_an_Azure_id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HaveAnAzureId {
    /// Boolean true, the number 1, or `1`, `true` or `yes` in any case.
    True,
    /// Boolean false, the number 0, or `0`, `false` or `no` in any case.
    False,
    Missing,
    /// Another value; contains its type.
    Unexpected(Kind),
}

impl HaveAnAzureId {
    /// The value, if it is true or false.
    pub(crate) const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::True => Some(true),
            Self::False => Some(false),
            Self::Missing | Self::Unexpected(_) => None,
        }
    }
}

pub fn parse(bytes: &[u8]) -> JamfAad {
    property_list::dictionary(bytes).map_or_else(JamfAad::Unparsable, |entries| JamfAad::Parsed {
        have_an_azure_id: entries.get(HAVE_AN_AZURE_ID).map_or(HaveAnAzureId::Missing, HaveAnAzureId::from),
        last_token: entries.get(LAST_TOKEN).map_or(LastToken::Never, LastToken::from),
    })
}

impl From<&Value> for HaveAnAzureId {
    fn from(value: &Value) -> Self {
        let is_any_of = |text: &str, words: [&str; 3]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
        match (value, value.as_signed_integer()) {
            (Value::Boolean(true) | Value::Real(1.0), _) | (_, Some(1)) => Self::True,
            (Value::Boolean(false) | Value::Real(0.0), _) | (_, Some(0)) => Self::False,
            (Value::String(text), _) if is_any_of(text, ["1", "true", "yes"]) => Self::True,
            (Value::String(text), _) if is_any_of(text, ["0", "false", "no"]) => Self::False,
            _ => Self::Unexpected(Kind::of(value)),
        }
    }
}

/// Reads a number of seconds since 1970, where 0 means never.
impl From<&Value> for LastToken {
    fn from(value: &Value) -> Self {
        let seconds = match value {
            Value::Integer(seconds) => seconds.as_unsigned().map(Duration::from_secs),
            Value::Real(seconds) => Duration::try_from_secs_f64(*seconds).ok(),
            Value::String(text) => text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            _ => None,
        };
        match seconds {
            Some(Duration::ZERO) => Self::Never,
            seconds => seconds.and_then(Timestamp::from_unix).map_or(Self::Unexpected, Self::At),
        }
    }
}

#[cfg(test)]
mod tests;
