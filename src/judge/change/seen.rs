//! What one look shows once it is held against its age and its own words.
//!
//! Invariant: compliant has a proof that is young enough, violated a finding that weighs so, unknown an obstacle.

use super::{Rules, is_within};
use crate::model::{
    claim::Statement,
    finding::{Finding, FindingId, Severity},
    obstacle::{Obstacle, ObstacleId},
    standing::Look,
    state::State,
};
use jiff::Timestamp;

/// One look.
pub(super) struct Seen {
    pub(super) state: State,
    pub(super) summary: String,
    pub(super) findings: Vec<Finding>,
    pub(super) obstacles: Vec<Obstacle>,
    pub(super) proven_at: Option<Timestamp>,
    pub(super) is_forbidden_delivery: bool,
}

impl Seen {
    pub(super) fn of(look: &Look, rules: &Rules) -> Self {
        let report = &look.report;
        let mut seen = Self {
            state: report.state,
            summary: report.summary.clone(),
            findings: report.findings.clone(),
            obstacles: report.obstacles.clone(),
            proven_at: report.proven_at,
            is_forbidden_delivery: false,
        };
        let weighs = |finding: &Finding| finding.severity == Severity::Violation;
        let doubt = match (report.state, report.proven_at) {
            (State::Unknown, _) if report.obstacles.is_empty() => {
                Some((ObstacleId::Undecided, "the look came to no end".to_owned()))
            }
            (State::Unknown, _) => None,
            (State::Violated, _) if !report.findings.iter().any(weighs) => {
                Some((ObstacleId::Undecided, "the look names nothing that was violated".to_owned()))
            }
            // One violation outweighs every proof.
            (State::Compliant, _) if report.findings.iter().any(weighs) => {
                Some((ObstacleId::Undecided, "the look names what was violated".to_owned()))
            }
            (State::Compliant | State::Violated, None) => {
                Some((ObstacleId::Undecided, "the look names no proof".to_owned()))
            }
            (State::Compliant | State::Violated, Some(at)) if !is_within(at, rules) => {
                Some((ObstacleId::Stale, format!("what the look rests on is of {at}")))
            }
            (State::Compliant | State::Violated, Some(_)) => None,
        };
        if let Some((id, detail)) = doubt {
            seen.state = State::Unknown;
            seen.obstacles.push(Obstacle::new(id, report.claim, detail));
        }
        if seen.state == State::Unknown {
            seen.findings = super::without_violations(seen.findings);
        }
        seen.is_forbidden_delivery = seen.state == State::Violated
            && report.claim.statement == Statement::SenderEnforces
            && seen.findings.iter().any(is_forbidden_delivery);
        seen
    }

    /// Whether nothing was seen of the partner, because of us.
    pub(super) fn is_blind(&self) -> bool {
        let is_ours = |obstacle: &Obstacle| {
            matches!(obstacle.id, ObstacleId::ClockUnsure | ObstacleId::SelfOutage)
        };
        self.state == State::Unknown && self.obstacles.iter().any(is_ours)
    }
}

/// A message, or its envelope, where it must not go: once is once too often.
fn is_forbidden_delivery(finding: &Finding) -> bool {
    finding.severity == Severity::Violation
        && matches!(
            finding.id,
            FindingId::DeliveredInPlaintext
                | FindingId::DeliveredOverLegacyTls
                | FindingId::DeliveredOverUnverifiedTls
                | FindingId::EnvelopeInPlaintext
        )
}
