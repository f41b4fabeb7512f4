//! Databases of every version stay in `tests/data/db` and must open for ever.
//!
//! `UPDATE=1 cargo test record::schema` writes the one of the version that this program knows, where there is none:
//! [`make`] says of what. One that is there is never written again. Version 1 was made of `0001_init.sql` with the same
//! probe and the same leave to probe, by the `sqlite3` module of Python.

use super::*;
use crate::model::{claim::Claim, event::Happening, state::State, told::Change};
use crate::record::{Commit, EventQuery, FILE, Record, Settled, Whose, digest, samples::*};
use std::{
    fs,
    path::{Path, PathBuf},
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/db")
}

fn stored(version: usize) -> PathBuf {
    folder().join(format!("v{version}.sqlite"))
}

/// A state directory with a copy of a stored database.
fn copy_of(version: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::copy(stored(version), dir.path().join(FILE)).unwrap();
    dir
}

const PROBE: &str = r#"{"id":"0123456789abcdef1032","personality":"no-starttls","connector":"to-banks",
    "requirement":{"level":"name","names":[],"min_version":"1.2"},"mail_from":"tls-probe@contoso.test",
    "rcpt_to":"token@notls.canary.test","created_at":"2026-01-31T12:00:00Z",
    "expires_at":"2026-02-01T12:00:00Z","submission":null}"#;

/// What is in a stored database, as far as its version could hold it.
fn sample() -> Commit {
    let (good, bad) =
        (seen("Fabrikam", 0, State::Compliant, "mx"), seen("Fabrikam", 60, State::Violated, "my"));
    let named = digest(&bad.body);
    Commit {
        standings: vec![standing("Fabrikam", State::Violated, &named)],
        events: vec![
            about_us(
                "01KGATX0G0AAAAAAAAAAAAAAAA",
                0,
                Happening::Started { version: "0.1.0".into() },
            ),
            changed("01KGAXBV00AAAAAAAAAAAAAAAA", "Fabrikam", 60, State::Violated, &named),
        ],
        heard: Vec::new(),
        due: vec![due("Fabrikam", 120, 2)],
        gone: vec![("Contoso".to_owned(), Claim::OUTBOUND_RECEIVER_OFFERS)],
        looks: vec![good, bad],
    }
}

fn make(version: usize) {
    let dir = tempfile::tempdir().unwrap();
    let record = Record::open(dir.path()).unwrap();
    record.add_probe(&serde_json::from_str(PROBE).unwrap()).unwrap();
    record.settle_probe("0123456789abcdef1032", Settled::Drained, after(5)).unwrap();
    record.set_agreed_probe("Fabrikam", noon()).unwrap();
    record.commit(&sample()).unwrap();
    let heard = &sample().events[0];
    record.keep_alerts(&[Change::Heard { event: heard.id.clone(), at: heard.at }]).unwrap();
    drop(record);
    fs::copy(dir.path().join(FILE), stored(version)).unwrap();
}

#[test]
fn every_version_opens_and_reads() {
    let newest = MIGRATIONS.len();
    if std::env::var_os("UPDATE").is_some() && !stored(newest).exists() {
        make(newest);
    }
    assert!(stored(newest).exists(), "UPDATE=1 makes {}", stored(newest).display());
    for version in 1..=newest {
        let dir = copy_of(version);
        let record = Record::open(dir.path()).unwrap();
        let reader = record.read();
        let probe = reader.probe("0123456789abcdef1032").unwrap().unwrap();
        assert_eq!(probe.settled, Some((Settled::Drained, after(5))), "v{version}");
        assert!(reader.open_probes(Whose::All, noon()).unwrap().is_empty());
        assert_eq!(reader.last_agreed_probe("Fabrikam").unwrap(), Some(noon()));
        if version >= 2 {
            let Commit { looks, standings, mut events, due, .. } = sample();
            events.reverse();
            assert_eq!(reader.standings().unwrap(), standings, "v{version}");
            assert_eq!(reader.events(&EventQuery::default()).unwrap(), events, "v{version}");
            assert_eq!(reader.due().unwrap(), due, "v{version}");
            let found = reader.looks("Fabrikam", OFFERS, noon(), 9).unwrap();
            let found: Vec<_> = found
                .iter()
                .rev()
                .map(|look| reader.evidence(look.evidence.as_deref().unwrap()).unwrap().unwrap())
                .collect();
            assert_eq!(found, looks.into_iter().map(|look| look.body).collect::<Vec<_>>());
        }
        // Since version 4 it is known who heard of what; what is older was heard.
        let unheard = if version >= 4 { &sample().events[1..] } else { &[] };
        assert_eq!(reader.alert_memory(noon()).unwrap().unheard, unheard, "v{version}");
        // It was brought up to date, and takes what this version writes.
        record.commit(&sample()).unwrap();
        drop(record);
        assert!(Reader::open(dir.path()).is_ok(), "v{version}");
    }
}

#[test]
fn an_older_one_is_left_alone_by_a_reader() {
    let dir = copy_of(1);
    let before = fs::read(dir.path().join(FILE)).unwrap();
    let told = Reader::open(dir.path()).unwrap_err().to_string();
    assert!(told.contains("written by an older mxwarden (its version is 1"), "{told}");
    assert_eq!(fs::read(dir.path().join(FILE)).unwrap(), before);
}

#[test]
fn a_migration_that_fails_leaves_the_version_that_was() {
    let dir = copy_of(1);
    // In the way of what the next version makes.
    let connection = rusqlite::Connection::open(dir.path().join(FILE)).unwrap();
    connection.execute_batch("CREATE TABLE standing (x INTEGER)").unwrap();
    drop(connection);
    let told = Record::open(dir.path()).unwrap_err().to_string();
    assert!(told.contains("bringing up to date"), "{told}");
    let connection = rusqlite::Connection::open(dir.path().join(FILE)).unwrap();
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    let made = "SELECT count(*) FROM sqlite_schema WHERE name = 'subject'";
    let made: i64 = connection.query_row(made, [], |row| row.get(0)).unwrap();
    assert_eq!((version, made), (1, 0));
}
