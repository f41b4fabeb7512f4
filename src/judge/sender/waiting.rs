//! What a round still waits for, and which probes it should get out of our mail system's queue.
//!
//! Invariant: nothing here says anything about a state.

use super::{
    Rules, is_judged, is_violated,
    ladder::{Case, Standing, after, cases, tries_until},
    proof::Refused,
};
use crate::model::{
    canary::{Acting, Personality},
    delivery::{CanarySession, DeliveryEvidence, Probe, Submission},
};
use jiff::Timestamp;

/// What may still be decided, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Waiting {
    /// The personalities of which more may be seen, in the order of the contract.
    pub open: Vec<Personality>,
    /// Until when; none where there is nothing to wait for.
    pub until: Option<Timestamp>,
}

/// What is still open after `evidence`.
///
/// 1. Of a probe nobody has come for, the first attempt is waited for; of one somebody came for, as long as our
///    mail system may try.
/// 2. Once a violation is proved no retry changes the state, and first attempts alone are waited for.
/// 3. Nothing is waited for that cannot be judged.
pub fn waits_for(evidence: &DeliveryEvidence, rules: &Rules) -> Waiting {
    if !is_judged(evidence) {
        return Waiting::default();
    }
    let cases = cases(evidence, rules);
    let is_violated = is_violated(evidence, &cases);
    let open = cases.iter().filter_map(|case| {
        let until = open_until(evidence, case)?;
        let is_worth = rules.now < until && !(is_violated && is_seen(case));
        is_worth.then_some((case.look.personality, until))
    });
    let open: Vec<(Personality, Timestamp)> = open.collect();
    Waiting {
        until: open.iter().map(|(_, until)| *until).max(),
        open: open.into_iter().map(|(personality, _)| personality).collect(),
    }
}

fn is_seen(case: &Case<'_>) -> bool {
    !case.seen.is_empty()
}

fn open_until(evidence: &DeliveryEvidence, case: &Case<'_>) -> Option<Timestamp> {
    let probe = case.probe?;
    let is_worth_waiting = case.look.personality == Personality::Good
        || !case.look.personality.is_allowed_at(probe.requirement.level);
    let is_open = match case.standing {
        Standing::Delivered
        | Standing::NotSeen(_)
        | Standing::NotTestable(_)
        | Standing::Refused(_) => false,
        Standing::NotSubmitted(_) => probe.submission.is_none(),
        Standing::Unattributed(_) | Standing::Undecided(_) => true,
    };
    if !is_worth_waiting || !is_open || probe.requirement != evidence.requirement {
        return None;
    }
    let since = match &probe.submission {
        Some(Submission::Accepted { at, .. } | Submission::Unclear { at, .. }) => *at,
        Some(Submission::Failed { .. }) | None => probe.created_at,
    };
    Some(if is_seen(case) {
        tries_until(probe, since, &evidence.timing)
    } else {
        after(since, evidence.timing.first_attempt_within)
    })
}

/// The canaries that should now act as `good` for their refused probe, because `drain_after` has passed since the
/// refusal that made it count. Whether a canary can act so, its certificate tells and not the evidence.
pub fn to_drain(evidence: &DeliveryEvidence, rules: &Rules) -> Vec<Personality> {
    let Some(drain_after) = evidence.timing.drain_after else { return Vec::new() };
    let is_due = |case: &&Case<'_>| {
        let Some(probe) = case.probe else { return false };
        // Asked of the sessions and not of the standing: a refusal that proves nothing fills the queue as well.
        let refused = Refused::counted(case.look, &case.seen, &evidence.timing);
        refused.is_some_and(|refused| after(refused.counted_at(), drain_after) <= rules.now)
            && rules.now < probe.expires_at
            && !is_drained(evidence, probe)
    };
    cases(evidence, rules).iter().filter(is_due).map(|case| case.look.personality).collect()
}

/// Whether the probe has left the queue.
fn is_drained(evidence: &DeliveryEvidence, probe: &Probe) -> bool {
    let drained = |session: &CanarySession| {
        session.acting == Acting::Draining
            && session.probe.as_ref() == Some(&probe.id)
            && session.message.is_some()
    };
    evidence.sessions.iter().any(drained)
}

impl Waiting {
    /// Whether all is decided that can be.
    pub fn is_over(&self) -> bool {
        self.until.is_none()
    }
}
