//! Endpoints as hand-made hellos have seen them, in states and findings.

use crate::judge::offers::{Rules, endpoint};
use crate::model::{
    deep::{Deep, DhSeen, HelloOffer, HelloOutcome, HelloTried, Piggyback},
    judgement::Quorum,
    requirement::{Level, MinVersion, Requirement, TlsVersion},
    roots::Roots,
    session::{Ending, HandshakeFailure, SeenBy, Session, StartTls, Tls},
    state::State,
};

fn alert(name: &str) -> HandshakeFailure {
    HandshakeFailure::Alert(name.to_owned())
}

fn refused(offered: HelloOffer) -> HelloTried {
    HelloTried { offered, outcome: HelloOutcome::Refused("handshake_failure".to_owned()) }
}

fn accepted(offered: HelloOffer) -> HelloTried {
    HelloTried { offered, outcome: HelloOutcome::Accepted(String::new()) }
}

fn unclear(offered: HelloOffer) -> HelloTried {
    HelloTried { offered, outcome: HelloOutcome::Unclear("closed".to_owned()) }
}

const OTHER: HelloOffer = HelloOffer::OtherSuites;
const TLS11: HelloOffer = HelloOffer::Legacy(TlsVersion::Tls11);
const TLS10: HelloOffer = HelloOffer::Legacy(TlsVersion::Tls10);
const SSL3: HelloOffer = HelloOffer::Legacy(TlsVersion::Ssl3);
const ALL: [HelloOffer; 6] =
    [OTHER, TLS11, TLS10, SSL3, HelloOffer::Everything, HelloOffer::Anonymous];

fn by_hello(version: TlsVersion, suite: &str) -> Option<Tls> {
    let suite = Some(suite.to_owned());
    Some(Tls {
        seen_by: SeenBy::Hello,
        version: Some(version),
        cipher_suite: suite,
        ..Tls::default()
    })
}

fn session(failure: HandshakeFailure, hellos: Vec<HelloTried>, tls: Option<Tls>) -> Session {
    let endpoint = crate::model::session::Endpoint {
        host: "mx.lab.test".parse().ok(),
        address: [127, 0, 0, 1].into(),
        port: 25,
    };
    let mut session = Session::new(endpoint, "2026-01-01T00:00:00Z".parse().unwrap());
    session.starttls = StartTls::Implicit;
    session.ending = Ending::Handshake(failure);
    session.hellos = hellos;
    session.tls = tls;
    session
}

/// State, findings and obstacles in one line; certificates apart, as at level encrypt they break nothing.
#[track_caller]
fn check(session: &Session, level: Level, expect: &str) {
    let requirement =
        Requirement { level, names: vec![], pins: vec![], min_version: MinVersion::Tls12 };
    let roots = Roots { source: "none".to_owned(), anchors: vec![] };
    let rules = Rules {
        requirement: &requirement,
        roots: &roots,
        now: session.started_at,
        quorum: Quorum::All,
        warn_days: 30,
    };
    let look = endpoint::judge(session, None, &rules);
    let mut words = vec![look.report.state.as_str().to_owned()];
    let told = look
        .findings
        .iter()
        .filter(|f| level != Level::Encrypt || !f.id.as_str().starts_with("cert-"));
    words.extend(told.map(|f| format!("{}:{}", f.id, f.severity.as_str())));
    words.extend(look.obstacles.iter().map(|o| o.id.to_string()));
    assert_eq!(words.join(" "), expect);
    assert_ne!(look.report.state, State::Compliant);
}

