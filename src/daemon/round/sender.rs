//! `sender-enforces`: probe mail through our own mail system to canaries that misbehave, until it is decided.
//!
//! 1. Each canary of the connector is looked at as a sender would see it: its DNS and its certificate.
//! 2. A probe is on disk before it is submitted. None is sent while an older one may be queued for the same
//!    address, and canaries that share an address take turns.
//! 3. Whoever comes is evidence; what it means is judged again each time somebody came or a time is up.
//! 4. A probe that was refused is drained once its time has come: the canary turns good for our sender until the
//!    token arrives, so that queue and back-off are empty for the next round.
//!
//! Invariant: a round that ends early leaves every open probe in the record, and nothing that is open is proved.

use super::{Body, Patience, Proved, later};
use crate::daemon::{
    canaries::{Canaries, Stand},
    ledger::{Ledger, LedgerError},
};
use crate::judge::sender::{self, Rules};
use crate::model::{
    canary::Personality,
    claim::Claim,
    connector::OutboundConnector,
    delivery::{CanaryLook, CanarySession, DeliveryEvidence, Fitness, Probe, Scope, Submission},
    evidence,
    report::ClaimReport,
    requirement::Requirement,
};
use crate::observe::{
    canary_dns,
    clock::Clock,
    dns::Resolver,
    submit::{Submitter, fresh_id},
};
use crate::record::Settled;
use crate::wire::{mailbox::Mailbox, text::hex, token::TokenKey};
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// How long nobody looks at the clock.
const TICK: Duration = Duration::from_millis(500);

/// What a round needs beside the connector.
#[derive(Debug, Clone)]
pub struct Post {
    /// Our mail system.
    pub submitter: Arc<Submitter>,
    /// The canaries, listening.
    pub canaries: Arc<Canaries>,
    /// Where probes are written down.
    pub ledger: Ledger,
    /// What tokens are made with.
    pub key: Arc<TokenKey>,
    /// How canary DNS is looked at.
    pub resolver: Resolver,
    /// What sessions and probes are stamped with.
    pub clock: Clock,
}

/// One round under one connector.
pub struct Round<'a> {
    connector: &'a OutboundConnector,
    post: &'a Post,
    evidence: DeliveryEvidence,
    /// Canaries that wait for their probe.
    waiting: Vec<&'a Stand>,
    /// Probes that may be in our mail system's queue: older ones, and this round's.
    queued: Vec<Queued<'a>>,
    /// How many sessions of the canaries' log were taken in.
    read: usize,
}

/// A probe that may be in the queue, and the canary it goes to.
struct Queued<'a> {
    probe: Probe,
    stand: &'a Stand,
    /// From when on the canary turns good for it; none where it never does.
    drain_at: Option<Timestamp>,
    is_draining: bool,
}

impl<'a> Round<'a> {
    /// Looks at the canaries, and at what may still be queued for them.
    ///
    /// # Errors
    ///
    /// The record cannot be read.
    pub async fn begin(
        connector: &'a OutboundConnector,
        requirement: &Requirement,
        scope: Scope,
        post: &'a Post,
    ) -> Result<Self, LedgerError> {
        let read = post.canaries.log().len();
        let mut round = Self {
            connector,
            post,
            evidence: DeliveryEvidence {
                format: evidence::FORMAT.to_owned(),
                connector: connector.name.clone(),
                requirement: requirement.clone(),
                scope,
                sni: connector.sni,
                sender: connector.sender.clone(),
                timing: connector.timing,
                started_at: post.clock.now(),
                finished_at: post.clock.now(),
                canaries: Vec::new(),
                probes: Vec::new(),
                sessions: Vec::new(),
            },
            waiting: Vec::new(),
            queued: Vec::new(),
            read,
        };
        for (personality, domain) in &connector.canaries {
            let Some(stand) = post.canaries.stand(domain) else { continue };
            round.look(*personality, stand).await;
            round.queue_older(stand).await?;
        }
        Ok(round)
    }

    /// One canary as a sender would see it.
    async fn look(&mut self, personality: Personality, stand: &'a Stand) {
        let Stand { domain, hostname, addresses, flaw, shares_root, .. } = stand;
        let wrong = match flaw {
            Some(flaw) => Some(flaw.clone()),
            None => canary_dns::look(&self.post.resolver, domain, hostname, addresses).await.err(),
        };
        let fitness = match wrong {
            Some(wrong) => Fitness::NotTestable(wrong),
            None => {
                self.waiting.push(stand);
                Fitness::Occupied("its turn did not come".to_owned())
            }
        };
        self.evidence.canaries.push(CanaryLook {
            personality,
            domain: domain.clone(),
            hostname: hostname.clone(),
            addresses: addresses.clone(),
            fitness,
            shares_root: *shares_root,
        });
    }

