//! `sender-enforces`: does the sender refuse a receiver that does less?
//!
//! 1. Each session at a canary is attributed to a probe, or to nobody (`attribution`), and says what it shows
//!    (`shown`); sessions make attempts (`attempts`).
//! 2. Each canary climbs the ladder (`ladder`): fit, submitted, delivered or refused, or why not.
//! 3. A forbidden delivery violates the claim at once, without any control.
//! 4. The control arrived, and everything the level needs (`needs`) was refused: proved (`proof`).
//! 5. What the proof reaches: nothing is said of a connector that does not cover the canaries.
//!
//! Invariant: compliant needs an `Enforced` (`proof`), which needs the control and a counted refusal for each need.
//! Invariant: what strangers, health checks and drained canaries do changes no state.
#![warn(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]

mod attempts;
mod attribution;
mod findings;
mod ladder;
mod needs;
mod proof;
mod shown;
mod summary;
mod waiting;
mod words;

use self::{
    ladder::{Case, Standing},
    proof::{ControlArrived, Enforced, Refused},
    shown::Shown,
};
use crate::model::{
    canary::{Need, Personality},
    delivery::{DeliveryEvidence, Scope},
    finding::{Finding, FindingId, Severity},
    judgement::{Judgement, Remarks, Violation},
    obstacle::{Obstacle, ObstacleId},
    requirement::Level,
};
use jiff::Timestamp;

pub use waiting::{Waiting, to_drain, waits_for};

/// What a judgement depends on beside the evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// The instant by which something should have been seen.
    pub now: Timestamp,
}

/// Judges one round of probes under one connector.
pub fn judge(evidence: &DeliveryEvidence, rules: &Rules) -> Judgement {
    let cases = ladder::cases(evidence, rules);
    let needs = needs::needs(evidence.requirement.level, &cases);
    let control = cases.iter().find_map(Case::control);
    let refused: Vec<&Refused> = cases.iter().filter_map(Case::refused).collect();
    let enforced = control.as_ref().and_then(|control| Enforced::proven(control, &refused, &needs));
    let obstacles = obstacles(evidence, &cases, &needs, control.as_ref());
    let weight = if is_judged(evidence) { Severity::Violation } else { Severity::Info };
    let found = cases.iter().flat_map(|case| findings::findings(case, weight));
    let findings: Vec<Finding> = found.chain(scope_finding(evidence)).collect();
    let violation = findings.iter().find_map(|finding| Some((Violation::of(finding)?, finding)));
    let untested = needs::is_expired_untested(evidence.requirement.level, &needs);
    let summary = summary::of(&summary::Told {
        violation: violation.as_ref().map(|(_, finding)| *finding),
        obstacles: &obstacles,
        cases: &cases,
        level: evidence.requirement.level,
        scope: &evidence.scope,
        untested: if untested { &[Personality::Expired] } else { &[] },
        undecided: &undecided(&cases, &needs),
    });
    let violation = violation.map(|(violation, _)| violation);
    let first = obstacles.first().cloned();
    let probes = cases.iter().map(findings::report).collect();
    let remarks = Remarks { summary, findings, obstacles, probes, ..Remarks::default() };
    match (violation, first, enforced) {
        (Some(violation), _, _) => {
            Judgement::violated(violation, breached_at(evidence, &cases), remarks)
        }
        (None, None, Some(enforced)) => Judgement::compliant(enforced.proof(), remarks),
        (None, Some(first), _) => Judgement::unknown(first, remarks),
        (None, None, None) => {
            let detail = "not everything was refused that must be";
            let missing = Obstacle::new(ObstacleId::Undecided, &evidence.connector, detail);
            Judgement::unknown(missing, remarks)
        }
    }
}

/// Whether deliveries to these canaries say anything about the connector: not where it does not cover them,
/// nor where the level asks for records that this version does not publish, without which a sender that
/// enforces has nothing to enforce.
fn is_judged(evidence: &DeliveryEvidence) -> bool {
    let is_covered = match evidence.scope {
        Scope::Assumed | Scope::OnClone(_) | Scope::Proved => true,
        Scope::NotCovered(_) => false,
    };
    is_covered && is_testable(evidence.requirement.level)
}

fn is_testable(level: Level) -> bool {
    match level {
        Level::Ca | Level::Encrypt | Level::Name | Level::Pinned => true,
        Level::Dane | Level::MtaSts => false,
    }
}

