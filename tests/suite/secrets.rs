//! Checks that nothing that macOS encrypts in a keychain appears in an output, in an error, or in the debug output of
//! the library's types. Tables that are not needed are not even in memory.

use std::{cell::RefCell, fs, io, ops::Range};

use base64::{Engine, prelude::BASE64_STANDARD};
use fixture_generator::{Certificate, GenericPassword, Keychain};
use wpj_state::{
    cli::attribute::Attribute,
    parse::{
        keychain::ReadAt,
        login_keychain::{self, Depth},
        records::Records,
    },
};

use crate::home::{Home, answer};

/// Long enough not to occur by chance, and short enough to fit into everything that is encrypted.
const SECRET: &[u8] = b"Xq7-SECRET-wZ";

const RENAMED: &str = "Library/Keychains/login_renamed_1.keychain-db";

fn keychain() -> Keychain {
    let (joined, own) = (Certificate::workplace_join(), Certificate::contoso());
    Keychain::new()
        .certificate(&joined)
        .workplace_join_key(&joined)
        .certificate(&own)
        .private_key(["Contoso", "\0"], &[own.public_key_hash()])
        .generic_password(&GenericPassword::wifi())
        .generic_password(&GenericPassword::identity_preference())
        .generic_password(&GenericPassword::user_principal_name("adele.vance@contoso.com", "20240301000000Z"))
        .with_secret(SECRET)
}

/// Fails if a text contains the secret as text, in hexadecimal, in base64, or as a list of numbers.
fn assert_hidden(text: &str, whence: &str) {
    let hexadecimal: String = SECRET.iter().map(|byte| format!("{byte:02x}")).collect();
    let numbers: Vec<String> = SECRET.iter().map(u8::to_string).collect();
    // In base64 the secret has three forms, which depend on its offset; the middle is the same in two of them.
    let base64 = (0..3).map(|skip| BASE64_STANDARD.encode(&SECRET[skip..skip + 9]));
    let forms = [String::from_utf8_lossy(SECRET).into_owned(), hexadecimal, numbers.join(", ")];
    for form in forms.into_iter().chain(base64) {
        let shows = text.to_ascii_lowercase().contains(&form.to_ascii_lowercase());
        assert!(!shows, "{whence} shows a secret: {text}");
    }
}

/// Checks every kind of output about a home.
fn assert_all_hidden(home: &Home, whence: &str) {
    let attributes = Attribute::ALL.map(|attribute| vec!["--attribute", attribute.name()]);
    let others = [vec!["--json"], vec!["--explain"], vec!["--all-users", "--json"], vec!["--second-opinion", "--json"]];
    for options in attributes.into_iter().chain(others) {
        let (stdout, stderr, _) = answer(home.tool().args(&options)).unwrap();
        for text in [stdout, stderr] {
            assert_hidden(&text, &format!("{whence}, {options:?}"));
        }
    }
}

fn home(keychain: &[u8]) -> Home {
    Home::with_keychain(keychain).unwrap()
}

#[test]
fn the_secret_is_in_everything_that_is_encrypted() {
    let bytes = keychain().to_bytes();
    let count = bytes.windows(SECRET.len()).filter(|window| *window == SECRET).count();
    // Two keys of 200 bytes, three passwords of 76, and 140 bytes of the keychain's own keys, without their first
    // bytes.
    assert_eq!(count, 2 * (200 / SECRET.len()) + 3 * (76 / SECRET.len()) + 140 / SECRET.len());
}

#[test]
fn no_output_shows_what_is_encrypted() {
    let bytes = keychain().to_bytes();
    assert_all_hidden(&home(&bytes), "a whole keychain");
    let renamed = home(&Keychain::new().to_bytes());
    fs::write(renamed.file(RENAMED), &bytes).unwrap();
    assert_all_hidden(&renamed, "a renamed keychain");
}

