//! Reads the system's own property lists, within fixed limits: a small file can stand for very deep values, and a
//! reader that follows them needs room for each level.

use std::fmt;

use plist::{Dictionary, Value};
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// No preference file is nested deeper, or has more values. Each value is kept.
const MAX_DEPTH: usize = 64;
const MAX_VALUES: usize = 20_000;

/// Nor has any that much text and data, in bytes: in the binary format, many values can be the same long text.
const MAX_TEXT: usize = 1024 * 1024;

/// Reads a property list, XML or binary, whose outermost value is a dictionary. Dates are given as text.
///
/// # Errors
/// If it is not a property list, or one beyond the limits, or if its outermost value is not a dictionary.
pub fn dictionary(bytes: &[u8]) -> Result<Dictionary, &'static str> {
    let Outermost(value) = plist::from_bytes(bytes).map_err(|_| "it is not a property list")?;
    value.into_dictionary().ok_or("it is not a dictionary")
}

struct Outermost(Value);

impl<'de> Deserialize<'de> for Outermost {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut left = Left { values: MAX_VALUES, text: MAX_TEXT };
        Limited { left: &mut left, depth: MAX_DEPTH }.deserialize(deserializer).map(Self)
    }
}

/// What may still come.
struct Left {
    values: usize,
    text: usize,
}

impl Left {
    fn take_text<E: de::Error>(&mut self, length: usize) -> Result<(), E> {
        self.text = self.text.checked_sub(length).ok_or_else(|| E::custom("too much text"))?;
        Ok(())
    }
}

/// A value, and what may still come.
struct Limited<'a> {
    left: &'a mut Left,
    depth: usize,
}

impl Limited<'_> {
    fn inner<E: de::Error>(&mut self) -> Result<Limited<'_>, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("too deep"))?;
        self.left.values = self.left.values.checked_sub(1).ok_or_else(|| E::custom("too many values"))?;
        Ok(Limited { left: self.left, depth })
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
        self.left.take_text(value.len())?;
        Ok(value.into())
    }

    fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<Value, E> {
        self.left.take_text(value.len())?;
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
            self.left.take_text(key.len())?;
            entries.insert(key, map.next_value_seed(self.inner()?)?);
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
    fn a_value_that_is_not_a_dictionary_has_another_reason_than_what_is_not_a_property_list() {
        assert_eq!(dictionary(b""), Err("it is not a property list"));
        assert_eq!(dictionary(b"no property list"), Err("it is not a property list"));
        assert_eq!(dictionary(&xml("<array/>")), Err("it is not a dictionary"));
    }

    #[test]
    fn a_property_list_that_is_very_deep_is_refused_and_does_not_exhaust_the_stack() {
        let nested = |depth: usize| {
            xml(&format!("<dict><key>a</key>{}</dict>", "<array>".repeat(depth) + &"</array>".repeat(depth)))
        };
        assert!(dictionary(&nested(MAX_DEPTH - 1)).is_ok());
        assert_eq!(dictionary(&nested(MAX_DEPTH)), Err("it is not a property list"));
        assert_eq!(dictionary(&nested(100_000)), Err("it is not a property list"));
    }

    /// In the binary format: an array in a dictionary, and each of its values the same text.
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
    fn a_small_property_list_that_stands_for_very_much_text_is_refused() {
        let few = dictionary(&with_one_text(60_000, 10)).unwrap();
        assert_eq!(few["a"].as_array().unwrap().len(), 10);
        assert_eq!(dictionary(&with_one_text(60_000, 60_000)), Err("it is not a property list"));
    }

    #[test]
    fn a_property_list_with_very_many_values_is_refused() {
        let many = |count: usize| xml(&format!("<dict><key>a</key><array>{}</array></dict>", "<true/>".repeat(count)));
        assert!(dictionary(&many(MAX_VALUES - 10)).is_ok());
        assert_eq!(dictionary(&many(MAX_VALUES)), Err("it is not a property list"));
    }
}
