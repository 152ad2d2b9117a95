//! Reads property lists, XML or binary, within fixed limits, because a small file can expand to a very large value.

use std::fmt;

use plist::{Dictionary, Value};
use serde::{
    Deserialize, Serialize,
    de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor},
};
use thiserror::Error;

/// The deepest nesting that is read; preference files are nested less.
const MAX_DEPTH: usize = 64;
/// The most values that are read, because each one takes memory; preference files have fewer.
const MAX_VALUES: usize = 20_000;

/// The most text and data that is read, in bytes. In the binary format, many values can refer to the same long text.
const MAX_TEXT: usize = 1024 * 1024;

/// Why a property list cannot be read. The message does not quote the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum Problem {
    #[error("the file is empty")]
    Empty,
    #[error("not a property list, or a damaged one")]
    NotAPlist,
    #[error("CDATA sections are not supported")]
    CdataSection,
    #[error("cut short: </plist> is missing")]
    CutShort,
    #[error("{0} instead of a dictionary")]
    NotADictionary(Kind),
    #[error("a key occurs twice")]
    KeyTwice,
    #[error("nested too deeply for a preference file")]
    TooDeep,
    #[error("too many values or too much text for a preference file")]
    TooMuch,
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum Kind {
    #[error("a boolean")]
    Boolean,
    #[error("a number")]
    Number,
    /// A string or a date: the plist crate returns both as text.
    #[error("a string")]
    Text,
    #[error("data")]
    Data,
    #[error("an array")]
    Array,
    #[error("a dictionary")]
    Dictionary,
}

impl Kind {
    pub(super) const fn of(value: &Value) -> Self {
        match value {
            Value::Array(_) => Self::Array,
            Value::Dictionary(_) => Self::Dictionary,
            Value::Boolean(_) => Self::Boolean,
            Value::Data(_) => Self::Data,
            Value::Real(_) | Value::Integer(_) => Self::Number,
            _ => Self::Text,
        }
    }
}

/// Reads a property list whose outermost value is a dictionary. Dates become text.
pub fn dictionary(bytes: &[u8]) -> Result<Dictionary, Problem> {
    if bytes.is_empty() {
        return Err(Problem::Empty);
    }
    if let Some(problem) = misread_by_crate(bytes) {
        return Err(problem);
    }
    match plist::from_bytes(bytes) {
        Ok(Outermost(Value::Dictionary(entries))) => Ok(entries),
        Ok(Outermost(other)) => Err(Problem::NotADictionary(Kind::of(&other))),
        Err(error) => {
            // This module's own errors come back as text. The crate's messages are dropped: they may quote the file.
            let words = error.to_string();
            let known = [Problem::KeyTwice, Problem::TooDeep, Problem::TooMuch];
            Err(known.into_iter().find(|known| words.contains(&known.to_string())).unwrap_or(Problem::NotAPlist))
        }
    }
}

/// A problem that the plist crate does not notice: it reads text in CDATA sections as empty, and accepts an XML file
/// that is cut short after its last value.
fn misread_by_crate(bytes: &[u8]) -> Option<Problem> {
    let contains = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    if bytes.starts_with(b"bplist") {
        None
    } else if contains(b"<![CDATA[") {
        Some(Problem::CdataSection)
    } else {
        (contains(b"<plist") && !contains(b"</plist>")).then_some(Problem::CutShort)
    }
}

struct Outermost(Value);

impl<'de> Deserialize<'de> for Outermost {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut budget = Budget { values: MAX_VALUES, text: MAX_TEXT };
        Limited { budget: &mut budget, depth: MAX_DEPTH + 1 }.deserialize(deserializer).map(Self)
    }
}

/// How many values and how much text may follow.
struct Budget {
    values: usize,
    text: usize,
}

impl Budget {
    fn take_text<E: de::Error>(&mut self, length: usize) -> Result<(), E> {
        self.text = self.text.checked_sub(length).ok_or_else(|| E::custom(Problem::TooMuch))?;
        Ok(())
    }
}

/// Deserialises a value within the limits.
struct Limited<'a> {
    budget: &'a mut Budget,
    depth: usize,
}

impl Limited<'_> {
    fn inner<E: de::Error>(&mut self) -> Result<Limited<'_>, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom(Problem::TooDeep))?;
        self.budget.values = self.budget.values.checked_sub(1).ok_or_else(|| E::custom(Problem::TooMuch))?;
        Ok(Limited { budget: self.budget, depth })
    }
}

