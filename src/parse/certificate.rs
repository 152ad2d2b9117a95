//! Recognises Workplace Join certificates, and reads their fields.
//!
//! Microsoft's device registration issues them as `MS-Organization-Access`, in one multi-valued RDN that also contains
//! an organisational unit that is the same for all tenants. The subject's CN is the device ID. The extensions
//! `1.2.840.113556.1.5.284.n` contain GUIDs in the mixed-endian order of Windows: 2 is the device ID, 5 the tenant ID.
//!
//! The issuer is read without the X.509 crate, because that crate refuses certificates for reasons that do not matter
//! here: a UniversalString, years before 1970, a serial number with unneeded leading bytes. The crate reads only the
//! other fields.

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

/// The largest certificate or name that is parsed, in bytes. Real ones are far smaller, and a hostile one costs time.
const MAX_SIZE: usize = 64 * 1024;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const DEVICE_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113556.1.5.284.2");
const TENANT_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113556.1.5.284.5");

/// Who issued a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issuer {
    /// Microsoft's device registration, according to the certificate itself, so it is a Workplace Join certificate.
    WorkplaceJoin,
    /// Another issuer.
    Another {
        /// Whether the certificate itself names the issuer; if not, only the keychain's copy of the issuer does.
        readable: bool,
    },
    /// The certificate cannot be read up to its issuer, and the keychain's copy does not name another issuer.
    Unknown,
}

/// The contents of a Workplace Join certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    pub fields: Fields,
    /// The device's ID in Microsoft Entra, a GUID in lower case.
    pub device_id: Option<String>,
    /// The tenant's ID in Microsoft Entra, a GUID in lower case.
    pub tenant_id: Option<String>,
    /// Start of the validity.
    pub not_before: Timestamp,
    pub not_after: Timestamp,
}

/// The fields that identify a certificate; each text is cut at 255 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fields {
    /// The subject, in the format of RFC 4514.
    pub subject: String,
    /// The issuer, in the format of RFC 4514.
    pub issuer: String,
    /// The serial number's octets as they are in the certificate, in hexadecimal; the first bit may be set.
    pub serial: String,
    /// SHA-1 of the whole certificate, in hexadecimal.
    pub sha1: String,
}

/// Determines who issued a certificate.
///
/// The issuer in the certificate counts if it can be read, even if the rest is damaged. If it cannot be read,
/// `stored_issuer`, the keychain's own copy, counts only if it names another issuer.
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

/// The start of a certificate's validity; `None` if the certificate cannot be read up to it.
pub fn not_before(der: &[u8]) -> Option<Timestamp> {
    let (validity, _) = der::expect(der::SEQUENCE, Beginning::of(der)?.after_issuer)?;
    let (_, _, after_start) = der::element(validity)?;
    let start = validity.get(..validity.len().checked_sub(after_start.len())?)?;
    Some(Time::from_der(start).ok()?.to_date_time().into())
}

/// The beginning of a certificate, up to its issuer.
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

/// SHA-1 of the public key's bits, which matches a certificate to its private key; `None` if the certificate cannot be
/// read up to the public key.
pub fn public_key_hash(der: &[u8]) -> Option<[u8; 20]> {
    let (_validity, after_validity) = der::expect(der::SEQUENCE, Beginning::of(der)?.after_issuer)?;
    let (_subject, after_subject) = der::expect(der::SEQUENCE, after_validity)?;
    let (public_key_info, _) = der::expect(der::SEQUENCE, after_subject)?;
    let (_algorithm, after_algorithm) = der::expect(der::SEQUENCE, public_key_info)?;
    let (bits, _) = der::expect(der::BIT_STRING, after_algorithm)?;
    let (_unused, bits) = bits.split_first()?;
    Some(sha1_smol::Sha1::from(bits).digest().bytes())
}

/// The contents of a certificate; `None` if it cannot be parsed.
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

/// The GUID in one of Microsoft's extensions.
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
