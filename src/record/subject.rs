//! The claims of partners as rows, and what was seen of each.
//!
//! 1. A claim's row holds what its next look is compared with: state, fingerprint, and the body kept last.
//! 2. A look is one small row; whether its body is kept is decided here, as [`commit`](super::commit) says.

use super::{
    commit::{Prepared, Seen},
    evidence::{Body, is_kept},
};
use crate::model::{claim::Claim, standing::Standing, state::State};
use rusqlite::Connection;

/// A body is kept this often though nothing changed.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A claim of a partner, as its row says.
pub(super) struct Subject {
    pub(super) number: i64,
    state: Option<i64>,
    fingerprint: Option<Vec<u8>>,
    evidence: Option<String>,
    kept_at: Option<i64>,
}

impl Subject {
    /// Its row, made where there is none.
    pub(super) fn of(
        connection: &Connection,
        partner: &str,
        claim: Claim,
    ) -> rusqlite::Result<Self> {
        let claim = claim.to_string();
        let sql = "INSERT INTO subject (partner, claim) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        connection.prepare(sql)?.execute((partner, &claim))?;
        let sql = "SELECT number, state, fingerprint, evidence, kept_at FROM subject
                   WHERE partner = ?1 AND claim = ?2";
        connection.prepare(sql)?.query_row((partner, claim), |row| {
            Ok(Self {
                number: row.get(0)?,
                state: row.get(1)?,
                fingerprint: row.get(2)?,
                evidence: row.get(3)?,
                kept_at: row.get(4)?,
            })
        })
    }

    /// Whether this look is another than the last, or the last body is a day old.
    fn is_news(&self, connection: &Connection, seen: &Seen, body: &Body) -> rusqlite::Result<bool> {
        let since = self.kept_at.map(|kept_at| seen.at.as_millisecond() - kept_at);
        let unchanged = self.fingerprint.as_deref() == Some(&body.fingerprint)
            && self.state == Some(number_of(seen.state))
            // A clock that was set back must not keep bodies away for as long.
            && since.is_some_and(|since| (0..DAY_MS).contains(&since));
        let kept = match &self.evidence {
            Some(digest) if unchanged => is_kept(connection, digest)?,
            Some(_) | None => false,
        };
        Ok(!(unchanged && kept))
    }

    /// The standing with the evidence kept last, where its own was not kept.
    pub(super) fn kept_for(
        &self,
        connection: &Connection,
        standing: &Standing,
    ) -> rusqlite::Result<Option<Standing>> {
        match &self.evidence {
            Some(kept)
                if !standing.evidence.is_empty() && !is_kept(connection, &standing.evidence)? =>
            {
                Ok(Some(Standing { evidence: kept.clone(), ..standing.clone() }))
            }
            Some(_) | None => Ok(None),
        }
    }
}

/// Writes one look, for every claim that rests on it.
pub(super) fn write_look(
    connection: &Connection,
    commit: &Prepared,
    seen: &Seen,
    body: Option<&Body>,
) -> rusqlite::Result<()> {
    let mut subjects = Vec::new();
    for (partner, claim) in &seen.claims {
        subjects.push(Subject::of(connection, partner, *claim)?);
    }
    let mut kept = body
        .filter(|body| seen.state == State::Violated || commit.is_named_by_an_event(&body.digest));
    if let Some(body) = body {
        for subject in &subjects {
            if kept.is_none() && subject.is_news(connection, seen, body)? {
                kept = Some(body);
            }
        }
    }
    if let Some(body) = kept {
        body.insert(connection)?;
    }
    for subject in subjects {
        if insert_look(connection, subject.number, seen, kept)? {
            note_look(connection, subject.number, seen, body, kept)?;
        }
    }
    Ok(())
}

/// One row, unless it is there. Two looks in one millisecond are told apart by the next one.
fn insert_look(
    connection: &Connection,
    subject: i64,
    seen: &Seen,
    kept: Option<&Body>,
) -> rusqlite::Result<bool> {
    let state = number_of(seen.state);
    let digest = kept.map(|body| body.digest.as_str());
    let fingerprint = kept.map(|body| body.fingerprint);
    let mut at = seen.at.as_millisecond();
    loop {
        let sql = "INSERT INTO look (subject, at, state, evidence, fingerprint)
                   VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
        let values = (subject, at, state, digest, fingerprint);
        if connection.prepare(sql)?.execute(values)? == 1 {
            return Ok(true);
        }
        let sql = "SELECT state, evidence FROM look WHERE subject = ?1 AND at = ?2";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let there: (i64, Option<String>) =
            connection.prepare(sql)?.query_row((subject, at), read)?;
        // Written before, by a commit whose answer was lost. Written again it has no news, so no evidence either.
        if there.0 == state && (digest.is_none() || there.1.as_deref() == digest) {
            return Ok(false);
        }
        at += 1;
    }
}

/// What the next look is compared with.
fn note_look(
    connection: &Connection,
    subject: i64,
    seen: &Seen,
    body: Option<&Body>,
    kept: Option<&Body>,
) -> rusqlite::Result<()> {
    let Some(body) = body else { return Ok(()) };
    let sql = "UPDATE subject SET state = ?2, fingerprint = ?3 WHERE number = ?1";
    let values = (subject, number_of(seen.state), body.fingerprint);
    connection.prepare(sql)?.execute(values)?;
    let Some(kept) = kept else { return Ok(()) };
    let sql = "UPDATE subject SET evidence = ?2, kept_at = ?3 WHERE number = ?1";
    let values = (subject, &kept.digest, seen.at.as_millisecond());
    connection.prepare(sql)?.execute(values)?;
    Ok(())
}

/// How a state stands in a row.
pub(super) fn number_of(state: State) -> i64 {
    match state {
        State::Compliant => 0,
        State::Unknown => 1,
        State::Violated => 2,
    }
}
