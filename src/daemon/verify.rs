//! Every claim proved now: all works side by side, until each is decided or patience ends.
//!
//! Invariant: each claim of each work is told once, whatever became of the work.

use super::{
    elsewhere,
    ledger::LedgerError,
    look::Standard,
    matrix::{Enforce, Proof, Said, Work},
    means::Means,
    round::{self, Body, Patience, Proved, sender::Round},
};
use crate::judge::configured::{self, Agreement};
use crate::model::{
    claim::{Claim, Direction},
    connector::{CertificateFiles, OutboundConnector},
    delivery::Scope,
    judgement::{Judgement, Remarks},
    obstacle::{Obstacle, ObstacleId},
    report::{ClaimReport, PartnerReport},
    requirement::Requirement,
    state::State,
};
use crate::observe::{
    enforces::EnforcesPlan,
    identity::{ClientIdentity, ClientIdentityError},
    letter::Letterhead,
};
use crate::wire::name::Domain;
use jiff::Timestamp;
use std::{collections::HashMap, sync::Arc};
use tokio::task::JoinSet;

/// Proves every work; `done` hears how many are. The partners come in the order of the configuration.
pub async fn verify(
    means: &Arc<Means>,
    works: &[Work],
    patience: &Patience,
    mut done: impl FnMut(usize),
) -> Vec<PartnerReport> {
    let mut running = JoinSet::new();
    let mut claims: HashMap<tokio::task::Id, usize> = HashMap::new();
    for (at, work) in works.iter().cloned().enumerate() {
        let (means, patience) = (Arc::clone(means), patience.clone());
        let task = running.spawn(async move { prove(&means, &work, &patience).await.report });
        claims.insert(task.id(), at);
    }
    let mut told: Vec<Option<ClaimReport>> = works.iter().map(|_| None).collect();
    let mut count = 0;
    while let Some(next) = running.join_next_with_id().await {
        let (id, report) = match next {
            Ok((id, report)) => (id, Some(report)),
            Err(error) => (error.id(), None),
        };
        if let Some(place) = claims.get(&id).and_then(|at| told.get_mut(*at)) {
            *place = report;
        }
        count += 1;
        done(count);
    }
    let told = works.iter().zip(told).map(|(work, report)| {
        let report = report.unwrap_or_else(|| unknown(work, ObstacleId::InternalError, PANICKED));
        (work, report)
    });
    by_partner(means, &told.collect::<Vec<_>>())
}

const PANICKED: &str = "the proof panicked; this is a defect of mxwarden";

/// The reports of works, told once for each claim that rests on them.
pub fn by_partner(means: &Means, told: &[(&Work, ClaimReport)]) -> Vec<PartnerReport> {
    let mut partners = Vec::new();
    for partner in &means.config.partners {
        let mut claims: Vec<ClaimReport> = Vec::new();
        for (work, report) in told {
            let of_partner = work.claims.iter().filter(|(name, _)| *name == partner.name);
            claims.extend(
                of_partner.map(|(_, claim)| ClaimReport { claim: *claim, ..report.clone() }),
            );
        }
        if claims.is_empty() {
            continue;
        }
        for contradiction in configured::contradictions(&claims) {
            let of_claim = |report: &&mut ClaimReport| report.claim == contradiction.claim;
            if let Some(report) = claims.iter_mut().find(of_claim) {
                report.findings.push(contradiction.finding);
            }
        }
        let order: Vec<Claim> = Claim::all().collect();
        claims.sort_by_key(|report| order.iter().position(|claim| *claim == report.claim));
        let state = State::worst(claims.iter().map(|claim| claim.state));
        let unclaimed = means.config.unclaimed(partner);
        partners.push(PartnerReport { partner: partner.name.clone(), state, claims, unclaimed });
    }
    partners
}

/// Proves one work, if it may be proved now.
pub async fn prove(means: &Arc<Means>, work: &Work, patience: &Patience) -> Proved {
    match ask_leave(means, work).await {
        Ok(()) => prove_now(means, work, patience).await,
        Err(refused) => nothing(work, ObstacleId::Undecided, &chain(&refused)),
    }
}

/// Proves one work. Whoever calls this has [asked for leave](ask_leave).
pub async fn prove_now(means: &Arc<Means>, work: &Work, patience: &Patience) -> Proved {
    let claim = first_claim(work);
    match &work.proof {
        Proof::Configured(said) => configured(means, claim, said),
        Proof::NotTestable { why, .. } => nothing(work, ObstacleId::NotTestable, why),
        Proof::ReceiverEnforces(enforce) => match plan(means, enforce) {
            Ok(plan) => {
                let standard = round::receiver::Standard {
                    replies: Arc::clone(&means.replies),
                    quorum: means.quorum,
                    tenant: means.tenant(),
                };
                let requirement = &enforce.requirement;
                let observer = &means.observer;
                round::receiver::round(observer, claim, requirement, &plan, &standard, patience)
                    .await
            }
            Err(error) => nothing(work, ObstacleId::NotTestable, &chain(&error)),
        },
        Proof::ReceiverOffers { requirement, targets } => {
            let standard = Standard {
                requirement: requirement.clone(),
                roots: Arc::clone(&means.roots),
                quorum: means.quorum,
                warn_days: means.warn_days,
            };
            let observer = &means.observer;
            let proved = round::offers::round(observer, claim, &standard, targets, patience).await;
            elsewhere::confirmed(means, &standard, targets, patience, proved).await
        }
        Proof::SenderEnforces { connector, proved_on, .. } => {
            let connector = means.config.outbound(connector);
            let canaries = means.config.outbound(proved_on);
            match (connector, canaries, means.post(proved_on)) {
                (Some(connector), Some(canaries), Some(post)) => {
                    let requirement = &connector.requirement;
                    let scope = scope(means, work, connector, canaries);
                    let begun = Round::begin(canaries, requirement, scope, post).await;
                    let evidence = match begun {
                        Ok(round) => round.run(patience).await,
                        Err(error) => Err(error),
                    };
                    match evidence {
                        Ok(evidence) => round::sender::proved(claim, &evidence),
                        Err(error) => nothing(work, ObstacleId::InternalError, &chain(&error)),
                    }
                }
                _ => nothing(work, ObstacleId::NotTestable, "its canaries are not running"),
            }
        }
    }
}

