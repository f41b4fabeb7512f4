//! The best that was ever shown: what got weaker is told even where it will still do, and what changed is told once.
//!
//! 1. Of each endpoint that was reached: its channel, its version and group where a handshake was finished, its key.
//! 2. Less than the best ever shown is `posture-regressed`, in every look that shows less, and told when it begins.
//! 3. Another certificate than the last, and none of those met at the address lately, is `cert-changed`: info where
//!    it is a mere renewal, by the same issuer and with a key no weaker, else a warning.
//! 4. MX hosts that came or went are `mx-set-changed`. One that came is a fact; one that went only where all was seen.
//!
//! Invariant: the best never gets worse, and an endpoint that could not be reached shows nothing.
//! Invariant: only `receiver-offers` remembers, so that what two claims see is told by one.

use super::change::{face, place};
use crate::model::{
    claim::Statement,
    finding::{Finding, FindingId, Severity},
    obstacle::ObstacleId,
    report::{Channel, EndpointReport, StartTlsState},
    requirement::TlsVersion,
    session::SeenBy,
    standing::{AddressMemory, EndpointPosture, Leaf, Look, Posture, Regression},
    state::State,
};
use crate::wire::name::Host;
use jiff::{SignedDuration, Timestamp};

/// Something weaker that was not seen for so long is told again when it comes back.
const QUIET: SignedDuration = SignedDuration::from_hours(24);
/// So many endpoints are remembered.
const ENDPOINTS: usize = 256;

/// What a look adds to the memory.
pub(super) struct Remembered {
    /// The best, with this look.
    pub(super) posture: Posture,
    /// What is to be said of the claim now.
    pub(super) findings: Vec<Finding>,
    /// What of it happened just now.
    pub(super) told: Vec<Finding>,
}

/// Holds a look against the best that was shown before; `met` is what addresses showed lately.
pub(super) fn remember(before: &Posture, met: &[AddressMemory], look: &Look) -> Remembered {
    let mut remembered =
        Remembered { posture: before.clone(), findings: Vec::new(), told: Vec::new() };
    if look.report.claim.statement != Statement::ReceiverOffers {
        return remembered;
    }
    let mut seen: Vec<EndpointPosture> = Vec::new();
    for endpoint in look.report.endpoints.iter().filter(|endpoint| is_reached(endpoint)) {
        let now = shown(endpoint);
        let best = before.endpoints.iter().find(|best| is_same(best, &now));
        if let Some(best) = best {
            remembered.regress(best, &now, endpoint, look.at);
            remembered.renew(best, &now, endpoint, met);
        }
        if seen.iter().all(|other| !is_same(other, &now)) {
            seen.push(best.map_or_else(|| now.clone(), |best| better(best, &now)));
        }
    }
    let others = before.endpoints.iter().filter(|old| seen.iter().all(|new| !is_same(old, new)));
    let mut endpoints: Vec<EndpointPosture> = seen.iter().chain(others).cloned().collect();
    endpoints.truncate(ENDPOINTS);
    endpoints.sort_by(|one, two| {
        (&one.mx, one.address, one.port).cmp(&(&two.mx, two.address, two.port))
    });
    remembered.posture.endpoints = endpoints;
    remembered.exchanges(look);
    remembered
}

/// What stays when a claim is proved by the same requirement at other places.
pub(super) fn elsewhere(posture: &Posture) -> Posture {
    // Other targets have other hosts, and that is no change of the partner's.
    Posture { mx_set: Vec::new(), ..posture.clone() }
}

/// What stays when a claim is proved by another requirement: what trust means depends on the names required.
pub(super) fn otherwise(posture: &Posture) -> Posture {
    let mut posture = elsewhere(posture);
    for endpoint in &mut posture.endpoints {
        endpoint.channel = endpoint.channel.min(Channel::Encrypted);
    }
    posture
}

