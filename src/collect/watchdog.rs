//! Guards calls to system services, which may hang: an alarm prints an answer and ends this process.
//!
//! The answer is prepared beforehand, so the signal handler only writes it and ends the process, which is
//! async-signal-safe. A thread is not an option, because reader processes are forked, which needs a single thread.

use std::{cell::Cell, sync::OnceLock};

use nix::{
    libc,
    sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction},
    unistd::alarm,
};

use super::deadline::Deadline;

/// What to print if a system service does not answer in time.
pub struct LateAnswer {
    pub document: String,
    pub reasons: String,
    pub status: u8,
}

static ANSWER: OnceLock<LateAnswer> = OnceLock::new();

/// Ends the process at the deadline if a system service hangs.
pub(super) struct Watchdog<'a> {
    deadline: Deadline,
    late_answer: &'a dyn Fn() -> LateAnswer,
    is_armed: Cell<bool>,
}

impl<'a> Watchdog<'a> {
    pub(super) fn new(deadline: Deadline, late_answer: &'a dyn Fn() -> LateAnswer) -> Self {
        Self { deadline, late_answer, is_armed: Cell::new(false) }
    }

    #[allow(unsafe_code)]
    pub(super) fn arm(&self) {
        if self.is_armed.replace(true) {
            return;
        }
        ANSWER.get_or_init(self.late_answer);
        let action = SigAction::new(SigHandler::Handler(give_up), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler only loads a pointer, writes, and ends the process, which is async-signal-safe.
        let _ = unsafe { sigaction(Signal::SIGALRM, &action) };
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGALRM);
        let _ = mask.thread_unblock();
        alarm::set(self.deadline.seconds_left());
    }

    pub(super) fn disarm(&self) {
        if self.is_armed.replace(false) {
            alarm::cancel();
        }
    }
}

#[allow(unsafe_code)]
extern "C" fn give_up(_: i32) {
    let answer = ANSWER.get();
    for (descriptor, text) in answer.iter().flat_map(|answer| [(2, &answer.reasons), (1, &answer.document)]) {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            // SAFETY: the buffer has `rest.len()` bytes.
            let written = unsafe { libc::write(descriptor, rest.as_ptr().cast(), rest.len()) };
            rest = usize::try_from(written)
                .ok()
                .filter(|&written| written > 0)
                .and_then(|it| rest.get(it..))
                .unwrap_or_default();
        }
    }
    // SAFETY: `_exit` has no preconditions and does not return.
    unsafe { libc::_exit(answer.map_or(1, |answer| answer.status).into()) }
}
