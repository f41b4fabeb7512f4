//! Canaries over real connections: each personality as a sender meets it, turns, drains, limits and the end.

use ipnet::IpNet;
use mxwarden::{
    model::{
        canary::{Acting, Personality},
        delivery::{CanaryEnding, CanarySession},
        requirement::{MinVersion, TlsVersion},
        session::Phase,
    },
    observe::{
        canary::{Canaries, CanaryCa, CanaryError, CanaryIdentity, CanaryLimits, CanarySpec},
        clock::Clock,
    },
    wire::name::Host,
};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
    version::{TLS12, TLS13},
};
use std::{
    io,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

const NOW: &str = "2026-07-01T12:00:00Z";
/// Nothing here takes long; a busy machine may.
const PATIENT: Duration = Duration::from_secs(30);

fn host(text: &str) -> Host {
    text.parse().unwrap()
}

/// One authority for all tests: keys take a while to make.
fn ca() -> &'static CanaryCa {
    static CA: OnceLock<(TempDir, CanaryCa)> = OnceLock::new();
    let make = || {
        let folder = tempfile::tempdir().unwrap();
        let ca = CanaryCa::open(folder.path(), NOW.parse().unwrap()).unwrap();
        (folder, ca)
    };
    &CA.get_or_init(make).1
}

fn identity(personality: Personality) -> CanaryIdentity {
    ca().identity(personality, &host("mx.canary.test"), NOW.parse().unwrap()).unwrap()
}

fn spec(personality: Personality) -> CanarySpec {
    CanarySpec {
        personality,
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        hostname: host("mx.canary.test"),
        domains: vec!["canary.test".parse().unwrap()],
        identity: match personality {
            Personality::NoStarttls | Personality::StarttlsRefused => None,
            other => Some(identity(other)),
        },
        draining: None,
        min_version: MinVersion::Tls12,
    }
}

/// Canaries, and what they saw.
struct World {
    canaries: Canaries,
    seen: mpsc::Receiver<CanarySession>,
}

impl World {
    async fn of(specs: Vec<CanarySpec>, limits: CanaryLimits) -> Self {
        let (out, seen) = mpsc::channel(64);
        let tokens =
            Arc::new(|local: &str| local.eq_ignore_ascii_case("token").then(|| "p1".to_owned()));
        let clock = Clock::starting_at(NOW.parse().unwrap());
        let canaries = Canaries::start(specs, tokens, limits, clock, out).await.unwrap();
        Self { canaries, seen }
    }

    async fn one(personality: Personality) -> Self {
        Self::of(vec![spec(personality)], CanaryLimits::default()).await
    }

    fn address(&self) -> SocketAddr {
        *self.canaries.addresses().values().next().unwrap().first().unwrap()
    }

    async fn connect(&self) -> Peer<TcpStream> {
        let mut peer = Peer(TcpStream::connect(self.address()).await.unwrap());
        assert!(peer.hear().await.starts_with("220 "));
        peer
    }

    /// A sender that was told to start TLS.
    async fn starttls(&self) -> TcpStream {
        let mut peer = self.connect().await;
        assert!(peer.ask("EHLO a.test").await.contains("250-STARTTLS"));
        assert!(peer.ask("STARTTLS").await.starts_with("220"));
        peer.0
    }

    async fn shake(&self, client: ClientConfig) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from("mx.canary.test").unwrap();
        TlsConnector::from(Arc::new(client)).connect(name, self.starttls().await).await
    }

    async fn seen(&mut self) -> CanarySession {
        timeout(PATIENT, self.seen.recv()).await.unwrap().unwrap()
    }
}

