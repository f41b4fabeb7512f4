//! `receiver-offers`: can the receiver do what is required, at every endpoint?
//!
//! 1. Where the mail goes: a route that is known, hosts that have addresses (`super::route`).
//! 2. Each endpoint on its own (`endpoint`), its certificates apart (`chain`).
//! 3. What only shows between endpoints: certificates that differ.
//! 4. One violation outweighs obstacles; obstacles outweigh proofs; no endpoint proves nothing.
//!
//! Invariant: compliant needs a [`Proof`], which needs every counted endpoint compliant.

mod chain;
mod deep;
mod endpoint;
mod hello;
mod shown;
mod summary;

use crate::judge::route;
use crate::model::{
    evidence::OffersEvidence,
    finding::{Finding, FindingId, Severity},
    judgement::{Judgement, Proof, Quorum, Remarks, Violation},
    obstacle::{Obstacle, ObstacleId},
    report::EndpointReport,
    requirement::{Level, Requirement},
    roots::Roots,
    session::{Endpoint, Session},
    state::State,
    target::Target,
};
use crate::wire::name::NamePattern;
use jiff::Timestamp;

/// What a judgement depends on beside the evidence.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// What the receiver must offer.
    pub requirement: &'a Requirement,
    /// The roots a chain may end at.
    pub roots: &'a Roots,
    /// The instant dates are held against.
    pub now: Timestamp,
    /// Which endpoints must be proved.
    pub quorum: Quorum,
    /// Days before the end of a certificate from which on it is told.
    pub warn_days: u32,
}

/// Judges one look at every endpoint of a target.
pub fn judge(evidence: &OffersEvidence, rules: &Rules<'_>) -> Judgement {
    let sessions: Vec<&Session> = evidence.sessions.iter().collect();
    let seen: Vec<&Endpoint> = sessions.iter().map(|session| &session.endpoint).collect();
    let routed = route::judge(&evidence.target, &evidence.resolution, &seen);
    let looks: Vec<Look> = evidence
        .sessions
        .iter()
        .map(|session| endpoint::judge(session, preference(evidence, session), rules))
        .collect();
    let mut findings = routed.findings;
    let mut obstacles = routed.obstacles;
    for look in &looks {
        findings.extend(look.findings.iter().cloned());
        obstacles.extend(look.obstacles.iter().cloned());
    }
    findings.extend(differing(&looks, rules.requirement.level));
    findings.extend(unsigned_dns(evidence, rules));
    let waived = route::waived(&sessions);
    let counted = looks.iter().zip(&waived).filter(|(_, waived)| !**waived);
    let mut states: Vec<State> = counted.map(|(look, _)| look.report.state).collect();
    states.extend(std::iter::repeat_n(State::Unknown, routed.unproved));
    obstacles.extend(port25(evidence, &looks));
    let untested = waived.iter().any(|waived| *waived);
    if untested {
        // Told in the summary; an obstacle would keep the claim from being proved.
        obstacles.retain(|obstacle| {
            obstacle.id != ObstacleId::FamilyUnavailable || !is_waived(obstacle, &looks, &waived)
        });
    }
    let worst = findings.iter().find_map(Violation::of);
    // An endpoint shared by many targets is looked at once a run, perhaps long before this target.
    let seen_at = evidence.sessions.iter().map(|session| session.started_at);
    let seen_at = seen_at.chain([evidence.started_at]).min().unwrap_or(evidence.started_at);
    let proof = Proof::by_endpoints(states.iter().copied(), rules.quorum, seen_at);
    let summary = summary::of(&summary::Seen {
        findings: &findings,
        obstacles: &obstacles,
        looks: &looks,
        waived: &waived,
        quorum: rules.quorum,
    });
    let endpoints: Vec<EndpointReport> = looks.into_iter().map(|look| look.report).collect();
    let first_obstacle = obstacles.first().cloned();
    let remarks = Remarks { summary, findings, obstacles, endpoints, ..Remarks::default() };
    match (worst, proof) {
        (Some(violation), _) => Judgement::violated(violation, seen_at, remarks),
        (None, Some(proof)) => Judgement::compliant(proof, remarks),
        (None, None) => {
            let nothing = || {
                let detail = "no endpoint was seen";
                Obstacle::new(ObstacleId::NotTestable, &evidence.target, detail)
            };
            Judgement::unknown(first_obstacle.unwrap_or_else(nothing), remarks)
        }
    }
}

