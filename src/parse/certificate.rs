//! Whether a certificate is a Workplace Join certificate, and what it says.
//!
//! Microsoft's device registration issues them as `MS-Organization-Access`, in one multi-valued RDN that also names an
//! organisational unit that is the same for all tenants. The subject's CN is the device id; the extensions
//! `1.2.840.113556.1.5.284.n` hold GUIDs in Windows' mixed-endian order: 2 is the device id, 5 the tenant id.
//!
//! The issuer is found without the X.509 crate, which refuses a certificate for things that do not matter here: a
//! UniversalString, years before 1970, a serial number that is longer than it need be. Only what a Workplace Join
//! certificate says is left to that crate.

mod der;
mod distinguished_name;
mod name;

use serde::{Deserialize, Serialize};
use x509_cert::{
    certificate::{CertificateInner, Raw},
    der::{Decode, asn1::ObjectIdentifier},
    name::Name,
    time::Time,
};

use crate::parse::{cut::cut, timestamp::Timestamp};
use distinguished_name::hexadecimal;

pub use name::{WORKPLACE_JOIN_ISSUER, mentions_workplace_join};

/// Larger certificates and names are not parsed, in bytes: no real one comes near, and a hostile one would cost time.
const MAX_SIZE: usize = 64 * 1024;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const DEVICE_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113556.1.5.284.2");
const TENANT_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113556.1.5.284.5");

/// Who issued a certificate, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issuer {
    /// Microsoft's device registration, as the certificate itself says: this is a Workplace Join certificate.
    WorkplaceJoin,
    /// Somebody else.
    Another {
        /// Whether the certificate itself says so; if not, only the keychain's copy of the issuer does.
        readable: bool,
    },
    /// The certificate cannot be read up to its issuer, and the keychain's copy of it does not name somebody else.
    Unknown,
}

/// What a Workplace Join certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    pub fields: Fields,
    /// The device's id in Microsoft Entra: a GUID in lower case.
    pub device_id: Option<String>,
    /// The tenant's id in Microsoft Entra: a GUID in lower case.
    pub tenant_id: Option<String>,
    /// Start of the validity.
    pub not_before: Timestamp,
    pub not_after: Timestamp,
}

/// What identifies a certificate; each text is cut at 255 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fields {
    /// The subject, as RFC 4514 writes it.
    pub subject: String,
    /// The issuer, as RFC 4514 writes it.
    pub issuer: String,
    /// The serial number's octets as they are in the certificate, in hexadecimal; the first bit may be set.
    pub serial: String,
    /// SHA-1 of the whole certificate, in hexadecimal.
    pub sha1: String,
}

/// Determines who issued a certificate.
///
/// What the certificate itself says counts if it can be read up to its issuer, even if what follows that is damaged. If
/// it cannot, `stored_issuer`, the keychain's own copy of the issuer, only counts where it names somebody else.
pub fn issuer(der: &[u8], stored_issuer: Option<&[u8]>) -> Issuer {
    if let Some(is_workplace_join) = Beginning::of(der).and_then(|it| name::is_workplace_join(it.issuer)) {
        return if is_workplace_join { Issuer::WorkplaceJoin } else { Issuer::Another { readable: true } };
    }
    let stored = stored_issuer.filter(|name| name.len() <= MAX_SIZE).and_then(|name| der::whole(der::SEQUENCE, name));
    match stored.and_then(name::is_workplace_join) {
        Some(false) => Issuer::Another { readable: false },
        Some(true) | None => Issuer::Unknown,
    }
}

/// When a certificate's validity starts, if the certificate can be read up to that.
pub fn not_before(der: &[u8]) -> Option<Timestamp> {
    let (validity, _) = der::expect(der::SEQUENCE, Beginning::of(der)?.after_issuer)?;
    let (_, _, after_start) = der::element(validity)?;
    let start = validity.get(..validity.len().checked_sub(after_start.len())?)?;
    Some(Time::from_der(start).ok()?.to_date_time().into())
}

/// A certificate, as far as its issuer.
struct Beginning<'a> {
    /// The RDNs.
    issuer: &'a [u8],
    after_issuer: &'a [u8],
}

