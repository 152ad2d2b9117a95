//! For any generated keychain: the reader finds what was written, and a single changed bit never gives a wrong answer.

use std::{collections::BTreeSet, ops::Range};

use fixture_generator::{Certificate, GenericPassword, Issuer, Keychain, Relation};
use proptest::{collection::vec, prelude::*, sample::select};
use wpj_state::parse::{
    login_keychain::{self, Depth, LoginKeychain, OtherReading},
    records::Records,
};

/// A record that will be written, or a free number.
#[derive(Debug, Clone)]
enum Item {
    Certificate(Certificate),
    /// The labels, given as numbers of key pairs; 0 is an empty label.
    Key(bool, Vec<u8>),
    Password(GenericPassword),
    Free(Relation),
}

fn certificates() -> impl Strategy<Value = Certificate> {
    let issuer = select(vec![
        Issuer::WorkplaceJoin,
        Issuer::WorkplaceJoinLowerCase,
        Issuer::WorkplaceJoinBmp,
        Issuer::WorkplaceJoinOctets,
        Issuer::PeerToPeer,
        Issuer::WorkplaceJoinAsUnit,
        Issuer::Contoso,
    ]);
    let subject = select(vec!["0f5b8d8a-98d2-4e3f-8a6c-5d0a3f7e9b21", "a1b2c3d4-0001-4002-8003-000000000001", "", "x"]);
    let not_before = select(vec!["20200101000000Z", "20240229123456Z", "20510101000000Z"]);
    let guid = proptest::option::of(any::<[u8; 16]>());
    // Positive or negative, but without unneeded leading octets.
    let serial = vec(any::<u8>(), 1..20).prop_map(|mut serial| {
        serial[0] = if serial[0] < 0x80 { serial[0] | 0x40 } else { serial[0] & 0xBF };
        serial
    });
    (issuer, subject, not_before, guid.clone(), guid, serial, 1..6u8).prop_map(
        |(issuer, subject, not_before, device_id, tenant_id, serial, key)| Certificate {
            issuer,
            subject,
            serial,
            not_before,
            not_after: "20600101000000Z",
            device_id,
            tenant_id,
            key,
        },
    )
}

fn passwords() -> impl Strategy<Value = GenericPassword> {
    select(vec![
        GenericPassword::wifi(),
        GenericPassword::identity_preference(),
        GenericPassword::user_principal_name("adele.vance@contoso.com", "20240301000000Z"),
        GenericPassword::user_principal_name("ben.smith@contoso.com", "20240101000000Z"),
    ])
}

/// Records, with at most this many labels for each key.
fn items(labels: usize) -> impl Strategy<Value = Vec<Item>> {
    let relation = select(vec![Relation::Certificate, Relation::PrivateKey, Relation::GenericPassword]);
    let item = prop_oneof![
        4 => certificates().prop_map(Item::Certificate),
        4 => (any::<bool>(), vec(0..6u8, 0..=labels)).prop_map(|(is_named, labels)| Item::Key(is_named, labels)),
        2 => passwords().prop_map(Item::Password),
        2 => relation.prop_map(Item::Free),
    ];
    vec(item, 0..12)
}

/// The layout of the file: the relations whose records are in reverse order, whether the tables are in reverse order,
/// and whether there are unknown relations and attributes.
type Layout = ([bool; 3], bool, bool);

fn hash(key: u8) -> Vec<u8> {
    if key == 0 { Vec::new() } else { Certificate { key, ..Certificate::workplace_join() }.public_key_hash() }
}

fn keychain(items: &[Item], (reversed, tables_reversed, extras): Layout) -> Keychain {
    let mut keychain = Keychain::new();
    for item in items {
        keychain = match item {
            Item::Certificate(certificate) => keychain.certificate(certificate),
            Item::Key(is_named, labels) => {
                let names = ["Microsoft Workplace Join Key", "com.microsoft.workplacejoin.privatekey\0"];
                let names = if *is_named { names } else { ["Contoso", "\0"] };
                keychain.private_key(names, &labels.iter().map(|key| hash(*key)).collect::<Vec<_>>())
            }
            Item::Password(password) => keychain.generic_password(password),
            Item::Free(relation) => keychain.free(*relation),
        };
    }
    let relations = [Relation::Certificate, Relation::PrivateKey, Relation::GenericPassword];
    for (relation, _) in relations.into_iter().zip(reversed).filter(|(_, reversed)| *reversed) {
        keychain = keychain.reversed(relation);
    }
    if extras {
        keychain = keychain.with_extras();
    }
    if tables_reversed { keychain.with_tables_reversed() } else { keychain }
}

fn is_workplace_join(certificate: &Certificate) -> bool {
    use Issuer::{Contoso, PeerToPeer, WorkplaceJoinAsUnit, WorkplaceJoinOctets};
    !matches!(certificate.issuer, WorkplaceJoinOctets | PeerToPeer | WorkplaceJoinAsUnit | Contoso)
}

