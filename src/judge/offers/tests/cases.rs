//! The cases under `tests/data/evidence`: each a name, its evidence and what it is judged by.

use super::make::{
    Standard, ended, evidence, exchange, failure, nowhere, reply, session, unroutable, untried,
};
use crate::judge::certificate::tests::fixture;
use crate::model::{
    evidence::{OffersEvidence, Vantage},
    requirement::{Level, TlsVersion},
    resolution::{Addresses, DnsFailureKind, ExchangeHost, Route},
    session::{
        ConnectFailure, Ending, HandshakeFailure, Lost, NotTried, Phase, Session, StartTls, Tls,
        WithoutSni,
    },
};
use crate::wire::x509::Certificate;

pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) evidence: OffersEvidence,
    pub(super) standard: Standard,
}

fn case(name: &'static str, evidence: OffersEvidence, standard: Standard) -> Case {
    Case { name, evidence, standard }
}

const MX: &str = "mx.example.test";

fn good() -> Session {
    session(MX, "192.0.1.1", "good")
}

fn timed_out(host: &str, address: &str) -> Session {
    let why = ConnectFailure::TimedOut("no answer within 22 s".to_owned());
    ended(host, address, Ending::Connect(why))
}

/// A look that is good but for its TLS.
fn tls(change: impl FnOnce(&mut Tls)) -> OffersEvidence {
    let mut session = good();
    change(session.tls.as_mut().unwrap());
    evidence(vec![session])
}

fn change(
    mut evidence: OffersEvidence,
    change: impl FnOnce(&mut OffersEvidence),
) -> OffersEvidence {
    change(&mut evidence);
    evidence
}

pub(super) fn all() -> Vec<Case> {
    [routes(), families(), sessions(), certificates(), levels()].into_iter().flatten().collect()
}

fn routes() -> Vec<Case> {
    let failed = |kind| Addresses::Failed(failure(kind));
    let literal = || ExchangeHost::Address("192.0.1.9".parse().unwrap());
    let not_asked = || (Addresses::NotAsked, Addresses::NotAsked);
    let literal = || exchange(literal(), not_asked().0, not_asked().1);
    let second = |v4, v6| exchange(ExchangeHost::Name("mx2.example.test".parse().unwrap()), v4, v6);
    let beside = |other| {
        change(evidence(vec![good()]), |evidence| evidence.resolution.exchanges.push(other))
    };
    let aliased = change(evidence(vec![good()]), |evidence| {
        evidence.resolution.exchanges[0].aliases.push("real.example.test".parse().unwrap());
    });
    let aaaa_failed = change(evidence(vec![good()]), |evidence| {
        evidence.resolution.exchanges[0].v6 = failed(DnsFailureKind::ServFail);
    });
    let addresses_left_out = change(evidence(vec![good()]), |evidence| {
        evidence.resolution.exchanges[0].left_out = 3;
    });
    let session_missing =
        beside(second(Addresses::Found(vec!["192.0.1.2".parse().unwrap()]), Addresses::None));
    let servfail = Route::Failed(failure(DnsFailureKind::ServFail));
    let invalid = ExchangeHost::Invalid("http://mx".to_owned());
    vec![
        case("healthy", evidence(vec![good()]), Standard::name()),
        case("null-mx", nowhere(Route::NullMx, vec![], vec![]), Standard::name()),
        case("no-mx", nowhere(Route::NoMx, vec![], vec![]), Standard::name()),
        case("nxdomain", nowhere(Route::Nxdomain, vec![], vec![]), Standard::name()),
        case("mx-servfail", nowhere(servfail, vec![], vec![]), Standard::name()),
        case("mx-records-of-nothing", nowhere(Route::Mx, vec![], vec![]), Standard::name()),
        case("aaaa-servfail", aaaa_failed.clone(), Standard::name()),
        case("aaaa-servfail-quorum-any", aaaa_failed, Standard::name().any()),
        case("mx-literal-beside-good", beside(literal()), Standard::name()),
        case("mx-literal-alone", nowhere(Route::Mx, vec![literal()], vec![]), Standard::name()),
        case(
            "mx-invalid-beside-good",
            beside(exchange(invalid, not_asked().0, not_asked().1)),
            Standard::name(),
        ),
        case("mx-cname", aliased, Standard::name()),
        case(
            "mx-without-address-beside-good",
            beside(second(Addresses::None, Addresses::None)),
            Standard::name(),
        ),
        case(
            "mx-with-empty-answers",
            beside(second(Addresses::Found(vec![]), Addresses::None)),
            Standard::name(),
        ),
        case("session-missing", session_missing, Standard::name()),
        case("addresses-left-out", addresses_left_out, Standard::name()),
        case(
            "hosts-left-out",
            change(evidence(vec![good()]), |evidence| evidence.resolution.left_out = 4),
            Standard::name(),
        ),
    ]
}

