//! The schema, and how a store of an older version becomes one of this version.
//!
//! Invariant: a migration is applied whole or not at all, and is never edited once it was released.

use super::{Reader, error::RecordError};

/// In order; the version of a store is how many of them it has seen.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_init.sql"),
    include_str!("migrations/0002_history.sql"),
    include_str!("migrations/0003_alerts.sql"),
    include_str!("migrations/0004_heard.sql"),
];

/// The version this program writes.
fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

fn version(reader: &Reader) -> Result<i64, RecordError> {
    reader.doing("reading the version of", |connection| {
        connection.query_row("PRAGMA user_version", [], |row| row.get(0))
    })
}

/// Whether it can be read as it is.
pub(super) fn check(reader: &Reader) -> Result<(), RecordError> {
    let (found, known) = (version(reader)?, known());
    let path = reader.path.clone();
    match found {
        found if found > known => Err(RecordError::Newer { path, found, known }),
        found if found < known => Err(RecordError::Older { path, found, known }),
        _ => Ok(()),
    }
}

/// Applies what it has not seen.
pub(super) fn bring_up_to_date(reader: &mut Reader) -> Result<(), RecordError> {
    let found = version(reader)?;
    if found > known() {
        return check(reader);
    }
    for (seen, migration) in (0..).zip(MIGRATIONS) {
        if seen < found {
            continue;
        }
        let applied = (|| {
            let transaction = reader.connection.transaction()?;
            transaction.execute_batch(migration)?;
            // In the same transaction: a crash leaves the version that the tables have.
            transaction.pragma_update(None, "user_version", seen + 1)?;
            transaction.commit()
        })();
        applied.map_err(|source| RecordError::of(source, "bringing up to date", &reader.path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
