//! Probe mail handed to mail systems that take it, refuse it, lose it or are not who they should be: what is told
//! of it, and what is never said to them.

mod auth;
mod oauth;

use crate::world::{EHLO, PATIENT, World};
use mxwarden::{
    lab::{
        ca::{Ca, Identity, LeafSpec},
        smtp::{Heard, Say, Script, Starts},
    },
    model::{
        canary::Personality,
        connector::{Credentials, Submit, SubmitHost, SubmitSecurity},
        delivery::{Probe, Submission},
        requirement::{Level, Requirement},
    },
    observe::submit::{self, ProbeWords, Submitter},
    wire::text,
};
use secrecy::SecretString;
use std::{path::PathBuf, sync::Arc};
use tokio::sync::Semaphore;

const USER: &str = "prober";
/// Long enough for its base64 to be cut where a line is told in part.
const PASSWORD: &str = "Correct+Horse+Battery+Staple+and+sixty+more+characters+behind+them+all";

/// One submission, and what the mail system heard of it.
struct Seen {
    submission: Submission,
    heard: Vec<Heard>,
}

impl Seen {
    /// `accepted ID`, or what it was instead, with its words behind the endpoint.
    fn told(&self) -> String {
        let words = |detail: &str| {
            let (_, words) = detail.split_once("]:").unwrap();
            words.split_once(": ").unwrap().1.to_owned()
        };
        match &self.submission {
            Submission::Accepted { queue_id, .. } => {
                format!("accepted {}", queue_id.as_deref().unwrap_or("without an id"))
            }
            Submission::Failed { detail, .. } => format!("failed: {}", words(detail)),
            Submission::Unclear { detail, .. } => format!("unclear: {}", words(detail)),
        }
    }

    /// All the mail system heard, in clear and inside TLS.
    fn said(&self) -> (Vec<String>, Vec<String>) {
        assert_eq!(self.heard.len(), 1, "once, and not again");
        (self.heard[0].in_clear.clone(), self.heard[0].in_tls.clone())
    }

    /// The password is nowhere in what is kept: in no form, in capitals or not.
    #[track_caller]
    fn has_no_secret(&self) {
        let kept = serde_json::to_string(&self.submission).unwrap();
        let kept = format!("{kept} {:?}", self.submission).to_ascii_lowercase();
        for secret in secrets() {
            let secret = secret.to_ascii_lowercase();
            assert!(!kept.contains(&secret), "{kept}");
            // Nor is a piece of it long enough to be worth anything.
            assert!(!kept.contains(&secret[..24]), "{kept}");
        }
    }
}

/// The PLAIN response, the password in base64, and the password.
fn secrets() -> [String; 3] {
    let plain = text::base64(format!("\0{USER}\0{PASSWORD}").as_bytes());
    [plain, text::base64(PASSWORD.as_bytes()), PASSWORD.to_owned()]
}

/// Whether a password is there to be said.
#[derive(Clone, Copy)]
enum Login {
    None,
    Password,
}

fn submitter(world: &World, host: &str, security: SubmitSecurity, login: Login) -> Submitter {
    let credentials = match login {
        Login::None => None,
        Login::Password => {
            let username = USER.to_owned();
            Some(Credentials::Password { username, password_file: PathBuf::new() })
        }
    };
    let submit = Submit {
        security,
        host: SubmitHost::Name(format!("{host}.lab.test").parse().unwrap()),
        port: world.port(),
        from: "tls-probe@contoso.test".parse().unwrap(),
        credentials,
    };
    let login = match login {
        Login::None => None,
        Login::Password => Some(submit::Login::Password(SecretString::from(PASSWORD))),
    };
    let roots = world.standard(Level::Name).roots;
    let words = ProbeWords { organisation: "Contoso".to_owned() };
    let turns = Arc::new(Semaphore::new(1));
    Submitter::new(submit, login, roots, world.resolver(), &world.prober(PATIENT), words, turns)
}

fn probe(world: &World) -> Probe {
    let now = world.clock.now();
    Probe {
        id: "00112233445566778899".to_owned(),
        personality: Personality::Good,
        connector: "outbound".to_owned(),
        requirement: Requirement::of(Level::Name),
        mail_from: "tls-probe@contoso.test".parse().unwrap(),
        rcpt_to: "token@good.canary.test".parse().unwrap(),
        created_at: now,
        expires_at: now,
        submission: None,
    }
}

/// One submission to a new mail system `NAME.lab.test`.
async fn submit(
    world: &mut World,
    name: &str,
    script: Script,
    security: SubmitSecurity,
    login: Login,
) -> Seen {
    let at = world.host(name, script).await;
    let submission = submitter(world, name, security, login).submit(&probe(world)).await;
    Seen { submission, heard: world.peer(at).heard() }
}

fn ehlo() -> String {
    format!("EHLO {EHLO}")
}

