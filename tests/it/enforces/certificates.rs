//! Receivers that want a client certificate: what each kind of it is met with, and where that shows.

use super::{enforces, identity, lines, only, with};
use crate::world::World;
use mxwarden::{
    lab::smtp::Script,
    model::{
        enforcement::{AttemptKind, EnforcesEvidence},
        requirement::TlsVersion,
        session::{Ending, HandshakeFailure, Lost, Phase},
    },
    observe::enforces::EnforcesPlan,
};

const NAME: &str = "mail.fabrikam.test";

/// A certificate is wanted; ours is for the right name, the other one for another.
fn certified(world: &World, domain: &str) -> EnforcesPlan {
    with(domain, |plan| {
        plan.demand.floor.client_names = vec![NAME.parse().unwrap()];
        plan.client = Some(identity(world, NAME));
        plan.other_client = Some(identity(world, "mail.elsewhere.test"));
    })
}

/// Kinds and endings, without the hellos and `<>`.
fn decisive(evidence: &EnforcesEvidence) -> Vec<String> {
    let all = lines(only(evidence)).into_iter();
    all.filter(|line| !line.starts_with("legacy-tls") && !line.starts_with("null-sender")).collect()
}

#[tokio::test]
async fn postfix_turns_away_at_ehlo() {
    let mut world = World::new().await;
    let script = Script::requires_certificate(world.good(), NAME);
    let peer = world.domain("postfix", script).await;
    let evidence = enforces(&world, &certified(&world, "postfix")).await;
    let away = "ehlo-tls, refused at ehlo-tls: 421 4.7.1 mx.lab.test Error: Client certificate not trusted";
    let expect = [
        "control rcpt, quit".to_owned(),
        "plaintext mail, refused at mail: 530 5.7.0 Must issue a STARTTLS command first".to_owned(),
        format!("no-client-cert {away}"),
        format!("self-made-client-cert {away}"),
        format!("other-client-cert {away}"),
        "control rcpt, quit".to_owned(),
    ];
    assert_eq!(decisive(&evidence), expect);
    assert!(evidence.demand.has_client_certificate);
    // The server's words came through TLS, so that it was finished; after a 421 nothing is said.
    let turned_away = &only(&evidence).attempts[3];
    assert_eq!(turned_away.kind, AttemptKind::NoClientCert);
    assert!(turned_away.session.has_completed_tls());
    let heard = world.peer(peer).heard();
    let presented: Vec<_> = heard.iter().map(|session| session.client_certificates).collect();
    // Control, in clear, two hellos, none, self-made, other with its intermediate, `<>`, control.
    assert_eq!(presented, [2, 0, 0, 0, 0, 1, 2, 0, 2]);
    assert_eq!(heard[4].in_tls.len(), 1);
    let noted = "-- our client certificate was presented".to_owned();
    assert!(only(&evidence).attempts[0].session.transcript.contains(&noted));
}

/// TLS 1.3 refuses when the client believes it done, TLS 1.2 within the handshake; both show it.
#[tokio::test]
async fn alerts_are_seen_in_either_version() {
    let mut world = World::new().await;
    for (domain, version, phase, alert) in [
        ("new", TlsVersion::Tls13, Phase::EhloTls, "certificate_required"),
        // What rustls sends; OpenSSL and GnuTLS say handshake_failure or certificate_required.
        ("old", TlsVersion::Tls12, Phase::Handshake, "certificate_required"),
    ] {
        let script = Script::requires_any_certificate(world.good(), vec![version]);
        world.domain(domain, script).await;
        let evidence = enforces(&world, &certified(&world, domain)).await;
        let attempts = &only(&evidence).attempts;
        let none = attempts.iter().find(|made| made.kind == AttemptKind::NoClientCert).unwrap();
        assert_eq!(none.session.reached, phase, "{domain}");
        let expect = Ending::Handshake(HandshakeFailure::Alert(alert.to_owned()));
        assert_eq!(none.session.ending, expect, "{domain}");
        let tls = none.session.tls.as_ref().unwrap();
        assert_eq!((tls.version, tls.completed), (Some(version), false), "{domain}");
        assert!(tls.client_certificate_requested, "{domain}");
        assert_eq!(none.envelope, Default::default());
        // It takes everything in clear, and any certificate.
        let rest: Vec<_> = decisive(&evidence);
        assert_eq!(rest[1], "plaintext rcpt, quit", "{domain}");
        assert_eq!(
            rest[3..].join(", "),
            "self-made-client-cert rcpt, quit, other-client-cert rcpt, quit, control rcpt, quit"
        );
    }
}

