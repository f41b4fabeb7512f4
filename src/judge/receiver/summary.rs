//! The one sentence that stands first: how many endpoints refuse, and what keeps the rest.

use super::endpoint::Look;
use crate::model::{
    finding::{Finding, Severity},
    obstacle::{Obstacle, ObstacleId},
    state::State,
};

/// What the sentence is made of.
pub(super) struct Seen<'a> {
    pub(super) findings: &'a [Finding],
    pub(super) obstacles: &'a [Obstacle],
    pub(super) counted: &'a [&'a Look],
    /// An endpoint of a family that this machine has no route for.
    pub(super) waived: Option<&'a Look>,
    pub(super) is_proved: bool,
}

pub(super) fn of(seen: &Seen<'_>) -> String {
    let total = seen.counted.len();
    let count = |state| seen.counted.iter().filter(|look| look.state == state).count();
    let worst = seen.findings.iter().find(|finding| finding.severity == Severity::Violation);
    let mut sentence = if let Some(worst) = worst {
        let reason = worst.id.explanation().title;
        match (count(State::Violated), total) {
            (1, 1) => format!("its one endpoint takes less: {reason}"),
            (bad, total) if bad == total => format!("all {total} endpoints take less: {reason}"),
            (1, total) => format!("1 of {total} endpoints takes less: {reason}"),
            (bad, total) => format!("{bad} of {total} endpoints take less: {reason}"),
        }
    } else {
        let good = count(State::Compliant);
        let reason = || reason(seen.obstacles);
        match (seen.is_proved, good, total) {
            (true, 1, 1) => "its one endpoint refuses anything less".to_owned(),
            (true, 2, 2) => "both endpoints refuse anything less".to_owned(),
            (true, good, total) if good == total => {
                format!("all {total} endpoints refuse anything less")
            }
            (true, good, total) => format!(
                "less is refused at {good} of {total} endpoints, which is enough here; but {}",
                reason()
            ),
            (false, 0, _) => format!("could not be judged: {}", reason()),
            (false, 1, 1) => {
                format!(
                    "the one endpoint seen refuses anything less, but not all is known: {}",
                    reason()
                )
            }
            (false, 1, total) => {
                format!(
                    "1 of {total} endpoints refuses anything less, but not all is known: {}",
                    reason()
                )
            }
            (false, good, total) => format!(
                "{good} of {total} endpoints refuse anything less, but not all is known: {}",
                reason()
            ),
        }
    };
    sentence.push_str(&legacy(seen.counted));
    if seen.is_proved {
        sentence.push_str(&untested(seen.counted));
    }
    if let Some(look) = seen.waived {
        let family = if look.endpoint.address.is_ipv6() { "IPv6" } else { "IPv4" };
        sentence.push_str("; ");
        sentence.push_str(family);
        sentence.push_str(" not tested from here");
    }
    sentence
}

fn reason(obstacles: &[Obstacle]) -> &str {
    obstacles.first().map_or("nothing was seen", |obstacle| {
        // Why something cannot be tested or decided is different every time.
        let is_own = matches!(obstacle.id, ObstacleId::NotTestable | ObstacleId::Undecided);
        if is_own { obstacle.detail.as_str() } else { obstacle.id.explanation().title }
    })
}

fn legacy(looks: &[&Look]) -> String {
    let mut versions: Vec<_> = looks.iter().flat_map(|look| look.legacy.iter().copied()).collect();
    versions.sort_unstable();
    versions.dedup();
    if versions.is_empty() {
        return String::new();
    }
    let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
    format!("; a hello of {} is still answered", versions.join(" and "))
}

fn untested(looks: &[&Look]) -> String {
    let mut words: Vec<&str> =
        looks.iter().flat_map(|look| look.untested.iter().copied()).collect();
    words.sort_unstable();
    words.dedup();
    if words.is_empty() { String::new() } else { format!("; not tested: {}", words.join(" and ")) }
}
