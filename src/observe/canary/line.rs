//! The lines and octets of one sender, over any stream, and our replies.
//!
//! Invariant: what is stored of a sender at a time is bounded, and so is what is read of it in all.

use super::{
    CanaryLimits,
    patience::{Halt, Patience},
};
use crate::wire::smtp::Reply;
use std::{io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

/// Octets asked of the stream at a time.
const CHUNK: usize = 4 << 10;
/// How long the words a sender left behind are read for, when ours could not be written.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(2);
/// How long a last reply may take to go out.
const FAREWELL_WITHIN: Duration = Duration::from_secs(1);

/// One end of a conversation.
#[derive(Debug)]
pub(super) struct Line<S> {
    io: S,
    unread: Vec<u8>,
    /// Octets that may still be read.
    room: usize,
    longest: usize,
    linger: Duration,
    patience: Patience,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A line without its end.
    Line(Vec<u8>),
    /// The sender closed its side; this is what stood there without an end.
    End(Vec<u8>),
    /// A line that is longer than a command may be, thrown away up to its end.
    TooLong,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    pub(super) fn new(io: S, limits: &CanaryLimits, patience: Patience) -> Self {
        Self {
            io,
            unread: Vec::new(),
            room: limits.octets,
            longest: limits.line,
            linger: limits.linger,
            patience,
        }
    }

    /// What was read and not yet looked at.
    pub(super) fn unread(&self) -> &[u8] {
        &self.unread
    }

    /// Takes the first octets of what was read.
    pub(super) fn take(&mut self, octets: usize) -> Vec<u8> {
        let rest = self.unread.split_off(octets.min(self.unread.len()));
        std::mem::replace(&mut self.unread, rest)
    }

    /// The stream, and what was read and not yet looked at.
    pub(super) fn into_parts(self) -> (S, Vec<u8>) {
        (self.io, self.unread)
    }

    /// Reads until there is more; `false` at the end of what the sender sends.
    pub(super) async fn more(&mut self) -> Result<bool, Halt> {
        let patience = self.patience.clone();
        let filled = patience.until(self.fill()).await?;
        filled.map_err(Halt::Failed)
    }

    /// The next line. The time for it counts from its first octet to its last.
    pub(super) async fn hear(&mut self) -> Result<Heard, Halt> {
        let patience = self.patience.clone();
        patience.until(self.read_line()).await?.map_err(Halt::Failed)
    }

    /// Writes a reply whole.
    pub(super) async fn say(&mut self, reply: &Reply) -> Result<(), Halt> {
        self.write(reply.to_wire().as_bytes()).await
    }

    /// Writes octets whole. Where that fails, what the sender said before it went is read first: its alert or
    /// its QUIT may be waiting.
    pub(super) async fn write(&mut self, octets: &[u8]) -> Result<(), Halt> {
        let patience = self.patience.clone();
        let written = async {
            self.io.write_all(octets).await?;
            self.io.flush().await
        };
        match patience.until(written).await? {
            Ok(()) => Ok(()),
            Err(error) => Err(Halt::Failed(self.last_words(error).await)),
        }
    }

    /// Ends our side in order and lets the sender close: a connection closed over unread octets is reset, and
    /// our last reply lost with it.
    pub(super) async fn close(&mut self) {
        let patience = self.patience.within(self.linger);
        let closing = async {
            self.io.shutdown().await?;
            while self.fill().await? {
                self.unread.clear();
            }
            io::Result::Ok(())
        };
        // Nothing is left to learn here.
        let _ = patience.until(closing).await;
    }

    /// Says one last thing and ends our side, if the sender takes it at once: there is no time left to wait. Says
    /// whether it could be said.
    pub(super) async fn farewell(&mut self, reply: &Reply) -> bool {
        let text = reply.to_wire();
        let saying = async {
            self.io.write_all(text.as_bytes()).await?;
            self.io.shutdown().await
        };
        matches!(timeout(FAREWELL_WITHIN, saying).await, Ok(Ok(())))
    }

    async fn last_words(&mut self, error: io::Error) -> io::Error {
        let patience = self.patience.within(LAST_WORDS_WITHIN);
        let reading = async {
            while self.fill().await? {}
            io::Result::Ok(())
        };
        match patience.until(reading).await {
            // A TLS alert says more than the failure it caused.
            Ok(Err(said)) if said.get_ref().is_some() => said,
            _ => error,
        }
    }

    async fn read_line(&mut self) -> io::Result<Heard> {
        let mut is_too_long = false;
        loop {
            if let Some(at) = self.unread.iter().position(|byte| *byte == b'\n') {
                let mut line = self.take(at + 1);
                line.pop();
                // Deviates from RFC 5321 §2.3.8: a bare LF ends a command, because nothing is passed on that
                // it could be used to smuggle; a message ends as it must.
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                is_too_long |= line.len() > self.longest;
                return Ok(if is_too_long { Heard::TooLong } else { Heard::Line(line) });
            }
            if self.unread.len() > self.longest {
                is_too_long = true;
                self.unread.clear();
            }
            if !self.fill().await? {
                return Ok(Heard::End(std::mem::take(&mut self.unread)));
            }
        }
    }

    async fn fill(&mut self) -> io::Result<bool> {
        if self.room == 0 {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let mut chunk = Vec::with_capacity(CHUNK.min(self.room));
        let count = self.io.read_buf(&mut chunk).await?;
        self.room = self.room.saturating_sub(count);
        self.unread.extend_from_slice(&chunk);
        Ok(count > 0)
    }
}
