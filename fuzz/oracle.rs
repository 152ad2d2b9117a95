//! What the fuzz targets compare with: an independent keychain reader, and a counter of the bytes that are read.

use std::{cell::Cell, collections::BTreeSet, io};

use keychain::{KeychainFile, RecordType};
use wpj_state::parse::{
    certificate::{self, Issuer},
    keychain::{Error, Keychain, ReadAt},
    login_keychain::OtherReading,
    records::{Comparison, Counts, Records, compare},
};

const PRIVATE_KEYS: u32 = 0x10;
const CERTIFICATES: u32 = 0x8000_1000;
const LABEL: u32 = 6;
const PUBLIC_KEY_HASH: u32 = u32::from_be_bytes(*b"hpky");

/// How many times each byte may be read on average, and how many bytes may be read in addition.
const MOST_READS: usize = 8;
const MOST_EXTRA: usize = 64 * 1024;

/// Bytes that count how many of them are read.
pub struct Watched<'a> {
    bytes: &'a [u8],
    read: Cell<usize>,
}

impl<'a> Watched<'a> {
    /// Starts to count the reads of these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, read: Cell::new(0) }
    }

    /// Checks that the number of bytes read is proportional to the file's size, and that an error's offset is in the
    /// file.
    pub fn check<T>(&self, result: &Result<T, Error>) {
        let most = MOST_READS * self.bytes.len() + MOST_EXTRA;
        assert!(self.read.get() <= most, "{} of {} bytes were read", self.read.get(), self.bytes.len());
        if let Err(error) = result {
            assert!(error.offset < self.bytes.len().max(1) as u64, "{error:?} is outside the file");
        }
    }
}

impl ReadAt for Watched<'_> {
    fn length(&self) -> io::Result<u64> {
        self.bytes.length()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read.set(self.read.get() + buffer.len());
        assert!(buffer.len() <= self.bytes.len(), "{} bytes were read at once", buffer.len());
        self.bytes.read_exact_at(buffer, offset)
    }
}

/// What the crate keychain-db finds in a file.
pub struct Theirs {
    /// Certificates with their stored public key hashes, and the labels of the keys.
    certificates: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    labels: BTreeSet<Vec<u8>>,
}

impl Theirs {
    /// Reads a file that our reader accepts, after adapting it for keychain-db; `None` if keychain-db cannot read it.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let file = KeychainFile::from_bytes(&for_keychain_db(bytes)?).ok()?;
        let values = |relation: u32, id: u32| {
            let relation = RecordType(relation);
            let attributes = file.schema().relation(relation).map(|it| it.attributes.as_slice()).unwrap_or_default();
            let place = attributes.iter().position(|attribute| attribute.id == id);
            let records = file.records_of_type(relation).into_iter();
            let value = |record: &keychain::Record| Some(record.attribute(place?)?.as_bytes()?.to_vec());
            records.map(|record| (record.key_data.clone(), value(record))).collect::<Vec<_>>()
        };
        let labels = values(PRIVATE_KEYS, LABEL).into_iter().filter_map(|(_, label)| label).collect();
        Some(Self { certificates: values(CERTIFICATES, PUBLIC_KEY_HASH), labels })
    }

    /// Whether these are the certificates and labels that our reader finds.
    pub fn agrees(&self, ours: &Records) -> bool {
        let certificates = self.certificates.iter().map(|(der, _)| der.clone());
        let theirs = OtherReading::new(self.labels.iter().cloned().map(Some), certificates).records;
        let Comparison { only_ours, only_theirs, .. } = compare(ours, &theirs);
        [only_ours, only_theirs] == [Counts::default(); 2]
    }

    /// Whether there is a Workplace Join key according to the rules; `None` if a certificate's issuer is known only
    /// from the keychain's copy.
    pub fn has_key(&self) -> Option<bool> {
        let is_label = |hash: &&Vec<u8>| (1..=64).contains(&hash.len());
        let has_key =
            |hash: &Option<Vec<u8>>| hash.as_ref().filter(is_label).is_some_and(|hash| self.labels.contains(hash));
        let identities = self.certificates.iter().filter(|(_, hash)| has_key(hash));
        let issuers: Vec<_> = identities.map(|(der, _)| certificate::issuer(der, None)).collect();
        if issuers.contains(&Issuer::WorkplaceJoin) {
            return Some(true);
        }
        (!issuers.contains(&Issuer::Unknown)).then_some(false)
    }
}

/// Whether a key or certificate has several values of a compared attribute. keychain-db reads their number as the
/// length of the first one.
pub fn has_several_values(bytes: &[u8]) -> bool {
    let several = Cell::new(false);
    let Ok(keychain) = Keychain::open(bytes) else { return false };
    let keys = keychain.private_keys(|key| several.set(several.get() || key.labels().count() != 1));
    let certificates = keychain.certificates(|it| several.set(several.get() || it.public_key_hashes().count() != 1));
    several.get() || keys.is_err() || certificates.is_err()
}

const SCHEMA: usize = 20;
const SCHEMA_ATTRIBUTES: usize = 2;
const TABLE_RELATION: usize = 4;
const TABLE_INDEXES: usize = 16;
const TABLE_SLOT_COUNT: usize = 24;
const TABLE_SLOTS: usize = 28;

