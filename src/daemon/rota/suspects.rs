//! Looks that ended worse than before wait a moment: where many did at once, it may be us.
//!
//! 1. A bad look is held until the looks of its round are over, or for a moment.
//! 2. Meanwhile the witnesses are asked: our resolver, our own `good` canary, the beacons; and a few partners that were
//!    well when they were last looked at are looked at now, for looks come an hour apart and an outage of ours at once.
//! 3. What our own outage explains is withheld; the rest counts as it is.
//!
//! Invariant: nothing is held for longer than [`HOLD`] and the time witnesses have.

use super::{Done, Rota, Stage, begin::Wanted};
use crate::daemon::{books::Key, matrix::Work, round::Proved, witnesses, witnesses::Witnesses};
use crate::judge::outage::{self, Outage, Vantage};
use crate::model::{
    claim::{Claim, Statement},
    event::Happening,
    report::ClaimReport,
    standing::{Look, Standing},
    state::State,
};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// How long a bad look waits for the others of its round: a little longer than a look at an endpoint that says nothing.
const HOLD: Duration = Duration::from_secs(75);
/// How long it waits when a witness is slow.
const HOLD_AT_MOST: Duration = Duration::from_secs(90);
/// What witnesses said counts so long.
const FRESH: Duration = Duration::from_secs(60);
/// Partners that are looked at before their time, where another is suspicious.
const OTHERS: usize = 3;
/// Nobody is looked at again so soon.
const SOON: SignedDuration = SignedDuration::from_mins(2);
/// Looks that are older can belong to no round that is held.
const ROUND: SignedDuration = SignedDuration::from_mins(10);

/// What is held, and what it is held against.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    held: Vec<Held>,
    recent: BTreeMap<Key, Look>,
    witnesses: Option<(Instant, Witnesses)>,
    is_asking: bool,
    /// The claims that our own outage was withheld from.
    withheld: BTreeSet<Key>,
}

/// A bad look.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) work: Work,
    pub(super) basis: String,
    pub(super) proved: Proved,
    /// When it was over.
    pub(super) at: Timestamp,
    /// When it began.
    pub(super) began_at: Timestamp,
    /// Since when it is held.
    pub(super) since: Instant,
}

impl Held {
    fn look(&self) -> Option<Look> {
        look(&self.work, &self.basis, &self.proved.report, self.at)
    }
}

fn look(work: &Work, basis: &str, report: &ClaimReport, at: Timestamp) -> Option<Look> {
    let (partner, claim) = work.claims.first()?;
    let report = ClaimReport { claim: *claim, ..report.clone() };
    Some(Look { partner: partner.clone(), at, basis: basis.to_owned(), report })
}

fn is_outbound_offer(work: &Work) -> bool {
    let is_it = |(_, claim): &Key| *claim == Claim::OUTBOUND_RECEIVER_OFFERS;
    work.claims.first().is_some_and(is_it)
}

impl Suspects {
    pub(super) fn hold(&mut self, held: Held) {
        self.held.push(held);
    }

    /// Witnesses that were asked and never answered may be asked again.
    pub(super) fn ask_again(&mut self) {
        self.is_asking = false;
    }

    pub(super) fn holds(&self, work: &Work) -> bool {
        self.held.iter().any(|held| held.work.proof == work.proof)
    }

    /// A look of the round, as it was before anything was withheld.
    pub(super) fn remember(&mut self, work: &Work, report: &ClaimReport, at: Timestamp) {
        let Some(key) = work.claims.first() else { return };
        if key.1.statement != Statement::ReceiverOffers {
            return;
        }
        if let Some(look) = look(work, "", report, at) {
            self.recent.insert(key.clone(), look);
        }
    }

    pub(super) fn heard(&mut self, witnesses: Witnesses) {
        self.is_asking = false;
        self.witnesses = Some((Instant::now(), witnesses));
    }

    pub(super) fn wake(&self) -> Option<Instant> {
        let hold = if self.is_asking { HOLD_AT_MOST } else { HOLD };
        self.held.iter().map(|held| held.since + hold).min()
    }

    fn fresh(&self) -> Option<&Witnesses> {
        let (at, witnesses) = self.witnesses.as_ref()?;
        (at.elapsed() < FRESH).then_some(witnesses)
    }
}

impl Rota {
    /// Whether a look should wait for the others of its round.
    pub(super) fn is_suspicious(&self, work: &Work, report: &ClaimReport) -> bool {
        let Some(key) = work.claims.first() else { return false };
        let stood = self.books.standing(key).map(|standing| standing.state);
        let has_peers = self.works.len() > 1 || !self.means.config.rounds.beacons.is_empty();
        key.1.statement == Statement::ReceiverOffers
            && report.state != State::Compliant
            && (stood != Some(report.state) || self.suspects.withheld.contains(key))
            && has_peers
    }

    /// Asks the witnesses, unless they were asked a short while ago.
    pub(super) fn ask_the_witnesses(&mut self) {
        let is_ending = self.stage == Stage::Ending;
        if is_ending || self.suspects.is_asking || self.suspects.fresh().is_some() {
            return;
        }
        self.suspects.is_asking = true;
        let means = Arc::clone(&self.means);
        self.running.spawn(async move { Done::Witnesses(witnesses::ask(means).await) });
    }

