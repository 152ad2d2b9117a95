//! What can be wrong with a keychain, and where in the file.

use std::io;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::id::{AttributeId, RelationId};

/// A keychain that cannot be read: what is wrong, and the offset in the file of the structure that is wrong.
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
    /// A keychain that is just being created looks like this for a moment.
    #[error("the file is empty")]
    Empty,
    #[error("not a macOS file keychain")]
    NotAKeychain,
    #[error("a SQLite database (the data-protection keychain?), not a macOS file keychain")]
    Sqlite,
    #[error("unknown keychain version {0:#010x}")]
    UnknownVersion(u32),
    #[error("the file is cut short")]
    Truncated,
    #[error("the table directory does not fit the file")]
    Directory,
    #[error("a table is not where it has to be")]
    TablePlace,
    #[error("two tables for relation {0}")]
    DuplicateTable(RelationId),
    #[error("the table for relation {0} is missing")]
    MissingTable(RelationId),
    #[error("the schema does not declare relation {0}")]
    UndeclaredRelation(RelationId),
    #[error("a table header contradicts itself")]
    TableHeader,
    #[error("{0} record numbers in one table are more than any keychain has")]
    TooManyRecordNumbers(u32),
    #[error("the records do not fill their table")]
    RecordsPlace,
    #[error("record numbers and records do not agree")]
    RecordNumbers,
    #[error("impossible record size {0}")]
    RecordSize(u32),
    #[error("a record's values are not where they have to be")]
    ValuePlace,
    #[error("{0} values in one attribute")]
    TooManyValues(u32),
    #[error("more private keys, or labels of them, than any keychain has")]
    TooManyKeys,
    #[error("more certificates, or public key hashes of them, than any keychain has")]
    TooManyCertificates,
    #[error("unknown attribute format {0}")]
    UnknownFormat(u32),
    #[error("relation {0} has more attributes than any keychain's")]
    TooManyAttributes(RelationId),
    #[error("attribute {:#x} is declared twice", .0.0)]
    DuplicateAttribute(AttributeId),
    #[error("attribute {0} is not declared as it has to be")]
    MissingAttribute(AttributeId),
    #[error("a record lacks a value that it cannot be without")]
    MissingValue,
    #[error("reading failed: {}", describe_read_failure(*.0))]
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
