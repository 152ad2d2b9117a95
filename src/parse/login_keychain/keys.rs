//! Matches the private keys of a keychain to certificates.

use std::collections::BTreeSet;

use crate::parse::{
    keychain::{Certificate, PrivateKey},
    label::{Digest, digest},
};

/// The names that Microsoft's library gives the key: print name and application tag.
const KEY_NAMES: [&[u8]; 2] = [b"Microsoft Workplace Join Key", b"com.microsoft.workplacejoin.privatekey"];

#[derive(Default)]
pub(super) struct Keys {
    pub(super) count: usize,
    labels: BTreeSet<Digest>,
    /// The labels of each key that has the name of the Workplace Join key.
    named_for_workplace_join: Vec<Vec<Digest>>,
    /// The public key hashes of the Workplace Join certificates, and of certificates with an unknown issuer.
    workplace_join_hashes: BTreeSet<Digest>,
}

impl Keys {
    pub(super) fn add(&mut self, key: &PrivateKey<'_>) {
        self.count += 1;
        let labels: Vec<Digest> = key.labels().filter_map(digest).collect();
        self.labels.extend(&labels);
        if key.names().any(is_workplace_join_key_name) {
            self.named_for_workplace_join.push(labels);
        }
    }

    pub(super) fn belong_to(&self, certificate: &Certificate<'_>) -> bool {
        certificate.public_key_hashes().filter_map(digest).any(|hash| self.labels.contains(&hash))
    }

    pub(super) fn add_workplace_join_certificate(&mut self, certificate: &Certificate<'_>) {
        self.workplace_join_hashes.extend(certificate.public_key_hashes().filter_map(digest));
    }

    /// How many keys have the name of the Workplace Join key, but no Workplace Join certificate.
    pub(super) fn without_certificate(&self) -> usize {
        let has_certificate = |label| self.workplace_join_hashes.contains(label);
        self.named_for_workplace_join.iter().filter(|labels| !labels.iter().any(has_certificate)).count()
    }
}

fn is_workplace_join_key_name(name: &[u8]) -> bool {
    KEY_NAMES.contains(&name.strip_suffix(b"\0").unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workplace_join_key_is_recognised_by_either_of_its_names() {
        for name in ["Microsoft Workplace Join Key", "com.microsoft.workplacejoin.privatekey"] {
            assert!(is_workplace_join_key_name(name.as_bytes()));
            assert!(is_workplace_join_key_name(format!("{name}\0").as_bytes()));
            assert!(!is_workplace_join_key_name(format!("{name}\0\0").as_bytes()));
        }
        assert!(!is_workplace_join_key_name(b"com.microsoft.workplacejoin.stk.privatekey\0"));
    }
}
