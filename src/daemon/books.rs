//! The daemon's books: how every claim stands, when it is due, and what happened since they were last handed out.
//!
//! 1. They are opened from the record and held against the configuration: new claims begin, changed ones lose their
//!    proof, those that are gone go.
//! 2. A look is entered by the rules of [`change`]; so is the passing of time.
//! 3. What was entered is handed out to the record, the metrics and the alerts, once, in order.
//!
//! Invariant: a standing is only ever made by [`change`]; every change of a state is one event and one line in the log.

use super::{
    matrix::{Proof, Said, Work},
    round::Proved,
    schedule::{self, Arrival},
};
use crate::config::{
    Config,
    settings::{ClaimTimes, Times},
};
use crate::judge::{
    change::{self, Again, Next, Rules},
    configured,
};
use crate::model::{
    canary::Canary,
    claim::{Claim, Direction},
    connector::OutboundConnector,
    event::{Event, Happening},
    finding::{Finding, FindingId},
    report::ClaimReport,
    standing::{Look, Standing},
    state::State,
};
use crate::observe::clock::Clock;
use crate::record::{Commit, Due, Seen};
use crate::wire::text::hex;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

/// Whose claim, and which.
pub type Key = (String, Claim);

/// One claim.
#[derive(Debug, Clone)]
struct Entry {
    standing: Standing,
    due: Due,
    times: Times,
    /// How far the clock has jumped since the claim was looked at: what was proved before is as old as it was.
    skew: SignedDuration,
}

impl Entry {
    fn new(standing: Standing, due: Due, times: Times) -> Self {
        Self { standing, due, times, skew: SignedDuration::ZERO }
    }
}

/// How every claim stands.
#[derive(Debug)]
pub struct Books {
    clock: Clock,
    confirm: u32,
    entries: BTreeMap<Key, Entry>,
    /// The claims of which it was told that word and deed contradict each other.
    contradicted: BTreeSet<Key>,
    outbox: Outbox,
    ids: ulid::Generator,
}

/// What was entered and not yet handed out.
#[derive(Debug, Default)]
pub struct Outbox {
    /// For the record.
    pub commit: Commit,
    /// For whoever speaks of them.
    pub events: Vec<Event>,
    /// Whether any standing is another than before.
    pub is_changed: bool,
}

/// What the books are held against.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// What is to be proved.
    pub works: &'a [Work],
    /// By what it is proved, how often, and how long a proof holds.
    pub config: &'a Config,
    /// The claims that are proved in this run; all where there are none.
    pub only: &'a [Claim],
}

impl Books {
    /// The books as they were left.
    pub fn open(clock: Clock, standings: Vec<Standing>, due: Vec<Due>) -> Self {
        let mut dues: BTreeMap<Key, Due> =
            due.into_iter().map(|due| ((due.partner.clone(), due.claim), due)).collect();
        let now = clock.now();
        let entry = |standing: Standing| {
            let key = (standing.partner.clone(), standing.claim);
            let at_once = || due_of(&key, now, 0);
            let due = dues.remove(&key).unwrap_or_else(at_once);
            let times = ClaimTimes::default().of(standing.claim);
            (key, Entry::new(standing, due, times))
        };
        let is_contradicted = |standing: &&Standing| {
            let is_it = |one: &Finding| one.id == FindingId::ConfiguredContradicted;
            standing.findings.iter().any(is_it)
        };
        let contradicted = standings.iter().filter(is_contradicted);
        let contradicted =
            contradicted.map(|standing| (standing.partner.clone(), standing.claim)).collect();
        Self {
            contradicted,
            entries: standings.into_iter().map(entry).collect(),
            confirm: 2,
            outbox: Outbox::default(),
            ids: ulid::Generator::new(),
            clock,
        }
    }

