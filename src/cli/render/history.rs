//! What changed when and why: one line a change for people, one object or row a change for scripts.
//!
//! Invariant: says what the record holds and no more.

use super::{Style, csv::harmless, layout::Page, words::clean};
use crate::model::{
    event::{Event, Happening},
    report::{FORMAT, Tool},
    state::State,
};
use crate::tell::phrase::Phrase;
use serde::Serialize;
use std::io::{self, Write};

/// In which form changes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, clap::ValueEnum)]
pub enum HistoryFormat {
    /// One row a change, for spreadsheets.
    Csv,
    /// One object, for scripts.
    Json,
    /// One object a change, a line each.
    Jsonl,
    /// One line a change, for people.
    #[default]
    Text,
}

#[derive(Serialize)]
struct History<'a> {
    format: &'static str,
    tool: Tool,
    events: &'a [Event],
}

pub(super) fn write(
    out: &mut dyn Write,
    events: &[Event],
    format: HistoryFormat,
    style: Style,
) -> io::Result<()> {
    match format {
        HistoryFormat::Csv => spreadsheet(out, events)?,
        HistoryFormat::Json => {
            let history = History { format: FORMAT, tool: Tool::THIS, events };
            writeln!(out, "{}", serde_json::to_string_pretty(&history)?)?;
        }
        HistoryFormat::Jsonl => {
            for event in events {
                writeln!(out, "{}", serde_json::to_string(event)?)?;
            }
        }
        HistoryFormat::Text => text(out, events, style)?,
    }
    out.flush()
}

/// Time, partner, claim, what it was and became, and why; never wrapped, so that it can be searched line by line.
fn text(out: &mut dyn Write, events: &[Event], style: Style) -> io::Result<()> {
    let page = Page::new(Style { width: None, ..style });
    let rows: Vec<Vec<String>> = events
        .iter()
        .map(|event| {
            let Row { at, partner, claim, what, why, .. } = Row::of(event);
            let shown = |text: String| if text.is_empty() { "-".to_owned() } else { clean(&text) };
            vec![at, shown(partner), shown(claim), shown(what), clean(&why)]
        })
        .collect();
    for (line, event) in page.aligned(0, rows).unwrap_or_default().iter().zip(events) {
        match &event.what {
            Happening::StateChanged { to, .. } => writeln!(out, "{}", style.paint(*to, line))?,
            Happening::ConfigReloaded { .. }
            | Happening::Noticed { .. }
            | Happening::SelfOutageBegan { .. }
            | Happening::SelfOutageEnded { .. }
            | Happening::Started { .. }
            | Happening::Stopped => writeln!(out, "{line}")?,
        }
    }
    Ok(())
}

fn spreadsheet(out: &mut dyn Write, events: &[Event]) -> io::Result<()> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record(["at", "partner", "claim", "event", "from", "to", "why", "evidence", "id"])?;
    for event in events {
        let row = Row::of(event);
        let state = |state: Option<State>| state.map(|state| state.to_string()).unwrap_or_default();
        rows.write_record([
            row.at,
            harmless(&row.partner),
            row.claim,
            row.word.to_owned(),
            state(row.states.map(|(from, _)| from)),
            state(row.states.map(|(_, to)| to)),
            harmless(&row.why),
            row.evidence,
            event.id.clone(),
        ])?;
    }
    rows.flush()
}

/// One change, in words.
struct Row {
    at: String,
    partner: String,
    claim: String,
    word: &'static str,
    what: String,
    states: Option<(State, State)>,
    why: String,
    evidence: String,
}

impl Row {
    fn of(event: &Event) -> Self {
        let Phrase { word, what, why, evidence } = Phrase::of(&event.what);
        let states = match &event.what {
            Happening::StateChanged { from, to, .. } => Some((*from, *to)),
            Happening::ConfigReloaded { .. }
            | Happening::Noticed { .. }
            | Happening::SelfOutageBegan { .. }
            | Happening::SelfOutageEnded { .. }
            | Happening::Started { .. }
            | Happening::Stopped => None,
        };
        Self {
            at: event.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            partner: event.partner.clone().unwrap_or_default(),
            claim: event.claim.map(|claim| claim.to_string()).unwrap_or_default(),
            word,
            what,
            states,
            why,
            evidence,
        }
    }
}
