//! The errors of the keychain reader, with their place in the file.

use std::io;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::id::{AttributeId, RelationId};

/// Why a keychain cannot be read, and the offset of the wrong structure in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("{kind} (at offset {offset})")]
pub struct Error {
    pub kind: ErrorKind,
    /// Absolute offset in bytes; always inside the file, or 0.
    pub offset: u64,
}

/// What is wrong with a keychain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file is empty, which a new keychain is for a moment.
    #[error("the file is empty")]
    Empty,
    #[error("not a macOS file keychain")]
    NotAKeychain,
    #[error("a SQLite database (the data-protection keychain?), not a macOS file keychain")]
    Sqlite,
    #[error("unknown keychain version {0:#010x}")]
    UnknownVersion(u32),
    #[error("damaged keychain: the file is cut short")]
    Truncated,
    #[error("damaged keychain: the table directory does not fit the file")]
    Directory,
    #[error("damaged keychain: a table is misplaced")]
    TablePlace,
    #[error("damaged keychain: there are two tables for relation {0}")]
    DuplicateTable(RelationId),
    #[error("damaged keychain: the table for relation {0} is missing")]
    MissingTable(RelationId),
    #[error("damaged keychain: the schema does not declare relation {0}")]
    UndeclaredRelation(RelationId),
    #[error("damaged keychain: a table header contradicts itself")]
    TableHeader,
    #[error("damaged keychain: a table has an impossible number of record numbers ({0})")]
    TooManyRecordNumbers(u32),
    #[error("damaged keychain: the records do not fill their table")]
    RecordsPlace,
    #[error("damaged keychain: record numbers and records do not agree")]
    RecordNumbers,
    #[error("damaged keychain: a record has an impossible size ({0})")]
    RecordSize(u32),
    #[error("damaged keychain: the values of a record are misplaced")]
    ValuePlace,
    #[error("damaged keychain: an attribute has an impossible number of values ({0})")]
    TooManyValues(u32),
    #[error("damaged keychain: an impossible number of private keys or labels")]
    TooManyKeys,
    #[error("damaged keychain: an impossible number of certificates or public key hashes")]
    TooManyCertificates,
    #[error("damaged keychain: unknown attribute format {0}")]
    UnknownFormat(u32),
    #[error("damaged keychain: relation {0} has an impossible number of attributes")]
    TooManyAttributes(RelationId),
    #[error("damaged keychain: attribute {:#x} is declared twice", .0.0)]
    DuplicateAttribute(AttributeId),
    #[error("damaged keychain: attribute {0} is missing or has a wrong format")]
    MissingAttribute(AttributeId),
    #[error("damaged keychain: a record lacks a required value")]
    MissingValue,
    #[error("cannot read the file: {}", describe_read_failure(*.0))]
    Read(Option<i32>),
}

impl ErrorKind {
    pub(super) const fn at(self, offset: u64) -> Error {
        Error { kind: self, offset }
    }

    pub(super) fn from_read(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            io::ErrorKind::OutOfMemory => Self::Read(Some(Errno::ENOMEM as i32)),
            _ => Self::Read(error.raw_os_error()),
        }
    }
}

fn describe_read_failure(os_error: Option<i32>) -> String {
    os_error.map_or_else(|| "input/output error".to_owned(), |code| io::Error::from_raw_os_error(code).to_string())
}
