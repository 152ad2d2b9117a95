//! What the one who does the work tells about it meanwhile, and what it may leave behind.
//!
//! A worker's messages go to its standard error, which is the supervisor's: a NUL, a word, a space, bytes, and a NUL. What
//! else stands there is what some library has printed. Work in the supervisor's own process may leave nothing behind, and
//! ask no file that could hold up the process' end: it says that it needs a worker instead.

use std::{
    fs::{self, DirBuilder},
    io::{self, Read, Write},
    os::unix::{ffi::OsStrExt, fs::DirBuilderExt},
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{SigSet, Signal, kill, killpg},
    unistd::Pid,
};

use crate::{collect::startup_disk, evidence::Cause};

const ASKS: &[u8] = b"asks ";
const REASON: &[u8] = b"reason ";
const RUNS: &[u8] = b"runs ";
const ENDS: &[u8] = b"ends ";

/// A message to the supervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// This file or program is asked from now on.
    Asks(Vec<u8>),
    /// Why the state cannot be told.
    Reason(Vec<u8>),
    /// The process group of a command that runs from now on; none if it has ended.
    Runs(Option<i32>),
    /// The answer is complete: the exit status, and how many bytes were written to standard output.
    Ends {
        /// The exit status.
        status: u8,
        /// The number of bytes.
        length: usize,
    },
}

impl Message {
    /// Reads a message, without its NUL; `None` if it is none, but what something else has printed.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if let Some(path) = bytes.strip_prefix(ASKS) {
            return Some(Self::Asks(path.to_vec()));
        }
        if let Some(words) = bytes.strip_prefix(REASON) {
            return Some(Self::Reason(words.to_vec()));
        }
        if let Some(group) = bytes.strip_prefix(RUNS) {
            let number = str::from_utf8(group).ok()?.parse().ok()?;
            return Some(Self::Runs(Some(number).filter(|&number: &i32| number > 1)));
        }
        let (status, length) = str::from_utf8(bytes.strip_prefix(ENDS)?).ok()?.split_once(' ')?;
        Some(Self::Ends { status: status.parse().ok()?, length: length.parse().ok()? })
    }
}

/// The private folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Folder {
    /// It may be made.
    #[default]
    NotMade,
    /// This process has made it, and has to remove it.
    Made,
    /// It must not be made any more, because the end has come.
    Over,
}

/// Who does the work.
#[derive(Debug)]
enum Where {
    /// A worker, which may make one folder, at this path; whether it tells its supervisor.
    Worker { private_folder: PathBuf, tells: bool },
    /// The supervisor itself.
    SameProcess {
        /// What is asked at present.
        asked: Mutex<Option<PathBuf>>,
        needs_worker: AtomicBool,
    },
}

/// What is told about the work.
#[derive(Debug)]
pub struct Progress {
    place: Where,
    begun: Instant,
    folder: Mutex<Folder>,
    /// The process group of the command that runs.
    group: Mutex<Option<Pid>>,
}

impl Progress {
    fn new(place: Where) -> Self {
        Self { place, begun: Instant::now(), folder: Mutex::default(), group: Mutex::default() }
    }

    /// Of a worker that may make one folder, at this path.
    #[must_use]
    pub fn of_worker(private_folder: &Path) -> Self {
        Self::new(Where::Worker { private_folder: private_folder.to_owned(), tells: true })
    }

    /// As of a worker, but without a supervisor.
    #[must_use]
    pub fn silent(private_folder: &Path) -> Self {
        Self::new(Where::Worker { private_folder: private_folder.to_owned(), tells: false })
    }

    /// Of work in the supervisor's own process.
    #[must_use]
    pub fn in_same_process() -> Self {
        Self::new(Where::SameProcess { asked: Mutex::default(), needs_worker: AtomicBool::new(false) })
    }

    /// Tells which file is asked from now on.
    ///
    /// # Errors
    /// If only a worker may ask it, because it is not on the startup disk, or if a worker is needed anyway.
    pub fn asks(&self, path: &Path) -> Result<(), Cause> {
        if let Where::SameProcess { asked, .. } = &self.place {
            *lock(asked) = Some(path.to_owned());
            if self.needs_worker() || !startup_disk::has(path) {
                return self.only_as_worker();
            }
        }
        self.tell(ASKS, path.as_os_str().as_bytes());
        Ok(())
    }

    /// Tells that what comes may hold up the end of the process, take unusual memory, or leave something behind.
    ///
    /// # Errors
    /// If this is no worker, which alone may do that: it is not waited for, and cleaned up after.
    pub fn only_as_worker(&self) -> Result<(), Cause> {
        match &self.place {
            Where::Worker { .. } => Ok(()),
            Where::SameProcess { needs_worker, .. } => {
                needs_worker.store(true, Ordering::Relaxed);
                Err(Cause::NotRead)
            }
        }
    }

    /// Whether something was left undone that only a worker may do, so that what was found is not all.
    #[must_use]
    pub fn needs_worker(&self) -> bool {
        matches!(&self.place, Where::SameProcess { needs_worker, .. } if needs_worker.load(Ordering::Relaxed))
    }

