//! What a run has seen so far, so that an endpoint which many partners share is looked at once.
//!
//! 1. `check` and `verify` remember for as long as they run.
//! 2. The daemon remembers for a short while: what it looks at again, it wants to see as it is then.
//! 3. Whoever asks again is not answered with what it was answered before: one look never confirms itself.
//!
//! Invariant: what is held is bounded: where it may be forgotten, it is, before more is taken in.

use crate::model::{
    evidence::Vantage,
    session::{ConnectFailure, Ending, Endpoint, Session, WithoutSni},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::OnceCell, time::Instant};

/// Endpoints held before those that may be forgotten are looked for.
const MANY: usize = 1024;
/// Our own place in the network is judged by what was tried so long ago at most.
const VANTAGE: Duration = Duration::from_secs(600);

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Memory {
    holds_for: Option<Duration>,
    seen: Mutex<Cells<Session>>,
    seen_bare: Mutex<Cells<Option<WithoutSni>>>,
    vantage: Mutex<Option<(Instant, Vantage)>>,
}

type Cells<T> = HashMap<Endpoint, (Instant, Arc<OnceCell<T>>)>;

impl Memory {
    /// One that forgets.
    pub(super) fn holding_for(holds_for: Duration) -> Self {
        Self { holds_for: Some(holds_for), ..Self::default() }
    }

    /// The place where a look at an endpoint is kept, empty until somebody has looked behind `after`.
    pub(super) fn look(
        &self,
        endpoint: &Endpoint,
        after: Option<Instant>,
    ) -> Arc<OnceCell<Session>> {
        cell_of(lock(&self.seen), endpoint, self.holds_for, after)
    }

    /// Likewise for a look without SNI.
    pub(super) fn look_without_sni(
        &self,
        of: &Endpoint,
        after: Option<Instant>,
    ) -> Arc<OnceCell<Option<WithoutSni>>> {
        cell_of(lock(&self.seen_bare), of, self.holds_for, after)
    }

    /// What was seen of our own place in the network.
    pub(super) fn vantage(&self) -> Vantage {
        lock(&self.vantage).map(|(_, vantage)| vantage).unwrap_or_default()
    }

    /// Counts a session that was tried.
    pub(super) fn count(&self, session: &Session) {
        let tried = !matches!(session.ending, Ending::NotTried(_));
        if session.endpoint.port != 25 || !tried {
            return;
        }
        let mut held = lock(&self.vantage);
        let is_old = |since: Instant| self.holds_for.is_some() && since.elapsed() > VANTAGE;
        let (since, mut vantage) = held
            .filter(|(since, _)| !is_old(*since))
            .unwrap_or_else(|| (Instant::now(), Vantage::default()));
        vantage.port25_tried += 1;
        if matches!(session.ending, Ending::Connect(ConnectFailure::TimedOut(_))) {
            vantage.port25_timed_out += 1;
        }
        *held = Some((since, vantage));
    }
}

fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cell_of<T>(
    mut cells: MutexGuard<'_, Cells<T>>,
    endpoint: &Endpoint,
    holds_for: Option<Duration>,
    after: Option<Instant>,
) -> Arc<OnceCell<T>> {
    let is_fresh = |since: &Instant| holds_for.is_none_or(|held| since.elapsed() < held);
    if cells.len() >= MANY {
        cells.retain(|_, (since, _)| is_fresh(since));
    }
    match cells.get(endpoint) {
        Some((since, cell)) if is_fresh(since) && after.is_none_or(|after| *since > after) => {
            Arc::clone(cell)
        }
        _ => {
            let cell = Arc::new(OnceCell::new());
            cells.insert(endpoint.clone(), (Instant::now(), Arc::clone(&cell)));
            cell
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use tokio::time::advance;

    fn endpoint(host: &str) -> Endpoint {
        Endpoint { host: host.parse().ok(), address: [127, 0, 0, 1].into(), port: 25 }
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_remembers_for_ever_and_the_daemon_for_a_while() {
        let one = endpoint("mx.a.test");
        let run = Memory::default();
        let daemon = Memory::holding_for(Duration::from_secs(30));
        let (of_run, of_daemon) = (run.look(&one, None), daemon.look(&one, None));
        advance(Duration::from_secs(29)).await;
        assert!(Arc::ptr_eq(&of_daemon, &daemon.look(&one, None)));
        advance(Duration::from_secs(1)).await;
        assert!(!Arc::ptr_eq(&of_daemon, &daemon.look(&one, None)));
        assert!(Arc::ptr_eq(&of_run, &run.look(&one, None)));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_again_is_not_answered_with_the_same_look() {
        let one = endpoint("mx.a.test");
        let daemon = Memory::holding_for(Duration::from_secs(30));
        let first = daemon.look(&one, None);
        advance(Duration::from_secs(1)).await;
        let ended = Instant::now();
        advance(Duration::from_secs(1)).await;
        let again = daemon.look(&one, Some(ended));
        assert!(!Arc::ptr_eq(&first, &again));
        // Somebody else, who has not seen it yet, shares the newer one.
        assert!(Arc::ptr_eq(&again, &daemon.look(&one, None)));
        assert!(Arc::ptr_eq(&again, &daemon.look(&one, Some(ended))));
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_be_forgotten_is_bounded() {
        let daemon = Memory::holding_for(Duration::from_secs(30));
        for at in 0..MANY {
            daemon.look(&endpoint(&format!("mx{at}.a.test")), None);
        }
        advance(Duration::from_secs(31)).await;
        daemon.look(&endpoint("mx.b.test"), None);
        assert_eq!(lock(&daemon.seen).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_place_in_the_network_says_nothing_of_today() {
        let daemon = Memory::holding_for(Duration::from_secs(30));
        let mut session = Session::new(endpoint("mx.a.test"), Timestamp::UNIX_EPOCH);
        daemon.count(&session);
        advance(VANTAGE * 2).await;
        session.ending = Ending::Connect(ConnectFailure::TimedOut("no answer".to_owned()));
        daemon.count(&session);
        assert_eq!(daemon.vantage(), Vantage { port25_tried: 1, port25_timed_out: 1 });
    }
}
