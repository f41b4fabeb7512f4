//! What happens while somebody listens, while nobody does, and in between.

use super::*;
use crate::daemon::means::{Flags, Means};
use crate::model::event::Happening;
use crate::record::EventQuery;
use crate::tell::metrics::Build;
use tempfile::TempDir;

const GRACE: Duration = Duration::from_secs(10);
const CHANNEL: &str =
    "[[alert.channel]]\nname = \"ops\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:1\"\n";

/// Outlets over a record, and their configuration.
struct Ground {
    place: TempDir,
    store: Store,
    speaker: Speaker,
    outlets: Outlets,
    means: Option<Means>,
}

impl Ground {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path(), |_| {}).unwrap();
        let speaker = Speaker::new(store.clone(), Meter::default());
        let metrics = Arc::new(Metrics::new(Build { version: "0", revision: "" }).unwrap());
        let outlets = Outlets::new(store.clone(), metrics, Meter::default(), speaker.clone());
        Self { place, store, speaker, outlets, means: None }
    }

    /// The loop takes a configuration; whoever is to speak by it may not be there yet.
    fn adopt(&mut self, channels: &str) {
        let text = format!(
            "state_dir = {:?}\n[organisation]\nname = \"Contoso\"\ndomains = [\"contoso.test\"]\n\
             [dns]\nresolvers = [\"127.0.0.1:1\"]\n{channels}",
            self.place.path()
        );
        let config = Config::parse(&text, &self.place.path().join("x.toml")).unwrap().config;
        self.outlets.adopt(&config);
        self.means = Some(Means::build(config, Flags::default()).unwrap());
    }

    async fn speak(&self) {
        self.speaker.begin(self.means.as_ref().unwrap(), GRACE).await.unwrap();
    }

    fn happens(&mut self, id: &str) {
        let events = vec![event(id)];
        let commit = Commit { events: events.clone(), ..Commit::default() };
        self.outlets.take(Outbox { commit, events, is_changed: false }, Vec::new);
    }

    /// Once everything was handed over: what was recorded, what of it nobody heard of, and what is to be told.
    async fn end(self) -> [Vec<String>; 3] {
        self.speaker.end(GRACE).await;
        assert!(self.outlets.close(GRACE).await);
        self.store.flush(GRACE).await.unwrap();
        let read = self.store.read(|reader| {
            let memory = reader.alert_memory(jiff::Timestamp::UNIX_EPOCH)?;
            Ok((reader.events(&EventQuery::default())?, memory))
        });
        let (mut recorded, memory) = read.await.unwrap();
        recorded.sort_by(|one, other| one.id.cmp(&other.id));
        let ids = |events: Vec<Event>| events.into_iter().map(|event| event.id).collect();
        [ids(recorded), ids(memory.unheard), memory.notices.into_keys().collect()]
    }
}

fn event(id: &str) -> Event {
    let what = Happening::SelfOutageBegan { detail: "no beacon answers".to_owned() };
    let at = "2026-01-31T12:00:00Z".parse().unwrap();
    Event { id: id.to_owned(), at, partner: None, claim: None, what }
}

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

#[tokio::test]
async fn whoever_listens_hears_it_once() {
    let mut it = Ground::new();
    it.adopt(CHANNEL);
    it.speak().await;
    it.happens("01A");
    it.happens("01B");
    let both = ids(&["01A", "01B"]);
    assert_eq!(it.end().await, [both.clone(), vec![], both]);
}

#[tokio::test]
async fn without_a_channel_everything_was_heard_and_nobody_is_told_later() {
    let mut it = Ground::new();
    it.adopt("");
    it.speak().await;
    it.happens("01A");
    // Somebody configures a first channel: it hears of what comes from now on.
    it.adopt(CHANNEL);
    it.speak().await;
    it.happens("01B");
    assert_eq!(it.end().await, [ids(&["01A", "01B"]), vec![], ids(&["01B"])]);
}

#[tokio::test]
async fn what_an_earlier_daemon_left_is_heard_where_there_is_no_channel() {
    let mut it = Ground::new();
    // Recorded, and nobody had heard of it when it died.
    let commit = Commit { events: vec![event("01A")], ..Commit::default() };
    it.store.commit(commit).await.unwrap();
    it.adopt("");
    it.speak().await;
    assert_eq!(it.end().await, [ids(&["01A"]), vec![], vec![]]);
}

#[tokio::test]
async fn what_happens_while_the_alerts_are_begun_anew_is_heard_once() {
    let mut it = Ground::new();
    it.adopt(CHANNEL);
    it.happens("01A");
    // Whether or not it is in the record by then.
    it.speak().await;
    it.happens("01B");
    let both = ids(&["01A", "01B"]);
    assert_eq!(it.end().await, [both.clone(), vec![], both]);
}

#[tokio::test]
async fn what_waited_for_alerts_that_are_not_to_come_was_heard() {
    let mut it = Ground::new();
    it.adopt(CHANNEL);
    it.happens("01A");
    it.adopt("");
    it.happens("01B");
    assert_eq!(it.end().await, [ids(&["01A", "01B"]), vec![], vec![]]);
}