fn families() -> Vec<Case> {
    let v6 = "2600:db8::1";
    let not_here = evidence(vec![good(), unroutable(MX, v6)]);
    let beside_another = evidence(vec![good(), unroutable("mx2.example.test", v6)]);
    // Somebody's IPv6 was reached, so this host has a route: the other one is unreachable.
    let mx2 = "mx2.example.test";
    let routed = evidence(vec![
        good(),
        unroutable(MX, v6),
        session(mx2, "192.0.1.2", "wildcard"),
        session(mx2, "2600:db8::2", "wildcard"),
    ]);
    let both_down = evidence(vec![timed_out(MX, "192.0.1.1"), unroutable(MX, v6)]);
    let only_v4_asked = change(evidence(vec![good()]), |evidence| {
        evidence.resolution.exchanges[0].v6 = Addresses::NotAsked;
    });
    let private = ended(MX, "10.0.0.1", Ending::NotTried(NotTried::PrivateAddress));
    vec![
        case("ipv6-not-routable", not_here, Standard::name()),
        case("ipv6-only-not-routable", evidence(vec![unroutable(MX, v6)]), Standard::name()),
        case("ipv6-only-host-beside-good", beside_another, Standard::name()),
        case("ipv6-routable-but-one-host", routed, Standard::name()),
        case("ipv6-not-routable-ipv4-down", both_down, Standard::name()),
        case("ipv4-only-asked", only_v4_asked, Standard::name()),
        case("private-address", evidence(vec![private.clone()]), Standard::name()),
        case("private-address-beside-good", evidence(vec![good(), private]), Standard::name()),
    ]
}

fn sessions() -> Vec<Case> {
    let four = |fourth: Session| {
        evidence(vec![
            good(),
            session(MX, "192.0.1.2", "good"),
            session("mx2.example.test", "192.0.1.3", "wildcard"),
            fourth,
        ])
    };
    let one_of_two = evidence(vec![good(), timed_out("mx2.example.test", "192.0.1.2")]);
    let blocked = change(evidence(vec![timed_out(MX, "192.0.1.1")]), |evidence| {
        evidence.vantage = Vantage { port25_tried: 3, port25_timed_out: 3 };
    });
    let mut no_starttls = good();
    no_starttls.starttls = StartTls::NotOffered;
    no_starttls.ehlo = no_starttls.ehlo_tls.clone();
    (no_starttls.tls, no_starttls.ehlo_tls) = (None, None);
    let broken =
        |ending: Ending| evidence(vec![Session { ending, tls: None, ehlo_tls: None, ..good() }]);
    let handshake = |failure| broken(Ending::Handshake(failure));
    let mut early = good();
    early.started_at = "2026-01-31T11:00:00Z".parse().unwrap();
    let refused = |code| {
        let reply = reply(code, "not now");
        let mut session = good();
        session.starttls = StartTls::Refused(reply.clone());
        (session.tls, session.ehlo_tls) = (None, None);
        session.ending = Ending::Refused(Phase::Starttls, reply);
        evidence(vec![session])
    };
    let mut injected = good();
    injected.injected = Some("250 hi\\r\\n".to_owned());
    let injected_lost = Session {
        ending: Ending::Handshake(HandshakeFailure::Lost(Lost::Eof)),
        tls: None,
        ehlo_tls: None,
        ..injected.clone()
    };
    let mut client = good();
    client.tls.as_mut().unwrap().client_certificate_requested = true;
    client.ending = Ending::Lost(Phase::EhloTls, Lost::Reset);
    vec![
        case(
            "one-of-four-expired",
            four(session("mx2.example.test", "192.0.1.4", "expired")),
            Standard::of(Level::Ca),
        ),
        case("one-of-two-unreachable", one_of_two.clone(), Standard::name()),
        case("one-of-two-unreachable-quorum-any", one_of_two, Standard::name().any()),
        case("port25-blocked", blocked, Standard::name()),
        case("starttls-not-offered", evidence(vec![no_starttls]), Standard::name()),
        case("starttls-454", refused(454), Standard::name()),
        case("starttls-502", refused(502), Standard::name()),
        case("handshake-timed-out", handshake(HandshakeFailure::TimedOut), Standard::name()),
        case(
            "handshake-not-tls",
            handshake(HandshakeFailure::NotTls("500 what".into())),
            Standard::name(),
        ),
        case("injected", evidence(vec![injected]), Standard::name()),
        case("injected-then-lost", evidence(vec![injected_lost]), Standard::name()),
        case("client-certificate-wanted", evidence(vec![client]), Standard::name()),
        case("shared-endpoint-seen-earlier", evidence(vec![early]), Standard::name()),
        case(
            "violated-at-route-and-endpoint",
            change(four(session("mx2.example.test", "192.0.1.4", "good")), |evidence| {
                let host = ExchangeHost::Name("mx9.example.test".parse().unwrap());
                evidence.resolution.exchanges.push(exchange(
                    host,
                    Addresses::None,
                    Addresses::None,
                ));
            }),
            Standard::name(),
        ),
    ]
}

