//! The one task that decides, hands out and remembers.
//!
//! Invariant: notice is taken of an event once, whether it is found in the record, comes in, or both.

use super::{Inbox, Shared};
use crate::model::{
    event::Event,
    signal::Signal,
    standing::Standing,
    told::{Change, Memory, Said, Topic},
};
use crate::tell::{
    decide::{self, Decided, Group, Health, Scene},
    message::{Message, Words, compose},
    send::{self, SendError},
};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    task::{Id, JoinSet},
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// The longest time between two rounds: reminders and steps are due by the clock, not by a snapshot.
const ROUND: Duration = Duration::from_secs(30);
/// The first pause after a failure; each doubles it.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// How long messages under way may take when we are asked to end.
const GRACE: Duration = Duration::from_secs(10);

/// What a channel made of its messages.
type Done = Vec<(Group, Message, Result<(), SendError>)>;

pub(super) struct Desk {
    shared: Arc<Shared>,
    memory: Memory,
    standings: Arc<Vec<Standing>>,
    waiting: BTreeMap<String, Timestamp>,
    health: BTreeMap<String, Health>,
    /// Before then a channel is not tried again.
    pause: BTreeMap<String, Instant>,
    jobs: JoinSet<Done>,
    busy: HashMap<Id, String>,
    /// What was heard from the record at the beginning: it may come in once more.
    recorded: HashSet<String>,
    /// What could not be written down yet.
    unsaved: Vec<Change>,
}

impl Desk {
    pub(super) fn new(shared: Arc<Shared>, memory: Memory) -> Self {
        Self {
            shared,
            memory,
            standings: Arc::default(),
            waiting: BTreeMap::new(),
            health: BTreeMap::new(),
            pause: BTreeMap::new(),
            jobs: JoinSet::new(),
            busy: HashMap::new(),
            recorded: HashSet::new(),
            unsaved: Vec::new(),
        }
    }

