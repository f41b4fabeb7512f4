//! Standard output, whoever reads it.
//!
//! 1. What is written reaches the reader for as long as there is one.
//! 2. A reader that has left (`| head -1`) has what it wanted: the rest is dropped, and the command ends as it would
//!    have ended, with the exit code that says what was found.
//!
//! Invariant: a closed pipe is no error and changes no exit code, whichever command writes into it.

use std::io::{self, ErrorKind, Write};

/// Writes to a reader that may leave.
#[derive(Debug)]
pub(super) struct Reader<W> {
    out: W,
    has_left: bool,
}

impl<W: Write> Reader<W> {
    pub(super) fn of(out: W) -> Self {
        Self { out, has_left: false }
    }

    /// The same for who would rather know.
    pub(super) fn inner(&mut self) -> &mut W {
        &mut self.out
    }

    fn told<T>(&mut self, outcome: io::Result<T>, instead: T) -> io::Result<T> {
        match outcome {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.has_left = true;
                Ok(instead)
            }
            outcome => outcome,
        }
    }
}

impl<W: Write> Write for Reader<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.has_left {
            return Ok(bytes.len());
        }
        let written = self.out.write(bytes);
        self.told(written, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.has_left {
            return Ok(());
        }
        let flushed = self.out.flush();
        self.told(flushed, ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many writes, then fails so.
    struct Pipe(usize, ErrorKind);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or(self.1)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_leaves_is_no_error_and_a_full_disk_is() {
        let mut left = Reader::of(Pipe(1, ErrorKind::BrokenPipe));
        for _ in 0..3 {
            left.write_all(b"x").unwrap();
            left.flush().unwrap();
        }
        let mut full = Reader::of(Pipe(1, ErrorKind::StorageFull));
        full.write_all(b"x").unwrap();
        assert_eq!(full.write_all(b"x").unwrap_err().kind(), ErrorKind::StorageFull);
    }
}
