//! Evidence as values: one healthy look, and the ways to make it worse. All of it stands on the
//! certificates under `tests/data/certs`, so that the same call makes the same evidence. The addresses are
//! public ones, since others are a warning of their own; nobody connects to them.

use crate::judge::certificate::tests::{fixture, roots};
use crate::judge::offers::Rules;
use crate::model::{
    evidence::{self, OffersEvidence, Vantage},
    judgement::Quorum,
    requirement::{Level, MinVersion, Requirement, TlsVersion},
    resolution::{
        Addresses, DnsFailure, DnsFailureKind, Exchange, ExchangeHost, Lookup, Resolution, Route,
    },
    roots::Roots,
    session::{Ehlo, Ending, Endpoint, Hello, NotTried, Phase, Session, StartTls, Tls},
};
use crate::wire::smtp::{Capabilities, Reply};
use core::net::IpAddr;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a case is judged by: stored beside its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Standard {
    pub(super) requirement: Requirement,
    pub(super) quorum: String,
}

impl Standard {
    pub(super) fn of(level: Level) -> Self {
        Self { requirement: Requirement::of(level), quorum: "all".to_owned() }
    }

    pub(super) fn name() -> Self {
        Self::of(Level::Name)
    }

    pub(super) fn names(mut self, names: &[&str]) -> Self {
        self.requirement.names = names.iter().map(|name| name.parse().unwrap()).collect();
        self
    }

    pub(super) fn pin(mut self, pin: &str) -> Self {
        self.requirement.pins.push(pin.parse().unwrap());
        self
    }

    pub(super) fn tls13(mut self) -> Self {
        self.requirement.min_version = MinVersion::Tls13;
        self
    }

    pub(super) fn any(mut self) -> Self {
        self.quorum = "any".to_owned();
        self
    }

    pub(super) fn rules<'a>(&'a self, roots: &'a Roots, now: Timestamp) -> Rules<'a> {
        let quorum = match self.quorum.as_str() {
            "all" => Quorum::All,
            "any" => Quorum::Any,
            other => panic!("no quorum: {other}"),
        };
        Rules { requirement: &self.requirement, roots, now, quorum, warn_days: 30 }
    }
}

pub(super) fn lab_roots() -> Roots {
    roots(&[&fixture("root")[0].0])
}

pub(super) fn now() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

pub(super) fn reply(code: u16, text: &str) -> Reply {
    Reply { code, lines: text.split('|').map(str::to_owned).collect() }
}

pub(super) fn failure(kind: DnsFailureKind) -> DnsFailure {
    DnsFailure { kind, detail: format!("the resolver 192.0.2.53 said {kind:?}") }
}

/// A session that went as it should, with a certificate fixture.
pub(super) fn session(host: &str, address: &str, certificate: &str) -> Session {
    let mut session = untried(host, address);
    session.local_address = Some("192.0.1.77".parse().unwrap());
    session.banner = Some(reply(220, "mx.example.test ESMTP"));
    let ehlo = |text| {
        let reply = reply(250, text);
        let capabilities = Capabilities::of(&reply);
        Some(Ehlo { command: Hello::Ehlo, reply, capabilities })
    };
    session.ehlo = ehlo("mx.example.test|PIPELINING|STARTTLS");
    session.starttls = StartTls::Agreed(reply(220, "2.0.0 ready"));
    session.tls = Some(Tls {
        version: Some(TlsVersion::Tls13),
        cipher_suite: Some("TLS_AES_256_GCM_SHA384".to_owned()),
        group: Some("X25519MLKEM768".to_owned()),
        chain: fixture(certificate),
        key_proved: true,
        completed: true,
        ..Tls::default()
    });
    session.ehlo_tls = ehlo("mx.example.test|PIPELINING");
    session.reached = Phase::EhloTls;
    session.spent_ms = vec![(Phase::Connect, 12), (Phase::Handshake, 30)];
    session
}

/// An endpoint nobody has talked to yet.
pub(super) fn untried(host: &str, address: &str) -> Session {
    let host = (!host.is_empty()).then(|| host.parse().unwrap());
    Session::new(Endpoint { host, address: address.parse().unwrap(), port: 25 }, now())
}

/// A session that ended before TLS.
pub(super) fn ended(host: &str, address: &str, ending: Ending) -> Session {
    Session { ending, ..untried(host, address) }
}

pub(super) fn unroutable(host: &str, address: &str) -> Session {
    let why = "Network is unreachable (os error 101)".to_owned();
    ended(host, address, Ending::NotTried(NotTried::FamilyUnavailable(why)))
}

/// Evidence of these sessions, each host an MX of its own with the addresses the sessions have.
pub(super) fn evidence(sessions: Vec<Session>) -> OffersEvidence {
    let mut exchanges: Vec<Exchange> = Vec::new();
    for session in &sessions {
        let host = match &session.endpoint.host {
            Some(host) => ExchangeHost::Name(host.clone()),
            None => ExchangeHost::Address(session.endpoint.address),
        };
        let known = exchanges.iter().position(|exchange| exchange.host == host);
        let at = known.unwrap_or_else(|| {
            let (v4, v6) = (Addresses::None, Addresses::None);
            let preference = u16::try_from(exchanges.len() + 1).ok().map(|at| at * 10);
            let aliases = Vec::new();
            exchanges.push(Exchange { preference, host, aliases, v4, v6, left_out: 0 });
            exchanges.len() - 1
        });
        add(&mut exchanges[at], session.endpoint.address);
    }
    nowhere(Route::Mx, exchanges, sessions)
}

fn add(exchange: &mut Exchange, address: IpAddr) {
    let family = if address.is_ipv4() { &mut exchange.v4 } else { &mut exchange.v6 };
    let mut addresses = family.found().to_vec();
    addresses.push(address);
    *family = Addresses::Found(addresses);
}

pub(super) fn nowhere(
    route: Route,
    exchanges: Vec<Exchange>,
    sessions: Vec<Session>,
) -> OffersEvidence {
    let answer = vec!["10 mx.example.test.".to_owned()];
    let lookup = Lookup { name: "example.test".into(), record_type: "MX".into(), answer };
    OffersEvidence {
        format: evidence::FORMAT.to_owned(),
        target: "example.test".parse().unwrap(),
        started_at: now(),
        finished_at: now(),
        resolution: Resolution { route, exchanges, left_out: 0, lookups: vec![lookup] },
        sessions,
        vantage: Vantage { port25_tried: 9, port25_timed_out: 1 },
    }
}

/// One MX host without a session.
pub(super) fn exchange(host: ExchangeHost, v4: Addresses, v6: Addresses) -> Exchange {
    Exchange { preference: Some(20), host, aliases: Vec::new(), v4, v6, left_out: 0 }
}
