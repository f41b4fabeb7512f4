//! The store while its disk is full, while it is slow to come back, and while nobody waits for it. Time is paused: the
//! writing thread must hold it still.

use super::*;
use crate::model::delivery::Submission;
use crate::model::{
    canary::Personality,
    delivery::Probe,
    requirement::{Level, Requirement},
    state::State,
};
use crate::record::Settled;
use crate::record::{EventQuery, Seen, samples::*};
use std::sync::Mutex;

const SOON: Duration = Duration::from_secs(5);

/// What was measured.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<Signal>>>);

impl Heard {
    fn all(&self) -> Vec<Signal> {
        self.0.lock().unwrap().clone()
    }
}

fn open(room: usize) -> (tempfile::TempDir, Store, Heard) {
    let dir = tempfile::tempdir().unwrap();
    let heard = Heard::default();
    let hears = heard.clone();
    let signals: Signals = Arc::new(move |signal| hears.0.lock().unwrap().push(signal));
    let store = Store::with_room(Record::open(dir.path()).unwrap(), signals, room).unwrap();
    (dir, store, heard)
}

/// Nothing that needs a page more can be written.
async fn fill_disk(store: &Store) {
    store.with(|record| Ok(fill(record))).await.unwrap();
}

async fn free_disk(store: &Store) {
    store.with(|record| Ok(make_room(record))).await.unwrap();
}

/// A look that needs pages of its own: zstd cannot make it small.
fn large(minutes: i64) -> Seen {
    let noise =
        |n: u32| format!("{:x}", n.wrapping_mul(2_654_435_761).rotate_left(minutes as u32 % 31));
    seen("Fabrikam", minutes, State::Violated, &(0..3000).map(noise).collect::<String>())
}

async fn minutes_of(store: &Store) -> Vec<i64> {
    let looks = store
        .read(|reader| reader.looks("Fabrikam", OFFERS, Timestamp::MIN, 10_000))
        .await
        .unwrap();
    looks.iter().rev().map(|look| look.at.duration_since(noon()).as_mins()).collect()
}

