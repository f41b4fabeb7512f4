//! HTTP: metrics, health, one probe on demand, and pages for people.
//!
//! 1. [`serve`] refuses a plan that would open us to strangers, then accepts, up to so many connections at once.
//! 2. A connection speaks TLS where there is a [`Certificate`], then HTTP/1.1, for so long and no longer.
//! 3. A request shows its token, unless its path is open; then it is routed, within a deadline.
//! 4. What it is answered with was made by the daemon: the [`Snapshot`], the metrics; an order goes to the daemon
//!    through a bounded channel, and a full one is an answer too. History and evidence are read from the record.
//!
//! | path | says |
//! | --- | --- |
//! | `/` | the matrix of partners and claims, worst first |
//! | `/evidence/DIGEST` | the evidence of this digest, as it was stored |
//! | `/healthz` | that we live |
//! | `/metrics` | the metrics |
//! | `/partner/NAME` | each claim of this partner, what it rests on, and what changed |
//! | `/probe` | what one look at one target finds: see `probe` |
//! | `/readyz` | whether the configuration is loaded, the store takes writes, and the first round is under way |
//!
//! Invariant: beyond loopback nothing is served without a token and TLS, unless the operator says so.
//! Invariant: everything a client may make us read, hold or wait for is bounded by [`WebLimits`].

mod accept;
mod archive;
mod certificate;
mod guard;
mod page;
mod probe;
mod route;

pub use accept::serve;
pub use certificate::{Certificate, CertificateError, Renewed};

use super::metrics::Metrics;
use crate::model::{
    order::Order, report::ClaimReport, requirement::Requirement, standing::Standing,
    target::Target, told::Muted,
};
use secrecy::{ExposeSecret as _, SecretString};
use std::{
    collections::BTreeMap, fmt::Debug, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration,
};
use tokio::sync::{mpsc, oneshot, watch};

/// Paths that may be left without a token.
pub const OPENABLE: [&str; 3] = ["/metrics", "/healthz", "/readyz"];

/// What is served, to whom.
#[derive(Debug)]
pub struct WebPlan {
    /// The token that reading asks for; without one everybody may read.
    pub read_token: Option<SecretString>,
    /// The token that writing asks for; it may read as well. Without one nothing can be written.
    pub write_token: Option<SecretString>,
    /// Paths served without a token: some of [`OPENABLE`].
    pub open_paths: Vec<String>,
    /// The operator's certificate; without one there is no TLS.
    pub certificate: Option<Arc<Certificate>>,
    /// What `/probe` looks at.
    pub probe: ProbeTargets,
    /// What being reached from beyond loopback asks for.
    pub exposure: Exposure,
    /// Bounds.
    pub limits: WebLimits,
}

/// What `/probe` looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProbeTargets {
    /// Anything public, for whoever has the read token.
    Any,
    /// What the snapshot says is configured.
    #[default]
    Configured,
}

/// What being reached from beyond loopback asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Exposure {
    /// A read token and TLS.
    #[default]
    Guarded,
    /// Nothing: something else guards us.
    Open,
}

/// How much a client may make us read, hold and wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebLimits {
    /// Connections at once.
    pub connections: usize,
    /// Octets of a request's head.
    pub head: usize,
    /// Header fields of a request.
    pub fields: usize,
    /// Octets of a request's body.
    pub body: usize,
    /// A TLS handshake.
    pub handshake_within: Duration,
    /// A request's head; also how long a connection may idle between two requests.
    pub head_within: Duration,
    /// A whole request but `/probe`, until its answer is made.
    pub request_within: Duration,
    /// A connection, however busy; then it is let finish what it is at.
    pub connection_within: Duration,
    /// Reads of the record at once, until what was read is sent.
    pub reads: usize,
    /// Probes at once.
    pub probes: usize,
    /// One probe, where the client does not say less.
    pub probe_within: Duration,
    /// The pause between two looks at the files of the certificate.
    pub certificate_every: Duration,
    /// What is left to open connections at the end.
    pub ending_within: Duration,
}

impl Default for WebLimits {
    fn default() -> Self {
        Self {
            connections: 64,
            head: 16 << 10,
            fields: 64,
            body: 64 << 10,
            handshake_within: Duration::from_secs(10),
            head_within: Duration::from_secs(15),
            request_within: Duration::from_secs(15),
            connection_within: Duration::from_secs(120),
            reads: 4,
            probes: 8,
            probe_within: Duration::from_secs(60),
            certificate_every: Duration::from_secs(30),
            ending_within: Duration::from_secs(5),
        }
    }
}

