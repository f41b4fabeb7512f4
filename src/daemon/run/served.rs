//! What others see of the daemon: its pages, and what systemd is told.
//!
//! Invariant: the socket of the pages is kept for as long as the daemon runs, whatever is reloaded.

use crate::config::{
    Config, SecretError, secret,
    settings::{Exposure, ProbeTargets},
};
use crate::tell::web::{self, Certificate, CertificateError, Shared, WebError, WebPlan};
use sd_notify::NotifyState;
use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, interval},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The pages cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum PagesError {
    /// Their certificate.
    #[error("its certificate cannot be used")]
    Certificate(#[from] CertificateError),
    /// Their socket.
    #[error("its socket cannot be used")]
    Socket(#[source] io::Error),
    /// A token.
    #[error("its tokens cannot be read")]
    Token(#[from] SecretError),
    /// They would be open to strangers.
    #[error(transparent)]
    Web(#[from] WebError),
}

/// The pages, and what serves them.
#[derive(Clone)]
pub(super) struct Pages(Arc<Inner>);

struct Inner {
    socket: TcpListener,
    listen: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: TaskTracker,
    current: Mutex<CancellationToken>,
    died: watch::Sender<bool>,
}

impl Pages {
    pub(super) fn open(
        socket: TcpListener,
        shared: Arc<Shared>,
        config: &Config,
        stop: &CancellationToken,
    ) -> Result<Self, PagesError> {
        socket.set_nonblocking(true).map_err(PagesError::Socket)?;
        let listen = socket.local_addr().map_err(PagesError::Socket)?;
        let pages = Self(Arc::new(Inner {
            socket,
            listen,
            shared,
            stop: stop.clone(),
            tasks: TaskTracker::new(),
            current: Mutex::default(),
            died: watch::Sender::new(false),
        }));
        let plan = pages.plan(config)?;
        pages.serve(plan);
        tracing::info!("HTTP listens on {listen}");
        Ok(pages)
    }

    /// What a configuration makes of the pages.
    pub(super) fn plan(&self, config: &Config) -> Result<WebPlan, PagesError> {
        let http = &config.http;
        let read = |file: &Option<std::path::PathBuf>| file.as_deref().map(secret).transpose();
        let certificate = http.certificate.clone().map(Certificate::load).transpose()?;
        let plan = WebPlan {
            read_token: read(&http.read_token_file)?,
            write_token: read(&http.write_token_file)?,
            open_paths: http.open_paths.clone(),
            certificate: certificate.map(Arc::new),
            probe: match http.probe_any {
                ProbeTargets::Any => web::ProbeTargets::Any,
                ProbeTargets::Configured => web::ProbeTargets::Configured,
            },
            exposure: match http.allow_open {
                Exposure::Guarded => web::Exposure::Guarded,
                Exposure::Open => web::Exposure::Open,
            },
            ..WebPlan::loopback()
        };
        plan.check(self.0.listen)?;
        Ok(plan)
    }

    /// Serves by this plan from now on.
    pub(super) fn serve(&self, plan: WebPlan) {
        let turn = self.0.stop.child_token();
        let inner = Arc::clone(&self.0);
        let until = turn.clone();
        let serving = async move {
            let listener = inner.socket.try_clone().and_then(tokio::net::TcpListener::from_std);
            let served = match listener {
                Ok(listener) => {
                    let shared = Arc::clone(&inner.shared);
                    web::serve(listener, plan, shared, until.clone()).await
                }
                Err(source) => Err(WebError::Listener(source)),
            };
            if let Err(error) = served {
                tracing::error!(%error, "HTTP is not served any more");
            }
            if !until.is_cancelled() {
                inner.died.send_replace(true);
            }
        };
        self.0.tasks.spawn(serving);
        let mut current = self.0.current.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *current, turn).cancel();
    }

    /// Ends once they are not served any more, which they always should be.
    pub(super) async fn died(&self) {
        let _ = self.0.died.subscribe().wait_for(|died| *died).await;
    }

    /// Waits until they are closed.
    pub(super) async fn closed(&self, within: Duration) {
        self.0.tasks.close();
        if tokio::time::timeout(within, self.0.tasks.wait()).await.is_err() {
            tracing::warn!("an HTTP connection did not end in time");
        }
    }
}

/// systemd is told, where it listens.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd was not told");
    }
}

/// The daemon does its work.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is being read again.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The daemon is ending, and alive.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Watchdog]);
}

/// The daemon is alive.
pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// Within what time systemd wants to hear that the daemon is alive; none where it has no watchdog.
pub(super) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

/// Feeds the watchdog for as long as the loop goes round: it wants to be fed `within` that time. Without one it only
/// waits.
pub(super) async fn feed_the_watchdog(
    within: Option<Duration>,
    pulse: &watch::Receiver<Instant>,
    stuck: Duration,
    feed: impl Fn(),
) {
    let Some(within) = within else { return std::future::pending().await };
    // No time at all is none that a clock can tick in.
    let mut ticks = interval((within / 3).max(Duration::from_millis(1)));
    loop {
        ticks.tick().await;
        let last = *pulse.borrow();
        if last.elapsed() < stuck {
            feed();
        } else {
            tracing::error!("the loop has not gone round for {} s", last.elapsed().as_secs());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::time::sleep;

    const WATCHDOG: Duration = Duration::from_secs(60);
    const STUCK: Duration = Duration::from_secs(45);

    /// A loop, whose watchdog is fed while it goes round.
    struct Fed {
        pulse: watch::Sender<Instant>,
        times: Arc<AtomicUsize>,
    }

    impl Fed {
        fn within(within: Option<Duration>) -> Self {
            let (pulse, seen) = watch::channel(Instant::now());
            let times = Arc::new(AtomicUsize::new(0));
            let fed = Arc::clone(&times);
            tokio::spawn(async move {
                let feed = || {
                    fed.fetch_add(1, Ordering::Relaxed);
                };
                feed_the_watchdog(within, &seen, STUCK, feed).await;
            });
            Self { pulse, times }
        }

        /// How often it was fed while the loop went round every few seconds, so many times.
        async fn in_rounds(&self, rounds: u32) -> usize {
            let before = self.times.load(Ordering::Relaxed);
            for _ in 0..rounds {
                sleep(Duration::from_secs(5)).await;
                self.pulse.send_replace(Instant::now());
            }
            self.times.load(Ordering::Relaxed) - before
        }

        /// How often it was fed while the loop stood still for so long.
        async fn standing(&self, still: Duration) -> usize {
            let before = self.times.load(Ordering::Relaxed);
            sleep(still).await;
            self.times.load(Ordering::Relaxed) - before
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_is_stuck_is_not_fed_and_one_that_goes_on_is_again() {
        let fed = Fed::within(Some(WATCHDOG));
        for minute in 0..10 {
            // Once would do; a tick may be late.
            assert!(fed.in_rounds(12).await >= 2, "minute {minute}");
        }
        fed.standing(STUCK).await;
        assert_eq!(fed.standing(10 * WATCHDOG).await, 0);
        fed.pulse.send_replace(Instant::now());
        assert!(fed.in_rounds(12).await >= 2);
    }

    #[tokio::test(start_paused = true)]
    async fn however_little_time_the_watchdog_has_it_is_fed_in_time() {
        for within in [Duration::from_millis(300), Duration::from_secs(2)] {
            let fed = Fed::within(Some(within));
            assert!(fed.standing(within).await >= 2, "{within:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_no_watchdog_feeds_none() {
        assert_eq!(Fed::within(None).in_rounds(100).await, 0);
    }
}
