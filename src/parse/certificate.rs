//! Is this a Workplace Join certificate, and what does it say?
//!
//! Microsoft's device registration issues them as `MS-Organization-Access`, in one multi-valued RDN that also names an
//! organisational unit that is the same for all tenants. The subject's CN is the device id; the extensions
//! `1.2.840.113556.1.5.284.n` hold GUIDs in Windows' mixed-endian order: 2 is the device id, 5 the tenant id.

mod distinguished_name;
mod name;

use serde::{Deserialize, Serialize};
use x509_cert::{
    certificate::{CertificateInner, Raw},
    der::{Any, Decode, Tag, Tagged, asn1::ObjectIdentifier},
    name::Name,
};

use crate::parse::timestamp::Timestamp;

/// The common name of the issuer of Workplace Join certificates; upper and lower case do not matter.
pub const WORKPLACE_JOIN_ISSUER: &str = "MS-Organization-Access";

const OCTET_STRING: u8 = 0x04;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const DEVICE_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113556.1.5.284.2");
const TENANT_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113556.1.5.284.5");

/// Who issued a certificate, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Issuer {
    /// Microsoft's device registration: a Workplace Join certificate. What it says, if it can be parsed.
    WorkplaceJoin(Option<Box<Description>>),
    /// Somebody else.
    Another {
        /// Whether the certificate can be parsed.
        parsable: bool,
    },
    /// Neither the certificate nor the stored issuer can be read.
    Unknown,
}

/// What a Workplace Join certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The certificate's own fields.
    pub fields: Fields,
    /// The device's id in Microsoft Entra: a GUID in lower case.
    pub device_id: Option<String>,
    /// The tenant's id in Microsoft Entra: a GUID in lower case.
    pub tenant_id: Option<String>,
    /// Start of the validity.
    pub not_before: Timestamp,
    /// End of the validity.
    pub not_after: Timestamp,
}

/// What identifies a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fields {
    /// The subject, as RFC 4514 writes it.
    pub subject: String,
    /// The issuer, as RFC 4514 writes it.
    pub issuer: String,
    /// The serial number's octets as they stand in the certificate, in hexadecimal; the first bit may be set.
    pub serial: String,
    /// SHA-1 of the whole certificate, in hexadecimal.
    pub sha1: String,
}

/// Tells who issued a certificate.
///
/// `stored_issuer`, the keychain's own copy of the issuer, counts only if the certificate itself gives none.
#[must_use]
pub fn issuer(der: &[u8], stored_issuer: Option<&[u8]>) -> Issuer {
    if let Ok(certificate) = CertificateInner::<Raw>::from_der(der) {
        return if names_workplace_join(certificate.tbs_certificate().issuer()) {
            Issuer::WorkplaceJoin(Some(Box::new(describe(&certificate, der))))
        } else {
            Issuer::Another { parsable: true }
        };
    }
    let stored = stored_issuer.unwrap_or_default();
    match name::issuer_is_workplace_join(der).or_else(|| name::is_workplace_join(stored)) {
        Some(true) => Issuer::WorkplaceJoin(None),
        Some(false) => Issuer::Another { parsable: false },
        None => Issuer::Unknown,
    }
}

/// SHA-1 of the public key's bits, which is what pairs a certificate with its private key; `None` if the certificate
/// cannot be parsed.
#[must_use]
pub fn public_key_hash(der: &[u8]) -> Option<Vec<u8>> {
    let certificate = CertificateInner::<Raw>::from_der(der).ok()?;
    let public_key = &certificate.tbs_certificate().subject_public_key_info().subject_public_key;
    Some(sha1_smol::Sha1::from(public_key.raw_bytes()).digest().bytes().to_vec())
}

/// Whether the name of the Workplace Join issuer occurs anywhere in `bytes`, in any width that ASN.1 strings have.
#[must_use]
pub fn mentions_workplace_join(bytes: &[u8]) -> bool {
    const LONGEST: usize = 4 * WORKPLACE_JOIN_ISSUER.len();
    (0..bytes.len()).any(|start| {
        let rest = bytes.get(start..).unwrap_or_default();
        let rest = rest.get(..LONGEST).unwrap_or(rest);
        let first = WORKPLACE_JOIN_ISSUER.as_bytes().first();
        rest.first().zip(first).is_some_and(|(byte, first)| byte.eq_ignore_ascii_case(first) || *byte == 0)
            && [1, 2, 4].into_iter().any(|width| {
                rest.get(..width * WORKPLACE_JOIN_ISSUER.len())
                    .is_some_and(|text| is_workplace_join_issuer(text, width))
            })
    })
}

/// Whether a common name, in any attribute of any RDN and in any type of string, is the Workplace Join issuer's.
fn names_workplace_join(name: &Name) -> bool {
    let width = |value: &Any| if value.tag() == Tag::BmpString { 2 } else { 1 };
    name.iter()
        .filter(|attribute| attribute.oid == COMMON_NAME)
        .any(|attribute| is_workplace_join_issuer(attribute.value.value(), width(&attribute.value)))
}

