//! Is it us? Whether what a round's looks met lies on our side of the way.
//!
//! 1. Everything failed: no look reached anybody. A beacon that answered clears us. Beacons that are all silent and a
//!    resolver that does not answer convict us; so does our own good canary out of reach beside two partners. Without
//!    any such witness it takes unrelated operators that could be reached before, at least two.
//! 2. STARTTLS is missing, or one same issuer that nobody knows stands in the certificates, at several unrelated
//!    operators at once: a firewall or a proxy on our way. Three convict us where each of them showed better before;
//!    two, where more are hit than spared. Where nothing is known from before it takes three, and nobody spared.
//! 3. What an outage explains is withheld: unknown, `self-outage`. What was seen beside it stands.
//! 4. At our own MX another of our addresses is asked before missing STARTTLS counts; where it is offered there, it is
//!    not known which way partners come: `witnesses-disagree`.
//! 5. A clock that jumped, or that nobody keeps, withholds what hangs on dates: `clock-unsure`.
//!
//! Operators are told apart by the registrable domain of the MX host, else by address (as politeness counts them).
//!
//! Invariant: one partner that fails is never us without a witness of our own. Nothing here makes anything compliant.
//! Invariant: a violation that was proved is hidden by nothing but the two ways of point 2, and by its dates alone.

use super::change::place;
use crate::model::{
    claim::{Claim, Direction, Statement},
    finding::{Finding, FindingId, Severity},
    obstacle::{Obstacle, ObstacleId},
    report::{Channel, ClaimReport, EndpointReport, StartTlsState, Trust},
    standing::{Look, Standing},
    state::State,
};
use std::{cmp::Reverse, collections::BTreeSet};

/// So many operators that showed better before convict us whatever others show.
const MANY: usize = 3;
/// So many do where more are hit than spared, or where nobody could be reached.
const SEVERAL: usize = 2;

/// A host that must always answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beacon {
    /// Its name.
    pub name: String,
    /// Whether it did.
    pub answered: bool,
}

/// What a round saw from where we stand.
#[derive(Debug, Clone, Copy)]
pub struct Vantage<'a> {
    /// The round's looks.
    pub looks: &'a [&'a Look],
    /// The hosts that must always answer, as they did in this round.
    pub beacons: &'a [Beacon],
    /// Whether our own resolver answered; none where nobody asked it.
    pub resolver: Option<bool>,
    /// Whether our own good canary could be reached; none where there is none.
    pub good_canary: Option<bool>,
    /// How the claims stood before, those looked at and perhaps others.
    pub before: &'a [&'a Standing],
}

/// Something on our side of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// In what way.
    pub kind: Kind,
    /// What was seen, in words.
    pub detail: String,
}

/// In what way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Nothing can be reached.
    Everything,
    /// Somebody on our way shows certificates by this issuer in place of the receivers'.
    Issuer(String),
    /// Somebody on our way takes STARTTLS out.
    Starttls,
}

impl Outage {
    /// Whether it explains what this look met.
    pub fn affects(&self, look: &Look) -> bool {
        is_explained(&look.report, &self.kind)
    }
}

/// Whether it is us.
pub fn judge(vantage: &Vantage<'_>) -> Option<Outage> {
    everything(vantage).or_else(|| starttls(vantage)).or_else(|| issuer(vantage))
}

