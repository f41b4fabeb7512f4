//! Evidence as values: a round with every canary, and sessions in each of the ways in which a sender can
//! behave. Times are seconds after the beginning of the round.

use crate::model::{
    canary::{Acting, Personality},
    connector::{SenderMarks, SendsSni, Timing},
    delivery::{
        CanaryEnding, CanaryLook, CanarySession, CanaryTls, DeliveryEvidence, Fitness, MessageSeen,
        Probe, Scope, Submission,
    },
    evidence::FORMAT,
    requirement::{Level, Requirement, TlsVersion},
    session::Phase,
};
use crate::wire::hello::ClientHello;
use jiff::{SignedDuration, Timestamp};

pub(super) const SENDER: &str = "192.0.2.25:40000";
pub(super) const EHLO: &str = "mail.contoso.test";
pub(super) const FROM: &str = "tls-probe@contoso.test";

pub(super) fn at(second: i64) -> Timestamp {
    let start: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
    start + SignedDuration::from_secs(second)
}

/// Every personality that some level of this version tests.
pub(super) fn personalities() -> impl Iterator<Item = Personality> {
    Personality::ALL.into_iter().filter(|one| *one != Personality::DaneMismatch)
}

/// The refusals with which one is enough, and those that must be repeated.
pub(super) fn is_certificate(personality: Personality) -> bool {
    personality.is_about_certificate()
}

pub(super) fn domain(personality: Personality) -> String {
    format!("{personality}.canary.test")
}

fn look(personality: Personality) -> CanaryLook {
    let has_root = matches!(
        personality,
        Personality::Good | Personality::Expired | Personality::WrongName | Personality::LegacyTls
    );
    CanaryLook {
        personality,
        domain: domain(personality).parse().unwrap(),
        hostname: format!("mx.{}", domain(personality)).parse().unwrap(),
        addresses: vec!["198.51.100.1".parse().unwrap()],
        fitness: Fitness::Fit,
        shares_root: has_root.then_some(true),
    }
}

pub(super) fn id(personality: Personality) -> String {
    let place = Personality::ALL.iter().position(|one| *one == personality).unwrap();
    format!("{place:020x}")
}

fn probe(personality: Personality, requirement: &Requirement) -> Probe {
    let reply = "250 2.0.0 Ok: queued as 4WxYz1".to_owned();
    Probe {
        id: id(personality),
        personality,
        connector: "to-banks".into(),
        requirement: requirement.clone(),
        mail_from: FROM.parse().unwrap(),
        rcpt_to: format!("token{}@{}", id(personality), domain(personality)).parse().unwrap(),
        created_at: at(0),
        expires_at: at(26 * 3600),
        submission: Some(Submission::Accepted {
            at: at(1),
            reply,
            queue_id: Some("4WxYz1".into()),
        }),
    }
}

/// A round in which every probe was submitted and nobody has come.
pub(super) fn round(level: Level) -> DeliveryEvidence {
    let requirement = Requirement::of(level);
    DeliveryEvidence {
        format: FORMAT.into(),
        connector: "to-banks".into(),
        scope: Scope::Proved,
        sni: SendsSni::No,
        sender: SenderMarks {
            networks: vec!["192.0.2.0/24".parse().unwrap()],
            ehlo: vec![EHLO.parse().unwrap()],
        },
        timing: Timing::default(),
        started_at: at(0),
        finished_at: at(1200),
        canaries: personalities().map(look).collect(),
        probes: personalities().map(|one| probe(one, &requirement)).collect(),
        sessions: Vec::new(),
        requirement,
    }
}

/// The same round, judged as one under another level.
pub(super) fn at_level(mut evidence: DeliveryEvidence, level: Level) -> DeliveryEvidence {
    evidence.requirement.level = level;
    evidence.probes.iter_mut().for_each(|probe| probe.requirement.level = level);
    evidence
}

