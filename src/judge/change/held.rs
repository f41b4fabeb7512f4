//! What stands by memory: so that one bad backend of several is neither forgotten nor held against them for ever.
//!
//! 1. A violation met in two of the last ten looks at an address counts, whatever lay between (`is_repeated`).
//! 2. Where a look that met nothing bad lies between two that did, there are several backends, or one that comes
//!    and goes. The violation then stands whatever the last look found (`held`), until it is over.
//! 3. It is over when the last five looks that tell anything met nothing bad; or when three did and all met one and
//!    the same face that nobody met before, because then something was replaced.
//! 4. Where all bad looks lie together there is no sign of several backends: what was broken was repaired, and the
//!    usual confirmation is enough.
//!
//! Past one bad backend of four, five good looks in a row are met in one of four cases, as often as fewer than two bad
//! ones of ten: it does not hide for long, and the next bad look brings it back at once.
//!
//! Invariant: an unknown look neither convicts nor clears; memory makes nothing compliant.

use super::{
    Rules, is_within,
    memory::{GONE, KEPT, met},
};
use crate::model::{
    finding::{Finding, FindingId, Severity},
    session::Endpoint,
    standing::{AddressLook, AddressMemory, Look, Standing},
    state::State,
};
use jiff::Timestamp;

/// So many looks at an address make a violation stand.
const BAD: usize = 2;
/// So many good looks in a row end it, at least.
const STEADY: usize = 5;
/// So many with one new face end it as well.
const REPLACED: usize = 3;

/// A violation that stands though the last look may not have met it.
pub(super) struct Held {
    pub(super) findings: Vec<Finding>,
    pub(super) summary: String,
    /// When it was last met.
    pub(super) last_at: Timestamp,
    /// Whether a few more good looks will end it.
    pub(super) is_nearly_over: bool,
}

/// Whether this look met at an address what it met there before, within the last ten; `memory` is with this look.
pub(super) fn is_repeated(memory: &[AddressMemory], look: &Look, rules: &Rules) -> bool {
    let needed = usize::try_from(rules.confirm).unwrap_or(KEPT).clamp(BAD, KEPT);
    let met: Vec<AddressMemory> = met(look);
    let is_met_bad = |one: &AddressMemory| {
        let mut same = met.iter().filter(|met| (met.address, met.port) == (one.address, one.port));
        same.any(|met| bad(&met.looks).count() > 0)
    };
    memory.iter().any(|one| bad(&one.looks).count() >= needed && is_met_bad(one))
}

/// Whether every address was met well as often as a change is confirmed: then the end of what stood by memory needs
/// no more looks.
pub(super) fn is_settled(memory: &[AddressMemory], rules: &Rules) -> bool {
    let confirm = usize::try_from(rules.confirm).unwrap_or(KEPT).min(KEPT);
    memory.iter().all(|one| one.looks.iter().rev().take(confirm).all(is_good))
}

fn bad(looks: &[AddressLook]) -> impl Iterator<Item = &AddressLook> {
    looks.iter().filter(|look| look.state == State::Violated)
}

/// What stands by memory, at whichever addresses; `memory` is with this look, `before` without it.
pub(super) fn held(
    before: &Standing,
    memory: &[AddressMemory],
    look: &Look,
    rules: &Rules,
) -> Option<Held> {
    let mut findings = Vec::new();
    let mut last_at: Option<Timestamp> = None;
    let mut is_nearly_over = true;
    for one in memory {
        let Some(pattern) = Pattern::of(&one.looks) else { continue };
        let stands = pattern.is_mixed || was_held_at(before, one);
        if !stands || pattern.is_over(rules) || !is_within(pattern.last_bad.at, rules) {
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

/// Whether the claim is violated by what is remembered of some address.
pub(super) fn was_held(before: &Standing) -> bool {
    before.state == State::Violated
        && before.findings.iter().any(|one| one.id == FindingId::Intermittent)
}

/// As [`was_held`], of this address.
fn was_held_at(before: &Standing, one: &AddressMemory) -> bool {
    let is_here = |finding: &Finding| {
        let place = finding.subject.parse::<Endpoint>();
        place.is_ok_and(|place| (place.address, place.port) == (one.address, one.port))
    };
    let mut findings = before.findings.iter().filter(|one| one.id == FindingId::Intermittent);
    was_held(before) && findings.any(is_here)
}

/// Bad looks, and good ones between and behind them.
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
        self.run.len() >= STEADY.max(confirm)
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
    let host = met.and_then(|endpoint| endpoint.mx.clone()).or_else(|| {
        let tried = look.report.probes.iter().filter_map(|probe| probe.target.parse().ok());
        let mut tried = tried.filter(|place: &Endpoint| place.address == one.address);
        tried.find_map(|place| place.host)
    });
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
