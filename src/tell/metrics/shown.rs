//! What is said of partners: made anew from what stands, so that nothing of what is gone is left.
//!
//! 1. Every claim has its three states, its proof and its beginning, findings and obstacles by id.
//! 2. Every endpoint has its channel, its handshake and the end of its certificate. One that was seen by several
//!    claims, or at several ports, is told as the latest look found it; of looks at one instant, the worse.
//! 3. A certificate that the last session did not get to see is told as it was last seen.
//!
//! Invariant: where endpoints are left out, the worst are not among them, and the number left out is told.

use super::{ENDPOINTS_PER_PARTNER, MetricsError, STATES, Shown, make::Make, seconds};
use crate::model::standing::{EndpointStanding, Leaf, Standing};
use jiff::Timestamp;
use prometheus::Registry;
use std::{cmp::Reverse, collections::BTreeMap};

pub(super) fn partners(shown: &Shown<'_>) -> Result<Registry, MetricsError> {
    let registry = Registry::new();
    let make = Make(&registry);
    claims(&make, shown.standings)?;
    facts(&make, shown.standings)?;
    paces(&make, shown)?;
    endpoints(&make, shown.standings)?;
    Ok(registry)
}

fn claims(make: &Make<'_>, standings: &[Standing]) -> Result<(), MetricsError> {
    let state = make.gauges(
        "mxwarden_claim_state",
        "1 for the state a claim is in, 0 for the others.",
        &["partner", "claim", "state"],
    )?;
    let proven = make.reals(
        "mxwarden_claim_proven_timestamp_seconds",
        "The oldest fact that the last proof of a claim rests on, in seconds since 1970; 0 while it was never proved.",
        &["partner", "claim"],
    )?;
    let since = make.reals(
        "mxwarden_claim_state_since_timestamp_seconds",
        "Since when a claim is in its state, in seconds since 1970.",
        &["partner", "claim"],
    )?;
    for standing in standings {
        let claim = standing.claim.to_string();
        let labels = [standing.partner.as_str(), claim.as_str()];
        for one in STATES {
            let [partner, claim] = labels;
            let is_it = i64::from(one == standing.state);
            state.with_label_values(&[partner, claim, one.as_str()]).set(is_it);
        }
        proven.with_label_values(&labels).set(standing.proven_at.map_or(0.0, seconds));
        since.with_label_values(&labels).set(seconds(standing.since));
    }
    Ok(())
}

fn facts(make: &Make<'_>, standings: &[Standing]) -> Result<(), MetricsError> {
    let findings = make.gauges(
        "mxwarden_finding",
        "How many findings of an id and severity a claim has.",
        &["partner", "claim", "id", "severity"],
    )?;
    let obstacles = make.gauges(
        "mxwarden_obstacle",
        "How many obstacles of an id a claim has met.",
        &["partner", "claim", "id"],
    )?;
    for standing in standings {
        let claim = standing.claim.to_string();
        let (partner, claim) = (standing.partner.as_str(), claim.as_str());
        for finding in &standing.findings {
            let labels = [partner, claim, finding.id.as_str(), finding.severity.as_str()];
            findings.with_label_values(&labels).inc();
        }
        for obstacle in &standing.obstacles {
            obstacles.with_label_values(&[partner, claim, obstacle.id.as_str()]).inc();
        }
    }
    Ok(())
}

/// Rules compare ages with these, so that they need not be written for each configuration.
fn paces(make: &Make<'_>, shown: &Shown<'_>) -> Result<(), MetricsError> {
    let interval = make.reals(
        "mxwarden_claim_interval_seconds",
        "How often a claim is looked at.",
        &["claim"],
    )?;
    let max_age = make.reals(
        "mxwarden_claim_max_age_seconds",
        "How long a proof of a claim counts.",
        &["claim"],
    )?;
    for pace in shown.paces {
        let claim = pace.claim.to_string();
        interval.with_label_values(&[&claim]).set(pace.interval.as_secs_f64());
        max_age.with_label_values(&[&claim]).set(pace.max_age.as_secs_f64());
    }
    Ok(())
}

/// What labels tell apart: the host, empty where the target is an address, and the address.
type Place = (String, String);

/// An endpoint as one claim saw it.
struct Seen<'a> {
    at: Option<Timestamp>,
    endpoint: &'a EndpointStanding,
    leaf: Option<&'a Leaf>,
}

