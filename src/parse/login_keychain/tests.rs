use std::cell::Cell;

use fixture_generator::{Certificate, GenericPassword, Keychain as Generated, Relation};
use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;
use crate::parse::keychain::ErrorKind;

fn other_reading(certificates: &[&Certificate], keys: &[&Certificate]) -> OtherReading {
    let labels = keys.iter().map(|certificate| Some(certificate.public_key_hash()));
    OtherReading::new(labels, certificates.iter().map(|certificate| certificate.der()))
}

fn details(keychain: &Generated) -> LoginKeychain {
    read(keychain.to_bytes().as_slice(), Depth::Details).unwrap()
}

/// Counts the bytes that are read.
struct Counted<'a>(&'a [u8], Cell<u64>);

impl ReadAt for Counted<'_> {
    fn length(&self) -> std::io::Result<u64> {
        self.0.length()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
        self.1.set(self.1.get() + buffer.len() as u64);
        self.0.read_exact_at(buffer, offset)
    }
}

#[test]
fn of_identities_whose_validity_starts_at_the_same_time_the_first_is_chosen() {
    let first = Certificate::workplace_join();
    let second = Certificate { key: 2, serial: vec![1], ..first.clone() };
    let mut keychain = Generated::new();
    for certificate in [&first, &second] {
        keychain = keychain.certificate(certificate).workplace_join_key(certificate);
    }
    let found = read(keychain.to_bytes().as_slice(), Depth::State).unwrap();
    let described = found.workplace_join_identity().unwrap().description.as_ref().unwrap();
    assert_eq!(described.fields.serial, "9c3f21550ae14b8d4077c2106e935a01");
}

/// A certificate with a serial number that contains this number.
fn numbered(number: u8, not_before: &'static str, key: u8) -> Certificate {
    Certificate { serial: vec![1, number], not_before, key, ..Certificate::workplace_join() }
}

#[test]
fn of_many_certificates_the_first_hundred_and_the_latest_identity_are_kept() {
    let joined = numbered(0, "20200101000000Z", 1);
    let without_key = numbered(0, "20300101000000Z", 2);
    let early = (0..150).map(|number| numbered(number, "20200101000000Z", 1));
    for place in [0, 99, 100, 101, 150] {
        let mut certificates: Vec<Certificate> = early.clone().collect();
        certificates.insert(place, numbered(200, "20250101000000Z", 1));
        // Neither of these is chosen: one starts later but lacks its key, the other is not the first of equal ones.
        certificates.extend([without_key.clone(), numbered(201, "20250101000000Z", 1)]);
        let keychain = certificates.iter().fold(Generated::new(), Generated::certificate).workplace_join_key(&joined);
        for depth in [Depth::State, Depth::Details] {
            let found = read(keychain.to_bytes().as_slice(), depth).unwrap();
            let without_key = usize::from(depth == Depth::Details);
            assert_eq!((found.certificates, found.identities), (153, 152));
            assert_eq!((found.workplace_join_identities, found.workplace_join_without_key), (152, without_key));
            assert_eq!(found.workplace_join.len(), 101 + without_key);
            let serial = &found.workplace_join_identity().unwrap().description.as_ref().unwrap().fields.serial;
            assert_eq!(serial, "01c8", "{place} {depth:?}");
        }
    }
}

#[test]
fn of_the_identities_of_expected_tenants_the_latest_counts() {
    const OURS: &str = "7e0c6b1d-2f4a-4c58-9d3e-1a2b3c4d5e6f";
    const OTHER: &str = "11111111-1111-1111-1111-111111111111";
    let of = |number, from, tenant_id| Certificate { tenant_id, ..numbered(number, from, 1) };
    let ours = Certificate::workplace_join().tenant_id;
    let certificates = [
        of(1, "20200101000000Z", ours),
        of(2, "20210101000000Z", ours),
        of(3, "20240101000000Z", Some([0x11; 16])),
        of(4, "20190101000000Z", None),
    ];
    let keychain = certificates.iter().fold(Generated::new(), Generated::certificate);
    let keychain = keychain.workplace_join_key(&certificates[0]).to_bytes();
    for depth in [Depth::State, Depth::Details] {
        let found = read(keychain.as_slice(), depth).unwrap();
        let year = |tenants: &[&str]| {
            let tenants = Tenants::new(tenants.iter().map(|&id| id.to_owned()));
            found.identity_of(&tenants).map(|identity| identity.not_before.unwrap().to_string()[..4].to_owned())
        };
        assert_eq!(year(&[]).as_deref(), Some("2024"));
        assert_eq!(year(&[OURS]).as_deref(), Some("2021"));
        assert_eq!(year(&[OTHER]).as_deref(), Some("2024"));
        // An identity whose tenant is unknown counts, because it may belong to an expected one.
        assert_eq!(year(&["22222222-2222-2222-2222-222222222222"]).as_deref(), Some("2019"));
    }
}