#[test]
fn no_error_shows_what_is_encrypted() {
    let bytes = keychain().to_bytes();
    let places: Vec<usize> = (0..bytes.len() - SECRET.len()).filter(|&at| bytes[at..].starts_with(SECRET)).collect();
    // Files that are cut off in a secret, and files with a secret instead of sizes, numbers and offsets, which an error
    // might quote.
    for &place in places.iter().step_by(7) {
        assert_all_hidden(&home(&bytes[..place + 4]), "a keychain that is cut off");
        for before in [4, 32, 64, 96] {
            let mut damaged = bytes.clone();
            damaged[place - before..place - before + SECRET.len()].copy_from_slice(SECRET);
            assert_all_hidden(&home(&damaged), "a damaged keychain");
        }
    }
    let swapped = [&bytes[..20], SECRET, &bytes[20..]].concat();
    assert_all_hidden(&home(&swapped), "a keychain whose tables are elsewhere");
}

#[test]
fn the_debug_output_of_types_shows_nothing_that_is_encrypted() {
    let bytes = keychain().to_bytes();
    for depth in [Depth::State, Depth::Details] {
        assert_hidden(&format!("{:#?}", login_keychain::read(bytes.as_slice(), depth)), "a login keychain");
        for length in (20..bytes.len()).step_by(997) {
            assert_hidden(&format!("{:?}", login_keychain::read(&bytes[..length], depth)), "an error");
        }
    }
    assert_hidden(&format!("{:?}", Records::read(bytes.as_slice())), "records");
}

const PRIVATE_KEYS: u32 = 0x10;
const GENERIC_PASSWORDS: u32 = 0x8000_0000;

fn atom(bytes: &[u8], offset: usize) -> usize {
    u32::from_be_bytes(*bytes[offset..].first_chunk().unwrap()).try_into().unwrap()
}

/// The relation and the byte range of each table.
fn tables(bytes: &[u8]) -> Vec<(u32, Range<usize>)> {
    let table = |number: usize| {
        let start = 20 + atom(bytes, 28 + 4 * number);
        (atom(bytes, start + 4).try_into().unwrap(), start..start + atom(bytes, start))
    };
    (0..atom(bytes, 24)).map(table).collect()
}

/// Bytes that record which of them were read.
struct Recorded<'a> {
    bytes: &'a [u8],
    read: RefCell<Vec<bool>>,
}

impl ReadAt for &Recorded<'_> {
    fn length(&self) -> io::Result<u64> {
        self.bytes.length()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        self.read.borrow_mut()[start..start + buffer.len()].fill(true);
        self.bytes.read_exact_at(buffer, offset)
    }
}

/// The relations of the tables whose secrets were read.
fn tables_whose_secrets_are_read(depth: Depth) -> Vec<u32> {
    let bytes = keychain().to_bytes();
    let noting = Recorded { bytes: &bytes, read: RefCell::new(vec![false; bytes.len()]) };
    assert!(login_keychain::read(&noting, depth).unwrap().workplace_join_identity().is_some());
    let read = noting.read.into_inner();
    let shows = |place: Range<usize>| {
        let mut starts = place.filter(|start| bytes[*start..].starts_with(SECRET));
        starts.any(|start| read[start..start + SECRET.len()].iter().all(|is_read| *is_read))
    };
    let shown = tables(&bytes).into_iter().filter(|(_, place)| shows(place.clone()));
    shown.map(|(relation, _)| relation).collect()
}

#[test]
fn tables_that_are_not_needed_are_not_read() {
    assert_eq!(tables_whose_secrets_are_read(Depth::State), [PRIVATE_KEYS]);
    assert_eq!(tables_whose_secrets_are_read(Depth::Details), [PRIVATE_KEYS, GENERIC_PASSWORDS]);
}

#[cfg(target_os = "linux")]
mod memory {
    use std::{
        fs::File,
        io::{PipeReader, Write},
        process::{Child, Stdio},
        thread,
        time::Duration,
    };

    use nix::{
        fcntl::{FcntlArg, fcntl},
        libc::SYS_write,
    };

    use super::*;
    use crate::{
        mac::PLIST,
        root::{
            held_up::HeldUp,
            user::{GROUP, USER},
        },
    };

    const METADATA: u32 = 0x8000_8000;

    /// A part of the certificate, which is read, so it must be in memory.
    const DEVICE: &[u8] = b"0f5b8d8a-98d2-4e3f-8a6c-5d0a3f7e9b21";

