//! `receiver-offers`: every endpoint of every target is looked at, and the worst of them is the claim's state.

use super::{Body, Patience, Proved};
use crate::daemon::look::{self, Judged, Standard};
use crate::model::{
    claim::Claim,
    evidence::OffersEvidence,
    judgement::{Judgement, Remarks},
    obstacle::{Obstacle, ObstacleId},
    report::ClaimReport,
    state::State,
    target::Target,
};
use crate::observe::offers::Observer;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// Looks at every target, side by side.
pub async fn round(
    observer: &Arc<Observer>,
    claim: Claim,
    standard: &Standard,
    targets: &[Target],
    patience: &Patience,
) -> Proved {
    let mut looks = JoinSet::new();
    for (at, target) in targets.iter().cloned().enumerate() {
        let (observer, standard) = (Arc::clone(observer), standard.clone());
        let after = patience.anew_after;
        looks.spawn(async move {
            (at, look::look_and_judge_after(&observer, &target, &standard, after).await)
        });
    }
    let mut seen: Vec<Option<Judged>> = targets.iter().map(|_| None).collect();
    loop {
        let next = tokio::select! {
            next = looks.join_next() => next,
            () = patience.ends() => None,
        };
        let Some(next) = next else { break };
        // A look that panicked is one that was not made.
        let Ok((at, judged)) = next else { continue };
        if let Some(place) = seen.get_mut(at) {
            *place = Some(judged);
        }
    }
    let seen: Vec<_> = targets.iter().zip(seen).collect();
    if seen.iter().all(|(_, judged)| judged.is_none()) {
        return patience.ran_out(claim, &standard.requirement);
    }
    told(claim, standard, seen)
}

/// One claim over several targets.
fn told(claim: Claim, standard: &Standard, seen: Vec<(&Target, Option<Judged>)>) -> Proved {
    let several = seen.len() > 1;
    let looks: Vec<(&Target, Option<OffersEvidence>, Judgement)> = seen
        .into_iter()
        .map(|(target, judged)| match judged {
            Some(Judged { evidence, judgement }) => (target, Some(evidence), judgement),
            None => (target, None, not_looked_at(target)),
        })
        .collect();
    let state = State::worst(looks.iter().map(|(_, _, judgement)| judgement.state()));
    let mut of_state = looks.iter().filter(|(_, _, judgement)| judgement.state() == state);
    let oldest = of_state.clone().filter_map(|(_, _, judgement)| judgement.proven_at()).min();
    let summary = match of_state.next() {
        Some((target, _, judgement)) if several => format!("{target}: {}", judgement.summary()),
        Some((_, _, judgement)) => judgement.summary().to_owned(),
        None => String::new(),
    };
    let evidence: Vec<_> = looks.iter().filter_map(|(_, evidence, _)| evidence.as_ref()).collect();
    let judgements = || looks.iter().map(|(_, _, judgement)| judgement);
    let mut findings: Vec<_> = judgements().flat_map(Judgement::findings).cloned().collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let body = match evidence.as_slice() {
        [only] => Body::of(only),
        all => Body::of(&all),
    };
    let sessions = evidence.iter().flat_map(|evidence| &evidence.sessions);
    let spent = sessions.flat_map(|session| &session.spent_ms);
    let spent = spent.map(|(phase, spent)| (*phase, Duration::from_millis(*spent))).collect();
    let report = ClaimReport {
        claim,
        state,
        requirement: standard.requirement.clone(),
        summary,
        findings,
        obstacles: judgements().flat_map(Judgement::obstacles).cloned().collect(),
        endpoints: judgements().flat_map(Judgement::endpoints).cloned().collect(),
        probes: Vec::new(),
        proven_at: oldest,
        evidence: body.digest,
    };
    Proved { report, evidence: body.json, spent }
}

fn not_looked_at(target: &Target) -> Judgement {
    let detail = "there was no time left to look at it";
    let first = Obstacle::new(ObstacleId::Undecided, target, detail);
    Judgement::unknown(first, Remarks { summary: detail.to_owned(), ..Remarks::default() })
}
