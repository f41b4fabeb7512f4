//! One line with performance data, as the Monitoring Plugins guidelines ask for it.

use super::{words, worst_severity};
use crate::model::finding::Severity;
use crate::model::report::Report;
use crate::model::state::State;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::io::{self, Write};

/// Characters of the text: Nagios reads 4 KiB of a plugin, and pagers far less.
const MOST_TEXT: usize = 1000;
const DAY: i64 = 24 * 60 * 60;

/// What a monitor knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Violated.
    Critical,
    /// Compliant.
    Ok,
    /// Unknown.
    Unknown,
    /// Compliant, with a finding that will not stay harmless.
    Warning,
}

impl Status {
    pub(super) fn of(state: State, worst: Option<Severity>) -> Self {
        match (state, worst) {
            (State::Compliant, None | Some(Severity::Info)) => Self::Ok,
            (State::Compliant, Some(Severity::Warning | Severity::Violation)) => Self::Warning,
            (State::Unknown, _) => Self::Unknown,
            (State::Violated, _) => Self::Critical,
        }
    }

    pub(super) fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "CRITICAL",
            Self::Ok => "OK",
            Self::Unknown => "UNKNOWN",
            Self::Warning => "WARNING",
        }
    }
}

pub(super) fn write(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let status = Status::of(report.state, worst_severity(&report.partners));
    let mut text = summary(report);
    match status {
        Status::Warning => text.push_str(&format!("; {}", warnings(report))),
        Status::Critical | Status::Ok | Status::Unknown => {}
    }
    let performance = performance(report);
    writeln!(out, "MXWARDEN {} - {} | {performance}", status.as_str(), one_line(&text))
}

fn summary(report: &Report) -> String {
    let told = |one| {
        let gist = words::gist(one);
        format!("{}: {gist}", words::clean(&one.partner))
    };
    match words::worst_first(report).as_slice() {
        [only] => told(only),
        // Where one is bad the reader wants its name.
        [worst, ..] if worst.state != State::Compliant => {
            format!("{}; {}", words::counts(report), told(worst))
        }
        _ => words::counts(report),
    }
}

fn warnings(report: &Report) -> String {
    let claims = report.partners.iter().flat_map(|partner| &partner.claims);
    let ids: BTreeSet<_> = claims
        .flat_map(|claim| &claim.findings)
        .filter(|finding| finding.severity == Severity::Warning)
        .map(|finding| finding.id.as_str())
        .collect();
    ids.into_iter().collect::<Vec<_>>().join(", ")
}

/// The bar begins the performance data, and a line end begins what most monitors hide.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| *c != '|' && !c.is_control()).take(MOST_TEXT).collect()
}

fn performance(report: &Report) -> String {
    let ends = report
        .partners
        .iter()
        .flat_map(|partner| &partner.claims)
        .flat_map(|claim| &claim.endpoints)
        .filter_map(words::leaf)
        .map(|leaf| days(report.finished_at, leaf.not_after));
    let expiry = match ends.min() {
        Some(days) => format!("'days_to_expiry'={days};30;0 "),
        None => String::new(),
    };
    let took = report.finished_at.duration_since(report.started_at).as_secs_f64().max(0.0);
    format!("{expiry}'time'={took:.1}s")
}

/// Whole days that are left; less than none once it is over.
fn days(now: Timestamp, end: Timestamp) -> i64 {
    end.duration_since(now).as_secs().div_euclid(DAY)
}
