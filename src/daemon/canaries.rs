//! The canaries of a configuration: made, checked, and listening.
//!
//! 1. Each gets its certificate: the operator's, or one of the canaries' own CA.
//! 2. Our own judge must find its defect and no other; what is not fit proves nothing, and says why.
//! 3. They listen, and whoever comes is written into one log that every round reads.
//! 4. Where a listener dies, or whoever writes the sessions down, [`Canaries::died`] says which.
//!
//! Invariant: a canary turns good for draining only where a certificate passes for its host.

use super::{
    ledger::{Ledger, LedgerError},
    meter::Meter,
};
use crate::judge::canary::{self, Rules, Shown};
use crate::model::{
    canary::{Acting, Canary, Personality},
    connector::OutboundConnector,
    delivery::{CanaryEnding, CanarySession},
    requirement::MinVersion,
    roots::Roots,
    session::Der,
    signal::Signal,
};
use crate::observe::{
    canary::{CanaryCa, CanaryError, CanaryIdentity, CanaryLimits, CanarySpec},
    clock::Clock,
    vigil::Vigil,
};
use crate::record::{RecordError, Settled};
use crate::wire::{
    name::{Domain, Host, NamePattern},
    token::TokenKey,
};
use ipnet::IpNet;
use jiff::Timestamp;
use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr, TcpListener},
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// One canary, as a round needs to know it.
#[derive(Debug, Clone)]
pub struct Stand {
    /// How it misbehaves.
    pub personality: Personality,
    /// Its recipient domain.
    pub domain: Domain,
    /// Its MX host.
    pub hostname: Host,
    /// Where it listens.
    pub listen: Vec<SocketAddr>,
    /// The addresses senders should see.
    pub addresses: Vec<IpAddr>,
    /// What is wrong with its certificate beside its defect.
    pub flaw: Option<String>,
    /// Whether its certificate ends at the root of `good`'s.
    pub shares_root: Option<bool>,
    /// Whether it can turn good.
    pub can_drain: bool,
}

/// Canaries that listen.
#[derive(Debug)]
pub struct Canaries {
    server: crate::observe::canary::Canaries,
    stands: Vec<Stand>,
    log: Arc<Log>,
    writer: AsyncMutex<Option<JoinHandle<()>>>,
    /// Over the writer.
    vigil: Vigil,
    stop: CancellationToken,
}

/// Whoever came, in the order they left.
#[derive(Debug)]
pub struct Log {
    sessions: Mutex<Kept>,
    changed: watch::Sender<usize>,
    failure: OnceLock<String>,
}

/// Sessions held: whoever reads does so as they come, and what is older has long been written down.
const SESSIONS: usize = 8192;

/// The last sessions, and how many there were before them.
#[derive(Debug, Default)]
struct Kept {
    forgotten: usize,
    sessions: VecDeque<Arc<CanarySession>>,
}

impl Kept {
    fn len(&self) -> usize {
        self.forgotten + self.sessions.len()
    }
}

impl Log {
    fn new() -> Self {
        let changed = watch::Sender::new(0);
        Self { sessions: Mutex::default(), changed, failure: OnceLock::new() }
    }

    fn push(&self, session: CanarySession) {
        let mut kept = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.sessions.len() >= SESSIONS {
            kept.sessions.pop_front();
            kept.forgotten += 1;
        }
        kept.sessions.push_back(Arc::new(session));
        self.changed.send_replace(kept.len());
    }

    /// Writes a session of a probe down; one that brought it settles it, whatever becomes of the round.
    async fn keep(&self, ledger: &Ledger, session: &CanarySession) {
        let Some(id) = &session.probe else { return };
        let kept = ledger.add_session(id.clone(), session.clone()).await;
        let settled = match (&session.message, session.acting) {
            (None, _) => Ok(()),
            (Some(_), Acting::AsItself) => {
                ledger.settle(id.clone(), Settled::Delivered, session.finished_at).await
            }
            (Some(_), Acting::Draining) => {
                ledger.settle(id.clone(), Settled::Drained, session.finished_at).await
            }
        };
        match kept.and(settled) {
            Ok(()) => {}
            // A token of a record that is no longer there, or of one that was pruned: nobody's round.
            Err(LedgerError::Record(RecordError::NoSuchProbe(id))) => {
                tracing::warn!(probe = id, "mail came for a probe that the record does not know");
            }
            Err(error) => {
                // The first says what is wrong; rounds end by it.
                let _ = self.failure.set(error.to_string());
            }
        }
    }

