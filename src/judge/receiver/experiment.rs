//! One experiment: whether its controls carry it, and what a refusal in it counts for.
//!
//! Invariant: an experiment without an accepted control at both ends proves no refusal.

use super::{
    attempt::{Came, Tried, Weight},
    read, told,
};
use crate::judge::replies::ReplyTable;
use crate::model::{
    enforcement::{AttemptKind, Demand, Experiment},
    obstacle::ObstacleId,
};
use jiff::Timestamp;

/// An experiment, its attempts read.
pub(super) struct Judged<'a> {
    experiment: &'a Experiment,
    demand: &'a Demand,
    pub(super) tried: Vec<Tried<'a>>,
}

/// What one negative is known by in every experiment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kind: AttemptKind,
    /// Whether hand-made hellos stood for it, which prove no acceptance.
    pub(super) is_by_hello: bool,
    hello: Option<String>,
    place: usize,
}

impl<'a> Judged<'a> {
    pub(super) fn new(
        experiment: &'a Experiment,
        demand: &'a Demand,
        replies: &ReplyTable,
    ) -> Self {
        let attempts = experiment.attempts.iter();
        let tried = attempts.map(|attempt| read::read(attempt, demand, replies)).collect();
        Self { experiment, demand, tried }
    }

    pub(super) fn started_at(&self) -> Timestamp {
        self.experiment.started_at
    }

    fn controls(&self) -> impl Iterator<Item = &Tried<'a>> {
        self.tried.iter().filter(|tried| tried.attempt.kind == AttemptKind::Control)
    }

    /// Each attempt with what it is known by in other experiments: its kind, the hello it tried, and how many
    /// of the same came before.
    pub(super) fn keyed(&self) -> impl Iterator<Item = (Key, &Tried<'a>)> {
        let same = |tried: &Tried<'_>| (tried.attempt.kind, tried.is_by_hello(), tried.offer());
        self.tried.iter().enumerate().map(move |(at, tried)| {
            let before = self.tried.iter().take(at);
            let place = before.filter(|other| same(other) == same(tried)).count();
            let hello = tried.offer().map(|offer| offer.to_string());
            (
                Key { kind: tried.attempt.kind, is_by_hello: tried.is_by_hello(), hello, place },
                tried,
            )
        })
    }

    /// Whether a control passed with all that the agreement wants.
    fn is_passed(&self, control: &Tried<'_>) -> bool {
        matches!(control.came, Came::Accepted(_)) && self.lacks_certificate(control).is_none()
    }

    /// A control as the partner must show the partner's certificate, where one is wanted.
    fn lacks_certificate(&self, control: &Tried<'_>) -> Option<&'static str> {
        let is_wanted = !self.demand.floor.client_names.is_empty();
        (is_wanted && !self.demand.has_client_certificate && self.is_partner(control))
            .then_some("a client certificate is wanted, and there is none for the control")
    }

    fn is_partner(&self, tried: &Tried<'_>) -> bool {
        tried.attempt.mail_from.as_ref() == Some(&self.demand.envelope.mail_from)
    }

    /// Whether any control passed: then what was taken was taken.
    pub(super) fn has_control(&self) -> bool {
        self.controls().any(|control| self.is_passed(control))
    }

    /// Whether it began and ended with a control, and all of them passed: then what was refused may count.
    pub(super) fn is_sound(&self) -> bool {
        let is_control = |tried: Option<&Tried<'_>>| {
            tried.is_some_and(|tried| tried.attempt.kind == AttemptKind::Control)
        };
        self.tried.len() > 1
            && is_control(self.tried.first())
            && is_control(self.tried.last())
            && self.controls().all(|control| self.is_passed(control))
    }

    /// Whether a refusal counts without having been seen twice.
    pub(super) fn is_at_once(&self, tried: &Tried<'_>) -> bool {
        let Some(refusal) = tried.refusal() else { return false };
        match refusal.weight {
            Weight::AtOnce => true,
            // It speaks of certificate or address: where the same sender passed, with its certificate, only the
            // one that differs can be meant.
            Weight::Beside => {
                self.controls().all(|control| self.is_partner(control))
                    && (tried.attempt.kind == AttemptKind::ForeignAddress || self.is_beside(tried))
            }
            Weight::Other | Weight::Silent(_) => false,
        }
    }

    /// Whether every control came from the same address.
    fn is_beside(&self, tried: &Tried<'_>) -> bool {
        let source = tried.source();
        source.is_some() && self.controls().all(|control| control.source() == source)
    }

    /// Whether the controls differed from this attempt in nothing but TLS.
    pub(super) fn is_only_tls(&self, tried: &Tried<'_>) -> bool {
        // A sender that was not told cannot have been the reason.
        let is_alike = |control: &Tried<'_>| {
            control.attempt.mail_from == tried.attempt.mail_from || tried.is_anonymous()
        };
        tried.attempt.kind != AttemptKind::ForeignAddress
            && self.is_beside(tried)
            && self.controls().all(is_alike)
    }

    /// Why the controls do not carry the experiment; none where they do.
    pub(super) fn control_obstacles(&self) -> Vec<(ObstacleId, String)> {
        if self.is_sound() {
            return Vec::new();
        }
        let mut told = Vec::new();
        let mut count = 0;
        for control in self.controls() {
            count += 1;
            let which = if count == 1 { "the first control" } else { "the second control" };
            match (&control.came, self.lacks_certificate(control)) {
                (Came::Accepted(_), None) => {}
                (Came::Accepted(_), Some(detail)) => {
                    told.push((ObstacleId::NotTestable, detail.to_owned()));
                }
                (came, _) => told.extend(told::control(which, came)),
            }
        }
        if told.is_empty() {
            let detail =
                if count == 0 { "no control was made" } else { "no second control was made" };
            told.push((ObstacleId::Undecided, detail.to_owned()));
        }
        told
    }
}
