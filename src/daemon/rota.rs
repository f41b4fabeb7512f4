//! The loop: what is due is proved, what was proved is entered in the books, and what was entered is handed out.
//!
//! 1. Works that are due begin, each in a task of its own: a slow partner delays nobody.
//! 2. What ended well, or as before, is entered at once. A look that ended otherwise waits a moment for the others
//!    of its round: where everything fails at once it is us (`suspects`).
//! 3. Orders, late deliveries and reloads come in between; nothing here waits for a peer.
//!
//! Invariant: one task owns the books, so that what happened has one order.
//! Invariant: whatever becomes of a proof, its claims are due again.

mod askers;
mod begin;
mod suspects;

use super::{
    books::{self, Books, Terms},
    drains::Drains,
    late::{self, Late},
    matrix::{self, Agreements, Work},
    means::Means,
    outlets::Outlets,
    round::Proved,
    verify,
    witnesses::Witnesses,
};
use crate::config::Config;
use crate::judge::{configured, outage};
use crate::model::{
    claim::{Claim, Statement},
    event::Happening,
    finding::{Finding, Severity},
    obstacle::ObstacleId,
    partner::Partner,
    report::ClaimReport,
    signal::Signal,
    state::State,
};
use crate::tell::web::Asked;
use askers::Askers;
use begin::Wanted;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};
use suspects::{Held, Suspects};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;

pub use askers::{Ask, Order};

/// Proofs at once; sessions with peers are bounded further, by politeness.
const PROOFS: usize = 256;
/// How long the loop rests at most.
const REST: Duration = Duration::from_secs(5);
/// A clock that is off by more has jumped.
const JUMP: SignedDuration = SignedDuration::from_secs(60);
/// How long dates are unsure after a jump.
const UNSURE_FOR: Duration = Duration::from_secs(900);

/// How long looks under way may take when the daemon ends.
const WINDING_UP: Duration = Duration::from_secs(8);

/// What another clock shows, such as the machine's.
pub type Wall = fn() -> Timestamp;

/// The loop.
pub struct Rota {
    means: Arc<Means>,
    only: Vec<Claim>,
    works: Vec<Work>,
    books: Books,
    outlets: Outlets,
    wall: Option<Wall>,
    drains: Arc<Drains>,
    running: JoinSet<Done>,
    flights: HashMap<Id, Flight>,
    /// When each claim's last look was over: what was seen until then is no second look.
    looked: HashMap<books::Key, Instant>,
    askers: Askers,
    suspects: Suspects,
    unsure_until: Option<Instant>,
    late: (mpsc::Sender<Late>, mpsc::Receiver<Late>),
    /// What runs beside the loop for as long as these means are used.
    followers: Vec<AbortHandle>,
    round_began: Option<Instant>,
    /// When the clock last jumped.
    jumped_at: Option<Instant>,
    stage: Stage,
}

/// How far the loop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing is begun any more.
    Ending,
    /// At work.
    Running,
}

/// A proof under way.
#[derive(Debug)]
struct Flight {
    work: Work,
    basis: String,
    began: Instant,
    /// The same by the wall clock.
    began_at: Timestamp,
    lag: Duration,
    wanted: Wanted,
    task: AbortHandle,
}

/// How a task ended.
enum Done {
    /// A work was proved, or not.
    Proved(Box<Proved>),
    /// Nothing was looked at; it is due again then.
    PutOff(Timestamp),
    /// The witnesses of an outage have spoken.
    Witnesses(Witnesses),
    /// Something else that needs nothing of us.
    Other,
}

/// What comes in from outside.
pub struct Inlets {
    /// Orders of commands.
    pub asks: mpsc::Receiver<Ask>,
    /// Orders that came over HTTP.
    pub web: mpsc::Receiver<Asked>,
    /// New means, once a configuration was read again.
    pub reloads: mpsc::Receiver<Arc<Means>>,
    /// The end.
    pub stop: CancellationToken,
}

impl Rota {
    /// A loop over these books; nothing runs yet.
    pub fn new(
        means: Arc<Means>,
        only: Vec<Claim>,
        books: Books,
        outlets: Outlets,
        wall: Option<Wall>,
    ) -> Self {
        let mut rota = Self {
            means,
            only,
            works: Vec::new(),
            books,
            outlets,
            wall,
            drains: Arc::default(),
            running: JoinSet::new(),
            flights: HashMap::new(),
            looked: HashMap::new(),
            askers: Askers::default(),
            suspects: Suspects::default(),
            unsure_until: None,
            late: mpsc::channel(64),
            followers: Vec::new(),
            round_began: None,
            jumped_at: None,
            stage: Stage::Running,
        };
        rota.doubt_a_clock_that_is_behind();
        rota.adopt();
        // Whoever looks before the first round sees every claim, and no proof that is too old.
        rota.books.age();
        rota.outlets.show(Arc::new(rota.books.standings()));
        rota
    }

