//! The report: what a person or a script reads (contract §6). An output, never parsed back.

use super::{
    canary::Personality,
    claim::{Claim, Unclaimed},
    enforcement::{AttemptKind, ReplyClass},
    finding::{Finding, FindingId},
    judgement::Judgement,
    obstacle::{Obstacle, ObstacleId},
    requirement::{Requirement, TlsVersion},
    session::{Phase, SeenBy},
    state::State,
};
use crate::wire::{name::Host, smtp::Capabilities};
use core::net::IpAddr;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The version of this form.
pub const FORMAT: &str = "mxwarden/1";

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: &'static str,
    /// Which program said so.
    pub tool: Tool,
    /// When the run began.
    pub started_at: Timestamp,
    /// When it was over.
    pub finished_at: Timestamp,
    /// What was asked about.
    #[serde(skip)]
    pub subjects: Subjects,
    /// The worst of all partners.
    pub state: State,
    /// One a partner, or a target.
    pub partners: Vec<PartnerReport>,
}

/// What a run was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subjects {
    /// Configured partners.
    Partners,
    /// Targets of the command line, each of which stands for a partner.
    Targets,
}

/// The program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Tool {
    /// `mxwarden`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

impl Tool {
    /// This program.
    pub const THIS: Self = Self { name: "mxwarden", version: env!("CARGO_PKG_VERSION") };
}

/// One partner; for `check`, one target as given.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartnerReport {
    /// Its name.
    pub partner: String,
    /// The worst of its claims.
    pub state: State,
    /// Its claims.
    pub claims: Vec<ClaimReport>,
    /// What is not claimed of it, for people: contract §6 knows no such key.
    #[serde(skip)]
    pub unclaimed: Vec<Unclaimed>,
}

/// One claim.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClaimReport {
    /// Which.
    pub claim: Claim,
    /// Its state.
    pub state: State,
    /// What it was judged by.
    pub requirement: Requirement,
    /// One sentence.
    pub summary: String,
    /// Findings, worst first.
    pub findings: Vec<Finding>,
    /// Obstacles.
    pub obstacles: Vec<Obstacle>,
    /// Each endpoint on its own.
    pub endpoints: Vec<EndpointReport>,
    /// Each attempt of `receiver-enforces`, each personality of `sender-enforces`; absent for other claims.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<ProbeReport>,
    /// When it was proved; null while it never was.
    pub proven_at: Option<Timestamp>,
    /// The digest of the evidence it rests on, `sha256:…`.
    pub evidence: String,
}

impl ClaimReport {
    /// The report of a judgement.
    pub fn new(
        claim: Claim,
        requirement: Requirement,
        judged: &Judgement,
        evidence: String,
    ) -> Self {
        Self {
            claim,
            state: judged.state(),
            requirement,
            summary: judged.summary().to_owned(),
            findings: judged.findings().to_vec(),
            obstacles: judged.obstacles().to_vec(),
            endpoints: judged.endpoints().to_vec(),
            probes: judged.probes().to_vec(),
            proven_at: judged.proven_at(),
            evidence,
        }
    }
}

/// One probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProbeReport {
    /// What was tried.
    pub kind: ProbeKind,
    /// Where: an endpoint, or a canary's recipient domain.
    pub target: String,
    /// What came of it.
    pub outcome: Outcome,
    /// The highest phase reached.
    pub phase: Phase,
    /// The reply that decided it, as one line; or how it ended, in words.
    pub reply: Option<String>,
    /// What a refusal was about.
    pub class: Option<ReplyClass>,
}

/// What a probe tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ProbeKind {
    /// At a receiver.
    Attempt(AttemptKind),
    /// At a canary.
    Personality(Personality),
}

impl fmt::Display for ProbeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempt(kind) => kind.fmt(f),
            Self::Personality(personality) => personality.fmt(f),
        }
    }
}

/// What came of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The receiver took the envelope, or the message.
    Accepted,
    /// The sender left, and a delivery status notification came.
    Bounced,
    /// The sender delivered.
    Delivered,
    /// Neither taken nor refused.
    Inconclusive,
    /// The canary could prove nothing in this round.
    NotTestable,
    /// Nobody came.
    NotSeen,
    /// Turned away.
    Refused,
    /// Somebody came, and it is not clear what it means.
    Undecided,
}

impl Outcome {
    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Bounced => "bounced",
            Self::Delivered => "delivered",
            Self::Inconclusive => "inconclusive",
            Self::NotTestable => "not-testable",
            Self::NotSeen => "not-seen",
            Self::Refused => "refused",
            Self::Undecided => "undecided",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One endpoint.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EndpointReport {
    /// The MX host; null where the target is an address.
    pub mx: Option<Host>,
    /// Its preference; null where no MX record named it.
    pub preference: Option<u16>,
    /// Its address.
    pub address: IpAddr,
    /// TCP port.
    pub port: u16,
    /// What it proves on its own.
    pub state: State,
    /// What it reached.
    pub channel: Channel,
    /// The greeting.
    pub banner: Option<String>,
    /// What it offers in clear.
    pub capabilities: Capabilities,
    /// What it offers inside TLS.
    pub capabilities_tls: Option<Capabilities>,
    /// What came of STARTTLS.
    pub starttls: StartTlsState,
    /// The handshake; null without one.
    pub tls: Option<TlsReport>,
    /// DANE.
    pub dane: DaneReport,
    /// The ids of its findings.
    pub findings: Vec<FindingId>,
    /// The ids of its obstacles.
    pub obstacles: Vec<ObstacleId>,
    /// Milliseconds the look took.
    pub duration_ms: u64,
}

/// What an endpoint reached. The order matters: each word includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// No session.
    None,
    /// A session in clear.
    Plain,
    /// TLS.
    Encrypted,
    /// TLS, chain and dates good.
    Trusted,
    /// And the name.
    Matched,
}

