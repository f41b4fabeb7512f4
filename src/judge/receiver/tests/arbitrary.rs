//! Whatever comes, in whatever order: the two invariants of the judge, asked without its code.

use super::{
    make::{demand, ended, evidence, hello, now, refused, taken, with_certificate},
    rules,
};
use crate::judge::{receiver::judge, replies::ReplyTable};
use crate::model::{
    deep::HelloOutcome,
    enforcement::{Attempt, AttemptKind, Experiment},
    session::{ConnectFailure, Ending, HandshakeFailure, Lost, Phase},
    state::State,
};
use proptest::prelude::*;

/// Ways to end, and whether one may count as a refusal of less TLS: at once, or seen twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Taken,
    AtOnce,
    Twice,
    Never,
}

const SAID: [(&str, Way); 9] = [
    ("530 5.7.0 Must issue a STARTTLS command first", Way::AtOnce),
    ("550 A trusted client certificate is required", Way::AtOnce),
    ("554 5.7.1 Access denied", Way::Twice),
    ("450 4.7.1 Not now", Way::Twice),
    ("450 4.2.0 Greylisted", Way::Never),
    ("421 4.7.0 too many connections", Way::Never),
    ("550 5.1.1 User unknown", Way::Never),
    ("550 5.7.1 blocked using spamhaus", Way::Never),
    ("554 5.7.1 Relay access denied", Way::Never),
];

fn endings() -> Vec<(Phase, Ending, Way)> {
    let words = || "words".to_owned();
    let mut endings = vec![
        (Phase::Connect, Ending::Connect(ConnectFailure::TimedOut(words())), Way::Never),
        (Phase::Connect, Ending::Connect(ConnectFailure::Refused(words())), Way::Never),
        (Phase::Handshake, Ending::Handshake(HandshakeFailure::TimedOut), Way::Never),
        (Phase::Rcpt, Ending::Internal(words()), Way::Never),
        (Phase::Rcpt, Ending::Quit, Way::Never),
    ];
    for phase in [Phase::Connect, Phase::Ehlo, Phase::Mail, Phase::Rcpt] {
        let way = if phase < Phase::Mail { Way::Never } else { Way::Twice };
        endings.push((phase, Ending::Lost(phase, Lost::Reset), way));
        endings.push((phase, Ending::Deadline(phase), Way::Never));
        endings.push((phase, Ending::Protocol(phase, words()), Way::Never));
    }
    endings
}

fn attempt(kind: AttemptKind, which: usize, minutes: i64) -> (Attempt, Way) {
    let endings = endings();
    let way = which % (1 + SAID.len() + endings.len());
    if way == 0 {
        return (taken(kind, minutes), Way::Taken);
    }
    if let Some((said, way)) = SAID.get(way - 1) {
        return (refused(kind, minutes, said), *way);
    }
    let (phase, ending, way) = endings[way - 1 - SAID.len()].clone();
    (ended(kind, minutes, phase, ending), way)
}

type Ways = (usize, Vec<(usize, usize)>, usize, i64);

fn experiments() -> impl Strategy<Value = Vec<Ways>> {
    // Most controls pass, else nothing would ever be judged.
    let control = || prop_oneof![5 => Just(0usize), 1 => 0usize..40];
    let negative = (0usize..5, prop_oneof![1 => Just(0usize), 3 => 1usize..3, 3 => 1usize..40]);
    let negatives = proptest::collection::vec(negative, 0..4);
    proptest::collection::vec((control(), negatives, control(), 0i64..30), 0..4)
}

const KINDS: [AttemptKind; 5] = [
    AttemptKind::Plaintext,
    AttemptKind::NoClientCert,
    AttemptKind::SelfMadeClientCert,
    AttemptKind::LegacyTls,
    AttemptKind::NullSender,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn nothing_is_proved_without_proof(ways in experiments(), wants_certificate: bool) {
        let demand = if wants_certificate { with_certificate() } else { demand() };
        let counts = |kind| match kind {
            AttemptKind::Plaintext | AttemptKind::LegacyTls => true,
            AttemptKind::NoClientCert | AttemptKind::SelfMadeClientCert => wants_certificate,
            AttemptKind::Control
            | AttemptKind::ForeignAddress
            | AttemptKind::NullSender
            | AttemptKind::OtherClientCert => false,
        };
        let (mut clock, mut built) = (0, Vec::new());
        let mut seen: Vec<(AttemptKind, Way, bool)> = Vec::new();
        let (mut any_taken, mut any_control) = (false, false);
        for (first, negatives, second, pause) in ways {
            clock += pause;
            let (before, after) =
                (attempt(AttemptKind::Control, first, clock), attempt(AttemptKind::Control, second, clock));
            let sound = before.1 == Way::Taken && after.1 == Way::Taken;
            any_control |= before.1 == Way::Taken || after.1 == Way::Taken;
            let mut attempts = vec![before.0];
            for (kind, which) in negatives {
                let kind = KINDS[kind];
                let (made, way) = if kind == AttemptKind::LegacyTls {
                    let alert = HelloOutcome::Refused("protocol_version".to_owned());
                    (hello(clock, alert), Way::AtOnce)
                } else {
                    attempt(kind, which, clock)
                };
                if counts(kind) {
                    any_taken |= way == Way::Taken;
                    seen.push((kind, way, sound));
                }
                attempts.push(made);
            }
            attempts.push(after.0);
            built.push(Experiment { started_at: now(), attempts });
        }
        let replies = ReplyTable::built_in();
        let judged = judge(&evidence(demand, built), &rules(&replies));
        match judged.state() {
            State::Violated => prop_assert!(any_taken && any_control),
            State::Compliant => {
                prop_assert!(!any_taken && judged.obstacles().is_empty());
                let needed: &[AttemptKind] = if wants_certificate { &KINDS[..2] } else { &KINDS[..1] };
                for kind in needed.iter().copied() {
                    let of_kind = || seen.iter().filter(|(other, _, sound)| *other == kind && *sound);
                    let at_once = of_kind().any(|(_, way, _)| *way == Way::AtOnce);
                    let twice = of_kind().filter(|(_, way, _)| *way == Way::Twice).count() > 1;
                    prop_assert!(at_once || twice, "{kind}: {seen:?}");
                }
                // Nor was anything left that only ever ended otherwise.
                for (kind, ..) in &seen {
                    let mut ways = seen.iter().filter(|(other, ..)| other == kind);
                    prop_assert!(ways.any(|(_, way, sound)| *sound && *way != Way::Never));
                }
            }
            State::Unknown => prop_assert!(!judged.obstacles().is_empty()),
        }
    }
}
