//! The reader process: a child process that permanently becomes the user, and reads the user's files.
//!
//! A home may be hostile, or on a disk that hangs. The child is forked, closes inherited files, becomes the user,
//! reads, sends its answer through a pipe, and ends. This process waits until the deadline and then continues without
//! the child. It never opens a user's file itself, so no file can block it or be read with root's rights. The child
//! uses only the standard library and system calls: after a fork without an exec, Apple's frameworks and account
//! lookups must not be used.
//!
//! The child sends a line of JSON for each file that it is about to read, and one for the answer.

#![allow(unsafe_code)]

use std::{
    ffi::OsString,
    fs,
    io::{self, PipeWriter, Write},
    os::{
        fd::{AsRawFd, BorrowedFd, RawFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::Mutex,
    time::Instant,
};

use nix::{
    libc,
    sys::resource::{Resource, setrlimit},
    unistd::{ForkResult, Gid, Uid, alarm, fork, getegid, geteuid, getgid, getuid, setgid, setuid},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    children::{self, Child, Ended, Exit, Failure},
    deadline::Deadline,
    platform, signals,
};
use crate::evidence::{Cause, Obstacle};

/// How many reader processes run at the same time.
const AT_ONCE: usize = 16;

/// The most memory for data that a reader process may use, in bytes. The parsers need far less.
const MEMORY: u64 = 56 * 1024 * 1024;
/// The most processor time that a reader process may use, in seconds. The parsers need far less.
const PROCESSOR_TIME: u64 = 2;

/// The rights with which a reader process reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// The rights of this process.
    Caller,
    /// A user's rights, with only the primary group: it suffices for files in a home, and needs no group lookup.
    User { uid: u32, gid: u32 },
}

/// Reports which file is about to be read, because the parent names it if the read never ends.
pub struct Trail(pub(super) fn(&Path));

impl Trail {
    /// Reports nothing.
    pub const SILENT: Self = Self(|_| ());

    pub(super) fn at(&self, path: &Path) {
        (self.0)(path);
    }
}

type Read<'a, T> = dyn FnOnce(&Trail) -> Result<T, Obstacle> + 'a;

pub struct Job<'a, T> {
    pub(crate) rights: Rights,
    pub read: Box<Read<'a, T>>,
}

impl<'a, T> Job<'a, T> {
    pub(super) fn new(rights: Rights, read: impl FnOnce(&Trail) -> Result<T, Obstacle> + 'a) -> Self {
        Self { rights, read: Box::new(read) }
    }
}

/// A line that a reader process sends.
#[derive(Serialize, Deserialize)]
enum Message<T> {
    /// The process is about to read the file with this path.
    At(Vec<u8>),
    /// The result, or why it could not be read.
    Answer(Result<T, Obstacle>),
    /// The reason why the process cannot continue.
    Failed(Cause),
}

/// Runs each job in its own reader process, until the deadline. More jobs than [`AT_ONCE`] run in groups that share the
/// time. Several jobs leave a share for the later steps, so a home that hangs does not affect the other users' results.
pub(super) fn read_all<T: Serialize + DeserializeOwned>(
    jobs: Vec<Job<'_, T>>,
    deadline: &Deadline,
) -> Vec<Result<T, Obstacle>> {
    if jobs.is_empty() {
        return Vec::new();
    }
    // Held from before the start, because a signal that arrives before the wait must stop the processes, too.
    let _signals = signals::Hold::new();
    let for_later = usize::from(jobs.len() > 1);
    let mut jobs = jobs.into_iter();
    let mut answers = Vec::new();
    while jobs.len() > 0 {
        let part = deadline.part(jobs.len().div_ceil(AT_ONCE) + for_later);
        let started: Vec<_> = jobs.by_ref().take(AT_ONCE).map(|job| start(job, part.at(), None)).collect();
        answers.extend(finish(started, &part));
    }
    answers
}

/// Runs a job in a reader process that keeps one open descriptor.
pub(super) fn read_keeping<T: Serialize + DeserializeOwned>(
    job: Job<'_, T>,
    deadline: &Deadline,
    kept: BorrowedFd<'_>,
) -> Result<T, Obstacle> {
    let answer = finish(vec![start(job, deadline.at(), Some(kept.as_raw_fd()))], deadline).pop();
    answer.unwrap_or_else(|| Err(failed("it was not started")))
}

fn failed(words: impl Into<String>) -> Obstacle {
    Cause::ReaderFailed(words.into()).into()
}

fn start<T: Serialize>(job: Job<'_, T>, limit: Instant, kept: Option<RawFd>) -> Result<Child, Obstacle> {
    let (output, answer) = io::pipe().map_err(|error| failed(error.to_string()))?;
    // SAFETY: this process has only one thread, so the child may allocate memory and take locks.
    match unsafe { fork() }.map_err(|errno| failed(errno.desc()))? {
        ForkResult::Parent { child } => Ok(Child { pid: child, is_group: false, outputs: vec![output], limit }),
        ForkResult::Child => {
            let status = become_reader(job, limit, &answer, kept);
            // SAFETY: `_exit` has no preconditions and does not return. It runs no clean-up code of the parent.
            unsafe { libc::_exit(status) }
        }
    }
}

