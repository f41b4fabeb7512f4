//! The ledger of probes, for those who must not block: a part of the [`Store`].
//!
//! 1. What must be on disk before anything is sent fails where the record is away: a probe, a leave to probe.
//! 2. What was observed of a probe waits then, as everything observed does: sessions, replies, what became of it.
//!
//! Invariant: a probe that was added, and a leave that was given, are on disk.

use super::store::Store;
use crate::model::delivery::{CanarySession, Probe, Submission};
use crate::record::{RecordError, Settled, Whose};
use crate::wire::name::Domain;
use jiff::{SignedDuration, Timestamp};

/// A partner's receiver is probed once a day. An hour is given away, so that the same hour of the next day will do.
const DAY: SignedDuration = SignedDuration::from_hours(23);

/// The ledger of probes.
#[derive(Debug, Clone)]
pub struct Ledger(Store);

/// The ledger cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A session could not be written down, in words.
    #[error("a canary's session could not be written down: {0}")]
    Canaries(String),
    /// The record was closed, or the thread that writes it died.
    #[error("the record is closed")]
    Died,
    /// The store.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl Ledger {
    /// The ledger in this store.
    pub(super) fn of(store: Store) -> Self {
        Self(store)
    }

    /// Writes a probe down.
    ///
    /// # Errors
    ///
    /// It could not be written; it must not be submitted then.
    pub async fn add_probe(&self, probe: Probe) -> Result<(), LedgerError> {
        self.0.with(move |record| record.add_probe(&probe)).await
    }

    /// Writes down what our mail system said to it, as soon as the record can be written.
    ///
    /// # Errors
    ///
    /// There is no such probe.
    pub async fn set_submission(&self, id: String, is: Submission) -> Result<(), LedgerError> {
        self.0.observe(move |record| record.set_submission(&id, &is)).await
    }

    /// Writes down what became of it, as soon as the record can be written.
    ///
    /// # Errors
    ///
    /// There is no such probe.
    pub async fn settle(&self, id: String, how: Settled, at: Timestamp) -> Result<(), LedgerError> {
        self.0.observe(move |record| record.settle_probe(&id, how, at)).await
    }

    /// Writes a session of a probe down, as soon as the record can be written.
    ///
    /// # Errors
    ///
    /// There is no such probe.
    pub async fn add_session(&self, id: String, is: CanarySession) -> Result<(), LedgerError> {
        self.0.observe(move |record| record.add_session(&id, &is)).await
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
        self.0
            .with(move |record| {
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
        self.0.read(move |reader| reader.open_probes(Whose::Domain(&to), now)).await
    }

    /// One probe, whatever became of it.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub async fn probe(&self, id: String) -> Result<Option<Probe>, LedgerError> {
        let found = self.0.read(move |reader| reader.probe(&id)).await?;
        Ok(found.map(|found| found.probe))
    }

    /// The sessions of probes to this domain that were over at `since` or later.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub async fn sessions_since(
        &self,
        to: Domain,
        since: Timestamp,
    ) -> Result<Vec<CanarySession>, LedgerError> {
        let found = self.0.read(move |reader| reader.sessions_since(&to, since)).await?;
        Ok(found.into_iter().map(|found| found.session).collect())
    }
}
