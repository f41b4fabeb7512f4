//! What each channel makes of a message that strangers have written into, and of a server that answers in its way.

mod schema;

use super::*;
use crate::model::{
    alert::{ClearHttp, HttpTarget, MailTarget, UrlSource},
    claim::Claim,
    connector::{SubmitHost, SubmitSecurity},
    finding::Severity,
    state::State,
    told::{Reason, Topic},
};
use crate::tell::message::{Line, Part, ThreadStays, sample};
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

const EVIL: &str = "*b* _i_ <!channel> <http://evil.test|ok> [x](http://evil.test) \"q\" & {{ 7*7 }} </td><script>";

fn now() -> Timestamp {
    "2026-03-02T00:00:00Z".parse().unwrap()
}

fn part(partner: &str, thread: &str, before: Option<State>) -> Part {
    Part {
        topic: Topic::Claim { partner: partner.to_owned(), claim: Claim::OUTBOUND_RECEIVER_OFFERS },
        thread: thread.to_owned(),
        thread_stays: ThreadStays::Closed,
        before,
        partner: Some(partner.to_owned()),
        claim: Some(Claim::OUTBOUND_RECEIVER_OFFERS),
        state: Some(State::Violated),
        severity: Severity::Violation,
        since: now(),
        id: Some("cert-expired"),
        title: format!("{partner}: outbound/receiver-offers is violated: {EVIL}"),
        lines: vec![
            Line { label: "Seen", text: EVIL.to_owned() },
            Line { label: "Expected", text: "in date".to_owned() },
        ],
        link: Some(format!("https://mxwarden.contoso.test/partner/{partner}")),
    }
}

fn message(reason: Reason, parts: Vec<Part>) -> Message {
    Message {
        id: "0123456789abcdef".to_owned(),
        at: now(),
        organisation: "Contoso".to_owned(),
        reason,
        severity: Severity::Violation,
        headline: format!("Fabrikam is violated: {EVIL}"),
        parts,
        link: Some("https://mxwarden.contoso.test/".to_owned()),
    }
}

