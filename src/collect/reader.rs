//! The reader process: everything that may be a user's is read by a child process that has become that user for good.
//!
//! A home may be hostile, or on a disk that is gone. The child is forked, gives up what it has of this process, becomes
//! the user, reads, sends its answer through a pipe, and ends. This process waits until the deadline and goes on
//! without it: it has touched nothing of the user's itself, so nothing can hold it up, and nothing is given back that
//! could be kept. The child uses the standard library and system calls only: after a fork without an exec, Apple's
//! frameworks and the account records are off limits.
//!
//! What it sends is a line of JSON for each file that it is about to read, and one for the answer.

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

/// How many reader processes there are at once.
const AT_ONCE: usize = 16;

/// What a reader process may take: memory for its data in bytes, processor time in seconds. The parsers stay far below.
const MEMORY: u64 = 56 * 1024 * 1024;
const PROCESSOR_TIME: u64 = 2;

/// With whose rights a reader process reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// Those that this process has.
    Caller,
    /// A user's, with the primary group alone: it is enough for files in a home, and asks nobody for the others.
    User { uid: u32, gid: u32 },
}

/// Tells which file is about to be read, so that it can be named if that never ends.
pub struct Trail(pub(super) fn(&Path));

impl Trail {
    /// Tells nobody.
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

/// A line of what a reader process sends.
#[derive(Serialize, Deserialize)]
enum Message<T> {
    /// It is about to read the file with this path.
    At(Vec<u8>),
    /// What it has read, or why it could not.
    Answer(Result<T, Obstacle>),
    /// It cannot go on; why.
    Failed(Cause),
}

/// Does each job in a reader process of its own, until the deadline. More than sixteen share the time, and several
/// leave a share for what comes after them: a home that hangs hides no other.
pub(super) fn read_all<T: Serialize + DeserializeOwned>(
    jobs: Vec<Job<'_, T>>,
    deadline: &Deadline,
) -> Vec<Result<T, Obstacle>> {
    if jobs.is_empty() {
        return Vec::new();
    }
    // From here on, so a signal between the start and the wait ends what was started.
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

/// Does a job in a reader process that keeps one descriptor.
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
    // SAFETY: this process has one thread, so the child may do whatever it may; it never returns from `become_reader`.
    match unsafe { fork() }.map_err(|errno| failed(errno.desc()))? {
        ForkResult::Parent { child } => Ok(Child { pid: child, is_group: false, outputs: vec![output], limit }),
        ForkResult::Child => {
            let status = become_reader(job, limit, &answer, kept);
            // SAFETY: `_exit` has no preconditions and does not return. Nothing of this process' parent is cleaned up.
            unsafe { libc::_exit(status) }
        }
    }
}

/// What a reader process does; not inlined, so that the benchmark finds it.
#[inline(never)]
fn become_reader<T: Serialize>(job: Job<'_, T>, limit: Instant, answer: &PipeWriter, kept: Option<RawFd>) -> i32 {
    signals::reset_in_child();
    let seconds = limit.saturating_duration_since(Instant::now()).as_secs() + 2;
    alarm::set(u32::try_from(seconds).unwrap_or(u32::MAX));
    for standard in 0..=2 {
        // SAFETY: it replaces a descriptor that no object of this process' owns.
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

/// Closes every descriptor but the standard ones: without an exec nothing closes them, and Jamf waits for the end of
/// its own.
fn close_all_but(kept: Option<RawFd>) {
    let listed = fs::read_dir("/dev/fd").map(|folder| {
        folder.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect::<Vec<RawFd>>()
    });
    // What is open may be above a limit that was lowered since.
    let open = listed.unwrap_or_else(|_| (0..65_536).collect());
    for descriptor in open.into_iter().filter(|&descriptor| descriptor > 2 && Some(descriptor) != kept) {
        // SAFETY: what owns it is not used any more in this process. One that is closed already does no harm.
        unsafe { libc::close(descriptor) };
    }
}

/// Limits what this process may take, as far as the system lets it.
pub(super) fn limit_resources() {
    // Past the first limit of processor time comes a signal that names it, past the second one SIGKILL.
    let limits = [
        (Resource::RLIMIT_CORE, 0, 0),
        (Resource::RLIMIT_DATA, MEMORY, MEMORY),
        (Resource::RLIMIT_CPU, PROCESSOR_TIME, PROCESSOR_TIME + 1),
    ];
    for (resource, soft, hard) in limits {
        // One that the system refuses is not a failure: the parsers' own limits come first.
        let _ = setrlimit(resource, soft, hard);
    }
}

/// Becomes the user, for good.
fn give_up_rights(rights: Rights) -> Result<(), Cause> {
    let Rights::User { uid, gid } = rights else { return Ok(()) };
    let failed = |words: String| Cause::RightsNotTaken { uid, words };
    let (user, group) = (Uid::from_raw(uid), Gid::from_raw(gid));
    platform::set_groups(&[gid]).map_err(|error| failed(error.to_string()))?;
    setgid(group).and_then(|()| setuid(user)).map_err(|errno| failed(errno.desc().to_owned()))?;
    let is_user = [getuid(), geteuid()] == [user; 2] && [getgid(), getegid()] == [group; 2];
    if !is_user || setuid(Uid::from_raw(0)).is_ok() {
        return Err(failed("the system did not change them".to_owned()));
    }
    Ok(())
}

/// Where the last panic was. What it says is not kept: it may quote a file.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Keeps panics from printing, and notes where they are.
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
    let mut answer = |()| ended.next().map_or_else(|| Err(failed("it is gone")), |ended| answer(ended, deadline));
    started.into_iter().map(|started| started.and_then(&mut answer)).collect()
}

/// What a reader process has answered, or why it has not.
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
        Err(Failure::Failed(words)) => words,
        // A library may have said something about it; the signal says more.
        Ok(Some(exit @ Exit::Signal(_))) => exit.to_string(),
        Ok(_) if is_nonsense => "it did not send an answer".to_owned(),
        Ok(Some(exit)) => exit.to_string(),
        Err(Failure::Missing) | Ok(None) => "it ended without an answer".to_owned(),
    };
    Err(Obstacle { path, cause: Cause::ReaderFailed(words) })
}

#[cfg(test)]
mod tests;
