//! What the benches share: servers in a process of their own, clients to hold against each other, and meters.
//!
//! Invariant: everything is on loopback; the servers end with the bench, which holds their standard input.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has nothing to say")]
#![expect(clippy::print_stdout, reason = "printing is what a bench does")]

use mxwarden::{
    daemon::look::{self, Standard},
    lab::{
        ca::{Ca, KeyKind, LeafSpec},
        smtp::{Peer, Say, Script},
    },
    model::{
        claim::Claim,
        deep::Depth,
        judgement::Quorum,
        limits::Limits,
        requirement::{Level, Requirement},
        roots::Roots,
        state::State,
        target::Target,
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
use rustix::time::{ClockId, clock_gettime};
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufStream},
    net::TcpStream,
    task::JoinSet,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// The name in every certificate.
pub(crate) const NAME: &str = "mx.bench.test";

/// The argument that makes a bench the servers instead.
const SERVE: &str = "serve";

/// The key of root, intermediate and leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// ECDSA on P-256.
    P256,
    /// RSA with 2048 bits.
    Rsa2048,
}

impl Keys {
    /// Its name, for tables and arguments.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::Rsa2048 => "RSA-2048",
        }
    }

    fn kind(self) -> KeyKind {
        match self {
            Self::P256 => KeyKind::P256,
            Self::Rsa2048 => KeyKind::Rsa2048,
        }
    }

    fn of(text: &str) -> Self {
        if text == Self::P256.as_str() { Self::P256 } else { Self::Rsa2048 }
    }
}

/// Servers in another process: each address speaks SMTP with STARTTLS on one port, and TLS at once on another.
pub(crate) struct World {
    servers: Child,
    directory: TempDir,
    smtp_port: u16,
    tls_port: u16,
    count: usize,
}

impl World {
    /// Starts that many addresses. Inside TLS the servers wait for `patience` before they say anything.
    pub(crate) fn start(keys: Keys, count: usize, patience: Duration) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut servers = Command::new(std::env::current_exe().unwrap())
            .arg(SERVE)
            .arg(directory.path())
            .args([keys.as_str(), &count.to_string(), &patience.as_millis().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ports = String::new();
        BufReader::new(servers.stdout.take().unwrap()).read_line(&mut ports).unwrap();
        let mut ports = ports.split_whitespace().map(|port| port.parse().unwrap());
        let (smtp_port, tls_port) = (ports.next().unwrap(), ports.next().unwrap());
        Self { servers, directory, smtp_port, tls_port, count }
    }

    /// Where SMTP is spoken.
    pub(crate) fn smtp(&self) -> Vec<SocketAddr> {
        at_port(self.count, self.smtp_port)
    }

    /// Where TLS is spoken from the first octet.
    pub(crate) fn tls(&self) -> Vec<SocketAddr> {
        at_port(self.count, self.tls_port)
    }

    /// The file with the root.
    pub(crate) fn root(&self) -> PathBuf {
        root_in(self.directory.path())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.servers.stdin.take());
        let _ = self.servers.wait();
    }
}

fn root_in(directory: &Path) -> PathBuf {
    directory.join("root.pem")
}

/// Every address with that port.
pub(crate) fn at_port(count: usize, port: u16) -> Vec<SocketAddr> {
    addresses(count).map(|address| (address, port).into()).collect()
}

fn addresses(count: usize) -> impl Iterator<Item = IpAddr> {
    (0..count).map(|at| {
        let [high, low] = [at / 200, at % 200 + 1].map(|part| u8::try_from(part).unwrap());
        Ipv4Addr::new(127, 20, high, low).into()
    })
}

/// Where this process was started as the servers: serves until standard input ends, and says so.
pub(crate) fn is_server() -> bool {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, mode, directory, keys, count, patience] = arguments.as_slice() else { return false };
    if mode != SERVE {
        return false;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let patience = Duration::from_millis(patience.parse().unwrap());
    let peers = runtime.block_on(serve(
        Path::new(directory),
        Keys::of(keys),
        count.parse().unwrap(),
        patience,
    ));
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    drop(peers);
    runtime.shutdown_background();
    true
}

async fn serve(directory: &Path, keys: Keys, count: usize, patience: Duration) -> Vec<Peer> {
    let root = Ca::with_key("Bench Root", keys.kind(), Clock::system().now()).unwrap();
    fs::write(root_in(directory), root.pem()).unwrap();
    let ca = root.intermediate("Bench Issuer").unwrap();
    let identity = ca.issue(&LeafSpec::host(NAME).key(keys.kind())).unwrap();
    let late = |say| match patience {
        Duration::ZERO => say,
        patience => Say::Late(patience, Box::new(say)),
    };
    let smtp = Script::healthy(identity.clone())
        .in_tls("EHLO", late(Say::lines(250, ["mx.lab.test", "SIZE 10240000"])));
    let tls = Script::implicit_tls(identity).greeting(late(Say::line("220 mx.lab.test ESMTP")));
    let mut peers = Vec::new();
    for script in [smtp, tls] {
        let mut port = 0;
        for address in addresses(count) {
            let peer = Peer::start((address, port).into(), script.clone()).await.unwrap();
            port = peer.address().port();
            peers.push(peer);
        }
        print!("{port} ");
    }
    println!();
    std::io::stdout().flush().unwrap();
    peers
}

