//! The one thread that writes the record, and how to have it do something.
//!
//! Invariant: jobs are done one behind the other, in the order they were given.

use crate::record::Record;
use std::{
    io,
    sync::mpsc::{Sender, channel, sync_channel},
    thread::{self, JoinHandle},
};
use tokio::task::spawn_blocking;

type Job = Box<dyn FnOnce(&Record) + Send>;

/// The thread. It ends when this is dropped, and lets the record go.
#[derive(Debug)]
pub(super) struct Hand {
    jobs: Sender<Job>,
    thread: JoinHandle<()>,
}

impl Hand {
    pub(super) fn of(record: Record) -> io::Result<Self> {
        // Whoever gives a job waits for it, so no more than one is ever in here.
        let (jobs, work) = channel::<Job>();
        let thread = thread::Builder::new().name("record".to_owned()).spawn(move || {
            while let Ok(job) = work.recv() {
                job(&record);
            }
        })?;
        Ok(Self { jobs, thread })
    }

    /// What came of it; none where the thread has died.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Record) -> T + Send + 'static,
    ) -> Option<T> {
        let (reply, told) = sync_channel(1);
        let job = move |record: &Record| {
            // Nobody waits any longer where the runtime has ended.
            let _ = reply.send(job(record));
        };
        self.jobs.send(Box::new(job)).ok()?;
        // Waiting on a blocking thread holds a paused clock still, as the bare channel would not.
        spawn_blocking(move || told.recv().ok()).await.ok().flatten()
    }

    /// Ends the thread; the state directory is free when this returns.
    pub(super) async fn end(self) {
        let Self { jobs, thread } = self;
        drop(jobs);
        // One that died has told all it will.
        let _ = spawn_blocking(move || thread.join()).await;
    }
}
