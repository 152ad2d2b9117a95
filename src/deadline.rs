//! The end of a run, whatever happens: a file system, a security agent or a system service may hold up a call without
//! end, and Jamf waits for every script of an inventory.
//!
//! The work is done in a thread that is left behind when its time is over: the process ends, and the thread with it.

use std::{
    any::Any,
    fs,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

use nix::sys::signal::{SigSet, Signal, raise};

/// Why the work did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// Its time is over.
    TooLate,
    /// The process was told to end.
    Signal(Signal),
    /// It panicked, or could not be begun; the words.
    Failed(String),
}

/// What the work is about, for the one who has to end it.
#[derive(Debug, Default)]
pub struct Progress(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    asked: Option<PathBuf>,
    private_folder: Option<PathBuf>,
}

impl Progress {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes which file is asked from now on.
    pub fn asks(&self, path: &Path) {
        self.state().asked = Some(path.to_owned());
    }

    /// The file that was asked last.
    #[must_use]
    pub fn asked(&self) -> Option<PathBuf> {
        self.state().asked.clone()
    }

    /// Notes the private folder that has to be removed.
    pub fn keeps(&self, folder: Option<&Path>) {
        self.state().private_folder = folder.map(Path::to_owned);
    }

    /// Removes what work that was stopped has left behind.
    pub fn clean_up(&self) {
        if let Some(folder) = self.state().private_folder.take() {
            // Nobody is left to be told; the folder is its owner's alone.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

enum Event<T> {
    Done(thread::Result<T>),
    Signal(Signal),
}

/// Does `work`, but waits no longer than `limit` for it, nor longer than until the process is told to end.
///
/// # Errors
/// Why there is no answer.
pub fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Stopped> {
    let (events, received) = mpsc::channel();
    let endings = SigSet::from_iter([Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM]);
    // Both threads inherit this, so that these signals come to the one that waits for them.
    if endings.thread_block().is_ok() {
        let events = events.clone();
        spawn("signals", move || {
            if let Ok(signal) = endings.wait()
                && events.send(Event::Signal(signal)).is_err()
            {
                // The work is over, and what is left to do may be interrupted.
                die_of(signal);
            }
        })?;
    }
    spawn("work", move || {
        // The receiver may be gone: then nobody waits for this any more.
        let _ = events.send(Event::Done(panic::catch_unwind(AssertUnwindSafe(work))));
    })?;
    match received.recv_timeout(limit) {
        Ok(Event::Done(Ok(answer))) => Ok(answer),
        Ok(Event::Done(Err(panic))) => Err(Stopped::Failed(words_of(panic.as_ref()))),
        Ok(Event::Signal(signal)) => Err(Stopped::Signal(signal)),
        Err(_) => Err(Stopped::TooLate),
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), Stopped> {
    let started = thread::Builder::new().name(name.to_owned()).spawn(body);
    started.map(drop).map_err(|error| Stopped::Failed(error.to_string()))
}

/// Ends the process by a signal that [`within`] has kept from doing so.
pub fn die_of(signal: Signal) {
    let _ = raise(signal);
    let _ = SigSet::from_iter([signal]).thread_unblock();
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("an unknown panic").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn work_that_ends_in_time_gives_its_answer() {
        assert_eq!(within(LONG, || 7), Ok(7));
    }

    #[test]
    fn work_that_does_not_end_is_not_waited_for() {
        let (_held, never) = mpsc::channel::<()>();
        assert_eq!(within(Duration::from_millis(20), move || never.recv().is_ok()), Err(Stopped::TooLate));
    }

    #[test]
    fn work_that_panics_tells_why() {
        let outcome: Result<(), Stopped> = within(LONG, || panic!("of this"));
        assert_eq!(outcome, Err(Stopped::Failed("of this".to_owned())));
    }

    #[test]
    fn a_private_folder_is_removed_with_all_that_it_holds() {
        let folder = tempfile::tempdir().unwrap().keep();
        fs::write(folder.join("a file"), b"").unwrap();
        let progress = Progress::default();
        progress.keeps(Some(&folder));
        progress.clean_up();
        assert!(!folder.exists());
    }
}
