//! Tells people: hands what `tell::decide` wants said to the channels, and remembers what they took.
//!
//! 1. It begins with what the record holds and nobody has heard of: the last one may have died in between.
//! 2. Snapshots, events and mutes are put into an inbox; the newest snapshot replaces the last.
//! 3. A round decides for every channel, groups what is to be said, and gives each idle channel its messages.
//! 4. What a channel took is applied to the memory and written down; what it did not is decided anew after a pause that
//!    grows, so that a late message says what is so then.
//!
//! Invariant: nothing counts as told before the channel took it. A crash between the two tells it again.
//! Invariant: an event counts as heard once what came of it is written down: a notice, or silence.
//! Invariant: [`Alerts::on`] never blocks; time passes by tokio's clock alone.

mod desk;
#[cfg(test)]
mod tests;

use crate::config::Config;
use crate::model::{
    alert::{Alerting, Mute},
    event::Event,
    roots::Roots,
    signal::Signal,
    standing::Standing,
    told::{AskedMute, Change, Memory, Muted},
};
use crate::observe::{clock::Clock, vigil::Vigil};
use crate::tell::{
    decide::{Labels, muted},
    message::{sample, time},
    send::{self, Tools},
};
use crate::wire::text::printable_within;
use desk::Desk;
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    sync::{Mutex as AsyncMutex, Notify},
    task::spawn_blocking,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Events that wait; more are dropped, oldest first, and counted.
const EVENTS: usize = 10_000;
/// The longest reason for a mute that is kept, in characters.
const WHY: usize = 500;

/// What the dispatcher is made of.
#[derive(Debug, Clone)]
pub struct AlertPlan {
    /// What the operator wants to be told, where, and when not.
    pub alerting: Alerting,
    /// What people call us.
    pub organisation: String,
    /// The labels of every partner: those that are not in it are not known.
    pub labels: Labels,
    /// What channels share.
    pub tools: Tools,
}

impl AlertPlan {
    /// What this configuration asks for.
    pub fn of(config: &Config, roots: Arc<Roots>) -> Self {
        let partners = config.partners.iter();
        Self {
            alerting: config.alerting.clone(),
            organisation: config.organisation.name.clone(),
            labels: partners.map(|one| (one.name.clone(), one.labels.clone())).collect(),
            tools: Tools { roots },
        }
    }
}

/// Writes changes of the memory down, all of them or none. It blocks, and is called where that is allowed.
pub type Keep = Arc<dyn Fn(&[Change]) -> Result<(), String> + Send + Sync>;

/// A mute was refused.
#[derive(Debug, thiserror::Error)]
pub enum MuteError {
    /// It cannot be written down, in words.
    #[error("the mute cannot be written down: {0}")]
    Keep(String),
    /// Nobody asked for silence about this partner.
    #[error("nobody has muted `{0}`")]
    NotMuted(String),
    /// It would have ended before it began.
    #[error("the mute would be over before it begins")]
    Over,
    /// Nobody is called so.
    #[error("no partner is called `{0}`")]
    Partner(String),
}

/// What came in and was not looked at yet.
#[derive(Debug, Default)]
struct Inbox {
    standings: Option<Arc<Vec<Standing>>>,
    events: VecDeque<Event>,
    /// Events that were dropped: they count as heard, as many as these at least.
    dropped: Vec<Change>,
    /// Nobody looks at it any more.
    is_closed: bool,
}

impl Inbox {
    /// Everything in it.
    fn take(&mut self) -> Self {
        let is_closed = self.is_closed;
        std::mem::replace(self, Self { is_closed, ..Self::default() })
    }

    fn drop_the_oldest(&mut self) {
        if let Some(Event { id, at, .. }) = self.events.pop_front()
            && self.dropped.len() < EVENTS
        {
            self.dropped.push(Change::Heard { event: id, at });
        }
    }
}

