//! Takes connections, so many at once and each for so long, until it is told to stop.
//!
//! 1. A connection waits for nothing: where there are too many it is answered 503 and closed, or, where TLS is spoken,
//!    closed.
//! 2. The files of the certificate are looked at every so often; what is bad is logged, and the old one stays.
//! 3. At the end nobody new is taken, and who is there is let finish, for a while.

use super::{Certificate, Renewed, Shared, WebError, WebLimits, WebPlan, route::Desk};
use axum::http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 5\r\n\
    content-type: text/plain; charset=utf-8\r\ncontent-length: 21\r\n\r\ntoo many connections\n";
/// Those that are told so at once; more are dropped without a word.
const TURNED_AWAY: usize = 16;
const TURNING_AWAY_WITHIN: Duration = Duration::from_secs(1);
/// What a listener without descriptors waits before it tries again.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown`. Ends early only where the plan would open us to strangers.
pub async fn serve(
    listener: TcpListener,
    plan: WebPlan,
    shared: Arc<Shared>,
    shutdown: CancellationToken,
) -> Result<(), WebError> {
    let listen = listener.local_addr().map_err(WebError::Listener)?;
    plan.check(listen)?;
    let limits = plan.limits;
    let certificate = plan.certificate.clone();
    let house = House {
        connections: Arc::new(Semaphore::new(limits.connections)),
        turned_away: Arc::new(Semaphore::new(TURNED_AWAY)),
        tasks: TaskTracker::new(),
        certificate: certificate.clone(),
        limits,
        desk: Arc::new(Desk::new(plan, shared)),
        shutdown: shutdown.clone(),
    };
    let renewing = async {
        match certificate {
            Some(certificate) => keep_renewed(&certificate, limits.certificate_every).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = house.accept(&listener) => {}
        () = renewing => {}
        () = shutdown.cancelled() => {}
    }
    drop(listener);
    house.tasks.close();
    if timeout(limits.ending_within, house.tasks.wait()).await.is_err() {
        tracing::warn!(open = house.tasks.len(), "HTTP connections did not end in time");
    }
    Ok(())
}

/// What every connection needs.
struct House {
    connections: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
    tasks: TaskTracker,
    certificate: Option<Arc<Certificate>>,
    limits: WebLimits,
    desk: Arc<Desk>,
    shutdown: CancellationToken,
}

impl House {
    async fn accept(&self, listener: &TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => self.take(stream, peer),
                Err(error) if is_the_peers(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "HTTP cannot accept a connection");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn take(&self, stream: TcpStream, peer: SocketAddr) {
        match Arc::clone(&self.connections).try_acquire_owned() {
            Ok(permit) => {
                let visit = Visit {
                    limits: self.limits,
                    desk: Arc::clone(&self.desk),
                    shutdown: self.shutdown.clone(),
                    _permit: permit,
                };
                let certificate = self.certificate.clone();
                drop(self.tasks.spawn(visit.attend(stream, peer, certificate)));
            }
            Err(_) if self.certificate.is_some() => {}
            Err(_) => {
                let Ok(permit) = Arc::clone(&self.turned_away).try_acquire_owned() else { return };
                drop(self.tasks.spawn(turn_away(stream, permit)));
            }
        }
    }
}

/// What a peer did before it was accepted is no trouble of ours.
fn is_the_peers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// Says so, and reads what was on its way: a reset would take the answer back.
async fn turn_away(mut stream: TcpStream, _permit: OwnedSemaphorePermit) {
    let told = async {
        stream.write_all(TOO_MANY).await?;
        stream.shutdown().await?;
        let mut sink = [0; 1024];
        while stream.read(&mut sink).await? > 0 {}
        io::Result::Ok(())
    };
    // Whether the peer hears it is its own affair.
    let _ = timeout(TURNING_AWAY_WITHIN, told).await;
}

/// One connection.
struct Visit {
    limits: WebLimits,
    desk: Arc<Desk>,
    shutdown: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

impl Visit {
    async fn attend(
        self,
        stream: TcpStream,
        peer: SocketAddr,
        certificate: Option<Arc<Certificate>>,
    ) {
        // Answers are small, and whole when they are written.
        let _ = stream.set_nodelay(true);
        let Some(certificate) = certificate else { return self.converse(stream, peer).await };
        let handshake = certificate.acceptor().accept(stream);
        match timeout(self.limits.handshake_within, handshake).await {
            Ok(Ok(stream)) => self.converse(stream, peer).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS with an HTTP client"),
            Err(_) => tracing::debug!(%peer, "an HTTP client took too long over TLS"),
        }
    }

    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(self, stream: S, peer: SocketAddr) {
        let limits = self.limits;
        let service = service_fn(|request: Request<Incoming>| {
            let desk = Arc::clone(&self.desk);
            async move { Ok::<_, Infallible>(desk.answer(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_within)
            .max_headers(limits.fields)
            // hyper asks for 8 KiB at the least, and panics below.
            .max_buf_size(limits.head.max(8 << 10))
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = &mut connection => Some(ended),
            () = self.shutdown.cancelled() => None,
            () = sleep(limits.connection_within) => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                connection.as_mut().graceful_shutdown();
                match timeout(limits.ending_within, connection).await {
                    Ok(ended) => ended,
                    Err(_) => return,
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "an HTTP connection broke");
        }
    }
}

/// Looks at the files every so often, for as long as it is polled.
async fn keep_renewed(certificate: &Arc<Certificate>, every: Duration) {
    let mut due = Instant::now();
    // The same trouble is told once: files that cannot be read have no digest to know them by.
    let mut told = String::new();
    loop {
        due += every;
        tokio::time::sleep_until(due).await;
        let files = Arc::clone(certificate);
        match tokio::task::spawn_blocking(move || files.renew()).await {
            Ok(Renewed::Same) => told.clear(),
            Ok(Renewed::Taken) => {
                told.clear();
                tracing::info!("the new HTTP certificate is used from now on");
            }
            Ok(Renewed::Kept(error)) => {
                let error = in_words(&error);
                if told != error {
                    tracing::error!(
                        error,
                        "the new HTTP certificate is not used; the old one stays"
                    );
                    told = error;
                }
            }
            Err(error) => tracing::error!(%error, "the HTTP certificate was not looked at"),
        }
    }
}

/// An error and its causes.
fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