/// What it says until TLS begins.
fn up_to_tls() -> Vec<String> {
    vec![ehlo(), "STARTTLS".to_owned()]
}

/// As healthy, offering these words behind AUTH, inside TLS and in clear.
fn offers(identity: Identity, auth: &str) -> Script {
    let line = format!("AUTH {auth}");
    Script::healthy(identity)
        .in_clear("EHLO", Say::lines(250, ["mx.lab.test", "STARTTLS", line.as_str()]))
        .in_tls("EHLO", Say::lines(250, ["mx.lab.test", line.as_str()]))
}

/// In clear, each mail system: what it does, and what is told of it.
#[tokio::test]
async fn each_answer_is_told_as_it_was_given() {
    let mut world = World::new().await;
    let taken = |line: &str| Script::healthy(world.good()).in_clear(".", Say::line(line));
    let says =
        |verb: &str, line: &str| Script::healthy(world.good()).in_clear(verb, Say::line(line));
    let does = |verb: &str, say: Say| Script::healthy(world.good()).in_clear(verb, say);
    let cases: Vec<(&str, Script, &str)> = vec![
        ("postfix", taken("250 2.0.0 Ok: queued as 4XyZ12345"), "accepted 4XyZ12345"),
        ("terse", taken("250 2.0.0 Ok"), "accepted without an id"),
        (
            "greets-421",
            Script::healthy(world.good()).greeting(Say::last_line("421 4.3.2 Shutting down")),
            "failed: at connect: 421 4.3.2 Shutting down",
        ),
        (
            "at-mail",
            says("MAIL", "553 5.7.1 Sender address rejected: not owned"),
            "failed: at mail: 553 5.7.1 Sender address rejected: not owned",
        ),
        (
            "at-rcpt",
            does("RCPT", Say::lines(550, ["5.7.1 Relay", "access denied"])),
            "failed: at rcpt: 550 5.7.1 Relay / access denied",
        ),
        ("at-data", says("DATA", "451 4.3.0 Try later"), "failed: at data: 451 4.3.0 Try later"),
        ("no-354", says("DATA", "250 2.0.0 Ok"), "failed: at data: answered 250 2.0.0 Ok"),
        ("at-dot", says(".", "554 5.6.0 Rejected"), "failed: at data: 554 5.6.0 Rejected"),
        (
            "at-dot-421",
            does(".", Say::last_line("421 4.3.0 Disk full")),
            "failed: at data: 421 4.3.0 Disk full",
        ),
        (
            "closes-at-rcpt",
            does("RCPT", Say::Close),
            "failed: connection closed by the peer at rcpt",
        ),
        ("closes-at-dot", does(".", Say::Close), "unclear: connection closed by the peer at data"),
        ("resets-at-dot", does(".", Say::Reset), "unclear: connection reset by the peer at data"),
    ];
    for (name, script, expect) in cases {
        let seen = submit(&mut world, name, script, SubmitSecurity::None, Login::None).await;
        assert_eq!(seen.told(), expect, "{name}");
        assert!(seen.heard.iter().all(|heard| heard.in_tls.is_empty()), "{name}");
    }
}

#[tokio::test]
async fn a_message_goes_in_once_whole_and_with_leave_taken() {
    let mut world = World::new().await;
    let script = Script::healthy(world.good());
    let seen = submit(&mut world, "mail", script, SubmitSecurity::None, Login::None).await;
    let (said, _) = seen.said();
    let envelope =
        ["MAIL FROM:<tls-probe@contoso.test>", "RCPT TO:<token@good.canary.test>", "DATA"];
    assert_eq!((said[0].clone(), &said[1..4]), (ehlo(), envelope.map(str::to_owned).as_slice()));
    assert_eq!(said[said.len() - 3..], [".", "RSET", "QUIT"]);
    let message = &said[4..said.len() - 3];
    for header in [
        "From: <tls-probe@contoso.test>",
        "To: <token@good.canary.test>",
        "Message-ID: <00112233445566778899@contoso.test>",
        "Auto-Submitted: auto-generated",
        "X-Mxwarden-Probe: token",
    ] {
        assert!(message.iter().any(|line| line == header), "{header}");
    }
}

#[tokio::test]
async fn who_cannot_be_reached_took_nothing() {
    let mut world = World::new().await;
    let script = Script::healthy(world.good());
    let at = world.host("somebody", script).await;
    let std::net::IpAddr::V4(address) = world.peer(at).address().ip() else { panic!("IPv4") };
    let [a, b, c, d] = address.octets();
    world.write(|zone| zone.a("nobody.lab.test", [a, b, c, d + 1].into()));
    for (name, expect) in [
        ("nobody", "no connection: Connection refused"),
        ("nameless", "nameless.lab.test: no address is known for it"),
    ] {
        let submitter = submitter(&world, name, SubmitSecurity::None, Login::None);
        let submission = submitter.submit(&probe(&world)).await;
        let Submission::Failed { detail, .. } = &submission else { panic!("{submission:?}") };
        assert!(detail.contains(expect), "{detail}");
    }
    assert_eq!(world.peer(at).sessions(), 0);
}

