//! What a keychain says about Workplace Join.
//!
//! A Workplace Join key is present if a private key's label equals the public key hash of a certificate that
//! `MS-Organization-Access` issued. macOS and Microsoft's own library pair them by just this. A certificate without its
//! key cannot sign in, and neither can a key without its certificate.

use std::collections::BTreeSet;

use crate::parse::{
    certificate::{self, Description, Issuer},
    keychain::{Certificate, Error, GenericPassword, Keychain, PrivateKey, ReadAt},
    records::Records,
};
use serde::{Deserialize, Serialize};

/// How Microsoft's library names the key: print name and application tag.
const KEY_NAMES: [&[u8]; 2] = [b"Microsoft Workplace Join Key", b"com.microsoft.workplacejoin.privatekey"];

/// Account of the generic password whose service is the user principal name.
const USER_PRINCIPAL_NAME: &[u8] = b"com.microsoft.workplacejoin.registeredUserPrincipalName";

/// How much to read. The answer to whether a Workplace Join key is present is always the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What the state needs: certificates and private keys.
    State,
    /// All that is worth telling about; reads every table.
    Details,
}

/// What was found in a keychain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoginKeychain {
    /// Number of certificates.
    pub certificates: usize,
    /// Number of private keys.
    pub private_keys: usize,
    /// Number of certificates that have their private key.
    pub identities: usize,
    /// The Workplace Join certificates, in the order of the file; at [`Depth::State`] only those with a private key.
    pub workplace_join: Vec<WorkplaceJoinCertificate>,
    /// Offset of the first certificate record that has a private key and could be from any issuer.
    pub unknown_issuer: Option<u64>,
    /// At [`Depth::Details`] only.
    pub details: Option<Details>,
}

/// A Workplace Join certificate in a keychain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkplaceJoinCertificate {
    /// What it says; `None` if it cannot be parsed, so that only its issuer is known.
    pub description: Option<Description>,
    /// Whether its private key is there.
    pub has_private_key: bool,
}

/// What the state does not depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// Offsets of the certificate records whose certificate cannot be parsed.
    pub unparsable_certificates: Vec<u64>,
    /// Number of keys named like the Workplace Join key that have no Workplace Join certificate.
    pub keys_without_certificate: usize,
    /// The user principal name that was noted at registration; the newest if there are several.
    pub user_principal_name: Option<String>,
    /// Whether the name of the Workplace Join issuer occurs in a record that is no certificate.
    pub issuer_name_elsewhere: bool,
    /// Whether the tables that only the details need could be read.
    pub other_records: Result<(), Error>,
}

impl LoginKeychain {
    const fn with_private_keys(private_keys: usize) -> Self {
        Self {
            certificates: 0,
            private_keys,
            identities: 0,
            workplace_join: Vec::new(),
            unknown_issuer: None,
            details: None,
        }
    }

    /// The Workplace Join certificate that has its private key; of several the one whose validity starts last.
    #[must_use]
    pub fn workplace_join_identity(&self) -> Option<&WorkplaceJoinCertificate> {
        let start = |found: &&WorkplaceJoinCertificate| found.description.as_ref().map(|it| it.not_before);
        // The last of equal ones would win without `rev`; the first is as good and does not move when one is added.
        self.workplace_join.iter().rev().filter(|found| found.has_private_key).max_by_key(start)
    }
}

/// Reads what a keychain says.
///
/// # Errors
/// If this is no keychain, or if anything is damaged that the state depends on.
pub fn read<R: ReadAt>(source: R, depth: Depth) -> Result<LoginKeychain, Error> {
    read_open(&Keychain::open(source)?, depth)
}

/// How much of an open keychain [`read_open`] reads, in bytes.
pub fn needed<R: ReadAt>(keychain: &Keychain<R>, depth: Depth) -> u64 {
    match depth {
        Depth::State => keychain.size_of_keys_and_certificates(),
        Depth::Details => keychain.size(),
    }
}

/// As [`read`], of a keychain that has been opened.
///
/// # Errors
/// If anything is damaged that the state depends on.
pub fn read_open<R: ReadAt>(keychain: &Keychain<R>, depth: Depth) -> Result<LoginKeychain, Error> {
    let mut keys = Keys::default();
    keychain.private_keys(|key| keys.add(&key))?;
    let mut found = LoginKeychain::with_private_keys(keys.count);
    let mut unparsable = Vec::new();
    keychain.certificates(|record| {
        let has_private_key = keys.belong_to(&record);
        found.certificates += 1;
        found.identities += usize::from(has_private_key);
        if has_private_key || depth == Depth::Details {
            add_certificate(&record, has_private_key, &mut found, &mut unparsable, &mut keys);
        }
    })?;
    if depth == Depth::Details {
        found.details = Some(read_details(keychain, unparsable, &keys));
    }
    Ok(found)
}

