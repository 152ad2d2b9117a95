//! The plist in which JamfAAD notes how far it got: `com.jamf.management.jamfAAD.plist`, XML or binary.
//!
//! Two keys matter: `have_an_Azure_id` tells whether Jamf's last `gatherAADInfo` obtained the user's Azure AD ID;
//! `last_aad_token_timestamp` is when, in seconds since 1970, 0 if never. Both are seen in several types.
//!
//! The file belongs to a user and is read as root. Only the values of these keys are kept; all others are passed over
//! within fixed limits, because a small file can stand for very many or very deep values.

use std::{fmt, time::Duration};

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::timestamp::Timestamp;

const HAVE_AN_AZURE_ID: &str = "have_an_Azure_id";
const LAST_TOKEN: &str = "last_aad_token_timestamp";

/// What limits a plist: no preference file comes near.
const MAX_DEPTH: usize = 64;
const MAX_VALUES: usize = 100_000;
const MAX_TEXT: usize = 64 * 1024 * 1024;

/// Characters of the reason why a plist cannot be parsed.
const MAX_REASON: usize = 100;

/// What the plist says.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
mod tests {
    use super::*;

    fn xml(content: &str) -> String {
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><plist version=\"1.0\">{content}</plist>")
    }

    fn dictionary(entries: &str) -> JamfAad {
        parse(xml(&format!("<dict>{entries}</dict>")).as_bytes())
    }

    fn have_an_azure_id(value: &str) -> HaveAnAzureId {
        match dictionary(&format!("<key>have_an_Azure_id</key>{value}")) {
            JamfAad::Parsed { have_an_azure_id, .. } => have_an_azure_id,
            JamfAad::Unparsable(reason) => panic!("{reason}"),
        }
    }

    fn last_token(value: &str) -> Option<String> {
        match dictionary(&format!("<key>last_aad_token_timestamp</key>{value}")) {
            JamfAad::Parsed { last_token, .. } => last_token.map(|time| time.to_string()),
            JamfAad::Unparsable(reason) => panic!("{reason}"),
        }
    }

    #[test]
    fn true_may_be_a_boolean_a_number_or_a_word() {
        for value in [
            "<true/>",
            "<integer>1</integer>",
            "<real>1</real>",
            "<string>1</string>",
            "<string>TRUE</string>",
            "<string>Yes</string>",
        ] {
            assert_eq!(have_an_azure_id(value), HaveAnAzureId::True, "{value}");
        }
    }

    #[test]
    fn false_may_be_a_boolean_a_number_or_a_word() {
        for value in ["<false/>", "<integer>0</integer>", "<real>0.0</real>", "<string>No</string>"] {
            assert_eq!(have_an_azure_id(value), HaveAnAzureId::False, "{value}");
        }
    }

    #[test]
    fn every_other_value_is_unexpected_and_named() {
        for (value, name) in [
            ("<integer>2</integer>", "the number 2"),
            ("<integer>-1</integer>", "the number -1"),
            ("<real>1.5</real>", "the number 1.5"),
            ("<real>nan</real>", "the number NaN"),
            ("<string></string>", "the text \"\""),
            ("<string> true</string>", "the text \" true\""),
            ("<string>maybe\n</string>", "the text \"maybe\\n\""),
            ("<data>AQ==</data>", "data"),
            ("<date>2024-02-29T12:34:56Z</date>", "the text \"2024-02-29T12:34:56Z\""),
            ("<array><true/></array>", "an array"),
            ("<dict><key>have_an_Azure_id</key><true/></dict>", "a dictionary"),
        ] {
            assert_eq!(have_an_azure_id(value), HaveAnAzureId::Unexpected(name.to_owned()), "{value}");
        }
        let long = format!("<string>{}</string>", "x".repeat(65));
        assert_eq!(have_an_azure_id(&long), HaveAnAzureId::Unexpected("a long string".to_owned()));
    }

    #[test]
    fn a_key_that_is_not_there_is_missing_whatever_else_is() {
        let nested = dictionary("<key>other</key><dict><key>have_an_Azure_id</key><true/></dict>");
        let missing = JamfAad::Parsed { have_an_azure_id: HaveAnAzureId::Missing, last_token: None };
        assert_eq!(nested, missing);
        assert_eq!(dictionary(""), missing);
    }

    #[test]
    fn the_last_token_may_be_a_real_an_integer_or_a_string() {
        for value in ["<real>1709210096.75</real>", "<integer>1709210096</integer>", "<string>1709210096.2</string>"] {
            assert_eq!(last_token(value).unwrap(), "2024-02-29T12:34:56Z", "{value}");
        }
    }

    #[test]
    fn a_last_token_that_is_zero_or_no_time_is_none() {
        for value in [
            "<real>0</real>",
            "<integer>0</integer>",
            "<string>0</string>",
            "<integer>-5</integer>",
            "<real>nan</real>",
            "<real>1e300</real>",
            "<integer>18446744073709551615</integer>",
            "<string>yesterday</string>",
            "<true/>",
            "<array/>",
        ] {
            assert_eq!(last_token(value), None, "{value}");
        }
    }

    #[test]
    fn what_is_no_plist_says_why() {
        let reason = |bytes: &[u8]| match parse(bytes) {
            JamfAad::Unparsable(reason) => reason,
            parsed @ JamfAad::Parsed { .. } => panic!("{parsed:?}"),
        };
        assert_eq!(reason(b""), "the file is empty");
        assert_eq!(reason(xml("<array/>").as_bytes()), "invalid type: sequence, expected a dictionary");
        assert_eq!(reason(xml("<dict>").as_bytes()), "InvalidXmlSyntax (offset 73)");
        let cdata = xml("<dict><key>have_an_Azure_id</key><string><![CDATA[true]]></string></dict>");
        assert_eq!(reason(cdata.as_bytes()), "it has a CDATA section");
        let whole = xml("<dict><key>have_an_Azure_id</key><true/></dict>");
        let cut = whole.strip_suffix("</plist>").unwrap();
        assert_eq!(reason(cut.as_bytes()), "it is cut short: </plist> is missing");
        assert_eq!(reason(&[&b"bplist00"[..], &[0; 40]].concat()), "InvalidTrailerObjectOffsetSize (offset 16)");
        let twice = "<key>have_an_Azure_id</key><true/>".repeat(2);
        let doubled = xml(&format!("<dict>{twice}</dict>"));
        assert_eq!(reason(doubled.as_bytes()), "the key have_an_Azure_id stands there twice");
        let long = format!("<string>{}</string>", "x".repeat(1000));
        assert_eq!(reason(xml(&long).as_bytes()).len(), MAX_REASON);
    }

    #[test]
    fn a_plist_that_is_nested_too_deep_is_unparsable() {
        let nested = |depth| format!("<key>a</key>{}{}", "<array>".repeat(depth), "</array>".repeat(depth));
        assert!(matches!(dictionary(&nested(64)), JamfAad::Parsed { .. }));
        let too_deep = JamfAad::Unparsable("nested deeper than any preference file".to_owned());
        assert_eq!(dictionary(&nested(65)), too_deep);
        assert_eq!(dictionary(&nested(500_000)), too_deep);
    }

    #[test]
    fn a_plist_with_too_many_values_is_unparsable() {
        let many = |count| format!("<key>a</key><array>{}</array>", "<true/>".repeat(count));
        assert!(matches!(dictionary(&many(MAX_VALUES - 2)), JamfAad::Parsed { .. }));
        let too_many = JamfAad::Unparsable("more values or text than any preference file has".to_owned());
        assert_eq!(dictionary(&many(MAX_VALUES - 1)), too_many);
    }

    /// Each array of a binary plist can name the next one many times, so that 40 bytes a level double the values.
    #[test]
    fn a_binary_plist_that_multiplies_its_values_is_unparsable() {
        const LEVELS: u8 = 40;
        let mut objects: Vec<Vec<u8>> = vec![vec![0xD1, 1, 2], vec![0x51, b'a']];
        objects.extend((0..LEVELS).map(|level| vec![0xA2, 3 + level, 3 + level]));
        objects.push(vec![0x09]);
        let mut bytes = b"bplist00".to_vec();
        let mut offsets = Vec::new();
        for object in &objects {
            offsets.push(u8::try_from(bytes.len()).unwrap());
            bytes.extend(object);
        }
        let table = bytes.len() as u64;
        bytes.extend(&offsets);
        bytes.extend([0, 0, 0, 0, 0, 0, 1, 1]);
        for number in [objects.len() as u64, 0, table] {
            bytes.extend(number.to_be_bytes());
        }
        let too_many = JamfAad::Unparsable("more values or text than any preference file has".to_owned());
        assert_eq!(parse(&bytes), too_many);
    }
}
