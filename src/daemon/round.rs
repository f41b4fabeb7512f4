//! One round of one work: observe and judge until it is decided, or until somebody says stop.
//!
//! Invariant: a round always ends in a claim that can be told; what was not decided is `unknown`, and says so.

pub mod offers;
pub mod receiver;
pub mod sender;

use crate::model::{
    claim::Claim,
    judgement::{Judgement, Remarks},
    obstacle::{Obstacle, ObstacleId},
    report::ClaimReport,
    requirement::Requirement,
};
use crate::wire::text::hex;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// How long a round may go on.
#[derive(Debug, Clone)]
pub struct Patience {
    /// Nothing is waited for beyond this instant.
    pub until: Instant,
    /// Somebody pressed Ctrl-C.
    pub stop: CancellationToken,
}

impl Patience {
    /// Waits until `at`; false where patience ends before that, at once if it must.
    pub async fn lasts_until(&self, at: Instant) -> bool {
        if at > self.until {
            return false;
        }
        tokio::select! {
            () = sleep_until(at) => true,
            () = self.stop.cancelled() => false,
        }
    }

    /// Whether it is at its end.
    pub fn is_over(&self) -> bool {
        self.stop.is_cancelled() || Instant::now() >= self.until
    }

    /// Ends when patience does.
    pub async fn ends(&self) {
        tokio::select! {
            () = sleep_until(self.until) => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// What is told of a round that ended before anything was seen.
    pub fn ran_out(&self, claim: Claim, requirement: &Requirement) -> ClaimReport {
        let detail = if self.stop.is_cancelled() {
            "interrupted before anything was seen"
        } else {
            "there was no time left to look; give --wait more"
        };
        let first = Obstacle::new(ObstacleId::Undecided, claim, detail);
        let remarks = Remarks { summary: detail.to_owned(), ..Remarks::default() };
        let judgement = Judgement::unknown(first, remarks);
        ClaimReport::new(claim, requirement.clone(), &judgement, String::new())
    }
}

/// The digest evidence is addressed by: SHA-256 of its JSON.
pub fn digest(evidence: &impl Serialize) -> String {
    // Plain values always serialise; an empty digest would show that they did not.
    let json = serde_json::to_vec(evidence).unwrap_or_default();
    format!("sha256:{}", hex(&Sha256::digest(&json)))
}
