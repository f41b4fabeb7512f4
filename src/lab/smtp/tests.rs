//! Each misbehaviour, seen from the client's side of a real socket.

use super::*;
use crate::lab::ca::{Ca, Identity, KeyKind, LeafSpec, OcspStatus};
use crate::model::{requirement::TlsVersion, session::Phase};
use jiff::Timestamp;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{ServerName, UnixTime},
    time_provider::TimeProvider,
};
use std::time::Duration;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

const HOST: &str = "mx.example.test";
/// How long nothing must come before it counts as nothing.
const SILENCE: Duration = Duration::from_millis(20);
/// A record such as a ClientHello comes in; what is in it is none.
const HELLO: &[u8] = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\xff";

fn now() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

fn ca() -> Ca {
    Ca::new("Lab Root", now()).unwrap()
}

fn identity() -> Identity {
    ca().issue(&LeafSpec::host(HOST)).unwrap()
}

async fn start(script: Script) -> Peer {
    Peer::start("127.0.0.1:0".parse().unwrap(), script).await.unwrap()
}

async fn connect(peer: &Peer) -> TcpStream {
    TcpStream::connect(peer.address()).await.unwrap()
}

/// One whole reply as text, or what came of it with how the connection ended.
async fn reply(wire: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        let last = text.strip_suffix("\r\n").and_then(|text| text.rsplit("\r\n").next());
        if last.is_some_and(|line| line.as_bytes().get(3) != Some(&b'-')) {
            return text.trim_end().replace("\r\n", "|");
        }
        let came = timeout(Duration::from_secs(10), wire.read_buf(&mut bytes)).await;
        let end = match came.unwrap() {
            Ok(0) => "EOF".to_owned(),
            Ok(_) => continue,
            Err(error) => format!("{:?}", error.kind()),
        };
        return String::from_utf8_lossy(&bytes).into_owned() + &end;
    }
}

async fn say(wire: &mut (impl AsyncRead + AsyncWrite + Unpin), line: &str) -> String {
    wire.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
    wire.flush().await.unwrap();
    reply(wire).await
}

/// The greeting, then the reply to each line.
async fn talk(script: Script, lines: &[&str]) -> Vec<String> {
    let peer = start(script).await;
    let mut tcp = connect(&peer).await;
    let mut replies = vec![reply(&mut tcp).await];
    for line in lines {
        replies.push(say(&mut tcp, line).await);
    }
    replies
}

/// Whether nothing comes, and the connection stays.
async fn is_silent(tcp: &mut TcpStream) -> bool {
    timeout(SILENCE, tcp.read(&mut [0])).await.is_err()
}

/// These octets come, no more, and then this.
async fn expect(tcp: &mut TcpStream, bytes: &[u8], end: &str) {
    let mut came = vec![0; bytes.len()];
    tcp.read_exact(&mut came).await.unwrap();
    assert_eq!(came, bytes);
    let ended = match end {
        "open" => is_silent(tcp).await,
        "eof" => matches!(tcp.read(&mut [0]).await, Ok(0)),
        _ => tcp.read(&mut [0]).await.is_err(),
    };
    assert!(ended, "not {end} behind {bytes:?}");
}

#[derive(Debug)]
struct Then;