/// A close behind the handshake is told as such, and nobody says that the server had finished.
#[tokio::test]
async fn a_close_behind_the_handshake_is_a_loss() {
    let mut world = World::new().await;
    world.domain("drops", Script::drops_after_handshake(world.good())).await;
    let evidence = enforces(&world, &certified(&world, "drops")).await;
    let attempts = &only(&evidence).attempts;
    assert_eq!(attempts.len(), 1);
    let session = &attempts[0].session;
    assert_eq!(session.ending, Ending::Lost(Phase::EhloTls, Lost::Eof));
    assert!(!session.has_completed_tls());
    assert!(session.tls.as_ref().unwrap().key_proved);
}

/// The words of Exchange Online say neither certificate nor address: only what differs tells.
#[tokio::test]
async fn exchange_refuses_at_rcpt() {
    let mut world = World::new().await;
    let script = Script::exchange_requires_certificate(world.good(), "fabrikam.test", NAME);
    world.domain("exchange", script).await;
    let evidence = enforces(&world, &certified(&world, "exchange")).await;
    let decisive = decisive(&evidence);
    assert_eq!(decisive[0], "control rcpt, quit");
    assert_eq!(decisive[5], "control rcpt, quit");
    for (at, kind) in ["plaintext", "no-client-cert", "self-made-client-cert", "other-client-cert"]
        .iter()
        .enumerate()
    {
        let line = &decisive[at + 1];
        let start = format!("{kind} rcpt, refused at rcpt: 550 5.7.51 TenantInboundAttribution; ");
        assert!(line.starts_with(&start) && line.ends_with("08DD3FA5DBC8F401]"), "{line}");
    }
    let reply = only(&evidence).attempts[1].envelope.rcpt.as_ref().unwrap();
    assert_eq!(reply.enhanced().unwrap().to_string(), "5.7.51");
}

/// Without the certificate the control goes as somebody else; every negative still as the partner.
#[tokio::test]
async fn another_sender_stands_in_for_the_certificate() {
    let mut world = World::new().await;
    let script = Script::exchange_requires_certificate(world.good(), "fabrikam.test", NAME);
    let peer = world.domain("exchange", script).await;
    let plan = with("exchange", |plan| {
        plan.demand.floor.client_names = vec!["*.fabrikam.test".parse().unwrap()];
        plan.demand.envelope.control_mail_from = Some("probe@elsewhere.test".parse().unwrap());
        plan.demand.has_client_certificate = true; // and the plan holds none
    });
    let evidence = enforces(&world, &plan).await;
    assert!(!evidence.demand.has_client_certificate);
    let senders: Vec<String> = only(&evidence)
        .attempts
        .iter()
        .map(|made| {
            format!(
                "{} {}",
                made.kind,
                made.mail_from.as_ref().map_or_else(|| "<>".to_owned(), ToString::to_string)
            )
        })
        .collect();
    let expect = [
        "control probe@elsewhere.test",
        "plaintext tls-probe@fabrikam.test",
        "legacy-tls tls-probe@fabrikam.test",
        "no-client-cert tls-probe@fabrikam.test",
        "self-made-client-cert tls-probe@fabrikam.test",
        "null-sender <>",
        "control probe@elsewhere.test",
    ];
    assert_eq!(senders, expect);
    assert_eq!(world.peer(peer).heard()[0].in_tls[1], "MAIL FROM:<probe@elsewhere.test>");
    // Where no certificate is wanted, there is nothing to stand in for, and none is shown.
    let peer = world.domain("plain", Script::healthy(world.good())).await;
    let plan = with("plain", |plan| {
        plan.demand.envelope.control_mail_from = Some("probe@elsewhere.test".parse().unwrap());
        plan.client = Some(identity(&world, NAME));
    });
    enforces(&world, &plan).await;
    let heard = world.peer(peer).heard();
    assert_eq!(heard[0].in_tls[1], "MAIL FROM:<tls-probe@fabrikam.test>");
    assert!(heard.iter().all(|session| session.client_certificates == 0));
}