#[test]
fn half_a_handshake_is_never_compliant() {
    let cbc = by_hello(TlsVersion::Tls12, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA");
    let seen = session(alert("handshake_failure"), vec![accepted(OTHER)], cbc);
    check(&seen, Level::Encrypt, "unknown not-testable");
    let rsa = by_hello(TlsVersion::Tls12, "TLS_RSA_WITH_AES_256_CBC_SHA");
    let seen = session(alert("handshake_failure"), vec![accepted(OTHER)], rsa);
    check(&seen, Level::Encrypt, "unknown tls-weak-cipher:warning not-testable");
    // No certificate, at a level that asks for one.
    let anonymous = by_hello(TlsVersion::Tls12, "TLS_DH_anon_WITH_AES_128_CBC_SHA")
        .map(|tls| Tls { dh_bits: Some(1024), ..tls });
    let hellos: Vec<HelloTried> = ALL[..5].iter().copied().map(refused).collect();
    let seen = session(alert("handshake_failure"), hellos, anonymous);
    let weak = "tls-weak-cipher:warning tls-weak-dh:warning not-testable";
    check(&seen, Level::Encrypt, &format!("unknown {weak}"));
    check(&seen, Level::Ca, &format!("violated cert-invalid:violation {weak}"));
    // TLS 1.3 hides the certificate: nothing can be said against it.
    let hidden = by_hello(TlsVersion::Tls13, "TLS_AES_128_GCM_SHA256");
    let seen = session(alert("handshake_failure"), vec![], hidden);
    check(&seen, Level::Name, "unknown not-testable");
}

#[test]
fn too_old_is_said_of_the_newest_alone() {
    let old = || by_hello(TlsVersion::Tls10, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA");
    let downgraded = || {
        vec![
            HelloTried { offered: OTHER, outcome: HelloOutcome::Older(TlsVersion::Tls10) },
            accepted(TLS10),
        ]
    };
    let violated = "violated tls-version-too-old:violation";
    check(&session(alert("protocol_version"), downgraded(), old()), Level::Encrypt, violated);
    check(&session(alert("handshake_failure"), downgraded(), old()), Level::Encrypt, violated);
    let turned_down = vec![refused(OTHER), refused(TLS11), accepted(TLS10)];
    check(&session(alert("handshake_failure"), turned_down, old()), Level::Encrypt, violated);
    // Whether TLS 1.2 is spoken is not clear.
    let closed = vec![unclear(OTHER), refused(TLS11), accepted(TLS10)];
    check(
        &session(alert("handshake_failure"), closed, old()),
        Level::Encrypt,
        "unknown not-testable",
    );
    // The library's hello was not understood: others may get TLS 1.2.
    check(
        &session(alert("decode_error"), downgraded(), old()),
        Level::Encrypt,
        "unknown not-testable",
    );
}

#[test]
fn nothing_in_common_needs_every_refusal() {
    let all = || ALL.into_iter().map(refused).collect::<Vec<HelloTried>>();
    let nothing = "violated tls-no-common-cipher:violation";
    for name in ["handshake_failure", "insufficient_security", "protocol_version"] {
        check(&session(alert(name), all(), None), Level::Encrypt, nothing);
    }
    // Not asked at all: as before there were hellos.
    let broken = "violated starttls-broken:violation";
    check(&session(alert("handshake_failure"), vec![], None), Level::Encrypt, broken);
    check(&session(alert("internal_error"), all(), None), Level::Encrypt, broken);
    // An old version that was not refused in words changes nothing for what is required.
    let mut old = all();
    old[3] = unclear(SSL3);
    check(&session(alert("handshake_failure"), old, None), Level::Encrypt, broken);
    // Any of the others may have been what the server wants.
    for at in [0, 4, 5] {
        let mut hellos = all();
        hellos[at] = unclear(ALL[at]);
        let seen = session(alert("handshake_failure"), hellos, None);
        check(&seen, Level::Encrypt, "unknown not-testable");
    }
    let seen = session(alert("protocol_version"), vec![unclear(OTHER)], None);
    check(&seen, Level::Encrypt, "violated tls-version-too-old:violation");
}

#[test]
fn weak_offers_beside_good_ones_are_warnings() {
    let tls = Tls {
        version: Some(TlsVersion::Tls12),
        completed: true,
        key_proved: true,
        ..Tls::default()
    };
    let mut seen = session(alert("unknown_ca"), vec![], Some(tls));
    seen.ending = Ending::Deadline(crate::model::session::Phase::EhloTls);
    let findings = "tls-legacy-accepted:warning tls-weak-cipher:warning tls-weak-dh:warning \
                    starttls-injection:warning";
    let deep = Deep {
        legacy_versions: vec![TlsVersion::Tls10],
        weak_suites: vec!["TLS_RSA_WITH_RC4_128_SHA".to_owned()],
        dh: Some(DhSeen {
            cipher_suite: "TLS_DHE_RSA_WITH_AES_128_CBC_SHA".to_owned(),
            bits: 1024,
        }),
        piggyback: Some(Piggyback::Answered("250 Ok".to_owned())),
        ..Deep::default()
    };
    seen.deep = Some(deep);
    let requirement = Requirement {
        level: Level::Encrypt,
        names: vec![],
        pins: vec![],
        min_version: MinVersion::Tls12,
    };
    let roots = Roots { source: "none".to_owned(), anchors: vec![] };
    let rules = Rules {
        requirement: &requirement,
        roots: &roots,
        now: seen.started_at,
        quorum: Quorum::All,
        warn_days: 30,
    };
    let look = endpoint::judge(&seen, None, &rules);
    let tls = look.findings.iter().filter(|f| !f.id.as_str().starts_with("cert-"));
    let told: Vec<String> = tls.map(|f| format!("{}:{}", f.id, f.severity.as_str())).collect();
    assert_eq!(told.join(" "), findings);
    assert_eq!(look.report.state, State::Compliant);
    assert_eq!(look.report.tls.unwrap().legacy_versions, [TlsVersion::Tls10]);
}
