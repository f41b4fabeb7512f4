//! Evidence as values: one experiment that proves everything, and the ways to make it worse.

use crate::model::{
    connector::{Floor, KeyedOn, ProbeEnvelope, Until},
    deep::{HelloOffer, HelloOutcome, HelloTried},
    enforcement::{
        Attempt, AttemptKind, Demand, EndpointExperiments, EnforcesEvidence, Envelope, Experiment,
        Place, Routed,
    },
    evidence::FORMAT,
    requirement::{MinVersion, TlsVersion},
    resolution::{Addresses, Exchange, ExchangeHost, Resolution, Route},
    session::{Ending, Endpoint, HandshakeFailure, Phase, SeenBy, Session, StartTls, Tls},
};
use crate::wire::smtp::Reply;
use core::net::IpAddr;
use jiff::{SignedDuration, Timestamp};

pub(super) fn now() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

pub(super) fn at(minutes: i64) -> Timestamp {
    now() + SignedDuration::from_mins(minutes)
}

/// `550 5.7.1 text`.
pub(super) fn reply(line: &str) -> Reply {
    let (code, text) = line.split_once(' ').unwrap();
    Reply { code: code.parse().unwrap(), lines: vec![text.to_owned()] }
}

pub(super) fn endpoint(last: u8) -> Endpoint {
    let address = IpAddr::from([192, 0, 1, last]);
    Endpoint { host: Some(format!("mx{last}.contoso.test").parse().unwrap()), address, port: 25 }
}

pub(super) fn demand() -> Demand {
    Demand {
        place: Place::Ours,
        envelope: ProbeEnvelope {
            mail_from: "tls-probe@fabrikam.test".parse().unwrap(),
            rcpt_to: "tls-probe@contoso.test".parse().unwrap(),
            control_mail_from: None,
            keyed_on: KeyedOn::Sender,
            until: Until::Rcpt,
            decides: Until::Rcpt,
        },
        floor: Floor { min_version: MinVersion::Tls12, client_names: Vec::new() },
        has_client_certificate: false,
        networks: Vec::new(),
    }
}

/// With a certificate of the partner wanted, and at hand.
pub(super) fn with_certificate() -> Demand {
    let mut demand = demand();
    demand.floor.client_names = vec!["*.fabrikam.test".parse().unwrap()];
    demand.has_client_certificate = true;
    demand
}

pub(super) fn tls(version: TlsVersion) -> Tls {
    Tls {
        version: Some(version),
        client_certificate_requested: true,
        key_proved: true,
        completed: true,
        ..Tls::default()
    }
}

fn bare(kind: AttemptKind, minutes: i64) -> Attempt {
    let mut session = Session::new(endpoint(1), at(minutes));
    session.local_address = Some("198.51.100.7".parse().unwrap());
    session.banner = Some(reply("220 mx1.contoso.test ESMTP"));
    let mail_from = Some("tls-probe@fabrikam.test".parse().unwrap());
    Attempt { kind, mail_from, source: None, session, envelope: Envelope::default() }
}

/// Taken up to RCPT, by the channel of its kind.
pub(super) fn taken(kind: AttemptKind, minutes: i64) -> Attempt {
    let mut attempt = bare(kind, minutes);
    match kind {
        AttemptKind::NullSender => attempt.mail_from = None,
        AttemptKind::Plaintext => {}
        AttemptKind::ForeignAddress => {
            attempt.session.local_address = Some("203.0.113.9".parse().unwrap());
            secure(&mut attempt, TlsVersion::Tls13);
        }
        AttemptKind::LegacyTls => secure(&mut attempt, TlsVersion::Tls12),
        AttemptKind::Control
        | AttemptKind::NoClientCert
        | AttemptKind::OtherClientCert
        | AttemptKind::SelfMadeClientCert => secure(&mut attempt, TlsVersion::Tls13),
    }
    attempt.session.reached = Phase::Rcpt;
    attempt.envelope.mail = Some(reply("250 2.1.0 Ok"));
    attempt.envelope.rcpt = Some(reply("250 2.1.5 Ok"));
    attempt
}

