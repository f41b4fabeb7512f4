//! Reads one table of a TOML document, key by key, and tells what is wrong at each.
//!
//! Why not serde: it ends at the first mistake, and an operator wants to know all of them at once.
//!
//! 1. Whoever reads a section asks for each key it knows; what is there and does not fit is told, and left out.
//! 2. When a section is dropped, the keys nobody asked for are told as unknown.
//!
//! Invariant: no key is passed over in silence, because asking is the only way to make one known.

use super::{
    span::duration,
    told::{Place, Placed, Told},
};
use jiff::Timestamp;
use std::{
    cell::RefCell, collections::BTreeMap, fmt::Display, ops::RangeInclusive, path::PathBuf,
    str::FromStr, time::Duration,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// One table; one that is not there reads as empty.
pub(super) struct Section<'a> {
    told: &'a Told<'a>,
    table: Option<&'a DeTable<'a>>,
    pub(super) place: Place,
    asked: RefCell<Vec<&'static str>>,
}

/// What a duration may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zero {
    /// Nothing is a span as well.
    Allowed,
    /// It would make no sense.
    Refused,
}

impl<'a> Section<'a> {
    pub(super) fn root(told: &'a Told<'a>, table: &'a DeTable<'a>) -> Self {
        let place = Place { at: 0, key: String::new() };
        Self { told, table: Some(table), place, asked: RefCell::default() }
    }

    /// Whether the table is in the file.
    pub(super) fn is_there(&self) -> bool {
        self.table.is_some()
    }

    /// Whether this key is in the table; asking makes it known.
    pub(super) fn has(&self, key: &'static str) -> bool {
        self.find(key).is_some()
    }

    /// Whether there is a list with anything in it under this key.
    pub(super) fn has_items(&self, key: &'static str) -> bool {
        let items = self.find(key).and_then(|value| value.get_ref().as_array());
        items.is_some_and(|items| !items.is_empty())
    }

    /// Whether a list without anything in it stands under this key.
    pub(super) fn is_empty_list(&self, key: &'static str) -> bool {
        let items = self.find(key).and_then(|value| value.get_ref().as_array());
        items.is_some_and(|items| items.is_empty())
    }

    /// Whether nothing stands under this key that is told as no list already.
    pub(super) fn is_list_or_absent(&self, key: &'static str) -> bool {
        self.find(key).is_none_or(|value| value.get_ref().is_array())
    }

    /// Whether this very word stands under the key.
    pub(super) fn is_word(&self, key: &'static str, word: &str) -> bool {
        self.find(key).and_then(|value| value.get_ref().as_str()).is_some_and(|text| text == word)
    }

    pub(super) fn mistake(&self, key: &str, what: impl Into<String>, hint: &str) {
        self.told.mistake(&self.place_of(key), what, hint);
    }

    pub(super) fn warn(&self, key: &str, what: impl Into<String>, hint: &str) {
        self.told.warn(&self.place_of(key), what, hint);
    }

    /// The place of a key; where it is missing, of the table that should hold it.
    pub(super) fn place_of(&self, key: &str) -> Place {
        let at =
            self.table.and_then(|table| table.get_key_value(key)).map(|(key, _)| key.span().start);
        Place { at: at.unwrap_or(self.place.at), key: self.path_of(key) }
    }

    /// Tells that a key must be there.
    pub(super) fn missing(&self, key: &'static str, hint: &str) {
        self.mistake(key, "is missing", hint);
    }

