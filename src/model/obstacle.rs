//! The ids of obstacles: each a name users script against (contract §7).
//!
//! Invariant: an id never changes its meaning; a new meaning is a new id.

use super::explain::Explanation;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};

macro_rules! ids {
    ($($variant:ident = $name:literal,)*) => {
        /// What kept us from knowing.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each id is explained at length by `explanation`, and a test asks for it")]
        pub enum ObstacleId { $($variant,)* }

        impl ObstacleId {
            /// Every id, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name of the contract.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

ids! {
    CanaryUnreachable = "canary-unreachable",
    ClockUnsure = "clock-unsure",
    ConnectRefused = "connect-refused",
    ConnectTimeout = "connect-timeout",
    ConnectionLost = "connection-lost",
    ControlNotArrived = "control-not-arrived",
    ControlRefused = "control-refused",
    Deadline = "deadline",
    DnsBogus = "dns-bogus",
    DnsFailure = "dns-failure",
    FamilyUnavailable = "family-unavailable",
    Greylisted = "greylisted",
    InternalError = "internal-error",
    NoAttemptSeen = "no-attempt-seen",
    NoEcho = "no-echo",
    NotCovered = "not-covered",
    NotTestable = "not-testable",
    Nxdomain = "nxdomain",
    Port25Blocked = "port25-blocked",
    ProtocolError = "protocol-error",
    RateLimited = "rate-limited",
    RecordIncomplete = "record-incomplete",
    RefusedForOtherReason = "refused-for-other-reason",
    SelfOutage = "self-outage",
    Stale = "stale",
    SubmitFailed = "submit-failed",
    TooMuchData = "too-much-data",
    Unattributed = "unattributed",
    Unconfirmed = "unconfirmed",
    Undecided = "undecided",
    WitnessesDisagree = "witnesses-disagree",
}

impl ObstacleId {
    /// What it means, why it matters and what to do.
    pub fn explanation(self) -> &'static Explanation {
        super::explain::obstacle(self)
    }
}

impl fmt::Display for ObstacleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No such id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no obstacle is called `{0}`")]
pub struct UnknownObstacleId(String);

impl FromStr for ObstacleId {
    type Err = UnknownObstacleId;

    fn from_str(text: &str) -> Result<Self, UnknownObstacleId> {
        let found = Self::ALL.iter().find(|id| id.as_str() == text);
        found.copied().ok_or_else(|| UnknownObstacleId(text.chars().take(80).collect()))
    }
}

impl Serialize for ObstacleId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ObstacleId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A fact that kept us from knowing. It never makes a claim compliant and never makes it violated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obstacle {
    /// What kind of fact.
    pub id: ObstacleId,
    /// What it is about: an endpoint, a host, a domain.
    pub subject: String,
    /// What happened.
    pub detail: String,
}

impl Obstacle {
    /// An obstacle met at `subject`.
    pub fn new(id: ObstacleId, subject: impl fmt::Display, detail: impl Into<String>) -> Self {
        Self { id, subject: subject.to_string(), detail: detail.into() }
    }
}
