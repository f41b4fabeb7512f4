//! One look at every endpoint of a target: resolve, then hold a session with each.
//!
//! 1. Where the target's mail goes.
//! 2. One session an endpoint, all of them at once as far as politeness allows; addresses that are
//!    not public are not connected to unless that was allowed.
//! 3. An endpoint shared by many targets is looked at once a run; each target is judged apart.
//!
//! Invariant: whatever peers do, there is evidence at the end.

use super::{
    clock::Clock,
    deep::{self, DeepLook},
    dns::Resolver,
    memory::Memory,
    pace::Pace,
    starttls::Prober,
};
use crate::model::{
    deep::Depth,
    evidence::{self, OffersEvidence, Vantage},
    limits::Limits,
    resolution::{Exchange, ExchangeHost, Resolution, Route},
    session::{Ending, Endpoint, NotTried, Session},
    target::Target,
};
use crate::wire::address;
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::Instant};

/// Which addresses a run may connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// Any.
    Anywhere,
    /// Public ones; others only where the target itself is the address.
    #[default]
    Public,
}

/// What a run looks for.
#[derive(Debug, Clone, Copy)]
pub struct OffersPlan {
    /// The port, where a target names none.
    pub port: u16,
    /// Which addresses may be connected to.
    pub reach: Reach,
    /// How deep endpoints are looked into.
    pub depth: Depth,
    /// Bounds.
    pub limits: Limits,
}

/// Looks at targets, and remembers the endpoints it has seen.
#[derive(Debug)]
pub struct Observer {
    pub(super) resolver: Resolver,
    pub(super) prober: Prober,
    pub(super) pace: Pace,
    plan: OffersPlan,
    memory: Memory,
}

impl Observer {
    /// An observer for one run, with a pace of its own.
    pub fn new(resolver: Resolver, prober: Prober, plan: OffersPlan) -> Self {
        Self { resolver, prober, pace: Pace::new(pacing(&plan)), plan, memory: Memory::default() }
    }

