//! The record says one thing and the probes say another.
//!
//! 1. Outbound, what the connector says is held against what our mail system did with probe mail.
//! 2. Inbound, against what our receiver did with probes in the partner's name.
//!
//! Invariant: an unknown on either side contradicts nothing.

use crate::model::{
    claim::{Claim, Direction, Statement},
    finding::{Finding, FindingId, Severity},
    report::ClaimReport,
    state::State,
};

/// A contradiction, and the claim it is told with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// `configured`, in one direction.
    pub claim: Claim,
    /// Both sides.
    pub finding: Finding,
}

/// What contradicts itself among the claims of one partner.
pub fn contradictions(claims: &[ClaimReport]) -> Vec<Contradiction> {
    let pairs = [
        (Direction::Outbound, Statement::SenderEnforces),
        (Direction::Inbound, Statement::ReceiverEnforces),
    ];
    let found = |claim: Claim| claims.iter().find(|report| report.claim == claim);
    let mut contradictions = Vec::new();
    for (direction, statement) in pairs {
        let claim = Claim { direction, statement: Statement::Configured };
        let (Some(said), Some(done)) = (found(claim), found(Claim { direction, statement })) else {
            continue;
        };
        let (word, deed) = match (said.state, done.state) {
            (State::Compliant, State::Violated) => {
                ("the record does what was agreed", "the probes show that it is not done")
            }
            (State::Violated, State::Compliant) => {
                ("the record does not do what was agreed", "the probes show that it is done")
            }
            (State::Compliant, State::Compliant)
            | (State::Violated, State::Violated)
            | (State::Unknown, _)
            | (_, State::Unknown) => continue,
        };
        let finding = Finding::new(
            FindingId::ConfiguredContradicted,
            // Neither side is weakened by the other: the violation, where there is one, has its own finding.
            Severity::Warning,
            claim,
            format!("{deed}: {}", done.summary),
            format!("{word}: {}", said.summary),
        );
        contradictions.push(Contradiction { claim, finding });
    }
    contradictions
}