    /// Refuses keys that belong to another kind of table, with the reason.
    pub(super) fn refuse(&self, keys: &[&'static str], what: &str, hint: &str) {
        for key in keys {
            if self.find(key).is_some() {
                self.mistake(key, what, hint);
            }
        }
    }

    /// Takes all keys for known: used where the table is too wrong to be read.
    pub(super) fn give_up(mut self) {
        self.table = None;
    }

    pub(super) fn text(&self, key: &'static str) -> Option<Placed<String>> {
        let value = self.find(key)?;
        let text = self.string(key, value)?;
        if text.trim().is_empty() {
            self.mistake(key, "is empty", "");
            return None;
        }
        Some(self.placed(key, text.to_owned()))
    }

    /// As [`Self::text`], where an empty text means none.
    pub(super) fn text_or_empty(&self, key: &'static str) -> Option<Placed<String>> {
        let value = self.find(key)?;
        let text = self.string(key, value)?;
        (!text.trim().is_empty()).then(|| self.placed(key, text.to_owned()))
    }

    /// A text that means something.
    pub(super) fn parsed<T: FromStr>(&self, key: &'static str, hint: &str) -> Option<Placed<T>>
    where
        T::Err: Display,
    {
        self.parsed_by(key, hint, |text| text.parse::<T>().map_err(|error| error.to_string()))
    }

    /// A text that means something, by a parser.
    pub(super) fn parsed_by<T>(
        &self,
        key: &'static str,
        hint: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Placed<T>> {
        let text = self.text(key)?;
        match parse(&text.value) {
            Ok(value) => Some(text.map(|_| value)),
            Err(what) => {
                self.mistake(key, what, hint);
                None
            }
        }
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(
        &self,
        key: &'static str,
        words: &[(&'static str, T)],
    ) -> Option<Placed<T>> {
        let text = self.text(key)?;
        let found = words.iter().find(|(word, _)| *word == text.value).map(|(_, value)| *value);
        if found.is_none() {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.mistake(
                key,
                format!("`{}` is not one of its words", shown(&text.value)),
                &format!("write one of: {}", all.join(", ")),
            );
        }
        found.map(|value| text.map(|_| value))
    }

    /// A list of texts that mean something; what does not is told and left out.
    pub(super) fn list<T: FromStr>(&self, key: &'static str, hint: &str) -> Vec<Placed<T>>
    where
        T::Err: Display,
    {
        self.list_by(key, hint, |text| text.parse::<T>().map_err(|error| error.to_string()))
    }

    pub(super) fn list_by<T>(
        &self,
        key: &'static str,
        hint: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<Placed<T>> {
        let Some(value) = self.find(key) else { return Vec::new() };
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(key, "a list", value.get_ref());
            return Vec::new();
        };
        let mut list = Vec::new();
        for item in items.iter() {
            let place = Place { at: item.span().start, key: self.path_of(key) };
            let Some(text) = item.get_ref().as_str() else {
                let what = format!("a list of texts is needed, here is {}", kind(item.get_ref()));
                self.told.mistake(&place, what, "");
                continue;
            };
            match parse(text) {
                Ok(value) => list.push(Placed { value, place }),
                Err(what) => self.told.mistake(&place, what, hint),
            }
        }
        list
    }

    pub(super) fn flag(&self, key: &'static str) -> Option<Placed<bool>> {
        let value = self.find(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(key, "true or false", value.get_ref());
        }
        flag.map(|flag| self.placed(key, flag))
    }

    /// A flag or a text that means something.
    pub(super) fn flag_or_text(&self, key: &'static str) -> Option<Placed<String>> {
        match self.find(key)?.get_ref() {
            DeValue::Boolean(flag) => Some(self.placed(key, flag.to_string())),
            _ => self.text(key),
        }
    }

    /// A whole number in this range.
    pub(super) fn number<T>(&self, key: &'static str, range: RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<u64> + Copy + PartialOrd + Display,
    {
        let value = self.find(key)?;
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_type(key, "a whole number", value.get_ref());
            return None;
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let number = number.and_then(|number| T::try_from(number).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let (low, high) = (range.start(), range.end());
            self.mistake(key, format!("`{integer}` is not from {low} to {high}"), "");
        }
        number
    }

    /// A date and time with its offset, as TOML has them or between quotes.
    pub(super) fn moment(&self, key: &'static str) -> Option<Placed<Timestamp>> {
        let text = match self.find(key)?.get_ref() {
            DeValue::Datetime(moment) => moment.to_string(),
            DeValue::String(text) => text.to_string(),
            other => {
                self.wrong_type(key, "a date and time", other);
                return None;
            }
        };
        let moment = text.parse().ok();
        if moment.is_none() {
            let what = format!("`{}` is no date and time with an offset", shown(&text));
            self.mistake(key, what, "such as 2026-03-01T22:00:00Z or 2026-03-01T23:00:00+01:00");
        }
        moment.map(|moment| self.placed(key, moment))
    }

    pub(super) fn duration(&self, key: &'static str, zero: Zero) -> Option<Placed<Duration>> {
        let hint = "a time is a whole number and a unit: 30s, 5m, 24h, 7d, 10y; at most 100y";
        let value = self.find(key)?;
        if !value.get_ref().is_str() {
            self.mistake(key, format!("a time is needed, here is {}", kind(value.get_ref())), hint);
            return None;
        }
        let read = self.parsed_by(key, hint, |text| {
            duration(text).ok_or_else(|| format!("`{}` is no time", shown(text)))
        })?;
        if read.value.is_zero() && zero == Zero::Refused {
            self.mistake(key, "must be more than 0", "");
            return None;
        }
        Some(read)
    }

    pub(super) fn path(&self, key: &'static str) -> Option<Placed<PathBuf>> {
        Some(self.text(key)?.map(PathBuf::from))
    }

    /// The table under this key.
    pub(super) fn section(&self, key: &'static str) -> Self {
        let table = self.find(key).and_then(|value| {
            let table = value.get_ref().as_table();
            if table.is_none() {
                self.wrong_type(key, "a table", value.get_ref());
            }
            table
        });
        Section { told: self.told, table, place: self.place_of(key), asked: RefCell::default() }
    }

    /// The tables under this key, `[[key]]`.
    pub(super) fn sections(&self, key: &'static str) -> Vec<Self> {
        let Some(value) = self.find(key) else { return Vec::new() };
        let Some(items) = value.get_ref().as_array() else {
            let what = format!("a list of tables is needed, here is {}", kind(value.get_ref()));
            self.mistake(key, what, &format!("write [[{}]], with two brackets", self.path_of(key)));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in items.iter() {
            let place = Place { at: item.span().start, key: self.path_of(key) };
            match item.get_ref().as_table() {
                Some(table) => sections.push(Section {
                    told: self.told,
                    table: Some(table),
                    place,
                    asked: RefCell::default(),
                }),
                None => {
                    let what = format!("a table is needed, here is {}", kind(item.get_ref()));
                    self.told.mistake(&place, what, "");
                }
            }
        }
        sections
    }

    /// The table under this key, whose keys are the operator's own words.
    pub(super) fn labels(&self, key: &'static str) -> BTreeMap<String, String> {
        let section = self.section(key);
        let mut labels = BTreeMap::new();
        for (name, value) in section.table.into_iter().flat_map(|table| table.iter()) {
            let place = Place { at: name.span().start, key: section.path_of(name.get_ref()) };
            match value.get_ref().as_str() {
                Some(text) => drop(labels.insert(name.get_ref().to_string(), text.to_owned())),
                None => {
                    let what = format!("a text is needed, here is {}", kind(value.get_ref()));
                    self.told.mistake(&place, what, "");
                }
            }
        }
        section.give_up();
        labels
    }

    pub(super) fn told(&self) -> &'a Told<'a> {
        self.told
    }

    fn find(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().push(key);
        self.told.ask(self.path_of(key));
        self.table?.get(key)
    }

    fn path_of(&self, key: &str) -> String {
        match self.place.key.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }

    fn placed<T>(&self, key: &str, value: T) -> Placed<T> {
        Placed { value, place: self.place_of(key) }
    }

    fn string(&self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Option<&'a str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(key, "a text", value.get_ref());
        }
        text
    }

    fn wrong_type(&self, key: &str, wanted: &str, found: &DeValue<'_>) {
        let hint = if wanted == "a text" { "put it between quotes" } else { "" };
        self.mistake(key, format!("{wanted} is needed, here is {}", kind(found)), hint);
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        let asked = self.asked.borrow();
        for (key, _) in self.table.into_iter().flat_map(|table| table.iter()) {
            let name: &str = key.get_ref();
            if asked.contains(&name) {
                continue;
            }
            // The shorter the key, the less of it may differ.
            let near = (name.chars().count() / 3).clamp(1, 3);
            let meant = crate::wire::text::closest(name, asked.iter().copied(), near);
            let hint = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "`mxwarden config example` prints every key there is".to_owned(),
            };
            let place = Place { at: key.span().start, key: self.path_of(name) };
            self.told.mistake(&place, "unknown key", &hint);
        }
    }
}

/// What a person calls the type of a value.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

pub(super) fn shown(text: &str) -> String {
    crate::wire::text::printable_within(text.as_bytes(), 80)
}
