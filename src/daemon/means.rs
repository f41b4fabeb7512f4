//! What every proof of a run needs, built once from the configuration: resolver, prober, roots, canaries, ledger.
//!
//! 1. The configuration says; a flag of the command line outweighs it.
//! 2. Canaries and ledger are there only where something is to be proved with them.
//!
//! Invariant: a client configuration, resolver or root store is never built per probe.
//! Invariant: all that looks at mail servers shares one pace, and so do means that replace each other.

use super::{
    canaries::{Canaries, Keeping, Making},
    ledger::Ledger,
    meter::Meter,
    round::sender::Post,
    store::Store,
};
use crate::config::{
    Config, SecretError, secret,
    settings::{Reachable, RootSource},
};
use crate::judge::{receiver::Tenant, replies::ReplyTable};
use crate::model::{
    connector::{Credentials, OutboundConnector},
    deep::Depth,
    judgement::Quorum,
    limits::Limits,
    roots::Roots,
};
use crate::observe::{
    canary::{CanaryError, CanaryIdentity},
    clock::Clock,
    dns::{DnsError, DnsPlan, Families, Resolver, Resolvers},
    oauth::{OAuthError, TokenSource},
    offers::{Observer, OffersPlan, Reach},
    pace::Pace,
    roots::{self, RootsError},
    starttls::{Opening, Prober, StartTlsPlan},
    submit::{Login, ProbeWords, Submitter},
    tls::{TlsClient, TlsError},
};
use crate::record::{
    RecordError,
    token_key::{self, TokenKeyError},
};
use crate::wire::{name::Host, text::hex, token::TokenKey};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tokio::sync::Semaphore;

/// Connections at once to our own mail systems.
const SUBMISSIONS: usize = 4;

/// What the command line said; it outweighs the configuration.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// Whom to ask; empty means whom the configuration names.
    pub resolvers: Vec<SocketAddr>,
    /// Which address families to connect to.
    pub families: Families,
    /// How we introduce ourselves, where the configuration does not say.
    pub ehlo: Option<Host>,
    /// Which addresses may be connected to.
    pub reach: Option<Reach>,
    /// Roots in place of the configured ones.
    pub ca_files: Vec<PathBuf>,
    /// Time for one endpoint.
    pub deadline: Duration,
    /// Which endpoints must be proved.
    pub quorum: Option<Quorum>,
    /// Days left of a certificate below which it is told.
    pub warn_days: Option<u32>,
    /// The clock of the run; none means the machine's.
    pub clock: Option<Clock>,
    /// After what time, at most, an endpoint is looked at again; none means never: the run is short.
    pub forgets_after: Option<Duration>,
    /// Whom the process has met so far; none means nobody.
    pub pace: Option<Pace>,
    /// Who counts.
    pub meter: Meter,
}

