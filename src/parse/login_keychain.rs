//! Finds Workplace Join certificates and keys in a keychain.
//!
//! A Workplace Join key is present if a private key's label equals the public key hash of a certificate that
//! `MS-Organization-Access` issued. macOS and Microsoft's own library match keys to certificates the same way. A
//! certificate without its key cannot be used to sign in, and neither can a key without its certificate.

mod certificates;
mod keys;

use serde::{Deserialize, Serialize};

use crate::parse::{
    certificate::{self, Issuer},
    cut,
    keychain::{Certificate, Error, GenericPassword, Keychain, ReadAt},
    records::Records,
    tenants::Tenants,
};
use certificates::{Certificates, rank};
use keys::Keys;

pub use certificates::WorkplaceJoinCertificate;

/// The account of the generic password that stores the user principal name as its service.
const USER_PRINCIPAL_NAME: &[u8] = b"com.microsoft.workplacejoin.registeredUserPrincipalName";

/// The most Workplace Join certificates that are kept, separately for those with and without their private key. All are
/// counted.
const MAX_KEPT: usize = 100;

/// How many bytes of other records are searched for the issuer's name. Real keychains have fewer, and a hostile one
/// costs time.
const MAX_SEARCHED: usize = 16 * 1024 * 1024;

/// How much to read. Both depths give the same answer to whether a Workplace Join key is present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Certificates and private keys, which the state depends on.
    State,
    /// Everything that is reported; reads every table.
    Details,
}

/// What was found in a keychain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginKeychain {
    pub certificates: usize,
    pub private_keys: usize,
    /// Number of certificates that have their private key.
    pub identities: usize,
    /// Number of Workplace Join certificates that have their private key.
    pub(crate) workplace_join_identities: usize,
    /// Number of Workplace Join certificates that lack their private key; at [`Depth::State`] these are not counted.
    pub(crate) workplace_join_without_key: usize,
    /// The first hundred Workplace Join certificates that have their private key and, except at [`Depth::State`], the
    /// first hundred that lack it, in the order of the file. If the identity whose validity starts last is not among
    /// them, it is added at the end.
    pub workplace_join: Vec<WorkplaceJoinCertificate>,
    /// Offset of the first certificate record that has a private key and an unknown issuer.
    pub unknown_issuer: Option<u64>,
    /// What was found in addition at [`Depth::Details`].
    pub details: Option<Details>,
}

/// What is reported, but does not affect the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Number of certificates that cannot be read up to their issuer, and of Workplace Join certificates that cannot be
    /// parsed.
    pub(crate) unparsable_certificates: usize,
    /// Offset of the first of their records.
    pub(crate) first_unparsable_certificate: Option<u64>,
    /// Number of keys that have the name of the Workplace Join key, but no Workplace Join certificate.
    pub(crate) keys_without_certificate: usize,
    /// The user principal name that was stored at registration; the newest if there are several.
    pub(crate) user_principal_name: Option<String>,
    /// Whether the name of the Workplace Join issuer occurs in a record that is not a certificate.
    pub(crate) issuer_name_elsewhere: bool,
    /// Whether the tables that only the details need could be read.
    pub other_records: Result<(), Error>,
}

impl LoginKeychain {
    /// The Workplace Join certificate that has its private key; if there are several, the one whose validity starts
    /// last.
    pub fn workplace_join_identity(&self) -> Option<&WorkplaceJoinCertificate> {
        self.identity_of(&Tenants::default())
    }

    /// Like [`workplace_join_identity`](Self::workplace_join_identity), but only of tenants that count.
    pub fn identity_of(&self, tenants: &Tenants) -> Option<&WorkplaceJoinCertificate> {
        // `rev` makes the first of equal ones win, so adding one does not change the choice.
        let identities = self.identities().rev().filter(|found| tenants.accept(found.tenant_id()));
        identities.max_by_key(|found| rank(found.tenant_id(), found.not_before, tenants))
    }

    /// The Workplace Join certificates that have their private key.
    pub fn identities(&self) -> impl DoubleEndedIterator<Item = &WorkplaceJoinCertificate> {
        self.workplace_join.iter().filter(|found| found.has_private_key)
    }
}

/// Reads a keychain.
/// Fails if this is not a keychain, or if a part that the state depends on is damaged.
pub fn read<R: ReadAt>(source: R, depth: Depth) -> Result<LoginKeychain, Error> {
    read_for(source, depth, &Tenants::default())
}

/// As [`read`], where only identities of these tenants count.
pub(crate) fn read_for<R: ReadAt>(source: R, depth: Depth, tenants: &Tenants) -> Result<LoginKeychain, Error> {
    let keychain = Keychain::open(source)?;
    let mut keys = Keys::default();
    keychain.private_keys(|key| keys.add(&key))?;
    let mut found = Found::keeping(if depth == Depth::Details { MAX_KEPT } else { 0 }, tenants.clone());
    keychain.certificates(|record| {
        let has_private_key = keys.belong_to(&record);
        found.certificates += 1;
        found.identities += usize::from(has_private_key);
        if has_private_key || depth == Depth::Details {
            found.add(&record, has_private_key, &mut keys);
        }
    })?;
    let details = (depth == Depth::Details).then(|| read_details(&keychain, &found, &keys));
    Ok(found.into_login_keychain(keys.count, details))
}

