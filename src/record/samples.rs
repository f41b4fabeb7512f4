//! Values to put into a store under test, and ways to hurt it.

use super::{Commit, Due, Record, Seen};
use crate::model::{
    claim::Claim,
    event::{Event, Happening},
    requirement::{Level, Requirement},
    standing::{Posture, Standing},
    state::State,
};
use jiff::{SignedDuration, Timestamp};

pub(crate) const OFFERS: Claim = Claim::OUTBOUND_RECEIVER_OFFERS;

pub(crate) fn noon() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

pub(crate) fn after(minutes: i64) -> Timestamp {
    noon() + SignedDuration::from_mins(minutes)
}

/// Evidence of its own at each instant, though nothing but `said` is news in it.
pub(crate) fn body(at: Timestamp, said: &str) -> Vec<u8> {
    serde_json::json!({ "started_at": at, "banner": { "code": 220, "lines": [said] } })
        .to_string()
        .into_bytes()
}

pub(crate) fn seen(partner: &str, minutes: i64, state: State, said: &str) -> Seen {
    let at = after(minutes);
    Seen { claims: vec![(partner.to_owned(), OFFERS)], at, state, body: body(at, said) }
}

pub(crate) fn standing(partner: &str, state: State, evidence: &str) -> Standing {
    Standing {
        partner: partner.to_owned(),
        claim: OFFERS,
        requirement: Requirement::of(Level::Name),
        basis: "basis".to_owned(),
        state,
        since: noon(),
        summary: "as it should be".to_owned(),
        findings: Vec::new(),
        obstacles: Vec::new(),
        endpoints: Vec::new(),
        proven_at: Some(noon()),
        last_known: None,
        evidence: evidence.to_owned(),
        looked_at: Some(noon()),
        pending: None,
        memory: Vec::new(),
        posture: Posture::default(),
    }
}

pub(crate) fn changed(id: &str, partner: &str, minutes: i64, to: State, evidence: &str) -> Event {
    let what = Happening::StateChanged {
        from: State::Unknown,
        to,
        summary: "seen".to_owned(),
        findings: Vec::new(),
        obstacles: Vec::new(),
        evidence: evidence.to_owned(),
    };
    let (partner, claim) = (Some(partner.to_owned()), Some(OFFERS));
    Event { id: id.to_owned(), at: after(minutes), partner, claim, what }
}

pub(crate) fn about_us(id: &str, minutes: i64, what: Happening) -> Event {
    Event { id: id.to_owned(), at: after(minutes), partner: None, claim: None, what }
}

pub(crate) fn due(partner: &str, minutes: i64, streak: u32) -> Due {
    Due { partner: partner.to_owned(), claim: OFFERS, at: after(minutes), streak }
}

pub(crate) fn looks(looks: Vec<Seen>) -> Commit {
    Commit { looks, ..Commit::default() }
}

/// SQLite's own bound on pages fails as a full file system does.
pub(crate) fn fill(record: &Record) {
    let connection = &record.reader.connection;
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    connection.pragma_update(None, "max_page_count", pages).unwrap();
}

/// There is room again.
pub(crate) fn make_room(record: &Record) {
    record.reader.connection.pragma_update(None, "max_page_count", 1 << 20).unwrap();
}
