//! Formats distinguished names according to RFC 4514.
//!
//! The X.509 crate can do that, too, but needs a database of all known object identifiers. That would be an eighth of
//! the program, and most of its relocations at start.

use std::fmt::Write;

use x509_cert::{
    attr::AttributeTypeAndValue,
    der::{Any, Encode, Tag, Tagged},
    name::Name,
};

/// The types of attributes that have a short name (RFC 4514, section 3); all others are written as numbers.
const NAMES: [(&str, &str); 9] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
];

/// Bytes in hexadecimal.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16);
    text.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xF)]).flatten());
    text
}

/// The text of a name, starting with its last part.
pub(super) fn text(name: &Name) -> String {
    let part = |attributes: Vec<String>| attributes.join("+");
    let mut parts: Vec<String> = name.iter_rdn().map(|rdn| part(rdn.iter().map(attribute).collect())).collect();
    parts.reverse();
    parts.join(",")
}

fn attribute(attribute: &AttributeTypeAndValue) -> String {
    let id = attribute.oid.to_string();
    let name = NAMES.iter().find(|(known, _)| *known == id).map(|&(_, name)| name);
    match (name, string(&attribute.value)) {
        (Some(name), Some(value)) => format!("{name}={}", escaped(&value)),
        _ => {
            let value = hexadecimal(&attribute.value.to_der().unwrap_or_default());
            format!("{}=#{value}", name.unwrap_or(&id))
        }
    }
}

/// The text of a value, if its type is a string type.
pub(super) fn string(value: &Any) -> Option<String> {
    let bytes = value.value();
    match value.tag() {
        Tag::Utf8String => str::from_utf8(bytes).ok().map(str::to_owned),
        Tag::PrintableString | Tag::Ia5String | Tag::TeletexString => {
            str::from_utf8(bytes).ok().filter(|text| text.is_ascii()).map(str::to_owned)
        }
        Tag::BmpString => {
            let (characters, rest) = bytes.as_chunks();
            let characters = characters.iter().map(|character| u16::from_be_bytes(*character));
            char::decode_utf16(characters).collect::<Result<_, _>>().ok().filter(|_| rest.is_empty())
        }
        _ => None,
    }
}

fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (place, character) in value.chars().enumerate() {
        match character {
            // Writing to a string does not fail.
            '\0'..='\x1F' | '\x7F' => drop(write!(text, "\\{:02x}", u32::from(character))),
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => text.extend(['\\', character]),
            '#' if place == 0 => text.push_str("\\#"),
            ' ' if place == 0 || place == last => text.push_str("\\ "),
            _ => text.push(character),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use x509_cert::der::Decode;

    use super::*;

    #[test]
    fn names_are_written_with_the_last_part_first() {
        let name = "CN=Adele Vance,OU=Mail,O=Contoso,L=Redmond,ST=WA,C=US,DC=contoso,DC=com";
        assert_eq!(text(&Name::from_str(name).unwrap()), name);
        // Within one part, the attributes are in the order of the bytes.
        assert_eq!(text(&Name::from_str("OU=Mail+CN=Adele,DC=com").unwrap()), "OU=Mail+CN=Adele,DC=com");
        assert_eq!(text(&Name::default()), "");
    }

    #[test]
    fn special_characters_are_escaped() {
        assert_eq!(escaped("a,b+c\"d\\e<f>g;h"), "a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h");
        assert_eq!(escaped(" a b "), "\\ a b\\ ");
        assert_eq!(escaped("#1 #2"), "\\#1 #2");
        assert_eq!(escaped("a\0\n\x7F"), "a\\00\\0a\\7f");
        assert_eq!(escaped(" "), "\\ ");
        assert_eq!(escaped("Jürgen=ok"), "Jürgen=ok");
        assert_eq!(escaped(""), "");
    }

    #[test]
    fn unknown_attributes_and_values_that_are_not_strings_are_written_as_numbers() {
        let attribute_of = |id: &str, tag: u8, value: &[u8]| {
            let value = [&[tag, u8::try_from(value.len()).unwrap()], value].concat();
            attribute(&AttributeTypeAndValue { oid: id.parse().unwrap(), value: Any::from_der(&value).unwrap() })
        };
        for (id, name) in NAMES {
            assert_eq!(attribute_of(id, 0x14, b"Contoso"), format!("{name}=Contoso"));
        }
        assert_eq!(attribute_of("2.5.4.46", 0x13, b"1"), "2.5.4.46=#130131");
        assert_eq!(attribute_of("2.5.4.3", 0x1E, &[0, 0x41, 0x20, 0xAC]), "CN=A\u{20AC}");
        for (tag, value) in [(0x1E, &[0][..]), (0x1E, &[0xD8, 0]), (0x14, &[0xE9]), (0x0C, &[0xE9]), (0x02, &[5])] {
            let octets: String = value.iter().map(|octet| format!("{octet:02x}")).collect();
            assert_eq!(attribute_of("2.5.4.3", tag, value), format!("CN=#{tag:02x}{:02x}{octets}", value.len()));
        }
        assert_eq!(attribute_of("2.5.4.3", 0x0C, &[0xC3, 0xA9]), "CN=é");
    }
}