impl<'a> Seen<'a> {
    fn new(standing: &'a Standing, endpoint: &'a EndpointStanding) -> Self {
        let now = endpoint.tls.as_ref().and_then(|tls| tls.leaf.as_ref());
        let before = standing.posture.endpoints.iter().find(|posture| {
            posture.mx == endpoint.mx
                && posture.address == endpoint.address
                && posture.port == endpoint.port
        });
        let leaf = now.or_else(|| before.and_then(|posture| posture.leaf.as_ref()));
        Self { at: standing.looked_at, endpoint, leaf }
    }

    fn place(&self) -> Place {
        let mx = self.endpoint.mx.as_ref().map_or("", |mx| mx.as_str());
        (mx.to_owned(), self.endpoint.address.to_string())
    }

    /// The greater counts: the later look, then the worse of two.
    fn weight(&self) -> impl Ord + use<> {
        let ends = self.leaf.map(|leaf| Reverse(leaf.not_after));
        (self.at, self.endpoint.state, Reverse(self.endpoint.channel), ends)
    }

    /// The greater is kept where there are too many.
    fn badness(&self) -> impl Ord + use<> {
        (self.endpoint.state, self.leaf.map(|leaf| Reverse(leaf.not_after)))
    }
}

/// Each partner's endpoints, one a place.
fn by_partner(standings: &[Standing]) -> BTreeMap<&str, Vec<(Place, Seen<'_>)>> {
    let mut partners: BTreeMap<&str, BTreeMap<Place, Seen<'_>>> = BTreeMap::new();
    for standing in standings {
        let places = partners.entry(&standing.partner).or_default();
        for endpoint in &standing.endpoints {
            let seen = Seen::new(standing, endpoint);
            let place = seen.place();
            if places.get(&place).is_none_or(|other| other.weight() < seen.weight()) {
                places.insert(place, seen);
            }
        }
    }
    let sorted = partners.into_iter().map(|(partner, places)| {
        let mut places: Vec<_> = places.into_iter().collect();
        places.sort_by_key(|(_, seen)| Reverse(seen.badness()));
        (partner, places)
    });
    sorted.collect()
}

fn endpoints(make: &Make<'_>, standings: &[Standing]) -> Result<(), MetricsError> {
    let channel = make.gauges(
        "mxwarden_endpoint_channel",
        "Always 1; the channel an endpoint reached: none, plain, encrypted, trusted or matched.",
        &["partner", "mx", "address", "channel"],
    )?;
    let tls_info = make.gauges(
        "mxwarden_endpoint_tls_info",
        "Always 1; the handshake of an endpoint.",
        &["partner", "mx", "address", "version", "cipher_suite", "group"],
    )?;
    let not_after = make.reals(
        "mxwarden_certificate_not_after_timestamp_seconds",
        "When the certificate of an endpoint ends, or ended, in seconds since 1970.",
        &["partner", "mx", "address"],
    )?;
    let left_out = make.gauges(
        "mxwarden_endpoints_left_out",
        "Endpoints of a partner that have no series, because it has too many.",
        &["partner"],
    )?;
    for (partner, places) in by_partner(standings) {
        let over = places.len().saturating_sub(ENDPOINTS_PER_PARTNER);
        left_out.with_label_values(&[partner]).set(i64::try_from(over).unwrap_or(i64::MAX));
        for ((mx, address), seen) in places.iter().take(ENDPOINTS_PER_PARTNER) {
            let (mx, address) = (mx.as_str(), address.as_str());
            let reached = seen.endpoint.channel.as_str();
            channel.with_label_values(&[partner, mx, address, reached]).set(1);
            if let Some(tls) = &seen.endpoint.tls {
                let [version, suite, group] = handshake(tls.version, &tls.cipher_suite, &tls.group);
                tls_info
                    .with_label_values(&[partner, mx, address, &version, &suite, &group])
                    .set(1);
            }
            if let Some(leaf) = seen.leaf {
                not_after.with_label_values(&[partner, mx, address]).set(seconds(leaf.not_after));
            }
        }
    }
    Ok(())
}

/// The labels of a handshake; what was not seen is empty.
pub(super) fn handshake(
    version: Option<impl ToString>,
    cipher_suite: &Option<String>,
    group: &Option<String>,
) -> [String; 3] {
    [
        version.map(|version| version.to_string()).unwrap_or_default(),
        cipher_suite.clone().unwrap_or_default(),
        group.clone().unwrap_or_default(),
    ]
}