    /// Why sessions can no longer be written down, once they cannot.
    pub fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// How many came so far.
    pub fn len(&self) -> usize {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether nobody came yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those behind the first `read`.
    pub fn since(&self, read: usize) -> Vec<Arc<CanarySession>> {
        let kept = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let known = read.saturating_sub(kept.forgotten);
        kept.sessions.iter().skip(known).map(Arc::clone).collect()
    }

    /// Wakes whenever somebody came.
    pub fn changes(&self) -> watch::Receiver<usize> {
        self.changed.subscribe()
    }
}

/// Where what canaries see is kept, and where they listen.
#[derive(Debug)]
pub struct Keeping {
    /// Where sessions of probes are written down.
    pub ledger: Ledger,
    /// Sockets that are open already.
    pub open: Vec<TcpListener>,
    /// Who counts.
    pub meter: Meter,
}

fn measure(meter: &Meter, session: &CanarySession) {
    let CanarySession { personality, reached: phase, ending, .. } = session;
    let refused = match ending {
        CanaryEnding::Ours(why) if why.ends_with("from one source") => Some("source"),
        CanaryEnding::Ours(why) if why.ends_with("sessions at once") => Some("busy"),
        _ if session.mail_from.is_some() && session.probe.is_none() => Some("stranger"),
        _ => None,
    };
    if let Some(reason) = refused {
        meter.measure(&Signal::CanaryRefused { reason });
    }
    meter.measure(&Signal::CanarySession { personality: *personality, phase: *phase });
}

/// What canaries are made of.
#[derive(Debug, Clone, Copy)]
pub struct Making<'a> {
    /// The canaries of the configuration.
    pub canaries: &'a [Canary],
    /// The connectors they prove.
    pub connectors: &'a [OutboundConnector],
    /// Where the canaries' own CA is kept.
    pub state_dir: &'a Path,
    /// The roots a sender may know, beside the canaries' own.
    pub roots: &'a Roots,
}

impl Making<'_> {
    /// Makes every canary, and looks whether it is fit. Takes a while: each makes a key.
    ///
    /// # Errors
    ///
    /// A certificate that cannot be read or made.
    fn make(&self, now: Timestamp) -> Result<(Vec<CanarySpec>, Vec<Stand>), CanaryError> {
        let ca = CanaryCa::open(self.state_dir, now)?;
        let mut roots = self.roots.clone();
        let own = crate::observe::roots::pem("the canaries' own CA", ca.root_pem().as_bytes());
        roots.anchors.extend(own.map(|own| own.anchors).unwrap_or_default());
        let mut made: Vec<(&Canary, CanarySpec)> = Vec::new();
        for canary in self.canaries.iter().filter(|canary| canary.remote.is_none()) {
            made.push((canary, self.spec(canary, &ca, now)?));
        }
        let mut stands = Vec::new();
        for (canary, spec) in &made {
            for domain in &canary.domains {
                stands.push(self.stand(canary, spec, domain, &made, (&roots, now)));
            }
        }
        Ok((made.into_iter().map(|(_, spec)| spec).collect(), stands))
    }

    fn spec(
        &self,
        canary: &Canary,
        ca: &CanaryCa,
        now: Timestamp,
    ) -> Result<CanarySpec, CanaryError> {
        let Canary { personality, hostname, listen, domains, .. } = canary;
        let own = |personality| ca.identity(personality, hostname, now);
        let identity = match &canary.certificate {
            Some(files) => CanaryIdentity::from_files(files)?,
            None => own(*personality)?,
        };
        // Whoever trusts the operator's `good` has no reason to trust our CA.
        let ours = self.canaries.iter().find(|one| one.personality == Personality::Good);
        let is_ours_trusted = ours.is_some_and(|good| good.certificate.is_none());
        let draining = match (personality.is_about_certificate(), is_ours_trusted) {
            (false, _) => Some(identity.clone()),
            (true, true) => Some(own(Personality::Good)?),
            (true, false) => None,
        };
        let lowest = self.connector(domains).map(|connector| connector.requirement.min_version);
        Ok(CanarySpec {
            personality: *personality,
            listen: listen.clone(),
            hostname: hostname.clone(),
            domains: domains.clone(),
            identity: Some(identity),
            draining,
            min_version: lowest.unwrap_or(MinVersion::Tls12),
        })
    }

    /// A canary domain belongs to one connector.
    fn connector(&self, domains: &[Domain]) -> Option<&OutboundConnector> {
        self.connectors
            .iter()
            .find(|connector| connector.canaries.values().any(|domain| domains.contains(domain)))
    }

    fn stand(
        &self,
        canary: &Canary,
        spec: &CanarySpec,
        domain: &Domain,
        made: &[(&Canary, CanarySpec)],
        (roots, now): (&Roots, Timestamp),
    ) -> Stand {
        let connector = self.connector(std::slice::from_ref(domain));
        let names: &[NamePattern] =
            connector.map_or(&[], |connector| connector.requirement.names.as_slice());
        let rules = Rules { roots, now, names };
        let chain = |spec: &CanarySpec| -> Vec<Der> {
            spec.identity.as_ref().map(CanaryIdentity::evidence).unwrap_or_default()
        };
        let own = chain(spec);
        let shown = Shown {
            personality: canary.personality,
            hostname: &canary.hostname,
            domain,
            chain: &own,
        };
        let good = connector.and_then(|connector| connector.canaries.get(&Personality::Good));
        let good = good.and_then(|good| {
            made.iter().find(|(canary, _)| canary.domains.contains(good)).map(|(_, spec)| spec)
        });
        let shares_root = match canary.personality {
            Personality::Expired | Personality::WrongName => {
                Some(good.is_some_and(|good| canary::shares_root(&chain(good), &own, rules)))
            }
            Personality::DaneMismatch
            | Personality::Good
            | Personality::LegacyTls
            | Personality::NoStarttls
            | Personality::SelfSigned
            | Personality::StarttlsBroken
            | Personality::StarttlsRefused
            | Personality::UnknownCa => None,
        };
        let listens: Vec<IpAddr> = canary.listen.iter().map(SocketAddr::ip).collect();
        Stand {
            personality: canary.personality,
            domain: domain.clone(),
            hostname: canary.hostname.clone(),
            listen: canary.listen.clone(),
            addresses: if canary.public.is_empty() { listens } else { canary.public.clone() },
            flaw: canary::flaw(shown, rules),
            shares_root,
            can_drain: spec.draining.is_some(),
        }
    }
}

