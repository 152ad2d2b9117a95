//! Checks the reader process from outside: its open files, what its user can do to it, and what the tool reports if it
//! gives no answer.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

use assert_cmd::cargo::cargo_bin;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    held_up::{HeldUp, wait_for},
    user::{self, GROUP, USER},
};
use crate::{
    home::{Answer, Home, answer, errors, is_registered, undetermined},
    mac::{KEYCHAIN, PLIST},
    outcome::{Failed, Outcome, equal},
};

/// The tool while its reader process hangs.
struct Running {
    tool: Child,
    reader: Pid,
    held_up: HeldUp,
}

impl Running {
    fn new() -> Result<Self, Failed> {
        Self::with(HeldUp::belonging_to_user()?, |_| ())
    }

    fn with(held_up: HeldUp, change: impl FnOnce(&mut Command)) -> Result<Self, Failed> {
        let mut tool = held_up.home.tool();
        change(&mut tool);
        Self::start(tool, held_up)
    }

    fn start(mut tool: Command, held_up: HeldUp) -> Result<Self, Failed> {
        let tool = tool.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        Ok(Self { tool, reader: held_up.reader()?, held_up })
    }

    fn read(&self, file: &str) -> Result<String, Failed> {
        Ok(fs::read_to_string(format!("/proc/{}/{file}", self.reader))?)
    }

    /// The descriptors of the reader process, and their targets.
    fn descriptors(&self) -> Result<Vec<(String, String)>, Failed> {
        let mut found = Vec::new();
        for entry in fs::read_dir(format!("/proc/{}/fd", self.reader))? {
            let entry = entry?;
            let what = fs::read_link(entry.path())?.display().to_string();
            found.push((entry.file_name().to_string_lossy().into_owned(), what));
        }
        found.sort();
        Ok(found)
    }

    fn holds_its_answer_alone(&self) -> Outcome {
        let descriptors = self.descriptors()?;
        let pipe = descriptors.first().map(|(_, what)| what.clone()).unwrap_or_default();
        equal(&pipe.starts_with("pipe:"), &true)?;
        equal(&descriptors, &["0", "1", "2"].map(|number| (number.to_owned(), pipe.clone())).to_vec())
    }

    /// Sends bytes to the tool instead of the reader process, until the tool closes the pipe.
    fn send(&self, bytes: &[u8]) -> Outcome {
        let mut answer = File::options().write(true).open(format!("/proc/{}/fd/1", self.reader))?;
        match answer.write_all(bytes) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Lets the reader process continue, and returns the tool's answer.
    fn release(self) -> Result<(Home, Answer), Failed> {
        let home = self.held_up.release();
        let output = self.tool.wait_with_output()?;
        Ok((home, (String::from_utf8(output.stdout)?, errors(&output.stderr), output.status.code())))
    }

    fn gave_no_answer(self, file: &str, words: &str) -> Outcome {
        let (home, answer) = self.release()?;
        let words = format!("the reader process gave no answer: {words}");
        let remedy = "run it again, or find out which program ends this user's processes";
        equal(&answer, &undetermined(format!("{}: {words}; {remedy}", home.file(file).display())))
    }
}

#[test]
#[ignore = "needs root"]
fn it_becomes_its_user_permanently() -> Outcome {
    let running = Running::new()?;
    let status = running.read("status")?;
    // The owner of this home has no account, and the home's own group is not used.
    for (name, expected) in [
        ("Uid:", format!("{USER}\t{USER}\t{USER}\t{USER}")),
        ("Gid:", "65534\t65534\t65534\t65534".to_owned()),
        ("Groups:", "65534".to_owned()),
        ("CapPrm:", "0000000000000000".to_owned()),
        ("CapEff:", "0000000000000000".to_owned()),
        ("CapInh:", "0000000000000000".to_owned()),
        ("CapAmb:", "0000000000000000".to_owned()),
        ("Threads:", "1".to_owned()),
    ] {
        let found = status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        equal(&found, &Some(expected.as_str())).map_err(|failed| format!("{name} {failed:?}"))?;
    }
    let limits = running.read("limits")?;
    for (name, expected) in
        [("Max core file size", ["0"; 2]), ("Max data size", ["58720256"; 2]), ("Max cpu time", ["2", "3"])]
    {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).ok_or("a limit")?;
        equal(&line.split_whitespace().take(2).collect::<Vec<_>>(), &expected.to_vec())?;
    }
    equal(&running.release()?.1, &is_registered())
}

