//! What can be proved about one partner: two directions, four statements each.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};

/// Which way the mail goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// The partner sends to us.
    Inbound,
    /// We send to the partner.
    Outbound,
}

/// One provable statement. Sender and receiver swap with the direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Statement {
    /// Our connector says what the agreement says.
    Configured,
    /// The receiver refuses anything less.
    ReceiverEnforces,
    /// The receiver can do what is required.
    ReceiverOffers,
    /// The sender refuses a receiver that does less.
    SenderEnforces,
}

impl Direction {
    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

impl Statement {
    /// Every one, in the order of contract §3.
    pub const ALL: [Self; 4] =
        [Self::Configured, Self::ReceiverOffers, Self::ReceiverEnforces, Self::SenderEnforces];

    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::ReceiverEnforces => "receiver-enforces",
            Self::ReceiverOffers => "receiver-offers",
            Self::SenderEnforces => "sender-enforces",
        }
    }
}

/// A direction and a statement, written `outbound/receiver-offers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim {
    /// Which way the mail goes.
    pub direction: Direction,
    /// What is stated.
    pub statement: Statement,
}

impl Claim {
    /// The claim `check` proves.
    pub const OUTBOUND_RECEIVER_OFFERS: Self =
        Self { direction: Direction::Outbound, statement: Statement::ReceiverOffers };

    /// Every claim, in the order of contract §3.
    pub fn all() -> impl Iterator<Item = Self> {
        [Direction::Outbound, Direction::Inbound].into_iter().flat_map(|direction| {
            Statement::ALL.into_iter().map(move |statement| Self { direction, statement })
        })
    }
}

/// A claim that is not made of a partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unclaimed {
    /// Which.
    pub claim: Claim,
    /// Why not, in words.
    pub why: &'static str,
}

impl Unclaimed {
    /// All of them in one line; empty where every claim is made. What is so for one reason is said once.
    pub fn in_words(all: &[Self]) -> String {
        let mut told: Vec<(String, &'static str)> = Vec::new();
        for one in all {
            let claim = one.claim.to_string();
            let (direction, statement) = claim.split_once('/').unwrap_or((&claim, ""));
            let alike: Vec<&Self> = all.iter().filter(|other| other.why == one.why).collect();
            let words = match alike.as_slice() {
                [_] => claim,
                [first, rest @ ..]
                    if rest.iter().all(|other| other.claim.statement == first.claim.statement) =>
                {
                    statement.to_owned()
                }
                _ => direction.to_owned(),
            };
            if !told.contains(&(words.clone(), one.why)) {
                told.push((words, one.why));
            }
        }
        if told.is_empty() {
            return String::new();
        }
        let told: Vec<String> =
            told.into_iter().map(|(words, why)| format!("{words} ({why})")).collect();
        format!("not claimed: {}", told.join(", "))
    }
}

/// No such claim.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no claim is called `{name}`; there are {}", named())]
pub struct UnknownClaim {
    name: String,
}

fn named() -> String {
    let names: Vec<_> = Claim::all().map(|claim| claim.to_string()).collect();
    names.join(", ")
}

impl FromStr for Claim {
    type Err = UnknownClaim;

    fn from_str(text: &str) -> Result<Self, UnknownClaim> {
        let found = Self::all().find(|claim| claim.to_string() == text);
        found.ok_or_else(|| UnknownClaim { name: text.chars().take(80).collect() })
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.direction.as_str(), self.statement.as_str())
    }
}

impl Serialize for Claim {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Claim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_claimed_is_told_in_a_line() {
        #[track_caller]
        fn check(absent: &[(&str, &'static str)], expect: &str) {
            let unclaimed = |(claim, why): &(&str, &'static str)| Unclaimed {
                claim: claim.parse().unwrap(),
                why,
            };
            let all: Vec<Unclaimed> = absent.iter().map(unclaimed).collect();
            assert_eq!(Unclaimed::in_words(&all), expect);
        }
        check(&[], "");
        check(
            &[
                ("outbound/configured", "nothing imported"),
                ("outbound/sender-enforces", "no canaries"),
                ("inbound/configured", "nothing imported"),
            ],
            "not claimed: configured (nothing imported), outbound/sender-enforces (no canaries)",
        );
        let none = "no inbound connector";
        check(
            &[
                ("outbound/configured", "nothing imported"),
                ("inbound/configured", none),
                ("inbound/receiver-offers", none),
            ],
            "not claimed: outbound/configured (nothing imported), inbound (no inbound connector)",
        );
    }
}
