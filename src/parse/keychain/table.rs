//! A table: the records of one relation, and their record numbers.

use super::{
    error::{Error, ErrorKind},
    id::RelationId,
    record::{self, Record},
    relation::Relation,
    section::{ATOM, Extent, ReadAt, Section, Window},
};

/// Size of a table's header in bytes; the record numbers follow it.
pub(super) const HEADER: u64 = 28;

/// The most record numbers in a table. The largest known login keychains have about ten thousand records. All numbers
/// of a table are in memory at the same time.
const MAX_RECORD_NUMBERS: u32 = 1024 * 1024;

/// The largest record in bytes, which limits the memory for one record. Certificates, keys and passwords are smaller.
const MAX_RECORD_SIZE: u64 = 16 * 1024 * 1024;

/// A table as its header describes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    extent: Extent,
    records: u32,
    records_offset: u64,
    indexes_offset: u64,
    record_numbers: u32,
}

impl Table {
    /// Parses a table's header; `within` is the schema section, and `offset` is relative to its start.
    pub(super) fn parse(header: Section<'_>, within: Extent, offset: u64) -> Result<(RelationId, Self), Error> {
        let [size, relation, records, records_offset, indexes_offset, _free, record_numbers] =
            [0, 1, 2, 3, 4, 5, 6].map(|index| header.atom(ATOM * index));
        let contradiction = || ErrorKind::TableHeader.at(header.start());
        let extent = within.carve(offset, u64::from(size?.value)).ok_or_else(contradiction)?;
        let table = Self {
            extent,
            records: records?.value,
            records_offset: u64::from(records_offset?.value),
            indexes_offset: u64::from(indexes_offset?.value),
            record_numbers: record_numbers?.value,
        };
        let consistent = table.record_numbers >= 1
            && table.records_offset == HEADER + ATOM * u64::from(table.record_numbers)
            && table.records_offset <= table.indexes_offset
            && table.indexes_offset <= extent.length();
        if !consistent {
            return Err(contradiction());
        }
        Ok((RelationId(relation?.value), table))
    }

    pub(super) const fn extent(&self) -> Extent {
        self.extent
    }

    /// Calls `visit` with each record, in the order of the file.
    ///
    /// The records are found by their sizes, like macOS does when it scans a table. The record numbers must lead to the
    /// same records, because macOS also looks up records by number. If the two differ, the result would depend on the
    /// method, so the file is damaged.
    pub(super) fn for_each_record<R: ReadAt>(
        &self,
        source: &R,
        relation: &Relation,
        mut visit: impl FnMut(&Record<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut window = Window::new(source, self.extent);
        let numbers = self.read_record_numbers(&mut window)?;
        let smallest = record::smallest_size(relation.width());
        let mut offset = self.records_offset;
        for _ in 0..self.records {
            let size = window.section(offset, ATOM).map_err(|error| self.or_records_misplaced(error))?.atom(0)?;
            let length = u64::from(size.value);
            let end = offset + length;
            if length < smallest || length % ATOM != 0 || length > MAX_RECORD_SIZE || end > self.indexes_offset {
                return Err(size.error(ErrorKind::RecordSize(size.value)));
            }
            let record = Record::parse(window.section(offset, length)?, relation)?;
            let number = record.number()?;
            let leads_here = usize::try_from(number.value)
                .ok()
                .and_then(|index| numbers.get(index))
                .is_some_and(|&slot| u64::from(slot) == offset);
            if !leads_here {
                return Err(number.error(ErrorKind::RecordNumbers));
            }
            visit(&record)?;
            offset = end;
        }
        if offset != self.indexes_offset {
            return Err(self.records_misplaced());
        }
        Ok(())
    }

    /// The offset of each record by its number; 0 or an odd value for a free number.
    fn read_record_numbers<R: ReadAt>(&self, window: &mut Window<'_, R>) -> Result<Vec<u32>, Error> {
        if self.record_numbers > MAX_RECORD_NUMBERS {
            return Err(ErrorKind::TooManyRecordNumbers(self.record_numbers).at(self.extent.start()));
        }
        let size = ATOM * u64::from(self.record_numbers);
        let numbers = window.section(HEADER, size)?.atoms(size)?;
        let taken = numbers.iter().filter(|&&slot| slot != 0 && slot & 1 == 0).count();
        if u32::try_from(taken) != Ok(self.records) {
            return Err(ErrorKind::RecordNumbers.at(self.extent.start()));
        }
        Ok(numbers)
    }

    /// Turns a read beyond the end of the table into an error about the table; other errors stay as they are.
    const fn or_records_misplaced(&self, error: Error) -> Error {
        match error.kind {
            ErrorKind::Truncated => self.records_misplaced(),
            _ => error,
        }
    }

    const fn records_misplaced(&self) -> Error {
        ErrorKind::RecordsPlace.at(self.extent.start())
    }
}
