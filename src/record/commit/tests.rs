//! What a commit leaves in the store, and what it does not.

use super::*;
use crate::record::{EventQuery, Looked, RecordError, digest, samples::*};
use proptest::prelude::*;
use std::path::Path;

const DAY: i64 = 24 * 60;

fn open() -> (tempfile::TempDir, Record) {
    let dir = tempfile::tempdir().unwrap();
    let record = Record::open(dir.path()).unwrap();
    (dir, record)
}

/// The looks of a partner, oldest first: minutes, state, whether its evidence was kept.
fn told(record: &Record, partner: &str) -> Vec<(i64, State, bool)> {
    let mut looks = record.read().looks(partner, OFFERS, Timestamp::MIN, 1000).unwrap();
    looks.reverse();
    let told = looks.iter().map(|Looked { at, state, evidence }| {
        let minutes = at.duration_since(noon()).as_mins();
        if let Some(digest) = evidence {
            assert!(record.read().evidence(digest).unwrap().is_some());
        }
        (minutes, *state, evidence.is_some())
    });
    told.collect()
}

#[test]
fn everything_comes_back_as_it_was() {
    let (dir, record) = open();
    let look = seen("Fabrikam", 0, State::Violated, "mx");
    let digest = digest(&look.body);
    let other: Claim = "inbound/receiver-offers".parse().unwrap();
    let commit = Commit {
        looks: vec![look.clone()],
        standings: vec![standing("Fabrikam", State::Violated, &digest)],
        events: vec![
            changed("01A", "Fabrikam", 0, State::Violated, &digest),
            about_us("01B", 1, Happening::Started { version: "0.1.0".to_owned() }),
        ],
        heard: vec![("01B".to_owned(), after(1))],
        due: vec![Due { claim: other, ..due("Fabrikam", 90, 0) }, due("Contoso", 60, 3)],
        gone: Vec::new(),
    };
    record.commit(&commit).unwrap();
    drop(record);
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.standings().unwrap(), commit.standings);
    assert_eq!(reader.evidence(&digest).unwrap(), Some(look.body));
    let events = reader.events(&EventQuery::default()).unwrap();
    assert_eq!(events, [commit.events[1].clone(), commit.events[0].clone()]);
    assert_eq!(reader.alert_memory(noon()).unwrap().unheard, [commit.events[0].clone()]);
    assert_eq!(reader.due().unwrap(), [commit.due[1].clone(), commit.due[0].clone()]);
    assert_eq!(reader.partners().unwrap(), ["Contoso", "Fabrikam"]);
    assert_eq!(reader.evidence("sha256:00").unwrap(), None);
}

#[test]
fn a_body_is_kept_on_change_for_violations_and_daily() {
    use State::{Compliant, Unknown, Violated};
    let (_dir, record) = open();
    #[rustfmt::skip]
    let course = [
        (0, Compliant, "a", true),         // the first
        (60, Compliant, "a", false),       // nothing new
        (120, Compliant, "b", true),       // another greeting
        (180, Compliant, "b", false),
        (240, Unknown, "b", true),         // another state of the same
        (300, Violated, "b", true),
        (360, Violated, "b", true),        // every violation
        (420, Compliant, "b", true),
        (480, Compliant, "b", false),
        (420 + DAY - 1, Compliant, "b", false),
        (420 + DAY, Compliant, "b", true), // a day after the last
        (421 + DAY, Compliant, "b", false),
    ];
    for (minutes, state, said, _) in course {
        record.commit(&looks(vec![seen("Fabrikam", minutes, state, said)])).unwrap();
    }
    let expect: Vec<_> = course.iter().map(|(at, state, _, kept)| (*at, *state, *kept)).collect();
    assert_eq!(told(&record, "Fabrikam"), expect);
    // A clock that was set back keeps nothing away.
    record.commit(&looks(vec![seen("Fabrikam", -60, Compliant, "b")])).unwrap();
    assert_eq!(told(&record, "Fabrikam")[0], (-60, Compliant, true));
}

#[test]
fn a_look_without_evidence_leaves_what_the_next_is_compared_with() {
    let (_dir, record) = open();
    let nothing = Seen { body: Vec::new(), ..seen("Fabrikam", 60, State::Unknown, "") };
    record.commit(&looks(vec![seen("Fabrikam", 0, State::Compliant, "a"), nothing])).unwrap();
    record.commit(&looks(vec![seen("Fabrikam", 120, State::Compliant, "a")])).unwrap();
    let expect =
        [(0, State::Compliant, true), (60, State::Unknown, false), (120, State::Compliant, false)];
    assert_eq!(told(&record, "Fabrikam"), expect);
}

