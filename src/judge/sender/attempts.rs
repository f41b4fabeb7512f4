//! Which sessions are one attempt at delivery, and what came of it.
//!
//! 1. A session that begins less than 8 seconds after the first one of an attempt belongs to it: a failed
//!    handshake and the fall-back to clear are two connections.
//! 2. The next later one opens a new attempt.
//! 3. A delivery outweighs refusals; so does a session that shows nothing, for it may have been a fall-back
//!    that was cut off.
//!
//! Invariant: an attempt is refused only when every session of it is.

use super::shown::Shown;
use crate::model::delivery::CanarySession;
use jiff::{SignedDuration, Timestamp};

/// Sessions that begin within this of the first belong to its attempt.
const ONE_ATTEMPT_WITHIN: SignedDuration = SignedDuration::from_secs(8);

/// A session of a probe, and what it shows.
#[derive(Debug, Clone)]
pub(super) struct Seen<'a> {
    pub(super) session: &'a CanarySession,
    pub(super) shown: Shown,
}

/// One attempt at delivery.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    first_at: Timestamp,
    sessions: Vec<&'a Seen<'a>>,
}

impl Attempt<'_> {
    /// When it began.
    pub(super) fn started_at(&self) -> Timestamp {
        self.first_at
    }

    /// When its last session was over.
    pub(super) fn finished_at(&self) -> Timestamp {
        let ends = self.sessions.iter().map(|seen| seen.session.finished_at);
        ends.max().unwrap_or(self.first_at)
    }

    /// Whether the sender refused throughout.
    pub(super) fn is_refused(&self) -> bool {
        !self.sessions.is_empty() && self.sessions.iter().all(|seen| seen.shown == Shown::Refused)
    }
}

/// The attempts that these sessions of one probe are, oldest first. An address verification is none.
pub(super) fn attempts<'a>(seen: &'a [Seen<'a>]) -> Vec<Attempt<'a>> {
    let mut sessions: Vec<&Seen<'_>> =
        seen.iter().filter(|seen| seen.shown != Shown::CallOut).collect();
    sessions.sort_by_key(|seen| seen.session.started_at);
    let mut attempts: Vec<Attempt<'_>> = Vec::new();
    for seen in sessions {
        let started_at = seen.session.started_at;
        match attempts.last_mut() {
            Some(attempt) if started_at.duration_since(attempt.first_at) < ONE_ATTEMPT_WITHIN => {
                attempt.sessions.push(seen);
            }
            Some(_) | None => {
                attempts.push(Attempt { first_at: started_at, sessions: vec![seen] });
            }
        }
    }
    attempts
}