/// A scripted sender over anything.
struct Peer<S>(S);

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// One reply, whole; empty at the end.
    async fn hear(&mut self) -> String {
        let mut heard = Vec::new();
        let mut begin = 0;
        loop {
            match timeout(PATIENT, self.0.read_u8()).await.unwrap() {
                Ok(octet) => heard.push(octet),
                Err(_) => return String::from_utf8(heard).unwrap(),
            }
            if heard.ends_with(b"\n") {
                if heard.get(begin + 3) != Some(&b'-') {
                    return String::from_utf8(heard).unwrap();
                }
                begin = heard.len();
            }
        }
    }

    async fn ask(&mut self, line: &str) -> String {
        self.0.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
        self.hear().await
    }

    /// Delivers the probe.
    async fn deliver(&mut self) {
        for (line, expect) in [
            ("EHLO a.test", "250"),
            ("MAIL FROM:<probe@contoso.test>", "250"),
            ("RCPT TO:<TOKEN@canary.test>", "250"),
            ("DATA", "354"),
            ("Subject: probe\r\n\r\nx\r\n.", "250"),
            ("QUIT", "221"),
        ] {
            let heard = self.ask(line).await;
            assert!(heard.starts_with(expect), "{line}: {heard}");
        }
    }
}

/// A sender that verifies as real ones do, with the canary's root.
fn client(versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca().root_pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let time = Arc::new(At);
    ClientConfig::builder_with_details(provider, time)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// The instant at which all certificates here are made.
#[derive(Debug)]
struct At;

impl rustls::time_provider::TimeProvider for At {
    fn current_time(&self) -> Option<rustls::pki_types::UnixTime> {
        let now: jiff::Timestamp = NOW.parse().unwrap();
        let since = Duration::from_secs(u64::try_from(now.as_second()).unwrap());
        Some(rustls::pki_types::UnixTime::since_unix_epoch(since))
    }
}

#[tokio::test]
async fn good_is_delivered_to_over_good_tls() {
    let mut world = World::one(Personality::Good).await;
    for (version, expect) in [(&TLS12, TlsVersion::Tls12), (&TLS13, TlsVersion::Tls13)] {
        let mut peer = Peer(world.shake(client(&[version])).await.unwrap());
        let keywords = peer.ask("EHLO a.test").await;
        assert!(!keywords.contains("STARTTLS"), "{keywords}");
        peer.deliver().await;
        drop(peer);
        let seen = world.seen().await;
        let tls = seen.tls.clone().unwrap();
        assert_eq!(tls.version, Some(expect));
        assert!(tls.completed && tls.server_hello_sent, "{tls:?}");
        assert!(tls.cipher_suite.unwrap().starts_with("TLS_"));
        assert_eq!((tls.our_alert, tls.their_alert, tls.failure), (None, None, None));
        assert_eq!((seen.reached, seen.ending), (Phase::Accepted, CanaryEnding::Quit));
        assert_eq!((seen.probe.as_deref(), seen.is_mail_in_clear), (Some("p1"), false));
        let hello = seen.client_hello.unwrap();
        assert_eq!(hello.sni.as_deref(), Some("mx.canary.test"));
        assert_eq!(seen.acting, Acting::AsItself);
    }
    world.canaries.stop().await;
}

/// A sender that verifies goes with an alert; one that does not delivers.
#[tokio::test]
async fn bad_certificates_are_turned_down_with_an_alert() {
    for (personality, expect) in [
        (Personality::SelfSigned, "unknown_ca"),
        (Personality::UnknownCa, "unknown_ca"),
        (Personality::Expired, "certificate_expired"),
        (Personality::WrongName, "certificate_unknown"),
    ] {
        let mut world = World::one(personality).await;
        for version in [&TLS12, &TLS13] {
            assert!(world.shake(client(&[version])).await.is_err(), "{personality}");
            let seen = world.seen().await;
            let tls = seen.tls.clone().unwrap();
            let alert = tls.their_alert.unwrap();
            assert!(alert == expect || alert == "bad_certificate", "{personality}: {alert}");
            assert!(!tls.completed && tls.server_hello_sent && tls.our_alert.is_none());
            assert_eq!((seen.reached, seen.ending), (Phase::Handshake, CanaryEnding::Closed));
        }
        world.canaries.stop().await;
    }
}

/// What Postfix and Exchange do: the handshake is finished, and then they go.
#[tokio::test]
async fn who_leaves_after_the_handshake_is_seen_to_leave() {
    let mut world = World::one(Personality::DaneMismatch).await;
    let mut peer = Peer(world.shake(client(&[&TLS13])).await.unwrap());
    assert!(peer.ask("QUIT").await.starts_with("221"));
    drop(peer);
    let seen = world.seen().await;
    assert!(seen.tls.unwrap().completed);
    assert_eq!((seen.reached, seen.ending), (Phase::Handshake, CanaryEnding::Quit));
    let mut stream = world.shake(client(&[&TLS13])).await.unwrap();
    stream.shutdown().await.unwrap();
    drop(stream);
    let seen = world.seen().await;
    assert!(seen.tls.unwrap().completed);
    assert_eq!(seen.ending, CanaryEnding::Closed);
    world.canaries.stop().await;
}

#[tokio::test]
async fn no_tickets_are_given_and_a_client_certificate_is_asked_for() {
    #[derive(Debug)]
    struct Shows(Arc<rustls::sign::CertifiedKey>);
    impl rustls::client::ResolvesClientCert for Shows {
        fn resolve(
            &self,
            _: &[&[u8]],
            _: &[rustls::SignatureScheme],
        ) -> Option<Arc<rustls::sign::CertifiedKey>> {
            Some(Arc::clone(&self.0))
        }
        fn has_certs(&self) -> bool {
            true
        }
    }
    let mut world = World::one(Personality::Good).await;
    let mut config = client(&[&TLS13]);
    let made = rcgen::KeyPair::generate().unwrap();
    let own = rcgen::CertificateParams::new(vec!["client.test".to_owned()]).unwrap();
    let own = own.self_signed(&made).unwrap();
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(
        &rustls::pki_types::PrivateKeyDer::Pkcs8(made.serialize_der().into()),
    );
    let certified = rustls::sign::CertifiedKey::new(vec![own.der().clone()], key.unwrap());
    config.client_auth_cert_resolver = Arc::new(Shows(Arc::new(certified)));
    let stream = world.shake(config).await.unwrap();
    assert_eq!(stream.get_ref().1.tls13_tickets_received(), 0);
    let mut peer = Peer(stream);
    peer.deliver().await;
    assert_eq!(peer.0.get_ref().1.tls13_tickets_received(), 0);
    drop(peer);
    let chain = world.seen().await.tls.unwrap().client_chain;
    assert_eq!(chain.iter().map(|one| one.0.as_slice()).collect::<Vec<_>>(), [own.der().as_ref()]);
    world.canaries.stop().await;
}

/// Nothing in common with a good canary is no refusal: it is we who ended it.
#[tokio::test]
async fn a_hello_the_good_canary_cannot_answer_proves_nothing() {
    let mut world = World::one(Personality::Good).await;
    let mut tcp = world.starttls().await;
    tcp.write_all(&hello_of_tls10()).await.unwrap();
    let mut said = [0; 7];
    tcp.read_exact(&mut said).await.unwrap();
    assert_eq!((said[0], said[6]), (21, 40));
    drop(tcp);
    let seen = world.seen().await;
    assert!(matches!(seen.ending, CanaryEnding::Ours(_)), "{:?}", seen.ending);
    let tls = seen.tls.unwrap();
    assert_eq!(tls.our_alert.as_deref(), Some("handshake_failure"));
    assert!(!tls.server_hello_sent);
    world.canaries.stop().await;
}

/// A hello of TLS 1.0 with one RSA suite and no extensions.
fn hello_of_tls10() -> Vec<u8> {
    let mut body = vec![3, 1];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0, 0x2f, 1, 0]);
    let mut out = vec![22, 3, 1, 0, u8::try_from(body.len() + 4).unwrap(), 1, 0, 0];
    out.push(u8::try_from(body.len()).unwrap());
    out.extend(body);
    out
}

