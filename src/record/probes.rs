//! The ledger of probes: each is written down before it is submitted, then what was said to it, then what became of it.
//!
//! Invariant: a probe that may still be in our mail system's queue is open until somebody settles it or it expires.

use super::{Reader, Record, error::RecordError};
use crate::model::{
    canary::Personality,
    delivery::{Probe, Submission},
};
use crate::wire::name::Domain;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, ToSql, named_params};
use serde::{Serialize, de::DeserializeOwned};

/// What became of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Settled {
    /// Our mail system gave it back: a DSN came.
    Bounced,
    /// It was delivered where it should be, or where it must not be.
    Delivered,
    /// It was delivered to a canary that had turned good for it.
    Drained,
    /// Its time was over.
    Expired,
    /// Our mail system did not take it, so it is in no queue.
    NotTaken,
}

impl Settled {
    pub(super) const ALL: [Self; 5] =
        [Self::Bounced, Self::Delivered, Self::Drained, Self::Expired, Self::NotTaken];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Bounced => "bounced",
            Self::Delivered => "delivered",
            Self::Drained => "drained",
            Self::Expired => "expired",
            Self::NotTaken => "not-taken",
        }
    }
}

/// A probe, and what became of it where that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledProbe {
    /// The probe, with its submission.
    pub probe: Probe,
    /// How it was settled, and when.
    pub settled: Option<(Settled, Timestamp)>,
}

/// Which probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose<'a> {
    /// All of them.
    All,
    /// Those of a connector to one personality.
    Canary {
        /// The connector.
        connector: &'a str,
        /// The personality.
        personality: Personality,
    },
    /// Those of a connector.
    Connector(&'a str),
    /// Those to a recipient domain.
    Domain(&'a Domain),
}

impl Record {
    /// Writes a probe down; on disk when this returns, so it may be submitted then.
    ///
    /// # Errors
    ///
    /// The disk; an id that is there already.
    pub fn add_probe(&self, probe: &Probe) -> Result<(), RecordError> {
        let made = Probe { submission: None, ..probe.clone() };
        let body = self.reader.to_json("the probe", &made)?;
        let submission = self.reader.submission_json(probe.submission.as_ref())?;
        self.reader.doing("writing a probe to", |connection| {
            connection.execute(
                "INSERT INTO probe (id, connector, personality, domain, created_at, expires_at, body, submission)
                 VALUES (:id, :connector, :personality, :domain, :created_at, :expires_at, :body, :submission)",
                named_params! {
                    ":id": probe.id,
                    ":connector": probe.connector,
                    ":personality": probe.personality.as_str(),
                    ":domain": probe.rcpt_to.domain().as_str(),
                    ":created_at": probe.created_at.as_millisecond(),
                    ":expires_at": probe.expires_at.as_millisecond(),
                    ":body": body,
                    ":submission": submission,
                },
            )
        })?;
        Ok(())
    }

    /// Adds what our mail system said to a probe. What was said first stands.
    ///
    /// # Errors
    ///
    /// The disk; no such probe.
    pub fn set_submission(&self, id: &str, submission: &Submission) -> Result<(), RecordError> {
        let json = self.reader.submission_json(Some(submission))?;
        let sql = "UPDATE probe SET submission = coalesce(submission, ?2) WHERE id = ?1";
        self.change(id, sql, &[&id, &json])
    }

    /// Adds what became of a probe. What became of it first stands: a delivery behind a DSN is told by its session.
    ///
    /// # Errors
    ///
    /// The disk; no such probe.
    pub fn settle_probe(&self, id: &str, how: Settled, at: Timestamp) -> Result<(), RecordError> {
        // Both columns are set together, so either tells whether it was settled before.
        let sql = "UPDATE probe SET settled_how = coalesce(settled_how, ?2), \
                   settled_at = coalesce(settled_at, ?3) WHERE id = ?1";
        self.change(id, sql, &[&id, &how.as_str(), &at.as_millisecond()])
    }

    fn change(&self, id: &str, sql: &str, values: &[&dyn ToSql]) -> Result<(), RecordError> {
        let changed =
            self.reader.doing("writing to", |connection| connection.execute(sql, values))?;
        match changed {
            0 => Err(RecordError::NoSuchProbe(id.to_owned())),
            _ => Ok(()),
        }
    }
}

/// One row of the ledger, as it stands there.
struct Written {
    id: String,
    body: String,
    submission: Option<String>,
    settled: Option<(String, i64)>,
}

const COLUMNS: &str = "id, body, submission, settled_how, settled_at";

impl Written {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (how, at): (Option<String>, Option<i64>) = (row.get(3)?, row.get(4)?);
        Ok(Self {
            id: row.get(0)?,
            body: row.get(1)?,
            submission: row.get(2)?,
            settled: how.zip(at),
        })
    }
}

