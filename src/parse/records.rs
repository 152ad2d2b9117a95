//! What a keychain reader finds, as far as two readers can be compared.

use std::collections::BTreeSet;

use crate::parse::keychain::{Error, Keychain, ReadAt};

/// What a reader finds in a keychain, as far as the two can be compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records {
    /// The certificates in DER.
    pub certificates: BTreeSet<Vec<u8>>,
    /// The labels of the private keys.
    pub key_labels: BTreeSet<Vec<u8>>,
}

impl Records {
    /// What this crate's own reader finds.
    ///
    /// # Errors
    /// If it cannot read the keychain.
    pub fn read<R: ReadAt>(source: R) -> Result<Self, Error> {
        let keychain = Keychain::open(source)?;
        let mut records = Self::default();
        keychain.certificates(|certificate| {
            records.certificates.insert(certificate.der().to_vec());
        })?;
        keychain.private_keys(|key| records.key_labels.extend(key.labels().map(<[u8]>::to_vec)))?;
        Ok(records)
    }
}
