//! Only the needed tables of a keychain are read.

use std::{cell::Cell, io};

use fixture_generator::keychain::bulk;
use wpj_state::parse::{
    keychain::ReadAt,
    login_keychain::{self, Depth},
};

/// Bytes that count how many of them are read.
struct Counted<'a> {
    bytes: &'a [u8],
    read: Cell<usize>,
}

impl ReadAt for Counted<'_> {
    fn length(&self) -> io::Result<u64> {
        self.bytes.length()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read.set(self.read.get() + buffer.len());
        self.bytes.read_exact_at(buffer, offset)
    }
}

fn bytes_read(bytes: &[u8], depth: Depth) -> usize {
    let counted = Counted { bytes, read: Cell::new(0) };
    let found = login_keychain::read(&counted, depth).unwrap();
    assert!(found.workplace_join_identity().is_some());
    counted.read.get()
}

#[test]
fn passwords_are_not_read_for_the_state() {
    let large = bulk(20_000).to_bytes();
    assert!(large.len() > 10_000_000);
    assert!(bytes_read(&large, Depth::State) < 100_000);
    assert!(bytes_read(&large, Depth::Details) > 10_000_000);
}
