//! One side of an SMTP dialogue: lines in, lines out, each bounded.

use crate::model::limits::Limits;
use crate::wire::smtp::{Reply, ReplyReader};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Octets of one line.
const LINE: usize = 8 << 10;

/// A connection, and what came and was not read yet.
#[derive(Debug)]
pub(super) struct Talk<S> {
    stream: S,
    unread: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    pub(super) fn over(stream: S) -> Self {
        Self { stream, unread: Vec::new() }
    }

    /// The next line without its end; none where the other side has closed.
    pub(super) async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = self.unread.iter().position(|octet| *octet == b'\n') {
                let mut line: Vec<u8> = self.unread.drain(..=end).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(Some(line));
            }
            if self.unread.len() > LINE {
                return Err(io::Error::other("a line is too long"));
            }
            if self.stream.read_buf(&mut self.unread).await? == 0 {
                return Ok(None);
            }
        }
    }

    pub(super) async fn say(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stream.write_all(octets).await?;
        self.stream.flush().await
    }

    /// The next reply, whole.
    pub(super) async fn reply(&mut self) -> io::Result<Reply> {
        let mut reader = ReplyReader::new(Limits::default().reply);
        loop {
            let mut input = self.unread.as_slice();
            let taken = reader.take_from(&mut input).map_err(io::Error::other)?;
            let left = input.len();
            self.unread.drain(..self.unread.len().saturating_sub(left));
            if let Some(reply) = taken {
                return Ok(reply);
            }
            if self.stream.read_buf(&mut self.unread).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// A command, and its reply.
    pub(super) async fn command(&mut self, line: &str) -> io::Result<Reply> {
        self.say(format!("{line}\r\n").as_bytes()).await?;
        self.reply().await
    }

    /// Leaves in words; whether the other side answers is its own affair.
    pub(super) async fn quit(mut self) {
        let _ = self.command("QUIT").await;
        let _ = self.stream.shutdown().await;
    }

    /// The bare connection, to speak TLS over. RFC 3207 §6: nothing that came in clear may be taken along.
    pub(super) fn into_stream(self) -> io::Result<S> {
        if self.unread.is_empty() {
            Ok(self.stream)
        } else {
            Err(io::Error::other("something followed the reply to STARTTLS in clear"))
        }
    }
}
