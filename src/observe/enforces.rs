//! Whether receivers refuse less than the agreed TLS: one experiment an endpoint, as evidence.
//!
//! 1. Where the targets' mail goes.
//! 2. A control; where it was not accepted nothing can be proved, and the server is left alone.
//! 3. The negatives, then the control again, one session after another and politely apart; endpoints
//!    side by side, but those that share an address in turn.
//!
//! Invariant: DATA is never said at a partner's MX, and only an address given by the target itself, a
//! public one, or any where that was allowed, is connected to.

use super::{
    envelope::{Handover, Way},
    hello::{Version, tls_of},
    identity::ClientIdentity,
    legacy,
    letter::Letterhead,
    offers::Observer,
    starttls::Prober,
    tls::Versions,
};
use crate::model::{
    connector::Until,
    deep::{HelloOffer, HelloOutcome, HelloTried},
    enforcement::{
        Attempt, Demand, EndpointExperiments, EnforcesEvidence, Envelope, Experiment, Routed,
    },
    evidence,
    requirement::TlsVersion,
    session::{Ending, Endpoint, NotTried, Session},
    target::Target,
};
use crate::wire::{smtp::Reply, text};
use core::net::IpAddr;
use std::{collections::BTreeMap, sync::Arc};
use steps::{Certificate, Means, Step};
use tokio::{task::JoinSet, time::Instant};

mod steps;

/// The versions asked for by hand-made hellos: one session each.
const LEGACY: [TlsVersion; steps::HELLOS] = [TlsVersion::Tls11, TlsVersion::Tls10];

/// What is tried, where, and as whom.
#[derive(Debug, Clone)]
pub struct EnforcesPlan {
    /// What the receiver is to refuse. Whether the control has its certificate is told by `client`.
    pub demand: Demand,
    /// Where mail is received.
    pub targets: Vec<Target>,
    /// The certificate of the control.
    pub client: Option<Arc<ClientIdentity>>,
    /// A trusted certificate for another name.
    pub other_client: Option<Arc<ClientIdentity>>,
    /// Local addresses to go out from; empty means the system's choice.
    pub sources: Vec<IpAddr>,
    /// Who we say we are in messages, where the experiment goes on to DATA.
    pub letterhead: Letterhead,
}

impl Observer {
    /// Resolves the targets and makes one experiment at every endpoint.
    pub async fn enforces(self: &Arc<Self>, plan: &EnforcesPlan) -> EnforcesEvidence {
        let started_at = self.clock().now();
        let mut routes = Vec::with_capacity(plan.targets.len());
        let mut endpoints: Vec<Endpoint> = Vec::new();
        for target in &plan.targets {
            let resolution = self.resolver.resolve(target).await;
            for endpoint in self.endpoints(target, &resolution) {
                if !endpoints.contains(&endpoint) {
                    endpoints.push(endpoint);
                }
            }
            routes.push(Routed { target: target.clone(), resolution });
        }
        let experiments = self.experiments(plan, &endpoints).await;
        let demand =
            Demand { has_client_certificate: plan.client.is_some(), ..plan.demand.clone() };
        EnforcesEvidence {
            format: evidence::FORMAT.to_owned(),
            demand,
            started_at,
            finished_at: self.clock().now(),
            routes,
            endpoints: endpoints
                .into_iter()
                .zip(experiments)
                .map(|(endpoint, experiment)| EndpointExperiments {
                    endpoint,
                    experiments: vec![experiment],
                })
                .collect(),
        }
    }

    /// Makes one more experiment at each of these endpoints of the evidence; others are not gone to.
    pub async fn enforces_again(
        self: &Arc<Self>,
        plan: &EnforcesPlan,
        evidence: &mut EnforcesEvidence,
        endpoints: &[Endpoint],
    ) {
        let known = evidence.endpoints.iter().map(|known| &known.endpoint);
        let endpoints: Vec<Endpoint> =
            known.filter(|known| endpoints.contains(known)).cloned().collect();
        let experiments = self.experiments(plan, &endpoints).await;
        for (endpoint, experiment) in endpoints.iter().zip(experiments) {
            let known = evidence.endpoints.iter_mut().find(|known| known.endpoint == *endpoint);
            if let Some(known) = known {
                known.experiments.push(experiment);
            }
        }
        evidence.finished_at = self.clock().now();
    }

