//! One canary, from its DNS to what came of its probe: each rung a named reason to stop.
//!
//! 1. The canary is fit, and a probe was sent to it.
//! 2. Delivered: told first, for it needs neither control nor a reply to the submission.
//! 3. The submission was accepted, under the requirement of today.
//! 4. Testable at this level, and by this sender.
//! 5. Refused, as often as it takes.
//! 6. Seen, but not enough; seen, but by whom is not known; not seen.
//!
//! Invariant: only rung 5 is a step towards a proof.

use super::{
    Rules,
    attempts::{Seen, attempts},
    attribution::{Attribution, Whose},
    proof::{self, ControlArrived, Refused},
    shown::{Shown, shown},
    words,
};
use crate::model::{
    canary::Personality,
    connector::Timing,
    delivery::{CanaryLook, CanarySession, DeliveryEvidence, Fitness, Probe, Submission},
};
use core::time::Duration;
use jiff::Timestamp;

/// One canary of the connector, and what came of its probe.
#[derive(Debug)]
pub(super) struct Case<'a> {
    pub(super) look: &'a CanaryLook,
    pub(super) probe: Option<&'a Probe>,
    /// The sessions of the probe, oldest first.
    pub(super) seen: Vec<Seen<'a>>,
    pub(super) standing: Standing,
}

/// How far up the ladder a canary came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// Something was delivered, rightly or not.
    Delivered,
    /// Nobody came in the time allowed.
    NotSeen(String),
    /// The probe did not get into our mail system.
    NotSubmitted(String),
    /// It can prove nothing in this round, or about this sender.
    NotTestable(String),
    /// Turned away, and it counts.
    Refused(Refused),
    /// Somebody came who may have been our mail system.
    Unattributed(String),
    /// Not clear, or not yet.
    Undecided(String),
}

impl Case<'_> {
    /// The control, if this is its canary and it arrived.
    pub(super) fn control(&self) -> Option<ControlArrived> {
        match self.standing {
            Standing::Delivered => ControlArrived::seen(self.look, &self.seen),
            Standing::NotSeen(_)
            | Standing::NotSubmitted(_)
            | Standing::NotTestable(_)
            | Standing::Refused(_)
            | Standing::Unattributed(_)
            | Standing::Undecided(_) => None,
        }
    }

    /// The refusal that counts.
    pub(super) fn refused(&self) -> Option<&Refused> {
        match &self.standing {
            Standing::Refused(refused) => Some(refused),
            Standing::Delivered
            | Standing::NotSeen(_)
            | Standing::NotSubmitted(_)
            | Standing::NotTestable(_)
            | Standing::Unattributed(_)
            | Standing::Undecided(_) => None,
        }
    }

    /// Whether something was delivered here that must not be, from a canary that shows what it should.
    pub(super) fn is_breached(&self) -> bool {
        let is_breach = |seen: &Seen<'_>| seen.shown.breach().is_some();
        self.standing == Standing::Delivered && self.seen.iter().any(is_breach)
    }

    /// What findings and obstacles are about.
    pub(super) fn subject(&self) -> String {
        format!("{} {}", self.look.personality, self.look.domain)
    }
}

/// Every canary of the connector, in the order of the contract.
pub(super) fn cases<'a>(evidence: &'a DeliveryEvidence, rules: &Rules) -> Vec<Case<'a>> {
    let attribution = Attribution::of(evidence);
    let look = |personality| evidence.canaries.iter().find(|look| look.personality == personality);
    let looks = Personality::ALL.into_iter().filter_map(look);
    looks.map(|look| case(evidence, rules, &attribution, look)).collect()
}

fn case<'a>(
    evidence: &'a DeliveryEvidence,
    rules: &Rules,
    attribution: &Attribution<'_>,
    look: &'a CanaryLook,
) -> Case<'a> {
    let probe = evidence.probes.iter().find(|probe| probe.personality == look.personality);
    let whose = |session: &CanarySession| match probe {
        Some(probe) => attribution.whose(session, look, probe),
        None if attribution.is_perhaps_sender(session, look) => Whose::Unclear,
        None => Whose::Another,
    };
    let (mut seen, mut unclear) = (Vec::new(), None);
    for session in &evidence.sessions {
        match (whose(session), probe) {
            (Whose::Ours, Some(probe)) => {
                seen.push(Seen { session, shown: shown(session, probe) });
            }
            (Whose::Unclear, _) => unclear = unclear.or(Some(session)),
            (Whose::Another, _) | (Whose::Ours, None) => {}
        }
    }
    seen.sort_by_key(|seen| seen.session.started_at);
    let standing = Ladder { evidence, rules, look, seen: &seen, unclear }.stand(probe);
    Case { look, probe, seen, standing }
}

/// What the rungs look at.
struct Ladder<'a> {
    evidence: &'a DeliveryEvidence,
    rules: &'a Rules,
    look: &'a CanaryLook,
    seen: &'a [Seen<'a>],
    unclear: Option<&'a CanarySession>,
}

