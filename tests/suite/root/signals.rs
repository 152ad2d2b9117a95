//! Checks that a tool that is ended by a signal leaves no process and no copy of a keychain.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, chown, symlink},
        process::{CommandExt, ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use assert_cmd::cargo::cargo_bin;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    held_up::{HeldUp, wait_for},
    user::USER,
};
use crate::{
    home::{Home, answer, is_registered},
    mac::KEYCHAIN,
    outcome::{Failed, Outcome, equal},
};

const ENDING: [Signal; 4] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT];

/// Starts the tool as the leader of a process group, with the default handling of signals.
fn start(tool: &Command) -> Result<Child, Failed> {
    let mut start = Command::new("env");
    start.arg("--default-signal").arg(tool.get_program()).args(tool.get_args()).args(["--deadline", "3600"]);
    Ok(start.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

/// The private folders that a process created.
fn copies(pid: Pid) -> Result<Vec<PathBuf>, Failed> {
    let prefix = format!("wpj-state.{pid}.");
    let entries = fs::read_dir("/tmp")?.filter_map(Result::ok).map(|entry| entry.path());
    Ok(entries.filter(|path| path.file_name().is_some_and(|it| it.to_string_lossy().starts_with(&prefix))).collect())
}

/// The processes in a process group, and those that read its copy.
fn processes(group: Pid) -> Result<Vec<String>, Failed> {
    let copy = format!("/wpj-state.{group}.");
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.filter_map(Result::ok) {
        // A process that has ended in the meantime has no files.
        let read = |file| fs::read_to_string(entry.path().join(file)).unwrap_or_default();
        let stat = read("stat");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let is_in_group = fields.get(2).and_then(|group| group.parse().ok()) == Some(group.as_raw());
        let is_running = fields.first().is_some_and(|&state| state != "Z" && state != "X");
        if is_running && (is_in_group || read("cmdline").contains(&copy)) {
            found.push(stat);
        }
    }
    Ok(found)
}

/// Waits for the tool, and checks that it ended by this signal and left nothing behind.
fn leaves_nothing(mut tool: Child, signal: Signal) -> Outcome {
    equal(&tool.wait()?.signal(), &Some(signal as i32))?;
    equal(&copies(pid(&tool))?, &Vec::<PathBuf>::new())?;
    // Killed processes take a moment to disappear.
    wait_for("the end of all processes", || Ok(processes(pid(&tool))?.is_empty().then_some(())))
}

#[test]
#[ignore = "needs root"]
fn a_signal_while_a_reader_hangs_leaves_nothing() -> Outcome {
    for signal in ENDING {
        for home in [HeldUp::new()?, HeldUp::belonging_to_user()?] {
            let tool = start(&home.home.tool())?;
            equal(&(home.reader()? == pid(&tool)), &false)?;
            kill(pid(&tool), signal)?;
            leaves_nothing(tool, signal)?;
        }
    }
    Ok(())
}

/// While the first reader process hangs, others are still being started.
#[test]
#[ignore = "needs root"]
fn a_signal_while_readers_are_started_leaves_nothing() -> Outcome {
    let homes = (0..16).map(|_| HeldUp::new()).collect::<Result<Vec<_>, _>>()?;
    for number in 0..100 {
        let mut tool = Command::new(cargo_bin("wpj-state"));
        tool.args(homes.iter().flat_map(|home| [Path::new("--home"), &home.home.path]));
        let tool = start(&tool)?;
        let first = homes.first().ok_or("a home")?;
        first.reader()?;
        thread::sleep(Duration::from_micros(number * 20));
        let signal = ENDING[usize::try_from(number)? % ENDING.len()];
        kill(pid(&tool), signal)?;
        leaves_nothing(tool, signal).map_err(|failed| format!("{number}: {failed:?}"))?;
        // Discards the events of processes that no longer exist.
        for home in &homes {
            home.forget();
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn a_signal_at_any_moment_leaves_nothing() -> Outcome {
    let home = Home::new()?;
    // A large keychain, because copying and reading it takes a while.
    fs::File::options().write(true).open(home.file(KEYCHAIN))?.set_len(20 << 20)?;
    let mut ended = 0;
    for number in 0..200 {
        let mut tool = start(home.tool().arg("--second-opinion=always"))?;
        thread::sleep(Duration::from_micros(number * 400));
        let signal = ENDING[usize::try_from(number)? % ENDING.len()];
        kill(pid(&tool), signal)?;
        let status = tool.wait()?;
        // The tool may have finished before the signal.
        equal(&(status.signal() == Some(signal as i32) || status.code() == Some(1)), &true)?;
        ended += usize::from(status.signal().is_some());
        equal(&copies(pid(&tool))?, &Vec::<PathBuf>::new()).map_err(|failed| format!("{number}: {failed:?}"))?;
        wait_for("the end of all processes", || Ok(processes(pid(&tool))?.is_empty().then_some(())))?;
    }
    equal(&(ended > 0), &true)
}

/// Starts the tool, and waits until the reader process that writes the copy hangs.
fn at_the_copy(held_up: &HeldUp) -> Result<Child, Failed> {
    let tool = start(held_up.home.tool().arg("--second-opinion=always"))?;
    held_up.let_one_through()?;
    held_up.reader()?;
    equal(&copies(pid(&tool))?.len(), &1)?;
    Ok(tool)
}

#[test]
#[ignore = "needs root"]
fn a_signal_while_a_copy_is_written_leaves_nothing() -> Outcome {
    for signal in ENDING {
        let held_up = HeldUp::belonging_to_user()?;
        let tool = at_the_copy(&held_up)?;
        kill(pid(&tool), signal)?;
        leaves_nothing(tool, signal)?;
    }
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn the_next_run_removes_only_the_copy_that_a_killed_run_left() -> Outcome {
    let held_up = HeldUp::belonging_to_user()?;
    let mut tool = at_the_copy(&held_up)?;
    kill(pid(&tool), Signal::SIGKILL)?;
    equal(&tool.wait()?.signal(), &Some(Signal::SIGKILL as i32))?;
    let left = copies(pid(&tool))?;
    equal(&left.len(), &1)?;
    let folder = left.first().ok_or("a copy")?;
    equal(&(fs::metadata(folder)?.permissions().mode() & 0o7777), &0o700)?;
    let copy = folder.join("copy.keychain-db");
    equal(&(fs::metadata(&copy)?.permissions().mode() & 0o7777), &0o600)?;
    let gone = pid(&tool);
    // Entries that are not folders of an earlier run by root.
    let of_user = PathBuf::from(format!("/tmp/wpj-state.{gone}.of-user"));
    fs::create_dir(&of_user)?;
    chown(&of_user, Some(USER), None)?;
    let [file, link, target] =
        ["file", "link", "target"].map(|it| PathBuf::from(format!("/tmp/wpj-state.{gone}.{it}")));
    let of_living = PathBuf::from(format!("/tmp/wpj-state.{}.living", std::process::id()));
    let other = PathBuf::from(format!("/tmp/wpj-state-{gone}"));
    fs::write(&file, "")?;
    let kept = tempfile::tempdir()?;
    fs::write(kept.path().join("kept"), "")?;
    symlink(kept.path(), &link)?;
    fs::create_dir_all(&of_living)?;
    fs::create_dir_all(&other)?;
    fs::create_dir(&target)?;
    symlink(kept.path(), target.join("link"))?;
    let output = answer(Home::new()?.tool().arg("--second-opinion=always"));
    let stays =
        [&of_user, &file, &link, &of_living, &other, &kept.path().join("kept")].map(|it| it.symlink_metadata().is_ok());
    let goes = [folder, &target].map(|it| it.symlink_metadata().is_err());
    for folder in [&of_user, &of_living, &other] {
        fs::remove_dir(folder)?;
    }
    fs::remove_file(file)?;
    fs::remove_file(link)?;
    equal(&output?, &is_registered())?;
    equal(&(stays, goes), &([true; 6], [true; 2]))
}

#[test]
#[ignore = "needs root"]
fn a_caller_may_ignore_or_block_signals() -> Outcome {
    let home = Home::new()?.belonging_to(USER, USER)?;
    for option in ["--ignore-signal=CHLD", "--ignore-signal", "--block-signal"] {
        for second_opinion in ["--second-opinion=never", "--second-opinion=always"] {
            let mut tool = Command::new("env");
            tool.arg(option).arg(cargo_bin("wpj-state")).arg("--home").arg(&home.path).arg(second_opinion);
            equal(&answer(&mut tool)?, &is_registered()).map_err(|failed| format!("{option}: {failed:?}"))?;
        }
    }
    Ok(())
}

/// Like with nohup.
#[test]
#[ignore = "needs root"]
fn a_signal_that_the_caller_ignores_or_blocks_does_not_end_the_tool() -> Outcome {
    for option in ["--ignore-signal=HUP,INT,QUIT,TERM", "--block-signal=HUP,INT,QUIT,TERM"] {
        let held_up = HeldUp::belonging_to_user()?;
        let mut tool = Command::new("env");
        tool.args(["--default-signal", option]).arg(cargo_bin("wpj-state")).arg("--home").arg(&held_up.home.path);
        let tool = tool.args(["--deadline", "3600"]).stdout(Stdio::piped()).spawn()?;
        let reader = held_up.reader()?;
        for signal in ENDING {
            kill(pid(&tool), signal)?;
        }
        // The reader process inherits only the ignored signals: 1, 2, 3 and 15.
        let ignored = if option.starts_with("--ignore") { 0x4007 } else { 0 };
        let status = fs::read_to_string(format!("/proc/{reader}/status"))?;
        for (name, expected) in [("SigBlk:", 0), ("SigIgn:", ignored), ("SigCgt:", 0)] {
            let mask = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("a mask")?;
            // Higher signals belong to the C library.
            equal(&(u64::from_str_radix(mask.trim(), 16)? & 0x7FFF_FFFF), &expected)?;
        }
        let _home = held_up.release();
        let output = tool.wait_with_output()?;
        equal(
            &(String::from_utf8(output.stdout)?.as_str(), output.status.code()),
            &(crate::home::REGISTERED, Some(0)),
        )?;
    }
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn a_signal_that_the_caller_ignores_never_ends_the_tool() -> Outcome {
    let home = Home::new()?.belonging_to(USER, USER)?;
    for _ in 0..100 {
        let mut tool = Command::new("env");
        tool.arg("--ignore-signal=HUP").arg(cargo_bin("wpj-state")).arg("--home").arg(&home.path);
        let mut tool = tool.stdout(Stdio::piped()).spawn()?;
        // Sends signals as soon as the process runs the tool.
        while tool.try_wait()?.is_none() {
            let program = fs::read_link(format!("/proc/{}/exe", tool.id()));
            if program.is_ok_and(|program| program.ends_with("wpj-state")) {
                kill(pid(&tool), Signal::SIGHUP)?;
            }
        }
        equal(&tool.wait()?.code(), &Some(0))?;
    }
    Ok(())
}
