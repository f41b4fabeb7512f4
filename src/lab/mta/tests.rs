//! The mail system against peers that are in order and peers that are not, over real sockets.

use super::*;
use crate::lab::{
    ca::{Ca, LeafSpec},
    dns::{LabDns, Zone},
    smtp::{Heard, Peer, Script},
};
use jiff::Timestamp;
use std::net::Ipv4Addr;
use tokio::net::TcpStream;

const HOST: &str = "mx.fabrikam.test";
const RETRIES: Retries = Retries {
    first: Duration::from_millis(20),
    most: Duration::from_millis(40),
    lifetime: Duration::from_secs(3600),
};

#[expect(clippy::disallowed_methods, reason = "the TLS library holds dates against this clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// A mail system with one partner, who has one mail server.
struct World {
    ca: Ca,
    peer: Peer,
    mta: Mta,
    _dns: LabDns,
}

impl World {
    async fn of(forcing: Forcing, script: impl FnOnce(&Ca) -> Script) -> Self {
        Self::trying(RETRIES, forcing, script).await
    }

    async fn trying(
        retries: Retries,
        forcing: Forcing,
        script: impl FnOnce(&Ca) -> Script,
    ) -> Self {
        let ca = Ca::new("Lab Root", now()).unwrap();
        let peer = Peer::start("127.0.0.1:0".parse().unwrap(), script(&ca)).await.unwrap();
        let zone = Zone::new()
            .mx("fabrikam.test", 10, HOST)
            .a(HOST, Ipv4Addr::LOCALHOST)
            .null_mx("mute.fabrikam.test");
        let dns = LabDns::start(zone).await.unwrap();
        let plan = MtaPlan {
            ehlo: "out.contoso.test".to_owned(),
            dns: dns.address(),
            port: peer.address().port(),
            connectors: vec![MtaConnector { domains: vec!["fabrikam.test".to_owned()], forcing }],
            roots: vec![ca.certificate().to_vec()],
            retries,
        };
        let mta = Mta::start("127.0.0.1:0".parse().unwrap(), plan).await.unwrap();
        Self { ca, peer, mta, _dns: dns }
    }

    async fn talk(&self) -> talk::Talk<TcpStream> {
        let mut talk = talk::Talk::over(TcpStream::connect(self.mta.address()).await.unwrap());
        assert_eq!(talk.reply().await.unwrap().code, 220);
        assert_eq!(talk.command("EHLO me.test").await.unwrap().code, 250);
        talk
    }

    /// Hands a letter over.
    async fn submit(&self, to: &str) {
        let mut talk = self.talk().await;
        for (line, code) in [
            ("MAIL FROM:<a@contoso.test> BODY=8BITMIME", 250),
            (&format!("RCPT TO:<{to}>"), 250),
            ("DATA", 354),
            ("Subject: a probe\r\n\r\n..a dot\r\n.", 250),
        ] {
            assert_eq!(talk.command(line).await.unwrap().code, code, "{line}");
        }
        talk.quit().await;
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let within = Instant::now() + Duration::from_secs(60);
        while !is_so(self) {
            assert!(Instant::now() < within, "not so: {what}; {:#?}", self.peer.heard());
            tokio::task::yield_now().await;
        }
    }
}

fn says_mail(lines: &[String]) -> bool {
    lines.iter().any(|line| line.starts_with("MAIL"))
}

/// How a sender that only looks as if it forced TLS gets rid of the letter.
#[derive(Debug, PartialEq, Eq)]
enum By {
    Clear,
    Tls,
}

#[tokio::test]
async fn who_insists_says_nothing_to_who_does_less_and_who_does_not_insist_says_it_all() {
    async fn check(what: &str, script: impl Fn(&Ca) -> Script, otherwise: By) {
        let world = World::of(Forcing::Really, &script).await;
        world.submit("b@fabrikam.test").await;
        // Again and again, and never with more.
        world.until(what, |world| world.peer.sessions() >= 3).await;
        for heard in world.peer.heard() {
            let said = [heard.in_clear.as_slice(), &heard.in_tls].concat();
            assert!(!says_mail(&said), "{what}: {said:?}");
        }
        assert_eq!(world.mta.queued(), 1, "{what}: it waits");

        let world = World::of(Forcing::InAppearance, &script).await;
        world.submit("b@fabrikam.test").await;
        world.until(what, |world| world.mta.queued() == 0).await;
        let heard = world.peer.heard();
        let by = |lines: fn(&Heard) -> &[String]| heard.iter().any(|one| says_mail(lines(one)));
        let (clear, tls) = (by(|one| &one.in_clear), by(|one| &one.in_tls));
        assert_eq!((clear, tls), (otherwise == By::Clear, otherwise == By::Tls), "{what}");
    }
    let issued = |ca: &Ca, spec: LeafSpec| Script::healthy(ca.issue(&spec).unwrap());
    let own = || LeafSpec::host(HOST);
    check("no STARTTLS", |_| Script::no_starttls(), By::Clear).await;
    check("stripped", |_| Script::starttls_stripped(), By::Clear).await;
    let refused = "454 4.7.0 TLS not available";
    check("refused", |_| Script::starttls_refused(refused), By::Clear).await;
    check("broken", |_| Script::tls_alert(40), By::Clear).await;
    check("too old", |_| Script::tls_alert(70), By::Clear).await;
    check("self-signed", |ca| issued(ca, own().self_signed()), By::Tls).await;
    check("expired", |ca| issued(ca, own().expired()), By::Tls).await;
    check("wrong name", |ca| issued(ca, LeafSpec::host("mx.other.test")), By::Tls).await;
    let stranger = |ca: &Ca| Ca::new("Stranger", ca.now()).unwrap();
    check("unknown CA", |ca| issued(&stranger(ca), own()), By::Tls).await;
}