    /// Looks at a few others that were well, or that our outage hides, least recently looked at first.
    pub(super) fn ask_the_others(&mut self) {
        if self.stage == Stage::Ending {
            return;
        }
        let now = self.means.clock().now();
        let mut others: Vec<(Timestamp, Work)> = Vec::new();
        for work in self.works.iter().filter(|work| is_outbound_offer(work)) {
            let standing = work.claims.first().and_then(|key| self.books.standing(key));
            let is_hidden = work.claims.iter().any(|key| self.suspects.withheld.contains(key));
            let Some(looked_at) = standing
                .filter(|standing| is_hidden || standing.state == State::Compliant)
                .and_then(|standing| standing.looked_at)
            else {
                continue;
            };
            let is_free = !self.is_running(work) && !self.suspects.holds(work);
            if is_free && now.duration_since(looked_at) >= SOON {
                others.push((looked_at, work.clone()));
            }
        }
        others.sort_by_key(|(looked_at, _)| *looked_at);
        for (_, work) in others.into_iter().take(OTHERS) {
            self.begin(work, Duration::ZERO, Wanted::ByTime);
        }
    }

    /// Enters what was held long enough, less what is our own fault.
    pub(super) fn release_suspects(&mut self) {
        if !self.is_time() {
            return;
        }
        let held = std::mem::take(&mut self.suspects.held);
        let outage = self.outage(&held);
        for mut one in held {
            self.suspects.remember(&one.work, &one.proved.report, one.at);
            let affected = one.look().zip(outage.as_ref());
            let affected = affected.filter(|(look, outage)| outage.affects(look));
            if let Some((_, outage)) = affected {
                one.proved.report = outage::withhold(&one.proved.report, outage);
                self.withheld(&one.work, outage);
            } else {
                self.seen_again(&one.work);
            }
            self.enter(&one.work, &one.basis, &one.proved, one.at);
        }
    }

    fn is_time(&self) -> bool {
        let Some(oldest) = self.suspects.held.iter().map(|held| held.since).min() else {
            return false;
        };
        let offers = |work: &Work| {
            work.claims
                .first()
                .is_some_and(|(_, claim)| claim.statement == Statement::ReceiverOffers)
        };
        let is_round_over = !self.flights.values().any(|flight| offers(&flight.work));
        let waited = oldest.elapsed();
        (!self.suspects.is_asking && (is_round_over || waited >= HOLD)) || waited >= HOLD_AT_MOST
    }

    fn outage(&mut self, held: &[Held]) -> Option<Outage> {
        let now = self.means.clock().now();
        // Whoever our outage hides is hidden until seen again, however long that takes. Of the others what they showed
        // before the round says nothing of now.
        let began = held.iter().map(|one| one.began_at).min().unwrap_or(now);
        let withheld = &self.suspects.withheld;
        let is_kept =
            |key: &Key, look: &Look| now.duration_since(look.at) < ROUND || withheld.contains(key);
        self.suspects.recent.retain(|key, look| is_kept(key, look));
        let looks: Vec<Look> = held.iter().filter_map(Held::look).collect();
        let again = |look: &&Look| {
            !looks
                .iter()
                .any(|one| one.partner == look.partner && one.report.claim == look.report.claim)
        };
        let of_round = |(key, look): &(&Key, &Look)| look.at >= began || withheld.contains(*key);
        let recent = self.suspects.recent.iter().filter(of_round).map(|(_, look)| look);
        let looks: Vec<&Look> = recent.filter(again).chain(&looks).collect();
        let keys = looks.iter().map(|look| (look.partner.clone(), look.report.claim));
        let before: Vec<&Standing> = keys.filter_map(|key| self.books.standing(&key)).collect();
        let witnesses = self.suspects.fresh().cloned().unwrap_or_default();
        outage::judge(&Vantage {
            looks: &looks,
            beacons: &witnesses.beacons,
            resolver: witnesses.resolver,
            good_canary: witnesses.good_canary,
            before: &before,
        })
    }

    fn withheld(&mut self, work: &Work, outage: &Outage) {
        if self.suspects.withheld.is_empty() {
            let detail = outage.detail.clone();
            self.books.note(None, None, Happening::SelfOutageBegan { detail });
        }
        self.suspects.withheld.extend(work.claims.iter().cloned());
    }

    /// Claims that are configured no longer are hidden by nothing.
    pub(super) fn forget_who_is_gone(&mut self) {
        let was_hiding = !self.suspects.withheld.is_empty();
        let books = &self.books;
        self.suspects.withheld.retain(|key| books.standing(key).is_some());
        self.suspects.recent.retain(|key, _| books.standing(key).is_some());
        if was_hiding && self.suspects.withheld.is_empty() {
            self.our_outage_is_over();
        }
    }

    /// A work was seen as it is: our outage no longer hides it.
    pub(super) fn seen_again(&mut self, work: &Work) {
        if self.suspects.withheld.is_empty() {
            return;
        }
        for key in &work.claims {
            self.suspects.withheld.remove(key);
        }
        if self.suspects.withheld.is_empty() {
            self.our_outage_is_over();
        }
    }

    fn our_outage_is_over(&mut self) {
        let detail = "everybody it hid was seen again".to_owned();
        self.books.note(None, None, Happening::SelfOutageEnded { detail });
    }
}
