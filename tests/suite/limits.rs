//! Files that are designed to cost time or memory: for each kind of output, the tool answers within limits of memory
//! and processor time.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    process::Command,
};

use assert_cmd::cargo::cargo_bin;
use fixture_generator::{Certificate, Keychain, Relation};

use crate::{
    home::{Answer, Home, answer},
    mac::{KEYCHAIN, PLIST},
    outcome::{Failed, Outcome, equal},
};

/// The limit of address space for each of the two processes, so both together use at most 64 MiB of memory.
const KILOBYTES: u64 = 32 * 1024;

/// The limit of processor time for both processes together.
const CPU_SECONDS: f64 = 1.0;

/// The kinds of output.
const MODES: [&[&str]; 4] = [&[], &["--json"], &["--attribute", "finding"], &["--explain"]];

type Make = fn() -> Result<Vec<u8>, Failed>;

/// Hostile keychains: name, function that creates it, and the expected state or, if it is empty, a part of the reason.
const KEYCHAINS: [(&str, Make, &str, &str); 11] = [
    ("four billion claimed records", || patched(8, u32::MAX), "", "record numbers and records do not agree"),
    ("four billion claimed record numbers", || patched(24, u32::MAX), "", "a table header contradicts itself"),
    (
        "four billion claimed tables",
        || Ok(replaced(&registered(), 24, u32::MAX)),
        "",
        "the table directory does not fit the file",
    ),
    ("tables that overlap", overlapping_tables, "", "two tables for relation 0x80001000"),
    ("a million free record numbers", || many(1_000_000, 0), "Not Registered", ""),
    ("a hundred thousand certificates", || many(0, 100_000), "Not Registered", ""),
    ("a million certificates", || many(0, 1_000_000), "", "an impossible number of certificates or public key hashes"),
    ("more labels than any keychain has", || Ok(labelled(5_000)), "", "an impossible number of private keys or labels"),
    (
        "a certificate that is nested very deeply",
        || with_certificate(nested(20_000)),
        "",
        "a certificate with a private key cannot be read up to its issuer",
    ),
    (
        "a certificate of absurd lengths",
        || with_certificate(b"\x30\x84\xff\xff\xff\xff\x30\x84\xff\xff\xff\xfe".to_vec()),
        "",
        "a certificate with a private key cannot be read up to its issuer",
    ),
    (
        "a certificate of 16 MiB",
        || with_certificate([&b"\x30\x84\x00\xff\xff\xfa"[..], &vec![0; 0xFF_FFFA]].concat()),
        "",
        "a record has an impossible size (16777460)",
    ),
];

/// Hostile plists, in the same form.
const PLISTS: [(&str, Make, &str, &str); 11] = [
    ("XML that is nested deeply", || Ok(xml(&"<array>".repeat(MOST / 8))), NOT_ACQUIRED, ""),
    ("a binary plist that is nested as deep as it is long", || Ok(chain(100_000, false)), NOT_ACQUIRED, ""),
    ("a binary plist that contains itself", || Ok(chain(1000, true)), NOT_ACQUIRED, ""),
    ("a binary array that claims 2^60 values", || Ok(claiming(0xAF)), NOT_ACQUIRED, ""),
    ("a binary text that claims 2^60 characters", || Ok(claiming(0x6F)), NOT_ACQUIRED, ""),
    ("nothing but texts", || Ok(texts()), NOT_ACQUIRED, ""),
    ("a text in UTF-16", || Ok(wide()), NOT_ACQUIRED, ""),
    ("a small file that expands to 6 GB of text", || Ok(same_text(60_000, 60_000)), NOT_ACQUIRED, ""),
    ("one comment that never ends", || Ok(xml(&format!("<!--{}", "x".repeat(MOST - 100)))), NOT_ACQUIRED, ""),
    ("many entities", || Ok(xml(&format!("<dict><key>{}</key></dict>", "&lt;".repeat(MOST / 5)))), NOT_ACQUIRED, ""),
    (
        "more than is read",
        || Ok(vec![b' '; MOST + 1]),
        "",
        "the file is too large (1048577 bytes; the limit is 1048576)",
    ),
];

/// The size limit for plists, in bytes.
const MOST: usize = 1024 * 1024;

const NOT_ACQUIRED: &str = "WPJ Key present, AAD ID not acquired";

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "only Linux limits an address space")]
fn hostile_keychains_stay_within_the_limits() -> Outcome {
    every(KEYCHAINS.iter().map(|(name, make, state, words)| {
        let content = make()?;
        Ok((*name, gives(KEYCHAIN, &content, state, words)))
    }))
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "only Linux limits an address space")]
fn hostile_plists_stay_within_the_limits() -> Outcome {
    every(PLISTS.iter().map(|(name, make, state, words)| {
        let content = make()?;
        Ok((*name, gives(PLIST, &content, state, words)))
    }))
}

