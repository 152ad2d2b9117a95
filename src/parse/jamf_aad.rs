//! The plist in which JamfAAD notes how far it got: `com.jamf.management.jamfAAD.plist`, XML or binary.
//!
//! Two keys matter: `have_an_Azure_id` shows whether Jamf's last `gatherAADInfo` obtained the user's Azure AD ID;
//! `last_aad_token_timestamp` is when, in seconds since 1970, 0 if never. Both are seen in several types.
//!
//! The file belongs to a user, so only the values of these keys are kept, and no reason quotes the file. All other
//! values are passed over within fixed limits, because a small file can stand for very many or very deep values.

use std::{fmt, time::Duration};

use serde::{
    Serialize,
    de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor},
};
use thiserror::Error;

use crate::parse::timestamp::Timestamp;

const HAVE_AN_AZURE_ID: &str = "have_an_Azure_id";
const LAST_TOKEN: &str = "last_aad_token_timestamp";

/// What limits a plist: no preference file comes near. The text is in bytes; in the binary format, many values can be
/// the same long one.
const MAX_DEPTH: usize = 64;
const MAX_VALUES: usize = 100_000;
const MAX_TEXT: usize = 4 * 1024 * 1024;

/// What the plist says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub enum JamfAad {
    /// It is a plist.
    Parsed {
        /// Whether the Azure AD ID was obtained.
        have_an_azure_id: HaveAnAzureId,
        /// When JamfAAD last obtained a token; `None` if never, or if that cannot be determined.
        last_token: Option<Timestamp>,
    },
    /// It is not a plist, or one beyond all limits; why.
    Unparsable(Problem),
}

/// Why a plist cannot be parsed. It quotes nothing of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error, Serialize, serde::Deserialize)]
pub enum Problem {
    /// There are no bytes.
    #[error("the file is empty")]
    Empty,
    /// It is neither XML nor binary, or damaged.
    #[error("it is not a property list, or damaged")]
    NotAPlist,
    /// The plist crate takes text in CDATA sections for empty.
    #[error("it has a CDATA section")]
    CdataSection,
    /// The plist crate takes an XML file that is cut short behind its last value for whole.
    #[error("it is cut short: </plist> is missing")]
    CutShort,
    /// The outermost value has another type.
    #[error("it has {0} where a dictionary belongs")]
    NotADictionary(Kind),
    /// A key that matters occurs twice.
    #[error("one of the keys {HAVE_AN_AZURE_ID} and {LAST_TOKEN} occurs twice")]
    KeyTwice,
    /// It is nested too deep.
    #[error("it is nested deeper than any preference file")]
    TooDeep,
    /// There are too many values, or too much text.
    #[error("it has more values or text than any preference file")]
    TooMuch,
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error, Serialize, serde::Deserialize)]
pub enum Kind {
    /// A boolean.
    #[error("a boolean")]
    Boolean,
    /// An integer or a real.
    #[error("a number")]
    Number,
    /// A string or a date: the plist crate gives both as text.
    #[error("a text")]
    Text,
    /// Bytes.
    #[error("data")]
    Data,
    /// An array.
    #[error("an array")]
    Array,
    /// A dictionary.
    #[error("a dictionary")]
    Dictionary,
}

/// The value of `have_an_Azure_id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub enum HaveAnAzureId {
    /// Boolean true, the number 1, or `1`, `true` or `yes` in any case.
    True,
    /// Boolean false, the number 0, or `0`, `false` or `no` in any case.
    False,
    /// There is no such key.
    Missing,
    /// Something else; its type.
    Unexpected(Kind),
}

impl HaveAnAzureId {
    /// The answer, if it is one.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::True => Some(true),
            Self::False => Some(false),
            Self::Missing | Self::Unexpected(_) => None,
        }
    }
}

/// Reads the plist's bytes.
#[must_use]
pub fn parse(bytes: &[u8]) -> JamfAad {
    if bytes.is_empty() {
        return JamfAad::Unparsable(Problem::Empty);
    }
    if let Some(problem) = misread_by_crate(bytes) {
        return JamfAad::Unparsable(problem);
    }
    match plist::from_bytes(bytes).unwrap_or_else(|error| Outcome(Err(problem(&error)))) {
        Outcome(Ok(wanted)) => JamfAad::Parsed {
            have_an_azure_id: wanted.have_an_azure_id.map_or(HaveAnAzureId::Missing, HaveAnAzureId::from),
            last_token: wanted.last_token.and_then(Scalar::into_timestamp),
        },
        Outcome(Err(problem)) => JamfAad::Unparsable(problem),
    }
}

/// What this module finds wrong reaches it as words in the plist crate's error. That crate's own words are not kept,
/// because they may quote the file.
fn problem(error: &plist::Error) -> Problem {
    let words = error.to_string();
    let known = [Problem::KeyTwice, Problem::TooDeep, Problem::TooMuch];
    known.into_iter().find(|problem| words.contains(&problem.to_string())).unwrap_or(Problem::NotAPlist)
}

/// What the plist crate would read, but not as macOS does.
fn misread_by_crate(bytes: &[u8]) -> Option<Problem> {
    let contains = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    if bytes.starts_with(b"bplist") {
        None
    } else if contains(b"<![CDATA[") {
        Some(Problem::CdataSection)
    } else if contains(b"<plist") && !contains(b"</plist>") {
        Some(Problem::CutShort)
    } else {
        None
    }
}