fn one(reason: Reason, before: Option<State>) -> Message {
    message(reason, vec![part("Fabrikam", "t1", before)])
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

/// One message of every reason, about one partner and about many.
#[test]
fn every_body_fits_its_schema() {
    let reasons = [
        (Reason::CannotTell, None),
        (Reason::Changed, None),
        (Reason::ExpiresSoon, None),
        (Reason::FirstSeen, None),
        (Reason::KnownAgain, Some(State::Unknown)),
        (Reason::NoLongerClaimed, Some(State::Violated)),
        (Reason::Recovered, Some(State::Violated)),
        (Reason::Regressed, None),
        (Reason::StillBroken, Some(State::Violated)),
        (Reason::Worse, Some(State::Unknown)),
    ];
    let mut messages = vec![sample("Contoso", "ops", now())];
    for (reason, before) in reasons {
        messages.push(one(reason, before));
        let parts = (0..120).map(|n| part(&format!("Partner {n}"), &format!("t{n}"), before));
        messages.push(message(reason, parts.collect()));
    }
    for message in &messages {
        let webhook = serde_json::from_slice(&webhook::json(message).unwrap()).unwrap();
        schema::fits(&webhook, "mxwarden-alert-1.json");
        schema::fits(&slack::body(message), "slack-message.json");
        schema::fits(&teams::body(message), "teams-workflow.json");
        schema::fits(&Value::from(alertmanager::alerts(message)), "alertmanager-v2.json");
        let events = pagerduty::events(message, "key");
        assert!(!events.is_empty());
        for event in events {
            schema::fits(&event, "pagerduty-v2.json");
            assert_eq!(event["event_action"] == "trigger", event.get("payload").is_some());
        }
    }
}

#[test]
fn slack_shows_strangers_words_as_they_are() {
    let body = slack::body(&one(Reason::FirstSeen, None));
    insta::assert_snapshot!(pretty(&body));
    let escaped = slack::escaped(EVIL);
    assert!(!escaped.contains(['<', '>']), "{escaped}");
}

#[test]
fn teams_shows_strangers_words_as_they_are() {
    insta::assert_snapshot!(pretty(&teams::body(&one(Reason::FirstSeen, None))));
    assert_eq!(teams::escaped("[x](y) *b* <i>"), "\\[x\\]\\(y\\) \\*b\\* \\<i\\>");
}

#[test]
fn a_card_is_not_larger_than_teams_takes() {
    let mut parts = Vec::new();
    for n in 0..500 {
        let mut part = part(&format!("Partner {n}"), "t", None);
        part.lines = (0..20).map(|_| Line { label: "Seen", text: "ü".repeat(600) }).collect();
        parts.push(part);
    }
    let message = message(Reason::FirstSeen, parts);
    let size = teams::body(&message).to_string().len();
    assert!(size < 28 << 10, "{size} octets");
    let slack = slack::body(&message);
    assert!(slack["blocks"].as_array().unwrap().len() <= 50);
}

#[test]
fn pagerduty_triggers_and_resolves_what_belongs_together() {
    let trigger = pagerduty::events(&one(Reason::FirstSeen, None), "key");
    insta::assert_snapshot!(pretty(&trigger[0]));
    let mut parts = vec![
        part("A", "t1", Some(State::Violated)),
        part("B", "t1", Some(State::Violated)),
        part("C", "t2", Some(State::Violated)),
    ];
    parts[2].thread_stays = ThreadStays::Open;
    let events = pagerduty::events(&message(Reason::Recovered, parts), "key");
    let told: Vec<_> =
        events.iter().map(|event| (&event["event_action"], &event["dedup_key"])).collect();
    assert_eq!(told, [(&Value::from("resolve"), &Value::from("t1"))]);
}

#[test]
fn alertmanager_begins_and_ends_the_same_alert() {
    let first = alertmanager::alerts(&one(Reason::FirstSeen, None));
    insta::assert_snapshot!(pretty(&Value::from(first.clone())));
    let ended = alertmanager::alerts(&one(Reason::Recovered, Some(State::Violated)));
    assert_eq!(first[0]["labels"], ended[0]["labels"]);
    assert_eq!(ended[0]["endsAt"], "2026-03-02T00:00:00Z");
    // Worse than unknown: the one ends, the other begins.
    let worse = alertmanager::alerts(&one(Reason::Worse, Some(State::Unknown)));
    let unknown = alertmanager::alerts(&one(Reason::CannotTell, None));
    assert_eq!(worse.len(), 2);
    assert_eq!(worse[0]["labels"], unknown[0]["labels"]);
    assert_eq!(worse[0]["endsAt"], "2026-03-02T00:00:00Z");
    assert_eq!(worse[1]["labels"], first[0]["labels"]);
    let known = alertmanager::alerts(&one(Reason::KnownAgain, Some(State::Unknown)));
    assert_eq!(known[0]["labels"], unknown[0]["labels"]);
}

#[test]
fn a_webhook_gets_json() {
    let body = webhook::json(&one(Reason::FirstSeen, None)).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    insta::assert_snapshot!(pretty(&body));
}

#[test]
fn a_template_makes_json_whatever_strangers_write() {
    let template =
        r#"{"text": {{ headline }}, "n": {{ parts|length }}, "who": {{ parts[0].partner }}}"#;
    let body = webhook::filled(template, &one(Reason::FirstSeen, None)).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["text"], format!("Fabrikam is violated: {EVIL}"));
    assert_eq!((&body["n"], &body["who"]), (&Value::from(1), &Value::from("Fabrikam")));
    #[track_caller]
    fn check(template: &str, expect: &str) {
        let error =
            webhook::filled(template, &one(Reason::FirstSeen, None)).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
        assert!(!error.contains("evil"), "{error}");
    }
    check("{{ nothing.here }}", "undefined value in line 1");
    check("{% if %}", "syntax error in line 1");
    check("no json", "it makes no JSON");
}

/// RFC 4231 §4.3.
#[test]
fn signatures_are_those_of_the_standard() {
    assert_eq!(
        webhook::signature(b"Jefe", b"what do ya want for nothing?"),
        "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
}

fn smart_host(port: u16) -> MailTarget {
    MailTarget {
        security: SubmitSecurity::None,
        host: SubmitHost::Address("127.0.0.1".parse().unwrap()),
        port,
        from: "mxwarden@contoso.test".parse().unwrap(),
        to: vec!["postmaster@contoso.test".parse().unwrap()],
        login: None,
        ca_file: None,
    }
}

#[test]
fn mail_is_threaded_and_cannot_be_forged() {
    let mut message = one(Reason::FirstSeen, None);
    message.headline = "Fabrikam: mx\r\nBcc: evil@evil.test\r\n\r\nbody".to_owned();
    let mail = mail::Mail::new(&smart_host(25)).mail(&message).unwrap();
    let text = String::from_utf8(mail.formatted()).unwrap();
    let (headers, _) = text.split_once("\r\n\r\n").unwrap();
    assert!(!headers.lines().any(|line| line.starts_with("Bcc:")), "{headers}");
    for header in ["Message-ID: <0123456789abcdef@contoso.test>", "Auto-Submitted: auto-generated"]
    {
        assert!(headers.contains(header), "{headers}");
    }
    let thread = |message: &Message| {
        let mail = mail::Mail::new(&smart_host(25)).mail(message).unwrap();
        mail.headers().get_raw("In-Reply-To").unwrap().to_owned()
    };
    assert_eq!(
        thread(&one(Reason::FirstSeen, None)),
        thread(&one(Reason::Recovered, Some(State::Violated)))
    );
    let html = mail::html(&one(Reason::FirstSeen, None));
    assert!(!html.contains("<script>") && html.contains("&lt;script&gt;"), "{html}");
    insta::assert_snapshot!(mail::text(&one(Reason::FirstSeen, None)));
}

/// A server that answers each request with this, and what it heard.
async fn answers(answer: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut peer, _)) = listener.accept().await {
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            loop {
                let read = peer.read(&mut buffer).await.unwrap_or(0);
                request.extend_from_slice(&buffer[..read]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
                let length: usize = length.and_then(|digits| digits.parse().ok()).unwrap_or(0);
                let is_whole =
                    text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= length);
                if read == 0 || is_whole {
                    hears.lock().unwrap().push(text);
                    break;
                }
            }
            let _ = peer.write_all(answer.as_bytes()).await;
        }
    });
    (url, heard)
}

