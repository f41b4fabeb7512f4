//! The last ten looks at each address: so that one bad backend of several is neither forgotten nor held for ever.
//!
//! 1. Each look leaves what it proved at each address, and the face that was met there: the certificate, or the
//!    greeting. An address that a complete look did not meet any more leaves a blank.
//! 2. A violation met in two of the last ten looks at an address counts, whatever lay between (`is_repeated`).
//! 3. Where a look that met nothing bad lies between two that did, there are several backends, or one that comes
//!    and goes. The violation then stands whatever the last look found (`held`), until it is over.
//! 4. It is over when fewer than two of the ten are left; when five looks since the last bad one met nothing bad; or
//!    when three did and all met one and the same face that nobody met before, because then something was replaced.
//! 5. Where all bad looks lie together there is no sign of several backends: what was broken was repaired, and the
//!    usual confirmation is enough.
//!
//! Five good looks in a row past one bad backend of four are met in one of four cases, and so are fewer than two bad
//! ones of ten: neither hides it for long, and the next bad look brings it back at once.
//!
//! Invariant: an unknown look neither convicts nor clears; memory makes nothing compliant.

use super::{Rules, is_within};
use crate::model::{
    finding::{Finding, FindingId, Severity},
    report::EndpointReport,
    session::Endpoint,
    standing::{AddressLook, AddressMemory, Look, Standing},
    state::State,
};
use jiff::Timestamp;

/// So many looks at an address are remembered.
const KEPT: usize = 10;
/// So many of them make a violation stand.
const BAD: usize = 2;
/// So many good looks in a row end it, at least.
const STEADY: usize = 5;
/// So many with one new face end it as well.
const REPLACED: usize = 3;
/// So many addresses are remembered; a claim that has more forgets those it has not met for longest.
const ADDRESSES: usize = 256;
/// A greeting longer than this tells no more.
const FACE: usize = 200;
/// The face of an address that the domain does not lead to any more.
const GONE: &str = "-";

/// A violation that stands though the last look may not have met it.
pub(super) struct Held {
    pub(super) findings: Vec<Finding>,
    pub(super) summary: String,
    /// When it was last met.
    pub(super) last_at: Timestamp,
    /// Whether a few more good looks will end it.
    pub(super) is_nearly_over: bool,
}

/// The memory after a look.
pub(super) fn remember(before: &[AddressMemory], look: &Look) -> Vec<AddressMemory> {
    let mut met = met(look);
    let is_complete = look.report.state == State::Compliant;
    let mut memory: Vec<AddressMemory> = Vec::new();
    for old in before {
        let at = met.iter().position(|new| (new.address, new.port) == (old.address, old.port));
        let looks = match at {
            Some(at) => met.swap_remove(at).looks,
            None if is_complete => vec![blank(look.at)],
            None => Vec::new(),
        };
        let looks = old.looks.iter().cloned().chain(looks);
        let mut looks: Vec<AddressLook> = looks.collect();
        looks.drain(..looks.len().saturating_sub(KEPT));
        let is_worth_it = at.is_some() || looks.iter().any(|look| look.state == State::Violated);
        if is_worth_it {
            memory.push(AddressMemory { looks, ..*old });
        }
    }
    memory.extend(met);
    memory.sort_by_key(|one| (one.address, one.port));
    if memory.len() > ADDRESSES {
        memory.sort_by_key(|one| std::cmp::Reverse(one.looks.last().map(|look| look.at)));
        memory.truncate(ADDRESSES);
        memory.sort_by_key(|one| (one.address, one.port));
    }
    memory
}

/// What this look met, one look an address: the worst, where several hosts share one.
fn met(look: &Look) -> Vec<AddressMemory> {
    let mut met: Vec<AddressMemory> = Vec::new();
    for endpoint in &look.report.endpoints {
        let new = AddressLook {
            at: look.at,
            state: endpoint.state,
            face: face(endpoint),
            findings: violations(look, endpoint),
        };
        let key = (endpoint.address, endpoint.port);
        let same = met.iter_mut().find(|one| (one.address, one.port) == key);
        match same.map(|one| &mut one.looks) {
            Some(looks) => {
                if looks.iter().all(|old| old.state < new.state) {
                    *looks = vec![new];
                }
            }
            None => {
                let (address, port) = key;
                met.push(AddressMemory { address, port, looks: vec![new] });
            }
        }
    }
    met
}

fn blank(at: Timestamp) -> AddressLook {
    AddressLook { at, state: State::Unknown, face: GONE.to_owned(), findings: Vec::new() }
}

/// What tells the machine from another behind the same address.
pub(in crate::judge) fn face(endpoint: &EndpointReport) -> String {
    let leaf = endpoint.tls.as_ref().and_then(|tls| tls.certificates.first());
    match (leaf, &endpoint.banner) {
        (Some(leaf), _) => leaf.sha256.clone(),
        (None, Some(banner)) => banner.chars().take(FACE).collect(),
        (None, None) => String::new(),
    }
}

/// The endpoint, as findings name it.
pub(in crate::judge) fn place(endpoint: &EndpointReport) -> Endpoint {
    Endpoint { host: endpoint.mx.clone(), address: endpoint.address, port: endpoint.port }
}

