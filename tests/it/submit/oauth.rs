//! Tokens: how they are asked for, kept and asked for anew, how XOAUTH2 is said, and that no token and no secret is
//! in anything that is kept.

use super::{Seen, ehlo, offers, probe, up_to_tls};
use crate::world::{PATIENT, World};
use mxwarden::{
    lab::{
        ca::{Identity, LeafSpec},
        smtp::{Say, Script, When},
    },
    model::{
        connector::{Credentials, OAuth2Client, Submit, SubmitHost, SubmitSecurity},
        delivery::Submission,
        requirement::Level,
    },
    observe::{
        clock::Clock,
        oauth::TokenSource,
        submit::{Login, ProbeWords, Submitter},
    },
    wire::text,
};
use rustls::{ServerConfig, crypto::aws_lc_rs};
use secrecy::{ExposeSecret, SecretString};
use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::Semaphore,
};
use tokio_rustls::TlsAcceptor;

const MAILBOX: &str = "tls-probe@contoso.test";
const SECRET: &str = "client-secret-with+signs&more~than-enough-of-them";

/// As long as a real one, and different each time.
fn token(number: usize) -> String {
    format!("eyJ0eXAiOiJKV1Qi.{}.signature-of-token-{number}", "QmFzZTY0dXJs".repeat(120))
}

/// What a token endpoint answers with.
#[derive(Clone)]
enum Answer {
    /// The next token, good for so many seconds.
    Token(u64),
    /// This status and body; `{body}` stands for what was asked.
    Other(u16, String),
}

