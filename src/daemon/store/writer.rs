//! The task that decides what the writing thread does next.
//!
//! 1. What must be on disk before anything else happens is done at once, and its failure is told to whoever asked.
//! 2. What was observed waits its turn; what waits together is written in one transaction.
//! 3. Where the record cannot be written, what waits is compressed and tried again, each time a little later.
//! 4. With nothing waiting, a record that could not be written is tried with a write that changes nothing.
//!
//! Invariant: what was observed is written in the order it came, and leaves the backlog only once it is on disk.

use super::{Health, Signals, hand::Hand};
use crate::daemon::verify::chain;
use crate::model::signal::Signal;
use crate::record::{Commit, Prepared, Record, RecordError};
use std::{collections::VecDeque, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};

/// The most commits that are written in one transaction, so that nobody waits long behind it.
const BATCH: usize = 256;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What is asked of the writer.
pub(super) enum Request {
    /// Answered once the thread has ended.
    Close(oneshot::Sender<()>),
    /// To be done at once.
    Do(Box<dyn FnOnce(&Record) -> Done + Send>),
    /// Answered once nothing waits.
    Flush(oneshot::Sender<()>),
    /// To be written when it is its turn.
    Observed(Waiting),
}

/// What was done at once.
pub(super) struct Done {
    /// Why the store failed, where it did.
    pub(super) away: Option<String>,
    /// Tells whoever asked, who may look at the health of the record next.
    pub(super) tell: Box<dyn FnOnce() + Send>,
}

/// Something observed that is not on disk yet, with its room in the backlog.
pub(super) struct Waiting {
    pub(super) what: What,
    pub(super) room: OwnedSemaphorePermit,
}

pub(super) enum What {
    Commit(Box<Commit>),
    Deed(Deed),
    Prepared(Box<Prepared>),
}

/// One write that can be tried again.
pub(super) struct Deed {
    pub(super) run: Box<dyn Fn(&Record) -> Result<(), RecordError> + Send>,
    /// Whoever waits for it; told that it waits as well, where the record is away.
    pub(super) reply: Option<oneshot::Sender<Result<(), RecordError>>>,
}

impl Deed {
    fn tell(&mut self, outcome: Result<(), RecordError>) {
        if let Some(reply) = self.reply.take() {
            // Whoever asked may have been cancelled; the write stands.
            let _ = reply.send(outcome);
        }
    }
}

/// What waits, and what is known of the record.
pub(super) struct Writer {
    pub(super) hand: Hand,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) health: watch::Sender<Health>,
    pub(super) signals: Signals,
    pub(super) backlog: VecDeque<Waiting>,
    pub(super) flushing: Vec<oneshot::Sender<()>>,
    pub(super) retry: Option<Retry>,
}

/// The record could not be written.
pub(super) struct Retry {
    at: Instant,
    pause: Duration,
}

/// The thread died: nothing can be written any more.
struct Died;

impl Writer {
    pub(super) async fn run(mut self) {
        let closed = match self.serve().await {
            Ok(closed) => closed,
            Err(Died) => {
                tracing::error!("the thread that writes the record died");
                // Nobody must think that something will still be written.
                self.requests.close();
                self.health.send_modify(|health| health.has_died = true);
                None
            }
        };
        self.hand.end().await;
        if let Some(closed) = closed {
            let _ = closed.send(());
        }
    }

    /// Until it is closed, or nobody is left to ask.
    async fn serve(&mut self) -> Result<Option<oneshot::Sender<()>>, Died> {
        let mut closed = None;
        loop {
            match self.next().await {
                Some(Request::Close(reply)) => {
                    closed = Some(reply);
                    self.requests.close();
                }
                Some(request) => self.take(request).await?,
                None if self.requests.is_closed() && self.requests.is_empty() => break,
                None => {}
            }
            while let Ok(request) = self.requests.try_recv() {
                match request {
                    Request::Close(reply) => {
                        closed = Some(reply);
                        self.requests.close();
                    }
                    request => self.take(request).await?,
                }
            }
            if self.is_its_time() {
                self.write().await?;
            }
            self.tell();
        }
        // Whatever the pause: there is no later.
        while !self.backlog.is_empty() {
            let before = self.backlog.len();
            self.write().await?;
            if self.retry.is_some() && self.backlog.len() == before {
                break;
            }
        }
        self.tell();
        Ok(closed)
    }

    /// The next request; none where it is time to write, or nobody can ask any more.
    async fn next(&mut self) -> Option<Request> {
        let at = match &self.retry {
            Some(retry) => Some(retry.at),
            None if self.backlog.is_empty() => None,
            None => return self.requests.try_recv().ok(),
        };
        let time_to_write = async {
            match at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            request = self.requests.recv() => request,
            () = time_to_write => None,
        }
    }

    fn is_its_time(&self) -> bool {
        match &self.retry {
            Some(retry) => Instant::now() >= retry.at,
            None => !self.backlog.is_empty(),
        }
    }

    async fn take(&mut self, request: Request) -> Result<(), Died> {
        match request {
            // Handled where requests come in.
            Request::Close(reply) => drop(reply),
            Request::Do(deed) => {
                let Done { away, tell } = self.hand.run(deed).await.ok_or(Died)?;
                match away {
                    Some(why) => self.fail(why),
                    None => self.hasten(),
                }
                tell();
            }
            Request::Flush(reply) => {
                self.flushing.push(reply);
                self.hasten();
            }
            Request::Observed(mut waiting) => {
                if let (What::Deed(deed), Some(_)) = (&mut waiting.what, &self.retry) {
                    deed.tell(Ok(()));
                }
                self.backlog.push_back(waiting);
            }
        }
        Ok(())
    }