    /// Holds the books against a configuration; what changed of the claims, in words.
    pub fn adopt(&mut self, terms: Terms<'_>) -> String {
        let now = self.clock.now();
        self.confirm = terms.config.rounds.confirm;
        let mut old = std::mem::take(&mut self.entries);
        let (mut added, mut changed) = (0, 0);
        for work in terms.works {
            let (basis, requirement) = (basis(work, terms.config), work.requirement());
            for (partner, claim) in &work.claims {
                let key = (partner.clone(), *claim);
                let times = terms.config.claims.of(*claim);
                let jitter = schedule::jitter_of(partner, *claim);
                let entry = match old.remove(&key) {
                    None => {
                        added += 1;
                        let standing = change::begin(partner, *claim, requirement, &basis, now);
                        self.outbox.commit.standings.push(standing.clone());
                        let at =
                            schedule::first_due(None, Arrival::NewOrChanged, times, now, jitter);
                        Entry::new(standing, due_of(&key, at, 0), times)
                    }
                    Some(mut entry) => {
                        entry.times = times;
                        match change::rebase(&entry.standing, requirement, &basis, now) {
                            Some(next) => {
                                changed += 1;
                                let at = schedule::first_due(
                                    None,
                                    Arrival::NewOrChanged,
                                    times,
                                    now,
                                    jitter,
                                );
                                entry.due = due_of(&key, at, 0);
                                self.enter(&mut entry, next, now);
                            }
                            None => {
                                let stored = Some(entry.due.at);
                                entry.due.at =
                                    schedule::first_due(stored, Arrival::Known, times, now, jitter);
                            }
                        }
                        entry
                    }
                };
                self.outbox.commit.due.push(entry.due.clone());
                self.entries.insert(key, entry);
            }
        }
        // What is not looked at in this run keeps its past.
        let is_gone = |key: &Key| terms.only.is_empty() || terms.only.contains(&key.1);
        let gone: Vec<Key> = old.into_keys().filter(is_gone).collect();
        self.outbox.is_changed = true;
        let detail = format!("{added} claims added, {changed} changed, {} gone", gone.len());
        self.outbox.commit.gone.extend(gone);
        detail
    }

