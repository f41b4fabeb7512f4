//! Politeness: who may be connected to now, and who must wait ([RFC 5321 §4.5.4.1] asks for no less).
//!
//! 1. At most so many sessions at once: over all, with one operator, with one address.
//! 2. At most so many new sessions a minute with one operator; a pause between two with one address.
//! 3. A little jitter, so that many of us do not knock in step.
//!
//! Loopback is a lab's: sessions are bounded there, never paced.
//!
//! Invariant: waiting is tokio's, so that paused time pauses it; nothing here is held across a failure.
//!
//! [RFC 5321 §4.5.4.1]: https://www.rfc-editor.org/rfc/rfc5321#section-4.5.4.1

use crate::model::{limits::Limits, session::Endpoint};
use governor::{
    Quota, RateLimiter, clock::Clock as GovernorClock, middleware::NoOpMiddleware, nanos::Nanos,
    state::keyed::DashMapStateStore,
};
use std::{
    collections::HashMap,
    net::IpAddr,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, sleep_until},
};

/// Monotonic time by tokio's clock, for governor.
#[derive(Debug, Clone, Copy)]
struct TokioClock(Instant);

impl GovernorClock for TokioClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.0.elapsed())
    }
}

type Limiter = RateLimiter<String, DashMapStateStore<String>, TokioClock, NoOpMiddleware<Nanos>>;

/// Gives leave to open sessions.
#[derive(Debug)]
pub(super) struct Pace {
    limits: Limits,
    all: Arc<Semaphore>,
    operators: Mutex<HashMap<String, Arc<Semaphore>>>,
    addresses: Mutex<HashMap<IpAddr, Arc<Address>>>,
    per_minute: Limiter,
    clock: TokioClock,
}

#[derive(Debug)]
struct Address {
    sessions: Arc<Semaphore>,
    last_left: Mutex<Option<Instant>>,
}

/// Leave to hold one session; given back when dropped.
#[derive(Debug)]
pub(super) struct Leave {
    _all: Option<OwnedSemaphorePermit>,
    _operator: Option<OwnedSemaphorePermit>,
    _address: Option<OwnedSemaphorePermit>,
    address: Arc<Address>,
}

impl Drop for Leave {
    fn drop(&mut self) {
        *self.address.last_left.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Instant::now());
    }
}

impl Pace {
    pub(super) fn new(limits: Limits) -> Self {
        let clock = TokioClock(Instant::now());
        let per_minute = NonZeroU32::new(limits.per_operator_per_minute).unwrap_or(NonZeroU32::MIN);
        Self {
            limits,
            all: Arc::new(Semaphore::new(limits.probes)),
            operators: Mutex::default(),
            addresses: Mutex::default(),
            per_minute: RateLimiter::new(
                Quota::per_minute(per_minute),
                DashMapStateStore::default(),
                clock,
            ),
            clock,
        }
    }

    /// Waits until a session with this endpoint may begin.
    pub(super) async fn leave(&self, endpoint: &Endpoint) -> Leave {
        let operator = operator(endpoint);
        let address = self.address(endpoint.address);
        // Narrowest first: whoever waits for one address holds nothing that others want.
        let on_address = Arc::clone(&address.sessions).acquire_owned().await.ok();
        if !endpoint.address.is_loopback() {
            let last = *address.last_left.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(last) = last {
                sleep_until(last + self.limits.pause_per_address + jitter(endpoint)).await;
            }
            self.wait_for_operator(&operator).await;
        }
        let with_operator = self.operator(&operator).acquire_owned().await.ok();
        let all = Arc::clone(&self.all).acquire_owned().await.ok();
        Leave { _all: all, _operator: with_operator, _address: on_address, address }
    }

    async fn wait_for_operator(&self, operator: &String) {
        while let Err(not_until) = self.per_minute.check_key(operator) {
            sleep(not_until.wait_time_from(self.clock.now())).await;
        }
    }

    fn operator(&self, operator: &str) -> Arc<Semaphore> {
        let mut operators = self.operators.lock().unwrap_or_else(PoisonError::into_inner);
        let permits = self.limits.sessions_per_operator;
        let new = || Arc::new(Semaphore::new(permits));
        Arc::clone(operators.entry(operator.to_owned()).or_insert_with(new))
    }

    fn address(&self, address: IpAddr) -> Arc<Address> {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let permits = self.limits.sessions_per_address;
        let new = || {
            let sessions = Arc::new(Semaphore::new(permits));
            Arc::new(Address { sessions, last_left: Mutex::default() })
        };
        Arc::clone(addresses.entry(address).or_insert_with(new))
    }
}

/// Whoever runs the endpoint: the registrable domain of its name; without a name, the address.
/// On loopback every address is a host of its own.
fn operator(endpoint: &Endpoint) -> String {
    match &endpoint.host {
        Some(host) if !endpoint.address.is_loopback() => host.operator().to_owned(),
        Some(_) | None => endpoint.address.to_string(),
    }
}

/// Up to half a second, by endpoint: spread, and the same in every run.
fn jitter(endpoint: &Endpoint) -> Duration {
    let sum = endpoint.to_string().bytes().fold(0u64, |sum, byte| sum * 31 % 499 + u64::from(byte));
    Duration::from_millis(sum % 500)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(host: &str, address: &str) -> Endpoint {
        Endpoint { host: host.parse().ok(), address: address.parse().unwrap(), port: 25 }
    }

    #[tokio::test(start_paused = true)]
    async fn two_sessions_with_one_address_are_apart() {
        let pace = Pace::new(Limits::default());
        let mx = endpoint("mx.a.test", "203.0.113.1");
        let begin = Instant::now();
        drop(pace.leave(&mx).await);
        drop(pace.leave(&mx).await);
        assert!(begin.elapsed() >= Duration::from_secs(2), "{:?}", begin.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn one_operator_is_met_ten_times_a_minute() {
        let pace = Pace::new(Limits::default());
        let begin = Instant::now();
        for last in 0..20u8 {
            drop(pace.leave(&endpoint("mx.example.com", &format!("203.0.113.{last}"))).await);
        }
        assert!(begin.elapsed() >= Duration::from_secs(55), "{:?}", begin.elapsed());
        // Another operator does not wait for this one.
        let begin = Instant::now();
        drop(pace.leave(&endpoint("mx.example.net", "203.0.113.99")).await);
        assert_eq!(begin.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn loopback_is_not_paced() {
        let pace = Pace::new(Limits::default());
        let begin = Instant::now();
        for _ in 0..50 {
            drop(pace.leave(&endpoint("mx.a.test", "127.0.0.9")).await);
        }
        assert_eq!(begin.elapsed(), Duration::ZERO);
    }
}
