//! The wall clock, as the observers see it: an origin and what has passed since.
//!
//! Invariant: time passes by tokio's clock alone, so that a test that pauses it pauses this one too.

use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// Wall time as origin plus monotonic time passed. Its clones are set together.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Mutex<Anchor>>);

#[derive(Debug, Clone, Copy)]
struct Anchor {
    origin: Timestamp,
    since: Instant,
}

impl Anchor {
    fn shows(self) -> Timestamp {
        let passed = SignedDuration::try_from(self.since.elapsed()).unwrap_or(SignedDuration::MAX);
        self.origin.saturating_add(passed).unwrap_or(self.origin)
    }
}

impl Clock {
    /// A clock that shows `origin` now.
    pub fn starting_at(origin: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Anchor { origin, since: Instant::now() })))
    }

    /// The machine's clock, read once.
    pub fn system() -> Self {
        Self::starting_at(of_the_machine())
    }

    /// What it shows, to the millisecond.
    pub fn now(&self) -> Timestamp {
        let now = self.0.lock().unwrap_or_else(PoisonError::into_inner).shows();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    /// Sets it to what another clock shows; how far it was off: positive where it was slow.
    pub fn set(&self, now: Timestamp) -> SignedDuration {
        let mut anchor = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let off = now.duration_since(anchor.shows());
        *anchor = Anchor { origin: now, since: Instant::now() };
        off
    }
}

/// What the machine's clock shows.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn of_the_machine() -> Timestamp {
    Timestamp::now()
}
