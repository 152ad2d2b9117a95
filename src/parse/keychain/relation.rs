//! The attributes of a relation, and their formats.

use super::{error::ErrorKind, id::AttributeId};

/// How a value is encoded.
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
    /// The format with this number; `None` for unknown numbers and for `COMPLEX` (8), which macOS refuses, too.
    pub(super) fn from_number(number: u32) -> Option<Self> {
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

/// The attributes of a relation, in the order of the attribute offsets in each record.
#[derive(Debug, Clone, Default)]
pub(super) struct Relation {
    attributes: Vec<(AttributeId, Format)>,
}

impl Relation {
    /// Adds an attribute at the end; `None` if it was already declared.
    pub(super) fn push(&mut self, id: AttributeId, format: Format) -> Option<()> {
        let is_new = self.attributes.iter().all(|&(known, _)| known != id);
        is_new.then(|| self.attributes.push((id, format)))
    }

    /// The columns of [`RelationId::SCHEMA_ATTRIBUTES`](super::RelationId::SCHEMA_ATTRIBUTES) itself.
    pub(super) fn of_schema_attributes() -> Self {
        use Format::{Atom, Bytes};
        let formats = [Atom, Atom, Atom, Bytes, Bytes, Atom];
        Self { attributes: (0..).map(AttributeId).zip(formats).collect() }
    }

    /// The formats of the attributes, in order.
    pub(super) fn formats(&self) -> impl Iterator<Item = Format> {
        self.attributes.iter().map(|&(_, format)| format)
    }

    pub(super) const fn width(&self) -> usize {
        self.attributes.len()
    }

    /// The position of an attribute that every keychain declares, with its usual format; an error if it is missing.
    pub(super) fn position_of(&self, wanted: AttributeId, format: Format) -> Result<usize, ErrorKind> {
        self.attributes
            .iter()
            .position(|&attribute| attribute == (wanted, format))
            .ok_or(ErrorKind::MissingAttribute(wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