    /// Which file is asked, where the supervisor itself asks.
    pub fn asked(&self) -> Option<PathBuf> {
        match &self.place {
            Where::Worker { .. } => None,
            Where::SameProcess { asked, .. } => lock(asked).clone(),
        }
    }

    /// Tells why the state cannot be told.
    pub fn reason(&self, words: &str) {
        self.tell(REASON, words.as_bytes());
    }

    /// Tells which process group is to be ended with this process, if any.
    pub fn runs(&self, group: Option<Pid>) {
        *lock(&self.group) = group;
        self.tell(RUNS, group.map_or(0, Pid::as_raw).to_string().as_bytes());
    }

    /// What is left of the time that this process may take.
    #[must_use]
    pub fn left(&self, limit: Duration) -> Duration {
        limit.saturating_sub(self.begun.elapsed())
    }

    fn tell(&self, word: &[u8], content: &[u8]) {
        if matches!(self.place, Where::Worker { tells: true, .. }) {
            // A supervisor that is gone does not want to know.
            let _ = io::stderr().write_all(&[&[0], word, content, &[0]].concat());
        }
    }

    /// Tells that the answer is complete.
    pub fn ends(&self, status: u8, length: usize) {
        self.tell(ENDS, format!("{status} {length}").as_bytes());
    }

    /// Makes the private folder, which its owner alone can enter.
    ///
    /// # Errors
    /// If it cannot be made, if the end has come, or if only a worker may.
    pub fn make_private_folder(&self) -> io::Result<&Path> {
        let Where::Worker { private_folder, .. } = &self.place else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let mut folder = lock(&self.folder);
        if *folder != Folder::NotMade {
            return Err(io::ErrorKind::Interrupted.into());
        }
        DirBuilder::new().mode(0o700).create(private_folder)?;
        *folder = Folder::Made;
        Ok(private_folder)
    }

    /// Removes the private folder, if this process has made it. Until it is gone, the end waits, and nobody makes it
    /// again.
    pub fn remove_private_folder(&self) {
        let mut folder = lock(&self.folder);
        if let (Folder::Made, Where::Worker { private_folder, .. }) = (*folder, &self.place) {
            // Again, if something was just being put into it. What stays is the supervisor's to remove.
            let is_gone = || fs::remove_dir_all(private_folder).is_ok() || !private_folder.exists();
            let _ = (0..REMOVALS).any(|_| is_gone());
        }
        *folder = Folder::Over;
    }

    /// Waits for the end of standard input, which comes when the supervisor is gone, and ends this process without a
    /// trace.
    pub fn end_with_supervisor(&self) {
        let mut input = io::stdin().lock();
        loop {
            match input.read(&mut [0; 64]) {
                Ok(1..) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break,
            }
        }
        self.remove_private_folder();
        if let Some(group) = *lock(&self.group) {
            let _ = killpg(group, Signal::SIGKILL);
        }
        // Not `exit`, which would have the other thread's libraries clean up under its feet.
        let _ = kill(Pid::this(), Signal::SIGKILL);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often the removal of the private folder is tried.
const REMOVALS: usize = 100;

/// Leaves it to the supervisor to be ended by signals: its end is this process' end, which is then an orderly one.
pub fn leave_signals_to_supervisor() {
    let signals = SigSet::from_iter([Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM]);
    // If that fails, they end this process at once, and the supervisor cleans up.
    let _ = signals.thread_block();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_from_what_others_print() {
        assert_eq!(Message::parse(b"asks /a b"), Some(Message::Asks(b"/a b".to_vec())));
        assert_eq!(Message::parse(b"reason because"), Some(Message::Reason(b"because".to_vec())));
        assert_eq!(Message::parse(b"runs 123"), Some(Message::Runs(Some(123))));
        for nothing in [&b"runs 0"[..], b"runs 1", b"runs -5"] {
            assert_eq!(Message::parse(nothing), Some(Message::Runs(None)));
        }
        assert_eq!(Message::parse(b"runs away"), None);
        assert_eq!(Message::parse(b"ends 1 17"), Some(Message::Ends { status: 1, length: 17 }));
        assert_eq!(Message::parse(b"ends 1"), None);
        assert_eq!(Message::parse(b"ends well"), None);
        assert_eq!(Message::parse(b""), None);
        assert_eq!(Message::parse(b"thread 'main' panicked at src/main.rs"), None);
    }

    #[test]
    fn no_private_folder_is_made_after_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let progress = Progress::silent(&folder.path().join("private"));
        progress.remove_private_folder();
        assert!(progress.make_private_folder().is_err());
        assert!(!folder.path().join("private").exists());
    }

    #[test]
    fn only_a_folder_that_was_made_here_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let of_others = Progress::silent(folder.path());
        assert!(of_others.make_private_folder().is_err());
        of_others.remove_private_folder();
        assert!(folder.path().exists());
        let own = Progress::silent(&folder.path().join("private"));
        fs::write(own.make_private_folder().unwrap().join("a file"), b"").unwrap();
        own.remove_private_folder();
        assert!(!folder.path().join("private").exists());
    }
}
