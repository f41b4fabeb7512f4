//! Begins what is due, and what was ordered.
//!
//! 1. A partner's receiver is probed once a day: without leave, its claim is put off.
//! 2. Probe mail waits until the queue of our mail system is empty of the last; a round that was ordered does not.
//!
//! Invariant: no work runs twice at once.

use super::{Ask, Done, Flight, PROOFS, Rota, askers::Order, works_of};
use crate::daemon::{
    books,
    drains::{self, Drains, Occupied},
    matrix::Work,
    means::Means,
    round::Patience,
    verify::{self, NoLeave},
};
use crate::model::{
    connector::OutboundConnector, judgement::Quorum, partner::Partner, signal::Signal,
    target::Target,
};
use crate::tell::web::{Answer, Asked, Reach};
use jiff::{SignedDuration, Timestamp};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// The time for one proof: what is at peers is bounded by deadlines of its own, probe mail by queues.
const LOOK_WITHIN: Duration = Duration::from_secs(30 * 60);
const MAIL_WITHIN: Duration = Duration::from_secs(2 * 3600);
/// Behind the instant at which the queue should be empty.
const A_LITTLE_LATER: SignedDuration = SignedDuration::from_secs(30);
/// So long behind that instant a round begins all the same, and says which canaries are taken: Postfix tries every 67
/// minutes at the latest.
const EMPTY_WITHIN: SignedDuration = SignedDuration::from_hours(2);
/// When the record, or who was probed when, cannot be read.
const TRY_AGAIN: SignedDuration = SignedDuration::from_mins(5);
/// As `verify::ask_leave` counts a day.
const DAY: SignedDuration = SignedDuration::from_hours(23);

/// Who wants a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The timetable.
    ByTime,
    /// Somebody who waits for it.
    ByOrder,
}

impl Rota {
    /// Begins what is due, most overdue first.
    pub(super) fn begin_what_is_due(&mut self) {
        let now = self.means.clock().now();
        let due = |work: &Work| self.books.due(work).filter(|due| *due <= now);
        let mut dues: Vec<(Timestamp, Work)> = self
            .works
            .iter()
            .filter(|work| !self.is_running(work) && !self.suspects.holds(work))
            .filter_map(|work| Some((due(work)?, work.clone())))
            .collect();
        dues.sort_by_key(|(due, _)| *due);
        for (due, work) in dues {
            if self.flights.len() >= PROOFS {
                break;
            }
            let lag = Duration::try_from(now.duration_since(due)).unwrap_or_default();
            self.begin(work, lag, Wanted::ByTime);
        }
    }

    pub(super) fn begin(&mut self, work: Work, lag: Duration, wanted: Wanted) {
        self.round_began.get_or_insert_with(Instant::now);
        self.outlets.began();
        self.outlets.measure(&Signal::ProbeBegan);
        let (means, drains) = (Arc::clone(&self.means), Arc::clone(&self.drains));
        let (basis, began) = (books::basis(&work, &means.config), Instant::now());
        let of = work.clone();
        let anew_after = work.claims.iter().filter_map(|key| self.looked.get(key)).max().copied();
        let patience = move |within| Patience {
            until: Instant::now() + within,
            stop: CancellationToken::new(),
            anew_after,
        };
        let task =
            self.running.spawn(async move { prove(&means, &drains, &of, wanted, patience).await });
        let began_at = self.means.clock().now();
        let flight = Flight { work, basis, began, began_at, lag, wanted, task: task.clone() };
        self.flights.insert(task.id(), flight);
    }

    /// Does what somebody asks for.
    pub(super) fn obey(&mut self, ask: Ask) {
        match ask {
            Ask::Verify { order, reply } => match self.ordered(&order) {
                Ok(works) => {
                    for work in &works {
                        if !self.is_running(work) && !self.suspects.holds(work) {
                            self.begin(self.whole(work), Duration::ZERO, Wanted::ByOrder);
                        }
                    }
                    self.askers.wait(works, order.within, reply);
                }
                Err(why) => drop(reply.send(Err(why))),
            },
        }
    }

    fn ordered(&self, order: &Order) -> Result<Vec<Work>, String> {
        let config = &self.means.config;
        let partner = |name: &String| {
            config.partner(name).ok_or_else(|| format!("no partner is called `{name}`"))
        };
        let named: Vec<&Partner> = order.partners.iter().map(partner).collect::<Result<_, _>>()?;
        let partners = if named.is_empty() { config.partners.iter().collect() } else { named };
        let works = works_of(config, &partners, &order.claims);
        if works.is_empty() {
            return Err("nothing that was asked for is configured".to_owned());
        }
        Ok(works)
    }