    /// One experiment at each endpoint, in their order.
    async fn experiments(
        self: &Arc<Self>,
        plan: &EnforcesPlan,
        endpoints: &[Endpoint],
    ) -> Vec<Experiment> {
        // Two experiments at one address would meet in its rate limits and grey lists.
        let mut by_address: BTreeMap<IpAddr, Vec<(usize, Endpoint)>> = BTreeMap::new();
        for (at, endpoint) in endpoints.iter().enumerate() {
            by_address.entry(endpoint.address).or_default().push((at, endpoint.clone()));
        }
        let mut running = JoinSet::new();
        let shared = Arc::new(plan.clone());
        for group in by_address.into_values() {
            let (observer, plan) = (Arc::clone(self), Arc::clone(&shared));
            running.spawn(async move {
                let mut made = Vec::with_capacity(group.len());
                for (at, endpoint) in group {
                    made.push((at, observer.experiment(&plan, &endpoint).await));
                }
                made
            });
        }
        let mut made: BTreeMap<usize, Experiment> = BTreeMap::new();
        while let Some(group) = running.join_next().await {
            // A panic in one is told below; the others go on.
            made.extend(group.into_iter().flatten());
        }
        let told = endpoints.iter().enumerate().map(|(at, endpoint)| {
            made.remove(&at).unwrap_or_else(|| {
                self.untried(plan, endpoint, Ending::Internal("the probe panicked".to_owned()))
            })
        });
        told.collect()
    }

    async fn experiment(&self, plan: &EnforcesPlan, endpoint: &Endpoint) -> Experiment {
        if !plan.targets.iter().any(|target| self.may_connect(target, endpoint)) {
            return self.untried(plan, endpoint, Ending::NotTried(NotTried::PrivateAddress));
        }
        let Some(origins) = steps::origins(plan, endpoint.address) else {
            let why = "none of the configured source addresses is of this family".to_owned();
            let ending = Ending::NotTried(NotTried::FamilyUnavailable(why));
            return self.untried(plan, endpoint, ending);
        };
        let started_at = self.clock().now();
        let control = steps::control(plan, origins);
        let first = self.attempt(plan, endpoint, control).await;
        let mut attempts = vec![first];
        if attempts.iter().all(|first| is_accepted(plan, first)) {
            for step in steps::negatives(plan, origins).into_iter().chain([control]) {
                attempts.push(self.attempt(plan, endpoint, step).await);
            }
        }
        Experiment { started_at, attempts }
    }

    /// An experiment that was not begun: its control, and why not.
    fn untried(&self, plan: &EnforcesPlan, endpoint: &Endpoint, ending: Ending) -> Experiment {
        let started_at = self.clock().now();
        let nowhere = steps::Origins::default();
        let control = steps::control(plan, nowhere);
        let mut session = Session::new(endpoint.clone(), started_at);
        session.ending = ending;
        let attempts = vec![written(plan, control, session, Envelope::default())];
        Experiment { started_at, attempts }
    }

    async fn attempt(&self, plan: &EnforcesPlan, endpoint: &Endpoint, step: Step) -> Attempt {
        let prober = self.prober.bound_to(step.origin.address());
        let certificate = match step.means {
            Means::Hellos => {
                let session = self.hellos(&prober, endpoint).await;
                return written(plan, step, session, Envelope::default());
            }
            Means::Clear => Certificate::None,
            Means::Tls(certificate) | Means::Tls12(certificate) => certificate,
        };
        let made = self.identity(plan, certificate).and_then(|identity| {
            let letter = self.letter(plan, step)?;
            Ok((identity, letter))
        });
        let (identity, letter) = match made {
            Ok(made) => made,
            Err(why) => {
                let mut session = Session::new(endpoint.clone(), self.clock().now());
                session.ending = Ending::Internal(why);
                return written(plan, step, session, Envelope::default());
            }
        };
        let identity = identity.as_deref();
        let handover = Handover {
            way: match step.means {
                Means::Clear | Means::Hellos => Way::Clear,
                Means::Tls(_) => Way::Tls { versions: Versions::All, identity },
                Means::Tls12(_) => Way::Tls { versions: Versions::Tls12, identity },
            },
            mail_from: step.sender.of(&plan.demand),
            rcpt_to: &plan.demand.envelope.rcpt_to,
            message: letter.as_deref(),
        };
        let _leave = self.pace.leave(endpoint).await;
        let (session, envelope) = prober.hand_over(endpoint, handover).await;
        written(plan, step, session, envelope)
    }

