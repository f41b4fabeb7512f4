//! The one sentence that stands first: how many endpoints, and why.

use super::Look;
use crate::model::{
    finding::{Finding, Severity},
    obstacle::{Obstacle, ObstacleId},
    state::State,
};

/// What the sentence is made of.
pub(super) struct Seen<'a> {
    pub(super) findings: &'a [Finding],
    pub(super) obstacles: &'a [Obstacle],
    pub(super) looks: &'a [Look],
    pub(super) waived: &'a [bool],
}

pub(super) fn of(seen: &Seen<'_>) -> String {
    let counted: Vec<&Look> = seen
        .looks
        .iter()
        .zip(seen.waived)
        .filter(|(_, waived)| !**waived)
        .map(|(l, _)| l)
        .collect();
    let total = counted.len();
    let count = |state| counted.iter().filter(|look| look.report.state == state).count();
    let mut sentence = if let Some(worst) = worst(seen.findings) {
        let reason = worst.id.explanation().title;
        match (count(State::Violated), total) {
            (0, _) | (_, 0) => format!("falls short: {reason}"),
            (1, 1) => format!("its one endpoint falls short: {reason}"),
            (bad, total) if bad == total => format!("all {total} endpoints fall short: {reason}"),
            (1, total) => format!("1 of {total} endpoints falls short: {reason}"),
            (bad, total) => format!("{bad} of {total} endpoints fall short: {reason}"),
        }
    } else if count(State::Compliant) == total && total > 0 && seen.obstacles.is_empty() {
        match total {
            1 => "its one endpoint offers what is required".to_owned(),
            2 => "both endpoints offer what is required".to_owned(),
            _ => format!("all {total} endpoints offer what is required"),
        }
    } else {
        let reason = seen.obstacles.iter().find(|o| o.id == ObstacleId::Port25Blocked);
        let reason = reason.or_else(|| seen.obstacles.first());
        let reason = reason.map_or("nothing was seen", |o| {
            // Why something cannot be tested is different every time.
            let is_its_own = o.id == ObstacleId::NotTestable;
            if is_its_own { o.detail.as_str() } else { o.id.explanation().title }
        });
        match (count(State::Compliant), total) {
            (0, _) => format!("could not be judged: {reason}"),
            (good, total) if good == total => {
                format!("good at the {total} endpoints seen, but not all is known: {reason}")
            }
            (good, total) => {
                format!(
                    "{good} of {total} endpoints are good, the rest could not be judged: {reason}"
                )
            }
        }
    };
    if seen.waived.iter().any(|waived| *waived) {
        let v6 = seen
            .looks
            .iter()
            .zip(seen.waived)
            .any(|(l, waived)| *waived && l.report.address.is_ipv6());
        sentence.push_str(if v6 {
            "; IPv6 not tested from here"
        } else {
            "; IPv4 not tested from here"
        });
    }
    sentence
}

fn worst(findings: &[Finding]) -> Option<&Finding> {
    findings.iter().find(|finding| finding.severity == Severity::Violation)
}