/// Fails with the names of all cases that fail.
fn every(outcomes: impl Iterator<Item = Result<(&'static str, Outcome), Failed>>) -> Outcome {
    let mut failures = Vec::new();
    for outcome in outcomes {
        if let (name, Err(failed)) = outcome? {
            failures.push(format!("{name}: {failed:?}"));
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n").into()) }
}

/// The answer for a home, and the processor time that both processes used.
fn run(home: &Home, kilobytes: u64, options: &[&str]) -> Result<(Answer, f64), Failed> {
    let times = tempfile::NamedTempFile::new()?;
    // The second line of `times` is about children that have ended.
    let script = "ulimit -v \"$1\" && times=$2 && shift 2 && \"$@\"; status=$?; times >\"$times\"; exit \"$status\"";
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, "sh", &kilobytes.to_string()]).arg(times.path()).arg(cargo_bin("wpj-state"));
    let found = answer(command.args(["--deadline=600", "--home"]).arg(&home.path).args(options))?;
    let times = fs::read_to_string(times.path())?;
    let seconds = |time: &str| -> Result<f64, Failed> {
        let (minutes, seconds) = time.trim_end_matches('s').split_once('m').ok_or("minutes and seconds")?;
        Ok(minutes.parse::<f64>()? * 60.0 + seconds.parse::<f64>()?)
    };
    let times = times.lines().nth(1).ok_or("a second line")?.split(' ').map(seconds);
    Ok((found, times.sum::<Result<f64, Failed>>()?))
}

/// Checks that every kind of output gives this state, or none with a reason that contains `words`, within the limits.
fn gives(file: &str, content: &[u8], state: &str, words: &str) -> Outcome {
    let home = Home::new()?;
    fs::write(home.file(file), content)?;
    home.age(file)?;
    gives_for(&home, state, words)
}

fn gives_for(home: &Home, state: &str, words: &str) -> Outcome {
    let mut reason = None;
    for options in MODES {
        let ((stdout, stderr, status), seconds) = run(home, KILOBYTES, options)?;
        let failed = |failed: Failed| Failed::from(format!("{options:?}: {failed:?}\n{stdout}{stderr}"));
        match options {
            [] => equal(&stdout, &format!("<result>{state}</result>\n")).map_err(failed)?,
            ["--json"] => {
                let json: serde_json::Value = serde_json::from_str(&stdout).map_err(|error| failed(error.into()))?;
                equal(&json["state"].as_str().unwrap_or_default(), &state).map_err(failed)?;
            }
            _ => {}
        }
        // A finding is a value even without a state.
        let has_value = !state.is_empty() || (options.contains(&"finding") && stdout != "<result></result>\n");
        equal(&status, &Some(i32::from(!has_value))).map_err(failed)?;
        if has_value && state.is_empty() {
            equal(&stderr, "").map_err(failed)?;
            continue;
        }
        // A report has the reason in its first line; it is the same for all others.
        let output = if *options == ["--explain"] {
            equal(&stderr, "").map_err(failed)?;
            stdout.lines().take(3).collect::<Vec<_>>().join(" ")
        } else {
            equal(&stderr, reason.get_or_insert(stderr.clone())).map_err(failed)?;
            stderr.clone()
        };
        let is_right =
            output.contains(words) && !output.contains("this tool failed") && !output.contains("reader process");
        equal(&is_right, &true).map_err(failed)?;
        equal(&(seconds <= CPU_SECONDS), &true).map_err(|_| failed(format!("{seconds} s").into()))?;
    }
    Ok(())
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "only Linux limits an address space")]
fn a_keychain_of_256_mib_of_zeros_stays_within_the_limits() -> Outcome {
    let home = Home::new()?;
    File::create(home.file(KEYCHAIN))?.set_len(256 << 20)?;
    home.age(KEYCHAIN)?;
    gives_for(&home, "", "not a macOS file keychain")
}

