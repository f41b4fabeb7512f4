//! How a report is said: to a person (text), to a script (JSON, CSV), to CI (JUnit), to a monitor (Nagios).
//!
//! How the tool speaks:
//!
//! 1. The first line is the answer, one sentence that stands alone.
//! 2. What is worst comes first: violated before unknown before compliant, violations before warnings.
//! 3. A finding says what was seen, what was expected, what to do, and by which section; one that several
//!    endpoints share is told once.
//! 4. A state is always a word; colour and symbols only repeat it.
//! 5. Results go to `out` and nothing else does.
//!
//! Invariant: says what the report holds and no more: no rule, no clock, no network. What a stranger sent
//! is made printable again here, so that no path into a report can reach a terminal, a spreadsheet or an
//! XML parser with it.

mod csv;
mod detail;
mod endpoints;
mod history;
mod junit;
mod layout;
mod nagios;
mod probes;
mod text;
mod words;

#[cfg(test)]
mod tests;

pub use history::HistoryFormat;

use crate::model::event::Event;
use crate::model::finding::Severity;
use crate::model::report::{PartnerReport, Report};
use crate::model::state::State;
use layout::Page;
use std::io::{self, Write};

/// In which form a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, clap::ValueEnum)]
pub enum Format {
    /// One row an endpoint, for spreadsheets.
    Csv,
    /// One object, for scripts.
    Json,
    /// One partner object a line, as each is done.
    Jsonl,
    /// One test case a claim, for CI.
    Junit,
    /// One line with performance data, for Nagios and its kin.
    Nagios,
    /// For people.
    #[default]
    Text,
}

/// How text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Whether states are coloured as well.
    pub colour: bool,
    /// Columns of the terminal; none where there is no terminal.
    pub width: Option<usize>,
    /// Whether chains and transcripts are told.
    pub verbose: bool,
}

/// What `--verbose` tells beyond the report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Details {
    /// The partner of the report this belongs to.
    pub partner: String,
    /// The endpoint, as [`Endpoint`](crate::model::session::Endpoint) writes it, and what was said there.
    pub transcripts: Vec<(String, Vec<String>)>,
}

impl Details {
    /// What was said with one endpoint of one partner.
    fn transcript<'a>(details: &'a [Self], partner: &str, place: &str) -> &'a [String] {
        details
            .iter()
            .filter(|details| details.partner == partner)
            .flat_map(|details| &details.transcripts)
            .find(|(endpoint, _)| endpoint == place)
            .map_or(&[], |(_, lines)| lines.as_slice())
    }
}

/// Writes a whole run and flushes.
pub fn report(
    out: &mut dyn Write,
    report: &Report,
    details: &[Details],
    format: Format,
    style: Style,
) -> io::Result<()> {
    match format {
        Format::Csv => csv::write(out, report)?,
        Format::Json => json(out, report)?,
        Format::Jsonl => {
            for partner in &report.partners {
                jsonl_line(out, partner)?;
            }
        }
        Format::Junit => junit::write(out, report, details, style)?,
        Format::Nagios => nagios::write(out, report)?,
        Format::Text => text::write(out, report, details, style)?,
    }
    out.flush()
}

/// Writes what changed and flushes.
pub fn history(
    out: &mut dyn Write,
    events: &[Event],
    format: HistoryFormat,
    style: Style,
) -> io::Result<()> {
    history::write(out, events, format, style)
}

/// Symbol and word of a state, as wide as the widest of them.
pub(super) fn marked(style: Style, state: State) -> String {
    style.paint(state, &format!("{:<11}", layout::marked(state)))
}

/// Writes the long form of one id.
pub fn explanation(
    out: &mut dyn Write,
    title: &str,
    paragraphs: &[(&str, &str)],
    style: Style,
) -> io::Result<()> {
    let mut page = Page::new(style);
    page.line(0, title);
    for (heading, text) in paragraphs {
        page.blank();
        page.line(0, heading);
        page.labelled(0, &[("", (*text).to_owned())]);
    }
    out.write_all(page.into_text().as_bytes())?;
    out.flush()
}

/// Writes one partner as one line of JSON and flushes, so that a reader has it at once and whole.
pub fn jsonl_line(out: &mut dyn Write, partner: &PartnerReport) -> io::Result<()> {
    let mut line = serde_json::to_string(partner)?;
    line.push('\n');
    out.write_all(line.as_bytes())?;
    out.flush()
}

fn json(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(report)?;
    text.push('\n');
    out.write_all(text.as_bytes())
}

/// The exit code of a run that ended in `state`; `worst` is its weightiest finding, which only Nagios asks for.
pub fn exit_code(state: State, format: Format, worst: Option<Severity>) -> u8 {
    match format {
        Format::Nagios => nagios::Status::of(state, worst).code(),
        Format::Csv | Format::Json | Format::Jsonl | Format::Junit | Format::Text => match state {
            State::Compliant => 0,
            State::Violated => 1,
            State::Unknown => 3,
        },
    }
}

/// The weightiest finding of all, for [`exit_code`].
pub fn worst_severity<'a>(
    partners: impl IntoIterator<Item = &'a PartnerReport>,
) -> Option<Severity> {
    partners
        .into_iter()
        .flat_map(|partner| &partner.claims)
        .flat_map(|claim| &claim.findings)
        .map(|finding| finding.severity)
        .max()
}
