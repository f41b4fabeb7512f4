//! Less than the agreed TLS, tried at every endpoint of a receiver between two controls that must pass.
//!
//! 1. Where the mail goes, as for every look.
//! 2. At each endpoint, one after another: control, negatives, control, with one source address, envelope sender
//!    and recipient, so that grey-listing, rate limits and outages show at the controls too.
//! 3. A control that is not taken ends the experiment: nothing can be proved, and nobody is bothered further.
//!
//! Invariant: at a partner's receiver never DATA, and never more than six sessions.

use super::{
    envelope::{Asked, ClientIdentity, Way},
    offers::Observer,
    starttls::Prober,
    tls::Versions,
};
use crate::model::{
    connector::Until,
    deep::HelloOffer,
    enforcement::{
        Attempt, AttemptKind, Demand, EndpointExperiments, EnforcesEvidence, Envelope, Experiment,
        Place, Routed,
    },
    evidence,
    requirement::{MinVersion, TlsVersion},
    session::{Ending, Endpoint, NotTried, Phase, Session},
    target::Target,
};
use crate::wire::{
    mailbox::Mailbox,
    name::{Host, NamePattern},
    text,
};
use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};
use sha2::{Digest, Sha256};
use std::{net::IpAddr, sync::Arc};
use tokio::{task::JoinSet, time::Instant};

/// What is tried, and with what.
#[derive(Debug, Clone)]
pub struct EnforcesPlan {
    /// What is asked of the receiver.
    pub demand: Demand,
    /// Where.
    pub targets: Vec<Target>,
    /// The certificate of the control, where one is required.
    pub client: Option<Arc<ClientIdentity>>,
    /// A trusted certificate for another name.
    pub other_client: Option<Arc<ClientIdentity>>,
    /// Local addresses to come from; none is the system's choice.
    pub sources: Vec<IpAddr>,
    /// What people call us; it stands in messages.
    pub organisation: String,
}

/// One attempt to be made.
#[derive(Debug, Clone)]
struct Step {
    kind: AttemptKind,
    way: StepWay,
    mail_from: Option<Mailbox>,
    source: Option<IpAddr>,
}

#[derive(Debug, Clone)]
enum StepWay {
    Clear,
    Hello,
    Tls(Versions, Option<Arc<ClientIdentity>>),
}

impl EnforcesPlan {
    /// The address our probes come from: one the connector knows the partner by, where there is one.
    fn source(&self) -> Option<IpAddr> {
        let known = |address: &&IpAddr| self.is_known(**address);
        self.sources.iter().find(known).or_else(|| self.sources.first()).copied()
    }

    fn foreign_source(&self) -> Option<IpAddr> {
        self.sources.iter().find(|address| !self.is_known(**address)).copied()
    }

    fn is_known(&self, address: IpAddr) -> bool {
        let networks = &self.demand.networks;
        networks.is_empty() || networks.iter().any(|network| network.contains(&address))
    }

    fn control(&self) -> Step {
        let needs = !self.demand.floor.client_names.is_empty();
        let instead = self.demand.envelope.control_mail_from.as_ref();
        let mail_from = match (needs, &self.client) {
            (true, None) => instead.unwrap_or(&self.demand.envelope.mail_from),
            _ => &self.demand.envelope.mail_from,
        };
        let client = if needs { self.client.clone() } else { None };
        Step {
            kind: AttemptKind::Control,
            way: StepWay::Tls(Versions::Modern, client),
            mail_from: Some(mail_from.clone()),
            source: self.source(),
        }
    }