#[test]
fn an_identity_of_the_expected_tenant_is_found_among_hundreds_of_another() {
    let foreign = |number, from| Certificate { tenant_id: Some([0x11; 16]), ..numbered(number, from, 1) };
    let tenants = Tenants::new(["7e0c6b1d-2f4a-4c58-9d3e-1a2b3c4d5e6f".to_owned()]);
    for before in [0, 99, 100, 101] {
        let mut certificates: Vec<Certificate> = (0..before).map(|it| foreign(it, "20200101000000Z")).collect();
        certificates.push(numbered(200, "20200101000000Z", 1));
        certificates.push(foreign(201, "20300101000000Z"));
        let keychain = certificates.iter().fold(Generated::new(), Generated::certificate);
        let keychain = keychain.workplace_join_key(&certificates[0]).to_bytes();
        for depth in [Depth::State, Depth::Details] {
            let found = read_for(keychain.as_slice(), depth, &tenants).unwrap();
            assert!(found.identity_of(&tenants).is_some(), "{before} {depth:?}");
        }
    }
}

#[test]
fn if_tenants_are_expected_a_known_tenant_takes_precedence_over_a_later_unknown_one() {
    let certificates =
        [numbered(1, "20200101000000Z", 1), Certificate { tenant_id: None, ..numbered(2, "20250101000000Z", 1) }];
    let keychain = certificates.iter().fold(Generated::new(), Generated::certificate);
    let found = details(&keychain.workplace_join_key(&certificates[0]));
    let tenants = Tenants::new(["7e0c6b1d-2f4a-4c58-9d3e-1a2b3c4d5e6f".to_owned()]);
    assert!(found.identity_of(&tenants).unwrap().tenant_id().is_some());
    assert!(found.workplace_join_identity().unwrap().tenant_id().is_none());
}

#[test]
fn an_identity_that_cannot_be_parsed_is_chosen_if_its_validity_starts_last() {
    let issuer = fixture_generator::Issuer::WorkplaceJoinUniversal;
    let latest = Certificate { issuer, ..numbered(1, "20300101000000Z", 1) };
    for certificates in
        [[latest.clone(), numbered(2, "20250101000000Z", 1)], [numbered(2, "20250101000000Z", 1), latest]]
    {
        let keychain = certificates.iter().fold(Generated::new(), Generated::certificate);
        let found = details(&keychain.workplace_join_key(&certificates[0]));
        let identity = found.workplace_join_identity().unwrap();
        assert_eq!(identity.not_before.unwrap().to_string(), "2030-01-01T00:00:00Z");
        assert_eq!(identity.description, None);
        assert_eq!(found.details.unwrap().unparsable_certificates, 1);
    }
}

#[test]
fn unparsable_certificates_are_counted_and_the_first_is_located() {
    let own = Certificate::contoso();
    let bad = || b"not a certificate".to_vec();
    let keychain = Generated::new().certificate(&own).certificate_record(&own, bad()).certificate_record(&own, bad());
    let bytes = keychain.to_bytes();
    let first = bytes.windows(bad().len()).position(|window| window == bad()).unwrap() - (24 + 4 * 9);
    let found = details(&keychain).details.unwrap();
    assert_eq!((found.unparsable_certificates, found.first_unparsable_certificate), (2, Some(first as u64)));
}

#[test]
fn a_keychain_with_too_many_tables_or_record_numbers_is_refused() {
    let bytes = Generated::new().to_bytes();
    let mut tables = bytes.clone();
    tables[24..28].copy_from_slice(&65u32.to_be_bytes());
    let error = Error { kind: ErrorKind::Directory, offset: 24 };
    assert_eq!(read(tables.as_slice(), Depth::State), Err(error));
    let free = |count| {
        let keychain = (0..count).fold(Generated::new(), |keychain, _| keychain.free(Relation::Certificate));
        read(keychain.to_bytes().as_slice(), Depth::State).map(|found| found.certificates).map_err(|error| error.kind)
    };
    assert_eq!(free(1024 * 1024), Ok(0));
    assert_eq!(free(1024 * 1024 + 1), Err(ErrorKind::TooManyRecordNumbers(1024 * 1024 + 1)));
}