#[tokio::test]
async fn legacy_tls_answers_an_old_hello_and_alerts_a_new_one() {
    let mut world = World::one(Personality::LegacyTls).await;
    // A sender that lists nothing below TLS 1.2 gets protocol_version, and goes.
    assert!(world.shake(client(&[&TLS13, &TLS12])).await.is_err());
    let seen = world.seen().await;
    let tls = seen.tls.unwrap();
    assert_eq!(tls.our_alert.as_deref(), Some("protocol_version"));
    assert!(seen.client_hello.unwrap().lists_nothing_below(TlsVersion::Tls12));
    assert_eq!((seen.reached, seen.ending), (Phase::Handshake, CanaryEnding::Closed));
    // One that does gets a ServerHello, and may leave there.
    let mut tcp = world.starttls().await;
    tcp.write_all(&hello_of_tls10()).await.unwrap();
    let mut said = [0; 6];
    tcp.read_exact(&mut said).await.unwrap();
    assert_eq!(said[0], 22);
    // With an alert of its own: `insufficient_security`.
    tcp.write_all(&[21, 3, 1, 0, 2, 2, 71]).await.unwrap();
    let mut rest = Vec::new();
    let _ = tcp.read_to_end(&mut rest).await;
    let seen = world.seen().await;
    let tls = seen.tls.unwrap();
    assert_eq!(tls.version, Some(TlsVersion::Tls10));
    assert_eq!(tls.cipher_suite.as_deref(), Some("TLS_RSA_WITH_AES_128_CBC_SHA"));
    assert_eq!(tls.their_alert.as_deref(), Some("insufficient_security"));
    assert!(tls.server_hello_sent && !tls.completed);
    assert_eq!(seen.ending, CanaryEnding::Closed);
    world.canaries.stop().await;
}

