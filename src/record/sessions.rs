//! Sessions with a canary that were attributed to a probe: what a late judgement needs, across restarts.

use super::{Reader, Record, error::RecordError};
use crate::model::delivery::CanarySession;
use crate::wire::name::Domain;
use jiff::Timestamp;
use rusqlite::{ErrorCode, Row, ToSql};

/// A session, and the probe it belongs to: by its token, or because nothing else was under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributedSession {
    /// The id of the probe.
    pub probe: String,
    /// What was seen.
    pub session: CanarySession,
}

impl Record {
    /// Adds a session that was attributed to this probe; on disk when this returns.
    ///
    /// # Errors
    ///
    /// The disk; no such probe.
    pub fn add_session(&self, probe: &str, session: &CanarySession) -> Result<(), RecordError> {
        let body = self.reader.to_json("the session", session)?;
        let started_at = session.started_at.as_millisecond();
        let finished_at = session.finished_at.as_millisecond();
        let added = self.reader.connection.execute(
            "INSERT INTO canary_session (probe, started_at, finished_at, body) VALUES (?1, ?2, ?3, ?4)",
            (probe, started_at, finished_at, body),
        );
        match added {
            Ok(_) => Ok(()),
            // The only constraint that a value of ours can break is the reference to its probe.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                Err(RecordError::NoSuchProbe(probe.to_owned()))
            }
            Err(source) => Err(RecordError::of(source, "writing a session to", &self.reader.path)),
        }
    }
}

impl Reader {
    /// The sessions of one probe, in the order they began.
    pub fn sessions_of(&self, probe: &str) -> Result<Vec<AttributedSession>, RecordError> {
        self.sessions("s.probe = ?1", &[&probe])
    }

    /// The sessions of all probes to this domain that were over at `since` or later, in the order they began.
    pub fn sessions_since(
        &self,
        domain: &Domain,
        since: Timestamp,
    ) -> Result<Vec<AttributedSession>, RecordError> {
        let since = since.as_millisecond();
        self.sessions("p.domain = ?1 AND s.finished_at >= ?2", &[&domain.as_str(), &since])
    }

    fn sessions(
        &self,
        condition: &str,
        values: &[&dyn ToSql],
    ) -> Result<Vec<AttributedSession>, RecordError> {
        let sql = format!(
            "SELECT s.probe, s.body FROM canary_session s JOIN probe p ON p.id = s.probe \
             WHERE {condition} ORDER BY s.started_at, s.number"
        );
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let rows: Vec<(String, String)> = self.doing("reading sessions from", |connection| {
            connection.prepare(&sql)?.query_map(values, read)?.collect()
        })?;
        let understood = |(probe, body): (String, String)| {
            let session = self.value(&format!("a session of probe {probe}"), &body)?;
            Ok(AttributedSession { probe, session })
        };
        rows.into_iter().map(understood).collect()
    }
}