    /// A keychain with secrets in everything that is encrypted, except in the tables of some relations.
    fn keychain_but(is_without: impl Fn(u32) -> bool) -> Vec<u8> {
        let mut bytes = keychain().to_bytes();
        for (_, place) in tables(&bytes).into_iter().filter(|(relation, _)| is_without(*relation)) {
            for start in place {
                if bytes[start..].starts_with(SECRET) {
                    bytes[start..start + SECRET.len()].fill(b'x');
                }
            }
        }
        assert!(bytes.windows(SECRET.len()).any(|window| window == SECRET));
        bytes
    }

    /// Starts the tool, and waits until it blocks because this pipe is full and not read.
    fn at_the_end(home: &Home, options: &[&str]) -> (Child, PipeReader) {
        let (reader, mut writer) = io::pipe().unwrap();
        let capacity = fcntl(&writer, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
        writer.write_all(&vec![0; capacity.try_into().unwrap()]).unwrap();
        let mut tool = home.tool().args(options).stdout(writer).spawn().unwrap();
        // The number of the system call in which it waits, and the first argument: standard output.
        let writes = format!("{SYS_write} 0x1 ");
        let waits = (0..60_000).any(|_| {
            thread::sleep(Duration::from_millis(1));
            fs::read_to_string(format!("/proc/{}/syscall", tool.id())).unwrap().starts_with(&writes)
        });
        if !waits {
            tool.kill().unwrap();
        }
        assert!(waits, "it does not answer");
        (tool, reader)
    }

    /// The writable memory of a process: its heap and stacks, including freed memory.
    fn memory_of(process: u32) -> Vec<u8> {
        let memory = File::open(format!("/proc/{process}/mem")).unwrap();
        let mut all = Vec::new();
        for line in fs::read_to_string(format!("/proc/{process}/maps")).unwrap().lines() {
            let mut words = line.split(' ');
            let (range, rights) = (words.next().unwrap(), words.next().unwrap());
            let (start, end) = range.split_once('-').unwrap();
            let [start, end] = [start, end].map(|address| u64::from_str_radix(address, 16).unwrap());
            if rights.starts_with("rw") {
                let mut part = vec![0; usize::try_from(end - start).unwrap()];
                ReadAt::read_exact_at(&memory, &mut part, start).unwrap();
                all.extend(part);
            }
        }
        all
    }

    fn is_in(memory: &[u8], bytes: &[u8]) -> bool {
        memory.windows(bytes.len()).any(|window| window == bytes)
    }

    /// Options, and a keychain with secrets only in tables that are not needed for them.
    fn not_needed() -> [(&'static [&'static str], Vec<u8>); 2] {
        [
            (&[], keychain_but(|relation| relation == PRIVATE_KEYS)),
            (&["--json"], keychain_but(|relation| relation != METADATA)),
        ]
    }

    #[test]
    fn tables_that_are_not_needed_are_not_in_the_memory_of_the_parent() {
        for (options, keychain) in not_needed() {
            let home = home(&keychain);
            let (mut tool, _reader) = at_the_end(&home, options);
            let memory = memory_of(tool.id());
            tool.kill().unwrap();
            tool.wait().unwrap();
            assert!(is_in(&memory, DEVICE), "the certificate was read");
            assert!(!is_in(&memory, SECRET), "{options:?}");
        }
    }

    /// The reader process has read the keychain when it reads the plist.
    #[test]
    #[ignore = "needs root"]
    fn tables_that_are_not_needed_are_not_in_the_memory_of_the_reader_process() {
        for (options, keychain) in not_needed() {
            let home = home(&keychain).belonging_to(USER, GROUP).unwrap();
            let held_up = HeldUp::of(home, PLIST).unwrap();
            let mut tool = held_up.home.tool().args(options).stdout(Stdio::null()).spawn().unwrap();
            let memory = memory_of(held_up.reader().unwrap().as_raw().cast_unsigned());
            drop(held_up);
            tool.wait().unwrap();
            assert!(is_in(&memory, DEVICE), "the certificate was read");
            assert!(!is_in(&memory, SECRET), "{options:?}");
        }
    }
}
