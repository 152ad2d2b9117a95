//! The labels of private keys and the public key hashes of certificates, which match a key to its certificate.

/// The longest label in bytes that is hashed; real ones have 20. Longer labels match nothing.
const MAX_LENGTH: usize = 64;

/// SHA-1 of a label, because labels can have any length.
pub(super) type Digest = [u8; 20];

/// The digest of a label, if it can match a key to its certificate. An empty label matches nothing, not even an empty
/// hash.
pub(super) fn digest(label: &[u8]) -> Option<Digest> {
    (1..=MAX_LENGTH).contains(&label.len()).then(|| sha1_smol::Sha1::from(label).digest().bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_that_is_empty_or_longer_than_64_bytes_matches_nothing() {
        assert_eq!([0, 65, 1 << 20].map(|length| digest(&vec![7; length])), [None; 3]);
        assert!(digest(&[7]).is_some() && digest(&[7; 64]).is_some());
    }
}