impl Remembered {
    fn regress(
        &mut self,
        best: &EndpointPosture,
        now: &EndpointPosture,
        endpoint: &EndpointReport,
        at: Timestamp,
    ) {
        let subject = place(endpoint).to_string();
        let weaker = weaker(best, now);
        let told = self.posture.told.iter().position(|told| told.subject == subject);
        if weaker.is_empty() {
            if let Some(told) = told {
                let is_over = self
                    .posture
                    .told
                    .get(told)
                    .is_some_and(|told| at.duration_since(told.at) >= QUIET);
                if is_over {
                    self.posture.told.remove(told);
                }
            }
            return;
        }
        let texts =
            |which: fn(&Weaker) -> &str| weaker.iter().map(which).collect::<Vec<_>>().join(", ");
        let finding = Finding::new(
            FindingId::PostureRegressed,
            Severity::Warning,
            &subject,
            texts(|one| &one.now),
            format!("what it showed before: {}", texts(|one| &one.best)),
        );
        self.findings.push(finding.clone());
        // Where it breaks the claim, the change of state tells it.
        if endpoint.state == State::Violated {
            return;
        }
        let names = weaker.iter().map(|one| one.what.to_owned());
        match told.and_then(|told| self.posture.told.get_mut(told)) {
            Some(told) => {
                let is_new = weaker.iter().any(|one| told.weaker.iter().all(|old| old != one.what));
                told.at = at;
                let fresh: Vec<String> = names.filter(|name| !told.weaker.contains(name)).collect();
                told.weaker.extend(fresh);
                if is_new {
                    self.told.push(finding);
                }
            }
            None => {
                self.posture.told.push(Regression { subject, weaker: names.collect(), at });
                self.told.push(finding);
            }
        }
    }

    fn renew(
        &mut self,
        best: &EndpointPosture,
        now: &EndpointPosture,
        endpoint: &EndpointReport,
        met: &[AddressMemory],
    ) {
        let (Some(old), Some(new)) = (&best.leaf, &now.leaf) else { return };
        let face = face(endpoint);
        let mut lately = met
            .iter()
            .filter(|one| (one.address, one.port) == (endpoint.address, endpoint.port))
            .flat_map(|one| &one.looks);
        if old.sha256 == new.sha256 || lately.any(|look| look.face == face) {
            return;
        }
        let is_renewal = old.issuer == new.issuer && !is_weaker_key(&old.key, &new.key);
        let severity = if is_renewal { Severity::Info } else { Severity::Warning };
        let finding = Finding::new(
            FindingId::CertChanged,
            severity,
            place(endpoint),
            told_leaf(new),
            format!("as before: {}", told_leaf(old)),
        );
        self.findings.push(finding.clone());
        self.told.push(finding);
    }

    /// The hosts that came and went.
    fn exchanges(&mut self, look: &Look) {
        let before = &self.posture.mx_set;
        let mut now: Vec<Host> =
            look.report.endpoints.iter().filter_map(|endpoint| endpoint.mx.clone()).collect();
        // A host without an address is one all the same.
        let bare = look.report.findings.iter().filter(|one| one.id == FindingId::MxNoAddress);
        now.extend(bare.filter_map(|one| one.subject.parse::<Host>().ok()));
        now.sort();
        now.dedup();
        let is_complete = !look.report.obstacles.iter().any(|obstacle| is_gap(obstacle.id));
        let came = names(now.iter().filter(|host| !before.contains(host)));
        let went = names(before.iter().filter(|host| is_complete && !now.contains(host)));
        if !before.is_empty() && (!came.is_empty() || !went.is_empty()) && !now.is_empty() {
            let seen = match (came.as_str(), went.as_str()) {
                (came, "") => format!("new: {came}"),
                ("", went) => format!("gone: {went}"),
                (came, went) => format!("new: {came}; gone: {went}"),
            };
            let expected = format!("as before: {}", names(before.iter()));
            let subject = &look.partner;
            let finding =
                Finding::new(FindingId::MxSetChanged, Severity::Warning, subject, seen, expected);
            self.findings.push(finding.clone());
            self.told.push(finding);
        }
        if !is_complete {
            now.extend(before.iter().cloned());
            now.sort();
            now.dedup();
        }
        now.truncate(ENDPOINTS);
        if !now.is_empty() {
            self.posture.mx_set = now;
        }
    }
}

/// What kept a look from seeing every host.
fn is_gap(id: ObstacleId) -> bool {
    matches!(
        id,
        ObstacleId::DnsBogus
            | ObstacleId::DnsFailure
            | ObstacleId::InternalError
            | ObstacleId::NotTestable
            | ObstacleId::Nxdomain
            | ObstacleId::Undecided
    )
}