#[test]
#[ignore = "needs root"]
fn its_only_group_is_the_primary_one_of_the_account() -> Outcome {
    let held_up = HeldUp::belonging_to_user()?;
    let groups = format!("shared:x:{}:adele\n", GROUP + 1);
    let mut tool = Command::new(cargo_bin("wpj-state"));
    let tool = user::with_adele(&held_up.home, &groups, tool.args(["--user", "adele"]))?;
    let running = Running::start(tool, held_up)?;
    let status = running.read("status")?;
    for expected in [
        format!("Uid:\t{USER}\t{USER}\t{USER}\t{USER}\n"),
        format!("Gid:\t{GROUP}\t{GROUP}\t{GROUP}\t{GROUP}\n"),
        format!("Groups:\t{GROUP} \n"),
    ] {
        equal(&status.contains(&expected), &true).map_err(|_| status.clone())?;
    }
    equal(&running.release()?.1, &is_registered())
}

#[test]
#[ignore = "needs root"]
fn only_its_answer_is_open() -> Outcome {
    let open = "for number in 3 4 5 6 7 8 9 10 250; do eval \"exec $number</dev/null\"; done";
    for (before, streams) in [
        (open.to_owned(), ""),
        // An open descriptor may be above the limit.
        (format!("{open}; ulimit -n 64"), ""),
        (open.to_owned(), "<&- >&- 2>&-"),
        // Without /dev/fd, the open descriptors cannot be listed.
        (format!("{open}; mount -t tmpfs none /proc && mount -t tmpfs none /dev && ulimit -n 64"), ""),
    ] {
        let held_up = HeldUp::belonging_to_user()?;
        let mut tool = Command::new("unshare");
        tool.args(["-m", "bash", "-c", &format!("{before}; exec \"$@\" {streams}"), "bash"]);
        tool.arg(cargo_bin("wpj-state")).arg("--home").arg(&held_up.home.path);
        let running = Running::start(tool, held_up)?;
        running.holds_its_answer_alone().map_err(|failed| format!("{before} {streams}: {failed:?}"))?;
        let answer = running.release()?.1;
        let expected = if streams.is_empty() { is_registered() } else { (String::new(), String::new(), Some(0)) };
        equal(&answer, &expected)?;
    }
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn with_the_rights_of_the_caller_only_its_answer_is_open_too() -> Outcome {
    let running = Running::with(HeldUp::new()?, |_| ())?;
    running.holds_its_answer_alone()?;
    equal(&running.release()?.1, &is_registered())
}

#[test]
#[ignore = "needs root"]
fn the_copy_is_open_only_in_the_reader_that_writes_it() -> Outcome {
    let held_up = HeldUp::belonging_to_user()?;
    let mut tool = held_up.home.tool();
    tool.arg("--second-opinion=always").stdout(Stdio::piped()).stderr(Stdio::piped());
    let tool = tool.spawn()?;
    held_up.let_one_through()?;
    let running = Running { reader: held_up.reader()?, tool, held_up };
    let others: Vec<String> = running.descriptors()?.into_iter().skip(3).map(|(_, what)| what).collect();
    let is_copy = |what: &String| what.starts_with("/tmp/wpj-state.") && what.ends_with("/copy.keychain-db");
    equal(&(others.len(), others.iter().all(is_copy)), &(1, true)).map_err(|_| format!("{others:?}"))?;
    equal(&running.release()?.1, &is_registered())
}

#[test]
#[ignore = "needs root"]
fn its_user_cannot_access_its_memory_and_descriptors() -> Outcome {
    let running = Running::new()?;
    let place = format!("/proc/{}", running.reader);
    for file in ["mem", "environ", "maps", "auxv"] {
        let path = format!("{place}/{file}");
        let (stdout, stderr, status) = answer(&mut user::run("cat", &[&path]))?;
        let denied = format!("cat: {path}: Permission denied\n");
        equal(&(stdout.as_str(), stderr.as_str(), status), &("", denied.as_str(), Some(1)))?;
    }
    for file in ["fd/1", "exe", "cwd", "root"] {
        let (stdout, _, status) = answer(&mut user::run("readlink", &[&format!("{place}/{file}")]))?;
        equal(&(stdout.as_str(), status), &("", Some(1)))?;
    }
    // Root can access them.
    equal(&fs::read_link(format!("{place}/exe"))?, &cargo_bin("wpj-state"))?;
    equal(&running.release()?.1, &is_registered())
}

#[test]
#[ignore = "needs root and strace"]
fn its_user_cannot_trace_it() -> Outcome {
    let running = Running::new()?;
    let (_, stderr, status) = answer(&mut user::run("strace", &["-p", &running.reader.to_string()]))?;
    equal(&(stderr.contains("Operation not permitted"), status), &(true, Some(1))).map_err(|_| stderr)?;
    equal(&running.release()?.1, &is_registered())
}

/// Runs a program as the user on the reader process.
fn by_user(running: &Running, program: &str, arguments: &[&str]) -> Outcome {
    let pid = running.reader.to_string();
    let found = answer(user::run(program, arguments).arg(pid))?;
    equal(&found.2, &Some(0)).map_err(|_| format!("{found:?}").into())
}

#[test]
#[ignore = "needs root"]
fn a_killed_reader_is_reported() -> Outcome {
    for signal in ["KILL", "TERM", "SEGV"] {
        let running = Running::new()?;
        by_user(&running, "kill", &["-s", signal])?;
        running.gave_no_answer(KEYCHAIN, &format!("it was ended by SIG{signal}"))?;
    }
    let running = Running::with(HeldUp::new()?, |_| ())?;
    kill(running.reader, Signal::SIGKILL)?;
    running.gave_no_answer(KEYCHAIN, "it was ended by SIGKILL")
}

#[test]
#[ignore = "needs root"]
fn a_reader_that_its_user_slows_down_still_answers() -> Outcome {
    let running = Running::new()?;
    by_user(&running, "renice", &["-n", "19", "-p"])?;
    equal(&running.release()?.1, &is_registered())
}

#[test]
#[ignore = "needs root"]
fn a_reader_that_its_user_stops_delays_the_answer_until_the_deadline() -> Outcome {
    let running = Running::with(HeldUp::belonging_to_user()?, |tool| {
        tool.args(["--deadline", "2"]);
    })?;
    let reason = running.held_up.reason(2);
    by_user(&running, "kill", &["-s", "STOP"])?;
    equal(&running.release()?.1, &undetermined(reason))
}

#[test]
#[ignore = "needs root"]
fn a_reader_whose_memory_its_user_limits_gives_the_reason() -> Outcome {
    let home = Home::new()?;
    // Larger than the memory of a new process.
    fs::write(home.file(PLIST), " ".repeat(1 << 20))?;
    let home = home.belonging_to(USER, GROUP)?;
    let running = Running::with(HeldUp::of(home, KEYCHAIN)?, |_| ())?;
    by_user(&running, "prlimit", &["--data=1", "--as=1", "--pid"])?;
    let (home, answer) = running.release()?;
    let words = "out of memory; run it again; if that does not help, check the disk";
    equal(&answer, &undetermined(format!("{}: {words}", home.file(PLIST).display())))
}

#[test]
#[ignore = "needs root"]
fn a_reader_whose_descriptors_its_user_limits_gives_the_reason() -> Outcome {
    let running = Running::new()?;
    by_user(&running, "prlimit", &["--nofile=3", "--pid"])?;
    let (home, answer) = running.release()?;
    let words = "Too many open files (os error 24); run it again; if that does not help, check the disk";
    equal(&answer, &undetermined(format!("{}: {words}", home.file(PLIST).display())))
}

#[test]
#[ignore = "needs root"]
fn nonsense_is_not_an_answer() -> Outcome {
    for (sent, words) in [(&b"nonsense"[..], "it sent something else"), (&[b'x'; 2 << 20], "it sent more than 1 MiB")] {
        // The answer comes after this file.
        let home = Home::new()?.belonging_to(USER, GROUP)?;
        let running = Running::with(HeldUp::of(home, PLIST)?, |_| ())?;
        running.send(sent)?;
        running.gave_no_answer(PLIST, words)?;
    }
    // Complete lines that a library prints do not matter.
    let running = Running::new()?;
    running.send(b"nonsense\n\n")?;
    equal(&running.release()?.1, &is_registered())
}

#[test]
#[ignore = "needs root"]
fn a_reader_ends_if_its_tool_is_killed() -> Outcome {
    let mut running = Running::new()?;
    running.tool.kill()?;
    running.tool.wait()?;
    let reader = running.reader;
    let _home = running.held_up.release();
    let is_gone = || Ok((!Path::new(&format!("/proc/{reader}")).exists()).then_some(()));
    wait_for("the end of the reader process", is_gone)
}
