mod cases;
mod make;
mod property;
mod senders;
mod table;

use super::*;
use cases::Case as Stored;
use senders::Sender;
use serde_json::Value;
use std::{fmt::Write as _, fs, path::PathBuf};

const LEVELS: [Level; 4] = [Level::Encrypt, Level::Ca, Level::Name, Level::Pinned];

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
    for probe in judged.probes() {
        let reply = probe.reply.as_deref().unwrap_or("-");
        let (kind, outcome, phase) = (probe.kind, probe.outcome, probe.phase.as_str());
        writeln!(text, "probe {kind} {outcome} {phase}: {reply}").unwrap();
    }
    if let Some(proven_at) = judged.proven_at() {
        writeln!(text, "proven {proven_at}").unwrap();
    }
    text
}

fn judged(evidence: &DeliveryEvidence) -> Judgement {
    judge(evidence, &Rules { now: evidence.finished_at })
}

/// As it was recorded, and as a round under each level would have been: what a sender does depends on its own
/// rule, not on ours.
fn told_at_each_level(evidence: &DeliveryEvidence) -> String {
    let mut text = told(&judged(evidence));
    for level in LEVELS {
        let judged = judged(&make::at_level(evidence.clone(), level));
        writeln!(text, "at {level}: {}: {}", judged.state(), judged.summary()).unwrap();
    }
    text
}

fn path(name: &str, end: &str) -> PathBuf {
    PathBuf::from(format!("{}/tests/data/evidence/{name}.{end}", env!("CARGO_MANIFEST_DIR")))
}

/// One line a session, probe and canary.
fn lines(evidence: &DeliveryEvidence) -> String {
    let Value::Object(fields) = serde_json::to_value(evidence).unwrap() else { unreachable!() };
    let field = |(name, value): (String, Value)| match value.as_array() {
        Some(each) if !each.is_empty() => {
            let each: Vec<String> = each.iter().map(|one| format!("\n  {one}")).collect();
            format!("\"{name}\": [{}\n]", each.join(","))
        }
        Some(_) | None => format!("\"{name}\": {value}"),
    };
    let fields: Vec<String> = fields.into_iter().map(field).collect();
    format!("{{\n{}\n}}\n", fields.join(",\n"))
}

/// Evidence as stored, and beside it what is said then. `UPDATE=1` writes the files of the cases anew, and the
/// states of all.
#[test]
fn stored_evidence_is_judged_as_it_was() {
    let update = std::env::var_os("UPDATE").is_some();
    if update {
        for Stored { name, evidence } in cases::all() {
            fs::write(path(&name, "json"), lines(&evidence)).unwrap();
        }
    }
    let (mut wrong, mut seen) = (String::new(), 0);
    for entry in fs::read_dir(path("x", "json").parent().unwrap()).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        if !name.starts_with("sender-") || file.extension().is_none_or(|end| end != "json") {
            continue;
        }
        seen += 1;
        let evidence = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let told = told_at_each_level(&evidence);
        if update {
            fs::write(path(&name, "state"), &told).unwrap();
        }
        let expected = fs::read_to_string(path(&name, "state")).unwrap();
        if told != expected {
            write!(wrong, "\n{name}: expected\n{expected}but is\n{told}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}\nUPDATE=1 takes what is said now");
    assert!(seen >= cases::all().len());
}

/// The stored form of today is that of the files, so that old evidence can be judged again.
#[test]
fn evidence_is_stored_as_in_the_files() {
    if std::env::var_os("UPDATE").is_some() {
        return; // They are being written.
    }
    for Stored { name, evidence } in cases::all() {
        assert_eq!(lines(&evidence), fs::read_to_string(path(&name, "json")).unwrap(), "{name}");
    }
}

/// Every column of the table of real senders, at every level: proved where it enforces, violated elsewhere.
#[test]
fn real_senders_are_told_apart() {
    use crate::model::state::State;
    for sender in Sender::all() {
        for level in LEVELS {
            let evidence = DeliveryEvidence { sessions: sender.sessions(), ..make::round(level) };
            let expect =
                if sender.is_enforcing(level) { State::Compliant } else { State::Violated };
            let judged = judged(&evidence);
            assert_eq!(judged.state(), expect, "{} at {level}: {}", sender.name, told(&judged));
        }
    }
}
