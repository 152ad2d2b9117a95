//! Tests the copy for macOS's own keychain reader, on a system without that reader.

use std::{
    fs::{self, File},
    io::{Seek, SeekFrom, Write},
    path::PathBuf,
    process::{Command, Stdio},
};

use assert_cmd::cargo::cargo_bin;

use super::{
    held_up::{Dead, HeldUp},
    user::{GROUP, USER},
};
use crate::{
    home::Home,
    mac::KEYCHAIN,
    outcome::{Failed, Outcome, equal},
};

const OPTIONS: [&str; 2] = ["--second-opinion=always", "--json"];

/// The state, and the reason why there is no second opinion.
fn missing(tool: &mut Command) -> Result<(Option<String>, String), Failed> {
    let tool = tool.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let copies = format!("wpj-state.{}.", tool.id());
    let json: serde_json::Value = serde_json::from_slice(&tool.wait_with_output()?.stdout)?;
    let is_copy = |name: std::ffi::OsString| name.to_string_lossy().starts_with(&copies);
    let left: Vec<_> =
        fs::read_dir("/tmp")?.flatten().map(|entry| entry.file_name()).filter(|it| is_copy(it.clone())).collect();
    equal(&left, &Vec::<std::ffi::OsString>::new())?;
    let findings = json["findings"].as_array().ok_or("findings")?;
    let finding = findings.iter().find(|it| it["code"] == "second-opinion-missing").ok_or(format!("{json:#}"))?;
    let message = finding["message"].as_str().ok_or("a message")?;
    Ok((json["state"].as_str().map(str::to_owned), message.to_owned()))
}

fn finding(words: &str) -> String {
    format!("No second opinion: {words}.")
}

fn registered(words: &str) -> (Option<String>, String) {
    (Some("Registered".to_owned()), finding(words))
}

#[test]
#[ignore = "needs root"]
fn there_is_a_reason_why_it_is_missing_and_nothing_is_left_behind() -> Outcome {
    for home in [Home::new()?, Home::new()?.belonging_to(USER, GROUP)?] {
        equal(&missing(home.tool().args(OPTIONS))?, &registered("macOS's keychain reader exists only on a Mac"))?;
    }
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn a_keychain_that_is_too_large_is_not_copied() -> Outcome {
    let home = Home::new()?.belonging_to(USER, GROUP)?;
    let mut keychain = File::options().write(true).open(home.file(KEYCHAIN))?;
    keychain.seek(SeekFrom::Start(100 << 20))?;
    keychain.write_all(b"end")?;
    home.age(KEYCHAIN)?;
    equal(
        &missing(home.tool().args(OPTIONS))?,
        &(None, finding("the file is too large (104857603 bytes; the limit is 16777216)")),
    )
}

#[test]
#[ignore = "needs root"]
fn a_full_disk_is_the_reason_if_the_copy_cannot_be_written() -> Outcome {
    let home = Home::within(&PathBuf::from("/var/tmp"))?.belonging_to(USER, GROUP)?;
    let mut tool = Command::new("unshare");
    tool.args(["-m", "/bin/sh", "-c", "mount -t tmpfs -o size=8k none /tmp && exec \"$@\"", "sh"]);
    // The mount hides what is in /tmp, which may be this very checkout.
    let program = home.path.join("wpj-state");
    fs::copy(cargo_bin("wpj-state"), &program)?;
    tool.arg(program).arg("--home").arg(&home.path).args(OPTIONS);
    equal(&missing(&mut tool)?, &registered("No space left on device (os error 28)"))
}

#[test]
#[ignore = "needs root"]
fn a_reader_that_is_killed_while_it_writes_the_copy_is_the_reason() -> Outcome {
    let held_up = HeldUp::belonging_to_user()?;
    let tool = held_up.home.tool().args(OPTIONS).stdout(Stdio::piped()).spawn()?;
    held_up.let_one_through()?;
    nix::sys::signal::kill(held_up.reader()?, nix::sys::signal::Signal::SIGKILL)?;
    let json: serde_json::Value = serde_json::from_slice(&tool.wait_with_output()?.stdout)?;
    equal(&json["state"], &serde_json::json!("Registered"))?;
    let words = "the reader process gave no answer: it was ended by SIGKILL";
    equal(&json["findings"][0]["message"], &serde_json::json!(finding(words)))
}

#[test]
#[ignore = "needs root"]
fn a_copy_that_hangs_leaves_time_for_the_other_homes() -> Outcome {
    let held_up = HeldUp::belonging_to_user()?;
    let mut tool = held_up.home.tool();
    tool.args(["--home", "fixtures/registered/home", "--deadline", "6"]).args(OPTIONS);
    let tool = tool.stdout(Stdio::piped()).spawn()?;
    held_up.let_one_through()?;
    let json: serde_json::Value = serde_json::from_slice(&tool.wait_with_output()?.stdout)?;
    let found = |number: usize| (&json[number]["state"], &json[number]["findings"][0]["message"]);
    let registered = serde_json::json!("Registered");
    let [late, missing] = ["no answer within 2 s", "macOS's keychain reader exists only on a Mac"]
        .map(|words| serde_json::json!(finding(words)));
    equal(&[found(0), found(1)], &[(&registered, &late), (&registered, &missing)])
}

/// Any user can create a folder with any name in the folder for temporary files.
#[test]
#[ignore = "needs root"]
fn a_dead_file_system_that_looks_like_a_copy_does_not_block_the_tool() -> Outcome {
    let mut gone = Command::new("true").spawn()?;
    gone.wait()?;
    let place = PathBuf::from(format!("/tmp/wpj-state.{}.dead", gone.id()));
    fs::create_dir(&place)?;
    let dead = Dead::mount_on(&place)?;
    let home = Home::new()?.belonging_to(USER, GROUP)?;
    let mut tool = home.tool();
    let (answer, answers) = std::sync::mpsc::channel();
    std::thread::spawn(move || answer.send(missing(tool.args(OPTIONS).args(["--deadline", "6"]))));
    let found = answers.recv_timeout(std::time::Duration::from_secs(60));
    drop(dead);
    fs::remove_dir(place)?;
    equal(&found??, &registered("macOS's keychain reader exists only on a Mac"))
}