/// With the lowest version 1.3, TLS 1.2 is a version that was given up as well.
#[tokio::test]
async fn legacy_tls_below_1_3_speaks_1_2() {
    let specs = vec![CanarySpec { min_version: MinVersion::Tls13, ..spec(Personality::LegacyTls) }];
    let mut world = World::of(specs, CanaryLimits::default()).await;
    Peer(world.shake(client(&[&TLS12, &TLS13])).await.unwrap()).deliver().await;
    let seen = world.seen().await;
    assert_eq!(seen.tls.unwrap().version, Some(TlsVersion::Tls12));
    assert_eq!(seen.reached, Phase::Accepted);
    assert!(world.shake(client(&[&TLS13])).await.is_err());
    let seen = world.seen().await;
    assert_eq!(seen.tls.unwrap().our_alert.as_deref(), Some("protocol_version"));
    assert_eq!(seen.ending, CanaryEnding::Closed);
    let mut tcp = world.starttls().await;
    tcp.write_all(&hello_of_tls10()).await.unwrap();
    assert_eq!(tcp.read_u8().await.unwrap(), 22);
    world.canaries.stop().await;
}

#[tokio::test]
async fn a_reset_is_no_orderly_leaving() {
    let mut world = World::one(Personality::NoStarttls).await;
    let mut peer = world.connect().await;
    peer.ask("EHLO a.test").await;
    peer.0.set_zero_linger().unwrap();
    drop(peer);
    let seen = world.seen().await;
    assert_eq!((seen.reached, seen.ending), (Phase::Ehlo, CanaryEnding::Reset));
    // A bare connect.
    drop(world.connect().await);
    let seen = world.seen().await;
    assert_eq!((seen.reached, seen.ending), (Phase::Connect, CanaryEnding::Closed));
    world.canaries.stop().await;
}

