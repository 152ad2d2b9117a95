//! The end of a run, whatever happens: a file system, a security agent or a system service may hold up a call without
//! end, and Jamf waits for every script of an inventory.
//!
//! So a thread watches the time, and answers and ends the process when it is over. That is enough for ordinary files on
//! the startup disk and for system services, which the end of the process ends, too. Whatever else has to be asked, what
//! may take unusual memory, and a copy or a command that would have to be cleaned up after, needs a process of its own:
//! this same program once more, the *worker*; of a list of users, each has one. If it crashes or does not come to its end,
//! its supervisor ends it, removes what it has left behind, and answers in its place. A worker that cannot even be killed,
//! because it hangs in a dead file system, holds nothing that anybody waits for: its outputs are pipes to the supervisor.
//! The other way round, a worker whose supervisor is gone reads the end of its input, cleans up and ends.

use std::{
    any::Any,
    convert::Infallible,
    env,
    ffi::OsString,
    fs,
    hash::{BuildHasher, RandomState},
    io,
    os::unix::{ffi::OsStringExt, fs::MetadataExt, process::ExitStatusExt},
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    process::{self, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::{Pid, geteuid},
};

use crate::{
    cli::{self, Part},
    collect::{
        command::{self, Failure},
        platform,
        progress::{Message, Progress},
    },
    evidence::{Cause, Obstacle},
};

/// The answer of a keychain with very many Workplace Join certificates has some megabytes.
const MAX_OUTPUT: usize = 64 * 1024 * 1024;

/// The exit status that says that something cannot be told.
pub const UNDETERMINED: u8 = 1;

/// What the worker answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What belongs on standard output.
    pub stdout: Vec<u8>,
    /// Why something cannot be told, if anything cannot.
    pub reasons: Vec<String>,
    /// The exit status.
    pub status: u8,
}

/// Does some work in this process; `None` if it turns out to need a worker.
///
/// If it does not come to its end, `end` is called from another thread with the reason, and has to end the process: the work
/// cannot be ended otherwise, and is not waited for.
///
/// # Errors
/// If it panics.
pub fn in_same_process<T>(
    limit: Duration,
    work: impl FnOnce(&Progress) -> T,
    end: impl FnOnce(Obstacle) -> Infallible + Send + 'static,
) -> Result<Option<T>, Obstacle> {
    let crashed = |words: String| Obstacle { path: None, cause: Cause::Crashed(words) };
    let progress = Arc::new(Progress::in_same_process());
    let is_over = Arc::new(AtomicBool::new(false));
    let watched = (Arc::clone(&progress), Arc::clone(&is_over));
    let watch = move || {
        let (progress, is_over) = watched;
        thread::sleep(limit);
        if !is_over.swap(true, Ordering::AcqRel) {
            let obstacle = Obstacle { path: progress.asked(), cause: Cause::DeadlinePassed(seconds(limit)) };
            // Only a panic comes back from it.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| end(obstacle)));
            platform::end_at_once(UNDETERMINED);
        }
    };
    thread::Builder::new().spawn(watch).map_err(|error| crashed(error.to_string()))?;
    // What was found until a panic is not used.
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| work(&progress)));
    while is_over.swap(true, Ordering::AcqRel) {
        // Another thread has the last word.
        thread::park();
    }
    match outcome {
        Ok(found) => Ok((!progress.needs_worker()).then_some(found)),
        Err(payload) => Err(crashed(panic_s_words(payload).unwrap_or_else(|| "it ended".to_owned()))),
    }
}

/// What a panic says, whether or not its words were put together when it came.
fn panic_s_words(payload: Box<dyn Any + Send>) -> Option<String> {
    match payload.downcast::<String>() {
        Ok(words) => Some(*words),
        Err(payload) => payload.downcast_ref::<&str>().map(|&words| words.to_owned()),
    }
}

/// Has a worker do a part of what `arguments`, the program's own name first, ask for; `colour` tells it that what it prints
/// may be coloured.
///
/// # Errors
/// If it does not come to its end, or ends otherwise than it should.
pub fn supervise(arguments: &[OsString], part: Part, colour: bool, limit: Duration) -> Result<Answer, Obstacle> {
    let crashed = |words: String| Obstacle { path: None, cause: Cause::Crashed(words) };
    let program = env::current_exe().map_err(|error| crashed(format!("it does not know where it lies: {error}")))?;
    let private_folder = PrivateFolder::new();
    let mut worker = Command::new(program);
    worker.arg(cli::WORKER).arg(&private_folder.0).arg(if colour { cli::COLOURED } else { cli::PLAIN });
    worker.arg(limit.as_millis().to_string()).arg(part.to_string()).args(arguments.get(1..).unwrap_or_default());
    // Nobody writes to it. That it ends is what tells the worker that this process is gone.
    worker.stdin(Stdio::piped());
    let finished = command::run(worker, limit, MAX_OUTPUT, &|_| ());
    let (messages, other) = read_messages(&finished.stderr);
    end_what_it_ran(&messages);
    match finished.outcome {
        Ok(status) => answer(status, finished.stdout, &messages).map_err(|words| crashed(words + &other)),
        Err(Failure::TimedOut) => {
            let asked = messages.into_iter().rev().find_map(|message| match message {
                Message::Asks(path) => Some(PathBuf::from(OsString::from_vec(path))),
                Message::Reason(_) | Message::Runs(_) | Message::Ends { .. } => None,
            });
            Err(Obstacle { path: asked, cause: Cause::DeadlinePassed(seconds(limit)) })
        }
        Err(Failure::TooMuch) => Err(crashed("it has more to say than it should".to_owned())),
        Err(Failure::Missing) => Err(crashed("it has been removed".to_owned())),
        Err(Failure::Failed(words)) => Err(crashed(words)),
    }
}

