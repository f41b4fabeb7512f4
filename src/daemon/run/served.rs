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

/// The daemon is ending.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Tells systemd that the loop goes round, for as long as it does; without a watchdog it only waits.
pub(super) async fn feed_the_watchdog(pulse: &watch::Receiver<Instant>, stuck: Duration) {
    let Some(within) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    let mut ticks = interval((within / 3).max(Duration::from_secs(1)));
    loop {
        ticks.tick().await;
        let last = *pulse.borrow();
        if last.elapsed() < stuck {
            tell(&[NotifyState::Watchdog]);
        } else {
            tracing::error!("the loop has not gone round for {} s", last.elapsed().as_secs());
        }
    }
}
