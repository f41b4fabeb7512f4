use super::{
    Canaries, CanaryCa, CanaryLimits, CanarySpec, Tokens,
    handshake::Handshake,
    session::{Desk, Part, attend},
    tls::{TlsSide, Versions},
    visit::Caller,
};
use crate::model::{
    canary::{Acting, Personality},
    delivery::{CanaryEnding, CanarySession},
    requirement::MinVersion,
    session::Phase,
};
use crate::observe::clock::Clock;
use crate::wire::hello::{Fresh, senders};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::{
    net::{Shutdown, TcpListener, TcpStream},
    os::fd::OwnedFd,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex},
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

/// The token of probe `p1`, and another.
fn tokens() -> Tokens {
    Arc::new(|local| match local.to_ascii_lowercase().as_str() {
        "token-1" => Some("p1".to_owned()),
        "token-2" => Some("p2".to_owned()),
        _ => None,
    })
}

fn part(personality: Personality, handshake: Handshake) -> Part {
    Part {
        caller: Caller {
            personality,
            acting: Acting::AsItself,
            hostname: "mx.canary.test".parse().unwrap(),
            local: "127.0.0.1:25".parse().unwrap(),
            peer: "127.0.0.2:1025".parse().unwrap(),
        },
        domains: vec!["canary.test".parse().unwrap()],
        handshake,
    }
}

fn desk() -> Desk {
    Desk {
        limits: CanaryLimits::default(),
        tokens: tokens(),
        clock: Clock::starting_at("2026-07-01T12:00:00Z".parse().unwrap()),
        stop: CancellationToken::new(),
    }
}

/// A sender that does what a test says.
struct Sender {
    io: BufReader<DuplexStream>,
    session: JoinHandle<CanarySession>,
    stop: CancellationToken,
}

impl Sender {
    /// Connects to a canary, and reads its greeting.
    async fn to(personality: Personality, handshake: Handshake) -> Self {
        let desk = desk();
        let stop = desk.stop.clone();
        let (ours, theirs) = duplex(1 << 14);
        let session = tokio::spawn(attend(theirs, part(personality, handshake), desk));
        let mut sender = Self { io: BufReader::new(ours), session, stop };
        assert_eq!(sender.hear().await, "220 mx.canary.test ESMTP");
        sender
    }

    async fn hidden() -> Self {
        let mut sender = Self::to(Personality::NoStarttls, Handshake::Hidden).await;
        sender.ask("EHLO a.test").await;
        sender
    }

    async fn write(&mut self, octets: &[u8]) {
        self.io.get_mut().write_all(octets).await.unwrap();
    }

    /// One reply; the lines joined by ` / `.
    async fn hear(&mut self) -> String {
        let mut heard = String::new();
        loop {
            let mut line = String::new();
            if self.io.read_line(&mut line).await.unwrap_or(0) == 0 {
                return heard;
            }
            let is_last = line.as_bytes().get(3) != Some(&b'-');
            heard.push_str(line.trim_end());
            if is_last {
                return heard;
            }
            heard.push_str(" / ");
        }
    }

    async fn ask(&mut self, line: &str) -> String {
        self.write(format!("{line}\r\n").as_bytes()).await;
        self.hear().await
    }

    /// Says each and hears what is expected: a reply's beginning.
    async fn each(&mut self, exchanges: &[(&str, &str)]) {
        for (line, expect) in exchanges {
            let heard = self.ask(line).await;
            assert!(heard.starts_with(expect), "{line}: {heard}, not {expect}");
        }
    }

    /// Closes, and what the canary saw.
    async fn close(self) -> CanarySession {
        drop(self.io);
        self.session.await.unwrap()
    }

    /// Waits until the canary ends it.
    async fn wait(mut self) -> CanarySession {
        let mut rest = Vec::new();
        let _ = self.io.read_to_end(&mut rest).await;
        self.close().await
    }
}

const ENVELOPE: &[(&str, &str)] = &[
    ("MAIL FROM:<probe@contoso.test>", "250 2.1.0"),
    ("RCPT TO:<token-1@canary.test>", "250 2.1.5"),
];

