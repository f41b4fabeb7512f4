//! What a judge says: a state that cannot be had without what it rests on.
//!
//! Invariant: a compliant judgement holds a [`Proof`], a violated one a finding of severity
//! `violation`, an unknown one an obstacle; the fields are private, and there is no other way to make one.

use super::{
    finding::{Finding, Severity},
    obstacle::Obstacle,
    report::{EndpointReport, ProbeReport},
    state::State,
};
use jiff::Timestamp;

/// The state of one claim, with everything it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    state: State,
    summary: String,
    findings: Vec<Finding>,
    obstacles: Vec<Obstacle>,
    endpoints: Vec<EndpointReport>,
    probes: Vec<ProbeReport>,
    proven_at: Option<Timestamp>,
}

/// What stands beside the state: everything else that was noticed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Remarks {
    /// One sentence.
    pub summary: String,
    /// Findings, worst first once judged.
    pub findings: Vec<Finding>,
    /// Obstacles.
    pub obstacles: Vec<Obstacle>,
    /// Each endpoint on its own.
    pub endpoints: Vec<EndpointReport>,
    /// Each probe on its own.
    pub probes: Vec<ProbeReport>,
}

/// Which endpoints must be proved for the claim to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Quorum {
    /// Every one.
    #[default]
    All,
    /// One; what could not be reached is told and does not count.
    Any,
}

/// Endpoints that were seen to do what is required: enough of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    oldest: Timestamp,
}

impl Proof {
    /// A proof by endpoints, or none: every state given must be compliant, or at least one with
    /// [`Quorum::Any`], and none violated. No endpoint proves nothing.
    ///
    /// `seen_at` is when the oldest of them was seen.
    pub fn by_endpoints(
        states: impl IntoIterator<Item = State>,
        quorum: Quorum,
        seen_at: Timestamp,
    ) -> Option<Self> {
        let mut compliant = 0usize;
        for state in states {
            match (state, quorum) {
                (State::Compliant, _) => compliant += 1,
                (State::Unknown, Quorum::Any) => {}
                (State::Unknown, Quorum::All) | (State::Violated, _) => return None,
            }
        }
        (compliant > 0).then_some(Self { oldest: seen_at })
    }
}

impl Proof {
    /// What a judge has proved by other means than endpoints; `oldest` is the oldest fact it rests on.
    pub(crate) fn since(oldest: Timestamp) -> Self {
        Self { oldest }
    }
}

/// A finding of severity `violation`: what a violated state rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(Finding);

impl Violation {
    /// The finding, if it weighs enough.
    pub fn of(finding: &Finding) -> Option<Self> {
        (finding.severity == Severity::Violation).then(|| Self(finding.clone()))
    }
}

impl Judgement {
    /// Proved to hold; `remarks` may carry warnings and, under [`Quorum::Any`], obstacles.
    pub fn compliant(proof: Proof, remarks: Remarks) -> Self {
        Self::new(State::Compliant, Some(proof.oldest), remarks)
    }

    /// Proved broken by `first`, at `seen_at`.
    pub fn violated(first: Violation, seen_at: Timestamp, mut remarks: Remarks) -> Self {
        if !remarks.findings.contains(&first.0) {
            remarks.findings.push(first.0);
        }
        Self::new(State::Violated, Some(seen_at), remarks)
    }

    /// Not known, because of `first`.
    pub fn unknown(first: Obstacle, mut remarks: Remarks) -> Self {
        if !remarks.obstacles.contains(&first) {
            remarks.obstacles.push(first);
        }
        Self::new(State::Unknown, None, remarks)
    }

    fn new(state: State, proven_at: Option<Timestamp>, remarks: Remarks) -> Self {
        let Remarks { summary, mut findings, obstacles, endpoints, probes } = remarks;
        // Worst first; the order of discovery otherwise.
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        Self { state, summary, findings, obstacles, endpoints, probes, proven_at }
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// One sentence: what was found, first things first.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// Findings, worst first.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Obstacles.
    pub fn obstacles(&self) -> &[Obstacle] {
        &self.obstacles
    }

    /// Each probe on its own.
    pub fn probes(&self) -> &[ProbeReport] {
        &self.probes
    }

    /// Each endpoint on its own.
    pub fn endpoints(&self) -> &[EndpointReport] {
        &self.endpoints
    }

    /// The oldest proof the state rests on; none while unknown.
    pub fn proven_at(&self) -> Option<Timestamp> {
        self.proven_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_enough_compliant_endpoints_are_a_proof() {
        use State::{Compliant, Unknown, Violated};
        #[track_caller]
        fn check(states: &[State], all: bool, any: bool) {
            let proof = |quorum| {
                Proof::by_endpoints(states.iter().copied(), quorum, Timestamp::UNIX_EPOCH).is_some()
            };
            assert_eq!((proof(Quorum::All), proof(Quorum::Any)), (all, any), "{states:?}");
        }
        check(&[], false, false); // silence is no proof
        check(&[Compliant], true, true);
        check(&[Compliant, Compliant], true, true);
        check(&[Compliant, Unknown], false, true);
        check(&[Unknown], false, false);
        check(&[Compliant, Violated], false, false);
        check(&[Unknown, Violated], false, false);
    }
}