/// The report with what the outage explains withheld; unchanged where it explains nothing.
pub fn withhold(report: &ClaimReport, outage: &Outage) -> ClaimReport {
    if !is_explained(report, &outage.kind) {
        return report.clone();
    }
    let hit: Vec<bool> =
        report.endpoints.iter().map(|endpoint| is_hit(endpoint, &outage.kind)).collect();
    let hit_at = |at: usize| hit.get(at).is_some_and(|hit| *hit);
    let subjects: BTreeSet<String> = report
        .endpoints
        .iter()
        .enumerate()
        .filter(|(at, _)| hit_at(*at))
        .map(|(_, endpoint)| place(endpoint).to_string())
        .collect();
    let explains = |finding: &Finding| match &outage.kind {
        Kind::Everything => false,
        Kind::Starttls => finding.id == FindingId::StarttlsNotOffered,
        // All that was seen there was shown by somebody else.
        Kind::Issuer(_) => subjects.contains(&finding.subject),
    };
    let mut held = lowered(report, explains);
    for (at, endpoint) in held.endpoints.iter_mut().enumerate() {
        if hit_at(at) && endpoint.state != State::Unknown {
            endpoint.state = State::Unknown;
            endpoint.obstacles.push(ObstacleId::SelfOutage);
        }
    }
    let obstacle = Obstacle::new(ObstacleId::SelfOutage, report.claim, outage.detail.as_str());
    settle(held, obstacle, "our own side failed")
}

/// The report with everything that hangs on today's date withheld.
///
/// Violations that rest on dates alone are unknown, and so is what is compliant only because a path to a root was
/// in date; the rest stands.
pub fn clock_unsure(report: &ClaimReport, why: &str) -> ClaimReport {
    let is_dated = |finding: &Finding| {
        matches!(
            finding.id,
            FindingId::CertExpired | FindingId::CertExpiresSoon | FindingId::CertNotYetValid
        )
    };
    let weighs = |finding: &Finding| is_dated(finding) && finding.severity != Severity::Info;
    let is_proved_by_dates = report.claim.statement == Statement::ReceiverOffers
        && report.requirement.level.is_path_required();
    let hangs = match report.state {
        State::Compliant => is_proved_by_dates,
        State::Unknown => false,
        State::Violated => report.findings.iter().any(weighs),
    };
    if !hangs && !report.findings.iter().any(weighs) {
        return report.clone();
    }
    let held = lowered(report, is_dated);
    let obstacle = Obstacle::new(ObstacleId::ClockUnsure, report.claim, why);
    settle(held, obstacle, "our own clock cannot be relied on")
}

/// Whether another of our addresses is to be asked before this counts: our own MX seems not to offer STARTTLS.
pub fn is_asked_elsewhere(report: &ClaimReport) -> bool {
    let is_ours = match (report.claim.direction, report.claim.statement) {
        (Direction::Inbound, Statement::ReceiverOffers) => true,
        (Direction::Inbound | Direction::Outbound, _) => false,
    };
    let weighs = |finding: &Finding| {
        finding.id == FindingId::StarttlsNotOffered && finding.severity == Severity::Violation
    };
    is_ours && report.findings.iter().any(weighs)
}

/// The first report, once the same was asked from another of our addresses: where STARTTLS is offered there, it is one
/// of the two ways that takes it out, and which of them partners come is not known.
pub fn with_second(first: &ClaimReport, second: &ClaimReport) -> ClaimReport {
    let offers = |endpoint: &EndpointReport| {
        let place = place(endpoint);
        let is_same = |other: &&EndpointReport| self::place(other) == place;
        let other = second.endpoints.iter().find(is_same);
        is_stripped(endpoint)
            && other.is_some_and(|other| match other.starttls {
                StartTlsState::Broken | StartTlsState::Offered | StartTlsState::Refused => true,
                StartTlsState::NotOffered | StartTlsState::Unknown => false,
            })
    };
    let disputed: Vec<String> = first
        .endpoints
        .iter()
        .filter(|endpoint| offers(endpoint))
        .map(|endpoint| place(endpoint).to_string())
        .collect();
    if disputed.is_empty() {
        return first.clone();
    }
    let is_disputed = |finding: &Finding| {
        finding.id == FindingId::StarttlsNotOffered && disputed.contains(&finding.subject)
    };
    let mut held = lowered(first, is_disputed);
    for endpoint in held.endpoints.iter_mut().filter(|endpoint| offers(endpoint)) {
        endpoint.state = State::Unknown;
        endpoint.obstacles.push(ObstacleId::WitnessesDisagree);
    }
    let detail =
        format!("STARTTLS is offered to another of our addresses at {}", disputed.join(", "));
    let obstacle = Obstacle::new(ObstacleId::WitnessesDisagree, first.claim, detail);
    settle(held, obstacle, "what is offered depends on who asks")
}

