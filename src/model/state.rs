//! The three states, and how they add up.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What is known about a claim. Nothing else exists: what could not be proved is `Unknown`.
///
/// The order is that of how bad it is, so that the worst of several is their maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Proved to hold.
    Compliant,
    /// Neither proved to hold nor proved broken.
    Unknown,
    /// Proved broken.
    Violated,
}

impl State {
    /// Every one, best first.
    pub const ALL: [Self; 3] = [Self::Compliant, Self::Unknown, Self::Violated];

    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compliant => "compliant",
            Self::Unknown => "unknown",
            Self::Violated => "violated",
        }
    }

    /// The worst of several; of none nothing is known.
    pub fn worst(states: impl IntoIterator<Item = Self>) -> Self {
        states.into_iter().max().unwrap_or(Self::Unknown)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_violation_outweighs_obstacles_and_obstacles_outweigh_proofs() {
        use State::{Compliant, Unknown, Violated};
        assert_eq!(State::worst([Compliant, Unknown, Violated]), Violated);
        assert_eq!(State::worst([Compliant, Unknown]), Unknown);
        assert_eq!(State::worst([Compliant, Compliant]), Compliant);
        assert_eq!(State::worst([]), Unknown);
    }
}