/// The places of the sessions in which something is wrong with TLS or its certificate: those worth a
/// second look without SNI.
pub fn falls_short(judged: &Judgement) -> Vec<usize> {
    let endpoints = judged.endpoints().iter().enumerate();
    endpoints
        .filter(|(_, endpoint)| endpoint.state == State::Violated && endpoint.tls.is_some())
        .map(|(at, _)| at)
        .collect()
}

/// One endpoint, judged.
struct Look {
    report: EndpointReport,
    findings: Vec<Finding>,
    obstacles: Vec<Obstacle>,
    subject: String,
}

/// The names a certificate must match at an endpoint: those required, else the host's own.
fn required_names(rules: &Rules<'_>, session: &Session) -> Vec<NamePattern> {
    if rules.requirement.names.is_empty() {
        session.endpoint.host.iter().cloned().map(NamePattern::from).collect()
    } else {
        rules.requirement.names.clone()
    }
}

fn preference(evidence: &OffersEvidence, session: &Session) -> Option<u16> {
    let host = session.endpoint.host.as_ref()?;
    let exchanges = &evidence.resolution.exchanges;
    exchanges.iter().find(|exchange| exchange.host.name() == Some(host))?.preference
}

fn is_waived(obstacle: &Obstacle, looks: &[Look], waived: &[bool]) -> bool {
    looks.iter().zip(waived).any(|(look, waived)| *waived && look.subject == obstacle.subject)
}

/// RFC 7672 §1.3.2 says why: whoever forges the MX chooses the name that is asked for.
fn unsigned_dns(evidence: &OffersEvidence, rules: &Rules<'_>) -> Option<Finding> {
    let Target::Domain(domain) = &evidence.target else { return None };
    let by_mx_name = rules.requirement.level == Level::Name && rules.requirement.names.is_empty();
    let named = evidence.sessions.iter().any(|session| session.endpoint.host.is_some());
    (by_mx_name && named).then(|| {
        Finding::new(
            FindingId::DnsInsecure,
            Severity::Warning,
            domain,
            "the MX records were not validated with DNSSEC",
            "required names, or MX records that DNSSEC proves",
        )
    })
}

/// Certificates that differ between the endpoints of one domain: half-renewed pairs show here.
fn differing(looks: &[Look], level: Level) -> Option<Finding> {
    let leaf = |look: &Look| Some(look.report.tls.as_ref()?.certificates.first()?.sha256.clone());
    let shown: Vec<(&Look, String)> =
        looks.iter().filter_map(|look| Some((look, leaf(look)?))).collect();
    let pairs = || {
        let each = shown.iter().enumerate();
        each.flat_map(|(at, one)| shown.iter().skip(at + 1).map(move |two| (one, two)))
            .filter(|((_, one_leaf), (_, two_leaf))| one_leaf != two_leaf)
            .map(|((one, _), (two, _))| (*one, *two))
    };
    // Two hosts may well have two certificates; one host behind two addresses seldom means to.
    let of_one_host =
        pairs().find(|(one, two)| one.report.mx.is_some() && one.report.mx == two.report.mx);
    let (first, other) = of_one_host.or_else(|| pairs().next())?;
    let severity = match level {
        Level::Encrypt => Severity::Info,
        Level::Ca | Level::Dane | Level::MtaSts | Level::Name | Level::Pinned => {
            if of_one_host.is_some() { Severity::Warning } else { Severity::Info }
        }
    };
    Some(Finding::new(
        FindingId::CertDiffersBetweenEndpoints,
        severity,
        format!("{} and {}", first.subject, other.subject),
        format!("different certificates at {} endpoints", shown.len()),
        if of_one_host.is_some() {
            "the same certificate at every address of a host"
        } else {
            "one certificate for all hosts, or one for each: nothing to do where that is meant"
        },
    ))
}

/// When nothing at all could be reached on port 25, it is probably this network that blocks it.
fn port25(evidence: &OffersEvidence, looks: &[Look]) -> Option<Obstacle> {
    let vantage = evidence.vantage;
    let all_timed_out =
        vantage.port25_tried > 0 && vantage.port25_timed_out == vantage.port25_tried;
    let here = looks.iter().any(|look| {
        look.report.port == 25 && look.report.obstacles.contains(&ObstacleId::ConnectTimeout)
    });
    (all_timed_out && here).then(|| {
        Obstacle::new(
            ObstacleId::Port25Blocked,
            &evidence.target,
            format!(
                "every connection to port 25 from here timed out ({} of {}): this network probably \
                 blocks outgoing port 25; try a host whose port 25 you know to answer",
                vantage.port25_timed_out, vantage.port25_tried
            ),
        )
    })
}

#[cfg(test)]
mod tests;
