//! What the worker tells its supervisor while it works, and what it may leave behind.
//!
//! Messages go to standard error, which is the supervisor's: a word, a space, bytes, and a NUL.

use std::{
    fs::{self, DirBuilder},
    io::{self, Read, Write},
    os::unix::{ffi::OsStrExt, fs::DirBuilderExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};

const ASKS: &[u8] = b"asks ";
const REASON: &[u8] = b"reason ";
const RUNS: &[u8] = b"runs ";

/// A message to the supervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// This file or program is asked from now on.
    Asks(Vec<u8>),
    /// Why the state cannot be told.
    Reason(Vec<u8>),
    /// The process group of a command that runs from now on; none if it has ended.
    Runs(Option<i32>),
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
        let number = str::from_utf8(bytes.strip_prefix(RUNS)?).ok()?.parse().ok()?;
        Some(Self::Runs(Some(number).filter(|&number: &i32| number > 1)))
    }
}

/// The worker's side.
#[derive(Debug)]
pub struct Progress {
    tells: bool,
    private_folder: PathBuf,
    begun: Instant,
    /// Whether the folder may not be made any more, because the end has come.
    has_ended: Mutex<bool>,
    /// The process group of the command that runs.
    group: Mutex<Option<Pid>>,
}

impl Progress {
    /// Of a worker that may make one folder, at this path.
    #[must_use]
    pub fn of_worker(private_folder: &Path) -> Self {
        Self { tells: true, ..Self::silent(private_folder) }
    }

    /// Of work without a supervisor.
    #[must_use]
    pub fn silent(private_folder: &Path) -> Self {
        Self {
            tells: false,
            private_folder: private_folder.to_owned(),
            begun: Instant::now(),
            has_ended: Mutex::default(),
            group: Mutex::default(),
        }
    }

    /// Tells which file is asked from now on.
    pub fn asks(&self, path: &Path) {
        self.tell(ASKS, path.as_os_str().as_bytes());
    }

    /// Tells why the state cannot be told.
    pub fn reason(&self, words: &str) {
        self.tell(REASON, words.as_bytes());
    }

    /// Tells which process group is to be ended with this process, if any.
    pub fn runs(&self, group: Option<Pid>) {
        *self.group.lock().unwrap_or_else(PoisonError::into_inner) = group;
        self.tell(RUNS, group.map_or(0, Pid::as_raw).to_string().as_bytes());
    }

    /// What is left of the time that the whole run may take.
    #[must_use]
    pub fn left(&self, limit: Duration) -> Duration {
        limit.saturating_sub(self.begun.elapsed())
    }

    fn tell(&self, word: &[u8], content: &[u8]) {
        if self.tells {
            // A supervisor that is gone does not want to know.
            let _ = io::stderr().write_all(&[word, content, &[0]].concat());
        }
    }

    /// Makes the private folder, which its owner alone can enter.
    ///
    /// # Errors
    /// If it cannot be made, or if the end has come.
    pub fn make_private_folder(&self) -> io::Result<&Path> {
        let has_ended = self.has_ended.lock().unwrap_or_else(PoisonError::into_inner);
        if *has_ended {
            return Err(io::ErrorKind::Interrupted.into());
        }
        DirBuilder::new().mode(0o700).create(&self.private_folder)?;
        Ok(&self.private_folder)
    }

    /// Removes the private folder.
    pub fn remove_private_folder(&self) {
        // The supervisor tries again, and whoever comes after it sees an empty folder of root's at the worst.
        let _ = fs::remove_dir_all(&self.private_folder);
    }

    /// Waits for the end of standard input, which comes when the supervisor is gone, and ends this process without a
    /// trace.
    pub fn end_with_supervisor(&self) {
        let mut input = io::stdin().lock();
        while matches!(input.read(&mut [0; 64]), Ok(1..)) {}
        *self.has_ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.remove_private_folder();
        if let Some(group) = *self.group.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = killpg(group, Signal::SIGKILL);
        }
        // Not `exit`, which would have the other thread's libraries clean up under its feet.
        let _ = kill(Pid::this(), Signal::SIGKILL);
    }
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
        assert_eq!(Message::parse(b""), None);
        assert_eq!(Message::parse(b"thread 'main' panicked at src/main.rs"), None);
    }

    #[test]
    fn no_private_folder_is_made_after_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let progress = Progress::silent(&folder.path().join("private"));
        *progress.has_ended.lock().unwrap() = true;
        assert!(progress.make_private_folder().is_err());
        assert!(!folder.path().join("private").exists());
    }
}
