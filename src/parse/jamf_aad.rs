//! The plist in which JamfAAD notes how far it got: `com.jamf.management.jamfAAD.plist`, XML or binary.
//!
//! Two keys matter: `have_an_Azure_id` tells whether Jamf's last `gatherAADInfo` obtained the user's Azure AD ID;
//! `last_aad_token_timestamp` is when, in seconds since 1970, 0 if never. Both are seen in several types.
//!
//! The file belongs to a user and is read as root. Only the values of these keys are kept; all others are passed over
//! within fixed limits, because a small file can stand for very many or very deep values.

use std::{fmt, time::Duration};

use serde::{
    Serialize,
    de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor},
};

use crate::parse::timestamp::Timestamp;

const HAVE_AN_AZURE_ID: &str = "have_an_Azure_id";
const LAST_TOKEN: &str = "last_aad_token_timestamp";

/// What limits a plist: no preference file comes near.
const MAX_DEPTH: usize = 64;
const MAX_VALUES: usize = 100_000;
const MAX_TEXT: usize = 64 * 1024 * 1024;

/// Characters of the reason why a plist cannot be parsed.
const MAX_REASON: usize = 100;

/// What the plist says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub enum JamfAad {
    /// It is a plist.
    Parsed {
        /// Whether the Azure AD ID was obtained.
        have_an_azure_id: HaveAnAzureId,
        /// When JamfAAD last obtained a token; `None` if never, or if that cannot be told.
        last_token: Option<Timestamp>,
    },
    /// It is none, or one beyond all limits; why.
    Unparsable(String),
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
    /// Something else; its type and, if it is short, its value.
    Unexpected(String),
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
        return JamfAad::Unparsable("the file is empty".to_owned());
    }
    if let Some(reason) = misread_by_crate(bytes) {
        return JamfAad::Unparsable(reason.to_owned());
    }
    match plist::from_bytes::<Wanted>(bytes) {
        Ok(wanted) => JamfAad::Parsed {
            have_an_azure_id: wanted.have_an_azure_id.map_or(HaveAnAzureId::Missing, HaveAnAzureId::from),
            last_token: wanted.last_token.and_then(Scalar::into_timestamp),
        },
        Err(error) => JamfAad::Unparsable(reason(&error)),
    }
}

/// What the plist crate would read, but not as macOS does: it takes text in CDATA sections for empty, and an XML file that
/// is cut short behind its last value for whole.
fn misread_by_crate(bytes: &[u8]) -> Option<&'static str> {
    let contains = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    if bytes.starts_with(b"bplist") {
        None
    } else if contains(b"<![CDATA[") {
        Some("it has a CDATA section")
    } else if contains(b"<plist") && !contains(b"</plist>") {
        Some("it is cut short: </plist> is missing")
    } else {
        None
    }
}

/// The plist crate's words, without the shell that it puts around those of this module, and no longer than a line: they
/// may quote the file.
fn reason(error: &plist::Error) -> String {
    let words = error.to_string();
    let inner = words.strip_prefix("Serde(\"").and_then(|words| words.strip_suffix("\")"));
    inner.unwrap_or(&words).chars().take(MAX_REASON).collect()
}

/// The values of the keys that matter.
#[derive(Default)]
struct Wanted {
    have_an_azure_id: Option<Scalar>,
    last_token: Option<Scalar>,
}

impl<'de> Deserialize<'de> for Wanted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Top)
    }
}

struct Top;

impl<'de> Visitor<'de> for Top {
    type Value = Wanted;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a dictionary")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Wanted, A::Error> {
        let mut wanted = Wanted::default();
        let mut allowance = Allowance { values: MAX_VALUES, text: MAX_TEXT };
        while let Some(key) = map.next_key::<String>()? {
            allowance.take(key.len())?;
            let value = map.next_value_seed(Value { allowance: &mut allowance, depth: MAX_DEPTH })?;
            let place = match key.as_str() {
                HAVE_AN_AZURE_ID => &mut wanted.have_an_azure_id,
                LAST_TOKEN => &mut wanted.last_token,
                _ => continue,
            };
            if place.replace(value).is_some() {
                return Err(de::Error::custom(format_args!("the key {key} stands there twice")));
            }
        }
        Ok(wanted)
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
            return Err(E::custom("more values or text than any preference file has"));
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
    Other(&'static str),
}

/// Longer strings are no value of either key.
const MAX_KEPT: usize = 64;

struct Value<'a> {
    allowance: &'a mut Allowance,
    depth: usize,
}

impl Value<'_> {
    fn inner<E: de::Error>(&mut self) -> Result<Value<'_>, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("nested deeper than any preference file"))?;
        Ok(Value { allowance: self.allowance, depth })
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
        Ok(if value.len() <= MAX_KEPT { Scalar::String(value.to_owned()) } else { Scalar::Other("a long string") })
    }

    fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<Scalar, E> {
        self.allowance.take(value.len())?;
        Ok(Scalar::Other("data"))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut sequence: A) -> Result<Scalar, A::Error> {
        self.allowance.take(0)?;
        while sequence.next_element_seed(self.inner()?)?.is_some() {}
        Ok(Scalar::Other("an array"))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Scalar, A::Error> {
        self.allowance.take(0)?;
        while map.next_key_seed(self.inner()?)?.is_some() {
            map.next_value_seed(self.inner()?)?;
        }
        Ok(Scalar::Other("a dictionary"))
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
            Scalar::Integer(number) => Self::Unexpected(format!("the number {number}")),
            Scalar::Real(number) => Self::Unexpected(format!("the number {number}")),
            // The plist crate gives a date as its text, too.
            Scalar::String(text) => Self::Unexpected(format!("the text {text:?}")),
            Scalar::Other(kind) => Self::Unexpected(kind.to_owned()),
        }
    }
}

impl Scalar {
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
