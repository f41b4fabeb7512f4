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
