//! Runs real programs that misbehave.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use nix::errno::Errno;
use tempfile::TempDir;

use super::*;

/// Long enough for everything that is expected to end by itself.
const LONG: Duration = Duration::from_secs(120);

/// Short enough to wait for.
const SHORT: Duration = Duration::from_millis(500);

/// A folder where scripts write their PIDs. The scripts get it as `$1`.
struct Notes(TempDir);

impl Notes {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn words(&self, script: &str) -> Vec<String> {
        let folder = self.0.path().to_str().unwrap();
        ["/bin/sh", "-c", script, "sh", folder].map(str::to_owned).into()
    }

    /// Runs a script as a command.
    fn sh(&self, script: &str, limit: Duration) -> Ended {
        run(vec![(self.words(script), Instant::now() + limit)]).pop().unwrap()
    }

    /// Runs a script the way reader processes run: in this process's group, with one output.
    fn reader(&self, script: &str, limit: Duration) -> Ended {
        let (output, answer) = io::pipe().unwrap();
        let words = self.words(script);
        #[expect(clippy::zombie_processes, reason = "`await_all` waits for it")]
        let child = Command::new(&words[0]).args(&words[1..]).stdout(answer).spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        let child = Child { pid, is_group: false, outputs: vec![output], limit: Instant::now() + limit };
        await_all(vec![child]).pop().unwrap()
    }

    /// Whether the process with the PID in this file ends. A zombie counts as ended: its parent may not have waited
    /// yet.
    fn is_gone(&self, name: &str) -> bool {
        let pid = Pid::from_raw(fs::read_to_string(self.path(name)).unwrap().trim().parse().unwrap());
        let is_gone = || {
            let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            kill(pid, None) == Err(Errno::ESRCH) || state.contains(") Z ")
        };
        // A killed process takes a moment to end; one that was not killed sleeps far longer than this.
        (0..10_000).any(|_| {
            is_gone() || {
                thread::sleep(Duration::from_millis(1));
                false
            }
        })
    }
}

/// What a command printed to both outputs, or why it was stopped.
fn printed(ended: Ended) -> Result<String, Failure> {
    ended.outcome.map(|_| String::from_utf8(ended.outputs.concat()).unwrap())
}

fn sh(script: &str, limit: Duration) -> Result<String, Failure> {
    printed(Notes::new().sh(script, limit))
}

#[test]
fn both_outputs_and_the_exit_are_returned() {
    let ended = Notes::new().sh("echo one; echo two >&2; exit 3", LONG);
    assert_eq!(ended.outputs, [b"one\n", b"two\n"]);
    assert_eq!(ended.outcome, Ok(Some(Exit::Status(3))));
    let ended = Notes::new().sh("echo one; kill -KILL $$", LONG);
    assert_eq!((ended.outputs.concat(), ended.outcome), (b"one\n".to_vec(), Ok(Some(Exit::Signal(Signal::SIGKILL)))));
    assert_eq!(sh("exit 0", LONG), Ok(String::new()));
}

#[test]
fn several_commands_run_side_by_side_and_keep_their_order() {
    let notes = Notes::new();
    // Each waits for the other one's file.
    let script = |own: &str, other: &str| {
        notes.words(&format!("echo > \"$1/{own}\"; until [ -e \"$1/{other}\" ]; do sleep 0.01; done; echo {own}"))
    };
    let limit = Instant::now() + LONG;
    let ended =
        run(vec![(script("a", "b"), limit), (vec!["/no/such/program".to_owned()], limit), (script("b", "a"), limit)]);
    let printed: Vec<_> = ended.into_iter().map(printed).collect();
    assert_eq!(printed, [Ok("a\n".to_owned()), Err(Failure::Missing), Ok("b\n".to_owned())]);
}

#[test]
fn a_command_has_neither_input_nor_environment() {
    assert_eq!(sh("cat; echo \"$HOME|$PATH\"; pwd", LONG), Ok("|/usr/bin:/bin:/usr/sbin:/sbin\n/\n".to_owned()));
}

#[test]
fn output_from_before_a_command_was_stopped_is_returned() {
    let ended = Notes::new().sh("echo begun; sleep 1000", SHORT);
    assert_eq!((ended.outcome, ended.outputs.concat()), (Err(Failure::TimedOut), b"begun\n".to_vec()));
}

#[test]
fn a_slow_command_is_stopped() {
    let notes = Notes::new();
    assert_eq!(printed(notes.sh("echo $$ >\"$1/slow\"; echo begun; sleep 1000", SHORT)), Err(Failure::TimedOut));
    assert!(notes.is_gone("slow"));
}

