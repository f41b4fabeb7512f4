//! What was told to whom: what must outlive us so that nothing is told twice, and nothing is left untold.
//!
//! 1. The dispatcher reads the memory once, when it begins: also what happened and was never heard.
//! 2. Whatever it takes notice of counts as heard in the transaction that holds what came of it.
//! 3. Where nobody is to be told, what happens counts as heard by itself.
//!
//! Invariant: changes that belong together are written together, or none of them.
//! Invariant: an event in the record was heard, or the next dispatcher hears it; whichever of the two is written first.

use super::{Reader, Record, error::RecordError};
use crate::model::told::{AskedMute, Change, Memory, Notice, Said, Told, Topic, Watched};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, ToSql, params};

/// A mute that has been over for so long shifts no reminder any more.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(400 * 24);
/// The most events that are heard late at once; the next dispatcher hears the rest.
const UNHEARD: usize = 10_000;
/// Heard twice is heard.
const HEARD: &str = "INSERT INTO alert_heard (event, at) VALUES (?1, ?2) ON CONFLICT DO NOTHING";

impl Record {
    /// Writes changes of the memory down, all of them or none.
    ///
    /// # Errors
    ///
    /// The disk.
    pub fn keep_alerts(&self, changes: &[Change]) -> Result<(), RecordError> {
        let mut statements = Vec::new();
        for change in changes {
            statements.push(self.statement(change)?);
        }
        self.reader.doing("writing what was told to", |connection| {
            let transaction = connection.unchecked_transaction()?;
            for statement in &statements {
                statement.run(&transaction)?;
            }
            transaction.commit()
        })
    }

    /// Counts everything that has happened as heard: nobody is to be told of it, now or later.
    ///
    /// # Errors
    ///
    /// The disk.
    pub fn hear_all(&self) -> Result<(), RecordError> {
        let sql = "INSERT OR IGNORE INTO alert_heard (event, at) SELECT id, at FROM event";
        self.reader
            .doing("writing what was heard to", |connection| connection.execute(sql, []).map(drop))
    }

    fn statement(&self, change: &Change) -> Result<Statement, RecordError> {
        let reader = &self.reader;
        Ok(match change {
            Change::Heard { event, at } => {
                Statement::of(HEARD, [Value::from(event), Value::Time(*at)])
            }
            Change::Told { channel, topic, told } => Statement::of(
                "INSERT OR REPLACE INTO alert_told (channel, topic, body) VALUES (?1, ?2, ?3)",
                [
                    Value::from(channel),
                    Value::Text(reader.to_json("the topic", topic)?),
                    Value::Text(reader.to_json("what was told", told)?),
                ],
            ),
            Change::Watched { partner, claim, watched } => Statement::of(
                "INSERT OR REPLACE INTO alert_watched (partner, claim, body) VALUES (?1, ?2, ?3)",
                [
                    Value::from(partner),
                    Value::Text(claim.to_string()),
                    Value::Text(reader.to_json("how a claim changed", watched)?),
                ],
            ),
            Change::Noticed(notice) if notice.waiting.is_empty() => Statement::of(
                "DELETE FROM alert_notice WHERE event = ?1",
                [Value::from(&notice.event.id)],
            ),
            Change::Noticed(notice) => Statement::of(
                "INSERT OR REPLACE INTO alert_notice (event, body) VALUES (?1, ?2)",
                [
                    Value::from(&notice.event.id),
                    Value::Text(reader.to_json("what happened", notice)?),
                ],
            ),
            Change::Muted(mute) => Statement::of(
                "INSERT INTO alert_mute (ends_at, body) VALUES (?1, ?2)",
                [Value::Time(mute.until), Value::Text(reader.to_json("the mute", mute)?)],
            ),
            Change::Said(said) => Statement::of(
                "INSERT INTO alert_said (at, channel, reason, body) VALUES (?1, ?2, ?3, ?4)",
                [
                    Value::Time(said.at),
                    Value::from(&said.channel),
                    Value::Text(said.reason.to_string()),
                    Value::Text(reader.to_json("what was said", said)?),
                ],
            ),
        })
    }
}

