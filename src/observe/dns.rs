//! Where a target's mail goes: MX, A and AAAA records, asked of the resolvers given and of nobody else
//! ([RFC 5321 §5.1]).
//!
//! 1. An address or a host is taken as it is; a domain is asked for its MX records.
//! 2. No MX record: the domain's own addresses stand in. A lookup that *failed* never leads there.
//! 3. Each MX host is asked for A and for AAAA, apart and at once, through its aliases.
//!
//! Names are asked for as they stand: no search list, no `/etc/hosts`, no guess at missing dots.
//!
//! Invariant: resolving never fails; a failure is part of the [`Resolution`].
//! Invariant: the same answers give the same [`Resolution`], in the same order.
//!
//! [RFC 5321 §5.1]: https://www.rfc-editor.org/rfc/rfc5321#section-5.1

mod answer;
mod exchange;
#[cfg(test)]
mod tests;
mod upstream;

pub use answer::{Answer, Outcome};
pub use hickory_net::proto::rr::{RData, RecordType};

use crate::model::resolution::{
    Addresses, DnsFailure, DnsFailureKind, Exchange, ExchangeHost, Lookup, Resolution, Route,
};
use crate::model::target::Target;
use crate::wire::name::{Domain, Host};
use answer::{Chain, Step};
use exchange::Candidates;
use hickory_net::proto::op::Query;
use hickory_net::proto::rr::Name;
use std::net::{IpAddr, SocketAddr};
use std::{fmt, sync::Arc, time::Duration};
use tokio::task::JoinSet;
use upstream::Upstreams;

/// How to resolve: fixed for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsPlan {
    /// Whom to ask.
    pub resolvers: Resolvers,
    /// One question, with all its tries and all resolvers together.
    pub timeout: Duration,
    /// Which addresses to ask for.
    pub families: Families,
    /// MX hosts of one domain that are followed; the rest is counted.
    pub hosts_per_domain: usize,
    /// Addresses kept of one host in each family.
    pub addresses_per_host: usize,
}

impl Default for DnsPlan {
    fn default() -> Self {
        let limits = crate::model::limits::Limits::default();
        Self {
            resolvers: Resolvers::System,
            timeout: Duration::from_secs(10),
            families: Families::Both,
            hosts_per_domain: limits.hosts_per_domain,
            addresses_per_host: limits.addresses_per_host,
        }
    }
}

/// Whom to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolvers {
    /// These, in this order, and no other.
    Given(Vec<SocketAddr>),
    /// Those of `/etc/resolv.conf`; nothing else in that file is heeded.
    System,
}

/// Which addresses to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Families {
    /// A and AAAA.
    #[default]
    Both,
    /// A.
    V4,
    /// AAAA.
    V6,
}

impl Families {
    fn asks_for(self, record_type: RecordType) -> bool {
        match self {
            Self::Both => true,
            Self::V4 => record_type == RecordType::A,
            Self::V6 => record_type == RecordType::AAAA,
        }
    }
}

/// Why we cannot resolve anything at all.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    /// Nobody to ask.
    #[error("no resolver was given")]
    NoResolver,
    /// The system's resolvers are not known.
    #[error("could not read the resolvers of /etc/resolv.conf")]
    System(#[source] hickory_net::NetError),
}