struct Shared {
    plan: AlertPlan,
    keep: Keep,
    clock: Clock,
    inbox: Mutex<Inbox>,
    /// Silences that were asked for; all of them are on disk.
    mutes: Mutex<Vec<AskedMute>>,
    /// Whoever mutes has it: they are written in the order in which they count.
    muting: AsyncMutex<()>,
    wake: Notify,
    signals: Box<dyn Fn(Signal) + Send + Sync>,
}

impl Shared {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked_mutes(&self) -> MutexGuard<'_, Vec<AskedMute>> {
        self.mutes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every silence: those of the configuration, and those that were asked for.
    fn silences(&self) -> Vec<Mute> {
        let asked: Vec<Mute> = self.asked_mutes().iter().map(AskedMute::as_mute).collect();
        self.plan.alerting.mutes.iter().cloned().chain(asked).collect()
    }

    fn signal(&self, channel: &str, outcome: &'static str) {
        (self.signals)(Signal::Alert { channel: channel.to_owned(), outcome });
    }

    /// Writes down, on a thread that may block.
    async fn write(self: &Arc<Self>, changes: Vec<Change>) -> Result<(), String> {
        let keep = Arc::clone(&self.keep);
        let done = spawn_blocking(move || keep(&changes)).await;
        done.unwrap_or_else(|_| Err("the thread that writes the record died".to_owned()))
    }
}

/// The dispatcher of alerts, running.
#[derive(Clone)]
pub struct Alerts {
    shared: Arc<Shared>,
    vigil: Vigil,
}

impl fmt::Debug for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alerts").field("plan", &self.shared.plan).finish_non_exhaustive()
    }
}

impl Alerts {
    /// Starts it; it ends with `shutdown`, after messages that are under way.
    pub fn start(
        plan: AlertPlan,
        mut memory: Memory,
        keep: Keep,
        clock: Clock,
        signals: impl Fn(Signal) + Send + Sync + 'static,
        shutdown: CancellationToken,
        tracker: &TaskTracker,
    ) -> Self {
        let shared = Arc::new(Shared {
            plan,
            keep,
            clock,
            inbox: Mutex::default(),
            mutes: Mutex::new(std::mem::take(&mut memory.mutes)),
            muting: AsyncMutex::default(),
            wake: Notify::new(),
            signals: Box::new(signals),
        });
        let vigil = Vigil::until(shutdown.clone());
        let desk = Desk::new(Arc::clone(&shared), memory);
        tracker.spawn(vigil.over(desk.run(shutdown)));
        Self { shared, vigil }
    }

    /// Ends once nobody decides any more, though nobody said `shutdown`: nobody would be told anything again.
    pub async fn died(&self) {
        self.vigil.died().await;
    }

    /// How every claim stands now, and what happened. A claim that is missing is taken for one that is not configured
    /// any more, unless all are. What happened comes back where nobody listens any more.
    pub fn on(&self, standings: Arc<Vec<Standing>>, events: Vec<Event>) -> Vec<Event> {
        let mut dropped = 0;
        {
            let mut inbox = self.shared.inbox();
            if inbox.is_closed {
                return events;
            }
            inbox.standings = Some(standings);
            inbox.events.extend(events);
            while inbox.events.len() > EVENTS {
                inbox.drop_the_oldest();
                dropped += 1;
            }
        }
        if dropped > 0 {
            tracing::warn!(dropped, "more happened at once than can be told; it is in the record");
            for channel in &self.shared.plan.alerting.channels {
                self.shared.signal(&channel.name, "dropped");
            }
        }
        self.shared.wake.notify_one();
        Vec::new()
    }

    /// Sends a sample through one channel, or all of them.
    pub async fn test(&self, channel: Option<&str>) -> Outcomes {
        test(&self.shared.plan, channel, self.shared.clock.now()).await
    }