    /// The work with the claims of all partners: a look that others share is theirs as well, though they are not told of
    /// in the answer.
    fn whole(&self, work: &Work) -> Work {
        let same = self.works.iter().find(|one| one.proof == work.proof);
        same.unwrap_or(work).clone()
    }

    /// One look for whoever asks over HTTP. It changes nothing in the books.
    pub(super) fn probe(&mut self, asked: Asked) {
        let Asked { order, reach, within, reply } = asked;
        let crate::model::order::Order::Probe { target, requirement } = order else {
            let _ = reply.send(Answer::Refused("only a probe can be asked for here".to_owned()));
            return;
        };
        let means = Arc::clone(&self.means);
        self.running.spawn(async move {
            let answer = timeout(within, look(&means, &target, requirement, reach)).await;
            let late = || Answer::Refused("the probe was not over in time".to_owned());
            let _ = reply.send(answer.unwrap_or_else(|_| late()));
            Done::Other
        });
    }
}

async fn look(
    means: &Means,
    target: &Target,
    requirement: crate::model::requirement::Requirement,
    reach: Reach,
) -> Answer {
    let standard = crate::daemon::look::Standard {
        requirement,
        roots: Arc::clone(&means.roots),
        quorum: Quorum::All,
        warn_days: means.warn_days,
    };
    let observer = match reach {
        Reach::Configured => &means.observer,
        Reach::Public => &means.strangers,
    };
    let patience = Patience {
        until: Instant::now() + LOOK_WITHIN,
        stop: CancellationToken::new(),
        anew_after: None,
    };
    let claim = crate::model::claim::Claim::OUTBOUND_RECEIVER_OFFERS;
    let targets = std::slice::from_ref(target);
    let proved =
        crate::daemon::round::offers::round(observer, claim, &standard, targets, &patience).await;
    Answer::Report(Box::new(proved.report))
}

/// Proves a work, or says when to try again.
async fn prove(
    means: &Arc<Means>,
    drains: &Drains,
    work: &Work,
    wanted: Wanted,
    patience: impl Fn(Duration) -> Patience,
) -> Done {
    let now = means.clock().now();
    match verify::ask_leave(means, work).await {
        Ok(()) => {}
        Err(NoLeave::OnceADay(last)) => return Done::PutOff(later(last, DAY)),
        Err(error @ (NoLeave::Ledger(_) | NoLeave::NoLedger)) => {
            tracing::warn!(%error, "a partner's receiver is left alone");
            return Done::PutOff(later(now, TRY_AGAIN));
        }
    }
    let canaries = work.canaries_of().and_then(|name| means.config.outbound(name));
    let (Some(connector), Some(listening)) = (canaries, means.canaries()) else {
        return proved(means, work, &patience(LOOK_WITHIN)).await;
    };
    if wanted == Wanted::ByTime
        && let Some(at) = occupied_until(means, connector, now).await
    {
        return Done::PutOff(at);
    }
    let _turn = drains.turn(&means.config, connector, listening).await;
    // Whoever had the turn before may have left its probes in the queue.
    let now = means.clock().now();
    if wanted == Wanted::ByTime
        && let Some(at) = occupied_until(means, connector, now).await
    {
        return Done::PutOff(at);
    }
    let done = proved(means, work, &patience(MAIL_WITHIN)).await;
    if is_record_away(means) { Done::PutOff(later(now, TRY_AGAIN)) } else { done }
}

/// No probe is sent that cannot be written down: its round waits.
fn is_record_away(means: &Means) -> bool {
    means.store().is_some_and(|store| store.failure().is_some())
}

async fn proved(means: &Arc<Means>, work: &Work, patience: &Patience) -> Done {
    Done::Proved(Box::new(verify::prove_now(means, work, patience).await))
}

/// When probe mail may be sent under a connector; none where it may be now.
async fn occupied_until(
    means: &Means,
    connector: &OutboundConnector,
    now: Timestamp,
) -> Option<Timestamp> {
    if is_record_away(means) {
        return Some(later(now, TRY_AGAIN));
    }
    match drains::empty_at(means, connector).await {
        Ok(None) => None,
        Ok(Some(Occupied::UntilDrained(empty))) if now > later(empty, EMPTY_WITHIN) => None,
        Ok(Some(Occupied::UntilDrained(empty) | Occupied::UntilGivenUp(empty))) => {
            Some(later(empty.max(now), A_LITTLE_LATER))
        }
        Err(error) => {
            let connector = connector.name.as_str();
            tracing::warn!(connector, %error, "no probe is sent while the record cannot be used");
            Some(later(now, TRY_AGAIN))
        }
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}
