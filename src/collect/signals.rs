//! Signals that ask this process to end, while it has something to clean up: a child process, or a copy of a keychain.
//!
//! They are noted, not obeyed at once: the loop that waits for child processes stops these, what holds a copy removes
//! it, and then this process ends by the very signal.

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
            // What the caller ignores, as nohup does, stays ignored at every moment.
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

/// Has the system say how children end: a caller may have had it forget that.
pub(super) fn heed_children() {
    set(Signal::SIGCHLD, SigHandler::SigDfl);
}

/// Gives signals their default meaning, but for those that the caller ignores, and lets all through: in a reader.
pub(super) fn reset_in_child() {
    for signal in Signal::iterator().filter(|signal| !ENDING.contains(signal) || !is_ignored(*signal)) {
        set(signal, SigHandler::SigDfl);
    }
    let _ = SigSet::empty().thread_set_mask();
}

/// Sets what a signal does.
#[allow(unsafe_code)]
fn set(signal: Signal, handler: SigHandler) {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: the one handler that is ever set only stores a number, which is safe at any moment. SIGKILL and SIGSTOP
    // refuse.
    let _ = unsafe { sigaction(signal, &action) };
}

#[allow(unsafe_code)]
fn is_ignored(signal: Signal) -> bool {
    let mut found = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: nothing is changed, and a structure of zeros is a valid one.
    let found = unsafe {
        libc::sigaction(signal as i32, ptr::null(), found.as_mut_ptr());
        found.assume_init()
    };
    found.sa_sigaction == libc::SIG_IGN
}
