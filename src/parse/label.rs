//! The labels of private keys and the public key hashes of certificates, by which a key and its certificate are paired.

/// Labels have 20 bytes. Longer ones than this belong to nothing, and are not even hashed.
const MAX_LENGTH: usize = 64;

/// SHA-1 of a label, which need not have 20 bytes itself.
pub(super) type Digest = [u8; 20];

/// The digest of a label that can pair a key with its certificate: an empty one belongs to no certificate, not to one
/// whose hash is empty, too.
pub(super) fn digest(label: &[u8]) -> Option<Digest> {
    (1..=MAX_LENGTH).contains(&label.len()).then(|| sha1_smol::Sha1::from(label).digest().bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_that_is_empty_or_longer_than_64_bytes_pairs_nothing() {
        assert_eq!([0, 65, 1 << 20].map(|length| digest(&vec![7; length])), [None; 3]);
        assert!(digest(&[7]).is_some() && digest(&[7; 64]).is_some());
    }
}
