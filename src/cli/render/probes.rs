//! The probes of a claim: one line each, what was tried, what came of it, and the reply that says so.

use super::layout::{self, Page};
use super::words;
use crate::model::report::{Outcome, ProbeReport};

const HEADER: [&str; 5] = ["probe", "at", "outcome", "phase", "reply"];

pub(super) fn write(page: &mut Page, indent: usize, probes: &[ProbeReport]) {
    if probes.is_empty() {
        return;
    }
    let header = HEADER.map(str::to_owned).to_vec();
    let rows = std::iter::once(header).chain(probes.iter().map(row)).collect();
    match page.aligned(indent, rows) {
        Some(lines) => lines.iter().for_each(|line| page.line(indent, line)),
        None => probes.iter().for_each(|probe| stacked(page, indent, probe)),
    }
    page.blank();
}

fn row(probe: &ProbeReport) -> Vec<String> {
    let ProbeReport { kind, target, outcome, phase, .. } = probe;
    vec![
        kind.to_string(),
        words::clean(target),
        outcome.to_string(),
        reached(probe, phase.as_str()),
        reply(probe),
    ]
}

fn stacked(page: &mut Page, indent: usize, probe: &ProbeReport) {
    let ProbeReport { kind, target, outcome, phase, .. } = probe;
    page.line(indent, &format!("{kind} at {}: {outcome}", words::clean(target)));
    let rows = [("phase", reached(probe, phase.as_str())), ("reply", reply(probe))];
    page.labelled(indent + 4, &rows);
}

/// Nobody reached anything where nobody came.
fn reached(probe: &ProbeReport, phase: &str) -> String {
    match probe.outcome {
        Outcome::NotSeen | Outcome::NotTestable => "-".to_owned(),
        Outcome::Accepted
        | Outcome::Bounced
        | Outcome::Delivered
        | Outcome::Inconclusive
        | Outcome::Refused
        | Outcome::Undecided => phase.to_owned(),
    }
}

fn reply(probe: &ProbeReport) -> String {
    let said = probe.reply.as_deref().map_or_else(String::new, words::clean);
    match probe.class {
        Some(class) if said.is_empty() => format!("({class})"),
        Some(class) => format!("{said} ({class})"),
        None if said.is_empty() => "-".to_owned(),
        None => said,
    }
}

/// One probe as a sentence, for formats without columns.
pub(super) fn told(probe: &ProbeReport) -> String {
    let ProbeReport { kind, target, outcome, phase, .. } = probe;
    let phase = reached(probe, phase.as_str());
    format!("{kind} at {}: {outcome}, phase {phase}, {}", words::clean(target), reply(probe))
}

/// The claims of one partner in a table, worst first: state, claim, one sentence.
pub(super) fn matrix(
    page: &mut Page,
    indent: usize,
    claims: &[&crate::model::report::ClaimReport],
) {
    let width = claims.iter().map(|one| one.claim.to_string().len()).max().unwrap_or(0);
    for one in claims {
        let marked = layout::marked(one.state);
        let pad = " ".repeat("✗ compliant".chars().count().saturating_sub(marked.chars().count()));
        let marked = page.style().marked(one.state);
        let claim = one.claim.to_string();
        let line = format!("{marked}{pad}  {claim:<width$}  {}", words::clean(&one.summary));
        page.line(indent, &line);
    }
    page.blank();
}
