//! Keychains like those that macOS writes, and unusual ones.
//!
//! This module writes every byte of the records, the tables and the file around them.
//!
//! Everything that macOS encrypts is a fixed filler here, so these keychains cannot be unlocked.

use std::collections::BTreeSet;

use crate::{
    certificate::{Certificate, Issuer},
    schema::{self, Attribute, BLOB, BY_INTEGER, Index, UINT32, code},
};

/// The kinds of records that can be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// Private keys.
    PrivateKey,
    /// Generic passwords.
    GenericPassword,
    /// X.509 certificates.
    Certificate,
}

impl Relation {
    const fn id(self) -> u32 {
        match self {
            Self::PrivateKey => 0x10,
            Self::GenericPassword => 0x8000_0000,
            Self::Certificate => 0x8000_1000,
        }
    }
}

const SCHEMA_INFO: u32 = 0;
const SCHEMA_INDEXES: u32 = 1;
const SCHEMA_ATTRIBUTES: u32 = 2;
const SCHEMA_PARSING_MODULES: u32 = 3;
const METADATA: u32 = 0x8000_8000;

/// Size of a table's header in bytes.
const TABLE_HEADER: usize = 28;

const CREATED: &str = "20240229123456Z";

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Number(u32),
    Bytes(Vec<u8>),
    Time(&'static str),
}

/// A record that will be written.
#[derive(Debug, Clone, Default)]
struct Record {
    data: Vec<u8>,
    /// The values by attribute ID; attributes that are not listed have no value.
    values: Vec<(u32, Vec<Value>)>,
}

impl Record {
    /// Replaces the data by the repeated `secret`. The first bytes stay, because they show what is encrypted after
    /// them.
    fn with_secret(mut self, secret: &[u8]) -> Self {
        const MAGIC: usize = 8;
        for (byte, secret) in self.data.iter_mut().skip(MAGIC).zip(secret.iter().cycle()) {
            *byte = *secret;
        }
        self
    }
}

/// A keychain that will be written.
#[derive(Debug, Clone, Default)]
pub struct Keychain {
    /// The records by number; a number without a record is free.
    private_keys: Vec<Option<Record>>,
    generic_passwords: Vec<Option<Record>>,
    certificates: Vec<Option<Record>>,
    reversed: BTreeSet<Relation>,
    tables_reversed: bool,
    schema_reversed: bool,
    has_certificate_table: bool,
    has_several_values: bool,
    /// Whether there are a relation and attributes that are not Apple's.
    has_extras: bool,
    /// The bytes to write instead of everything that macOS encrypts.
    secret: Option<&'static [u8]>,
    /// Whether to leave the indexes empty, because filling them takes too long for very many records.
    without_index_entries: bool,
}

impl Keychain {
    /// A keychain like a new one from macOS: no records, and no certificate table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a certificate.
    pub fn certificate(self, certificate: &Certificate) -> Self {
        let der = certificate.der();
        self.certificate_record(certificate, der)
    }

    /// Adds a certificate record with the attributes of a certificate, but other data.
    pub fn certificate_record(mut self, certificate: &Certificate, data: Vec<u8>) -> Self {
        let issuer = certificate.issuer.normalised();
        self.has_certificate_table = true;
        self.certificates.push(Some(certificate_record(certificate, data, issuer)));
        self
    }

    /// Adds a certificate record with the attributes of a certificate, but other data and another stored issuer.
    pub fn certificate_record_with_issuer(mut self, certificate: &Certificate, data: Vec<u8>, issuer: Vec<u8>) -> Self {
        self.has_certificate_table = true;
        self.certificates.push(Some(certificate_record(certificate, data, issuer)));
        self
    }

    /// Adds the private key of a certificate, with the names that Microsoft's library uses.
    pub fn workplace_join_key(self, certificate: &Certificate) -> Self {
        let names = ["Microsoft Workplace Join Key", "com.microsoft.workplacejoin.privatekey\0"];
        self.private_key(names, &[certificate.public_key_hash()])
    }

    /// Adds a key with these names (print name, application tag) and labels.
    pub fn private_key(mut self, names: [&str; 2], labels: &[Vec<u8>]) -> Self {
        self.has_several_values |= labels.len() > 1;
        self.private_keys.push(Some(private_key_record(names, labels)));
        self
    }