    /// What is presented; an error is ours, in words.
    fn identity(
        &self,
        plan: &EnforcesPlan,
        certificate: Certificate,
    ) -> Result<Option<Arc<ClientIdentity>>, String> {
        match certificate {
            Certificate::None => Ok(None),
            Certificate::Other => Ok(plan.other_client.clone()),
            Certificate::Ours => Ok(plan.client.clone()),
            Certificate::SelfMade => {
                let Some(name) = plan.demand.floor.client_names.first() else { return Ok(None) };
                let made = ClientIdentity::self_made(name, self.clock().now());
                made.map(|made| Some(Arc::new(made))).map_err(|error| error.to_string())
            }
        }
    }

    /// The message, where the attempt goes as far.
    fn letter(&self, plan: &EnforcesPlan, step: Step) -> Result<Option<String>, String> {
        match plan.demand.until(step.kind) {
            Until::Rcpt => Ok(None),
            Until::Data => {
                let mut token = [0; 16];
                aws_lc_rs::rand::fill(&mut token)
                    .map_err(|_| "this machine gives no random bytes".to_owned())?;
                let to = &plan.demand.envelope.rcpt_to;
                let (token, now) = (text::hex(&token), self.clock().now());
                Ok(Some(plan.letterhead.message(to, step.kind, &token, now)))
            }
        }
    }

    /// Hand-made hellos below TLS 1.2, one session each: the first one's session, with what all of them
    /// showed.
    async fn hellos(&self, prober: &Prober, endpoint: &Endpoint) -> Session {
        let mut told: Option<Session> = None;
        for version in LEGACY {
            let leave = self.pace.leave(endpoint).await;
            let until = Instant::now() + prober.plan.deadline;
            let offered = HelloOffer::Legacy(version);
            let offer = legacy::offer_of(offered, endpoint.host.clone());
            let asked = prober.ask(endpoint, &offer, until).await;
            drop(leave);
            let outcome = asked.answer.outcome(&offer, Version::Offered);
            let session = match told.take() {
                None => asked.session,
                Some(mut first) => {
                    prober.append(&mut first, offered, asked.session.transcript);
                    first
                }
            };
            let session = told.insert(session);
            if let (HelloOutcome::Accepted(_), Some(flight)) = (&outcome, asked.answer.flight()) {
                session.tls.get_or_insert_with(|| tls_of(flight));
            }
            // A server that no longer talks to us is not asked again.
            let is_unsent = matches!(outcome, HelloOutcome::Unsent(_));
            session.hellos.push(HelloTried { offered, outcome });
            if is_unsent {
                break;
            }
        }
        told.unwrap_or_else(|| Session::new(endpoint.clone(), self.clock().now()))
    }
}

fn written(plan: &EnforcesPlan, step: Step, session: Session, envelope: Envelope) -> Attempt {
    Attempt {
        kind: step.kind,
        mail_from: step.sender.of(&plan.demand).cloned(),
        source: step.origin.address(),
        session,
        envelope,
    }
}

/// Whether the receiver took what was offered, as far as the attempt went.
fn is_accepted(plan: &EnforcesPlan, attempt: &Attempt) -> bool {
    let last = match plan.demand.until(attempt.kind) {
        Until::Data => &attempt.envelope.message,
        Until::Rcpt => &attempt.envelope.rcpt,
    };
    last.as_ref().is_some_and(Reply::is_positive)
}
