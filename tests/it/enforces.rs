//! The experiment of `receiver-enforces` at receivers that refuse some mail and not other: what is seen, and
//! what is never done to them.

mod certificates;
mod depth;
mod places;

use crate::world::{EHLO, PATIENT, World};
use mxwarden::{
    judge::{
        receiver::{self, Rules, Tenant},
        replies::ReplyTable,
    },
    lab::{
        ca::{LeafSpec, LeafUsage},
        smtp::{Heard, Script},
    },
    model::{
        connector::{CertificateFiles, Floor, KeyedOn, ProbeEnvelope, Until},
        enforcement::{Attempt, Demand, EnforcesEvidence, Experiment, Place},
        finding::{FindingId, Severity},
        judgement::Quorum,
        requirement::{MinVersion, TlsVersion},
        session::{ConnectFailure, Ending},
        state::State,
    },
    observe::{enforces::EnforcesPlan, identity::ClientIdentity, letter::Letterhead},
    wire::text,
};
use std::sync::Arc;

/// A flight of a real server.
macro_rules! flight {
    ($name:literal) => {{
        let lines = include_str!(concat!("../data/flights/", $name, ".hex"));
        text::from_hex(&lines.split_whitespace().collect::<String>()).unwrap()
    }};
}

/// As the partner at our own MX `NAME.test`, up to RCPT, nothing else configured.
fn plan(name: &str) -> EnforcesPlan {
    EnforcesPlan {
        demand: Demand {
            place: Place::Ours,
            envelope: ProbeEnvelope {
                mail_from: "tls-probe@fabrikam.test".parse().unwrap(),
                rcpt_to: "tls-probe@contoso.test".parse().unwrap(),
                control_mail_from: None,
                keyed_on: KeyedOn::Sender,
                until: Until::Rcpt,
                decides: Until::Rcpt,
            },
            floor: Floor { min_version: MinVersion::Tls12, client_names: Vec::new() },
            has_client_certificate: false,
            networks: Vec::new(),
        },
        targets: vec![format!("{name}.test").parse().unwrap()],
        client: None,
        other_client: None,
        sources: Vec::new(),
        letterhead: Letterhead {
            organisation: "Contoso".to_owned(),
            from: "postmaster@contoso.test".parse().unwrap(),
            contact: "security@contoso.test".to_owned(),
        },
    }
}

/// One attempt in a line: what, how far, how it ended.
fn told(attempt: &Attempt) -> String {
    let session = &attempt.session;
    let ending = match &session.ending {
        Ending::Connect(ConnectFailure::Refused(_)) => "nobody listens".to_owned(),
        Ending::Handshake(failure) => failure.to_string(),
        Ending::Lost(phase, how) => format!("{how} at {phase}"),
        Ending::Quit => "quit".to_owned(),
        Ending::Refused(phase, reply) => format!("refused at {phase}: {reply}"),
        other => format!("{other:?}"),
    };
    let hellos =
        session.hellos.iter().map(|tried| format!(", {}: {}", tried.offered, tried.outcome));
    let hellos: String = hellos.collect();
    format!("{} {}, {ending}{hellos}", attempt.kind, session.reached)
}

fn lines(experiment: &Experiment) -> Vec<String> {
    experiment.attempts.iter().map(told).collect()
}

/// The one experiment at the one endpoint.
fn only(evidence: &EnforcesEvidence) -> &Experiment {
    assert_eq!((evidence.endpoints.len(), evidence.endpoints[0].experiments.len()), (1, 1));
    &evidence.endpoints[0].experiments[0]
}

async fn enforces(world: &World, plan: &EnforcesPlan) -> EnforcesEvidence {
    world.observer(PATIENT).enforces(plan).await
}

/// What goes for every session, whatever the receiver does with it.
fn is_polite(heard: &Heard) {
    let mut said = heard.in_clear.iter().chain(&heard.in_tls);
    let greeting = format!("EHLO {EHLO}");
    assert!(said.clone().filter(|line| line.starts_with("EHLO")).all(|line| *line == greeting));
    assert!(!said.any(|line| line.starts_with("HELO")), "{heard:?}");
    for in_one in [&heard.in_clear, &heard.in_tls] {
        let envelopes = in_one.iter().filter(|line| line.starts_with("MAIL")).count();
        assert!(envelopes <= 1, "{heard:?}");
    }
}

fn said<'a>(heard: &'a Heard, verb: &str) -> Vec<&'a String> {
    let all = heard.in_clear.iter().chain(&heard.in_tls);
    all.filter(|line| line.split([' ', ':']).next() == Some(verb)).collect()
}

const REFUSED_HELLOS: &str = "legacy-tls handshake, quit, TLSv1.1 at most: refused with the alert \
                              handshake_failure, TLSv1.0 at most: refused with the alert handshake_failure";

