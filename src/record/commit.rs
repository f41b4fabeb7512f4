//! What a round leaves behind, written in one transaction: looks, standings, events, due times.
//!
//! 1. The digest and the fingerprint of what was seen are computed, outside of any transaction.
//! 2. A look is one small row. Its body is kept where the fingerprint or the state is another than last time, where
//!    the state is violated, where an event names it, and once a day.
//! 3. A standing that names a body that was not kept is written with the one kept last, which differs from it in
//!    times alone.
//!
//! Invariant: a commit is there whole or not at all, and writing it once more changes nothing.

use super::{
    Reader, Record,
    alerts::hear,
    error::RecordError,
    evidence::{Body, release},
    subject::{Subject, write_look},
};
use crate::model::{
    claim::Claim,
    event::{Event, Happening},
    finding::Severity,
    standing::Standing,
    state::State,
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use std::collections::HashSet;

/// What is written together.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// What was seen.
    pub looks: Vec<Seen>,
    /// Claims as they stand now.
    pub standings: Vec<Standing>,
    /// What happened.
    pub events: Vec<Event>,
    /// Events that nobody is to be told of, and when they happened.
    pub heard: Vec<(String, Timestamp)>,
    /// When claims are looked at next.
    pub due: Vec<Due>,
    /// Claims that are configured no longer: they stand for nothing and are not due; their history stays.
    pub gone: Vec<(String, Claim)>,
}

impl Commit {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        let Self { looks, standings, events, heard, due, gone } = self;
        looks.is_empty()
            && standings.is_empty()
            && events.is_empty()
            && heard.is_empty()
            && due.is_empty()
            && gone.is_empty()
    }
}

/// One look, for every claim that rests on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Partners and claims.
    pub claims: Vec<(String, Claim)>,
    /// When the look was over.
    pub at: Timestamp,
    /// What it was judged to be on its own.
    pub state: State,
    /// The evidence as JSON; empty where nothing was observed.
    pub body: Vec<u8>,
}

/// When a claim is looked at next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Whose claim.
    pub partner: String,
    /// Which.
    pub claim: Claim,
    /// When.
    pub at: Timestamp,
    /// How many looks in a row came sooner than its interval.
    pub streak: u32,
}

/// A commit that is ready to be written: what can be computed without the store was.
#[derive(Debug, Clone)]
pub struct Prepared {
    looks: Vec<(Seen, Option<Body>)>,
    standings: Vec<Standing>,
    events: Vec<Event>,
    heard: Vec<(String, Timestamp)>,
    due: Vec<Due>,
    gone: Vec<(String, Claim)>,
}

impl Prepared {
    /// Digests and fingerprints of everything seen.
    pub fn of(commit: Commit) -> Self {
        let Commit { looks, standings, events, heard, due, gone } = commit;
        let looks = looks.into_iter().map(|mut seen| {
            let body = Body::of(std::mem::take(&mut seen.body));
            (seen, body)
        });
        Self { looks: looks.collect(), standings, events, heard, due, gone }
    }

    /// Compresses what was seen, for a commit that has to wait.
    pub fn pack(&mut self) {
        for body in self.looks.iter_mut().filter_map(|(_, body)| body.as_mut()) {
            body.pack();
        }
    }

    /// How many looks are in it.
    pub fn looks(&self) -> usize {
        self.looks.len()
    }

    pub(super) fn is_named_by_an_event(&self, digest: &str) -> bool {
        self.events.iter().any(|event| evidence_of(event) == Some(digest))
    }
}

impl Record {
    /// Writes a commit; on disk, whole, when this returns.
    ///
    /// # Errors
    ///
    /// The disk; nothing of it was written then.
    pub fn commit(&self, commit: &Commit) -> Result<(), RecordError> {
        self.write(&[&Prepared::of(commit.clone())])
    }

    /// Writes several commits in one transaction, in their order; on disk, whole, when this returns.
    ///
    /// # Errors
    ///
    /// The disk; nothing of them was written then.
    pub fn write(&self, commits: &[&Prepared]) -> Result<(), RecordError> {
        let written = self.reader.doing("writing looks to", |connection| {
            // Dropped on the way out, it takes everything back.
            let transaction = connection.unchecked_transaction()?;
            for (at, commit) in commits.iter().enumerate() {
                let later = commits.get(at + 1..).unwrap_or_default();
                if let Err(source) = write_one(&self.reader, &transaction, commit, later)? {
                    return Ok(Err(source));
                }
            }
            transaction.commit()?;
            Ok(Ok(()))
        });
        if let Err(RecordError::Full { .. }) = &written {
            self.shrink_log();
        }
        written?
    }

    /// Brings the write-ahead log into the file and cuts it: on a full disk that may be all the room there is.
    fn shrink_log(&self) {
        // Where it cannot be done either, the next try says so.
        let _ = self.reader.connection.pragma_update(None, "wal_checkpoint", "TRUNCATE");
    }

    /// Whether the store can be written, found out by writing to it what it holds already.
    ///
    /// # Errors
    ///
    /// Why it cannot.
    pub fn try_writing(&self) -> Result<(), RecordError> {
        self.reader.doing("writing to", |connection| {
            let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            connection.pragma_update(None, "user_version", version)
        })
    }
}

