//! The schema: which attributes the records of each relation have, in which order and format.

use std::{collections::BTreeMap, fmt};

use super::{
    error::{Error, ErrorKind},
    record::Record,
};

/// A relation, that is, a kind of record; each has a table of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RelationId(pub u32);

impl RelationId {
    /// The attributes of all relations; the only relation whose own attributes have to be known beforehand.
    pub const SCHEMA_ATTRIBUTES: Self = Self(2);
    /// Private keys.
    pub const PRIVATE_KEY: Self = Self(0x10);
    /// Generic passwords; identity preferences are kept as such, too.
    pub const GENERIC_PASSWORD: Self = Self(0x8000_0000);
    /// X.509 certificates.
    pub const CERTIFICATE: Self = Self(0x8000_1000);

    /// The one record without attributes that holds the keychain's own encrypted keys; no row declares it.
    pub(super) const METADATA: Self = Self(0x8000_8000);
    /// The four relations that describe the others and are in every keychain.
    pub(super) const SCHEMA: [Self; 4] = [Self(0), Self(1), Self::SCHEMA_ATTRIBUTES, Self(3)];

    pub(super) fn is_schema(self) -> bool {
        Self::SCHEMA.contains(&self)
    }
}

impl fmt::Display for RelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// An attribute: a four-character code, or a small number in key relations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttributeId(pub u32);

impl AttributeId {
    /// Keys: the name that Keychain Access shows.
    pub const KEY_PRINT_NAME: Self = Self(1);
    /// Keys: the public key hash of the certificate that belongs to the key.
    pub const KEY_LABEL: Self = Self(6);
    /// Keys: what the application that made the key calls it.
    pub const KEY_APPLICATION_TAG: Self = Self(7);
    /// Certificates: the issuer as macOS normalised it.
    pub const ISSUER: Self = Self::code(*b"issu");
    /// Certificates: SHA-1 of the public key's bits.
    pub const PUBLIC_KEY_HASH: Self = Self::code(*b"hpky");
    /// Passwords: the account.
    pub const ACCOUNT: Self = Self::code(*b"acct");
    /// Passwords: the service.
    pub const SERVICE: Self = Self::code(*b"svce");
    /// Passwords: time of the last change.
    pub const MODIFIED: Self = Self::code(*b"mdat");

    const fn code(letters: [u8; 4]) -> Self {
        Self(u32::from_be_bytes(letters))
    }
}

impl fmt::Display for AttributeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = self.0.to_be_bytes();
        match str::from_utf8(&letters) {
            Ok(code) if letters.iter().all(u8::is_ascii_graphic) => f.write_str(code),
            _ => write!(f, "{}", self.0),
        }
    }
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// One atom: `SINT32`, `UINT32`.
    Atom,
    /// Eight bytes: `REAL`.
    Real,
    /// Sixteen bytes, `YYYYMMDDhhmmssZ` and a NUL: `TIME_DATE`.
    Time,
    /// An atom with the length, the bytes, padding: `STRING`, `BIG_NUM`, `BLOB`.
    Bytes,
    /// An atom with the count, as many atoms: `MULTI_UINT32`.
    Atoms,
}

impl Format {
    /// The format with this number; `COMPLEX` (8) is one that macOS itself refuses.
    fn from_number(number: u32) -> Option<Self> {
        match number {
            0 | 3 | 6 => Some(Self::Bytes),
            1 | 2 => Some(Self::Atom),
            4 => Some(Self::Real),
            5 => Some(Self::Time),
            7 => Some(Self::Atoms),
            _ => None,
        }
    }
}

/// More attributes than any relation has; keeps a hostile schema from costing time.
const MAX_ATTRIBUTES: usize = 256;

/// A relation's attributes; an attribute's position here is its position in each record's attribute offsets.
#[derive(Debug, Clone, Default)]
pub(super) struct Relation {
    attributes: Vec<(AttributeId, Format)>,
}

impl Relation {
    /// The columns of [`RelationId::SCHEMA_ATTRIBUTES`] itself.
    pub(super) fn of_schema_attributes() -> Self {
        use Format::{Atom, Bytes};
        let formats = [Atom, Atom, Atom, Bytes, Bytes, Atom];
        Self { attributes: (0..).map(AttributeId).zip(formats).collect() }
    }

    /// The attributes' formats, in the order of each record's attribute offsets.
    pub(super) fn formats(&self) -> impl Iterator<Item = Format> {
        self.attributes.iter().map(|&(_, format)| format)
    }

    /// How many attributes each record has.
    pub(super) const fn width(&self) -> usize {
        self.attributes.len()
    }

    /// Position of an attribute that every keychain declares, in the format that every keychain gives it.
    pub(super) fn position_of(&self, wanted: AttributeId, format: Format) -> Result<usize, ErrorKind> {
        self.attributes
            .iter()
            .position(|&attribute| attribute == (wanted, format))
            .ok_or(ErrorKind::MissingAttribute(wanted))
    }
}

/// The relations that a keychain declares.
#[derive(Debug, Clone, Default)]
pub(super) struct Schema {
    relations: BTreeMap<RelationId, Relation>,
}

impl Schema {
    /// Takes in one row of [`RelationId::SCHEMA_ATTRIBUTES`]; rows have to come in the order of the file.
    ///
    /// `has_table` tells whether the keychain has a table for a relation: macOS makes both at the same time, so a
    /// declared relation without a table is damage, not "no such records".
    pub(super) fn add_row(&mut self, row: &Record<'_>, has_table: impl Fn(RelationId) -> bool) -> Result<(), Error> {
        const RELATION: usize = 0;
        const ATTRIBUTE: usize = 1;
        const FORMAT: usize = 5;
        let relation = row.required_atom(RELATION)?;
        let relation_id = RelationId(relation.value);
        if relation_id.is_schema() {
            return Ok(());
        }
        if !has_table(relation_id) {
            return Err(relation.error(ErrorKind::MissingTable(relation_id)));
        }
        let attribute = row.required_atom(ATTRIBUTE)?;
        let id = AttributeId(attribute.value);
        let number = row.required_atom(FORMAT)?;
        let format =
            Format::from_number(number.value).ok_or_else(|| number.error(ErrorKind::UnknownFormat(number.value)))?;
        let attributes = &mut self.relations.entry(relation_id).or_default().attributes;
        if attributes.len() >= MAX_ATTRIBUTES {
            return Err(attribute.error(ErrorKind::TooManyAttributes(relation_id)));
        }
        if attributes.iter().any(|&(known, _)| known == id) {
            return Err(attribute.error(ErrorKind::DuplicateAttribute(id)));
        }
        attributes.push((id, format));
        Ok(())
    }

    /// The relation with this id, if the keychain declares it.
    pub(super) fn relation(&self, id: RelationId) -> Option<&Relation> {
        self.relations.get(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_shown_as_their_code_or_their_number() {
        assert_eq!(AttributeId::PUBLIC_KEY_HASH.to_string(), "hpky");
        assert_eq!(AttributeId::KEY_LABEL.to_string(), "6");
        assert_eq!(RelationId::CERTIFICATE.to_string(), "0x80001000");
    }

    #[test]
    fn only_the_formats_that_macos_accepts_are_known() {
        use Format::{Atom, Atoms, Bytes, Real, Time};
        let known = [Bytes, Atom, Atom, Bytes, Real, Time, Bytes, Atoms];
        for (number, format) in (0..).zip(known) {
            assert_eq!(Format::from_number(number), Some(format));
        }
        assert_eq!([8, 9, u32::MAX].map(Format::from_number), [None; 3]);
    }
}
