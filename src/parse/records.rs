//! Compares the certificates and private keys that two readers find in a keychain.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use crate::parse::{
    certificate,
    keychain::{Error, Keychain, ReadAt},
    label::{self, Digest},
};

/// How many bytes of certificates are parsed. Certificates beyond that count as unparsable; real keychains have fewer.
const MAX_PARSED: usize = 4 * 1024 * 1024;

/// The certificates and keys that a reader finds, as digests, because the certificates may not fit in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records {
    certificates: BTreeSet<Digest>,
    /// The certificates that cannot be parsed, or were not. Another reader may skip them.
    unparsable: BTreeSet<Digest>,
    key_labels: BTreeSet<Digest>,
    /// The number of keys for which the reader returns no label.
    unlabelled_keys: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub certificates: usize,
    /// Private keys, by their labels.
    pub private_keys: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificates ({}) and private keys ({})", self.certificates, self.private_keys)
    }
}

/// The differences between what two readers found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    pub(crate) ours: Counts,
    /// What only this tool's reader found, without certificates that the other reader may skip.
    pub only_ours: Counts,
    pub only_theirs: Counts,
}

impl Records {
    /// Reads a keychain with this tool's own reader.
    /// Fails if the keychain cannot be read.
    pub fn read<R: ReadAt>(source: R) -> Result<Self, Error> {
        let keychain = Keychain::open(source)?;
        let mut records = Self::default();
        let mut parsed = 0;
        keychain.certificates(|certificate| {
            let der = certificate.der();
            let digest = records.add_certificate(der);
            parsed += der.len();
            if parsed > MAX_PARSED || !certificate::is_parsable(der) {
                records.unparsable.insert(digest);
            }
        })?;
        keychain.private_keys(|key| key.labels().for_each(|label| records.add_key(Some(label))))?;
        Ok(records)
    }

    /// Adds a certificate in DER, and returns its digest.
    pub(super) fn add_certificate(&mut self, der: &[u8]) -> Digest {
        let digest = sha1_smol::Sha1::from(der).digest().bytes();
        self.certificates.insert(digest);
        digest
    }

    /// Adds a private key by its label; `None` if the reader returns no label.
    pub(super) fn add_key(&mut self, label: Option<&[u8]>) {
        match label {
            Some(label) => self.key_labels.extend(label::digest(label)),
            None => self.unlabelled_keys += 1,
        }
    }

    /// Whether there is a private key with this label.
    pub(super) fn has_key(&self, label: &[u8]) -> bool {
        label::digest(label).is_some_and(|label| self.key_labels.contains(&label))
    }

    /// The records that the other reader lacks. Certificates that cannot be parsed do not count, and neither do as many
    /// labels as the other reader has keys without a label.
    fn missing_in(&self, other: &Self) -> Counts {
        let certificates = self.certificates.difference(&other.certificates);
        let labels = self.key_labels.difference(&other.key_labels).count();
        Counts {
            certificates: certificates.filter(|certificate| !self.unparsable.contains(*certificate)).count(),
            private_keys: labels.saturating_sub(other.unlabelled_keys),
        }
    }
}

/// Compares what this tool's reader and another one found.
pub fn compare(ours: &Records, theirs: &Records) -> Comparison {
    Comparison {
        ours: Counts { certificates: ours.certificates.len(), private_keys: ours.key_labels.len() },
        only_ours: ours.missing_in(theirs),
        only_theirs: theirs.missing_in(ours),
    }
}

#[cfg(test)]
mod tests {
    use fixture_generator::{Certificate, Keychain};

    use super::*;

    fn records(certificates: &[&[u8]], labels: &[Option<&[u8]>]) -> Records {
        let mut records = Records::default();
        for der in certificates {
            records.add_certificate(der);
        }
        labels.iter().for_each(|label| records.add_key(*label));
        records
    }

    const fn counts(certificates: usize, private_keys: usize) -> Counts {
        Counts { certificates, private_keys }
    }

    /// The records that only one of the two readers finds, ours first.
    fn difference(ours: &Records, theirs: &Records) -> [Counts; 2] {
        let Comparison { only_ours, only_theirs, .. } = compare(ours, theirs);
        [only_ours, only_theirs]
    }

    #[test]
    fn readers_agree_if_they_find_the_same() {
        let (joined, own) = (Certificate::workplace_join().der(), Certificate::contoso().der());
        let ours = records(&[&joined], &[Some(b"1"), Some(b"2")]);
        assert_eq!(difference(&ours, &ours), [counts(0, 0); 2]);
        assert_eq!(difference(&ours, &records(&[&own], &[Some(b"3")])), [counts(1, 2), counts(1, 1)]);
        assert_eq!(compare(&ours, &records(&[], &[])).ours, counts(1, 2));
    }

    #[test]
    fn an_unparsable_certificate_that_the_other_reader_skips_is_not_a_difference() {
        let joined = Certificate::workplace_join();
        let (der, cut) = (joined.der(), b"not a certificate");
        let keychain = Keychain::new().certificate(&joined).certificate_record(&joined, cut.to_vec());
        let ours = Records::read(keychain.to_bytes().as_slice()).unwrap();
        assert_eq!(difference(&ours, &records(&[&der], &[])), [counts(0, 0); 2]);
        assert_eq!(difference(&ours, &records(&[&der, cut], &[])), [counts(0, 0); 2]);
        assert_eq!(difference(&ours, &records(&[cut], &[])), [counts(1, 0), counts(0, 0)]);
        assert_eq!(difference(&ours, &records(&[&der, b"other"], &[])), [counts(0, 0), counts(1, 0)]);
    }

    #[test]
    fn missing_labels_are_a_difference_if_they_outnumber_the_keys_without_a_label() {
        let ours = records(&[], &[Some(b"1"), Some(b"2"), Some(b"3")]);
        let theirs = |labels: &[Option<&[u8]>]| difference(&ours, &records(&[], labels));
        assert_eq!(theirs(&[Some(b"1"), None, None]), [counts(0, 0); 2]);
        assert_eq!(theirs(&[Some(b"1"), None]), [counts(0, 1), counts(0, 0)]);
        assert_eq!(theirs(&[Some(b"4"), None, None, None]), [counts(0, 0), counts(0, 1)]);
    }

    #[test]
    fn this_reader_records_all_certificates_and_labels() {
        let (joined, own) = (Certificate::workplace_join(), Certificate::contoso());
        let labels = [joined.public_key_hash(), vec![7; 65], own.public_key_hash()];
        let keychain = Keychain::new().certificate(&joined).certificate(&own);
        let found = Records::read(keychain.private_key(["", ""], &labels).to_bytes().as_slice()).unwrap();
        let labels = [joined.public_key_hash(), own.public_key_hash()];
        let labels = labels.each_ref().map(|label| Some(label.as_slice()));
        assert_eq!(found, records(&[&joined.der(), &own.der()], &labels));
    }
}
