//! Which canaries must have been refused for a level to be proved (contract §4).

use super::ladder::Case;
use crate::model::{
    canary::{Need, Personality},
    delivery::Fitness,
    requirement::Level,
};

/// What this level needs of these canaries.
pub(super) fn needs(level: Level, cases: &[Case<'_>]) -> Vec<Need> {
    let mut needs = Need::at(level);
    // Where it is testable it is needed; where it is only occupied it is testable, and not yet tested.
    let expired = cases.iter().find(|case| case.look.personality == Personality::Expired);
    let is_testable = |case: &Case<'_>| {
        case.look.shares_root == Some(true)
            && match case.look.fitness {
                Fitness::Fit | Fitness::Occupied(_) => true,
                Fitness::NotTestable(_) => false,
            }
    };
    if !Personality::Expired.is_allowed_at(level) && expired.is_some_and(is_testable) {
        needs.push(Need::One([Personality::Expired]));
    }
    needs
}

/// Whether `expired` ought to have been tested, and is not needed for want of a way to.
pub(super) fn is_expired_untested(level: Level, needs: &[Need]) -> bool {
    !Personality::Expired.is_allowed_at(level)
        && !needs.contains(&Need::One([Personality::Expired]))
}