    /// Probes of earlier rounds that our mail system may still try to deliver to this canary.
    async fn queue_older(&mut self, stand: &'a Stand) -> Result<(), LedgerError> {
        let now = self.post.clock.now();
        let domain = stand.domain.clone();
        let open = self.post.ledger.open_probes(domain, now).await?;
        let drain_after = self.connector.timing.drain_after;
        self.queued.extend(open.into_iter().map(|probe| Queued {
            drain_at: drain_after.map(|after| later(probe.created_at, after)),
            probe,
            stand,
            is_draining: false,
        }));
        Ok(())
    }

    /// Until it is decided, or patience ends.
    ///
    /// # Errors
    ///
    /// The record cannot be written: nothing is sent then, and nothing goes unrecorded.
    pub async fn run(mut self, patience: &Patience) -> Result<DeliveryEvidence, LedgerError> {
        let mut changes = self.post.canaries.log().changes();
        loop {
            self.take_in()?;
            self.drain().await;
            self.start(patience).await?;
            self.evidence.finished_at = self.post.clock.now();
            if !self.is_open(patience) {
                break;
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep(TICK) => {}
                () = patience.ends() => {
                    self.take_in()?;
                    self.evidence.finished_at = self.post.clock.now();
                    break;
                }
            }
        }
        self.say_what_is_in_the_way();
        Ok(self.evidence)
    }

    /// Whether something can still be decided in time.
    fn is_open(&self, patience: &Patience) -> bool {
        let rules = Rules { now: self.evidence.finished_at };
        let awaited = !sender::waits_for(&self.evidence, &rules).is_over();
        awaited || self.waiting.iter().any(|stand| self.may_come_free(stand, patience))
    }

    /// Whoever came to one of our canaries since we last looked.
    fn take_in(&mut self) -> Result<(), LedgerError> {
        if let Some(failure) = self.post.canaries.log().failure() {
            return Err(LedgerError::Canaries(failure.to_owned()));
        }
        let new = self.post.canaries.log().since(self.read);
        self.read += new.len();
        for session in new {
            let ours = |look: &CanaryLook| look.hostname == session.hostname;
            if !self.evidence.canaries.iter().any(ours) {
                continue;
            }
            if session.message.is_some() {
                self.settle(&session);
            }
            self.evidence.sessions.push(CanarySession::clone(&session));
        }
        Ok(())
    }

    /// A probe arrived: it is no longer queued. The ledger knows already.
    fn settle(&mut self, session: &CanarySession) {
        let is_it = |queued: &Queued<'_>| Some(&queued.probe.id) == session.probe.as_ref();
        let Some(at) = self.queued.iter().position(is_it) else { return };
        let arrived = self.queued.swap_remove(at);
        let hostname = &arrived.stand.hostname;
        let others = |queued: &Queued<'_>| queued.is_draining && queued.stand.hostname == *hostname;
        if arrived.is_draining && !self.queued.iter().any(others) {
            self.post.canaries.end_drain(hostname);
        }
    }

    /// Turns canaries good for the probes whose time has come.
    async fn drain(&mut self) {
        let now = self.post.clock.now();
        let refused = sender::to_drain(&self.evidence, &Rules { now });
        let this_round: Vec<&str> =
            self.evidence.probes.iter().map(|probe| probe.id.as_str()).collect();
        for queued in &mut self.queued {
            let is_due = if this_round.contains(&queued.probe.id.as_str()) {
                refused.contains(&queued.probe.personality)
            } else {
                queued.drain_at.is_some_and(|at| at <= now)
            };
            if is_due && !queued.is_draining && queued.stand.can_drain {
                let networks = &self.connector.sender.networks;
                self.post.canaries.take_turn(&queued.stand.hostname);
                self.post.canaries.drain(&queued.stand.hostname, networks);
                queued.is_draining = true;
            }
        }
    }

