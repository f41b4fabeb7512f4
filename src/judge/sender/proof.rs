//! What a compliant claim rests on, as types that can be had in one way only.
//!
//! 1. [`ControlArrived`]: the control was delivered to `good` over good TLS, so the path works.
//! 2. [`Refused`]: the sender itself left at one canary's defect, as often as that canary asks for.
//! 3. [`Enforced`]: both, for every canary that the level needs.
//!
//! Invariant: the fields are private, and each constructor looks at the sessions itself.

use super::{
    attempts::{Seen, attempts},
    shown::Shown,
};
use crate::model::{
    canary::{Need, Personality},
    connector::Timing,
    delivery::{CanaryLook, Fitness},
    judgement::Proof,
};
use jiff::Timestamp;

/// The well-configured canary received its probe, so the path works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ControlArrived {
    at: Timestamp,
}

impl ControlArrived {
    /// By the sessions of the control's probe, at the canary of `look`.
    pub(super) fn seen(look: &CanaryLook, sessions: &[Seen<'_>]) -> Option<Self> {
        let is_control = look.personality == Personality::Good && look.fitness == Fitness::Fit;
        let mut arrived = sessions.iter().filter(|seen| {
            is_control
                && seen.shown == Shown::Arrived
                && seen.session.personality == Personality::Good
        });
        arrived.next().map(|seen| Self { at: seen.session.started_at })
    }
}

/// The sender itself left at the defect, as often as this personality asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    personality: Personality,
    since: Timestamp,
    counted_at: Timestamp,
}

impl Refused {
    /// By the sessions of one probe, at the canary of `look`; not where anything was delivered.
    pub(super) fn counted(
        look: &CanaryLook,
        sessions: &[Seen<'_>],
        timing: &Timing,
    ) -> Option<Self> {
        let is_delivered = |seen: &Seen<'_>| match seen.shown {
            Shown::Arrived | Shown::Breach(_) => true,
            Shown::CallOut | Shown::NotTestable(_) | Shown::Refused | Shown::Undecided(_) => false,
        };
        let is_control = look.personality == Personality::Good;
        if is_control || look.fitness != Fitness::Fit || sessions.iter().any(is_delivered) {
            return None;
        }
        let attempts = attempts(sessions);
        let refused: Vec<_> = attempts
            .iter()
            .filter(|attempt| attempt.is_refused())
            .take(asked(look.personality, timing))
            .collect();
        if refused.len() < asked(look.personality, timing) {
            return None;
        }
        let (first, last) = (refused.first()?, refused.last()?);
        Some(Self {
            personality: look.personality,
            since: first.started_at(),
            counted_at: last.finished_at(),
        })
    }

    /// Which canary was refused.
    pub(super) fn personality(&self) -> Personality {
        self.personality
    }

    /// When the refusal that made it count was over.
    pub(super) fn counted_at(&self) -> Timestamp {
        self.counted_at
    }
}

/// How many attempts must be refused. A bounce that names a TLS reason will one day stand for all but the
/// first; no witness of bounces is in the evidence of this version.
pub(super) fn asked(personality: Personality, timing: &Timing) -> usize {
    if personality.is_refusal_repeated() {
        usize::try_from(timing.attempts).unwrap_or(usize::MAX).max(1)
    } else {
        1
    }
}

/// The sender delivers where all is well, and refuses wherever the level needs it to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Enforced {
    since: Timestamp,
}

impl Enforced {
    /// Both halves or nothing: there is no other way to make an `Enforced`.
    pub(super) fn proven(
        control: &ControlArrived,
        refused: &[&Refused],
        needs: &[Need],
    ) -> Option<Self> {
        let by: Vec<Personality> = refused.iter().map(|refused| refused.personality).collect();
        if needs.is_empty() || !needs.iter().all(|need| need.is_met_by(&by)) {
            return None;
        }
        let used = refused.iter().filter(|refused| {
            needs.iter().any(|need| need.personalities().contains(&refused.personality))
        });
        let since = used.map(|refused| refused.since).chain([control.at]).min()?;
        Some(Self { since })
    }

    /// What a compliant judgement asks for.
    pub(super) fn proof(&self) -> Proof {
        Proof::since(self.since)
    }
}