/// What is seen where everything but this is taken, both controls included.
fn all_taken_but(plaintext: &str, null_sender: &str) -> Vec<String> {
    let control = "control rcpt, quit";
    let lines = [control, plaintext, REFUSED_HELLOS, null_sender, control];
    lines.map(str::to_owned).to_vec()
}

/// Up to RCPT, with the defaults: each receiver, what is seen of it, and in how many sessions.
#[tokio::test]
async fn each_receiver_is_seen_as_it_is() {
    let mut world = World::new().await;
    let good = || world.good();
    let (taken, null_taken) = ("plaintext rcpt, quit", "null-sender rcpt, quit");
    let encryption = "450 4.7.1 Session encryption is required";
    let starttls = "530 5.7.0 Must issue a STARTTLS command first";
    let region =
        "[CH3PEPF00000016.namprd21.prod.outlook.com 2025-01-29T19:07:30.476Z 08DD3FA5DBC8F401]";
    let at_mail = format!("mail, refused at mail: {starttls}");
    let at_rcpt = format!("rcpt, refused at rcpt: {encryption}");
    let cases: Vec<(&str, Script, Vec<String>)> = vec![
        ("takes-all", Script::healthy(good()), all_taken_but(taken, null_taken)),
        (
            "at-mail",
            Script::requires_tls_at(good(), "MAIL", starttls),
            all_taken_but(&format!("plaintext {at_mail}"), &format!("null-sender {at_mail}")),
        ),
        (
            "at-rcpt",
            Script::requires_tls_at(good(), "RCPT", encryption),
            all_taken_but(&format!("plaintext {at_rcpt}"), &format!("null-sender {at_rcpt}")),
        ),
        // RCPT is as far as this goes, so that this one seems to take it.
        (
            "at-dot",
            Script::requires_tls_at(good(), ".", "550 5.7.1 Encryption required"),
            all_taken_but(taken, null_taken),
        ),
        (
            "for-us",
            Script::requires_tls_from(good(), "fabrikam.test", "RCPT", encryption),
            all_taken_but(&format!("plaintext {at_rcpt}"), null_taken),
        ),
        (
            "for-another",
            Script::requires_tls_from(good(), "elsewhere.test", "RCPT", encryption),
            all_taken_but(taken, null_taken),
        ),
        (
            "exchange",
            Script::exchange_requires_tls(good(), "fabrikam.test"),
            all_taken_but(
                &format!("plaintext mail, refused at mail: 451 5.7.3 STARTTLS is required to send mail {region}"),
                null_taken,
            ),
        ),
        (
            "closes",
            Script::closes_in_clear(good()),
            all_taken_but(
                "plaintext mail, closed by the peer at mail",
                "null-sender mail, closed by the peer at mail",
            ),
        ),
        (
            "legacy",
            Script::takes_legacy(
                good(),
                vec![(TlsVersion::Tls11, flight!("tls11")), (TlsVersion::Tls10, flight!("tls10"))],
            ),
            vec![
                "control rcpt, quit".to_owned(),
                taken.to_owned(),
                "legacy-tls handshake, quit, TLSv1.1 at most: accepted: TLSv1.1 \
                 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA x25519, TLSv1.0 at most: accepted: TLSv1.0 \
                 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA x25519"
                    .to_owned(),
                null_taken.to_owned(),
                "control rcpt, quit".to_owned(),
            ],
        ),
        // Nothing can be proved of those that refuse the control: one session, and they are left alone.
        (
            "greylists",
            Script::greylists_new(good()),
            vec!["control rcpt, refused at rcpt: 450 4.2.0 <tls-probe@contoso.test>: Recipient address rejected: Greylisted".to_owned()],
        ),
        (
            "nobody",
            Script::knows_nobody(good()),
            vec!["control rcpt, refused at rcpt: 550 5.1.1 <tls-probe@contoso.test>: Recipient address rejected: User unknown".to_owned()],
        ),
        ("no-tls", Script::no_starttls(), vec!["control ehlo, quit".to_owned()]),
        (
            "busy",
            Script::busy(),
            vec!["control connect, refused at connect: 421 4.7.0 Too many connections, try again later".to_owned()],
        ),
        (
            "broken",
            Script::closes_at_hello(),
            vec!["control handshake, connection closed by the peer in the TLS handshake".to_owned()],
        ),
        // Two sessions, and then it has enough of us: so has it of the second control.
        (
            "limits",
            Script::rate_limits(good(), 2),
            [
                "control rcpt, quit",
                taken,
                "legacy-tls connect, refused at connect: 421 4.7.0 Too many connections, try again later, \
                 TLSv1.1 at most: not sent: at connect: 421 4.7.0 Too many connections, try again later",
                "null-sender connect, refused at connect: 421 4.7.0 Too many connections, try again later",
                "control connect, refused at connect: 421 4.7.0 Too many connections, try again later",
            ]
            .map(str::to_owned)
            .to_vec(),
        ),
    ];
    check(&mut world, cases).await;
}

