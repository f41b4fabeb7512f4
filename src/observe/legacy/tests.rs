//! Whole looks at peers that answer each hello as they are told, with flights of real servers.

use super::*;
use crate::lab::{
    ca::{Ca, LeafSpec},
    smtp::{Peer, Say, Script, Tls},
};
use crate::model::{deep::Depth, limits::Limits, session::StartTls, target::Target};
use crate::observe::{
    clock::Clock,
    dns::{DnsPlan, Resolver, Resolvers},
    offers::{Observer, OffersPlan, Reach},
    starttls::StartTlsPlan,
    tls::TlsClient,
};
use crate::wire::text;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// Whose hello a peer has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Library,
    Hand(HelloOffer),
}

type Answers = fn(From) -> Vec<u8>;

macro_rules! flight {
    ($name:literal) => {{
        let lines = include_str!(concat!("../../../tests/data/flights/", $name, ".hex"));
        text::from_hex(&lines.split_whitespace().collect::<String>()).unwrap()
    }};
}

const OTHER: From = From::Hand(HelloOffer::OtherSuites);
const TLS10: From = From::Hand(HelloOffer::Legacy(TlsVersion::Tls10));
const SSL3: From = From::Hand(HelloOffer::Legacy(TlsVersion::Ssl3));

fn too_old() -> Vec<u8> {
    flight!("alert-protocol-version")
}

fn nothing_shared() -> Vec<u8> {
    flight!("alert-handshake-failure")
}

async fn peer(answers: Answers) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(serve(tcp, answers));
        }
    });
    address
}

async fn serve(tcp: TcpStream, answers: Answers) {
    let mut smtp = BufReader::new(tcp);
    let mut line = String::new();
    for reply in ["220 mx.lab.test\r\n", "250-mx.lab.test\r\n250 STARTTLS\r\n", "220 Go\r\n"] {
        if !reply.starts_with("220 mx") {
            smtp.read_line(&mut line).await.unwrap();
        }
        smtp.get_mut().write_all(reply.as_bytes()).await.unwrap();
    }
    let mut header = [0; 5];
    smtp.read_exact(&mut header).await.unwrap();
    let mut hello = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
    smtp.read_exact(&mut hello).await.unwrap();
    smtp.get_mut().write_all(&answers(from(&hello))).await.unwrap();
    let _ = smtp.get_mut().shutdown().await;
}

/// Message header 4, version 2, random 32, session id, suites.
fn from(hello: &[u8]) -> From {
    let version = TlsVersion::from_wire(u16::from_be_bytes([hello[4], hello[5]])).unwrap();
    let suites = &hello[38 + 1 + usize::from(hello[38])..];
    let octets = usize::from(u16::from_be_bytes([suites[0], suites[1]]));
    let offered = |suite: [u8; 2]| suites[2..2 + octets].chunks(2).any(|pair| pair == suite);
    match version {
        TlsVersion::Tls12 if offered([0x13, 0x01]) && offered([0, 0x2f]) => {
            From::Hand(HelloOffer::Everything)
        }
        TlsVersion::Tls12 if offered([0x13, 0x01]) => From::Library,
        TlsVersion::Tls12 if offered([0, 0x2f]) => OTHER,
        TlsVersion::Tls12 => From::Hand(HelloOffer::Anonymous),
        older => From::Hand(HelloOffer::Legacy(older)),
    }
}

fn prober() -> Prober {
    let plan = StartTlsPlan {
        opening: Default::default(),
        ehlo: None,
        deadline: Duration::from_secs(20),
        retry_after: Duration::ZERO,
        limits: Limits::default(),
    };
    Prober::new(TlsClient::new().unwrap(), Clock::system(), plan)
}

async fn look(answers: Answers) -> Session {
    let address = peer(answers).await;
    let host = "mx.lab.test".parse().ok();
    prober().look(&Endpoint { host, address: address.ip(), port: address.port() }).await
}

