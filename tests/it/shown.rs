//! A daemon's metrics with something in every one of them.

use mxwarden::{
    model::{
        canary::Personality,
        claim::Claim,
        finding::{Finding, FindingId, Severity},
        obstacle::{Obstacle, ObstacleId},
        report::{Channel, NameMatch, StartTlsState, Trust, Validity},
        requirement::{Level, Requirement, TlsVersion},
        signal::Signal,
        standing::{EndpointStanding, Leaf, Posture, Standing, TlsStanding},
        state::State,
    },
    tell::metrics::{Build, Metrics, Pace, Shown},
};
use std::{net::Ipv4Addr, sync::Arc, time::Duration};

/// Two partners: Fabrikam, whose certificate has expired, and Woodgrove, with whom all is well.
pub(crate) fn standings(now: jiff::Timestamp) -> Vec<Standing> {
    [("Fabrikam", State::Violated), ("Woodgrove", State::Compliant)]
        .map(|(partner, state)| Standing {
            partner: partner.to_owned(),
            claim: Claim::OUTBOUND_RECEIVER_OFFERS,
            requirement: Requirement::of(Level::Name),
            basis: String::new(),
            state,
            since: now,
            summary: String::new(),
            findings: match state {
                State::Violated => vec![Finding::new(
                    FindingId::CertExpired,
                    Severity::Violation,
                    "mx",
                    "yesterday",
                    "in date",
                )],
                State::Compliant | State::Unknown => Vec::new(),
            },
            obstacles: vec![Obstacle::new(ObstacleId::ConnectTimeout, "mx", "")],
            endpoints: vec![endpoint(state, now)],
            proven_at: Some(now),
            last_known: None,
            evidence: String::new(),
            looked_at: Some(now),
            pending: None,
            memory: Vec::new(),
            posture: Posture::default(),
        })
        .into()
}

fn endpoint(state: State, now: jiff::Timestamp) -> EndpointStanding {
    EndpointStanding {
        mx: Some("mx.partner.test".parse().unwrap()),
        preference: Some(10),
        address: Ipv4Addr::new(192, 0, 2, 1).into(),
        port: 25,
        state,
        channel: Channel::Encrypted,
        starttls: StartTlsState::Offered,
        banner: None,
        tls: Some(TlsStanding {
            version: Some(TlsVersion::Tls13),
            cipher_suite: Some("TLS_AES_256_GCM_SHA384".into()),
            group: Some("X25519MLKEM768".into()),
            leaf: Some(Leaf {
                subject: String::new(),
                issuer: String::new(),
                not_after: now,
                key: String::new(),
                sha256: String::new(),
                spki_sha256: String::new(),
            }),
            trust: Trust::Ok,
            validity: Validity::Expired,
            name: NameMatch::Match,
        }),
        findings: Vec::new(),
    }
}

/// Metrics that show them.
pub(crate) fn metrics(now: jiff::Timestamp) -> Metrics {
    let metrics = Metrics::new(Build { version: "0.1.0", revision: "abcdef" }).unwrap();
    let standings = Arc::new(standings(now));
    let pace = Pace {
        claim: Claim::OUTBOUND_RECEIVER_OFFERS,
        interval: Duration::from_secs(3600),
        max_age: Duration::from_secs(6 * 3600),
    };
    metrics.measure(&Signal::CanaryUp { personality: Personality::Good, up: true });
    metrics.show(Shown {
        standings,
        paces: &[pace],
        canaries: &[Personality::Good],
        channels: &["postmaster".to_owned()],
    });
    metrics
}