    /// What must be refused, and what is only asked, in the order of how much it says.
    fn negatives(&self) -> Vec<Step> {
        let control = self.control();
        let as_partner = Some(self.demand.envelope.mail_from.clone());
        let step =
            |kind, way| Step { kind, way, mail_from: as_partner.clone(), source: control.source };
        let mut steps = vec![step(AttemptKind::Plaintext, StepWay::Clear)];
        steps.push(step(AttemptKind::LegacyTls, StepWay::Hello));
        let client = match &control.way {
            StepWay::Tls(_, client) => client.clone(),
            StepWay::Clear | StepWay::Hello => None,
        };
        if self.demand.floor.min_version == MinVersion::Tls13 {
            let tls = StepWay::Tls(Versions::Tls12, client.clone());
            steps.push(step(AttemptKind::LegacyTls, tls));
        }
        if self.demand.place == Place::Partners {
            return steps;
        }
        let modern = |client| StepWay::Tls(Versions::Modern, client);
        if let Some(name) = self.demand.floor.client_names.first() {
            steps.push(step(AttemptKind::NoClientCert, modern(None)));
            // Without one this attempt is left out, and the judge sees that it is.
            if let Some(made) = host_of(name).and_then(|host| ClientIdentity::self_made(&host).ok())
            {
                let way = modern(Some(Arc::new(made)));
                steps.push(step(AttemptKind::SelfMadeClientCert, way));
            }
            if let Some(other) = &self.other_client {
                let way = modern(Some(Arc::clone(other)));
                steps.push(step(AttemptKind::OtherClientCert, way));
            }
        }
        if let Some(foreign) = self.foreign_source() {
            let foreign = Some(foreign);
            let way = modern(client);
            steps.push(Step { source: foreign, ..step(AttemptKind::ForeignAddress, way) });
        }
        steps.push(Step { mail_from: None, ..step(AttemptKind::NullSender, StepWay::Clear) });
        steps
    }

    /// How far attempts go: never to DATA at a partner's.
    fn goes(&self) -> Until {
        match self.demand.place {
            Place::Ours => self.demand.envelope.until,
            Place::Partners => Until::Rcpt,
        }
    }

    /// A short message that says what it is, from us to us.
    fn message(&self, kind: AttemptKind, endpoint: &Endpoint, now: Timestamp) -> String {
        let to = &self.demand.envelope.rcpt_to;
        let seed = format!("{kind} {endpoint} {now}");
        let digest = text::hex(&Sha256::digest(seed.as_bytes()));
        let id = digest.get(..20).unwrap_or(&digest);
        let date = DateTimePrinter::new().timestamp_to_string(&now).unwrap_or_default();
        let organisation = text::printable_within(self.organisation.as_bytes(), 100);
        [
            format!("From: <{to}>"),
            format!("To: <{to}>"),
            format!("Date: {date}"),
            format!("Message-ID: <{id}@{}>", to.domain()),
            "Subject: mxwarden probe, please ignore".to_owned(),
            format!("List-Id: mxwarden probes <probes.mxwarden.{}>", to.domain()),
            "Auto-Submitted: auto-generated".to_owned(),
            format!("X-Mxwarden-Probe: {id}; kind={kind}"),
            "MIME-Version: 1.0".to_owned(),
            "Content-Type: text/plain; charset=utf-8".to_owned(),
            String::new(),
            format!(
                "This is a probe by which {organisation} checks that its mail server refuses mail without the agreed TLS."
            ),
            "It may be deleted. Questions go to the postmaster of this domain.".to_owned(),
        ]
        .join("\r\n")
    }
}

/// A host that the pattern is met by.
fn host_of(pattern: &NamePattern) -> Option<Host> {
    let text = pattern.to_string();
    match text.strip_prefix("*.") {
        Some(suffix) => format!("mail.{suffix}").parse().ok(),
        None => text.parse().ok(),
    }
}

impl Observer {
    /// Resolves the targets and makes one experiment at every endpoint, side by side as far as politeness allows.
    pub async fn enforces(self: &Arc<Self>, plan: &EnforcesPlan) -> EnforcesEvidence {
        let started_at = self.clock().now();
        let mut routes = Vec::new();
        let mut endpoints: Vec<(Endpoint, bool)> = Vec::new();
        for target in &plan.targets {
            let resolution = self.resolver.resolve(target).await;
            for endpoint in self.endpoints(target, &resolution) {
                let may_connect = self.may_connect(target, &endpoint);
                if !endpoints.iter().any(|(known, _)| *known == endpoint) {
                    endpoints.push((endpoint, may_connect));
                }
            }
            routes.push(Routed { target: target.clone(), resolution });
        }
        let mut evidence = EnforcesEvidence {
            format: evidence::FORMAT.to_owned(),
            demand: plan.demand.clone(),
            started_at,
            finished_at: started_at,
            routes,
            endpoints: Vec::new(),
        };
        let reachable: Vec<Endpoint> = endpoints
            .iter()
            .filter(|(_, may)| *may)
            .map(|(endpoint, _)| endpoint.clone())
            .collect();
        for (endpoint, may_connect) in endpoints {
            let experiments =
                if may_connect { Vec::new() } else { vec![self.not_tried(plan, &endpoint)] };
            evidence.endpoints.push(EndpointExperiments { endpoint, experiments });
        }
        self.enforces_again(plan, &mut evidence, &reachable).await;
        evidence
    }

