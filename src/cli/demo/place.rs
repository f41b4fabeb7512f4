//! A folder of the demo's own, for its owner alone, gone with its value.

use super::Failure;
use crate::observe::submit::fresh_id;
use crate::wire::text::hex;
use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

#[derive(Debug)]
pub(super) struct Place(PathBuf);

impl Place {
    /// Makes it in the temporary folder of this machine.
    pub(super) fn make() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("mxwarden-demo-{}", hex(&fresh_id()?)));
        // Fails where somebody else was there first: nothing of a stranger's is used.
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    pub(super) fn state_dir(&self) -> PathBuf {
        self.0.join("state")
    }

    pub(super) fn config_file(&self) -> PathBuf {
        self.0.join("mxwarden.toml")
    }

    /// Writes a file into it.
    pub(super) fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.0.join(name);
        fs::write(&path, text)?;
        Ok(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed is the temporary folder's to forget.
        let _ = fs::remove_dir_all(&self.0);
    }
}
