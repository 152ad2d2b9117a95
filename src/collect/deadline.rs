//! The time limit of a run.

use std::time::{Duration, Instant};

use crate::evidence::Cause;

/// The end of the time that a run may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    /// The deadline that is this far away from now.
    pub(crate) fn in_time(limit: Duration) -> Self {
        Self { at: Instant::now() + limit, limit }
    }

    pub(super) fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// The remaining time in whole seconds, rounded up, at least one.
    pub(super) fn seconds_left(&self) -> u32 {
        u32::try_from(self.left().as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1)
    }

    /// The end of the first share, if the remaining time is divided into this many equal shares.
    pub(super) fn part(&self, parts: usize) -> Self {
        let left = self.left();
        let part = left / u32::try_from(parts).unwrap_or(u32::MAX).max(1);
        Self { at: self.at - (left - part), limit: self.limit.saturating_sub(left - part) }
    }

    pub(super) const fn at(&self) -> Instant {
        self.at
    }

    pub(super) fn passed(&self) -> Cause {
        Cause::DeadlinePassed((self.limit + Duration::from_millis(500)).as_secs().max(1))
    }
}