    /// Adds a generic password.
    pub fn generic_password(mut self, password: &GenericPassword) -> Self {
        self.generic_passwords.push(Some(password.record()));
        self
    }

    /// Leaves the next record number of a relation free, like after deleting a record.
    pub fn free(mut self, relation: Relation) -> Self {
        self.has_certificate_table |= relation == Relation::Certificate;
        self.slots_mut(relation).push(None);
        self
    }

    /// Gives the last certificate two aliases; macOS's own schema allows several values of any attribute.
    pub fn with_two_aliases(mut self) -> Self {
        self.has_several_values = true;
        if let Some(Some(record)) = self.certificates.last_mut() {
            let aliases = [Value::Bytes(b"first".to_vec()), Value::Bytes(b"second".to_vec())];
            record.values.push((code("alis"), aliases.to_vec()));
        }
        self
    }

    /// Gives the last certificate these public key hashes instead of its own.
    pub fn with_public_key_hashes(mut self, hashes: &[Vec<u8>]) -> Self {
        self.has_several_values |= hashes.len() > 1;
        if let Some(Some(record)) = self.certificates.last_mut() {
            record.values.retain(|(id, _)| *id != code("hpky"));
            record.values.push((code("hpky"), hashes.iter().cloned().map(Value::Bytes).collect()));
        }
        self
    }

    /// Writes the records of a relation in descending order of their numbers.
    pub fn reversed(mut self, relation: Relation) -> Self {
        self.reversed.insert(relation);
        self
    }

    /// Writes the tables in reverse order.
    pub fn with_tables_reversed(mut self) -> Self {
        self.tables_reversed = true;
        self
    }

    /// Writes the records that describe the attributes in descending order of their numbers. Their order in the file
    /// determines the order of the attributes in each record.
    pub fn with_schema_reversed(mut self) -> Self {
        self.schema_reversed = true;
        self
    }

    /// Adds an unknown relation with some records, and unknown attributes to all records that were added before.
    pub fn with_extras(mut self) -> Self {
        self.has_extras = true;
        let records = [&mut self.private_keys, &mut self.generic_passwords, &mut self.certificates];
        for (number, record) in records.into_iter().flatten().flatten().enumerate() {
            record.values.push((EXTRA_NUMBER, vec![Value::Number(atom(number))]));
            record.values.push((EXTRA_BYTES, vec![Value::Bytes(vec![0xEE; number % 7])]));
        }
        self
    }

    /// Writes the repeated `secret` instead of everything that macOS encrypts: keys, passwords, and the keychain's
    /// keys.
    pub fn with_secret(mut self, secret: &'static [u8]) -> Self {
        self.secret = Some(secret);
        self
    }

    /// Whether an attribute has several values.
    pub const fn has_several_values(&self) -> bool {
        self.has_several_values
    }

    /// The data of each certificate, by record number.
    pub fn certificates(&self) -> Vec<&[u8]> {
        self.certificates.iter().flatten().map(|record| record.data.as_slice()).collect()
    }

    /// Labels of the private keys, by record number.
    pub fn key_labels(&self) -> Vec<&[u8]> {
        self.private_keys
            .iter()
            .flatten()
            .flat_map(|record| record.values.iter().filter(|(id, _)| *id == 6).flat_map(|(_, values)| values))
            .filter_map(|value| if let Value::Bytes(label) = value { Some(label.as_slice()) } else { None })
            .collect()
    }