/// A lack of memory can end the reader process, but not the parent. So with any amount of memory there is an answer, or
/// a blank result and a reason.
#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "only Linux limits an address space")]
fn with_little_memory_there_is_an_answer_or_a_reason() -> Outcome {
    const STEP: u64 = 512;
    let home = Home::new()?;
    // The least memory with which the tool starts.
    let enough = (1..100).map(|step| step * STEP).find(|&kilobytes| {
        run(&home, kilobytes, &["--json"])
            .is_ok_and(|((_, stderr, status), _)| (stderr.as_str(), status) == ("", Some(0)))
    });
    let enough = enough.ok_or("some memory is enough")?;
    for (file, content, state) in [
        (PLIST, texts(), NOT_ACQUIRED),
        (PLIST, chain(100_000, false), NOT_ACQUIRED),
        (KEYCHAIN, many(500_000, 0)?, "Not Registered"),
        (KEYCHAIN, labelled(95), "Not Registered"),
    ] {
        fs::write(home.file(file), content)?;
        home.age(file)?;
        let mut answers = BTreeSet::new();
        for step in 0..40 {
            let ((stdout, stderr, status), _) = run(&home, enough + step * STEP, &[])?;
            let reasons = stderr.lines().filter(|line| !line.starts_with("  ")).count();
            let found = (stdout.as_str(), reasons, status);
            let [blank, known] = ["", state].map(|state| format!("<result>{state}</result>\n"));
            let is_right = [(blank.as_str(), 1, Some(1)), (&known, 0, Some(0))].contains(&found);
            equal(&is_right, &true).map_err(|_| format!("{file} {step}: {found:?}: {stderr}"))?;
            answers.insert(status);
        }
        equal(&answers.contains(&Some(0)), &true).map_err(|_| file)?;
        fs::copy(format!("fixtures/registered/home/{file}"), home.file(file))?;
    }
    Ok(())
}

/// With less memory there is no answer, which shows that the other tests would notice a higher need.
#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "only Linux limits an address space")]
fn the_limits_are_enforced() -> Outcome {
    let ((stdout, _, status), _) = run(&Home::new()?, 1024, &[])?;
    equal(&(stdout.as_str(), status == Some(0)), &("", false))
}

fn registered() -> Vec<u8> {
    let certificate = Certificate::workplace_join();
    Keychain::new().certificate(&certificate).workplace_join_key(&certificate).to_bytes()
}

/// A keychain with this many private keys, each with as many labels as possible.
fn labelled(keys: u32) -> Vec<u8> {
    let labels = |key: u32| (0..1024).map(|label| (key * 1024 + label).to_be_bytes().to_vec()).collect::<Vec<_>>();
    (0..keys).fold(Keychain::new(), |keychain, key| keychain.private_key(["Contoso", "\0"], &labels(key))).to_bytes()
}

fn with_certificate(der: Vec<u8>) -> Result<Vec<u8>, Failed> {
    let certificate = Certificate::workplace_join();
    let issuer = b"no name".to_vec();
    let keychain = Keychain::new().certificate_record_with_issuer(&certificate, der, issuer);
    Ok(keychain.workplace_join_key(&certificate).to_bytes())
}

/// Nested SEQUENCEs of indefinite length.
fn nested(depth: usize) -> Vec<u8> {
    [0x30, 0x80].repeat(depth)
}

fn atom(bytes: &[u8], offset: usize) -> Result<u32, Failed> {
    let atom = bytes.get(offset..).and_then(|rest| rest.first_chunk()).ok_or("an atom")?;
    Ok(u32::from_be_bytes(*atom))
}

fn replaced(bytes: &[u8], offset: usize, atom: u32) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[offset..offset + 4].copy_from_slice(&atom.to_be_bytes());
    bytes
}

const SCHEMA: usize = 20;
const CERTIFICATES: u32 = 0x8000_1000;

/// The offset of each table, and the end of the last one.
fn tables(bytes: &[u8]) -> Result<Vec<usize>, Failed> {
    let count = usize::try_from(atom(bytes, SCHEMA + 4)?)?;
    let offsets = (0..count).map(|number| Ok(SCHEMA + usize::try_from(atom(bytes, SCHEMA + 8 + 4 * number)?)?));
    offsets.collect()
}

fn certificate_table(bytes: &[u8]) -> Result<usize, Failed> {
    let found = tables(bytes)?.into_iter().find(|start| atom(bytes, start + 4).is_ok_and(|id| id == CERTIFICATES));
    Ok(found.ok_or("there is a table of certificates")?)
}

/// A keychain with another atom in the header of the certificate table.
fn patched(offset: usize, value: u32) -> Result<Vec<u8>, Failed> {
    let bytes = registered();
    Ok(replaced(&bytes, certificate_table(&bytes)? + offset, value))
}

