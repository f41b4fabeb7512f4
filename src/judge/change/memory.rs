//! The last ten looks at each address, and the face that was met there.
//!
//! 1. Each look leaves what it proved at each address, and the face: the certificate, or the greeting.
//! 2. Where a claim is proved by attempts, not by one session an endpoint, the attempts say at which address.
//! 3. An address that a complete look did not meet any more leaves a blank, until nothing bad is remembered of it.
//!
//! Invariant: bounded: ten looks an address, and so many addresses.

use super::transient::doubted;
use crate::model::{
    finding::{FindingId, Severity},
    report::EndpointReport,
    session::Endpoint,
    standing::{AddressLook, AddressMemory, Look},
    state::State,
};
use jiff::Timestamp;

/// So many looks at an address are remembered.
pub(super) const KEPT: usize = 10;
/// So many addresses are remembered; a claim that has more forgets those it has not met for longest.
const ADDRESSES: usize = 256;
/// A greeting longer than this tells no more.
const FACE: usize = 200;
/// The face of an address that the domain does not lead to any more.
pub(super) const GONE: &str = "-";

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
pub(super) fn met(look: &Look) -> Vec<AddressMemory> {
    let endpoints = look.report.endpoints.iter();
    let endpoints = endpoints.map(|endpoint| (place(endpoint), endpoint.state, face(endpoint)));
    let mut met: Vec<AddressMemory> = Vec::new();
    for (place, state, face) in endpoints.chain(attempted(look)) {
        let findings = match state {
            State::Unknown => doubted(look, &place),
            State::Compliant | State::Violated => violations(look, &place),
        };
        let new = AddressLook { at: look.at, state, face, findings };
        let Endpoint { address, port, .. } = place;
        match met.iter_mut().find(|one| (one.address, one.port) == (address, port)) {
            Some(same) if same.looks.iter().all(|old| old.state < new.state) => {
                same.looks = vec![new];
            }
            Some(_) => {}
            None => met.push(AddressMemory { address, port, looks: vec![new] }),
        }
    }
    met
}

/// The endpoints that attempts were made at. One at which nothing was violated is good where the claim is; where it
/// is not, nothing is known of it.
fn attempted(look: &Look) -> Vec<(Endpoint, State, String)> {
    let mut places: Vec<Endpoint> = Vec::new();
    for place in look.report.probes.iter().filter_map(|probe| probe.target.parse().ok()) {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    let state = |place: &Endpoint| match look.report.state {
        State::Compliant => State::Compliant,
        State::Unknown | State::Violated if violations(look, place).is_empty() => State::Unknown,
        State::Unknown | State::Violated => State::Violated,
    };
    let with_state = |place: Endpoint| (place.clone(), state(&place), String::new());
    places.into_iter().map(with_state).collect()
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
fn violations(look: &Look, place: &Endpoint) -> Vec<FindingId> {
    let subject = place.to_string();
    let findings = look.report.findings.iter();
    let mut ids: Vec<FindingId> = findings
        .filter(|one| one.severity == Severity::Violation && one.subject == subject)
        .map(|one| one.id)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