impl Canaries {
    /// Makes them and begins to listen.
    ///
    /// # Errors
    ///
    /// A certificate that cannot be read or made, an address that cannot be listened at.
    pub async fn start(
        making: Making<'_>,
        key: &Arc<TokenKey>,
        clock: Clock,
        keeping: Keeping,
    ) -> Result<Self, CanaryError> {
        let Keeping { ledger, open, meter } = keeping;
        let now = clock.now();
        let (specs, stands) = making.make(now)?;
        let (out, mut sessions) = mpsc::channel(256);
        let key = Arc::clone(key);
        let tokens = Arc::new(move |local: &str| key.verify(local).map(|token| token.id));
        let limits = CanaryLimits::default();
        let server =
            crate::observe::canary::Canaries::start_with(open, specs, tokens, limits, clock, out)
                .await?;
        for stand in &stands {
            meter.measure(&Signal::CanaryUp { personality: stand.personality, up: true });
        }
        let log = Arc::new(Log::new());
        let written = Arc::clone(&log);
        let stop = CancellationToken::new();
        let vigil = Vigil::until(stop.clone());
        // Ends when the last listener does.
        let writer = tokio::spawn(vigil.over(async move {
            while let Some(session) = sessions.recv().await {
                measure(&meter, &session);
                written.keep(&ledger, &session).await;
                written.push(session);
            }
        }));
        Ok(Self { server, stands, log, writer: AsyncMutex::new(Some(writer)), vigil, stop })
    }

    /// Ends every session, and waits until all of them are written down.
    pub async fn stop(self) {
        self.close().await;
    }

    /// The same, for canaries that others hold as well.
    pub async fn close(&self) {
        self.stop.cancel();
        self.server.close().await;
        if let Some(writer) = self.writer.lock().await.take() {
            // One that panicked has told all it will.
            let _ = writer.await;
        }
    }

    /// Ends once a part of them has died that was not told to end; its name.
    pub async fn died(&self) -> &'static str {
        tokio::select! {
            // Without listeners nothing is written down either.
            biased;
            () = self.server.died() => "a canary's listener",
            () = self.vigil.died() => "the writer of canary sessions",
        }
    }

    /// The canary of a recipient domain.
    pub fn stand(&self, domain: &Domain) -> Option<&Stand> {
        self.stands.iter().find(|stand| stand.domain == *domain)
    }

    /// All of them.
    pub fn stands(&self) -> impl Iterator<Item = &Stand> {
        self.stands.iter()
    }

    /// Whoever came.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The canary of this host answers from now on where it shares an address.
    pub fn take_turn(&self, hostname: &Host) {
        // Only a host of ours is ever named here.
        let _ = self.server.take_turn(hostname);
    }

    /// The canary turns good for these networks; for everybody where there are none.
    pub fn drain(&self, hostname: &Host, networks: &[IpNet]) {
        let everybody =
            [IpNet::V4(ipnet::Ipv4Net::default()), IpNet::V6(ipnet::Ipv6Net::default())];
        let peers = if networks.is_empty() { &everybody } else { networks };
        let _ = self.server.drain(hostname, peers);
    }

    /// The canary is itself again.
    pub fn end_drain(&self, hostname: &Host) {
        let _ = self.server.end_drain(hostname);
    }
}
