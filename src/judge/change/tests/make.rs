//! A claim that is looked at, one play after the other.

use super::*;
use crate::model::{
    report::{
        CertificateReport, ClaimReport, DaneReport, DaneState, EndpointReport, NameMatch,
        Revocation, TlsReport, Trust, Validity,
    },
    report::{Channel, StartTlsState},
    requirement::{MinVersion, TlsVersion},
    session::SeenBy,
};
use core::net::IpAddr;

pub(in crate::judge) const BASIS: &str = "basis";
pub(in crate::judge) const PARTNER: &str = "Fabrikam";

pub(in crate::judge) fn start() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

pub(in crate::judge) fn rules(now: Timestamp) -> Rules {
    Rules { now, max_age: Duration::from_secs(6 * 3600), confirm: 2 }
}

/// What a look met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::judge) enum Play {
    /// Our clock was wrong.
    Clock,
    /// All was well.
    Good,
    /// All was well, with a certificate that nobody saw before.
    Good2,
    /// We could not see.
    Outage,
    /// It timed out.
    Silent,
    /// It fell short.
    Bad,
}

impl Play {
    pub(in crate::judge) const ALL: [Self; 6] =
        [Self::Clock, Self::Good, Self::Good2, Self::Outage, Self::Silent, Self::Bad];

    pub(in crate::judge) fn of(letter: char) -> Self {
        match letter {
            'C' => Self::Good,
            'K' => Self::Clock,
            'N' => Self::Good2,
            'O' => Self::Outage,
            'U' => Self::Silent,
            'V' => Self::Bad,
            other => panic!("no look is called {other}"),
        }
    }
}

/// A claim and its clock.
pub(in crate::judge) struct World {
    pub(in crate::judge) standing: Standing,
    pub(in crate::judge) rules: Rules,
    pub(in crate::judge) happened: Vec<Happening>,
    pub(in crate::judge) again: Again,
}

impl World {
    pub(in crate::judge) fn new() -> Self {
        let requirement = Requirement::of(Level::Name);
        let standing =
            begin(PARTNER, Claim::OUTBOUND_RECEIVER_OFFERS, &requirement, BASIS, start());
        Self { standing, rules: rules(start()), happened: Vec::new(), again: Again::AtInterval }
    }

    /// Lets so many minutes pass.
    pub(in crate::judge) fn wait(&mut self, minutes: i64) -> char {
        self.rules.now += SignedDuration::from_mins(minutes);
        if let Some(next) = age(&self.standing, &self.rules) {
            self.take(next);
        }
        letter(&self.standing)
    }

    /// Looks, after a minute.
    pub(in crate::judge) fn play(&mut self, play: Play) -> char {
        self.wait(1);
        let look = look(play, self.rules.now);
        self.look(&look)
    }

    pub(in crate::judge) fn look(&mut self, look: &Look) -> char {
        let next = next(&self.standing, look, &self.rules);
        self.take(next);
        letter(&self.standing)
    }

    pub(in crate::judge) fn all(&mut self, letters: &str) -> String {
        letters.chars().map(|letter| self.play(Play::of(letter))).collect()
    }

    pub(in crate::judge) fn take(&mut self, next: Next) {
        self.standing = next.standing;
        self.happened.extend(next.happenings);
        self.again = next.again;
    }

    /// The changes of state, as `compliant>unknown`.
    pub(in crate::judge) fn changes(&self) -> Vec<String> {
        let changes = self.happened.iter().filter_map(|happened| match happened {
            Happening::StateChanged { from, to, .. } => Some(format!("{from}>{to}")),
            _ => None,
        });
        changes.collect()
    }

    /// What was noticed, as its id and severity.
    pub(in crate::judge) fn noticed(&self) -> Vec<String> {
        let noticed = self.happened.iter().filter_map(|happened| match happened {
            Happening::Noticed { finding } => Some(format!("{} {}", finding.severity, finding.id)),
            _ => None,
        });
        noticed.collect()
    }
}

/// How a claim stands, as one letter.
pub(in crate::judge) fn letter(standing: &Standing) -> char {
    let has = |id| standing.obstacles.iter().any(|obstacle| obstacle.id == id);
    match standing.state {
        State::Compliant => 'c',
        State::Violated
            if standing.findings.iter().any(|one| one.id == FindingId::Intermittent) =>
        {
            'i'
        }
        State::Violated => 'v',
        State::Unknown if has(ObstacleId::SelfOutage) => 'o',
        State::Unknown if has(ObstacleId::ClockUnsure) => 'k',
        State::Unknown if has(ObstacleId::Unconfirmed) => '?',
        State::Unknown if has(ObstacleId::WitnessesDisagree) => 'd',
        State::Unknown if has(ObstacleId::Stale) => 's',
        State::Unknown => 'u',
    }
}

