//! A record: its number, its data, and the values of its attributes.

use super::{
    error::{Error, ErrorKind},
    relation::{Format, Relation},
    section::{ATOM, Atom, Section, padded},
};

/// Size of a record's header in bytes; the attribute offsets follow it.
const HEADER: u64 = 24;
const NUMBER: u64 = 4;
const DATA_SIZE: u64 = 16;

/// The most values in one attribute that macOS accepts.
const MAX_VALUES: u32 = 1024;

/// Smallest size of a record in a relation with this many attributes.
pub(super) const fn smallest_size(width: usize) -> u64 {
    HEADER + ATOM * width as u64
}

/// One record. Every value was checked to be inside the record, in the order of the attributes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    section: Section<'a>,
    relation: &'a Relation,
    data: &'a [u8],
    values: u64,
}

impl<'a> Record<'a> {
    /// Checks the record that fills `section`.
    ///
    /// macOS writes the values back to back, in the order of the attributes, and nothing after them. This is required
    /// here, because it distinguishes a damaged schema or record from one without the wanted value.
    pub(super) fn parse(section: Section<'a>, relation: &'a Relation) -> Result<Self, Error> {
        let misplaced = || ErrorKind::ValuePlace.at(section.start());
        let data_size = section.atom(DATA_SIZE)?;
        let data_start = smallest_size(relation.width());
        let data = section
            .bytes(data_start, u64::from(data_size.value))
            .ok_or_else(|| data_size.error(ErrorKind::ValuePlace))?;
        let values = data_start + padded(data_size.value);
        if !is_zero(section, data_start + u64::from(data_size.value), values) {
            return Err(data_size.error(ErrorKind::ValuePlace));
        }
        let mut end = values;
        for (position, format) in (0..).zip(relation.formats()) {
            let offset = section.atom(HEADER + ATOM * position)?;
            if offset.value == 0 {
                continue;
            }
            if u64::from(offset.value & !1) != end {
                return Err(offset.error(ErrorKind::ValuePlace));
            }
            let mut count = 1;
            if offset.value & 1 == 0 {
                let counted = section.atom(end)?;
                if counted.value > MAX_VALUES {
                    return Err(counted.error(ErrorKind::TooManyValues(counted.value)));
                }
                count = counted.value;
                end += ATOM;
            }
            for _ in 0..count {
                end += value_size(section, format, end).ok_or_else(misplaced)?;
                if end > section.length() {
                    return Err(misplaced());
                }
            }
        }
        if end != section.length() {
            return Err(misplaced());
        }
        Ok(Self { section, relation, data, values })
    }

    pub(super) const fn start(&self) -> u64 {
        self.section.start()
    }

    pub(super) fn number(&self) -> Result<Atom, Error> {
        self.section.atom(NUMBER)
    }

    /// The data: a certificate's DER, a key's or password's encrypted blob.
    pub(super) const fn data(&self) -> &'a [u8] {
        self.data
    }

    /// All attribute values as they are in the file, without the data.
    pub(super) fn values_region(&self) -> &'a [u8] {
        let length = self.section.length().saturating_sub(self.values);
        self.section.bytes(self.values, length).unwrap_or_default()
    }

    /// The values of the attribute at `position`: none, one or many. Length-prefixed values come without the length,
    /// all others as they are in the file.
    pub(super) fn values(&self, position: usize) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let section = self.section;
        let format = self.relation.formats().nth(position);
        let offset = section.atom(HEADER + ATOM * position as u64).map_or(0, |offset| offset.value);
        let (mut next, count) = match offset {
            0 => (0, 0),
            single if single & 1 == 1 => (u64::from(single & !1), 1),
            many => {
                let count = section.atom(u64::from(many)).map_or(0, |count| count.value);
                (u64::from(many) + ATOM, count)
            }
        };
        (0..count).map_while(move |_| {
            let format = format?;
            let start = next;
            next += value_size(section, format, start)?;
            match format {
                Format::Bytes => {
                    let length = section.atom(start).ok()?.value;
                    section.bytes(start + ATOM, u64::from(length))
                }
                Format::Atom | Format::Real | Format::Time | Format::Atoms => section.bytes(start, next - start),
            }
        })
    }

    /// The atom that is the only value of the attribute at `position`; an error if there is none.
    pub(super) fn required_atom(&self, position: usize) -> Result<Atom, Error> {
        let offset = self.section.atom(HEADER + ATOM * position as u64)?;
        if offset.value & 1 == 0 {
            return Err(offset.error(ErrorKind::MissingValue));
        }
        self.section.atom(u64::from(offset.value & !1))
    }
}

/// Size in bytes, with padding, of the value at `start`; `None` if there is no valid value.
fn value_size(section: Section<'_>, format: Format, start: u64) -> Option<u64> {
    Some(match format {
        Format::Atom => ATOM,
        Format::Real => 8,
        Format::Time => 16,
        Format::Bytes => {
            let length = section.atom(start).ok()?.value;
            let size = ATOM + padded(length);
            // A length that is wrong by less than an atom would not move the next value, but shows in the padding.
            if !is_zero(section, start + ATOM + u64::from(length), start + size) {
                return None;
            }
            size
        }
        Format::Atoms => ATOM + ATOM * u64::from(section.atom(start).ok()?.value),
    })
}

/// Whether all bytes between two offsets are zero; true if they are outside the section.
fn is_zero(section: Section<'_>, start: u64, end: u64) -> bool {
    let padding = section.bytes(start, end.saturating_sub(start)).unwrap_or_default();
    padding.iter().all(|&byte| byte == 0)
}