fn target(url: UrlSource) -> HttpTarget {
    HttpTarget { url, token_file: None, ca_file: None, clear: ClearHttp::Loopback }
}

fn tools() -> Tools {
    Tools { roots: Arc::default() }
}

async fn sends(target: &HttpTarget) -> Result<(), SendError> {
    let hook = webhook::Webhook::new(target, None, None, &tools()).unwrap();
    hook.send(&sample("Contoso", "ops", now())).await
}

#[tokio::test]
async fn only_success_is_taken_and_no_redirect_is_followed() {
    for (answer, expect) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok", None),
        ("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", None),
        (
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            Some("the answer was 302"),
        ),
        (
            "HTTP/1.1 500 No\r\ncontent-length: 6\r\nconnection: close\r\n\r\ngeheim",
            Some("the answer was 500"),
        ),
        ("", Some("no answer: the connection was lost")),
    ] {
        let (url, heard) = answers(answer).await;
        let outcome =
            sends(&target(UrlSource::Plain(url))).await.map_err(|error| error.to_string());
        assert_eq!(outcome.err().as_deref(), expect, "{answer}");
        assert!(!heard.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn nobody_is_spoken_to_in_clear_beyond_this_host() {
    let far =
        sends(&target(UrlSource::Plain("http://192.0.2.1/geheim".to_owned()))).await.unwrap_err();
    assert!(matches!(far, SendError::Clear), "{far}");
    assert!(!far.to_string().contains("geheim"));
    let nobody =
        sends(&target(UrlSource::Plain("http://127.0.0.1:1/geheim".to_owned()))).await.unwrap_err();
    assert_eq!(nobody.to_string(), "no answer: the connection, or its TLS, was not made");
}

#[tokio::test]
async fn secrets_come_from_files_and_sign_the_body() {
    let folder = tempfile::tempdir().unwrap();
    let (url, heard) =
        answers("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let url_file = put("url", &format!("{url}\n"));
    let (secret, token) = (put("secret", "geheim\n"), put("token", "abc\n"));
    let target = HttpTarget { token_file: Some(token), ..target(UrlSource::File(url_file)) };
    let hook = webhook::Webhook::new(&target, Some(&secret), None, &tools()).unwrap();
    hook.send(&sample("Contoso", "ops", now())).await.unwrap();
    let heard = heard.lock().unwrap().clone();
    let (headers, body) = heard[0].split_once("\r\n\r\n").unwrap();
    let signed = webhook::signature(b"geheim", body.as_bytes());
    assert!(headers.contains(&format!("x-mxwarden-signature-256: {signed}")), "{headers}");
    assert!(headers.contains("authorization: Bearer abc"), "{headers}");
    assert!(headers.contains("x-mxwarden-id: sample-"), "{headers}");
    std::fs::write(&secret, "two\nlines\n").unwrap();
    let error = hook.send(&sample("Contoso", "ops", now())).await.unwrap_err().to_string();
    assert!(error.ends_with("holds no secret in one line"), "{error}");
}

#[tokio::test]
async fn what_is_no_tls_is_not_spoken_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/geheim", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut peer, _)) = listener.accept().await {
            let _ = peer.write_all(b"no TLS").await;
        }
    });
    let error = sends(&target(UrlSource::Plain(url))).await.unwrap_err().to_string();
    assert_eq!(error, "no answer: the connection, or its TLS, was not made");
}
