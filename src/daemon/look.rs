//! One look at a target, judged: what `check` does once and the daemon does all the time.
//!
//! 1. Observe every endpoint.
//! 2. Judge; where an endpoint's TLS or certificate falls short, look once more without SNI, because
//!    most real senders send none.
//! 3. Judge again, over all that was seen; where nothing was added, what was judged stands.

use super::round::digest;
use crate::judge::offers::{self, Rules};
use crate::model::{
    claim::Claim,
    evidence::OffersEvidence,
    judgement::{Judgement, Quorum},
    report::{ClaimReport, PartnerReport},
    requirement::Requirement,
    roots::Roots,
    session::Session,
    target::Target,
};
use crate::observe::offers::Observer;
use jiff::Timestamp;
use std::sync::Arc;
use tokio::time::Instant;

/// What every look of a run is judged by.
#[derive(Debug, Clone)]
pub struct Standard {
    /// What the receiver must offer.
    pub requirement: Requirement,
    /// The roots a chain may end at.
    pub roots: Arc<Roots>,
    /// Which endpoints must be proved.
    pub quorum: Quorum,
    /// Days before the end of a certificate from which on it is told.
    pub warn_days: u32,
}

impl Standard {
    fn rules(&self, now: Timestamp) -> Rules<'_> {
        Rules {
            requirement: &self.requirement,
            roots: &self.roots,
            now,
            quorum: self.quorum,
            warn_days: self.warn_days,
        }
    }

    /// Judges evidence by this standard, at the instant it was complete.
    pub fn judge(&self, evidence: &OffersEvidence) -> Judgement {
        offers::judge(evidence, &self.rules(evidence.finished_at))
    }
}

/// What was seen of a target, with what it was judged to be.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What was seen.
    pub evidence: OffersEvidence,
    /// Its judgement, at the instant it was complete.
    pub judgement: Judgement,
}

impl Judged {
    /// The report of one partner with one claim.
    pub fn report(&self, partner: String, claim: Claim, standard: &Standard) -> PartnerReport {
        told(partner, claim, standard, &self.evidence, &self.judgement)
    }
}

/// Looks at a target until there is nothing more to see.
pub async fn look(
    observer: &Arc<Observer>,
    target: &Target,
    standard: &Standard,
) -> OffersEvidence {
    look_and_judge(observer, target, standard).await.evidence
}

/// Looks at a target until there is nothing more to see, and judges it: once, where one look was enough,
/// because a judgement costs as much as the handshake it is about.
pub async fn look_and_judge(
    observer: &Arc<Observer>,
    target: &Target,
    standard: &Standard,
) -> Judged {
    look_and_judge_after(observer, target, standard, None).await
}

/// The same; of what was seen before, only what was seen `after` that instant is not looked at again.
pub async fn look_and_judge_after(
    observer: &Arc<Observer>,
    target: &Target,
    standard: &Standard,
    after: Option<Instant>,
) -> Judged {
    let mut evidence = observer.offers_after(target, after).await;
    let judgement = standard.judge(&evidence);
    let again = offers::falls_short(&judgement);
    let again =
        |at: usize, session: &Session| again.contains(&at) && session.endpoint.host.is_some();
    if !evidence.sessions.iter().enumerate().any(|(at, session)| again(at, session)) {
        return Judged { evidence, judgement };
    }
    for (at, session) in evidence.sessions.iter_mut().enumerate() {
        if again(at, session) {
            // Boxed, or every look would carry the room for this one.
            Box::pin(observer.look_without_sni(session, after)).await;
        }
    }
    evidence.finished_at = observer.clock().now();
    let judgement = standard.judge(&evidence);
    Judged { evidence, judgement }
}

/// The report of one partner with one claim, judged from the evidence.
pub fn report(
    partner: String,
    claim: Claim,
    standard: &Standard,
    evidence: &OffersEvidence,
) -> PartnerReport {
    told(partner, claim, standard, evidence, &standard.judge(evidence))
}

fn told(
    partner: String,
    claim: Claim,
    standard: &Standard,
    evidence: &OffersEvidence,
    judgement: &Judgement,
) -> PartnerReport {
    let requirement = standard.requirement.clone();
    let claim = ClaimReport::new(claim, requirement, judgement, digest(evidence));
    let state = judgement.state();
    // One claim was asked for, and no other could be made.
    PartnerReport { partner, state, claims: vec![claim], unclaimed: Vec::new() }
}