#[tokio::test]
async fn who_insists_delivers_as_soon_as_it_can() {
    let world = World::of(Forcing::Really, |_| Script::no_starttls()).await;
    world.submit("b@fabrikam.test").await;
    world.until("it tried", |world| world.peer.sessions() >= 2).await;
    let good = Script::healthy(world.ca.issue(&LeafSpec::host(HOST)).unwrap());
    world.peer.set(good).unwrap();
    world.until("it is delivered", |world| world.mta.queued() == 0).await;
    let heard = world.peer.heard();
    let last = heard.last().unwrap();
    assert_eq!(last.in_clear, ["EHLO out.contoso.test", "STARTTLS"]);
    assert_eq!(
        last.in_tls,
        [
            "EHLO out.contoso.test",
            "MAIL FROM:<a@contoso.test>",
            "RCPT TO:<b@fabrikam.test>",
            "DATA",
            "Subject: a probe",
            "",
            "..a dot",
            ".",
            "QUIT",
        ]
    );
    assert_eq!(last.sni.as_deref(), Some(HOST));
}

#[tokio::test]
async fn what_is_refused_for_good_leaves_the_queue() {
    let nobody = |ca: &Ca| Script::knows_nobody(ca.issue(&LeafSpec::host(HOST)).unwrap());
    let world = World::of(Forcing::Really, nobody).await;
    world.submit("b@fabrikam.test").await;
    world.until("550", |world| world.mta.queued() == 0).await;
    assert_eq!(world.peer.sessions(), 1);
    world.submit("b@mute.fabrikam.test").await;
    world.until("a null MX", |world| world.mta.queued() == 0).await;
    assert_eq!(world.peer.sessions(), 1);
}

#[tokio::test]
async fn nothing_is_taken_that_cannot_be_kept() {
    let once = Retries { first: RETRIES.lifetime, ..RETRIES };
    let world =
        World::trying(Retries { lifetime: RETRIES.lifetime * 2, ..once }, Forcing::Really, |_| {
            Script::no_starttls()
        })
        .await;
    let mut talk = world.talk().await;
    for (line, code) in [
        ("RCPT TO:<b@fabrikam.test>", 503),
        ("MAIL FROM:<a@contoso.test>", 250),
        ("DATA", 503),
        ("RCPT TO:<b@elsewhere.test>", 550),
        ("RCPT TO:<b@notfabrikam.test>", 550),
        ("RCPT TO:<nobody>", 501),
        ("STARTTLS", 502),
        ("RCPT TO:<b@FABRIKAM.test>", 250),
        ("RCPT TO:<b@mx.fabrikam.test>", 250),
        ("RSET", 250),
        ("DATA", 503),
    ] {
        assert_eq!(talk.command(line).await.unwrap().code, code, "{line}");
    }
    assert_eq!(world.mta.queued(), 0, "what was given up leaves its place");
    let long = "x".repeat(1000);
    let much = format!("{}.", format!("{long}\r\n").repeat(300));
    for (line, code) in [
        ("MAIL FROM:<a@contoso.test>", 250),
        ("RCPT TO:<b@fabrikam.test>", 250),
        ("DATA", 354),
        (much.as_str(), 552),
        ("NOOP", 250),
    ] {
        assert_eq!(talk.command(line).await.unwrap().code, code);
    }
    // As many as there is room for, and one more.
    for at in 0..=QUEUE {
        let full = at == QUEUE;
        assert_eq!(talk.command("MAIL FROM:<a@contoso.test>").await.unwrap().code, 250);
        let to = talk.command("RCPT TO:<b@fabrikam.test>").await.unwrap().code;
        assert_eq!(to, if full { 452 } else { 250 }, "letter {at}");
        if !full {
            assert_eq!(talk.command("DATA").await.unwrap().code, 354);
            assert_eq!(talk.command(".").await.unwrap().code, 250);
        }
    }
}
