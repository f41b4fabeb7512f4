//! What a server says, without the words that are others each time.

use crate::wire::smtp::ExchangeTrailer;
use core::net::IpAddr;
use jiff::Timestamp;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const UNITS: [&str; 14] = [
    "d", "day", "days", "h", "hour", "hours", "m", "min", "minute", "minutes", "ms", "s", "sec",
    "seconds",
];
/// Words behind which an id stands, however it looks.
const BEFORE_IDS: [&str; 4] = ["as", "id", "qp", "queued"];

/// The line without trailer, dates, durations, ids and the one server of many.
pub(super) fn steady(line: &str) -> String {
    let line = ExchangeTrailer::cut(line).map_or(line, |(text, _)| text);
    let words: Vec<&str> = line.split_whitespace().collect();
    let bare: Vec<&str> = words.iter().map(|word| bare(word)).collect();
    let mut kept: Vec<&str> = Vec::with_capacity(words.len());
    for (at, word) in words.iter().enumerate() {
        let near = Near {
            before: at.checked_sub(1).and_then(|at| bare.get(at)).copied().unwrap_or_default(),
            it: bare.get(at).copied().unwrap_or_default(),
            after: bare.get(at + 1).copied().unwrap_or_default(),
            behind: bare.get(at + 2).copied().unwrap_or_default(),
        };
        if !near.is_time() && !near.is_span() && !near.is_id() {
            kept.push(one_of_many(near.it).unwrap_or(word));
        }
    }
    kept.join(" ")
}

/// A word and those around it, each without the punctuation around it.
struct Near<'a> {
    before: &'a str,
    it: &'a str,
    after: &'a str,
    behind: &'a str,
}

impl Near<'_> {
    /// A part of a date, or a time of day.
    fn is_time(&self) -> bool {
        let it = self.it;
        let beside_a_month = |number: &str| {
            is_number(number)
                && number.len() <= 4
                && [self.before, self.after].into_iter().any(is_month)
        };
        WEEKDAYS.contains(&it)
            || (is_month(it) && (is_number(self.before) || is_number(self.after)))
            || beside_a_month(it)
            // `25 Nov 2026` and `Nov 25 12:00:00 2026`: the year stands beside the month or a time of day.
            || (is_number(it) && it.len() == 4 && is_clock(self.before))
            || (is_number(it) && is_clock(self.after) && !is_number(self.behind))
            || is_clock(it)
            || is_offset(it)
            || it.parse::<Timestamp>().is_ok()
    }

    /// A duration: `30s`, `30 seconds`, or the unit of one.
    fn is_span(&self) -> bool {
        let is_unit = |word: &str| UNITS.contains(&word.to_ascii_lowercase().as_str());
        let digits = self.it.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let joined = is_decimal(digits) && self.it.get(digits.len()..).is_some_and(is_unit);
        joined
            || (is_decimal(self.it) && is_unit(self.after))
            || (is_unit(self.it) && is_decimal(self.before))
    }

    /// The id of a message, a session or a queue entry.
    fn is_id(&self) -> bool {
        let it = self.it.rsplit_once('=').map_or(self.it, |(_, value)| value);
        let it = it.split_once('@').map_or(it, |(local, _)| local);
        let before = self.before.to_ascii_lowercase();
        let is_announced = BEFORE_IDS.contains(&before.as_str())
            && it.len() >= 4
            && it.bytes().any(|octet| octet.is_ascii_digit());
        is_announced || is_number(it) && it.len() >= 9 || looks_drawn(it) && !is_name(it)
    }
}

/// Without the punctuation around it.
fn bare(word: &str) -> &str {
    let around = |c: char| c.is_ascii_punctuation() && !matches!(c, '+' | '-');
    word.trim_matches(around)
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_digit())
}

fn is_decimal(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit()) && word.parse::<f64>().is_ok()
}

fn is_month(word: &str) -> bool {
    MONTHS.iter().any(|month| word.starts_with(month))
        && word.bytes().all(|b| b.is_ascii_alphabetic())
}

/// `12:00`, `12:00:00`, `12:00:00.5`.
fn is_clock(word: &str) -> bool {
    let parts: Vec<&str> = word.split(':').collect();
    (2..=3).contains(&parts.len())
        && parts.iter().all(|part| is_decimal(part))
        && parts.iter().take(2).all(|part| part.len() <= 2)
}

/// `+0000`, `-05:00`.
fn is_offset(word: &str) -> bool {
    let digits = word.strip_prefix(['+', '-']).map(|rest| rest.replace(':', ""));
    digits.is_some_and(|digits| digits.len() == 4 && is_number(&digits))
}

/// Whether letters and digits stand in it as if they had been drawn.
fn looks_drawn(word: &str) -> bool {
    let is_of_ids = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '+');
    if word.len() < 8 || !word.chars().all(is_of_ids) || word.parse::<IpAddr>().is_ok() {
        return false;
    }
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let solid: Vec<bool> = word
        .bytes()
        .filter(u8::is_ascii_alphanumeric)
        .map(|octet| octet.is_ascii_digit())
        .collect();
    let turns = solid.windows(2).filter(|pair| matches!(pair, [a, b] if a != b)).count();
    (digits >= 3 && turns >= 3) || (digits >= 5 && turns >= 2)
}

/// Whether it is written as the name of a host.
fn is_name(word: &str) -> bool {
    let last = word.rsplit_once('.').map(|(_, last)| last);
    last.is_some_and(|last| last.len() >= 2 && last.bytes().all(|b| b.is_ascii_alphabetic()))
}

/// The name below which a host stands whose own label looks drawn: one of many that serve by turns.
fn one_of_many(word: &str) -> Option<&str> {
    let (label, rest) = word.split_once('.')?;
    (is_name(word) && looks_drawn(label)).then_some(rest)
}
