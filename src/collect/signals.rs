//! Signals that ask this process to end, while it has something to clean up: a child process, or a copy of a keychain.
//!
//! They are noted, not obeyed at once: the loop that waits for child processes stops these, what holds a copy removes it,
//! and then this process ends by the very signal.

use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};

const ENDING: [Signal; 4] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];

/// The number of the last signal that was noted; 0 if none was.
static NOTED: AtomicI32 = AtomicI32::new(0);

/// How many [`Hold`]s there are.
static HOLDS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn note(signal: i32) {
    NOTED.store(signal, Ordering::Relaxed);
}

/// Whether this process was asked to end.
pub(super) fn is_ending() -> bool {
    NOTED.load(Ordering::Relaxed) != 0
}

/// While there is one, signals are noted. The last one to be dropped ends this process if one was.
pub(super) struct Hold(());

impl Hold {
    pub(super) fn new() -> Self {
        if HOLDS.fetch_add(1, Ordering::Relaxed) == 0 {
            for signal in ENDING {
                // What the caller ignores, as nohup does, stays ignored.
                if matches!(set(signal, SigHandler::Handler(note)), Some(SigHandler::SigIgn)) {
                    set(signal, SigHandler::SigIgn);
                }
            }
        }
        Self(())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if HOLDS.fetch_sub(1, Ordering::Relaxed) > 1 {
            return;
        }
        for signal in ENDING {
            if matches!(set(signal, SigHandler::SigDfl), Some(SigHandler::SigIgn)) {
                set(signal, SigHandler::SigIgn);
            }
        }
        if let Ok(signal) = Signal::try_from(NOTED.load(Ordering::Relaxed)) {
            let _ = raise(signal);
        }
    }
}

/// Has the system say how children end: a caller may have had it forget that.
pub(super) fn heed_children() {
    set(Signal::SIGCHLD, SigHandler::SigDfl);
}

/// Gives every signal its default meaning, and lets all through: for a reader process, which inherits neither.
pub(super) fn reset_in_child() {
    for signal in Signal::iterator() {
        // SIGKILL and SIGSTOP refuse.
        let _ = set(signal, SigHandler::SigDfl);
    }
    let _ = SigSet::empty().thread_set_mask();
}

/// Sets what a signal does; gives what it did.
#[allow(unsafe_code)]
fn set(signal: Signal, handler: SigHandler) -> Option<SigHandler> {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: the one handler that is ever set only stores a number, which is safe at any moment.
    unsafe { sigaction(signal, &action) }.ok().map(|previous| previous.handler())
}
