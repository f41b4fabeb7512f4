//! Where what was entered in the books goes: the record, the metrics, the pages, the alerts.
//!
//! 1. The record comes first; where it is away, what is for it waits here.
//! 2. What happens while the alerts are begun anew waits for them; they hear from the record what cannot wait.
//! 3. Without a channel there is nobody to tell: what happens counts as heard, with the commit it is in.
//!
//! Invariant: what happened is handed on once and in order; standings, which replace each other, at most once a second.

use super::{books::Outbox, meter::Meter, run::Speaker, store::Store};
use crate::config::Config;
use crate::model::{
    claim::{Claim, Unclaimed},
    event::Event,
    signal::Signal,
    standing::Standing,
};
use crate::record::Commit;
use crate::tell::{
    metrics::{Metrics, Pace, Shown},
    web::{Configured, Readiness, Snapshot},
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{
        mpsc::{self, error::TrySendError},
        watch,
    },
    task::JoinHandle,
    time::{Instant, timeout},
};

/// From one snapshot to the next.
const SNAPSHOTS: Duration = Duration::from_secs(1);

/// Commits on their way to the record.
const COMMITS: usize = 64;
/// How long the books wait for room in the record before they look again.
const ROOM: Duration = Duration::from_millis(200);
/// Events that wait while the alerts are begun anew.
const UNTOLD: usize = 1000;

/// Where it all goes.
#[derive(Debug)]
pub struct Outlets {
    store: Store,
    commits: mpsc::Sender<Commit>,
    /// What waits for the record: no more than proofs that were under way when it was pressed.
    pending: VecDeque<Commit>,
    recorder: Option<JoinHandle<()>>,
    metrics: Arc<Metrics>,
    meter: Meter,
    snapshot: watch::Sender<Arc<Snapshot>>,
    speaker: Speaker,
    /// What happened while nobody could speak.
    untold: Vec<Event>,
    shown: Scenery,
    is_stale: bool,
    shown_at: Option<Instant>,
    pulse: watch::Sender<Instant>,
    has_begun: bool,
}

/// What is shown beside the standings.
#[derive(Debug, Default)]
struct Scenery {
    targets: Arc<Vec<Configured>>,
    unclaimed: Arc<BTreeMap<String, String>>,
    paces: Vec<Pace>,
    canaries: Vec<crate::model::canary::Personality>,
    channels: Vec<String>,
}

impl Outlets {
    /// Everything that takes what happens. Needs a runtime.
    pub fn new(store: Store, metrics: Arc<Metrics>, meter: Meter, speaker: Speaker) -> Self {
        let (commits, mut taken) = mpsc::channel(COMMITS);
        let record = store.clone();
        let recorder = tokio::spawn(async move {
            while let Some(commit) = taken.recv().await {
                if let Err(error) = record.commit(commit).await {
                    tracing::error!(%error, "what happened cannot be recorded");
                }
            }
        });
        Self {
            store,
            commits,
            pending: VecDeque::new(),
            recorder: Some(recorder),
            metrics,
            meter,
            snapshot: watch::Sender::new(Arc::default()),
            speaker,
            untold: Vec::new(),
            shown: Scenery::default(),
            is_stale: true,
            shown_at: None,
            pulse: watch::Sender::new(Instant::now()),
            has_begun: false,
        }
    }

