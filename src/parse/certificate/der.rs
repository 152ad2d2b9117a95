//! The part of DER that is needed to find a certificate's issuer. Lengths need not be in their shortest form, because
//! those in Microsoft's certificates are not.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// Tag and content of the first element, and what follows it.
pub(super) fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, length, rest) = header(bytes)?;
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// The content of the first element, which has this tag, and what follows it.
pub(super) fn expect(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(bytes)?;
    (found == tag).then_some((content, rest))
}

/// The content of an element that has this tag and fills `bytes`.
pub(super) fn whole(tag: u8, bytes: &[u8]) -> Option<&[u8]> {
    let (content, rest) = expect(tag, bytes)?;
    rest.is_empty().then_some(content)
}

/// The content of the first element, which has this tag, or as much of the content as there is.
pub(super) fn beginning(tag: u8, bytes: &[u8]) -> Option<&[u8]> {
    let (found, length, rest) = header(bytes)?;
    (found == tag).then(|| rest.get(..length).unwrap_or(rest))
}

/// Tag and length of the first element, and the bytes after them.
fn header(bytes: &[u8]) -> Option<(u8, usize, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    match first {
        0..0x80 => Some((tag, usize::from(first), rest)),
        // The indefinite length, and lengths that are impossible for a certificate in a keychain.
        0x80 | 0x85.. => None,
        count => {
            let (length, rest) = rest.split_at_checked(usize::from(count & 0x7F))?;
            Some((tag, length.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)), rest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_that_does_not_fill_the_bytes_is_refused() {
        assert_eq!(whole(4, &[4, 0x82, 0, 2, 7, 8]), Some(&[7, 8][..]));
        for bytes in [&[][..], &[4], &[5, 1, 7], &[4, 2, 7], &[4, 1, 7, 8], &[4, 0x80, 7], &[4, 0x82, 0, 2, 7]] {
            assert_eq!(whole(4, bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn the_beginning_of_an_element_is_its_content_as_far_as_it_is_present() {
        assert_eq!(beginning(4, &[4, 2, 7, 8, 9]), Some(&[7, 8][..]));
        assert_eq!(beginning(4, &[4, 0x82, 0xFF, 0xFF, 7]), Some(&[7][..]));
        assert_eq!(beginning(4, &[4, 1]), Some(&[][..]));
        for bytes in [&[][..], &[4], &[5, 1, 7], &[4, 0x80, 7], &[4, 0x82, 0]] {
            assert_eq!(beginning(4, bytes), None, "{bytes:?}");
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
