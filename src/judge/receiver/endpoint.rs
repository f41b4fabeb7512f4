//! One endpoint: the ladder from its experiments to a state.
//!
//! 1. A negative taken where a control passed: violated.
//! 2. Each kind of negative apart: refused for TLS at once, or twice alike and far enough apart, in experiments
//!    whose controls all passed; or a legacy hello that was answered, which decides nothing.
//! 3. All of them so, and those that are needed among them: compliant. Else unknown, and why.
//!
//! Invariant: what is refused counts only in an experiment that began and ended with a control that passed.

use super::{
    attempt::{Came, Tried},
    experiment::{Judged, Key},
    negative::{TRANSIENT_GAP, gap, open, times, twice_alike},
    told,
};
use crate::judge::replies::ReplyTable;
use crate::model::{
    connector::KeyedOn,
    enforcement::{AttemptKind, Demand, EndpointExperiments, ReplyClass},
    finding::{Finding, FindingId, Severity},
    obstacle::{Obstacle, ObstacleId},
    report::ProbeReport,
    requirement::{MinVersion, TlsVersion},
    session::{Ending, Endpoint, NotTried},
    state::State,
};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// A receiver that ends differently every time is not asked for ever.
const EXPERIMENTS_MOST: usize = 3;

/// One endpoint, judged.
pub(super) struct Look {
    pub(super) endpoint: Endpoint,
    pub(super) state: State,
    pub(super) findings: Vec<Finding>,
    pub(super) obstacles: Vec<Obstacle>,
    pub(super) probes: Vec<ProbeReport>,
    /// The oldest experiment the state rests on.
    pub(super) proven_at: Option<Timestamp>,
    /// The earliest instant at which a second experiment could decide.
    pub(super) again_at: Option<Timestamp>,
    /// Versions below the lowest that were answered.
    pub(super) legacy: Vec<TlsVersion>,
    /// What would have been of use, and was not tried, in words.
    pub(super) untested: Vec<&'static str>,
}

/// What all experiments say of one negative.
enum Outcome {
    /// A legacy hello was answered.
    Answered,
    /// Not known yet; a second experiment could tell from then on.
    Open(Option<Timestamp>),
    /// Refused for want of TLS; the experiment it rests on.
    Refused(Timestamp),
}

/// Judges what was tried at one endpoint.
pub(super) fn judge(tried: &EndpointExperiments, demand: &Demand, replies: &ReplyTable) -> Look {
    let experiments = tried.experiments.iter();
    let experiments: Vec<Judged<'_>> =
        experiments.map(|experiment| Judged::new(experiment, demand, replies)).collect();
    let mut ladder = Ladder { demand, experiments: &experiments, look: Look::new(tried) };
    ladder.climb();
    let mut look = ladder.look;
    look.probes = told::probes(&look.endpoint, &experiments);
    look
}

impl Look {
    fn new(tried: &EndpointExperiments) -> Self {
        Self {
            endpoint: tried.endpoint.clone(),
            state: State::Unknown,
            findings: Vec::new(),
            obstacles: Vec::new(),
            probes: Vec::new(),
            proven_at: None,
            again_at: None,
            legacy: Vec::new(),
            untested: Vec::new(),
        }
    }

    fn find(&mut self, id: FindingId, severity: Severity, seen: String, expected: &str) {
        self.add(Finding::new(id, severity, &self.endpoint, seen, expected));
    }

    /// What asks nothing of anybody.
    fn tell(&mut self, id: FindingId, seen: String, expected: &str) {
        let finding = Finding::new(id, Severity::Info, &self.endpoint, seen, expected);
        self.add(Finding { advice: "Nothing to do: told only.".to_owned(), ..finding });
    }

    fn add(&mut self, finding: Finding) {
        let is_told = |told: &Finding| told.id == finding.id && told.severity == finding.severity;
        if !self.findings.iter().any(is_told) {
            self.findings.push(finding);
        }
    }

    fn hinder(&mut self, id: ObstacleId, detail: String) {
        let obstacle = Obstacle::new(id, &self.endpoint, detail);
        if !self.obstacles.contains(&obstacle) {
            self.obstacles.push(obstacle);
        }
    }
}

struct Ladder<'a> {
    demand: &'a Demand,
    experiments: &'a [Judged<'a>],
    look: Look,
}

