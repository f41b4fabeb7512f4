//! The store against real files: what was acknowledged is there, and what is wrong is said.

use super::*;
use crate::model::{
    canary::{Acting, Personality},
    delivery::{CanaryEnding, CanarySession, Probe, Submission},
    requirement::{Level, Requirement},
    session::Phase,
};
use jiff::{SignedDuration, Timestamp};
use std::os::unix::fs::PermissionsExt;

const ID: &str = "0123456789abcdef1032";

fn noon() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

fn after(minutes: i64) -> Timestamp {
    noon() + SignedDuration::from_mins(minutes)
}

fn probe(id: &str, personality: Personality) -> Probe {
    Probe {
        id: id.to_owned(),
        personality,
        connector: "to-banks".to_owned(),
        requirement: Requirement::of(Level::Name),
        mail_from: "tls-probe@contoso.test".parse().unwrap(),
        rcpt_to: format!("token@{personality}.canary.test").parse().unwrap(),
        created_at: noon(),
        expires_at: after(60),
        submission: None,
    }
}

fn accepted() -> Submission {
    let reply = "250 2.0.0 Ok: queued as 4XyZ".to_owned();
    Submission::Accepted { at: after(1), reply, queue_id: Some("4XyZ".to_owned()) }
}

fn session(started_at: Timestamp) -> CanarySession {
    CanarySession {
        personality: Personality::NoStarttls,
        acting: Acting::AsItself,
        hostname: "mx.notls.canary.test".parse().unwrap(),
        local: "127.0.9.2:25".parse().unwrap(),
        peer: "127.0.0.1:40000".parse().unwrap(),
        started_at,
        finished_at: started_at,
        reached: Phase::Ehlo,
        ehlo: Some("mail.contoso.test".to_owned()),
        ehlo_answered: true,
        starttls: None,
        client_hello: None,
        tls: None,
        mail_from: None,
        is_mail_in_clear: false,
        rcpt_to: Vec::new(),
        probe: None,
        message: None,
        ending: CanaryEnding::Quit,
        transcript: vec!["C: EHLO mail.contoso.test".to_owned()],
    }
}

fn ids(probes: &[Probe]) -> Vec<&str> {
    probes.iter().map(|probe| probe.id.as_str()).collect()
}

#[test]
fn a_probe_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("a/state");
    let record = Record::open(&state).unwrap();
    record.add_probe(&probe(ID, Personality::NoStarttls)).unwrap();
    record.set_submission(ID, &accepted()).unwrap();
    drop(record);
    let record = Record::open(&state).unwrap();
    let expect = Probe { submission: Some(accepted()), ..probe(ID, Personality::NoStarttls) };
    let found = record.read().probe(ID).unwrap().unwrap();
    assert_eq!(found, SettledProbe { probe: expect.clone(), settled: None });
    assert_eq!(record.read().open_probes(Whose::All, noon()).unwrap(), [expect]);
    assert_eq!(record.read().probe("no such").unwrap(), None);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    for file in ["mxwarden.sqlite", "mxwarden.sqlite-wal", "lock"] {
        assert_eq!(mode(&state.join(file)), 0o600, "{file}");
    }
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let record = Record::open(dir.path()).unwrap();
    record.add_probe(&probe(ID, Personality::Good)).unwrap();
    record.reader.connection.execute_batch("BEGIN; DELETE FROM probe;").unwrap();
    // The files as a kill in the middle of a transaction leaves them, none closed in order.
    let left = tempfile::tempdir().unwrap();
    for file in ["mxwarden.sqlite", "mxwarden.sqlite-wal"] {
        std::fs::copy(dir.path().join(file), left.path().join(file)).unwrap();
    }
    let after_kill = Record::open(left.path()).unwrap();
    assert!(after_kill.read().probe(ID).unwrap().is_some());
}

#[test]
fn commits_are_synced() {
    let dir = tempfile::tempdir().unwrap();
    let record = Record::open(dir.path()).unwrap();
    let pragma = |name| {
        let connection = &record.reader.connection;
        connection.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
    };
    assert_eq!(pragma("synchronous").unwrap(), 2.into());
    assert_eq!(pragma("journal_mode").unwrap(), "wal".to_owned().into());
    assert_eq!(pragma("foreign_keys").unwrap(), 1.into());
}

#[test]
fn what_is_settled_or_expired_is_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let record = Record::open(dir.path()).unwrap();
    for (id, personality) in [("a", Personality::Good), ("b", Personality::NoStarttls)] {
        record.add_probe(&probe(id, personality)).unwrap();
    }
    let other = Probe { connector: "to-all".into(), ..probe("c", Personality::NoStarttls) };
    record.add_probe(&Probe { created_at: after(-1), ..other }).unwrap();
    let open = |whose, minutes| record.read().open_probes(whose, after(minutes)).unwrap();
    let domain = "no-starttls.canary.test".parse().unwrap();
    let canary = Whose::Canary { connector: "to-banks", personality: Personality::NoStarttls };
    assert_eq!(ids(&open(Whose::All, 0)), ["c", "a", "b"]);
    assert_eq!(ids(&open(Whose::Connector("to-banks"), 0)), ["a", "b"]);
    assert_eq!(ids(&open(canary, 0)), ["b"]);
    assert_eq!(ids(&open(Whose::Domain(&domain), 59)), ["c", "b"]);
    assert!(open(Whose::All, 60).is_empty());
    record.settle_probe("b", Settled::Drained, after(5)).unwrap();
    assert_eq!(ids(&open(Whose::Domain(&domain), 5)), ["c"]);
    // What became of it first stands.
    record.settle_probe("b", Settled::Expired, after(6)).unwrap();
    let found = record.read().probe("b").unwrap().unwrap();
    assert_eq!(found.settled, Some((Settled::Drained, after(5))));
    for how in Settled::ALL {
        let id = how.as_str();
        record.add_probe(&probe(id, Personality::Good)).unwrap();
        record.settle_probe(id, how, noon()).unwrap();
        let found = record.read().probe(id).unwrap().unwrap();
        assert_eq!(found.settled, Some((how, noon())));
    }
}

