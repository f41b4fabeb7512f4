//! A partner by another name (`formerly`): its history goes with it.
//!
//! Invariant: every look and event is there afterwards; renaming once more changes nothing.

use super::{Record, commit::remove_standing, error::RecordError};
use rusqlite::{Connection, OptionalExtension};

impl Record {
    /// Carries the history of a partner over to its new name. Where both have one, the new name's standings and due
    /// times hold and the looks and events of both are there. How many claims and events were carried over.
    ///
    /// # Errors
    ///
    /// The disk; nothing was carried over then.
    pub fn rename_partner(&self, from: &str, to: &str) -> Result<usize, RecordError> {
        if from == to {
            return Ok(0);
        }
        self.reader.doing("renaming a partner in", |connection| {
            let transaction = connection.unchecked_transaction()?;
            let mut moved = 0;
            for (number, claim) in subjects(&transaction, from)? {
                move_subject(&transaction, number, &claim, to)?;
                moved += 1;
            }
            let sql = "UPDATE event SET partner = ?2 WHERE partner = ?1";
            moved += transaction.execute(sql, (from, to))?;
            move_agreed(&transaction, from, to)?;
            transaction.commit()?;
            Ok(moved)
        })
    }
}

fn subjects(connection: &Connection, partner: &str) -> rusqlite::Result<Vec<(i64, String)>> {
    let sql = "SELECT number, claim FROM subject WHERE partner = ?1 ORDER BY number";
    connection.prepare(sql)?.query_map([partner], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn move_subject(connection: &Connection, old: i64, claim: &str, to: &str) -> rusqlite::Result<()> {
    let sql = "SELECT number FROM subject WHERE partner = ?1 AND claim = ?2";
    let new: Option<i64> = connection.query_row(sql, (to, claim), |row| row.get(0)).optional()?;
    let Some(new) = new else {
        connection.execute("UPDATE subject SET partner = ?2 WHERE number = ?1", (old, to))?;
        return Ok(());
    };
    for table in ["standing", "due"] {
        let sql = format!("UPDATE OR IGNORE {table} SET subject = ?2 WHERE subject = ?1");
        connection.execute(&sql, (old, new))?;
    }
    connection.execute("UPDATE OR IGNORE look SET subject = ?2 WHERE subject = ?1", (old, new))?;
    move_looks_at_the_same_time(connection, old, new)?;
    remove_standing(connection, old)?;
    connection.execute("DELETE FROM subject WHERE number = ?1", [old])?;
    Ok(())
}

/// Those that fall on the millisecond of another go to the next one that is free.
fn move_looks_at_the_same_time(
    connection: &Connection,
    old: i64,
    new: i64,
) -> rusqlite::Result<()> {
    let ats: Vec<i64> = connection
        .prepare("SELECT at FROM look WHERE subject = ?1 ORDER BY at")?
        .query_map([old], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut update = connection.prepare(
        "UPDATE OR IGNORE look SET subject = ?3, at = ?4 WHERE subject = ?1 AND at = ?2",
    )?;
    for at in ats {
        let mut free = at + 1;
        while update.execute((old, at, new, free))? == 0 {
            free += 1;
        }
    }
    Ok(())
}

/// Renamed or not, a partner's receiver is probed once a day.
fn move_agreed(connection: &Connection, from: &str, to: &str) -> rusqlite::Result<()> {
    let sql =
        "INSERT INTO agreed_probe (partner, at) SELECT ?2, at FROM agreed_probe WHERE partner = ?1
               ON CONFLICT (partner) DO UPDATE SET at = max(at, excluded.at)";
    connection.execute(sql, (from, to))?;
    connection.execute("DELETE FROM agreed_probe WHERE partner = ?1", [from])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::model::state::State;
    use crate::record::{Commit, EventQuery, Record, samples::*};
    use jiff::Timestamp;

    fn history(record: &Record, partner: &str) -> (usize, usize) {
        let query = EventQuery { partner: Some(partner.to_owned()), ..EventQuery::default() };
        let events = record.read().events(&query).unwrap();
        assert!(events.iter().all(|event| event.partner.as_deref() == Some(partner)));
        let looks = record.read().looks(partner, OFFERS, Timestamp::MIN, 1000).unwrap();
        (looks.len(), events.len())
    }

    fn of(id: &str, partner: &str, state: State) -> Commit {
        Commit {
            standings: vec![standing(partner, state, "")],
            events: vec![changed(id, partner, 0, state, "")],
            due: vec![due(partner, 60, 1)],
            ..looks(vec![seen(partner, 0, state, "x"), seen(partner, 60, state, "x")])
        }
    }

    #[test]
    fn history_goes_with_the_name() {
        let dir = tempfile::tempdir().unwrap();
        let record = Record::open(dir.path()).unwrap();
        record.commit(&of("01A", "Old", State::Violated)).unwrap();
        record.set_agreed_probe("Old", noon()).unwrap();
        assert_eq!(record.rename_partner("Old", "New").unwrap(), 2);
        assert_eq!((history(&record, "Old"), history(&record, "New")), ((0, 0), (2, 1)));
        let standings = record.read().standings().unwrap();
        assert_eq!(standings, [standing("New", State::Violated, "")]);
        assert_eq!(record.read().due().unwrap(), [due("New", 60, 1)]);
        assert_eq!(record.read().last_agreed_probe("New").unwrap(), Some(noon()));
        assert_eq!(record.read().partners().unwrap(), ["New"]);
        // Every start says it again.
        assert_eq!(record.rename_partner("Old", "New").unwrap(), 0);
        assert_eq!(record.rename_partner("New", "New").unwrap(), 0);
        assert_eq!(history(&record, "New"), (2, 1));
    }

    #[test]
    fn where_both_have_a_history_nothing_of_it_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let record = Record::open(dir.path()).unwrap();
        record.commit(&of("01A", "Old", State::Violated)).unwrap();
        record.commit(&of("01B", "New", State::Compliant)).unwrap();
        record.set_agreed_probe("Old", after(9)).unwrap();
        record.set_agreed_probe("New", noon()).unwrap();
        assert_eq!(record.rename_partner("Old", "New").unwrap(), 2);
        assert_eq!(history(&record, "New"), (4, 2));
        let standings = record.read().standings().unwrap();
        assert_eq!(standings, [standing("New", State::Compliant, "")]);
        assert_eq!(record.read().last_agreed_probe("New").unwrap(), Some(after(9)));
    }
}
