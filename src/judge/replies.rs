//! What a refusal is about, by a table of what servers say (`replies.txt`).
//!
//! 1. The reply becomes one line: its lines joined, repeated status codes, echoed addresses and Exchange's
//!    trailer left out, so that a name or an address cannot be mistaken for a reason.
//! 2. The patterns of the configuration are asked first, then the table, from the most specific row down.
//! 3. What no row knows is `unrecognised`: what it proves is not decided here.
//!
//! Invariant: a reply that refuses nothing is of no class but `unrecognised`.

use crate::model::{enforcement::ReplyClass, session::Phase};
use crate::wire::{
    enhanced_status::EnhancedStatus,
    smtp::{ExchangeTrailer, Reply},
};

/// The source of a row that the configuration added.
pub const CONFIGURED: &str = "[[reply]]";

const TABLE: &str = include_str!("replies.txt");

/// The rows, in the order in which they are asked.
#[derive(Debug, Clone)]
pub struct ReplyTable {
    added: Vec<(Pattern, ReplyClass)>,
    rows: Vec<Row>,
}

/// What a reply turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classified {
    /// What it is about.
    pub class: ReplyClass,
    /// Who is known to say so, by the row that fitted; none where none did.
    pub line: Option<&'static str>,
    /// Where Exchange's support finds it.
    pub trailer: Option<ExchangeTrailer>,
}

impl ReplyTable {
    /// The table of this version.
    pub fn built_in() -> Self {
        let rows = lines().filter_map(Row::parse).collect();
        Self { added: Vec::new(), rows }
    }

    /// The same, with rows that are asked first: each a pattern for the whole reply as one line
    /// (`550 5.7.1 …`), anywhere in it, without regard to case, `*` for anything.
    pub fn with(extra: &[(String, ReplyClass)]) -> Self {
        let added = extra.iter().map(|(pattern, class)| (Pattern::new(pattern), *class)).collect();
        Self { added, ..Self::built_in() }
    }

    /// What a reply to a command of `phase` is about.
    pub fn classify(&self, reply: &Reply, phase: Phase) -> Classified {
        let trailer = ExchangeTrailer::of(reply);
        let (class, line) = self.find(reply, phase);
        Classified { class, line, trailer }
    }

    fn find(&self, reply: &Reply, phase: Phase) -> (ReplyClass, Option<&'static str>) {
        if !reply.is_transient() && !reply.is_permanent() {
            return (ReplyClass::Unrecognised, None);
        }
        let whole = reply.to_string().to_lowercase();
        let text = text_of(reply);
        let is_added =
            |(pattern, _): &&(Pattern, ReplyClass)| pattern.is_in(&whole) || pattern.is_in(&text);
        if let Some((_, class)) = self.added.iter().find(is_added) {
            return (*class, Some(CONFIGURED));
        }
        let enhanced = enhanced_of(reply);
        let mut rows = self.rows.iter();
        rows.find(|row| row.fits(reply.code, enhanced, phase, &text))
            .map_or((ReplyClass::Unrecognised, None), |row| (row.class, Some(row.source)))
    }
}

fn lines() -> impl Iterator<Item = &'static str> {
    TABLE.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
}

/// One row of the table.
#[derive(Debug, Clone)]
struct Row {
    class: ReplyClass,
    /// Whole codes, or their first digit.
    codes: Vec<u16>,
    enhanced: Option<Enhanced>,
    phases: Vec<Phase>,
    pattern: Pattern,
    source: &'static str,
}

/// A subject, and details from the first to the last.
#[derive(Debug, Clone, Copy)]
struct Enhanced {
    subject: u16,
    first: u16,
    last: u16,
}

impl Row {
    fn parse(line: &'static str) -> Option<Self> {
        let mut columns = line.split(" | ");
        let mut next = || columns.next();
        let (class, codes, enhanced) = (next()?.trim(), next()?.trim(), next()?.trim());
        // Blanks around a pattern are part of it but for the one beside each bar.
        let (phases, pattern, source) = (next()?.trim(), next()?, next()?.trim());
        if columns.next().is_some() {
            return None;
        }
        let class = ReplyClass::ALL.into_iter().find(|known| known.as_str() == class)?;
        let codes = listed(codes, |code| code.parse().ok())?;
        let phases = listed(phases, parse_phase)?;
        let enhanced = if enhanced == "*" { None } else { Some(Enhanced::parse(enhanced)?) };
        Some(Self { class, codes, enhanced, phases, pattern: Pattern::new(pattern), source })
    }