/// The findings that are explained, as mere information.
fn lowered(report: &ClaimReport, explains: impl Fn(&Finding) -> bool) -> ClaimReport {
    let mut lowered = report.clone();
    for finding in lowered.findings.iter_mut().filter(|finding| explains(finding)) {
        finding.severity = Severity::Info;
    }
    lowered.findings.sort_by_key(|finding| Reverse(finding.severity));
    lowered
}

/// The state that is left: violated where another violation stands, else unknown.
fn settle(mut held: ClaimReport, obstacle: Obstacle, what: &str) -> ClaimReport {
    let still = held.findings.iter().any(|finding| finding.severity == Severity::Violation);
    held.state = match (held.state, still) {
        (State::Violated, true) => State::Violated,
        (State::Violated, false) | (State::Compliant | State::Unknown, _) => State::Unknown,
    };
    if held.state == State::Unknown {
        held.summary = format!("{what}: {}", obstacle.detail);
        held.proven_at = None;
    }
    held.obstacles.insert(0, obstacle);
    held
}

fn is_explained(report: &ClaimReport, kind: &Kind) -> bool {
    match kind {
        Kind::Everything => has_failed(report),
        Kind::Issuer(_) | Kind::Starttls => {
            report.endpoints.iter().any(|endpoint| is_hit(endpoint, kind))
        }
    }
}

/// Whether the endpoint showed what somebody on our way would show.
fn is_hit(endpoint: &EndpointReport, kind: &Kind) -> bool {
    match kind {
        Kind::Everything => endpoint.state == State::Unknown,
        Kind::Issuer(issuer) => unknown_issuer(endpoint) == Some(issuer.as_str()),
        Kind::Starttls => is_stripped(endpoint),
    }
}

fn is_stripped(endpoint: &EndpointReport) -> bool {
    endpoint.starttls == StartTlsState::NotOffered
}

/// The issuer of the leaf, where the chain ends at a root nobody knows.
fn unknown_issuer(endpoint: &EndpointReport) -> Option<&str> {
    let tls = endpoint.tls.as_ref().filter(|tls| tls.trust == Trust::UnknownIssuer)?;
    tls.certificates.first().map(|leaf| leaf.issuer.as_str())
}

/// Whether the look failed on the way: unknown, and for nothing but the network.
fn has_failed(report: &ClaimReport) -> bool {
    report.state == State::Unknown
        && report.claim.statement != Statement::Configured
        && !report.obstacles.is_empty()
        && report.obstacles.iter().all(|obstacle| is_of_the_way(obstacle.id))
        && !has_reached(report)
}

fn has_reached(report: &ClaimReport) -> bool {
    let spoke = |endpoint: &EndpointReport| {
        endpoint.channel != Channel::None || endpoint.banner.is_some() || endpoint.tls.is_some()
    };
    let is_proved = report.state != State::Unknown;
    let is_about_us = report.claim.statement == Statement::Configured;
    !is_about_us && (is_proved || report.endpoints.iter().any(spoke))
}

/// What a broken way of ours looks like from here.
fn is_of_the_way(id: ObstacleId) -> bool {
    match id {
        ObstacleId::CanaryUnreachable
        | ObstacleId::ConnectRefused
        | ObstacleId::ConnectTimeout
        | ObstacleId::ConnectionLost
        | ObstacleId::Deadline
        | ObstacleId::DnsFailure
        | ObstacleId::FamilyUnavailable
        | ObstacleId::Nxdomain
        | ObstacleId::Port25Blocked
        | ObstacleId::SubmitFailed => true,
        ObstacleId::ClockUnsure
        | ObstacleId::ControlNotArrived
        | ObstacleId::ControlRefused
        | ObstacleId::DnsBogus
        | ObstacleId::Greylisted
        | ObstacleId::InternalError
        | ObstacleId::NoAttemptSeen
        | ObstacleId::NoEcho
        | ObstacleId::NotCovered
        | ObstacleId::NotTestable
        | ObstacleId::ProtocolError
        | ObstacleId::RateLimited
        | ObstacleId::RecordIncomplete
        | ObstacleId::RefusedForOtherReason
        | ObstacleId::SelfOutage
        | ObstacleId::Stale
        | ObstacleId::TooMuchData
        | ObstacleId::Unattributed
        | ObstacleId::Unconfirmed
        | ObstacleId::Undecided
        | ObstacleId::WitnessesDisagree => false,
    }
}

