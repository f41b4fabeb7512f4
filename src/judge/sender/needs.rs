//! Which canaries must have been refused for a level to be proved (contract §4).

use super::ladder::Case;
use crate::model::{canary::Personality, delivery::Fitness, requirement::Level};

/// One thing that must be proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// One of the two.
    Either([Personality; 2]),
    /// This one.
    One([Personality; 1]),
}

impl Need {
    /// What it can be met by.
    pub(super) fn personalities(&self) -> &[Personality] {
        match self {
            Self::Either(two) => two,
            Self::One(one) => one,
        }
    }

    /// Whether these refusals are enough.
    pub(super) fn is_met_by(&self, refused: &[Personality]) -> bool {
        self.personalities().iter().any(|personality| refused.contains(personality))
    }
}

/// What this level needs of these canaries.
pub(super) fn needs(level: Level, cases: &[Case<'_>]) -> Vec<Need> {
    let mut needs = vec![
        Need::One([Personality::NoStarttls]),
        Need::One([Personality::StarttlsRefused]),
        Need::One([Personality::StarttlsBroken]),
        Need::One([Personality::LegacyTls]),
    ];
    let untrusted = Need::Either([Personality::SelfSigned, Personality::UnknownCa]);
    match level {
        Level::Encrypt => {}
        Level::Ca => needs.push(untrusted),
        Level::MtaSts | Level::Name => {
            needs.extend([untrusted, Need::One([Personality::WrongName])]);
        }
        Level::Pinned => needs.push(Need::One([Personality::SelfSigned])),
        Level::Dane => needs.push(Need::One([Personality::DaneMismatch])),
    }
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
