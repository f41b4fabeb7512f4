//! Whether anything changed: a digest of evidence without what is another each time anyhow.
//!
//! 1. Times, durations, transcripts, the ids of probes and of queues are left out by the name of their place; what a
//!    transcript holds that matters stands in the evidence as a value of its own.
//! 2. What a server says is read word by word, and left out are Exchange's trailer, dates, durations and ids, and
//!    which of many servers behind one name it was.
//! 3. Sessions at canaries count as a set: who came first does not matter.
//!
//! A word too many makes a body that was not needed, a word too few makes a change unseen until the next body, a day
//! at most; no judgement rests on a fingerprint.
//!
//! Invariant: pure; any bytes have a fingerprint.

mod words;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use words::steady;

/// Places that are another at each look.
const LEFT_OUT: [&str; 9] = [
    "at",
    "created_at",
    "expires_at",
    "finished_at",
    "queue_id",
    "spent_ms",
    "started_at",
    "transcript",
    // How many connections of the whole run timed out.
    "vantage",
];
/// Places that hold words, of a server or about one. Elsewhere nothing is read word by word: certificates least of all.
const IN_WORDS: [&str; 8] =
    ["detail", "earlier", "ending", "failure", "fitness", "lines", "post_quantum_refused", "reply"];

/// The fingerprint of evidence as JSON.
pub fn fingerprint(json: &[u8]) -> [u8; 16] {
    let kept = serde_json::from_slice(json).map(|value| kept(value, Reading::AsItIs).to_string());
    let hash = match kept {
        Ok(kept) => Sha256::digest(kept.as_bytes()),
        // Not ours; what it is cannot be told, so any change counts.
        Err(_) => Sha256::digest(json),
    };
    // 128 bits tell looks apart; nobody gains from a collision of their own two looks.
    let mut fingerprint = [0; 16];
    for (to, from) in fingerprint.iter_mut().zip(hash) {
        *to = from;
    }
    fingerprint
}

#[derive(Debug, Clone, Copy)]
enum Reading {
    AsItIs,
    WordByWord,
}

/// What is left of a value.
fn kept(value: Value, reading: Reading) -> Value {
    match (value, reading) {
        (Value::Array(items), _) => {
            let is_set = items.iter().any(is_of_a_canary);
            let mut items: Vec<Value> = items.into_iter().map(|item| kept(item, reading)).collect();
            if is_set {
                items.sort_by_cached_key(Value::to_string);
            }
            Value::Array(items)
        }
        (Value::Object(fields), _) => Value::Object(kept_fields(fields, reading)),
        (Value::String(text), Reading::WordByWord) => Value::String(steady(&text)),
        (value @ (Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_)), _) => value,
    }
}

fn kept_fields(mut fields: Map<String, Value>, reading: Reading) -> Map<String, Value> {
    if fields.contains_key("personality") {
        forget_the_probe(&mut fields);
    }
    fields
        .into_iter()
        .filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()))
        .map(|(name, value)| {
            let reading =
                if IN_WORDS.contains(&name.as_str()) { Reading::WordByWord } else { reading };
            (name, kept(value, reading))
        })
        .collect()
}

/// Probes, sessions and canaries say which personality they are about; nothing else does.
fn is_of_a_canary(value: &Value) -> bool {
    value.get("personality").is_some()
}

/// A probe has a new token each time, and whoever brings it another port.
fn forget_the_probe(fields: &mut Map<String, Value>) {
    fields.remove("id");
    fields.remove("probe");
    if let Some(message) = fields.get_mut("message").filter(|message| message.is_object()) {
        *message = Value::Bool(true);
    }
    if let Some(Value::String(peer)) = fields.get_mut("peer")
        && let Some((address, _port)) = peer.rsplit_once(':')
    {
        *peer = address.to_owned();
    }
    match fields.get_mut("rcpt_to") {
        Some(Value::String(mailbox)) => forget_the_token(mailbox),
        Some(Value::Array(mailboxes)) => {
            for mailbox in mailboxes {
                if let Value::String(mailbox) = mailbox {
                    forget_the_token(mailbox);
                }
            }
        }
        Some(_) | None => {}
    }
}

fn forget_the_token(mailbox: &mut String) {
    if let Some((_, domain)) = mailbox.rsplit_once('@') {
        *mailbox = domain.to_owned();
    }
}

#[cfg(test)]
mod tests;