    /// The pages read here.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.subscribe()
    }

    /// When the loop last went round.
    pub fn pulse(&self) -> watch::Receiver<Instant> {
        self.pulse.subscribe()
    }

    /// Counts.
    pub fn measure(&self, signal: &Signal) {
        self.meter.measure(signal);
    }

    /// Whether so much waits for the record that nothing more should be begun.
    pub fn is_pressed(&self) -> bool {
        self.store.is_pressed() || !self.pending.is_empty()
    }

    /// The first round is under way.
    pub fn began(&mut self) {
        self.is_stale |= !self.has_begun;
        self.has_begun = true;
    }

    /// Another configuration.
    pub fn adopt(&mut self, config: &Config) {
        let claims: Vec<Claim> =
            config.partners.iter().flat_map(|one| config.claims_of(one)).collect();
        let pace = |claim: Claim| {
            let times = config.claims.of(claim);
            Pace { claim, interval: times.interval, max_age: times.max_age }
        };
        self.shown = Scenery {
            targets: Arc::new(targets_of(config)),
            unclaimed: Arc::new(unclaimed_of(config)),
            paces: Claim::all().filter(|claim| claims.contains(claim)).map(pace).collect(),
            canaries: config.canaries.iter().map(|canary| canary.personality).collect(),
            channels: config.alerting.channels.iter().map(|channel| channel.name.clone()).collect(),
        };
        self.is_stale = true;
    }

    /// Takes what was entered.
    pub fn take(&mut self, mut outbox: Outbox, standings: impl FnOnce() -> Vec<Standing>) {
        self.pulse.send_replace(Instant::now());
        self.is_stale |= outbox.is_changed || self.has_another_health();
        let has_news = !outbox.events.is_empty();
        self.untold.append(&mut outbox.events);
        let alerts = self.speaker.alerts();
        if alerts.is_none() && self.shown.channels.is_empty() {
            let untold = self.untold.drain(..);
            outbox.commit.heard.extend(untold.map(|event| (event.id, event.at)));
        }
        if !outbox.commit.is_empty() {
            self.pending.push_back(outbox.commit);
        }
        self.record_what_waits();
        let is_time = self.shown_at.is_none_or(|at| at.elapsed() >= SNAPSHOTS);
        if (self.is_stale && is_time) || has_news {
            let standings = Arc::new(standings());
            self.show(Arc::clone(&standings));
            match alerts {
                Some(alerts) => {
                    let untold = std::mem::take(&mut self.untold);
                    self.untold = alerts.on(standings, untold);
                }
                // They are being begun anew.
                None => {
                    self.untold.drain(..self.untold.len().saturating_sub(UNTOLD)).for_each(drop)
                }
            }
        }
    }

    /// Ends once the one who hands over to the record has died, which it never should.
    pub async fn recorder_died(&mut self) {
        match &mut self.recorder {
            Some(recorder) => {
                // How it died is in the log.
                let _ = recorder.await;
                self.recorder = None;
            }
            None => std::future::pending().await,
        }
    }

    /// When something that waits is due: a snapshot, or room in the record.
    pub fn wake(&self) -> Option<Instant> {
        let snapshot = self.shown_at.filter(|_| self.is_stale).map(|at| at + SNAPSHOTS);
        let record = (!self.pending.is_empty()).then(|| Instant::now() + ROOM);
        [snapshot, record].into_iter().flatten().min()
    }

    /// The record may be away: whoever keeps the books never waits for it.
    fn record_what_waits(&mut self) {
        while let Some(commit) = self.pending.pop_front() {
            match self.commits.try_send(commit) {
                Ok(()) => {}
                Err(TrySendError::Full(commit) | TrySendError::Closed(commit)) => {
                    self.pending.push_front(commit);
                    break;
                }
            }
        }
    }

    /// Hands everything to the record that is still here, within its time; whether it was.
    pub async fn close(self, within: Duration) -> bool {
        let Self { commits, pending, recorder, .. } = self;
        let rest = async move {
            for commit in pending {
                if commits.send(commit).await.is_err() {
                    break;
                }
            }
            drop(commits);
            if let Some(recorder) = recorder {
                // One that panicked has recorded all it will.
                let _ = recorder.await;
            }
        };
        timeout(within, rest).await.is_ok()
    }

    fn has_another_health(&self) -> bool {
        self.snapshot.borrow().readiness.store != self.health()
    }

    fn health(&self) -> Result<(), String> {
        self.store.failure().map_or(Ok(()), Err)
    }

    /// Shows how every claim stands.
    pub fn show(&mut self, standings: Arc<Vec<Standing>>) {
        self.is_stale = false;
        self.shown_at = Some(Instant::now());
        let Scenery { targets, unclaimed, paces, canaries, channels } = &self.shown;
        self.metrics.show(Shown { standings: Arc::clone(&standings), paces, canaries, channels });
        self.snapshot.send_replace(Arc::new(Snapshot {
            standings,
            targets: Arc::clone(targets),
            unclaimed: Arc::clone(unclaimed),
            readiness: Readiness {
                config_loaded: true,
                store: self.health(),
                first_round_under_way: self.has_begun,
            },
        }));
    }
}

/// What is not claimed of each partner, in words.
fn unclaimed_of(config: &Config) -> BTreeMap<String, String> {
    let words = |partner| Unclaimed::in_words(&config.unclaimed(partner));
    config.partners.iter().map(|partner| (partner.name.clone(), words(partner))).collect()
}

/// What `/probe` may look at, whatever lies behind it: the targets of partners, and our own.
fn targets_of(config: &Config) -> Vec<Configured> {
    let mut targets = Vec::new();
    for partner in &config.partners {
        let outbound = partner.outbound.as_deref().and_then(|name| config.outbound(name));
        let Some(connector) = outbound else { continue };
        for target in partner.targets.iter().flat_map(|one| one.targets(&partner.domains)) {
            let requirement = connector.requirement.clone();
            targets.push(Configured { partner: partner.name.clone(), target, requirement });
        }
    }
    targets
}

#[cfg(test)]
mod tests;