/// Compares big-endian characters of `width` bytes with the issuer's name.
fn is_workplace_join_issuer(text: &[u8], width: usize) -> bool {
    let expected = WORKPLACE_JOIN_ISSUER.as_bytes();
    text.len() == width * expected.len()
        && text.chunks_exact(width).zip(expected).all(|(character, expected)| {
            character.split_last().is_some_and(|(last, leading)| {
                last.eq_ignore_ascii_case(expected) && leading.iter().all(|&byte| byte == 0)
            })
        })
}

fn describe(certificate: &CertificateInner<Raw>, der: &[u8]) -> Description {
    let tbs = certificate.tbs_certificate();
    Description {
        fields: Fields {
            subject: distinguished_name::text(tbs.subject()),
            issuer: distinguished_name::text(tbs.issuer()),
            serial: hexadecimal(tbs.serial_number().as_bytes()),
            sha1: sha1_smol::Sha1::from(der).digest().to_string(),
        },
        device_id: extension_guid(certificate, DEVICE_ID).or_else(|| subject_guid(tbs.subject())),
        tenant_id: extension_guid(certificate, TENANT_ID),
        not_before: tbs.validity().not_before.to_date_time().into(),
        not_after: tbs.validity().not_after.to_date_time().into(),
    }
}

/// The GUID in an extension of Microsoft's.
fn extension_guid(certificate: &CertificateInner<Raw>, id: ObjectIdentifier) -> Option<String> {
    let extension = certificate.tbs_certificate().extensions()?.iter().find(|extension| extension.extn_id == id)?;
    // Microsoft writes the length in the long form where DER wants the short one.
    mixed_endian_guid(name::whole(OCTET_STRING, extension.extn_value.as_bytes())?)
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
        .filter_map(|attribute| str::from_utf8(attribute.value.value()).ok())
        .find(|text| is_guid(text))
        .map(str::to_ascii_lowercase)
}

/// Whether this is the text of a GUID.
#[must_use]
pub fn is_guid(text: &str) -> bool {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    text.len() == 36
        && text.bytes().enumerate().all(
            |(index, byte)| {
                if HYPHENS.contains(&index) { byte == b'-' } else { byte.is_ascii_hexdigit() }
            },
        )
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16);
    text.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xF)]).flatten());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_three_groups_of_a_guid_are_little_endian() {
        let bytes = [0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF];
        assert_eq!(mixed_endian_guid(&bytes).unwrap(), "00112233-4455-6677-8899-aabbccddeeff");
        assert_eq!(mixed_endian_guid(&bytes[1..]), None);
    }

    #[test]
    fn only_the_text_of_a_guid_is_taken_for_one() {
        assert!(is_guid("0F5B8D8A-98d2-4e3f-8a6c-5d0a3f7e9b21"));
        assert!(!is_guid("0f5b8d8a-98d2-4e3f-8a6c-5d0a3f7e9b2"));
        assert!(!is_guid("0f5b8d8a098d2-4e3f-8a6c-5d0a3f7e9b21"));
        assert!(!is_guid("gf5b8d8a-98d2-4e3f-8a6c-5d0a3f7e9b21"));
    }

    #[test]
    fn the_issuer_is_found_in_characters_of_one_two_and_four_bytes() {
        for width in [1, 2, 4] {
            let wide = |text: &str| -> Vec<u8> {
                text.bytes().flat_map(|byte| [0, 0, 0, byte].into_iter().skip(4 - width)).collect()
            };
            assert!(is_workplace_join_issuer(&wide("ms-ORGANIZATION-access"), width));
            assert!(!is_workplace_join_issuer(&wide("MS-Organization-P2P-Access"), width));
            assert!(!is_workplace_join_issuer(&wide("MS-Organization-Acces"), width));
            assert!(mentions_workplace_join(&wide("...MS-ORGANIZATION-ACCESS...")));
            assert!(!mentions_workplace_join(&wide("...MS-ORGANIZATION-P2P-ACCESS...")));
        }
        assert!(!mentions_workplace_join(b""));
    }

    #[test]
    fn bytes_that_are_no_certificate_are_judged_by_the_stored_issuer() {
        // A name with one common name, an UTF8String.
        let name = |text: &str| {
            let length = u8::try_from(text.len()).unwrap();
            let header = [0x30, length + 11, 0x31, length + 9, 0x30, length + 7, 6, 3, 0x55, 4, 3, 0x0C, length];
            [&header, text.as_bytes()].concat()
        };
        let judge = |stored: &[u8]| issuer(b"no certificate", Some(stored));
        assert_eq!(judge(&name("MS-ORGANIZATION-ACCESS")), Issuer::WorkplaceJoin(None));
        assert_eq!(judge(&name("Contoso Root")), Issuer::Another { parsable: false });
        assert_eq!(judge(b"no name"), Issuer::Unknown);
        assert_eq!(issuer(b"no certificate", None), Issuer::Unknown);
    }
}