/// Has a worker do each of these parts, all at the same time, and gives what they printed.
pub fn supervise_all(
    arguments: &[OsString],
    parts: &[Part],
    colour: bool,
    limit: Duration,
) -> Vec<Result<Vec<u8>, Obstacle>> {
    let one = |part: Part| supervise(arguments, part, colour, limit).map(|answer| answer.stdout);
    thread::scope(|scope| {
        let workers: Vec<_> =
            parts.iter().map(|&part| thread::Builder::new().spawn_scoped(scope, move || one(part))).collect();
        let crashed = |words: String| Obstacle { path: None, cause: Cause::Crashed(words) };
        let answer =
            |worker: io::Result<thread::ScopedJoinHandle<'_, _>>| match worker.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err(crashed("its supervisor failed".to_owned())),
                Err(error) => Err(crashed(error.to_string())),
            };
        workers.into_iter().map(answer).collect()
    })
}

/// Whole seconds, rounded up.
const fn seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(if time.subsec_nanos() > 0 { 1 } else { 0 })
}

/// A worker that was ended, or has crashed, may have left a command running, which is a process group of its own.
fn end_what_it_ran(messages: &[Message]) {
    let last = messages.iter().rev().find_map(|message| match message {
        Message::Runs(group) => Some(*group),
        Message::Asks(_) | Message::Reason(_) | Message::Ends { .. } => None,
    });
    if let Some(group) = last.flatten() {
        // It may just have ended by itself.
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
}

/// The worker's messages, and the last line that is none, to be put behind other words.
fn read_messages(stderr: &[u8]) -> (Vec<Message>, String) {
    let mut messages = Vec::new();
    let mut other = String::new();
    for piece in stderr.split(|&byte| byte == 0) {
        match Message::parse(piece) {
            Some(message) => messages.push(message),
            None => {
                let text = String::from_utf8_lossy(piece);
                if let Some(line) = text.lines().rfind(|line| !line.trim().is_empty()) {
                    other = format!(": {}", line.trim());
                }
            }
        }
    }
    (messages, other)
}

/// Only a worker that says that its answer is complete, and whose answer is, has answered.
fn answer(status: Option<ExitStatus>, stdout: Vec<u8>, messages: &[Message]) -> Result<Answer, String> {
    let reasons = messages.iter().filter_map(|message| match message {
        Message::Reason(words) => Some(String::from_utf8_lossy(words).into_owned()),
        Message::Asks(_) | Message::Runs(_) | Message::Ends { .. } => None,
    });
    if let Some(&Message::Ends { status, length }) = messages.last()
        && length == stdout.len()
    {
        return Ok(Answer { stdout, reasons: reasons.collect(), status });
    }
    Err(match status.map(|status| (status.code(), status.signal())) {
        Some((Some(code), _)) => format!("it ended with exit status {code}"),
        Some((None, signal)) => format!("it was ended by signal {}", signal.unwrap_or_default()),
        None => "it ended".to_owned(),
    })
}

/// Where the worker may make its one folder; removed when dropped. Nobody can know the name beforehand.
struct PrivateFolder(PathBuf);

impl PrivateFolder {
    fn new() -> Self {
        let random = RandomState::new().hash_one(process::id());
        Self(Path::new(platform::TEMPORARY).join(format!("wpj-state.{:x}.{random:016x}", process::id())))
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        // Not what somebody else may have put in its place.
        let is_own =
            fs::symlink_metadata(&self.0).is_ok_and(|found| found.is_dir() && found.uid() == geteuid().as_raw());
        if is_own {
            // Nobody is left to be told if that fails; the folder is its owner's alone.
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::process::CommandExt, sync::mpsc};

    use super::*;

    #[test]
    fn an_answer_is_one_only_if_it_is_complete() {
        let answered =
            |raw: i32, messages: &[Message]| answer(Some(ExitStatus::from_raw(raw)), b"output".to_vec(), messages);
        let answer = |reason: Option<&str>, status| {
            Ok(Answer { stdout: b"output".to_vec(), reasons: reason.map(str::to_owned).into_iter().collect(), status })
        };
        let ends = |status, length| Message::Ends { status, length };
        assert_eq!(answered(0, &[Message::Asks(b"/".to_vec()), ends(0, 6)]), answer(None, 0));
        assert_eq!(answered(1 << 8, &[Message::Reason(b"because".to_vec()), ends(1, 6)]), answer(Some("because"), 1));
        // As after a crash when all was said.
        assert_eq!(answered(6, &[ends(0, 6)]), answer(None, 0));
        assert_eq!(answered(0, &[ends(0, 7)]), Err("it ended with exit status 0".to_owned()));
        assert_eq!(answered(0, &[]), Err("it ended with exit status 0".to_owned()));
        assert_eq!(answered(2 << 8, &[Message::Reason(b"x".to_vec())]), Err("it ended with exit status 2".to_owned()));
        assert_eq!(answered(6, &[]), Err("it was ended by signal 6".to_owned()));
    }

    fn soon<T>(work: impl FnOnce(&Progress) -> T) -> Result<Option<T>, Obstacle> {
        in_same_process(Duration::from_secs(120), work, |obstacle| panic!("{obstacle:?}"))
    }

    #[test]
    fn work_in_the_same_process_gives_what_it_finds_or_says_that_it_needs_a_worker() {
        assert_eq!(soon(|_| 7), Ok(Some(7)));
        assert_eq!(soon(Progress::only_as_worker), Ok(None));
    }

    #[test]
    fn work_in_the_same_process_that_is_held_up_is_not_waited_for() {
        let (reason, reasons) = mpsc::channel();
        let end = move |obstacle| {
            reason.send(obstacle).unwrap();
            loop {
                thread::park();
            }
        };
        let held_up = |progress: &Progress| {
            let _ = progress.asks(Path::new("/no/such/file"));
            loop {
                thread::park();
            }
        };
        thread::spawn(move || in_same_process::<()>(Duration::from_millis(1100), held_up, end));
        let path = Some(PathBuf::from("/no/such/file"));
        assert_eq!(reasons.recv().unwrap(), Obstacle { path, cause: Cause::DeadlinePassed(2) });
    }

    #[test]
    fn work_in_the_same_process_that_ends_too_late_does_not_speak_up() {
        let (reason, reasons) = mpsc::channel();
        let (spoken, speech) = mpsc::channel();
        let end = move |obstacle| {
            reason.send(obstacle).unwrap();
            loop {
                thread::park();
            }
        };
        let late = move |_: &Progress| reasons.recv().unwrap();
        thread::spawn(move || spoken.send(in_same_process(Duration::from_millis(1), late, end)));
        assert_eq!(speech.recv_timeout(Duration::from_millis(300)), Err(mpsc::RecvTimeoutError::Timeout));
    }

    #[test]
    fn work_in_the_same_process_that_panics_gives_no_answer() {
        let panics = |work: fn(&Progress)| soon(work).unwrap_err().cause;
        assert_eq!(panics(|_| panic!("as a bug would")), Cause::Crashed("as a bug would".to_owned()));
        let formatted = panics(|_| panic!("bug number {}", [1].len()));
        assert_eq!(formatted, Cause::Crashed("bug number 1".to_owned()));
        let other = panics(|_| panic::panic_any(1));
        assert_eq!(other, Cause::Crashed("it ended".to_owned()));
    }

    #[test]
    fn what_libraries_print_is_told_from_messages() {
        let stderr = b"some library: x\n\0asks /a\0\0reason because\0thread 'main' panicked\nas a bug would\n\n";
        let messages = vec![Message::Asks(b"/a".to_vec()), Message::Reason(b"because".to_vec())];
        assert_eq!(read_messages(stderr), (messages, ": as a bug would".to_owned()));
        assert_eq!(read_messages(b""), (Vec::new(), String::new()));
    }

    #[test]
    fn a_command_that_the_worker_left_behind_is_ended() {
        let mut command = Command::new("/bin/sleep");
        let mut left = command.arg("1000").process_group(0).spawn().unwrap();
        let group = Some(left.id().cast_signed());
        end_what_it_ran(&[Message::Runs(group), Message::Runs(None)]);
        assert_eq!(left.try_wait().unwrap(), None);
        end_what_it_ran(&[Message::Runs(None), Message::Runs(group), Message::Asks(b"/x".to_vec())]);
        assert_eq!(left.wait().unwrap().signal(), Some(Signal::SIGKILL as i32));
    }

    #[test]
    fn a_private_folder_is_removed_with_all_that_it_holds() {
        let folder = PrivateFolder::new();
        let path = folder.0.clone();
        fs::create_dir(&path).unwrap();
        fs::write(path.join("a file"), b"").unwrap();
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn what_stands_in_place_of_a_private_folder_is_left_alone() {
        let folder = PrivateFolder::new();
        let (path, elsewhere) = (folder.0.clone(), tempfile::tempdir().unwrap());
        fs::write(elsewhere.path().join("a file"), b"").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), &path).unwrap();
        drop(folder);
        assert!(elsewhere.path().join("a file").exists());
        fs::remove_file(path).unwrap();
    }
}