    /// Runs until it is stopped; proofs under way are broken off then, and what was entered is handed out.
    pub async fn run(mut self, mut inlets: Inlets) -> Outlets {
        self.books.note(None, None, Happening::Started { version: version() });
        self.follow();
        loop {
            self.pass();
            let wake = self.next_wake();
            tokio::select! {
                biased;
                () = inlets.stop.cancelled() => break,
                // Without it nothing is remembered; whoever runs us sees that we have ended.
                () = self.outlets.recorder_died() => return self.outlets,
                Some(ended) = self.running.join_next_with_id() => self.ended(ended),
                Some(late) = self.late.1.recv() => self.arrived_late(late),
                Some(means) = inlets.reloads.recv() => self.reload(means),
                Some(ask) = inlets.asks.recv() => self.obey(ask),
                Some(asked) = inlets.web.recv() => self.probe(asked),
                () = sleep_until(wake) => {}
            }
            // Whatever else has ended meanwhile.
            while let Some(ended) = self.running.try_join_next_with_id() {
                self.ended(ended);
            }
        }
        self.unfollow();
        self.wind_up().await;
        self.books.note(None, None, Happening::Stopped);
        self.hand_out();
        self.outlets
    }

    /// Looks that are nearly over may end in order; probe mail is on its way in any case, and its canaries come back.
    async fn wind_up(&mut self) {
        self.stage = Stage::Ending;
        let until = Instant::now() + WINDING_UP;
        while self.flights.values().any(|flight| flight.work.canaries_of().is_none()) {
            match timeout_at(until, self.running.join_next_with_id()).await {
                Ok(Some(ended)) => self.ended(ended),
                Ok(None) | Err(_) => break,
            }
        }
        // What is held is still due: whether it is us cannot be found out any more.
        self.running.shutdown().await;
        while let Ok(late) = self.late.1.try_recv() {
            self.arrived_late(late);
        }
    }

    /// Everything that waits for nothing but time.
    fn pass(&mut self) {
        self.watch_the_clock();
        self.books.age();
        self.see_to_the_followers();
        self.release_suspects();
        self.askers.answer(&self.means);
        if !self.outlets.is_pressed() {
            self.begin_what_is_due();
        }
        self.hand_out();
    }

    fn hand_out(&mut self) {
        let outbox = self.books.hand_out();
        let books = &self.books;
        self.outlets.take(outbox, || books.standings());
    }

    fn next_wake(&self) -> Instant {
        let now = Instant::now();
        let rest = now + REST;
        let room = self.flights.len() < PROOFS && !self.outlets.is_pressed();
        let wall = self.means.clock().now();
        let waits = |work: &&Work| !self.is_running(work) && !self.suspects.holds(work);
        let due = self.works.iter().filter(waits);
        let due = due.filter_map(|work| self.books.due(work)).min().filter(|_| room);
        let due =
            due.map(|at| now + Duration::try_from(at.duration_since(wall)).unwrap_or_default());
        let wakes = [due, self.suspects.wake(), self.askers.wake(), self.outlets.wake()];
        // A millisecond at least: clocks are read to the millisecond, and nobody spins.
        let first = wakes.into_iter().flatten().fold(rest, Instant::min);
        first.max(now + Duration::from_millis(1))
    }

    fn is_running(&self, work: &Work) -> bool {
        self.flights.values().any(|flight| flight.work.proof == work.proof)
    }

    /// Holds the books against the configuration of the means.
    fn adopt(&mut self) -> String {
        let config = &self.means.config;
        let partners: Vec<&Partner> = config.partners.iter().collect();
        self.works = works_of(config, &partners, &self.only);
        let is_claimed = |key: &books::Key| self.works.iter().any(|work| work.claims.contains(key));
        self.looked.retain(|key, _| is_claimed(key));
        let terms = Terms { works: &self.works, config, only: &self.only };
        let detail = self.books.adopt(terms);
        self.outlets.adopt(config);
        detail
    }

    fn reload(&mut self, means: Arc<Means>) {
        self.unfollow();
        let old = std::mem::replace(&mut self.means, means);
        self.break_off_where_canaries_are_new(&old);
        let detail = self.adopt();
        self.forget_who_is_gone();
        self.books.note(None, None, Happening::ConfigReloaded { detail });
        let (before, now) = (&old.config.imported.records, &self.means.config.imported.records);
        for (before, now) in before.iter().zip(now) {
            for finding in configured::changes(before, now) {
                self.books.note(None, None, Happening::Noticed { finding });
            }
        }
        self.follow();
    }

