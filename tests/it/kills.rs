//! A writer that is killed at any moment, again and again, on the same record: what it said was there is there.
//!
//! 1. The program that runs the test runs itself as the writer: it commits, and prints each number once the commit was
//!    acknowledged.
//! 2. After so many numbers, drawn anew each time and none at all among them, it is killed with SIGKILL, while it is
//!    opening, writing or between two commits.
//! 3. The record must open, be sound, and hold every number that was printed, whole; then it goes on from there.

use jiff::{SignedDuration, Timestamp};
use mxwarden::{
    daemon::store::Store,
    model::{
        canary::Personality,
        claim::Claim,
        delivery::Probe,
        event::{Event, Happening},
        requirement::{Level, Requirement},
        state::State,
    },
    record::{Commit, Due, EventQuery, Reader, Record, Seen, digest},
};
use std::{
    env,
    hash::{BuildHasher, RandomState},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// Says to a process that it is the writer, and where.
const WRITER: &str = "MXWARDEN_TEST_KILLED_IN";
/// The most numbers that are waited for before a kill.
const NUMBERS: u64 = 24;
const CLAIM: Claim = Claim::OUTBOUND_RECEIVER_OFFERS;

/// Where this process is to write, if it is the writer.
pub(crate) fn is_writer() -> Option<PathBuf> {
    env::var_os(WRITER).map(PathBuf::from)
}

fn at(number: u64) -> Timestamp {
    let begin: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
    begin + SignedDuration::from_mins(i64::try_from(number).unwrap())
}

fn id(number: u64) -> String {
    format!("{number:026}")
}

fn body(number: u64) -> Vec<u8> {
    format!("{{\"number\":{number},\"filling\":\"{}\"}}", "x".repeat(3000)).into_bytes()
}

fn commit(number: u64) -> Commit {
    let (partner, body) = ("Fabrikam".to_owned(), body(number));
    let what = Happening::StateChanged {
        from: State::Unknown,
        to: State::Violated,
        summary: "seen".to_owned(),
        findings: Vec::new(),
        obstacles: Vec::new(),
        evidence: digest(&body),
    };
    let claims = vec![(partner.clone(), CLAIM)];
    Commit {
        looks: vec![Seen { claims, at: at(number), state: State::Violated, body }],
        events: vec![Event {
            id: id(number),
            at: at(number),
            partner: Some(partner.clone()),
            claim: Some(CLAIM),
            what,
        }],
        due: vec![Due { partner, claim: CLAIM, at: at(number), streak: 0 }],
        ..Commit::default()
    }
}

fn probe(number: u64) -> Probe {
    Probe {
        id: id(number),
        personality: Personality::Good,
        connector: "to-banks".to_owned(),
        requirement: Requirement::of(Level::Name),
        mail_from: "tls-probe@contoso.test".parse().unwrap(),
        rcpt_to: "token@good.canary.test".parse().unwrap(),
        created_at: at(number),
        expires_at: at(number + 60),
        submission: None,
    }
}

/// Commits until it is killed.
pub(crate) fn write_until_killed(state_dir: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(state_dir, |_| {}).unwrap();
        let due = store.read(Reader::due).await.unwrap();
        let written = due.first().map(|due| due.at.duration_since(at(0)).as_mins());
        let first = written.map_or(0, |written| u64::try_from(written).unwrap() + 1);
        for number in first.. {
            store.commit(commit(number)).await.unwrap();
            // The commit and the probe race; both are there once both were acknowledged. One may be left of a kill.
            let probed = store.ledger().add_probe(probe(number)).await;
            store.flush(Duration::from_secs(60)).await.unwrap();
            let was_left = probed.is_err();
            let mut out = std::io::stdout().lock();
            writeln!(out, "written {number} {}", if was_left { "again" } else { "now" }).unwrap();
            out.flush().unwrap();
        }
    });
}

/// Kills a writer so often; `writer` is this program in the role of the writer.
pub(crate) fn storm(kills: usize, writer: impl Fn() -> Command) {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged: Option<u64> = None;
    for kill in 0..kills {
        let drawn = RandomState::new().hash_one(kill);
        if let Some(number) = run_and_kill(writer(), dir.path(), drawn) {
            acknowledged = Some(number);
        }
        check(dir.path(), acknowledged, &format!("kill {kill}, drawn {drawn}"));
    }
    assert!(
        acknowledged.is_some_and(|number| number as usize >= kills),
        "the writer came to nothing"
    );
}

/// The last number that was acknowledged.
fn run_and_kill(mut writer: Command, dir: &Path, drawn: u64) -> Option<u64> {
    let mut child =
        writer.env(WRITER, dir).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut last = None;
    let mut note = |line: &str| {
        // A test's own words stand before the first.
        if let Some(at) = line.find("written ") {
            let number = line[at..].split(' ').nth(1).unwrap();
            last = Some(number.parse().unwrap());
            return true;
        }
        false
    };
    let mut wanted = drawn % (NUMBERS + 1);
    while wanted > 0 {
        let line = lines.next().unwrap().unwrap();
        wanted -= u64::from(note(&line));
    }
    // Somewhere in what it does next.
    for _ in 0..(drawn >> 32) % 4096 {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    // What it had said before it died counts as well; a line cut short was not said.
    while let Some(Ok(line)) = lines.next() {
        if line.ends_with("now") || line.ends_with("again") {
            note(&line);
        }
    }
    child.wait().unwrap();
    last
}

fn check(dir: &Path, acknowledged: Option<u64>, when: &str) {
    let opened = Record::open(dir);
    assert!(opened.is_ok(), "{when}: {opened:?}");
    let record = opened.unwrap();
    let connection = rusqlite::Connection::open(dir.join("mxwarden.sqlite")).unwrap();
    let sound: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok", "{when}");
    let Some(acknowledged) = acknowledged else { return };
    let events = record.read().events(&EventQuery::default()).unwrap();
    let looks = record.read().looks("Fabrikam", CLAIM, at(0), usize::MAX).unwrap();
    // A commit is there whole or not at all, so both end with the same.
    assert_eq!(events.len(), looks.len(), "{when}");
    assert!(events.len() as u64 > acknowledged, "{when}: {} of {acknowledged}", events.len());
    for (number, (event, look)) in (0..).zip(events.iter().rev().zip(looks.iter().rev())) {
        assert_eq!((event.id.clone(), look.at), (id(number), at(number)), "{when}");
        let evidence = record.read().evidence(look.evidence.as_deref().unwrap()).unwrap();
        assert_eq!(evidence, Some(body(number)), "{when}");
    }
    for number in 0..=acknowledged {
        assert!(record.read().probe(&id(number)).unwrap().is_some(), "{when}: probe {number}");
    }
}