fn everything(vantage: &Vantage<'_>) -> Option<Outage> {
    let looks = vantage.looks.iter().copied();
    let failed: Vec<&Look> = looks.filter(|look| has_failed(&look.report)).collect();
    let is_cleared = vantage.beacons.iter().any(|beacon| beacon.answered)
        || vantage.looks.iter().any(|look| has_reached(&look.report));
    if failed.is_empty() || is_cleared {
        return None;
    }
    let known = |look: &&&Look| {
        standing(vantage, look).is_some_and(|standing| standing.last_known.is_some())
    };
    let operators: BTreeSet<String> =
        failed.iter().filter(known).flat_map(|look| operators_of(vantage, look)).collect();
    let partners: BTreeSet<&str> = failed.iter().map(|look| look.partner.as_str()).collect();
    let are_beacons_silent = !vantage.beacons.is_empty();
    let is_resolver_silent = vantage.resolver == Some(false);
    let is_canary_away = vantage.good_canary == Some(false);
    let is_ours = are_beacons_silent
        || is_resolver_silent
        // One partner is never us, whoever runs its receivers.
        || (partners.len() >= SEVERAL && (is_canary_away || operators.len() >= SEVERAL));
    is_ours.then(|| {
        let mut seen = vec![match failed.len() {
            1 => "the one look failed on the way".to_owned(),
            all => format!("all {all} looks failed on the way"),
        }];
        if are_beacons_silent {
            let names: Vec<&str> = vantage.beacons.iter().map(|one| one.name.as_str()).collect();
            seen.push(format!("no answer from {}", names.join(", ")));
        }
        if is_resolver_silent {
            seen.push("our resolver does not answer".to_owned());
        }
        if is_canary_away {
            seen.push("our own good canary cannot be reached".to_owned());
        }
        Outage { kind: Kind::Everything, detail: seen.join("; ") }
    })
}

/// Whose receivers a look was about; where it came to none, those it came to before, else its partner.
fn operators_of(vantage: &Vantage<'_>, look: &Look) -> BTreeSet<String> {
    let met: BTreeSet<String> = look.report.endpoints.iter().map(operator).collect();
    if !met.is_empty() {
        return met;
    }
    let before = standing(vantage, look).map(|standing| &standing.endpoints);
    let before: BTreeSet<String> = before
        .into_iter()
        .flatten()
        .map(|endpoint| match &endpoint.mx {
            Some(host) => host.operator().to_owned(),
            None => endpoint.address.to_string(),
        })
        .collect();
    if before.is_empty() { BTreeSet::from([look.partner.clone()]) } else { before }
}

fn operator(endpoint: &EndpointReport) -> String {
    match &endpoint.mx {
        Some(host) => host.operator().to_owned(),
        None => endpoint.address.to_string(),
    }
}

fn standing<'a>(vantage: &Vantage<'a>, look: &Look) -> Option<&'a Standing> {
    let key =
        |partner: &'_ str, claim: Claim| partner == look.partner && claim == look.report.claim;
    vantage.before.iter().find(|standing| key(&standing.partner, standing.claim)).copied()
}

/// Operators that show a defect in this round, and those that do not.
#[derive(Debug, Default)]
struct Operators {
    /// Hit, and known to have shown better before.
    worsened: BTreeSet<String>,
    /// Hit, and nothing is known from before.
    new: BTreeSet<String>,
    /// Not hit, though they could have been.
    spared: BTreeSet<String>,
}

