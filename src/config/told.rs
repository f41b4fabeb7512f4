//! What is wrong with a configuration, collected: every mistake is told, not the first alone.

use super::error::Mistake;
use std::{cell::RefCell, ops::Range, path::Path};

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The octet it begins at.
    pub(super) at: usize,
    /// Its key, dotted.
    pub(super) key: String,
}

/// A value, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

impl<T> Placed<T> {
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Placed<U> {
        Placed { value: change(self.value), place: self.place }
    }
}

/// How much a remark weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    Mistake,
    Unseen,
    Warning,
}

/// Everything that was told, each in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    /// What keeps the configuration from being used.
    pub(super) mistakes: Vec<Mistake>,
    /// What does not.
    pub(super) warnings: Vec<Mistake>,
    /// Secrets that cannot be looked at here.
    pub(super) unseen: Vec<Mistake>,
}

/// Everything told about one text so far.
#[derive(Debug)]
pub(super) struct Told<'a> {
    file: &'a Path,
    text: &'a str,
    told: RefCell<Vec<(usize, Weight, Mistake)>>,
    /// Every key that was asked for, present or not, so that a test can hold the example against it.
    asked: RefCell<std::collections::BTreeSet<String>>,
}

impl<'a> Told<'a> {
    pub(super) fn new(file: &'a Path, text: &'a str) -> Self {
        Self { file, text, told: RefCell::default(), asked: RefCell::default() }
    }

    /// Something that keeps the configuration from being used.
    pub(super) fn mistake(&self, place: &Place, what: impl Into<String>, hint: &str) {
        self.tell(place, Weight::Mistake, what.into(), hint);
    }

    /// Something that does not.
    pub(super) fn warn(&self, place: &Place, what: impl Into<String>, hint: &str) {
        self.tell(place, Weight::Warning, what.into(), hint);
    }

    /// A secret that cannot be looked at here, and may be elsewhere.
    pub(super) fn unseen(&self, place: &Place, what: impl Into<String>, hint: &str) {
        self.tell(place, Weight::Unseen, what.into(), hint);
    }

    /// What the TOML parser refuses.
    pub(super) fn syntax(&self, span: Option<Range<usize>>, message: &str) {
        let at = span.map_or(0, |span| span.start);
        // The parser's second line says what it would have taken.
        let mut lines = message.lines();
        let what = lines.next().unwrap_or("no TOML");
        let hint: Vec<&str> = lines.collect();
        let place = Place { at, key: String::new() };
        self.tell(&place, Weight::Mistake, format!("no TOML: {what}"), &hint.join("; "));
    }

    pub(super) fn ask(&self, key: String) {
        self.asked.borrow_mut().insert(key);
    }

    #[cfg(test)]
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.borrow().iter().cloned().collect()
    }

    pub(super) fn is_wrong(&self) -> bool {
        self.told.borrow().iter().any(|(_, weight, _)| *weight == Weight::Mistake)
    }

    /// All of it.
    pub(super) fn into_remarks(self) -> Remarks {
        let mut told = self.told.into_inner();
        told.sort_by_key(|(at, ..)| *at);
        let mut remarks = Remarks::default();
        for (_, weight, one) in told {
            let list = match weight {
                Weight::Mistake => &mut remarks.mistakes,
                Weight::Unseen => &mut remarks.unseen,
                Weight::Warning => &mut remarks.warnings,
            };
            // Two ways to the same remark are one remark.
            if !list.contains(&one) {
                list.push(one);
            }
        }
        remarks
    }

    fn tell(&self, place: &Place, weight: Weight, what: String, hint: &str) {
        let before = self.text.get(..place.at).unwrap_or(self.text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        let mistake = Mistake {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
            key: place.key.clone(),
            what: crate::wire::text::printable(what.as_bytes()),
            hint: (!hint.is_empty()).then(|| crate::wire::text::printable(hint.as_bytes())),
        };
        self.told.borrow_mut().push((place.at, weight, mistake));
    }
}
