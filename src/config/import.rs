//! Why an export of connectors could not be taken over, in the operator's words; and what to think about in it.

use jiff::Timestamp;
use std::{fmt, path::PathBuf};

/// How much of an export is read: far more than any organisation has connectors.
pub const LARGEST: u64 = 16 * 1024 * 1024;

/// One thing that is wrong with an export, or doubtful in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The file, as it was given.
    pub file: PathBuf,
    /// Where in it: a record and its property, or a line; empty where it is about the whole file.
    pub place: String,
    /// What.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file.display())?;
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.what)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Everything that keeps exports from being taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportErrors {
    /// At least one.
    pub mistakes: Vec<Remark>,
    /// What was to be thought about beside them.
    pub notes: Vec<Remark>,
}

impl fmt::Display for ImportErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.mistakes.len();
        let noun = if count == 1 { "mistake" } else { "mistakes" };
        write!(f, "nothing was imported: {count} {noun}")?;
        for mistake in &self.mistakes {
            write!(f, "\n{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ImportErrors {}

/// An export, read whole.
#[derive(Debug, Clone)]
pub struct ExportFile {
    /// As it was given.
    pub path: PathBuf,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// When it was last written, by its file system: a copy may be younger than what it holds.
    pub written_at: Timestamp,
}