/// An event that nobody is to be told of counts as heard.
pub(super) fn hear(connection: &Connection, event: &str, at: Timestamp) -> rusqlite::Result<()> {
    connection.prepare(HEARD)?.execute((event, at.as_millisecond())).map(drop)
}

/// What is bound to a statement.
enum Value {
    Text(String),
    Time(Timestamp),
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

struct Statement {
    sql: &'static str,
    values: Vec<Value>,
}

impl Statement {
    fn of(sql: &'static str, values: impl IntoIterator<Item = Value>) -> Self {
        Self { sql, values: values.into_iter().collect() }
    }

    fn run(&self, connection: &Connection) -> rusqlite::Result<()> {
        let values: Vec<Box<dyn ToSql>> = self
            .values
            .iter()
            .map(|value| match value {
                Value::Text(text) => Box::new(text.as_str()) as Box<dyn ToSql>,
                Value::Time(at) => Box::new(at.as_millisecond()),
            })
            .collect();
        let values: Vec<&dyn ToSql> = values.iter().map(AsRef::as_ref).collect();
        connection.execute(self.sql, values.as_slice()).map(drop)
    }
}

/// The first three columns, all of them text.
fn three(row: &rusqlite::Row<'_>) -> rusqlite::Result<[String; 3]> {
    Ok([row.get(0)?, row.get(1)?, row.get(2)?])
}

impl Reader {
    /// What was told, what is muted, and what was never heard.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn alert_memory(&self, now: Timestamp) -> Result<Memory, RecordError> {
        let mut memory = Memory { unheard: self.unheard(UNHEARD)?, ..Memory::default() };
        let sql = "SELECT channel, topic, body FROM alert_told";
        for [channel, topic, body] in self.rows(sql, three)? {
            let topic: Topic = self.value("the topic of an alert", &topic)?;
            let told: Told = self.value("what was told", &body)?;
            memory.apply(Change::Told { channel, topic, told });
        }
        let sql = "SELECT partner, claim, body FROM alert_watched";
        for [partner, claim, body] in self.rows(sql, three)? {
            // A claim of another version of this program.
            let Ok(claim) = claim.parse() else { continue };
            let watched: Watched = self.value("how a claim changed", &body)?;
            memory.apply(Change::Watched { partner, claim, watched });
        }
        let bodies = |sql| self.rows(sql, |row| row.get::<_, String>(0));
        for body in bodies("SELECT body FROM alert_notice ORDER BY event")? {
            memory.apply(Change::Noticed(self.value::<Notice>("what happened", &body)?));
        }
        memory.mutes = self.asked_mutes(now)?;
        Ok(memory)
    }

    /// The silences that were asked for, as they hold: the last about a partner in place of those before.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub fn asked_mutes(&self, now: Timestamp) -> Result<Vec<AskedMute>, RecordError> {
        let sql = "SELECT body FROM alert_mute ORDER BY number";
        let mut mutes = Vec::new();
        for body in self.rows(sql, |row| row.get::<_, String>(0))? {
            let mute: AskedMute = self.value("a mute", &body)?;
            mute.put_into(&mut mutes);
        }
        // Not before: one that is forgotten may have ended one that would still hold.
        mutes.retain(|mute| now.duration_since(mute.until) < FORGOTTEN);
        Ok(mutes)
    }

    /// The messages that were taken since then, oldest first; at most so many.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub fn alerts_said(&self, since: Timestamp, limit: u32) -> Result<Vec<Said>, RecordError> {
        let bodies: Vec<String> = self.doing("reading what was said from", |connection| {
            connection
                .prepare("SELECT body FROM alert_said WHERE at >= ?1 ORDER BY number LIMIT ?2")?
                .query_map(params![since.as_millisecond(), limit], |row| row.get(0))?
                .collect()
        })?;
        bodies.iter().map(|body| self.value("what was said", body)).collect()
    }

    fn rows<T>(
        &self,
        sql: &str,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, RecordError> {
        self.doing("reading what was told from", |connection| {
            connection.prepare(sql)?.query_map([], read)?.collect()
        })
    }
}

#[cfg(test)]
mod tests;
