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
    /// What is wrong.
    pub kind: ErrorKind,
    /// Absolute offset in bytes; always inside the file, or 0.
    pub offset: u64,
}

/// What is wrong with a keychain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file has no bytes; a keychain that is just being created looks like this for a moment.
    #[error("the file is empty")]
    Empty,
    /// The magic is not `kych`.
    #[error("not a macOS file keychain")]
    NotAKeychain,
    /// The magic is SQLite's: macOS keeps the data-protection keychain in such a file.
    #[error("a SQLite database (the data-protection keychain?), not a macOS file keychain")]
    Sqlite,
    /// A version of the container that is not 1.0.
    #[error("unknown keychain version {0:#010x}")]
    UnknownVersion(u32),
    /// The file ends before the structure does.
    #[error("the file is cut short")]
    Truncated,
    /// The schema section, or the table directory in it, does not fit.
    #[error("the table directory does not fit the file")]
    Directory,
    /// Tables are not back to back from the directory to the end of the schema section.
    #[error("a table is not where it has to be")]
    TablePlace,
    /// Two tables claim the same relation.
    #[error("two tables for relation {0}")]
    DuplicateTable(RelationId),
    /// A relation that the schema declares, or that every keychain has, has no table.
    #[error("the table for relation {0} is missing")]
    MissingTable(RelationId),
    /// A table holds records of a relation that the schema does not declare.
    #[error("the schema does not declare relation {0}")]
    UndeclaredRelation(RelationId),
    /// The offsets in a table's header contradict each other.
    #[error("a table header contradicts itself")]
    TableHeader,
    /// A table has more record numbers than this reader accepts.
    #[error("{0} record numbers in one table are more than any keychain has")]
    TooManyRecordNumbers(u32),
    /// The records do not fill the space that the table gives them.
    #[error("the records do not fill their table")]
    RecordsPlace,
    /// The table's record numbers and its records do not agree.
    #[error("record numbers and records do not agree")]
    RecordNumbers,
    /// The record's size is impossible.
    #[error("impossible record size {0}")]
    RecordSize(u32),
    /// A record's values are not where its attribute offsets say, or do not fill it.
    #[error("a record's values are not where they have to be")]
    ValuePlace,
    /// More values in one attribute than macOS accepts.
    #[error("{0} values in one attribute")]
    TooManyValues(u32),
    /// There are more private keys, or labels of them, than this reader accepts.
    #[error("more private keys, or labels of them, than any keychain has")]
    TooManyKeys,
    /// There are more certificates, or public key hashes of them, than this reader accepts.
    #[error("more certificates, or public key hashes of them, than any keychain has")]
    TooManyCertificates,
    /// The schema gives an attribute a format that macOS does not have or does not accept.
    #[error("unknown attribute format {0}")]
    UnknownFormat(u32),
    /// The schema gives a relation more attributes than this reader accepts.
    #[error("relation {0} has more attributes than any keychain's")]
    TooManyAttributes(RelationId),
    /// The schema declares an attribute twice.
    #[error("attribute {:#x} is declared twice", .0.0)]
    DuplicateAttribute(AttributeId),
    /// The schema lacks an attribute that this relation always has, or gives it another format.
    #[error("attribute {0} is not declared as it has to be")]
    MissingAttribute(AttributeId),
    /// A record lacks a value that it cannot be without.
    #[error("a record lacks a value that it cannot be without")]
    MissingValue,
    /// Reading failed; the operating system's error number, if it gave one.
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
