//! PagerDuty's Events API v2: an incident is triggered under the id of the message that opened it, and resolved under
//! the same once nothing of it is left.
//!
//! 1. The parts of a message are sorted by the incident they belong to; each is one event.
//! 2. What ends, ends the incident only where no other part keeps it open.

use super::{
    Channel, SendError, Sending, Tools,
    http::{Http, secret},
    within,
};
use crate::model::{alert::HttpTarget, finding::Severity};
use crate::tell::message::{Message, Part, ThreadStays};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Parts told in the details of one event; PagerDuty refuses more than 512 KB.
const PARTS: usize = 50;

#[derive(Debug)]
pub(super) struct PagerDuty {
    http: Http,
    routing_key_file: PathBuf,
}

impl PagerDuty {
    pub(super) fn new(
        target: &HttpTarget,
        routing_key_file: &Path,
        tools: &Tools,
    ) -> Result<Self, SendError> {
        let routing_key_file = routing_key_file.to_owned();
        Ok(Self { http: Http::new(target, tools)?, routing_key_file })
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Violation => "critical",
        Severity::Warning => "warning",
    }
}

fn details(parts: &[&Part]) -> Map<String, Value> {
    let mut details = Map::new();
    for part in parts.iter().take(PARTS) {
        let lines = part.lines.iter().map(|line| format!("{}: {}", line.label, line.text));
        let lines: Vec<String> = lines.collect();
        details.insert(within(&part.title, 200), Value::from(lines.join("\n")));
    }
    if let Some(more) = parts.len().checked_sub(PARTS).filter(|more| *more > 0) {
        details.insert("and more".to_owned(), Value::from(more));
    }
    details
}

/// One event for each incident.
pub(super) fn events(message: &Message, routing_key: &str) -> Vec<Value> {
    let mut threads: BTreeMap<&str, Vec<&Part>> = BTreeMap::new();
    for part in &message.parts {
        threads.entry(&part.thread).or_default().push(part);
    }
    let mut events = Vec::new();
    for (thread, parts) in threads {
        let is_over = parts.iter().all(|part| part.thread_stays == ThreadStays::Closed);
        if message.reason.is_end() {
            if is_over {
                events.push(json!({
                    "routing_key": routing_key, "event_action": "resolve", "dedup_key": thread
                }));
            }
            continue;
        }
        let worst = parts.iter().map(|part| part.severity).max().unwrap_or(Severity::Info);
        let first = parts.first().copied();
        let mut payload = json!({
            "summary": within(&message.headline, 1000),
            "source": format!("mxwarden of {}", message.organisation),
            "severity": severity(worst),
            "timestamp": message.at.to_string(),
            "group": first.and_then(|part| part.partner.clone()).unwrap_or_default(),
            "class": message.reason.as_str(),
            "custom_details": details(&parts),
        });
        let claim = first.and_then(|part| part.claim);
        if let (Some(claim), Some(payload)) = (claim, payload.as_object_mut()) {
            payload.insert("component".to_owned(), Value::from(claim.to_string()));
        }
        let mut event = json!({
            "routing_key": routing_key, "event_action": "trigger", "dedup_key": thread,
            "client": "mxwarden", "payload": payload
        });
        let link = first.and_then(|part| part.link.as_ref()).or(message.link.as_ref());
        if let (Some(link), Some(event)) = (link, event.as_object_mut()) {
            event.insert("client_url".to_owned(), Value::from(link.as_str()));
            event.insert("links".to_owned(), json!([{ "href": link, "text": "Evidence" }]));
        }
        events.push(event);
    }
    events
}

impl Channel for PagerDuty {
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a> {
        Box::pin(async move {
            let key = secret(&self.routing_key_file).await?;
            // One behind the other: where one is refused all are tried again, which the dedup key makes harmless.
            for event in events(message, key.expose_secret()) {
                self.http.post("", event.to_string().into_bytes(), &[]).await?;
            }
            Ok(())
        })
    }
}