pub(in crate::judge) fn look(play: Play, at: Timestamp) -> Look {
    look_at(at, vec![endpoint("192.0.2.1", play)])
}

/// A look at these endpoints, judged as the judge of `receiver-offers` would.
pub(in crate::judge) fn look_at(at: Timestamp, endpoints: Vec<EndpointReport>) -> Look {
    let state = State::worst(endpoints.iter().map(|endpoint| endpoint.state));
    let mut findings = Vec::new();
    let mut obstacles = Vec::new();
    for endpoint in &endpoints {
        let subject = place(endpoint);
        for id in &endpoint.findings {
            let seen = "not_after 2026-01-01T00:00:00Z";
            findings.push(Finding::new(*id, Severity::Violation, &subject, seen, "in date"));
        }
        for id in &endpoint.obstacles {
            obstacles.push(Obstacle::new(*id, &subject, "so it was"));
        }
    }
    if endpoints.is_empty() {
        obstacles.push(Obstacle::new(ObstacleId::Nxdomain, "fabrikam.test", "no such domain"));
    }
    let report = ClaimReport {
        claim: Claim::OUTBOUND_RECEIVER_OFFERS,
        state,
        requirement: Requirement { min_version: MinVersion::Tls12, ..Requirement::of(Level::Name) },
        summary: format!("it is {state}"),
        findings,
        obstacles,
        endpoints,
        probes: Vec::new(),
        proven_at: (state != State::Unknown).then_some(at),
        evidence: format!("sha256:{}", at.as_second()),
    };
    Look { partner: PARTNER.to_owned(), at, basis: BASIS.to_owned(), report }
}

pub(in crate::judge) fn endpoint(address: &str, play: Play) -> EndpointReport {
    let (state, channel, trust) = match play {
        Play::Good | Play::Good2 => (State::Compliant, Channel::Matched, Trust::Ok),
        Play::Bad => (State::Violated, Channel::Encrypted, Trust::Ok),
        Play::Clock | Play::Outage | Play::Silent => (State::Unknown, Channel::None, Trust::None),
    };
    let is_reached = state != State::Unknown;
    let validity = if play == Play::Bad { Validity::Expired } else { Validity::Ok };
    let leaf = match play {
        Play::Good2 => "c",
        Play::Bad => "b",
        Play::Clock | Play::Good | Play::Outage | Play::Silent => "a",
    };
    EndpointReport {
        mx: "mx.fabrikam.test".parse().ok(),
        preference: Some(10),
        address: address.parse::<IpAddr>().unwrap(),
        port: 25,
        state,
        channel,
        banner: is_reached.then(|| "220 mx.fabrikam.test ESMTP".to_owned()),
        capabilities: Default::default(),
        capabilities_tls: None,
        starttls: if is_reached { StartTlsState::Offered } else { StartTlsState::Unknown },
        tls: is_reached.then(|| tls(leaf, trust, validity)),
        dane: DaneReport { state: DaneState::NotChecked },
        findings: if play == Play::Bad { vec![FindingId::CertExpired] } else { Vec::new() },
        obstacles: match play {
            Play::Clock => vec![ObstacleId::ClockUnsure],
            Play::Outage => vec![ObstacleId::SelfOutage],
            Play::Silent => vec![ObstacleId::ConnectTimeout],
            Play::Bad | Play::Good | Play::Good2 => Vec::new(),
        },
        duration_ms: 12,
    }
}

/// The certificate's digest is `leaf`, 64 times.
pub(in crate::judge) fn tls(leaf: &str, trust: Trust, validity: Validity) -> TlsReport {
    TlsReport {
        version: Some(TlsVersion::Tls13),
        cipher_suite: Some("TLS_AES_256_GCM_SHA384".to_owned()),
        group: Some("X25519MLKEM768".to_owned()),
        seen_by: SeenBy::Handshake,
        key_proved: true,
        client_certificate_requested: false,
        legacy_versions: Vec::new(),
        weak_ciphers: Vec::new(),
        senders: Vec::new(),
        certificates: vec![CertificateReport {
            subject: "CN=mx.fabrikam.test".to_owned(),
            issuer: "CN=Some CA".to_owned(),
            names: vec!["mx.fabrikam.test".to_owned()],
            not_before: start() - SignedDuration::from_hours(24),
            not_after: start() + SignedDuration::from_hours(24 * 80),
            key: "RSA-2048".to_owned(),
            signature: "sha256WithRSAEncryption".to_owned(),
            sha256: leaf.repeat(64),
            spki_sha256: leaf.repeat(64),
            serial: "01".to_owned(),
        }],
        trust,
        validity,
        name: NameMatch::Match,
        revocation: Revocation::NotChecked,
    }
}