    /// Rounds at canaries that were closed would wait for nobody; they are due again.
    fn break_off_where_canaries_are_new(&self, old: &Means) {
        let is_same = match (old.canaries(), self.means.canaries()) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        let of_mail = self.flights.values().filter(|flight| flight.work.canaries_of().is_some());
        for flight in of_mail.filter(|_| !is_same) {
            flight.task.abort();
        }
    }

    /// What watches the canaries beside the loop.
    fn follow(&mut self) {
        if self.means.canaries().is_none() {
            return;
        }
        let (means, out, since) =
            (Arc::clone(&self.means), self.late.0.clone(), self.judged_until());
        let late = tokio::spawn(async move { late::watch(&means, &since, &out).await });
        let (means, drains) = (Arc::clone(&self.means), Arc::clone(&self.drains));
        let draining = tokio::spawn(async move { drains.run(&means).await });
        self.followers = vec![late.abort_handle(), draining.abort_handle()];
    }

    /// One that has ended before its time has panicked.
    fn see_to_the_followers(&mut self) {
        if self.followers.iter().any(AbortHandle::is_finished) {
            self.outlets.measure(&Signal::Panic);
            tracing::error!(
                "what follows the canaries died and begins again; this is a defect of mxwarden"
            );
            self.unfollow();
            self.follow();
        }
    }

    fn unfollow(&mut self) {
        for follower in self.followers.drain(..) {
            follower.abort();
        }
    }

    /// Up to when what came to the canaries of each connector was judged.
    fn judged_until(&self) -> BTreeMap<String, Timestamp> {
        let mut until = BTreeMap::new();
        for work in &self.works {
            let Some(connector) = work.canaries_of() else { continue };
            let looked = work.claims.iter().filter_map(|key| self.books.standing(key)?.looked_at);
            if let Some(looked) = looked.min() {
                until.insert(connector.to_owned(), looked);
            }
        }
        until
    }

    /// A task is over.
    fn ended(&mut self, ended: Result<(Id, Done), JoinError>) {
        let (id, done, is_aborted) = match ended {
            Ok((id, done)) => (id, Some(done), false),
            Err(error) => (error.id(), None, error.is_cancelled()),
        };
        let flight = self.flights.remove(&id);
        match (done, flight) {
            (Some(Done::Proved(proved)), Some(flight)) => self.proved(flight, *proved),
            (Some(Done::PutOff(at)), Some(flight)) => {
                self.outlets.measure(&ended_unknown(&flight));
                self.books.put_off(&flight.work, &flight.basis, at);
                self.askers.nothing_came(&flight.work, at);
            }
            (Some(Done::Witnesses(witnesses)), _) => self.suspects.heard(witnesses),
            (None, Some(flight)) if is_aborted => {
                // Its canaries were closed; it is still due.
                self.outlets.measure(&ended_unknown(&flight));
            }
            (None, flight) => {
                // Whoever asked the witnesses does not hear them.
                self.suspects.ask_again();
                self.outlets.measure(&Signal::Panic);
                tracing::error!("a task panicked; this is a defect of mxwarden");
                if let Some(flight) = flight {
                    let detail = "the proof panicked; this is a defect of mxwarden";
                    let report = verify::unknown(&flight.work, ObstacleId::InternalError, detail);
                    self.proved(flight, Proved::without_evidence(report));
                }
            }
            (Some(Done::Proved(_) | Done::PutOff(_)), None) | (Some(Done::Other), _) => {}
        }
        let is_mail = |flight: &Flight| flight.work.canaries_of().is_some();
        if self.flights.values().all(is_mail)
            && let Some(began) = self.round_began.take()
        {
            let at = self.means.clock().now().as_millisecond();
            self.outlets.measure(&Signal::RoundEnded {
                took: began.elapsed(),
                at: Duration::from_millis(u64::try_from(at).unwrap_or_default()).as_secs_f64(),
            });
        }
    }