/// A token endpoint at `login.lab.test`.
struct Endpoint {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Endpoint {
    async fn start(world: &mut World, identity: Identity, answer: Answer) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(identity.chain, identity.key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        world.write(|zone| zone.a("login.lab.test", std::net::Ipv4Addr::LOCALHOST));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let Ok(mut tls) = acceptor.accept(tcp).await else { continue };
                let mut request = Vec::new();
                let body = loop {
                    let mut piece = [0; 4096];
                    let Ok(read @ 1..) = tls.read(&mut piece).await else { break None };
                    request.extend_from_slice(&piece[..read]);
                    let text = String::from_utf8(request.clone()).unwrap();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let length = head.lines().find_map(|l| {
                        l.to_lowercase().strip_prefix("content-length: ").map(str::to_owned)
                    });
                    if body.len() >= length.unwrap().parse().unwrap() {
                        break Some(body.to_owned());
                    }
                };
                let Some(body) = body else { continue };
                heard.lock().unwrap().push(body.clone());
                let number = heard.lock().unwrap().len();
                let (status, body) = match &answer {
                    Answer::Token(seconds) => (
                        200,
                        format!(
                            r#"{{"token_type":"Bearer","expires_in":{seconds},"access_token":"{}"}}"#,
                            token(number)
                        ),
                    ),
                    Answer::Other(status, with) => (*status, with.replace("{body}", &body)),
                };
                let answer = format!(
                    "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nLocation: https://login.lab.test:{}/x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    address.port(),
                    body.len()
                );
                let _ = tls.write_all(answer.as_bytes()).await;
                let _ = tls.shutdown().await;
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn client(endpoint: &Endpoint) -> OAuth2Client {
    OAuth2Client {
        token_url: format!(
            "https://login.lab.test:{}/tenant/oauth2/v2.0/token",
            endpoint.address.port()
        ),
        client_id: "11111111-2222".to_owned(),
        client_secret_file: PathBuf::new(),
        scope: "https://outlook.lab.test/.default".to_owned(),
    }
}

fn source(world: &World, endpoint: &Endpoint, clock: Clock) -> TokenSource {
    let roots = world.standard(Level::Name).roots;
    TokenSource::new(client(endpoint), SecretString::from(SECRET), &roots, world.resolver(), clock)
        .unwrap()
}

/// Submits a probe to a mail system that has this script, as often as asked.
async fn submit(
    world: &mut World,
    name: &str,
    script: Script,
    tokens: Arc<TokenSource>,
    times: usize,
) -> Vec<Seen> {
    let at = world.host(name, script).await;
    let submit = Submit {
        security: SubmitSecurity::Required,
        host: SubmitHost::Name(format!("{name}.lab.test").parse().unwrap()),
        port: world.port(),
        from: MAILBOX.parse().unwrap(),
        credentials: Some(Credentials::OAuth2 {
            username: MAILBOX.to_owned(),
            client: OAuth2Client {
                token_url: String::new(),
                client_id: String::new(),
                client_secret_file: PathBuf::new(),
                scope: String::new(),
            },
        }),
    };
    let roots = world.standard(Level::Name).roots;
    let words = ProbeWords { organisation: "Contoso".to_owned() };
    let turns = Arc::new(Semaphore::new(1));
    let login = Some(Login::Tokens(tokens));
    let submitter = Submitter::new(
        submit,
        login,
        roots,
        world.resolver(),
        &world.prober(PATIENT),
        words,
        turns,
    );
    let mut seen = Vec::new();
    for _ in 0..times {
        let submission = submitter.submit(&probe(world)).await;
        seen.push(Seen { submission, heard: world.peer(at).heard() });
    }
    seen
}

fn response(number: usize) -> String {
    text::base64(format!("user={MAILBOX}\x01auth=Bearer {}\x01\x01", token(number)).as_bytes())
}

/// No token and no secret is anywhere in it, in no form and in no piece worth anything, in capitals or not.
#[track_caller]
fn has_no_secret(kept: &str) {
    let kept = kept.to_ascii_lowercase();
    let mut secrets = vec![SECRET.to_owned(), text::base64(SECRET.as_bytes())];
    for number in 1..6 {
        secrets.extend([token(number), response(number), text::base64(token(number).as_bytes())]);
    }
    for secret in secrets {
        let secret = secret.to_ascii_lowercase();
        for at in [0, secret.len() / 3, secret.len() - 24] {
            assert!(!kept.contains(&secret[at..at + 24]), "{kept}");
        }
    }
}

#[track_caller]
fn check_kept(submission: &Submission) {
    has_no_secret(&format!("{} {submission:?}", serde_json::to_string(submission).unwrap()));
}

fn welcomes(identity: Identity) -> Script {
    offers(identity, "PLAIN XOAUTH2")
        .in_tls("AUTH", Say::line("235 2.7.0 Authentication successful"))
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_said_as_xoauth2() {
    let mut world = World::new().await;
    let good = world.good();
    let endpoint = Endpoint::start(&mut world, good.clone(), Answer::Token(3600)).await;
    let tokens = Arc::new(source(&world, &endpoint, world.clock.clone()));
    let seen = submit(&mut world, "mail", welcomes(good), Arc::clone(&tokens), 2).await;
    for one in &seen {
        assert_eq!(one.told(), "accepted without an id");
        check_kept(&one.submission);
    }
    let heard = &seen[1].heard;
    assert_eq!(heard.len(), 2);
    for session in heard {
        assert_eq!(session.in_clear, up_to_tls());
        assert_eq!(session.in_tls[..2], [ehlo(), format!("AUTH XOAUTH2 {}", response(1))]);
    }
    let [asked] = endpoint.asked().try_into().unwrap();
    let mut pairs: Vec<&str> = asked.split('&').collect();
    pairs.sort_unstable();
    assert_eq!(
        pairs,
        [
            "client_id=11111111-2222",
            "client_secret=client-secret-with%2Bsigns%26more%7Ethan-enough-of-them",
            "grant_type=client_credentials",
            "scope=https%3A%2F%2Foutlook.lab.test%2F.default",
        ]
    );
    has_no_secret(&format!("{tokens:?}"));
}

#[tokio::test]
async fn a_token_is_asked_for_anew_before_it_ends() {
    let mut world = World::new().await;
    let good = world.good();
    let endpoint = Endpoint::start(&mut world, good, Answer::Token(3600)).await;
    // A clock that stands where the test puts it would need another: two sources at two times share none.
    tokio::time::pause();
    let clock = Clock::starting_at(world.clock.now());
    tokio::time::resume();
    let tokens = source(&world, &endpoint, clock);
    let said = async |expect: usize| {
        assert_eq!(tokens.token().await.unwrap().expose_secret(), token(expect))
    };
    said(1).await;
    said(1).await;
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(3600 - 121)).await;
    tokio::time::resume();
    said(1).await;
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(2)).await;
    tokio::time::resume();
    said(2).await;
    // Forgetting one that is not kept any more changes nothing.
    tokens.forget(&SecretString::from(token(1))).await;
    said(2).await;
    tokens.forget(&SecretString::from(token(2))).await;
    said(3).await;
}

#[tokio::test]
async fn after_a_refusal_one_new_token_is_asked_for_and_no_more() {
    let mut world = World::new().await;
    let good = world.good();
    let endpoint = Endpoint::start(&mut world, good.clone(), Answer::Token(3600)).await;
    let tokens = Arc::new(source(&world, &endpoint, world.clock.clone()));
    let challenge = "334 eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIn0=";
    let echo = format!(
        "535 5.7.3 Authentication unsuccessful AUTH XOAUTH2 {} {}",
        &response(1)[..900],
        &token(2)[..600]
    );
    let refuses = offers(good.clone(), "XOAUTH2")
        .in_tls("AUTH", Say::line(challenge))
        .in_tls("", Say::line(&echo));
    let [seen] = submit(&mut world, "refuses", refuses, Arc::clone(&tokens), 1)
        .await
        .try_into()
        .ok()
        .unwrap();
    let told = seen.told();
    assert!(told.starts_with("failed: authentication refused: 535 5.7.3 Authentication unsuccessful AUTH XOAUTH2 [secret]"), "{told}");
    check_kept(&seen.submission);
    assert_eq!(endpoint.asked().len(), 2, "one more, and that is that");
    for (session, number) in seen.heard.iter().zip(1..) {
        assert_eq!(
            session.in_tls[1..3],
            [format!("AUTH XOAUTH2 {}", response(number)), String::new()]
        );
        assert!(!session.in_tls.iter().any(|line| line.starts_with("MAIL")));
    }
    // The second one is taken.
    let withdrawn = welcomes(good).rule(
        "AUTH",
        vec![When::New],
        Say::line("535 5.7.3 Authentication unsuccessful"),
    );
    let [seen] =
        submit(&mut world, "withdrawn", withdrawn, tokens, 1).await.try_into().ok().unwrap();
    assert_eq!(seen.told(), "accepted without an id");
    assert_eq!(seen.heard.len(), 2);
    check_kept(&seen.submission);
}

#[tokio::test]
async fn what_the_endpoint_does_wrong_is_told_without_what_it_echoes() {
    let mut world = World::new().await;
    let good = world.good();
    let other = |status, body: &str| Answer::Other(status, body.to_owned());
    let cases = [
        (
            other(401, r#"{"error":"invalid_client","error_description":"AADSTS7000215 {body}"}"#),
            "the token endpoint refuses: invalid_client",
        ),
        (other(400, r#"{"error":"{body}"}"#), "the token endpoint refuses: with an unknown error"),
        (other(200, "<html>{body}</html>"), "what the token endpoint answers is no token"),
        (other(302, "{body}"), "what the token endpoint answers is no token"),
        (
            other(200, r#"{"token_type":"Bearer","access_token":"a b"}"#),
            "what the endpoint gave is no bearer token",
        ),
        (Answer::Other(200, "x".repeat(70_000)), "its answer is larger than 65536 octets"),
    ];
    for (answer, expect) in cases {
        let endpoint = Endpoint::start(&mut world, good.clone(), answer).await;
        let tokens = Arc::new(source(&world, &endpoint, world.clock.clone()));
        let error = tokens.token().await.unwrap_err().to_string();
        assert_eq!(error, format!("no token: {expect}"));
        has_no_secret(&error);
        assert_eq!(endpoint.asked().len(), 1, "not followed and not tried again");
    }
    // A certificate that will not do: the secret is not said.
    let stranger = world.issue(&LeafSpec::host("elsewhere.test"));
    let endpoint = Endpoint::start(&mut world, stranger, Answer::Token(3600)).await;
    let tokens = source(&world, &endpoint, world.clock.clone());
    let error = tokens.token().await.unwrap_err().to_string();
    assert!(error.starts_with("no token: the token endpoint cannot be reached"), "{error}");
    assert!(error.contains("certificate"), "{error}");
    assert!(endpoint.asked().is_empty());
    // And the probe says so, before anything is sent.
    let [seen] = submit(&mut world, "idle", welcomes(good), Arc::new(tokens), 1)
        .await
        .try_into()
        .ok()
        .unwrap();
    let Submission::Failed { detail, .. } = &seen.submission else { panic!() };
    assert!(detail.contains("authentication not tried: no token"), "{detail}");
    assert!(seen.heard.is_empty());
}

#[tokio::test]
async fn a_mail_system_without_xoauth2_hears_no_token() {
    let mut world = World::new().await;
    let good = world.good();
    let endpoint = Endpoint::start(&mut world, good.clone(), Answer::Token(3600)).await;
    let tokens = Arc::new(source(&world, &endpoint, world.clock.clone()));
    let [seen] = submit(&mut world, "plain", offers(good, "PLAIN LOGIN"), tokens, 1)
        .await
        .try_into()
        .ok()
        .unwrap();
    assert_eq!(seen.told(), "failed: it does not offer AUTH XOAUTH2");
    let (in_clear, in_tls) = seen.said();
    assert!(!in_clear.iter().chain(&in_tls).any(|line| line.starts_with("AUTH")));
}
