//! Each way a server can misbehave, met by a real look: what is said of it, and what never is.
//!
//! Implicit TLS is not here: it goes by the port, and 465 needs root.

use crate::world::{EHLO, PATIENT, World, judged, look_by, told};
use jiff::SignedDuration;
use mxwarden::{
    daemon::look::Standard,
    lab::{
        ca::{Ca, LeafSpec, OcspStatus},
        smtp::{ClientCertificate, Handshake, Say, Script, Tls},
    },
    model::{
        evidence::OffersEvidence,
        judgement::Quorum,
        requirement::{Level, MinVersion, TlsVersion},
        session::Phase,
        state::State,
        target::Target,
    },
    wire::x509::Certificate,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
    time::{Instant, timeout},
};

/// For servers that make us wait: all tries of a look lie within it.
const SHORT: Duration = Duration::from_secs(3);

/// A server, and what a look at it says: state, channel, STARTTLS, findings by weight, obstacles.
struct Case {
    name: &'static str,
    script: Script,
    expect: &'static str,
    /// Sessions the look holds.
    sessions: usize,
    deadline: Duration,
}

fn case(name: &'static str, script: Script, expect: &'static str) -> Case {
    Case { name, script, expect, sessions: 1, deadline: PATIENT }
}

impl Case {
    /// The look holds so many sessions.
    fn sessions(mut self, sessions: usize) -> Self {
        self.sessions = sessions;
        self
    }

    /// The server says nothing more, and only the deadline ends the look.
    fn waits(mut self) -> Self {
        self.deadline = SHORT;
        self
    }
}

