//! What a pasted text is about: a reply, a defer's reason, a line of a log, the diagnosis of an NDR.
//!
//! 1. The saying is taken out of what it stands in: `{LED=…};{MSG=…}` of a trace, `Diagnostic-Code:` of an NDR,
//!    `status=deferred (…)` of a log, `host … said:`.
//! 2. The table (`defers.txt`) is asked: what senders say, then what receivers say that needs more words.
//! 3. What it does not know, and is a reply, is asked of the table that judges replies.
//!
//! Invariant: a receiver's words are told as a sender's only where the sender quotes itself, and a transport that
//! failed is never taken for a policy that held. Nothing here is judged by.

use super::replies::ReplyTable;
use crate::model::{enforcement::ReplyClass, explain::Explanation, session::Phase};
use crate::wire::{
    enhanced_status::EnhancedStatus,
    smtp::{ExchangeTrailer, Reply},
};

mod cut;
mod receivers;
mod senders;
#[cfg(test)]
mod tests;

use self::cut::Core;

const TABLE: &str = include_str!("defers.txt");

/// Whose words a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// Exchange Online, which could not deliver.
    Exchange,
    /// Exim, which could not deliver.
    Exim,
    /// Postfix, which could not deliver.
    Postfix,
    /// Whoever takes mail.
    Receiver,
    /// SendGrid, which could not deliver.
    SendGrid,
    /// Any that could not deliver.
    Sender,
}

impl Speaker {
    /// Each with its word in the table.
    const ALL: [(&'static str, Self); 6] = [
        ("exchange", Self::Exchange),
        ("exim", Self::Exim),
        ("postfix", Self::Postfix),
        ("receiver", Self::Receiver),
        ("sendgrid", Self::SendGrid),
        ("sender", Self::Sender),
    ];

    /// Who it is, and on which side.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exchange => "Exchange Online as sender",
            Self::Exim => "Exim as sender",
            Self::Postfix => "Postfix as sender",
            Self::Receiver => "reply of a receiver",
            Self::SendGrid => "SendGrid as sender",
            Self::Sender => "the sender",
        }
    }
}

/// What somebody says, in more words.
struct Saying {
    class: &'static str,
    by: Speaker,
    explanation: Explanation,
}

/// What a pasted text turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pasted {
    /// What it is about, in a word.
    pub class: &'static str,
    /// Who says so.
    pub by: Speaker,
    /// What that means.
    pub explanation: &'static Explanation,
    /// What the text names besides: a server, an address, the session by which support finds it.
    pub details: Vec<(&'static str, String)>,
}

/// Explains a pasted text; none where it is neither a reply nor words that are known.
pub fn explain(text: &str, table: &ReplyTable) -> Option<Pasted> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let core = Core::of(&text);
    let mut details = details(&text, core.text);
    if let Some(saying) = find(&core) {
        let Saying { class, by, explanation } = saying;
        return Some(Pasted { class, by: *by, explanation, details });
    }
    let code = core.code.or_else(|| implied(core.status?))?;
    let by = Speaker::Receiver;
    if code < 400 {
        let Saying { class, explanation, .. } = &receivers::NO_REFUSAL;
        return Some(Pasted { class, by, explanation, details });
    }
    let reply = Reply { code, lines: vec![core.words.to_owned()] };
    let classified = table.classify(&reply, Phase::Rcpt);
    if let Some(source) = classified.line.filter(|_| classified.class != ReplyClass::Unrecognised) {
        details.push(("Known from", source.to_owned()));
    }
    let class = classified.class;
    Some(Pasted { class: class.as_str(), by, explanation: receivers::reply(class), details })
}

/// An enhanced status alone stands for its class.
fn implied(status: EnhancedStatus) -> Option<u16> {
    matches!(status.class, 2 | 4 | 5).then(|| u16::from(status.class) * 100 + 50)
}

fn find(core: &Core<'_>) -> Option<&'static Saying> {
    rows().find(|row| row.fits(core)).and_then(|row| saying(row.class, row.by))
}

fn saying(class: &str, by: Speaker) -> Option<&'static Saying> {
    let mut all = senders::SAYINGS.iter().chain(receivers::SAYINGS);
    all.find(|saying| saying.class == class && saying.by == by)
}

fn rows() -> impl Iterator<Item = Row> {
    let is_row = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
    TABLE.lines().filter(is_row).filter_map(Row::parse)
}

/// One row of the table.
struct Row {
    class: &'static str,
    by: Speaker,
    place: Place,
    code: &'static str,
    pattern: &'static str,
}

/// Where a pattern must stand.
#[derive(Clone, Copy)]
enum Place {
    Any,
    Coded,
    Codeless,
    Led,
    Message,
}

impl Row {
    fn parse(line: &'static str) -> Option<Self> {
        let mut columns = line.split(" | ").map(str::trim);
        let mut next = || columns.next();
        let (class, by, place, code, pattern) = (next()?, next()?, next()?, next()?, next()?);
        let by = Speaker::ALL.into_iter().find(|(word, _)| *word == by)?.1;
        let place = match place {
            "any" => Place::Any,
            "coded" => Place::Coded,
            "codeless" => Place::Codeless,
            "led" => Place::Led,
            "message" => Place::Message,
            _ => return None,
        };
        columns.next().is_none().then_some(Self { class, by, place, code, pattern })
    }

    fn fits(&self, core: &Core<'_>) -> bool {
        // What `host … said:` quotes is never a sender's own.
        if core.is_quoted && self.by != Speaker::Receiver {
            return false;
        }
        let has_pattern = |text: &str| is_in(self.pattern, text);
        let in_message = || core.messages.iter().any(|text| has_pattern(text));
        let is_there = match self.place {
            Place::Any => has_pattern(core.text),
            Place::Coded => core.code.is_some() && has_pattern(core.text),
            Place::Codeless => core.code.is_none() && has_pattern(core.text),
            Place::Led => in_message() || core.is_led && has_pattern(core.text),
            Place::Message => in_message(),
        };
        is_there && self.has_code(core)
    }

    fn has_code(&self, core: &Core<'_>) -> bool {
        let is_code = core.code.is_some_and(|code| code.to_string() == self.code);
        let is_status = core.status.is_some_and(|EnhancedStatus { subject, detail, .. }| {
            format!("{subject}.{detail}") == self.code
        });
        self.code == "*" || is_code || is_status
    }
}

/// Whether the pieces between `*` stand in a text, one behind the other.
fn is_in(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let mut rest = text.as_str();
    pattern.split('*').all(|piece| match rest.split_once(piece) {
        Some((_, behind)) => {
            rest = behind;
            true
        }
        None => piece.is_empty(),
    })
}

fn details(text: &str, core: &str) -> Vec<(&'static str, String)> {
    let mut details = Vec::new();
    let marks = [
        ("Server", "[LastAttemptedServerName=", "]"),
        ("Address", "[LastAttemptedIP=", "]"),
        ("Last retry", "{LRT=", "}"),
    ];
    for (name, open, close) in marks {
        details.extend(cut::between(text, open, close).map(|value| (name, value.to_owned())));
    }
    if let Some((_, trailer)) = ExchangeTrailer::cut(core) {
        details.push(("Session", trailer.to_string()));
    }
    details
}
