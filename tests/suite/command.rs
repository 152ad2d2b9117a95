//! Programs that do not behave, run for real.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use nix::{errno::Errno, sys::signal::kill, unistd::Pid};
use tempfile::TempDir;
use wpj_state::collect::command::{Failure, Finished, run};

/// What a program may print.
const MOST: usize = 1024 * 1024;

/// Long enough for whatever is expected to end by itself.
const LONG: Duration = Duration::from_secs(120);

/// Short enough to wait for, and long enough for a busy machine to start the program and have it print something.
const SHORT: Duration = Duration::from_secs(5);

/// A folder where scripts note the numbers of their processes.
struct Notes(TempDir);

impl Notes {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a script, for which `$1` is the folder.
    fn sh(&self, script: &str, limit: Duration) -> Result<String, Failure> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script, "sh"]).arg(self.0.path());
        printed(run(command, limit, MOST, &|_| ()))
    }

    fn pid(&self, name: &str) -> Pid {
        Pid::from_raw(fs::read_to_string(self.path(name)).unwrap().trim().parse().unwrap())
    }

    /// Whether a process that was noted goes, if only so far that its new parent has not waited for it yet.
    fn is_gone(&self, name: &str) -> bool {
        let pid = self.pid(name);
        let is_gone = || {
            let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            kill(pid, None) == Err(Errno::ESRCH) || state.contains(") Z ")
        };
        // One that was killed takes a moment; one that was not sleeps far longer than this.
        (0..10_000).any(|_| {
            is_gone() || {
                std::thread::sleep(Duration::from_millis(1));
                false
            }
        })
    }
}

/// What a program that has ended printed to both of its outputs.
fn printed(finished: Finished) -> Result<String, Failure> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    finished.outcome.map(|_| text(&finished.stdout) + &text(&finished.stderr))
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    command
}

fn sh(script: &str, limit: Duration) -> Result<String, Failure> {
    Notes::new().sh(script, limit)
}

#[test]
fn all_that_a_program_prints_is_given_and_how_it_ended() {
    let finished = run(shell("echo one; echo two >&2; exit 3"), LONG, MOST, &|_| ());
    assert_eq!((finished.stdout.as_slice(), finished.stderr.as_slice()), (&b"one\n"[..], &b"two\n"[..]));
    assert_eq!(finished.outcome.unwrap().unwrap().code(), Some(3));
    let finished = run(shell("echo one; kill -KILL $$"), LONG, MOST, &|_| ());
    assert_eq!((finished.stdout.as_slice(), finished.outcome.unwrap().unwrap().signal()), (&b"one\n"[..], Some(9)));
    assert_eq!(sh("exit 0", LONG), Ok(String::new()));
}

#[test]
fn what_a_program_printed_until_it_was_ended_is_given() {
    let finished = run(shell("echo begun; sleep 1000"), SHORT, MOST, &|_| ());
    assert_eq!(finished.outcome.unwrap_err(), Failure::TimedOut);
    assert_eq!(finished.stdout, b"begun\n");
}

#[test]
fn a_slow_program_is_ended() {
    let notes = Notes::new();
    assert_eq!(notes.sh("echo $$ >\"$1/slow\"; echo begun; sleep 1000", SHORT), Err(Failure::TimedOut));
    assert!(notes.is_gone("slow"));
}

#[test]
fn a_program_that_closes_its_output_and_goes_on_is_ended() {
    let notes = Notes::new();
    let script = "echo $$ >\"$1/silent\"; exec >&- 2>&-; sleep 1000";
    assert_eq!(notes.sh(script, SHORT), Err(Failure::TimedOut));
    assert!(notes.is_gone("silent"));
}

#[test]
fn a_program_that_ignores_being_told_to_end_is_ended() {
    let notes = Notes::new();
    let script = "trap '' TERM; echo $$ >\"$1/stubborn\"; while :; do sleep 1; done";
    assert_eq!(notes.sh(script, SHORT), Err(Failure::TimedOut));
    assert!(notes.is_gone("stubborn"));
}

#[test]
fn a_program_that_prints_too_much_is_ended() {
    let notes = Notes::new();
    let script = "echo $$ >\"$1/chatty\"; head -c 104857600 /dev/zero; sleep 1000";
    assert_eq!(notes.sh(script, LONG), Err(Failure::TooMuch));
    assert!(notes.is_gone("chatty"));
    assert_eq!(sh("head -c 1048576 /dev/zero", LONG).map(|output| output.len()), Ok(1_048_576));
    assert_eq!(sh("head -c 1048577 /dev/zero", LONG), Err(Failure::TooMuch));
}

#[test]
fn what_a_program_leaves_behind_is_ended_and_its_hold_on_the_output_is_not_waited_for() {
    let notes = Notes::new();
    let script = "sleep 1000 & echo $! >\"$1/left\"; echo done";
    assert_eq!(notes.sh(script, LONG), Ok("done\n".to_owned()));
    assert!(notes.is_gone("left"));
}

#[test]
fn what_a_slow_program_has_started_is_ended_with_it() {
    let notes = Notes::new();
    let script = "sh -c 'trap \"\" TERM; echo $$ >\"$1/grandchild\"; while :; do sleep 1; done' sh \"$1\"; echo done";
    assert_eq!(notes.sh(script, SHORT), Err(Failure::TimedOut));
    assert!(notes.is_gone("grandchild"));
}

#[test]
fn a_program_that_is_missing_or_cannot_be_run_says_so() {
    let run = |program: &Path| run(Command::new(program), LONG, MOST, &|_| ()).outcome.unwrap_err();
    assert_eq!(run(Path::new("/no/such/program")), Failure::Missing);
    let notes = Notes::new();
    fs::write(notes.path("no-program"), "").unwrap();
    assert_eq!(run(&notes.path("no-program")), Failure::Failed("Permission denied (os error 13)".to_owned()));
}
