//! The one sentence that stands first: what the sender did, and what was not tested.

use super::ladder::Case;
use crate::model::{
    canary::Personality,
    delivery::Scope,
    finding::{Finding, FindingId},
    obstacle::{Obstacle, ObstacleId},
    requirement::Level,
};

/// What the sentence is made of.
pub(super) struct Told<'a> {
    pub(super) violation: Option<&'a Finding>,
    pub(super) obstacles: &'a [Obstacle],
    pub(super) cases: &'a [Case<'a>],
    pub(super) level: Level,
    pub(super) scope: &'a Scope,
    /// Not tested, and not needed for that reason.
    pub(super) untested: &'a [Personality],
    /// Forbidden, tested, and not needed nor known.
    pub(super) undecided: &'a [Personality],
}

pub(super) fn of(told: &Told<'_>) -> String {
    let mut sentence = match (told.violation, told.obstacles.first()) {
        (Some(worst), _) => {
            format!("not enforced {}", breaches(told.cases, worst.id))
        }
        (None, Some(obstacle)) => {
            format!("could not be proved: {} ({})", reason(obstacle), obstacle.subject)
        }
        (None, None) => {
            let refused = told.cases.iter().filter(|case| {
                case.refused().is_some() && !case.look.personality.is_allowed_at(told.level)
            });
            let refused = list(refused.map(|case| case.look.personality));
            format!("enforced: the control arrived, and the sender refused {refused}")
        }
    };
    let mut add = |words: &str, list: String| {
        if !list.is_empty() {
            sentence.push_str(&format!("; {words}: {list}"));
        }
    };
    add("not tested", list(told.untested.iter().copied()));
    if told.violation.is_none() && told.obstacles.is_empty() {
        add("not decided", list(told.undecided.iter().copied()));
    }
    match told.scope {
        Scope::Assumed => sentence.push_str("; that the connector covers the canaries is assumed"),
        Scope::OnClone(clone) => sentence.push_str(&format!("; proved on its clone {clone}")),
        Scope::NotCovered(_) | Scope::Proved => {}
    }
    sentence
}

/// Where it was not enforced and how, the worst first.
fn breaches(cases: &[Case<'_>], worst: FindingId) -> String {
    let mut found: Vec<(FindingId, Vec<Personality>)> = vec![(worst, Vec::new())];
    for case in cases.iter().filter(|case| case.is_breached()) {
        let ids = || case.seen.iter().filter_map(|seen| seen.shown.breach());
        let Some(id) = ids().find(|id| *id == worst).or_else(|| ids().next()) else { continue };
        let personality = case.look.personality;
        match found.iter_mut().find(|(known, _)| *known == id) {
            Some((_, at)) => at.push(personality),
            None => found.push((id, vec![personality])),
        }
    }
    let told = found.into_iter().filter(|(_, at)| !at.is_empty());
    let told =
        told.map(|(id, at)| format!("at {}: {}", list(at.into_iter()), id.explanation().title));
    told.collect::<Vec<_>>().join("; ")
}

/// Some obstacles are different every time.
fn reason(obstacle: &Obstacle) -> &str {
    if matches!(obstacle.id, ObstacleId::NotTestable | ObstacleId::Undecided) {
        &obstacle.detail
    } else {
        obstacle.id.explanation().title
    }
}

fn list(personalities: impl Iterator<Item = Personality>) -> String {
    personalities.map(Personality::as_str).collect::<Vec<_>>().join(", ")
}
