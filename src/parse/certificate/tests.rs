use fixture_generator::{Certificate, Issuer as GeneratedIssuer};

use super::*;

/// Certificates with each kind of issuer, and the issuer that is expected.
fn certificates() -> Vec<(Certificate, Issuer)> {
    let of = |issuer| Certificate { issuer, ..Certificate::workplace_join() };
    vec![
        (of(GeneratedIssuer::WorkplaceJoin), Issuer::WorkplaceJoin),
        (of(GeneratedIssuer::WorkplaceJoinBmp), Issuer::WorkplaceJoin),
        (of(GeneratedIssuer::WorkplaceJoinUniversal), Issuer::WorkplaceJoin),
        (of(GeneratedIssuer::WorkplaceJoinOctets), Issuer::Another { readable: true }),
        (of(GeneratedIssuer::PeerToPeer), Issuer::Another { readable: true }),
    ]
}

#[test]
fn the_first_three_groups_of_a_guid_are_little_endian() {
    let bytes = [0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF];
    assert_eq!(mixed_endian_guid(&bytes).unwrap(), "00112233-4455-6677-8899-aabbccddeeff");
    assert_eq!(mixed_endian_guid(&bytes[1..]), None);
}

#[test]
fn only_text_in_the_form_of_a_guid_is_accepted() {
    assert!(is_guid("0F5B8D8A-98d2-4e3f-8a6c-5d0a3f7e9b21"));
    assert!(!is_guid("0f5b8d8a-98d2-4e3f-8a6c-5d0a3f7e9b2"));
    assert!(!is_guid("0f5b8d8a098d2-4e3f-8a6c-5d0a3f7e9b21"));
    assert!(!is_guid("gf5b8d8a-98d2-4e3f-8a6c-5d0a3f7e9b21"));
}

#[test]
fn the_issuer_in_the_certificate_counts_instead_of_the_stored_one() {
    let names = [GeneratedIssuer::WorkplaceJoin, GeneratedIssuer::Contoso].map(GeneratedIssuer::normalised);
    for (certificate, expected) in certificates() {
        for stored in [None, Some(&b"not a name"[..]), Some(&names[0][..]), Some(&names[1][..])] {
            assert_eq!(issuer(&certificate.der(), stored), expected, "{:?} {stored:?}", certificate.issuer);
        }
    }
}

#[test]
fn an_issuer_that_can_be_read_counts_even_if_the_rest_is_damaged() {
    let stored = GeneratedIssuer::Contoso.normalised();
    for (certificate, expected) in certificates() {
        let (der, name) = (certificate.der(), certificate.issuer.der());
        let end = der.windows(name.len()).position(|window| window == name).unwrap() + name.len();
        assert_eq!(issuer(&[&der[..], b"more"].concat(), Some(&stored)), expected);
        for length in 0..der.len() {
            let unreadable = Issuer::Another { readable: false };
            let expected = if length < end { unreadable } else { expected };
            assert_eq!(issuer(&der[..length], Some(&stored)), expected, "{:?} {length}", certificate.issuer);
        }
    }
}

#[test]
fn a_stored_issuer_can_prove_another_issuer_but_not_a_workplace_join_certificate() {
    let judge = |stored: &[u8]| issuer(b"not a certificate", Some(stored));
    let contoso = GeneratedIssuer::Contoso.normalised();
    assert_eq!(judge(&contoso), Issuer::Another { readable: false });
    assert_eq!(judge(&contoso[..contoso.len() - 1]), Issuer::Unknown);
    assert_eq!(judge(&GeneratedIssuer::WorkplaceJoin.normalised()), Issuer::Unknown);
    assert_eq!(judge(b"not a name"), Issuer::Unknown);
    assert_eq!(issuer(b"not a certificate", None), Issuer::Unknown);
}

#[test]
fn the_start_of_the_validity_is_the_same_alone_and_with_the_other_fields() {
    for not_before_text in ["20240229123456Z", "20510101000000Z"] {
        let der = Certificate { not_before: not_before_text, ..Certificate::workplace_join() }.der();
        assert_eq!(not_before(&der).unwrap(), describe(&der).unwrap().not_before);
        assert_eq!(not_before(&der[..60]), None);
    }
}

#[test]
fn the_public_key_hash_matches_the_certificate_to_its_key() {
    for (certificate, _) in certificates() {
        let der = certificate.der();
        assert_eq!(public_key_hash(&der).unwrap()[..], certificate.public_key_hash());
        assert_eq!(public_key_hash(&der[..150]), None);
    }
}

/// A certificate with a subject of this many bytes, and without the device ID's extension.
fn with_subject(length: usize) -> Vec<u8> {
    let text = "x".repeat(length).leak();
    Certificate { subject: text, device_id: None, ..Certificate::workplace_join() }.der()
}

#[test]
fn a_certificate_above_64_kib_is_not_parsed() {
    let around = with_subject(60_000).len() - 60_000;
    let largest = with_subject(MAX_SIZE - around);
    assert_eq!(largest.len(), MAX_SIZE);
    let description = describe(&largest).unwrap();
    assert_eq!(description.fields.subject, format!("CN={}", "x".repeat(252)));
    assert_eq!((issuer(&largest, None), is_parsable(&largest)), (Issuer::WorkplaceJoin, true));
    let larger = with_subject(MAX_SIZE - around + 1);
    assert_eq!((issuer(&larger, None), is_parsable(&larger)), (Issuer::Unknown, false));
    assert_eq!((describe(&larger), not_before(&larger), public_key_hash(&larger)), (None, None, None));
    let stored = GeneratedIssuer::Contoso.normalised();
    assert_eq!(issuer(&larger, Some(&stored)), Issuer::Another { readable: false });
}

#[test]
fn a_serial_number_and_an_issuer_are_cut_at_255_characters() {
    let certificate = Certificate { serial: vec![0x5A; 200], ..Certificate::workplace_join() };
    let fields = describe(&certificate.der()).unwrap().fields;
    assert_eq!(fields.serial, "5a".repeat(128)[..255]);
}

#[test]
fn a_device_id_is_taken_only_from_a_subject_that_is_a_string() {
    let device = "A1B2C3D4-0001-4002-8003-000000000001";
    let certificate = Certificate { subject: device, device_id: None, ..Certificate::workplace_join() };
    let der = certificate.der();
    assert_eq!(describe(&der).unwrap().device_id, Some(device.to_ascii_lowercase()));
    let place = der.windows(36).position(|window| window == device.as_bytes()).unwrap();
    let mut octets = der.clone();
    assert_eq!(octets[place - 2], 0x0C);
    octets[place - 2] = 0x04;
    assert_eq!(describe(&octets).unwrap().device_id, None);
}
