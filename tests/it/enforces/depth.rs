//! How far an attempt goes, and at whose receiver.

use super::{enforces, lines, only, said, told, with};
use crate::world::{EHLO, World};
use mxwarden::{
    lab::smtp::{Say, Script},
    model::{
        connector::Until,
        enforcement::{AttemptKind, Place},
        requirement::{MinVersion, TlsVersion},
    },
};

#[tokio::test]
async fn a_receiver_that_decides_behind_the_message_is_seen_to() {
    let mut world = World::new().await;
    let script = Script::requires_tls_at(world.good(), ".", "550 5.7.1 Encryption required");
    let peer = world.domain("dot", script).await;
    let script =
        Script::requires_tls_at(world.good(), "DATA", "450 4.7.1 Session encryption is required");
    world.domain("data", script).await;
    for (domain, refusal) in [
        ("dot", "plaintext data, refused at data: 550 5.7.1 Encryption required"),
        ("data", "plaintext data, refused at data: 450 4.7.1 Session encryption is required"),
    ] {
        let plan = with(domain, |plan| plan.demand.envelope.until = Until::Data);
        let evidence = enforces(&world, &plan).await;
        let lines = lines(only(&evidence));
        assert_eq!([&lines[0], &lines[4]], ["control accepted, quit"; 2], "{domain}");
        assert_eq!(lines[1], refusal);
        // `<>` is for information; it stops at RCPT.
        assert_eq!(lines[3], "null-sender rcpt, quit");
        let envelope = &only(&evidence).attempts[1].envelope;
        assert_eq!(envelope.message.is_some(), domain == "dot");
        let data = envelope.data.as_ref().unwrap();
        assert_eq!(data.code == 354, domain == "dot");
        let accepted = only(&evidence).attempts[0].envelope.message.as_ref().unwrap();
        assert_eq!(accepted.to_string(), "250 2.0.0 Ok: taken");
    }
    let heard = world.peer(peer).heard();
    let control = &heard[0].in_tls;
    assert_eq!(control[0], format!("EHLO {EHLO}"));
    let of = |start: &str| control.iter().find_map(|line| line.strip_prefix(start)).unwrap();
    assert_eq!(of("From: "), "<postmaster@contoso.test>");
    assert_eq!(of("To: "), "<tls-probe@contoso.test>");
    assert_eq!(of("Subject: "), "mxwarden probe: please ignore");
    assert_eq!(of("Auto-Submitted: "), "auto-generated");
    assert_eq!(of("X-Mxwarden-Probe: "), "control");
    let token = of("X-Mxwarden-Token: ");
    assert_eq!(of("Message-ID: "), format!("<{token}@contoso.test>"));
    assert_eq!(control[control.len() - 3..], [".", "RSET", "QUIT"]);
    // Each message has a token of its own, and the transcript tells it.
    let tokens: std::collections::HashSet<_> =
        heard.iter().flat_map(|session| said(session, "X-Mxwarden-Token")).collect();
    assert_eq!(tokens.len(), 3);
    let body = "Questions about it are answered by security@contoso.test.".to_owned();
    assert!(control.contains(&body));
}

/// A control that RCPT takes and the dot does not is no control.
#[tokio::test]
async fn a_control_must_be_taken_to_the_end() {
    let mut world = World::new().await;
    let full = Script::healthy(world.good()).in_tls(".", Say::line("452 4.3.1 No room"));
    let peer = world.domain("full", full).await;
    let plan = with("full", |plan| plan.demand.envelope.until = Until::Data);
    let evidence = enforces(&world, &plan).await;
    assert_eq!(lines(only(&evidence)), ["control data, refused at data: 452 4.3.1 No room"]);
    assert_eq!(world.peer(peer).sessions(), 1);
}

/// At a partner's MX: never DATA, whatever the plan says, and at most six sessions.
#[tokio::test]
async fn partners_are_spared() {
    let mut world = World::new().await;
    let mut kinds = Vec::new();
    for (domain, min_version) in [("old", MinVersion::Tls12), ("new", MinVersion::Tls13)] {
        let peer = world.domain(domain, Script::healthy(world.good())).await;
        let plan = with(domain, |plan| {
            plan.demand.place = Place::Partners;
            plan.demand.envelope.until = Until::Data;
            plan.demand.envelope.decides = Until::Data;
            plan.demand.floor.min_version = min_version;
        });
        let evidence = enforces(&world, &plan).await;
        let heard = world.peer(peer).heard();
        assert_eq!(heard.len(), 6, "{domain}");
        assert!(heard.iter().all(|session| said(session, "DATA").is_empty()), "{domain}");
        let recipients = heard.iter().flat_map(|session| said(session, "RCPT"));
        assert!(recipients.clone().count() > 0);
        assert!({ recipients }.all(|line| line == "RCPT TO:<tls-probe@contoso.test>"));
        let attempts = only(&evidence).attempts.iter();
        kinds.push(attempts.map(|made| made.kind.as_str()).collect::<Vec<_>>());
    }
    assert_eq!(kinds[0], ["control", "plaintext", "legacy-tls", "null-sender", "control"]);
    assert_eq!(kinds[1], ["control", "plaintext", "legacy-tls", "legacy-tls", "control"]);
}

/// Where TLS 1.3 is the lowest version, TLS 1.2 is carried to RCPT: only that can show acceptance.
#[tokio::test]
async fn tls_12_is_tried_where_13_is_wanted() {
    let mut world = World::new().await;
    world.domain("both", Script::healthy(world.good())).await;
    world.domain("new", Script::tls13_only(world.good())).await;
    for (domain, expect) in [
        ("both", "legacy-tls rcpt, quit"),
        ("new", "legacy-tls handshake, the server sent the TLS alert protocol_version"),
    ] {
        let plan = with(domain, |plan| plan.demand.floor.min_version = MinVersion::Tls13);
        let evidence = enforces(&world, &plan).await;
        let legacy: Vec<_> = only(&evidence)
            .attempts
            .iter()
            .filter(|made| made.kind == AttemptKind::LegacyTls)
            .collect();
        let [hellos, handshake] = legacy.as_slice() else { panic!("{legacy:?}") };
        assert_eq!(hellos.session.hellos.len(), 2);
        assert_eq!(hellos.envelope, Default::default());
        assert_eq!(told(handshake), expect);
        if domain == "both" {
            let tls = handshake.session.tls.as_ref().unwrap();
            assert_eq!((tls.version, tls.completed), (Some(TlsVersion::Tls12), true));
        }
        let controls =
            only(&evidence).attempts.iter().filter(|made| made.kind == AttemptKind::Control);
        for control in controls {
            assert_eq!(control.session.tls.as_ref().unwrap().version, Some(TlsVersion::Tls13));
        }
    }
}
