//! What may be a moment's failure: a server that breaks or refuses STARTTLS for now. It counts when another look, at
//! least ten minutes later, ends alike, and none between them ended well.
//!
//! One look alone says `unconfirmed` of it (`judge::offers`); only who remembers the looks before can say more.
//!
//! Invariant: nothing is raised but what the look itself doubted for want of a second one.

use super::memory::place;
use crate::model::{
    finding::{Finding, FindingId, Severity},
    obstacle::{Obstacle, ObstacleId},
    report::EndpointReport,
    session::Endpoint,
    standing::{AddressLook, AddressMemory, Look},
    state::State,
};
use jiff::SignedDuration;
use std::cmp::Reverse;

/// A failure that lasts so long is no moment's.
const LASTS: SignedDuration = SignedDuration::from_mins(10);

/// The look, with what was met before and lasts told as a violation.
pub(super) fn settled(before: &[AddressMemory], look: &Look) -> Look {
    let mut settled = look.clone();
    for endpoint in &look.report.endpoints {
        let place = place(endpoint);
        let lasting: Vec<FindingId> = doubted(look, &place)
            .into_iter()
            .filter(|id| lasts(before, look, endpoint, *id))
            .collect();
        if !lasting.is_empty() {
            raise(&mut settled, &place, &lasting);
        }
    }
    settled
}

/// What the look doubts at this endpoint.
pub(super) fn doubted(look: &Look, place: &Endpoint) -> Vec<FindingId> {
    let subject = place.to_string();
    let is_doubt = |one: &Obstacle| one.id == ObstacleId::Unconfirmed && one.subject == subject;
    if !look.report.obstacles.iter().any(is_doubt) {
        return Vec::new();
    }
    let is_doubted = |one: &&Finding| {
        matches!(one.id, FindingId::StarttlsBroken | FindingId::StarttlsRefused)
            && one.subject == subject
            && one.severity == Severity::Info
    };
    look.report.findings.iter().filter(is_doubted).map(|one| one.id).collect()
}

/// Whether it was met here long enough ago, and nothing good since.
fn lasts(before: &[AddressMemory], look: &Look, endpoint: &EndpointReport, id: FindingId) -> bool {
    let is_here =
        |one: &&AddressMemory| (one.address, one.port) == (endpoint.address, endpoint.port);
    let looks = before.iter().filter(is_here).flat_map(|one| one.looks.iter().rev());
    let since_good = looks.take_while(|old| old.state != State::Compliant);
    let mut alike = since_good.filter(|old: &&AddressLook| old.findings.contains(&id));
    alike.any(|old| look.at.duration_since(old.at) >= LASTS)
}

fn raise(look: &mut Look, place: &Endpoint, ids: &[FindingId]) {
    let subject = place.to_string();
    let report = &mut look.report;
    for finding in &mut report.findings {
        if finding.subject == subject && ids.contains(&finding.id) {
            finding.severity = Severity::Violation;
        }
    }
    report.findings.sort_by_key(|finding| Reverse(finding.severity));
    report.obstacles.retain(|one| one.id != ObstacleId::Unconfirmed || one.subject != subject);
    for endpoint in &mut report.endpoints {
        if self::place(endpoint) == *place {
            endpoint.state = State::Violated;
            endpoint.obstacles.retain(|id| *id != ObstacleId::Unconfirmed);
        }
    }
    if report.state != State::Violated {
        let what = ids.first().map_or("", |id| id.explanation().title);
        report.state = State::Violated;
        report.summary = format!("falls short: {what}, and did so at least ten minutes ago");
        report.proven_at = Some(look.at);
    }
}