/// The main function of a reader process; returns its exit status. Not inlined, because the benchmark looks for it.
#[inline(never)]
fn become_reader<T: Serialize>(job: Job<'_, T>, limit: Instant, answer: &PipeWriter, kept: Option<RawFd>) -> i32 {
    signals::reset_in_child();
    let seconds = limit.saturating_duration_since(Instant::now()).as_secs() + 2;
    alarm::set(u32::try_from(seconds).unwrap_or(u32::MAX));
    for standard in 0..=2 {
        // SAFETY: no object of this process owns the descriptors that this replaces.
        if unsafe { libc::dup2(answer.as_raw_fd(), standard) } < 0 {
            return 1;
        }
    }
    let read = AssertUnwindSafe(|| {
        close_all_but(kept);
        limit_resources();
        give_up_rights(job.rights)?;
        let at = |path: &Path| drop(send::<()>(&Message::At(path.as_os_str().as_bytes().to_vec())));
        Ok((job.read)(&Trail(at)))
    });
    let read = panic::catch_unwind(read).unwrap_or_else(|_| Err(Cause::Crashed(last_panic())));
    i32::from(send(&read.map_or_else(Message::Failed, Message::Answer)).is_err())
}

fn send<T: Serialize>(message: &Message<T>) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    io::stdout().write_all(&line)
}

/// Closes every descriptor except the standard ones and `kept`. Without an exec nothing else closes them, and Jamf
/// waits until every process has closed its pipes.
fn close_all_but(kept: Option<RawFd>) {
    let listed = fs::read_dir("/dev/fd").map(|folder| {
        folder.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect::<Vec<RawFd>>()
    });
    // Without the list, try many: open descriptors may be above a limit that was lowered later.
    let open = listed.unwrap_or_else(|_| (0..65_536).collect());
    for descriptor in open.into_iter().filter(|&descriptor| descriptor > 2 && Some(descriptor) != kept) {
        // SAFETY: this process no longer uses the object that owns the descriptor. Closing a closed one does no harm.
        unsafe { libc::close(descriptor) };
    }
}

/// Limits the resources of this process, as far as the system allows.
pub(super) fn limit_resources() {
    // Exceeding the soft limit of processor time gives SIGXCPU, which names the cause; the hard limit gives SIGKILL.
    let limits = [
        (Resource::RLIMIT_CORE, 0, 0),
        (Resource::RLIMIT_DATA, MEMORY, MEMORY),
        (Resource::RLIMIT_CPU, PROCESSOR_TIME, PROCESSOR_TIME + 1),
    ];
    for (resource, soft, hard) in limits {
        // A limit that the system refuses is not an error, because the parsers have their own limits.
        let _ = setrlimit(resource, soft, hard);
    }
}

/// Switches to the user permanently, and checks that switching back to root is impossible.
fn give_up_rights(rights: Rights) -> Result<(), Cause> {
    let Rights::User { uid, gid } = rights else { return Ok(()) };
    let failed = |words: String| Cause::RightsNotTaken { uid, words };
    let (user, group) = (Uid::from_raw(uid), Gid::from_raw(gid));
    platform::set_groups(&[gid]).map_err(|error| failed(error.to_string()))?;
    setgid(group).and_then(|()| setuid(user)).map_err(|errno| failed(errno.desc().to_owned()))?;
    let is_user = [getuid(), geteuid()] == [user; 2] && [getgid(), getegid()] == [group; 2];
    if !is_user || setuid(Uid::from_raw(0)).is_ok() {
        return Err(failed("the system still grants root's rights".to_owned()));
    }
    Ok(())
}

/// The place of the last panic. Its message is not kept, because it may quote a file.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Stops panics from printing, and records their place.
pub fn note_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(|place| format!("a panic in {}, line {}", place.file(), place.line()));
        if let Ok(mut last) = PANIC.lock() {
            *last = place;
        }
    }));
}

pub fn last_panic() -> String {
    let last = PANIC.lock().ok().and_then(|last| last.clone());
    last.unwrap_or_else(|| "a panic".to_owned())
}

/// Waits for reader processes, and reads what they sent.
fn finish<T: DeserializeOwned>(started: Vec<Result<Child, Obstacle>>, deadline: &Deadline) -> Vec<Result<T, Obstacle>> {
    let mut running = Vec::new();
    let started: Vec<Result<(), Obstacle>> =
        started.into_iter().map(|child| child.map(|child| running.push(child))).collect();
    let mut ended = children::await_all(running).into_iter();
    let mut answer = |()| ended.next().map_or_else(|| Err(failed("it disappeared")), |ended| answer(ended, deadline));
    started.into_iter().map(|started| started.and_then(&mut answer)).collect()
}

/// The answer of a reader process, or why there is none.
fn answer<T: DeserializeOwned>(ended: Ended, deadline: &Deadline) -> Result<T, Obstacle> {
    let Ended { outcome, outputs } = ended;
    let mut path = None;
    let mut is_nonsense = false;
    for line in outputs.concat().split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line) {
            Ok(Message::Answer(answer)) if outcome != Err(Failure::TooMuch) => return answer,
            Ok(Message::Failed(cause)) => return Err(Obstacle { path, cause }),
            Ok(Message::At(bytes)) => path = Some(PathBuf::from(OsString::from_vec(bytes))),
            Ok(Message::Answer(_)) | Err(_) => is_nonsense = true,
        }
    }
    let words = match outcome {
        Err(Failure::TimedOut) => return Err(Obstacle { path, cause: deadline.passed() }),
        Err(Failure::TooMuch) => "it sent more than 1 MiB".to_owned(),
        Err(Failure::Ended(words) | Failure::Failed(words)) => words,
        // A library may have printed a message before the signal, but the signal is the better reason.
        Ok(Some(exit @ Exit::Signal(_))) => exit.to_string(),
        Ok(_) if is_nonsense => "it sent something else".to_owned(),
        Ok(Some(exit)) => exit.to_string(),
        Err(Failure::Missing) | Ok(None) => "it ended without an answer".to_owned(),
    };
    Err(Obstacle { path, cause: Cause::ReaderFailed(words) })
}

#[cfg(test)]
mod tests;
