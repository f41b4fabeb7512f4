//! Canaries: receivers of ours that misbehave in one named way each, and tell who came and what it did (contract §4).
//!
//! 1. [`CanaryCa`] makes certificates where the operator gives none; [`Canaries::start`] listens.
//! 2. Each connection is a correct, bounded SMTP session with one defect; it ends as one `CanarySession`.
//! 3. Personalities that share an address take turns; a canary drains for one sender by acting as `good` does.
//! 4. [`Canaries::stop`] ends every session and waits for all of them.
//! 5. Where nobody accepts at an address any more, [`Canaries::died`] says so.
//!
//! Invariant: a canary differs from `good` in its defect alone.
//! Invariant: nothing is relayed, no mail is answered, no part of a message is kept.
//! Invariant: nothing is judged here; where we ended a session short of its defect, the session says so.

mod certificates;
mod ending;
mod handshake;
mod inherited;
mod legacy;
mod line;
mod listener;
mod message;
mod patience;
mod receiver;
mod roots;
mod session;
mod station;
mod tap;
#[cfg(test)]
mod tests;
mod tls;
mod visit;

pub use certificates::{CanaryCa, CanaryIdentity};
pub use inherited::inherited;

use super::{clock::Clock, vigil::Vigil};
use crate::model::{canary::Personality, delivery::CanarySession, requirement::MinVersion};
use crate::wire::{
    legacy_tls::IdentityError,
    name::{Domain, Host},
};
use core::net::SocketAddr;
use inherited::Waiting;
use ipnet::IpNet;
use listener::{Door, Post, serve};
use session::Desk;
use station::Station;
use std::{collections::BTreeMap, fmt, io, path::PathBuf, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Tells the probe of a recipient's local part, where it is the token of one of ours. Whether it was written in lower
/// or upper case must not matter.
pub type Tokens = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// One canary to be started.
#[derive(Debug, Clone)]
pub struct CanarySpec {
    /// How it misbehaves.
    pub personality: Personality,
    /// Where it listens. Port 0 is any free one; canaries that share an address take turns.
    pub listen: Vec<SocketAddr>,
    /// What it greets with.
    pub hostname: Host,
    /// The recipient domains it takes probes for.
    pub domains: Vec<Domain>,
    /// Its certificate: none for `no-starttls` and `starttls-refused`, not needed for `starttls-broken`, one that
    /// passes for `legacy-tls`.
    pub identity: Option<CanaryIdentity>,
    /// One that passes for its host, shown while it drains. `legacy-tls` and `starttls-broken` fall back on
    /// [`Self::identity`]; the others cannot drain without.
    pub draining: Option<CanaryIdentity>,
    /// The lowest version its connector demands.
    pub min_version: MinVersion,
}

/// How much a sender may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CanaryLimits {
    /// Sessions at once.
    pub sessions: usize,
    /// Sessions at once with one canary from one source: an IPv4 address, or 64 bits of an IPv6 address.
    pub sessions_per_source: usize,
    /// How long one command, reply, handshake or part of a message may take ([RFC 5321 §4.5.3.2.7]).
    ///
    /// [RFC 5321 §4.5.3.2.7]: https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.2.7
    pub command: Duration,
    /// How long one session may take.
    pub session: Duration,
    /// How long a sender is given to close once we have said goodbye.
    pub linger: Duration,
    /// Octets of one command line.
    pub line: usize,
    /// Octets of one message.
    pub message: u64,
    /// Octets read in clear, and again inside TLS.
    pub octets: usize,
    /// Commands in one session.
    pub commands: usize,
    /// Commands that are answered 5xx.
    pub errors: usize,
    /// Recipients taken.
    pub recipients: usize,
    /// Octets of transcript kept of one session.
    pub transcript: usize,
}

impl Default for CanaryLimits {
    fn default() -> Self {
        Self {
            sessions: 1024,
            sessions_per_source: 8,
            command: Duration::from_secs(300),
            session: Duration::from_secs(600),
            linger: Duration::from_secs(5),
            line: 2 << 10,
            message: 256 << 10,
            octets: 1 << 20,
            commands: 200,
            errors: 20,
            recipients: 16,
            transcript: 32 << 10,
        }
    }
}

