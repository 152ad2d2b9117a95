//! The issuer's name where the X.509 crate refuses the certificate.
//!
//! It refuses what does not matter to the question who issued it: types of string that it has no name for
//! (UniversalString), years before 1970, serial numbers that are longer than they need be. So this finds its way to the
//! name and through it, and looks at nothing else; anything that is not well-formed on this way gives `None`.

use super::is_workplace_join_issuer;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OBJECT_IDENTIFIER: u8 = 0x06;
const VERSION: u8 = 0xA0;
const UNIVERSAL_STRING: u8 = 0x1C;
const BMP_STRING: u8 = 0x1E;

/// The content of `id-at-commonName`, 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// Whether the issuer of a certificate in DER is the Workplace Join issuer.
pub(super) fn issuer_is_workplace_join(certificate: &[u8]) -> Option<bool> {
    let (tbs, _) = expect(SEQUENCE, whole(SEQUENCE, certificate)?)?;
    let after_version = match element(tbs)? {
        (VERSION, _, rest) => rest,
        _ => tbs,
    };
    let (_, after_serial) = expect(INTEGER, after_version)?;
    let (_, after_algorithm) = expect(SEQUENCE, after_serial)?;
    let (issuer, _) = expect(SEQUENCE, after_algorithm)?;
    rdns_name_workplace_join(issuer)
}

/// Whether a name in DER has a common name that is the Workplace Join issuer's.
pub(super) fn is_workplace_join(name: &[u8]) -> Option<bool> {
    rdns_name_workplace_join(whole(SEQUENCE, name)?)
}

fn rdns_name_workplace_join(mut rdns: &[u8]) -> Option<bool> {
    let mut found = false;
    while !rdns.is_empty() {
        let (mut attributes, rest) = expect(SET, rdns)?;
        rdns = rest;
        while !attributes.is_empty() {
            let (attribute, rest) = expect(SEQUENCE, attributes)?;
            attributes = rest;
            let (kind, value) = expect(OBJECT_IDENTIFIER, attribute)?;
            let (tag, text, _) = element(value)?;
            let width = match tag {
                BMP_STRING => 2,
                UNIVERSAL_STRING => 4,
                _ => 1,
            };
            found |= kind == COMMON_NAME && is_workplace_join_issuer(text, width);
        }
    }
    Some(found)
}

/// The content of an element with this tag, and what follows it.
fn expect(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(bytes)?;
    (found == tag).then_some((content, rest))
}

/// The content of an element with this tag that fills `bytes`.
pub(super) fn whole(tag: u8, bytes: &[u8]) -> Option<&[u8]> {
    let (content, rest) = expect(tag, bytes)?;
    rest.is_empty().then_some(content)
}

/// Tag and content of the first element, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..0x80 => (usize::from(first), rest),
        // The indefinite length, and lengths that no certificate in a keychain can have.
        0x80 | 0x85.. => return None,
        count => {
            let (length, rest) = rest.split_at_checked(usize::from(count & 0x7F))?;
            (length.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)), rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name with one common name of the given type.
    fn name(tag: u8, text: &[u8]) -> Vec<u8> {
        let wrap = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
        let attribute = [wrap(OBJECT_IDENTIFIER, COMMON_NAME), wrap(tag, text)].concat();
        wrap(SEQUENCE, &wrap(SET, &wrap(SEQUENCE, &attribute)))
    }

    #[test]
    fn a_name_is_read_in_any_type_of_string() {
        for tag in [0x0C, 0x12, 0x13, 0x14, 0x15, 0x16, 0x19, 0x1A, 0x1B] {
            assert_eq!(is_workplace_join(&name(tag, b"MS-ORGANIZATION-ACCESS")), Some(true), "{tag}");
            assert_eq!(is_workplace_join(&name(tag, b"Contoso")), Some(false), "{tag}");
        }
        let wide = |width: usize| -> Vec<u8> {
            let bytes = b"MS-Organization-Access".iter();
            bytes.flat_map(|&byte| [0, 0, 0, byte].into_iter().skip(4 - width)).collect()
        };
        assert_eq!(is_workplace_join(&name(BMP_STRING, &wide(2))), Some(true));
        assert_eq!(is_workplace_join(&name(UNIVERSAL_STRING, &wide(4))), Some(true));
    }

    #[test]
    fn a_name_that_is_cut_anywhere_or_goes_on_is_none() {
        let name = name(0x13, b"MS-Organization-Access");
        for length in 0..name.len() {
            assert_eq!(is_workplace_join(&name[..length]), None, "{length}");
        }
        assert_eq!(is_workplace_join(&[&name[..], &[0]].concat()), None);
    }

    #[test]
    fn an_element_that_does_not_fill_its_place_is_none() {
        assert_eq!(whole(4, &[4, 0x82, 0, 2, 7, 8]), Some(&[7, 8][..]));
        for bytes in [&[][..], &[4], &[5, 1, 7], &[4, 2, 7], &[4, 1, 7, 8], &[4, 0x80, 7], &[4, 0x82, 0, 2, 7]] {
            assert_eq!(whole(4, bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn lengths_are_read_in_the_short_and_the_long_form() {
        assert_eq!(element(&[4, 1, 7, 8]), Some((4, &[7][..], &[8][..])));
        assert_eq!(element(&[4, 0x81, 1, 7]), Some((4, &[7][..], &[][..])));
        assert_eq!(element(&[4, 0x84, 0, 0, 0, 1, 7]), Some((4, &[7][..], &[][..])));
        assert_eq!(element(&[4, 0x80, 0, 0]), None);
        assert_eq!(element(&[4, 0x85, 0, 0, 0, 0, 1, 7]), None);
        assert_eq!(element(&[4, 0x84, 0xFF, 0xFF, 0xFF, 0xFF, 7]), None);
    }
}