    /// Tries again now: there is a sign that it may work, or no time to wait.
    fn hasten(&mut self) {
        if let Some(retry) = &mut self.retry {
            retry.at = Instant::now();
        }
    }

    /// Writes what waits first, as much as goes into one transaction.
    async fn write(&mut self) -> Result<(), Died> {
        if self.backlog.is_empty() && self.retry.is_none() {
            return Ok(());
        }
        let mut backlog = std::mem::take(&mut self.backlog);
        let job = move |record: &Record| {
            let outcome = write_first(record, &mut backlog);
            (backlog, outcome)
        };
        let (backlog, outcome) = self.hand.run(job).await.ok_or(Died)?;
        self.backlog = backlog;
        match outcome {
            Ok(()) => {
                if self.retry.take().is_some() {
                    tracing::info!(waiting = self.backlog.len(), "the record can be written again");
                }
                self.health.send_if_modified(|health| health.failure.take().is_some());
            }
            Err(Stopped::Away(why)) => self.fail(why),
            Err(Stopped::Refused(why)) => {
                // A defect of ours: it would be refused for ever, and everything behind it would wait.
                tracing::error!(
                    error = why,
                    "the record took back an observation it can never hold"
                );
                (self.signals)(Signal::RecordError);
            }
        }
        Ok(())
    }

    fn fail(&mut self, why: String) {
        let pause = match &self.retry {
            Some(retry) => (retry.pause * 2).min(LONGEST_PAUSE),
            None => {
                tracing::error!(
                    error = why,
                    "the record cannot be written; what is observed waits"
                );
                FIRST_PAUSE
            }
        };
        self.retry = Some(Retry { at: Instant::now() + pause, pause });
        (self.signals)(Signal::RecordError);
        self.health.send_if_modified(|health| {
            let is_news = health.failure.as_ref() != Some(&why);
            health.failure = Some(why);
            is_news
        });
    }

    /// How much waits, to all who want to know.
    fn tell(&mut self) {
        let waiting = self.backlog.iter().map(|waiting| waiting.room.num_permits()).sum();
        let is_news = self.health.send_if_modified(|health| {
            let is_news = health.waiting != waiting;
            health.waiting = waiting;
            health.is_pressed &= waiting > 0;
            is_news
        });
        if is_news {
            (self.signals)(Signal::RecordBacklog(waiting));
        }
        if self.backlog.is_empty() && self.retry.is_none() {
            for reply in self.flushing.drain(..) {
                let _ = reply.send(());
            }
        }
    }
}

/// Why something was not written, in words.
enum Stopped {
    /// The store: it stays in the backlog.
    Away(String),
    /// The thing itself: it left the backlog.
    Refused(String),
}

/// On the writing thread: writes what is first in the backlog, and takes it out.
fn write_first(record: &Record, backlog: &mut VecDeque<Waiting>) -> Result<(), Stopped> {
    for waiting in backlog.iter_mut() {
        waiting.what.prepare();
    }
    let outcome = match backlog.front_mut().map(|waiting| &mut waiting.what) {
        None => record.try_writing().map_err(|error| Stopped::Away(chain(&error))),
        Some(What::Deed(deed)) => match (deed.run)(record) {
            Err(error) if error.is_store_away() => Err(Stopped::Away(chain(&error))),
            outcome => {
                // Told to whoever asked, once; where nobody does any more, to the log.
                let refused = outcome.as_ref().err().map(|error| chain(error));
                let refused = refused.filter(|_| deed.reply.is_none());
                deed.tell(outcome);
                drop(backlog.pop_front());
                refused.map_or(Ok(()), |why| Err(Stopped::Refused(why)))
            }
        },
        Some(What::Commit(_) | What::Prepared(_)) => write_commits(record, backlog),
    };
    if matches!(outcome, Err(Stopped::Away(_))) {
        for waiting in backlog.iter_mut() {
            waiting.what.wait();
        }
    }
    outcome
}

fn write_commits(record: &Record, backlog: &mut VecDeque<Waiting>) -> Result<(), Stopped> {
    let mut batch: Vec<&Prepared> = Vec::new();
    for waiting in backlog.iter().take(BATCH) {
        let What::Prepared(commit) = &waiting.what else { break };
        batch.push(commit);
    }
    let mut wrote = record.write(&batch);
    let mut count = batch.len();
    if wrote.is_err() && count > 1 {
        // There may be room for one where there is none for many; or one of them is refused, and holds up the others.
        wrote = record.write(batch.get(..1).unwrap_or_default());
        count = 1;
    }
    match wrote {
        Err(error) if error.is_store_away() => Err(Stopped::Away(chain(&error))),
        outcome => {
            backlog.drain(..count);
            outcome.map_err(|error| Stopped::Refused(chain(&error)))
        }
    }
}

impl What {
    fn prepare(&mut self) {
        if let Self::Commit(commit) = self {
            *self = Self::Prepared(Box::new(Prepared::of(std::mem::take(commit))));
        }
    }

    /// It has to wait, for who knows how long.
    fn wait(&mut self) {
        match self {
            Self::Commit(_) => {}
            Self::Deed(deed) => deed.tell(Ok(())),
            Self::Prepared(commit) => commit.pack(),
        }
    }
}