impl Ladder<'_> {
    fn climb(&mut self) {
        self.beside_the_point();
        let Some(last) = self.experiments.last() else {
            self.look.hinder(ObstacleId::NotTestable, "nothing was tried here".to_owned());
            return;
        };
        self.controls(last);
        self.taken();
        let is_violated = self.look.proven_at.is_some();
        let keys = self.keys();
        let mut refused: Vec<(Key, Timestamp)> = Vec::new();
        let mut again: Vec<Option<Timestamp>> = Vec::new();
        for key in &keys {
            match self.outcome(key) {
                Outcome::Answered => {}
                Outcome::Open(at) => again.push(at),
                Outcome::Refused(since) => refused.push((key.clone(), since)),
            }
        }
        let has_control = self.experiments.iter().any(Judged::has_control);
        let has_needed = !has_control || self.needed(&refused, &keys);
        if is_violated {
            self.look.state = State::Violated;
            return;
        }
        // Every obstacle told is one too many, whatever it is about.
        if again.is_empty() && has_needed && has_control && self.look.obstacles.is_empty() {
            self.look.proven_at = refused.iter().map(|(_, since)| *since).min();
            if self.look.proven_at.is_some() {
                self.look.state = State::Compliant;
                return;
            }
        }
        if self.look.obstacles.is_empty() {
            self.look.hinder(ObstacleId::Undecided, "not all that is needed was seen".to_owned());
        }
        self.again(&again, last, has_needed);
    }

    /// What is told whatever the state.
    fn beside_the_point(&mut self) {
        let tried = self.experiments.iter().flat_map(|experiment| &experiment.tried);
        for tried in tried {
            if let (AttemptKind::NullSender, Came::Accepted(reply)) =
                (tried.attempt.kind, &tried.came)
            {
                let seen = format!("in clear with MAIL FROM:<>, as bounces come: {reply}");
                let expected = "nothing: such mail names no partner, so the rule may not cover it";
                self.look.tell(FindingId::PlaintextAccepted, seen, expected);
            }
            if tried.attempt.session.ending == Ending::NotTried(NotTried::PrivateAddress) {
                let seen = format!("{} is no public address", self.look.endpoint.address);
                let expected = "an address on the public internet";
                self.look.find(FindingId::MxIsPrivate, Severity::Warning, seen, expected);
            }
            if let Came::Answered(version) = tried.came
                && !self.look.legacy.contains(&version)
            {
                self.look.legacy.push(version);
            }
        }
        self.look.legacy.sort_unstable();
        if !self.look.legacy.is_empty() {
            let versions: Vec<String> = self.look.legacy.iter().map(ToString::to_string).collect();
            let seen = format!("a hello of {} was answered", versions.join(" and "));
            let expected = format!("{} or newer", self.demand.floor.min_version.version());
            self.look.find(FindingId::TlsLegacyAccepted, Severity::Warning, seen, &expected);
        }
    }

    /// Why the controls of the last experiment do not carry it.
    fn controls(&mut self, last: &Judged<'_>) {
        for (id, detail) in last.control_obstacles() {
            self.look.hinder(id, detail);
        }
    }

    /// The negatives that were taken, the last time each.
    fn taken(&mut self) {
        // That it passed once is enough: what was taken was taken.
        if !self.experiments.iter().any(Judged::has_control) {
            return;
        }
        for experiment in self.experiments.iter().rev() {
            let negatives = experiment.tried.iter().filter(|tried| self.counts(tried));
            let taken: Vec<_> = negatives
                .filter_map(|tried| {
                    let Came::Accepted(reply) = &tried.came else { return None };
                    Some((told::finding_of(tried, self.demand)?, told::taken(tried, reply)))
                })
                .collect();
            for ((id, expected), seen) in taken {
                self.look.find(id, Severity::Violation, seen, expected);
                let since = self.look.proven_at.unwrap_or_else(|| experiment.started_at());
                self.look.proven_at = Some(since.min(experiment.started_at()));
            }
        }
    }

    /// Whether a negative says something about this demand.
    fn counts(&self, tried: &Tried<'_>) -> bool {
        match tried.attempt.kind {
            AttemptKind::Control | AttemptKind::NullSender => false,
            AttemptKind::ForeignAddress => self.demand.envelope.keyed_on != KeyedOn::Address,
            AttemptKind::LegacyTls | AttemptKind::Plaintext => true,
            AttemptKind::NoClientCert
            | AttemptKind::OtherClientCert
            | AttemptKind::SelfMadeClientCert => !self.demand.floor.client_names.is_empty(),
        }
    }

    /// Every negative of every experiment.
    fn keys(&self) -> BTreeSet<Key> {
        let tried = self.experiments.iter().flat_map(Judged::keyed);
        tried.filter(|(_, tried)| self.counts(tried)).map(|(key, _)| key).collect()
    }

    fn outcome(&mut self, key: &Key) -> Outcome {
        let times = times(self.experiments, key);
        let is_half_taken =
            times.iter().any(|(_, tried)| matches!(tried.came, Came::EnvelopeTaken(_)));
        let is_answered = times.iter().any(|(_, tried)| matches!(tried.came, Came::Answered(_)));
        let since = times
            .iter()
            .rev()
            .find(|(experiment, tried)| experiment.is_sound() && experiment.is_at_once(tried))
            .map(|(experiment, _)| experiment.started_at())
            .or_else(|| twice_alike(&times))
            // Whatever else it did, once it took the envelope.
            .filter(|_| !is_half_taken);
        let last = times.last().map(|(experiment, tried)| open(experiment, tried));
        match (since, last) {
            // A hello refused once and answered once was answered.
            _ if is_answered => Outcome::Answered,
            (Some(since), _) => Outcome::Refused(since),
            (None, None) => Outcome::Open(None),
            (None, Some((told, again))) => {
                for (id, detail) in told {
                    self.look.hinder(id, detail);
                }
                Outcome::Open(again)
            }
        }
    }

    /// Whether the negatives without which nothing is proved were tried.
    fn needed(&mut self, refused: &[(Key, Timestamp)], keys: &BTreeSet<Key>) -> bool {
        let mut missing = Vec::new();
        let has = |kind| keys.iter().any(|key| key.kind == kind);
        if !has(AttemptKind::Plaintext) {
            missing.push("in clear".to_owned());
        }
        if !self.demand.floor.client_names.is_empty() {
            if !has(AttemptKind::NoClientCert) {
                missing.push("without a client certificate".to_owned());
            }
            if !has(AttemptKind::SelfMadeClientCert) {
                self.look.untested.push("a self-made certificate");
            }
            // Some servers ask for a certificate, and take anybody's.
            if !has(AttemptKind::OtherClientCert) {
                self.look.untested.push("a trusted certificate for another name");
            }
        }
        match self.demand.floor.min_version {
            MinVersion::Tls12 => {}
            // The TLS library speaks 1.2 to the end: that a hello of 1.0 is refused says nothing of it.
            MinVersion::Tls13 => {
                let is_whole = |key: &Key| key.kind == AttemptKind::LegacyTls && !key.is_by_hello;
                let tried = keys.iter().any(is_whole);
                let is_taken = |(key, tried): (Key, &Tried<'_>)| {
                    is_whole(&key) && matches!(tried.came, Came::Accepted(_))
                };
                let mut all = self.experiments.iter().flat_map(Judged::keyed);
                let seen = refused.iter().any(|(key, _)| is_whole(key)) || all.any(is_taken);
                if !tried || (!seen && self.look.obstacles.is_empty()) {
                    missing.push("with TLSv1.2 to the end".to_owned());
                }
            }
        }
        if !missing.is_empty() {
            self.look.hinder(ObstacleId::NotTestable, format!("not tried: {}", missing.join(", ")));
        }
        missing.is_empty()
    }

    /// When a second experiment could decide, if it could.
    fn again(&mut self, open: &[Option<Timestamp>], last: &Judged<'_>, has_needed: bool) {
        let tries = self.experiments.len();
        let greylisted = last.tried.iter().any(|tried| {
            tried.refusal().is_some_and(|refusal| refusal.class == Some(ReplyClass::Greylisted))
        });
        if greylisted && tries < 2 {
            // Whoever was new then is let pass, or taken: both would tell.
            self.look.again_at = gap(last.started_at(), TRANSIENT_GAP);
            return;
        }
        if !has_needed || !last.is_sound() || tries >= EXPERIMENTS_MOST || open.is_empty() {
            return;
        }
        let all: Option<Vec<Timestamp>> = open.iter().copied().collect();
        self.look.again_at = all.and_then(|all| all.into_iter().max());
    }
}
