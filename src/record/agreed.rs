//! When partners' receivers were probed by agreement, so that nobody is probed twice a day.

use super::{Reader, Record, error::RecordError};
use jiff::Timestamp;
use rusqlite::OptionalExtension;

impl Record {
    /// Writes down that a partner's receiver is about to be probed.
    ///
    /// # Errors
    ///
    /// The disk.
    pub fn set_agreed_probe(&self, partner: &str, at: Timestamp) -> Result<(), RecordError> {
        let sql = "INSERT INTO agreed_probe (partner, at) VALUES (?1, ?2)
                   ON CONFLICT (partner) DO UPDATE SET at = excluded.at";
        self.reader.doing("writing a probe by agreement to", |connection| {
            connection.execute(sql, (partner, at.as_millisecond()))
        })?;
        Ok(())
    }
}

impl Reader {
    /// When a partner's receiver was last probed.
    ///
    /// # Errors
    ///
    /// The disk.
    pub fn last_agreed_probe(&self, partner: &str) -> Result<Option<Timestamp>, RecordError> {
        let sql = "SELECT at FROM agreed_probe WHERE partner = ?1";
        let at: Option<i64> = self.doing("reading probes by agreement of", |connection| {
            connection.query_row(sql, [partner], |row| row.get(0)).optional()
        })?;
        Ok(at.and_then(|at| Timestamp::from_millisecond(at).ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_probe_is_remembered() {
        let directory = tempfile::tempdir().unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let record = Record::open(directory.path()).unwrap();
        assert_eq!(record.read().last_agreed_probe("Fabrikam").unwrap(), None);
        record.set_agreed_probe("Fabrikam", at("2026-01-31T12:00:00Z")).unwrap();
        record.set_agreed_probe("Fabrikam", at("2026-02-01T12:00:00Z")).unwrap();
        drop(record);
        let record = Record::open(directory.path()).unwrap();
        let last = record.read().last_agreed_probe("Fabrikam").unwrap();
        assert_eq!(last, Some(at("2026-02-01T12:00:00Z")));
        assert_eq!(record.read().last_agreed_probe("Contoso").unwrap(), None);
    }
}