/// A run cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum MeansError {
    /// The canaries.
    #[error("the canaries cannot be started")]
    Canary(#[from] CanaryError),
    /// The resolver.
    #[error(transparent)]
    Dns(#[from] DnsError),
    /// A password, or a client's secret.
    #[error("cannot read the secret of connector `{connector}`")]
    Password {
        /// Whose.
        connector: String,
        /// Why not.
        source: SecretError,
    },
    /// The store.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The roots.
    #[error(transparent)]
    Roots(#[from] RootsError),
    /// The TLS library.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The client of a token endpoint.
    #[error(transparent)]
    OAuth(#[from] OAuthError),
    /// The key of tokens.
    #[error(transparent)]
    TokenKey(#[from] TokenKeyError),
}

/// What every proof of a run needs.
#[derive(Debug)]
pub struct Means {
    /// The configuration.
    pub config: Config,
    /// Looks at receivers.
    pub observer: Arc<Observer>,
    /// Looks at what anybody may have named: never beyond the public Internet.
    pub strangers: Arc<Observer>,
    /// The roots a chain may end at.
    pub roots: Arc<Roots>,
    /// What replies mean.
    pub replies: Arc<ReplyTable>,
    /// Which endpoints must be proved.
    pub quorum: Quorum,
    /// Days left of a certificate below which it is told.
    pub warn_days: u32,
    resolver: Resolver,
    prober: Prober,
    offers: OffersPlan,
    pace: Pace,
    clock: Clock,
    meter: Meter,
    canaries: Option<Arc<Canaries>>,
    canary_print: Option<String>,
    posts: BTreeMap<String, Post>,
    store: Option<Store>,
}

impl Means {
    /// What looking at receivers needs.
    ///
    /// # Errors
    ///
    /// Roots that cannot be read, no resolver, no TLS.
    pub fn build(config: Config, flags: Flags) -> Result<Self, MeansError> {
        let limits = Limits {
            sessions_per_address: config.rounds.sessions_per_address,
            per_operator_per_minute: config.rounds.per_operator_per_minute,
            ..config.limits
        };
        let given =
            if flags.resolvers.is_empty() { &config.dns.resolvers } else { &flags.resolvers };
        let resolvers = match given.as_slice() {
            [] => Resolvers::System,
            given => Resolvers::Given(given.to_vec()),
        };
        let resolver =
            Resolver::new(DnsPlan { resolvers, families: flags.families, ..DnsPlan::default() })?;
        let clock = flags.clock.unwrap_or_else(Clock::system);
        let ehlo = config.organisation.ehlo.clone().or(flags.ehlo);
        let plan = StartTlsPlan {
            ehlo,
            deadline: flags.deadline,
            opening: Opening::ByPort,
            retry_after: Duration::from_secs(5),
            limits,
        };
        let prober = Prober::new(TlsClient::new()?, clock.clone(), plan);
        let configured = match config.dns.allow_private {
            Reachable::Anywhere => Reach::Anywhere,
            Reachable::Public => Reach::Public,
        };
        let offers = OffersPlan {
            port: config.ports.smtp,
            reach: flags.reach.unwrap_or(configured),
            depth: Depth::Shallow,
            limits,
        };
        // A look that confirms another must not be the same look.
        let interval = config.claims.receiver_offers.interval;
        let held = flags.forgets_after.map(|held| held.min(interval / 3));
        let pace = flags.pace.unwrap_or_else(|| Pace::new(limits));
        let observe = |plan| {
            let observer = Observer::new(resolver.clone(), prober.clone(), plan);
            let observer = observer.paced_by(pace.clone());
            Arc::new(match held {
                Some(held) => observer.forgetting_after(held),
                None => observer,
            })
        };
        let observer = observe(offers);
        let strangers = observe(OffersPlan { reach: Reach::Public, ..offers });
        let explained: Vec<_> =
            config.replies.iter().map(|rule| (rule.pattern.clone(), rule.class)).collect();
        Ok(Self {
            observer,
            strangers,
            offers,
            pace,
            roots: Arc::new(roots_of(&config, &flags.ca_files)?),
            replies: Arc::new(ReplyTable::with(&explained)),
            quorum: flags.quorum.unwrap_or(config.rounds.quorum),
            warn_days: flags.warn_days.unwrap_or(config.rounds.warn_days),
            resolver,
            prober,
            clock,
            meter: flags.meter,
            canaries: None,
            canary_print: canary_print(&config),
            posts: BTreeMap::new(),
            store: None,
            config,
        })
    }

    /// Opens the record, which remembers who was probed when.
    ///
    /// # Errors
    ///
    /// The state directory is held by somebody else or cannot be used.
    pub fn open_ledger(&mut self) -> Result<Ledger, MeansError> {
        if let Some(store) = &self.store {
            return Ok(store.ledger());
        }
        let meter = self.meter.clone();
        let store = Store::open(&self.config.state_dir, move |signal| meter.measure(&signal))?;
        let ledger = store.ledger();
        self.store = Some(store);
        Ok(ledger)
    }

    /// Uses a record that is open already.
    pub fn use_store(&mut self, store: Store) {
        self.store = Some(store);
    }

    /// The record, where it was opened.
    pub fn store(&self) -> Option<&Store> {
        self.store.as_ref()
    }

    /// The ledger of probes, where the record was opened.
    pub fn ledger(&self) -> Option<Ledger> {
        self.store.as_ref().map(Store::ledger)
    }

    /// Opens the record and starts the canaries: what proofs by probe mail need besides.
    ///
    /// # Errors
    ///
    /// The state directory is held by somebody else or cannot be used; a canary cannot listen.
    pub async fn start_canaries(&mut self) -> Result<(), MeansError> {
        self.start_canaries_with(Vec::new()).await
    }

    /// The same, with sockets that are open already.
    ///
    /// # Errors
    ///
    /// As [`Self::start_canaries`].
    pub async fn start_canaries_with(&mut self, open: Vec<TcpListener>) -> Result<(), MeansError> {
        let ledger = self.open_ledger()?;
        let key = Arc::new(token_key::open(&self.config.state_dir)?);
        let making = Making {
            canaries: &self.config.canaries,
            connectors: &self.config.outbound,
            state_dir: &self.config.state_dir,
            roots: &self.roots,
        };
        let clock = self.clock.clone();
        let keeping = Keeping { ledger, open, meter: self.meter.clone() };
        let canaries = Arc::new(Canaries::start(making, &key, clock, keeping).await?);
        self.use_canaries(canaries, &key)
    }

    /// Whether canaries, tokens and passwords can be had, without listening anywhere.
    ///
    /// # Errors
    ///
    /// One of them cannot.
    pub fn check_canaries(&self) -> Result<(), MeansError> {
        token_key::open(&self.config.state_dir)?;
        for files in self.config.canaries.iter().filter_map(|one| one.certificate.as_ref()) {
            CanaryIdentity::from_files(files)?;
        }
        let turns = Arc::new(Semaphore::new(SUBMISSIONS));
        for connector in &self.config.outbound {
            self.submitter(connector, &turns)?;
        }
        Ok(())
    }

    /// A digest of everything that makes the canaries; none where a file of theirs cannot be read.
    pub fn canary_print(&self) -> Option<&str> {
        self.canary_print.as_deref()
    }

    /// Uses canaries that listen already: those of a configuration that is the same in all that makes them.
    ///
    /// # Errors
    ///
    /// The key of tokens or a password cannot be read.
    pub fn share_canaries(&mut self, canaries: Arc<Canaries>) -> Result<(), MeansError> {
        let key = Arc::new(token_key::open(&self.config.state_dir)?);
        self.use_canaries(canaries, &key)
    }

    fn use_canaries(
        &mut self,
        canaries: Arc<Canaries>,
        key: &Arc<TokenKey>,
    ) -> Result<(), MeansError> {
        let ledger = self.open_ledger()?;
        let turns = Arc::new(Semaphore::new(SUBMISSIONS));
        for connector in &self.config.outbound {
            let Some(submitter) = self.submitter(connector, &turns)? else { continue };
            let post = Post {
                submitter: Arc::new(submitter),
                canaries: Arc::clone(&canaries),
                ledger: ledger.clone(),
                key: Arc::clone(key),
                resolver: self.resolver.clone(),
                clock: self.clock.clone(),
            };
            self.posts.insert(connector.name.clone(), post);
        }
        self.canaries = Some(canaries);
        Ok(())
    }

    /// The canaries, where they were started.
    pub fn canaries(&self) -> Option<&Arc<Canaries>> {
        self.canaries.as_ref()
    }

    /// Ends the canaries' sessions, and waits until they are written down.
    pub async fn stop(mut self) {
        self.posts.clear();
        // Rounds are over: nobody else holds them.
        if let Some(canaries) = self.canaries.take().and_then(Arc::into_inner) {
            canaries.stop().await;
        }
    }

    /// An observer for one look from this local address.
    pub(super) fn observer_from(&self, source: IpAddr) -> Arc<Observer> {
        let prober = self.prober.bound_to(Some(source));
        let observer = Observer::new(self.resolver.clone(), prober, self.offers);
        Arc::new(observer.paced_by(self.pace.clone()))
    }

    /// Whom the process has met so far: for the means that replace these.
    pub fn pace(&self) -> Pace {
        self.pace.clone()
    }

    /// Sessions keep to the limits of these means from now on, also those of proofs that began with others.
    pub fn set_the_pace(&self) {
        self.pace.keep_to(self.offers.limits);
    }

    /// What rounds under this connector need; none where nothing is submitted under it.
    pub fn post(&self, connector: &str) -> Option<&Post> {
        self.posts.get(connector)
    }

    /// Whether our mail system is Exchange Online: by where it takes mail, or how it introduces itself.
    pub fn tenant(&self) -> Tenant {
        const ITS: [&str; 2] = [".outlook.com", ".office365.com"];
        let is_its = |name: &str| ITS.iter().any(|suffix| name.ends_with(suffix));
        let uses = |connector: &OutboundConnector| {
            connector.submit.as_ref().is_some_and(|submit| is_its(&submit.host.to_string()))
                || connector.sender.ehlo.iter().any(|pattern| is_its(&pattern.to_string()))
        };
        if self.config.outbound.iter().any(uses) { Tenant::ExchangeOnline } else { Tenant::Unknown }
    }

    /// The clock of the run.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// Asks whom this run asks.
    pub(super) fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// Hands probe mail over for this connector; none where nothing is submitted under it.
    ///
    /// # Errors
    ///
    /// Its password cannot be read.
    pub(super) fn submitter(
        &self,
        connector: &OutboundConnector,
        turns: &Arc<Semaphore>,
    ) -> Result<Option<Submitter>, MeansError> {
        let Some(submit) = &connector.submit else { return Ok(None) };
        let unreadable =
            |source| MeansError::Password { connector: connector.name.clone(), source };
        let login = match &submit.credentials {
            None => None,
            Some(Credentials::Password { password_file, .. }) => {
                Some(Login::Password(secret(password_file).map_err(unreadable)?))
            }
            Some(Credentials::OAuth2 { client, .. }) => {
                let secret = secret(&client.client_secret_file).map_err(unreadable)?;
                let source = TokenSource::new(
                    client.clone(),
                    secret,
                    &self.roots,
                    self.resolver.clone(),
                    self.clock.clone(),
                )?;
                Some(Login::Tokens(Arc::new(source)))
            }
        };
        let words = ProbeWords { organisation: self.config.organisation.name.clone() };
        Ok(Some(Submitter::new(
            submit.clone(),
            login,
            Arc::clone(&self.roots),
            self.resolver.clone(),
            &self.prober,
            words,
            Arc::clone(turns),
        )))
    }
}

fn canary_print(config: &Config) -> Option<String> {
    let Config { canaries, outbound, tls, state_dir, .. } = config;
    let mut print = Sha256::new();
    print.update(format!("{canaries:?}{tls:?}{state_dir:?}"));
    for connector in outbound {
        print.update(format!(
            "{}{:?}{:?}",
            connector.name, connector.canaries, connector.requirement
        ));
    }
    for files in canaries.iter().filter_map(|one| one.certificate.as_ref()) {
        print.update(std::fs::read(&files.chain_file).ok()?);
        print.update(std::fs::read(&files.key_file).ok()?);
    }
    Some(hex(&print.finalize()))
}

/// The roots of a configuration; those of `instead` where there are any.
///
/// # Errors
///
/// A file that cannot be read, or holds no root.
pub fn roots_of(config: &Config, instead: &[PathBuf]) -> Result<Roots, RootsError> {
    if !instead.is_empty() {
        return roots::files(instead);
    }
    let mut all = match config.tls.source {
        RootSource::Mozilla => roots::mozilla(),
        RootSource::None => Roots::default(),
        RootSource::System => roots::system()?,
    };
    if !config.tls.ca_files.is_empty() {
        let more = roots::files(&config.tls.ca_files)?;
        let sources = [all.source.as_str(), more.source.as_str()];
        all.source =
            sources.into_iter().filter(|source| !source.is_empty()).collect::<Vec<_>>().join(", ");
        all.anchors.extend(more.anchors);
    }
    Ok(all)
}
