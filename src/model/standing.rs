//! What is said of one claim now, and since when: what the record keeps, metrics show and alerts are decided by.
//!
//! Invariant: a plain value; only `judge::change` makes a new one of an old one and a look.

use super::{
    claim::Claim,
    finding::{Finding, FindingId},
    obstacle::Obstacle,
    report::{Channel, ClaimReport, EndpointReport, NameMatch, StartTlsState, Trust, Validity},
    requirement::{Requirement, TlsVersion},
    state::State,
};
use crate::wire::name::Host;
use core::net::IpAddr;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The claim of a partner, as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Whose claim.
    pub partner: String,
    /// Which.
    pub claim: Claim,
    /// What it is judged by.
    pub requirement: Requirement,
    /// A digest of everything its proof depends on beside the world: requirement, targets, connector, canaries.
    /// Where it changes, no older proof counts.
    pub basis: String,
    /// The state that counts: what was found, once it was confirmed.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// One sentence.
    pub summary: String,
    /// Findings of the look it rests on, worst first, and what the change brought.
    pub findings: Vec<Finding>,
    /// Obstacles, likewise.
    pub obstacles: Vec<Obstacle>,
    /// Each endpoint as it was last seen.
    pub endpoints: Vec<EndpointStanding>,
    /// The oldest fact the last proof rests on, whatever the state is now; none while it was never proved.
    pub proven_at: Option<Timestamp>,
    /// The last state that was proved, and since when it was; none while it was never proved.
    pub last_known: Option<LastKnown>,
    /// The digest of the evidence it rests on, `sha256:…`.
    pub evidence: String,
    /// When it was last looked at; none while it never was.
    pub looked_at: Option<Timestamp>,
    /// A change that waits for more looks that agree.
    pub pending: Option<Pending>,
    /// The last looks at each address, so that one bad backend of several is not forgotten.
    pub memory: Vec<AddressMemory>,
    /// The best that each endpoint, and the partner's mail as a whole, has ever shown.
    pub posture: Posture,
}

/// A state that was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastKnown {
    /// Compliant or violated.
    pub state: State,
    /// Since when without another proof to the contrary.
    pub since: Timestamp,
}

/// A change that was seen and not yet confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// What the looks found.
    pub state: State,
    /// How many of them agreed, one behind the other.
    pub agreed: u32,
    /// How many were made since the change was first seen.
    pub looks: u32,
    /// When it was first seen.
    pub since: Timestamp,
}

/// One endpoint as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointStanding {
    /// The MX host; none where the target is an address.
    pub mx: Option<Host>,
    /// Its preference; none where no MX record named it.
    pub preference: Option<u16>,
    /// Its address.
    pub address: IpAddr,
    /// TCP port.
    pub port: u16,
    /// What it proves on its own.
    pub state: State,
    /// What it reached.
    pub channel: Channel,
    /// What came of STARTTLS.
    pub starttls: StartTlsState,
    /// The greeting.
    pub banner: Option<String>,
    /// The handshake; none without one.
    pub tls: Option<TlsStanding>,
    /// The ids of its findings.
    pub findings: Vec<FindingId>,
}

/// A handshake, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsStanding {
    /// The version chosen.
    pub version: Option<TlsVersion>,
    /// The suite chosen.
    pub cipher_suite: Option<String>,
    /// The key exchange group.
    pub group: Option<String>,
    /// The leaf certificate.
    pub leaf: Option<Leaf>,
    /// The path to a trusted root.
    pub trust: Trust,
    /// The dates.
    pub validity: Validity,
    /// The name.
    pub name: NameMatch,
}

/// A leaf certificate, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaf {
    /// Distinguished name of the subject.
    pub subject: String,
    /// Distinguished name of the issuer.
    pub issuer: String,
    /// End of validity.
    pub not_after: Timestamp,
    /// Kind and size of the key.
    pub key: String,
    /// SHA-256 of the certificate.
    pub sha256: String,
    /// SHA-256 of its public key info.
    pub spki_sha256: String,
}

/// The last looks at one address, oldest first; ten at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressMemory {
    /// The address.
    pub address: IpAddr,
    /// TCP port.
    pub port: u16,
    /// The looks.
    pub looks: Vec<AddressLook>,
}

/// One look at one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressLook {
    /// When.
    pub at: Timestamp,
    /// What the endpoint proved.
    pub state: State,
    /// What tells one backend from another: its certificate, or its greeting without one.
    pub face: String,
    /// What it found there, in alphabetical order.
    #[serde(default)]
    pub findings: Vec<FindingId>,
}

/// The best that was ever shown, and what changes of it were told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Posture {
    /// The MX hosts as last seen, in order of name.
    pub mx_set: Vec<Host>,
    /// The best of each endpoint.
    pub endpoints: Vec<EndpointPosture>,
    /// What got weaker and was told, so that it is told once.
    #[serde(default)]
    pub told: Vec<Regression>,
}

/// Something of an endpoint that got weaker, and was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Regression {
    /// The endpoint, as findings name it.
    pub subject: String,
    /// What got weaker: `channel`, `group`, `key`, `version`.
    pub weaker: Vec<String>,
    /// When it was last seen so.
    pub at: Timestamp,
}

/// The best that one endpoint ever showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointPosture {
    /// The MX host; none where the target is an address.
    pub mx: Option<Host>,
    /// Its address.
    pub address: IpAddr,
    /// TCP port.
    pub port: u16,
    /// The highest version.
    pub version: Option<TlsVersion>,
    /// The best key exchange group.
    pub group: Option<String>,
    /// The highest channel.
    pub channel: Channel,
    /// Whether STARTTLS was ever offered.
    pub offered_starttls: bool,
    /// The leaf certificate as last seen.
    pub leaf: Option<Leaf>,
    /// The strongest key of a leaf, as certificates are told.
    #[serde(default)]
    pub key: Option<String>,
}

impl From<&EndpointReport> for EndpointStanding {
    fn from(report: &EndpointReport) -> Self {
        let tls = report.tls.as_ref().map(|tls| TlsStanding {
            version: tls.version,
            cipher_suite: tls.cipher_suite.clone(),
            group: tls.group.clone(),
            leaf: tls.certificates.first().map(|leaf| Leaf {
                subject: leaf.subject.clone(),
                issuer: leaf.issuer.clone(),
                not_after: leaf.not_after,
                key: leaf.key.clone(),
                sha256: leaf.sha256.clone(),
                spki_sha256: leaf.spki_sha256.clone(),
            }),
            trust: tls.trust,
            validity: tls.validity,
            name: tls.name,
        });
        Self {
            mx: report.mx.clone(),
            preference: report.preference,
            address: report.address,
            port: report.port,
            state: report.state,
            channel: report.channel,
            starttls: report.starttls,
            banner: report.banner.clone(),
            tls,
            findings: report.findings.clone(),
        }
    }
}

/// One look at one claim, as it was judged on its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Whose claim.
    pub partner: String,
    /// When the look was over.
    pub at: Timestamp,
    /// As [`Standing::basis`].
    pub basis: String,
    /// What was found.
    pub report: ClaimReport,
}