#[test]
fn a_label_of_more_than_64_bytes_matches_no_certificate() {
    let joined = Certificate::workplace_join();
    for (length, pairs) in [(20, true), (64, true), (65, false), (100_000, false)] {
        let label = [vec![7; length]];
        let keychain = Generated::new().certificate(&joined).with_public_key_hashes(&label);
        let found = details(&keychain.private_key(["Microsoft Workplace Join Key", ""], &label));
        assert_eq!((found.identities, found.workplace_join_identity().is_some()), (usize::from(pairs), pairs));
        assert_eq!(found.details.unwrap().keys_without_certificate, usize::from(!pairs), "{length}");
    }
}

#[test]
fn a_user_principal_name_that_is_too_long_is_not_known() {
    let name = |length: usize, modified| GenericPassword::user_principal_name("a".repeat(length).leak(), modified);
    let found = |passwords: [GenericPassword; 2]| {
        let keychain = passwords.iter().fold(Generated::new(), Generated::generic_password);
        details(&keychain).details.unwrap().user_principal_name
    };
    let old = name(7, "20240101000000Z");
    assert_eq!(found([old, name(255, "20250101000000Z")]), Some("a".repeat(255)));
    // An older name would be wrong.
    assert_eq!(found([old, name(256, "20250101000000Z")]), None);
    assert_eq!(found([old, name(256, "20230101000000Z")]), Some("a".repeat(7)));
}

#[test]
fn the_name_of_the_issuer_is_searched_in_the_first_16_mib_of_other_records() {
    let filler = GenericPassword { account: "x".repeat(1024 * 1024).leak(), ..GenericPassword::wifi() };
    let named = GenericPassword::identity_preference();
    let found = |fillers: usize| {
        let keychain = (0..fillers).fold(Generated::new(), |keychain, _| keychain.generic_password(&filler));
        details(&keychain.generic_password(&named)).details.unwrap()
    };
    for (fillers, is_found) in [(0, true), (15, true), (16, false)] {
        let details = found(fillers);
        assert_eq!((details.issuer_name_elsewhere, details.other_records), (is_found, Ok(())), "{fillers}");
    }
}

#[test]
fn too_many_keys_or_certificates_are_refused_at_every_depth() {
    let own = Certificate::contoso();
    let labels = |count: usize| (0..count).map(|label| label.to_be_bytes().to_vec()).collect::<Vec<_>>();
    // 99 keys with a thousand labels each, and `without` keys without labels.
    let numbers = |without: usize| [1000; 99].into_iter().chain(vec![0; without]);
    let keys = |without| numbers(without).fold(Generated::new(), |it, count| it.private_key(["", ""], &labels(count)));
    let certificates = |without| {
        numbers(without).fold(Generated::new(), |it, count| {
            it.certificate_record(&own, Vec::new()).with_public_key_hashes(&labels(count))
        })
    };
    let outcome = |keychain: Generated| {
        let bytes = keychain.to_bytes();
        let [state, details] = [Depth::State, Depth::Details].map(|depth| {
            read(bytes.as_slice(), depth).map(|found| (found.private_keys, found.certificates)).map_err(|it| it.kind)
        });
        assert_eq!(state, details);
        state
    };
    assert_eq!(outcome(keys(1000)), Ok((1099, 0)));
    assert_eq!(outcome(keys(1001)), Err(ErrorKind::TooManyKeys));
    assert_eq!(outcome(certificates(1000)), Ok((0, 1099)));
    assert_eq!(outcome(certificates(1001)), Err(ErrorKind::TooManyCertificates));
}

#[test]
fn what_the_other_reader_finds_is_judged_by_the_same_rules() {
    let (joined, own) = (Certificate::workplace_join(), Certificate::contoso());
    let found = other_reading(&[&joined, &own], &[&joined]).judged.unwrap();
    assert_eq!((found.certificates, found.private_keys, found.identities), (2, 1, 1));
    let identity = found.workplace_join_identity().unwrap().description.as_ref().unwrap();
    assert_eq!(identity.device_id.as_deref(), Some(joined.subject));
}