fn names<'a>(hosts: impl Iterator<Item = &'a Host>) -> String {
    hosts.map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Whether the endpoint answered far enough to show what it offers.
fn is_reached(endpoint: &EndpointReport) -> bool {
    match endpoint.starttls {
        StartTlsState::NotOffered | StartTlsState::Offered | StartTlsState::Refused => {
            endpoint.channel != Channel::None
        }
        // A handshake that failed may have been a moment's failure: it counts where it breaks the claim.
        StartTlsState::Broken => endpoint.state == State::Violated,
        StartTlsState::Unknown => false,
    }
}

fn shown(endpoint: &EndpointReport) -> EndpointPosture {
    let tls = endpoint.tls.as_ref();
    let whole = tls
        .filter(|tls| tls.seen_by == SeenBy::Handshake && endpoint.channel >= Channel::Encrypted);
    let leaf = tls.and_then(|tls| tls.certificates.first()).map(|leaf| Leaf {
        subject: leaf.subject.clone(),
        issuer: leaf.issuer.clone(),
        not_after: leaf.not_after,
        key: leaf.key.clone(),
        sha256: leaf.sha256.clone(),
        spki_sha256: leaf.spki_sha256.clone(),
    });
    EndpointPosture {
        mx: endpoint.mx.clone(),
        address: endpoint.address,
        port: endpoint.port,
        version: whole.and_then(|tls| tls.version),
        group: whole.and_then(|tls| tls.group.clone()),
        channel: endpoint.channel,
        offered_starttls: endpoint.starttls != StartTlsState::NotOffered,
        key: leaf.as_ref().map(|leaf| leaf.key.clone()),
        leaf,
    }
}

fn is_same(one: &EndpointPosture, two: &EndpointPosture) -> bool {
    (&one.mx, one.address, one.port) == (&two.mx, two.address, two.port)
}

fn better(best: &EndpointPosture, now: &EndpointPosture) -> EndpointPosture {
    EndpointPosture {
        version: best.version.max(now.version),
        group: if group_rank(now.group.as_deref()) > group_rank(best.group.as_deref()) {
            now.group.clone()
        } else {
            best.group.clone()
        },
        channel: best.channel.max(now.channel),
        offered_starttls: best.offered_starttls || now.offered_starttls,
        leaf: now.leaf.clone().or_else(|| best.leaf.clone()),
        key: match (&best.key, &now.key) {
            (Some(best), Some(now)) if key_rank(now) > key_rank(best) => Some(now.clone()),
            (None, now) => now.clone(),
            (best, _) => best.clone(),
        },
        ..now.clone()
    }
}

/// One thing that got weaker.
struct Weaker {
    what: &'static str,
    now: String,
    best: String,
}

fn weaker(best: &EndpointPosture, now: &EndpointPosture) -> Vec<Weaker> {
    let mut weaker = Vec::new();
    if now.channel < best.channel {
        let said = |channel: Channel, offered: bool| match channel {
            Channel::None | Channel::Plain if !offered => "no STARTTLS".to_owned(),
            channel => format!("channel {}", channel.as_str()),
        };
        weaker.push(Weaker {
            what: "channel",
            now: said(now.channel, now.offered_starttls),
            best: said(best.channel, best.offered_starttls),
        });
    }
    if let (Some(new), Some(old)) = (now.version, best.version)
        && new < old
    {
        weaker.push(version(new, old));
    }
    if let (Some(new), Some(old)) = (&now.group, &best.group)
        && group_rank(Some(new)) < group_rank(Some(old))
    {
        weaker.push(Weaker { what: "group", now: new.clone(), best: old.clone() });
    }
    if let (Some(new), Some(old)) = (&now.key, &best.key)
        && is_weaker_key(old, new)
    {
        weaker.push(Weaker { what: "key", now: new.clone(), best: old.clone() });
    }
    weaker
}

fn version(new: TlsVersion, old: TlsVersion) -> Weaker {
    Weaker { what: "version", now: new.to_string(), best: old.to_string() }
}

/// A group that a quantum computer will not break is worth more; the others are worth the same.
fn group_rank(group: Option<&str>) -> u8 {
    match group {
        None => 0,
        Some(group) if group.contains("MLKEM") || group.contains("Kyber") => 2,
        Some(_) => 1,
    }
}

fn is_weaker_key(old: &str, new: &str) -> bool {
    matches!((key_rank(old), key_rank(new)), (Some(old), Some(new)) if new < old)
}

/// How strong a key is, in steps that operators mean: from RSA-4096 to P-256 nothing is lost (NIST SP 800-57 part 1,
/// table 2). None for kinds we cannot compare.
fn key_rank(key: &str) -> Option<u8> {
    if let Some(bits) = key.strip_prefix("RSA-") {
        let bits: u32 = bits.parse().ok()?;
        return Some(match bits {
            ..2048 => 0,
            2048..3072 => 1,
            3072.. => 2,
        });
    }
    match key {
        "EC-P-256" | "EC-P-384" | "EC-P-521" | "Ed25519" => Some(2),
        _ => None,
    }
}

fn told_leaf(leaf: &Leaf) -> String {
    format!(
        "certificate {} by `{}`, {}, until {}",
        leaf.sha256, leaf.issuer, leaf.key, leaf.not_after
    )
}

#[cfg(test)]
mod tests;
