//! When each claim is looked at next: pure, so that it can be tested without waiting.
//!
//! 1. Every claim at its interval, each a little apart from the others.
//! 2. A change that waits for confirmation within minutes; what is violated or unknown soon, and later each time.
//! 3. After a start, due times hold; what is overdue is spread, what is new or changed comes at once.
//!
//! Invariant: no two claims are due at one instant because of us; nothing is due sooner than politeness allows.

use crate::config::settings::Times;
use crate::judge::change::Again;
use crate::model::claim::{Claim, Direction, Statement};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// A change waits so long for its second look, its third, and every one behind that: long enough for a restart to be
/// over, short enough that nobody waits an hour to be told.
const CONFIRM_AFTER: [Duration; 3] =
    [Duration::from_secs(60), Duration::from_secs(120), Duration::from_secs(180)];
/// Probe mail goes through queues: before that long a second round would meet the first.
const CONFIRM_MAIL_AFTER: Duration = Duration::from_secs(15 * 60);
/// What is violated or unknown is first looked at again after so long; then each time twice as long, up to its interval.
const BACKOFF: Duration = Duration::from_secs(5 * 60);
/// The tenth part of an interval, sooner or later: so that claims which began together do not stay together.
const JITTER: f64 = 0.1;
/// At a start, what is overdue is spread over so long, and no longer than its interval.
const OVERDUE_WITHIN: Duration = Duration::from_secs(5 * 60);
/// What is new or changed is looked at at once: spread over so long.
const NEW_WITHIN: Duration = Duration::from_secs(15);
/// A proof must be renewed before it is too old: at this share of its life at the latest.
const RENEWED_AT: f64 = 0.9;

/// Whether a claim is as the record knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arrival {
    /// It is.
    Known,
    /// It is new, or is proved by something else than before.
    NewOrChanged,
}

/// When a claim is due after a look.
///
/// `streak` counts the looks in a row that asked for `again`, this one not among them; `jitter` is
/// [`jitter_of`] the claim.
pub fn due_after(
    times: Times,
    again: Again,
    streak: u32,
    now: Timestamp,
    jitter: f64,
) -> Timestamp {
    let wait = match again {
        Again::AtInterval => at_interval(times, jitter),
        Again::Confirm => {
            let nth = usize::try_from(streak).unwrap_or(usize::MAX);
            let [.., last] = CONFIRM_AFTER;
            let wait = CONFIRM_AFTER.get(nth).copied().unwrap_or(last);
            jittered(wait.min(times.interval), jitter)
        }
        Again::Sooner => {
            let doubled = 2u32.checked_pow(streak).and_then(|by| BACKOFF.checked_mul(by));
            jittered(doubled.unwrap_or(Duration::MAX), jitter).min(at_interval(times, jitter))
        }
    };
    after(now, wait)
}

/// As [`due_after`], within what this claim allows: a partner's receiver is asked for its refusals once an
/// interval and never sooner, by agreement; probe mail leaves the queue in its own time.
pub fn due_of(
    claim: Claim,
    times: Times,
    again: Again,
    streak: u32,
    now: Timestamp,
    jitter: f64,
) -> Timestamp {
    let at = due_after(times, again, streak, now, jitter);
    match (claim.statement, claim.direction) {
        (Statement::ReceiverEnforces, Direction::Outbound) => {
            after(now, scaled(times.interval, 1.0 + JITTER * within_one(jitter) / 2.0))
        }
        (Statement::SenderEnforces, _) => {
            at.max(after(now, jittered(CONFIRM_MAIL_AFTER.min(times.interval), jitter)))
        }
        (Statement::Configured | Statement::ReceiverOffers | Statement::ReceiverEnforces, _) => at,
    }
}

/// When a claim is due after a start or a reload: `stored` is when the record says.
pub fn first_due(
    stored: Option<Timestamp>,
    arrival: Arrival,
    times: Times,
    now: Timestamp,
    jitter: f64,
) -> Timestamp {
    let spread = |within: Duration| after(now, scaled(within, within_one(jitter)));
    match (arrival, stored) {
        (Arrival::NewOrChanged, _) | (Arrival::Known, None) => spread(NEW_WITHIN),
        (Arrival::Known, Some(at)) if at <= now => spread(OVERDUE_WITHIN.min(times.interval)),
        // An interval that was shortened, or a clock that was wrong, would else keep a claim waiting.
        (Arrival::Known, Some(at)) => at.min(after(now, at_interval(times, jitter))),
    }
}

/// The due time after the clock jumped: what was left to wait is still left to wait.
pub fn replan(due: Timestamp, jumped_by: SignedDuration) -> Timestamp {
    let moved = due.checked_add(jumped_by);
    moved.unwrap_or(if jumped_by.is_negative() { Timestamp::MIN } else { Timestamp::MAX })
}

/// A claim's place between 0 and 1, always the same: by a digest, so that partners with like names lie apart.
pub fn jitter_of(partner: &str, claim: Claim) -> f64 {
    let digest = Sha256::digest(format!("{claim}\n{partner}"));
    let number = digest.iter().take(4).fold(0u32, |sum, octet| (sum << 8) | u32::from(*octet));
    f64::from(number) / (f64::from(u32::MAX) + 1.0)
}

/// The interval, a little sooner or later, and never so late that the proof is too old before the next look.
fn at_interval(times: Times, jitter: f64) -> Duration {
    jittered(times.interval, jitter).min(scaled(times.max_age, RENEWED_AT))
}

fn jittered(wait: Duration, jitter: f64) -> Duration {
    scaled(wait, 1.0 - JITTER + 2.0 * JITTER * within_one(jitter))
}

fn scaled(wait: Duration, by: f64) -> Duration {
    Duration::try_from_secs_f64(wait.as_secs_f64() * by).unwrap_or(Duration::MAX)
}

fn within_one(jitter: f64) -> f64 {
    if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 0.0 }
}

fn after(now: Timestamp, wait: Duration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