    /// A channel that is not configured any more waits for nothing.
    fn forget_strangers(&mut self) {
        let channels = &self.shared.plan.alerting.channels;
        let is_known = |name: &String| channels.iter().any(|channel| channel.name == *name);
        let mut changes = Vec::new();
        for notice in self.memory.notices.values() {
            let mut left = notice.clone();
            left.waiting.retain(is_known);
            if left != *notice {
                changes.push(Change::Noticed(left));
            }
        }
        for change in changes {
            self.note(change);
        }
    }

    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        self.forget_strangers();
        self.hear_the_record();
        loop {
            let next = self.round().await;
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = self.shared.wake.notified() => {}
                () = sleep_until(next) => {}
                Some(done) = self.jobs.join_next_with_id() => self.done(done),
            }
        }
        // What came until now is heard; what comes later goes back to whoever brings it.
        self.shared.inbox().is_closed = true;
        self.take_inbox();
        let until = Instant::now() + GRACE;
        while let Ok(Some(done)) = timeout_at(until, self.jobs.join_next_with_id()).await {
            self.done(done);
        }
        self.save().await;
        for name in self.busy.values() {
            tracing::warn!(channel = name, "ends while a message is under way; it is told again");
        }
    }

    /// Looks at the inbox, decides, and gives idle channels their messages; when to look again.
    async fn round(&mut self) -> Instant {
        self.take_inbox();
        let decided = self.decide();
        for change in &decided.owed {
            self.note(change.clone());
        }
        // What is owed is on disk before anybody is told, so that a crash does not lose it.
        self.save().await;
        self.waiting.clone_from(&decided.waiting);
        let now = self.shared.clock.now();
        let channels: Vec<String> =
            self.shared.plan.alerting.channels.iter().map(|channel| channel.name.clone()).collect();
        for name in channels {
            if !self.is_ready(&name) {
                continue;
            }
            let groups = decide::group(&name, &decided.decisions);
            if !groups.is_empty() {
                self.hand_out(&name, groups, now);
            }
        }
        self.next_round(now)
    }

    fn is_ready(&self, name: &str) -> bool {
        let is_busy = self.busy.values().any(|busy| busy == name);
        !is_busy && self.pause.get(name).is_none_or(|until| *until <= Instant::now())
    }

    fn with_scene<T>(&self, run: impl FnOnce(&Scene<'_>) -> T) -> T {
        let mutes = self.shared.silences();
        run(&Scene {
            now: self.shared.clock.now(),
            rules: &self.shared.plan.alerting.rules,
            channels: &self.shared.plan.alerting.channels,
            mutes: &mutes,
            labels: &self.shared.plan.labels,
            standings: &self.standings,
            memory: &self.memory,
            waiting: &self.waiting,
            health: &self.health,
        })
    }

    fn decide(&self) -> Decided {
        self.with_scene(decide::decide)
    }

    fn take_inbox(&mut self) {
        let Inbox { standings, events, dropped, is_closed: _ } = self.shared.inbox().take();
        for change in dropped {
            self.note(change);
        }
        if let Some(standings) = standings {
            self.standings = standings;
        }
        for event in events {
            if !self.recorded.contains(&event.id) {
                self.hear(event);
            }
        }
        let rules = &self.shared.plan.alerting.rules;
        let now = self.shared.clock.now();
        for change in decide::watch(&self.memory, &self.standings, rules, now) {
            self.note(change);
        }
    }

    /// What is in the record and was never heard: whoever was to hear it died before, or was being begun.
    fn hear_the_record(&mut self) {
        let unheard = std::mem::take(&mut self.memory.unheard);
        if !unheard.is_empty() {
            tracing::info!(events = unheard.len(), "the record holds what nobody has heard of yet");
        }
        self.recorded = unheard.iter().map(|event| event.id.clone()).collect();
        for event in unheard {
            self.hear(event);
        }
    }

    /// Takes notice of what happened, whether or not anybody is told.
    fn hear(&mut self, event: Event) {
        if !self.memory.notices.contains_key(&event.id) {
            match self.with_scene(|scene| decide::notice(scene, &event)) {
                Ok(notice) => self.note(Change::Noticed(notice)),
                Err(silence) => tracing::debug!(event = event.id, ?silence, "not told"),
            }
        }
        self.note(Change::Heard { event: event.id, at: event.at });
    }

    /// Applies a change, and marks it for the record.
    fn note(&mut self, change: Change) {
        self.memory.apply(change.clone());
        self.unsaved.push(change);
    }

    async fn save(&mut self) {
        if self.unsaved.is_empty() {
            return;
        }
        if let Err(error) = self.shared.write(self.unsaved.clone()).await {
            tracing::error!(error, "what was told cannot be written down; tried again");
            (self.shared.signals)(Signal::RecordError);
            return;
        }
        self.unsaved.clear();
    }

    fn hand_out(&mut self, name: &str, groups: Vec<Group>, now: Timestamp) {
        let Some(channel) =
            self.shared.plan.alerting.channels.iter().find(|channel| channel.name == name)
        else {
            return;
        };
        let messages = self.compose(name, groups, now);
        let built = send::build(channel, &self.shared.plan.tools);
        let handle = self.jobs.spawn(async move {
            let mut done = Vec::new();
            let built = match built {
                Ok(built) => built,
                Err(error) => {
                    if let Some((group, message)) = messages.into_iter().next() {
                        done.push((group, message, Err(error)));
                    }
                    return done;
                }
            };
            // One that is refused for ever must not keep the others back.
            for (group, message) in messages {
                let outcome = built.send(&message).await;
                done.push((group, message, outcome));
            }
            done
        });
        self.busy.insert(handle.id(), name.to_owned());
    }

    fn compose(&self, name: &str, groups: Vec<Group>, now: Timestamp) -> Vec<(Group, Message)> {
        let plan = &self.shared.plan;
        let standings = self.standings.iter();
        let words = Words {
            now,
            organisation: &plan.organisation,
            base_url: plan.alerting.base_url.as_deref().map(|base| base.trim_end_matches('/')),
            standings: standings.map(|one| ((one.partner.as_str(), one.claim), one)).collect(),
            certificates: decide::certificates(&self.standings),
            events: self
                .memory
                .notices
                .iter()
                .map(|(id, notice)| (id.as_str(), &notice.event))
                .collect(),
            told: self.memory.told.get(name),
        };
        groups
            .into_iter()
            .map(|group| {
                let message = compose(&words, &group);
                (group, message)
            })
            .collect()
    }

    fn done(&mut self, done: Result<(Id, Done), tokio::task::JoinError>) {
        let (id, done) = match done {
            Ok((id, done)) => (id, Some(done)),
            Err(error) => (error.id(), None),
        };
        let Some(name) = self.busy.remove(&id) else { return };
        let now = self.shared.clock.now();
        let mut is_refused = done.is_none();
        if is_refused {
            (self.shared.signals)(Signal::Panic);
        }
        for (group, message, outcome) in done.into_iter().flatten() {
            match outcome {
                Ok(()) => {
                    tracing::info!(
                        channel = name, message = message.id, reason = %group.reason,
                        topics = group.parts.len(), "told"
                    );
                    self.shared.signal(&name, "told");
                    self.taken(&name, &group, &message, now);
                }
                Err(error) => {
                    tracing::warn!(channel = name, message = message.id, %error, "alert not taken");
                    self.shared.signal(&name, "failed");
                    is_refused = true;
                }
            }
        }
        let health = self.health.entry(name.clone()).or_default();
        if is_refused {
            health.failures = health.failures.saturating_add(1);
            health.failing_since.get_or_insert(now);
            let doubled = PAUSE.saturating_mul(1 << (health.failures - 1).min(10));
            self.pause.insert(name, Instant::now() + doubled.min(LONGEST_PAUSE));
        } else {
            *health = Health { failures: 0, failing_since: None, worked_at: Some(now) };
            self.pause.remove(&name);
            self.waiting.remove(&name);
        }
    }

    /// A channel took a message: that is what it knows now.
    fn taken(&mut self, name: &str, group: &Group, message: &Message, now: Timestamp) {
        for ((topic, speech), part) in group.parts.iter().zip(&message.parts) {
            if let Topic::Notice { event } = topic {
                if let Some(mut notice) = self.memory.notices.get(event).cloned() {
                    notice.waiting.remove(name);
                    self.note(Change::Noticed(notice));
                }
                continue;
            }
            let mut told = speech.becomes.clone();
            told.at = Some(now);
            told.thread = match told.state {
                Some(_) => part.thread.clone(),
                None => String::new(),
            };
            self.note(Change::Told { channel: name.to_owned(), topic: topic.clone(), told });
        }
        let topics = group.parts.iter().map(|(topic, _)| topic.clone()).collect();
        self.note(Change::Said(Said {
            at: now,
            channel: name.to_owned(),
            message: message.id.clone(),
            reason: group.reason,
            topics,
        }));
    }

    fn next_round(&self, now: Timestamp) -> Instant {
        let begin = Instant::now();
        let mut next = begin + ROUND;
        for (name, since) in &self.waiting {
            if self.busy.values().any(|busy| busy == name) {
                continue;
            }
            let waited = Duration::try_from(now.duration_since(*since)).unwrap_or_default();
            let left = self.shared.plan.alerting.rules.group_wait.saturating_sub(waited);
            let due = begin + left;
            next = next.min(self.pause.get(name).copied().map_or(due, |until| until.max(due)));
        }
        // Whatever happens, we do not spin.
        next.max(begin + Duration::from_millis(100))
    }
}
