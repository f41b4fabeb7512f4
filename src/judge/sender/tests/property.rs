//! Whatever comes to the canaries: what is never said.

use super::{
    judged,
    make::{EHLO, FROM, SENDER, at, connected, id, personalities, round},
    senders::Sender,
};
use crate::model::{
    canary::{Acting, Personality},
    delivery::{CanaryEnding, CanarySession, CanaryTls, DeliveryEvidence, MessageSeen, Scope},
    requirement::{Level, TlsVersion},
    session::Phase,
    state::State,
};
use jiff::SignedDuration;
use proptest::{option, prelude::*, sample::select};

const PHASES: [Phase; 9] = [
    Phase::Connect,
    Phase::Ehlo,
    Phase::Starttls,
    Phase::Handshake,
    Phase::EhloTls,
    Phase::Mail,
    Phase::Rcpt,
    Phase::Data,
    Phase::Accepted,
];

fn endings() -> impl Strategy<Value = CanaryEnding> {
    select(vec![
        CanaryEnding::Closed,
        CanaryEnding::Ours("a limit".into()),
        CanaryEnding::Quit,
        CanaryEnding::Reset,
        CanaryEnding::TimedOut,
    ])
}

fn handshakes() -> impl Strategy<Value = CanaryTls> {
    let alerts = || {
        let names = ["protocol_version", "handshake_failure", "unknown_ca", "decode_error"];
        option::of(select(names.map(str::to_owned).to_vec()))
    };
    let version = option::of(select(TlsVersion::ALL.to_vec()));
    (version, any::<bool>(), any::<bool>(), alerts(), alerts()).prop_map(
        |(version, server_hello_sent, completed, our_alert, their_alert)| CanaryTls {
            version,
            server_hello_sent,
            completed,
            our_alert,
            their_alert,
            ..CanaryTls::default()
        },
    )
}

/// Any session of anybody at any canary, sensible or not.
fn sessions() -> impl Strategy<Value = CanarySession> {
    let who = (
        select(personalities().collect::<Vec<_>>()),
        select(vec![Acting::AsItself, Acting::Draining]),
        -10i64..1500,
        select(vec![SENDER, "203.0.113.7:99"]),
        option::of(select(vec![EHLO, "scanner.example.test"])),
    );
    let what = (
        select(PHASES.to_vec()),
        option::of(select(vec![220u16, 454])),
        option::of(handshakes()),
        option::of(select(vec![FROM, "", "someone@contoso.test"])),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        endings(),
    );
    (who, what).prop_map(|((personality, acting, second, peer, ehlo), what)| {
        let (reached, starttls, tls, mail_from, in_clear, has_token, has_message, ending) = what;
        let rcpt = mail_from.is_some() && has_token;
        CanarySession {
            acting,
            peer: peer.parse().unwrap(),
            ehlo: ehlo.map(str::to_owned),
            ehlo_answered: ehlo.is_some(),
            reached,
            starttls,
            tls,
            is_mail_in_clear: mail_from.is_some() && in_clear,
            mail_from: mail_from.map(str::to_owned),
            probe: rcpt.then(|| id(personality)),
            message: (rcpt && has_message)
                .then(|| MessageSeen { octets: 1, sha256: "00".repeat(32) }),
            ending,
            ..connected(personality, second)
        }
    })
}

/// A round of a real sender, some of its sessions lost, with others among them.
fn rounds() -> impl Strategy<Value = DeliveryEvidence> {
    let levels =
        vec![Level::Encrypt, Level::Ca, Level::Name, Level::Pinned, Level::Dane, Level::MtaSts];
    let scopes = vec![
        Scope::Proved,
        Scope::Assumed,
        Scope::OnClone("clone".into()),
        Scope::NotCovered("elsewhere".into()),
    ];
    (
        select(levels),
        select(scopes),
        0..Sender::all().len(),
        prop::collection::vec(prop::bool::weighted(0.97), 40),
        prop::collection::vec(sessions(), 0..4),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(level, scope, sender, kept, others, is_unmarked)| {
            let mut evidence = DeliveryEvidence { scope, ..round(level) };
            let sessions = Sender::all()[sender].sessions().into_iter().zip(kept);
            evidence.sessions = sessions.filter(|(_, kept)| *kept).map(|(one, _)| one).collect();
            evidence.sessions.extend(others);
            evidence.sessions.sort_by_key(|session| session.started_at);
            if is_unmarked {
                evidence.sender = Default::default();
            }
            evidence
        })
}

fn at_canary(
    evidence: &DeliveryEvidence,
    personality: Personality,
) -> impl Iterator<Item = &CanarySession> {
    let is_there = move |session: &&CanarySession| {
        session.personality == personality && session.acting == Acting::AsItself
    };
    evidence.sessions.iter().filter(is_there)
}

fn has_control(evidence: &DeliveryEvidence) -> bool {
    at_canary(evidence, Personality::Good).any(|session| {
        let tls = session.tls.as_ref();
        let is_good =
            tls.is_some_and(|tls| tls.completed && tls.version >= Some(TlsVersion::Tls12));
        session.probe.is_some()
            && session.reached > Phase::Connect
            && is_good
            && !session.is_mail_in_clear
    })
}