    fn slots_mut(&mut self, relation: Relation) -> &mut Vec<Option<Record>> {
        match relation {
            Relation::PrivateKey => &mut self.private_keys,
            Relation::GenericPassword => &mut self.generic_passwords,
            Relation::Certificate => &mut self.certificates,
        }
    }

    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let schema = Schema::new(self.has_certificate_table, self.has_extras, self.schema_reversed);
        let mut tables: Vec<Vec<u8>> = schema.relations().map(|id| self.table(&schema, id)).collect();
        if self.tables_reversed {
            tables.reverse();
        }
        let directory = 8 + 4 * tables.len();
        let size = directory + tables.iter().map(Vec::len).sum::<usize>();
        let mut bytes = b"kych".to_vec();
        for atom in [0x0001_0000, 16, 20, 0, atom(size), atom(tables.len())] {
            bytes.extend(atom.to_be_bytes());
        }
        let mut offset = directory;
        for table in &tables {
            bytes.extend(atom(offset).to_be_bytes());
            offset += table.len();
        }
        bytes.extend(tables.concat());
        bytes.extend(1u32.to_be_bytes());
        bytes
    }

    fn table(&self, schema: &Schema, relation: u32) -> Vec<u8> {
        const PRIVATE_KEY: u32 = Relation::PrivateKey.id();
        const GENERIC_PASSWORD: u32 = Relation::GenericPassword.id();
        const CERTIFICATE: u32 = Relation::Certificate.id();
        let described;
        let (slots, reversed) = match relation {
            PRIVATE_KEY => (&self.private_keys, self.reversed.contains(&Relation::PrivateKey)),
            GENERIC_PASSWORD => (&self.generic_passwords, self.reversed.contains(&Relation::GenericPassword)),
            CERTIFICATE => (&self.certificates, self.reversed.contains(&Relation::Certificate)),
            other => {
                described = schema.records(other).into_iter().map(Some).collect();
                (&described, other == SCHEMA_ATTRIBUTES && self.schema_reversed)
            }
        };
        let planted;
        let slots = match self.secret.filter(|_| [PRIVATE_KEY, GENERIC_PASSWORD, METADATA].contains(&relation)) {
            Some(secret) => {
                planted = slots.iter().cloned().map(|slot| slot.map(|record| record.with_secret(secret))).collect();
                &planted
            }
            None => slots,
        };
        let has_entries = !self.without_index_entries && !self.has_several_values;
        let indexes: Vec<_> = schema
            .indexes(relation)
            .iter()
            .map(|index| (index, if has_entries { index_entries(index, slots) } else { Vec::new() }))
            .collect();
        table_bytes(relation, slots, &schema.formats(relation), reversed, &indexes)
    }
}

/// The login keychain of a registered user with this many passwords of about 500 bytes each, and with empty indexes.
pub fn bulk(passwords: usize) -> Keychain {
    let certificate = Certificate::workplace_join();
    let mut keychain = Keychain::new().certificate(&certificate).workplace_join_key(&certificate);
    let mut password = GenericPassword::wifi().record();
    password.data = [filler(b"ssgp", 250), filler(b"", 76)].concat();
    keychain.generic_passwords = vec![Some(password); passwords];
    keychain.without_index_entries = true;
    keychain
}

/// A generic password that will be written. The password itself is a filler.
#[derive(Debug, Clone, Copy)]
pub struct GenericPassword {
    /// The account.
    pub account: &'static str,
    /// The service.
    pub service: &'static str,
    /// The time of the last change: `YYYYMMDDhhmmssZ`.
    pub modified: &'static str,
    /// For an identity preference, the issuer of the preferred certificate.
    pub preferred: Option<Issuer>,
}

impl GenericPassword {
    /// A password that is unrelated to Microsoft.
    pub const fn wifi() -> Self {
        Self { account: "Contoso Guest", service: "AirPort", modified: CREATED, preferred: None }
    }

    /// The password item in which Microsoft's library stores the user principal name.
    pub const fn user_principal_name(name: &'static str, modified: &'static str) -> Self {
        let account = "com.microsoft.workplacejoin.registeredUserPrincipalName";
        Self { account, service: name, modified, preferred: None }
    }

    /// An identity preference, which stays when the certificate of a registration is deleted.
    pub const fn identity_preference() -> Self {
        Self {
            account: "com.apple.assetd.cert",
            service: "https://device.login.microsoftonline.com",
            modified: CREATED,
            preferred: Some(Issuer::WorkplaceJoin),
        }
    }