impl Ladder<'_> {
    fn stand(&self, probe: Option<&Probe>) -> Standing {
        match &self.look.fitness {
            Fitness::Fit => {}
            Fitness::NotTestable(why) => return Standing::NotTestable(why.clone()),
            Fitness::Occupied(why) => return self.occupied(why),
        }
        let Some(probe) = probe else {
            return Standing::NotSubmitted("no probe was sent".into());
        };
        let any = |is_such: fn(&Shown) -> bool| self.seen.iter().any(|seen| is_such(&seen.shown));
        if any(|shown| matches!(shown, Shown::Breach(_))) {
            return Standing::Delivered;
        }
        if probe.requirement != self.evidence.requirement {
            return Standing::Undecided("the probe was sent under another requirement".into());
        }
        if any(|shown| matches!(shown, Shown::Arrived)) {
            return Standing::Delivered;
        }
        let submitted_at = match &probe.submission {
            Some(Submission::Accepted { at, .. } | Submission::Unclear { at, .. }) => *at,
            Some(Submission::Failed { detail, .. }) => {
                return Standing::NotSubmitted(detail.clone());
            }
            None => return Standing::NotSubmitted("the probe was not yet submitted".into()),
        };
        if let Some(why) = self.without_root(probe) {
            return Standing::NotTestable(why);
        }
        if let Some(refused) = Refused::counted(self.look, self.seen, &self.evidence.timing) {
            return Standing::Refused(refused);
        }
        if let Some(why) = self.seen.iter().find_map(|seen| not_testable(&seen.shown)) {
            return Standing::NotTestable(why);
        }
        if let Some(why) = self.unfinished() {
            return Standing::Undecided(why);
        }
        if let Some(session) = self.unclear {
            return Standing::Unattributed(unattributed(session));
        }
        let within = self.evidence.timing.first_attempt_within;
        if self.rules.now < after(submitted_at, within) {
            return Standing::Undecided("no attempt was seen yet, and its time is not over".into());
        }
        Standing::NotSeen(format!(
            "no attempt was seen within {} s of submission",
            within.as_secs()
        ))
    }

    /// A session of an older probe cannot be told from one of another sender's.
    fn occupied(&self, why: &str) -> Standing {
        let came = self.unclear.map(|session| format!("; {}", unattributed(session)));
        Standing::NotTestable(format!("{why}{}", came.unwrap_or_default()))
    }

    /// A sender that does not trust the root refuses for that reason alone, whatever the dates and names.
    fn without_root(&self, probe: &Probe) -> Option<String> {
        let personality = self.look.personality;
        let needs_root = matches!(personality, Personality::Expired | Personality::WrongName);
        let is_forbidden = !personality.is_allowed_at(probe.requirement.level);
        (needs_root && is_forbidden && self.look.shares_root != Some(true)).then(|| {
            "its certificate does not end at the root of `good`'s, so that a refusal would only show \
             that this root is not trusted"
                .to_owned()
        })
    }

    /// What is missing, where somebody came for the probe.
    fn unfinished(&self) -> Option<String> {
        let attempts = attempts(self.seen);
        let refused = attempts.iter().filter(|attempt| attempt.is_refused()).count();
        let asked = proof::asked(self.look.personality, &self.evidence.timing);
        if refused > 0 {
            return Some(format!(
                "{refused} of {asked} refusals seen: a sender that does not insist falls back to clear on a \
                 later attempt"
            ));
        }
        let last = self.seen.iter().rev().find_map(|seen| match &seen.shown {
            Shown::Undecided(why) => Some(format!("{}: {why}", words::who(seen.session))),
            Shown::Arrived
            | Shown::Breach(_)
            | Shown::CallOut
            | Shown::NotTestable(_)
            | Shown::Refused => None,
        });
        last.or_else(|| {
            (!attempts.is_empty()).then(|| "part of the attempt shows nothing".to_owned())
        })
    }
}

fn not_testable(shown: &Shown) -> Option<String> {
    match shown {
        Shown::NotTestable(why) => Some(why.clone()),
        Shown::Arrived
        | Shown::Breach(_)
        | Shown::CallOut
        | Shown::Refused
        | Shown::Undecided(_) => None,
    }
}

fn unattributed(session: &CanarySession) -> String {
    let (who, ended) = (words::who(session), words::ended(session));
    format!("{who} came, and nothing shows that it was for our probe; {ended}")
}

/// `at`, and so much later.
pub(super) fn after(at: Timestamp, later: Duration) -> Timestamp {
    at.checked_add(later).unwrap_or(Timestamp::MAX)
}

/// Until when our mail system may still try for a probe that it took at `submitted_at`.
pub(super) fn tries_until(probe: &Probe, submitted_at: Timestamp, timing: &Timing) -> Timestamp {
    probe.expires_at.min(after(submitted_at, timing.queue_lifetime))
}