/// What the daemon and its pages share.
#[derive(Debug)]
pub struct Shared {
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// What stands.
    pub snapshot: watch::Receiver<Arc<Snapshot>>,
    /// Where orders go.
    pub orders: mpsc::Sender<Asked>,
    /// The state directory: the record in it is read beside whoever writes.
    pub state_dir: PathBuf,
    /// Who knows the partners that are muted.
    pub silences: Arc<dyn Silences>,
}

/// Who knows the partners that are muted.
pub trait Silences: Debug + Send + Sync {
    /// The partners about whom nothing is told now.
    fn muted(&self) -> BTreeMap<String, Muted>;
}

/// What stands, as of one instant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// One a configured claim.
    pub standings: Arc<Vec<Standing>>,
    /// What `/probe` may look at, wherever it lies.
    pub targets: Arc<Vec<Configured>>,
    /// What is not claimed, in words, by partner.
    pub unclaimed: Arc<BTreeMap<String, String>>,
    /// Whether we do our work.
    pub readiness: Readiness,
}

/// A target of a configured partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configured {
    /// Whose.
    pub partner: String,
    /// Where.
    pub target: Target,
    /// What it must offer.
    pub requirement: Requirement,
}

/// Whether we do our work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// Whether a configuration is loaded.
    pub config_loaded: bool,
    /// Whether the store takes writes, or what keeps it from it.
    pub store: Result<(), String>,
    /// Whether the first round has begun.
    pub first_round_under_way: bool,
}

impl Default for Readiness {
    fn default() -> Self {
        let store = Err("not opened yet".to_owned());
        Self { config_loaded: false, store, first_round_under_way: false }
    }
}

/// An order, and where its answer goes. Whoever asked has gone where `reply` is closed.
#[derive(Debug)]
pub struct Asked {
    /// What is to be done.
    pub order: Order,
    /// How far a probe may reach.
    pub reach: Reach,
    /// How long whoever asked waits.
    pub within: Duration,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Answer>,
}

/// How far a probe may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Where the configuration leads: the target is a partner's, and `allow_private` holds.
    Configured,
    /// Public addresses alone, whatever `allow_private` says: anybody may have named the target.
    Public,
}

/// What came of an order.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It could not be carried out, in words.
    Refused(String),
    /// What the look found.
    Report(Box<ClaimReport>),
}

/// Nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// The listener is of no use.
    #[error("cannot tell where HTTP listens")]
    Listener(#[source] std::io::Error),
    /// A token that anybody could give.
    #[error("the {which} token is empty; write a long random one into its file")]
    EmptyToken {
        /// `read` or `write`.
        which: &'static str,
    },
    /// Strangers could read.
    #[error(
        "HTTP would listen on {listen}, beyond loopback, without {lacking}; \
         bind 127.0.0.1, or give both, or set allow_open = true where something else guards it"
    )]
    Exposed {
        /// Where.
        listen: SocketAddr,
        /// What is not there.
        lacking: &'static str,
    },
    /// Anybody could aim our probes.
    #[error("probe_any needs a read token: else anybody could aim our probes")]
    ProbeAnyForAnybody,
    /// A path that must not be open.
    #[error(
        "open_paths holds {0}, which may not be served without a token; it may hold /metrics, /healthz and /readyz"
    )]
    NotOpenable(String),
}

impl WebPlan {
    /// Reading for everybody on this machine, at the usual limits.
    pub fn loopback() -> Self {
        Self {
            read_token: None,
            write_token: None,
            open_paths: Vec::new(),
            certificate: None,
            probe: ProbeTargets::default(),
            exposure: Exposure::default(),
            limits: WebLimits::default(),
        }
    }

    /// Whether this may be served at `listen`.
    pub fn check(&self, listen: SocketAddr) -> Result<(), WebError> {
        for (which, token) in [("read", &self.read_token), ("write", &self.write_token)] {
            if token.as_ref().is_some_and(|token| token.expose_secret().is_empty()) {
                return Err(WebError::EmptyToken { which });
            }
        }
        if let Some(path) = self.open_paths.iter().find(|path| !OPENABLE.contains(&path.as_str())) {
            return Err(WebError::NotOpenable(path.clone()));
        }
        if self.probe == ProbeTargets::Any && self.read_token.is_none() {
            return Err(WebError::ProbeAnyForAnybody);
        }
        let lacking = match (&self.read_token, &self.certificate) {
            (Some(_), Some(_)) => return Ok(()),
            (Some(_), None) => "a certificate",
            (None, Some(_)) => "a read token",
            (None, None) => "a read token and a certificate",
        };
        if listen.ip().is_loopback() || self.exposure == Exposure::Open {
            return Ok(());
        }
        Err(WebError::Exposed { listen, lacking })
    }
}

#[cfg(test)]
mod tests;
