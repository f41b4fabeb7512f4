//! How long one session waits, and for what it stops waiting.
//!
//! Invariant: nothing a sender does or leaves undone keeps a session open for longer than its whole time.

use super::CanaryLimits;
use std::{io, time::Duration};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Why a session stopped waiting.
#[derive(Debug)]
pub(super) enum Halt {
    /// The connection failed.
    Failed(io::Error),
    /// The session has lasted its whole time.
    Overtime,
    /// What was waited for did not come in time.
    Silent,
    /// The canary is being stopped.
    Stopped,
}

/// The bounds of one session's waiting.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    stop: CancellationToken,
    command: Duration,
    over_at: Instant,
}

impl Patience {
    /// From now on.
    pub(super) fn new(limits: &CanaryLimits, stop: CancellationToken) -> Self {
        Self { stop, command: limits.command, over_at: Instant::now() + limits.session }
    }

    /// The same with less time for each step.
    pub(super) fn within(&self, command: Duration) -> Self {
        Self { command: self.command.min(command), ..self.clone() }
    }

    /// Waits for one step, whatever it is made of: a sender that drips octets gets no more time than one
    /// that is silent.
    pub(super) async fn until<T>(&self, step: impl Future<Output = T>) -> Result<T, Halt> {
        let due = Instant::now() + self.command;
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Halt::Stopped),
            done = step => Ok(done),
            () = sleep_until(due.min(self.over_at)) => {
                Err(if due < self.over_at { Halt::Silent } else { Halt::Overtime })
            }
        }
    }
}