/// Judges by the same rules what macOS' reader has found in a keychain that this crate cannot read.
///
/// Only that it finds a Workplace Join key counts: it passes over records and tables that it cannot read without a word,
/// so that what it does not find may be there.
///
/// # Errors
/// If it does not find one.
pub fn judge(records: &Records) -> Result<LoginKeychain, String> {
    let has_key = |hash: &Vec<u8>| !hash.is_empty() && records.key_labels.contains(hash);
    let mut found = LoginKeychain::with_private_keys(records.key_labels.len());
    for der in &records.certificates {
        let hash = certificate::public_key_hash(der);
        let has_private_key = hash.as_ref().is_some_and(has_key);
        found.certificates += 1;
        found.identities += usize::from(has_private_key);
        // One that cannot be parsed proves nothing, and takes nothing from what another one proves.
        if let (Issuer::WorkplaceJoin(description), true) = (certificate::issuer(der, None), hash.is_some()) {
            let description = description.map(|description| *description);
            found.workplace_join.push(WorkplaceJoinCertificate { description, has_private_key });
        }
    }
    if found.workplace_join_identity().is_none() {
        return Err("it finds no Workplace Join key, which proves nothing where a table is damaged".to_owned());
    }
    Ok(found)
}

fn add_certificate(
    record: &Certificate<'_>,
    has_private_key: bool,
    found: &mut LoginKeychain,
    unparsable: &mut Vec<u64>,
    keys: &mut Keys,
) {
    let issuer = certificate::issuer(record.der(), record.stored_issuer());
    if !matches!(issuer, Issuer::WorkplaceJoin(Some(_)) | Issuer::Another { parsable: true }) {
        unparsable.push(record.offset());
    }
    let description = match issuer {
        Issuer::WorkplaceJoin(description) => description.map(|description| *description),
        Issuer::Another { .. } => return,
        Issuer::Unknown => {
            if has_private_key {
                found.unknown_issuer.get_or_insert(record.offset());
            }
            // It may well be the certificate of the key that is named so.
            keys.add_workplace_join_certificate(record);
            return;
        }
    };
    keys.add_workplace_join_certificate(record);
    found.workplace_join.push(WorkplaceJoinCertificate { description, has_private_key });
}

fn read_details<R: ReadAt>(keychain: &Keychain<R>, unparsable_certificates: Vec<u64>, keys: &Keys) -> Details {
    let mut newest: Option<(Vec<u8>, String)> = None;
    let passwords = keychain.generic_passwords(|password| {
        if let Some(candidate) = user_principal_name(&password)
            && newest.as_ref().is_none_or(|newest| newest.0 < candidate.0)
        {
            newest = Some(candidate);
        }
    });
    if passwords.is_err() {
        // A newer name may stand behind the damage.
        newest = None;
    }
    let mut issuer_name_elsewhere = false;
    let other_records = passwords.and_then(|()| {
        keychain.values_outside_certificates(|values| {
            issuer_name_elsewhere |= certificate::mentions_workplace_join(values);
        })
    });
    Details {
        unparsable_certificates,
        keys_without_certificate: keys.without_certificate(),
        user_principal_name: newest.map(|(_, name)| name),
        issuer_name_elsewhere,
        other_records,
    }
}

/// When it was changed, and the user principal name, if the generic password notes one.
fn user_principal_name(password: &GenericPassword<'_>) -> Option<(Vec<u8>, String)> {
    password.account().filter(|&account| account == USER_PRINCIPAL_NAME)?;
    let name = str::from_utf8(password.service()?).ok().filter(|name| !name.is_empty())?;
    Some((password.modified().unwrap_or_default().to_vec(), name.to_owned()))
}

/// The private keys, as far as they matter.
#[derive(Default)]
struct Keys {
    count: usize,
    labels: BTreeSet<Digest>,
    /// The labels of each key that is named like the Workplace Join key.
    named_for_workplace_join: Vec<Vec<Digest>>,
    /// The public key hashes of the Workplace Join certificates, and of those that could be ones.
    workplace_join_hashes: BTreeSet<Digest>,
}

/// SHA-1 of a label or public key hash: these have 20 bytes, too, but a hostile file may hold much longer ones.
type Digest = [u8; 20];