/// Whether our sender itself left here, without MAIL, often enough and far enough apart.
fn is_left(evidence: &DeliveryEvidence, personality: Personality) -> bool {
    let lefts: Vec<_> = at_canary(evidence, personality)
        .filter(|session| {
            let alerted = session.tls.as_ref().is_some_and(|tls| tls.their_alert.is_some());
            let left = matches!(session.ending, CanaryEnding::Quit | CanaryEnding::Closed);
            let is_ours =
                session.peer == SENDER.parse().unwrap() && session.ehlo.as_deref() == Some(EHLO);
            session.mail_from.is_none() && session.probe.is_none() && is_ours && (left || alerted)
        })
        .map(|session| session.started_at)
        .collect();
    match personality {
        Personality::StarttlsBroken | Personality::StarttlsRefused | Personality::LegacyTls => {
            let apart = SignedDuration::from_secs(8);
            lefts.iter().any(|one| lefts.iter().any(|two| two.duration_since(*one) >= apart))
        }
        Personality::DaneMismatch
        | Personality::Expired
        | Personality::Good
        | Personality::NoStarttls
        | Personality::SelfSigned
        | Personality::UnknownCa
        | Personality::WrongName => !lefts.is_empty(),
    }
}

fn is_compliance_possible(evidence: &DeliveryEvidence) -> bool {
    use Personality::{
        Expired, LegacyTls, NoStarttls, SelfSigned, StarttlsBroken, StarttlsRefused, UnknownCa,
        WrongName,
    };
    let left = |personality| is_left(evidence, personality);
    let always = [NoStarttls, StarttlsRefused, StarttlsBroken, LegacyTls];
    let untrusted = || left(SelfSigned) || left(UnknownCa);
    has_control(evidence)
        && always.into_iter().all(left)
        && match evidence.requirement.level {
            Level::Encrypt => true,
            Level::Ca => untrusted() && left(Expired),
            Level::Name => untrusted() && left(WrongName) && left(Expired),
            Level::Pinned => left(SelfSigned) && left(Expired),
            Level::Dane | Level::MtaSts => false,
        }
        && !matches!(evidence.scope, Scope::NotCovered(_))
}

/// Whether anything was handed over where it must not be.
fn has_forbidden(evidence: &DeliveryEvidence) -> bool {
    let is_forbidden = |session: &CanarySession| {
        let tls = session.tls.as_ref().filter(|tls| tls.completed);
        let version = tls.and_then(|tls| tls.version);
        let is_old = version.is_some_and(|version| version < TlsVersion::Tls12);
        let is_weak = !session.personality.is_allowed_at(evidence.requirement.level);
        let is_said = session.mail_from.as_deref() == Some(FROM) || session.probe.is_some();
        let is_message = session.message.is_some() || session.reached == Phase::Accepted;
        session.acting == Acting::AsItself
            && is_said
            && (session.is_mail_in_clear || is_old || (is_weak && version.is_some() && is_message))
    };
    evidence.sessions.iter().any(is_forbidden)
}

/// Those who must not change anything.
fn nobodies() -> impl Strategy<Value = CanarySession> {
    (sessions(), 0..3usize).prop_map(|(session, kind)| match kind {
        // A stranger, or a health check under another name: no token, not our envelope.
        0 => CanarySession {
            peer: "203.0.113.7:99".parse().unwrap(),
            ehlo: Some("scanner.example.test".into()),
            mail_from: session.mail_from.filter(|from| from != FROM),
            probe: None,
            message: None,
            ..session
        },
        // A bare connect of our own sender.
        1 => connected(session.personality, session.started_at.duration_since(at(0)).as_secs()),
        _ => CanarySession { acting: Acting::Draining, ..session },
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_is_proved_without_control_and_refusals(evidence in rounds()) {
        if judged(&evidence).state() == State::Compliant {
            prop_assert!(is_compliance_possible(&evidence));
        }
    }

    #[test]
    fn nothing_is_violated_without_a_forbidden_delivery(evidence in rounds()) {
        if judged(&evidence).state() == State::Violated {
            prop_assert!(has_forbidden(&evidence));
        }
    }

    #[test]
    fn nobody_else_changes_a_state(
        evidence in rounds(),
        others in prop::collection::vec(nobodies(), 1..5),
    ) {
        let before = judged(&evidence);
        let mut crowded = evidence;
        crowded.sessions.extend(others);
        crowded.sessions.sort_by_key(|session| session.started_at);
        let after = judged(&crowded);
        prop_assert_eq!(before.state(), after.state());
        prop_assert_eq!(before.proven_at(), after.proven_at());
    }

    #[test]
    fn the_order_in_which_sessions_were_written_down_does_not_matter(evidence in rounds()) {
        let mut turned = evidence.clone();
        turned.sessions.reverse();
        let (one, two) = (judged(&evidence), judged(&turned));
        prop_assert_eq!((one.state(), one.proven_at()), (two.state(), two.proven_at()));
    }
}

/// The properties would hold of a judge that never says compliant, too.
#[test]
fn rounds_of_each_state_are_tried() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let mut count = std::collections::BTreeMap::new();
    for _ in 0..2000 {
        let evidence = rounds().new_tree(&mut runner).unwrap().current();
        *count.entry(judged(&evidence).state()).or_insert(0) += 1;
    }
    for state in [State::Compliant, State::Unknown, State::Violated] {
        assert!(count.get(&state).copied().unwrap_or(0) > 50, "{count:?}");
    }
}