    fn record(&self) -> Record {
        let bytes = |text: &str| vec![Value::Bytes(text.as_bytes().to_vec())];
        let mut values = vec![
            (code("cdat"), vec![Value::Time(CREATED)]),
            (code("mdat"), vec![Value::Time(self.modified)]),
            (7, bytes(self.service)),
            (code("acct"), bytes(self.account)),
            (code("svce"), bytes(self.service)),
        ];
        values.extend(self.preferred.map(|issuer| (code("gena"), vec![Value::Bytes(issuer.normalised())])));
        Record { data: filler(b"ssgp", 76), values }
    }
}

fn certificate_record(certificate: &Certificate, data: Vec<u8>, issuer: Vec<u8>) -> Record {
    let hash = certificate.public_key_hash();
    let bytes = |bytes: &[u8]| vec![Value::Bytes(bytes.to_vec())];
    Record {
        data,
        values: vec![
            (code("ctyp"), vec![Value::Number(3)]),
            (code("cenc"), vec![Value::Number(3)]),
            (code("labl"), bytes(certificate.subject.as_bytes())),
            (code("subj"), bytes(&certificate.subject_der())),
            (code("issu"), bytes(&issuer)),
            (code("snbr"), bytes(&certificate.serial)),
            (code("skid"), bytes(&hash)),
            (code("hpky"), bytes(&hash)),
        ],
    }
}

fn private_key_record([print_name, application_tag]: [&str; 2], labels: &[Vec<u8>]) -> Record {
    let bytes = |bytes: &[u8]| vec![Value::Bytes(bytes.to_vec())];
    // Private class, permanent, modifiable, 256 bits; the other numbers are zero, and the times are empty.
    let zero = [4, 9].into_iter().chain(14..=26).map(|id| (id, 0));
    let numbers = [(0, 1), (3, 1), (5, 1), (10, 256), (11, 256)].into_iter().chain(zero);
    let mut values: Vec<_> = numbers.map(|(id, number)| (id, vec![Value::Number(number)])).collect();
    values.push((1, bytes(print_name.as_bytes())));
    values.push((7, bytes(application_tag.as_bytes())));
    values.push((8, bytes(b"{87191ca3-0fc9-11d4-849a-000502b52122}\0")));
    values.extend([(12, bytes(b"")), (13, bytes(b""))]);
    values.push((6, labels.iter().cloned().map(Value::Bytes).collect()));
    Record { data: filler(&[0xFA, 0xDE, 0x07, 0x11, 0, 0, 1, 0], 200), values }
}

/// The schema of a file.
struct Schema {
    relations: Vec<schema::Relation>,
    /// Unknown attributes, after all others, with their relations.
    extras: Vec<(u32, Attribute)>,
    attributes_reversed: bool,
}

/// A relation that is not Apple's.
const EXTRA_RELATION: u32 = 0x0001_2345;
const EXTRA_NUMBER: u32 = 0x7000_0001;
const EXTRA_BYTES: u32 = 0x7000_0002;

impl Schema {
    fn new(with_certificates: bool, with_extras: bool, attributes_reversed: bool) -> Self {
        let mut relations = schema::relations();
        relations.extend(with_certificates.then(schema::Relation::certificates));
        let mut extras = Vec::new();
        if with_extras {
            let extra =
                schema::Relation { id: EXTRA_RELATION, name: "EXTRA", attributes: Vec::new(), indexes: Vec::new() };
            relations.push(extra);
            let with_records =
                [Relation::PrivateKey, Relation::GenericPassword, Relation::Certificate].map(Relation::id);
            for relation in [EXTRA_RELATION].into_iter().chain(with_records) {
                let is_there = relations.iter().any(|it| it.id == relation);
                for (id, format) in [(EXTRA_NUMBER, UINT32), (EXTRA_BYTES, BLOB)].into_iter().filter(|_| is_there) {
                    extras.push((relation, Attribute { id, name_format: BY_INTEGER, name: None, format }));
                }
            }
        }
        Self { relations, extras, attributes_reversed }
    }

    /// All attributes with their relations, by record number.
    fn attributes(&self) -> impl Iterator<Item = (u32, Attribute)> {
        let of_relation = |it: &schema::Relation| it.attributes.iter().map(|attribute| (it.id, *attribute)).collect();
        self.relations.iter().flat_map(of_relation as fn(&_) -> Vec<_>).chain(self.extras.iter().copied())
    }

