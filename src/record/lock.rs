//! One writer for a state directory: an advisory lock on a file in it, which the system gives back when the
//! process ends, however it ends.

use super::error::RecordError;
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// The file in the state directory. It stays there; only the lock on it counts.
const FILE: &str = "lock";

/// Takes the lock, held until the file is dropped, and leaves the number of this process in it.
pub(super) fn take(state_dir: &Path) -> Result<File, RecordError> {
    let path = state_dir.join(FILE);
    let failed = |source| RecordError::File { path: path.clone(), source };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(RecordError::Held {
                path: state_dir.to_owned(),
                holder: holder(&mut file),
            });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    // Only a help for whoever meets the lock: a full disk must not keep us from it.
    let _ = file.set_len(0).and_then(|()| file.rewind());
    let _ = writeln!(file, "{}", std::process::id());
    Ok(file)
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