/// What weighs as a violation at this endpoint.
fn violations(look: &Look, endpoint: &EndpointReport) -> Vec<FindingId> {
    let subject = place(endpoint).to_string();
    let findings = look.report.findings.iter();
    let mut ids: Vec<FindingId> = findings
        .filter(|one| one.severity == Severity::Violation && one.subject == subject)
        .map(|one| one.id)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Whether this look met at an address what it met there before, within the last ten.
pub(super) fn is_repeated(before: &Standing, look: &Look, rules: &Rules) -> bool {
    let needed = usize::try_from(rules.confirm).unwrap_or(KEPT).clamp(BAD, KEPT);
    remember(&before.memory, look).iter().any(|one| {
        let is_met = look.report.endpoints.iter().any(|endpoint| {
            (endpoint.address, endpoint.port) == (one.address, one.port)
                && endpoint.state == State::Violated
        });
        is_met && bad(&one.looks).count() >= needed
    })
}

/// Whether this look ends what stood by memory: the good looks it took have confirmed it already.
pub(super) fn is_released(before: &Standing, look: &Look, rules: &Rules) -> bool {
    let confirm = usize::try_from(rules.confirm).unwrap_or(KEPT).min(KEPT);
    let is_settled = |one: &AddressMemory| one.looks.iter().rev().take(confirm).all(is_good);
    held(&before.memory, look, rules).is_some()
        && remember(&before.memory, look).iter().all(is_settled)
}

fn bad(looks: &[AddressLook]) -> impl Iterator<Item = &AddressLook> {
    looks.iter().filter(|look| look.state == State::Violated)
}

/// What stands by memory, at whichever addresses.
pub(super) fn held(memory: &[AddressMemory], look: &Look, rules: &Rules) -> Option<Held> {
    let mut findings = Vec::new();
    let mut last_at: Option<Timestamp> = None;
    let mut is_nearly_over = true;
    for one in memory {
        let Some(pattern) = Pattern::of(&one.looks) else { continue };
        if pattern.is_over(rules) || !is_within(pattern.last_bad.at, rules) {
            continue;
        }
        last_at = last_at.max(Some(pattern.last_bad.at));
        is_nearly_over &= pattern.run.len() >= BAD;
        findings.push(pattern.finding(subject(one, look)));
    }
    let last_at = last_at?;
    let summary = match findings.as_slice() {
        [one] => format!("{} falls short now and then", one.subject),
        several => format!("{} endpoints fall short now and then", several.len()),
    };
    Some(Held { findings, summary, last_at, is_nearly_over })
}

/// Bad looks with good ones between them.
struct Pattern<'a> {
    looks: &'a [AddressLook],
    bad: usize,
    last_bad: &'a AddressLook,
    /// Whether a good look lies between two bad ones.
    is_mixed: bool,
    /// The good looks since the last bad one.
    run: Vec<&'a AddressLook>,
    /// Everything before it.
    earlier: &'a [AddressLook],
}

impl<'a> Pattern<'a> {
    fn of(looks: &'a [AddressLook]) -> Option<Self> {
        let bad = bad(looks).count();
        let last = looks.iter().rposition(|look| look.state == State::Violated)?;
        let (earlier, run) = (looks.get(..=last)?, looks.get(last + 1..)?);
        let first = looks.iter().position(|look| look.state == State::Violated)?;
        let is_mixed = looks.get(first..last)?.iter().any(is_good);
        let run = run.iter().filter(|look| is_good(look)).collect();
        let last_bad = looks.get(last)?;
        Some(Self { looks, bad, last_bad, is_mixed, run, earlier })
    }

    fn is_over(&self, rules: &Rules) -> bool {
        let confirm = usize::try_from(rules.confirm).unwrap_or(KEPT).min(KEPT);
        self.bad < BAD
            || !self.is_mixed
            || self.run.len() >= STEADY.max(confirm)
            || self.run.len() >= REPLACED.max(confirm) && self.is_replaced()
    }

    /// One face since the last bad look, and one that was not there before.
    fn is_replaced(&self) -> bool {
        let Some(first) = self.run.first() else { return false };
        first.face != GONE
            && self.run.iter().all(|look| look.face == first.face)
            && self.earlier.iter().all(|look| look.face != first.face)
    }

    fn finding(&self, subject: Endpoint) -> Finding {
        let others: Vec<&AddressLook> = self.looks.iter().filter(|look| is_good(look)).collect();
        let fell_short = match self.last_bad.findings.as_slice() {
            [] => String::new(),
            ids => {
                let ids: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
                format!(" ({})", ids.join(", "))
            }
        };
        let other = others.last().map_or_else(|| "nothing".to_owned(), |look| shown(&look.face));
        let seen = format!(
            "{} of the last {} looks fell short{fell_short}, the last at {} with {}; {} did not, the last of them with {other}",
            self.bad,
            self.looks.len(),
            self.last_bad.at,
            shown(&self.last_bad.face),
            others.len(),
        );
        let expected = "what is required, from every machine behind the address";
        Finding::new(FindingId::Intermittent, Severity::Violation, subject, seen, expected)
    }
}

/// The endpoint, by the name the last look met it under.
fn subject(one: &AddressMemory, look: &Look) -> Endpoint {
    let mut met = look.report.endpoints.iter();
    let met = met.find(|endpoint| (endpoint.address, endpoint.port) == (one.address, one.port));
    let host = met.and_then(|endpoint| endpoint.mx.clone());
    Endpoint { host, address: one.address, port: one.port }
}

/// A look that would have met what is bad, and did not.
fn is_good(look: &AddressLook) -> bool {
    look.state == State::Compliant || (look.state == State::Unknown && look.face == GONE)
}

/// A face, in words.
fn shown(face: &str) -> String {
    let is_digest = face.len() == 64 && face.bytes().all(|byte| byte.is_ascii_hexdigit());
    match face {
        "" => "no greeting".to_owned(),
        GONE => "the address not in use".to_owned(),
        _ if is_digest => format!("certificate {face}"),
        _ => format!("the greeting `{face}`"),
    }
}