#[test]
fn a_command_that_closes_its_outputs_and_goes_on_is_stopped() {
    let notes = Notes::new();
    let script = "echo $$ >\"$1/silent\"; exec >&- 2>&-; sleep 1000";
    assert_eq!(printed(notes.sh(script, SHORT)), Err(Failure::TimedOut));
    assert!(notes.is_gone("silent"));
}

#[test]
fn a_command_that_ignores_sigterm_is_killed() {
    let notes = Notes::new();
    let script = "trap '' TERM; echo $$ >\"$1/stubborn\"; while :; do sleep 1; done";
    assert_eq!(printed(notes.sh(script, SHORT)), Err(Failure::TimedOut));
    assert!(notes.is_gone("stubborn"));
}

#[test]
fn a_command_has_time_to_clean_up_after_sigterm() {
    let notes = Notes::new();
    let script = "trap 'echo cleaned; exit' TERM; echo begun; sleep 1000 & wait";
    let ended = notes.sh(script, SHORT);
    assert_eq!((ended.outcome, ended.outputs.concat()), (Err(Failure::TimedOut), b"begun\ncleaned\n".to_vec()));
}

#[test]
fn a_command_that_prints_too_much_is_stopped() {
    let notes = Notes::new();
    let script = "echo $$ >\"$1/chatty\"; head -c 104857600 /dev/zero; sleep 1000";
    assert_eq!(printed(notes.sh(script, LONG)), Err(Failure::TooMuch));
    assert!(notes.is_gone("chatty"));
    assert_eq!(sh("head -c 1048576 /dev/zero", LONG).map(|output| output.len()), Ok(MAX_OUTPUT));
    assert_eq!(sh("head -c 1048577 /dev/zero", LONG), Err(Failure::TooMuch));
}

#[test]
fn background_processes_of_a_command_are_killed_and_do_not_delay_the_answer() {
    let notes = Notes::new();
    let script = "sleep 1000 & echo $! >\"$1/left\"; echo done";
    assert_eq!(printed(notes.sh(script, LONG)), Ok("done\n".to_owned()));
    assert!(notes.is_gone("left"));
}

#[test]
fn the_children_of_a_slow_command_are_killed_with_it() {
    let notes = Notes::new();
    let script = "sh -c 'trap \"\" TERM; echo $$ >\"$1/grandchild\"; while :; do sleep 1; done' sh \"$1\"; echo done";
    assert_eq!(printed(notes.sh(script, SHORT)), Err(Failure::TimedOut));
    assert!(notes.is_gone("grandchild"));
}

#[test]
fn a_missing_program_and_one_that_cannot_be_run_are_reported() {
    let run = |program: &Path| {
        let words = vec![program.to_str().unwrap().to_owned()];
        run(vec![(words, Instant::now() + LONG)]).pop().unwrap().outcome
    };
    assert_eq!(run(Path::new("/no/such/program")), Err(Failure::Missing));
    let notes = Notes::new();
    fs::write(notes.path("no-program"), "").unwrap();
    let denied = Failure::Failed("Permission denied (os error 13)".to_owned());
    assert_eq!(run(&notes.path("no-program")), Err(denied));
}

#[test]
fn a_reader_that_hangs_or_is_stopped_is_killed_at_its_limit() {
    for script in ["echo $$ >\"$1/it\"; echo begun; exec sleep 1000", "echo $$ >\"$1/it\"; echo begun; kill -STOP $$"] {
        let notes = Notes::new();
        let ended = notes.reader(script, SHORT);
        assert_eq!((ended.outcome, ended.outputs.concat()), (Err(Failure::TimedOut), b"begun\n".to_vec()), "{script}");
        assert!(notes.is_gone("it"));
    }
}

#[test]
fn a_reader_that_sends_too_much_is_killed() {
    let notes = Notes::new();
    let ended = notes.reader("echo $$ >\"$1/it\"; head -c 104857600 /dev/zero; exec sleep 1000", LONG);
    assert_eq!(ended.outcome, Err(Failure::TooMuch));
    assert!(notes.is_gone("it"));
}

#[test]
fn the_exit_of_a_reader_is_returned() {
    let exit = |script| Notes::new().reader(script, LONG).outcome;
    assert_eq!(exit("exit 7"), Ok(Some(Exit::Status(7))));
    assert_eq!(exit("kill -SEGV $$"), Ok(Some(Exit::Signal(Signal::SIGSEGV))));
}