    /// One that shares its pace with others: who may be met, and when, is for all of them together.
    pub fn paced_by(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// One that looks at an endpoint again once what it saw is so old: for a run without end.
    pub fn forgetting_after(self, held: Duration) -> Self {
        Self { memory: Memory::holding_for(held), ..self }
    }

    /// The clock evidence is stamped with.
    pub fn clock(&self) -> Clock {
        self.prober.clock()
    }

    /// What this run has seen of its own network so far.
    pub fn vantage(&self) -> Vantage {
        self.memory.vantage()
    }

    /// Looks at every endpoint of a target.
    pub async fn offers(self: &Arc<Self>, target: &Target) -> OffersEvidence {
        self.offers_after(target, None).await
    }

    /// The same; of what was seen before, only what was seen `after` that instant is not looked at again.
    pub async fn offers_after(
        self: &Arc<Self>,
        target: &Target,
        after: Option<Instant>,
    ) -> OffersEvidence {
        let started_at = self.clock().now();
        let resolution = self.resolver.resolve(target).await;
        let endpoints = self.endpoints(target, &resolution);
        let mut looks = JoinSet::new();
        for (at, endpoint) in endpoints.iter().cloned().enumerate() {
            let observer = Arc::clone(self);
            let may_connect = self.may_connect(target, &endpoint);
            looks.spawn(async move { (at, observer.session(endpoint, may_connect, after).await) });
        }
        let mut sessions: Vec<(usize, Session)> = Vec::with_capacity(endpoints.len());
        while let Some(look) = looks.join_next().await {
            // A panic in one look is told below; the others go on.
            sessions.extend(look);
        }
        let mut told: Vec<Session> = Vec::with_capacity(endpoints.len());
        for (at, endpoint) in endpoints.into_iter().enumerate() {
            let found = sessions.iter().position(|(place, _)| *place == at);
            told.push(match found {
                Some(found) => sessions.swap_remove(found).1,
                None => self.failed(endpoint),
            });
        }
        OffersEvidence {
            format: evidence::FORMAT.to_owned(),
            target: target.clone(),
            started_at,
            finished_at: self.clock().now(),
            resolution,
            sessions: told,
            vantage: self.vantage(),
        }
    }

    /// Adds to a session what its endpoint shows without SNI.
    pub async fn look_without_sni(&self, session: &mut Session, after: Option<Instant>) {
        let cell = self.memory.look_without_sni(&session.endpoint, after);
        let seen = &*session;
        let look = || async {
            let _leave = self.pace.leave(&seen.endpoint).await;
            self.prober.look_without_sni(seen).await
        };
        session.without_sni = cell.get_or_init(look).await.clone();
    }

    fn failed(&self, endpoint: Endpoint) -> Session {
        let mut session = Session::new(endpoint, self.clock().now());
        session.ending = Ending::Internal("the probe panicked".to_owned());
        session
    }

    /// A partner's DNS must not aim us at our own network; a target that is an address does so itself.
    pub(super) fn may_connect(&self, target: &Target, endpoint: &Endpoint) -> bool {
        let named =
            matches!(target, Target::Address { address, .. } if *address == endpoint.address);
        named || self.plan.reach == Reach::Anywhere || address::is_public(endpoint.address)
    }

    /// Where the target's mail goes, each place once, in the order of the exchanges.
    pub(super) fn endpoints(&self, target: &Target, resolution: &Resolution) -> Vec<Endpoint> {
        let port = match target {
            Target::Address { port, .. } | Target::Host { port, .. } => {
                port.unwrap_or(self.plan.port)
            }
            Target::Domain(_) => self.plan.port,
        };
        let reachable = match resolution.route {
            Route::Explicit | Route::Implicit | Route::Mx => resolution.exchanges.as_slice(),
            Route::Failed(_) | Route::NoMx | Route::NullMx | Route::Nxdomain => &[],
        };
        let mut endpoints: Vec<Endpoint> =
            reachable.iter().flat_map(|exchange| addresses(exchange, port)).collect();
        let mut known = std::collections::HashSet::new();
        endpoints.retain(|endpoint| known.insert(endpoint.clone()));
        endpoints
    }

    async fn session(
        &self,
        endpoint: Endpoint,
        may_connect: bool,
        after: Option<Instant>,
    ) -> Session {
        if !may_connect {
            let mut session = Session::new(endpoint, self.clock().now());
            session.ending = Ending::NotTried(NotTried::PrivateAddress);
            return session;
        }
        let cell = self.memory.look(&endpoint, after);
        let look = || async {
            let leave = self.pace.leave(&endpoint).await;
            let mut session = self.prober.look(&endpoint).await;
            drop(leave);
            self.memory.count(&session);
            match self.plan.depth {
                // Boxed, or every look would carry the room for a deep one.
                Depth::Deep => Box::pin(self.deepen(&mut session, after)).await,
                Depth::Shallow => {}
            }
            session
        };
        cell.get_or_init(look).await.clone()
    }

    /// Adds everything a deep look shows, and what is shown without SNI.
    async fn deepen(&self, session: &mut Session, after: Option<Instant>) {
        if !deep::is_worth_a_look(session) {
            return;
        }
        let look = DeepLook::new(&self.prober, &self.pace, &session.endpoint);
        session.deep = Some(look.look(session).await);
        if session.endpoint.host.is_some() {
            self.look_without_sni(session, after).await;
        }
    }
}

/// A deep look takes many sessions, so an operator is asked for one at a time.
fn pacing(plan: &OffersPlan) -> Limits {
    match plan.depth {
        Depth::Deep => Limits { sessions_per_operator: 1, ..plan.limits },
        Depth::Shallow => plan.limits,
    }
}

fn addresses(exchange: &Exchange, port: u16) -> Vec<Endpoint> {
    // An address where an MX name belongs is told, not connected to; the resolver gives it no addresses.
    let host = match &exchange.host {
        ExchangeHost::Name(host) => Some(host.clone()),
        ExchangeHost::Address(_) | ExchangeHost::Invalid(_) => None,
    };
    let found = exchange.v4.found().iter().chain(exchange.v6.found());
    found.map(|address| Endpoint { host: host.clone(), address: *address, port }).collect()
}