/// `later` are the commits behind it in the same transaction: what they say of a claim outweighs this one.
fn write_one(
    reader: &Reader,
    connection: &Connection,
    commit: &Prepared,
    later: &[&Prepared],
) -> rusqlite::Result<Result<(), RecordError>> {
    for (seen, body) in &commit.looks {
        write_look(connection, commit, seen, body.as_ref())?;
    }
    for event in &commit.events {
        match reader.to_json("an event", event) {
            Ok(json) => write_event(connection, event, &json)?,
            Err(error) => return Ok(Err(error)),
        }
    }
    for (event, at) in &commit.heard {
        hear(connection, event, *at)?;
    }
    let again: HashSet<_> =
        later.iter().flat_map(|c| &c.standings).map(|s| (s.partner.as_str(), s.claim)).collect();
    for standing in &commit.standings {
        if again.contains(&(standing.partner.as_str(), standing.claim)) {
            continue;
        }
        let subject = Subject::of(connection, &standing.partner, standing.claim)?;
        let kept = subject.kept_for(connection, standing)?;
        match reader.to_json("a standing", kept.as_ref().unwrap_or(standing)) {
            Ok(json) => {
                let evidence = &kept.as_ref().unwrap_or(standing).evidence;
                write_standing(connection, subject.number, evidence, &json)?;
            }
            Err(error) => return Ok(Err(error)),
        }
    }
    for due in &commit.due {
        let subject = Subject::of(connection, &due.partner, due.claim)?;
        let sql = "INSERT INTO due (subject, at, streak) VALUES (?1, ?2, ?3)
                   ON CONFLICT (subject) DO UPDATE SET at = excluded.at, streak = excluded.streak";
        let values = (subject.number, due.at.as_millisecond(), due.streak);
        connection.prepare(sql)?.execute(values)?;
    }
    for (partner, claim) in &commit.gone {
        let subject = Subject::of(connection, partner, *claim)?;
        remove_standing(connection, subject.number)?;
    }
    Ok(Ok(()))
}

fn write_standing(
    connection: &Connection,
    subject: i64,
    evidence: &str,
    json: &str,
) -> rusqlite::Result<()> {
    let before = evidence_of_standing(connection, subject)?;
    let sql = "INSERT INTO standing (subject, evidence, body) VALUES (?1, ?2, ?3)
               ON CONFLICT (subject) DO UPDATE SET evidence = excluded.evidence, body = excluded.body";
    connection.prepare(sql)?.execute((subject, evidence, json))?;
    match before {
        Some(before) if before != evidence => release(connection, &before).map(drop),
        Some(_) | None => Ok(()),
    }
}

pub(super) fn remove_standing(connection: &Connection, subject: i64) -> rusqlite::Result<()> {
    let before = evidence_of_standing(connection, subject)?;
    connection.prepare("DELETE FROM standing WHERE subject = ?1")?.execute([subject])?;
    connection.prepare("DELETE FROM due WHERE subject = ?1")?.execute([subject])?;
    before.map_or(Ok(()), |before| release(connection, &before).map(drop))
}

fn evidence_of_standing(connection: &Connection, subject: i64) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT evidence FROM standing WHERE subject = ?1";
    connection.prepare(sql)?.query_row([subject], |row| row.get(0)).optional()
}

fn write_event(connection: &Connection, event: &Event, json: &str) -> rusqlite::Result<()> {
    let sql = "INSERT INTO event (id, at, partner, claim, kind, evidence, is_violation, body)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";
    connection.prepare(sql)?.execute((
        &event.id,
        event.at.as_millisecond(),
        &event.partner,
        event.claim.map(|claim| claim.to_string()),
        kind_of(&event.what),
        evidence_of(event),
        is_violation(&event.what),
        json,
    ))?;
    Ok(())
}

fn evidence_of(event: &Event) -> Option<&str> {
    match &event.what {
        Happening::StateChanged { evidence, .. } => {
            Some(evidence.as_str()).filter(|evidence| !evidence.is_empty())
        }
        Happening::ConfigReloaded { .. }
        | Happening::Noticed { .. }
        | Happening::SelfOutageBegan { .. }
        | Happening::SelfOutageEnded { .. }
        | Happening::Started { .. }
        | Happening::Stopped => None,
    }
}

fn is_violation(what: &Happening) -> bool {
    match what {
        Happening::Noticed { finding } => finding.severity == Severity::Violation,
        Happening::StateChanged { from, to, .. } => [*from, *to].contains(&State::Violated),
        Happening::ConfigReloaded { .. }
        | Happening::SelfOutageBegan { .. }
        | Happening::SelfOutageEnded { .. }
        | Happening::Started { .. }
        | Happening::Stopped => false,
    }
}

/// The word of its JSON.
fn kind_of(what: &Happening) -> &'static str {
    match what {
        Happening::ConfigReloaded { .. } => "config-reloaded",
        Happening::Noticed { .. } => "noticed",
        Happening::SelfOutageBegan { .. } => "self-outage-began",
        Happening::SelfOutageEnded { .. } => "self-outage-ended",
        Happening::Started { .. } => "started",
        Happening::StateChanged { .. } => "state-changed",
        Happening::Stopped => "stopped",
    }
}

#[cfg(test)]
mod tests;