/// Resolves targets. Built once a process, cheap to clone; clones share connections and cache.
#[derive(Clone)]
pub struct Resolver {
    plan: Arc<DnsPlan>,
    upstreams: Arc<Upstreams>,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl Resolver {
    /// Finds out whom to ask. Nothing is sent yet.
    pub fn new(plan: DnsPlan) -> Result<Self, DnsError> {
        let upstreams = Upstreams::new(&plan.resolvers, plan.timeout)?;
        Ok(Self { plan: Arc::new(plan), upstreams: Arc::new(upstreams) })
    }

    /// Where the target's mail goes.
    pub async fn resolve(&self, target: &Target) -> Resolution {
        match target {
            Target::Address { address, port: _ } => explicit(at(*address), Vec::new()),
            Target::Domain(domain) => self.domain(domain).await,
            Target::Host { host, port: _ } => {
                let (exchange, lookups) =
                    self.exchange(None, ExchangeHost::Name(host.clone())).await;
                explicit(exchange, lookups)
            }
        }
    }

    /// Asks one question and follows the aliases it leads through. Validation will come beneath this function.
    pub async fn lookup(&self, host: &Host, record_type: RecordType) -> Answer {
        let mut lookups = Vec::new();
        let name = match Name::from_labels(host.as_str().split('.').map(str::as_bytes)) {
            Ok(name) => name,
            Err(error) => {
                let detail = format!("{record_type} {host}: not a name to ask for ({error})");
                let failure = DnsFailure { kind: DnsFailureKind::Other, detail };
                return Answer { outcome: Outcome::Failed(failure), aliases: Vec::new(), lookups };
            }
        };
        let mut chain = Chain::new(name);
        let outcome = loop {
            let query = Query::query(chain.last().clone(), record_type);
            let reply = self.upstreams.ask(&query).await;
            lookups.push(answer::as_text(&query, &reply));
            match reply {
                Ok(reply) => match chain.follow(&reply, record_type) {
                    Step::Ask => {}
                    Step::Done(outcome) => break outcome,
                },
                Err(failure) => break Outcome::Failed(failure),
            }
        };
        Answer { outcome, aliases: chain.into_aliases(), lookups }
    }

    async fn domain(&self, domain: &Domain) -> Resolution {
        let host = Host::from(domain.clone());
        let Answer { outcome, aliases: _, lookups } = self.lookup(&host, RecordType::MX).await;
        match outcome {
            // RFC 5321 §5.1: only the absence of MX records makes an implicit MX, never a failure to see them.
            Outcome::Failed(failure) => nowhere(Route::Failed(failure), lookups),
            Outcome::NoData => self.implicit(host, lookups).await,
            Outcome::Nxdomain => nowhere(Route::Nxdomain, lookups),
            Outcome::Records(records) => {
                match Candidates::new(&records, self.plan.hosts_per_domain) {
                    Candidates::Hosts { hosts, left_out } => {
                        self.hosts(hosts, left_out, lookups).await
                    }
                    Candidates::NullMx => nowhere(Route::NullMx, lookups),
                }
            }
        }
    }

    /// RFC 5321 §5.1: "the address RR is treated as if it was associated with an implicit MX RR".
    async fn implicit(&self, host: Host, mut lookups: Vec<Lookup>) -> Resolution {
        let (exchange, asked) = self.exchange(None, ExchangeHost::Name(host.clone())).await;
        lookups.extend(asked);
        let (mut has_address, mut failure) = (false, None);
        for addresses in [&exchange.v4, &exchange.v6] {
            match addresses {
                Addresses::Failed(reason) => failure = failure.or_else(|| Some(reason.clone())),
                Addresses::Found(_) => has_address = true,
                Addresses::None | Addresses::NotAsked => {}
            }
        }
        // A run that is limited to one family must not call a domain of the other one mail-less.
        let left_out = [RecordType::A, RecordType::AAAA]
            .into_iter()
            .find(|family| !self.plan.families.asks_for(*family));
        if !has_address && let Some(family) = left_out {
            let answer = self.lookup(&host, family).await;
            lookups.extend(answer.lookups);
            match answer.outcome {
                Outcome::Failed(reason) => failure = failure.or(Some(reason)),
                Outcome::NoData | Outcome::Nxdomain => {}
                Outcome::Records(_) => has_address = true,
            }
        }
        if has_address {
            let route = Route::Implicit;
            return Resolution { route, exchanges: vec![exchange], left_out: 0, lookups };
        }
        nowhere(failure.map_or(Route::NoMx, Route::Failed), lookups)
    }

    async fn hosts(
        &self,
        hosts: Vec<(u16, ExchangeHost)>,
        left_out: usize,
        mut lookups: Vec<Lookup>,
    ) -> Resolution {
        let mut tasks = JoinSet::new();
        for (place, (preference, host)) in hosts.into_iter().enumerate() {
            let resolver = self.clone();
            tasks.spawn(async move { (place, resolver.exchange(Some(preference), host).await) });
        }
        let mut found = tasks.join_all().await;
        found.sort_by_key(|(place, _)| *place);
        let mut exchanges = Vec::with_capacity(found.len());
        for (_, (exchange, asked)) in found {
            exchanges.push(exchange);
            lookups.extend(asked);
        }
        Resolution { route: Route::Mx, exchanges, left_out, lookups }
    }

    async fn exchange(
        &self,
        preference: Option<u16>,
        host: ExchangeHost,
    ) -> (Exchange, Vec<Lookup>) {
        let (mut v4, mut v6) = (Addresses::NotAsked, Addresses::NotAsked);
        let (mut aliases, mut lookups, mut left_out) = (Vec::new(), Vec::new(), 0);
        if let ExchangeHost::Name(name) = &host {
            let (a, aaaa) =
                tokio::join!(self.family(name, RecordType::A), self.family(name, RecordType::AAAA));
            for (slot, answer) in [(&mut v4, a), (&mut v6, aaaa)] {
                let Some(answer) = answer else { continue };
                let (found, more) =
                    exchange::addresses(answer.outcome, self.plan.addresses_per_host);
                *slot = found;
                left_out += more;
                lookups.extend(answer.lookups);
                if aliases.is_empty() {
                    aliases = answer.aliases;
                }
            }
        }
        (Exchange { preference, host, aliases, v4, v6, left_out }, lookups)
    }

    async fn family(&self, host: &Host, record_type: RecordType) -> Option<Answer> {
        if !self.plan.families.asks_for(record_type) {
            return None;
        }
        Some(self.lookup(host, record_type).await)
    }
}

fn at(address: IpAddr) -> Exchange {
    let found = Addresses::Found(vec![address]);
    let (v4, v6) = match address {
        IpAddr::V4(_) => (found, Addresses::NotAsked),
        IpAddr::V6(_) => (Addresses::NotAsked, found),
    };
    let host = ExchangeHost::Address(address);
    Exchange { preference: None, host, aliases: Vec::new(), v4, v6, left_out: 0 }
}

fn explicit(exchange: Exchange, lookups: Vec<Lookup>) -> Resolution {
    Resolution { route: Route::Explicit, exchanges: vec![exchange], left_out: 0, lookups }
}

fn nowhere(route: Route, lookups: Vec<Lookup>) -> Resolution {
    Resolution { route, exchanges: Vec::new(), left_out: 0, lookups }
}