#[tokio::test(start_paused = true)]
async fn a_probe_is_taken_hashed_and_thrown_away() {
    let mut sender = Sender::hidden().await;
    sender.each(ENVELOPE).await;
    sender.each(&[("DATA", "354 ")]).await;
    sender.write(b"Subject: x\r\n\r\n..dot\r\n").await;
    assert!(sender.ask(".").await.starts_with("250 2.0.0"));
    assert!(sender.ask("QUIT").await.starts_with("221 2.0.0"));
    let seen = sender.close().await;
    assert_eq!((seen.reached, seen.ending), (Phase::Accepted, CanaryEnding::Quit));
    assert_eq!(seen.mail_from.as_deref(), Some("probe@contoso.test"));
    assert!(seen.is_mail_in_clear);
    assert_eq!(seen.rcpt_to, ["token-1@canary.test"]);
    assert_eq!(seen.probe.as_deref(), Some("p1"));
    let message = seen.message.unwrap();
    let body = b"Subject: x\r\n\r\n.dot\r\n";
    assert_eq!(message.octets, body.len() as u64);
    assert_eq!(message.sha256, crate::wire::text::hex(&Sha256::digest(body)));
    assert!(!seen.transcript.iter().any(|line| line.contains("Subject")), "the body was kept");
}

#[tokio::test(start_paused = true)]
async fn chunks_make_the_same_message() {
    let mut sender = Sender::hidden().await;
    sender.each(ENVELOPE).await;
    sender.write(b"BDAT 6\r\n.\r\nabcBDAT 0 LAST\r\nQUIT\r\n").await;
    assert!(sender.hear().await.starts_with("250 2.0.0 Continue"));
    assert!(sender.hear().await.starts_with("250 2.0.0 Taken"));
    assert!(sender.hear().await.starts_with("221"));
    let seen = sender.close().await;
    let message = seen.message.unwrap();
    assert_eq!(message.octets, 6);
    assert_eq!(message.sha256, crate::wire::text::hex(&Sha256::digest(b".\r\nabc")));
}

