//! What macOS encrypts in a keychain, keys, passwords and what unlocks them, never shows: not in any kind of output, not in
//! an error, nor in what the library's types say of themselves.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use assert_cmd::cargo::cargo_bin;
use base64::{Engine, prelude::BASE64_STANDARD};
use fixture_generator::{Certificate, GenericPassword, Keychain};
use tempfile::TempDir;
use wpj_state::{
    attribute::Attribute,
    login_keychain::{self, Depth},
    second_opinion::Records,
};

/// Long enough not to be there by chance, and short enough to be whole in everything that is encrypted.
const SECRET: &[u8] = b"Xq7-SECRET-wZ";

const KEYCHAIN: &str = "Library/Keychains/login.keychain-db";
const RENAMED: &str = "Library/Keychains/login_renamed_1.keychain-db";
const PLIST: &str = "Library/Preferences/com.jamf.management.jamfAAD.plist";

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

/// Fails if a text has the secret, as it is, in hexadecimal, in base64, or as a list of numbers.
fn assert_hidden(text: &str, whence: &str) {
    let hexadecimal: String = SECRET.iter().map(|byte| format!("{byte:02x}")).collect();
    let numbers: Vec<String> = SECRET.iter().map(u8::to_string).collect();
    // In base64 it looks different at each of three places; its middle is in two of them.
    let base64 = (0..3).map(|skip| BASE64_STANDARD.encode(&SECRET[skip..skip + 9]));
    let forms = [String::from_utf8_lossy(SECRET).into_owned(), hexadecimal, numbers.join(", ")];
    for form in forms.into_iter().chain(base64) {
        let shows = text.to_ascii_lowercase().contains(&form.to_ascii_lowercase());
        assert!(!shows, "{whence} shows a secret: {text}");
    }
}

struct Home(TempDir);

impl Home {
    fn new(bytes: &[u8]) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        for folder in ["Library/Keychains", "Library/Preferences"] {
            fs::create_dir_all(home.0.path().join(folder)).unwrap();
        }
        fs::write(home.path(KEYCHAIN), bytes).unwrap();
        fs::copy(Path::new("fixtures/registered/home").join(PLIST), home.path(PLIST)).unwrap();
        home
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    /// All that the tool prints, in every way.
    fn look(&self, whence: &str) {
        let attributes = Attribute::ALL.map(|attribute| vec!["--attribute", attribute.name()]);
        let others =
            [vec!["--json"], vec!["--explain"], vec!["--all-users", "--json"], vec!["--second-opinion", "--json"]];
        for options in attributes.into_iter().chain(others) {
            let mut tool = Command::new(cargo_bin("wpj-state"));
            let output = tool.arg("--home").arg(self.0.path()).args(&options).output().unwrap();
            for text in [output.stdout, output.stderr] {
                assert_hidden(&String::from_utf8_lossy(&text), &format!("{whence}, {options:?}"));
            }
        }
    }
}

#[test]
fn the_secret_is_in_everything_that_is_encrypted() {
    let bytes = keychain().to_bytes();
    let count = bytes.windows(SECRET.len()).filter(|window| *window == SECRET).count();
    // Two keys of 200 bytes, three passwords of 76, and 140 bytes of what unlocks them, without their first bytes.
    assert_eq!(count, 2 * (200 / SECRET.len()) + 3 * (76 / SECRET.len()) + 140 / SECRET.len());
}

#[test]
fn no_output_shows_what_is_encrypted() {
    let bytes = keychain().to_bytes();
    Home::new(&bytes).look("a whole keychain");
    let renamed = Home::new(&Keychain::new().to_bytes());
    fs::write(renamed.path(RENAMED), &bytes).unwrap();
    renamed.look("a renamed keychain");
}

#[test]
fn no_error_shows_what_is_encrypted() {
    let bytes = keychain().to_bytes();
    let places: Vec<usize> = (0..bytes.len() - SECRET.len()).filter(|&at| bytes[at..].starts_with(SECRET)).collect();
    // Cut off within a secret, and with a secret in place of what an error might quote: sizes, numbers and offsets.
    for &place in places.iter().step_by(7) {
        Home::new(&bytes[..place + 4]).look("a keychain that is cut off");
        for before in [4, 32, 64, 96] {
            let mut damaged = bytes.clone();
            damaged[place - before..place - before + SECRET.len()].copy_from_slice(SECRET);
            Home::new(&damaged).look("a damaged keychain");
        }
    }
    let swapped = [&bytes[..20], SECRET, &bytes[20..]].concat();
    Home::new(&swapped).look("a keychain whose tables are elsewhere");
}

#[test]
fn what_the_types_say_of_themselves_shows_nothing_that_is_encrypted() {
    let bytes = keychain().to_bytes();
    for depth in [Depth::State, Depth::Details] {
        assert_hidden(&format!("{:#?}", login_keychain::read(bytes.as_slice(), depth)), "a login keychain");
        for length in (20..bytes.len()).step_by(997) {
            assert_hidden(&format!("{:?}", login_keychain::read(&bytes[..length], depth)), "an error");
        }
    }
    assert_hidden(&format!("{:?}", Records::read(bytes.as_slice())), "records");
}