/// A look in lines: each hello, then what was seen.
async fn check(answers: Answers, expect: &[&str]) -> Session {
    let session = look(answers).await;
    let tried = |tried: &HelloTried| format!("{:?}: {}", tried.offered, tried.outcome);
    let mut lines: Vec<String> = session.hellos.iter().map(tried).collect();
    lines.push(match &session.tls {
        None => "no TLS".to_owned(),
        Some(tls) => format!(
            "{:?} {} {} of {}",
            tls.seen_by,
            tls.version.unwrap(),
            tls.cipher_suite.as_deref().unwrap(),
            tls.chain.len()
        ),
    });
    assert_eq!(lines, expect);
    assert!(matches!(session.starttls, StartTls::Agreed(_)), "{:?}", session.starttls);
    session
}

#[tokio::test]
async fn a_server_of_one_old_version_is_asked_for_it() {
    fn tls10_only(from: From) -> Vec<u8> {
        match from {
            OTHER | TLS10 => flight!("tls10"),
            _ => too_old(),
        }
    }
    let expect = [
        "OtherSuites: answered with TLSv1.0",
        "Legacy(Tls10): accepted: TLSv1.0 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA x25519",
        "Hello TLSv1.0 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA of 2",
    ];
    let session = check(tls10_only, &expect).await;
    let failure = HandshakeFailure::Alert("protocol_version".to_owned());
    assert_eq!(session.ending, Ending::Handshake(failure));
    let tls = session.tls.unwrap();
    assert!(!tls.completed && !tls.key_proved);
    let title = "-- another session, with a hand-made hello: TLSv1.0 at most";
    assert!(session.transcript.iter().any(|line| line == title), "{:?}", session.transcript);
}

#[tokio::test]
async fn versions_are_asked_for_newest_first() {
    fn ssl3_only(from: From) -> Vec<u8> {
        if from == SSL3 { flight!("ssl3-made-by-hand") } else { too_old() }
    }
    let expect = [
        "OtherSuites: refused with the alert protocol_version",
        "Legacy(Tls11): refused with the alert protocol_version",
        "Legacy(Tls10): refused with the alert protocol_version",
        "Legacy(Ssl3): accepted: SSLv3 TLS_RSA_WITH_RC4_128_SHA",
        "Hello SSLv3 TLS_RSA_WITH_RC4_128_SHA of 1",
    ];
    check(ssl3_only, &expect).await;
}

#[tokio::test]
async fn suites_the_library_lacks_are_seen() {
    fn cbc_only(from: From) -> Vec<u8> {
        if from == OTHER { flight!("tls12-cbc") } else { nothing_shared() }
    }
    let expect = [
        "OtherSuites: accepted: TLSv1.2 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 x25519",
        "Hello TLSv1.2 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 of 2",
    ];
    check(cbc_only, &expect).await;
    fn dhe_1024_only(from: From) -> Vec<u8> {
        if from == OTHER { flight!("tls12-dhe-1024") } else { nothing_shared() }
    }
    let session = look(dhe_1024_only).await;
    assert_eq!(session.tls.unwrap().dh_bits, Some(1024));
}

const REFUSED: [&str; 5] = [
    "OtherSuites: refused with the alert handshake_failure",
    "Legacy(Tls11): refused with the alert handshake_failure",
    "Legacy(Tls10): refused with the alert handshake_failure",
    "Legacy(Ssl3): refused with the alert handshake_failure",
    "Everything: refused with the alert handshake_failure",
];

#[tokio::test]
async fn anonymous_suites_are_the_last_to_be_offered() {
    fn anonymous_only(from: From) -> Vec<u8> {
        match from {
            From::Hand(HelloOffer::Anonymous) => flight!("tls12-anonymous-dh"),
            _ => nothing_shared(),
        }
    }
    let session = look(anonymous_only).await;
    assert_eq!(session.hellos.len(), 6);
    assert!(matches!(session.hellos[5].outcome, HelloOutcome::Accepted(_)), "{session:?}");
    assert!(session.tls.unwrap().chain.is_empty());
    let mut expect = REFUSED.to_vec();
    expect.extend(["Anonymous: refused with the alert handshake_failure", "no TLS"]);
    check(|_| nothing_shared(), &expect).await;
}

