//! The key of probe tokens: `token.key` in the state directory, 32 octets, made once.
//!
//! 1. A key that is there is read, if nobody else can read it.
//! 2. Else one is drawn, written whole beside its place, and put there under its name in one step.
//!
//! Invariant: two processes that begin at once end with the same key, and a crash leaves none or a whole one.

use crate::wire::token::TokenKey;
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The file in the state directory.
const FILE: &str = "token.key";
const OCTETS: usize = 32;

/// The key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TokenKeyError {
    /// The file is no key.
    #[error(
        "{} is no key: it holds {found} octets instead of 32; remove it and another is made (probes under way are then not recognised)",
        path.display()
    )]
    NoKey {
        /// Which file.
        path: PathBuf,
        /// Its size, as far as it was read.
        found: usize,
    },
    /// Others can read it.
    #[error("{} can be read by others (mode {mode:03o}); run `chmod 600` on it", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// No random octets.
    #[error("the system gave no random octets for {}", .0.display())]
    Random(PathBuf),
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It cannot be made.
    #[error("cannot write {}; the state directory must belong to the user mxwarden runs as", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// The key in this state directory; both are made where they are missing (0700, 0600).
///
/// # Errors
///
/// The file cannot be read or made, is no key, or can be read by others.
pub fn open(state_dir: &Path) -> Result<TokenKey, TokenKeyError> {
    let path = state_dir.join(FILE);
    if let Some(key) = read(&path)? {
        return Ok(key);
    }
    make(state_dir, &path)?;
    // Whoever put it there, us or another process: this is the one.
    let gone = || io::Error::from(io::ErrorKind::NotFound);
    read(&path)?.ok_or_else(|| TokenKeyError::Read { path, source: gone() })
}

fn read(path: &Path) -> Result<Option<TokenKey>, TokenKeyError> {
    let failed = |source| TokenKeyError::Read { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed(source)),
    };
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(TokenKeyError::Open { path: path.to_owned(), mode });
    }
    let mut octets = Zeroizing::new(Vec::with_capacity(OCTETS + 1));
    file.take(OCTETS as u64 + 1).read_to_end(&mut octets).map_err(failed)?;
    match octets.as_slice().try_into() {
        Ok(key) => Ok(Some(TokenKey::new(key))),
        Err(_) => Err(TokenKeyError::NoKey { path: path.to_owned(), found: octets.len() }),
    }
}

fn make(state_dir: &Path, path: &Path) -> Result<(), TokenKeyError> {
    let mut key = Zeroizing::new([0; OCTETS]);
    aws_lc_rs::rand::fill(&mut *key).map_err(|_| TokenKeyError::Random(path.to_owned()))?;
    // A name of its own for each process; one left by a crash under the same number is in nobody's use.
    let beside = state_dir.join(format!("{FILE}.{}.new", std::process::id()));
    let written = (|| {
        DirBuilder::new().recursive(true).mode(0o700).create(state_dir)?;
        remove(&beside)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(&*key)?;
        file.sync_all()?;
        // A link, unlike a rename, never takes the place of a key that came first.
        match fs::hard_link(&beside, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        remove(&beside)?;
        File::open(state_dir)?.sync_all()
    })();
    written.map_err(|source| {
        let _ = remove(&beside);
        TokenKeyError::Write { path: path.to_owned(), source }
    })
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_read_back(minted_by: &TokenKey, read_by: &TokenKey) -> Option<String> {
        let token = minted_by.mint([1; 10], "2026-01-31T12:00:00Z".parse().unwrap());
        read_by.verify(&token).map(|token| token.id)
    }

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let first = open(&state).unwrap();
        let again = open(&state).unwrap();
        assert!(id_read_back(&first, &again).is_some());
        let other = open(&dir.path().join("other")).unwrap();
        assert_eq!(id_read_back(&first, &other), None);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&state), 0o700);
        assert_eq!(mode(&state.join(FILE)), 0o600);
        let names: Vec<_> = fs::read_dir(&state).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, [FILE]);
    }

    #[test]
    fn many_at_once_end_with_the_same_key() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path();
        // What a crash in the middle leaves behind.
        fs::write(state.join(format!("{FILE}.{}.new", std::process::id())), b"half").unwrap();
        let first = open(state).unwrap();
        make(state, &state.join(FILE)).unwrap();
        assert!(id_read_back(&first, &open(state).unwrap()).is_some());
    }

    #[test]
    fn what_is_no_key_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        open(dir.path()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let told = open(dir.path()).unwrap_err().to_string();
        assert!(told.contains("mode 640") && told.contains("chmod 600"), "{told}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for content in [&b""[..], &[1; 31], &[1; 33]] {
            fs::write(&path, content).unwrap();
            let told = open(dir.path()).unwrap_err().to_string();
            assert!(told.contains("is no key") && told.contains("remove it"), "{told}");
        }
        let told = open(&path).unwrap_err().to_string();
        assert!(told.contains("cannot read"), "{told}");
    }
}