    /// Makes one more experiment at each of these endpoints.
    pub async fn enforces_again(
        self: &Arc<Self>,
        plan: &EnforcesPlan,
        evidence: &mut EnforcesEvidence,
        endpoints: &[Endpoint],
    ) {
        let mut experiments = JoinSet::new();
        let plan = Arc::new(plan.clone());
        for endpoint in endpoints.iter().cloned() {
            let (observer, plan) = (Arc::clone(self), Arc::clone(&plan));
            experiments.spawn(async move {
                let experiment = observer.experiment(&plan, &endpoint).await;
                (endpoint, experiment)
            });
        }
        while let Some(done) = experiments.join_next().await {
            // An experiment that panicked was not made; its endpoint has none, and is unknown.
            let Ok((endpoint, experiment)) = done else { continue };
            let place = evidence.endpoints.iter_mut().find(|place| place.endpoint == endpoint);
            if let Some(place) = place {
                place.experiments.push(experiment);
            }
        }
        evidence.finished_at = self.clock().now();
    }

    async fn experiment(&self, plan: &EnforcesPlan, endpoint: &Endpoint) -> Experiment {
        let started_at = self.clock().now();
        let control = self.step(plan, &plan.control(), endpoint).await;
        let passed = is_taken(&control, plan.goes());
        let mut attempts = vec![control];
        if passed {
            for step in plan.negatives() {
                attempts.push(self.step(plan, &step, endpoint).await);
            }
            attempts.push(self.step(plan, &plan.control(), endpoint).await);
        }
        Experiment { started_at, attempts }
    }

    async fn step(&self, plan: &EnforcesPlan, step: &Step, endpoint: &Endpoint) -> Attempt {
        let _leave = self.pace.leave(endpoint).await;
        let mut prober: Prober = self.prober.clone();
        prober.plan.source =
            step.source.filter(|source| source.is_ipv4() == endpoint.address.is_ipv4());
        let message = plan.message(step.kind, endpoint, self.clock().now());
        let asked = |way| Asked {
            kind: step.kind,
            way,
            mail_from: step.mail_from.as_ref(),
            rcpt_to: &plan.demand.envelope.rcpt_to,
            goes: plan.goes(),
            message: &message,
        };
        match &step.way {
            StepWay::Clear => prober.attempt(endpoint, &asked(Way::Clear)).await,
            StepWay::Tls(versions, identity) => {
                let identity = identity.as_deref();
                let way = Way::Tls { versions: *versions, identity };
                prober.attempt(endpoint, &asked(way)).await
            }
            StepWay::Hello => hellos(&prober, step, endpoint).await,
        }
    }

    /// An endpoint in a private network, which a stranger's DNS must not aim us at.
    fn not_tried(&self, plan: &EnforcesPlan, endpoint: &Endpoint) -> Experiment {
        let started_at = self.clock().now();
        let mut session = Session::new(endpoint.clone(), started_at);
        session.ending = Ending::NotTried(NotTried::PrivateAddress);
        let Step { kind, mail_from, source, .. } = plan.control();
        let envelope = Envelope::default();
        Experiment {
            started_at,
            attempts: vec![Attempt { kind, mail_from, source, session, envelope }],
        }
    }
}

/// Hand-made hellos of TLS 1.1 and 1.0: what the server answers, and no envelope.
async fn hellos(prober: &Prober, step: &Step, endpoint: &Endpoint) -> Attempt {
    let until = Instant::now() + prober.plan.deadline;
    let mut session = Session::new(endpoint.clone(), prober.clock.now());
    session.reached = Phase::Handshake;
    for version in [TlsVersion::Tls11, TlsVersion::Tls10] {
        prober.try_hello(&mut session, HelloOffer::Legacy(version), until).await;
    }
    let Step { kind, mail_from, .. } = step.clone();
    let source = prober.plan.source;
    Attempt { kind, mail_from, source, session, envelope: Envelope::default() }
}

/// Whether the receiver took the control as far as it goes.
fn is_taken(control: &Attempt, goes: Until) -> bool {
    let last = match goes {
        Until::Data => &control.envelope.message,
        Until::Rcpt => &control.envelope.rcpt,
    };
    control.session.has_completed_tls() && last.as_ref().is_some_and(|reply| reply.is_positive())
}
