//! What can go wrong with the store, each with what to do about it.

use rusqlite::ErrorCode;
use std::{
    io,
    path::{Path, PathBuf},
};

/// What was being done, as in "… {path}".
pub(super) type Doing = &'static str;

/// The store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Evidence that does not match its digest.
    #[error(
        "the evidence {digest} in {} is not what was written there; keep the file, and restore a copy of it",
        path.display()
    )]
    Altered {
        /// The digest it is filed under.
        digest: String,
        /// Which file.
        path: PathBuf,
    },
    /// The file is no database, or a damaged one.
    #[error(
        "{} is damaged; stop mxwarden, move the file and those beside it whose names begin like it away \
         (keep them), and restore a copy or start without one",
        path.display()
    )]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The state directory cannot be made or written.
    #[error("cannot use {} as state directory; it must belong to the user mxwarden runs as", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file in the state directory cannot be made or opened.
    #[error("cannot open {}; it must belong to the user mxwarden runs as", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No room.
    #[error(
        "no space is left for {}; make room on its file system: nothing is written until then",
        path.display()
    )]
    Full {
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// Another process has it.
    #[error(
        "another mxwarden holds {}{}; stop it first, or give this one another state_dir",
        path.display(),
        holder.map(|id| format!(" (process {id})")).unwrap_or_default()
    )]
    Held {
        /// The state directory.
        path: PathBuf,
        /// The process, where it said so.
        holder: Option<u32>,
    },
    /// There is no store.
    #[error("there is no record yet: {} does not exist; `mxwarden run` makes it; what `mxwarden verify` finds is printed and not recorded", .0.display())]
    Missing(PathBuf),
    /// A newer program wrote it.
    #[error(
        "{} was written by a newer mxwarden (its version is {found}, this program knows {known}); \
         use that program, or another state_dir",
        path.display()
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// An older program wrote it, and it is opened to read only.
    #[error(
        "{} was written by an older mxwarden (its version is {found}, this program knows {known}); \
         `mxwarden run` or `mxwarden verify` brings it up to date",
        path.display()
    )]
    Older {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Something that is not in the store was to be changed there.
    #[error("the record holds no probe `{0}`")]
    NoSuchProbe(String),
    /// Anything else that SQLite says.
    #[error("{doing} {} failed", path.display())]
    Sqlite {
        /// What was being done.
        doing: Doing,
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// There is no thread to write with.
    #[error("no thread can be started to write the record in {}; raise the limit on threads", path.display())]
    Thread {
        /// The state directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The disk, or what we may do on it.
    #[error(
        "{doing} {} failed; see to its file system, and that the directory belongs to the user mxwarden runs as: \
         nothing is written until then",
        path.display()
    )]
    Unusable {
        /// What was being done.
        doing: Doing,
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A value cannot be turned into JSON or back.
    #[error("{what} in {} cannot be read; it was not written by mxwarden", path.display())]
    Value {
        /// Which value.
        what: String,
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: serde_json::Error,
    },
}

impl RecordError {
    /// Whether it is the store that fails, whatever is asked of it: then it is asked again later.
    pub fn is_store_away(&self) -> bool {
        match self {
            Self::Corrupt { .. }
            | Self::Directory { .. }
            | Self::File { .. }
            | Self::Full { .. }
            | Self::Held { .. }
            | Self::Missing(_)
            | Self::Newer { .. }
            | Self::Older { .. }
            | Self::Thread { .. }
            | Self::Unusable { .. } => true,
            Self::Altered { .. } | Self::NoSuchProbe(_) | Self::Value { .. } => false,
            Self::Sqlite { source, .. } => {
                source.sqlite_error_code() != Some(ErrorCode::ConstraintViolation)
            }
        }
    }

    /// An SQLite error by what an operator has to do about it.
    pub(super) fn of(source: rusqlite::Error, doing: Doing, path: &Path) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt { path, source }
            }
            Some(ErrorCode::DiskFull) => Self::Full { path, source },
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure,
            ) => Self::Unusable { doing, path, source },
            _ => Self::Sqlite { doing, path, source },
        }
    }
}
