//! Damages a small keychain at each offset: the answer stays correct, or there is an error with an offset in the file.

use std::{cell::Cell, io, ops::Range};

use fixture_generator::{Certificate, Keychain};
use wpj_state::parse::{
    keychain::{Error, ReadAt},
    login_keychain::{self, Depth},
};

/// Bytes that check that no single read is larger than the file.
struct Watched<'a> {
    bytes: &'a [u8],
    largest: Cell<usize>,
}

impl ReadAt for Watched<'_> {
    fn length(&self) -> io::Result<u64> {
        self.bytes.length()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.largest.set(self.largest.get().max(buffer.len()));
        self.bytes.read_exact_at(buffer, offset)
    }
}

/// Whether a Workplace Join key is present; `None` if the issuer of a certificate with a key is unknown. Both depths
/// must agree.
fn has_key(bytes: &[u8]) -> Result<Option<bool>, Error> {
    let [state, details] = [Depth::State, Depth::Details].map(|depth| {
        let watched = Watched { bytes, largest: Cell::new(0) };
        let answer = login_keychain::read(&watched, depth);
        assert!(watched.largest.get() <= bytes.len(), "{} bytes were read at once", watched.largest.get());
        answer.map(|found| {
            let has_key = found.workplace_join_identity().is_some();
            (has_key || found.unknown_issuer.is_none()).then_some(has_key)
        })
    });
    assert_eq!(state, details);
    if let Err(error) = state {
        assert!(error.offset < bytes.len().max(1) as u64, "{error:?} points outside {} bytes", bytes.len());
    }
    state
}

fn certificate() -> Certificate {
    Certificate::workplace_join()
}

fn with_key() -> Vec<u8> {
    Keychain::new().certificate(&certificate()).workplace_join_key(&certificate()).to_bytes()
}

/// The offsets of the values on which the answer depends, so a change may give another answer.
fn content(bytes: &[u8]) -> Vec<Range<usize>> {
    [certificate().der(), certificate().public_key_hash()]
        .iter()
        .flat_map(|value| {
            let starts = bytes.windows(value.len()).enumerate().filter(move |(_, window)| window == value);
            starts.map(move |(start, _)| start..start + value.len())
        })
        .collect()
}

#[test]
fn a_keychain_that_is_cut_at_any_length_is_an_error() {
    let whole = with_key();
    assert_eq!(has_key(&whole), Ok(Some(true)));
    for length in 0..whole.len() {
        assert!(has_key(&whole[..length]).is_err(), "cut to {length} bytes");
    }
}

#[test]
fn a_wrong_atom_never_gives_a_wrong_answer() {
    let without_key = Keychain::new().certificate(&certificate()).to_bytes();
    for (whole, answer) in [(with_key(), true), (without_key, false)] {
        let content = content(&whole);
        let mut errors = 0;
        for offset in (0..whole.len()).step_by(4) {
            let original = u32::from_be_bytes(whole[offset..offset + 4].try_into().unwrap());
            let wrong =
                [0, 1, 0x7FFF_FFFF, 0xFFFF_FFFF, original.wrapping_sub(1), original.wrapping_add(1), original ^ 1];
            for value in wrong.into_iter().filter(|&value| value != original) {
                let mut damaged = whole.clone();
                damaged[offset..offset + 4].copy_from_slice(&value.to_be_bytes());
                match has_key(&damaged) {
                    Ok(found) if found == Some(answer) => {}
                    Ok(_) => assert!(
                        content.iter().any(|range| range.contains(&offset) || range.contains(&(offset + 3))),
                        "{value:#x} at {offset} changed the answer"
                    ),
                    Err(_) => errors += 1,
                }
            }
        }
        assert!(errors > 10_000, "only {errors} errors");
    }
}

#[test]
fn more_values_in_an_attribute_than_macos_accepts_are_an_error() {
    let mut bytes = Keychain::new().certificate(&certificate()).with_two_aliases().to_bytes();
    let first = bytes.windows(5).position(|window| window == b"first").unwrap();
    // The count precedes the length of the first value.
    let count = first - 8;
    assert_eq!(bytes[count..count + 4], [0, 0, 0, 2]);
    bytes[count..count + 4].copy_from_slice(&1025u32.to_be_bytes());
    let error = has_key(&bytes).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("damaged keychain: an attribute has an impossible number of values (1025) (at offset {count})")
    );
}

#[test]
fn a_table_that_names_a_record_twice_is_an_error() {
    let two = Keychain::new().certificate(&certificate()).certificate(&Certificate::contoso()).to_bytes();
    let place = |der: &[u8]| two.windows(der.len()).position(|window| window == der).unwrap() - (24 + 4 * 9);
    // Both records have the number of the first one.
    let mut damaged = two.clone();
    let second = place(&Certificate::contoso().der()) + 4;
    damaged[second..second + 4].copy_from_slice(&[0; 4]);
    let error = has_key(&damaged).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("damaged keychain: record numbers and records do not agree (at offset {second})")
    );
}