#[tokio::test]
async fn half_an_answer_is_none() {
    // The ServerHello alone, then an alert: many servers break off what they began.
    fn breaks_off(from: From) -> Vec<u8> {
        if from == OTHER {
            let whole = flight!("tls12-cbc");
            [&whole[..100], &[]].concat()
        } else {
            nothing_shared()
        }
    }
    let session = look(breaks_off).await;
    assert!(matches!(session.hellos[0].outcome, HelloOutcome::Unclear(_)), "{session:?}");
    assert_eq!((session.hellos.len(), session.tls), (4, None));
    // Closed without a word: nothing was refused, so nothing is concluded.
    fn closes(from: From) -> Vec<u8> {
        if from == From::Library { nothing_shared() } else { Vec::new() }
    }
    let session = look(closes).await;
    assert_eq!((session.hellos.len(), session.tls), (4, None));
}

#[tokio::test]
async fn silence_and_garbage_get_no_further_hello() {
    for answers in [(|_| Vec::new()) as Answers, |_| b"500 no TLS here\r\n".to_vec()] {
        let session = look(answers).await;
        assert_eq!(session.hellos, [], "{:?}", session.ending);
    }
}

#[tokio::test]
async fn a_chain_without_sni_is_fetched_by_the_same_hello() {
    fn cbc_only(from: From) -> Vec<u8> {
        if from == OTHER { flight!("tls12-cbc") } else { nothing_shared() }
    }
    let session = look(cbc_only).await;
    let bare = prober().look_without_sni(&session).await;
    assert_eq!(bare, Some(WithoutSni::Chain(session.tls.unwrap().chain)));
}

#[tokio::test]
async fn a_deep_look_asks_for_everything() {
    let ca = Ca::new("Lab", Clock::system().now()).unwrap();
    let identity = ca.issue(&LeafSpec::host("mx.lab.test")).unwrap();
    // What a server says that kept the NOOP sent in clear with STARTTLS.
    let tls = Tls { afterwards: Some(Say::line("250 2.0.0 Ok")), ..Tls::new(identity) };
    let peer = Peer::start(([127, 0, 0, 1], 0).into(), Script::tls(tls)).await.unwrap();
    let resolver = Resolver::new(DnsPlan {
        resolvers: Resolvers::Given(vec![([127, 0, 0, 1], 9).into()]),
        ..DnsPlan::default()
    });
    let plan = OffersPlan {
        port: 25,
        reach: Reach::Anywhere,
        depth: Depth::Deep,
        limits: Limits::default(),
    };
    let observer = Arc::new(Observer::new(resolver.unwrap(), prober(), plan));
    let target: Target = format!("[127.0.0.1]:{}", peer.address().port()).parse().unwrap();
    let evidence = observer.offers(&target).await;
    let deep = evidence.sessions[0].deep.clone().unwrap();
    let piggyback = format!("{:?}", deep.piggyback);
    assert!(piggyback.starts_with("Some(Answered("), "{piggyback}");
    assert_eq!((deep.legacy_versions, deep.weak_suites), (vec![], vec![]));
    assert_eq!(deep.dh, None);
    // One certificate, of one kind.
    assert_eq!(deep.certificates.len(), 1);
    let senders: Vec<_> = deep.senders.iter().map(|s| s.negotiated.clone().unwrap()).collect();
    assert!(senders.iter().all(|agreed| agreed.version == TlsVersion::Tls13), "{senders:?}");
    assert_eq!(senders.len(), 3);
    // Three versions, eight classes, the prime, two kinds, the NOOP, three senders.
    assert_eq!(deep.asked.len(), 18);
    assert_eq!(peer.sessions(), 19);
}