/// All of them side by side.
async fn check(world: &mut World, cases: Vec<(&str, Script, Vec<String>)>) {
    let mut asked = Vec::new();
    for (name, script, expect) in cases {
        asked.push((name, expect, world.domain(name, script).await));
    }
    let mut plan = plan("none");
    plan.targets = asked.iter().map(|(name, ..)| format!("{name}.test").parse().unwrap()).collect();
    let evidence = enforces(world, &plan).await;
    assert_eq!(evidence.demand, plan.demand);
    assert_eq!((evidence.routes.len(), evidence.endpoints.len()), (asked.len(), asked.len()));
    let mut wrong = Vec::new();
    for ((name, expect, peer), seen) in asked.iter().zip(&evidence.endpoints) {
        let experiment = &seen.experiments[0];
        if lines(experiment) != *expect {
            wrong.push(format!("{name}: said {:#?}, want {expect:#?}", lines(experiment)));
        }
        let heard = world.peer(*peer).heard();
        let hellos = experiment.attempts.iter().map(|attempt| attempt.session.hellos.len().max(1));
        assert_eq!(heard.len(), hellos.sum::<usize>(), "{name}");
        heard.iter().for_each(is_polite);
        for (attempt, session) in experiment.attempts.iter().zip(&heard) {
            assert_eq!(attempt.session.local_address, Some(session.from.ip()), "{name}");
            assert_eq!(attempt.source, None, "{name}");
        }
        assert!(heard.iter().all(|session| said(session, "DATA").is_empty()), "{name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// RSET and QUIT behind every envelope, whether it was taken or not; nothing behind a 421.
#[tokio::test]
async fn leave_is_taken() {
    let mut world = World::new().await;
    let starttls = "530 5.7.0 Must issue a STARTTLS command first";
    let polite =
        world.domain("polite", Script::requires_tls_at(world.good(), "MAIL", starttls)).await;
    let gone = Script::requires_tls_at(world.good(), "RCPT", "421 4.7.0 Not in clear");
    let gone = world.domain("gone", gone).await;
    let evidence = enforces(&world, &plan("polite")).await;
    assert_eq!(lines(only(&evidence)).len(), 5);
    let heard = world.peer(polite).heard();
    let mail = "MAIL FROM:<tls-probe@fabrikam.test>";
    let rcpt = "RCPT TO:<tls-probe@contoso.test>";
    let ehlo = format!("EHLO {EHLO}");
    let control = [ehlo.as_str(), mail, rcpt, "RSET", "QUIT"];
    assert_eq!(heard[0].in_tls, control);
    assert_eq!(heard[1].in_clear, [ehlo.as_str(), mail, "RSET", "QUIT"]);
    assert_eq!(heard[4].in_clear, [ehlo.as_str(), "MAIL FROM:<>", "RSET", "QUIT"]);
    assert_eq!(heard[5].in_tls, control);
    // What was said is in the evidence.
    let first = &only(&evidence).attempts[0];
    let spoken = |line: &str| first.session.transcript.contains(&line.to_owned());
    assert!(spoken(&format!("C: {rcpt}")) && spoken("S: 250 2.1.5 Ok") && spoken("C: QUIT"));
    assert_eq!(first.envelope.rcpt.as_ref().unwrap().to_string(), "250 2.1.5 Ok");
    assert!(first.session.has_completed_tls());

    enforces(&world, &plan("gone")).await;
    let heard = world.peer(gone).heard();
    assert_eq!(heard[1].in_clear, [ehlo.as_str(), mail, rcpt]);
}

/// A grey-lister is seen twice: the first control is refused, the whole second experiment taken.
#[tokio::test]
async fn a_second_experiment_is_added() {
    let mut world = World::new().await;
    world.domain("grey", Script::greylists_new(world.good())).await;
    world.domain("exempts", Script::greylists_in_clear(world.good())).await;
    let mut both = plan("grey");
    both.targets.push("exempts.test".parse().unwrap());
    let observer = world.observer(PATIENT);
    let mut evidence = observer.enforces(&both).await;
    let before = evidence.clone();
    let endpoints: Vec<_> = evidence.endpoints.iter().map(|seen| seen.endpoint.clone()).collect();
    observer.enforces_again(&both, &mut evidence, &endpoints).await;
    assert_eq!(evidence.started_at, before.started_at);
    assert!(evidence.finished_at >= before.finished_at);
    let reply = "450 4.2.0 <tls-probe@contoso.test>: Recipient address rejected: Greylisted";
    let grey: Vec<_> = evidence.endpoints[0].experiments.iter().map(lines).collect();
    assert_eq!(grey[0], [format!("control rcpt, refused at rcpt: {reply}")]);
    // `<>` is a triplet of its own.
    let null = format!("null-sender rcpt, refused at rcpt: {reply}");
    assert_eq!(grey[1], all_taken_but("plaintext rcpt, quit", &null));
    // The one that spares TLS looks like a refusal of mail in clear, until it is asked again.
    let exempts: Vec<_> = evidence.endpoints[1].experiments.iter().map(lines).collect();
    let plaintext = format!("plaintext rcpt, refused at rcpt: {reply}");
    assert_eq!(exempts[0], all_taken_but(&plaintext, &null));
    assert_eq!(exempts[1], all_taken_but("plaintext rcpt, quit", "null-sender rcpt, quit"));

    // Only where it is asked for, and nowhere else.
    let mut again = before.clone();
    observer.enforces_again(&both, &mut again, &endpoints[1..]).await;
    let made: Vec<_> = again.endpoints.iter().map(|seen| seen.experiments.len()).collect();
    assert_eq!(made, [1, 2]);
    let mut elsewhere = endpoints[0].clone();
    elsewhere.port = 1;
    let mut untouched = before.clone();
    observer.enforces_again(&both, &mut untouched, &[elsewhere]).await;
    assert_eq!(untouched.endpoints, before.endpoints);
}

/// Evidence is a value that can be kept.
#[tokio::test]
async fn evidence_is_read_back() {
    let mut world = World::new().await;
    world.domain("kept", Script::closes_in_clear(world.good())).await;
    let evidence = enforces(&world, &plan("kept")).await;
    let json = serde_json::to_string(&evidence).unwrap();
    assert_eq!(serde_json::from_str::<EnforcesEvidence>(&json).unwrap(), evidence);
}

/// A shared plan with another demand.
fn with(name: &str, change: impl FnOnce(&mut EnforcesPlan)) -> EnforcesPlan {
    let mut plan = plan(name);
    change(&mut plan);
    plan
}

/// A client certificate by the lab's CA for this name, by way of files.
fn identity(world: &World, name: &str) -> Arc<ClientIdentity> {
    let made = world.issue(&LeafSpec::host(name).usage(LeafUsage::Client));
    let folder = tempfile::tempdir().unwrap();
    let files = CertificateFiles {
        chain_file: folder.path().join("chain.pem"),
        key_file: folder.path().join("key.pem"),
    };
    let chain: String = made.chain.iter().map(|der| pem("CERTIFICATE", der)).collect();
    std::fs::write(&files.chain_file, chain).unwrap();
    std::fs::write(&files.key_file, pem("PRIVATE KEY", made.key.secret_der())).unwrap();
    Arc::new(ClientIdentity::read(&files).unwrap())
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", text::base64(der))
}

/// Exchange Online's strings at the phases at which it says them, and what they prove.
#[tokio::test]
async fn what_exchange_online_says_is_judged() {
    let mut world = World::new().await;
    let cases = [
        ("exo-tls", Script::exchange_requires_tls(world.good(), "fabrikam.test"), State::Compliant),
        // For another partner's domain it refuses nothing of ours.
        (
            "exo-other",
            Script::exchange_requires_tls(world.good(), "elsewhere.test"),
            State::Violated,
        ),
    ];
    for (name, script, expect) in cases {
        world.domain(name, script).await;
        let evidence = enforces(&world, &plan(name)).await;
        let replies = ReplyTable::built_in();
        let now = evidence.finished_at;
        let rules = Rules { replies: &replies, now, quorum: Quorum::All };
        let judgement = receiver::judge(&evidence, &rules);
        assert_eq!(judgement.state(), expect, "{name}: {}", judgement.summary());
        // Our MX is no host of the tenant: told where the tenant is Exchange Online, and nowhere else.
        let told = receiver::tenant_not_probed(&evidence, Tenant::ExchangeOnline).unwrap();
        assert_eq!((told.id, told.severity), (FindingId::TenantNotProbed, Severity::Warning));
        assert_eq!(receiver::tenant_not_probed(&evidence, Tenant::Unknown), None);
        let mut at_tenant = evidence.clone();
        let host = "contoso-test.mail.protection.outlook.com".parse().unwrap();
        at_tenant.endpoints[0].endpoint.host = Some(host);
        assert_eq!(receiver::tenant_not_probed(&at_tenant, Tenant::ExchangeOnline), None);
    }
}
