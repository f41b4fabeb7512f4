//! `receiver-enforces`: does the receiver refuse anything less than the agreed TLS, at every endpoint?
//!
//! 1. Where the mail goes (`judge::route`): what DNS hides is not proved.
//! 2. Each attempt is read: taken, refused and for what, or kept from either (`read`, `attempt`).
//! 3. Each experiment stands on its controls (`experiment`), each negative on all of them (`negative`);
//!    each endpoint climbs the ladder (`endpoint`).
//! 4. One endpoint that takes less is a violation; it outweighs obstacles, and obstacles outweigh proofs.
//!
//! Invariant: compliant needs two accepted controls around refusals that count, at every counted endpoint;
//! violated needs a negative that was taken beside an accepted control.
#![warn(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]

mod attempt;
mod endpoint;
mod experiment;
mod negative;
mod read;
mod summary;
mod told;

use crate::judge::{replies::ReplyTable, route};
use crate::model::{
    enforcement::{EnforcesEvidence, Place},
    finding::{Finding, FindingId, Severity},
    judgement::{Judgement, Proof, Quorum, Remarks, Violation},
    obstacle::{Obstacle, ObstacleId},
    session::{Endpoint, Session},
    state::State,
};
use crate::wire::name::Host;
use endpoint::Look;
use jiff::Timestamp;

/// What a judgement depends on beside the evidence.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// What servers say.
    pub replies: &'a ReplyTable,
    /// The instant of the judgement.
    pub now: Timestamp,
    /// Which endpoints must be proved.
    pub quorum: Quorum,
}

/// A second experiment that could decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookAgain {
    /// Not before this instant.
    pub at: Timestamp,
    /// At these endpoints.
    pub endpoints: Vec<Endpoint>,
}

/// Judges all that was tried for one claim.
pub fn judge(evidence: &EnforcesEvidence, rules: &Rules<'_>) -> Judgement {
    let looks = looks(evidence, rules);
    let waived = waived(evidence);
    let mut routed = routed(evidence);
    let mut findings: Vec<Finding> = std::mem::take(&mut routed.findings);
    let mut obstacles: Vec<Obstacle> = std::mem::take(&mut routed.obstacles);
    for (look, is_waived) in looks.iter().zip(&waived) {
        findings.extend(look.findings.iter().cloned());
        if !is_waived {
            obstacles.extend(look.obstacles.iter().cloned());
        }
    }
    let counted: Vec<&Look> =
        looks.iter().zip(&waived).filter(|(_, waived)| !**waived).map(|(look, _)| look).collect();
    let mut states: Vec<State> = counted.iter().map(|look| look.state).collect();
    states.extend(std::iter::repeat_n(State::Unknown, routed.unproved));
    let worst = findings.iter().find_map(Violation::of);
    let of_state = |state| {
        let proven = counted.iter().filter(move |look| look.state == state);
        proven.filter_map(|look| look.proven_at).min()
    };
    let proof = of_state(State::Compliant).filter(|_| {
        Proof::by_endpoints(states.iter().copied(), rules.quorum, evidence.started_at).is_some()
    });
    let summary = summary::of(&summary::Seen {
        findings: &findings,
        obstacles: &obstacles,
        counted: &counted,
        waived: looks.iter().zip(&waived).find(|(_, waived)| **waived).map(|(look, _)| look),
        is_proved: proof.is_some(),
    });
    let probes = looks.iter().flat_map(|look| look.probes.iter().cloned()).collect();
    let first_obstacle = obstacles.first().cloned();
    let remarks = Remarks { summary, findings, obstacles, probes, ..Remarks::default() };
    match (worst, proof) {
        (Some(violation), _) => {
            let seen_at = of_state(State::Violated).unwrap_or(evidence.started_at);
            Judgement::violated(violation, seen_at, remarks)
        }
        (None, Some(oldest)) => Judgement::compliant(Proof::since(oldest), remarks),
        (None, None) => {
            let nothing = || {
                let subject = evidence.demand.envelope.rcpt_to.domain();
                Obstacle::new(ObstacleId::NotTestable, subject, "no endpoint was tried")
            };
            Judgement::unknown(first_obstacle.unwrap_or_else(nothing), remarks)
        }
    }
}