    /// The relations in the order of the file: ascending.
    fn relations(&self) -> impl Iterator<Item = u32> {
        let relations: BTreeSet<u32> = self.relations.iter().map(|relation| relation.id).collect();
        relations.into_iter()
    }

    /// IDs and formats of the attributes of a relation, in order.
    fn formats(&self, relation: u32) -> Vec<(u32, u32)> {
        let rows = self.attributes().filter(|(it, _)| *it == relation);
        let mut formats: Vec<_> = rows.map(|(_, attribute)| (attribute.id, attribute.format)).collect();
        // The order of the attributes of the describing relations is part of the format.
        if self.attributes_reversed && relation > SCHEMA_PARSING_MODULES {
            formats.reverse();
        }
        formats
    }

    fn indexes(&self, relation: u32) -> &[Index] {
        self.relations.iter().find(|it| it.id == relation).map(|it| it.indexes.as_slice()).unwrap_or_default()
    }

    /// The records of the relations that describe the others, and of the metadata.
    fn records(&self, relation: u32) -> Vec<Record> {
        let record = |values: &[Option<Value>]| {
            let ids = self.formats(relation).into_iter().map(|(id, _)| id);
            let values = ids.zip(values).filter_map(|(id, value)| Some((id, vec![value.clone()?])));
            Record { data: Vec::new(), values: values.collect() }
        };
        let number = |number: u32| Some(Value::Number(number));
        let text = |text: &str| Some(Value::Bytes(text.as_bytes().to_vec()));
        match relation {
            SCHEMA_INFO => self.relations.iter().map(|it| record(&[number(it.id), text(it.name)])).collect(),
            SCHEMA_INDEXES => {
                let of_index = |relation: u32, index: &Index| {
                    let [id, kind] = [index.id, u32::from(!index.is_unique)];
                    let row =
                        |attribute| record(&[number(relation), number(id), number(attribute), number(kind), number(1)]);
                    index.attributes.iter().copied().map(row).collect::<Vec<_>>()
                };
                let indexes = self.relations.iter().flat_map(|it| it.indexes.iter().map(|index| (it.id, index)));
                indexes.flat_map(|(relation, index)| of_index(relation, index)).collect()
            }
            SCHEMA_ATTRIBUTES => self
                .attributes()
                .map(|(relation, it)| {
                    let name = it.name.and_then(text);
                    record(&[number(relation), number(it.id), number(it.name_format), name, None, number(it.format)])
                })
                .collect(),
            EXTRA_RELATION => (0..3)
                .map(|index: u8| record(&[number(index.into()), Some(Value::Bytes(vec![0xEE; index.into()]))]))
                .collect(),
            METADATA => vec![Record { data: filler(&[0xFA, 0xDE, 0x07, 0x11, 0, 0, 1, 0], 140), values: Vec::new() }],
            _ => Vec::new(),
        }
    }
}

fn table_bytes(
    relation: u32,
    slots: &[Option<Record>],
    formats: &[(u32, u32)],
    reversed: bool,
    indexes: &[(&Index, Vec<Entry>)],
) -> Vec<u8> {
    let numbers = slots.len().max(1);
    let records_offset = TABLE_HEADER + 4 * numbers;
    let mut places = vec![0; numbers];
    let mut records = Vec::new();
    let mut order: Vec<usize> = (0..slots.len()).collect();
    if reversed {
        order.reverse();
    }
    for number in order {
        if let Some(record) = &slots[number] {
            places[number] = atom(records_offset + records.len());
            records.extend(record_bytes(record, number, formats));
        }
    }
    let mut free = 0;
    for (number, place) in (0..).zip(&mut places) {
        if *place == 0 {
            *place = free;
            free = atom(TABLE_HEADER + 4 * number) | 1;
        }
    }
    let indexes_offset = records_offset + records.len();
    let indexes = index_bytes(indexes, indexes_offset);
    let header = [
        atom(indexes_offset + indexes.len()),
        relation,
        atom(slots.iter().flatten().count()),
        atom(records_offset),
        atom(indexes_offset),
        free,
        atom(numbers),
    ];
    let header = header.into_iter().chain(places).flat_map(u32::to_be_bytes);
    header.chain(records).chain(indexes).collect()
}

