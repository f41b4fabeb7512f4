//! One record, property by property: what is there and does not fit is told with record and property.
//!
//! Invariant: an absent property is `None`; only what is written is ever taken for written.

use super::shape::sort;
use crate::config::import::Remark;
use crate::wire::text::printable_within;
use jiff::{SignedDuration, Timestamp, civil};
use serde_json::{Map, Value};
use std::{cell::RefCell, fmt::Display, path::Path, str::FromStr};

/// What was told so far.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) mistakes: RefCell<Vec<Remark>>,
    pub(super) notes: RefCell<Vec<Remark>>,
}

impl Told {
    pub(super) fn mistake(&self, file: &Path, place: String, what: impl Into<String>, hint: &str) {
        self.mistakes.borrow_mut().push(remark(file, place, what, hint));
    }

    pub(super) fn note(&self, file: &Path, place: String, what: impl Into<String>, hint: &str) {
        self.notes.borrow_mut().push(remark(file, place, what, hint));
    }
}

fn remark(file: &Path, place: String, what: impl Into<String>, hint: &str) -> Remark {
    let hint = (!hint.is_empty()).then(|| hint.to_owned());
    Remark { file: file.to_owned(), place, what: what.into(), hint }
}

/// One record.
pub(super) struct Fields<'a> {
    pub(super) file: &'a Path,
    pub(super) name: String,
    pub(super) told: &'a Told,
    record: &'a Map<String, Value>,
    /// How much was wrong before this record was read.
    before: usize,
}

/// How far the clock of the computer that exports may be ahead of ours.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(5);

const DEEPER: &str = "export it again with `ConvertTo-Json -Depth 5`";
const AS_TEXT: &str =
    "export it with the module ExchangeOnlineManagement 3 or later, which writes words";

impl<'a> Fields<'a> {
    /// The record at this place of a file, called by its Name or Identity.
    pub(super) fn of(
        file: &'a Path,
        at: usize,
        record: &'a Map<String, Value>,
        told: &'a Told,
    ) -> Self {
        let before = told.mistakes.borrow().len();
        let mut fields = Self { file, name: format!("record {}", at + 1), told, record, before };
        let name = fields.text("Name").or_else(|| fields.text("Identity"));
        if let Some(name) = name {
            fields.name = name;
        }
        fields
    }

    /// What stands beside the records of a file.
    pub(super) fn around(file: &'a Path, record: &'a Map<String, Value>, told: &'a Told) -> Self {
        let before = told.mistakes.borrow().len();
        Self { file, name: String::new(), told, record, before }
    }

    /// Whether nothing was wrong with this record so far.
    pub(super) fn are_good(&self) -> bool {
        self.told.mistakes.borrow().len() == self.before
    }

    fn place(&self, key: &str) -> String {
        if self.name.is_empty() {
            return key.to_owned();
        }
        format!("{}: {key}", shown(&self.name))
    }

    pub(super) fn mistake(&self, key: &str, what: impl Into<String>, hint: &str) {
        self.told.mistake(self.file, self.place(key), what, hint);
    }

    pub(super) fn note(&self, key: &str, what: impl Into<String>, hint: &str) {
        self.told.note(self.file, self.place(key), what, hint);
    }

