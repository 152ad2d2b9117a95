//! Reads the system's own property lists, within fixed limits: a small file can stand for very deep values, and a reader
//! that follows them needs room for each level.

use std::fmt;

use plist::{Dictionary, Value};
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// No preference file is nested deeper, or has more values.
const MAX_DEPTH: usize = 64;
const MAX_VALUES: usize = 100_000;

/// Reads a property list, XML or binary, whose outermost value is a dictionary. Dates are given as text.
///
/// # Errors
/// If it is none, or one beyond the limits; which.
pub fn dictionary(bytes: &[u8]) -> Result<Dictionary, &'static str> {
    let Outermost(value) = plist::from_bytes(bytes).map_err(|_| "it is no property list")?;
    value.into_dictionary().ok_or("it is no dictionary")
}

struct Outermost(Value);

impl<'de> Deserialize<'de> for Outermost {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut values = MAX_VALUES;
        Limited { values: &mut values, depth: MAX_DEPTH }.deserialize(deserializer).map(Self)
    }
}

/// A value, and what may still come.
struct Limited<'a> {
    values: &'a mut usize,
    depth: usize,
}

impl Limited<'_> {
    fn inner<E: de::Error>(&mut self) -> Result<Limited<'_>, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("too deep"))?;
        *self.values = self.values.checked_sub(1).ok_or_else(|| E::custom("too many values"))?;
        Ok(Limited { values: self.values, depth })
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

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Value, E> {
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
        while let Some(key) = map.next_key()? {
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
    fn what_is_no_dictionary_is_told_from_what_is_no_property_list() {
        assert_eq!(dictionary(b""), Err("it is no property list"));
        assert_eq!(dictionary(b"no property list"), Err("it is no property list"));
        assert_eq!(dictionary(&xml("<array/>")), Err("it is no dictionary"));
    }

    #[test]
    fn a_property_list_that_is_very_deep_is_refused_and_does_not_exhaust_the_stack() {
        let nested = |depth: usize| {
            xml(&format!("<dict><key>a</key>{}</dict>", "<array>".repeat(depth) + &"</array>".repeat(depth)))
        };
        assert!(dictionary(&nested(MAX_DEPTH - 1)).is_ok());
        assert_eq!(dictionary(&nested(MAX_DEPTH)), Err("it is no property list"));
        assert_eq!(dictionary(&nested(100_000)), Err("it is no property list"));
    }

    #[test]
    fn a_property_list_with_very_many_values_is_refused() {
        let many = |count: usize| xml(&format!("<dict><key>a</key><array>{}</array></dict>", "<true/>".repeat(count)));
        assert!(dictionary(&many(MAX_VALUES - 10)).is_ok());
        assert_eq!(dictionary(&many(MAX_VALUES)), Err("it is no property list"));
    }
}