    /// Sends the probes of all canaries that are free.
    async fn start(&mut self, patience: &Patience) -> Result<(), LedgerError> {
        if patience.is_over() {
            return Ok(());
        }
        let mut sent = tokio::task::JoinSet::new();
        while let Some(at) = self.waiting.iter().position(|stand| !self.is_taken(stand)) {
            let stand = self.waiting.swap_remove(at);
            self.post.canaries.take_turn(&stand.hostname);
            let Some(probe) = self.probe(stand) else { continue };
            self.post.ledger.add_probe(probe.clone()).await?;
            self.queued.push(Queued {
                probe: probe.clone(),
                stand,
                drain_at: None,
                is_draining: false,
            });
            self.evidence.probes.push(probe.clone());
            self.set_fitness(stand, Fitness::Fit);
            let submitter = Arc::clone(&self.post.submitter);
            sent.spawn(async move {
                let submission = submitter.submit(&probe).await;
                (probe.id, submission)
            });
        }
        while let Some(sent) = sent.join_next().await {
            // A submission that panicked is one that may have been made: the probe stays open.
            let Ok((id, submission)) = sent else { continue };
            self.post.ledger.set_submission(id.clone(), submission.clone()).await?;
            if matches!(submission, Submission::Failed { .. }) {
                let now = self.post.clock.now();
                self.queued.retain(|queued| queued.probe.id != id);
                self.post.ledger.settle(id.clone(), Settled::NotTaken, now).await?;
            }
            let of_id = |probe: &&mut Probe| probe.id == id;
            if let Some(probe) = self.evidence.probes.iter_mut().find(of_id) {
                probe.submission = Some(submission);
            }
        }
        Ok(())
    }

    /// A probe for one canary; none where nothing random can be had.
    fn probe(&self, stand: &Stand) -> Option<Probe> {
        let submit = self.connector.submit.as_ref()?;
        let created_at = self.post.clock.now();
        let expires_at = later(created_at, self.connector.timing.queue_lifetime);
        let id = fresh_id().ok()?;
        let token = self.post.key.mint(id, expires_at);
        Some(Probe {
            id: hex(&id),
            personality: stand.personality,
            connector: self.connector.name.clone(),
            requirement: self.evidence.requirement.clone(),
            mail_from: submit.from.clone(),
            rcpt_to: Mailbox::new(&token, stand.domain.clone()).ok()?,
            created_at,
            expires_at,
            submission: None,
        })
    }

    /// The probe that keeps a canary from being sent to: its own, or one for the same address.
    fn taken_by(&self, stand: &Stand) -> Option<&Queued<'a>> {
        let shares = |other: &Stand| other.listen.iter().any(|at| stand.listen.contains(at));
        self.queued.iter().find(|queued| shares(queued.stand))
    }

    fn is_taken(&self, stand: &Stand) -> bool {
        self.taken_by(stand).is_some()
    }

    /// Whether its address may come free before patience ends.
    fn may_come_free(&self, stand: &Stand, patience: &Patience) -> bool {
        let Some(queued) = self.taken_by(stand) else { return true };
        if !queued.stand.can_drain {
            return false;
        }
        let now = self.post.clock.now();
        let left = patience.until.saturating_duration_since(Instant::now());
        let drain_at = match (queued.drain_at, self.connector.timing.drain_after) {
            (Some(at), _) => at,
            // One of this round: it is drained so long after it was refused.
            (None, Some(after)) => later(queued.probe.created_at, after),
            (None, None) => return false,
        };
        queued.is_draining || drain_at < later(now, left)
    }

    /// Tells of each canary that got no probe why it got none.
    fn say_what_is_in_the_way(&mut self) {
        for stand in std::mem::take(&mut self.waiting) {
            let why = match self.taken_by(stand) {
                None => "there was no time left for its probe".to_owned(),
                Some(Queued { probe, drain_at, .. }) => {
                    let drained = match drain_at {
                        Some(at) => format!("the canary takes it from {at} on"),
                        None => "it is not drained".to_owned(),
                    };
                    format!(
                        "a probe of {} to {} may be in our mail system's queue until {}; {drained}",
                        probe.created_at,
                        probe.rcpt_to.domain(),
                        probe.expires_at,
                    )
                }
            };
            self.set_fitness(stand, Fitness::Occupied(why));
        }
    }

    fn set_fitness(&mut self, stand: &Stand, fitness: Fitness) {
        let of_stand = |look: &&mut CanaryLook| look.domain == stand.domain;
        if let Some(look) = self.evidence.canaries.iter_mut().find(of_stand) {
            look.fitness = fitness;
        }
    }
}

/// The claim a round proves.
pub fn proved(claim: Claim, evidence: &DeliveryEvidence) -> Proved {
    let judgement = sender::judge(evidence, &Rules { now: evidence.finished_at });
    let body = Body::of(evidence);
    let report = ClaimReport::new(claim, evidence.requirement.clone(), &judgement, body.digest);
    Proved { report, evidence: body.json, spent: Vec::new() }
}