    /// What stands under a key, `null` included. PowerShell is not strict about capitals.
    pub(super) fn find(&self, key: &str) -> Option<&'a Value> {
        let of_key = |(name, _): &(&String, &Value)| name.eq_ignore_ascii_case(key);
        self.record.iter().find(of_key).map(|(_, value)| value)
    }

    /// Every key, and what stands under it.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.record.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// A text; none where there is none, or an empty one.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        match self.find(key)? {
            Value::Null => None,
            Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            // A domain or name that was not turned into text has it under one of these.
            Value::Object(object) => {
                let inner = ["Domain", "Address", "AddressSpace", "Name", "value"];
                let found = inner.iter().find_map(|key| object.get(*key)).and_then(Value::as_str);
                if found.is_none() {
                    self.mistake(key, "holds an object where a text belongs", DEEPER);
                }
                found.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
            }
            other => {
                self.mistake(key, format!("holds {} where a text belongs", sort(other)), DEEPER);
                None
            }
        }
    }

    /// True or false; absent is neither.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        match self.find(key)? {
            Value::Null => None,
            Value::Bool(flag) => Some(*flag),
            Value::String(text) if text.trim().is_empty() => None,
            Value::String(text) if text.trim().eq_ignore_ascii_case("true") => Some(true),
            Value::String(text) if text.trim().eq_ignore_ascii_case("false") => Some(false),
            other => {
                self.mistake(key, format!("`{}` is neither true nor false", raw(other)), "");
                None
            }
        }
    }

    /// One of some words, by its name, or by its number where that is known.
    pub(super) fn word<T: Copy>(&self, key: &str, words: &[(&str, Option<u64>, T)]) -> Option<T> {
        let value = self.find(key)?;
        let found = match value {
            Value::Null => return None,
            Value::String(text) if text.trim().is_empty() => return None,
            Value::String(text) => {
                let digits = text.trim().parse::<u64>().ok();
                let known = |(word, number, _): &&(&str, Option<u64>, T)| {
                    word.eq_ignore_ascii_case(text.trim())
                        || (digits.is_some() && *number == digits)
                };
                words.iter().find(known)
            }
            Value::Number(number) => {
                let number = number.as_u64();
                words.iter().find(|(_, known, _)| known.is_some() && *known == number)
            }
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        let Some((word, _, meant)) = found else {
            let all: Vec<&str> = words.iter().map(|(word, _, _)| *word).collect();
            let what = format!("`{}` is not known; known are {}", raw(value), all.join(", "));
            self.mistake(key, what, if value.is_number() { AS_TEXT } else { "" });
            return None;
        };
        if value.is_number() {
            let what = format!("the number {} is taken for {word}", raw(value));
            self.note(key, what, AS_TEXT);
        }
        Some(*meant)
    }

    /// A list, in whichever shape; none where the key is absent.
    pub(super) fn list(&self, key: &str) -> Option<Vec<String>> {
        let value = self.find(key)?;
        let mut items = Vec::new();
        self.flatten(key, value, &mut items);
        Some(items)
    }

    fn flatten(&self, key: &str, value: &Value, items: &mut Vec<String>) {
        match value {
            Value::Null => {}
            Value::String(text) if is_type_name(text) => {
                self.mistake(
                    key,
                    format!("holds `{}` in place of its values", shown(text)),
                    DEEPER,
                );
            }
            // What ConvertTo-Json flattens has blanks or commas between the values.
            Value::String(text) => {
                let parts =
                    text.split([' ', ',', '\t', '\r', '\n']).filter(|part| !part.is_empty());
                items.extend(parts.map(str::to_owned));
            }
            Value::Array(values) => {
                for value in values {
                    self.flatten(key, value, items);
                }
            }
            Value::Object(object) => {
                let inner = ["Domain", "AddressSpace", "Address", "value", "Name"];
                match inner.iter().find_map(|key| object.get(*key)) {
                    Some(value) => self.flatten(key, value, items),
                    None if object.is_empty() => {}
                    None => self.mistake(key, "holds an object without Domain or Address", DEEPER),
                }
            }
            Value::Bool(_) | Value::Number(_) => {
                self.mistake(key, format!("`{}` is no value of a list of texts", raw(value)), "");
            }
        }
    }

    /// A list of values that mean something.
    pub(super) fn parsed<T: FromStr>(&self, key: &str) -> Option<Vec<T>>
    where
        T::Err: Display,
    {
        let mut parsed = Vec::new();
        for item in self.list(key)? {
            match bare(&item).parse::<T>() {
                Ok(value) => parsed.push(value),
                Err(error) => self.mistake(key, error.to_string(), ""),
            }
        }
        Some(parsed)
    }

    /// When it was exported, by its own word; none where it does not say.
    pub(super) fn exported_at(&self, now: Timestamp) -> Option<Timestamp> {
        let value = self.find("ExportedAt")?;
        let Some(at) = value.as_str().and_then(time) else {
            self.mistake("ExportedAt", format!("`{}` is no time that is known", raw(value)), "");
            return None;
        };
        if at > now + CLOCKS_DIFFER {
            let hint = "one of the two clocks is wrong: set it, and export again";
            self.mistake("ExportedAt", format!("{at} lies in the future"), hint);
        }
        Some(at.min(now))
    }

    /// A time, as REST, PowerShell 7 or Windows PowerShell writes it.
    pub(super) fn time(&self, key: &str) -> Option<Timestamp> {
        let value = self.find(key)?;
        let text = match value {
            Value::Null => return None,
            Value::Object(object) => object.get("value").and_then(Value::as_str),
            other => other.as_str(),
        };
        let time = text.and_then(time);
        if time.is_none() {
            self.note(key, format!("`{}` is no time that is known", raw(value)), "");
        }
        time
    }
}

