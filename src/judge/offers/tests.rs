mod cases;
mod make;

use super::*;
use crate::judge::certificate::tests::{chain, fixture, roots};
use crate::lab::ca::{Ca, LeafSpec, LeafUsage};
use crate::model::session::{
    ConnectFailure, Der, Ending, HandshakeFailure, Lost, NotTried, Phase, SeenBy, StartTls, Tls,
};
use crate::wire::smtp::Reply;
use cases::Case;
use make::{Standard, evidence, lab_roots, now, reply, session};
use std::{fmt::Write as _, fs, path::PathBuf};

/// State, summary, then what it rests on, one a line.
fn told(judged: &Judgement) -> String {
    let mut text = format!("{}\n{}\n", judged.state(), judged.summary());
    for finding in judged.findings() {
        writeln!(text, "{} {} {}: {}", finding.severity, finding.id, finding.subject, finding.seen)
            .unwrap();
    }
    for obstacle in judged.obstacles() {
        writeln!(text, "obstacle {} {}: {}", obstacle.id, obstacle.subject, obstacle.detail)
            .unwrap();
    }
    for endpoint in judged.endpoints() {
        let (address, channel) = (endpoint.address, endpoint.channel.as_str());
        writeln!(text, "endpoint {address} {} {channel}", endpoint.state).unwrap();
    }
    if let Some(proven_at) = judged.proven_at() {
        writeln!(text, "proven {proven_at}").unwrap();
    }
    text
}

fn path(name: &str, end: &str) -> PathBuf {
    PathBuf::from(format!("{}/tests/data/evidence/{name}.{end}", env!("CARGO_MANIFEST_DIR")))
}

