//! The words of a notification, in one place: what changed, since when, the claim in a sentence, what was seen and
//! expected, what to do, what to tell the partner, and where the evidence is.
//!
//! 1. [`compose`] turns a group of decisions into one [`Message`]: a headline, and a part for each topic.
//! 2. A part is a title and labelled lines of plain text; a channel lays them out and escapes them.
//!
//! Invariant: no clock and no I/O. No text holds a control character, whoever wrote it; none is escaped here, because
//! each channel escapes differently.

mod part;
#[cfg(test)]
mod tests;

use super::{
    decide::{Expiring, Group, Speech},
    path,
};
use crate::model::{
    claim::{Claim, Direction, Statement},
    event::Event,
    finding::Severity,
    standing::Standing,
    state::State,
    told::{Reason, Told, Topic},
};
use crate::wire::text::{hex, printable_within};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// The longest line, in characters.
const LINE: usize = 600;
/// Partners named in a headline.
const NAMED: usize = 3;

/// One message, before a channel has put it into its own form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The same for the same news, however often it is tried: whoever receives it twice can tell.
    pub id: String,
    /// When it was composed.
    pub at: Timestamp,
    /// Us.
    pub organisation: String,
    /// Why we speak.
    pub reason: Reason,
    /// The worst of its parts.
    pub severity: Severity,
    /// What happened, in one line.
    pub headline: String,
    /// What it is about.
    pub parts: Vec<Part>,
    /// The dashboard.
    pub link: Option<String>,
}

/// What a message says about one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// About what.
    pub topic: Topic,
    /// The message that opened the incident.
    pub thread: String,
    /// Whether something that is not part of this message keeps that incident open.
    pub thread_stays: ThreadStays,
    /// What the channel knew.
    pub before: Option<State>,
    /// Whose; none where it is about us.
    pub partner: Option<String>,
    /// Which claim.
    pub claim: Option<Claim>,
    /// The state of the claim.
    pub state: Option<State>,
    /// How much it weighs.
    pub severity: Severity,
    /// Since when.
    pub since: Timestamp,
    /// The finding or obstacle that weighs most.
    pub id: Option<&'static str>,
    /// One line.
    pub title: String,
    /// What there is to say.
    pub lines: Vec<Line>,
    /// Its page.
    pub link: Option<String>,
}

/// Whether an incident ends with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadStays {
    /// Nothing else belongs to it.
    Closed,
    /// Something else that belongs to it is still broken.
    Open,
}

/// A labelled line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is.
    pub label: &'static str,
    /// What it says.
    pub text: String,
}

impl Line {
    fn new(label: &'static str, text: impl AsRef<str>) -> Self {
        Self { label, text: printable_within(text.as_ref().as_bytes(), LINE) }
    }
}

/// What words are made of.
#[derive(Debug, Clone)]
pub struct Words<'a> {
    /// The time.
    pub now: Timestamp,
    /// Us.
    pub organisation: &'a str,
    /// The dashboard, without a slash at its end.
    pub base_url: Option<&'a str>,
    /// Every claim as it stands.
    pub standings: BTreeMap<(&'a str, Claim), &'a Standing>,
    /// Every certificate.
    pub certificates: BTreeMap<(&'a str, &'a str), Expiring>,
    /// What happened.
    pub events: BTreeMap<&'a str, &'a Event>,
    /// What the channel was told.
    pub told: Option<&'a BTreeMap<Topic, Told>>,
}

/// The message of a group.
pub fn compose(words: &Words<'_>, group: &Group) -> Message {
    let id = id(group);
    let causes: BTreeSet<&str> = group.parts.iter().map(|(_, it)| it.cause.as_str()).collect();
    let closing: BTreeSet<&Topic> = group.parts.iter().map(|(topic, _)| topic).collect();
    let parts: Vec<Part> = group
        .parts
        .iter()
        .enumerate()
        .map(|(at, (topic, speech))| {
            // One cause is told at length once; many causes are told in brief.
            let detail = if at == 0 && causes.len() == 1 { Detail::Whole } else { Detail::Brief };
            let mut part = part::part(words, topic, speech, detail);
            let known = speech.before.thread.as_str();
            part.thread = if known.is_empty() { id.clone() } else { known.to_owned() };
            part.thread_stays = thread_stays(words, &part.thread, &closing);
            part
        })
        .collect();
    Message {
        at: words.now,
        organisation: printable_within(words.organisation.as_bytes(), 100),
        reason: group.reason,
        severity: parts.iter().map(|part| part.severity).max().unwrap_or(Severity::Info),
        headline: headline(words, group, &parts, causes.len()),
        parts,
        link: words.base_url.map(|base| format!("{base}/")),
        id,
    }
}

/// A sample, so that people see what they would get.
pub fn sample(organisation: &str, channel: &str, now: Timestamp) -> Message {
    let text = "This is a sample, sent because somebody asked for it. Nothing is wrong.";
    let part = Part {
        topic: Topic::Channel { name: channel.to_owned() },
        thread: format!("sample-{}", now.as_millisecond()),
        thread_stays: ThreadStays::Closed,
        before: None,
        partner: None,
        claim: None,
        state: None,
        severity: Severity::Info,
        since: now,
        id: None,
        title: format!("The channel {} works", shown(channel)),
        lines: vec![
            Line::new("What happened", text),
            Line::new("What to do", "Nothing. If you read this, alerts arrive here."),
        ],
        link: None,
    };
    Message {
        id: format!("sample-{}", now.as_millisecond()),
        at: now,
        organisation: printable_within(organisation.as_bytes(), 100),
        reason: Reason::Sample,
        severity: Severity::Info,
        headline: format!("A sample for the channel {}: nothing is wrong", shown(channel)),
        parts: vec![part],
        link: None,
    }
}

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// What and since when.
    Brief,
    /// All of it.
    Whole,
}

