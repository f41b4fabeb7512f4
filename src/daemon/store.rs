//! The record, for those who must not block: one thread writes, readers have connections of their own.
//!
//! 1. What was observed ([`Store::commit`]) goes into a bounded backlog and is written in its turn; while the record
//!    cannot be written it waits there, and is caught up with once it can.
//! 2. What must be on disk before anything else happens ([`Store::with`], and the ledger of probes) is written at once,
//!    or fails.
//! 3. When the backlog is full, whoever has observed something waits ([`Store::is_pressed`]); nothing is dropped.
//! 4. [`Store::health`] says what waits and why.
//!
//! Invariant: what [`Store::with`] has returned from is on disk; what [`Store::flush`] has returned from is too.

mod hand;
mod writer;

use super::ledger::{Ledger, LedgerError};
use super::verify::chain;
use crate::model::signal::Signal;
use crate::record::{Commit, Reader, Record, RecordError};
use hand::Hand;
use jiff::Timestamp;
use std::{
    collections::VecDeque,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch},
    task::spawn_blocking,
    time::timeout,
};
use writer::{Deed, Done, Request, Waiting, What, Writer};

/// Observations that may wait for the record.
pub const BACKLOG: usize = 10_000;
/// Requests on their way to the writer; what they ask for is bounded by the backlog, or by whoever waits for it.
const REQUESTS: usize = 64;
/// Connections that are kept open for the next reader.
const IDLE_READERS: usize = 4;

/// Hears what is measured; must not block.
type Signals = Arc<dyn Fn(Signal) + Send + Sync>;

/// The record of a running daemon. Clones are handles of the same.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

struct Shared {
    requests: mpsc::Sender<Request>,
    room: Arc<Semaphore>,
    health: watch::Sender<Health>,
    state_dir: PathBuf,
    idle: Mutex<Vec<Reader>>,
}

/// How the record is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// Why it cannot be written, with what to do about it; none where it can.
    pub failure: Option<String>,
    /// Observations that wait.
    pub waiting: usize,
    /// The backlog was full and is not empty again: rounds pause.
    pub is_pressed: bool,
    /// The writing thread panicked: nothing will ever be written, and the daemon must end.
    pub has_died: bool,
}

/// Observations are not on disk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{waiting} observations are not in the record{}", failure.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
pub struct Unwritten {
    /// How many.
    pub waiting: usize,
    /// Why not, where it is known.
    pub failure: Option<String>,
}

impl Store {
    /// Opens the record in this directory, and begins to write. Needs a runtime, and blocks.
    ///
    /// # Errors
    ///
    /// It cannot be opened.
    pub fn open(
        state_dir: &Path,
        signals: impl Fn(Signal) + Send + Sync + 'static,
    ) -> Result<Self, RecordError> {
        Self::of(Record::open(state_dir)?, signals)
    }

    /// Begins to write to a record that is open. Needs a runtime.
    ///
    /// # Errors
    ///
    /// No thread can be had.
    pub fn of(
        record: Record,
        signals: impl Fn(Signal) + Send + Sync + 'static,
    ) -> Result<Self, RecordError> {
        Self::with_room(record, Arc::new(signals), BACKLOG)
    }

    fn with_room(record: Record, signals: Signals, room: usize) -> Result<Self, RecordError> {
        let state_dir = record.state_dir().to_owned();
        let hand = Hand::of(record)
            .map_err(|source| RecordError::Thread { path: state_dir.clone(), source })?;
        let (requests, asked) = mpsc::channel(REQUESTS);
        let health = watch::Sender::new(Health::default());
        let writer = Writer {
            hand,
            requests: asked,
            health: health.clone(),
            signals,
            backlog: VecDeque::new(),
            flushing: Vec::new(),
            retry: None,
        };
        // It ends with the last handle, or when it is closed; one that dies says so in its health.
        tokio::spawn(writer.run());
        let room = Arc::new(Semaphore::new(room));
        Ok(Self(Arc::new(Shared { requests, room, health, state_dir, idle: Mutex::default() })))
    }

    /// The ledger of probes in this record.
    pub fn ledger(&self) -> Ledger {
        Ledger::of(self.clone())
    }

    /// Hands over what was observed. It is written soon; at once where there is room for it to wait, and otherwise
    /// this waits for room.
    ///
    /// # Errors
    ///
    /// The record was closed, or its writing thread has died.
    pub async fn commit(&self, commit: Commit) -> Result<(), LedgerError> {
        let room = self.room(commit.looks.len()).await?;
        let what = What::Commit(Box::new(commit));
        self.ask(Request::Observed(Waiting { what, room })).await
    }

    /// A write that waits where the record is away; done, or waiting, when this returns.
    ///
    /// # Errors
    ///
    /// What is written can never be; the record was closed, or its writing thread has died.
    pub(super) async fn observe(
        &self,
        run: impl Fn(&Record) -> Result<(), RecordError> + Send + 'static,
    ) -> Result<(), LedgerError> {
        let room = self.room(1).await?;
        let (reply, told) = oneshot::channel();
        let what = What::Deed(Deed { run: Box::new(run), reply: Some(reply) });
        self.ask(Request::Observed(Waiting { what, room })).await?;
        Ok(told.await.map_err(|_| LedgerError::Died)??)
    }