#[test]
fn one_look_serves_every_claim_that_rests_on_it() {
    let (_dir, record) = open();
    record.commit(&looks(vec![seen("a", 0, State::Compliant, "x")])).unwrap();
    let mut shared = seen("a", 60, State::Compliant, "x");
    shared.claims.push(("b".to_owned(), OFFERS));
    record.commit(&looks(vec![shared])).unwrap();
    // It is the first for `b`; what is kept serves both.
    assert_eq!(told(&record, "a"), [(0, State::Compliant, true), (60, State::Compliant, true)]);
    assert_eq!(told(&record, "b"), [(60, State::Compliant, true)]);
}

#[test]
fn an_event_keeps_the_evidence_it_names_and_a_standing_names_what_was_kept() {
    let (_dir, record) = open();
    let first = seen("Fabrikam", 0, State::Compliant, "a");
    let (second, third) =
        (seen("Fabrikam", 60, State::Compliant, "a"), seen("Fabrikam", 120, State::Compliant, "a"));
    record.commit(&looks(vec![first])).unwrap();
    let named = digest(&second.body);
    let events = vec![changed("01A", "Fabrikam", 60, State::Compliant, &named)];
    record.commit(&Commit { events, ..looks(vec![second]) }).unwrap();
    assert!(record.read().evidence(&named).unwrap().is_some());
    let unkept = digest(&third.body);
    let standings = vec![standing("Fabrikam", State::Compliant, &unkept)];
    record.commit(&Commit { standings, ..looks(vec![third]) }).unwrap();
    assert_eq!(record.read().evidence(&unkept).unwrap(), None);
    assert_eq!(record.read().standings().unwrap()[0].evidence, named);
}

#[test]
fn written_again_it_changes_nothing() {
    let (_dir, record) = open();
    let look = seen("Fabrikam", 0, State::Violated, "a");
    let digest = digest(&look.body);
    let commit = Commit {
        events: vec![changed("01A", "Fabrikam", 0, State::Violated, &digest)],
        standings: vec![standing("Fabrikam", State::Violated, &digest)],
        due: vec![due("Fabrikam", 60, 0)],
        ..looks(vec![look, seen("Fabrikam", 60, State::Compliant, "a")])
    };
    record.commit(&commit).unwrap();
    let everything = |record: &Record| {
        let reader = record.read();
        let looks = reader.looks("Fabrikam", OFFERS, Timestamp::MIN, 99).unwrap();
        let events = reader.events(&EventQuery::default()).unwrap();
        (looks, events, reader.standings().unwrap(), reader.due().unwrap())
    };
    let before = everything(&record);
    record.commit(&commit).unwrap();
    assert_eq!(everything(&record), before);
}

#[test]
fn looks_in_one_millisecond_are_all_there() {
    let (_dir, record) = open();
    let all = [State::Compliant, State::Violated, State::Unknown];
    record.commit(&looks(all.map(|state| seen("Fabrikam", 0, state, "a")).into())).unwrap();
    let states: Vec<_> = told(&record, "Fabrikam").iter().map(|(_, state, _)| *state).collect();
    assert_eq!(states, all);
}

#[test]
fn what_is_gone_stands_for_nothing_and_keeps_its_history() {
    let (_dir, record) = open();
    let commit = Commit {
        standings: vec![
            standing("Fabrikam", State::Compliant, ""),
            standing("Contoso", State::Unknown, ""),
        ],
        due: vec![due("Fabrikam", 60, 0)],
        ..looks(vec![seen("Fabrikam", 0, State::Compliant, "a")])
    };
    record.commit(&commit).unwrap();
    let gone = vec![("Fabrikam".to_owned(), OFFERS)];
    record.commit(&Commit { gone, ..Commit::default() }).unwrap();
    let partners: Vec<_> =
        record.read().standings().unwrap().into_iter().map(|s| s.partner).collect();
    assert_eq!(partners, ["Contoso"]);
    assert!(record.read().due().unwrap().is_empty());
    assert_eq!(told(&record, "Fabrikam"), [(0, State::Compliant, true)]);
}

#[test]
fn events_are_found_by_partner_and_time() {
    let (_dir, record) = open();
    let events = vec![
        changed("01A", "a", 0, State::Violated, ""),
        changed("01B", "b", 10, State::Compliant, ""),
        about_us("01C", 20, Happening::Stopped),
        changed("01D", "a", 30, State::Compliant, ""),
    ];
    record.commit(&Commit { events, ..Commit::default() }).unwrap();
    #[track_caller]
    fn check(record: &Record, query: EventQuery, expect: &[&str]) {
        let found = record.read().events(&query).unwrap();
        let ids: Vec<_> = found.iter().map(|event| event.id.as_str()).collect();
        assert_eq!(ids, expect, "{query:?}");
    }
    let all = EventQuery::default;
    let of = |partner: &str| EventQuery { partner: Some(partner.to_owned()), ..all() };
    check(&record, all(), &["01D", "01C", "01B", "01A"]);
    check(&record, of("a"), &["01D", "01A"]);
    check(&record, EventQuery { limit: Some(1), ..of("a") }, &["01D"]);
    check(&record, EventQuery { since: Some(after(10)), ..all() }, &["01D", "01C", "01B"]);
    check(&record, EventQuery { until: Some(after(30)), ..of("a") }, &["01A"]);
    check(&record, of("nobody"), &[]);
}