fn atom(bytes: &[u8], offset: usize) -> Option<usize> {
    let atom = bytes.get(offset..)?.first_chunk::<4>()?;
    usize::try_from(u32::from_be_bytes(*atom)).ok()
}

fn to_atom(number: usize) -> Option<[u8; 4]> {
    Some(u32::try_from(number).ok()?.to_be_bytes())
}

/// Overwrites bytes at an offset.
fn replace(bytes: &mut [u8], offset: usize, by: [u8; 4]) -> Option<()> {
    bytes.get_mut(offset..)?.first_chunk_mut().map(|chunk| *chunk = by)
}

/// Renumbers a table's records by their places in the file.
fn number_by_place(table: &mut [u8]) -> Option<()> {
    let slots = (0..atom(table, TABLE_SLOT_COUNT)?).map(|number| TABLE_SLOTS + 4 * number);
    let mut places: Vec<usize> = slots.clone().filter_map(|slot| atom(table, slot)).collect();
    // The other numbers are free.
    places.retain(|place| *place != 0 && place % 2 == 0);
    places.sort_unstable();
    for (number, slot) in slots.enumerate() {
        replace(table, slot, to_atom(places.get(number).copied().unwrap_or(0))?)?;
    }
    places.iter().enumerate().try_for_each(|(number, place)| replace(table, place + 4, to_atom(number)?))
}

/// The keychain in a form that keychain-db reads like macOS does.
///
/// The indexes are removed, because keychain-db allocates as many entries as an index claims to have, and refuses files
/// with damaged indexes. The rows that describe attributes are renumbered by their places, because macOS uses them in
/// that order, but keychain-db by number.
fn for_keychain_db(bytes: &[u8]) -> Option<Vec<u8>> {
    let count = atom(bytes, SCHEMA + 4)?;
    let mut offsets = Vec::new();
    let mut tables = Vec::new();
    let directory = 8 + 4 * count;
    for number in 0..count {
        let start = SCHEMA + atom(bytes, SCHEMA + 8 + 4 * number)?;
        let indexes = atom(bytes, start + TABLE_INDEXES)?;
        offsets.push(directory + tables.len());
        let mut table = bytes.get(start..start + indexes)?.to_vec();
        table.extend([to_atom(8)?, to_atom(0)?].concat());
        let size = to_atom(table.len())?;
        replace(&mut table, 0, size)?;
        if atom(&table, TABLE_RELATION)? == SCHEMA_ATTRIBUTES {
            number_by_place(&mut table)?;
        }
        tables.extend(table);
    }
    let mut file = bytes.get(..SCHEMA)?.to_vec();
    file.extend(to_atom(directory + tables.len())?);
    file.extend(to_atom(count)?);
    for offset in offsets {
        file.extend(to_atom(offset)?);
    }
    file.extend(tables);
    file.extend(bytes.get(bytes.len().checked_sub(4)?..)?);
    Some(file)
}

#[cfg(test)]
mod tests {
    use fixture_generator::{Certificate, Keychain, situations};

    use super::*;

    #[test]
    fn attributes_are_used_in_the_order_of_their_places() {
        let [joined, own] = [Certificate::workplace_join(), Certificate::contoso()];
        let keychain = Keychain::new().certificate(&joined).workplace_join_key(&joined).certificate(&own);
        let bytes = keychain.with_schema_reversed().to_bytes();
        let theirs = Theirs::read(&bytes).expect("keychain-db reads it");
        assert!(theirs.agrees(&Records::read(bytes.as_slice()).expect("our reader reads it")));
        assert_eq!(theirs.has_key(), Some(true));
        // Without the change, keychain-db uses the rows by number.
        let file = KeychainFile::from_bytes(&bytes).expect("keychain-db reads it");
        let relation = file.schema().relation(RecordType(CERTIFICATES)).expect("there are certificates");
        assert_eq!(relation.attributes.last().map(|it| it.id), Some(PUBLIC_KEY_HASH));
    }

    #[test]
    fn each_fixture_has_the_intended_content_and_indexes() {
        for (name, keychain) in situations().into_iter().flat_map(|it| it.keychains) {
            if keychain.has_several_values() {
                continue;
            }
            let bytes = keychain.to_bytes();
            let theirs = Theirs::read(&bytes).expect("keychain-db reads it");
            let sorted = |mut values: Vec<Vec<u8>>| {
                values.sort();
                values
            };
            let own = |values: Vec<&[u8]>| sorted(values.into_iter().map(<[u8]>::to_vec).collect());
            assert_eq!(
                sorted(theirs.certificates.into_iter().map(|(der, _)| der).collect()),
                own(keychain.certificates()),
                "{name}"
            );
            assert_eq!(theirs.labels, own(keychain.key_labels()).into_iter().collect(), "{name}");
            let file = KeychainFile::from_bytes(&bytes).expect("keychain-db reads it");
            let mut rebuilt = file.keychain().clone();
            for table in &mut rebuilt.tables {
                if let Some(relation) = file.schema().relation(table.record_type) {
                    table.rebuild_indexes(relation).expect("keychain-db writes indexes");
                }
            }
            assert!(
                rebuilt.to_bytes().expect("keychain-db writes it") == bytes,
                "{name}: keychain-db's indexes are others"
            );
        }
    }
}
