//! What happened, as the record keeps it and people are told: one event a change, never one a look.

use super::{
    claim::Claim, finding::Finding, finding::FindingId, obstacle::ObstacleId, state::State,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// A ULID: unique, and in the order of time.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// The partner it is about; none where it is about us.
    pub partner: Option<String>,
    /// The claim it is about; none where it is about the partner, or us.
    pub claim: Option<Claim>,
    /// What.
    pub what: Happening,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Happening {
    /// The configuration was read again.
    ConfigReloaded {
        /// What was added, removed or changed, in words.
        detail: String,
    },
    /// Something about the partner changed that does not change the state: a certificate, the MX set, a connector,
    /// a posture that got weaker.
    Noticed {
        /// What.
        finding: Finding,
    },
    /// Everything failed at once: it is us.
    SelfOutageBegan {
        /// What was seen, in words.
        detail: String,
    },
    /// It is over.
    SelfOutageEnded {
        /// What was seen, in words.
        detail: String,
    },
    /// The daemon began.
    Started {
        /// Its version.
        version: String,
    },
    /// The state of a claim changed, once it was confirmed.
    StateChanged {
        /// What it was.
        from: State,
        /// What it is.
        to: State,
        /// One sentence.
        summary: String,
        /// What it rests on.
        findings: Vec<FindingId>,
        /// What kept us from knowing.
        obstacles: Vec<ObstacleId>,
        /// The digest of the evidence, `sha256:…`; empty where there is none.
        evidence: String,
    },
    /// The daemon ended in order.
    Stopped,
}
