//! Adds and checks all offsets that a keychain contains.
//!
//! Offsets in the file are `u32` and relative to some structure. They are added as `u64`, where they cannot overflow.

use std::{fs::File, io, os::unix::fs::FileExt};

use super::error::{Error, ErrorKind};

/// Size of an atom in bytes; an atom is the `u32` that everything in a keychain consists of.
pub(super) const ATOM: u64 = 4;

/// How many bytes of a table are read at once, if it has that many left.
const CHUNK: u64 = 16 * 1024;

/// Bytes that can be read at any offset: a file, or bytes in memory.
pub trait ReadAt {
    /// Length in bytes.
    /// Fails if the length cannot be determined.
    fn length(&self) -> io::Result<u64>;

    /// Fills `buffer` with the bytes at `offset`.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] if there are fewer bytes.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ReadAt for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, buffer, offset)
    }
}

impl ReadAt for [u8] {
    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let there = usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..start.checked_add(buffer.len())?))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(there);
        Ok(())
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn length(&self) -> io::Result<u64> {
        (**self).length()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        (**self).read_exact_at(buffer, offset)
    }
}

/// A range of the file, by absolute offsets. It is carved out of a larger one, so it is always inside the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    start: u64,
    end: u64,
}

impl Extent {
    pub(super) const fn file(length: u64) -> Self {
        Self { start: 0, end: length }
    }

    pub(super) const fn start(self) -> u64 {
        self.start
    }

    pub(super) const fn end(self) -> u64 {
        self.end
    }

    pub(super) const fn length(self) -> u64 {
        self.end - self.start
    }

    /// The `length` bytes at `offset` from this extent's start, or `None` if they are not inside it.
    pub(super) fn carve(self, offset: u64, length: u64) -> Option<Self> {
        let start = self.start.checked_add(offset)?;
        let end = start.checked_add(length)?;
        (end <= self.end).then_some(Self { start, end })
    }
}

/// An atom, and its absolute offset in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Atom {
    pub(super) value: u32,
    pub(super) at: u64,
}

impl Atom {
    /// An error about this atom.
    pub(super) const fn error(self, kind: ErrorKind) -> Error {
        kind.at(self.at)
    }
}

/// A part of the file that is in memory. Offsets are relative to the section.
#[derive(Debug, Clone, Copy)]
pub(super) struct Section<'a> {
    bytes: &'a [u8],
    start: u64,
}

impl<'a> Section<'a> {
    pub(super) const fn start(&self) -> u64 {
        self.start
    }

    pub(super) const fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Whether the section starts with `magic`, or with a part of it if the section is shorter.
    pub(super) fn starts_like(&self, magic: &[u8]) -> bool {
        magic.iter().zip(self.bytes).all(|(expected, byte)| expected == byte)
    }

    pub(super) fn atom(&self, offset: u64) -> Result<Atom, Error> {
        let value = self
            .bytes(offset, ATOM)
            .and_then(|bytes| <[u8; 4]>::try_from(bytes).ok())
            .map(u32::from_be_bytes)
            .ok_or_else(|| ErrorKind::Truncated.at(self.start))?;
        Ok(Atom { value, at: self.start.saturating_add(offset) })
    }

    /// The atoms in the first `length` bytes.
    pub(super) fn atoms(&self, length: u64) -> Result<Vec<u32>, Error> {
        let bytes = self.bytes(0, length).ok_or_else(|| ErrorKind::Truncated.at(self.start))?;
        let (chunks, _) = bytes.as_chunks();
        let mut atoms = Vec::new();
        let no_memory = |error| ErrorKind::from_read(&io::Error::from(error)).at(self.start);
        atoms.try_reserve_exact(chunks.len()).map_err(no_memory)?;
        atoms.extend(chunks.iter().map(|atom| u32::from_be_bytes(*atom)));
        Ok(atoms)
    }

    /// The `length` bytes at `offset`, or `None` if they are not inside the section.
    pub(super) fn bytes(&self, offset: u64, length: u64) -> Option<&'a [u8]> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        self.bytes.get(start..end)
    }
}

/// An extent that is read piece by piece into a buffer, which grows only for a single large piece. Nothing outside the
/// extent is read, so the content of other tables never gets into this process's memory.
#[derive(Debug)]
pub(super) struct Window<'r, R> {
    source: &'r R,
    extent: Extent,
    chunk: u64,
    buffer: Vec<u8>,
    buffered: Extent,
}

impl<'r, R: ReadAt> Window<'r, R> {
    /// A window on something that is read completely, so it reads ahead.
    pub(super) const fn new(source: &'r R, extent: Extent) -> Self {
        Self { source, extent, chunk: CHUNK, buffer: Vec::new(), buffered: Extent::file(0) }
    }

    /// A window that reads only the requested bytes.
    pub(super) const fn exact(source: &'r R, extent: Extent) -> Self {
        Self { source, extent, chunk: 0, buffer: Vec::new(), buffered: Extent::file(0) }
    }