/// A session in which our sender connected, and no more.
pub(super) fn connected(personality: Personality, second: i64) -> CanarySession {
    CanarySession {
        personality,
        acting: Acting::AsItself,
        hostname: format!("mx.{}", domain(personality)).parse().unwrap(),
        local: "198.51.100.1:25".parse().unwrap(),
        peer: SENDER.parse().unwrap(),
        started_at: at(second),
        finished_at: at(second) + SignedDuration::from_millis(200),
        reached: Phase::Connect,
        ehlo: None,
        ehlo_answered: false,
        starttls: None,
        client_hello: None,
        tls: None,
        mail_from: None,
        is_mail_in_clear: false,
        rcpt_to: Vec::new(),
        probe: None,
        message: None,
        ending: CanaryEnding::Closed,
        transcript: Vec::new(),
    }
}

/// EHLO, and QUIT.
pub(super) fn greeted(personality: Personality, second: i64) -> CanarySession {
    CanarySession {
        reached: Phase::Ehlo,
        ehlo: Some(EHLO.into()),
        ehlo_answered: true,
        ending: CanaryEnding::Quit,
        ..connected(personality, second)
    }
}

/// STARTTLS answered with 454, and QUIT.
pub(super) fn turned_away(personality: Personality, second: i64) -> CanarySession {
    CanarySession { reached: Phase::Starttls, starttls: Some(454), ..greeted(personality, second) }
}

/// A handshake that came so far, and the end of the connection.
pub(super) fn shook(personality: Personality, second: i64, tls: CanaryTls) -> CanarySession {
    CanarySession {
        reached: Phase::Handshake,
        starttls: Some(220),
        tls: Some(tls),
        ending: CanaryEnding::Closed,
        ..greeted(personality, second)
    }
}

pub(super) fn tls(version: TlsVersion) -> CanaryTls {
    CanaryTls {
        version: Some(version),
        server_hello_sent: true,
        completed: true,
        ..CanaryTls::default()
    }
}

/// Our alert, short of a ServerHello.
pub(super) fn alerted(alert: &str) -> CanaryTls {
    CanaryTls { our_alert: Some(alert.into()), ..CanaryTls::default() }
}

/// Their alert, after our ServerHello.
pub(super) fn given_up(version: TlsVersion, alert: &str) -> CanaryTls {
    CanaryTls { completed: false, their_alert: Some(alert.into()), ..tls(version) }
}

/// A whole handshake, and QUIT.
pub(super) fn turned_away_after(
    personality: Personality,
    second: i64,
    version: TlsVersion,
) -> CanarySession {
    CanarySession { ending: CanaryEnding::Quit, ..shook(personality, second, tls(version)) }
}

/// The envelope with its token, and the message.
fn with_message(session: CanarySession) -> CanarySession {
    let personality = session.personality;
    CanarySession {
        reached: Phase::Accepted,
        mail_from: Some(FROM.into()),
        rcpt_to: vec![format!("token{}@{}", id(personality), domain(personality))],
        probe: Some(id(personality)),
        message: Some(MessageSeen { octets: 1234, sha256: "00".repeat(32) }),
        ending: CanaryEnding::Quit,
        ..session
    }
}

pub(super) fn delivered_over(
    personality: Personality,
    second: i64,
    version: TlsVersion,
) -> CanarySession {
    with_message(shook(personality, second, tls(version)))
}

pub(super) fn delivered_in_clear(personality: Personality, second: i64) -> CanarySession {
    CanarySession { is_mail_in_clear: true, ..with_message(greeted(personality, second)) }
}

/// A session in clear, up to the envelope.
pub(super) fn enveloped(personality: Personality, second: i64, from: &str) -> CanarySession {
    CanarySession {
        reached: Phase::Mail,
        mail_from: Some(from.into()),
        is_mail_in_clear: true,
        ..greeted(personality, second)
    }
}

/// What OpenSSL offers, with a list of versions or without.
pub(super) fn hello(versions: Option<&[u16]>) -> ClientHello {
    ClientHello {
        legacy_version: 0x0303,
        supported_versions: versions.map(<[u16]>::to_vec),
        suites: vec![0x1302, 0xc030],
        extensions: Vec::new(),
        groups: Vec::new(),
        signature_algorithms: Vec::new(),
        sni: None,
        alpn: Vec::new(),
    }
}