fn certificates() -> Vec<Case> {
    let mx2 = "mx2.example.test";
    let with = |certificate| evidence(vec![session(MX, "192.0.1.1", certificate)]);
    let one_host = evidence(vec![good(), session(MX, "192.0.1.2", "wildcard")]);
    let two_hosts = evidence(vec![good(), session(mx2, "192.0.1.2", "wildcard")]);
    let soon = change(evidence(vec![good()]), |evidence| {
        evidence.finished_at = "2119-12-15T00:00:00Z".parse().unwrap();
    });
    let mut by_sni = session(MX, "192.0.1.1", "expired");
    by_sni.without_sni = Some(WithoutSni::Chain(fixture("good")));
    let mut cases = vec![
        case("two-certificates-at-one-host", one_host, Standard::name()),
        case("two-certificates-at-two-hosts", two_hosts, Standard::name()),
        case("certificate-depends-on-sni", evidence(vec![by_sni]), Standard::name()),
        case("expires-soon", soon.clone(), Standard::name()),
        case("expires-soon-pinned", soon, Standard::of(Level::Pinned).pin(&pin())),
    ];
    let names = ["expired", "self-signed", "sha1", "rsa1024", "client-auth", "no-san", "v1"];
    for name in names {
        cases.push(case(name, with(name), Standard::name()));
    }
    cases
}

fn pin() -> String {
    Certificate::parse(&fixture("good")[0].0).unwrap().spki_sha256
}

fn levels() -> Vec<Case> {
    let other_host = || evidence(vec![session("mx9.other.test", "192.0.1.1", "sha1")]);
    let not_proved = || tls(|tls| tls.key_proved = false);
    let tls12 = || tls(|tls| tls.version = Some(TlsVersion::Tls12));
    let address = || {
        change(evidence(vec![session("", "192.0.1.1", "good")]), |evidence| {
            evidence.target = "[192.0.1.1]:25".parse().unwrap();
            evidence.resolution.route = Route::Explicit;
            evidence.resolution.exchanges[0].preference = None;
        })
    };
    let host = change(evidence(vec![good()]), |evidence| {
        evidence.target = "host:mx.example.test".parse().unwrap();
        evidence.resolution.route = Route::Explicit;
        evidence.resolution.exchanges[0].preference = None;
    });
    let pinned = || Standard::of(Level::Pinned);
    let trailing = || tls(|tls| tls.chain[0].0.push(0));
    vec![
        case("encrypt-takes-any-certificate", other_host(), Standard::of(Level::Encrypt)),
        case("same-at-name", other_host(), Standard::name()),
        case("required-names", evidence(vec![good()]), Standard::name().names(&["*.example.test"])),
        case("required-names-not-met", evidence(vec![good()]), Standard::name().names(&["a.test"])),
        case("pin-matches", evidence(vec![session(MX, "192.0.1.1", "good")]), pinned().pin(&pin())),
        case("pin-mismatch", evidence(vec![good()]), pinned().pin(&"00".repeat(32))),
        case("pin-of-an-unreadable-certificate", trailing(), pinned().pin(&pin())),
        case("key-not-proved-ca", not_proved(), Standard::of(Level::Ca)),
        case("key-not-proved-name", not_proved(), Standard::name()),
        case("key-not-proved-pinned", not_proved(), pinned().pin(&pin())),
        case("key-not-proved-encrypt", not_proved(), Standard::of(Level::Encrypt)),
        case("tls12-where-13-is-required", tls12(), Standard::name().tls13()),
        case("tls12", tls12(), Standard::name()),
        case("version-not-known", tls(|tls| tls.version = None), Standard::of(Level::Encrypt)),
        case("address-with-name", address(), Standard::name().names(&[MX])),
        case("address-without-name", address(), Standard::name()),
        case("host-target", host, Standard::name()),
        case("level-dane", evidence(vec![good()]), Standard::of(Level::Dane)),
        case("nobody-talked-to", evidence(vec![untried(MX, "192.0.1.1")]), Standard::name()),
    ]
}
