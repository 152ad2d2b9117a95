//! Reads certificates, keys and clear attributes from the macOS file keychain (`login.keychain-db`, magic `kych`).
//!
//! Nothing is decrypted, so the result is the same for a locked and an unlocked keychain. Only the tables that are
//! needed are read.
//!
//! # Format
//!
//! The format is the one in Apple's source (apple-oss-distributions/Security, `OSX/libsecurity_filedb/lib`). Everything
//! is a big-endian `u32`, an *atom*, at an offset divisible by 4.
//!
//! | file offset | |
//! |---|---|
//! | 0 | magic `kych` |
//! | 4 | version, `0x0001_0000` |
//! | 8 | offset of the authentication section (16): one zero atom, ignored |
//! | 12 | offset of the schema section (20) |
//! | 20 | schema section |
//! | last 4 bytes | version id: 1 at creation, one more with each commit |
//!
//! **Schema section**, offsets relative to it: size, number of tables, offset of each table; then the tables, back to
//! back.
//!
//! **Table**, offsets relative to it: 0 size, with its indexes · 4 relation id · 8 number of records · 12 offset of the
//! records (28 + 4·M) · 16 offset of the indexes (where the records end) · 20 head of the free list · 24 number M of
//! record numbers, at least 1 · 28 for each record number the offset of its record, or 0 or an odd link if it is free.
//! Records are back to back; their order need not follow their numbers.
//!
//! **Record**, offsets relative to it: 0 size · 4 record number · 8 create version · 12 record version · 16 size D of
//! the data · 20 semantic information (0) · 24 an offset for each attribute of the relation · the data, padded to an
//! atom · the values, in the order of the attributes. An attribute's offset is 0: no value; odd: one value, at the
//! offset less 1; even: at the offset an atom with the number of values, then these.
//!
//! **Values**: `STRING` 0, `BIG_NUM` 3, `BLOB` 6 are an atom with the length, the bytes, and padding to an atom;
//! `SINT32` 1 and `UINT32` 2 an atom; `REAL` 4 eight bytes; `TIME_DATE` 5 sixteen bytes `YYYYMMDDhhmmssZ\0`;
//! `MULTI_UINT32` 7 an atom with the count and as many atoms. `COMPLEX` 8 is refused, as macOS does.
//!
//! **Relations**: 0 to 3 describe the others and are in every keychain. Relation 2 has a row for each attribute of each
//! relation, and the order of the rows is the order of the attributes. There is no certificate table until the first
//! certificate is stored; macOS declares the relation and creates its table in the same commit.
//!
//! **Clear**: attributes, certificates, schema, indexes. **Encrypted**: key material, passwords, master keys.
//!
//! # Unknown or unused parts
//!
//! The purpose of the authentication section is unknown. The indexes are skipped, although macOS refuses a file whose
//! indexes it cannot read. How free record numbers are linked is unknown, so any 0 or odd entry counts as free.
//!
//! # Damage
//!
//! This reader is stricter than macOS. It requires tables back to back, records that fill their table, record numbers
//! that lead to exactly these records, values where the schema places them, zeros as padding, and a table for each
//! declared relation and the reverse. All real keychains that were examined have this form. Anything else is an
//! [`Error`], never a shorter list of records. A file with more tables, record numbers, keys or certificates than any
//! real keychain is an error, too.

#![forbid(unsafe_code)]

mod error;
mod id;
mod record;
mod relation;
mod schema;
mod section;
mod table;

use std::collections::BTreeMap;

pub use error::{Error, ErrorKind};
pub use id::{AttributeId, RelationId};
pub use section::ReadAt;

use record::Record;
use relation::{Format, Relation};
use schema::Schema;
use section::{ATOM, Extent, Window};
use table::Table;

const MAGIC: &[u8] = b"kych";
const SQLITE_MAGIC: &[u8] = b"SQLi";
const VERSION: u32 = 0x0001_0000;
const AUTH_SECTION: u64 = 16;
const HEADER: u64 = 20;

