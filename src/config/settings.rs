//! How we look, how often, and what is kept: everything in a configuration that is about no partner.

use crate::model::connector::CertificateFiles;
use crate::model::enforcement::ReplyClass;
use crate::model::imported::Imported;
use crate::model::{
    claim::{Claim, Direction, Statement},
    judgement::Quorum,
};
use crate::wire::name::Host;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::{path::PathBuf, time::Duration};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// `[dns]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dns {
    /// Whom to ask, and no others; empty means the system's.
    pub resolvers: Vec<SocketAddr>,
    /// How DNSSEC is treated.
    pub dnssec: Dnssec,
    /// The trust anchor in place of the built-in one.
    pub trust_anchor: Option<PathBuf>,
    /// Where an MX may lead us.
    pub allow_private: Reachable,
}

/// How DNSSEC is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dnssec {
    /// Answers are taken as they come.
    #[default]
    Off,
    /// The resolver's word is taken.
    TrustAd,
    /// We validate ourselves.
    Validate,
}

/// Which addresses may be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reachable {
    /// Private and loopback networks as well.
    Anywhere,
    /// The public Internet alone.
    #[default]
    Public,
}

/// `[tls]`: the roots a chain may end at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsRoots {
    /// Whose roots.
    pub source: RootSource,
    /// More roots, PEM.
    pub ca_files: Vec<PathBuf>,
}

/// Whose roots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RootSource {
    /// Mozilla's, built in.
    #[default]
    Mozilla,
    /// Nobody's: only the files count.
    None,
    /// This host's.
    System,
}

/// `[imported]`: what our mail systems say of their own connectors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportedRecords {
    /// The files that `mxwarden import` wrote.
    pub files: Vec<PathBuf>,
    /// Connectors that the records do not speak of: their `configured` is not claimed.
    pub without: Vec<String>,
    /// What is in the files; empty where they were not looked at.
    pub records: Vec<Imported>,
}

impl ImportedRecords {
    /// Whether the records speak of a connector's direction, and should speak of this one.
    pub fn speaks_of(&self, direction: Direction, connector: &str) -> bool {
        let has = |import: &Imported| match direction {
            Direction::Inbound => import.inbound.is_some(),
            Direction::Outbound => import.outbound.is_some(),
        };
        self.records.iter().any(has) && !self.without.iter().any(|name| name == connector)
    }
}

/// `[probe]`: ports of strangers, which only labs change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// Where MX hosts listen.
    pub smtp: u16,
    /// Where MTA-STS policies are.
    pub https: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self { smtp: 25, https: 443 }
    }
}

/// How often a claim is proved, and how long a proof holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// From one look to the next.
    pub interval: Duration,
    /// A proof older than this is none.
    pub max_age: Duration,
}

impl Times {
    const fn of(interval: u64, max_age: u64) -> Self {
        Self { interval: Duration::from_secs(interval), max_age: Duration::from_secs(max_age) }
    }
}

/// `[claims]`: the times of every statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimTimes {
    /// Imported records change when they are imported again, and looking at them costs nobody anything.
    pub configured: Times,
    /// At our own MX.
    pub receiver_enforces: Times,
    /// At a partner's MX: once a day and never more often.
    pub partner_receiver_enforces: Times,
    /// What a receiver can do.
    pub receiver_offers: Times,
    /// Probe mail.
    pub sender_enforces: Times,
}

impl ClaimTimes {
    /// The times of one claim.
    pub fn of(&self, claim: Claim) -> Times {
        match (claim.statement, claim.direction) {
            (Statement::Configured, _) => self.configured,
            (Statement::ReceiverEnforces, Direction::Inbound) => self.receiver_enforces,
            (Statement::ReceiverEnforces, Direction::Outbound) => self.partner_receiver_enforces,
            (Statement::ReceiverOffers, _) => self.receiver_offers,
            (Statement::SenderEnforces, _) => self.sender_enforces,
        }
    }
}

impl Default for ClaimTimes {
    fn default() -> Self {
        Self {
            // A record is as old as its export: it is exported again by a person, or by a script of theirs.
            configured: Times::of(HOUR, 30 * DAY),
            receiver_enforces: Times::of(6 * HOUR, 24 * HOUR),
            partner_receiver_enforces: Times::of(DAY, 3 * DAY),
            receiver_offers: Times::of(HOUR, 6 * HOUR),
            sender_enforces: Times::of(DAY, 3 * DAY),
        }
    }
}

/// `[rounds]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rounds {
    /// Looks that must agree before a change counts.
    pub confirm: u32,
    /// Whether one unreachable endpoint among good ones keeps a claim from being proved.
    pub quorum: Quorum,
    /// Days left of a certificate below which it is told.
    pub warn_days: u32,
    /// Sessions at once with one address.
    pub sessions_per_address: usize,
    /// New sessions a minute with the hosts of one operator.
    pub per_operator_per_minute: u32,
    /// Hosts that must answer, else the outage is ours.
    pub beacons: Vec<Beacon>,
}

/// A host that must answer, else the outage is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beacon {
    /// Its name.
    pub host: Host,
    /// TCP port; none means [`Ports::smtp`].
    pub port: Option<u16>,
}

impl Default for Rounds {
    fn default() -> Self {
        Self {
            confirm: 2,
            quorum: Quorum::All,
            warn_days: 30,
            sessions_per_address: 1,
            per_operator_per_minute: 10,
            beacons: Vec::new(),
        }
    }
}

/// `[record]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// How long evidence is kept.
    pub keep: Duration,
    /// How long evidence of violations is kept.
    pub keep_violations: Duration,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            keep: Duration::from_secs(400 * DAY),
            keep_violations: Duration::from_secs(10 * 365 * DAY),
        }
    }
}

/// `[http]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The file of the token that reading asks for; none on loopback means no token.
    pub read_token_file: Option<PathBuf>,
    /// The file of the token that writing asks for; none means that nothing can be written.
    pub write_token_file: Option<PathBuf>,
    /// Its certificate; none means no TLS.
    pub certificate: Option<CertificateFiles>,
    /// What `/probe` looks at.
    pub probe_any: ProbeTargets,
    /// Who may bind it beyond loopback.
    pub allow_open: Exposure,
    /// Paths served without a token.
    pub open_paths: Vec<String>,
}

/// What `/probe` looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProbeTargets {
    /// Anything, for whoever has the read token.
    Any,
    /// Configured partners.
    #[default]
    Configured,
}

/// What HTTP beyond loopback asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Exposure {
    /// A read token and TLS.
    #[default]
    Guarded,
    /// Nothing: the operator has another guard.
    Open,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9843),
            read_token_file: None,
            write_token_file: None,
            certificate: None,
            probe_any: ProbeTargets::default(),
            allow_open: Exposure::default(),
            open_paths: Vec::new(),
        }
    }
}

/// `[[reply]]`: what a refusal with these words is about, asked before the built-in table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyRule {
    /// Words that stand in the reply, whatever their case.
    pub pattern: String,
    /// What it is about.
    pub class: ReplyClass,
}
