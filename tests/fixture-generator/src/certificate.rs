//! Certificates like those that Microsoft's device registration issues, and unusual ones.

use crate::der::{bit_string, element, object_identifier, sequence, set_of, string, text};

const COMMON_NAME: &[u32] = &[2, 5, 4, 3];
const ORGANIZATIONAL_UNIT: &[u32] = &[2, 5, 4, 11];
const DOMAIN_COMPONENT: &[u32] = &[0, 9, 2342, 19200300, 100, 1, 25];
const MICROSOFT: [u32; 7] = [1, 2, 840, 113_556, 1, 5, 284];

/// Attributes of one RDN: the type, the type of string, the text.
type Rdn = Vec<(&'static [u32], u8, &'static str)>;

/// The issuer of a certificate, and the encoding of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issuer {
    /// Encoded like the genuine name: one RDN with four attributes.
    WorkplaceJoin,
    /// One RDN for each attribute, all UTF8String, which macOS stores in mixed case.
    WorkplaceJoinUtf8,
    /// The common name in lower case.
    WorkplaceJoinLowerCase,
    /// The common name as BMPString.
    WorkplaceJoinBmp,
    /// The common name as UniversalString.
    WorkplaceJoinUniversal,
    /// The common name as OCTET STRING, which is not a string.
    WorkplaceJoinOctets,
    /// The common name second in an RDN whose first is another common name.
    WorkplaceJoinSecondCommonName,
    /// Microsoft's peer-to-peer issuer, whose certificates are not registrations.
    PeerToPeer,
    /// The Workplace Join issuer's name as an organisational unit.
    WorkplaceJoinAsUnit,
    /// A company's own issuer.
    Contoso,
}

impl Issuer {
    fn rdns(self) -> Vec<Rdn> {
        use string::{BMP, IA5, OCTETS, PRINTABLE, UNIVERSAL, UTF8};
        let genuine = |tag, name| {
            vec![vec![
                (DOMAIN_COMPONENT, IA5, "net"),
                (DOMAIN_COMPONENT, IA5, "windows"),
                (COMMON_NAME, tag, name),
                (ORGANIZATIONAL_UNIT, PRINTABLE, "82dbaca4-3e81-46ca-9c73-0950c1eaca97"),
            ]]
        };
        match self {
            Self::WorkplaceJoin => genuine(PRINTABLE, "MS-Organization-Access"),
            Self::WorkplaceJoinUtf8 => vec![
                vec![(DOMAIN_COMPONENT, UTF8, "net")],
                vec![(DOMAIN_COMPONENT, UTF8, "windows")],
                vec![(COMMON_NAME, UTF8, "MS-Organization-Access")],
            ],
            Self::WorkplaceJoinLowerCase => genuine(PRINTABLE, "ms-organization-access"),
            Self::WorkplaceJoinBmp => genuine(BMP, "MS-Organization-Access"),
            Self::WorkplaceJoinUniversal => genuine(UNIVERSAL, "MS-Organization-Access"),
            Self::WorkplaceJoinOctets => genuine(OCTETS, "MS-Organization-Access"),
            Self::WorkplaceJoinSecondCommonName => {
                vec![vec![(COMMON_NAME, PRINTABLE, "Contoso"), (COMMON_NAME, PRINTABLE, "MS-Organization-Access")]]
            }
            Self::PeerToPeer => genuine(PRINTABLE, "MS-Organization-P2P-Access"),
            Self::WorkplaceJoinAsUnit => vec![
                vec![(ORGANIZATIONAL_UNIT, PRINTABLE, "MS-Organization-Access")],
                vec![(COMMON_NAME, PRINTABLE, "Contoso Issuing CA")],
            ],
            Self::Contoso => vec![vec![(COMMON_NAME, PRINTABLE, "Contoso Issuing CA")]],
        }
    }

    /// The name in DER, as it is in the certificate.
    pub fn der(self) -> Vec<u8> {
        name(self.rdns(), str::to_owned)
    }

    /// The name in DER, as macOS stores it beside the certificate: only values of type PrintableString in upper case.
    pub fn normalised(self) -> Vec<u8> {
        name(self.rdns(), str::to_ascii_uppercase)
    }
}

fn name(rdns: Vec<Rdn>, change_printable: impl Fn(&str) -> String) -> Vec<u8> {
    let attribute = |(kind, tag, value): (&[u32], u8, &str)| {
        let value = if tag == string::PRINTABLE { change_printable(value) } else { value.to_owned() };
        sequence(&[object_identifier(kind), text(tag, &value)])
    };
    let rdns: Vec<Vec<u8>> = rdns.into_iter().map(|rdn| set_of(rdn.into_iter().map(attribute).collect())).collect();
    sequence(&rdns)
}

