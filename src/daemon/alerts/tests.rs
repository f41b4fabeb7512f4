//! The dispatcher against a collector on loopback and a real record, under paused time.

use super::*;
use crate::model::{
    claim::Claim,
    event::Happening,
    finding::FindingId,
    roots::Roots,
    told::{Reason, Topic},
};
use crate::record::Record;
use crate::tell::decide::tests::{World, minute, standing, start, webhook};
use serde_json::Value;
use std::{path::Path, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

const OFFERS: Claim = Claim::OUTBOUND_RECEIVER_OFFERS;
const HOST: &str = "mx.fabrikam.test [192.0.2.1]:25";

/// Takes alerts, or does not.
#[derive(Clone)]
struct Collector {
    url: String,
    status: Arc<Mutex<u16>>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Collector {
    async fn start(clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let it = Self { url, status: Arc::new(Mutex::new(200)), heard: Arc::default() };
        let server = it.clone();
        tokio::spawn(async move {
            while let Ok((peer, _)) = listener.accept().await {
                let (server, clock) = (server.clone(), clock.clone());
                tokio::spawn(async move { server.serve(peer, clock).await });
            }
        });
        it
    }

    async fn serve(&self, mut peer: tokio::net::TcpStream, clock: Clock) {
        let mut request = Vec::new();
        let mut buffer = [0; 65536];
        let body = loop {
            let read = peer.read(&mut buffer).await.unwrap_or(0);
            if read == 0 {
                return;
            }
            request.extend_from_slice(&buffer[..read]);
            let text = String::from_utf8_lossy(&request).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() >= length.parse().unwrap() {
                break body.to_owned();
            }
        };
        let status = *self.status.lock().unwrap();
        if status == 200 {
            let body: Value = serde_json::from_str(&body).unwrap();
            let passed = clock.now().duration_since(start()).as_secs() / 60;
            let parts = body["parts"].as_array().unwrap().len();
            let reason = body["reason"].as_str().unwrap();
            self.heard.lock().unwrap().push(format!("{passed} {reason} {parts}"));
        }
        let answer =
            format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let _ = peer.write_all(answer.as_bytes()).await;
    }

    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }

    fn answers(&self, status: u16) {
        *self.status.lock().unwrap() = status;
    }
}

/// A dispatcher with a record of its own.
struct Loop {
    alerts: Alerts,
    shutdown: CancellationToken,
    tracker: TaskTracker,
    record: Arc<Mutex<Record>>,
    signals: Arc<Mutex<Vec<String>>>,
    clock: Clock,
    world: World,
}

impl Loop {
    fn start(folder: &Path, clock: Clock, world: World, channels: &[(&str, &Collector)]) -> Self {
        let record = Arc::new(Mutex::new(Record::open(folder).unwrap()));
        let memory = record.lock().unwrap().read().alert_memory(clock.now()).unwrap();
        let channels = channels.iter().map(|(name, it)| webhook(name, &it.url)).collect();
        let alerting = Alerting { channels, ..Alerting::default() };
        let plan = AlertPlan {
            alerting,
            organisation: "Contoso".to_owned(),
            labels: world.labels.clone(),
            tools: Tools { roots: Arc::new(Roots::default()) },
        };
        let keeper = Arc::clone(&record);
        let keep: Keep = Arc::new(move |changes: &[Change]| {
            keeper.lock().unwrap().keep_alerts(changes).map_err(|error| error.to_string())
        });
        let signals: Arc<Mutex<Vec<String>>> = Arc::default();
        let hears = Arc::clone(&signals);
        let (shutdown, tracker) = (CancellationToken::new(), TaskTracker::new());
        let alerts = Alerts::start(
            plan,
            memory,
            keep,
            clock.clone(),
            move |signal| {
                if let Signal::Alert { channel, outcome } = signal {
                    hears.lock().unwrap().push(format!("{channel} {outcome}"));
                }
            },
            shutdown.clone(),
            &tracker,
        );
        Self { alerts, shutdown, tracker, record, signals, clock, world }
    }

    fn show(&self, events: Vec<Event>) {
        self.alerts.on(Arc::new(self.world.standings.clone()), events);
    }

    /// Lets time pass until that minute.
    async fn until(&self, at: i64) {
        let left = minute(at).duration_since(self.clock.now());
        tokio::time::sleep(Duration::try_from(left).unwrap()).await;
    }

    async fn stop(self) -> World {
        self.shutdown.cancel();
        self.tracker.close();
        self.tracker.wait().await;
        // The last of them: the state directory is free again.
        drop(self.alerts);
        assert_eq!(Arc::strong_count(&self.record), 1);
        self.world
    }
}

async fn grounds() -> (TempDir, Clock, Collector) {
    let clock = Clock::starting_at(start());
    let ops = Collector::start(clock.clone()).await;
    (tempfile::tempdir().unwrap(), clock, ops)
}

fn fabrikam() -> World {
    World::new(vec![standing("Fabrikam", OFFERS)])
}

#[tokio::test(start_paused = true)]
async fn a_break_is_told_reminded_of_and_its_recovery_told() {
    let (folder, clock, ops) = grounds().await;
    let mut it = Loop::start(folder.path(), clock.clone(), fabrikam(), &[("ops", &ops)]);
    it.show(vec![]);
    it.until(3).await;
    it.world.breaks(0, 3, FindingId::CertExpired, HOST);
    it.show(vec![]);
    it.until(5).await;
    assert_eq!(ops.heard(), ["3 first-seen 1"]);
    it.until(24 * 60 + 10).await;
    assert_eq!(ops.heard(), ["1444 still-broken 1"]);
    it.world.recovers(0, 24 * 60 + 10);
    it.show(vec![]);
    it.until(24 * 60 + 12).await;
    assert_eq!(ops.heard(), ["1450 recovered 1"]);
    let said = it.record.lock().unwrap().read().alerts_said(start(), 10).unwrap();
    let reasons: Vec<Reason> = said.iter().map(|one| one.reason).collect();
    assert_eq!(reasons, [Reason::FirstSeen, Reason::StillBroken, Reason::Recovered]);
    assert_eq!(*it.signals.lock().unwrap(), ["ops told", "ops told", "ops told"]);
}

#[tokio::test(start_paused = true)]
async fn a_restart_in_the_middle_tells_nothing_twice_and_loses_nothing() {
    let (folder, clock, ops) = grounds().await;
    let mut it = Loop::start(folder.path(), clock.clone(), fabrikam(), &[("ops", &ops)]);
    it.world.breaks(0, 0, FindingId::CertExpired, HOST);
    it.show(vec![]);
    it.until(2).await;
    assert_eq!(ops.heard(), ["0 first-seen 1"]);
    // Seen, and not told yet when it ends.
    it.world.breaks(0, 2, FindingId::StarttlsNotOffered, HOST);
    it.show(vec![]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let world = it.stop().await;
    assert_eq!(ops.heard(), [""; 0]);
    let mut it = Loop::start(folder.path(), clock.clone(), world, &[("ops", &ops)]);
    // It is over by then, and told all the same: that it was worse is in its end.
    it.world.recovers(0, 4);
    it.show(vec![]);
    it.until(10).await;
    assert_eq!(ops.heard(), ["2 recovered 1"]);
    it.until(3 * 24 * 60).await;
    assert_eq!(ops.heard(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_down_is_told_late_and_the_others_of_it() {
    let (folder, clock, ops) = grounds().await;
    let chat = Collector::start(clock.clone()).await;
    let channels = [("ops", &ops), ("chat", &chat)];
    let mut it = Loop::start(folder.path(), clock.clone(), fabrikam(), &channels);
    ops.answers(503);
    it.world.breaks(0, 0, FindingId::CertExpired, HOST);
    it.show(vec![]);
    it.until(30).await;
    assert_eq!(ops.heard(), [""; 0]);
    assert_eq!(chat.heard(), ["0 first-seen 1", "1 channel-failed 1"]);
    assert!(it.signals.lock().unwrap().iter().filter(|one| *one == "ops failed").count() >= 3);
    ops.answers(200);
    it.until(60).await;
    let heard = ops.heard();
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(heard[0].ends_with(" first-seen 1"), "{heard:?}");
    let heard = chat.heard();
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(heard[0].ends_with(" channel-works 1"), "{heard:?}");
}

#[tokio::test(start_paused = true)]
async fn five_hundred_at_once_are_one_message() {
    let (folder, clock, ops) = grounds().await;
    let names: Vec<String> = (0..500).map(|n| format!("Partner {n}")).collect();
    let world = World::new(names.iter().map(|name| standing(name, OFFERS)).collect());
    let mut it = Loop::start(folder.path(), clock.clone(), world, &[("ops", &ops)]);
    // Found one after the other, as looks end.
    for index in 0..500 {
        it.world.breaks(index, 0, FindingId::CertExpired, &format!("mx{index}.test"));
        if index % 50 == 49 {
            it.show(vec![]);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    it.until(30).await;
    assert_eq!(ops.heard(), ["0 first-seen 500"]);
}

#[tokio::test(start_paused = true)]
async fn a_mute_outlives_the_daemon_and_ends() {
    let (folder, clock, ops) = grounds().await;
    let it = Loop::start(folder.path(), clock.clone(), fabrikam(), &[("ops", &ops)]);
    let refused = it.alerts.mute("Fabrikan", minute(60), "x").await.unwrap_err();
    assert_eq!(refused.to_string(), "no partner is called `Fabrikan`");
    it.alerts.mute("Fabrikam", minute(0), "x").await.unwrap_err();
    it.alerts.mute("Fabrikam", minute(60), "moves its servers").await.unwrap();
    let mut world = it.stop().await;
    world.breaks(0, 1, FindingId::CertExpired, HOST);
    let it = Loop::start(folder.path(), clock.clone(), world, &[("ops", &ops)]);
    it.show(vec![]);
    it.until(59).await;
    assert_eq!(ops.heard(), [""; 0]);
    it.until(62).await;
    assert_eq!(ops.heard().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_last_mute_holds_and_can_be_ended_and_both_outlive_the_daemon() {
    let (folder, clock, ops) = grounds().await;
    let it = Loop::start(folder.path(), clock.clone(), fabrikam(), &[("ops", &ops)]);
    assert!(matches!(it.alerts.unmute("Fabrikam").await, Err(MuteError::NotMuted(_))));
    assert!(matches!(it.alerts.unmute("Fabrikan").await, Err(MuteError::Partner(_))));
    assert_eq!(it.alerts.mute("Fabrikam", minute(120), "long").await.unwrap(), None);
    let held = it.alerts.mute("Fabrikam", minute(10), "short").await.unwrap().unwrap();
    assert_eq!((held.until, held.why.as_str()), (minute(120), "long"));
    let world = it.stop().await;
    let mut it = Loop::start(folder.path(), clock.clone(), world, &[("ops", &ops)]);
    let muted = &it.alerts.muted()["Fabrikam"];
    assert_eq!((muted.until, muted.why.as_str()), (minute(10), "short"));
    it.world.breaks(0, 1, FindingId::CertExpired, HOST);
    it.show(vec![]);
    it.until(9).await;
    assert_eq!(ops.heard(), [""; 0]);
    // Not at the end of the one that was replaced.
    it.until(12).await;
    assert_eq!(ops.heard(), ["10 first-seen 1"]);
    it.alerts.mute("Fabrikam", minute(120), "long").await.unwrap();
    assert_eq!(it.alerts.unmute("Fabrikam").await.unwrap().until, minute(120));
    assert!(it.alerts.muted().is_empty());
    assert!(matches!(it.alerts.unmute("Fabrikam").await, Err(MuteError::NotMuted(_))));
    let world = it.stop().await;
    let mut it = Loop::start(folder.path(), clock.clone(), world, &[("ops", &ops)]);
    assert!(it.alerts.muted().is_empty());
    it.world.recovers(0, 13);
    it.show(vec![]);
    it.until(20).await;
    assert_eq!(ops.heard().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_is_told_once_even_over_a_restart() {
    let (folder, clock, ops) = grounds().await;
    let event = Event {
        id: "01J".to_owned(),
        at: start(),
        partner: None,
        claim: None,
        what: Happening::SelfOutageBegan { detail: "no beacon answers".to_owned() },
    };
    ops.answers(503);
    let it = Loop::start(folder.path(), clock.clone(), fabrikam(), &[("ops", &ops)]);
    it.show(vec![event]);
    it.until(2).await;
    let world = it.stop().await;
    ops.answers(200);
    let it = Loop::start(folder.path(), clock.clone(), world, &[("ops", &ops)]);
    it.show(vec![]);
    it.until(24 * 60).await;
    assert_eq!(ops.heard(), ["2 self-outage 1"]);
    let memory = it.record.lock().unwrap().read().alert_memory(clock.now()).unwrap();
    assert!(memory.notices.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_down_is_told_and_written_later() {
    let (folder, clock, ops) = grounds().await;
    let record = Record::open(folder.path()).unwrap();
    let record = Arc::new(Mutex::new(record));
    let is_full = Arc::new(Mutex::new(true));
    let (keeper, fails) = (Arc::clone(&record), Arc::clone(&is_full));
    let keep: Keep = Arc::new(move |changes: &[Change]| {
        if *fails.lock().unwrap() {
            return Err("no space is left".to_owned());
        }
        keeper.lock().unwrap().keep_alerts(changes).map_err(|error| error.to_string())
    });
    let mut world = fabrikam();
    world.breaks(0, 0, FindingId::CertExpired, HOST);
    let channels = vec![webhook("ops", &ops.url)];
    let alerting = Alerting { channels, ..Alerting::default() };
    let plan = AlertPlan {
        alerting,
        organisation: "Contoso".to_owned(),
        labels: world.labels.clone(),
        tools: Tools { roots: Arc::default() },
    };
    let errors = Arc::new(Mutex::new(0));
    let counts = Arc::clone(&errors);
    let (shutdown, tracker) = (CancellationToken::new(), TaskTracker::new());
    let alerts = Alerts::start(
        plan,
        Memory::default(),
        keep,
        clock.clone(),
        move |signal| {
            if signal == Signal::RecordError {
                *counts.lock().unwrap() += 1;
            }
        },
        shutdown.clone(),
        &tracker,
    );
    alerts.on(Arc::new(world.standings.clone()), vec![]);
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(ops.heard(), ["0 first-seen 1"]);
    assert!(*errors.lock().unwrap() > 0);
    *is_full.lock().unwrap() = false;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let memory = record.lock().unwrap().read().alert_memory(clock.now()).unwrap();
    let topic = Topic::Claim { partner: "Fabrikam".to_owned(), claim: OFFERS };
    assert_eq!(memory.told("ops", &topic).unwrap().reason, Some(Reason::FirstSeen));
}

#[tokio::test(start_paused = true)]
async fn a_sample_goes_to_whom_it_is_asked_for() {
    let (folder, clock, ops) = grounds().await;
    let chat = Collector::start(clock.clone()).await;
    let it =
        Loop::start(folder.path(), clock.clone(), fabrikam(), &[("ops", &ops), ("chat", &chat)]);
    assert_eq!(it.alerts.test(Some("chat")).await, [("chat".to_owned(), Ok(()))]);
    assert_eq!((ops.heard(), chat.heard()), (vec![], vec!["0 sample 1".to_owned()]));
    ops.answers(500);
    let all = it.alerts.test(None).await;
    assert_eq!(all[0], ("ops".to_owned(), Err("the answer was 500".to_owned())));
    assert_eq!(all[1].1, Ok(()));
    assert!(it.alerts.test(Some("nobody")).await[0].1.is_err());
}

fn outage(id: &str) -> Event {
    let what = Happening::SelfOutageBegan { detail: "no beacon answers".to_owned() };
    Event { id: id.to_owned(), at: start(), partner: None, claim: None, what }
}

fn record_event(folder: &Path, event: &Event) {
    let record = Record::open(folder).unwrap();
    let events = vec![event.clone()];
    record.commit(&crate::record::Commit { events, ..Default::default() }).unwrap();
}

impl Loop {
    /// What the record holds and nobody has heard of.
    fn unheard(&self) -> Vec<Event> {
        let record = self.record.lock().unwrap();
        record.read().alert_memory(self.clock.now()).unwrap().unheard
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_recorded_before_a_death_and_not_heard_is_told_once_by_the_next() {
    let (folder, clock, ops) = grounds().await;
    record_event(folder.path(), &outage("01A"));
    let it = Loop::start(folder.path(), clock.clone(), fabrikam(), &[("ops", &ops)]);
    assert_eq!(it.unheard().len(), 1);
    it.show(vec![]);
    it.until(3).await;
    assert_eq!(ops.heard(), ["0 self-outage 1"]);
    assert_eq!(it.unheard(), []);
    let world = it.stop().await;
    let it = Loop::start(folder.path(), clock.clone(), world, &[("ops", &ops)]);
    it.show(vec![]);
    it.until(24 * 60).await;
    assert_eq!(ops.heard(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_was_found_in_the_record_and_comes_in_as_well_is_told_once() {
    let (folder, clock, ops) = grounds().await;
    record_event(folder.path(), &outage("01A"));
    let it = Loop::start(folder.path(), clock.clone(), fabrikam(), &[("ops", &ops)]);
    it.show(vec![outage("01A")]);
    it.until(3).await;
    assert_eq!(ops.heard(), ["0 self-outage 1"]);
    // Also once it was told.
    it.show(vec![outage("01A")]);
    it.until(24 * 60).await;
    assert_eq!(ops.heard(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_heard_before_it_is_recorded_is_not_told_again() {
    let (folder, clock, ops) = grounds().await;
    let it = Loop::start(folder.path(), clock.clone(), fabrikam(), &[("ops", &ops)]);
    it.show(vec![outage("01A")]);
    it.until(3).await;
    let world = it.stop().await;
    assert_eq!(ops.heard(), ["0 self-outage 1"]);
    record_event(folder.path(), &outage("01A"));
    let it = Loop::start(folder.path(), clock.clone(), world, &[("ops", &ops)]);
    it.show(vec![]);
    it.until(24 * 60).await;
    assert_eq!(ops.heard(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_is_told_of_was_heard_all_the_same() {
    let (folder, clock, ops) = grounds().await;
    let silent = Event { what: Happening::Stopped, ..outage("01A") };
    record_event(folder.path(), &silent);
    let it = Loop::start(folder.path(), clock.clone(), fabrikam(), &[("ops", &ops)]);
    it.show(vec![Event { what: Happening::Stopped, ..outage("01B") }]);
    it.until(3).await;
    let record = it.record.lock().unwrap();
    record
        .commit(&crate::record::Commit {
            events: vec![Event { what: Happening::Stopped, ..outage("01B") }],
            ..Default::default()
        })
        .unwrap();
    drop(record);
    assert_eq!(it.unheard(), []);
    assert_eq!(ops.heard(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_was_dropped_was_heard() {
    let (folder, clock, ops) = grounds().await;
    let it = Loop::start(folder.path(), clock.clone(), fabrikam(), &[("ops", &ops)]);
    let number = |number| Event { what: Happening::Stopped, ..outage(&format!("{number:026}")) };
    let events: Vec<Event> = (0..EVENTS + 2).map(number).collect();
    // In one go: nobody can have looked in between.
    it.show(events.clone());
    it.until(1).await;
    assert_eq!(*it.signals.lock().unwrap(), ["ops dropped"]);
    let commit = crate::record::Commit { events, ..Default::default() };
    it.record.lock().unwrap().commit(&commit).unwrap();
    assert_eq!(it.unheard(), []);
}

#[tokio::test(start_paused = true)]
async fn what_comes_in_at_the_end_is_told_by_the_next_or_comes_back() {
    let (folder, clock, ops) = grounds().await;
    let it = Loop::start(folder.path(), clock.clone(), fabrikam(), &[("ops", &ops)]);
    it.until(1).await;
    it.show(vec![outage("01A")]);
    // It has not been looked at yet.
    let alerts = it.alerts.clone();
    it.shutdown.cancel();
    it.tracker.close();
    it.tracker.wait().await;
    let late = vec![outage("01B")];
    assert_eq!(alerts.on(Arc::default(), late.clone()), late);
    drop(alerts);
    let world = it.stop().await;
    let it = Loop::start(folder.path(), clock.clone(), world, &[("ops", &ops)]);
    it.show(vec![]);
    it.until(5).await;
    assert_eq!(ops.heard(), ["1 self-outage 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_dispatcher_that_dies_before_it_has_heard_leaves_it_to_the_next() {
    let (folder, clock, ops) = grounds().await;
    record_event(folder.path(), &outage("01A"));
    let world = fabrikam();
    let plan = AlertPlan {
        alerting: Alerting { channels: vec![webhook("ops", &ops.url)], ..Alerting::default() },
        organisation: "Contoso".to_owned(),
        labels: world.labels.clone(),
        tools: Tools { roots: Arc::default() },
    };
    let memory = Record::open(folder.path()).unwrap().read().alert_memory(clock.now()).unwrap();
    let keep: Keep = Arc::new(|_: &[Change]| Err("no space is left".to_owned()));
    let dies = |signal| assert_ne!(signal, Signal::RecordError);
    let (shutdown, tracker) = (CancellationToken::new(), TaskTracker::new());
    let alerts = Alerts::start(plan, memory, keep, clock.clone(), dies, shutdown, &tracker);
    alerts.died().await;
    let it = Loop::start(folder.path(), clock.clone(), world, &[("ops", &ops)]);
    it.show(vec![]);
    it.until(24 * 60).await;
    assert_eq!(ops.heard(), ["0 self-outage 1"]);
}