/// The content of a keychain, as written or as read.
#[derive(Debug, PartialEq)]
struct Summary {
    certificates: usize,
    private_keys: usize,
    identities: usize,
    /// For each Workplace Join certificate, the start of its validity and whether it has its key; sorted.
    workplace_join: Vec<(String, bool)>,
    has_key: bool,
}

impl Summary {
    fn of_items(items: &[Item]) -> Self {
        let certificates: Vec<&Certificate> =
            items.iter().filter_map(|item| if let Item::Certificate(it) = item { Some(it) } else { None }).collect();
        let keys: Vec<&Vec<u8>> =
            items.iter().filter_map(|item| if let Item::Key(_, labels) = item { Some(labels) } else { None }).collect();
        let has_key = |certificate: &Certificate| keys.iter().any(|labels| labels.contains(&certificate.key));
        let time = |time: &str| {
            let [year, month, day, hour, minute, second] =
                [(0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14)].map(|(start, end)| &time[start..end]);
            format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z")
        };
        let joined = certificates.iter().filter(|certificate| is_workplace_join(certificate));
        let mut workplace_join: Vec<_> = joined.map(|it| (time(it.not_before), has_key(it))).collect();
        workplace_join.sort();
        Self {
            certificates: certificates.len(),
            private_keys: keys.len(),
            identities: certificates.iter().filter(|certificate| has_key(certificate)).count(),
            has_key: workplace_join.iter().any(|(_, has_key)| *has_key),
            workplace_join,
        }
    }

    fn of(found: &LoginKeychain) -> Self {
        let entry = |it: &login_keychain::WorkplaceJoinCertificate| {
            (it.description.as_ref().unwrap().not_before.to_string(), it.has_private_key)
        };
        let mut workplace_join: Vec<_> = found.workplace_join.iter().map(entry).collect();
        workplace_join.sort();
        Self {
            certificates: found.certificates,
            private_keys: found.private_keys,
            identities: found.identities,
            workplace_join,
            has_key: found.workplace_join_identity().is_some(),
        }
    }
}

/// The offsets of the certificates and of the values that match them to keys, where a change may give another answer.
fn content(keychain: &Keychain, bytes: &[u8]) -> Vec<Range<usize>> {
    let values: BTreeSet<&[u8]> = keychain.certificates().into_iter().chain(keychain.key_labels()).collect();
    let places = |value: &[u8]| {
        let length = value.len();
        let starts = bytes.windows(length.max(1)).enumerate().filter(move |(_, window)| *window == value);
        starts.map(|(start, _)| start..start + length).collect::<Vec<_>>()
    };
    values.into_iter().flat_map(places).collect()
}

proptest! {
    // A failing input is printed, and should become its own test.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_reader_finds_what_was_written(items in items(2), layout in any::<Layout>()) {
        let keychain = keychain(&items, layout);
        let bytes = keychain.to_bytes();
        let [state, details] = [Depth::State, Depth::Details].map(|depth| login_keychain::read(bytes.as_slice(), depth).unwrap());
        let expected = Summary::of_items(&items);
        prop_assert_eq!(Summary::of(&details), Summary { ..expected });
        prop_assert_eq!(state.workplace_join_identity().is_some(), details.workplace_join_identity().is_some());
        // Of several identities, the one whose validity starts last is chosen.
        let newest = Summary::of_items(&items).workplace_join.into_iter().filter(|(_, has_key)| *has_key).max();
        let described = details.workplace_join_identity().map(|it| it.description.as_ref().unwrap().not_before.to_string());
        prop_assert_eq!(described, newest.map(|(not_before, _)| not_before));
        let labels = keychain.key_labels().into_iter().map(|label| Some(label.to_vec()));
        let put_in = OtherReading::new(labels, keychain.certificates().into_iter().map(<[u8]>::to_vec));
        prop_assert_eq!(Records::read(bytes.as_slice()).unwrap(), put_in.records);
    }

    #[test]
    fn a_single_changed_bit_never_gives_a_wrong_answer(
        items in items(1),
        layout in any::<Layout>(),
        places in vec((any::<proptest::sample::Index>(), 0..8u32), 64),
    ) {
        let keychain = keychain(&items, layout);
        let whole = keychain.to_bytes();
        let expected = Summary::of_items(&items).has_key;
        let content = content(&keychain, &whole);
        for (place, bit) in places {
            let mut bytes = whole.clone();
            let offset = place.index(bytes.len());
            bytes[offset] ^= 1 << bit;
            match login_keychain::read(bytes.as_slice(), Depth::State) {
                Err(error) => prop_assert!(error.offset < bytes.len() as u64, "{:?} is outside the file", error),
                Ok(found) if found.unknown_issuer.is_some() => {}
                Ok(found) => {
                    let answer = found.workplace_join_identity().is_some();
                    let is_content = content.iter().any(|range| range.contains(&offset));
                    prop_assert!(answer == expected || is_content, "bit {} at {}: {}", bit, offset, answer);
                }
            }
        }
    }
}
