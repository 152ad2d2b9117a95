//! Files that are rewritten in place while they are read, as macOS never does it.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use fixture_generator::{Certificate, GenericPassword, Keychain};

use crate::{
    home::{Home, answer, undetermined},
    mac::{KEYCHAIN, PLIST},
    outcome::{Outcome, equal},
};

const RUNS: usize = 300;

/// Runs the tool while a file is rewritten in place with one content after the other. Each of its answers has to be the
/// one state that both have, or that the file changes.
fn is_never_mixed(file: &str, contents: &[Vec<u8>; 2], state: &str) -> Outcome {
    let home = Home::with_keychain(&registered())?;
    let known = (format!("<result>{state}</result>\n"), String::new(), Some(0));
    for content in contents {
        equal(&content.len(), &contents[0].len())?;
        fs::write(home.file(file), content)?;
        equal(&answer(&mut home.tool())?, &known)?;
    }
    let words = "this file changes while it is read; run it again when nothing writes to this file";
    let changes = undetermined(format!("{}: {words}", home.file(file).display()));
    let is_over = AtomicBool::new(false);
    let rewrite = || -> std::io::Result<()> {
        let file = OpenOptions::new().write(true).open(home.file(file))?;
        for (number, content) in (0..).zip(contents.iter().cycle()) {
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            // At once, and with pauses: a writer that rests in the midst leaves a file that no reader can know for one.
            file.write_all_at(content, 0)?;
            thread::sleep(Duration::from_micros(number % 50 * 100));
        }
        Ok(())
    };
    thread::scope(|scope| {
        let writer = scope.spawn(rewrite);
        let runs = (0..RUNS).try_for_each(|_| {
            let found = answer(&mut home.tool())?;
            if [&known, &changes].contains(&&found) { Ok(()) } else { Err(format!("{found:?}").into()) }
        });
        is_over.store(true, Ordering::Relaxed);
        writer.join().map_err(|_| "the writer panics")??;
        runs
    })
}

fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for at in 0..bytes.len() - old.len() {
        if bytes[at..].starts_with(old) {
            bytes[at..at + old.len()].copy_from_slice(new);
        }
    }
    bytes
}

/// With another version, which is behind everything else.
fn with_version(bytes: &[u8], version: u32) -> Vec<u8> {
    [&bytes[..bytes.len() - 4], &version.to_be_bytes()].concat()
}

/// One has the certificate and another key, the other one the key and another issuer's certificate.
#[test]
fn a_keychain_that_is_rewritten_in_place_is_never_a_mixture() -> Outcome {
    let certificate = Certificate::workplace_join();
    let with = |label| {
        (0..100)
            .fold(Keychain::new(), |it, _| it.generic_password(&GenericPassword::wifi()))
            .certificate(&certificate)
            .private_key(["Microsoft Workplace Join Key", "com.microsoft.workplacejoin.privatekey\0"], &[label])
            .to_bytes()
    };
    let without_key = with_version(&with(vec![7; 20]), 1);
    let whole = with(certificate.public_key_hash());
    let without_certificate = with_version(&replaced(&whole, b"MS-Organization-Access", b"NO-Organization-Access"), 2);
    is_never_mixed(KEYCHAIN, &[without_key, without_certificate], "Not Registered")
}

/// One says no, the other one yes to another question.
#[test]
fn a_plist_that_is_rewritten_in_place_is_never_a_mixture() -> Outcome {
    let plist = |key: &str, value: &str| {
        let padding = "x".repeat(100_000);
        format!("<plist version=\"1.0\"><dict><key>{key}</key><!--{padding}-->{value}</dict></plist>").into_bytes()
    };
    let contents = [plist("have_an_azure_id", "<false/>"), plist("have_another_id_", "<true/> ")];
    is_never_mixed(PLIST, &contents, "WPJ Key present, AAD ID not acquired")
}

fn registered() -> Vec<u8> {
    let certificate = Certificate::workplace_join();
    Keychain::new().certificate(&certificate).workplace_join_key(&certificate).to_bytes()
}