    /// The `length` bytes at `offset` from the extent's start; [`ErrorKind::Truncated`] if they are not inside it.
    pub(super) fn section(&mut self, offset: u64, length: u64) -> Result<Section<'_>, Error> {
        let wanted = self.extent.carve(offset, length).ok_or_else(|| ErrorKind::Truncated.at(self.extent.start))?;
        if wanted.start < self.buffered.start || wanted.end > self.buffered.end {
            self.fill(wanted)?;
        }
        let bytes = wanted
            .start
            .checked_sub(self.buffered.start)
            .and_then(|skip| usize::try_from(skip).ok())
            .and_then(|skip| self.buffer.get(skip..))
            .and_then(|rest| rest.get(..usize::try_from(length).ok()?))
            .ok_or_else(|| ErrorKind::Truncated.at(self.extent.start))?;
        Ok(Section { bytes, start: wanted.start })
    }

    fn fill(&mut self, wanted: Extent) -> Result<(), Error> {
        let end = wanted.end.max(wanted.start.saturating_add(self.chunk)).min(self.extent.end);
        let piece = Extent { start: wanted.start, end };
        let failed = |kind: ErrorKind| kind.at(wanted.start);
        let length = usize::try_from(piece.length()).map_err(|_| failed(ErrorKind::Truncated))?;
        self.buffered = Extent::file(0);
        self.buffer
            .try_reserve_exact(length.saturating_sub(self.buffer.len()))
            .map_err(io::Error::from)
            .and_then(|()| {
                self.buffer.resize(length, 0);
                self.source.read_exact_at(&mut self.buffer, piece.start)
            })
            .map_err(|error| failed(ErrorKind::from_read(&error)))?;
        self.buffered = piece;
        Ok(())
    }
}

/// `length` rounded up to a whole number of atoms.
pub(super) const fn padded(length: u32) -> u64 {
    (length as u64).next_multiple_of(ATOM)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(length: u64) -> Extent {
        Extent::file(length)
    }

    #[test]
    fn an_extent_is_carved_only_inside_its_parent() {
        let parent = file(100).carve(10, 50).unwrap();
        assert_eq!(parent.carve(0, 50), Some(Extent { start: 10, end: 60 }));
        assert_eq!(parent.carve(50, 0), Some(Extent { start: 60, end: 60 }));
        assert_eq!(parent.carve(1, 50), None);
        assert_eq!(parent.carve(51, 0), None);
        assert_eq!(parent.carve(u64::MAX, 1), None);
        assert_eq!(parent.carve(1, u64::MAX), None);
    }

    #[test]
    fn a_window_gives_the_same_bytes_in_any_order_of_reading() {
        let bytes: Vec<u8> = (0..=255u8).cycle().take(3 * CHUNK as usize).collect();
        let source = bytes.as_slice();
        let mut window = Window::new(&source, file(bytes.len() as u64));
        for offset in [0, 4, CHUNK - 2, 5, 2 * CHUNK, 3 * CHUNK - 8, 0] {
            let section = window.section(offset, 8).unwrap();
            assert_eq!(section.bytes(0, 8).unwrap(), &bytes[offset as usize..offset as usize + 8]);
            assert_eq!(section.start(), offset);
        }
        let whole = window.section(0, 3 * CHUNK).unwrap();
        assert_eq!(whole.bytes(0, whole.length()).unwrap(), bytes);
    }

    #[test]
    fn a_window_refuses_bytes_outside_its_extent() {
        let bytes = [0u8; 64];
        let source = bytes.as_slice();
        let mut window = Window::new(&source, file(64).carve(16, 16).unwrap());
        let refused = ErrorKind::Truncated.at(16);
        assert_eq!(window.section(0, 17).unwrap_err(), refused);
        assert_eq!(window.section(17, 0).unwrap_err(), refused);
        assert_eq!(window.section(u64::MAX, 4).unwrap_err(), refused);
        assert!(window.section(0, 16).is_ok());
    }

    #[test]
    fn a_file_that_shrinks_while_it_is_read_is_cut_short() {
        struct Shrunk;
        impl ReadAt for Shrunk {
            fn length(&self) -> io::Result<u64> {
                Ok(1000)
            }
            fn read_exact_at(&self, _: &mut [u8], _: u64) -> io::Result<()> {
                Err(io::ErrorKind::UnexpectedEof.into())
            }
        }
        let mut window = Window::new(&Shrunk, file(1000));
        assert_eq!(window.section(40, 4).unwrap_err(), ErrorKind::Truncated.at(40));
    }

    #[test]
    fn lengths_are_padded_to_whole_atoms() {
        assert_eq!([0, 1, 3, 4, 5, u32::MAX].map(padded), [0, 4, 4, 4, 8, 0x1_0000_0000]);
    }
}
