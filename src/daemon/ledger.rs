//! The record, for those who must not block: every call goes to a thread that may.
//!
//! Invariant: what a call has returned from is on disk.

use crate::model::delivery::{CanarySession, Probe, Submission};
use crate::record::{Record, RecordError, Settled, Whose};
use crate::wire::name::Domain;
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::spawn_blocking;

/// A partner's receiver is probed once a day. An hour is given away, so that the same hour of the next day will do.
const DAY: SignedDuration = SignedDuration::from_hours(23);

/// The ledger of probes.
#[derive(Debug, Clone)]
pub struct Ledger(Arc<Mutex<Record>>);

/// The ledger cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A session could not be written down, in words.
    #[error("a canary's session could not be written down: {0}")]
    Canaries(String),
    /// The thread that writes it died.
    #[error("the thread that writes the record died")]
    Died,
    /// The store.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl Ledger {
    /// The ledger of this record.
    pub fn new(record: Record) -> Self {
        Self(Arc::new(Mutex::new(record)))
    }

    async fn with<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Record) -> Result<T, RecordError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let record = Arc::clone(&self.0);
        let run = move || run(&mut record.lock().unwrap_or_else(PoisonError::into_inner));
        match spawn_blocking(run).await {
            Ok(done) => Ok(done?),
            Err(_) => Err(LedgerError::Died),
        }
    }

    /// Writes a probe down.
    ///
    /// # Errors
    ///
    /// It could not be written; it must not be submitted then.
    pub async fn add_probe(&self, probe: Probe) -> Result<(), LedgerError> {
        self.with(move |record| record.add_probe(&probe)).await
    }

    /// Writes down what our mail system said to it.
    ///
    /// # Errors
    ///
    /// It could not be written.
    pub async fn set_submission(&self, id: String, is: Submission) -> Result<(), LedgerError> {
        self.with(move |record| record.set_submission(&id, &is)).await
    }

    /// Writes down what became of it.
    ///
    /// # Errors
    ///
    /// It could not be written.
    pub async fn settle(&self, id: String, how: Settled, at: Timestamp) -> Result<(), LedgerError> {
        self.with(move |record| record.settle_probe(&id, how, at)).await
    }

    /// Writes a session of a probe down.
    ///
    /// # Errors
    ///
    /// It could not be written.
    pub async fn add_session(&self, id: String, is: CanarySession) -> Result<(), LedgerError> {
        self.with(move |record| record.add_session(&id, &is)).await
    }

    /// Leave to probe a partner's receiver now, written down where it is given; otherwise when it was last probed.
    ///
    /// # Errors
    ///
    /// It cannot be read or written; nobody is probed then.
    pub async fn ask_leave(
        &self,
        partner: String,
        now: Timestamp,
    ) -> Result<Result<(), Timestamp>, LedgerError> {
        self.with(move |record| {
            let last = record.read().last_agreed_probe(&partner)?;
            // A clock set back must not keep a partner unproved for ever.
            let is_recent = |last: &Timestamp| *last <= now && now.duration_since(*last) < DAY;
            match last.filter(is_recent) {
                Some(last) => Ok(Err(last)),
                None => record.set_agreed_probe(&partner, now).map(Ok),
            }
        })
        .await
    }

    /// Probes to this domain that may still be in our mail system's queue.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub async fn open_probes(&self, to: Domain, now: Timestamp) -> Result<Vec<Probe>, LedgerError> {
        self.with(move |record| record.read().open_probes(Whose::Domain(&to), now)).await
    }
}
