//! What the daemon measures while it works: counted and thrown away, never recorded.

use super::{canary::Personality, session::Phase};
use std::time::Duration;

/// One measurement.
#[derive(Debug, Clone, PartialEq)]
pub enum Signal {
    /// A notification was handed to a channel, or not: `told`, `failed`, `dropped`.
    Alert {
        /// The channel's name.
        channel: String,
        /// What came of it.
        outcome: &'static str,
    },
    /// A canary turned somebody away.
    CanaryRefused {
        /// Why: `busy`, `source`, `stranger`.
        reason: &'static str,
    },
    /// Somebody came to a canary and left.
    CanarySession {
        /// Which canary.
        personality: Personality,
        /// The highest phase reached.
        phase: Phase,
    },
    /// A canary listens, or does not.
    CanaryUp {
        /// Which.
        personality: Personality,
        /// Whether it does.
        up: bool,
    },
    /// A proof was begun.
    ProbeBegan,
    /// A proof ended.
    ProbeEnded {
        /// What was proved: `receiver-offers`, `receiver-enforces`, `sender-enforces`, `configured`.
        kind: &'static str,
        /// `compliant`, `violated`, `unknown`.
        outcome: &'static str,
        /// How long it took.
        took: Duration,
        /// How long behind its due time it began.
        lag: Duration,
    },
    /// A session with a receiver spent so long in a phase.
    PhaseTook {
        /// Which.
        phase: Phase,
        /// How long.
        took: Duration,
    },
    /// A task panicked.
    Panic,
    /// So many observations wait for the record.
    RecordBacklog(usize),
    /// The record could not be written.
    RecordError,
    /// The configuration was read again, or refused.
    Reload {
        /// Whether it was taken.
        successful: bool,
    },
    /// Every claim that was due was looked at.
    RoundEnded {
        /// How long it took.
        took: Duration,
        /// When, in seconds since 1970.
        at: f64,
    },
}
