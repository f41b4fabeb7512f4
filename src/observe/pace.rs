//! Politeness: who may be connected to now, and who must wait ([RFC 5321 §4.5.4.1] asks for no less).
//!
//! 1. At most so many sessions at once: over all, with one operator, with one address.
//! 2. At most so many new sessions with one operator in any minute; a pause between two with one address.
//! 3. A little jitter, so that many of us do not knock in step.
//! 4. Observers come and go with configurations, and share one pace: limits may change, and what happened before counts
//!    under the new ones.
//! 5. Whom no limit has anything to say of any more is forgotten: now and then, as sessions begin.
//!
//! Loopback is a lab's: sessions are bounded there, never paced. What a look tries again, it tries under the leave it
//! has: after a pause of its own, and as one session of the minute.
//!
//! Invariant: waiting is tokio's, so that paused time pauses it; nothing here is held across a failure, and whoever gives
//! up waiting has taken nothing.
//! Invariant: what is kept is bounded by whom a limit still has something to say of.
//!
//! [RFC 5321 §4.5.4.1]: https://www.rfc-editor.org/rfc/rfc5321#section-4.5.4.1

mod room;

use crate::model::{limits::Limits, session::Endpoint};
use room::{Place, Room};
use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync,
    time::{Instant, sleep_until},
};

const MINUTE: Duration = Duration::from_secs(60);
/// The most that a pause is longer than it must be.
const JITTER: Duration = Duration::from_millis(500);

/// Gives leave to open sessions. A clone is the same pace.
#[derive(Debug, Clone)]
pub struct Pace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: Mutex<Limits>,
    all: Arc<Room>,
    operators: Mutex<HashMap<String, Arc<Operator>>>,
    addresses: Mutex<HashMap<IpAddr, Arc<Address>>>,
    forgot_at: Mutex<Instant>,
}

#[derive(Debug, Default)]
struct Operator {
    room: Arc<Room>,
    /// When the sessions of the last minute began. Whoever is next waits with the lock held, so that all come in turn.
    begun: sync::Mutex<VecDeque<Instant>>,
}

#[derive(Debug, Default)]
struct Address {
    room: Arc<Room>,
    last_left: Mutex<Option<Instant>>,
}

/// Leave to hold one session; given back when dropped.
#[derive(Debug)]
pub(super) struct Leave {
    _places: [Place; 3],
    _operator: Arc<Operator>,
    address: Arc<Address>,
}

impl Drop for Leave {
    fn drop(&mut self) {
        *lock(&self.address.last_left) = Some(Instant::now());
    }
}

impl Pace {
    /// A pace that has met nobody yet.
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Inner {
            limits: Mutex::new(limits),
            all: Arc::default(),
            operators: Mutex::default(),
            addresses: Mutex::default(),
            forgot_at: Mutex::new(Instant::now()),
        }))
    }

    /// From now on these limits count for sessions that begin, also for those that wait already; where there is more
    /// room than before, at the latest once a session has ended or a minute is over.
    pub fn keep_to(&self, limits: Limits) {
        *lock(&self.0.limits) = limits;
    }

    /// Waits until a session with this endpoint may begin.
    pub(super) async fn leave(&self, endpoint: &Endpoint) -> Leave {
        self.forget();
        let address = known(&self.0.addresses, endpoint.address);
        let operator = known(&self.0.operators, operator(endpoint));
        let is_paced = !endpoint.address.is_loopback();
        // Narrowest first: whoever waits for one address holds nothing that others want.
        let at_address = address.room.enter(|| self.limits().sessions_per_address).await;
        if is_paced {
            address.rest(self.limits().pause_per_address + jitter(endpoint)).await;
        }
        let at_operator = operator.room.enter(|| self.limits().sessions_per_operator).await;
        let mut minute = None;
        if is_paced {
            minute = Some(operator.minute(|| self.limits().per_operator_per_minute).await);
        }
        let at_all = self.0.all.enter(|| self.limits().probes).await;
        // The last thing, so that what is counted is what begins.
        if let Some(begun) = &mut minute {
            begun.push_back(Instant::now());
        }
        drop(minute);
        Leave { _places: [at_address, at_operator, at_all], _operator: operator, address }
    }

    fn limits(&self) -> Limits {
        *lock(&self.0.limits)
    }

    /// Once a minute: a daemon runs for years, and meets whom strangers name.
    fn forget(&self) {
        let now = Instant::now();
        let mut forgot_at = lock(&self.0.forgot_at);
        if now.duration_since(*forgot_at) < MINUTE {
            return;
        }
        *forgot_at = now;
        let pause = self.limits().pause_per_address + JITTER;
        // Whoever waits for them, or is in session with them, holds them as well.
        let is_met = |operator: &mut Arc<Operator>| {
            Arc::get_mut(operator).is_none_or(|operator| operator.is_recent(now))
        };
        lock(&self.0.operators).retain(|_, operator| is_met(operator));
        let is_met = |address: &mut Arc<Address>| {
            Arc::get_mut(address).is_none_or(|address| address.is_recent(now, pause))
        };
        lock(&self.0.addresses).retain(|_, address| is_met(address));
    }
}

impl Operator {
    /// Waits until one more session may begin; nobody else is told so before the lock is given back.
    async fn minute(&self, most: impl Fn() -> u32) -> sync::MutexGuard<'_, VecDeque<Instant>> {
        let mut begun = self.begun.lock().await;
        loop {
            let now = Instant::now();
            begun.retain(|began| now.duration_since(*began) < MINUTE);
            let most = usize::try_from(most()).unwrap_or(usize::MAX).max(1);
            let in_the_way = begun.len().checked_sub(most).and_then(|last| begun.get(last));
            match in_the_way {
                Some(began) => sleep_until(*began + MINUTE).await,
                None => return begun,
            }
        }
    }

    fn is_recent(&mut self, now: Instant) -> bool {
        let last = self.begun.get_mut().back();
        last.is_some_and(|last| now.duration_since(*last) < MINUTE)
    }
}

impl Address {
    /// Waits until the last session is so long over.
    async fn rest(&self, pause: Duration) {
        let last = *lock(&self.last_left);
        if let Some(last) = last {
            sleep_until(last + pause).await;
        }
    }

    fn is_recent(&self, now: Instant, pause: Duration) -> bool {
        let last = *lock(&self.last_left);
        last.is_some_and(|last| now.duration_since(last) < pause)
    }
}

fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is known of somebody; the same for all who ask.
fn known<K: Eq + Hash, V: Default>(all: &Mutex<HashMap<K, Arc<V>>>, whom: K) -> Arc<V> {
    Arc::clone(lock(all).entry(whom).or_default())
}

/// Whoever runs the endpoint: the registrable domain of its name; without a name, the address.
/// On loopback every address is a host of its own.
fn operator(endpoint: &Endpoint) -> String {
    match &endpoint.host {
        Some(host) if !endpoint.address.is_loopback() => host.operator().to_owned(),
        Some(_) | None => endpoint.address.to_string(),
    }
}

/// Less than [`JITTER`], by endpoint: spread, and the same in every run.
fn jitter(endpoint: &Endpoint) -> Duration {
    let sum = endpoint.to_string().bytes().fold(0u64, |sum, byte| sum * 31 % 499 + u64::from(byte));
    Duration::from_millis(sum % 500)
}

#[cfg(test)]
mod tests;
