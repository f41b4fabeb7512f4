//! Asks the resolvers one question, until one of them answers it or the time is up.
//!
//! 1. What was answered lately is answered from memory.
//! 2. The resolvers are asked one after another: UDP with EDNS ([RFC 6891]), repeated when nothing comes,
//!    TCP when the answer was truncated ([RFC 7766 §5]).
//! 3. Silence, SERVFAIL, REFUSED and anything that is no answer lead to the next resolver.
//! 4. Silent ones are asked again while there is time, those that stumbled once more.
//!
//! One pool to a resolver, because hickory's own pool goes on to the next server after silence alone and
//! keeps to itself which server said what.
//!
//! Invariant: one question takes no longer than the plan's timeout, waiting for a turn apart.
//!
//! [RFC 6891]: https://www.rfc-editor.org/rfc/rfc6891
//! [RFC 7766 §5]: https://www.rfc-editor.org/rfc/rfc7766#section-5

use super::answer::{Reply, shown};
use super::{DnsError, Resolvers};
use crate::model::resolution::{DnsFailure, DnsFailureKind};
use crate::wire::text::printable_within;
use hickory_net::proto::op::{DnsRequestOptions, DnsResponse, Message, Query, ResponseCode};
use hickory_net::proto::rr::{Record, RecordType};
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::xfer::{DnsHandle, FirstAnswer as _};
use hickory_net::{DnsError as Rejection, NetError};
use hickory_resolver::config::{NameServerConfig, ResolverOpts, ServerOrderingStrategy};
use hickory_resolver::{NameServerPool, PoolContext, ResponseCache, TlsConfig, TtlConfig};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::Instant};

/// Questions at once; each may hold three UDP sockets.
const TURNS: usize = 64;
/// Answers remembered, how long at most, and how large each may be.
const REMEMBERED: u64 = 4096;
const REMEMBERED_FOR: Duration = Duration::from_secs(300);
const REMEMBERED_OCTETS: usize = 4096;

pub(super) struct Upstreams {
    list: Vec<Upstream>,
    /// Whom to ask first: the one that answered where others were silent.
    first: AtomicUsize,
    cache: ResponseCache,
    turns: Semaphore,
    timeout: Duration,
}

struct Upstream {
    address: SocketAddr,
    pool: NameServerPool<TokioRuntimeProvider>,
}

/// Why one resolver gave no answer.
struct Trouble {
    kind: DnsFailureKind,
    words: String,
}

impl Upstreams {
    pub(super) fn new(resolvers: &Resolvers, timeout: Duration) -> Result<Self, DnsError> {
        let mut addresses = Vec::new();
        for address in match resolvers {
            Resolvers::Given(given) => given.clone(),
            Resolvers::System => system()?,
        } {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        // Two tries each, should all be silent.
        let tries = u32::try_from(addresses.len()).unwrap_or(u32::MAX).saturating_mul(2);
        let patience = timeout.checked_div(tries).ok_or(DnsError::NoResolver)?;
        let options = options(patience);
        let cache = ResponseCache::new(REMEMBERED, TtlConfig::from_opts(&options));
        let list = addresses
            .into_iter()
            .map(|address| Upstream::new(address, options.clone()))
            .collect::<Result<_, _>>()
            .map_err(DnsError::System)?;
        let first = AtomicUsize::new(0);
        Ok(Self { list, first, cache, turns: Semaphore::new(TURNS), timeout })
    }

    /// Asks until somebody answers. A name that does not exist, or has no such record, is an answer.
    pub(super) async fn ask(&self, query: &Query) -> Result<Reply, DnsFailure> {
        if let Some(reply) = self.remembered(query) {
            return Ok(reply);
        }
        let _turn = self.turns.acquire().await;
        // Somebody may have asked the same while we waited.
        if let Some(reply) = self.remembered(query) {
            return Ok(reply);
        }
        let deadline = Instant::now() + self.timeout;
        let first = self.first.load(Ordering::Relaxed);
        let mut waiting: Vec<(usize, &Upstream)> = self.list.iter().enumerate().collect();
        // Stable: behind the first, the order given stands.
        waiting.sort_by_key(|(place, _)| *place != first);
        let mut silent = false;
        let mut troubles = BTreeMap::new();
        for round in 0..self.list.len().saturating_mul(2) {
            let mut again = Vec::new();
            for (place, upstream) in waiting {
                if Instant::now() >= deadline {
                    break;
                }
                let trouble = match upstream.ask(query, deadline).await {
                    Ok(answered) => {
                        if silent {
                            self.first.store(place, Ordering::Relaxed);
                        }
                        return Ok(self.remember(query, answered));
                    }
                    Err(trouble) => trouble,
                };
                match trouble.kind {
                    DnsFailureKind::Timeout => {
                        silent = true;
                        again.push((place, upstream));
                    }
                    DnsFailureKind::Other if round == 0 => again.push((place, upstream)),
                    DnsFailureKind::Bogus
                    | DnsFailureKind::CnameLoop
                    | DnsFailureKind::Other
                    | DnsFailureKind::Refused
                    | DnsFailureKind::ServFail => {}
                }
                troubles.insert(place, trouble);
            }
            waiting = again;
        }
        Err(failure(query, troubles.into_values().collect()))
    }

    fn remembered(&self, query: &Query) -> Option<Reply> {
        read(&self.cache.get(query, Instant::now().into_std())?).ok()
    }

    fn remember(&self, query: &Query, answered: Answered) -> Reply {
        if answered.octets <= REMEMBERED_OCTETS {
            self.cache.insert(query.clone(), answered.raw, Instant::now().into_std());
        }
        answered.reply
    }
}

/// A reply, and the form in which hickory remembers it.
struct Answered {
    reply: Reply,
    raw: Result<Message, NetError>,
    octets: usize,
}

impl Upstream {
    fn new(address: SocketAddr, options: ResolverOpts) -> Result<Self, NetError> {
        let mut config = NameServerConfig::udp_and_tcp(address.ip());
        for connection in &mut config.connections {
            connection.port = address.port();
        }
        let context = Arc::new(PoolContext::new(options, TlsConfig::new()?));
        let provider = TokioRuntimeProvider::new();
        Ok(Self { address, pool: NameServerPool::from_config([config], context, provider) })
    }

