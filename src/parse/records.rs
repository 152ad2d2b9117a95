//! What a keychain reader finds, as far as two readers can be compared.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

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

/// Numbers of records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Certificates.
    pub certificates: usize,
    /// Private keys, by their labels.
    pub private_keys: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificates ({}) and private keys ({})", self.certificates, self.private_keys)
    }
}

/// How what two readers found differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// What this tool's reader found.
    pub ours: Counts,
    /// What only this tool's reader found.
    pub only_ours: Counts,
    /// What only the other reader found.
    pub only_theirs: Counts,
}

/// Compares what this tool's reader found with what another did.
#[must_use]
pub fn compare(ours: &Records, theirs: &Records) -> Comparison {
    let only = |one: &Records, other: &Records| Counts {
        certificates: one.certificates.difference(&other.certificates).count(),
        private_keys: one.key_labels.difference(&other.key_labels).count(),
    };
    Comparison { ours: only(ours, &Records::default()), only_ours: only(ours, theirs), only_theirs: only(theirs, ours) }
}
