//! Certificates that are about to expire: told at thirty days, fourteen, seven, three and one, once each.

use super::{Scene, Silence, Speech, Wish};
use crate::model::{
    alert::AlertChannel,
    claim::Claim,
    finding::Severity,
    requirement::Level,
    standing::Standing,
    told::{Reason, Told, Topic},
};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Days left at which it is told, fewest first.
pub const STEPS: [u32; 5] = [1, 3, 7, 14, 30];

/// A certificate that a partner's claims rest on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiring {
    /// Whose claims.
    pub partner: String,
    /// Which of them.
    pub claims: BTreeSet<Claim>,
    /// SHA-256 of the certificate.
    pub sha256: String,
    /// Its subject.
    pub subject: String,
    /// Its issuer.
    pub issuer: String,
    /// When it expires.
    pub not_after: Timestamp,
    /// Where it was seen.
    pub hosts: BTreeSet<String>,
    /// How much its end will weigh.
    pub severity: Severity,
}

/// Every certificate of these standings, by partner and digest.
pub fn certificates(standings: &[Standing]) -> BTreeMap<(&str, &str), Expiring> {
    let mut found: BTreeMap<(&str, &str), Expiring> = BTreeMap::new();
    for standing in standings {
        // Where any certificate will do, or a pin decides, its end breaks nothing.
        let severity = match standing.requirement.level {
            Level::Ca | Level::MtaSts | Level::Name => Severity::Warning,
            Level::Dane | Level::Encrypt | Level::Pinned => Severity::Info,
        };
        for endpoint in &standing.endpoints {
            let Some(leaf) = endpoint.tls.as_ref().and_then(|tls| tls.leaf.as_ref()) else {
                continue;
            };
            let key = (standing.partner.as_str(), leaf.sha256.as_str());
            let one = found.entry(key).or_insert_with(|| Expiring {
                partner: standing.partner.clone(),
                claims: BTreeSet::new(),
                sha256: leaf.sha256.clone(),
                subject: leaf.subject.clone(),
                issuer: leaf.issuer.clone(),
                not_after: leaf.not_after,
                hosts: BTreeSet::new(),
                severity,
            });
            one.severity = one.severity.max(severity);
            one.claims.insert(standing.claim);
            one.hosts.insert(match &endpoint.mx {
                Some(host) => host.to_string(),
                None => endpoint.address.to_string(),
            });
        }
    }
    found
}

/// The step that is reached, in days; none where there is more time, or none left: an expired certificate is a
/// finding and told as that.
fn step(not_after: Timestamp, now: Timestamp) -> Option<u32> {
    let left = not_after.duration_since(now);
    if left <= SignedDuration::ZERO {
        return None;
    }
    let is_reached = |days: &u32| {
        left <= SignedDuration::from_hours(24)
            .saturating_mul(i32::try_from(*days).unwrap_or(i32::MAX))
    };
    STEPS.into_iter().find(is_reached)
}

pub(super) fn wishes(
    scene: &Scene<'_>,
    channel: &AlertChannel,
    certificates: &BTreeMap<(&str, &str), Expiring>,
    wishes: &mut Vec<(Topic, Wish)>,
) {
    for one in certificates.values() {
        let Some(step) = step(one.not_after, scene.now) else { continue };
        let topic = Topic::Certificate { partner: one.partner.clone(), sha256: one.sha256.clone() };
        wishes.push((topic.clone(), wish(scene, channel, one, step, &topic)));
    }
}

fn wish(
    scene: &Scene<'_>,
    channel: &AlertChannel,
    one: &Expiring,
    step: u32,
    topic: &Topic,
) -> Wish {
    let routed = channel.takes_partner(&one.partner, scene.labels_of(&one.partner));
    if !routed || !channel.takes_severity(one.severity) {
        return Err(Silence::NotRouted);
    }
    let told = scene.told(channel, topic);
    if told.step.is_some_and(|told| told <= step) {
        return Err(Silence::AlreadyTold);
    }
    if scene.quiet(&one.partner).until.is_some() {
        return Err(Silence::Muted);
    }
    let cause = format!("certificate@{}", one.sha256);
    let becomes = Told {
        at: Some(scene.now),
        reason: Some(Reason::ExpiresSoon),
        step: Some(step),
        cause: cause.clone(),
        ..told.clone()
    };
    Ok(Speech {
        reason: Reason::ExpiresSoon,
        severity: one.severity,
        cause,
        since: scene.now,
        before: told,
        becomes,
    })
}