    /// Is silent about a partner until then, in place of whatever was asked for before; written down when this returns.
    /// The silence that held until now, where one was asked for.
    ///
    /// # Errors
    ///
    /// No such partner; a time that has passed; the record.
    pub async fn mute(
        &self,
        partner: &str,
        until: Timestamp,
        why: &str,
    ) -> Result<Option<AskedMute>, MuteError> {
        let _turn = self.shared.muting.lock().await;
        let from = self.shared.clock.now();
        self.known(partner)?;
        if until <= from {
            return Err(MuteError::Over);
        }
        let why = printable_within(why.as_bytes(), WHY);
        self.put(AskedMute { partner: partner.to_owned(), from, until, why }).await
    }

    /// Ends the silence that was asked for about a partner; written down when this returns.
    ///
    /// # Errors
    ///
    /// No such partner; nobody asked for silence; the record.
    pub async fn unmute(&self, partner: &str) -> Result<AskedMute, MuteError> {
        let _turn = self.shared.muting.lock().await;
        let now = self.shared.clock.now();
        self.known(partner)?;
        let is_held = |one: &AskedMute| one.partner == partner && one.until > now;
        if !self.shared.asked_mutes().iter().any(is_held) {
            return Err(MuteError::NotMuted(partner.to_owned()));
        }
        let partner = partner.to_owned();
        let ends =
            AskedMute { partner: partner.clone(), from: now, until: now, why: String::new() };
        self.put(ends).await?.ok_or(MuteError::NotMuted(partner))
    }

    /// The partners that are muted now.
    pub fn muted(&self) -> BTreeMap<String, Muted> {
        muted(&self.shared.silences(), &self.shared.plan.labels, self.shared.clock.now())
    }

    fn known(&self, partner: &str) -> Result<(), MuteError> {
        match self.shared.plan.labels.contains_key(partner) {
            true => Ok(()),
            false => Err(MuteError::Partner(printable_within(partner.as_bytes(), 80))),
        }
    }

    async fn put(&self, mute: AskedMute) -> Result<Option<AskedMute>, MuteError> {
        let change = Change::Muted(mute.clone());
        self.shared.write(vec![change]).await.map_err(MuteError::Keep)?;
        let held = mute.put_into(&mut self.shared.asked_mutes());
        self.shared.wake.notify_one();
        Ok(held)
    }
}

/// Who is muted, a line a partner.
pub fn mutes_in_words(mutes: &BTreeMap<String, Muted>) -> String {
    if mutes.is_empty() {
        return "no partner is muted\n".to_owned();
    }
    let line = |(partner, Muted { until, why }): (&String, &Muted)| {
        let why = printable_within(why.as_bytes(), WHY);
        format!("{partner}: muted until {}: {why}\n", time(*until))
    };
    mutes.iter().map(line).collect()
}

/// What came of a sample, by channel.
pub type Outcomes = Vec<(String, Result<(), String>)>;

/// What came of a sample, a line a channel.
pub fn in_words(outcomes: &Outcomes) -> String {
    let line = |(channel, outcome): &(String, Result<(), String>)| match outcome {
        Ok(()) => format!("{channel}: took the sample\n"),
        Err(why) => format!("{channel}: did not take the sample: {why}\n"),
    };
    outcomes.iter().map(line).collect()
}

/// Sends a sample through one channel of a plan, or all of them; what came of each, in words.
pub async fn test(plan: &AlertPlan, channel: Option<&str>, now: Timestamp) -> Outcomes {
    let channels = plan.alerting.channels.iter();
    let mut outcomes = Vec::new();
    for one in channels.filter(|one| channel.is_none_or(|name| name == one.name)) {
        let message = sample(&plan.organisation, &one.name, now);
        let outcome = match send::build(one, &plan.tools) {
            Ok(built) => built.send(&message).await,
            Err(error) => Err(error),
        };
        outcomes.push((one.name.clone(), outcome.map_err(|error| error.to_string())));
    }
    if outcomes.is_empty()
        && let Some(name) = channel
    {
        outcomes.push((name.to_owned(), Err("no channel is called so".to_owned())));
    }
    outcomes
}