    async fn ask(&self, query: &Query, deadline: Instant) -> Result<Answered, Trouble> {
        let answer = self.pool.lookup(query.clone(), DnsRequestOptions::default()).first_answer();
        let answer = match tokio::time::timeout_at(deadline, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(NetError::Timeout),
        };
        let octets = answer.as_ref().map_or(0, |response| response.as_buffer().len());
        let raw = answer.map(DnsResponse::into_message);
        let reply = read(&raw).map_err(|said| said.from(self.address))?;
        Ok(Answered { reply, raw, octets })
    }
}

fn options(patience: Duration) -> ResolverOpts {
    let mut options = ResolverOpts::default();
    // Inside hickory, so that a connection which went silent is given up and not used again.
    options.timeout = patience;
    options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
    options.positive_max_ttl = Some(REMEMBERED_FOR);
    options.negative_max_ttl = Some(REMEMBERED_FOR);
    options
}

fn system() -> Result<Vec<SocketAddr>, DnsError> {
    let (config, _) =
        hickory_resolver::system_conf::read_system_conf().map_err(DnsError::System)?;
    Ok(config.name_servers.iter().map(|server| SocketAddr::new(server.ip, 53)).collect())
}

/// What came instead of an answer.
enum Said {
    Bogus,
    Code(ResponseCode),
    /// Nothing that could be read, or nothing could be sent.
    Garbled(String),
    Nothing,
    Referral,
}

impl Said {
    fn from(self, address: SocketAddr) -> Trouble {
        let (kind, words) = match self {
            Self::Bogus => (DnsFailureKind::Bogus, format!("bogus signatures from {address}")),
            Self::Code(ResponseCode::Refused) => {
                (DnsFailureKind::Refused, format!("REFUSED from {address}"))
            }
            Self::Code(ResponseCode::ServFail) => {
                (DnsFailureKind::ServFail, format!("SERVFAIL from {address}"))
            }
            Self::Code(ResponseCode::FormErr) => {
                (DnsFailureKind::Other, format!("FORMERR from {address}"))
            }
            Self::Code(ResponseCode::NotImp) => {
                (DnsFailureKind::Other, format!("NOTIMP from {address}"))
            }
            Self::Code(code) => {
                let code = u16::from(code);
                (DnsFailureKind::Other, format!("response code {code} from {address}"))
            }
            Self::Garbled(why) => {
                (DnsFailureKind::Other, format!("no usable answer from {address} ({why})"))
            }
            Self::Nothing => (DnsFailureKind::Timeout, format!("no answer from {address}")),
            Self::Referral => (
                DnsFailureKind::Other,
                format!("a referral from {address}, which does not resolve for us"),
            ),
        };
        Trouble { kind, words }
    }
}

/// The one place where hickory's errors become ours.
fn read(raw: &Result<Message, NetError>) -> Result<Reply, Said> {
    let is_soa = |record: &Record| record.record_type() == RecordType::SOA;
    match raw {
        Ok(message) => {
            let nxdomain = match message.metadata.response_code {
                ResponseCode::NoError => false,
                ResponseCode::NXDomain => true,
                code => return Err(Said::Code(code)),
            };
            let has_soa = message.authorities.iter().any(is_soa);
            Ok(Reply { answers: message.answers.clone(), nxdomain, has_soa })
        }
        Err(NetError::Dns(Rejection::NoRecordsFound(none))) => {
            let nxdomain = match none.response_code {
                ResponseCode::NoError => false,
                ResponseCode::NXDomain => true,
                code => return Err(Said::Code(code)),
            };
            // RFC 2308 §2.2: NS records without an SOA are a referral, which says nothing about the name.
            if !nxdomain && none.ns.is_some() && none.soa.is_none() {
                return Err(Said::Referral);
            }
            Ok(Reply { answers: Vec::new(), nxdomain, has_soa: true })
        }
        Err(NetError::Dns(Rejection::ResponseCode(code))) => Err(Said::Code(*code)),
        Err(NetError::Dns(Rejection::DnssecBogus)) => Err(Said::Bogus),
        Err(NetError::Timeout) => Err(Said::Nothing),
        Err(other) => Err(Said::Garbled(printable_within(other.to_string().as_bytes(), 200))),
    }
}

/// What all resolvers together came to: the word that says most, and every one of them in the detail.
fn failure(query: &Query, troubles: Vec<Trouble>) -> DnsFailure {
    let says_most = [
        DnsFailureKind::Bogus,
        DnsFailureKind::ServFail,
        DnsFailureKind::Refused,
        DnsFailureKind::Other,
        DnsFailureKind::Timeout,
    ];
    let kind = says_most
        .into_iter()
        .find(|kind| troubles.iter().any(|trouble| trouble.kind == *kind))
        .unwrap_or(DnsFailureKind::Timeout);
    let words: Vec<String> = troubles.into_iter().map(|trouble| trouble.words).collect();
    let words = if words.is_empty() { "no time to ask".to_owned() } else { words.join(", ") };
    let detail = format!("{} {}: {words}", query.query_type(), shown(query.name()));
    DnsFailure { kind, detail }
}