/// A certificate with an invalid signature, because the tool does not check signatures.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The issuer.
    pub issuer: Issuer,
    /// The subject's common name; Microsoft uses the device ID.
    pub subject: &'static str,
    /// The serial number's octets.
    pub serial: Vec<u8>,
    /// Start of the validity: `YYYYMMDDhhmmssZ`.
    pub not_before: &'static str,
    /// End of the validity.
    pub not_after: &'static str,
    /// The device ID in the byte order of Windows, for Microsoft's extension.
    pub device_id: Option<[u8; 16]>,
    /// The tenant ID in the byte order of Windows, for Microsoft's extension.
    pub tenant_id: Option<[u8; 16]>,
    /// The number of the key pair; each number gives another public key.
    pub key: u8,
}

impl Certificate {
    /// A certificate like those of Microsoft: negative serial number, valid for ten years or more, device and tenant
    /// ID.
    pub fn workplace_join() -> Self {
        Self {
            issuer: Issuer::WorkplaceJoin,
            subject: "0f5b8d8a-98d2-4e3f-8a6c-5d0a3f7e9b21",
            serial: vec![
                0x9C, 0x3F, 0x21, 0x55, 0x0A, 0xE1, 0x4B, 0x8D, 0x40, 0x77, 0xC2, 0x10, 0x6E, 0x93, 0x5A, 0x01,
            ],
            not_before: "20240229123456Z",
            not_after: "20490228123456Z",
            // 0f5b8d8a-98d2-4e3f-8a6c-5d0a3f7e9b21
            device_id: Some([
                0x8A, 0x8D, 0x5B, 0x0F, 0xD2, 0x98, 0x3F, 0x4E, 0x8A, 0x6C, 0x5D, 0x0A, 0x3F, 0x7E, 0x9B, 0x21,
            ]),
            // 7e0c6b1d-2f4a-4c58-9d3e-1a2b3c4d5e6f
            tenant_id: Some([
                0x1D, 0x6B, 0x0C, 0x7E, 0x4A, 0x2F, 0x58, 0x4C, 0x9D, 0x3E, 0x1A, 0x2B, 0x3C, 0x4D, 0x5E, 0x6F,
            ]),
            key: 1,
        }
    }

    /// A company's own certificate.
    pub fn contoso() -> Self {
        Self {
            issuer: Issuer::Contoso,
            subject: "adele.vance@contoso.com",
            serial: vec![0x10, 0x01],
            device_id: None,
            tenant_id: None,
            key: 100,
            ..Self::workplace_join()
        }
    }

    /// The certificate in DER.
    pub fn der(&self) -> Vec<u8> {
        let ecdsa_with_sha256 = sequence(&[object_identifier(&[1, 2, 840, 10045, 4, 3, 2])]);
        let tbs = sequence(&[
            element(0xA0, &element(2, &[2])),
            element(2, &self.serial),
            ecdsa_with_sha256.clone(),
            self.issuer.der(),
            sequence(&[time(self.not_before), time(self.not_after)]),
            self.subject_der(),
            self.public_key_info(),
            element(0xA3, &sequence(&self.extensions())),
        ]);
        sequence(&[tbs, ecdsa_with_sha256, bit_string(&[0x5A; 64])])
    }

    /// The subject in DER.
    pub fn subject_der(&self) -> Vec<u8> {
        name(vec![vec![(COMMON_NAME, string::UTF8, self.subject)]], str::to_owned)
    }

    /// SHA-1 of the public key's bits, which matches the certificate to its private key.
    pub fn public_key_hash(&self) -> Vec<u8> {
        sha1_smol::Sha1::from(self.public_key()).digest().bytes().to_vec()
    }

    fn public_key(&self) -> Vec<u8> {
        (0..65).map(|index: u8| if index == 0 { 4 } else { index.wrapping_mul(7) ^ self.key }).collect()
    }

    fn public_key_info(&self) -> Vec<u8> {
        let ec_public_key = object_identifier(&[1, 2, 840, 10045, 2, 1]);
        let prime256v1 = object_identifier(&[1, 2, 840, 10045, 3, 1, 7]);
        sequence(&[sequence(&[ec_public_key, prime256v1]), bit_string(&self.public_key())])
    }

    fn extensions(&self) -> Vec<Vec<u8>> {
        let basic_constraints =
            sequence(&[object_identifier(&[2, 5, 29, 19]), element(1, &[0xFF]), element(4, &sequence(&[]))]);
        let microsoft = |number, guid: &[u8; 16]| {
            let id = [&MICROSOFT[..], &[number]].concat();
            // Microsoft writes the inner length in the long form.
            let value = [&[4, 0x81, 16], &guid[..]].concat();
            sequence(&[object_identifier(&id), element(4, &value)])
        };
        let device = self.device_id.iter().map(|guid| microsoft(2, guid));
        let tenant = self.tenant_id.iter().map(|guid| microsoft(5, guid));
        [basic_constraints].into_iter().chain(device).chain(tenant).collect()
    }
}

/// UTCTime until 2049, GeneralizedTime from 2050.
fn time(time: &str) -> Vec<u8> {
    let year: u32 = time[..4].parse().expect("a year");
    if year < 2050 { element(0x17, &time.as_bytes()[2..]) } else { element(0x18, time.as_bytes()) }
}
