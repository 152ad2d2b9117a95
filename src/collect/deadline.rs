//! When an answer has to be there.

use std::time::{Duration, Instant};

use crate::evidence::Cause;

/// The end of the time that a run may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    /// The one that is this far away.
    pub(crate) fn in_time(limit: Duration) -> Self {
        Self { at: Instant::now() + limit, limit }
    }

    /// What is left of the time.
    pub(super) fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// What is left of the time in whole seconds, rounded up, and at least one.
    pub(super) fn seconds_left(&self) -> u32 {
        u32::try_from(self.left().as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1)
    }

    /// The end of the first of so many equal parts of what is left.
    pub(super) fn share(&self, parts: u32) -> Instant {
        Instant::now() + self.left() / parts.max(1)
    }

    /// That it has passed.
    pub(super) const fn passed(&self) -> Cause {
        Cause::DeadlinePassed(self.limit.as_secs())
    }
}
