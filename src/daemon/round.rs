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
    session::Phase,
};
use crate::wire::text::hex;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// How long a round may go on.
#[derive(Debug, Clone)]
pub struct Patience {
    /// Nothing is waited for beyond this instant.
    pub until: Instant,
    /// Somebody pressed Ctrl-C.
    pub stop: CancellationToken,
    /// What was seen until then was told before: it is looked at anew, so that one look is never two.
    pub anew_after: Option<Instant>,
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
    pub fn ran_out(&self, claim: Claim, requirement: &Requirement) -> Proved {
        let detail = if self.stop.is_cancelled() {
            "interrupted before anything was seen"
        } else {
            "there was no time left to look; give --wait more"
        };
        let first = Obstacle::new(ObstacleId::Undecided, claim, detail);
        let remarks = Remarks { summary: detail.to_owned(), ..Remarks::default() };
        let judgement = Judgement::unknown(first, remarks);
        let report = ClaimReport::new(claim, requirement.clone(), &judgement, String::new());
        Proved::without_evidence(report)
    }
}

/// The digest evidence is addressed by: SHA-256 of its JSON.
pub fn digest(evidence: &impl Serialize) -> String {
    Body::of(evidence).digest
}

/// Evidence as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Body {
    /// What it is addressed by; empty where there is none.
    pub digest: String,
    /// Its JSON; empty where nothing was seen.
    pub json: Vec<u8>,
}

impl Body {
    /// The body of evidence.
    pub fn of(evidence: &impl Serialize) -> Self {
        // Plain values always serialise; an empty body would show that they did not.
        let json = serde_json::to_vec(evidence).unwrap_or_default();
        Self { digest: format!("sha256:{}", hex(&Sha256::digest(&json))), json }
    }
}

/// A claim as one round proved it.
#[derive(Debug, Clone, PartialEq)]
pub struct Proved {
    /// What can be told.
    pub report: ClaimReport,
    /// The JSON of the evidence it rests on; empty where nothing was seen.
    pub evidence: Vec<u8>,
    /// How long each session with a receiver spent in each phase.
    pub spent: Vec<(Phase, Duration)>,
}

impl Proved {
    /// What is told where nothing was seen.
    pub fn without_evidence(report: ClaimReport) -> Self {
        Self { report, evidence: Vec::new(), spent: Vec::new() }
    }
}

/// So long behind an instant; never beyond what a timestamp can hold.
pub fn later(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}