fn probe(id: &str) -> Probe {
    Probe {
        id: id.to_owned(),
        personality: Personality::NoStarttls,
        connector: "to-banks".to_owned(),
        requirement: Requirement::of(Level::Name),
        mail_from: "tls-probe@contoso.test".parse().unwrap(),
        rcpt_to: "token@notls.canary.test".parse().unwrap(),
        created_at: noon(),
        expires_at: after(60),
        submission: None,
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_handed_over_is_there_after_a_flush() {
    let (dir, store, _) = open(BACKLOG);
    for minutes in 0..40 {
        store.commit(looks(vec![seen("Fabrikam", minutes, State::Compliant, "a")])).await.unwrap();
    }
    store.flush(SOON).await.unwrap();
    assert_eq!(minutes_of(&store).await, (0..40).collect::<Vec<_>>());
    store.close(SOON).await.unwrap();
    // The state directory is free.
    let record = Record::open(dir.path()).unwrap();
    assert_eq!(record.read().looks("Fabrikam", OFFERS, noon(), 99).unwrap().len(), 40);
}

#[tokio::test(start_paused = true)]
async fn the_last_standing_of_many_is_the_one_that_stands() {
    let (_dir, store, _) = open(BACKLOG);
    for minutes in 0..40 {
        let state = if minutes % 2 == 0 { State::Violated } else { State::Compliant };
        let commit = Commit {
            standings: vec![standing("Fabrikam", state, ""), standing("Contoso", state, "")],
            events: vec![changed(&format!("{minutes:026}"), "Fabrikam", minutes, state, "")],
            ..Commit::default()
        };
        store.commit(commit).await.unwrap();
    }
    store.flush(SOON).await.unwrap();
    let standings = store.read(Reader::standings).await.unwrap();
    let states: Vec<_> = standings.iter().map(|standing| standing.state).collect();
    assert_eq!(states, [State::Compliant; 2]);
    let events = store.read(|reader| reader.events(&EventQuery::default())).await.unwrap();
    assert_eq!(events.len(), 40);
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_is_waited_out_and_nothing_is_lost() {
    let (_dir, store, heard) = open(BACKLOG);
    fill_disk(&store).await;
    for minutes in 0..300 {
        store.commit(looks(vec![large(minutes)])).await.unwrap();
    }
    let mut health = store.health();
    let away = health.wait_for(|health| health.waiting == 300 && health.failure.is_some());
    let failure = away.await.unwrap().failure.clone().unwrap();
    assert!(failure.contains("no space is left") && failure.contains("make room"), "{failure}");
    assert_eq!(store.failure(), Some(failure.clone()));
    let unwritten = store.flush(SOON).await.unwrap_err();
    assert_eq!(unwritten, Unwritten { waiting: 300, failure: Some(failure) });
    // Readers go on meanwhile.
    assert!(minutes_of(&store).await.is_empty());
    free_disk(&store).await;
    // It is found out by trying; nobody has to say so.
    health.wait_for(|health| *health == Health::default()).await.unwrap();
    assert_eq!(minutes_of(&store).await, (0..300).collect::<Vec<_>>());
    let heard = heard.all();
    assert!(heard.contains(&Signal::RecordError), "{heard:?}");
    assert!(heard.contains(&Signal::RecordBacklog(300)), "{heard:?}");
    assert_eq!(heard.last(), Some(&Signal::RecordBacklog(0)));
}

#[tokio::test(start_paused = true)]
async fn it_is_tried_again_ever_later() {
    let (_dir, store, heard) = open(BACKLOG);
    fill_disk(&store).await;
    let begun = tokio::time::Instant::now();
    store.commit(looks(vec![large(0)])).await.unwrap();
    let errors = || heard.all().iter().filter(|signal| **signal == Signal::RecordError).count();
    let mut tries = Vec::new();
    while tries.len() < 10 {
        while errors() <= tries.len() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tries.push(begun.elapsed().as_millis() / 250);
    }
    let pauses: Vec<_> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1] + 1), "{pauses:?}");
    assert!((119..=121).contains(pauses.last().unwrap()), "30 s at last: {pauses:?}");
    free_disk(&store).await;
    store.flush(SOON).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_full_backlog_makes_the_observer_wait() {
    let (_dir, store, _) = open(3);
    fill_disk(&store).await;
    for minutes in 0..3 {
        store.commit(looks(vec![large(minutes)])).await.unwrap();
    }
    assert!(!store.is_pressed());
    let waits = {
        let store = store.clone();
        tokio::spawn(async move { store.commit(looks(vec![large(3)])).await })
    };
    store.health().wait_for(|health| health.is_pressed).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(!waits.is_finished() && store.is_pressed());
    free_disk(&store).await;
    waits.await.unwrap().unwrap();
    store.flush(SOON).await.unwrap();
    store.health().wait_for(|health| !health.is_pressed).await.unwrap();
    assert_eq!(minutes_of(&store).await, [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn no_probe_is_sent_unrecorded_and_no_session_is_lost() {
    let (_dir, store, _) = open(BACKLOG);
    let ledger = store.ledger();
    ledger.add_probe(probe("first")).await.unwrap();
    fill_disk(&store).await;
    // Long enough to need a page.
    let long = Probe { connector: "x".repeat(100_000), ..probe("second") };
    let error = ledger.add_probe(long.clone()).await.unwrap_err();
    assert!(error.to_string().contains("no space is left"), "{error}");
    assert!(store.failure().is_some());
    // What was seen waits; whoever saw it goes on.
    let reply = "x".repeat(100_000);
    let submission = Submission::Accepted { at: after(1), reply, queue_id: None };
    ledger.set_submission("first".to_owned(), submission.clone()).await.unwrap();
    ledger.settle("first".to_owned(), Settled::Delivered, after(2)).await.unwrap();
    let stored = |store: Store| async move {
        store.read(|reader| reader.probe("first")).await.unwrap().unwrap()
    };
    assert_eq!(stored(store.clone()).await.probe.submission, None);
    free_disk(&store).await;
    store.flush(SOON).await.unwrap();
    let found = stored(store.clone()).await;
    assert_eq!(found.probe.submission, Some(submission));
    assert_eq!(found.settled, Some((Settled::Delivered, after(2))));
    ledger.add_probe(long).await.unwrap();
    assert_eq!(store.failure(), None);
}

#[tokio::test(start_paused = true)]
async fn with_nothing_waiting_recovery_is_found_out_as_well() {
    let (_dir, store, _) = open(BACKLOG);
    fill_disk(&store).await;
    let long = Probe { connector: "x".repeat(100_000), ..probe("a") };
    store.ledger().add_probe(long).await.unwrap_err();
    let mut health = store.health();
    health.wait_for(|health| health.failure.is_some()).await.unwrap();
    health.wait_for(|health| health.failure.is_none()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_said_and_is_no_outage() {
    let (_dir, store, heard) = open(BACKLOG);
    let error =
        store.ledger().settle("nobody".to_owned(), Settled::Expired, noon()).await.unwrap_err();
    assert!(error.to_string().contains("no probe `nobody`"), "{error}");
    store.ledger().add_probe(probe("a")).await.unwrap();
    store.ledger().add_probe(probe("a")).await.unwrap_err();
    assert_eq!(store.failure(), None);
    assert!(!heard.all().contains(&Signal::RecordError));
}

#[tokio::test(start_paused = true)]
async fn leave_to_probe_a_partner_is_given_once_a_day() {
    let (_dir, store, _) = open(BACKLOG);
    let ask = |minutes| {
        let ledger = store.ledger();
        async move { ledger.ask_leave("Fabrikam".to_owned(), after(minutes)).await.unwrap() }
    };
    assert_eq!(ask(0).await, Ok(()));
    assert_eq!(ask(22 * 60).await, Err(noon()));
    assert_eq!(ask(23 * 60).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn time_stands_still_while_the_record_is_asked() {
    let (_dir, store, _) = open(BACKLOG);
    // Were it not held, a paused clock would jump to this at once.
    let jump = tokio::spawn(tokio::time::sleep(Duration::from_secs(3600)));
    let begun = tokio::time::Instant::now();
    for number in 0..20 {
        store.ledger().add_probe(probe(&format!("{number}"))).await.unwrap();
        store.ledger().settle(format!("{number}"), Settled::Expired, noon()).await.unwrap();
        store.read(Reader::partners).await.unwrap();
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
    jump.abort();
}

#[tokio::test(start_paused = true)]
async fn it_prunes_until_nothing_is_left() {
    let (_dir, store, _) = open(BACKLOG);
    let all = (0..2500).map(|minutes| seen("Fabrikam", minutes, State::Compliant, "a")).collect();
    store.commit(looks(all)).await.unwrap();
    store.flush(SOON).await.unwrap();
    let day = Duration::from_secs(24 * 3600);
    assert_eq!(store.prune(after(10_000), day, day).await.unwrap(), 2501);
    assert!(minutes_of(&store).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_dies_is_said() {
    let (_dir, store, _) = open(BACKLOG);
    let died = store.with(|_| -> Result<(), RecordError> { panic!("a defect") }).await;
    assert!(matches!(died, Err(LedgerError::Died)));
    store.died().await;
    assert!(store.commit(Commit::default()).await.is_err());
    assert!(store.flush(SOON).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn closing_writes_what_waits_or_says_what_does_not() {
    let (dir, store, _) = open(BACKLOG);
    fill_disk(&store).await;
    store.commit(looks(vec![large(0), large(1)])).await.unwrap();
    let other = store.clone();
    let unwritten = store.close(SOON).await.unwrap_err();
    assert_eq!(unwritten.waiting, 2);
    let told = unwritten.to_string();
    assert!(told.starts_with("2 observations are not in the record: no space is left"), "{told}");
    assert!(matches!(other.commit(Commit::default()).await, Err(LedgerError::Died)));
    assert!(Record::open(dir.path()).is_ok());
}
