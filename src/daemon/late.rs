//! Probe mail that arrives where it must not, whenever it does: hours behind its round, or before it is over.
//!
//! 1. Every session that brought a probe's token is held against that probe, as the ledger has it.
//! 2. It is judged for each work it may break: by the requirement the probe was sent under, and by today's. Only what
//!    breaks both counts; the rest is left to the rounds.
//! 3. After a restart, sessions that were written down and perhaps not yet judged are judged again.
//!
//! Invariant: nothing but a forbidden delivery, or an envelope where none may be, comes out of here.
//! Invariant: a session that cannot be judged now, because the record is away, is judged later.

use super::{
    canaries::Canaries,
    ledger::LedgerError,
    matrix::Work,
    means::Means,
    round::{Proved, sender},
    verify,
};
use crate::model::{
    canary::Acting,
    claim::{Claim, Direction, Statement},
    delivery::{CanaryLook, CanarySession, DeliveryEvidence, Fitness, Probe},
    evidence,
    requirement::Requirement,
    state::State,
};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::mpsc, time::sleep};

/// How long the record may be away before it is asked again.
const AGAIN: Duration = Duration::from_secs(15);

/// A session that brought a probe.
#[derive(Debug)]
pub struct Late {
    /// The probe.
    pub probe: Probe,
    /// The session.
    pub session: Arc<CanarySession>,
}

/// Follows who comes to the canaries, until nobody listens any more. `judged_until` says up to when what came to the
/// canaries of a connector was judged before.
pub async fn watch(
    means: &Means,
    judged_until: &BTreeMap<String, Timestamp>,
    out: &mpsc::Sender<Late>,
) {
    let Some(canaries) = means.canaries() else { return };
    let mut changes = canaries.log().changes();
    let mut read = canaries.log().len();
    let mut waiting: VecDeque<Arc<CanarySession>> = loop {
        match earlier(means, judged_until).await {
            Ok(sessions) => break sessions.into(),
            Err(error) => {
                tracing::warn!(%error, "earlier sessions cannot be read yet");
                sleep(AGAIN).await;
            }
        }
    };
    loop {
        // Counted before they are read: one that comes in between is read twice, not never.
        let upto = canaries.log().len();
        waiting.extend(canaries.log().since(read));
        read = upto;
        while let Some(session) = waiting.front() {
            match probe_of(means, session).await {
                Ok(Some(probe)) => {
                    let session = Arc::clone(session);
                    if out.send(Late { probe, session }).await.is_err() {
                        return;
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "a session cannot be judged yet");
                    sleep(AGAIN).await;
                    continue;
                }
            }
            waiting.pop_front();
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// What was written down of probes before we ended, and perhaps not judged.
async fn earlier(
    means: &Means,
    judged_until: &BTreeMap<String, Timestamp>,
) -> Result<Vec<Arc<CanarySession>>, LedgerError> {
    let Some(ledger) = means.ledger() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for connector in &means.config.outbound {
        let Some(since) = judged_until.get(&connector.name) else { continue };
        for domain in connector.canaries.values() {
            found.extend(ledger.sessions_since(domain.clone(), *since).await?);
        }
    }
    Ok(found.into_iter().map(Arc::new).collect())
}

/// The probe a session is about, where it came as far as to break something.
async fn probe_of(means: &Means, session: &CanarySession) -> Result<Option<Probe>, LedgerError> {
    let is_worth = session.acting == Acting::AsItself && session.mail_from.is_some();
    let (Some(ledger), Some(id)) = (means.ledger(), session.probe.clone().filter(|_| is_worth))
    else {
        return Ok(None);
    };
    ledger.probe(id).await
}

impl Late {
    /// What it proves about a work that rests on these canaries: a violation, or nothing.
    pub fn proves(&self, means: &Means, work: &Work) -> Option<Proved> {
        if work.canaries_of() != Some(self.probe.connector.as_str()) {
            return None;
        }
        let then = self.judged(means, work, &self.probe.requirement)?;
        let today = self.judged(means, work, work.requirement())?;
        let is_broken = |proved: &Proved| proved.report.state == State::Violated;
        (is_broken(&then) && is_broken(&today)).then_some(then)
    }

    fn judged(&self, means: &Means, work: &Work, by: &Requirement) -> Option<Proved> {
        let claim = Claim { direction: Direction::Outbound, statement: Statement::SenderEnforces };
        let evidence = self.evidence(means, work, by)?;
        Some(sender::proved(claim, &evidence))
    }

    /// One probe and one session, as a round would have seen them.
    fn evidence(&self, means: &Means, work: &Work, by: &Requirement) -> Option<DeliveryEvidence> {
        let (connector, canaries) = verify::connectors(means, work)?;
        let look = look_of(means.canaries()?, &self.probe)?;
        let probe = Probe { requirement: by.clone(), ..self.probe.clone() };
        Some(DeliveryEvidence {
            format: evidence::FORMAT.to_owned(),
            connector: canaries.name.clone(),
            requirement: by.clone(),
            scope: verify::scope(means, work, connector, canaries),
            sni: canaries.sni,
            sender: canaries.sender.clone(),
            timing: canaries.timing,
            started_at: probe.created_at,
            finished_at: self.session.finished_at,
            canaries: vec![look],
            probes: vec![probe],
            sessions: vec![CanarySession::clone(&self.session)],
        })
    }
}

fn look_of(canaries: &Canaries, probe: &Probe) -> Option<CanaryLook> {
    let stand = canaries.stand(probe.rcpt_to.domain())?;
    Some(CanaryLook {
        personality: probe.personality,
        domain: stand.domain.clone(),
        hostname: stand.hostname.clone(),
        addresses: stand.addresses.clone(),
        fitness: stand.flaw.clone().map_or(Fitness::Fit, Fitness::NotTestable),
        shares_root: stand.shares_root,
    })
}