impl<'de> DeserializeSeed<'de> for Limited<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Limited<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        self.budget.take_text(value.len())?;
        Ok(value.into())
    }

    fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<Value, E> {
        self.budget.take_text(value.len())?;
        Ok(Value::Data(value.to_vec()))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element_seed(self.inner()?)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Dictionary::new();
        while let Some(key) = map.next_key::<String>()? {
            self.budget.take_text(key.len())?;
            if entries.insert(key, map.next_value_seed(self.inner()?)?).is_some() {
                return Err(de::Error::custom(Problem::KeyTwice));
            }
        }
        Ok(Value::Dictionary(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xml(content: &str) -> Vec<u8> {
        format!("<plist version=\"1.0\">{content}</plist>").into_bytes()
    }

    #[test]
    fn all_types_of_values_are_read_from_both_formats() {
        let bytes = xml(
            "<dict><key>a</key><array><true/><integer>-5</integer><real>1.5</real><string>x</string><data>AAE=</data>\
             </array><key>b</key><dict/><key>c</key><date>2024-02-29T12:34:56Z</date></dict>",
        );
        let mut expected = Dictionary::new();
        let values = [true.into(), (-5).into(), 1.5.into(), "x".into(), Value::Data(vec![0, 1])];
        expected.insert("a".to_owned(), Value::Array(values.into()));
        expected.insert("b".to_owned(), Dictionary::new().into());
        expected.insert("c".to_owned(), "2024-02-29T12:34:56Z".into());
        assert_eq!(dictionary(&bytes), Ok(expected.clone()));
        let mut binary = Vec::new();
        plist::from_bytes::<Value>(&bytes).unwrap().to_writer_binary(&mut binary).unwrap();
        assert_eq!(dictionary(&binary), Ok(expected));
    }

    #[test]
    fn another_value_than_a_dictionary_and_a_file_that_is_not_a_property_list_have_different_reasons() {
        assert_eq!(dictionary(b""), Err(Problem::Empty));
        assert_eq!(dictionary(b"no property list"), Err(Problem::NotAPlist));
        assert_eq!(dictionary(&xml("<array/>")), Err(Problem::NotADictionary(Kind::Array)));
    }

    #[test]
    fn a_very_deep_property_list_is_refused_and_does_not_exhaust_the_stack() {
        let nested = |depth: usize| {
            xml(&format!("<dict><key>a</key>{}</dict>", "<array>".repeat(depth) + &"</array>".repeat(depth)))
        };
        assert!(dictionary(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(dictionary(&nested(MAX_DEPTH + 1)), Err(Problem::TooDeep));
        assert_eq!(dictionary(&nested(100_000)), Err(Problem::TooDeep));
    }

    /// A binary property list with an array in a dictionary; each value of the array is the same text.
    fn with_one_text(length: u16, times: u16) -> Vec<u8> {
        let mut bytes = b"bplist00".to_vec();
        let mut offsets = Vec::new();
        let mut add = |object: &[&[u8]]| {
            offsets.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
            bytes.extend(object.concat());
        };
        add(&[&[0xD1, 0, 1, 0, 2]]);
        add(&[&[0x51, b'a']]);
        add(&[&[0xAF, 0x11], &times.to_be_bytes(), &[0, 3].repeat(times.into())]);
        add(&[&[0x5F, 0x11], &length.to_be_bytes(), &vec![b'x'; length.into()]]);
        let table = u64::try_from(bytes.len()).unwrap();
        bytes.extend(offsets);
        bytes.extend([0, 0, 0, 0, 0, 0, 4, 2]);
        bytes.extend([4, 0, table].map(u64::to_be_bytes).concat());
        bytes
    }

    #[test]
    fn a_small_property_list_that_expands_to_much_text_is_refused() {
        let few = dictionary(&with_one_text(60_000, 10)).unwrap();
        assert_eq!(few["a"].as_array().unwrap().len(), 10);
        assert_eq!(dictionary(&with_one_text(60_000, 60_000)), Err(Problem::TooMuch));
    }

    #[test]
    fn a_property_list_with_very_many_values_is_refused() {
        let many = |count: usize| xml(&format!("<dict><key>a</key><array>{}</array></dict>", "<true/>".repeat(count)));
        assert!(dictionary(&many(MAX_VALUES - 10)).is_ok());
        assert_eq!(dictionary(&many(MAX_VALUES)), Err(Problem::TooMuch));
    }

    /// Each array of a binary plist can refer to the next one twice, which doubles the values at each level.
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
        assert_eq!(dictionary(&bytes), Err(Problem::TooMuch));
    }
}