/// The size in bytes of what precedes the offsets in the table directory: the section's size and the number of tables.
const DIRECTORY: u64 = 2 * ATOM;

/// The most tables that are read. Real keychains have 11 to 16, and a hostile directory costs time.
const MAX_TABLES: u32 = 64;

/// The most private keys or certificates that are read. One with several labels or public key hashes counts once for
/// each: normally there is one, but a hostile file may have a thousand.
const MAX_KEYS_OR_CERTIFICATES: usize = 100_000;

/// A keychain whose directory and schema have been read.
#[derive(Debug)]
pub struct Keychain<R> {
    source: R,
    tables: BTreeMap<RelationId, Table>,
    schema: Schema,
}

impl<R: ReadAt> Keychain<R> {
    /// Reads the header, the table directory and the schema.
    /// Fails if this is not a keychain, or a damaged one.
    pub fn open(source: R) -> Result<Self, Error> {
        let length = source.length().map_err(|error| ErrorKind::from_read(&error).at(0))?;
        let mut window = Window::exact(&source, Extent::file(length));
        let section = read_header(&mut window, length)?;
        let tables = read_directory(&mut window, section)?;
        let schema = read_schema(&source, &tables, section)?;
        Ok(Self { source, tables, schema })
    }

    /// Calls `visit` with each private key.
    /// Fails if the table is damaged or reading fails; what `visit` got before that must be discarded.
    pub fn private_keys(&self, mut visit: impl FnMut(PrivateKey<'_>)) -> Result<(), Error> {
        let columns = [AttributeId::KEY_LABEL, AttributeId::KEY_PRINT_NAME, AttributeId::KEY_APPLICATION_TAG];
        let mut count = 0;
        self.try_visit(RelationId::PRIVATE_KEY, columns.map(|id| (id, Format::Bytes)), |record, columns| {
            let key = PrivateKey { record, columns };
            count += key.labels().count().max(1);
            if count > MAX_KEYS_OR_CERTIFICATES {
                return Err(ErrorKind::TooManyKeys.at(record.start()));
            }
            visit(key);
            Ok(())
        })
    }

    /// Calls `visit` with each certificate; there are none if there is no certificate table yet.
    /// Fails if the table is damaged or reading fails; what `visit` got before that must be discarded.
    pub fn certificates(&self, mut visit: impl FnMut(Certificate<'_>)) -> Result<(), Error> {
        let columns = [AttributeId::PUBLIC_KEY_HASH, AttributeId::ISSUER];
        let mut count = 0;
        self.try_visit(RelationId::CERTIFICATE, columns.map(|id| (id, Format::Bytes)), |record, columns| {
            let certificate = Certificate { record, columns };
            count += certificate.public_key_hashes().count().max(1);
            if count > MAX_KEYS_OR_CERTIFICATES {
                return Err(ErrorKind::TooManyCertificates.at(record.start()));
            }
            visit(certificate);
            Ok(())
        })
    }

    /// Calls `visit` with the clear attributes of each generic password.
    /// Fails if the table is damaged or reading fails; what `visit` got before that must be discarded.
    pub(crate) fn generic_passwords(&self, mut visit: impl FnMut(GenericPassword<'_>)) -> Result<(), Error> {
        let columns = [
            (AttributeId::ACCOUNT, Format::Bytes),
            (AttributeId::SERVICE, Format::Bytes),
            (AttributeId::MODIFIED, Format::Time),
        ];
        self.try_visit(RelationId::GENERIC_PASSWORD, columns, |record, columns| {
            visit(GenericPassword { record, columns });
            Ok(())
        })
    }

    /// Calls `visit` with the clear attribute values of each record that is not a certificate, one slice per record.
    /// Fails if a table is damaged or reading fails; what `visit` got before that must be discarded.
    pub(crate) fn values_outside_certificates(&self, mut visit: impl FnMut(&[u8])) -> Result<(), Error> {
        for (&id, table) in &self.tables {
            if let Some(relation) = self.schema.relation(id).filter(|_| id != RelationId::CERTIFICATE) {
                table.for_each_record(&self.source, relation, |record| {
                    visit(record.values_region());
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    /// Calls `visit` with each record of a relation and the positions of the wanted attributes; `visit` may fail.
    fn try_visit<const N: usize>(
        &self,
        id: RelationId,
        wanted: [(AttributeId, Format); N],
        mut visit: impl FnMut(&Record<'_>, [usize; N]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (Some(table), Some(relation)) = (self.tables.get(&id), self.schema.relation(id)) else {
            return Ok(());
        };
        let mut columns = [0; N];
        for (column, (attribute, format)) in columns.iter_mut().zip(wanted) {
            *column = relation.position_of(attribute, format).map_err(|kind| kind.at(table.extent().start()))?;
        }
        table.for_each_record(&self.source, relation, |record| visit(record, columns))
    }
}

/// A private key's clear attributes.
#[derive(Debug, Clone, Copy)]
pub struct PrivateKey<'a> {
    record: &'a Record<'a>,
    columns: [usize; 3],
}

impl<'a> PrivateKey<'a> {
    /// The labels, normally one: the public key hash of the key's certificate.
    pub fn labels(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let [label, ..] = self.columns;
        self.record.values(label)
    }

    /// The names that Keychain Access shows, and the application tags; they may end with a NUL.
    pub fn names(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let [_, print_name, application_tag] = self.columns;
        self.record.values(print_name).chain(self.record.values(application_tag))
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Certificate<'a> {
    record: &'a Record<'a>,
    columns: [usize; 2],
}

impl<'a> Certificate<'a> {
    /// Absolute offset of the record in the file.
    pub(crate) const fn offset(&self) -> u64 {
        self.record.start()
    }

    pub const fn der(&self) -> &'a [u8] {
        self.record.data()
    }

    /// The public key hashes, normally one: SHA-1 of the public key's bits.
    pub fn public_key_hashes(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let [public_key_hash, _] = self.columns;
        self.record.values(public_key_hash)
    }

    /// The issuer as macOS stored it: a name in DER, with normalised white space and case in some strings.
    pub(crate) fn stored_issuer(&self) -> Option<&'a [u8]> {
        let [_, issuer] = self.columns;
        self.record.values(issuer).next()
    }
}

/// A generic password's clear attributes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GenericPassword<'a> {
    record: &'a Record<'a>,
    columns: [usize; 3],
}

impl<'a> GenericPassword<'a> {
    pub(crate) fn account(&self) -> Option<&'a [u8]> {
        let [account, ..] = self.columns;
        self.record.values(account).next()
    }

    pub(crate) fn service(&self) -> Option<&'a [u8]> {
        let [_, service, _] = self.columns;
        self.record.values(service).next()
    }

    /// When the password was last changed: `YYYYMMDDhhmmssZ` and a NUL.
    pub(crate) fn modified(&self) -> Option<&'a [u8]> {
        let [.., modified] = self.columns;
        self.record.values(modified).next()
    }
}

/// Checks the file's header, and returns the extent of the schema section.
fn read_header<R: ReadAt>(file: &mut Window<'_, R>, length: u64) -> Result<Extent, Error> {
    if length == 0 {
        return Err(ErrorKind::Empty.at(0));
    }
    let header = file.section(0, length.min(HEADER + DIRECTORY))?;
    if !header.starts_like(MAGIC) {
        let kind = if header.starts_like(SQLITE_MAGIC) { ErrorKind::Sqlite } else { ErrorKind::NotAKeychain };
        return Err(kind.at(0));
    }
    let version = header.atom(4)?;
    if version.value != VERSION {
        return Err(version.error(ErrorKind::UnknownVersion(version.value)));
    }
    for (offset, expected) in [(8, AUTH_SECTION), (12, HEADER)] {
        let place = header.atom(offset)?;
        if u64::from(place.value) != expected {
            return Err(place.error(ErrorKind::Directory));
        }
    }
    let size = header.atom(HEADER)?;
    let end = HEADER + u64::from(size.value) + ATOM;
    if end > length {
        return Err(size.error(ErrorKind::Truncated));
    }
    Extent::file(length)
        .carve(HEADER, u64::from(size.value))
        .filter(|_| end == length)
        .ok_or_else(|| size.error(ErrorKind::Directory))
}

/// Reads the table directory and each table's header.
fn read_directory<R: ReadAt>(file: &mut Window<'_, R>, section: Extent) -> Result<BTreeMap<RelationId, Table>, Error> {
    let wrong_directory = || ErrorKind::Directory.at(section.start());
    let start = section.carve(0, DIRECTORY).ok_or_else(wrong_directory)?.start();
    let count = file.section(start + ATOM, ATOM)?.atom(0)?;
    if count.value > MAX_TABLES {
        return Err(count.error(ErrorKind::Directory));
    }
    let directory_size = DIRECTORY + ATOM * u64::from(count.value);
    let directory = section.carve(0, directory_size).ok_or_else(|| count.error(ErrorKind::Directory))?;
    let places = file.section(directory.start(), directory.length())?;
    let places = (0..u64::from(count.value))
        .map(|index| places.atom(DIRECTORY + ATOM * index))
        .collect::<Result<Vec<_>, Error>>()?;
    let mut tables = BTreeMap::new();
    for place in &places {
        let header =
            section.carve(u64::from(place.value), table::HEADER).ok_or_else(|| place.error(ErrorKind::TablePlace))?;
        let header = file.section(header.start(), header.length())?;
        let (relation, table) = Table::parse(header, section, u64::from(place.value))?;
        if tables.insert(relation, table).is_some() {
            return Err(ErrorKind::DuplicateTable(relation).at(header.start()));
        }
    }
    check_places(tables.values().map(|table| table.extent()), section, directory)?;
    match RelationId::SCHEMA.into_iter().find(|relation| !tables.contains_key(relation)) {
        Some(relation) => Err(ErrorKind::MissingTable(relation).at(count.at)),
        None => Ok(tables),
    }
}

/// Checks that the tables are back to back from the directory to the end of the section, in any order.
fn check_places(tables: impl Iterator<Item = Extent>, section: Extent, directory: Extent) -> Result<(), Error> {
    let mut tables: Vec<Extent> = tables.collect();
    tables.sort_unstable_by_key(|table| table.start());
    let mut end = directory.end();
    for table in tables {
        if table.start() != end {
            return Err(ErrorKind::TablePlace.at(table.start()));
        }
        end = table.end();
    }
    if end == section.end() { Ok(()) } else { Err(ErrorKind::TablePlace.at(section.start())) }
}

/// Reads which attributes the records of each relation have.
fn read_schema<R: ReadAt>(source: &R, tables: &BTreeMap<RelationId, Table>, section: Extent) -> Result<Schema, Error> {
    let rows = tables
        .get(&RelationId::SCHEMA_ATTRIBUTES)
        .ok_or_else(|| ErrorKind::MissingTable(RelationId::SCHEMA_ATTRIBUTES).at(section.start()))?;
    let mut schema = Schema::default();
    rows.for_each_record(source, &Relation::of_schema_attributes(), |row| {
        schema.add_row(row, |relation| tables.contains_key(&relation))
    })?;
    let undeclared = tables.iter().find(|&(&relation, _)| {
        !relation.is_schema() && relation != RelationId::METADATA && schema.relation(relation).is_none()
    });
    match undeclared {
        Some((&relation, table)) => Err(ErrorKind::UndeclaredRelation(relation).at(table.extent().start())),
        None => Ok(schema),
    }
}
