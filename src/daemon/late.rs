//! Probe mail that arrives where it must not, whenever it does: hours behind its round, or before it is over.
//!
//! 1. Every session that brought a probe's token is held against that probe, as the ledger has it.
//! 2. It is judged under the requirement the probe was sent under; what is no violation is left to the rounds.
//! 3. After a restart, sessions that were written down and perhaps not yet judged are judged again.
//!
//! Invariant: nothing but a forbidden delivery, or an envelope in clear, comes out of here.

use super::{
    canaries::Canaries,
    ledger::LedgerError,
    means::Means,
    round::{Proved, sender},
};
use crate::model::{
    canary::Acting,
    claim::{Claim, Direction, Statement},
    delivery::{CanaryLook, CanarySession, DeliveryEvidence, Fitness, Probe, Scope},
    evidence,
    state::State,
};
use jiff::Timestamp;
use std::collections::BTreeMap;
use tokio::sync::mpsc;

/// A forbidden delivery.
#[derive(Debug)]
pub struct Late {
    /// The connector whose probe it was.
    pub connector: String,
    /// What it proves.
    pub proved: Proved,
}

/// Follows who comes to the canaries, until nobody listens any more. `judged` says up to when what came to the canaries
/// of a connector was judged before.
pub async fn watch(
    means: &Means,
    judged_until: &BTreeMap<String, Timestamp>,
    out: &mpsc::Sender<Late>,
) {
    let Some(canaries) = means.canaries() else { return };
    let mut changes = canaries.log().changes();
    let mut read = canaries.log().len();
    if catch_up(means, canaries, judged_until, out).await.is_none() {
        return;
    }
    loop {
        let sessions = canaries.log().since(read);
        read = canaries.log().len();
        for session in sessions {
            let Some(id) = probe_of(&session) else { continue };
            match judged(means, canaries, id, &session).await {
                Ok(Some(late)) => {
                    if out.send(late).await.is_err() {
                        return;
                    }
                }
                Ok(None) => {}
                Err(error) => tracing::error!(probe = id, %error, "a session cannot be judged"),
            }
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// What was written down of probes before we ended, and perhaps not judged.
async fn catch_up(
    means: &Means,
    canaries: &Canaries,
    judged_until: &BTreeMap<String, Timestamp>,
    out: &mpsc::Sender<Late>,
) -> Option<()> {
    let ledger = means.ledger()?;
    for connector in &means.config.outbound {
        let Some(since) = judged_until.get(&connector.name) else { continue };
        for domain in connector.canaries.values() {
            let sessions = match ledger.sessions_since(domain.clone(), *since).await {
                Ok(sessions) => sessions,
                Err(error) => {
                    tracing::error!(%domain, %error, "earlier sessions cannot be read");
                    continue;
                }
            };
            for session in sessions {
                let Some(id) = probe_of(&session) else { continue };
                if let Ok(Some(late)) = judged(means, canaries, id, &session).await {
                    out.send(late).await.ok()?;
                }
            }
        }
    }
    Some(())
}

/// The probe a session is about, where it may have breached something.
fn probe_of(session: &CanarySession) -> Option<&str> {
    let is_breach = session.message.is_some() || session.is_mail_in_clear;
    let id = session.probe.as_deref()?;
    (session.acting == Acting::AsItself && is_breach).then_some(id)
}

async fn judged(
    means: &Means,
    canaries: &Canaries,
    id: &str,
    session: &CanarySession,
) -> Result<Option<Late>, LedgerError> {
    let Some(ledger) = means.ledger() else { return Ok(None) };
    let Some(probe) = ledger.probe(id.to_owned()).await? else { return Ok(None) };
    let Some(evidence) = evidence_of(means, canaries, probe, session) else { return Ok(None) };
    let claim = Claim { direction: Direction::Outbound, statement: Statement::SenderEnforces };
    let connector = evidence.connector.clone();
    let proved = sender::proved(claim, &evidence);
    Ok((proved.report.state == State::Violated).then_some(Late { connector, proved }))
}

/// One probe and one session, as a round would have seen them.
fn evidence_of(
    means: &Means,
    canaries: &Canaries,
    probe: Probe,
    session: &CanarySession,
) -> Option<DeliveryEvidence> {
    let connector = means.config.outbound(&probe.connector)?;
    let stand = canaries.stand(probe.rcpt_to.domain())?;
    let look = CanaryLook {
        personality: probe.personality,
        domain: stand.domain.clone(),
        hostname: stand.hostname.clone(),
        addresses: stand.addresses.clone(),
        fitness: Fitness::Fit,
        shares_root: stand.shares_root,
    };
    Some(DeliveryEvidence {
        format: evidence::FORMAT.to_owned(),
        connector: probe.connector.clone(),
        requirement: probe.requirement.clone(),
        scope: Scope::Assumed,
        sni: connector.sni,
        sender: connector.sender.clone(),
        timing: connector.timing,
        started_at: probe.created_at,
        finished_at: session.finished_at,
        canaries: vec![look],
        probes: vec![probe],
        sessions: vec![session.clone()],
    })
}