/// The imported connector against the agreement.
fn configured(means: &Means, claim: Claim, said: &Said) -> Proved {
    let records = &means.config.imported.records;
    let agreement = Agreement {
        direction: said.direction,
        connector: &said.connector,
        requirement: &said.requirement,
        client_names: &said.client_names,
        domains: &said.domains,
        targets: &said.targets,
        ours: &means.config.organisation.domains,
    };
    let max_age = means.config.claims.configured.max_age;
    let standard = configured::Standard { now: means.clock().now(), max_age };
    let judgement = configured::judge(records, &agreement, &standard);
    let import = configured::import_of(records, said.direction, &said.connector);
    let body = import.map(|import| Body::of(&import)).unwrap_or_default();
    let report = ClaimReport::new(claim, said.requirement.clone(), &judgement, body.digest);
    Proved { report, evidence: body.json, spent: Vec::new() }
}

/// The connector a work is about, and the one whose canaries prove it.
pub(super) fn connectors<'a>(
    means: &'a Means,
    work: &Work,
) -> Option<(&'a OutboundConnector, &'a OutboundConnector)> {
    let Proof::SenderEnforces { connector, proved_on, .. } = &work.proof else { return None };
    Some((means.config.outbound(connector)?, means.config.outbound(proved_on)?))
}

/// Whether partners and canaries lie under one imported connector; without records that is assumed.
pub(super) fn scope(
    means: &Means,
    work: &Work,
    connector: &OutboundConnector,
    canaries: &OutboundConnector,
) -> Scope {
    let imported = &means.config.imported;
    if !imported.speaks_of(Direction::Outbound, &connector.name) {
        return Scope::Assumed;
    }
    let partners = work.claims.iter().filter_map(|(name, _)| means.config.partner(name));
    let domains: Vec<Domain> = partners.flat_map(|partner| partner.domains.clone()).collect();
    configured::scope(&imported.records, connector, canaries, &domains)
}

/// Why a work must not be proved now.
#[derive(Debug, thiserror::Error)]
pub enum NoLeave {
    /// Nobody knows when it was last.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Nobody can know.
    #[error("the record is not open")]
    NoLedger,
    /// It was not long ago.
    #[error("a partner's receiver is probed once a day, and this one was at {0}")]
    OnceADay(Timestamp),
}

/// Leave to prove a work now: a partner's receiver is probed once a day, our own whenever we like.
///
/// # Errors
///
/// It was probed within the day, or nobody knows.
pub async fn ask_leave(means: &Means, work: &Work) -> Result<(), NoLeave> {
    if !work.is_at_partners() {
        return Ok(());
    }
    let ledger = means.ledger().ok_or(NoLeave::NoLedger)?;
    let partner = work.claims.first().map(|(name, _)| name.clone()).unwrap_or_default();
    ledger.ask_leave(partner, means.clock().now()).await?.map_err(NoLeave::OnceADay)
}

fn plan(means: &Means, enforce: &Enforce) -> Result<EnforcesPlan, ClientIdentityError> {
    let read = |files: Option<&CertificateFiles>| {
        files.map(ClientIdentity::read).transpose().map(|identity| identity.map(Arc::new))
    };
    let probe = enforce.probe.as_ref();
    Ok(EnforcesPlan {
        demand: enforce.demand.clone(),
        targets: enforce.targets.clone(),
        client: read(probe.and_then(|probe| probe.client_certificate.as_ref()))?,
        other_client: read(probe.and_then(|probe| probe.other_client_certificate.as_ref()))?,
        sources: probe.map(|probe| probe.source_addresses.clone()).unwrap_or_default(),
        letterhead: Letterhead {
            organisation: means.config.organisation.name.clone(),
            // Messages go to our own probe address alone, and say that they come from there.
            from: enforce.demand.envelope.rcpt_to.clone(),
            contact: format!("postmaster@{}", enforce.demand.envelope.rcpt_to.domain()),
        },
    })
}

fn first_claim(work: &Work) -> Claim {
    work.claims.first().map_or(Claim::OUTBOUND_RECEIVER_OFFERS, |(_, claim)| *claim)
}

fn nothing(work: &Work, id: ObstacleId, detail: &str) -> Proved {
    Proved::without_evidence(unknown(work, id, detail))
}

/// What is told of a work that came to nothing.
pub fn unknown(work: &Work, id: ObstacleId, detail: &str) -> ClaimReport {
    let claim = first_claim(work);
    unknown_claim(claim, work.requirement().clone(), Obstacle::new(id, claim, detail))
}

fn unknown_claim(claim: Claim, requirement: Requirement, first: Obstacle) -> ClaimReport {
    let remarks = Remarks { summary: first.detail.clone(), ..Remarks::default() };
    ClaimReport::new(claim, requirement, &Judgement::unknown(first, remarks), String::new())
}

/// An error with everything it came from.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        told.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    told
}
