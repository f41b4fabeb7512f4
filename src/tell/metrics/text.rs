//! Gauges written down at once: thousands of series that are made for one scrape, read, and thrown away.
//!
//! 1. A [`Family`] has a name, a help and labels; a series of it is kept by its labels, so that one told twice is one.
//! 2. [`Family::write`] appends all of it in the text format of Prometheus; a family without series says nothing.
//!
//! Gauges of the crate have a lock, a hash and copies of all their labels each, which pays where they live long. For
//! five hundred partners these took several times as long to make and write as this does.
//!
//! Invariant: whatever a value holds, it stays inside its label.

use std::collections::BTreeMap;

/// Gauges of one name.
pub(super) struct Family<const N: usize> {
    name: &'static str,
    help: &'static str,
    labels: [&'static str; N],
    series: BTreeMap<String, f64>,
}

impl<const N: usize> Family<N> {
    /// One without series. Labels are written in the order given: alphabetical, as the crate writes them.
    pub(super) fn new(name: &'static str, help: &'static str, labels: [&'static str; N]) -> Self {
        Self { name, help, labels, series: BTreeMap::new() }
    }

    /// Sets a series.
    pub(super) fn set(&mut self, values: [&str; N], to: f64) {
        self.series.insert(self.written(values), to);
    }

    /// Adds one to a series.
    pub(super) fn count(&mut self, values: [&str; N]) {
        *self.series.entry(self.written(values)).or_default() += 1.0;
    }

    fn written(&self, values: [&str; N]) -> String {
        let mut text = String::with_capacity(128);
        for (label, value) in self.labels.iter().zip(values) {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(label);
            text.push_str("=\"");
            escape(value, &mut text);
            text.push('"');
        }
        text
    }

    /// Appends all of it.
    pub(super) fn write(&self, text: &mut String) {
        if self.series.is_empty() {
            return;
        }
        let Self { name, help, .. } = self;
        text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n"));
        for (labels, value) in &self.series {
            for part in [*name, "{", labels.as_str(), "} ", &value.to_string(), "\n"] {
                text.push_str(part);
            }
        }
    }
}

/// Backslash, quotation mark and line feed are written as two characters; all others stand for themselves.
fn escape(value: &str, text: &mut String) {
    let mut rest = value;
    while let Some(at) = rest.find(['\\', '"', '\n']) {
        let (plain, special) = rest.split_at(at);
        text.push_str(plain);
        text.push('\\');
        let mut special = special.chars();
        match special.next() {
            Some('\n') | None => text.push('n'),
            Some(other) => text.push(other),
        }
        rest = special.as_str();
    }
    text.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::super::make::Make;
    use super::*;
    use prometheus::{Registry, TextEncoder};
    use proptest::prelude::*;

    proptest! {
        /// Octet for octet what the crate writes, whatever stands in labels and values.
        #[test]
        fn it_is_written_as_the_crate_writes_it(
            series in prop::collection::vec((any::<String>(), "[\"\\\\\n,}a]{0,6}", any::<f64>()), 0..8),
        ) {
            let registry = Registry::new();
            let make = Make(&registry);
            let theirs = make.reals("mxwarden_x", "What it is.", &["b", "a"]).unwrap();
            let mut ours = Family::new("mxwarden_x", "What it is.", ["a", "b"]);
            for (a, b, value) in &series {
                theirs.with_label_values(&[b, a]).set(*value);
                ours.set([a, b], *value);
            }
            let theirs = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
            let mut text = String::new();
            ours.write(&mut text);
            let sorted = |text: &str| {
                // A value may hold what ends a line elsewhere, but no line feed.
                let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
                lines.sort_unstable();
                lines
            };
            prop_assert_eq!(sorted(&text), sorted(&theirs));
        }
    }

    #[test]
    fn a_series_told_twice_is_one_and_may_be_counted() {
        let mut family = Family::new("x", "X.", ["a"]);
        for to in [3.0, 4.0] {
            family.set(["set"], to);
            family.count(["counted"]);
        }
        let mut text = String::new();
        family.write(&mut text);
        let lines = "x{a=\"counted\"} 2\nx{a=\"set\"} 4\n";
        assert_eq!(text, format!("# HELP x X.\n# TYPE x gauge\n{lines}"));
    }
}
