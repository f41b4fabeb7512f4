//! The store: `mxwarden.sqlite` in the state directory, and the files beside it. SQL stands here and nowhere else.
//!
//! 1. [`Record`] is the one writer: it holds the state directory until it is dropped.
//! 2. [`Reader`] reads, beside the writer or without one; a record has one of its own.
//! 3. The schema grows by the files in `migrations`, in order; `user_version` counts those that were applied.
//! 4. A round leaves a [`Commit`] behind: looks, standings, events and due times, in one transaction.
//! 5. [`token_key`] is the key of probe tokens.
//!
//! Everything blocks: async callers go through `spawn_blocking` or a thread of their own.
//!
//! Invariant: what a call has returned from is on disk (WAL, `synchronous=FULL`), whatever happens next.
//! Invariant: evidence is appended, never rewritten; only what became of a probe is added to it.

mod agreed;
mod alerts;
mod commit;
mod error;
mod evidence;
mod fingerprint;
mod history;
mod lock;
mod probes;
mod prune;
mod rename;
#[cfg(test)]
pub(crate) mod samples;
mod schema;
mod sessions;
mod subject;
pub mod token_key;

pub use commit::{Commit, Due, Prepared, Seen};
pub use error::RecordError;
pub use evidence::digest;
pub use fingerprint::fingerprint;
pub use history::{EventQuery, Looked};
pub use probes::{Settled, SettledProbe, Whose};
pub use sessions::AttributedSession;

use error::Doing;
use rusqlite::{Connection, OpenFlags};
use std::{
    fs::{DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

/// The file in the state directory.
const FILE: &str = "mxwarden.sqlite";
/// How long a reader waits for a lock. Writers in WAL block none, so only recovery after a crash takes time.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest file that is read through when it is opened: a second's work, or less.
const READ_THROUGH_MOST: i64 = 64 << 20;
/// What is left of the write-ahead log once it was long.
const LOG_MOST: i64 = 64 << 20;

/// The store, for its one writer.
#[derive(Debug)]
pub struct Record {
    reader: Reader,
    // Held while the record is: another process must not write rounds meanwhile.
    _lock: File,
}

/// The store, to read from.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: PathBuf,
}

impl Record {
    /// Opens the store in this directory for writing, both made where they are missing (0700, 0600), and
    /// brings an older one up to date.
    ///
    /// # Errors
    ///
    /// Another process holds the directory; the file is damaged, or newer than this program; the disk.
    pub fn open(state_dir: &Path) -> Result<Self, RecordError> {
        make_dir(state_dir)?;
        let lock = lock::take(state_dir)?;
        let path = state_dir.join(FILE);
        make_file(&path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut reader = Reader::connect(path, flags)?;
        reader.doing("opening", |connection| {
            connection.pragma_update(None, "journal_mode", "WAL")?;
            // Each commit is on disk when it returns: a probe must be there before it is submitted.
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            connection.pragma_update(None, "journal_size_limit", LOG_MOST)
        })?;
        reader.look_for_damage()?;
        schema::bring_up_to_date(&mut reader)?;
        // The name of a new file is on disk when its directory is.
        File::open(state_dir)
            .and_then(|directory| directory.sync_all())
            .map_err(|source| RecordError::Directory { path: state_dir.to_owned(), source })?;
        Ok(Self { reader, _lock: lock })
    }

    /// The directory it is in.
    pub fn state_dir(&self) -> &Path {
        self.reader.path.parent().unwrap_or_else(|| Path::new("."))
    }

    /// What is in it.
    pub fn read(&self) -> &Reader {
        &self.reader
    }
}

impl Reader {
    /// Opens the store in this directory to read, whoever writes to it meanwhile.
    ///
    /// # Errors
    ///
    /// There is none, it is damaged, or of another version than this program.
    pub fn open(state_dir: &Path) -> Result<Self, RecordError> {
        let path = state_dir.join(FILE);
        if !path.exists() {
            return Err(RecordError::Missing(path));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let reader = Self::connect(path, flags)?;
        schema::check(&reader)?;
        Ok(reader)
    }

    fn connect(path: PathBuf, flags: OpenFlags) -> Result<Self, RecordError> {
        let opened = Connection::open_with_flags(&path, flags).and_then(|connection| {
            connection.busy_timeout(PATIENCE)?;
            Ok(connection)
        });
        match opened {
            Ok(connection) => Ok(Self { connection, path }),
            Err(source) => Err(RecordError::of(source, "opening", &path)),
        }
    }

    /// Reads through a file that is not too large for it: damage is said at once rather than when it is met.
    fn look_for_damage(&self) -> Result<(), RecordError> {
        let number = |connection: &Connection, pragma: &str| {
            connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
        };
        let told: String = self.doing("reading through", |connection| {
            let octets = number(connection, "page_count")? * number(connection, "page_size")?;
            if octets > READ_THROUGH_MOST {
                return Ok("ok".to_owned());
            }
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        })?;
        if told == "ok" {
            return Ok(());
        }
        let damaged = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        let source = rusqlite::Error::SqliteFailure(damaged, Some(told));
        Err(RecordError::Corrupt { path: self.path.clone(), source })
    }

    /// Runs SQL, and says what was being done where it fails.
    fn doing<T>(
        &self,
        doing: Doing,
        run: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, RecordError> {
        run(&self.connection).map_err(|source| RecordError::of(source, doing, &self.path))
    }
}

fn make_dir(path: &Path) -> Result<(), RecordError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| RecordError::Directory { path: path.to_owned(), source })
}

/// SQLite would make it readable for everybody; its companions take the mode of this file.
fn make_file(path: &Path) -> Result<(), RecordError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(RecordError::File { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests;
