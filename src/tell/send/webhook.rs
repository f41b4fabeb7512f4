//! JSON to whoever asks for it, signed: `mxwarden-alert/1`, or what the operator's template makes of it.
//!
//! The header `X-Mxwarden-Signature-256` is `sha256=` and the HMAC-SHA256 of the body under the secret, in lower-case
//! hexadecimal. `X-Mxwarden-Id` is the id of the message, the same at every try.

use super::{
    Channel, SendError, Sending, Tools,
    http::{Http, file, secret},
};
use crate::model::{alert::HttpTarget, state::State};
use crate::tell::message::{Message, Part, ThreadStays};
use crate::wire::text::{hex, printable_within};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use std::path::PathBuf;

#[derive(Debug)]
pub(super) struct Webhook {
    http: Http,
    secret_file: Option<PathBuf>,
    template_file: Option<PathBuf>,
}

/// The body.
#[derive(Debug, Serialize)]
struct Body<'a> {
    format: &'static str,
    id: &'a str,
    at: Timestamp,
    organisation: &'a str,
    reason: &'static str,
    severity: &'static str,
    resolved: bool,
    headline: &'a str,
    link: Option<&'a str>,
    parts: Vec<BodyPart<'a>>,
}

#[derive(Debug, Serialize)]
struct BodyPart<'a> {
    partner: Option<&'a str>,
    claim: Option<String>,
    state: Option<State>,
    severity: &'static str,
    since: Timestamp,
    finding: Option<&'static str>,
    thread: &'a str,
    thread_open: bool,
    title: &'a str,
    lines: Vec<BodyLine<'a>>,
    link: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct BodyLine<'a> {
    label: &'static str,
    text: &'a str,
}

impl<'a> From<&'a Part> for BodyPart<'a> {
    fn from(part: &'a Part) -> Self {
        let lines = part.lines.iter().map(|line| BodyLine { label: line.label, text: &line.text });
        Self {
            partner: part.partner.as_deref(),
            claim: part.claim.map(|claim| claim.to_string()),
            state: part.state,
            severity: part.severity.as_str(),
            since: part.since,
            finding: part.id,
            thread: &part.thread,
            thread_open: part.thread_stays == ThreadStays::Open,
            title: &part.title,
            lines: lines.collect(),
            link: part.link.as_deref(),
        }
    }
}

fn body(message: &Message) -> Body<'_> {
    Body {
        format: "mxwarden-alert/1",
        id: &message.id,
        at: message.at,
        organisation: &message.organisation,
        reason: message.reason.as_str(),
        severity: message.severity.as_str(),
        resolved: message.reason.is_end(),
        headline: &message.headline,
        link: message.link.as_deref(),
        parts: message.parts.iter().map(BodyPart::from).collect(),
    }
}

/// The body as JSON.
pub(super) fn json(message: &Message) -> Result<Vec<u8>, SendError> {
    serde_json::to_vec(&body(message)).map_err(|_| SendError::Build("the body".to_owned()))
}

/// What the template makes of the message. Every text is escaped for JSON; the outcome must be JSON.
pub(super) fn filled(template: &str, message: &Message) -> Result<Vec<u8>, SendError> {
    let mut environment = minijinja::Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::Json);
    // The error of minijinja quotes the template at most, never the values.
    let wrong = |error: minijinja::Error| {
        let at = error.line().map(|line| format!(" in line {line}")).unwrap_or_default();
        SendError::Template(format!("{}{at}", error.kind()))
    };
    environment.add_template("body", template).map_err(wrong)?;
    let filled = environment.get_template("body").map_err(wrong)?;
    let filled = filled
        .render(minijinja::Value::from(minijinja::value::Serde(body(message))))
        .map_err(wrong)?;
    serde_json::from_str::<serde_json::Value>(&filled).map_err(|error| {
        SendError::Template(printable_within(format!("it makes no JSON: {error}").as_bytes(), 200))
    })?;
    Ok(filled.into_bytes())
}

/// The value of the signature header.
pub(super) fn signature(secret: &[u8], body: &[u8]) -> String {
    let key = Key::new(HMAC_SHA256, secret);
    format!("sha256={}", hex(sign(&key, body).as_ref()))
}

impl Webhook {
    pub(super) fn new(
        target: &HttpTarget,
        secret_file: Option<&PathBuf>,
        template_file: Option<&PathBuf>,
        tools: &Tools,
    ) -> Result<Self, SendError> {
        Ok(Self {
            http: Http::new(target, tools)?,
            secret_file: secret_file.cloned(),
            template_file: template_file.cloned(),
        })
    }
}

impl Channel for Webhook {
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a> {
        Box::pin(async move {
            let body = match &self.template_file {
                None => json(message)?,
                Some(path) => filled(&String::from_utf8_lossy(&file(path).await?), message)?,
            };
            let mut headers = vec![("x-mxwarden-id", message.id.clone())];
            if let Some(path) = &self.secret_file {
                let key = secret(path).await?;
                let value = signature(key.expose_secret().as_bytes(), &body);
                headers.push(("x-mxwarden-signature-256", value));
            }
            self.http.post("", body, &headers).await
        })
    }
}
