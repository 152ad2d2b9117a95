//! What a keychain says about Workplace Join.
//!
//! A Workplace Join key is present if a private key's label equals the public key hash of a certificate that
//! `MS-Organization-Access` issued. macOS and Microsoft's own library pair them by just this. A certificate without its
//! key cannot sign in, and neither can a key without its certificate.

use std::collections::BTreeSet;

use crate::{
    cause::Cause,
    certificate::{self, Description, Issuer},
    keychain::{Certificate, Error, GenericPassword, Keychain, PrivateKey, ReadAt},
};

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
#[derive(Debug, Clone)]
pub struct LoginKeychain {
    /// Number of certificates.
    pub certificates: usize,
    /// Number of private keys.
    pub private_keys: usize,
    /// Number of certificates that have their private key.
    pub identities: usize,
    /// The Workplace Join certificates, in the order of the file; at [`Depth::State`] only those with a private key.
    pub workplace_join: Vec<WorkplaceJoinCertificate>,
    /// The first certificate that has a private key and could be from any issuer.
    pub unknown_issuer: Option<Cause>,
    /// At [`Depth::Details`] only.
    pub details: Option<Details>,
}

/// A Workplace Join certificate in a keychain.
#[derive(Debug, Clone)]
pub struct WorkplaceJoinCertificate {
    /// What it says; `None` if it cannot be parsed, so that only its issuer is known.
    pub description: Option<Description>,
    /// Whether its private key is there.
    pub has_private_key: bool,
}

/// What the state does not depend on.
#[derive(Debug, Clone)]
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
    let keychain = Keychain::open(source)?;
    let mut keys = Keys::default();
    keychain.private_keys(|key| keys.add(&key))?;
    let mut found = LoginKeychain {
        certificates: 0,
        private_keys: keys.count,
        identities: 0,
        workplace_join: Vec::new(),
        unknown_issuer: None,
        details: None,
    };
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
        found.details = Some(read_details(&keychain, unparsable, &keys));
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
        Issuer::Unknown if has_private_key => {
            found.unknown_issuer.get_or_insert(Cause::UnknownIssuer(record.offset()));
            return;
        }
        Issuer::Unknown => return,
    };
    keys.add_workplace_join_certificate(record);
    found.workplace_join.push(WorkplaceJoinCertificate { description, has_private_key });
}

fn read_details<R: ReadAt>(keychain: &Keychain<R>, unparsable_certificates: Vec<u64>, keys: &Keys) -> Details {
    let mut newest: Option<(Vec<u8>, String)> = None;
    let mut issuer_name_elsewhere = false;
    let other_records = keychain
        .generic_passwords(|password| {
            if let Some(candidate) = user_principal_name(&password)
                && newest.as_ref().is_none_or(|newest| newest.0 < candidate.0)
            {
                newest = Some(candidate);
            }
        })
        .and_then(|()| {
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
    labels: BTreeSet<Vec<u8>>,
    /// The labels of each key that is named like the Workplace Join key.
    named_for_workplace_join: Vec<Vec<Vec<u8>>>,
    /// The public key hashes of the Workplace Join certificates.
    workplace_join_hashes: BTreeSet<Vec<u8>>,
}

impl Keys {
    fn add(&mut self, key: &PrivateKey<'_>) {
        self.count += 1;
        // An empty label belongs to no certificate, not to one whose hash is empty, too.
        let labels = || key.labels().filter(|label| !label.is_empty()).map(<[u8]>::to_vec);
        self.labels.extend(labels());
        if key.names().any(is_workplace_join_key_name) {
            self.named_for_workplace_join.push(labels().collect());
        }
    }

    fn belong_to(&self, certificate: &Certificate<'_>) -> bool {
        certificate.public_key_hashes().any(|hash| self.labels.contains(hash))
    }

    fn add_workplace_join_certificate(&mut self, certificate: &Certificate<'_>) {
        self.workplace_join_hashes.extend(certificate.public_key_hashes().map(<[u8]>::to_vec));
    }

    fn without_certificate(&self) -> usize {
        let has_certificate = |label| self.workplace_join_hashes.contains(label);
        self.named_for_workplace_join.iter().filter(|labels| !labels.iter().any(has_certificate)).count()
    }
}

fn is_workplace_join_key_name(name: &[u8]) -> bool {
    KEY_NAMES.contains(&name.strip_suffix(b"\0").unwrap_or(name))
}
