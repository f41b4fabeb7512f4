//! Where a target's mail goes, as DNS told it ([RFC 5321 §5.1]).
//!
//! [RFC 5321 §5.1]: https://www.rfc-editor.org/rfc/rfc5321#section-5.1

use crate::wire::name::Host;
use core::net::IpAddr;
use serde::{Deserialize, Serialize};

/// The outcome of resolving one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// What the MX lookup came to.
    pub route: Route,
    /// The hosts mail would be handed to, by preference, then name. Empty unless the route names any.
    pub exchanges: Vec<Exchange>,
    /// MX records beyond the bound on hosts, left out of `exchanges`.
    #[serde(default)]
    pub left_out: usize,
    /// Every question asked, with its answer, in order.
    pub lookups: Vec<Lookup>,
}

/// What the MX lookup came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Route {
    /// The target named a host or an address itself.
    Explicit,
    /// The lookup failed; nothing is known.
    Failed(DnsFailure),
    /// No MX record; the domain's own addresses stand in ([RFC 5321 §5.1], "implicit MX").
    ///
    /// [RFC 5321 §5.1]: https://www.rfc-editor.org/rfc/rfc5321#section-5.1
    Implicit,
    /// MX records.
    Mx,
    /// Neither MX nor an address of its own.
    NoMx,
    /// One MX record with preference 0 and an empty host: the domain takes no mail ([RFC 7505]).
    ///
    /// [RFC 7505]: https://www.rfc-editor.org/rfc/rfc7505
    NullMx,
    /// The domain does not exist.
    Nxdomain,
}

/// One MX record's host, with what its name led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Preference; none for a host that no MX record named.
    pub preference: Option<u16>,
    /// What the record points at.
    pub host: ExchangeHost,
    /// The names a CNAME led through, the last one being where the addresses stand
    /// ([RFC 2181 §10.3] forbids them for MX hosts).
    ///
    /// [RFC 2181 §10.3]: https://www.rfc-editor.org/rfc/rfc2181#section-10.3
    pub aliases: Vec<Host>,
    /// Its A records.
    pub v4: Addresses,
    /// Its AAAA records.
    pub v6: Addresses,
    /// Addresses beyond the bound, left out of both.
    #[serde(default)]
    pub left_out: usize,
}

/// What an MX record points at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExchangeHost {
    /// An address where a name belongs, or the address the target named.
    Address(IpAddr),
    /// A text that is no host name, made printable.
    Invalid(String),
    /// A host.
    Name(Host),
}

impl ExchangeHost {
    /// The host's name, where it has one.
    pub fn name(&self) -> Option<&Host> {
        match self {
            Self::Name(host) => Some(host),
            Self::Address(_) | Self::Invalid(_) => None,
        }
    }

    /// As it is shown.
    pub fn shown(&self) -> String {
        match self {
            Self::Address(address) => address.to_string(),
            Self::Invalid(text) => text.clone(),
            Self::Name(host) => host.to_string(),
        }
    }
}

/// The addresses of one family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Addresses {
    /// The lookup failed.
    Failed(DnsFailure),
    /// These.
    Found(Vec<IpAddr>),
    /// The name exists (or not) and has none.
    None,
    /// Nobody asked: the run is limited to the other family, or there was no name to ask for.
    NotAsked,
}

impl Addresses {
    /// The addresses found.
    pub fn found(&self) -> &[IpAddr] {
        match self {
            Self::Found(addresses) => addresses,
            Self::Failed(_) | Self::None | Self::NotAsked => &[],
        }
    }
}

/// Why a lookup has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsFailure {
    /// In what way.
    pub kind: DnsFailureKind,
    /// In words: the question, the resolver, what came back.
    pub detail: String,
}

/// The ways a lookup fails. All are `dns-failure` to a judge, and told apart to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DnsFailureKind {
    /// The signatures do not hold (validating modes only).
    Bogus,
    /// A chain of aliases without end.
    CnameLoop,
    /// REFUSED.
    Refused,
    /// SERVFAIL.
    ServFail,
    /// No resolver answered in time.
    Timeout,
    /// Anything else: another response code, a malformed answer, no route to the resolver.
    Other,
}

/// One question and what came of it: evidence, kept as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lookup {
    /// The name asked for.
    pub name: String,
    /// Such as `MX`.
    pub record_type: String,
    /// The records in presentation form, or the failure's words.
    pub answer: Vec<String>,
}