/// Identities that will not do for `NAME.lab.test`, each with what is told of it.
fn bad_identities(world: &World, name: &str) -> [(Identity, &'static str); 4] {
    let host = format!("{name}.lab.test");
    let stranger = Ca::new("Other Root", world.clock.now()).unwrap();
    [
        (world.issue(&LeafSpec::host("other.lab.test")), "NotValidForName"),
        (stranger.issue(&LeafSpec::host(&host)).unwrap(), "UnknownIssuer"),
        (world.issue(&LeafSpec::host(&host).self_signed()), "UnknownIssuer"),
        (world.issue(&LeafSpec::host(&host).expired()), "Expired"),
    ]
}

#[tokio::test]
async fn required_tls_that_is_not_offered_ends_it_before_the_envelope() {
    let mut world = World::new().await;
    let refused = "454 4.7.0 TLS not available";
    for (name, script, expect) in [
        (
            "stripped",
            Script::starttls_stripped(),
            "failed: it does not offer STARTTLS, which smtp+starttls:// requires",
        ),
        (
            "refused",
            Script::starttls_refused(refused),
            "failed: at starttls: 454 4.7.0 TLS not available",
        ),
    ] {
        let security = SubmitSecurity::Required;
        let seen = submit(&mut world, name, script, security, Login::Password).await;
        assert_eq!(seen.told(), expect);
        let (in_clear, in_tls) = seen.said();
        let harmless = |line: &String| up_to_tls().contains(line) || line == "QUIT";
        assert!(in_clear.iter().all(harmless) && in_tls.is_empty(), "{in_clear:?}");
    }
}

#[tokio::test]
async fn a_certificate_that_will_not_do_ends_it_before_any_secret() {
    let mut world = World::new().await;
    for security in [SubmitSecurity::Required, SubmitSecurity::Implicit] {
        for at in 0..4 {
            let name = format!("{security:?}-{at}").to_ascii_lowercase();
            let (identity, why) = bad_identities(&world, &name)[at].clone();
            let mut script = offers(identity, "PLAIN LOGIN");
            let mut before = up_to_tls();
            if security == SubmitSecurity::Implicit {
                script.starts = Starts::InTls;
                before.clear();
            }
            let seen = submit(&mut world, &name, script, security, Login::Password).await;
            let told = seen.told();
            assert!(told.starts_with("failed: its certificate will not do: "), "{told}");
            assert!(told.contains(why), "{told}");
            assert_eq!(seen.said(), (before, vec![ehlo()]), "{name}");
        }
    }
}

#[tokio::test]
async fn a_good_certificate_lets_mail_in() {
    let mut world = World::new().await;
    for (name, security, script) in [
        ("required", SubmitSecurity::Required, Script::healthy(world.good())),
        ("implicit", SubmitSecurity::Implicit, Script::implicit_tls(world.good())),
    ] {
        let script = script.in_tls(".", Say::line("250 OK id=1rAbCd-000123-4E"));
        let seen = submit(&mut world, name, script, security, Login::None).await;
        assert_eq!(seen.told(), "accepted 1rAbCd-000123-4E");
        let (in_clear, in_tls) = seen.said();
        assert!(!in_clear.iter().any(|line| line.starts_with("MAIL")), "{in_clear:?}");
        assert!(in_tls.iter().any(|line| line.starts_with("MAIL")), "{in_tls:?}");
        assert_eq!(seen.heard[0].sni.as_deref(), Some(format!("{name}.lab.test").as_str()));
    }
}

/// `smtp://` is as sound as it says: TLS where it is offered, whoever is there.
#[tokio::test]
async fn opportunistic_tls_takes_any_certificate_and_no_tls() {
    let mut world = World::new().await;
    for at in 0..4 {
        let name = format!("bad-{at}");
        let script = Script::healthy(bad_identities(&world, &name)[at].0.clone());
        let security = SubmitSecurity::Opportunistic;
        let seen = submit(&mut world, &name, script, security, Login::None).await;
        assert_eq!(seen.told(), "accepted without an id", "{name}");
        let (in_clear, in_tls) = seen.said();
        assert_eq!(in_clear, up_to_tls());
        assert!(in_tls.iter().any(|line| line.starts_with("MAIL")), "{in_tls:?}");
    }
    let security = SubmitSecurity::Opportunistic;
    let script = Script::starttls_stripped();
    let seen = submit(&mut world, "stripped", script, security, Login::None).await;
    assert_eq!(seen.told(), "accepted without an id");
}
