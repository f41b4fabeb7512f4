mod arbitrary;
mod cases;
mod make;

use super::*;
use crate::model::{
    finding::{FindingId, Severity},
    state::State,
};
use make::{at, now};
use std::{fmt::Write as _, fs, path::PathBuf};

fn rules(replies: &ReplyTable) -> Rules<'_> {
    Rules { replies, now: now(), quorum: Quorum::All }
}

/// State, summary, then what it rests on, one a line.
fn told(evidence: &EnforcesEvidence) -> String {
    let replies = ReplyTable::built_in();
    let judged = judge(evidence, &rules(&replies));
    let mut text = format!("{}\n{}\n", judged.state(), judged.summary());
    for finding in judged.findings() {
        writeln!(text, "{} {} {}: {}", finding.severity, finding.id, finding.subject, finding.seen)
            .unwrap();
    }
    for obstacle in judged.obstacles() {
        writeln!(text, "obstacle {} {}: {}", obstacle.id, obstacle.subject, obstacle.detail)
            .unwrap();
    }
    for probe in judged.probes() {
        let class = probe.class.map_or("-", |class| class.as_str());
        let reply = probe.reply.as_deref().unwrap_or("-");
        writeln!(text, "probe {} {} {} {class}: {reply}", probe.kind, probe.outcome, probe.phase)
            .unwrap();
    }
    if let Some(proven_at) = judged.proven_at() {
        writeln!(text, "proven {proven_at}").unwrap();
    }
    if let Some(again) = look_again(evidence, &rules(&replies)) {
        writeln!(text, "again {} at {} endpoints", again.at, again.endpoints.len()).unwrap();
    }
    text
}

fn path(name: &str, end: &str) -> PathBuf {
    let root = env!("CARGO_MANIFEST_DIR");
    PathBuf::from(format!("{root}/tests/data/evidence/receiver-{name}.{end}"))
}

/// Every case is what its name says, its evidence is stored as it was, and is told as it was. `UPDATE=1`
/// writes the files anew.
#[test]
fn stored_evidence_is_judged_as_it_was() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = String::new();
    for (name, state, evidence) in cases::all() {
        let stored = serde_json::to_string_pretty(&evidence).unwrap() + "\n";
        if update {
            fs::write(path(name, "json"), &stored).unwrap();
            fs::write(path(name, "state"), told(&evidence)).unwrap();
        }
        let read = |end| fs::read_to_string(path(name, end)).unwrap_or_default();
        assert_eq!(stored, read("json"), "{name}");
        let evidence: EnforcesEvidence = serde_json::from_str(&stored).unwrap();
        let judged = told(&evidence);
        if judged != read("state") {
            write!(wrong, "\n{name}: expected\n{}but is\n{judged}", read("state")).unwrap();
        }
        if !judged.starts_with(state.as_str()) {
            write!(wrong, "\n{name}: expected {state}, but is\n{judged}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}\nUPDATE=1 takes what is said now");
}

/// Bounces that come in clear are told, and ask nothing of anybody.
#[test]
fn what_is_told_only_gives_no_advice() {
    let replies = ReplyTable::built_in();
    let mut seen = 0;
    for (name, _, evidence) in cases::all() {
        let judged = judge(&evidence, &rules(&replies));
        for finding in judged.findings().iter().filter(|one| one.id == FindingId::PlaintextAccepted)
        {
            let is_told_only = finding.advice == "Nothing to do: told only.";
            assert_eq!(is_told_only, finding.severity == Severity::Info, "{name}: {finding:?}");
            seen += usize::from(is_told_only);
        }
    }
    assert!(seen > 0);
}

#[test]
fn one_endpoint_among_many_is_enough_to_violate_and_too_few_to_prove() {
    use crate::model::enforcement::AttemptKind::Plaintext;
    let good = || vec![make::experiment(0, vec![make::refused(Plaintext, 0, cases::ENCRYPT)])];
    let open = || vec![make::experiment(3, vec![make::taken(Plaintext, 3)])];
    let busy = || vec![make::experiment(3, vec![make::refused(Plaintext, 3, "421 4.7.0 busy")])];
    let state = |all, quorum| {
        let replies = ReplyTable::built_in();
        let rules = Rules { quorum, ..rules(&replies) };
        let judged = judge(&make::at_endpoints(make::demand(), all), &rules);
        (judged.state(), judged.proven_at())
    };
    use Quorum::{All, Any};
    assert_eq!(state(vec![good(), good()], All), (State::Compliant, Some(at(0))));
    assert_eq!(state(vec![good(), busy()], All), (State::Unknown, None));
    assert_eq!(state(vec![good(), busy()], Any), (State::Compliant, Some(at(0))));
    assert_eq!(state(vec![busy(), busy()], Any), (State::Unknown, None));
    assert_eq!(state(vec![good(), open(), busy()], Any), (State::Violated, Some(at(3))));
    assert_eq!(state(vec![], All), (State::Unknown, None));
}
