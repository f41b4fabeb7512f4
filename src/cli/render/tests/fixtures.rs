//! Reports made by hand: each field told stands for something a format must say.

use crate::model::claim::{Claim, Direction, Statement};
use crate::model::enforcement::AttemptKind;
use crate::model::finding::{Finding, FindingId, Severity};
use crate::model::obstacle::{Obstacle, ObstacleId};
use crate::model::report::{
    CertificateReport, Channel, ClaimReport, DaneReport, DaneState, EndpointReport, FORMAT,
    NameMatch, Outcome, PartnerReport, ProbeKind, ProbeReport, Report, Revocation, StartTlsState,
    Subjects, TlsReport, Tool, Trust, Validity,
};
use crate::model::requirement::{Level, Requirement, TlsVersion};
use crate::model::session::{Phase, SeenBy};
use crate::model::state::State;
use crate::wire::smtp::{Capabilities, Reply};
use jiff::Timestamp;

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A run of two seconds over these.
pub(super) fn run(partners: Vec<PartnerReport>) -> Report {
    Report {
        format: FORMAT,
        tool: Tool { name: "mxwarden", version: "0.1.0" },
        started_at: at("2026-01-31T12:00:00Z"),
        finished_at: at("2026-01-31T12:00:02Z"),
        subjects: Subjects::Targets,
        state: State::worst(partners.iter().map(|partner| partner.state)),
        partners,
    }
}

fn partner(name: &str, claim: ClaimReport) -> PartnerReport {
    let state = claim.state;
    PartnerReport { partner: name.to_owned(), state, claims: vec![claim], unclaimed: Vec::new() }
}

fn claim(state: State, summary: &str, endpoints: Vec<EndpointReport>) -> ClaimReport {
    ClaimReport {
        claim: Claim::OUTBOUND_RECEIVER_OFFERS,
        state,
        requirement: Requirement::of(Level::Name),
        summary: summary.to_owned(),
        findings: Vec::new(),
        obstacles: Vec::new(),
        endpoints,
        probes: Vec::new(),
        proven_at: (state != State::Unknown).then(|| at("2026-01-31T12:00:02Z")),
        evidence: "sha256:0123abcd".to_owned(),
    }
}

fn capabilities(lines: &[&str]) -> Capabilities {
    let greeting = std::iter::once("mx").chain(lines.iter().copied());
    Capabilities::of(&Reply { code: 250, lines: greeting.map(str::to_owned).collect() })
}

fn certificate(host: &str, not_after: &str) -> CertificateReport {
    CertificateReport {
        subject: format!("CN={host}"),
        issuer: "CN=Test CA".to_owned(),
        names: vec![host.to_owned()],
        not_before: at("2025-10-01T00:00:00Z"),
        not_after: at(not_after),
        key: "RSA-2048".to_owned(),
        signature: "sha256WithRSAEncryption".to_owned(),
        sha256: "11aa".to_owned(),
        spki_sha256: "22bb".to_owned(),
        serial: "0a".to_owned(),
    }
}

/// An endpoint that meets the level `name`.
pub(super) fn good(host: &str, address: &str, preference: u16) -> EndpointReport {
    EndpointReport {
        mx: Some(host.parse().unwrap()),
        preference: Some(preference),
        address: address.parse().unwrap(),
        port: 25,
        state: State::Compliant,
        channel: Channel::Matched,
        banner: Some(format!("220 {host} ESMTP")),
        capabilities: capabilities(&["PIPELINING", "STARTTLS"]),
        capabilities_tls: Some(capabilities(&["PIPELINING"])),
        starttls: StartTlsState::Offered,
        tls: Some(TlsReport {
            version: Some(TlsVersion::Tls13),
            cipher_suite: Some("TLS_AES_256_GCM_SHA384".to_owned()),
            group: Some("X25519MLKEM768".to_owned()),
            seen_by: SeenBy::Handshake,
            key_proved: true,
            client_certificate_requested: false,
            legacy_versions: Vec::new(),
            weak_ciphers: Vec::new(),
            senders: Vec::new(),
            certificates: vec![certificate(host, "2026-03-13T23:59:59Z")],
            trust: Trust::Ok,
            validity: Validity::Ok,
            name: NameMatch::Match,
            revocation: Revocation::NotChecked,
        }),
        dane: DaneReport { state: DaneState::NotChecked },
        findings: Vec::new(),
        obstacles: Vec::new(),
        duration_ms: 120,
    }
}

/// The same with a certificate that is over.
fn expired(host: &str, address: &str, preference: u16) -> EndpointReport {
    let mut endpoint = good(host, address, preference);
    endpoint.state = State::Violated;
    endpoint.channel = Channel::Encrypted;
    endpoint.findings = vec![FindingId::CertExpired];
    if let Some(tls) = &mut endpoint.tls {
        tls.validity = Validity::Expired;
        tls.certificates = vec![certificate(host, "2026-01-01T00:00:00Z")];
    }
    endpoint
}

/// An endpoint nobody could talk to.
fn silent(host: &str, address: &str) -> EndpointReport {
    EndpointReport {
        state: State::Unknown,
        channel: Channel::None,
        banner: None,
        capabilities: Capabilities::default(),
        capabilities_tls: None,
        starttls: StartTlsState::Unknown,
        tls: None,
        obstacles: vec![ObstacleId::ConnectTimeout],
        ..good(host, address, 10)
    }
}

fn finding(id: FindingId, severity: Severity, subject: &str, told: [&str; 4]) -> Finding {
    let [seen, expected, advice, reference] = told.map(str::to_owned);
    Finding { id, severity, subject: subject.to_owned(), seen, expected, advice, reference }
}

