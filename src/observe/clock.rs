//! The wall clock, as the observers see it: an origin and what has passed since.
//!
//! Invariant: time passes by tokio's clock alone, so that a test that pauses it pauses this one too.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Wall time as origin plus monotonic time passed.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Timestamp,
    since: Instant,
}

impl Clock {
    /// A clock that shows `origin` now.
    pub fn starting_at(origin: Timestamp) -> Self {
        Self { origin, since: Instant::now() }
    }

    /// The machine's clock, read once.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub fn system() -> Self {
        Self::starting_at(Timestamp::now())
    }

    /// What it shows, to the millisecond.
    pub fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.since.elapsed()).unwrap_or(SignedDuration::MAX);
        let now = self.origin.saturating_add(passed).unwrap_or(self.origin);
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}