/// A keychain whose last table starts at the offset of the one before.
fn overlapping_tables() -> Result<Vec<u8>, Failed> {
    let bytes = registered();
    let last = tables(&bytes)?.len() - 1;
    let before = atom(&bytes, SCHEMA + 8 + 4 * (last - 1))?;
    Ok(replaced(&bytes, SCHEMA + 8 + 4 * last, before))
}

/// A keychain with this many free numbers and small certificates in the certificate table.
fn many(free: u32, certificates: u32) -> Result<Vec<u8>, Failed> {
    let certificate = Certificate::contoso();
    let one = Keychain::new().certificate_record(&certificate, vec![0x30, 0]).free(Relation::PrivateKey).to_bytes();
    let start = certificate_table(&one)?;
    let (records, indexes) = (atom(&one, start + 12)?, atom(&one, start + 16)?);
    let record = &one[start + usize::try_from(records)?..start + usize::try_from(indexes)?];
    let numbers = free + certificates;
    let records = 28 + 4 * numbers;
    let size = u32::try_from(record.len())?;
    let indexes = records + size * certificates;
    let mut table = Vec::new();
    for atom in [indexes + 8, CERTIFICATES, certificates, records, indexes, 0, numbers] {
        table.extend(atom.to_be_bytes());
    }
    (0..free).for_each(|_| table.extend([0; 4]));
    (0..certificates).for_each(|number| table.extend((records + size * number).to_be_bytes()));
    for number in 0..certificates {
        table.extend(replaced(record, 4, free + number));
    }
    table.extend([0, 0, 0, 8, 0, 0, 0, 0]);
    let end = start + usize::try_from(atom(&one, start)?)?;
    let mut bytes = [&one[..start], &table, &one[end..]].concat();
    for (number, place) in tables(&one)?.into_iter().enumerate().filter(|(_, place)| *place > start) {
        bytes = replaced(&bytes, SCHEMA + 8 + 4 * number, u32::try_from(place + table.len() - (end - start) - SCHEMA)?);
    }
    let schema = u32::try_from(bytes.len() - 4 - SCHEMA)?;
    Ok(replaced(&bytes, SCHEMA, schema))
}

fn xml(content: &str) -> Vec<u8> {
    format!("<?xml version=\"1.0\"?><plist version=\"1.0\">{content}</plist>").into_bytes()
}

/// A binary plist with these objects, the first of which is the outermost; references have four bytes.
fn binary(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"bplist00".to_vec();
    let mut offsets = Vec::new();
    for object in objects {
        offsets.extend(u32::try_from(bytes.len()).unwrap_or_default().to_be_bytes());
        bytes.extend(object);
    }
    let table = bytes.len() as u64;
    bytes.extend(offsets);
    bytes.extend([0, 0, 0, 0, 0, 0, 4, 4]);
    bytes.extend([objects.len() as u64, 0, table].map(u64::to_be_bytes).concat());
    bytes
}

fn reference(to: usize) -> [u8; 4] {
    u32::try_from(to).unwrap_or_default().to_be_bytes()
}

/// Nested arrays; the last one is empty or refers to the first one.
fn chain(depth: usize, closed: bool) -> Vec<u8> {
    let array = |number: usize| match number + 1 < depth {
        true => [&[0xA1][..], &reference(number + 1)].concat(),
        false if closed => [&[0xA1][..], &reference(0)].concat(),
        false => vec![0xA0],
    };
    binary(&(0..depth).map(array).collect::<Vec<_>>())
}

/// An object that claims to have the length 2^60.
fn claiming(marker: u8) -> Vec<u8> {
    binary(&[[&[marker, 0x13][..], &(1u64 << 60).to_be_bytes()].concat()])
}

/// A plist with keys and values of 100 bytes each.
fn texts() -> Vec<u8> {
    let mut content = String::from("<dict>");
    let text = "x".repeat(80);
    while content.len() < MOST - 400 {
        content.push_str(&format!("<key>{text}</key><string>{text}</string>"));
    }
    xml(&(content + "</dict>"))
}

fn wide() -> Vec<u8> {
    let characters = MOST / 2 - 100;
    let length = u32::try_from(characters).unwrap_or_default().to_be_bytes();
    binary(&[[&[0x6F, 0x12][..], &length, &[0x26, 0x03].repeat(characters)].concat()])
}

/// A plist with an array whose values all refer to the same text.
fn same_text(length: u16, times: u16) -> Vec<u8> {
    let array = [&[0xAF, 0x11][..], &times.to_be_bytes(), &reference(1).repeat(times.into())].concat();
    binary(&[array, [&[0x5F, 0x11][..], &length.to_be_bytes(), &vec![b'x'; length.into()]].concat()])
}
