//! A small world: one DNS, one CA, mail servers on addresses of their own that share one port.

use mxwarden::{
    daemon::look::{self, Standard},
    lab::{
        ca::{Ca, Identity, LeafSpec},
        dns::{LabDns, Zone},
        smtp::{Peer, Script},
    },
    model::{
        claim::Claim,
        deep::Depth,
        evidence::OffersEvidence,
        judgement::Quorum,
        limits::Limits,
        report::{ClaimReport, EndpointReport},
        requirement::{Level, Requirement},
        roots::Roots,
    },
    observe::{
        clock::Clock,
        dns::{DnsPlan, Resolver, Resolvers},
        offers::{Observer, OffersPlan, Reach},
        roots,
        starttls::{Prober, StartTlsPlan},
        tls::TlsClient,
    },
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

/// Enough for any look that does not wait for its deadline, on a machine with other things to do.
pub(crate) const PATIENT: Duration = Duration::from_secs(30);

/// Our name in every session.
pub(crate) const EHLO: &str = "probe.contoso.test";

/// DNS, a CA and the servers that were started. All of it ends with the value.
pub(crate) struct World {
    pub(crate) root: Ca,
    pub(crate) dns: LabDns,
    pub(crate) clock: Clock,
    issuer: Ca,
    zone: Zone,
    network: [u8; 3],
    port: u16,
    peers: Vec<Peer>,
}

impl World {
    /// An empty one. Hosts are called `NAME.lab.test`.
    pub(crate) async fn new() -> Self {
        static WORLDS: AtomicU8 = AtomicU8::new(0);
        // Three digits everywhere, so that tables of addresses are as wide in every run.
        let process = u8::try_from(std::process::id() % 120).unwrap();
        let world = WORLDS.fetch_add(1, Ordering::Relaxed);
        let clock = Clock::system();
        let root = Ca::new("Lab Root", clock.now()).unwrap();
        Self {
            issuer: root.intermediate("Lab Intermediate").unwrap(),
            root,
            dns: LabDns::start(Zone::new()).await.unwrap(),
            clock,
            zone: Zone::new(),
            network: [127, 100 + process, 100 + world],
            port: 0,
            peers: Vec::new(),
        }
    }

    /// The port all servers share; it is known once the first has started.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A certificate by the CA's intermediate.
    pub(crate) fn issue(&self, spec: &LeafSpec) -> Identity {
        self.issuer.issue(spec).unwrap()
    }

    /// The CA that issues leaves.
    pub(crate) fn issuer(&self) -> &Ca {
        &self.issuer
    }

    /// What a good server presents, whatever its host is called.
    pub(crate) fn good(&self) -> Identity {
        self.issue(&LeafSpec::host("*.lab.test"))
    }

    /// A server `NAME.lab.test` on an address of its own; its place among the peers.
    pub(crate) async fn host(&mut self, name: &str, script: Script) -> usize {
        let [a, b, c] = self.network;
        let at = self.peers.len();
        let address = Ipv4Addr::new(a, b, c, u8::try_from(at + 100).unwrap());
        let peer = Peer::start(SocketAddr::from((address, self.port)), script).await.unwrap();
        self.port = peer.address().port();
        self.peers.push(peer);
        self.write(|zone| zone.a(&format!("{name}.lab.test"), address));
        at
    }

    /// A domain `NAME.test` whose one MX is the new host `NAME.lab.test`.
    pub(crate) async fn domain(&mut self, name: &str, script: Script) -> usize {
        let at = self.host(name, script).await;
        self.mx(name, name);
        at
    }

    /// A domain `NAME.test` whose one MX `mx.NAME.test` is run by nobody else.
    pub(crate) async fn stranger(&mut self, name: &str, script: Script) -> usize {
        let at = self.host(&format!("of-{name}"), script).await;
        let address = match self.peers[at].address() {
            SocketAddr::V4(address) => *address.ip(),
            SocketAddr::V6(_) => unreachable!("the world is on IPv4"),
        };
        let host = format!("mx.{name}.test");
        self.write(|zone| zone.a(&host, address).mx(&format!("{name}.test"), 10, &host));
        at
    }

    /// One more MX of the domain `NAME.test`: the host `HOST.lab.test`.
    pub(crate) fn mx(&mut self, name: &str, host: &str) {
        self.write(|zone| zone.mx(&format!("{name}.test"), 10, &format!("{host}.lab.test")));
    }

    /// Writes into the zone.
    pub(crate) fn write(&mut self, change: impl FnOnce(Zone) -> Zone) {
        self.zone = change(std::mem::take(&mut self.zone));
        self.dns.set(self.zone.clone());
    }

    /// A server by its place.
    pub(crate) fn peer(&self, at: usize) -> &Peer {
        &self.peers[at]
    }

    /// What looks are judged by.
    pub(crate) fn standard(&self, level: Level) -> Standard {
        let anchor = webpki::anchor_from_trusted_cert(self.root.certificate()).unwrap();
        let roots = Roots { source: "the lab".to_owned(), anchors: vec![roots::root(&anchor)] };
        Standard {
            requirement: Requirement::of(level),
            roots: Arc::new(roots),
            quorum: Quorum::All,
            warn_days: 30,
        }
    }

    /// One run's observer, that may connect to anybody.
    pub(crate) fn observer(&self, deadline: Duration) -> Arc<Observer> {
        self.observer_reaching(Reach::Anywhere, deadline)
    }

    /// What asks the world's DNS.
    pub(crate) fn resolver(&self) -> Resolver {
        let resolvers = Resolvers::Given(vec![self.dns.address()]);
        Resolver::new(DnsPlan { resolvers, ..DnsPlan::default() }).unwrap()
    }

    /// What holds sessions, each within this time.
    pub(crate) fn prober(&self, deadline: Duration) -> Prober {
        let plan = StartTlsPlan {
            opening: Default::default(),
            ehlo: Some(EHLO.parse().unwrap()),
            deadline,
            retry_after: Duration::from_secs(5),
            limits: Limits::default(),
        };
        Prober::new(TlsClient::new().unwrap(), self.clock.clone(), plan)
    }

    /// One run's observer.
    pub(crate) fn observer_reaching(&self, reach: Reach, deadline: Duration) -> Arc<Observer> {
        let limits = Limits::default();
        let (resolver, prober) = (self.resolver(), self.prober(deadline));
        let plan = OffersPlan { port: self.port, reach, depth: Depth::Shallow, limits };
        Arc::new(Observer::new(resolver, prober, plan))
    }

    /// A whole look at `NAME.test` at level name, as the daemon takes it.
    pub(crate) async fn look(&self, name: &str, deadline: Duration) -> OffersEvidence {
        let observer = self.observer(deadline);
        look_by(&observer, name, &self.standard(Level::Name)).await
    }

    /// The same, judged.
    pub(crate) async fn check(&self, name: &str) -> ClaimReport {
        judged(&self.standard(Level::Name), &self.look(name, PATIENT).await)
    }
}

/// A whole look at `NAME.test` by this observer.
pub(crate) async fn look_by(
    observer: &Arc<Observer>,
    name: &str,
    standard: &Standard,
) -> OffersEvidence {
    look::look(observer, &format!("{name}.test").parse().unwrap(), standard).await
}

/// The claim's report by this standard.
pub(crate) fn judged(standard: &Standard, evidence: &OffersEvidence) -> ClaimReport {
    let claim = Claim::OUTBOUND_RECEIVER_OFFERS;
    look::report(evidence.target.to_string(), claim, standard, evidence).claims.remove(0)
}

/// One endpoint in a line: state, channel and STARTTLS, then findings with their weight, then obstacles.
pub(crate) fn told(claim: &ClaimReport, endpoint: &EndpointReport) -> String {
    let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let findings = endpoint.findings.iter().map(|id| {
        let weight = claim
            .findings
            .iter()
            .find(|finding| {
                finding.id == *id && finding.subject.contains(&endpoint.address.to_string())
            })
            .map_or("untold", |finding| finding.severity.as_str());
        format!("{weight} {id}")
    });
    let facts: Vec<String> =
        findings.chain(endpoint.obstacles.iter().map(ToString::to_string)).collect();
    let channel = word(serde_json::to_value(endpoint.channel).unwrap());
    let starttls = word(serde_json::to_value(endpoint.starttls).unwrap());
    format!("{} {channel} {starttls}: {}", endpoint.state, facts.join(", ")).trim_end().to_owned()
}
