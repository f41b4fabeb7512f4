//! Forgetting by age, a bounded batch at a time, so that writers wait for none of it.
//!
//! Invariant: what a violation rests on lives as long as the violation is told; nothing that is named is taken.
//! Invariant: an event that was heard stays heard for as long as it is there.

use super::{Record, error::RecordError, evidence::release, subject::number_of};
use crate::model::{canary::Personality, state::State};
use crate::record::Settled;
use jiff::Timestamp;
use rusqlite::{Connection, named_params};
use std::time::Duration;

/// The most rows of a kind that one batch takes.
const BATCH: i64 = 1000;

impl Record {
    /// Forgets one batch of what is older than `keep`, and of violations what is older than `keep_violations`.
    /// How many rows it took; none are left when that is 0.
    ///
    /// # Errors
    ///
    /// The disk; nothing of the batch was forgotten then.
    pub fn prune(
        &self,
        now: Timestamp,
        keep: Duration,
        keep_violations: Duration,
    ) -> Result<usize, RecordError> {
        let before = Horizon {
            now: now.as_millisecond(),
            usual: earlier(now, keep),
            violations: earlier(now, keep_violations.max(keep)),
        };
        self.reader.doing("forgetting what is old in", |connection| {
            let transaction = connection.unchecked_transaction()?;
            let taken = prune_looks(&transaction, before)?
                + prune_events(&transaction, before)?
                + prune_heard(&transaction, before)?
                + prune_probes(&transaction, before)?
                + prune_subjects(&transaction, before)?;
            transaction.commit()?;
            Ok(taken)
        })
    }
}

/// Instants before which things are forgotten.
#[derive(Debug, Clone, Copy)]
struct Horizon {
    now: i64,
    usual: i64,
    violations: i64,
}

fn earlier(now: Timestamp, span: Duration) -> i64 {
    let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    now.as_millisecond().saturating_sub(span)
}

fn prune_looks(connection: &Connection, before: Horizon) -> rusqlite::Result<usize> {
    let subjects: Vec<i64> = connection
        .prepare("SELECT number FROM subject ORDER BY number")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let sql = "DELETE FROM look WHERE (subject, at) IN (
                   SELECT subject, at FROM look
                   WHERE subject = :subject AND at < :usual AND (state <> :violated OR at < :violations)
                   ORDER BY at LIMIT :limit)
               RETURNING evidence";
    let mut taken = 0;
    for subject in subjects {
        let left = BATCH - i64::try_from(taken).unwrap_or(BATCH);
        if left <= 0 {
            break;
        }
        let named = named_params! {
            ":subject": subject,
            ":usual": before.usual,
            ":violated": number_of(State::Violated),
            ":violations": before.violations,
            ":limit": left,
        };
        taken += released(connection, sql, named)?;
    }
    Ok(taken)
}

fn prune_events(connection: &Connection, before: Horizon) -> rusqlite::Result<usize> {
    let sql = "DELETE FROM event WHERE id IN (
                   SELECT id FROM event
                   WHERE at < :usual AND (is_violation = 0 OR at < :violations)
                   ORDER BY at LIMIT :limit)
               RETURNING evidence";
    let named = named_params! {
        ":usual": before.usual,
        ":violations": before.violations,
        ":limit": BATCH,
    };
    released(connection, sql, named)
}

/// That an event was heard, once it is gone. One that is not here yet is waiting to be written, so it is young.
fn prune_heard(connection: &Connection, before: Horizon) -> rusqlite::Result<usize> {
    let sql = "DELETE FROM alert_heard WHERE event IN (
                   SELECT event FROM alert_heard AS heard
                   WHERE at < ?1 AND NOT EXISTS (SELECT 1 FROM event WHERE id = heard.event)
                   ORDER BY at LIMIT ?2)";
    connection.prepare(sql)?.execute((before.usual, BATCH))
}

/// Runs a deletion that gives the evidence of each row back, and lets go what nobody names any more.
fn released(
    connection: &Connection,
    sql: &str,
    values: &[(&str, &dyn rusqlite::ToSql)],
) -> rusqlite::Result<usize> {
    let named: Vec<Option<String>> = connection
        .prepare(sql)?
        .query_map(values, |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for digest in named.iter().flatten() {
        release(connection, digest)?;
    }
    Ok(named.len())
}

/// Probes whose time is over, with their sessions. One that was delivered where it must not be is a violation's.
fn prune_probes(connection: &Connection, before: Horizon) -> rusqlite::Result<usize> {
    let sql = "SELECT id FROM probe
               WHERE created_at < :usual AND expires_at < :now
               AND (personality = :good OR settled_how IS NOT :delivered OR created_at < :violations)
               ORDER BY created_at LIMIT :limit";
    let named = named_params! {
        ":usual": before.usual,
        ":now": before.now,
        ":good": Personality::Good.as_str(),
        ":delivered": Settled::Delivered.as_str(),
        ":violations": before.violations,
        ":limit": BATCH,
    };
    let ids: Vec<String> = connection
        .prepare(sql)?
        .query_map(named, |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for id in &ids {
        connection.prepare("DELETE FROM canary_session WHERE probe = ?1")?.execute([id])?;
        connection.prepare("DELETE FROM probe WHERE id = ?1")?.execute([id])?;
    }
    Ok(ids.len())
}

/// Claims of which nothing is left.
fn prune_subjects(connection: &Connection, before: Horizon) -> rusqlite::Result<usize> {
    let sql = "DELETE FROM subject WHERE coalesce(kept_at, 0) < ?1
               AND NOT EXISTS (SELECT 1 FROM look WHERE look.subject = number)
               AND NOT EXISTS (SELECT 1 FROM standing WHERE standing.subject = number)
               AND NOT EXISTS (SELECT 1 FROM due WHERE due.subject = number)";
    connection.prepare(sql)?.execute([before.usual])
}

#[cfg(test)]
mod tests;
