//! `receiver-enforces`: an experiment at every endpoint, and another where only a second one can decide.
//!
//! 1. Control, negatives, control, at every endpoint.
//! 2. Judged; where a refusal says nothing of TLS, once more after the time a grey-lister needs.
//! 3. Nobody waits beyond patience: what is open then is `undecided`.

use super::{Body, Patience, Proved};
use crate::judge::{
    receiver::{self, Rules, Tenant},
    replies::ReplyTable,
};
use crate::model::{
    claim::Claim, enforcement::Place, judgement::Quorum, report::ClaimReport,
    requirement::Requirement,
};
use crate::observe::{clock::Clock, enforces::EnforcesPlan, offers::Observer};
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// What a round is judged by.
#[derive(Debug, Clone)]
pub struct Standard {
    /// What replies mean.
    pub replies: Arc<ReplyTable>,
    /// Which endpoints must be proved.
    pub quorum: Quorum,
    /// What is behind our receivers.
    pub tenant: Tenant,
}

/// Tries less than the agreed TLS until it is decided.
pub async fn round(
    observer: &Arc<Observer>,
    claim: Claim,
    requirement: &Requirement,
    plan: &EnforcesPlan,
    standard: &Standard,
    patience: &Patience,
) -> Proved {
    let mut evidence = tokio::select! {
        evidence = observer.enforces(plan) => evidence,
        () = patience.ends() => return patience.ran_out(claim, requirement),
    };
    loop {
        let rules = standard.rules(observer.clock().now());
        let Some(again) = receiver::look_again(&evidence, &rules) else { break };
        // A partner's receiver is probed once a day.
        if plan.demand.place == Place::Partners {
            break;
        }
        let at = instant_of(observer.clock(), again.at);
        if !patience.lasts_until(at).await {
            break;
        }
        // A second experiment that is cut short is none; what was seen before it stands.
        let mut longer = evidence.clone();
        tokio::select! {
            () = observer.enforces_again(plan, &mut longer, &again.endpoints) => evidence = longer,
            () = patience.ends() => break,
        }
    }
    let judgement = receiver::judge(&evidence, &standard.rules(evidence.finished_at));
    let body = Body::of(&evidence);
    let mut report = ClaimReport::new(claim, requirement.clone(), &judgement, body.digest);
    report.findings.extend(receiver::tenant_not_probed(&evidence, standard.tenant));
    report.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Proved { report, evidence: body.json, spent: Vec::new() }
}

impl Standard {
    fn rules(&self, now: Timestamp) -> Rules<'_> {
        Rules { replies: &self.replies, now, quorum: self.quorum }
    }
}

/// The monotonic instant of a wall-clock one; now, where it has passed.
fn instant_of(clock: Clock, at: Timestamp) -> Instant {
    let left = at.duration_since(clock.now());
    Instant::now() + Duration::try_from(left).unwrap_or_default()
}