/// Which mail system is behind our receivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tenant {
    /// Exchange Online, by what the configuration says of our own sender.
    ExchangeOnline,
    /// Nobody said.
    Unknown,
}

/// Hosts of Exchange Online tenants, and of nobody else.
const TENANT_HOSTS: [&str; 2] = [".mail.protection.outlook.com", ".mx.microsoft"];

/// The warning of a probe that meets a gateway alone, while the tenant behind it has a door of its own.
pub fn tenant_not_probed(evidence: &EnforcesEvidence, tenant: Tenant) -> Option<Finding> {
    let hosts = || evidence.endpoints.iter().filter_map(|one| one.endpoint.host.as_ref());
    let is_tenant = |host: &Host| TENANT_HOSTS.iter().any(|suffix| host.as_str().ends_with(suffix));
    let is_ours = evidence.demand.place == Place::Ours && tenant == Tenant::ExchangeOnline;
    let gateway = hosts().next().filter(|_| is_ours && !hosts().any(is_tenant))?;
    Some(Finding::new(
        FindingId::TenantNotProbed,
        Severity::Warning,
        evidence.demand.envelope.rcpt_to.domain(),
        format!("probed at {gateway}, and at no host of the tenant"),
        "the tenant's own host among the targets",
    ))
}

/// When and where a second experiment could decide what one could not: none once the claim is decided, and
/// none where only somebody's change could help.
pub fn look_again(evidence: &EnforcesEvidence, rules: &Rules<'_>) -> Option<LookAgain> {
    let looks = looks(evidence, rules);
    if looks.iter().any(|look| look.state == State::Violated) {
        return None;
    }
    let open = || looks.iter().filter_map(|look| Some((look.again_at?, &look.endpoint)));
    let at = open().map(|(at, _)| at).max()?.max(rules.now);
    Some(LookAgain { at, endpoints: open().map(|(_, endpoint)| endpoint.clone()).collect() })
}

fn looks(evidence: &EnforcesEvidence, rules: &Rules<'_>) -> Vec<Look> {
    let endpoints = evidence.endpoints.iter();
    endpoints.map(|tried| endpoint::judge(tried, &evidence.demand, rules.replies)).collect()
}

/// Per endpoint: whether it is left out of the count, since this machine has no route for its family.
fn waived(evidence: &EnforcesEvidence) -> Vec<bool> {
    let first = |endpoint: &Endpoint| Session::new(endpoint.clone(), evidence.started_at);
    let sessions: Vec<Session> = evidence
        .endpoints
        .iter()
        .map(|tried| {
            let mut attempts = tried.experiments.iter().flat_map(|one| &one.attempts);
            attempts.next().map_or_else(|| first(&tried.endpoint), |one| one.session.clone())
        })
        .collect();
    route::waived(&sessions.iter().collect::<Vec<_>>())
}

/// What DNS says of every target. A target that takes no mail takes none in clear either, and proves nothing.
fn routed(evidence: &EnforcesEvidence) -> route::Routed {
    let seen: Vec<&Endpoint> = evidence.endpoints.iter().map(|tried| &tried.endpoint).collect();
    let mut all = route::Routed::default();
    for routed in &evidence.routes {
        let of_target = route::judge(&routed.target, &routed.resolution, &seen);
        for finding in of_target.findings {
            if matches!(finding.id, FindingId::NoMx | FindingId::NullMx) {
                let detail = finding.seen.clone();
                all.obstacles.push(Obstacle::new(
                    ObstacleId::NotTestable,
                    &finding.subject,
                    detail,
                ));
                all.unproved += 1;
            }
            let severity = finding.severity.min(Severity::Warning);
            all.findings.push(Finding { severity, ..finding });
        }
        all.obstacles.extend(of_target.obstacles);
        all.unproved += of_target.unproved;
    }
    all
}

#[cfg(test)]
mod tests;
