//! What is said of partners: made anew from what stands, so that nothing of what is gone is left.
//!
//! 1. Every claim has its three states, its proof and its beginning, findings and obstacles by id.
//! 2. Every endpoint has its channel, its handshake and the end of its certificate. One that was seen by several
//!    claims, or at several ports, is told as the latest look found it; of looks at one instant, the worse.
//! 3. A certificate that the last session did not get to see is told as it was last seen.
//!
//! Invariant: where endpoints are left out, the worst are not among them, and the number left out is told.

use super::{ENDPOINTS_PER_PARTNER, Pace, STATES, seconds, text::Family};
use crate::model::standing::{EndpointStanding, Leaf, Standing};
use jiff::Timestamp;
use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

/// What is said of partners, before it is written down.
#[derive(Debug, Clone, Default)]
pub(super) struct Partners {
    pub(super) standings: Arc<Vec<Standing>>,
    pub(super) paces: Vec<Pace>,
}

impl Partners {
    /// Appends all of it.
    pub(super) fn write(&self, text: &mut String) {
        claims(&self.standings, text);
        facts(&self.standings, text);
        paces(&self.paces, text);
        endpoints(&self.standings, text);
    }
}

fn claims(standings: &[Standing], text: &mut String) {
    let mut state = Family::new(
        "mxwarden_claim_state",
        "1 for the state a claim is in, 0 for the others.",
        ["claim", "partner", "state"],
    );
    let mut proven = Family::new(
        "mxwarden_claim_proven_timestamp_seconds",
        "The oldest fact that the last proof of a claim rests on, in seconds since 1970; 0 while it was never proved.",
        ["claim", "partner"],
    );
    let mut since = Family::new(
        "mxwarden_claim_state_since_timestamp_seconds",
        "Since when a claim is in its state, in seconds since 1970.",
        ["claim", "partner"],
    );
    for standing in standings {
        let (partner, claim) = (standing.partner.as_str(), standing.claim.to_string());
        for one in STATES {
            let is_it = f64::from(u8::from(one == standing.state));
            state.set([&claim, partner, one.as_str()], is_it);
        }
        proven.set([&claim, partner], standing.proven_at.map_or(0.0, seconds));
        since.set([&claim, partner], seconds(standing.since));
    }
    state.write(text);
    proven.write(text);
    since.write(text);
}

fn facts(standings: &[Standing], text: &mut String) {
    let mut findings = Family::new(
        "mxwarden_finding",
        "How many findings of an id and severity a claim has.",
        ["claim", "id", "partner", "severity"],
    );
    let mut obstacles = Family::new(
        "mxwarden_obstacle",
        "How many obstacles of an id a claim has met.",
        ["claim", "id", "partner"],
    );
    for standing in standings {
        let (partner, claim) = (standing.partner.as_str(), standing.claim.to_string());
        for finding in &standing.findings {
            findings.count([&claim, finding.id.as_str(), partner, finding.severity.as_str()]);
        }
        for obstacle in &standing.obstacles {
            obstacles.count([&claim, obstacle.id.as_str(), partner]);
        }
    }
    findings.write(text);
    obstacles.write(text);
}

/// Rules compare ages with these, so that they need not be written for each configuration.
fn paces(paces: &[Pace], text: &mut String) {
    let mut interval = Family::new(
        "mxwarden_claim_interval_seconds",
        "How often a claim is looked at.",
        ["claim"],
    );
    let mut max_age = Family::new(
        "mxwarden_claim_max_age_seconds",
        "How long a proof of a claim counts.",
        ["claim"],
    );
    for pace in paces {
        let claim = pace.claim.to_string();
        interval.set([&claim], pace.interval.as_secs_f64());
        max_age.set([&claim], pace.max_age.as_secs_f64());
    }
    interval.write(text);
    max_age.write(text);
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

fn endpoints(standings: &[Standing], text: &mut String) {
    let mut channel = Family::new(
        "mxwarden_endpoint_channel",
        "Always 1; the channel an endpoint reached: none, plain, encrypted, trusted or matched.",
        ["address", "channel", "mx", "partner"],
    );
    let mut tls_info = Family::new(
        "mxwarden_endpoint_tls_info",
        "Always 1; the handshake of an endpoint.",
        ["address", "cipher_suite", "group", "mx", "partner", "version"],
    );
    let mut not_after = Family::new(
        "mxwarden_certificate_not_after_timestamp_seconds",
        "When the certificate of an endpoint ends, or ended, in seconds since 1970.",
        ["address", "mx", "partner"],
    );
    let mut left_out = Family::new(
        "mxwarden_endpoints_left_out",
        "Endpoints of a partner that have no series, because it has too many.",
        ["partner"],
    );
    for (partner, places) in by_partner(standings) {
        let over = places.len().saturating_sub(ENDPOINTS_PER_PARTNER);
        left_out.set([partner], u32::try_from(over).unwrap_or(u32::MAX).into());
        for ((mx, address), seen) in places.iter().take(ENDPOINTS_PER_PARTNER) {
            let (mx, address) = (mx.as_str(), address.as_str());
            let reached = seen.endpoint.channel.as_str();
            channel.set([address, reached, mx, partner], 1.0);
            if let Some(tls) = &seen.endpoint.tls {
                let [version, suite, group] = handshake(tls.version, &tls.cipher_suite, &tls.group);
                tls_info.set([address, &suite, &group, mx, partner, &version], 1.0);
            }
            if let Some(leaf) = seen.leaf {
                not_after.set([address, mx, partner], seconds(leaf.not_after));
            }
        }
    }
    channel.write(text);
    tls_info.write(text);
    not_after.write(text);
    left_out.write(text);
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
