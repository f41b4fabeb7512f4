//! A workflow of Microsoft Teams ("when a webhook request is received"): an Adaptive Card 1.4.
//!
//! Text of strangers stands in `TextRun`s, which Teams does not read as markdown, or is escaped.
//! Teams takes no more than 28 KB; what is longer is cut, and says so.

use super::{Channel, SendError, Sending, Tools, http::Http, shown, within};
use crate::model::{alert::HttpTarget, finding::Severity};
use crate::tell::message::{Message, Part};
use serde_json::{Value, json};

const PARTS: usize = 15;
/// Characters of one part, so that fifteen fit even where each takes several octets.
const PART: usize = 3000;
/// Octets of the card.
const CARD: usize = 24 << 10;

#[derive(Debug)]
pub(super) struct Teams {
    http: Http,
}

impl Teams {
    pub(super) fn new(target: &HttpTarget, tools: &Tools) -> Result<Self, SendError> {
        Ok(Self { http: Http::new(target, tools)? })
    }
}

/// Takes the meaning of markdown from a text.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if "\\`*_{}[]()#+-.!|>~<&".contains(character) {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

fn colour(message: &Message) -> &'static str {
    match (message.reason.is_end(), message.severity) {
        (true, _) => "good",
        (false, Severity::Violation) => "attention",
        (false, Severity::Warning) => "warning",
        (false, Severity::Info) => "accent",
    }
}

fn run(text: &str) -> Value {
    json!({ "type": "TextRun", "text": text })
}

fn bold(text: &str) -> Value {
    json!({ "type": "TextRun", "text": text, "weight": "bolder" })
}

fn part(part: &Part, is_alone: Alone) -> Vec<Value> {
    let mut blocks = Vec::new();
    if is_alone == Alone::No {
        blocks.push(json!({
            "type": "RichTextBlock", "separator": true, "inlines": [bold(&within(&part.title, 300))]
        }));
    }
    let mut left = PART;
    for line in &part.lines {
        let text = within(&line.text, left.min(600));
        left = left.saturating_sub(text.chars().count());
        if left == 0 {
            break;
        }
        let inlines = [bold(&format!("{}: ", line.label)), run(&text)];
        blocks.push(json!({ "type": "RichTextBlock", "spacing": "small", "inlines": inlines }));
    }
    blocks
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alone {
    No,
    Yes,
}

/// The body.
pub(super) fn body(message: &Message) -> Value {
    let (parts, more) = shown(message, PARTS);
    let alone = if message.parts.len() == 1 { Alone::Yes } else { Alone::No };
    let mut card = vec![json!({
        "type": "TextBlock", "size": "large", "weight": "bolder", "wrap": true,
        "color": colour(message), "text": escaped(&within(&message.headline, 300))
    })];
    let mut size = 0;
    let mut left_out = more;
    for one in parts {
        let blocks = part(one, alone);
        size += blocks.iter().map(|block| block.to_string().len()).sum::<usize>();
        if size > CARD && card.len() > 1 {
            left_out += 1;
            continue;
        }
        card.extend(blocks);
    }
    if left_out > 0 {
        card.push(
            json!({ "type": "RichTextBlock", "inlines": [run(&format!("… and {left_out} more"))] }),
        );
    }
    let only = match parts {
        [only] => only.link.as_ref(),
        _ => None,
    };
    let actions: Vec<Value> = only
        .or(message.link.as_ref())
        .map(|link| json!({ "type": "Action.OpenUrl", "title": "Evidence", "url": link }))
        .into_iter()
        .collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "fallbackText": within(&message.headline, 300),
                "msteams": { "width": "Full" },
                "body": card,
                "actions": actions
            }
        }]
    })
}

impl Channel for Teams {
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a> {
        Box::pin(
            async move { self.http.post("", body(message).to_string().into_bytes(), &[]).await },
        )
    }
}
