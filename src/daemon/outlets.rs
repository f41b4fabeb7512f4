//! Where what was entered in the books goes: the record, the metrics, the pages, the alerts.
//!
//! Invariant: what happened is handed on once and in order; standings, which replace each other, at most once a second.

use super::{books::Outbox, meter::Meter, run::Speaker, store::Store};
use crate::config::Config;
use crate::model::{claim::Claim, event::Event, signal::Signal, standing::Standing};
use crate::tell::{
    metrics::{Metrics, Pace, Shown},
    web::{Configured, Readiness, Snapshot},
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::Instant};

/// From one snapshot to the next.
const SNAPSHOTS: Duration = Duration::from_secs(1);

/// Events that wait while the alerts are begun anew.
const UNTOLD: usize = 1000;

/// Where it all goes.
#[derive(Debug)]
pub struct Outlets {
    store: Store,
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
    targets: Vec<Configured>,
    paces: Vec<Pace>,
    canaries: Vec<crate::model::canary::Personality>,
    channels: Vec<String>,
}

impl Outlets {
    /// Everything that takes what happens.
    pub fn new(store: Store, metrics: Arc<Metrics>, meter: Meter, speaker: Speaker) -> Self {
        Self {
            store,
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
        self.store.is_pressed()
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
            targets: targets_of(config),
            paces: Claim::all().filter(|claim| claims.contains(claim)).map(pace).collect(),
            canaries: config.canaries.iter().map(|canary| canary.personality).collect(),
            channels: config.alerting.channels.iter().map(|channel| channel.name.clone()).collect(),
        };
        self.is_stale = true;
    }

    /// Takes what was entered.
    pub async fn take(&mut self, outbox: Outbox, standings: impl FnOnce() -> Vec<Standing>) {
        self.pulse.send_replace(Instant::now());
        self.is_stale |= outbox.is_changed || self.has_another_health();
        if !outbox.commit.is_empty()
            && let Err(error) = self.store.commit(outbox.commit).await
        {
            tracing::error!(%error, "what happened cannot be recorded");
        }
        let has_news = !outbox.events.is_empty();
        let is_time = self.shown_at.is_none_or(|at| at.elapsed() >= SNAPSHOTS);
        if (self.is_stale && is_time) || has_news {
            let standings = standings();
            self.show(&standings);
            self.untold.extend(outbox.events);
            match self.speaker.alerts() {
                Some(alerts) => {
                    alerts.on(Arc::new(standings), std::mem::take(&mut self.untold));
                }
                // Without a channel nobody ever will; with one it is being begun anew.
                None => {
                    self.untold.drain(..self.untold.len().saturating_sub(UNTOLD)).for_each(drop)
                }
            }
        }
    }

    /// When the next snapshot is due, where one waits.
    pub fn wake(&self) -> Option<Instant> {
        self.shown_at.filter(|_| self.is_stale).map(|at| at + SNAPSHOTS)
    }

    fn has_another_health(&self) -> bool {
        self.snapshot.borrow().readiness.store != self.health()
    }

    fn health(&self) -> Result<(), String> {
        self.store.failure().map_or(Ok(()), Err)
    }

    fn show(&mut self, standings: &[Standing]) {
        self.is_stale = false;
        self.shown_at = Some(Instant::now());
        let Scenery { targets, paces, canaries, channels } = &self.shown;
        if let Err(error) = self.metrics.show(Shown { standings, paces, canaries, channels }) {
            tracing::error!(%error, "the metrics do not show how the claims stand");
        }
        self.snapshot.send_replace(Arc::new(Snapshot {
            standings: standings.to_vec(),
            targets: targets.clone(),
            readiness: Readiness {
                config_loaded: true,
                store: self.health(),
                first_round_under_way: self.has_begun,
            },
        }));
    }
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
