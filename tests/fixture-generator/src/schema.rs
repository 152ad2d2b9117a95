//! macOS's own schema: the relations of a new keychain with their attributes and indexes, in the order of macOS, and
//! the relation of certificates, which macOS adds with the first certificate.

pub const SINT32: u32 = 1;
pub const UINT32: u32 = 2;
pub const BLOB: u32 = 6;
const STRING: u32 = 0;
const TIME: u32 = 5;

/// The form of an attribute's name.
const BY_STRING: u32 = 0;
pub const BY_INTEGER: u32 = 2;

/// A relation, with its attributes and indexes in the order of the file.
#[derive(Debug, Clone)]
pub struct Relation {
    pub id: u32,
    pub name: &'static str,
    pub attributes: Vec<Attribute>,
    pub indexes: Vec<Index>,
}

/// An attribute.
#[derive(Debug, Clone, Copy)]
pub struct Attribute {
    pub id: u32,
    pub name_format: u32,
    pub name: Option<&'static str>,
    pub format: u32,
}

/// An index over some attributes.
#[derive(Debug, Clone)]
pub struct Index {
    pub id: u32,
    pub is_unique: bool,
    pub attributes: Vec<u32>,
}

impl Relation {
    /// A relation that describes the others; its attributes are numbered.
    fn system(id: u32, name: &'static str, attributes: &[(&'static str, u32)]) -> Self {
        Self { id, name, attributes: numbered(BY_STRING, attributes), indexes: Vec::new() }
    }

    fn keys(id: u32, name: &'static str) -> Self {
        let indexes = indexes((6..=13).collect(), 1, [6].into_iter().chain(18..=26));
        Self { id, name, attributes: numbered(BY_INTEGER, &KEY), indexes }
    }

    /// A relation of passwords. All have the same first attributes. The identifying ones are indexed together and
    /// singly.
    fn passwords(id: u32, attributes: &[(&'static str, u32)], identifying: &[&str]) -> Self {
        let attribute = |&(name, format): &(&'static str, u32)| match name {
            "PrintName" => Attribute { id: 7, name_format: BY_STRING, name: Some(name), format },
            "Alias" => Attribute { id: 8, name_format: BY_STRING, name: Some(name), format },
            _ => Attribute { id: code(name), name_format: BY_INTEGER, name: None, format },
        };
        let identifying: Vec<u32> = identifying.iter().map(|name| code(name)).collect();
        let indexes = indexes(identifying.clone(), identifying.len() + 1, identifying);
        Self { id, name: "", attributes: PASSWORD.iter().chain(attributes).map(attribute).collect(), indexes }
    }

    /// The relation of certificates.
    pub fn certificates() -> Self {
        let attribute = |&(id, name, format): &(&str, &'static str, u32)| Attribute {
            id: code(id),
            name_format: BY_INTEGER,
            name: Some(name),
            format,
        };
        let single = ["ctyp", "alis", "subj", "issu", "snbr", "skid", "hpky"];
        Self {
            id: 0x8000_1000,
            name: "CSSM_DL_DB_RECORD_X509_CERTIFICATE",
            attributes: CERTIFICATE.iter().map(attribute).collect(),
            indexes: indexes(["ctyp", "issu", "snbr"].map(code).to_vec(), 1, single.map(code)),
        }
    }
}

/// The relations of a new keychain.
pub fn relations() -> Vec<Relation> {
    let metadata = Relation { id: 0x8000_8000, name: "DBBlob", attributes: Vec::new(), indexes: Vec::new() };
    vec![
        Relation::system(0, "CSSM_DL_DB_SCHEMA_INFO", &[("RelationID", UINT32), ("RelationName", STRING)]),
        Relation::system(2, "CSSM_DL_DB_SCHEMA_ATTRIBUTES", &ATTRIBUTES),
        Relation::system(1, "CSSM_DL_DB_SCHEMA_INDEXES", &INDEXES),
        Relation::system(3, "CSSM_DL_DB_SCHEMA_PARSING_MODULE", &PARSING_MODULES),
        Relation::passwords(0x8000_0000, &GENERIC, &["acct", "svce"]),
        Relation::passwords(0x8000_0002, &APPLE_SHARE, &["acct", "vlme", "addr", "ssig"]),
        Relation::passwords(0x8000_0001, &INTERNET, &["acct", "sdmn", "srvr", "ptcl", "atyp", "port", "path"]),
        metadata,
        Relation::keys(0x0F, "CSSM_DL_DB_RECORD_PUBLIC_KEY"),
        Relation::keys(0x10, "CSSM_DL_DB_RECORD_PRIVATE_KEY"),
        Relation::keys(0x11, "CSSM_DL_DB_RECORD_SYMMETRIC_KEY"),
    ]
}

fn numbered(name_format: u32, attributes: &[(&'static str, u32)]) -> Vec<Attribute> {
    let attribute = |(id, &(name, format))| Attribute { id, name_format, name: Some(name), format };
    (0..).zip(attributes).map(attribute).collect()
}

/// The unique index over several attributes, and single indexes, which are numbered from `first`.
fn indexes(unique: Vec<u32>, first: usize, single: impl IntoIterator<Item = u32>) -> Vec<Index> {
    let first = u32::try_from(first).expect("there are few indexes");
    let single =
        (first..).zip(single).map(|(id, attribute)| Index { id, is_unique: false, attributes: vec![attribute] });
    [Index { id: 0, is_unique: true, attributes: unique }].into_iter().chain(single).collect()
}

/// The number of a four-letter code.
pub fn code(letters: &str) -> u32 {
    u32::from_be_bytes(letters.as_bytes().try_into().expect("four letters"))
}

const ATTRIBUTES: [(&str, u32); 6] = [
    ("RelationID", UINT32),
    ("AttributeID", UINT32),
    ("AttributeNameFormat", UINT32),
    ("AttributeName", STRING),
    ("AttributeNameID", BLOB),
    ("AttributeFormat", UINT32),
];

const INDEXES: [(&str, u32); 5] = [
    ("RelationID", UINT32),
    ("IndexID", UINT32),
    ("AttributeID", UINT32),
    ("IndexType", UINT32),
    ("IndexedDataLocation", UINT32),
];

const PARSING_MODULES: [(&str, u32); 6] = [
    ("RelationID", UINT32),
    ("AttributeID", UINT32),
    ("ModuleID", BLOB),
    ("AddinVersion", STRING),
    ("SSID", UINT32),
    ("SubserviceType", UINT32),
];

const PASSWORD: [(&str, u32); 14] = [
    ("cdat", TIME),
    ("mdat", TIME),
    ("desc", BLOB),
    ("icmt", BLOB),
    ("crtr", UINT32),
    ("type", UINT32),
    ("scrp", SINT32),
    ("PrintName", BLOB),
    ("Alias", BLOB),
    ("invi", SINT32),
    ("nega", SINT32),
    ("cusi", SINT32),
    ("prot", BLOB),
    ("acct", BLOB),
];

const GENERIC: [(&str, u32); 2] = [("svce", BLOB), ("gena", BLOB)];

const APPLE_SHARE: [(&str, u32); 5] =
    [("vlme", BLOB), ("srvr", BLOB), ("ptcl", UINT32), ("addr", BLOB), ("ssig", BLOB)];

const INTERNET: [(&str, u32); 6] =
    [("sdmn", BLOB), ("srvr", BLOB), ("ptcl", UINT32), ("atyp", BLOB), ("port", UINT32), ("path", BLOB)];

const KEY: [(&str, u32); 27] = [
    ("KeyClass", UINT32),
    ("PrintName", BLOB),
    ("Alias", BLOB),
    ("Permanent", UINT32),
    ("Private", UINT32),
    ("Modifiable", UINT32),
    ("Label", BLOB),
    ("ApplicationTag", BLOB),
    ("KeyCreator", BLOB),
    ("KeyType", UINT32),
    ("KeySizeInBits", UINT32),
    ("EffectiveKeySize", UINT32),
    ("StartDate", BLOB),
    ("EndDate", BLOB),
    ("Sensitive", UINT32),
    ("AlwaysSensitive", UINT32),
    ("Extractable", UINT32),
    ("NeverExtractable", UINT32),
    ("Encrypt", UINT32),
    ("Decrypt", UINT32),
    ("Derive", UINT32),
    ("Sign", UINT32),
    ("Verify", UINT32),
    ("SignRecover", UINT32),
    ("VerifyRecover", UINT32),
    ("Wrap", UINT32),
    ("Unwrap", UINT32),
];

const CERTIFICATE: [(&str, &str, u32); 9] = [
    ("ctyp", "CertType", UINT32),
    ("cenc", "CertEncoding", UINT32),
    ("labl", "PrintName", BLOB),
    ("alis", "Alias", BLOB),
    ("subj", "Subject", BLOB),
    ("issu", "Issuer", BLOB),
    ("snbr", "SerialNumber", BLOB),
    ("skid", "SubjectKeyIdentifier", BLOB),
    ("hpky", "PublicKeyHash", BLOB),
];
