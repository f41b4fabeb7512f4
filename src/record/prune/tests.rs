//! What is forgotten when, and what never is while something names it.

use super::*;
use crate::model::{
    delivery::Probe,
    event::Happening,
    requirement::{Level, Requirement},
    told::Change,
};
use crate::record::{Commit, EventQuery, digest, samples::*};

const DAY: Duration = Duration::from_secs(24 * 3600);
const DAY_MINUTES: i64 = 24 * 60;

fn open() -> (tempfile::TempDir, Record) {
    let dir = tempfile::tempdir().unwrap();
    let record = Record::open(dir.path()).unwrap();
    (dir, record)
}

/// Prunes as long as there is something; how much it took.
fn prune(record: &Record, days: i64, keep: u32, keep_violations: u32) -> usize {
    let mut all = 0;
    loop {
        let now = after(days * DAY_MINUTES);
        match record.prune(now, DAY * keep, DAY * keep_violations).unwrap() {
            0 => return all,
            taken => all += taken,
        }
    }
}

fn count(record: &Record, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    record.reader.connection.query_row(&sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn violations_and_their_evidence_live_longest() {
    let (_dir, record) = open();
    let (good, bad) = (seen("a", 0, State::Compliant, "x"), seen("a", 60, State::Violated, "y"));
    let (of_good, of_bad) = (digest(&good.body), digest(&bad.body));
    let events = vec![
        changed("01A", "a", 0, State::Compliant, &of_good),
        changed("01B", "a", 60, State::Violated, &of_bad),
        about_us("01C", 60, Happening::Stopped),
    ];
    record.commit(&Commit { events, ..looks(vec![good, bad]) }).unwrap();
    assert_eq!(prune(&record, 10, 11, 100), 0);
    // A look, two events.
    assert_eq!(prune(&record, 20, 10, 100), 3);
    let left = record.read().events(&EventQuery::default()).unwrap();
    assert_eq!(left.iter().map(|event| event.id.as_str()).collect::<Vec<_>>(), ["01B"]);
    assert_eq!(record.read().evidence(&of_good).unwrap(), None);
    assert!(record.read().evidence(&of_bad).unwrap().is_some());
    // The violations at last, and the claim, of which nothing is left.
    assert_eq!(prune(&record, 200, 10, 100), 3);
    for table in ["look", "event", "evidence", "subject"] {
        assert_eq!(count(&record, table), 0, "{table}");
    }
}

#[test]
fn what_a_claim_stands_on_stays_whatever_its_age() {
    let (_dir, record) = open();
    let look = seen("a", 0, State::Compliant, "x");
    let named = digest(&look.body);
    let standings = vec![standing("a", State::Compliant, &named)];
    record.commit(&Commit { standings, due: vec![due("a", 60, 0)], ..looks(vec![look]) }).unwrap();
    assert_eq!(prune(&record, 5000, 10, 100), 1);
    assert!(record.read().evidence(&named).unwrap().is_some());
    assert_eq!(record.read().standings().unwrap().len(), 1);
    // Until it stands on something else.
    let next = seen("a", 5000 * DAY_MINUTES, State::Compliant, "y");
    let standings = vec![standing("a", State::Compliant, &digest(&next.body))];
    record.commit(&Commit { standings, ..looks(vec![next]) }).unwrap();
    assert_eq!(record.read().evidence(&named).unwrap(), None);
    assert_eq!(count(&record, "evidence"), 1);
}

#[test]
fn a_body_that_was_forgotten_is_kept_again() {
    let (_dir, record) = open();
    let first = looks(vec![seen("a", 0, State::Compliant, "x")]);
    record.commit(&Commit { due: vec![due("a", 60, 0)], ..first }).unwrap();
    assert_eq!(record.prune(after(30), Duration::from_secs(60), DAY).unwrap(), 1);
    assert_eq!(count(&record, "evidence"), 0);
    record.commit(&looks(vec![seen("a", 60, State::Compliant, "x")])).unwrap();
    assert_eq!(count(&record, "evidence"), 1);
}

#[test]
fn it_goes_in_batches() {
    let (_dir, record) = open();
    let all = (0..2500).map(|minutes| seen("a", minutes, State::Compliant, "x")).collect();
    record.commit(&looks(all)).unwrap();
    let taken = |record: &Record| record.prune(after(10_000), DAY, DAY).unwrap();
    assert_eq!([taken(&record), taken(&record)], [1000, 1000]);
    assert_eq!(prune(&record, 10, 1, 1), 501); // the rest, and the claim
    assert_eq!(count(&record, "evidence"), 0);
}

#[test]
fn probes_go_with_their_sessions_and_forbidden_deliveries_last() {
    let (_dir, record) = open();
    let probe = |id: &str, personality, expires_at| Probe {
        id: id.to_owned(),
        personality,
        connector: "to-banks".to_owned(),
        requirement: Requirement::of(Level::Name),
        mail_from: "tls-probe@contoso.test".parse().unwrap(),
        rcpt_to: "token@canary.test".parse().unwrap(),
        created_at: noon(),
        expires_at,
        submission: None,
    };
    for (id, personality) in [
        ("refused", Personality::NoStarttls),
        ("delivered", Personality::NoStarttls),
        ("control", Personality::Good),
    ] {
        record.add_probe(&probe(id, personality, after(60))).unwrap();
    }
    record.add_probe(&probe("open", Personality::Good, after(1000 * DAY_MINUTES))).unwrap();
    for id in ["delivered", "control"] {
        record.settle_probe(id, Settled::Delivered, after(1)).unwrap();
        let sql = "INSERT INTO canary_session (probe, started_at, finished_at, body) VALUES (?1, 0, 0, '')";
        record.reader.connection.execute(sql, [id]).unwrap();
    }
    let left = |record: &Record| {
        let ids = ["refused", "delivered", "control", "open"];
        let is_there = |id: &&str| record.read().probe(id).unwrap().is_some();
        ids.into_iter().filter(is_there).collect::<Vec<_>>()
    };
    assert_eq!(prune(&record, 20, 10, 100), 2);
    assert_eq!(left(&record), ["delivered", "open"]);
    assert_eq!(count(&record, "canary_session"), 1);
    assert_eq!(prune(&record, 200, 10, 100), 1);
    assert_eq!(left(&record), ["open"]);
}

#[test]
fn an_event_that_was_heard_stays_so_until_it_is_gone() {
    let (_dir, record) = open();
    let events = vec![
        changed("01A", "a", 0, State::Violated, ""),
        changed("01B", "a", 0, State::Compliant, ""),
        about_us("01C", 15 * DAY_MINUTES, Happening::Stopped),
    ];
    record.commit(&Commit { events, ..Commit::default() }).unwrap();
    // The last was heard, and is still on its way into the record.
    for (event, days) in [("01A", 0), ("01B", 0), ("01C", 15), ("01D", 15)] {
        let at = after(days * DAY_MINUTES);
        record.keep_alerts(&[Change::Heard { event: event.to_owned(), at }]).unwrap();
    }
    let left = |record: &Record| {
        let memory = record.read().alert_memory(noon()).unwrap();
        assert_eq!(memory.unheard, [], "what is kept was heard");
        let events = record.read().events(&EventQuery::default()).unwrap();
        (events.len(), count(record, "alert_heard"))
    };
    assert_eq!(left(&record), (3, 4));
    // An event and its mark; the violation stays, and the young ones.
    assert_eq!(prune(&record, 20, 10, 100), 2);
    assert_eq!(left(&record), (2, 3));
    record.commit(&Commit { events: vec![late()], ..Commit::default() }).unwrap();
    assert_eq!(left(&record), (3, 3));
    // Two events and their marks, then the violation and its own.
    assert_eq!(prune(&record, 50, 10, 100), 4);
    assert_eq!(left(&record), (1, 1));
    assert_eq!(prune(&record, 200, 10, 100), 2);
    assert_eq!(left(&record), (0, 0));
}

fn late() -> crate::model::event::Event {
    about_us("01D", 15 * DAY_MINUTES, Happening::Stopped)
}

#[test]
fn marks_of_what_never_was_written_go_in_batches_as_well() {
    let (_dir, record) = open();
    let heard = |number: i64| Change::Heard { event: format!("{number:026}"), at: noon() };
    record.keep_alerts(&(0..1001).map(heard).collect::<Vec<_>>()).unwrap();
    let taken = || record.prune(after(20 * DAY_MINUTES), DAY, DAY).unwrap();
    assert_eq!([taken(), taken(), taken()], [1000, 1, 0]);
}
