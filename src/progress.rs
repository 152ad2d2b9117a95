//! What the worker tells its supervisor while it works, and what it may leave behind.
//!
//! Messages go to standard error, which is the supervisor's: a word, a space, bytes, and a NUL.

use std::{
    fs::{self, DirBuilder},
    io::{self, Read, Write},
    os::unix::{ffi::OsStrExt, fs::DirBuilderExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const ASKS: &[u8] = b"asks ";
const REASON: &[u8] = b"reason ";

/// A message to the supervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// This file or program is asked from now on.
    Asks(Vec<u8>),
    /// Why the state cannot be told.
    Reason(Vec<u8>),
}

impl Message {
    /// Reads a message, without its NUL; `None` if it is none, but what something else has printed.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let asks = bytes.strip_prefix(ASKS).map(|path| Self::Asks(path.to_vec()));
        asks.or_else(|| bytes.strip_prefix(REASON).map(|words| Self::Reason(words.to_vec())))
    }
}

/// The worker's side.
#[derive(Debug)]
pub struct Progress {
    tells: bool,
    private_folder: PathBuf,
    /// Whether the folder may not be made any more, because the end has come.
    has_ended: Mutex<bool>,
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
        Self { tells: false, private_folder: private_folder.to_owned(), has_ended: Mutex::new(false) }
    }

    /// Tells which file is asked from now on.
    pub fn asks(&self, path: &Path) {
        self.tell(ASKS, path.as_os_str().as_bytes());
    }

    /// Tells why the state cannot be told.
    pub fn reason(&self, words: &str) {
        self.tell(REASON, words.as_bytes());
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
