//! A page of text: indented lines, wrapped paragraphs behind labels, aligned columns.
//!
//! Invariant: no line ends in a space.

use super::Style;
use crate::model::finding::Severity;
use crate::model::state::State;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use owo_colors::OwoColorize;

/// Where nobody tells how wide the terminal is.
const USUAL_WIDTH: usize = 80;
/// Narrower than this, prose is no longer readable and lines run over instead.
const LEAST_WIDTH: usize = 40;
/// Between two columns.
const GAP: u16 = 2;

/// Text as it grows.
#[derive(Debug)]
pub(super) struct Page {
    text: String,
    style: Style,
}

impl Page {
    pub(super) fn new(style: Style) -> Self {
        Self { text: String::new(), style }
    }

    pub(super) fn style(&self) -> Style {
        self.style
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// An empty line, where there is none yet.
    pub(super) fn blank(&mut self) {
        if !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// One line, never wrapped: it can be found by its words, and copied whole.
    pub(super) fn line(&mut self, indent: usize, line: &str) {
        let line = line.trim_end();
        if !line.is_empty() {
            self.text.extend(std::iter::repeat_n(' ', indent));
            self.text.push_str(line);
        }
        self.text.push('\n');
    }

    /// Each text behind its label and wrapped there; a text without words is left out.
    pub(super) fn labelled(&mut self, indent: usize, rows: &[(&str, String)]) {
        let width = self.style.width.unwrap_or(USUAL_WIDTH).max(LEAST_WIDTH);
        let mut table = columns(
            rows.iter()
                .filter(|(_, text)| !text.trim().is_empty())
                .map(|(label, text)| vec![(*label).to_owned(), text.clone()]),
        );
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width.saturating_sub(indent)).unwrap_or(u16::MAX));
        if let Some(labels) = table.column_mut(0) {
            labels.set_constraint(ColumnConstraint::ContentWidth);
        }
        for line in table.lines() {
            self.line(indent, &line);
        }
    }

    /// Each text behind its label and never wrapped: digests are there to be copied.
    pub(super) fn facts(&mut self, indent: usize, rows: &[(&str, String)]) {
        let rows = rows.iter().filter(|(_, text)| !text.trim().is_empty());
        let table = columns(rows.map(|(label, text)| vec![(*label).to_owned(), text.clone()]));
        for line in table.lines() {
            self.line(indent, &line);
        }
    }

    /// Aligned columns as lines without indentation, or none where they do not fit.
    pub(super) fn aligned(&self, indent: usize, rows: Vec<Vec<String>>) -> Option<Vec<String>> {
        let table = columns(rows.into_iter());
        let widths = table.column_max_content_widths();
        let gaps = widths.len().saturating_sub(1) * usize::from(GAP);
        let needed = indent + gaps + widths.into_iter().map(usize::from).sum::<usize>();
        let fits = self.style.width.is_none_or(|width| needed <= width);
        fits.then(|| table.lines().map(|line| line.trim_end().to_owned()).collect())
    }
}

fn columns(rows: impl Iterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for row in rows {
        table.add_row(row);
    }
    let last = table.column_count().saturating_sub(1);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if index == last { 0 } else { GAP }));
    }
    table
}

impl Style {
    /// The text in the colour of the state.
    pub(super) fn paint(self, state: State, text: &str) -> String {
        match (self.colour, state) {
            (false, _) => text.to_owned(),
            (true, State::Compliant) => text.green().to_string(),
            (true, State::Unknown) => text.yellow().to_string(),
            (true, State::Violated) => text.red().to_string(),
        }
    }

    /// Symbol and word.
    pub(super) fn marked(self, state: State) -> String {
        self.paint(state, &marked(state))
    }

    /// Symbol and word of a severity, in the colour of the state it leads to.
    pub(super) fn weighed(self, severity: Severity) -> String {
        match severity {
            Severity::Info => format!("i {severity}"),
            Severity::Warning => self.paint(State::Unknown, &format!("! {severity}")),
            Severity::Violation => self.paint(State::Violated, &format!("✗ {severity}")),
        }
    }
}

/// Symbol and word, without colour.
pub(super) fn marked(state: State) -> String {
    let symbol = match state {
        State::Compliant => '✓',
        State::Unknown => '?',
        State::Violated => '✗',
    };
    format!("{symbol} {state}")
}
