//! The cases under `tests/data/evidence/sender-*`: each a name and a round.

use super::{
    make::{
        alerted, at, connected, delivered_in_clear, delivered_over, enveloped, greeted, round,
        shook, turned_away_after,
    },
    senders::Sender,
};
use crate::model::{
    canary::{Acting, Personality},
    connector::SenderMarks,
    delivery::{CanaryEnding, CanarySession, DeliveryEvidence, Fitness, Scope, Submission},
    requirement::{Level, TlsVersion},
};

pub(super) struct Case {
    pub(super) name: String,
    pub(super) evidence: DeliveryEvidence,
}

/// The round of a sender that enforces everything.
pub(super) fn enforced(level: Level) -> DeliveryEvidence {
    let senders = Sender::all();
    let secure = senders.iter().find(|sender| sender.name == "postfix-secure-floor").unwrap();
    DeliveryEvidence { sessions: secure.sessions(), ..round(level) }
}

/// The same, but for what came to one canary.
pub(super) fn but_at(
    level: Level,
    personality: Personality,
    sessions: Vec<CanarySession>,
) -> DeliveryEvidence {
    let mut evidence = enforced(level);
    evidence.sessions.retain(|session| session.personality != personality);
    evidence.sessions.extend(sessions);
    evidence.sessions.sort_by_key(|session| session.started_at);
    evidence
}

fn change(change: impl FnOnce(&mut DeliveryEvidence)) -> DeliveryEvidence {
    let mut evidence = enforced(Level::Name);
    change(&mut evidence);
    evidence
}

fn unfit(personality: Personality, fitness: Fitness) -> DeliveryEvidence {
    change(|evidence| {
        let look = evidence.canaries.iter_mut().find(|look| look.personality == personality);
        look.unwrap().fitness = fitness;
        evidence.probes.retain(|probe| probe.personality != personality);
        evidence.sessions.retain(|session| session.personality != personality);
    })
}

pub(super) fn without(level: Level, personality: Personality) -> DeliveryEvidence {
    let mut evidence = but_at(level, personality, Vec::new());
    evidence.canaries.retain(|look| look.personality != personality);
    evidence.probes.retain(|probe| probe.personality != personality);
    evidence
}

pub(super) fn all() -> Vec<Case> {
    let case = |name: &str, evidence| Case { name: format!("sender-{name}"), evidence };
    let senders = Sender::all().into_iter().map(|sender| {
        let evidence = DeliveryEvidence { sessions: sender.sessions(), ..round(Level::Name) };
        case(sender.name, evidence)
    });
    let others = [rounds(), sessions()].into_iter().flatten();
    senders.chain(others.map(|(name, evidence)| case(name, evidence))).collect()
}

type Named = (&'static str, DeliveryEvidence);

fn rounds() -> Vec<Named> {
    let failed = |evidence: &mut DeliveryEvidence| {
        let detail = "550 5.7.1 Client does not have permissions to send as this sender".to_owned();
        for probe in &mut evidence.probes {
            probe.submission = Some(Submission::Failed { at: at(1), detail: detail.clone() });
        }
        evidence.sessions.clear();
    };
    let not_testable = Fitness::NotTestable("its certificate is not expired".into());
    let occupied = Fitness::Occupied("a probe of 2026-01-31T06:00:00Z may be queued".into());
    vec![
        ("scope-assumed", change(|evidence| evidence.scope = Scope::Assumed)),
        ("on-clone", change(|evidence| evidence.scope = Scope::OnClone("canaries".into()))),
        (
            "not-covered",
            change(|evidence| {
                evidence.scope = Scope::NotCovered("RecipientDomains lists no canary".into());
                evidence.sessions = vec![delivered_in_clear(Personality::NoStarttls, 2)];
            }),
        ),
        ("stopped", change(|evidence| evidence.sessions.clear())),
        ("submit-failed", change(failed)),
        ("expired-not-testable", unfit(Personality::Expired, not_testable)),
        ("expired-occupied", unfit(Personality::Expired, occupied)),
        ("wrong-name-not-configured", without(Level::Name, Personality::WrongName)),
        (
            "private-ca",
            change(|evidence| {
                for look in &mut evidence.canaries {
                    look.shares_root = look.shares_root.map(|_| false);
                }
            }),
        ),
        ("level-dane", enforced(Level::Dane)),
        ("level-mta-sts", enforced(Level::MtaSts)),
    ]
}

fn sessions() -> Vec<Named> {
    let level = Level::Name;
    let good = |second| delivered_over(Personality::Good, second, TlsVersion::Tls13);
    let broken = |second| shook(Personality::StarttlsBroken, second, alerted("handshake_failure"));
    let restarted = |session| CanarySession {
        ending: CanaryEnding::Ours("the canary was stopped".into()),
        ..session
    };
    let stranger = CanarySession {
        peer: "203.0.113.9:1234".parse().unwrap(),
        ehlo: Some("scanner.example.test".into()),
        ..greeted(Personality::NoStarttls, 3)
    };
    let drained = CanarySession {
        acting: Acting::Draining,
        ..delivered_over(Personality::StarttlsBroken, 22000, TlsVersion::Tls13)
    };
    let unmarked = |mut evidence: DeliveryEvidence| {
        evidence.sender = SenderMarks::default();
        evidence
    };
    vec![
        ("control-late", but_at(level, Personality::Good, vec![good(1000)])),
        (
            "control-in-clear",
            but_at(level, Personality::Good, vec![delivered_in_clear(Personality::Good, 2)]),
        ),
        ("control-never-came", but_at(level, Personality::Good, Vec::new())),
        (
            "canary-restarted",
            but_at(
                level,
                Personality::NoStarttls,
                vec![restarted(greeted(Personality::NoStarttls, 2))],
            ),
        ),
        ("refused-once", but_at(level, Personality::StarttlsBroken, vec![broken(2), broken(5)])),
        (
            "strangers",
            but_at(
                level,
                Personality::NoStarttls,
                vec![
                    stranger,
                    connected(Personality::NoStarttls, 4),
                    greeted(Personality::NoStarttls, 2),
                ],
            ),
        ),
        (
            "drained",
            but_at(level, Personality::StarttlsBroken, vec![broken(2), broken(575), drained]),
        ),
        (
            "call-out",
            but_at(
                level,
                Personality::NoStarttls,
                vec![
                    enveloped(Personality::NoStarttls, 2, ""),
                    greeted(Personality::NoStarttls, 20),
                ],
            ),
        ),
        (
            "envelope",
            but_at(
                level,
                Personality::NoStarttls,
                vec![enveloped(Personality::NoStarttls, 2, "tls-probe@contoso.test")],
            ),
        ),
        ("marks-by-control", unmarked(enforced(level))),
        ("marks-unknown", unmarked(but_at(level, Personality::Good, Vec::new()))),
        (
            "wrong-name-late",
            but_at(
                level,
                Personality::WrongName,
                vec![turned_away_after(Personality::WrongName, 700, TlsVersion::Tls12)],
            ),
        ),
    ]
}