impl TimeProvider for Then {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(now().as_second()).unwrap();
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

fn client(root: &Ca, with: Option<Identity>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(root.certificate().clone()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_details(provider, Arc::new(Then))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    match with {
        Some(Identity { chain, key }) => builder.with_client_auth_cert(chain, key).unwrap(),
        None => builder.with_no_client_auth(),
    }
}

type Stream = TlsStream<TcpStream>;

async fn shake(config: ClientConfig, host: &str, tcp: TcpStream) -> std::io::Result<Stream> {
    let name = ServerName::try_from(host.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await
}

/// Greeting, EHLO, STARTTLS, handshake.
async fn starttls(peer: &Peer, config: ClientConfig, host: &str) -> std::io::Result<Stream> {
    let mut tcp = connect(peer).await;
    reply(&mut tcp).await;
    say(&mut tcp, "EHLO client.test").await;
    assert_eq!(say(&mut tcp, "STARTTLS").await, "220 2.0.0 Ready to start TLS");
    shake(config, host, tcp).await
}

#[tokio::test]
async fn a_healthy_peer_takes_mail_inside_tls() {
    let ca = ca();
    let peer = start(Script::healthy(ca.issue(&LeafSpec::host(HOST)).unwrap())).await;
    let mut tls = starttls(&peer, client(&ca, None), HOST).await.unwrap();
    let ehlo =
        "250-mx.lab.test|250-PIPELINING|250-SIZE 10240000|250-8BITMIME|250 ENHANCEDSTATUSCODES";
    assert_eq!(say(&mut tls, "EHLO client.test").await, ehlo);
    assert_eq!(say(&mut tls, "NOOP").await, "250 2.0.0 Ok");
    assert_eq!(say(&mut tls, "MAIL FROM:<a@client.test>").await, "250 2.1.0 Ok");
    assert_eq!(say(&mut tls, "rcpt to:<b@example.test>").await, "250 2.1.5 Ok");
    assert_eq!(say(&mut tls, "DATA").await, "354 End data with <CR><LF>.<CR><LF>");
    assert_eq!(say(&mut tls, "Subject: QUIT\r\n\r\nQUIT\r\n.").await, "250 2.0.0 Ok: taken");
    assert_eq!(say(&mut tls, "RSET").await, "250 2.0.0 Ok");
    assert_eq!(say(&mut tls, "XYZZY").await, "502 5.5.2 Error: command not recognized");
    assert_eq!(say(&mut tls, "QUIT").await, "221 2.0.0 Bye");
    assert_eq!(reply(&mut tls).await, "EOF");

    let heard = peer.heard().remove(0);
    assert_eq!(heard.in_clear, ["EHLO client.test", "STARTTLS"]);
    assert_eq!(heard.in_tls[4..8], ["DATA", "Subject: QUIT", "", "QUIT"]);
    assert_eq!(heard.sni.as_deref(), Some(HOST));
    assert_eq!(heard.handshake, Some(Ok("TLSv1_3".to_owned())));
    assert!(heard.hello_octets > Some(1000)); // a post-quantum key share
    assert_eq!(peer.sessions(), 1);
}

#[tokio::test]
async fn implicit_tls_greets_inside_tls() {
    let ca = ca();
    let peer = start(Script::implicit_tls(ca.issue(&LeafSpec::host(HOST)).unwrap())).await;
    let mut tls = shake(client(&ca, None), HOST, connect(&peer).await).await.unwrap();
    assert_eq!(reply(&mut tls).await, "220 mx.lab.test ESMTP");
    assert_eq!(say(&mut tls, "QUIT").await, "221 2.0.0 Bye");
}

#[tokio::test]
async fn greetings_go_wrong() {
    async fn check(script: Script, expect: &str) {
        assert_eq!(talk(script, &[]).await, [expect]);
    }
    let peer = start(Script::hangs()).await;
    assert!(is_silent(&mut connect(&peer).await).await);
    check(Script::greets_late(identity(), SILENCE), "220 mx.lab.test ESMTP").await;
    check(Script::drips(identity(), Duration::from_micros(1)), "220 mx.lab.test ESMTP").await;
    check(Script::greets_with_nul(), "220 mx\0.lab.test").await;
    check(Script::greets_in_8_bit(identity()), "220 \u{fffd}\u{fffd}\u{1b}[2Jmx").await;
    check(Script::speaks_http(), "HTTP/1.1 400 Bad Request").await;
    check(Script::refuses(), "554 5.7.1 No SMTP service here").await;
    check(Script::busy(), "421 4.7.0 Too many connections, try again later").await;
    check(Script::close_at(Phase::Connect, identity()), "EOF").await;
    check(Script::healthy(identity()).greeting(Say::Reset), "ConnectionReset").await;
}

#[tokio::test]
async fn what_is_too_much_is_not_held_back() {
    let peer = start(Script::floods(100 << 20)).await;
    let mut tcp = connect(&peer).await;
    let mut start_of_line = vec![0; 1 << 20];
    tcp.read_exact(&mut start_of_line).await.unwrap();
    assert!(start_of_line.starts_with(b"220 xxxx") && !start_of_line.contains(&b'\n'));

    peer.set(Script::endless_banner()).unwrap();
    let mut lines = vec![0; 27 * 1000];
    connect(&peer).await.read_exact(&mut lines).await.unwrap();
    assert_eq!(lines, b"220-mx.lab.test says more\r\n".repeat(1000));

    peer.set(Script::endless_reply()).unwrap();
    let mut tcp = connect(&peer).await;
    reply(&mut tcp).await;
    tcp.write_all(b"EHLO client.test\r\n").await.unwrap();
    let mut lines = vec![0; 11 * 1000];
    tcp.read_exact(&mut lines).await.unwrap();
    assert_eq!(lines, b"250-X-LAB\r\n".repeat(1000));
}

#[tokio::test]
async fn commands_in_clear_go_wrong() {
    const EHLO: &str = "EHLO client.test";
    /// The reply to the last of the lines.
    async fn check(script: Script, lines: &[&str], expect: &str) {
        assert_eq!(talk(script, lines).await.pop().unwrap(), expect);
    }
    let stripped = "250-mx.lab.test|250-PIPELINING|250 XXXXXXXA";
    let unknown = "502 5.5.2 Error: command not recognized";
    check(Script::starttls_stripped(), &[EHLO], stripped).await;
    check(Script::starttls_stripped(), &[EHLO, "STARTTLS"], unknown).await;
    check(Script::no_starttls(), &[EHLO, "STARTTLS"], unknown).await;
    check(Script::helo_only(), &[EHLO], "502 5.5.1 Command not implemented").await;
    check(Script::helo_only(), &[EHLO, "HELO client.test"], "250 mx.lab.test").await;
    let three = "250-mx.lab.test|250-X-LAB-1|250 STARTTLS";
    check(Script::offers_lines(identity(), 3), &[EHLO], three).await;
    let refused = Script::starttls_refused("454 4.7.0 TLS not available");
    check(refused.clone(), &[EHLO, "STARTTLS"], "454 4.7.0 TLS not available").await;
    check(refused, &[EHLO, "STARTTLS", "NOOP"], "250 2.0.0 Ok").await;
    let peer = start(Script::starttls_unanswered()).await;
    let mut tcp = connect(&peer).await;
    reply(&mut tcp).await;
    tcp.write_all(b"STARTTLS\r\n").await.unwrap();
    assert!(is_silent(&mut tcp).await);
    check(Script::close_at(Phase::Ehlo, identity()), &[EHLO], "EOF").await;
    check(Script::close_at(Phase::Starttls, identity()), &[EHLO, "STARTTLS"], "EOF").await;
    let reset = Script::healthy(identity()).in_clear("STARTTLS", Say::Reset);
    check(reset, &[EHLO, "STARTTLS"], "ConnectionReset").await;
    let injected = "220 2.0.0 Ready to start TLS|250 2.0.0 Injected";
    check(Script::injects(identity()), &[EHLO, "STARTTLS"], injected).await;
}

#[tokio::test]
async fn talking_early_leaves_a_reply_too_many() {
    let peer = start(Script::talks_early(identity())).await;
    let mut tcp = connect(&peer).await;
    let ehlo = "250-mx.lab.test|250-PIPELINING|250-SIZE 10240000|250-8BITMIME|250-ENHANCEDSTATUSCODES|250 STARTTLS";
    let early = format!("220 mx.lab.test ESMTP|{ehlo}|").replace('|', "\r\n");
    expect(&mut tcp, early.as_bytes(), "open").await;
    assert_eq!(say(&mut tcp, "EHLO client.test").await, ehlo);
}

#[tokio::test]
async fn the_hello_is_answered_with_anything_but_tls() {
    async fn check(script: Script, answer: &[u8], end: &str) {
        let peer = start(script).await;
        let mut tcp = connect(&peer).await;
        reply(&mut tcp).await;
        say(&mut tcp, "STARTTLS").await;
        tcp.write_all(HELLO).await.unwrap();
        expect(&mut tcp, answer, end).await;
    }
    check(Script::accepts_then_drops(), b"", "eof").await;
    check(Script::closes_at_hello(), b"", "eof").await;
    check(Script::close_at(Phase::Handshake, identity()), b"", "eof").await;
    check(Script::resets_handshake(), b"", "reset").await;
    check(Script::hangs_in_handshake(), b"", "open").await;
    check(Script::garbage(), b"\xde\xad\xbe\xef\x00\xff\r\n", "open").await;
    check(Script::answers_in_clear(), b"500 error\r\n", "open").await;
    check(Script::tls_alert(40), b"\x15\x03\x01\x00\x02\x02\x28", "eof").await;
    // First what is said in clear before the ServerHello, then what rustls says to such a hello.
    let peer = start(Script::injects_late(identity())).await;
    let mut tcp = connect(&peer).await;
    reply(&mut tcp).await;
    say(&mut tcp, "STARTTLS").await;
    assert!(is_silent(&mut tcp).await);
    tcp.write_all(HELLO).await.unwrap();
    let decode_error = b"250 2.0.0 Injected\r\n\x15\x03\x03\x00\x02\x02\x32";
    expect(&mut tcp, decode_error, "eof").await;
    assert!(peer.heard()[0].handshake.as_ref().unwrap().is_err());
}

#[tokio::test]
async fn a_large_hello_is_not_taken_where_it_is_not_tolerated() {
    let ca = ca();
    let identity = ca.issue(&LeafSpec::host(HOST)).unwrap();
    let peer = start(Script::pq_intolerant(identity, Say::Reset)).await;
    let error = starttls(&peer, client(&ca, None), HOST).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);

    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519];
    let mut roots = RootCertStore::empty();
    roots.add(ca.certificate().clone()).unwrap();
    let small = ClientConfig::builder_with_details(Arc::new(provider), Arc::new(Then))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut tls = starttls(&peer, small, HOST).await.unwrap();
    assert_eq!(say(&mut tls, "NOOP").await, "250 2.0.0 Ok");
    let octets: Vec<_> = peer.heard().iter().map(|heard| heard.hello_octets.unwrap()).collect();
    assert!(octets[0] > 1000 && octets[1] < 1000, "{octets:?}");
}

#[tokio::test]
async fn versions_are_the_ones_asked_for() {
    let ca = ca();
    let identity = || ca.issue(&LeafSpec::host(HOST).key(KeyKind::P384)).unwrap();
    let peer = start(Script::tls12_only(identity())).await;
    let mut tls = starttls(&peer, client(&ca, None), HOST).await.unwrap();
    say(&mut tls, "NOOP").await;
    peer.set(Script::tls13_only(identity())).unwrap();
    let mut tls = starttls(&peer, client(&ca, None), HOST).await.unwrap();
    say(&mut tls, "NOOP").await;
    let heard = peer.heard();
    assert_eq!(heard[0].handshake, Some(Ok("TLSv1_2".to_owned())));
    assert_eq!(heard[1].handshake, Some(Ok("TLSv1_3".to_owned())));

    let mut old = Tls::new(identity());
    old.versions = vec![TlsVersion::Tls10];
    let refused = peer.set(Script::tls(old)).unwrap_err();
    assert_eq!(refused.to_string(), "a lab peer speaks no TLSv1.0");
}

#[tokio::test]
async fn the_certificate_hangs_on_sni() {
    let ca = ca();
    let (one, two) = (LeafSpec::host("one.test"), LeafSpec::host("two.test"));
    let (one, two) = (ca.issue(&one).unwrap(), ca.issue(&two).unwrap());
    let peer = start(Script::depends_on_sni(one.clone(), "Two.test", two.clone())).await;
    let shown = |tls: &Stream| tls.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    let tls = starttls(&peer, client(&ca, None), "two.test").await.unwrap();
    assert_eq!(shown(&tls), two.leaf());
    let tls = starttls(&peer, client(&ca, None), "one.test").await.unwrap();
    assert_eq!(shown(&tls), one.leaf());
    let mut silent = client(&ca, None);
    silent.enable_sni = false;
    let tls = starttls(&peer, silent, "one.test").await.unwrap();
    assert_eq!(shown(&tls), one.leaf());
}

#[tokio::test]
async fn a_client_certificate_is_asked_for() {
    let ca = ca();
    let identity = || ca.issue(&LeafSpec::host(HOST)).unwrap();
    let script = |asks| Script::wants_client_certificate(identity(), asks);
    let peer = start(script(ClientCertificate::Optional)).await;
    let mut tls = starttls(&peer, client(&ca, None), HOST).await.unwrap();
    assert_eq!(say(&mut tls, "NOOP").await, "250 2.0.0 Ok");

    peer.set(script(ClientCertificate::Required)).unwrap();
    let with = client(&ca, Some(identity()));
    let mut tls = starttls(&peer, with, HOST).await.unwrap();
    assert_eq!(say(&mut tls, "NOOP").await, "250 2.0.0 Ok");
    assert_eq!(peer.heard()[1].client_certificates, 1);

    let mut tls = starttls(&peer, client(&ca, None), HOST).await.unwrap();
    let error = tls.read_u8().await.unwrap_err();
    assert_eq!(error.to_string(), "received fatal alert: CertificateRequired");
}

#[tokio::test]
async fn a_response_is_stapled() {
    #[derive(Debug)]
    struct Keeps(Arc<rustls::client::WebPkiServerVerifier>, Mutex<Vec<u8>>);
    impl rustls::client::danger::ServerCertVerifier for Keeps {
        fn verify_server_cert(
            &self,
            leaf: &rustls::pki_types::CertificateDer<'_>,
            others: &[rustls::pki_types::CertificateDer<'_>],
            name: &ServerName<'_>,
            ocsp: &[u8],
            now: UnixTime,
        ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
            *self.1.lock().unwrap() = ocsp.to_vec();
            self.0.verify_server_cert(leaf, others, name, ocsp, now)
        }
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            leaf: &rustls::pki_types::CertificateDer<'_>,
            signed: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            self.0.verify_tls12_signature(message, leaf, signed)
        }
        fn verify_tls13_signature(
            &self,
            message: &[u8],
            leaf: &rustls::pki_types::CertificateDer<'_>,
            signed: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            self.0.verify_tls13_signature(message, leaf, signed)
        }
        fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
            self.0.supported_verify_schemes()
        }
    }
    let ca = ca();
    let identity = ca.issue(&LeafSpec::host(HOST)).unwrap();
    let response = ca.ocsp(&identity, OcspStatus::Good, now(), now()).unwrap();
    let peer = start(Script::staples(identity, response.clone())).await;
    let mut roots = RootCertStore::empty();
    roots.add(ca.certificate().clone()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let inner = rustls::client::WebPkiServerVerifier::builder_with_provider(roots.into(), provider);
    let keeps = Arc::new(Keeps(inner.build().unwrap(), Mutex::default()));
    let mut config = client(&ca, None);
    config.dangerous().set_certificate_verifier(keeps.clone());
    starttls(&peer, config, HOST).await.unwrap();
    assert_eq!(*keeps.1.lock().unwrap(), response);
}

#[tokio::test]
async fn sessions_end_inside_tls() {
    let ca = ca();
    let identity = || ca.issue(&LeafSpec::host(HOST)).unwrap();
    let peer = start(Script::healthy(identity())).await;
    let ends = |script: Script, lines: &'static [&'static str]| {
        peer.set(script).unwrap();
        let (peer, ca) = (&peer, &ca);
        async move {
            let mut tls = starttls(peer, client(ca, None), HOST).await.unwrap();
            let mut last = String::new();
            for line in lines {
                last = say(&mut tls, line).await;
            }
            (last, reply(&mut tls).await)
        }
    };
    let eof = (String::new(), "EOF".to_owned());
    assert_eq!(ends(Script::drops_after_handshake(identity()), &[]).await, eof);
    let eof = ("EOF".to_owned(), "EOF".to_owned());
    let at = |phase| Script::close_at(phase, identity());
    assert_eq!(ends(at(Phase::EhloTls), &["EHLO c.test"]).await, eof);
    assert_eq!(ends(at(Phase::Mail), &["MAIL FROM:<>"]).await, eof);
    assert_eq!(ends(at(Phase::Rcpt), &["RCPT TO:<a@b.test>"]).await, eof);
    assert_eq!(ends(at(Phase::Data), &["DATA"]).await, eof);
    assert_eq!(ends(at(Phase::Accepted), &["DATA", "text\r\n."]).await, eof);
    let away = ends(Script::turns_away_inside_tls(identity()), &["EHLO c.test"]).await;
    assert_eq!(away.0, "421 4.7.0 A client certificate is required");
    assert_eq!(away.1, "EOF");
    peer.set(Script::greylists(identity())).unwrap();
    let mut tls = starttls(&peer, client(&ca, None), HOST).await.unwrap();
    let later = say(&mut tls, "RCPT TO:<a@b.test>").await;
    assert_eq!(later, "450 4.7.1 Greylisted, try again later");
}