    /// Does something with the record, by the one who writes it; what it wrote is on disk when this returns.
    ///
    /// # Errors
    ///
    /// It could not be done, now: nothing waits, and nothing is tried again.
    pub async fn with<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Record) -> Result<T, RecordError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (reply, told) = oneshot::channel();
        let deed = move |record: &Record| {
            let outcome = run(record);
            let away = outcome.as_ref().err().filter(|error| error.is_store_away());
            let away = away.map(|error| chain(error));
            // Whoever asked may have been cancelled; what was written stands.
            let tell = Box::new(move || drop(reply.send(outcome)));
            Done { away, tell }
        };
        self.ask(Request::Do(Box::new(deed))).await?;
        Ok(told.await.map_err(|_| LedgerError::Died)??)
    }

    /// Reads, beside whoever writes.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub async fn read<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Reader) -> Result<T, RecordError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let shared = Arc::clone(&self.0);
        let read = spawn_blocking(move || {
            let idle = || shared.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let pooled = idle().pop();
            let reader = pooled.map_or_else(|| Reader::open(&shared.state_dir), Ok)?;
            let outcome = run(&reader);
            let mut idle = idle();
            // One that failed may be broken itself.
            if outcome.is_ok() && idle.len() < IDLE_READERS {
                idle.push(reader);
            }
            outcome
        });
        Ok(read.await.map_err(|_| LedgerError::Died)??)
    }

    /// Forgets what is older than these spans, batch by batch, so that writers get their turn in between. How much.
    ///
    /// # Errors
    ///
    /// It could not be done, now; what was forgotten until then is.
    pub async fn prune(
        &self,
        now: Timestamp,
        keep: Duration,
        keep_violations: Duration,
    ) -> Result<usize, LedgerError> {
        let mut all = 0;
        loop {
            match self.with(move |record| record.prune(now, keep, keep_violations)).await? {
                0 => return Ok(all),
                taken => all += taken,
            }
        }
    }

    /// How the record is, now and from now on.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.0.health.subscribe()
    }

    /// Why the record cannot be written, where it cannot.
    pub fn failure(&self) -> Option<String> {
        self.0.health.borrow().failure.clone()
    }

    /// Whether so much waits that nothing more should be observed.
    pub fn is_pressed(&self) -> bool {
        self.0.health.borrow().is_pressed
    }

    /// Ends once the writing thread has died, which it never should.
    pub async fn died(&self) {
        // The sender lives as long as we do.
        let _ = self.health().wait_for(|health| health.has_died).await;
    }

    /// Waits until everything observed is on disk, no longer than this.
    ///
    /// # Errors
    ///
    /// It is not.
    pub async fn flush(&self, within: Duration) -> Result<(), Unwritten> {
        let (reply, told) = oneshot::channel();
        let flushed = async { self.ask(Request::Flush(reply)).await.is_ok() && told.await.is_ok() };
        match timeout(within, flushed).await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(self.unwritten()),
        }
    }

    /// As [`Self::flush`]; then ends the writing thread and lets the state directory go, for all handles.
    ///
    /// # Errors
    ///
    /// Not everything is on disk. It is closed all the same.
    pub async fn close(self, within: Duration) -> Result<(), Unwritten> {
        let flushed = self.flush(within).await;
        let (reply, told) = oneshot::channel();
        if self.ask(Request::Close(reply)).await.is_ok() {
            let _ = told.await;
        }
        match flushed {
            // Its last try may have succeeded.
            Err(_) if self.0.health.borrow().waiting == 0 => Ok(()),
            flushed => flushed,
        }
    }

    fn unwritten(&self) -> Unwritten {
        let health = self.0.health.borrow();
        Unwritten { waiting: health.waiting, failure: health.failure.clone() }
    }

    async fn ask(&self, request: Request) -> Result<(), LedgerError> {
        self.0.requests.send(request).await.map_err(|_| LedgerError::Died)
    }

    /// Room in the backlog, waited for where there is none.
    async fn room(&self, looks: usize) -> Result<OwnedSemaphorePermit, LedgerError> {
        let looks = u32::try_from(looks.clamp(1, BACKLOG)).unwrap_or(1);
        let room = Arc::clone(&self.0.room);
        if let Ok(permit) = Arc::clone(&room).try_acquire_many_owned(looks) {
            return Ok(permit);
        }
        let is_first = self.0.health.send_if_modified(|health| {
            let is_first = !health.is_pressed;
            health.is_pressed = true;
            is_first
        });
        if is_first {
            tracing::warn!(
                waiting = BACKLOG,
                "too many observations wait for the record; rounds pause until they are written"
            );
        }
        room.acquire_many_owned(looks).await.map_err(|_| LedgerError::Died)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.0.state_dir).finish()
    }
}

#[cfg(test)]
mod tests;