/// Whether a violation is proved.
fn is_violated(evidence: &DeliveryEvidence, cases: &[Case<'_>]) -> bool {
    is_judged(evidence) && cases.iter().any(Case::is_breached)
}

/// When the first forbidden delivery was seen.
fn breached_at(evidence: &DeliveryEvidence, cases: &[Case<'_>]) -> Timestamp {
    let breached = cases.iter().filter(|case| case.is_breached()).flat_map(|case| &case.seen);
    let breaches = breached.filter(|seen| matches!(seen.shown, Shown::Breach(_)));
    breaches.map(|seen| seen.session.started_at).min().unwrap_or(evidence.started_at)
}

/// What keeps the claim from being proved, in the order of the ladder.
fn obstacles(
    evidence: &DeliveryEvidence,
    cases: &[Case<'_>],
    needs: &[Need],
    control: Option<&ControlArrived>,
) -> Vec<Obstacle> {
    let mut obstacles = Vec::new();
    if let Scope::NotCovered(why) = &evidence.scope {
        obstacles.push(Obstacle::new(ObstacleId::NotCovered, &evidence.connector, why.as_str()));
    }
    let level = evidence.requirement.level;
    if !is_testable(level) {
        let detail = format!("the canaries of level {level} are not part of this version");
        obstacles.push(Obstacle::new(ObstacleId::NotTestable, &evidence.connector, detail));
    }
    let find = |personality| cases.iter().find(|case| case.look.personality == personality);
    match (control, find(Personality::Good)) {
        (Some(_), _) => {}
        (None, Some(good)) => obstacles.push(findings::control_obstacle(good)),
        (None, None) => obstacles.push(unconfigured(evidence, &[Personality::Good])),
    }
    for need in needs {
        let wanted = need.personalities();
        let configured: Vec<&Case<'_>> = wanted.iter().filter_map(|one| find(*one)).collect();
        let is_met = configured.iter().any(|case| case.refused().is_some());
        if configured.is_empty() {
            obstacles.push(unconfigured(evidence, wanted));
        } else if !is_met {
            obstacles.extend(configured.iter().filter_map(|case| findings::obstacle(case)));
        }
    }
    obstacles
}

fn unconfigured(evidence: &DeliveryEvidence, wanted: &[Personality]) -> Obstacle {
    let names: Vec<&str> = wanted.iter().map(|personality| personality.as_str()).collect();
    let detail = format!("no canary is configured for {}", names.join(" or "));
    Obstacle::new(ObstacleId::NotTestable, &evidence.connector, detail)
}

/// What must be refused and was tried, is not needed for a proof, and is not known.
fn undecided(cases: &[Case<'_>], needs: &[Need]) -> Vec<Personality> {
    let refused: Vec<Personality> =
        cases.iter().filter_map(|case| Some(case.refused()?.personality())).collect();
    let is_told = |case: &&Case<'_>| {
        let personality = case.look.personality;
        let level = case.probe.map(|probe| probe.requirement.level);
        let is_forbidden = level.is_some_and(|level| !personality.is_allowed_at(level));
        // Where a need is not met, an obstacle tells it.
        let is_needless =
            |need: &Need| !need.personalities().contains(&personality) || need.is_met_by(&refused);
        let is_known = match case.standing {
            Standing::Delivered | Standing::Refused(_) => true,
            // Told as not tested.
            Standing::NotTestable(_) => personality == Personality::Expired,
            Standing::NotSeen(_)
            | Standing::NotSubmitted(_)
            | Standing::Unattributed(_)
            | Standing::Undecided(_) => false,
        };
        is_forbidden && !is_known && needs.iter().all(is_needless)
    };
    cases.iter().filter(is_told).map(|case| case.look.personality).collect()
}

/// How far the proof reaches, where it matters.
fn scope_finding(evidence: &DeliveryEvidence) -> Option<Finding> {
    let (id, severity, seen) = match &evidence.scope {
        Scope::Assumed => (
            FindingId::ScopeAssumed,
            Severity::Warning,
            "nothing was imported that shows partner and canaries under this connector".to_owned(),
        ),
        Scope::OnClone(clone) => {
            let seen = format!("the canaries lie under its clone {clone}, equal as imported");
            (FindingId::ProvedOnClone, Severity::Info, seen)
        }
        Scope::NotCovered(_) | Scope::Proved => return None,
    };
    let expected = "an imported connector that covers partner and canaries";
    Some(Finding::new(id, severity, &evidence.connector, seen, expected))
}

#[cfg(test)]
mod tests;
