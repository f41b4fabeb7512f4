//! What the record tells of claims: how they stand, what happened, what was seen, when they are due.

use super::{Due, Reader, error::RecordError, subject::number_of};
use crate::model::{claim::Claim, event::Event, standing::Standing, state::State};
use jiff::Timestamp;
use rusqlite::{Row, ToSql};

/// Which events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventQuery {
    /// Those about this partner; all, those about us included, without one.
    pub partner: Option<String>,
    /// Those at this instant or later.
    pub since: Option<Timestamp>,
    /// Those before this instant.
    pub until: Option<Timestamp>,
    /// So many of the newest; all without a number.
    pub limit: Option<usize>,
}

/// One look as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// When.
    pub at: Timestamp,
    /// What it was judged to be on its own.
    pub state: State,
    /// Its evidence; none where nothing had changed since the look before, or nothing was observed.
    pub evidence: Option<String>,
}

impl Reader {
    /// Every claim as it stands, by partner and claim.
    ///
    /// # Errors
    ///
    /// The disk; a value that mxwarden did not write.
    pub fn standings(&self) -> Result<Vec<Standing>, RecordError> {
        let sql = "SELECT u.partner, s.body FROM standing s JOIN subject u ON u.number = s.subject
                   ORDER BY u.partner, u.claim";
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let rows: Vec<(String, String)> = self.doing("reading standings from", |connection| {
            connection.prepare(sql)?.query_map([], read)?.collect()
        })?;
        let understood = |(partner, body): (String, String)| {
            let standing: Standing = self.value(&format!("a standing of {partner}"), &body)?;
            // Its row follows a partner that was renamed.
            Ok(Standing { partner, ..standing })
        };
        rows.into_iter().map(understood).collect()
    }

    /// When each claim is looked at next, soonest first.
    ///
    /// # Errors
    ///
    /// The disk.
    pub fn due(&self) -> Result<Vec<Due>, RecordError> {
        let sql = "SELECT u.partner, u.claim, d.at, d.streak FROM due d JOIN subject u ON u.number = d.subject
                   ORDER BY d.at, u.partner, u.claim";
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        let rows: Vec<(String, String, i64, u32)> = self
            .doing("reading due times from", |connection| {
                connection.prepare(sql)?.query_map([], read)?.collect()
            })?;
        let understood = |(partner, claim, at, streak): (String, String, i64, u32)| {
            Some(Due { partner, claim: claim.parse().ok()?, at: instant(at)?, streak })
        };
        // A claim that this program does not know is not due.
        Ok(rows.into_iter().filter_map(understood).collect())
    }

    /// What happened, newest first.
    ///
    /// # Errors
    ///
    /// The disk; a value that mxwarden did not write.
    pub fn events(&self, query: &EventQuery) -> Result<Vec<Event>, RecordError> {
        let since = query.since.map_or(i64::MIN, Timestamp::as_millisecond);
        let until = query.until.map_or(i64::MAX, Timestamp::as_millisecond);
        let limit = limit_of(query.limit);
        let mut values: Vec<&dyn ToSql> = vec![&since, &until, &limit];
        let whose = match &query.partner {
            Some(partner) => {
                values.push(partner);
                "partner = ?4 AND"
            }
            None => "",
        };
        let sql = format!(
            "SELECT partner, body FROM event WHERE {whose} at >= ?1 AND at < ?2
             ORDER BY at DESC, id DESC LIMIT ?3"
        );
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let rows: Vec<(Option<String>, String)> = self
            .doing("reading events from", |connection| {
                connection.prepare(&sql)?.query_map(values.as_slice(), read)?.collect()
            })?;
        rows.into_iter().map(|row| self.event(row)).collect()
    }

    /// Those that the alerts have never heard of, oldest first; so many at most.
    pub(super) fn unheard(&self, most: usize) -> Result<Vec<Event>, RecordError> {
        let sql = "SELECT partner, body FROM event
                   WHERE NOT EXISTS (SELECT 1 FROM alert_heard WHERE alert_heard.event = event.id)
                   ORDER BY at, id LIMIT ?1";
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let rows: Vec<(Option<String>, String)> =
            self.doing("reading events from", |connection| {
                connection.prepare(sql)?.query_map([limit_of(Some(most))], read)?.collect()
            })?;
        rows.into_iter().map(|row| self.event(row)).collect()
    }

    /// An event as it was written; its row follows a partner that was renamed.
    fn event(&self, (partner, body): (Option<String>, String)) -> Result<Event, RecordError> {
        let event: Event = self.value("an event", &body)?;
        Ok(Event { partner, ..event })
    }

    /// The newest looks at a claim since an instant, newest first.
    ///
    /// # Errors
    ///
    /// The disk.
    pub fn looks(
        &self,
        partner: &str,
        claim: Claim,
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<Looked>, RecordError> {
        let sql = "SELECT l.at, l.state, l.evidence FROM look l JOIN subject u ON u.number = l.subject
                   WHERE u.partner = ?1 AND u.claim = ?2 AND l.at >= ?3 ORDER BY l.at DESC LIMIT ?4";
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let values = (partner, claim.to_string(), since.as_millisecond(), limit_of(Some(limit)));
        let rows: Vec<(i64, i64, Option<String>)> = self
            .doing("reading looks from", |connection| {
                connection.prepare(sql)?.query_map(values, read)?.collect()
            })?;
        let understood = |(at, state, evidence): (i64, i64, Option<String>)| {
            Some(Looked { at: instant(at)?, state: state_of(state)?, evidence })
        };
        Ok(rows.into_iter().filter_map(understood).collect())
    }

    /// Every partner the record knows anything of, by name.
    ///
    /// # Errors
    ///
    /// The disk.
    pub fn partners(&self) -> Result<Vec<String>, RecordError> {
        let sql =
            "SELECT partner FROM subject UNION SELECT partner FROM event WHERE partner IS NOT NULL
                   ORDER BY 1";
        self.doing("reading partners from", |connection| {
            connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
        })
    }
}

fn limit_of(limit: Option<usize>) -> i64 {
    limit.map_or(i64::MAX, |limit| i64::try_from(limit).unwrap_or(i64::MAX))
}

fn instant(ms: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(ms).ok()
}

fn state_of(number: i64) -> Option<State> {
    [State::Compliant, State::Unknown, State::Violated]
        .into_iter()
        .find(|state| number_of(*state) == number)
}