fn pretty(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

/// Evidence as stored, beside it what it is judged by (`.rules`) and what is said then (`.state`).
/// `UPDATE=1` writes the files of the cases anew, and the states of all.
#[test]
fn stored_evidence_is_judged_as_it_was() {
    let update = std::env::var_os("UPDATE").is_some();
    if update {
        for Case { name, evidence, standard } in cases::all() {
            fs::write(path(name, "json"), pretty(&evidence)).unwrap();
            fs::write(path(name, "rules"), pretty(&standard)).unwrap();
        }
    }
    let roots = lab_roots();
    let mut wrong = String::new();
    let mut seen = 0;
    for entry in fs::read_dir(path("x", "json").parent().unwrap()).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_none_or(|end| end != "json") {
            continue;
        }
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        // Evidence of another claim: its judge reads it.
        if name.starts_with("receiver-") || name.starts_with("sender-") {
            continue;
        }
        seen += 1;
        let read = |end| fs::read_to_string(path(&name, end)).unwrap();
        let evidence: OffersEvidence = serde_json::from_str(&read("json")).unwrap();
        let standard: Standard = serde_json::from_str(&read("rules")).unwrap();
        let judged = told(&judge(&evidence, &standard.rules(&roots, evidence.finished_at)));
        if update {
            fs::write(path(&name, "state"), &judged).unwrap();
        } else if judged != read("state") {
            write!(wrong, "\n{name}: expected\n{}but is\n{judged}", read("state")).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}\nUPDATE=1 takes what is said now");
    assert!(seen >= cases::all().len());
}

/// The stored form of today is that of the files, so that old evidence can be judged again.
#[test]
fn evidence_is_stored_as_in_the_files() {
    for Case { name, evidence, standard } in cases::all() {
        let read = |end| fs::read_to_string(path(name, end)).unwrap();
        assert_eq!(pretty(&evidence), read("json"), "{name}");
        assert_eq!(pretty(&standard), read("rules"), "{name}");
    }
}

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

fn replies() -> impl Iterator<Item = Reply> {
    [220, 354, 421, 454, 502, 554].map(|code| reply(code, "text")).into_iter()
}

fn endings() -> Vec<Ending> {
    let words = || "words".to_owned();
    let mut endings = vec![
        Ending::Connect(ConnectFailure::Other(words())),
        Ending::Connect(ConnectFailure::Refused(words())),
        Ending::Connect(ConnectFailure::TimedOut(words())),
        Ending::Handshake(HandshakeFailure::Alert("handshake_failure".to_owned())),
        Ending::Handshake(HandshakeFailure::Alert("protocol_version".to_owned())),
        Ending::Handshake(HandshakeFailure::Lost(Lost::Eof)),
        Ending::Handshake(HandshakeFailure::Lost(Lost::Reset)),
        Ending::Handshake(HandshakeFailure::NotTls(words())),
        Ending::Handshake(HandshakeFailure::Protocol(words())),
        Ending::Handshake(HandshakeFailure::TimedOut),
        Ending::Handshake(HandshakeFailure::Unsupported(words())),
        Ending::Handshake(HandshakeFailure::VersionTooOld(words())),
        Ending::Internal(words()),
        Ending::NotTried(NotTried::FamilyUnavailable(words())),
        Ending::NotTried(NotTried::PrivateAddress),
        Ending::Quit,
    ];
    for phase in PHASES {
        endings.push(Ending::Deadline(phase));
        endings.push(Ending::Lost(phase, Lost::Eof));
        endings.push(Ending::Lost(phase, Lost::Reset));
        endings.push(Ending::Protocol(phase, words()));
        endings.push(Ending::TooMuchData(phase, words()));
        endings.extend(replies().map(|reply| Ending::Refused(phase, reply)));
    }
    endings
}

/// Whether an ending proves anything against the peer. No wildcard: a new ending is asked about here.
fn is_proof(ending: &Ending) -> bool {
    match ending {
        Ending::Connect(_)
        | Ending::Deadline(_)
        | Ending::Internal(_)
        | Ending::Lost(..)
        | Ending::NotTried(_)
        | Ending::Protocol(..)
        | Ending::Quit
        | Ending::TooMuchData(..) => false,
        Ending::Refused(phase, reply) => *phase == Phase::Starttls && reply.is_permanent(),
        Ending::Handshake(failure) => match failure {
            HandshakeFailure::Lost(_)
            | HandshakeFailure::TimedOut
            | HandshakeFailure::Unsupported(_) => false,
            HandshakeFailure::Alert(_)
            | HandshakeFailure::NotTls(_)
            | HandshakeFailure::Protocol(_)
            | HandshakeFailure::VersionTooOld(_) => true,
        },
    }
}

/// What a session may have seen of TLS before it ended, a completed handshake left out.
fn incomplete() -> Vec<Option<Tls>> {
    let whole = session("mx.example.test", "192.0.1.1", "good").tls.unwrap();
    let cut = Tls { completed: false, ..whole };
    let by_hello = Tls { seen_by: SeenBy::Hello, key_proved: false, ..cut.clone() };
    vec![None, Some(cut), Some(by_hello)]
}

fn starttls(tls: Option<&Tls>) -> Vec<StartTls> {
    let mut all = vec![StartTls::Agreed(reply(220, "go ahead"))];
    if tls.is_none() {
        all.extend([StartTls::Implicit, StartTls::NotAsked, StartTls::Unanswered]);
        all.extend(replies().map(StartTls::Refused));
    }
    all
}

/// Judges every way in which a session can end, at every level, with every answer to STARTTLS.
fn judge_all(tls: &[Option<Tls>], check: impl Fn(&Session, Level, State)) {
    let roots = lab_roots();
    let levels =
        [Level::Ca, Level::Dane, Level::Encrypt, Level::MtaSts, Level::Name, Level::Pinned];
    let pin = crate::wire::text::hex(&[0; 32]);
    for ending in endings() {
        let each = |tls: &Option<Tls>| {
            starttls(tls.as_ref()).into_iter().map(|starttls| (tls.clone(), starttls)).collect()
        };
        for (tls, starttls) in tls.iter().flat_map(|tls| -> Vec<_> { each(tls) }) {
            let mut session = session("mx.example.test", "192.0.1.1", "good");
            (session.tls, session.starttls) = (tls, starttls);
            session.ending = ending.clone();
            for level in levels {
                let standard = Standard::of(level).pin(&pin);
                let judged =
                    judge(&evidence(vec![session.clone()]), &standard.rules(&roots, now()));
                check(&session, level, judged.state());
                assert_eq!(judged.state(), judged.endpoints()[0].state, "{session:?}");
            }
        }
    }
}

#[test]
fn nothing_but_a_completed_handshake_is_compliant() {
    judge_all(&incomplete(), |session, level, state| {
        assert_ne!(state, State::Compliant, "{level} {session:?}");
    });
}

#[test]
fn what_proves_nothing_never_violates() {
    judge_all(&incomplete(), |session, level, state| {
        // A certificate that does not match a pin is proof of its own.
        let by_pin = level == Level::Pinned && session.tls.is_some();
        if !is_proof(&session.ending) && !by_pin {
            assert_eq!(state, State::Unknown, "{level} {session:?}");
        }
    });
}

#[test]
fn what_was_proved_before_the_end_stands() {
    let whole = session("mx.example.test", "192.0.1.1", "good").tls;
    judge_all(&[whole], |session, level, state| {
        let expect = match level {
            Level::Ca | Level::Encrypt | Level::Name => State::Compliant,
            Level::Dane | Level::MtaSts => State::Unknown,
            Level::Pinned => State::Violated,
        };
        assert_eq!(state, expect, "{level} {session:?}");
    });
}

#[test]
fn an_earlier_try_without_sni_is_made_where_tls_falls_short() {
    let roots = lab_roots();
    let standard = Standard::name();
    let mut lost = session("mx.example.test", "192.0.1.3", "good");
    (lost.tls, lost.ending) = (None, Ending::Connect(ConnectFailure::TimedOut("late".into())));
    let looked = evidence(vec![
        session("mx.example.test", "192.0.1.1", "good"),
        session("mx.example.test", "192.0.1.2", "expired"),
        lost,
        session("other.test", "192.0.1.4", "good"),
    ]);
    assert_eq!(falls_short(&judge(&looked, &standard.rules(&roots, now()))), [1, 3]);
    let encrypt = Standard::of(Level::Encrypt);
    assert_eq!(falls_short(&judge(&looked, &encrypt.rules(&roots, now()))), [0; 0]);
}

/// The findings about certificates at level `ca`, where an endpoint shows this chain.
#[track_caller]
fn check_chain(chain: Vec<Der>, root: &[u8], state: State, expect: &[&str]) {
    let roots = roots(&[root]);
    let standard = Standard::of(Level::Ca);
    let mut session = session("mx.example.test", "192.0.1.1", "good");
    session.tls.as_mut().unwrap().chain = chain;
    let judged = judge(&evidence(vec![session]), &standard.rules(&roots, now()));
    let told = judged.findings().iter().map(|finding| format!("{}: {}", finding.id, finding.seen));
    assert_eq!((judged.state(), told.collect::<Vec<_>>()), (state, owned(expect)));
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn what_lies_on_the_path_counts_and_nothing_else() {
    let root = Ca::new("Root", now()).unwrap();
    let long_ago = now() - jiff::SignedDuration::from_hours(24 * 4000);
    let old_root = Ca::new("Old Root", long_ago).unwrap();
    let host = || LeafSpec::host("mx.example.test");
    let good = chain(&root.intermediate("Middle").unwrap().issue(&host()).unwrap());
    let mut beside = good.clone();
    // Ended long ago, and signed with SHA-1: sent along, needed by nobody.
    beside.push(Der(old_root.issue(&LeafSpec::host("Copy").ca_true()).unwrap().leaf().to_vec()));
    beside.extend(fixture("sha1"));
    check_chain(good, root.certificate(), State::Compliant, &[]);
    check_chain(beside, root.certificate(), State::Compliant, &[]);
    // An issuer that may certify clients alone makes no servers, whatever the leaf says.
    let spec = LeafSpec::host("Clients CA").ca_true().usage(LeafUsage::Client);
    let clients = root.issuing_with(&spec).unwrap();
    check_chain(
        chain(&clients.issue(&host()).unwrap()),
        root.certificate(),
        State::Violated,
        &["cert-wrong-usage: extended key usage clientAuth (of the issuer `CN=Clients CA`)"],
    );
    let spec = LeafSpec::host("Ending CA").ca_true().expires_in_days(10);
    let ending = root.issuing_with(&spec).unwrap();
    check_chain(
        chain(&ending.issue(&host()).unwrap()),
        root.certificate(),
        State::Compliant,
        &[
            "cert-expires-soon: 10 days left: not_after 2026-02-10T12:00:00Z (of the issuer `CN=Ending CA`)",
        ],
    );
}

#[test]
fn days_left_are_whole_days() {
    let root = Ca::new("Root", now()).unwrap();
    let check = |hours: i64, expect: &[&str]| {
        let (day, hours) = (jiff::SignedDuration::from_hours(24), hours);
        let spec =
            LeafSpec::host("mx.example.test").valid(-day, jiff::SignedDuration::from_hours(hours));
        let leaf = chain(&root.issue(&spec).unwrap());
        check_chain(leaf, root.certificate(), State::Compliant, expect);
    };
    check(24 * 30, &[]); // thirty days are enough
    check(24 * 30 - 1, &["cert-expires-soon: 29 days left: not_after 2026-03-02T11:00:00Z"]);
    check(23, &["cert-expires-soon: 0 days left: not_after 2026-02-01T11:00:00Z"]);
}