    /// Whether a claim stands in the books under the very terms a work was begun under.
    pub fn has(&self, key: &Key, basis: &str) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.standing.basis == basis)
    }

    /// Enters a look at every claim that rests on a work.
    pub fn look(&mut self, work: &Work, basis: &str, proved: &Proved, at: Timestamp) {
        let mut claims = Vec::new();
        for (partner, claim) in &work.claims {
            let key = (partner.clone(), *claim);
            // The configuration may have changed while it was looked at.
            if !self.has(&key, basis) {
                continue;
            }
            let Some(mut entry) = self.entries.remove(&key) else { continue };
            let look = Look {
                partner: partner.clone(),
                at,
                basis: basis.to_owned(),
                report: ClaimReport { claim: *claim, ..proved.report.clone() },
            };
            let next = change::next(&entry.standing, &look, &self.rules(at, entry.times));
            let jitter = schedule::jitter_of(partner, *claim);
            let (times, before) = (entry.times, entry.due.streak);
            let due_at = schedule::due_of(*claim, times, next.again, before, at, jitter);
            let streak = match next.again {
                Again::AtInterval => 0,
                Again::Confirm | Again::Sooner => before.saturating_add(1),
            };
            entry.due = due_of(&key, due_at, streak);
            entry.skew = SignedDuration::ZERO;
            self.enter(&mut entry, next, at);
            self.outbox.commit.due.push(entry.due.clone());
            self.entries.insert(key.clone(), entry);
            claims.push(key);
        }
        for (partner, _) in &claims {
            self.hold_word_against_deed(partner);
        }
        if !claims.is_empty() {
            let state = proved.report.state;
            let body = proved.evidence.clone();
            self.outbox.commit.looks.push(Seen { claims, at, state, body });
        }
    }

    /// What the connector says against what the probes show: told once, for as long as it is so.
    fn hold_word_against_deed(&mut self, partner: &str) {
        let of_partner = self.entries.iter().filter(|((name, _), _)| name == partner);
        let claims: Vec<ClaimReport> =
            of_partner.map(|(_, entry)| ClaimReport::from(&entry.standing)).collect();
        let contradictions = configured::contradictions(&claims);
        for report in claims {
            let key = (partner.to_owned(), report.claim);
            let found = contradictions.iter().find(|one| one.claim == report.claim);
            let is_told = self.contradicted.contains(&key);
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            let is_contradiction = |one: &Finding| one.id == FindingId::ConfiguredContradicted;
            entry.standing.findings.retain(|one| !is_contradiction(one));
            entry.standing.findings.extend(found.map(|one| one.finding.clone()));
            match (found, is_told) {
                (Some(one), false) => {
                    self.contradicted.insert(key.clone());
                    self.outbox.commit.standings.push(entry.standing.clone());
                    let what = Happening::Noticed { finding: one.finding.clone() };
                    let at = self.clock.now();
                    self.happened(Some(key.0), Some(key.1), what, at);
                }
                (None, true) => {
                    self.outbox.commit.standings.push(entry.standing.clone());
                    self.contradicted.remove(&key);
                }
                (Some(_), true) => self.outbox.commit.standings.push(entry.standing.clone()),
                (None, false) => {}
            }
        }
    }

    /// Lets time pass: proofs that are too old are none.
    pub fn age(&mut self) {
        let now = self.clock.now();
        let keys: Vec<Key> = self.entries.keys().cloned().collect();
        for key in keys {
            let Some(entry) = self.entries.get(&key) else { continue };
            let then = now.saturating_sub(entry.skew).unwrap_or(now);
            let Some(next) = change::age(&entry.standing, &self.rules(then, entry.times)) else {
                continue;
            };
            if let Some(mut entry) = self.entries.remove(&key) {
                self.enter(&mut entry, next, now);
                self.entries.insert(key, entry);
            }
        }
    }

    /// Something about us, or about a partner as a whole, happened.
    pub fn note(&mut self, partner: Option<String>, claim: Option<Claim>, what: Happening) {
        let at = self.clock.now();
        self.happened(partner, claim, what, at);
    }

    /// When a work is due: when the first of its claims is.
    pub fn due(&self, work: &Work) -> Option<Timestamp> {
        let due = |key: &Key| self.entries.get(key).map(|entry| entry.due.at);
        work.claims.iter().filter_map(due).min()
    }

    /// Puts a work off: it is looked at again at `at`, and nothing was seen.
    pub fn put_off(&mut self, work: &Work, basis: &str, at: Timestamp) {
        for key in &work.claims {
            let entry = self.entries.get_mut(key).filter(|entry| entry.standing.basis == basis);
            if let Some(entry) = entry {
                entry.due.at = at;
                self.outbox.commit.due.push(entry.due.clone());
            }
        }
    }

    /// The wall clock jumped: what was planned stays as far away as it was.
    pub fn replan(&mut self, jumped_by: SignedDuration) {
        let now = self.clock.now();
        for entry in self.entries.values_mut() {
            // Soon at the latest: a machine that slept does not know how old its proofs are.
            let soon = schedule::first_due(None, Arrival::NewOrChanged, entry.times, now, 0.5);
            entry.due.at = schedule::replan(entry.due.at, jumped_by).min(soon);
            entry.skew = entry.skew.saturating_add(jumped_by);
            self.outbox.commit.due.push(entry.due.clone());
        }
    }

    /// When anything was last looked at, by the clock of then.
    pub fn newest_look(&self) -> Option<Timestamp> {
        self.entries.values().filter_map(|entry| entry.standing.looked_at).max()
    }

    /// How a claim stands.
    pub fn standing(&self, key: &Key) -> Option<&Standing> {
        self.entries.get(key).map(|entry| &entry.standing)
    }

    /// How every claim stands, in order of partner and claim.
    pub fn standings(&self) -> Vec<Standing> {
        self.entries.values().map(|entry| entry.standing.clone()).collect()
    }

    /// What was entered since it was last asked for.
    pub fn hand_out(&mut self) -> Outbox {
        std::mem::take(&mut self.outbox)
    }

    fn rules(&self, now: Timestamp, times: Times) -> Rules {
        Rules { now, max_age: times.max_age, confirm: self.confirm }
    }

    fn enter(&mut self, entry: &mut Entry, next: Next, at: Timestamp) {
        let Next { standing, happenings, again: _ } = next;
        let (partner, claim) = (standing.partner.clone(), standing.claim);
        self.outbox.commit.standings.push(standing.clone());
        self.outbox.is_changed = true;
        entry.standing = standing;
        for what in happenings {
            self.happened(Some(partner.clone()), Some(claim), what, at);
        }
    }

    fn happened(
        &mut self,
        partner: Option<String>,
        claim: Option<Claim>,
        what: Happening,
        at: Timestamp,
    ) {
        let event = Event { id: self.id(at), at, partner, claim, what };
        log(&event);
        self.outbox.commit.events.push(event.clone());
        self.outbox.events.push(event);
    }

    /// In the order of time, also within one millisecond.
    fn id(&mut self, at: Timestamp) -> String {
        let since = Duration::from_millis(u64::try_from(at.as_millisecond()).unwrap_or_default());
        let id = match self.ids.generate_from_datetime(SystemTime::UNIX_EPOCH + since) {
            Ok(id) => id,
            Err(overflow) => overflow.commit_overflow_random(),
        };
        id.to_string()
    }
}