/// What macOS's reader finds in a keychain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherReading {
    pub records: Records,
    /// The keychain according to this tool's rules, if it proves that there is a Workplace Join key.
    ///
    /// macOS's reader silently skips records and tables that it cannot read, so a key that it does not find may exist.
    pub judged: Option<LoginKeychain>,
}

impl OtherReading {
    /// Evaluates the label of each private key, or `None` if the reader returns none, and each certificate in DER.
    pub fn new(
        labels: impl IntoIterator<Item = Option<Vec<u8>>>,
        certificates: impl IntoIterator<Item = Vec<u8>>,
    ) -> Self {
        let mut records = Records::default();
        let mut private_keys = 0;
        for label in labels {
            private_keys += 1;
            records.add_key(label.as_deref());
        }
        let mut found = Found::keeping(MAX_KEPT, Tenants::default());
        for der in certificates {
            records.add_certificate(&der);
            found.certificates += 1;
            // A certificate that cannot be read proves nothing, and does not affect what another one proves.
            let Some(hash) = certificate::public_key_hash(&der) else { continue };
            let has_private_key = records.has_key(&hash);
            found.identities += usize::from(has_private_key);
            if certificate::issuer(&der, None) == Issuer::WorkplaceJoin {
                found.workplace_join.add(&der, has_private_key);
            }
        }
        let has_key = found.workplace_join.with_private_key > 0;
        Self { records, judged: has_key.then(|| found.into_login_keychain(private_keys, None)) }
    }
}

/// What was found in the records that were visited so far.
struct Found {
    certificates: usize,
    identities: usize,
    workplace_join: Certificates,
    unknown_issuer: Option<u64>,
    unparsable: usize,
    first_unparsable: Option<u64>,
}

impl Found {
    const fn keeping(without_private_key: usize, tenants: Tenants) -> Self {
        Self {
            certificates: 0,
            identities: 0,
            workplace_join: Certificates::keeping(MAX_KEPT, without_private_key, tenants),
            unknown_issuer: None,
            unparsable: 0,
            first_unparsable: None,
        }
    }

    fn add(&mut self, record: &Certificate<'_>, has_private_key: bool, keys: &mut Keys) {
        let issuer = certificate::issuer(record.der(), record.stored_issuer());
        let is_unparsable = match issuer {
            Issuer::WorkplaceJoin => self.workplace_join.add(record.der(), has_private_key),
            Issuer::Another { readable } => !readable,
            Issuer::Unknown => {
                if has_private_key {
                    self.unknown_issuer.get_or_insert(record.offset());
                }
                true
            }
        };
        if is_unparsable {
            self.unparsable += 1;
            self.first_unparsable.get_or_insert(record.offset());
        }
        // A certificate of an unknown issuer may be the one of a Workplace Join key.
        if !matches!(issuer, Issuer::Another { .. }) {
            keys.add_workplace_join_certificate(record);
        }
    }

    fn into_login_keychain(self, private_keys: usize, details: Option<Details>) -> LoginKeychain {
        LoginKeychain {
            certificates: self.certificates,
            private_keys,
            identities: self.identities,
            workplace_join_identities: self.workplace_join.with_private_key,
            workplace_join_without_key: self.workplace_join.without_private_key,
            workplace_join: self.workplace_join.into_kept(),
            unknown_issuer: self.unknown_issuer,
            details,
        }
    }
}

fn read_details<R: ReadAt>(keychain: &Keychain<R>, found: &Found, keys: &Keys) -> Details {
    let mut newest: Option<([u8; 16], Option<String>)> = None;
    let passwords = keychain.generic_passwords(|password| {
        let Some((modified, name)) = user_principal_name(&password) else { return };
        if newest.as_ref().is_none_or(|(newest, _)| *newest < modified) {
            newest = Some((modified, cut::whole(name)));
        }
    });
    if passwords.is_err() {
        // A newer name may be in the damaged part.
        newest = None;
    }
    let mut issuer_name_elsewhere = false;
    let mut left = MAX_SEARCHED;
    let other_records = passwords.and_then(|()| {
        keychain.values_outside_certificates(|values| {
            let searched = values.get(..left).unwrap_or(values);
            left -= searched.len();
            issuer_name_elsewhere |= certificate::mentions_workplace_join(searched);
        })
    });
    Details {
        unparsable_certificates: found.unparsable,
        first_unparsable_certificate: found.first_unparsable,
        keys_without_certificate: keys.without_certificate(),
        user_principal_name: newest.and_then(|(_, name)| name),
        issuer_name_elsewhere,
        other_records,
    }
}

/// When the password was changed, and the user principal name, if this generic password stores one.
fn user_principal_name<'a>(password: &GenericPassword<'a>) -> Option<([u8; 16], &'a str)> {
    password.account().filter(|&account| account == USER_PRINCIPAL_NAME)?;
    let name = str::from_utf8(password.service()?).ok().filter(|name| !name.is_empty())?;
    let modified = password.modified().and_then(|modified| modified.try_into().ok());
    Some((modified.unwrap_or_default(), name))
}

#[cfg(test)]
mod tests;