/// The values of the keys that matter.
#[derive(Default)]
struct Wanted {
    have_an_azure_id: Option<Scalar>,
    last_token: Option<Scalar>,
}

/// What came of reading the outermost value.
struct Outcome(Result<Wanted, Problem>);

impl<'de> Deserialize<'de> for Outcome {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut wanted = Wanted::default();
        let mut allowance = Allowance { values: MAX_VALUES, text: MAX_TEXT };
        let top = Value { wanted: Some(&mut wanted), allowance: &mut allowance, depth: MAX_DEPTH + 1 };
        Ok(Self(match top.deserialize(deserializer)?.kind() {
            Kind::Dictionary => Ok(wanted),
            other => Err(Problem::NotADictionary(other)),
        }))
    }
}

/// What the rest of the plist may still take.
struct Allowance {
    values: usize,
    text: usize,
}

impl Allowance {
    fn take<E: de::Error>(&mut self, text: usize) -> Result<(), E> {
        let (Some(values), Some(text)) = (self.values.checked_sub(1), self.text.checked_sub(text)) else {
            return Err(E::custom(Problem::TooMuch));
        };
        *self = Self { values, text };
        Ok(())
    }
}

/// One value: kept if it is a scalar, else passed over and only named.
enum Scalar {
    Boolean(bool),
    Integer(i128),
    Real(f64),
    String(String),
    Other(Kind),
}

/// Longer strings are no value of either key.
const MAX_KEPT: usize = 64;

struct Value<'a> {
    /// Where to put the values that matter, if this is the outermost value.
    wanted: Option<&'a mut Wanted>,
    allowance: &'a mut Allowance,
    depth: usize,
}

impl Value<'_> {
    fn inner<E: de::Error>(&mut self) -> Result<Value<'_>, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom(Problem::TooDeep))?;
        Ok(Value { wanted: None, allowance: self.allowance, depth })
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Scalar;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Scalar, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Scalar, E> {
        self.allowance.take(0)?;
        Ok(Scalar::Boolean(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Scalar, E> {
        self.allowance.take(0)?;
        Ok(Scalar::Integer(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Scalar, E> {
        self.allowance.take(0)?;
        Ok(Scalar::Integer(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Scalar, E> {
        self.allowance.take(0)?;
        Ok(Scalar::Real(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Scalar, E> {
        self.allowance.take(value.len())?;
        Ok(if value.len() <= MAX_KEPT { Scalar::String(value.to_owned()) } else { Scalar::Other(Kind::Text) })
    }

    fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<Scalar, E> {
        self.allowance.take(value.len())?;
        Ok(Scalar::Other(Kind::Data))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut sequence: A) -> Result<Scalar, A::Error> {
        self.allowance.take(0)?;
        while sequence.next_element_seed(self.inner()?)?.is_some() {}
        Ok(Scalar::Other(Kind::Array))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Scalar, A::Error> {
        self.allowance.take(0)?;
        while let Some(key) = map.next_key_seed(self.inner()?)? {
            let value = map.next_value_seed(self.inner()?)?;
            let place = match (&mut self.wanted, key) {
                (Some(wanted), Scalar::String(key)) if key == HAVE_AN_AZURE_ID => &mut wanted.have_an_azure_id,
                (Some(wanted), Scalar::String(key)) if key == LAST_TOKEN => &mut wanted.last_token,
                _ => continue,
            };
            if place.replace(value).is_some() {
                return Err(de::Error::custom(Problem::KeyTwice));
            }
        }
        Ok(Scalar::Other(Kind::Dictionary))
    }
}

impl From<Scalar> for HaveAnAzureId {
    fn from(value: Scalar) -> Self {
        let is_any_of = |text: &str, words: [&str; 3]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
        match value {
            Scalar::Boolean(true) | Scalar::Integer(1) | Scalar::Real(1.0) => Self::True,
            Scalar::Boolean(false) | Scalar::Integer(0) | Scalar::Real(0.0) => Self::False,
            Scalar::String(text) if is_any_of(&text, ["1", "true", "yes"]) => Self::True,
            Scalar::String(text) if is_any_of(&text, ["0", "false", "no"]) => Self::False,
            other => Self::Unexpected(other.kind()),
        }
    }
}

impl Scalar {
    const fn kind(&self) -> Kind {
        match self {
            Self::Boolean(_) => Kind::Boolean,
            Self::Integer(_) | Self::Real(_) => Kind::Number,
            Self::String(_) => Kind::Text,
            Self::Other(kind) => *kind,
        }
    }

    /// The time, if this is a number of seconds since 1970, and not 0, which stands for never.
    fn into_timestamp(self) -> Option<Timestamp> {
        let seconds = match self {
            Self::Integer(seconds) => u64::try_from(seconds).ok().map(Duration::from_secs),
            Self::Real(seconds) => Duration::try_from_secs_f64(seconds).ok(),
            Self::String(text) => text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            Self::Boolean(_) | Self::Other(_) => None,
        };
        seconds.filter(|seconds| !seconds.is_zero()).and_then(Timestamp::from_unix)
    }
}

#[cfg(test)]
mod tests;