impl Channel {
    /// Every one, least first.
    pub const ALL: [Self; 5] =
        [Self::None, Self::Plain, Self::Encrypted, Self::Trusted, Self::Matched];

    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Plain => "plain",
            Self::Encrypted => "encrypted",
            Self::Trusted => "trusted",
            Self::Matched => "matched",
        }
    }
}

/// What came of STARTTLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartTlsState {
    /// Agreed, and the handshake failed.
    Broken,
    /// Not in the EHLO reply.
    NotOffered,
    /// Offered (and, where tried, agreed).
    Offered,
    /// Offered, and refused when asked for.
    Refused,
    /// The session did not come that far.
    Unknown,
}

impl StartTlsState {
    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::NotOffered => "not-offered",
            Self::Offered => "offered",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

/// A handshake.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TlsReport {
    /// The version chosen.
    pub version: Option<TlsVersion>,
    /// The suite chosen.
    pub cipher_suite: Option<String>,
    /// The key exchange group.
    pub group: Option<String>,
    /// Whether a whole handshake or a hand-made hello saw it.
    pub seen_by: SeenBy,
    /// Whether the server proved that it holds the certificate's key.
    pub key_proved: bool,
    /// Whether the server asked for a client certificate.
    pub client_certificate_requested: bool,
    /// Versions below 1.2 that the server also takes.
    pub legacy_versions: Vec<TlsVersion>,
    /// Weak suites that the server also takes.
    pub weak_ciphers: Vec<String>,
    /// What well-known senders would get, best first; empty without a deep look.
    pub senders: Vec<SenderReport>,
    /// The chain as sent, leaf first.
    pub certificates: Vec<CertificateReport>,
    /// The path to a trusted root.
    pub trust: Trust,
    /// The dates.
    pub validity: Validity,
    /// The name.
    pub name: NameMatch,
    /// Revocation.
    pub revocation: Revocation,
}

/// What one well-known sender would negotiate; all null where it would get no TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SenderReport {
    /// Its name.
    pub name: String,
    /// The version.
    pub version: Option<TlsVersion>,
    /// The suite.
    pub cipher_suite: Option<String>,
    /// The key exchange group.
    pub group: Option<String>,
}

/// One certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateReport {
    /// Distinguished name of the subject.
    pub subject: String,
    /// Distinguished name of the issuer.
    pub issuer: String,
    /// The names it is valid for.
    pub names: Vec<String>,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// Kind and size of the key.
    pub key: String,
    /// The algorithm it was signed with.
    pub signature: String,
    /// SHA-256 of the certificate.
    pub sha256: String,
    /// SHA-256 of its public key info.
    pub spki_sha256: String,
    /// Serial number.
    pub serial: String,
}

/// Whether the chain ends at a trusted root, dates and name apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// A signature in the chain is wrong.
    BadSignature,
    /// An intermediate certificate is missing.
    Incomplete,
    /// The chain is broken in another way: usage, constraints, encoding.
    Invalid,
    /// No certificate.
    None,
    /// It does.
    Ok,
    /// Revoked, as a good OCSP response says.
    Revoked,
    /// The leaf is signed by itself.
    SelfSigned,
    /// It ends at a root nobody here trusts.
    UnknownIssuer,
}

impl Trust {
    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadSignature => "bad-signature",
            Self::Incomplete => "incomplete",
            Self::Invalid => "invalid",
            Self::None => "none",
            Self::Ok => "ok",
            Self::Revoked => "revoked",
            Self::SelfSigned => "self-signed",
            Self::UnknownIssuer => "unknown-issuer",
        }
    }
}

/// Whether today lies within the certificates' dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Validity {
    /// Past the end.
    Expired,
    /// Before the start.
    NotYetValid,
    /// Within.
    Ok,
}

impl Validity {
    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::Ok => "ok",
        }
    }
}

/// Whether a name of the leaf meets a required one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameMatch {
    /// One does.
    Match,
    /// None does.
    Mismatch,
    /// The certificate carries no DNS name.
    NoName,
}

impl NameMatch {
    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Mismatch => "mismatch",
            Self::NoName => "no-name",
        }
    }
}

/// What a stapled OCSP response said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Revocation {
    /// Not revoked.
    Good,
    /// None was stapled, or it could not be verified.
    NotChecked,
    /// Revoked.
    Revoked,
}

/// DANE at one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DaneReport {
    /// What came of it.
    pub state: DaneState,
}

/// What came of DANE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DaneState {
    /// Not looked at.
    NotChecked,
}
