//! Reads one reply: follows the aliases in it, and says what it comes to.
//!
//! 1. From the name asked for, CNAME records lead on within the reply ([RFC 1034 §4.3.2]).
//! 2. Where they end, records of the type asked for are the answer.
//! 3. An alias without what it points at is asked for again, unless the reply says that there is nothing.
//!
//! Invariant: only records at a name the chain has reached are believed; a chain ends after eight aliases.
//!
//! [RFC 1034 §4.3.2]: https://www.rfc-editor.org/rfc/rfc1034#section-4.3.2

use super::exchange::exchange_host;
use crate::model::resolution::{DnsFailure, DnsFailureKind, Lookup};
use crate::wire::name::Host;
use crate::wire::text::printable_within;
use hickory_net::proto::op::Query;
use hickory_net::proto::rr::{Name, RData, Record, RecordType};

/// Aliases followed for one question.
const ALIASES: usize = 8;
/// Records kept of one answer, and characters of each, as evidence.
const SHOWN_RECORDS: usize = 32;
const SHOWN_CHARACTERS: usize = 512;

/// What one question came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The answer proper.
    pub outcome: Outcome,
    /// The names a CNAME led through, the last one being where the records stand.
    pub aliases: Vec<Host>,
    /// What was asked, and what came back.
    pub lookups: Vec<Lookup>,
}

/// What stands at a name.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Nothing is known.
    Failed(DnsFailure),
    /// The name exists and has no such record ([RFC 2308 §2.2]).
    ///
    /// [RFC 2308 §2.2]: https://www.rfc-editor.org/rfc/rfc2308#section-2.2
    NoData,
    /// The name, or the one its aliases lead to, does not exist ([RFC 2308 §2.1]).
    ///
    /// [RFC 2308 §2.1]: https://www.rfc-editor.org/rfc/rfc2308#section-2.1
    Nxdomain,
    /// These, each once, in canonical order. Never empty.
    Records(Vec<RData>),
}

/// A reply that a resolver stands by.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) answers: Vec<Record>,
    /// Whether the name at the end of the aliases does not exist.
    pub(super) nxdomain: bool,
    /// Whether an SOA record says that there is nothing more to come (RFC 2308 §2.2).
    pub(super) has_soa: bool,
}

/// What to do after a reply.
#[derive(Debug)]
pub(super) enum Step {
    /// Ask for the last name of the chain.
    Ask,
    /// It is known, or known to fail.
    Done(Outcome),
}

/// The names one question led through, the first being the one asked for.
#[derive(Debug)]
pub(super) struct Chain {
    first: Name,
    aliases: Vec<Name>,
}

impl Chain {
    pub(super) fn new(first: Name) -> Self {
        Self { first, aliases: Vec::new() }
    }

    pub(super) fn last(&self) -> &Name {
        self.aliases.last().unwrap_or(&self.first)
    }

    pub(super) fn into_aliases(self) -> Vec<Host> {
        self.aliases.iter().filter_map(|name| exchange_host(name).name().cloned()).collect()
    }

    pub(super) fn follow(&mut self, reply: &Reply, record_type: RecordType) -> Step {
        let asked_for = self.last().clone();
        if !reply.answers.is_empty() && reply.answers.iter().all(|r| r.name != asked_for) {
            let detail = "the records answered belong to other names";
            return self.fail(DnsFailureKind::Other, record_type, detail);
        }
        loop {
            let here = || reply.answers.iter().filter(|record| record.name == *self.last());
            let mut records: Vec<RData> = here()
                .filter(|record| record.record_type() == record_type)
                .map(|record| record.data.clone())
                .collect();
            if !records.is_empty() {
                records.sort();
                records.dedup();
                return Step::Done(Outcome::Records(records));
            }
            let target = here().find_map(|record| match &record.data {
                RData::CNAME(target) => Some(target.0.clone()),
                _ => None,
            });
            let Some(target) = target else { break };
            if target == self.first || self.aliases.contains(&target) {
                let detail = format!("aliases lead back to {}", shown(&target));
                return self.fail(DnsFailureKind::CnameLoop, record_type, &detail);
            }
            if self.aliases.len() >= ALIASES {
                let detail = format!("more than {ALIASES} aliases");
                return self.fail(DnsFailureKind::CnameLoop, record_type, &detail);
            }
            self.aliases.push(target);
        }
        if reply.nxdomain {
            Step::Done(Outcome::Nxdomain)
        } else if *self.last() == asked_for || reply.has_soa {
            Step::Done(Outcome::NoData)
        } else {
            Step::Ask
        }
    }

    fn fail(&self, kind: DnsFailureKind, record_type: RecordType, why: &str) -> Step {
        let detail = format!("{record_type} {}: {why}", shown(&self.first));
        Step::Done(Outcome::Failed(DnsFailure { kind, detail }))
    }
}

/// A name as a person reads it, in A-labels and without the last dot.
pub(super) fn shown(name: &Name) -> String {
    exchange_host(name).shown()
}

/// One question and what came of it, as evidence.
pub(super) fn as_text(query: &Query, reply: &Result<Reply, DnsFailure>) -> Lookup {
    let answer = match reply {
        Ok(reply) => records_as_text(query, reply),
        Err(failure) => vec![printable_within(failure.detail.as_bytes(), SHOWN_CHARACTERS)],
    };
    Lookup { name: shown(query.name()), record_type: query.query_type().to_string(), answer }
}

fn records_as_text(query: &Query, reply: &Reply) -> Vec<String> {
    // Resolvers rotate records; aliases stay in their order and lead the rest.
    let (aliases, mut rest): (Vec<&Record>, Vec<&Record>) =
        reply.answers.iter().partition(|record| record.record_type() == RecordType::CNAME);
    rest.sort_by(|a, b| a.data.cmp(&b.data));
    let mut lines: Vec<String> = aliases
        .iter()
        .chain(&rest)
        .take(SHOWN_RECORDS)
        .map(|record| {
            let text = record_as_text(query, record);
            printable_within(text.as_bytes(), SHOWN_CHARACTERS)
        })
        .collect();
    let more = reply.answers.len().saturating_sub(SHOWN_RECORDS);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    if reply.nxdomain {
        lines.push("NXDOMAIN".to_owned());
    } else if lines.is_empty() {
        lines.push("no data".to_owned());
    }
    lines
}

fn record_as_text(query: &Query, record: &Record) -> String {
    // By hand where hickory would translate A-labels.
    let data = match &record.data {
        RData::CNAME(target) => shown(&target.0),
        RData::MX(mx) => format!("{} {}", mx.preference, shown(&mx.exchange)),
        other => other.to_string(),
    };
    if record.name == *query.name() && record.record_type() == query.query_type() {
        return data;
    }
    format!("{} {} {data}", shown(&record.name), record.record_type())
}