/// Two endpoints, IPv4 and IPv6, and nothing to say against them.
pub(super) fn all_good() -> PartnerReport {
    let endpoints =
        vec![good("mx.good.test", "192.0.2.10", 10), good("mx.good.test", "2001:db8::10", 10)];
    partner("good.test", claim(State::Compliant, "2 of 2 endpoints do what is required", endpoints))
}

/// Compliant for another twelve days.
pub(super) fn expires_soon() -> PartnerReport {
    let mut endpoint = good("mx.soon.test", "192.0.2.11", 10);
    endpoint.findings = vec![FindingId::CertExpiresSoon];
    if let Some(tls) = &mut endpoint.tls {
        tls.certificates = vec![certificate("mx.soon.test", "2026-02-13T11:00:00Z")];
    }
    let mut claim =
        claim(State::Compliant, "1 of 1 endpoint does what is required", vec![endpoint]);
    claim.findings = vec![finding(
        FindingId::CertExpiresSoon,
        Severity::Warning,
        "mx.soon.test [192.0.2.11]:25",
        [
            "not_after 2026-02-13T11:00:00Z",
            "more than 30 days left",
            "Renew it.",
            "RFC 5280 §4.1.2.5",
        ],
    )];
    partner("soon.test", claim)
}

/// Two MX; one address of the first has an expired certificate, and so has its other address.
pub(super) fn two_mx_one_expired() -> PartnerReport {
    let endpoints = vec![
        expired("mx1.example.org", "192.0.2.1", 10),
        expired("mx1.example.org", "2001:db8::1", 10),
        good("mx2.example.org", "192.0.2.2", 20),
    ];
    let summary = "2 of 3 endpoints fall short: certificate expired";
    let mut claim = claim(State::Violated, summary, endpoints);
    let over = |subject| {
        finding(
            FindingId::CertExpired,
            Severity::Violation,
            subject,
            [
                "not_after 2026-01-01T00:00:00Z",
                "in date",
                "Tell the partner that the certificate of this server has run out and that senders \
                 with forced TLS no longer deliver to it; renewing it and reloading the mail server is enough.",
                "RFC 5280 §4.1.2.5",
            ],
        )
    };
    claim.findings = vec![
        over("mx1.example.org [192.0.2.1]:25"),
        over("mx1.example.org [2001:db8::1]:25"),
        finding(
            FindingId::DnsInsecure,
            Severity::Warning,
            "example.org",
            ["unsigned answers", "DNSSEC, or required names", "", "RFC 7672 §1.3.2"],
        ),
    ];
    partner("example.org", claim)
}

/// The only endpoint does not answer.
pub(super) fn times_out() -> PartnerReport {
    let endpoints = vec![silent("mx.slow.test", "192.0.2.3")];
    let mut claim = claim(State::Unknown, "0 of 1 endpoint could be reached", endpoints);
    claim.obstacles = vec![Obstacle::new(
        ObstacleId::ConnectTimeout,
        "mx.slow.test [192.0.2.3]:25",
        "no answer within 10 s",
    )];
    partner("slow.test", claim)
}

/// The banner, and what was made of it, attacks whoever shows it.
pub(super) fn hostile() -> PartnerReport {
    let attack = "=cmd|' /C calc'!A0 \u{1b}[31m<b>&\u{0}\u{fffe}\u{202e} two\r\nlines";
    let mut endpoint = good("mx.evil.test", "192.0.2.66", 10);
    endpoint.port = 2525;
    endpoint.state = State::Violated;
    endpoint.channel = Channel::Plain;
    endpoint.starttls = StartTlsState::NotOffered;
    endpoint.tls = None;
    endpoint.capabilities = capabilities(&[attack]);
    endpoint.capabilities_tls = None;
    endpoint.banner = Some(attack.to_owned());
    endpoint.findings = vec![FindingId::StarttlsNotOffered];
    let mut claim = claim(State::Violated, "STARTTLS not offered | OK", vec![endpoint]);
    claim.findings = vec![finding(
        FindingId::StarttlsNotOffered,
        Severity::Violation,
        "mx.evil.test [192.0.2.66]:2525",
        [attack, "STARTTLS", "Ask for it.", "RFC 3207 §4"],
    )];
    partner("evil.test", claim)
}

/// No such domain, so no endpoint.
pub(super) fn nxdomain() -> PartnerReport {
    let mut claim = claim(State::Unknown, "the domain does not exist", Vec::new());
    claim.obstacles =
        vec![Obstacle::new(ObstacleId::Nxdomain, "gone.test", "NXDOMAIN from 127.0.0.1:53")];
    partner("gone.test", claim)
}

/// An MX of ours that takes mail in clear, as the partner would send it.
pub(super) fn refuses_nothing() -> ClaimReport {
    let probe = |kind, outcome, reply: &str| ProbeReport {
        kind: ProbeKind::Attempt(kind),
        target: "mx.contoso.test [192.0.2.25]:25".to_owned(),
        outcome,
        phase: Phase::Rcpt,
        reply: Some(reply.to_owned()),
        class: None,
    };
    let mut refuses_nothing =
        claim(State::Violated, "mx.contoso.test took the envelope in clear", Vec::new());
    refuses_nothing.claim =
        Claim { direction: Direction::Inbound, statement: Statement::ReceiverEnforces };
    refuses_nothing.probes = vec![
        probe(AttemptKind::Control, Outcome::Accepted, "250 2.1.5 Ok"),
        probe(AttemptKind::Plaintext, Outcome::Accepted, "250 2.1.5 Ok"),
    ];
    refuses_nothing
}
