//! Delays signals that end this process while it has something to clean up: a child process, or a copy of a keychain.
//!
//! A handler records the signal. The loop that waits for child processes then stops them, the owner of a copy removes
//! it, and finally this process ends by the same signal.

use std::{
    mem::MaybeUninit,
    ptr,
    sync::atomic::{AtomicI32, AtomicUsize, Ordering},
};

use nix::{
    libc,
    sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction},
};

const ENDING: [Signal; 4] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];

/// The number of the last recorded signal, or 0.
static NOTED: AtomicI32 = AtomicI32::new(0);

/// The number of [`Hold`]s that exist.
static HOLDS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn note(signal: i32) {
    NOTED.store(signal, Ordering::Relaxed);
}

/// Whether a signal to end was received.
pub(super) fn is_ending() -> bool {
    NOTED.load(Ordering::Relaxed) != 0
}

/// Delays signals as long as it exists. Dropping the last one ends this process if a signal was received.
pub(super) struct Hold(());

impl Hold {
    pub(super) fn new() -> Self {
        if HOLDS.fetch_add(1, Ordering::Relaxed) == 0 {
            // Signals that the caller ignores stay ignored; nohup relies on that.
            ENDING
                .into_iter()
                .filter(|&signal| !is_ignored(signal))
                .for_each(|signal| set(signal, SigHandler::Handler(note)));
        }
        Self(())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if HOLDS.fetch_sub(1, Ordering::Relaxed) > 1 {
            return;
        }
        ENDING.into_iter().filter(|&signal| !is_ignored(signal)).for_each(|signal| set(signal, SigHandler::SigDfl));
        if let Ok(signal) = Signal::try_from(NOTED.load(Ordering::Relaxed)) {
            let _ = raise(signal);
        }
    }
}

/// Restores the default for SIGCHLD: if the caller ignores it, the system does not report how children end.
pub(super) fn reset_sigchld() {
    set(Signal::SIGCHLD, SigHandler::SigDfl);
}

/// Restores the defaults for signals in a reader process, and unblocks all. Signals that the caller ignores stay so.
pub(super) fn reset_in_child() {
    for signal in Signal::iterator().filter(|signal| !ENDING.contains(signal) || !is_ignored(*signal)) {
        set(signal, SigHandler::SigDfl);
    }
    let _ = SigSet::empty().thread_set_mask();
}

/// Sets the handler of a signal.
#[allow(unsafe_code)]
fn set(signal: Signal, handler: SigHandler) {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: the only handler that is ever set stores a number, which is async-signal-safe. For SIGKILL and SIGSTOP
    // the call fails.
    let _ = unsafe { sigaction(signal, &action) };
}

#[allow(unsafe_code)]
fn is_ignored(signal: Signal) -> bool {
    let mut found = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: this only reads, and a structure of zeros is valid.
    let found = unsafe {
        libc::sigaction(signal as i32, ptr::null(), found.as_mut_ptr());
        found.assume_init()
    };
    found.sa_sigaction == libc::SIG_IGN
}