impl Operators {
    fn are_ours(&self) -> bool {
        let worsened = self.worsened.len();
        let hit = self.worsened.union(&self.new).count();
        let spared = self.spared.difference(&self.worsened).count();
        worsened >= MANY
            || (worsened >= SEVERAL && hit > spared)
            || (self.new.len() >= MANY && self.spared.is_empty())
    }

    fn named(&self) -> String {
        let all: Vec<&str> = self.worsened.union(&self.new).map(String::as_str).collect();
        match all.as_slice() {
            [one, two, three, rest @ ..] if !rest.is_empty() => {
                format!("{one}, {two}, {three} and {} more", rest.len())
            }
            few => few.join(", "),
        }
    }
}

fn starttls(vantage: &Vantage<'_>) -> Option<Outage> {
    let mut operators = Operators::default();
    for look in vantage.looks {
        let before = standing(vantage, look);
        for endpoint in &look.report.endpoints {
            let operator = operator(endpoint);
            if is_stripped(endpoint) {
                match before.and_then(|before| offered(before, endpoint)) {
                    Some(StartTlsState::NotOffered) => {}
                    Some(_) => drop(operators.worsened.insert(operator)),
                    None => drop(operators.new.insert(operator)),
                }
            } else if endpoint.starttls != StartTlsState::Unknown {
                operators.spared.insert(operator);
            }
        }
    }
    operators.are_ours().then(|| Outage {
        kind: Kind::Starttls,
        detail: format!(
            "STARTTLS is missing at unrelated operators at once ({}): somebody on our way takes it out",
            operators.named()
        ),
    })
}

/// What the endpoint was last known to do with STARTTLS.
fn offered(before: &Standing, endpoint: &EndpointReport) -> Option<StartTlsState> {
    let same = before.endpoints.iter().find(|old| {
        (&old.mx, old.address, old.port) == (&endpoint.mx, endpoint.address, endpoint.port)
    });
    same.map(|old| old.starttls).filter(|starttls| *starttls != StartTlsState::Unknown)
}

fn issuer(vantage: &Vantage<'_>) -> Option<Outage> {
    let issuers: BTreeSet<&str> = vantage
        .looks
        .iter()
        .flat_map(|look| &look.report.endpoints)
        .filter_map(unknown_issuer)
        .collect();
    issuers.into_iter().find_map(|issuer| {
        let operators = shown_by(vantage, issuer);
        operators.are_ours().then(|| Outage {
            kind: Kind::Issuer(issuer.to_owned()),
            detail: format!(
                "certificates by `{issuer}`, whom nobody knows, at unrelated operators at once ({}): somebody \
                 on our way shows them",
                operators.named()
            ),
        })
    })
}

/// Who shows certificates by this issuer, and who shows others.
fn shown_by(vantage: &Vantage<'_>, issuer: &str) -> Operators {
    let mut operators = Operators::default();
    for look in vantage.looks {
        let before = standing(vantage, look);
        for endpoint in &look.report.endpoints {
            let operator = operator(endpoint);
            if unknown_issuer(endpoint) == Some(issuer) {
                match before.and_then(|before| issued_before(before, endpoint)) {
                    Some(old) if old == issuer => {}
                    Some(_) => drop(operators.worsened.insert(operator)),
                    None => drop(operators.new.insert(operator)),
                }
            } else if endpoint.tls.is_some() {
                operators.spared.insert(operator);
            }
        }
    }
    operators
}

/// Who issued the certificate that the endpoint last showed.
fn issued_before<'a>(before: &'a Standing, endpoint: &EndpointReport) -> Option<&'a str> {
    let same = before.endpoints.iter().find(|old| {
        (&old.mx, old.address, old.port) == (&endpoint.mx, endpoint.address, endpoint.port)
    });
    let leaf = same?.tls.as_ref()?.leaf.as_ref()?;
    Some(&leaf.issuer)
}

#[cfg(test)]
mod tests;