    fn fits(&self, code: u16, enhanced: Option<EnhancedStatus>, phase: Phase, text: &str) -> bool {
        let has_code = self.codes.is_empty()
            || self.codes.iter().any(|known| *known == code || *known == code / 100);
        let has_status = self.enhanced.is_none_or(|wanted| {
            enhanced.is_some_and(|status| {
                status.subject == wanted.subject
                    && (wanted.first..=wanted.last).contains(&status.detail)
            })
        });
        let has_phase = self.phases.is_empty() || self.phases.contains(&phase);
        has_code && has_status && has_phase && self.pattern.is_in(text)
    }
}

impl Enhanced {
    /// `x.7.51` or `x.7.500-699`.
    fn parse(text: &str) -> Option<Self> {
        let (subject, detail) = text.strip_prefix("x.")?.split_once('.')?;
        let (first, last) = detail.split_once('-').unwrap_or((detail, detail));
        let subject = subject.parse().ok()?;
        Some(Self { subject, first: first.parse().ok()?, last: last.parse().ok()? })
    }
}

/// A list with commas; `*` is the empty one, which means any.
fn listed<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    if text == "*" { Some(Vec::new()) } else { text.split(',').map(parse).collect() }
}

fn parse_phase(word: &str) -> Option<Phase> {
    const PHASES: [Phase; 8] = [
        Phase::Connect,
        Phase::Ehlo,
        Phase::Starttls,
        Phase::Handshake,
        Phase::EhloTls,
        Phase::Mail,
        Phase::Rcpt,
        Phase::Data,
    ];
    PHASES.into_iter().find(|phase| phase.as_str() == word)
}

/// Pieces that must stand in a text, one behind the other.
#[derive(Debug, Clone)]
struct Pattern(Vec<String>);

impl Pattern {
    fn new(text: &str) -> Self {
        Self(text.split('*').filter(|piece| !piece.is_empty()).map(str::to_lowercase).collect())
    }

    /// Whether the pieces stand in `text`, which is in lower case.
    fn is_in(&self, text: &str) -> bool {
        let mut rest = text;
        self.0.iter().all(|piece| match rest.split_once(piece.as_str()) {
            Some((_, behind)) => {
                rest = behind;
                true
            }
            None => false,
        })
    }
}

/// RFC 2034 §4: the status code opens every line; some servers put it at the end, as `(#5.7.1)`, or behind `#`.
fn enhanced_of(reply: &Reply) -> Option<EnhancedStatus> {
    let in_brackets = |line: &String| {
        let (_, behind) = line.rsplit_once("(#")?;
        behind.split_once(')')?.0.parse().ok()
    };
    let behind_hash = |line: &String| EnhancedStatus::leading(line.strip_prefix('#')?);
    reply
        .enhanced()
        .or_else(|| reply.lines.first().and_then(behind_hash))
        .or_else(|| reply.lines.iter().find_map(in_brackets))
}

/// The reply as one line in lower case, without what only names somebody.
fn text_of(reply: &Reply) -> String {
    let mut text = format!(" {} ", reply.code);
    for (at, line) in reply.lines.iter().enumerate() {
        let line = ExchangeTrailer::cut(line).map_or(line.as_str(), |(before, _)| before);
        for (place, word) in line.split_ascii_whitespace().enumerate() {
            let repeats = at > 0 && place == 0 && EnhancedStatus::leading(word).is_some();
            if !repeats && !is_address(word) {
                text.push_str(word);
                text.push(' ');
            }
        }
    }
    text.to_lowercase()
}

/// `<a@b>:`, `[a@b]`, `<host[address]>:`: an echo of who writes to whom.
fn is_address(word: &str) -> bool {
    word.contains('@') || word.starts_with('<')
}

#[cfg(test)]
mod tests;