impl<'a> Beginning<'a> {
    fn of(certificate: &'a [u8]) -> Option<Self> {
        const VERSION: u8 = 0xA0;
        if certificate.len() > MAX_SIZE {
            return None;
        }
        let tbs = der::beginning(der::SEQUENCE, der::beginning(der::SEQUENCE, certificate)?)?;
        let after_version = match der::element(tbs)? {
            (VERSION, _, rest) => rest,
            _ => tbs,
        };
        let (_, after_serial) = der::expect(der::INTEGER, after_version)?;
        let (_, after_algorithm) = der::expect(der::SEQUENCE, after_serial)?;
        let (issuer, after_issuer) = der::expect(der::SEQUENCE, after_algorithm)?;
        Some(Self { issuer, after_issuer })
    }
}

fn parse(der: &[u8]) -> Option<CertificateInner<Raw>> {
    (der.len() <= MAX_SIZE).then(|| CertificateInner::from_der(der).ok())?
}

/// Whether all of a certificate can be parsed.
pub fn is_parsable(der: &[u8]) -> bool {
    parse(der).is_some()
}

/// SHA-1 of the public key's bits, which pairs a certificate with its private key; `None` if the certificate cannot be
/// read up to that.
pub fn public_key_hash(der: &[u8]) -> Option<[u8; 20]> {
    let (_validity, after_validity) = der::expect(der::SEQUENCE, Beginning::of(der)?.after_issuer)?;
    let (_subject, after_subject) = der::expect(der::SEQUENCE, after_validity)?;
    let (public_key_info, _) = der::expect(der::SEQUENCE, after_subject)?;
    let (_algorithm, after_algorithm) = der::expect(der::SEQUENCE, public_key_info)?;
    let (bits, _) = der::expect(der::BIT_STRING, after_algorithm)?;
    let (_unused, bits) = bits.split_first()?;
    Some(sha1_smol::Sha1::from(bits).digest().bytes())
}

/// What a certificate says; `None` if it cannot be parsed.
pub fn describe(der: &[u8]) -> Option<Description> {
    let certificate = parse(der)?;
    let tbs = certificate.tbs_certificate();
    Some(Description {
        fields: Fields {
            subject: cut(distinguished_name::text(tbs.subject())),
            issuer: cut(distinguished_name::text(tbs.issuer())),
            serial: cut(hexadecimal(tbs.serial_number().as_bytes())),
            sha1: sha1_smol::Sha1::from(der).digest().to_string(),
        },
        device_id: extension_guid(&certificate, DEVICE_ID).or_else(|| subject_guid(tbs.subject())),
        tenant_id: extension_guid(&certificate, TENANT_ID),
        not_before: tbs.validity().not_before.to_date_time().into(),
        not_after: tbs.validity().not_after.to_date_time().into(),
    })
}

/// The GUID in an extension of Microsoft's.
fn extension_guid(certificate: &CertificateInner<Raw>, id: ObjectIdentifier) -> Option<String> {
    let extension = certificate.tbs_certificate().extensions()?.iter().find(|extension| extension.extn_id == id)?;
    mixed_endian_guid(der::whole(der::OCTET_STRING, extension.extn_value.as_bytes())?)
}

/// The text of a GUID whose first three groups are little-endian.
fn mixed_endian_guid(bytes: &[u8]) -> Option<String> {
    let &[a0, a1, a2, a3, b0, b1, c0, c1, d0, d1, e0, e1, e2, e3, e4, e5] = bytes else { return None };
    let groups: [&[u8]; 5] = [&[a3, a2, a1, a0], &[b1, b0], &[c1, c0], &[d0, d1], &[e0, e1, e2, e3, e4, e5]];
    Some(groups.map(hexadecimal).join("-"))
}

/// The subject's common name, if it is a GUID.
fn subject_guid(subject: &Name) -> Option<String> {
    subject
        .iter()
        .filter(|attribute| attribute.oid == COMMON_NAME)
        .filter_map(|attribute| distinguished_name::string(&attribute.value))
        .find(|text| is_guid(text))
        .map(|text| text.to_ascii_lowercase())
}

/// Whether this is the text of a GUID.
pub fn is_guid(text: &str) -> bool {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    text.len() == 36
        && text.bytes().enumerate().all(
            |(index, byte)| {
                if HYPHENS.contains(&index) { byte == b'-' } else { byte.is_ascii_hexdigit() }
            },
        )
}

#[cfg(test)]
mod tests;