#[tokio::test]
async fn a_canary_drains_for_one_sender_and_is_itself_for_others() {
    let mut other = spec(Personality::NoStarttls);
    other.draining = Some(identity(Personality::Good));
    let mut world = World::of(vec![other], CanaryLimits::default()).await;
    let name = host("mx.canary.test");
    let only: IpNet = "127.0.0.1/32".parse().unwrap();
    world.canaries.drain(&name, &[only]).unwrap();
    Peer(world.shake(client(&[&TLS13])).await.unwrap()).deliver().await;
    let seen = world.seen().await;
    assert_eq!((seen.acting, seen.personality), (Acting::Draining, Personality::NoStarttls));
    assert_eq!(seen.reached, Phase::Accepted);
    // From elsewhere.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.9:0".parse().unwrap()).unwrap();
    let mut peer = Peer(socket.connect(world.address()).await.unwrap());
    peer.hear().await;
    assert!(!peer.ask("EHLO a.test").await.contains("STARTTLS"));
    drop(peer);
    assert_eq!(world.seen().await.acting, Acting::AsItself);
    world.canaries.end_drain(&name).unwrap();
    let mut peer = world.connect().await;
    assert!(!peer.ask("EHLO a.test").await.contains("STARTTLS"));
    drop(peer);
    assert_eq!(world.seen().await.acting, Acting::AsItself);
    let unknown = world.canaries.drain(&host("mx.other.test"), &[only]);
    assert!(matches!(unknown, Err(CanaryError::NotHere(_))));
    world.canaries.stop().await;
    // No certificate, no drain; a broken one has one that passes.
    let world = World::one(Personality::StarttlsRefused).await;
    let refused = world.canaries.drain(&name, &[only]);
    assert!(matches!(refused, Err(CanaryError::CannotDrain(_))));
    world.canaries.stop().await;
    let world = World::one(Personality::StarttlsBroken).await;
    world.canaries.drain(&name, &[only]).unwrap();
    world.canaries.stop().await;
}

#[tokio::test]
async fn canaries_that_share_an_address_take_turns() {
    let free = TcpListener::bind("127.0.77.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let named = |personality, name| CanarySpec {
        listen: vec![address],
        hostname: host(name),
        ..spec(personality)
    };
    let specs = vec![
        named(Personality::StarttlsRefused, "mx.refused.test"),
        named(Personality::NoStarttls, "mx.clear.test"),
    ];
    let mut world = World::of(specs, CanaryLimits::default()).await;
    assert_eq!(world.canaries.addresses()[&host("mx.clear.test")], [address]);
    for name in ["mx.refused.test", "mx.clear.test", "mx.refused.test"] {
        world.canaries.take_turn(&host(name)).unwrap();
        drop(world.connect().await);
        assert_eq!(world.seen().await.hostname, host(name));
    }
    assert!(world.canaries.take_turn(&host("mx.other.test")).is_err());
    world.canaries.stop().await;
}

#[tokio::test]
async fn one_source_gets_so_many_sessions_and_others_their_own() {
    let limits = CanaryLimits { sessions: 3, sessions_per_source: 2, ..CanaryLimits::default() };
    let mut world = World::of(vec![spec(Personality::NoStarttls)], limits).await;
    let inside = [world.connect().await, world.connect().await];
    let mut third = Peer(TcpStream::connect(world.address()).await.unwrap());
    assert!(third.hear().await.starts_with("421 4.7.0"));
    let seen = world.seen().await;
    let CanaryEnding::Ours(why) = seen.ending else { panic!("{:?}", seen.ending) };
    assert!(why.ends_with("from one source"), "{why}");
    let from = async |source: &str| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(source.parse().unwrap()).unwrap();
        let mut peer = Peer(socket.connect(world.address()).await.unwrap());
        (peer.hear().await, peer)
    };
    let (heard, other) = from("127.0.0.9:0").await;
    assert!(heard.starts_with("220"));
    let (heard, _) = from("127.0.0.10:0").await;
    assert!(heard.starts_with("421"), "{heard}");
    drop((inside, other));
    for _ in 0..4 {
        world.seen().await;
    }
    // A place is given back once its session was taken.
    world.connect().await;
    world.canaries.stop().await;
}