fn record_bytes(record: &Record, number: usize, formats: &[(u32, u32)]) -> Vec<u8> {
    let values_offset = 24 + 4 * formats.len() + record.data.len().next_multiple_of(4);
    let mut offsets = Vec::new();
    let mut values = Vec::new();
    for &(id, _) in formats {
        let given = record.values.iter().find(|(given, _)| *given == id).map_or(&[][..], |(_, values)| values);
        let offset = atom(values_offset + values.len());
        match given {
            [] => offsets.push(0),
            [one] => {
                offsets.push(offset | 1);
                write_value(one, &mut values);
            }
            several => {
                offsets.push(offset);
                values.extend(atom(several.len()).to_be_bytes());
                several.iter().for_each(|value| write_value(value, &mut values));
            }
        }
    }
    let header = [atom(values_offset + values.len()), atom(number), 1, 1, atom(record.data.len()), 0];
    let mut bytes: Vec<u8> = header.into_iter().chain(offsets).flat_map(u32::to_be_bytes).collect();
    bytes.extend(&record.data);
    bytes.resize(values_offset, 0);
    bytes.extend(values);
    bytes
}

fn write_value(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Number(number) => bytes.extend(number.to_be_bytes()),
        Value::Time(time) => {
            bytes.extend(time.as_bytes());
            bytes.push(0);
        }
        Value::Bytes(content) => {
            bytes.extend(atom(content.len()).to_be_bytes());
            bytes.extend(content);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
    }
}

/// A record number, and the values for which an index lists it.
type Entry<'a> = (u32, Vec<&'a Value>);

/// The records that have a value for each attribute of an index, in the order of the values.
fn index_entries<'a>(index: &Index, slots: &'a [Option<Record>]) -> Vec<Entry<'a>> {
    let key = |record: &'a Record| {
        let value =
            |id: &u32| record.values.iter().find(|(given, _)| given == id).and_then(|(_, values)| values.first());
        index.attributes.iter().map(value).collect::<Option<Vec<_>>>()
    };
    let entry = |(number, slot): (u32, &'a Option<Record>)| Some((number, key(slot.as_ref()?)?));
    let mut entries: Vec<_> = (0..).zip(slots).filter_map(entry).collect();
    entries.sort_by(|(_, one), (_, other)| one.cmp(other));
    entries
}

/// The indexes of a table, which begin at this offset of it.
fn index_bytes(indexes: &[(&Index, Vec<Entry>)], start: usize) -> Vec<u8> {
    let header = 8 + 4 * indexes.len();
    let mut offsets = Vec::new();
    let mut bytes = Vec::new();
    for (index, entries) in indexes {
        let place = start + header + bytes.len();
        let contents = entries.iter().map(|(_, values)| {
            let mut content = Vec::new();
            values.iter().for_each(|value| write_value(value, &mut content));
            [&atom(content.len()).to_be_bytes()[..], &content].concat()
        });
        let contents: Vec<Vec<u8>> = contents.collect();
        let mut offset = place + 4 * (5 + index.attributes.len() + 2 * entries.len());
        let mut places = Vec::new();
        for content in &contents {
            places.push(atom(offset));
            offset += content.len();
        }
        let description = [atom(offset - place), index.id, u32::from(index.is_unique), atom(index.attributes.len())];
        let atoms = description.into_iter().chain(index.attributes.iter().copied()).chain([atom(entries.len())]);
        let atoms = atoms.chain(places).chain(entries.iter().map(|(number, _)| *number));
        offsets.push(atom(place));
        bytes.extend(atoms.flat_map(u32::to_be_bytes).chain(contents.concat()));
    }
    let atoms = [atom(header + bytes.len()), atom(indexes.len())].into_iter().chain(offsets);
    atoms.flat_map(u32::to_be_bytes).chain(bytes).collect()
}

/// Filler for data that macOS encrypts.
fn filler(magic: &[u8], length: u8) -> Vec<u8> {
    magic.iter().copied().chain(0..length).collect()
}

fn atom(number: usize) -> u32 {
    u32::try_from(number).expect("keychains are smaller than 4 GiB")
}