fn secure(attempt: &mut Attempt, version: TlsVersion) {
    attempt.session.starttls = StartTls::Agreed(reply("220 2.0.0 Ready"));
    attempt.session.tls = Some(tls(version));
}

/// Refused at RCPT.
pub(super) fn refused(kind: AttemptKind, minutes: i64, said: &str) -> Attempt {
    let mut attempt = taken(kind, minutes);
    attempt.envelope.rcpt = Some(reply(said));
    attempt
}

/// Ended before the envelope, in this way.
pub(super) fn ended(kind: AttemptKind, minutes: i64, reached: Phase, ending: Ending) -> Attempt {
    let mut attempt = taken(kind, minutes);
    attempt.envelope = Envelope::default();
    attempt.session.reached = reached;
    attempt.session.ending = ending;
    attempt
}

/// A hello of TLS 1.0 that was refused, or answered.
pub(super) fn hello(minutes: i64, outcome: HelloOutcome) -> Attempt {
    let mut attempt = bare(AttemptKind::LegacyTls, minutes);
    attempt.session.starttls = StartTls::Agreed(reply("220 2.0.0 Ready"));
    attempt.session.reached = Phase::Handshake;
    let version = TlsVersion::Tls10;
    match &outcome {
        HelloOutcome::Accepted(_) | HelloOutcome::Older(_) => {
            let seen = Tls { version: Some(version), seen_by: SeenBy::Hello, ..Tls::default() };
            attempt.session.tls = Some(seen);
        }
        HelloOutcome::Refused(alert) => {
            attempt.session.ending = Ending::Handshake(HandshakeFailure::Alert(alert.clone()));
        }
        HelloOutcome::Unclear(_) | HelloOutcome::Unsent(_) => {
            attempt.session.ending = Ending::Deadline(Phase::Handshake);
        }
    }
    let offered = HelloOffer::Legacy(version);
    attempt.session.hellos = vec![HelloTried { offered, outcome }];
    attempt
}

/// Between two controls that passed.
pub(super) fn experiment(minutes: i64, negatives: Vec<Attempt>) -> Experiment {
    let control = |minutes| taken(AttemptKind::Control, minutes);
    let attempts = [vec![control(minutes)], negatives, vec![control(minutes + 1)]].concat();
    Experiment { started_at: at(minutes), attempts }
}

pub(super) fn evidence(demand: Demand, experiments: Vec<Experiment>) -> EnforcesEvidence {
    at_endpoints(demand, vec![experiments])
}

/// One endpoint each, every session made one of it.
pub(super) fn at_endpoints(demand: Demand, all: Vec<Vec<Experiment>>) -> EnforcesEvidence {
    let mut endpoints = Vec::new();
    let mut exchanges = Vec::new();
    for (place, mut experiments) in all.into_iter().enumerate() {
        let endpoint = endpoint(u8::try_from(place + 1).unwrap());
        for attempt in experiments.iter_mut().flat_map(|one| &mut one.attempts) {
            attempt.session.endpoint = endpoint.clone();
        }
        exchanges.push(Exchange {
            preference: Some(10),
            host: ExchangeHost::Name(endpoint.host.clone().unwrap()),
            aliases: Vec::new(),
            v4: Addresses::Found(vec![endpoint.address]),
            v6: Addresses::None,
            left_out: 0,
        });
        endpoints.push(EndpointExperiments { endpoint, experiments });
    }
    let resolution = Resolution { route: Route::Mx, exchanges, left_out: 0, lookups: Vec::new() };
    EnforcesEvidence {
        format: FORMAT.to_owned(),
        demand,
        started_at: now(),
        finished_at: at(60),
        routes: vec![Routed { target: "contoso.test".parse().unwrap(), resolution }],
        endpoints,
    }
}