#[tokio::test]
async fn stopping_ends_every_session_and_waits_for_it() {
    let mut world = World::one(Personality::Good).await;
    let mut clear = world.connect().await;
    let mut secured = Peer(world.shake(client(&[&TLS13])).await.unwrap());
    secured.ask("EHLO a.test").await;
    let address = world.address();
    timeout(PATIENT, world.canaries.stop()).await.unwrap();
    assert!(clear.hear().await.starts_with("421 4.3.2"));
    // Inside TLS as well, and never in clear.
    assert!(secured.hear().await.starts_with("421 4.3.2"));
    for _ in 0..2 {
        let seen = world.seen.recv().await.unwrap();
        assert_eq!(seen.ending, CanaryEnding::Ours("the canary was stopped".to_owned()));
    }
    assert!(world.seen.recv().await.is_none(), "nobody is left");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_cannot_be_started_is_not_started_at_all() {
    async fn start(specs: Vec<CanarySpec>) -> CanaryError {
        let (out, _) = mpsc::channel(1);
        let clock = Clock::starting_at(NOW.parse().unwrap());
        let limits = CanaryLimits::default();
        Canaries::start(specs, Arc::new(|_| None), limits, clock, out).await.unwrap_err()
    }
    let twice = vec![spec(Personality::NoStarttls), spec(Personality::NoStarttls)];
    assert!(matches!(start(twice).await, CanaryError::SameHost(_)));
    let bare = CanarySpec { identity: None, ..spec(Personality::Good) };
    assert!(matches!(start(vec![bare]).await, CanaryError::NoIdentity(_)));
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = vec![taken.local_addr().unwrap()];
    let there = CanarySpec { listen, ..spec(Personality::NoStarttls) };
    assert!(matches!(start(vec![there]).await, CanaryError::Listen { .. }));
}

/// As systemd does: the port is open before we are there, and whoever connected meanwhile is answered.
#[tokio::test]
async fn a_socket_that_was_opened_before_us_is_taken_over() {
    let wanted = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = wanted.local_addr().unwrap();
    let unwanted = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let other = unwanted.local_addr().unwrap();
    let early = TcpStream::connect(address).await.unwrap();
    let (out, _seen) = mpsc::channel(64);
    let specs = vec![CanarySpec { listen: vec![address], ..spec(Personality::NoStarttls) }];
    let clock = Clock::starting_at(NOW.parse().unwrap());
    let limits = CanaryLimits::default();
    let open = vec![unwanted, wanted];
    let canaries =
        Canaries::start_with(open, specs, Arc::new(|_| None), limits, clock, out).await.unwrap();
    assert_eq!(canaries.addresses()[&host("mx.canary.test")], [address]);
    assert!(Peer(early).hear().await.starts_with("220 mx.canary.test"));
    // What nobody listens at is closed, not held.
    assert!(TcpStream::connect(other).await.is_err());
}

/// Senders were told to trust the root: it is made once.
#[test]
fn roots_are_made_once_and_their_keys_are_for_their_owner() {
    let folder = tempfile::tempdir().unwrap();
    let now = NOW.parse().unwrap();
    let first = CanaryCa::open(folder.path(), now).unwrap().root_pem().to_owned();
    let again = CanaryCa::open(folder.path(), now).unwrap();
    assert_eq!(again.root_pem(), first);
    let chain = again.identity(Personality::Good, &host("mx.canary.test"), now).unwrap();
    assert_eq!(chain.chain()[1].as_ref(), again.root().0);
    for key in ["root.key", "stranger.key"] {
        let file = folder.path().join("canary").join(key);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // A key that is gone is never made anew.
    std::fs::remove_file(folder.path().join("canary/root.key")).unwrap();
    assert!(matches!(CanaryCa::open(folder.path(), now), Err(CanaryError::File { .. })));
}
