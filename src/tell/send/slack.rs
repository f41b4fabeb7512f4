//! An incoming webhook of Slack: blocks, of which all but the link are plain text, which Slack does not read as markup.
//!
//! Invariant: what stands in `mrkdwn` is escaped, so that nobody can be pinged and no link forged.

use super::{Channel, SendError, Sending, Tools, http::Http, shown, within};
use crate::model::{alert::HttpTarget, finding::Severity};
use crate::tell::message::{Message, Part};
use serde_json::{Value, json};

/// Slack refuses more than 50 blocks.
const PARTS: usize = 20;
/// And more than 3,000 characters in one, counted after `&`, `<` and `>` were escaped by Slack's own measure.
const TEXT: usize = 2900;

#[derive(Debug)]
pub(super) struct Slack {
    http: Http,
}

impl Slack {
    pub(super) fn new(target: &HttpTarget, tools: &Tools) -> Result<Self, SendError> {
        Ok(Self { http: Http::new(target, tools)? })
    }
}

/// As Slack asks for it: the three characters that begin markup of any weight, and those of emphasis.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // A word joiner before it takes the meaning of markup away and shows nothing.
            '*' | '_' | '~' | '`' => out.extend(['\u{2060}', character]),
            character => out.push(character),
        }
    }
    out
}

fn mark(message: &Message) -> &'static str {
    match (message.reason.is_end(), message.severity) {
        (true, _) => "✅",
        (false, Severity::Violation) => "🔴",
        (false, Severity::Warning) => "🟡",
        (false, Severity::Info) => "🔵",
    }
}

fn plain(text: &str, limit: usize) -> Value {
    json!({ "type": "plain_text", "text": within(text, limit), "emoji": false })
}

fn part(part: &Part, alone: Option<&Part>) -> Value {
    let mut text = String::new();
    if alone.is_none() {
        text.push_str(&part.title);
        text.push('\n');
    }
    for line in &part.lines {
        text.push_str(&format!("{}: {}\n", line.label, line.text));
    }
    json!({ "type": "section", "text": plain(text.trim_end(), TEXT) })
}

/// The body.
pub(super) fn body(message: &Message) -> Value {
    let headline = format!("{} {}", mark(message), message.headline);
    let (parts, more) = shown(message, PARTS);
    let alone = match parts {
        [only] => Some(only),
        _ => None,
    };
    let mut blocks = vec![json!({ "type": "header", "text": plain(&headline, 150) })];
    blocks.extend(parts.iter().map(|one| part(one, alone)));
    if more > 0 {
        let text = format!("… and {more} more");
        blocks.push(json!({ "type": "section", "text": plain(&text, TEXT) }));
    }
    let link = alone.and_then(|part| part.link.as_ref()).or(message.link.as_ref());
    if let Some(link) = link {
        let link = link.replace(['<', '>', '|'], "");
        let text = format!(
            "<{}|mxwarden of {}>",
            link.replace('&', "&amp;"),
            escaped(&message.organisation)
        );
        let element = json!({ "type": "mrkdwn", "text": text, "verbatim": true });
        blocks.push(json!({ "type": "context", "elements": [element] }));
    }
    json!({ "text": escaped(&within(&headline, 400)), "blocks": blocks, "unfurl_links": false })
}

impl Channel for Slack {
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a> {
        Box::pin(
            async move { self.http.post("", body(message).to_string().into_bytes(), &[]).await },
        )
    }
}