#[test]
fn what_is_not_there_is_not_changed() {
    let dir = tempfile::tempdir().unwrap();
    let record = Record::open(dir.path()).unwrap();
    #[track_caller]
    fn check(outcome: Result<(), RecordError>) {
        assert!(matches!(outcome, Err(RecordError::NoSuchProbe(id)) if id == "x"));
    }
    check(record.set_submission("x", &accepted()));
    check(record.settle_probe("x", Settled::Delivered, noon()));
    check(record.add_session("x", &session(noon())));
    record.add_probe(&probe(ID, Personality::Good)).unwrap();
    assert!(record.add_probe(&probe(ID, Personality::Good)).is_err());
}

#[test]
fn sessions_come_back_by_probe_and_by_domain() {
    let dir = tempfile::tempdir().unwrap();
    let record = Record::open(dir.path()).unwrap();
    record.add_probe(&probe(ID, Personality::NoStarttls)).unwrap();
    record.add_session(ID, &session(after(2))).unwrap();
    record.add_session(ID, &session(after(1))).unwrap();
    let at = |minutes| AttributedSession { probe: ID.to_owned(), session: session(after(minutes)) };
    assert_eq!(record.read().sessions_of(ID).unwrap(), [at(1), at(2)]);
    let domain = "no-starttls.canary.test".parse().unwrap();
    assert_eq!(record.read().sessions_since(&domain, after(2)).unwrap(), [at(2)]);
    let elsewhere = "good.canary.test".parse().unwrap();
    assert!(record.read().sessions_since(&elsewhere, noon()).unwrap().is_empty());
}

#[test]
fn a_directory_has_one_writer_and_many_readers() {
    let dir = tempfile::tempdir().unwrap();
    let told = Reader::open(dir.path()).unwrap_err().to_string();
    assert!(told.contains("there is no record yet"), "{told}");
    let record = Record::open(dir.path()).unwrap();
    let told = Record::open(dir.path()).unwrap_err().to_string();
    let expect = format!("another mxwarden holds {} (process ", dir.path().display());
    assert!(told.starts_with(&expect) && told.contains("stop it first"), "{told}");
    let reader = Reader::open(dir.path()).unwrap();
    record.add_probe(&probe(ID, Personality::Good)).unwrap();
    assert!(reader.probe(ID).unwrap().is_some());
    assert!(reader.connection.execute("DELETE FROM probe", []).is_err());
    drop(record);
    assert!(Record::open(dir.path()).is_ok());
}

#[test]
fn another_version_is_said_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let set = |version: i64| {
        let record = Connection::open(dir.path().join(FILE)).unwrap();
        record.pragma_update(None, "user_version", version).unwrap();
    };
    drop(Record::open(dir.path()).unwrap());
    set(99);
    for told in [
        Record::open(dir.path()).unwrap_err().to_string(),
        Reader::open(dir.path()).unwrap_err().to_string(),
    ] {
        assert!(told.contains("written by a newer mxwarden (its version is 99"), "{told}");
    }
    set(0);
    let told = Reader::open(dir.path()).unwrap_err().to_string();
    assert!(told.contains("written by an older mxwarden"), "{told}");
}

#[test]
fn a_damaged_file_is_said_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(FILE), "this is no database. ".repeat(100)).unwrap();
    let told = Record::open(dir.path()).unwrap_err().to_string();
    assert!(told.contains("is damaged") && told.contains("restore a copy"), "{told}");
    assert!(Reader::open(dir.path()).unwrap_err().to_string().contains("is damaged"));
}

#[test]
fn a_full_disk_is_said_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let record = Record::open(dir.path()).unwrap();
    record.add_probe(&probe(ID, Personality::Good)).unwrap();
    // SQLite's own bound on pages fails as a full file system does.
    let pages: i64 =
        record.reader.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    record.reader.connection.pragma_update(None, "max_page_count", pages).unwrap();
    let large = CanarySession { transcript: vec!["x".repeat(100_000)], ..session(noon()) };
    let told = record.add_session(ID, &large).unwrap_err().to_string();
    assert!(told.contains("no space is left") && told.contains("make room"), "{told}");
    assert!(record.read().probe(ID).unwrap().is_some());
}

#[test]
fn a_disk_that_cannot_be_written_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let record = Record::open(dir.path()).unwrap();
    // As on a file system that was remounted read-only.
    record.reader.connection.pragma_update(None, "query_only", true).unwrap();
    let error = record.add_probe(&probe(ID, Personality::Good)).unwrap_err();
    let told = error.to_string();
    assert!(error.is_store_away() && told.contains("see to its file system"), "{told}");
    assert!(
        record.commit(&Commit::default()).is_ok() && record.read().probe(ID).unwrap().is_none()
    );
}

#[test]
fn a_directory_that_cannot_be_made_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let told = Record::open(&file.join("state")).unwrap_err().to_string();
    assert!(told.contains("as state directory"), "{told}");
}
