//! Recognises the name of the Workplace Join issuer.

use super::der::{OBJECT_IDENTIFIER, SEQUENCE, SET, element, expect};

/// The common name of the issuer of Workplace Join certificates; upper and lower case do not matter.
pub const WORKPLACE_JOIN_ISSUER: &str = "MS-Organization-Access";

/// The content of `id-at-commonName`, 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

const UTF8_STRING: u8 = 0x0C;
const PRINTABLE_STRING: u8 = 0x13;
const TELETEX_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const UNIVERSAL_STRING: u8 = 0x1C;
const BMP_STRING: u8 = 0x1E;

/// Whether a name, given as the content of its SEQUENCE, contains the common name of the Workplace Join issuer, in any
/// attribute of any RDN, and in any type of string. `None` if the name is not well-formed.
pub(super) fn is_workplace_join(mut rdns: &[u8]) -> Option<bool> {
    let mut found = false;
    while !rdns.is_empty() {
        let (mut attributes, rest) = expect(SET, rdns)?;
        rdns = rest;
        while !attributes.is_empty() {
            let (attribute, rest) = expect(SEQUENCE, attributes)?;
            attributes = rest;
            let (kind, value) = expect(OBJECT_IDENTIFIER, attribute)?;
            let (tag, text, _) = element(value)?;
            found |= kind == COMMON_NAME && width(tag).is_some_and(|width| is_issuer(text, width));
        }
    }
    Some(found)
}

/// The number of bytes in a character, if this is the tag of a string.
const fn width(tag: u8) -> Option<usize> {
    match tag {
        UTF8_STRING | PRINTABLE_STRING | TELETEX_STRING | IA5_STRING => Some(1),
        BMP_STRING => Some(2),
        UNIVERSAL_STRING => Some(4),
        _ => None,
    }
}

/// Whether the name of the Workplace Join issuer occurs anywhere in `bytes`, in any character width of ASN.1 strings.
pub fn mentions_workplace_join(bytes: &[u8]) -> bool {
    let starts_at = |last_byte: usize, width: usize| {
        let start = (last_byte + 1).checked_sub(width)?;
        bytes.get(start..start + width * WORKPLACE_JOIN_ISSUER.len())
    };
    let first_letters = bytes.iter().enumerate().filter(|(_, byte)| byte.eq_ignore_ascii_case(&b'M'));
    let found =
        |place| [1, 2, 4].into_iter().any(|width| starts_at(place, width).is_some_and(|it| is_issuer(it, width)));
    first_letters.map(|(place, _)| place).any(found)
}

/// Compares big-endian characters of `width` bytes with the issuer's name.
fn is_issuer(text: &[u8], width: usize) -> bool {
    let expected = WORKPLACE_JOIN_ISSUER.as_bytes();
    text.len() == width * expected.len()
        && text.chunks_exact(width).zip(expected).all(|(character, expected)| {
            character.split_last().is_some_and(|(last, leading)| {
                last.eq_ignore_ascii_case(expected) && leading.iter().all(|&byte| byte == 0)
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The RDNs of a name with one common name of the given type.
    fn rdns(tag: u8, text: &[u8]) -> Vec<u8> {
        let wrap = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
        let attribute = [wrap(OBJECT_IDENTIFIER, COMMON_NAME), wrap(tag, text)].concat();
        wrap(SET, &wrap(SEQUENCE, &attribute))
    }

    /// Text in characters of this many bytes.
    fn wide(text: &str, width: usize) -> Vec<u8> {
        text.bytes().flat_map(|byte| [0, 0, 0, byte].into_iter().skip(4 - width)).collect()
    }

    #[test]
    fn a_common_name_counts_in_any_type_of_string_and_in_no_other_type() {
        for (tag, width) in [(0x0C, 1), (0x13, 1), (0x14, 1), (0x16, 1), (0x1C, 4), (0x1E, 2)] {
            assert_eq!(is_workplace_join(&rdns(tag, &wide("MS-ORGANIZATION-ACCESS", width))), Some(true), "{tag}");
            assert_eq!(is_workplace_join(&rdns(tag, &wide("Contoso", width))), Some(false), "{tag}");
        }
        for tag in [0x02, 0x03, 0x04, 0x12, 0x15, 0x19, 0x1A, 0x1B, 0x30, 0x80] {
            assert_eq!(is_workplace_join(&rdns(tag, b"MS-Organization-Access")), Some(false), "{tag}");
        }
    }

    #[test]
    fn a_name_that_is_cut_anywhere_or_goes_on_is_not_well_formed() {
        let rdns = rdns(0x13, b"MS-Organization-Access");
        for length in 1..rdns.len() {
            assert_eq!(is_workplace_join(&rdns[..length]), None, "{length}");
        }
        assert_eq!(is_workplace_join(&[&rdns[..], &[0]].concat()), None);
        assert_eq!(is_workplace_join(b""), Some(false));
    }

    #[test]
    fn the_issuer_is_found_in_characters_of_one_two_and_four_bytes() {
        for width in [1, 2, 4] {
            assert!(is_issuer(&wide("ms-ORGANIZATION-access", width), width));
            assert!(!is_issuer(&wide("MS-Organization-P2P-Access", width), width));
            assert!(!is_issuer(&wide("MS-Organization-Acces", width), width));
            for (before, after) in [("", ""), ("...", ""), ("mM", "s"), ("\0", "\0")] {
                let text = |name: &str| [before.as_bytes(), &wide(name, width), after.as_bytes()].concat();
                assert!(mentions_workplace_join(&text("MS-ORGANIZATION-ACCESS")), "{width} {before:?}");
                assert!(!mentions_workplace_join(&text("MS-ORGANIZATION-P2P-ACCESS")), "{width} {before:?}");
            }
        }
        assert!(!mentions_workplace_join(b""));
    }
}