/// Looks at all of them side by side; what each showed, in the order given.
async fn check(world: &mut World, cases: Vec<Case>) -> Vec<OffersEvidence> {
    let mut asked = Vec::new();
    for Case { name, script, expect, sessions, deadline } in cases {
        asked.push((name, expect, sessions, deadline, world.domain(name, script).await));
    }
    let observers = [(PATIENT, world.observer(PATIENT)), (SHORT, world.observer(SHORT))];
    let standard = Arc::new(world.standard(Level::Name));
    let mut looks = JoinSet::new();
    for (at, (name, _, _, deadline, _)) in asked.iter().enumerate() {
        let (name, deadline) = (*name, *deadline);
        let standard = Arc::clone(&standard);
        let (_, observer) = observers.iter().find(|(of, _)| *of == deadline).unwrap().clone();
        looks.spawn(async move {
            let begin = Instant::now();
            let evidence = look_by(&observer, name, &standard).await;
            let spent = begin.elapsed();
            // One deadline bounds all tries; the rest is DNS and a busy machine.
            assert!(spent < deadline + Duration::from_secs(5), "{name} took {spent:?}");
            (at, evidence)
        });
    }
    let mut seen = looks.join_all().await;
    seen.sort_by_key(|(at, _)| *at);
    let mut wrong = Vec::new();
    for ((_, evidence), (name, expect, sessions, _, peer)) in seen.iter().zip(&asked) {
        let claim = judged(&standard, evidence);
        let said = told(&claim, &claim.endpoints[0]);
        let held = world.peer(*peer).sessions();
        if (said.as_str(), held) != (*expect, *sessions) {
            let session = &evidence.sessions[0];
            wrong.push(format!(
                "{name}:\n  said {said} in {held} sessions\n  want {expect} in {sessions}\n  {:?} {:?}\n  {:#?}",
                session.ending, session.earlier, session.transcript
            ));
        }
        // One endpoint decides a domain of one endpoint.
        assert_eq!(claim.state, claim.endpoints[0].state, "{name}");
        assert_eq!(claim.proven_at.is_some(), claim.state != State::Unknown, "{name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    seen.into_iter().map(|(_, evidence)| evidence).collect()
}

/// The states of what was seen, by every level and either quorum; what is pinned is what was shown.
fn states(world: &World, evidence: &OffersEvidence) -> Vec<State> {
    let shown = evidence.sessions[0].tls.as_ref().and_then(|tls| tls.chain.first());
    let pin =
        shown.map_or_else(|| "0".repeat(64), |leaf| Certificate::parse(&leaf.0).unwrap().sha256);
    let mut states = Vec::new();
    for level in [Level::Encrypt, Level::Ca, Level::Name, Level::Pinned] {
        for quorum in [Quorum::All, Quorum::Any] {
            let mut standard = Standard { quorum, ..world.standard(level) };
            standard.requirement.pins = vec![pin.parse().unwrap()];
            states.push(judged(&standard, evidence).state);
        }
    }
    states
}

/// To the first connection; then too busy.
fn once(script: Script) -> Script {
    let greeting = script.greeting.clone();
    script.first(vec![greeting]).greeting(Script::busy().greeting)
}

/// The rule above all rules: what may pass is neither proof of good nor of bad, whatever is required.
#[tokio::test]
async fn what_may_pass_is_unknown() {
    let mut world = World::new().await;
    let good = world.good();
    let close = |phase| Script::close_at(phase, good.clone());
    let reset = |verb: &str| Script::healthy(good.clone()).in_clear(verb, Say::Reset);
    let ehlo = |line: &str| Script::healthy(good.clone()).in_clear("EHLO", Say::line(line));
    let cases = vec![
        // Before the greeting is over.
        case("hangs", Script::hangs(), "unknown none unknown: deadline").waits(),
        case(
            "drips-slowly",
            Script::drips(good.clone(), Duration::from_secs(1)),
            "unknown none unknown: deadline",
        )
        .waits(),
        case("endless-banner", Script::endless_banner(), "unknown none unknown: too-much-data"),
        case("floods", Script::floods(100 << 20), "unknown none unknown: too-much-data"),
        case("nul", Script::greets_with_nul(), "unknown none unknown: protocol-error"),
        case("http", Script::speaks_http(), "unknown none unknown: protocol-error"),
        case("refuses", Script::refuses(), "unknown none unknown: refused-for-other-reason"),
        case("busy", Script::busy(), "unknown none unknown: rate-limited").sessions(2),
        case(
            "greets-451",
            Script::hangs().greeting(Say::last_line("451 4.3.2 Try later")),
            "unknown none unknown: rate-limited",
        )
        .sessions(2),
        // RFC 5321 §3.1 gives 554 here; what it says counts for more.
        case(
            "crowded-554",
            Script::hangs().greeting(Say::last_line("554 5.7.0 Too many connections from you")),
            "unknown none unknown: rate-limited",
        ),
        case("closes-at-connect", close(Phase::Connect), "unknown none unknown: connection-lost")
            .sessions(2),
        case(
            "resets-at-connect",
            Script::hangs().greeting(Say::Reset),
            "unknown none unknown: connection-lost",
        )
        .sessions(2),
        // At EHLO.
        case("closes-at-ehlo", close(Phase::Ehlo), "unknown none unknown: connection-lost")
            .sessions(2),
        case("resets-at-ehlo", reset("EHLO"), "unknown none unknown: connection-lost").sessions(2),
        case(
            "hangs-at-ehlo",
            Script::healthy(good.clone()).in_clear("EHLO", Say::Nothing),
            "unknown none unknown: deadline",
        )
        .waits(),
        case("endless-reply", Script::endless_reply(), "unknown none unknown: too-much-data"),
        case(
            "ehlo-550",
            // A server that will have nothing of us says nothing of its TLS, whatever it says to HELO.
            ehlo("550 5.7.1 Access denied"),
            "unknown none unknown: refused-for-other-reason",
        ),
        case("ehlo-450", ehlo("450 4.7.1 Later"), "unknown none unknown: rate-limited").sessions(2),
        case(
            "ehlo-554",
            ehlo("554 5.7.1 Not you"),
            "unknown none unknown: refused-for-other-reason",
        ),
        case(
            "talks-early",
            Script::talks_early(good.clone()),
            "unknown none unknown: protocol-error",
        ),
        // What looks like a reply to EHLO was said before it: STARTTLS is not missing from it.
        case(
            "two-banners",
            Script::healthy(good.clone())
                .greeting(Say::Bytes(b"220 mx.lab.test\r\n220 ESMTP ready\r\n".to_vec())),
            "unknown none unknown: protocol-error",
        ),
        case(
            "half-a-greeting",
            ehlo("220 ESMTP ready\r\n250-mx.lab.test\r\n250 STARTTLS"),
            "unknown none unknown: protocol-error",
        ),
        // At STARTTLS.
        case(
            "starttls-454",
            Script::starttls_refused("454 4.7.0 TLS not available"),
            "unknown plain refused: info starttls-refused, unconfirmed",
        )
        .sessions(2),
        case(
            "starttls-421",
            Script::starttls_refused("421 4.3.2 Shutting down"),
            "unknown plain refused: info starttls-refused, unconfirmed",
        )
        .sessions(2),
        case(
            "starttls-250",
            Script::starttls_refused("250 2.0.0 Fine"),
            "unknown plain refused: protocol-error",
        ),
        case(
            "starttls-unanswered",
            Script::starttls_unanswered(),
            "unknown plain broken: info starttls-broken, unconfirmed",
        )
        .waits(),
        case(
            "closes-at-starttls",
            close(Phase::Starttls),
            "unknown plain broken: info starttls-broken, unconfirmed",
        )
        .sessions(2),
        case(
            "resets-at-starttls",
            reset("STARTTLS"),
            "unknown plain broken: info starttls-broken, unconfirmed",
        )
        .sessions(2),
        // In the handshake.
        case(
            "accepts-then-drops",
            Script::accepts_then_drops(),
            "unknown plain broken: info starttls-broken, unconfirmed",
        )
        .sessions(2),
        case(
            "closes-at-hello",
            Script::closes_at_hello(),
            "unknown plain broken: info starttls-broken, unconfirmed",
        )
        .sessions(2),
        case(
            "resets-handshake",
            Script::resets_handshake(),
            "unknown plain broken: info starttls-broken, unconfirmed",
        )
        .sessions(2),
        case(
            "hangs-in-handshake",
            Script::hangs_in_handshake(),
            "unknown plain broken: info starttls-broken, unconfirmed",
        )
        .sessions(2)
        .waits(),
        // It may be our library that is refused, and the hello that would have told met a 421.
        case(
            "alert-40-then-busy",
            once(Script::tls_alert(40)),
            "unknown plain offered: not-testable",
        )
        .sessions(2),
        // TLS 1.2 asks before it is done, so that nothing was completed; TLS 1.3 is among the sound ones.
        case(
            "client-cert-required-12",
            Script::tls(Tls {
                versions: vec![TlsVersion::Tls12],
                client_certificate: ClientCertificate::Required,
                ..Tls::new(good.clone())
            }),
            "unknown plain offered: info client-cert-required, refused-for-other-reason",
        ),
    ];
    for evidence in check(&mut world, cases).await {
        for state in states(&world, &evidence) {
            assert_eq!(state, State::Unknown, "{}", evidence.target);
        }
    }
}

#[tokio::test]
async fn a_lost_connection_is_told_with_its_phase() {
    let mut world = World::new().await;
    let good = world.good();
    world.domain("connect", Script::close_at(Phase::Connect, good.clone())).await;
    world.domain("ehlo", Script::close_at(Phase::Ehlo, good)).await;
    for phase in ["connect", "ehlo"] {
        let claim = world.check(phase).await;
        let detail = format!("connection closed by the peer at {phase}");
        assert_eq!(claim.obstacles[0].detail, detail);
    }
}

/// What no sender can use, or what somebody tampers with, is no passing fault.
#[tokio::test]
async fn what_is_broken_for_good_is_violated() {
    let mut world = World::new().await;
    let good = world.good();
    let injects_then = |handshake: Handshake| {
        let go = Say::Bytes(b"220 2.0.0 Go\r\n250 2.0.0 Injected\r\n".to_vec());
        Script { handshake, ..Script::healthy(good.clone()) }.in_clear("STARTTLS", go)
    };
    let refused = "violated plain refused: violation starttls-refused";
    let broken = "violated plain broken: violation starttls-broken";
    let no_common = "violated plain offered: violation tls-no-common-cipher";
    let injected = "violated plain broken: violation starttls-broken, warning starttls-injection";
    let cases = vec![
        case(
            "no-starttls",
            Script::no_starttls(),
            "violated plain not-offered: violation starttls-not-offered",
        ),
        case(
            "starttls-stripped",
            Script::starttls_stripped(),
            "violated plain not-offered: violation starttls-not-offered",
        ),
        case(
            "helo-only",
            Script::helo_only(),
            "violated plain not-offered: violation starttls-not-offered",
        ),
        case("starttls-502", Script::starttls_refused("502 5.5.1 What?"), refused),
        case("starttls-554", Script::starttls_refused("554 5.7.3 No"), refused),
        case("alert-49", Script::tls_alert(49), broken),
        // After an alert that may be due to what our library lacks, six hand-made hellos are tried.
        case("alert-40", Script::tls_alert(40), no_common).sessions(7),
        case("alert-70", Script::tls_alert(70), no_common).sessions(7),
        // An alert that says nothing of versions or suites, to whatever is offered: TLS is broken there.
        case("alert-80", Script::tls_alert(80), broken).sessions(7),
        case(
            "alert-70-then-busy",
            once(Script::tls_alert(70)),
            "violated plain offered: violation tls-version-too-old",
        )
        .sessions(2),
        // Bytes that are no TLS; then the connection stays open, or does not.
        case("garbage", Script::garbage(), injected).waits(),
        case("garbage-last", Script::answers_hello(Say::Last(vec![0xde; 8])), injected),
        case("answers-in-clear", Script::answers_in_clear(), injected).waits(),
        case("babbles", Script::answers_hello(Say::Endless(b"500 error\r\n".to_vec())), injected),
        // Injection and no handshake behind it: an EOF is no excuse any more.
        case("injects-and-closes", injects_then(Handshake::AfterHello(Say::Close)), injected),
        case("injects-and-resets", injects_then(Handshake::AfterHello(Say::Reset)), injected),
        case("injects-and-hangs", injects_then(Handshake::AfterHello(Say::Nothing)), injected)
            .waits(),
    ];
    let seen = check(&mut world, cases).await;
    for evidence in &seen {
        for state in states(&world, evidence) {
            assert_eq!(state, State::Violated, "{}", evidence.target);
        }
    }
    let standard = world.standard(Level::Name);
    let of = |name: &str| {
        let is = |e: &&OffersEvidence| e.target.to_string() == format!("{name}.test");
        judged(&standard, seen.iter().find(is).unwrap()).findings.remove(0).seen
    };
    assert!(of("starttls-stripped").contains("XXXXXXXA"), "{}", of("starttls-stripped"));
    assert!(of("starttls-502").contains("502 5.5.1 What?"));
    assert_eq!(of("alert-49"), "the server sent the TLS alert access_denied");
    assert!(of("garbage-last").contains("no TLS"), "{}", of("garbage-last"));
}

/// What was proved stands, whatever the server does before or after.
#[tokio::test]
async fn what_was_proved_stands() {
    let mut world = World::new().await;
    let good = world.good();
    let ok = "compliant matched offered:";
    let demanding =
        |tls: Tls| Script::tls(Tls { client_certificate: ClientCertificate::Required, ..tls });
    let cases = vec![
        case("healthy", Script::healthy(good.clone()), ok),
        case("tls12-only", Script::tls12_only(good.clone()), ok),
        case("tls13-only", Script::tls13_only(good.clone()), ok),
        case("greets-late", Script::greets_late(good.clone(), Duration::from_millis(300)), ok),
        case("drips", Script::drips(good.clone(), Duration::from_millis(5)), ok),
        case("eight-bit", Script::greets_in_8_bit(good.clone()), ok),
        case("long-ehlo", Script::offers_lines(good.clone(), 200), ok),
        case("busy-at-first", Script::busy_at_first(good.clone(), 1), ok).sessions(2),
        case(
            "injects",
            Script::injects(good.clone()),
            "compliant matched offered: warning starttls-injection",
        ),
        case(
            "injects-late",
            Script::injects_late(good.clone()),
            "compliant matched offered: warning starttls-injection",
        ),
        // The key share was not to blame: the same hello is answered at the third try.
        case("resets-one-handshake", Script::resets_one_handshake(good.clone()), ok).sessions(3),
        case(
            "pq-intolerant-reset",
            Script::pq_intolerant(good.clone(), Say::Reset),
            "compliant matched offered: warning pq-intolerant",
        )
        .sessions(3),
        case(
            "pq-intolerant-close",
            Script::pq_intolerant(good.clone(), Say::Close),
            "compliant matched offered: warning pq-intolerant",
        )
        .sessions(3),
        case(
            "pq-intolerant-hang",
            Script::pq_intolerant(good.clone(), Say::Nothing),
            "compliant matched offered: warning pq-intolerant",
        )
        .sessions(3)
        .waits(),
        // Behind the handshake.
        case("drops-after-handshake", Script::drops_after_handshake(good.clone()), ok),
        case("closes-at-ehlo-tls", Script::close_at(Phase::EhloTls, good.clone()), ok),
        case("turns-away-inside-tls", Script::turns_away_inside_tls(good.clone()), ok),
        case("resets-inside-tls", Script::healthy(good.clone()).in_tls("EHLO", Say::Reset), ok),
        case("hangs-inside-tls", Script::healthy(good.clone()).in_tls("EHLO", Say::Nothing), ok)
            .waits(),
        case(
            "garbage-inside-tls",
            Script::healthy(good.clone()).in_tls("EHLO", Say::Bytes(b"\0\xff\r\n".to_vec())),
            ok,
        ),
        case(
            "client-cert-optional",
            Script::wants_client_certificate(good.clone(), ClientCertificate::Optional),
            ok,
        ),
        case(
            "client-cert-required-13",
            demanding(Tls { versions: vec![TlsVersion::Tls13], ..Tls::new(good.clone()) }),
            "compliant matched offered: info client-cert-required",
        ),
        case(
            "client-cert-421",
            Script::wants_client_certificate(good.clone(), ClientCertificate::Optional)
                .in_tls("EHLO", Say::last_line("421 4.7.0 A client certificate is required")),
            "compliant matched offered: info client-cert-required",
        ),
        // We never come there.
        case("closes-at-mail", Script::close_at(Phase::Mail, good.clone()), ok),
        case("greylists", Script::greylists(good.clone()), ok),
    ];
    let seen = check(&mut world, cases).await;
    for evidence in &seen {
        let banner = evidence.sessions[0].banner.as_ref().unwrap().to_string();
        assert!(!banner.contains(|c: char| c.is_control()), "{banner:?}");
    }
    let of = |name: &str| {
        let is = |e: &&OffersEvidence| e.target.to_string() == format!("{name}.test");
        &seen.iter().find(is).unwrap().sessions[0]
    };
    let tls = |name: &str| of(name).tls.clone().unwrap();
    assert_eq!(tls("tls12-only").version, Some(TlsVersion::Tls12));
    assert_eq!(tls("tls13-only").version, Some(TlsVersion::Tls13));
    assert_eq!(tls("healthy").group.as_deref(), Some("X25519MLKEM768"));
    assert_eq!(tls("pq-intolerant-reset").group.as_deref(), Some("x25519"));
    assert!(of("busy-at-first").earlier[0].contains("421 4.7.0 Too many connections"));
    let mut strict = world.standard(Level::Name);
    strict.requirement.min_version = MinVersion::Tls13;
    let strictly = |name: &str| {
        let is = |e: &&OffersEvidence| e.target.to_string() == format!("{name}.test");
        judged(&strict, seen.iter().find(is).unwrap()).state
    };
    assert_eq!(strictly("tls12-only"), State::Violated);
    assert_eq!(strictly("tls13-only"), State::Compliant);
}

#[tokio::test]
async fn certificates_are_judged_one_by_one() {
    let mut world = World::new().await;
    let host = |name: &str| LeafSpec::host(&format!("{name}.lab.test"));
    let stranger = Ca::new("Nobody's Root", world.root.now()).unwrap();
    let stranger = stranger.issue(&host("unknown-ca")).unwrap();
    let now = world.root.now();
    let day = SignedDuration::from_hours(24);
    let good = world.good();
    let staple = |status, from: SignedDuration, to: SignedDuration| {
        world.issuer().ocsp(&good, status, now + from, now + to).unwrap()
    };
    let stapled_good = staple(OcspStatus::Good, -day, day);
    let stapled_revoked = staple(OcspStatus::Revoked(now - day), -day, day);
    let stapled_old = staple(OcspStatus::Revoked(now - day * 9), day * -8, -day);
    let issue = |spec: &LeafSpec| Script::healthy(world.issue(spec));
    let cases = vec![
        case(
            "expired",
            issue(&host("expired").expired()),
            "violated encrypted offered: violation cert-expired",
        )
        .sessions(2),
        case(
            "not-yet-valid",
            issue(&host("not-yet-valid").not_yet_valid()),
            "violated encrypted offered: violation cert-not-yet-valid",
        )
        .sessions(2),
        case(
            "expires-soon",
            issue(&host("expires-soon").expires_in_days(7)),
            "compliant matched offered: warning cert-expires-soon",
        ),
        case(
            "wrong-name",
            issue(&host("another")),
            "violated trusted offered: violation cert-name-mismatch",
        )
        .sessions(2),
        case(
            "self-signed",
            issue(&host("self-signed").self_signed()),
            "violated encrypted offered: violation cert-self-signed",
        )
        .sessions(2),
        case(
            "unknown-ca",
            Script::healthy(stranger),
            "violated encrypted offered: violation cert-unknown-issuer",
        )
        .sessions(2),
        case(
            "incomplete",
            Script::healthy(
                world
                    .issue(&host("incomplete").issuer_url("http://ca.lab.test/issuer.der"))
                    .without_intermediates(),
            ),
            "violated encrypted offered: violation cert-chain-incomplete",
        )
        .sessions(2),
        case(
            "bad-signature",
            Script::healthy(good.clone().with_bad_signature()),
            "violated encrypted offered: violation cert-bad-signature",
        )
        .sessions(2),
        case(
            "stapled-good",
            Script::staples(good.clone(), stapled_good),
            "compliant matched offered:",
        ),
        case(
            "stapled-revoked",
            Script::staples(good.clone(), stapled_revoked),
            "violated encrypted offered: violation cert-revoked",
        )
        .sessions(2),
        // Too old to count, whatever it says.
        case(
            "stapled-old",
            Script::staples(good.clone(), stapled_old),
            "compliant matched offered:",
        ),
        case(
            "stapled-junk",
            Script::staples(good.clone(), vec![0x30, 0x80]),
            "compliant matched offered:",
        ),
        // Most senders send no SNI: they would be well off here, and here, and worse off here.
        case(
            "sni-bad",
            Script::depends_on_sni(
                good.clone(),
                "sni-bad.lab.test",
                world.issue(&host("sni-bad").expired()),
            ),
            "violated encrypted offered: warning cert-depends-on-sni, violation cert-expired",
        )
        .sessions(2),
        case(
            "sni-good",
            Script::depends_on_sni(
                world.issue(&host("default").expired()),
                "sni-good.lab.test",
                good.clone(),
            ),
            "compliant matched offered:",
        ),
        // The second look met a 421: nothing was seen without SNI, so nothing is said of it.
        case(
            "expired-and-busy",
            Script::rate_limits(world.issue(&host("expired-and-busy").expired()), 1),
            "violated encrypted offered: violation cert-expired",
        )
        .sessions(2),
    ];
    let seen = check(&mut world, cases).await;
    let standard = world.standard(Level::Name);
    let (encrypt, ca) = (world.standard(Level::Encrypt), world.standard(Level::Ca));
    for evidence in &seen {
        assert_eq!(judged(&encrypt, evidence).state, State::Compliant, "{}", evidence.target);
        let name = evidence.target.to_string();
        let claim = judged(&standard, evidence);
        let revocation = claim.endpoints[0].tls.as_ref().unwrap().revocation;
        let revocation = format!("{revocation:?}");
        match name.as_str() {
            "stapled-good.test" => assert_eq!(revocation, "Good"),
            "stapled-revoked.test" => assert_eq!(revocation, "Revoked"),
            "wrong-name.test" => assert_eq!(judged(&ca, evidence).state, State::Compliant),
            _ => assert_eq!(revocation, "NotChecked", "{name}"),
        }
    }
}

/// Host names nobody signed for pass level name when DNS is forged: told beside a compliant state.
#[tokio::test]
async fn a_name_from_unsigned_dns_is_told() {
    let mut world = World::new().await;
    let good = world.good();
    world.domain("healthy", Script::healthy(good)).await;
    let claim = world.check("healthy").await;
    assert_eq!(claim.state, State::Compliant);
    let ids: Vec<_> = claim.findings.iter().map(|f| (f.id.as_str(), f.severity.as_str())).collect();
    assert_eq!(ids, [("dns-insecure", "warning")]);
}

#[tokio::test]
async fn two_mx_one_bad() {
    let mut world = World::new().await;
    let expired = world.issue(&LeafSpec::host("*.lab.test").expired());
    let good = world.good();
    world.domain("pair", Script::healthy(good)).await;
    world.host("second", Script::healthy(expired)).await;
    world.mx("pair", "second");
    let claim = world.check("pair").await;
    assert_eq!(claim.state, State::Violated);
    assert!(claim.summary.starts_with("1 of 2 endpoints falls short"), "{}", claim.summary);
    let mut states: Vec<_> = claim.endpoints.iter().map(|e| e.state).collect();
    states.sort();
    assert_eq!(states, [State::Compliant, State::Violated]);
}

#[tokio::test]
async fn two_mx_one_silent() {
    let mut world = World::new().await;
    let good = world.good();
    world.domain("pair", Script::healthy(good)).await;
    world.host("second", Script::busy()).await;
    world.mx("pair", "second");
    let evidence = world.look("pair", PATIENT).await;
    let all = world.standard(Level::Name);
    let claim = judged(&all, &evidence);
    assert_eq!(claim.state, State::Unknown);
    assert!(claim.summary.starts_with("1 of 2 endpoints is good"), "{}", claim.summary);
    let any = Standard { quorum: Quorum::Any, ..all };
    assert_eq!(judged(&any, &evidence).state, State::Compliant);
    assert_eq!(judged(&any, &evidence).obstacles[0].id.as_str(), "rate-limited");
}

#[tokio::test]
async fn an_endpoint_of_two_domains_is_looked_at_once() {
    let mut world = World::new().await;
    let good = world.good();
    let shared = world.domain("one", Script::healthy(good)).await;
    world.mx("two", "one");
    let observer = world.observer(PATIENT);
    let standard = world.standard(Level::Name);
    let (one, two) =
        tokio::join!(look_by(&observer, "one", &standard), look_by(&observer, "two", &standard));
    assert_eq!(world.peer(shared).sessions(), 1);
    assert_eq!(judged(&standard, &one).state, State::Compliant);
    assert_eq!(judged(&standard, &two).state, State::Compliant);
}

#[tokio::test]
async fn we_say_who_we_are_and_take_our_leave() {
    let mut world = World::new().await;
    let good = world.good();
    let healthy = world.domain("healthy", Script::healthy(good.clone())).await;
    let plain = world.domain("plain", Script::no_starttls()).await;
    let rude = world.domain("rude", Script::refuses()).await;
    let old = world.domain("old", Script::helo_only()).await;
    for name in ["healthy", "plain", "rude", "old"] {
        world.check(name).await;
    }
    let said = |at: usize| {
        let heard = world.peer(at).heard().remove(0);
        (heard.in_clear.join(" | "), heard.in_tls.join(" | "), heard.sni)
    };
    let host = Some("healthy.lab.test".to_owned());
    let (ehlo, quit) = (format!("EHLO {EHLO}"), String::from("QUIT"));
    assert_eq!(said(healthy), (format!("{ehlo} | STARTTLS"), format!("{ehlo} | {quit}"), host));
    assert_eq!(said(plain), (format!("{ehlo} | {quit}"), String::new(), None));
    assert_eq!(said(old), (format!("{ehlo} | HELO {EHLO} | {quit}"), String::new(), None));
    // It closed behind its 554, and reads no more.
    assert_eq!(said(rude), (String::new(), String::new(), None));
}

/// RFC 5321 §3.1, §4.3.1: the client waits for the greeting, then for every reply.
#[tokio::test]
async fn nothing_is_said_before_our_turn() {
    const SILENCE: Duration = Duration::from_millis(100);
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut heard = Vec::new();
        for reply in ["220 mx\r\n", "250-mx\r\n250-PIPELINING\r\n250 HELP\r\n", "221 bye\r\n"] {
            let early = timeout(SILENCE, tcp.read_u8()).await;
            assert!(early.is_err(), "{early:?} before {reply:?}, after {heard:?}");
            tcp.write_all(reply.as_bytes()).await.unwrap();
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") && tcp.read_buf(&mut line).await.unwrap() > 0 {}
            heard.push(String::from_utf8(line).unwrap());
        }
        heard
    });
    let observer = world.observer(PATIENT);
    let target = Target::Address { address: at.ip(), port: Some(at.port()) };
    let evidence = observer.offers(&target).await;
    assert_eq!(judged(&world.standard(Level::Ca), &evidence).state, State::Violated);
    assert_eq!(
        server.await.unwrap(),
        [format!("EHLO {EHLO}\r\n"), "QUIT\r\n".into(), String::new()]
    );
}
