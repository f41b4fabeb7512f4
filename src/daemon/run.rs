//! `mxwarden run`: everything the daemon is made of, begun and ended in order.
//!
//! 1. Record, means, books; then canaries, pages and the control socket; then the loop.
//! 2. A reload reads the configuration again: all of it is taken, or none, and proofs under way go on.
//! 3. At the end: the timetable, the canaries, the notifications, the record, the pages; each within its time.
//!
//! Invariant: everything outside comes in as an argument: sockets, clock, the word to stop and to read again.
//! Invariant: a daemon that cannot do its work any more ends, and says so by its exit code.

mod reload;
mod served;
mod speaker;

pub use speaker::Speaker;

use super::{
    books::Books,
    control::{self, ControlError, Desk, Teller},
    ledger::LedgerError,
    means::{Flags, Means, MeansError},
    meter::Meter,
    outlets::Outlets,
    rota::{Inlets, Rota, Wall},
    store::Store,
};
use crate::config::Config;
use crate::model::claim::Claim;
use crate::observe::{clock::Clock, vigil};
use crate::record::{Record, RecordError};
use crate::tell::{
    metrics::{Build, Metrics, MetricsError},
    web::{Shared, WebError},
};
use reload::{Reloads, Template};
use served::Pages;
use std::{future::pending, net::TcpListener, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    task::{JoinError, JoinHandle},
    time::{Instant, interval, timeout},
};
use tokio_util::sync::CancellationToken;

/// What an endpoint showed is held for so long: for the partners that share it, and no longer.
const HELD: Duration = Duration::from_secs(30);
/// How long each part may take to end.
const GRACE: Duration = Duration::from_secs(10);
/// How often old evidence is forgotten.
const PRUNING: Duration = Duration::from_secs(3600);
/// A loop that has not gone round for so long is stuck, and the watchdog is not fed.
const STUCK: Duration = Duration::from_secs(60);
/// Orders that wait.
const ORDERS: usize = 64;

/// What a daemon is made of.
pub struct RunPlan {
    /// The configuration.
    pub config: Config,
    /// The file it was read from, to read it again.
    pub config_file: PathBuf,
    /// What the command line said.
    pub flags: Flags,
    /// The claims that are proved; all where there are none.
    pub only: Vec<Claim>,
    /// Where HTTP listens.
    pub http: TcpListener,
    /// Sockets for canaries that are open already.
    pub canaries: Vec<TcpListener>,
    /// Which program this is.
    pub build: Build,
    /// How reports are told to commands.
    pub teller: Arc<dyn Teller>,
    /// The clock.
    pub clock: Clock,
    /// What the clock is held against; none where it is the only one there is.
    pub wall: Option<Wall>,
}

/// How the daemon is told what to do from outside.
pub struct Life {
    /// The end, in order.
    pub stop: CancellationToken,
    /// Read the configuration again.
    pub reload: mpsc::Receiver<()>,
}