/// A digest of everything a work's proof depends on beside the world. It goes by how the values print, so a program of
/// another version may prove everything anew; that costs a round and no truth.
pub fn basis(work: &Work, config: &Config) -> String {
    let Config { tls, rounds, replies, .. } = config;
    let mut terms = format!("{:?}{tls:?}{:?}{replies:?}", work.proof, rounds.quorum);
    let connector = work.canaries_of().and_then(|name| config.outbound(name));
    if let Some(connector) = connector {
        let OutboundConnector { canaries, submit, sni, sender, timing, .. } = connector;
        terms += &format!("{canaries:?}{submit:?}{sni:?}{sender:?}{}", timing.attempts);
        let ours = |canary: &&Canary| {
            canary.domains.iter().any(|domain| canaries.values().any(|one| one == domain))
        };
        terms.extend(config.canaries.iter().filter(ours).map(|canary| format!("{canary:?}")));
        let import =
            configured::import_of(&config.imported.records, Direction::Outbound, &connector.name);
        terms += &format!("{import:?}");
        if import.is_some() {
            // How far the proof reaches depends on whom it is for.
            let partners = work.claims.iter().filter_map(|(name, _)| config.partner(name));
            terms.extend(partners.map(|partner| format!("{:?}", partner.domains)));
        }
    }
    if let Proof::Configured(said) = &work.proof {
        let Said { direction, connector, .. } = said.as_ref();
        let import = configured::import_of(&config.imported.records, *direction, connector);
        terms += &format!("{import:?}");
    }
    hex(&Sha256::digest(terms))
}

fn due_of(key: &Key, at: Timestamp, streak: u32) -> Due {
    Due { partner: key.0.clone(), claim: key.1, at, streak }
}

/// One line a change.
fn log(event: &Event) {
    let id = event.id.as_str();
    let partner = event.partner.as_deref().unwrap_or_default();
    let claim = event.claim.map(|claim| claim.to_string()).unwrap_or_default();
    match &event.what {
        Happening::ConfigReloaded { detail } => {
            tracing::info!(id, detail, "configuration taken");
        }
        Happening::Noticed { finding } => {
            let (finding, seen) = (finding.id.as_str(), finding.seen.as_str());
            tracing::info!(id, partner, claim, finding, seen, "noticed");
        }
        Happening::SelfOutageBegan { detail } => {
            tracing::warn!(id, detail, "the outage is ours");
        }
        Happening::SelfOutageEnded { detail } => {
            tracing::info!(id, detail, "our outage is over");
        }
        Happening::Started { version } => tracing::info!(id, version, "started"),
        Happening::StateChanged { from, to, summary, .. } => {
            let (from, to) = (from.as_str(), to.as_str());
            match State::Violated.as_str() == to {
                true => tracing::warn!(id, partner, claim, from, to, summary, "state changed"),
                false => tracing::info!(id, partner, claim, from, to, summary, "state changed"),
            }
        }
        Happening::Stopped => tracing::info!(id, "stopped"),
    }
}
