//! What the worker tells its supervisor while it works, and what it may leave behind.
//!
//! Messages go to standard error, which is the supervisor's: a NUL, a word, a space, bytes, and a NUL. What else stands
//! there is what some library has printed.

use std::{
    fs::{self, DirBuilder},
    io::{self, Read, Write},
    os::unix::{ffi::OsStrExt, fs::DirBuilderExt},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{SigSet, Signal, kill, killpg},
    unistd::Pid,
};

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

/// The worker's side.
#[derive(Debug)]
pub struct Progress {
    tells: bool,
    private_folder: PathBuf,
    begun: Instant,
    folder: Mutex<Folder>,
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
            folder: Mutex::default(),
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

    /// What is left of the time that this process may take.
    #[must_use]
    pub fn left(&self, limit: Duration) -> Duration {
        limit.saturating_sub(self.begun.elapsed())
    }

    fn tell(&self, word: &[u8], content: &[u8]) {
        if self.tells {
            // A supervisor that is gone does not want to know.
            let _ = io::stderr().write_all(&[&[0], word, content, &[0]].concat());
        }
    }

    /// Tells that the answer is complete.
    pub fn ends(&self, status: u8, length: usize) {
        self.tell(ENDS, format!("{status} {length}").as_bytes());
    }

    fn folder(&self) -> MutexGuard<'_, Folder> {
        self.folder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the private folder, which its owner alone can enter.
    ///
    /// # Errors
    /// If it cannot be made, or if the end has come.
    pub fn make_private_folder(&self) -> io::Result<&Path> {
        let mut folder = self.folder();
        if *folder != Folder::NotMade {
            return Err(io::ErrorKind::Interrupted.into());
        }
        DirBuilder::new().mode(0o700).create(&self.private_folder)?;
        *folder = Folder::Made;
        Ok(&self.private_folder)
    }

    /// Removes the private folder, if this process has made it. Until it is gone, the end waits, and nobody makes it again.
    pub fn remove_private_folder(&self) {
        let mut folder = self.folder();
        if *folder == Folder::Made {
            // Again, if something was just being put into it. What stays is the supervisor's to remove.
            let is_gone = || fs::remove_dir_all(&self.private_folder).is_ok() || !self.private_folder.exists();
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
        if let Some(group) = *self.group.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = killpg(group, Signal::SIGKILL);
        }
        // Not `exit`, which would have the other thread's libraries clean up under its feet.
        let _ = kill(Pid::this(), Signal::SIGKILL);
    }
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
