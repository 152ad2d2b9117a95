//! What a look costs that can be counted: the files that are opened, and the processes that are started.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use assert_cmd::cargo::cargo_bin;

use crate::{
    outcome::{Failed, Outcome, equal},
    startup_disk,
};

const KEYCHAIN: &str = "Library/Keychains/login.keychain-db";
const PLIST: &str = "Library/Preferences/com.jamf.management.jamfAAD.plist";

/// On the startup disk, so that the tool looks at it without a worker.
fn folder() -> PathBuf {
    startup_disk::folder().expect("some temporary folder is on the startup disk")
}

/// What a program does: the files that it opens, and how many processes it starts.
#[derive(Debug, PartialEq)]
struct Traced {
    opened: Vec<String>,
    started: usize,
}

fn trace(program: &Path, arguments: &[&Path]) -> Result<Traced, Failed> {
    let log = tempfile::NamedTempFile::new()?;
    let mut command = Command::new("strace");
    command.args(["-f", "--quiet=all", "--trace=open,openat,creat,clone,clone3,fork,vfork", "-o"]);
    let output = command.arg(log.path()).arg(program).args(arguments).output()?;
    if !output.status.success() {
        return Err(format!("{output:?}").into());
    }
    let log = fs::read_to_string(log.path())?;
    let calls = |names: &'static [&str]| log.lines().filter(move |line| names.iter().any(|name| line.contains(name)));
    let opened = calls(&["open(", "openat(", "creat("]).filter(|line| !line.contains(" = -1 "));
    // A thread is no process.
    let started = calls(&["clone(", "clone3(", "fork("]).filter(|line| !line.contains("CLONE_THREAD"));
    let name = |line: &str| line.split('"').nth(1).map(str::to_owned);
    Ok(Traced { opened: opened.filter_map(name).collect(), started: started.count() })
}

/// What the tool does more than it does to tell its version, which is what any program does at its start.
fn look(home: &Path) -> Result<Traced, Failed> {
    let tool = cargo_bin("wpj-state");
    let start = trace(&tool, &[Path::new("--version")])?;
    let mut all = trace(&tool, &[Path::new("--home"), home])?;
    let begins_alike = all.opened.starts_with(&start.opened);
    if !begins_alike || start.started > 0 {
        return Err(format!("{start:?} is no beginning of {all:?}").into());
    }
    all.opened.drain(..start.opened.len());
    Ok(all)
}

fn home_in(fixture: &str) -> Result<(tempfile::TempDir, PathBuf), Failed> {
    let place = tempfile::tempdir_in(folder())?;
    let home = place.path().join("home");
    for file in [KEYCHAIN, PLIST] {
        fs::create_dir_all(home.join(file).parent().ok_or("a file has a folder")?)?;
        let original = Path::new("fixtures").join(fixture).join("home").join(file);
        if original.exists() {
            fs::copy(original, home.join(file))?;
        }
    }
    Ok((place, home))
}

fn names(home: &Path, files: &[&str]) -> Vec<String> {
    files.iter().map(|file| home.join(file).display().to_string()).collect()
}

#[test]
#[ignore = "needs strace, and the right to trace"]
fn two_files_are_opened_and_no_process_is_started_if_the_login_keychain_has_the_key() -> Outcome {
    let (_place, home) = home_in("registered")?;
    equal(&look(&home)?, &Traced { opened: names(&home, &[KEYCHAIN, PLIST]), started: 0 })
}

#[test]
#[ignore = "needs strace, and the right to trace"]
fn one_file_is_opened_and_no_process_is_started_if_it_has_not() -> Outcome {
    let (_place, home) = home_in("not-registered")?;
    equal(&look(&home)?, &Traced { opened: names(&home, &[KEYCHAIN]), started: 0 })
}

#[test]
#[ignore = "needs strace, and the right to trace"]
fn what_lies_behind_a_link_takes_one_process_more() -> Outcome {
    let (place, home) = home_in("registered")?;
    let link = place.path().join("link");
    symlink(home, &link)?;
    let traced = look(&link)?;
    equal(&traced.started, &1)?;
    equal(&traced.opened.ends_with(&names(&link, &[KEYCHAIN, PLIST])), &true)
}