#[test]
fn a_key_that_the_other_reader_does_not_find_may_exist() {
    let (joined, own) = (Certificate::workplace_join(), Certificate::contoso());
    let readings = [other_reading(&[], &[]), other_reading(&[&own], &[&own]), other_reading(&[&joined, &own], &[&own])];
    for reading in readings {
        assert_eq!(reading.judged, None);
    }
}

#[test]
fn an_unreadable_certificate_from_the_other_reader_neither_proves_nor_hides_a_key() {
    let (joined, own) = (Certificate::workplace_join(), Certificate::contoso());
    let labels = || [&own, &joined].map(|certificate| Some(certificate.public_key_hash()));
    for der in [joined.der()[..150].to_vec(), b"MS-Organization-Access".to_vec()] {
        assert_eq!(OtherReading::new(labels(), [own.der(), der.clone()]).judged, None);
        assert!(OtherReading::new(labels(), [own.der(), der, joined.der()]).judged.is_some());
    }
}

#[test]
fn results_survive_serialisation() {
    let (joined, own) = (Certificate::workplace_join(), Certificate::contoso());
    let found = details(&Generated::new().certificate(&joined).certificate(&own).workplace_join_key(&joined));
    let text = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<LoginKeychain>(&text).unwrap(), found);
}

/// Everything that the state depends on: the chosen identity, the unknown issuer and the counts.
type Answer = (Option<WorkplaceJoinCertificate>, Option<u64>, [usize; 4]);

fn answer(bytes: &[u8], depth: Depth) -> Result<Answer, Error> {
    let source = Counted(bytes, Cell::new(0));
    let found = read(&source, depth);
    assert!(source.1.get() <= 8 * bytes.len() as u64 + 64 * 1024, "{} of {} bytes", source.1.get(), bytes.len());
    found.map(|found| {
        let counts = [found.certificates, found.private_keys, found.identities, found.workplace_join_identities];
        (found.workplace_join_identity().cloned(), found.unknown_issuer, counts)
    })
}

/// Keychains with and without a key, with issuers of all kinds, and with cut certificates and free record numbers.
fn keychains() -> impl Strategy<Value = Vec<u8>> {
    use fixture_generator::Issuer::{Contoso, WorkplaceJoin, WorkplaceJoinOctets, WorkplaceJoinUniversal};
    let issuers = proptest::sample::select(vec![WorkplaceJoin, WorkplaceJoinUniversal, WorkplaceJoinOctets, Contoso]);
    let not_before = proptest::sample::select(vec!["20240229123456Z", "20510101000000Z"]);
    let certificate = (issuers.clone(), issuers, not_before, 1..4u8, any::<Option<Index>>());
    (vec(certificate, 0..6), vec(1..4u8, 0..4), 0..3usize).prop_map(|(certificates, keys, passwords)| {
        let mut keychain = Generated::new();
        for (issuer, stored, not_before, key, cut) in certificates {
            let certificate = Certificate { issuer, not_before, key, ..Certificate::workplace_join() };
            let mut der = certificate.der();
            if let Some(cut) = cut {
                der.truncate(cut.index(der.len()));
            }
            keychain = keychain.certificate_record_with_issuer(&certificate, der, stored.normalised());
        }
        for key in keys {
            keychain = keychain.workplace_join_key(&Certificate { key, ..Certificate::workplace_join() });
        }
        for _ in 0..passwords {
            keychain = keychain.generic_password(&GenericPassword::identity_preference()).free(Relation::PrivateKey);
        }
        keychain.to_bytes()
    })
}

/// Changes to a keychain: an atom gets one of these values, or a byte changes.
fn changes() -> impl Strategy<Value = Vec<(Index, Option<u32>, u8)>> {
    let atom = proptest::sample::select(vec![0, 1, 4, 0x7FFF_FFFF, 0xFFFF_FFFF]);
    vec((any::<Index>(), proptest::option::of(atom), any::<u8>()), 0..3)
}

proptest! {
    // A failing input is printed, and should become its own test.
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn both_depths_give_the_same_answer_for_the_same_file(mut bytes in keychains(), changes in changes()) {
        for (place, atom, byte) in changes {
            let place = place.index(bytes.len());
            match (atom, bytes.get_mut(place / 4 * 4..place / 4 * 4 + 4)) {
                (Some(atom), Some(bytes)) => bytes.copy_from_slice(&u32::to_be_bytes(atom)),
                _ => bytes[place] ^= byte,
            }
        }
        prop_assert_eq!(answer(&bytes, Depth::State), answer(&bytes, Depth::Details));
    }
}