/// A digest of what is told to whom and since when, so that a second try has the id of the first.
fn id(group: &Group) -> String {
    let mut hash = Sha256::new();
    hash.update(group.channel.as_bytes());
    hash.update(group.reason.as_str());
    for (topic, speech) in &group.parts {
        let told = speech.before.at.map_or(0, Timestamp::as_millisecond);
        hash.update(format!("\0{topic:?}\0{}\0{told}\0{:?}", speech.since, speech.becomes.step));
    }
    hex(hash.finalize().get(..16).unwrap_or_default())
}

fn thread_stays(words: &Words<'_>, thread: &str, closing: &BTreeSet<&Topic>) -> ThreadStays {
    let mut told = words.told.into_iter().flatten();
    let stays = told.any(|(topic, told)| {
        told.state.is_some() && told.thread == thread && !closing.contains(topic)
    });
    if stays { ThreadStays::Open } else { ThreadStays::Closed }
}

fn shown(text: &str) -> String {
    printable_within(text.as_bytes(), 100)
}

/// What happened, in one line.
fn headline(words: &Words<'_>, group: &Group, parts: &[Part], causes: usize) -> String {
    let partners: BTreeSet<&str> =
        parts.iter().filter_map(|part| part.partner.as_deref()).collect();
    let what = match (parts, causes) {
        ([part], _) => return part.title.clone(),
        ([first, ..], 1) => part::clause(words, &first.topic, group.reason, first.state, first.id),
        _ => part::many(group.reason).to_owned(),
    };
    if partners.is_empty() {
        return what;
    }
    let named: Vec<&str> = partners.iter().take(NAMED).copied().collect();
    let mut who = named.join(", ");
    if let Some(more) = partners.len().checked_sub(NAMED).filter(|more| *more > 0) {
        let _ = write!(who, " and {more} more");
    }
    let count = match partners.len() {
        1 => who,
        count => format!("{count} partners ({who})"),
    };
    format!("{count}: {what}")
}

/// A claim in a sentence, without its full stop.
pub fn sentence(claim: Claim, partner: &str) -> String {
    match (claim.direction, claim.statement) {
        (Direction::Outbound, Statement::Configured) => {
            format!("our connector for mail to {partner} says what was agreed")
        }
        (Direction::Outbound, Statement::ReceiverOffers) => {
            format!("the mail servers of {partner} can do the TLS that was agreed")
        }
        (Direction::Outbound, Statement::ReceiverEnforces) => {
            format!(
                "the mail servers of {partner} refuse mail from us that is protected less than agreed"
            )
        }
        (Direction::Outbound, Statement::SenderEnforces) => {
            format!(
                "our mail system does not send to {partner} where a server does less than agreed"
            )
        }
        (Direction::Inbound, Statement::Configured) => {
            format!("our connector for mail from {partner} says what was agreed")
        }
        (Direction::Inbound, Statement::ReceiverOffers) => {
            format!("our mail servers can do the TLS that was agreed with {partner}")
        }
        (Direction::Inbound, Statement::ReceiverEnforces) => {
            format!(
                "our mail servers refuse mail from {partner} that is protected less than agreed"
            )
        }
        (Direction::Inbound, Statement::SenderEnforces) => {
            format!(
                "the mail system of {partner} does not send to us where a server does less than agreed"
            )
        }
    }
}

/// Whose servers a claim is about.
fn is_partners(claim: Claim) -> bool {
    match (claim.direction, claim.statement) {
        (_, Statement::Configured) => false,
        (Direction::Outbound, Statement::ReceiverOffers | Statement::ReceiverEnforces)
        | (Direction::Inbound, Statement::SenderEnforces) => true,
        (Direction::Inbound, Statement::ReceiverOffers | Statement::ReceiverEnforces)
        | (Direction::Outbound, Statement::SenderEnforces) => false,
    }
}

/// A time as people read it.
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A span as people read it: the two largest units.
pub fn lasted(span: SignedDuration) -> String {
    let minutes = span.as_secs().max(0) / 60;
    let counted = |count: i64, one: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    };
    let (days, hours, rest) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    match (days, hours, rest) {
        (0, 0, 0) => "less than a minute".to_owned(),
        (0, 0, rest) => counted(rest, "minute"),
        (0, hours, 0) => counted(hours, "hour"),
        (0, hours, rest) => format!("{} {}", counted(hours, "hour"), counted(rest, "minute")),
        (days, 0, _) => counted(days, "day"),
        (days, hours, _) => format!("{} {}", counted(days, "day"), counted(hours, "hour")),
    }
}

/// The page of a partner.
fn partner_link(words: &Words<'_>, partner: &str) -> Option<String> {
    words.base_url.map(|base| format!("{base}/{}", path::partner(partner)))
}

/// The evidence of this digest.
fn evidence_link(words: &Words<'_>, digest: &str) -> String {
    match words.base_url {
        Some(base) => format!("{base}/{}", path::evidence(digest)),
        None => digest.to_owned(),
    }
}

/// Since when, as a line.
fn since(speech: &Speech, now: Timestamp) -> Line {
    let ago = lasted(now.duration_since(speech.since));
    Line::new("Since", format!("{} ({ago})", time(speech.since)))
}