#[test]
fn a_full_disk_takes_a_commit_back_whole() {
    let (_dir, record) = open();
    record.commit(&looks(vec![seen("Fabrikam", 0, State::Compliant, "a")])).unwrap();
    fill(&record);
    // What zstd cannot make small.
    let noise: String =
        (0..40_000u32).map(|n| format!("{:x}", n.wrapping_mul(2_654_435_761))).collect();
    let commit = Commit {
        events: vec![changed("01A", "Fabrikam", 60, State::Violated, "")],
        ..looks(vec![seen("Fabrikam", 60, State::Violated, &noise)])
    };
    let error = record.commit(&commit).unwrap_err();
    assert!(error.is_store_away() && matches!(error, RecordError::Full { .. }), "{error}");
    assert!(error.to_string().contains("make room"), "{error}");
    assert_eq!(told(&record, "Fabrikam"), [(0, State::Compliant, true)]);
    assert!(record.read().events(&EventQuery::default()).unwrap().is_empty());
    make_room(&record);
    record.commit(&commit).unwrap();
    assert_eq!(told(&record, "Fabrikam").len(), 2);
}

#[test]
fn evidence_that_was_altered_is_said() {
    let (dir, record) = open();
    let look = seen("Fabrikam", 0, State::Compliant, "a");
    let digest = digest(&look.body);
    record.commit(&looks(vec![look])).unwrap();
    let other = zstd::bulk::compress(&body(noon(), "b"), 3).unwrap();
    for (octets, body) in
        [(i64::MAX, other.clone()), (-1, other.clone()), (60, Vec::new()), (200, other)]
    {
        let sql = "UPDATE evidence SET octets = ?1, body = ?2";
        record.reader.connection.execute(sql, (octets, body)).unwrap();
        let told = record.read().evidence(&digest).unwrap_err().to_string();
        assert!(told.contains("is not what was written there") && told.contains(&digest), "{told}");
    }
    drop(dir);
}

#[test]
fn damage_in_the_middle_of_the_file_is_said_when_it_is_opened() {
    let (dir, record) = open();
    for minutes in 0..200 {
        record.commit(&looks(vec![seen("Fabrikam", minutes, State::Violated, "a")])).unwrap();
    }
    drop(record);
    let path: &Path = &dir.path().join("mxwarden.sqlite");
    let mut file = std::fs::read(path).unwrap();
    let (from, to) = (file.len() / 2, file.len() / 2 + 8192);
    file[from..to].fill(0xa5);
    std::fs::write(path, &file).unwrap();
    let error = Record::open(dir.path()).unwrap_err();
    let told = error.to_string();
    assert!(told.contains("is damaged") && told.contains("restore a copy"), "{told}");
    assert_eq!(std::fs::read(path).unwrap(), file);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn no_look_is_lost_and_none_is_without_what_it_rests_on(
        course in proptest::collection::vec((0..2usize, 0..3usize, 0..3usize, 1..900i64), 1..40)
    ) {
        let (dir, record) = open();
        let mut at = 0;
        let mut expect: [Vec<(i64, State, usize)>; 2] = [Vec::new(), Vec::new()];
        for (partner, state, said, pause) in course {
            at += pause;
            let state = [State::Compliant, State::Unknown, State::Violated][state];
            record.commit(&looks(vec![seen(["a", "b"][partner], at, state, ["x", "y", "z"][said])])).unwrap();
            expect[partner].push((at, state, said));
        }
        drop(record);
        let record = Record::open(dir.path()).unwrap();
        for (partner, expect) in ["a", "b"].into_iter().zip(expect) {
            let told = told(&record, partner);
            let looked: Vec<_> = expect.iter().map(|(at, state, _)| (*at, *state)).collect();
            prop_assert_eq!(told.iter().map(|(at, state, _)| (*at, *state)).collect::<Vec<_>>(), looked);
            let mut last: Option<(i64, State, usize)> = None;
            for ((at, state, said), (.., kept)) in expect.into_iter().zip(told) {
                let is_news = last.is_none_or(|(kept_at, was, text)| {
                    was != state || text != said || at - kept_at >= DAY || state == State::Violated
                });
                prop_assert_eq!(kept, is_news);
                if kept {
                    last = Some((at, state, said));
                }
            }
        }
    }
}