    fn proved(&mut self, flight: Flight, mut proved: Proved) {
        let Flight { work, basis, began, began_at, lag, wanted, task: _ } = flight;
        let at = self.means.clock().now();
        if let Some(why) = self.unsure() {
            proved.report = outage::clock_unsure(&proved.report, why);
        }
        let outcome = proved.report.state.as_str();
        let took = began.elapsed();
        let now = Instant::now();
        self.looked.extend(work.claims.iter().map(|key| (key.clone(), now)));
        self.outlets.measure(&Signal::ProbeEnded { kind: kind(&work), outcome, took, lag });
        for (phase, took) in proved.spent.drain(..) {
            self.outlets.measure(&Signal::PhaseTook { phase, took });
        }
        // Its times are those of another clock; it is still due.
        let has_jumped = self.jumped_at.is_some_and(|jumped_at| jumped_at > began);
        // Canaries that are taken prove nothing, and take nothing back.
        let is_taken = wanted == Wanted::ByOrder
            && work.canaries_of().is_some()
            && proved.report.state == State::Unknown;
        if has_jumped || is_taken {
            self.askers.came(&work, &proved.report);
            return;
        }
        if self.is_suspicious(&work, &proved.report) {
            self.suspects.hold(Held { work, basis, proved, at, began_at, since: Instant::now() });
            self.ask_the_witnesses();
            self.ask_the_others();
        } else {
            self.suspects.remember(&work, &proved.report, at);
            self.seen_again(&work);
            self.enter(&work, &basis, &proved, at);
        }
    }

    /// A look counts now.
    fn enter(&mut self, work: &Work, basis: &str, proved: &Proved, at: Timestamp) {
        self.books.look(work, basis, proved, at);
        self.askers.came(work, &proved.report);
        self.askers.answer(&self.means);
    }

    fn arrived_late(&mut self, late: Late) {
        let at = self.means.clock().now();
        for work in self.works.clone() {
            let Some(proved) = late.proves(&self.means, &work) else { continue };
            if !self.is_news(&work, &proved.report) {
                continue;
            }
            let connector = late.probe.connector.as_str();
            tracing::warn!(connector, "probe mail was delivered where it must not be");
            let basis = books::basis(&work, &self.means.config);
            self.books.look(&work, &basis, &proved, at);
        }
    }

    /// Whether something is broken that does not stand so already. A round sees the same sessions as whoever watches
    /// for late ones: what it has told whole must not be told again in part.
    fn is_news(&self, work: &Work, report: &ClaimReport) -> bool {
        let standing = work.claims.first().and_then(|key| self.books.standing(key));
        let Some(standing) = standing.filter(|standing| standing.state == State::Violated) else {
            return true;
        };
        let breaks = report.findings.iter().filter(|one| one.severity == Severity::Violation);
        let stands = |new: &Finding| {
            standing.findings.iter().any(|old| (old.id, &old.subject) == (new.id, &new.subject))
        };
        !breaks.into_iter().all(stands)
    }

    fn watch_the_clock(&mut self) {
        let Some(wall) = self.wall else { return };
        let clock = self.means.clock();
        let off = clock.set(wall());
        if off.abs() > JUMP {
            tracing::warn!(
                seconds = off.as_secs(),
                "the clock jumped; what is due was planned anew"
            );
            self.books.replan(off);
            self.unsure_until = Some(Instant::now() + UNSURE_FOR);
            self.jumped_at = Some(Instant::now());
        }
    }

    /// A host whose clock died begins in the past, until somebody sets it right.
    fn doubt_a_clock_that_is_behind(&mut self) {
        let now = self.means.clock().now();
        let is_ahead = |at: &Timestamp| at.duration_since(now) > JUMP;
        if let Some(at) = self.books.newest_look().filter(is_ahead) {
            tracing::warn!(last = %at, "the clock is behind what was recorded by it: dates are not judged yet");
            self.unsure_until = Some(Instant::now() + UNSURE_FOR);
        }
    }

    fn unsure(&self) -> Option<&'static str> {
        let is_unsure = self.unsure_until.is_some_and(|until| Instant::now() < until);
        is_unsure.then_some("the clock of this host jumped, or is behind what was recorded by it")
    }
}

/// Every work of a configuration.
pub fn works_of(config: &Config, partners: &[&Partner], only: &[Claim]) -> Vec<Work> {
    let agreements = Agreements {
        organisation: &config.organisation,
        outbound: &config.outbound,
        inbound: &config.inbound,
        partners,
        not_yet: &config.not_yet,
        imported: &config.imported,
    };
    matrix::works(agreements, only)
}

/// A proof that came to nothing, as it is counted.
fn ended_unknown(flight: &Flight) -> Signal {
    let (took, lag) = (flight.began.elapsed(), flight.lag);
    Signal::ProbeEnded { kind: kind(&flight.work), outcome: "unknown", took, lag }
}

/// The word a proof is counted under.
fn kind(work: &Work) -> &'static str {
    let statement = work.claims.first().map(|(_, claim)| claim.statement);
    crate::tell::metrics::kind(statement.unwrap_or(Statement::ReceiverOffers))
}

fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