fn shown(text: &str) -> String {
    printable_within(text.as_bytes(), 80)
}

fn raw(value: &Value) -> String {
    match value {
        Value::String(text) => shown(text),
        other => shown(&other.to_string()),
    }
}

/// What stands where the depth of an export was too small: the name of a .NET type.
fn is_type_name(text: &str) -> bool {
    ["System.", "Microsoft.Exchange.Data.", "@{"].iter().any(|mark| text.starts_with(mark))
}

/// `smtp:*;1` without its scheme and cost.
pub(super) fn bare(text: &str) -> &str {
    let text = text.trim();
    let text = match text.get(..5) {
        Some(scheme) if scheme.eq_ignore_ascii_case("smtp:") => text.get(5..).unwrap_or_default(),
        _ => text,
    };
    let is_cost = |cost: &str| cost.bytes().all(|b| b.is_ascii_digit());
    match text.split_once(';') {
        Some((text, cost)) if is_cost(cost) => text,
        _ => text,
    }
}

/// `2026-07-24T19:01:54.0000000Z`, the same without `Z`, which is UTC all the same, or `/Date(1721846514000)/`.
fn time(text: &str) -> Option<Timestamp> {
    if let Some(rest) = text.strip_prefix("/Date(") {
        let digits = rest.strip_suffix(")/")?;
        // A zone behind the milliseconds is for show: they count from 1970 in UTC.
        let end = digits.get(1..)?.find(['+', '-']).map_or(digits.len(), |at| at + 1);
        return Timestamp::from_millisecond(digits.get(..end)?.parse().ok()?).ok();
    }
    let zoned = text.parse::<Timestamp>().ok();
    zoned.or_else(|| {
        let civil = text.parse::<civil::DateTime>().ok()?;
        jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_and_costs_are_no_part_of_a_domain() {
        #[track_caller]
        fn check(text: &str, expect: &str) {
            assert_eq!(bare(text), expect);
        }
        check("smtp:*;1", "*");
        check("SMTP:contoso.test;10", "contoso.test");
        check("contoso.test", "contoso.test");
        check("smtp:", "");
    }

    #[test]
    fn times_are_read_as_every_powershell_writes_them() {
        #[track_caller]
        fn check(text: &str, expect: Option<&str>) {
            assert_eq!(time(text).map(|at| at.to_string()).as_deref(), expect, "{text}");
        }
        check("2026-07-24T19:01:54.0000000Z", Some("2026-07-24T19:01:54Z"));
        check("2026-07-24T18:59:12.0000000", Some("2026-07-24T18:59:12Z"));
        check("2026-07-24T20:01:54+01:00", Some("2026-07-24T19:01:54Z"));
        check("/Date(1721846514000)/", Some("2024-07-24T18:41:54Z"));
        check("/Date(1721846514000+0200)/", Some("2024-07-24T18:41:54Z"));
        check("/Date(-1000)/", Some("1969-12-31T23:59:59Z"));
        check("7/24/2026 7:01:54 PM", None); // which is the month?
        check("/Date()/", None);
    }
}
