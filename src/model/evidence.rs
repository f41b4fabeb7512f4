//! Everything that was seen in one look, as a value: the input of every judgement.

use super::{resolution::Resolution, session::Session, target::Target};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The version of the stored form.
pub const FORMAT: &str = "mxwarden-evidence/1";

/// One look at every endpoint of one target: what `receiver-offers` is judged by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffersEvidence {
    /// [`FORMAT`].
    pub format: String,
    /// What was looked at.
    pub target: Target,
    /// When the look began.
    pub started_at: Timestamp,
    /// When it was over.
    pub finished_at: Timestamp,
    /// Where the target's mail goes.
    pub resolution: Resolution,
    /// One session an endpoint, in the order of the exchanges.
    pub sessions: Vec<Session>,
    /// What else was seen of our own network meanwhile.
    pub vantage: Vantage,
}

/// Our own place in the network, as this run saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Vantage {
    /// Connections to port 25 that were tried.
    pub port25_tried: u32,
    /// Those of them that timed out.
    pub port25_timed_out: u32,
}