/// Why canaries cannot be started, or not do what is asked.
#[derive(Debug, thiserror::Error)]
pub enum CanaryError {
    /// No certificate that passes for its host is known.
    #[error("the canary {0} has no certificate to act as the good one with")]
    CannotDrain(Host),
    /// A file or directory.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The certificate is no use for TLS 1.0 and 1.1.
    #[error("the certificate of the canary {hostname} will not do for legacy-tls")]
    Legacy {
        /// Which canary.
        hostname: Host,
        /// Why.
        source: IdentityError,
    },
    /// An address cannot be listened at.
    #[error("cannot listen at {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A certificate cannot be made.
    #[error("cannot make a certificate")]
    Make(#[source] rcgen::Error),
    /// It needs a certificate and has none.
    #[error("the canary {0} has no certificate")]
    NoIdentity(Host),
    /// No canary has this name.
    #[error("there is no canary {0} here")]
    NotHere(Host),
    /// A file that is no PEM of the kind that is needed.
    #[error("{} does not hold what it should, in PEM", path.display())]
    Pem {
        /// Which.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// A root that cannot be used again.
    #[error("{} and its key cannot be used", path.display())]
    Root {
        /// Which.
        path: PathBuf,
        /// Why.
        source: rcgen::Error,
    },
    /// Two canaries have one name.
    #[error("two canaries are called {0}")]
    SameHost(Host),
    /// Certificate and key are no use for TLS.
    #[error("the certificate and key of the canary {hostname} cannot be used")]
    Tls {
        /// Which canary.
        hostname: Host,
        /// Why.
        source: rustls::Error,
    },
}

/// Canaries that listen. Dropped, they end their sessions without anybody waiting for it.
pub struct Canaries {
    stations: BTreeMap<Host, Arc<Station>>,
    posts: Vec<Arc<Post>>,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Over those who accept.
    vigil: Vigil,
}

impl Canaries {
    /// Listens everywhere or nowhere. Each session that is over goes into `out`; while that is full, sessions that are
    /// over wait and keep their place.
    ///
    /// # Errors
    ///
    /// An address that cannot be listened at, a certificate that cannot be used, two canaries of one name.
    pub async fn start(
        specs: Vec<CanarySpec>,
        tokens: Tokens,
        limits: CanaryLimits,
        clock: Clock,
        out: mpsc::Sender<CanarySession>,
    ) -> Result<Self, CanaryError> {
        Self::start_with(Vec::new(), specs, tokens, limits, clock, out).await
    }

    /// The same, with sockets that are open already, such as [`inherited()`] ones: a canary that is to listen at the
    /// address of one takes it.
    ///
    /// # Errors
    ///
    /// As [`Self::start`].
    pub async fn start_with(
        open: Vec<std::net::TcpListener>,
        specs: Vec<CanarySpec>,
        tokens: Tokens,
        limits: CanaryLimits,
        clock: Clock,
        out: mpsc::Sender<CanarySession>,
    ) -> Result<Self, CanaryError> {
        let mut open = Waiting::of(open);
        let mut stations = BTreeMap::new();
        let mut groups: Vec<(SocketAddr, Vec<Arc<Station>>)> = Vec::new();
        for spec in &specs {
            let station = Arc::new(Station::new(spec)?);
            if stations.insert(spec.hostname.clone(), Arc::clone(&station)).is_some() {
                return Err(CanaryError::SameHost(spec.hostname.clone()));
            }
            for address in &spec.listen {
                // Any free port is another one each time.
                let known = groups.iter_mut().find(|(a, _)| a == address && address.port() != 0);
                match known {
                    Some((_, members)) => members.push(Arc::clone(&station)),
                    None => groups.push((*address, vec![Arc::clone(&station)])),
                }
            }
        }
        let mut listening: Vec<(TcpListener, Post)> = Vec::new();
        for (address, members) in groups {
            let failed = |source| CanaryError::Listen { address, source };
            let listener = open.listen(address).await.map_err(failed)?;
            let bound = listener.local_addr().map_err(failed)?;
            listening.push((listener, Post::new(bound, members)));
        }
        open.tell_the_rest();
        let (tasks, stop, door) = (TaskTracker::new(), CancellationToken::new(), Arc::default());
        let desk = Desk { limits, tokens, clock, stop: stop.clone() };
        let vigil = Vigil::until(stop.clone());
        let mut posts = Vec::new();
        for (listener, post) in listening {
            let post = Arc::new(post);
            posts.push(Arc::clone(&post));
            let door = Arc::<Door>::clone(&door);
            let accepting = serve(listener, post, desk.clone(), door, tasks.clone(), out.clone());
            drop(tasks.spawn(vigil.over(accepting)));
        }
        Ok(Self { stations, posts, tasks, stop, vigil })
    }

    /// Where each canary listens.
    pub fn addresses(&self) -> BTreeMap<Host, Vec<SocketAddr>> {
        let mut found: BTreeMap<Host, Vec<SocketAddr>> = BTreeMap::new();
        for post in &self.posts {
            for station in post.members() {
                found.entry(station.hostname().clone()).or_default().push(post.address);
            }
        }
        found
    }

    /// From now on this canary answers at the addresses it shares. Sessions that began before go on as they are.
    ///
    /// # Errors
    ///
    /// There is no such canary.
    pub fn take_turn(&self, hostname: &Host) -> Result<(), CanaryError> {
        self.station(hostname)?;
        for post in &self.posts {
            post.take_turn(|station| station.hostname() == hostname);
        }
        Ok(())
    }

    /// From now on this canary acts as the good one for connections from these networks, and no others.
    ///
    /// # Errors
    ///
    /// There is no such canary, or it has no certificate for that.
    pub fn drain(&self, hostname: &Host, peers: &[IpNet]) -> Result<(), CanaryError> {
        self.station(hostname)?.drain(peers)
    }

    /// From now on this canary acts as itself again.
    ///
    /// # Errors
    ///
    /// There is no such canary.
    pub fn end_drain(&self, hostname: &Host) -> Result<(), CanaryError> {
        self.station(hostname)?.end_drain();
        Ok(())
    }

    /// Accepts no more, ends every session and waits until all have gone out. Who reads `out` should go on meanwhile:
    /// a session that nobody takes within two seconds is lost.
    pub async fn stop(self) {
        self.close().await;
    }

    /// The same, for one that others hold as well.
    pub async fn close(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Ends once nobody accepts any more at one of the addresses, though nobody said so: whoever cannot do without ends.
    pub async fn died(&self) {
        self.vigil.died().await;
    }

    fn station(&self, hostname: &Host) -> Result<&Station, CanaryError> {
        let station = self.stations.get(hostname).map(Arc::as_ref);
        station.ok_or_else(|| CanaryError::NotHere(hostname.clone()))
    }
}

impl Drop for Canaries {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for Canaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canaries").field("addresses", &self.addresses()).finish_non_exhaustive()
    }
}