impl Reader {
    /// One probe, settled or not; none where there is no such probe.
    pub fn probe(&self, id: &str) -> Result<Option<SettledProbe>, RecordError> {
        let sql = format!("SELECT {COLUMNS} FROM probe WHERE id = ?1");
        let row = self.doing("reading a probe from", |connection| {
            connection.query_row(&sql, [id], Written::of).optional()
        })?;
        row.map(|row| self.understood(row)).transpose()
    }

    /// Probes that are neither settled nor expired: they may be in our mail system's queue. Oldest first.
    pub fn open_probes(&self, whose: Whose<'_>, now: Timestamp) -> Result<Vec<Probe>, RecordError> {
        let open = "settled_at IS NULL AND expires_at > ?1";
        let now = now.as_millisecond();
        let rows = match whose {
            Whose::All => self.probes(open, &[&now]),
            Whose::Canary { connector, personality } => self.probes(
                &format!("{open} AND connector = ?2 AND personality = ?3"),
                &[&now, &connector, &personality.as_str()],
            ),
            Whose::Connector(name) => {
                self.probes(&format!("{open} AND connector = ?2"), &[&now, &name])
            }
            Whose::Domain(domain) => {
                self.probes(&format!("{open} AND domain = ?2"), &[&now, &domain.as_str()])
            }
        }?;
        Ok(rows.into_iter().map(|row| row.probe).collect())
    }

    fn probes(
        &self,
        condition: &str,
        values: &[&dyn ToSql],
    ) -> Result<Vec<SettledProbe>, RecordError> {
        let sql = format!("SELECT {COLUMNS} FROM probe WHERE {condition} ORDER BY created_at, id");
        let rows: Vec<Written> = self.doing("reading probes from", |connection| {
            connection.prepare(&sql)?.query_map(values, Written::of)?.collect()
        })?;
        rows.into_iter().map(|row| self.understood(row)).collect()
    }

    fn understood(&self, row: Written) -> Result<SettledProbe, RecordError> {
        let what = format!("probe {}", row.id);
        let mut probe: Probe = self.value(&what, &row.body)?;
        if let Some(submission) = row.submission {
            probe.submission = Some(self.value(&what, &submission)?);
        }
        let settled = row.settled.and_then(|(how, at)| {
            let how = Settled::ALL.into_iter().find(|one| one.as_str() == how)?;
            Some((how, Timestamp::from_millisecond(at).ok()?))
        });
        Ok(SettledProbe { probe, settled })
    }

    fn submission_json(&self, value: Option<&Submission>) -> Result<Option<String>, RecordError> {
        value.map(|value| self.to_json("the submission", value)).transpose()
    }

    pub(super) fn to_json(
        &self,
        what: &str,
        value: &impl Serialize,
    ) -> Result<String, RecordError> {
        serde_json::to_string(value).map_err(|source| self.no_value(what, source))
    }

    pub(super) fn value<T: DeserializeOwned>(
        &self,
        what: &str,
        json: &str,
    ) -> Result<T, RecordError> {
        serde_json::from_str(json).map_err(|source| self.no_value(what, source))
    }

    fn no_value(&self, what: &str, source: serde_json::Error) -> RecordError {
        RecordError::Value { what: what.to_owned(), path: self.path.clone(), source }
    }
}