/// The daemon cannot begin, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The control socket.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// A part that must not end has ended.
    #[error("{0} has died; this is a defect of mxwarden, and the log says more")]
    Defect(&'static str),
    /// The pages.
    #[error("HTTP cannot be served")]
    Http(#[from] served::PagesError),
    /// The record cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Whatever looks at the world.
    #[error(transparent)]
    Means(#[from] MeansError),
    /// The metrics.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The pages would be open to strangers.
    #[error(transparent)]
    Web(#[from] WebError),
}

impl RunError {
    /// Whether a part has died, rather than the daemon not having begun.
    pub fn is_defect(&self) -> bool {
        matches!(self, Self::Defect(_))
    }
}

/// Runs until it is told to stop.
///
/// # Errors
///
/// It cannot begin; or a part died that it cannot do without.
pub async fn run(plan: RunPlan, life: Life) -> Result<(), RunError> {
    let metrics = Arc::new(Metrics::new(plan.build)?);
    let measured = Arc::clone(&metrics);
    let meter = Meter::to(move |signal| measured.measure(signal));
    let counted = meter.clone();
    let record = Record::open(&plan.config.state_dir)?;
    let store = Store::of(record, move |signal| counted.measure(&signal))?;
    let outcome = Daemon::begin(plan, store.clone(), metrics, meter, life).await;
    let outcome = match outcome {
        Ok(daemon) => daemon.go_on().await,
        Err(error) => Err(error),
    };
    if let Err(unwritten) = store.close(GRACE).await {
        tracing::error!(%unwritten, "the daemon ends before all was recorded");
    }
    outcome
}

/// A daemon that has begun.
struct Daemon {
    store: Store,
    means: watch::Receiver<Arc<Means>>,
    rota: JoinHandle<Outlets>,
    pages: Pages,
    reloads: JoinHandle<&'static str>,
    control: JoinHandle<()>,
    pulse: watch::Receiver<Instant>,
    speaker: Speaker,
    /// Ends the loop.
    stop_rota: CancellationToken,
    /// Ends everything that serves.
    stop_serving: CancellationToken,
    stop: CancellationToken,
}

impl Daemon {
    async fn begin(
        plan: RunPlan,
        store: Store,
        metrics: Arc<Metrics>,
        meter: Meter,
        life: Life,
    ) -> Result<Self, RunError> {
        let RunPlan {
            config,
            config_file,
            flags,
            only,
            http,
            canaries,
            build: _,
            teller,
            clock,
            wall,
        } = plan;
        take_over_histories(&store, &config).await?;
        let flags = Flags {
            clock: Some(clock.clone()),
            forgets_after: Some(HELD),
            meter: meter.clone(),
            ..flags
        };
        let mut means = Means::build(config.clone(), flags.clone())?;
        means.use_store(store.clone());
        if !config.canaries.is_empty() {
            means.start_canaries_with(reload::copies(&canaries)).await?;
        }
        let flags = Flags { pace: Some(means.pace()), ..flags };
        let means = Arc::new(means);
        let (stop_rota, stop_serving) = (CancellationToken::new(), CancellationToken::new());
        let speaker = Speaker::new(store.clone(), meter.clone());
        speaker.begin(&means, GRACE).await?;
        let outlets =
            Outlets::new(store.clone(), Arc::clone(&metrics), meter.clone(), speaker.clone());
        let (standings, due) =
            store.read(|reader| Ok((reader.standings()?, reader.due()?))).await?;
        let books = Books::open(clock.clone(), standings, due);
        let (snapshots, pulse) = (outlets.snapshots(), outlets.pulse());
        let rota = Rota::new(Arc::clone(&means), only, books, outlets, wall);
        let (asks, asked) = mpsc::channel(ORDERS);
        let (web, wanted) = mpsc::channel(ORDERS);
        let shared = Arc::new(Shared {
            metrics,
            snapshot: snapshots,
            orders: web,
            state_dir: config.state_dir.clone(),
            silences: Arc::new(speaker.clone()),
        });
        let pages = Pages::open(http, shared, &config, &stop_serving)?;
        let socket = control::listen(&config.state_dir)?;
        let desk = Desk { asks, speaker: speaker.clone(), teller, clock };
        let control = tokio::spawn(control::serve(socket, desk, stop_serving.clone()));
        let (new_means, reloaded) = mpsc::channel(1);
        let (current, means) = watch::channel(means);
        let inlets =
            Inlets { asks: asked, web: wanted, reloads: reloaded, stop: stop_rota.clone() };
        let template =
            Template { file: config_file, flags, store: store.clone(), meter, sockets: canaries };
        let (pages_of, speaking) = (pages.clone(), speaker.clone());
        let reloads =
            Reloads { template, current, out: new_means, pages: pages_of, speaker: speaking };
        let rota = tokio::spawn(rota.run(inlets));
        Ok(Self {
            reloads: tokio::spawn(reloads.run(life.reload)),
            store,
            means,
            rota,
            pages,
            control,
            pulse,
            speaker,
            stop_rota,
            stop_serving,
            stop: life.stop,
        })
    }

    /// Until it is told to stop, or a part dies.
    async fn go_on(mut self) -> Result<(), RunError> {
        served::ready();
        let (store, means) = (self.store.clone(), self.means.clone());
        let housekeeping = async {
            let mut ticks = interval(PRUNING);
            loop {
                ticks.tick().await;
                let (record, clock) = {
                    let means = means.borrow();
                    (means.config.record, means.clock())
                };
                let pruned = store.prune(clock.now(), record.keep, record.keep_violations).await;
                match pruned {
                    Ok(0) => {}
                    Ok(rows) => tracing::info!(rows, "what was too old was forgotten"),
                    Err(error) => tracing::warn!(%error, "nothing old was forgotten"),
                }
            }
        };
        let (store, means) = (self.store.clone(), self.means.clone());
        let watchdog = served::watchdog();
        let mut loop_ended = None;
        let dead = tokio::select! {
            () = self.stop.cancelled() => None,
            () = store.died() => Some("the writer of the record"),
            ended = &mut self.rota => {
                loop_ended = Some(ended);
                Some("the loop")
            }
            lost = &mut self.reloads => Some(lost.unwrap_or("the reader of configurations")),
            _ = &mut self.control => Some("the control socket"),
            () = self.pages.died() => Some("the HTTP listener"),
            part = canaries_died(means) => Some(part),
            () = self.speaker.died() => Some("the alerts"),
            () = served::feed_the_watchdog(watchdog, &self.pulse, STUCK, served::alive) => None,
            () = housekeeping => None,
        };
        let died = self.end(loop_ended).await;
        match dead.or(died) {
            Some(part) => Err(RunError::Defect(part)),
            None => Ok(()),
        }
    }

    /// Ends everything in order, each part within its time; the part that died on the way, if one did. The loop may have
    /// ended before.
    async fn end(self, loop_ended: Option<Result<Outlets, JoinError>>) -> Option<&'static str> {
        served::stopping();
        tracing::info!("ending: looks under way have {} s", GRACE.as_secs());
        self.reloads.abort();
        self.stop_rota.cancel();
        let mut rota = self.rota;
        let ended = match loop_ended {
            Some(ended) => Some(ended),
            None => timeout(GRACE, &mut rota).await.ok(),
        };
        let (died, outlets) = match ended {
            Some(Err(_)) => (Some("the loop"), None),
            Some(Ok(outlets)) => (None, Some(outlets)),
            None => {
                rota.abort();
                tracing::warn!("the loop did not end in time, and was broken off");
                (None, None)
            }
        };
        let means = Arc::clone(&self.means.borrow());
        drop(self.means);
        if let Some(canaries) = means.canaries()
            && timeout(GRACE, canaries.close()).await.is_err()
        {
            tracing::warn!("sessions with canaries did not end in time");
        }
        self.speaker.end(GRACE).await;
        // Each part has its time: together they may take longer than a watchdog waits.
        served::alive();
        if let Some(outlets) = outlets
            && !outlets.close(GRACE).await
        {
            tracing::error!("not everything that happened has reached the record");
        }
        if let Err(unwritten) = self.store.flush(GRACE).await {
            tracing::error!(%unwritten, "not everything is recorded");
        }
        self.stop_serving.cancel();
        self.pages.closed(GRACE).await;
        died
    }
}

/// Ends once a part of the canaries has died, whichever they are by then; its name.
async fn canaries_died(means: watch::Receiver<Arc<Means>>) -> &'static str {
    vigil::whichever(means, async |means: &Arc<Means>| match means.canaries() {
        Some(canaries) => canaries.died().await,
        None => pending().await,
    })
    .await
}

/// A partner that was called otherwise brings its history along.
async fn take_over_histories(store: &Store, config: &Config) -> Result<(), LedgerError> {
    for partner in &config.partners {
        let Some(formerly) = partner.formerly.clone() else { continue };
        let name = partner.name.clone();
        store.with(move |record| record.rename_partner(&formerly, &name)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