/// The octets behind BDAT come whatever was answered, and are never taken for commands.
#[tokio::test(start_paused = true)]
async fn chunks_that_nobody_wants_are_read_past() {
    let mut sender = Sender::hidden().await;
    sender.write(b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n").await;
    assert!(sender.hear().await.starts_with("503"));
    assert!(sender.hear().await.starts_with("250"));
    sender.each(&[("MAIL FROM:<a@b.test>", "250")]).await;
    sender.write(b"BDAT 6\r\nQUIT\r\nNOOP\r\n").await;
    assert!(sender.hear().await.starts_with("554"));
    assert!(sender.hear().await.starts_with("250"));
    let seen = sender.close().await;
    assert_eq!((seen.reached, seen.message), (Phase::Mail, None));
    // Too big, in one chunk and in several.
    let mut sender = Sender::hidden().await;
    sender.each(ENVELOPE).await;
    sender.write(b"BDAT 262144\r\n").await;
    sender.write(&vec![b'x'; 262_144]).await;
    assert!(sender.hear().await.starts_with("250"));
    sender.write(b"BDAT 1 LAST\r\nxRSET\r\n").await;
    assert!(sender.hear().await.starts_with("552"));
    assert!(sender.hear().await.starts_with("250"));
    assert_eq!(sender.close().await.message, None);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_answered_as_the_rfc_says() {
    let mut sender = Sender::to(Personality::NoStarttls, Handshake::Hidden).await;
    sender
        .each(&[
            ("MAIL FROM:<a@b.test>", "503 5.5.1"),
            ("RCPT TO:<token-1@canary.test>", "503 5.5.1"),
            ("EHLO", "501 5.5.4"),
            ("DATA", "503 5.5.1"),
            ("EHLO a.test", "250-mx.canary.test / 250-PIPELINING / 250-SIZE 262144 / 250-ENHANCED"),
            ("MAIL FROM:<a@b.test> SIZE=262145", "552 5.3.4"),
            ("MAIL FROM:<a@b.test> SIZE=x", "501 5.5.4"),
            ("MAIL FROM:<a@b.test> BODY=BINARYMIME", "501 5.5.4"),
            ("MAIL FROM:<a@b.test> RET=FULL", "555 5.5.4"),
            ("MAIL FROM:<ä@b.test>", "553 5.6.7"),
            ("MAIL FROM:a@b.test", "501 5.1.7"),
            ("VRFY a", "252 2.5.2"),
            ("HELP", "214 2.0.0"),
            ("NOOP", "250 2.0.0"),
            ("STARTTLS", "502 5.5.1"),
            ("AUTH PLAIN AAAA", "500 5.5.2"),
            ("MAIL FROM:<> SIZE=100 BODY=8BITMIME SMTPUTF8", "250 2.1.0"),
            ("DATA", "554 5.5.1"),
            ("RCPT TO:<token-1@elsewhere.test>", "550 5.7.1"),
            ("RCPT TO:<stranger@canary.test>", "550 5.1.1"),
            ("RCPT TO:<postmaster>", "550 5.1.1"),
            ("RCPT TO:<token-1@canary.test> NOTIFY=NEVER", "555 5.5.4"),
            ("RCPT TO:<TOKEN-1@Canary.TEST>", "250 2.1.5"),
        ])
        .await;
    let seen = sender.close().await;
    assert_eq!((seen.reached, seen.ending), (Phase::Rcpt, CanaryEnding::Closed));
    assert_eq!(seen.rcpt_to, ["token-1@canary.test"]);
    assert_eq!(seen.starttls, Some(502));
}

#[tokio::test(start_paused = true)]
async fn strangers_and_other_probes_are_not_taken() {
    let mut sender = Sender::hidden().await;
    sender.each(ENVELOPE).await;
    sender.each(&[("RCPT TO:<token-2@canary.test>", "452 4.5.3")]).await;
    let seen = sender.close().await;
    assert_eq!(seen.probe.as_deref(), Some("p1"));
    let mut sender = Sender::hidden().await;
    sender.each(&ENVELOPE[..1]).await;
    sender.each(&[("RCPT TO:<somebody@canary.test>", "550"), ("QUIT", "221")]).await;
    let seen = sender.close().await;
    assert_eq!((seen.probe, seen.rcpt_to.len()), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn one_transaction_a_connection() {
    for between in ["RSET", "EHLO again.test"] {
        let mut sender = Sender::hidden().await;
        sender.each(&[("MAIL FROM:<>", "250"), (between, "250")]).await;
        sender.each(&[("MAIL FROM:<probe@contoso.test>", "421 4.7.0")]).await;
        let seen = sender.wait().await;
        // A call-out does not hide what was said in clear behind it.
        assert_eq!(seen.mail_from.as_deref(), Some("probe@contoso.test"));
        assert!(matches!(seen.ending, CanaryEnding::Ours(_)));
    }
}

#[tokio::test(start_paused = true)]
async fn commands_may_be_pipelined() {
    let mut sender = Sender::hidden().await;
    let batch = "MAIL FROM:<a@b.test>\r\nRCPT TO:<token-1@canary.test>\r\nDATA\r\n";
    sender.write(batch.as_bytes()).await;
    for expect in ["250 2.1.0", "250 2.1.5", "354"] {
        assert!(sender.hear().await.starts_with(expect));
    }
    sender.write(b"x\r\n.\r\nQUIT\r\n").await;
    assert!(sender.hear().await.starts_with("250"));
    assert!(sender.hear().await.starts_with("221"));
    let seen = sender.close().await;
    assert_eq!((seen.reached, seen.ending), (Phase::Accepted, CanaryEnding::Quit));
}

#[tokio::test(start_paused = true)]
async fn long_lines_and_floods_have_an_end() {
    // A line too long is one error, and no more.
    let mut sender = Sender::hidden().await;
    assert!(sender.ask(&"x".repeat(8000)).await.starts_with("500 5.5.2 Line too long"));
    sender.each(&[("NOOP", "250")]).await;
    let seen = sender.close().await;
    assert_eq!(seen.ending, CanaryEnding::Closed);
    // A line without end.
    let sender = Sender::hidden().await;
    let (mut read, mut write) = tokio::io::split(sender.io);
    let pouring =
        tokio::spawn(async move { while write.write_all(&[b'x'; 4096]).await.is_ok() {} });
    let mut rest = Vec::new();
    let _ = read.read_to_end(&mut rest).await;
    drop(read);
    let seen = sender.session.await.unwrap();
    assert!(matches!(seen.ending, CanaryEnding::Ours(_)), "{:?}", seen.ending);
    pouring.await.unwrap();
    // Errors, and commands that are none.
    let mut sender = Sender::hidden().await;
    for _ in 0..20 {
        sender.each(&[("WHAT", "500")]).await;
    }
    sender.each(&[("WHAT", "421")]).await;
    assert_eq!(sender.wait().await.ending, CanaryEnding::Ours("20 errors".to_owned()));
    let mut sender = Sender::hidden().await;
    for _ in 0..199 {
        sender.each(&[("NOOP", "250")]).await;
    }
    sender.each(&[("NOOP", "421")]).await;
    let seen = sender.wait().await;
    assert_eq!(seen.ending, CanaryEnding::Ours("200 commands".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_message_too_big_is_refused_once_it_is_over() {
    let mut sender = Sender::hidden().await;
    sender.each(ENVELOPE).await;
    sender.each(&[("DATA", "354")]).await;
    let line = [&[b'x'; 998][..], b"\r\n"].concat();
    for _ in 0..263 {
        sender.write(&line).await;
    }
    assert!(sender.ask(".").await.starts_with("552 5.3.4"));
    let seen = sender.close().await;
    assert_eq!((seen.reached, seen.message), (Phase::Data, None));
}

/// Who drips octets gets no more time than who says nothing.
#[tokio::test(start_paused = true)]
async fn slow_senders_run_out_of_time() {
    let begin = Instant::now();
    let sender = Sender::hidden().await;
    let seen = sender.wait().await;
    assert_eq!(seen.ending, CanaryEnding::TimedOut);
    assert_eq!(begin.elapsed().as_secs(), 300);
    // Slow-loris within one command.
    let mut sender = Sender::hidden().await;
    let begin = Instant::now();
    while !sender.session.is_finished() {
        let _ = sender.io.get_mut().write_all(b"x").await;
        sleep(Duration::from_secs(10)).await;
    }
    assert!((300..=311).contains(&begin.elapsed().as_secs()));
    assert_eq!(sender.close().await.ending, CanaryEnding::TimedOut);
    // And over many commands.
    let mut sender = Sender::hidden().await;
    let begin = Instant::now();
    while !sender.session.is_finished() {
        let _ = sender.io.get_mut().write_all(b"NOOP\r\n").await;
        sleep(Duration::from_secs(10)).await;
    }
    assert!((600..=611).contains(&begin.elapsed().as_secs()));
    let seen = sender.close().await;
    assert!(matches!(seen.ending, CanaryEnding::Ours(_)), "{:?}", seen.ending);
}

/// A sender that never reads fills its window, and is given up.
#[tokio::test(start_paused = true)]
async fn senders_that_do_not_read_run_out_of_time() {
    let (mut ours, theirs) = duplex(64);
    let session =
        tokio::spawn(attend(theirs, part(Personality::NoStarttls, Handshake::Hidden), desk()));
    let begin = Instant::now();
    ours.write_all(b"EHLO a.test\r\n").await.unwrap();
    let seen = session.await.unwrap();
    assert_eq!(seen.ending, CanaryEnding::TimedOut);
    assert!(!seen.ehlo_answered, "it was not written whole");
    assert!((300..=302).contains(&begin.elapsed().as_secs()));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_canary_says_so_and_proves_nothing() {
    let mut sender = Sender::hidden().await;
    sender.each(ENVELOPE).await;
    sender.stop.cancel();
    assert!(sender.hear().await.starts_with("421 4.3.2"));
    let seen = sender.close().await;
    assert_eq!(seen.ending, CanaryEnding::Ours("the canary was stopped".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn refused_starttls_is_454_and_the_conversation_goes_on() {
    let mut sender = Sender::to(Personality::StarttlsRefused, Handshake::Refused).await;
    let keywords = sender.ask("EHLO a.test").await;
    assert!(keywords.contains("250-STARTTLS"));
    sender.each(&[("STARTTLS", "454 4.7.0")]).await;
    sender.each(ENVELOPE).await;
    let seen = sender.close().await;
    assert_eq!((seen.starttls, seen.is_mail_in_clear), (Some(454), true));
    let mut sender = Sender::to(Personality::StarttlsRefused, Handshake::Refused).await;
    sender.each(&[("EHLO a.test", "250"), ("STARTTLS", "454"), ("QUIT", "221")]).await;
    let seen = sender.close().await;
    assert_eq!((seen.reached, seen.ending), (Phase::Starttls, CanaryEnding::Quit));
    assert!(seen.ehlo_answered);
}

/// CVE-2011-0411 and its kin: nothing that a man in the middle adds is obeyed.
#[tokio::test(start_paused = true)]
async fn what_follows_starttls_in_clear_is_not_obeyed() {
    let mut sender = Sender::to(Personality::StarttlsBroken, Handshake::Breaks).await;
    sender.each(&[("EHLO a.test", "250")]).await;
    sender.write(b"STARTTLS\r\nMAIL FROM:<a@b.test>\r\n").await;
    assert!(sender.hear().await.starts_with("501 5.5.4"));
    let seen = sender.wait().await;
    assert!(matches!(seen.ending, CanaryEnding::Ours(_)));
    assert_eq!(seen.starttls, Some(501));
    // It was said in clear all the same.
    assert_eq!((seen.mail_from.as_deref(), seen.is_mail_in_clear), (Some("a@b.test"), true));
}

/// A recorded hello of Postfix.
fn hello() -> Vec<u8> {
    let postfix = senders().pop().unwrap();
    let fresh = Fresh { random: [1; 32], session_id: [2; 32], key_share: [3; 32] };
    postfix.offer.to_records(&fresh)
}

async fn broken() -> Sender {
    let mut sender = Sender::to(Personality::StarttlsBroken, Handshake::Breaks).await;
    sender.each(&[("EHLO a.test", "250"), ("STARTTLS", "220 2.0.0")]).await;
    sender
}

#[tokio::test(start_paused = true)]
async fn a_broken_handshake_is_one_alert_and_nothing_else() {
    // Octet by octet: the hello is read whole before anything is said.
    let mut sender = broken().await;
    let hello = hello();
    for octet in &hello {
        sender.write(&[*octet]).await;
    }
    let mut said = [0; 7];
    sender.io.read_exact(&mut said).await.unwrap();
    assert_eq!(said, [21, 3, 3, 0, 2, 2, 40]);
    let seen = sender.close().await;
    assert_eq!((seen.reached, seen.ending), (Phase::Handshake, CanaryEnding::Closed));
    assert!(!seen.client_hello.unwrap().suites.is_empty());
    let tls = seen.tls.unwrap();
    assert_eq!(tls.our_alert.as_deref(), Some("handshake_failure"));
    assert!(!tls.completed && !tls.server_hello_sent);
}

#[tokio::test(start_paused = true)]
async fn what_a_sender_does_behind_our_alert_is_seen() {
    async fn check(after: &[u8], ending: CanaryEnding, alert: Option<&str>, from: Option<&str>) {
        let mut sender = broken().await;
        sender.write(&hello()).await;
        sender.write(after).await;
        sender.io.read_exact(&mut [0; 7]).await.unwrap();
        let seen = sender.close().await;
        assert_eq!(seen.ending, ending);
        assert_eq!(seen.tls.unwrap().their_alert.as_deref(), alert);
        assert_eq!(seen.mail_from.as_deref(), from);
    }
    check(&[21, 3, 1, 0, 2, 2, 70], CanaryEnding::Closed, Some("protocol_version"), None).await;
    check(&[21, 3, 1, 0, 2, 1, 0], CanaryEnding::Closed, None, None).await; // close_notify
    check(b"QUIT\r\n", CanaryEnding::Quit, None, None).await;
    check(b"MAIL FROM:<a@b.test>\r\n", CanaryEnding::Closed, None, Some("a@b.test")).await;
    // It neither goes nor says anything.
    let mut sender = broken().await;
    sender.write(&hello()).await;
    assert_eq!(sender.wait().await.ending, CanaryEnding::TimedOut);
    // It closes before it says hello, or says something else.
    let sender = broken().await;
    let seen = sender.close().await;
    assert_eq!((seen.reached, &seen.ending), (Phase::Starttls, &CanaryEnding::Closed));
    assert_eq!((seen.client_hello, seen.tls), (None, None));
    let mut sender = broken().await;
    sender.write(b"MAIL FROM:<a@b.test>\r\n").await;
    let seen = sender.close().await;
    assert!(matches!(seen.ending, CanaryEnding::Ours(_)));
    assert!(seen.is_mail_in_clear);
}

/// All that a session may last: whatever the octets, it ends, and nothing panics.
fn ends_in_time(handshake: Handshake, chunks: Vec<Vec<u8>>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(async {
        let (ours, theirs) = duplex(1 << 12);
        let part = part(Personality::Good, handshake);
        let session = tokio::spawn(attend(theirs, part, desk()));
        let begin = Instant::now();
        let (mut read, mut write) = tokio::io::split(ours);
        let writing = async {
            for chunk in chunks {
                let _ = write.write_all(&chunk).await;
                sleep(Duration::from_secs(40)).await;
            }
        };
        let mut said = Vec::new();
        let _ = tokio::join!(writing, read.read_to_end(&mut said));
        drop((read, write));
        session.await.unwrap();
        assert!(begin.elapsed() < Duration::from_secs(610));
    });
}

fn chunks() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let known = prop::sample::select(vec![
        b"EHLO a.test\r\n".to_vec(),
        b"STARTTLS\r\n".to_vec(),
        b"MAIL FROM:<a@b.test>\r\n".to_vec(),
        b"RCPT TO:<token-1@canary.test>\r\n".to_vec(),
        b"DATA\r\n".to_vec(),
        b".\r\n".to_vec(),
        b"BDAT 10 LAST\r\n".to_vec(),
        b"RSET\r\n".to_vec(),
        b"QUIT\r\n".to_vec(),
        hello(),
    ]);
    let any = prop::collection::vec(any::<u8>(), 0..200);
    prop::collection::vec(prop_oneof![4 => known, 1 => any], 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_comes_a_session_ends(chunks in chunks()) {
        ends_in_time(Handshake::Breaks, chunks.clone());
        ends_in_time(Handshake::Hidden, chunks);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_comes_a_handshake_ends(records in prop::collection::vec(any::<u8>(), 0..400), is_hello in any::<bool>()) {
        let mut chunks = vec![b"EHLO a\r\n".to_vec(), b"STARTTLS\r\n".to_vec()];
        if is_hello {
            chunks.push(hello());
        }
        chunks.push([&[22, 3, 1, 0, 100][..], &records].concat());
        ends_in_time(Handshake::Shakes(side()), chunks);
    }
}

/// One identity for all: making a key takes a while.
fn side() -> TlsSide {
    static SIDE: std::sync::OnceLock<TlsSide> = std::sync::OnceLock::new();
    let make = || {
        let folder = tempfile::tempdir().unwrap();
        let now = "2026-07-01T12:00:00Z".parse().unwrap();
        let ca = CanaryCa::open(folder.path(), now).unwrap();
        let host = "mx.canary.test".parse().unwrap();
        TlsSide::new(&ca.identity(Personality::Good, &host, now).unwrap(), Versions::Good).unwrap()
    };
    SIDE.get_or_init(make).clone()
}

/// Two canaries in a runtime without timers, and another handle of the socket of the second.
async fn two_listen() -> (Canaries, TcpListener) {
    let sockets: Vec<_> = (0..2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let second = sockets[1].try_clone().unwrap();
    let specs = (0..).zip(&sockets).map(|(at, socket)| CanarySpec {
        personality: Personality::NoStarttls,
        listen: vec![socket.local_addr().unwrap()],
        hostname: format!("mx{at}.canary.test").parse().unwrap(),
        domains: vec![format!("c{at}.canary.test").parse().unwrap()],
        identity: None,
        draining: None,
        min_version: MinVersion::Tls12,
    });
    let (specs, Desk { limits, tokens, clock, .. }) = (specs.collect(), desk());
    let (out, _) = mpsc::channel(1);
    (Canaries::start_with(sockets, specs, tokens, limits, clock, out).await.unwrap(), second)
}

fn without_timers(test: impl Future) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(test);
}

/// Whether it has ended, as far as can be told without waiting.
async fn has_ended(what: impl Future) -> bool {
    tokio::select! {
        biased;
        _ = what => true,
        () = async {} => false,
    }
}

#[test]
fn one_listener_of_many_that_panics_is_noticed() {
    without_timers(async {
        let (canaries, socket) = two_listen().await;
        assert!(!has_ended(canaries.died()).await);
        // Nothing can be accepted any more. Who could not accept rests, and without timers that is a panic.
        TcpStream::from(OwnedFd::from(socket)).shutdown(Shutdown::Both).unwrap();
        canaries.died().await;
        // The others end when they are told to, as ever.
        canaries.stop().await;
    });
}

#[test]
fn listeners_that_were_told_to_stop_have_not_died() {
    without_timers(async {
        let (canaries, _) = two_listen().await;
        canaries.close().await;
        assert!(!has_ended(canaries.died()).await);
    });
}
