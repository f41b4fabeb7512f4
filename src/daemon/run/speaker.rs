//! The alerts of a daemon: begun, begun anew with another configuration, and ended.
//!
//! Invariant: two dispatchers never speak at once; the second begins with what the first has told, and what it has not
//! heard.
//! Invariant: nobody who is told something first is told of what happened before.

use crate::daemon::{
    alerts::{AlertPlan, Alerts, Keep},
    ledger::LedgerError,
    means::Means,
    meter::Meter,
    store::Store,
};
use crate::model::told::Muted;
use crate::observe::vigil;
use crate::record::Record;
use crate::tell::web::Silences;
use std::{collections::BTreeMap, future::pending, sync::Arc, time::Duration};
use tokio::{runtime::Handle, sync::watch, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The alerts, whichever they are now.
#[derive(Debug, Clone)]
pub struct Speaker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    meter: Meter,
    turn: watch::Sender<Turn>,
}

/// Whose turn it is to speak.
#[derive(Debug, Clone)]
enum Turn {
    /// Somebody should speak, and nobody can.
    Lost,
    Nobody,
    Somebody {
        alerts: Alerts,
        stop: CancellationToken,
        tasks: TaskTracker,
    },
}

impl Speaker {
    /// Nobody speaks yet.
    pub fn new(store: Store, meter: Meter) -> Self {
        Self(Arc::new(Inner { store, meter, turn: watch::Sender::new(Turn::Nobody) }))
    }

    /// The alerts; none where there is no channel.
    pub fn alerts(&self) -> Option<Alerts> {
        match &*self.0.turn.borrow() {
            Turn::Somebody { alerts, .. } => Some(alerts.clone()),
            Turn::Lost | Turn::Nobody => None,
        }
    }

    /// Ends once the alerts have died that were not told to end, whichever they are by then; or could not begin.
    pub async fn died(&self) {
        vigil::whichever(self.0.turn.subscribe(), async |turn: &Turn| match turn {
            Turn::Lost => {}
            Turn::Nobody => pending().await,
            Turn::Somebody { alerts, .. } => alerts.died().await,
        })
        .await;
    }

    /// Speaks by these means from now on, once whoever spoke before has ended.
    ///
    /// # Errors
    ///
    /// What was told before cannot be read: nobody speaks then, rather than all over again, and that counts as a death.
    pub async fn begin(&self, means: &Means, grace: Duration) -> Result<(), LedgerError> {
        self.end(grace).await;
        let config = &means.config;
        if config.alerting.channels.is_empty() {
            self.hear_all(grace).await;
            return Ok(());
        }
        let plan = AlertPlan::of(config, Arc::clone(&means.roots));
        let now = means.clock().now();
        let memory = self.0.store.read(move |reader| reader.alert_memory(now)).await;
        let memory = memory.inspect_err(|_| drop(self.0.turn.send_replace(Turn::Lost)))?;
        let (store, runtime) = (self.0.store.clone(), Handle::current());
        let keep: Keep = Arc::new(move |changes| {
            let changes = changes.to_vec();
            let written = store.with(move |record| record.keep_alerts(&changes));
            runtime.block_on(written).map_err(|error| error.to_string())
        });
        let meter = self.0.meter.clone();
        let signals = move |signal| meter.measure(&signal);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let alerts =
            Alerts::start(plan, memory, keep, means.clock(), signals, stop.clone(), &tasks);
        self.0.turn.send_replace(Turn::Somebody { alerts, stop, tasks });
        Ok(())
    }

    /// There is nobody to tell of what is in the record. Done, or waiting for a record that is away.
    async fn hear_all(&self, within: Duration) {
        let heard = self.0.store.observe(Record::hear_all);
        let why = match timeout(within, heard).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the record takes nothing".to_owned(),
        };
        tracing::warn!(why, "the first channel may be told of what happened before it was there");
    }

    /// Ends after the messages that are under way, within its time.
    pub async fn end(&self, grace: Duration) {
        let turn = self.0.turn.send_replace(Turn::Nobody);
        let Turn::Somebody { alerts: _, stop, tasks } = turn else { return };
        stop.cancel();
        tasks.close();
        if timeout(grace, tasks.wait()).await.is_err() {
            tracing::warn!("a notification under way was broken off; it will be told again");
        }
    }
}

impl Silences for Speaker {
    fn muted(&self) -> BTreeMap<String, Muted> {
        self.alerts().map(|alerts| alerts.muted()).unwrap_or_default()
    }
}