/// A full probe of each address: SMTP, handshake, SMTP, evidence, judgement and report, as `check` does it.
pub(crate) struct Full {
    /// Remembers what it saw: one for each pass.
    pub(crate) observer: Arc<Observer>,
    /// What is required.
    pub(crate) standard: Arc<Standard>,
}

impl Full {
    /// What a run sets up once.
    pub(crate) fn new(root: &Path, at_once: usize) -> Self {
        let limits = Limits { probes: at_once, ..Limits::default() };
        let nowhere = Resolvers::Given(vec![(Ipv4Addr::LOCALHOST, 9).into()]);
        let resolver = Resolver::new(DnsPlan { resolvers: nowhere, ..DnsPlan::default() }).unwrap();
        let starttls = StartTlsPlan {
            opening: Default::default(),
            ehlo: Some("probe.bench.test".parse().unwrap()),
            deadline: Duration::from_secs(60),
            retry_after: Duration::from_secs(5),
            limits,
        };
        let prober = Prober::new(TlsClient::new().unwrap(), Clock::system(), starttls);
        let plan = OffersPlan { port: 25, reach: Reach::Anywhere, depth: Depth::default(), limits };
        let names = vec![NAME.parse().unwrap()];
        let standard = Standard {
            requirement: Requirement { names, ..Requirement::of(Level::Name) },
            roots: Arc::new(all_roots(root)),
            quorum: Quorum::All,
            warn_days: 14,
        };
        let observer = Arc::new(Observer::new(resolver, prober, plan));
        Self { observer, standard: Arc::new(standard) }
    }

    /// Probes them all, so many at once.
    pub(crate) async fn pass(&self, addresses: &[SocketAddr], at_once: usize) {
        at_once_each(addresses, at_once, |address| {
            let (observer, standard) = (Arc::clone(&self.observer), Arc::clone(&self.standard));
            async move {
                let target = Target::Address { address: address.ip(), port: Some(address.port()) };
                let judged = look::look_and_judge(&observer, &target, &standard).await;
                let claim = Claim::OUTBOUND_RECEIVER_OFFERS;
                let report = judged.report(target.to_string(), claim, &standard);
                assert_eq!(report.state, State::Compliant, "{:?}", report.claims);
            }
        })
        .await;
    }
}

/// Mozilla's roots and ours: path validation shall have as many to choose from as in earnest.
fn all_roots(root: &Path) -> Roots {
    let mut all = roots::mozilla();
    all.anchors.extend(roots::files(&[root.to_owned()]).unwrap().anchors);
    all
}

/// What TLS alone costs: rustls as it comes, with its own path and name check, for the same roots.
#[derive(Clone)]
pub(crate) struct Bare {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Bare {
    /// Set up once.
    pub(crate) fn new(root: &Path) -> Self {
        let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        roots.add(CertificateDer::from_pem_file(root).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        let name = ServerName::try_from(NAME).unwrap();
        Self { connector: TlsConnector::from(Arc::new(config)), name }
    }

    /// The same words as a full probe says, in the fewest instructions: nothing is recorded or judged.
    pub(crate) async fn smtp_pass(&self, addresses: &[SocketAddr], at_once: usize) {
        at_once_each(addresses, at_once, |address| {
            let bare = self.clone();
            async move {
                let mut tcp = BufStream::with_capacity(2048, 2048, connect(address).await);
                hear(&mut tcp).await;
                ask(&mut tcp, "EHLO probe.bench.test\r\n").await;
                ask(&mut tcp, "STARTTLS\r\n").await;
                let stream = bare.shake(tcp.into_inner()).await;
                let mut stream = BufStream::with_capacity(2048, 2048, stream);
                ask(&mut stream, "EHLO probe.bench.test\r\n").await;
                ask(&mut stream, "QUIT\r\n").await;
            }
        })
        .await;
    }

    /// One handshake.
    pub(crate) async fn shake(&self, tcp: TcpStream) -> TlsStream<TcpStream> {
        self.connector.connect(self.name.clone(), tcp).await.unwrap()
    }
}

/// A connection that sends at once.
pub(crate) async fn connect(address: SocketAddr) -> TcpStream {
    let tcp = TcpStream::connect(address).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    tcp
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufStream<S>, line: &str) {
    stream.write_all(line.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    hear(stream).await;
}

/// Reads one whole reply.
pub(crate) async fn hear<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufStream<S>) {
    let mut line = String::new();
    while !matches!(line.as_bytes(), [b'2', _, _, b' ', ..]) {
        line.clear();
        assert_ne!(stream.read_line(&mut line).await.unwrap(), 0, "the server closed");
    }
}

/// One task an address, so many at once, until all are done.
pub(crate) async fn at_once_each<F: Future<Output = ()> + Send + 'static>(
    addresses: &[SocketAddr],
    at_once: usize,
    each: impl Fn(SocketAddr) -> F,
) {
    let mut tasks = JoinSet::new();
    for address in addresses {
        if tasks.len() >= at_once {
            tasks.join_next().await.unwrap().unwrap();
        }
        tasks.spawn(each(*address));
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

/// User and system time of this process so far, every thread of it.
pub(crate) fn cpu() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap()
}

/// Microseconds, for a table.
pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
