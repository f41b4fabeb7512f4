//! What the lab's DNS knows: a map of names, built by chaining.
//!
//! Names are written as they go over the wire, with or without the last dot: A-labels where they are
//! international, and any other character as its own octets.

use hickory_server::proto::op::ResponseCode;
use hickory_server::proto::rr::rdata::{A, AAAA, CNAME, MX, PTR, SOA, TXT};
use hickory_server::proto::rr::{Name, RData, Record, RecordType};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Aliases followed in one answer. One more than a careful asker takes.
const ALIASES: usize = 12;

/// Names, and what stands at them.
#[derive(Debug, Clone)]
pub struct Zone {
    names: BTreeMap<String, Vec<Data>>,
    failures: BTreeMap<(String, Option<RecordType>), Failure>,
    ttl: u32,
}

/// How a name fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// REFUSED.
    Refused,
    /// SERVFAIL.
    ServFail,
    /// No answer at all.
    Timeout,
    /// UDP answers are cut and marked so; TCP has them whole.
    Truncate,
}

#[derive(Debug, Clone)]
enum Data {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    /// Followed inside the map.
    Cname(String),
    /// Answered alone, as a server does that does not know the target.
    LoneCname(String),
    Mx(u16, String),
    Ptr(String),
    Txt(String),
}

/// One answer.
pub(super) struct Said {
    pub(super) code: ResponseCode,
    pub(super) answers: Vec<Record>,
    pub(super) soa: Option<Record>,
    pub(super) failure: Option<Failure>,
}

impl Said {
    pub(super) fn code(code: ResponseCode) -> Self {
        Self { code, answers: Vec::new(), soa: None, failure: None }
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self { names: BTreeMap::new(), failures: BTreeMap::new(), ttl: 60 }
    }
}

impl Zone {
    /// Nothing at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// An A record.
    pub fn a(self, name: &str, address: Ipv4Addr) -> Self {
        self.with(name, Data::A(address))
    }

    /// An AAAA record.
    pub fn aaaa(self, name: &str, address: Ipv6Addr) -> Self {
        self.with(name, Data::Aaaa(address))
    }

    /// An alias; what the map knows of its target is answered with it.
    pub fn cname(self, name: &str, target: &str) -> Self {
        self.with(name, Data::Cname(target.to_owned()))
    }

    /// An alias that is answered alone.
    pub fn lone_cname(self, name: &str, target: &str) -> Self {
        self.with(name, Data::LoneCname(target.to_owned()))
    }

    /// An MX record.
    pub fn mx(self, name: &str, preference: u16, host: &str) -> Self {
        self.with(name, Data::Mx(preference, host.to_owned()))
    }

    /// The MX record that takes no mail ([RFC 7505]).
    ///
    /// [RFC 7505]: https://www.rfc-editor.org/rfc/rfc7505
    pub fn null_mx(self, name: &str) -> Self {
        self.mx(name, 0, ".")
    }

    /// A PTR record.
    pub fn ptr(self, name: &str, target: &str) -> Self {
        self.with(name, Data::Ptr(target.to_owned()))
    }

    /// A TXT record.
    pub fn txt(self, name: &str, text: &str) -> Self {
        self.with(name, Data::Txt(text.to_owned()))
    }

    /// Whatever is asked at this name fails so.
    pub fn fail(mut self, name: &str, failure: Failure) -> Self {
        self.failures.insert((key(name), None), failure);
        self
    }

    /// This question fails so.
    pub fn fail_type(mut self, name: &str, record_type: RecordType, failure: Failure) -> Self {
        self.failures.insert((key(name), Some(record_type)), failure);
        self
    }

    /// The time to live of every record, in seconds.
    pub fn ttl(mut self, seconds: u32) -> Self {
        self.ttl = seconds;
        self
    }

    /// Forgets a name, its records and its failures.
    pub fn without(mut self, name: &str) -> Self {
        let gone = key(name);
        self.names.remove(&gone);
        self.failures.retain(|(name, _), _| *name != gone);
        self
    }

    fn with(mut self, name: &str, data: Data) -> Self {
        self.names.entry(key(name)).or_default().push(data);
        self
    }

    pub(super) fn answer(&self, name: &str, record_type: RecordType) -> Said {
        let name = key(name);
        let failure = [Some(record_type), None]
            .into_iter()
            .find_map(|asked| self.failures.get(&(name.clone(), asked)))
            .copied();
        let mut said = match failure {
            Some(Failure::Refused) => Said::code(ResponseCode::Refused),
            Some(Failure::ServFail) => Said::code(ResponseCode::ServFail),
            // A name that cannot be written as one is a mistake in the zone.
            Some(Failure::Timeout | Failure::Truncate) | None => self
                .records(name, record_type)
                .unwrap_or_else(|| Said::code(ResponseCode::ServFail)),
        };
        said.failure = failure;
        said
    }

    fn records(&self, mut name: String, record_type: RecordType) -> Option<Said> {
        let mut said = Said::code(ResponseCode::NoError);
        for _ in 0..ALIASES {
            let Some(here) = self.names.get(&name) else {
                let below = format!(".{name}");
                if !self.names.keys().any(|other| other.ends_with(&below)) {
                    said.code = ResponseCode::NXDomain;
                }
                break;
            };
            let owner = absolute(&name)?;
            let mut next = None;
            let before = said.answers.len();
            for data in here {
                let rdata = data.as_rdata()?;
                let kind = rdata.record_type();
                let is_alias = kind == RecordType::CNAME && record_type != kind;
                if !is_alias && kind != record_type {
                    continue;
                }
                said.answers.push(Record::from_rdata(owner.clone(), self.ttl, rdata));
                match data {
                    Data::Cname(target) if is_alias => next = Some(key(target)),
                    Data::LoneCname(_) if is_alias => return Some(said),
                    _ => {}
                }
            }
            match next {
                Some(target) => name = target,
                None if said.answers.len() > before => return Some(said),
                None => break,
            }
        }
        said.soa = Some(self.soa());
        Some(said)
    }

    fn soa(&self) -> Record {
        let ttl = i32::try_from(self.ttl).unwrap_or(i32::MAX);
        let soa = SOA::new(Name::root(), Name::root(), 1, ttl, ttl, ttl, self.ttl);
        Record::from_rdata(Name::root(), self.ttl, RData::SOA(soa))
    }
}

impl Data {
    fn as_rdata(&self) -> Option<RData> {
        Some(match self {
            Self::A(address) => RData::A(A(*address)),
            Self::Aaaa(address) => RData::AAAA(AAAA(*address)),
            Self::Cname(target) | Self::LoneCname(target) => RData::CNAME(CNAME(absolute(target)?)),
            Self::Mx(preference, host) => RData::MX(MX::new(*preference, absolute(host)?)),
            Self::Ptr(target) => RData::PTR(PTR(absolute(target)?)),
            Self::Txt(text) => RData::TXT(TXT::from_bytes(text.as_bytes().chunks(255).collect())),
        })
    }
}

/// Names are compared in lower case, without the last dot.
pub(super) fn key(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// A name as a zone writes it: hickory would escape it, or translate A-labels.
pub(super) fn written(name: &Name) -> String {
    let labels: Vec<_> = name.iter().map(String::from_utf8_lossy).collect();
    labels.join(".")
}

fn absolute(name: &str) -> Option<Name> {
    let bare = name.strip_suffix('.').unwrap_or(name);
    if bare.is_empty() {
        return Some(Name::root());
    }
    // Not `from_ascii`, which takes host names alone.
    Name::from_labels(bare.split('.').map(str::as_bytes)).ok()
}
