//! Files that are rewritten in place while they are read. macOS itself replaces files instead.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use fixture_generator::{Certificate, Keychain};

use crate::{
    home::{Home, answer, undetermined},
    mac::{KEYCHAIN, PLIST},
    outcome::{Outcome, equal},
};

/// Runs the tool many times while another thread alternates a file's content in place. Each answer must be the state
/// that both contents have, or that the file is changing.
fn is_never_mixed(
    file: &str,
    contents: &[Vec<u8>; 2],
    state: &str,
    runs: usize,
    tool: impl Fn(&Home) -> Command,
) -> Outcome {
    let home = Home::with_keychain(&registered())?;
    let known = (format!("<result>{state}</result>\n"), String::new(), Some(0));
    for content in contents {
        equal(&content.len(), &contents[0].len())?;
        fs::write(home.file(file), content)?;
        equal(&answer(&mut home.tool())?, &known)?;
    }
    let words = "this file changes while it is read; run it again";
    let changes = undetermined(format!("{}: {words}", home.file(file).display()));
    let is_over = AtomicBool::new(false);
    let rewrite = || -> std::io::Result<()> {
        let file = OpenOptions::new().write(true).open(home.file(file))?;
        for (number, content) in (0..).zip(contents.iter().cycle()) {
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            // The content is written with one call: no reader could notice a file that stays half-written for long.
            file.write_all_at(content, 0)?;
            thread::sleep(Duration::from_micros(number % 50 * 100));
        }
        Ok(())
    };
    thread::scope(|scope| {
        let writer = scope.spawn(rewrite);
        let runs = (0..runs).try_for_each(|_| {
            let found = answer(&mut tool(&home))?;
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

/// A keychain with another version, which is at the end of the file.
fn with_version(bytes: &[u8], version: u32) -> Vec<u8> {
    [&bytes[..bytes.len() - 4], &version.to_be_bytes()].concat()
}

/// Two keychains without a Workplace Join identity: one has the certificate and another key, the other one has the key
/// and a certificate of another issuer.
fn keychains() -> [Vec<u8>; 2] {
    let certificate = Certificate::workplace_join();
    let names = ["Microsoft Workplace Join Key", "com.microsoft.workplacejoin.privatekey\0"];
    let with = |label| Keychain::new().certificate(&certificate).private_key(names, &[label]).to_bytes();
    let without_key = with_version(&with(vec![7; 20]), 1);
    let whole = with(certificate.public_key_hash());
    let without_certificate = with_version(&replaced(&whole, b"MS-Organization-Access", b"NO-Organization-Access"), 2);
    [without_key, without_certificate]
}

/// Two plists that do not show an Azure AD ID, although a mixture of them would.
fn plists() -> [Vec<u8>; 2] {
    let plist = |key: &str, value: &str| {
        let padding = "x".repeat(20_000);
        format!("<plist version=\"1.0\"><dict><key>{key}</key><!--{padding}-->{value}</dict></plist>").into_bytes()
    };
    [plist("have_an_azure_id", "<false/>"), plist("have_another_id_", "<true/> ")]
}

const NOT_ACQUIRED: &str = "WPJ Key present, AAD ID not acquired";

#[test]
fn a_keychain_that_is_rewritten_in_place_is_never_a_mixture() -> Outcome {
    is_never_mixed(KEYCHAIN, &keychains(), "Not Registered", 300, Home::tool)
}

#[test]
fn a_plist_that_is_rewritten_in_place_is_never_a_mixture() -> Outcome {
    is_never_mixed(PLIST, &plists(), NOT_ACQUIRED, 300, Home::tool)
}

#[cfg(target_os = "linux")]
mod strace {
    use super::*;

    /// A command that runs the tool under strace with delayed reads.
    fn slow(home: &Home) -> Command {
        let mut command = Command::new("strace");
        command.args(["-f", "--quiet=all", "-o", "/dev/null", "-e", "inject=pread64,read:delay_enter=400us"]);
        let tool = home.tool();
        command.arg(tool.get_program()).args(tool.get_args());
        command
    }

    #[test]
    #[ignore = "needs strace, and the right to trace"]
    fn a_file_that_is_rewritten_in_place_during_a_slow_read_is_never_a_mixture() -> Outcome {
        is_never_mixed(KEYCHAIN, &keychains(), "Not Registered", 30, slow)?;
        is_never_mixed(PLIST, &plists(), NOT_ACQUIRED, 30, slow)
    }
}

fn registered() -> Vec<u8> {
    let certificate = Certificate::workplace_join();
    Keychain::new().certificate(&certificate).workplace_join_key(&certificate).to_bytes()
}