fn digest(bytes: &[u8]) -> Digest {
    sha1_smol::Sha1::from(bytes).digest().bytes()
}

impl Keys {
    fn add(&mut self, key: &PrivateKey<'_>) {
        self.count += 1;
        // An empty label belongs to no certificate, not to one whose hash is empty, too.
        let labels = || key.labels().filter(|label| !label.is_empty()).map(digest);
        self.labels.extend(labels());
        if key.names().any(is_workplace_join_key_name) {
            self.named_for_workplace_join.push(labels().collect());
        }
    }

    fn belong_to(&self, certificate: &Certificate<'_>) -> bool {
        certificate.public_key_hashes().any(|hash| self.labels.contains(&digest(hash)))
    }

    fn add_workplace_join_certificate(&mut self, certificate: &Certificate<'_>) {
        self.workplace_join_hashes.extend(certificate.public_key_hashes().map(digest));
    }

    fn without_certificate(&self) -> usize {
        let has_certificate = |label| self.workplace_join_hashes.contains(label);
        self.named_for_workplace_join.iter().filter(|labels| !labels.iter().any(has_certificate)).count()
    }
}

fn is_workplace_join_key_name(name: &[u8]) -> bool {
    KEY_NAMES.contains(&name.strip_suffix(b"\0").unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use fixture_generator::Certificate;

    use super::*;

    fn records(certificates: &[&Certificate], keys: &[&Certificate]) -> Records {
        Records {
            certificates: certificates.iter().map(|certificate| certificate.der()).collect(),
            key_labels: keys.iter().map(|certificate| certificate.public_key_hash()).collect(),
        }
    }

    #[test]
    fn a_workplace_join_key_is_known_by_either_of_its_names() {
        for name in ["Microsoft Workplace Join Key", "com.microsoft.workplacejoin.privatekey"] {
            assert!(is_workplace_join_key_name(name.as_bytes()));
            assert!(is_workplace_join_key_name(format!("{name}\0").as_bytes()));
            assert!(!is_workplace_join_key_name(format!("{name}\0\0").as_bytes()));
        }
        assert!(!is_workplace_join_key_name(b"com.microsoft.workplacejoin.stk.privatekey\0"));
    }

    #[test]
    fn of_identities_whose_validity_starts_at_once_the_first_is_described() {
        let first = Certificate::workplace_join();
        let second = Certificate { key: 2, serial: vec![1], ..first.clone() };
        let mut keychain = fixture_generator::Keychain::new();
        for certificate in [&first, &second] {
            keychain = keychain.certificate(certificate).workplace_join_key(certificate);
        }
        let found = read(keychain.to_bytes().as_slice(), Depth::State).unwrap();
        let described = found.workplace_join_identity().unwrap().description.as_ref().unwrap();
        assert_eq!(described.fields.serial, "9c3f21550ae14b8d4077c2106e935a01");
    }

    #[test]
    fn another_reader_s_records_are_judged_by_the_same_rules() {
        let (joined, own) = (Certificate::workplace_join(), Certificate::contoso());
        let with_key = judge(&records(&[&joined, &own], &[&joined])).unwrap();
        assert_eq!((with_key.certificates, with_key.private_keys, with_key.identities), (2, 1, 1));
        let identity = with_key.workplace_join_identity().unwrap().description.as_ref().unwrap();
        assert_eq!(identity.device_id.as_deref(), Some(joined.subject));
    }

    #[test]
    fn that_another_reader_finds_no_key_proves_nothing() {
        let (joined, own) = (Certificate::workplace_join(), Certificate::contoso());
        let nothing = "it finds no Workplace Join key, which proves nothing where a table is damaged";
        for records in [records(&[], &[]), records(&[&own], &[&own]), records(&[&joined, &own], &[&own])] {
            assert_eq!(judge(&records).unwrap_err(), nothing);
        }
    }

    #[test]
    fn another_reader_s_certificate_that_cannot_be_parsed_neither_proves_a_key_nor_hides_one() {
        let own = Certificate::contoso();
        let joined =
            Certificate { issuer: fixture_generator::Issuer::WorkplaceJoinUniversal, ..Certificate::workplace_join() };
        for der in [joined.der(), b"MS-Organization-Access".to_vec()] {
            let mut records = records(&[&own], &[&own, &joined]);
            records.certificates.insert(der);
            assert!(judge(&records).is_err());
            records.certificates.insert(Certificate::workplace_join().der());
            assert!(judge(&records).unwrap().workplace_join_identity().is_some());
        }
    }
}