#[tokio::test]
async fn connections_are_counted() {
    async fn check(script: Script, expect: [&str; 3]) {
        let peer = start(script).await;
        for code in expect {
            assert_eq!(reply(&mut connect(&peer).await).await[..3], *code);
        }
        assert_eq!(peer.sessions(), 3);
    }
    check(Script::busy_at_first(identity(), 1), ["421", "220", "220"]).await;
    check(Script::rate_limits(identity(), 2), ["220", "220", "421"]).await;
}

#[tokio::test]
async fn a_dropped_peer_is_gone_with_its_sessions() {
    let peer = start(Script::hangs()).await;
    let mut tcp = connect(&peer).await;
    while peer.sessions() == 0 {
        tokio::task::yield_now().await;
    }
    let address = peer.address();
    drop(peer);
    assert_eq!(tcp.read(&mut [0]).await.unwrap_or(0), 0);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn fixtures_are_served_but_for_keys_the_library_refuses() {
    let peer = start(Script::no_starttls()).await;
    let check = |name: &str| {
        let path = |end| format!("{}/tests/data/certs/{name}.{end}", env!("CARGO_MANIFEST_DIR"));
        let read = |end| std::fs::read_to_string(path(end)).unwrap();
        let identity = Identity::from_pem(&read("pem"), &read("key")).unwrap();
        peer.set(Script::healthy(identity)).is_ok()
    };
    let served = ["good", "sha1", "md5", "v1", "client-auth", "no-san", "expired", "ca-true"];
    assert!(served.into_iter().all(check));
    assert!(!["rsa1024", "p192", "p224"].into_iter().any(check));
}
