//! Holds back whatever comes in clear before the first TLS record ([RFC 8446 §5.1]).
//!
//! 1. Bytes behind the 220 to STARTTLS that are no TLS record are set aside: they are evidence of
//!    an injection (CVE-2011-0411 and its kin), and the handshake is tried all the same.
//! 2. From the first record header on, everything passes: from a peer that begins with it, untouched.
//! 3. More than a few kilobytes without a record header, and the peer speaks no TLS.
//!
//! Invariant: what is set aside is bounded, and never reaches the TLS library.
//!
//! [RFC 8446 §5.1]: https://www.rfc-editor.org/rfc/rfc8446#section-5.1

use crate::wire::text::printable_within;
use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream whose clear-text preamble is held back.
#[derive(Debug)]
pub(super) struct Screen<S> {
    io: S,
    /// Bytes set aside.
    aside: Aside,
    /// Bytes that pass: from the first record header on.
    pass: Vec<u8>,
    state: State,
    limit: usize,
}

/// The bytes a screen set aside; outlives it, because a handshake that hangs is dropped with its stream.
#[derive(Debug, Clone, Default)]
pub(super) struct Aside(Arc<Mutex<Vec<u8>>>);

impl Aside {
    fn with<T>(&self, read: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was set aside, made printable; none if nothing was.
    pub(super) fn injected(&self) -> Option<String> {
        self.with(|bytes| (!bytes.is_empty()).then(|| printable_within(bytes, 300)))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No record header yet.
    Looking,
    /// From here on everything passes.
    Passing,
    /// No record header came.
    Refused,
}

impl<S> Screen<S> {
    /// Screens `io`; `already` was read behind the 220 and is set aside at once.
    pub(super) fn new(io: S, already: Vec<u8>, limit: usize) -> Self {
        let aside = Aside(Arc::new(Mutex::new(already)));
        Self { io, aside, pass: Vec::new(), state: State::Looking, limit }
    }

    /// A handle on what is set aside.
    pub(super) fn aside(&self) -> Aside {
        self.aside.clone()
    }

    /// The bytes the peer sent instead of TLS, where it sent no record at all.
    pub(super) fn refused(&self) -> Option<String> {
        match self.state {
            State::Passing => None,
            State::Looking | State::Refused => self.aside.injected(),
        }
    }

    /// Whether TLS begins with the first octet that came, as it does with nearly everybody.
    fn begins_with(&self, chunk: &[u8]) -> bool {
        chunk.get(..3).is_some_and(is_header) && self.aside.with(|aside| aside.is_empty())
    }

    /// Takes in `chunk`: what stands before the first record header is set aside, the rest passes.
    fn look(&mut self, chunk: &[u8]) {
        let limit = self.limit;
        let aside = self.aside.clone();
        aside.with(|aside| {
            // A header may begin in the last two bytes of the chunk before.
            let from = aside.len().saturating_sub(2);
            aside.extend_from_slice(chunk);
            let found = aside.get(from..).and_then(|new| new.windows(3).position(is_header));
            if let Some(at) = found.map(|at| from + at).filter(|at| *at <= limit) {
                self.pass = aside.split_off(at);
                self.state = State::Passing;
            } else if aside.len() > limit {
                aside.truncate(limit);
                self.state = State::Refused;
            }
        });
    }
}

/// Whether a record begins so: its type, and a version that begins with 3.
fn is_header(octets: &[u8]) -> bool {
    matches!(octets, [0x14..=0x17, 3, 0..=4])
}

impl<S: AsyncRead + Unpin> AsyncRead for Screen<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            match self.state {
                State::Passing if self.pass.is_empty() => {
                    return Pin::new(&mut self.io).poll_read(cx, buf);
                }
                State::Passing => {
                    let count = self.pass.len().min(buf.remaining());
                    let rest = self.pass.split_off(count);
                    buf.put_slice(&self.pass);
                    self.pass = rest;
                    return Poll::Ready(Ok(()));
                }
                State::Refused => {
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "no TLS record",
                    )));
                }
                State::Looking => {
                    let before = buf.filled().len();
                    ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
                    let chunk = buf.filled().get(before..).unwrap_or_default();
                    if chunk.is_empty() {
                        return Poll::Ready(Ok(()));
                    }
                    if self.begins_with(chunk) {
                        self.state = State::Passing;
                        return Poll::Ready(Ok(()));
                    }
                    self.look(chunk);
                    buf.set_filled(before);
                }
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Screen<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    /// Without it rustls's last flight would go out record by record, each with a call and a packet of its own.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// What passes and what is set aside when the chunks come one by one.
    async fn screen(already: &[u8], chunks: &[&[u8]]) -> (Vec<u8>, Option<String>, bool) {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        let mut screen = Screen::new(ours, already.to_vec(), 100);
        let mut passed = Vec::new();
        for chunk in chunks {
            theirs.write_all(chunk).await.unwrap();
            let mut buf = [0; 4096];
            let wait = std::time::Duration::from_millis(20);
            if let Ok(Ok(count)) = tokio::time::timeout(wait, screen.read(&mut buf)).await {
                passed.extend_from_slice(&buf[..count]);
            }
        }
        (passed, screen.aside().injected(), screen.refused().is_some())
    }

    #[tokio::test(start_paused = true)]
    async fn clear_text_is_set_aside_and_records_pass() {
        let record: &[u8] = b"\x16\x03\x03\x00\x02ab";
        assert_eq!(screen(b"", &[record]).await, (record.to_vec(), None, false));
        let noop = Some("NOOP\\r\\n".to_owned());
        assert_eq!(screen(b"NOOP\r\n", &[record]).await, (record.to_vec(), noop.clone(), false));
        assert_eq!(
            screen(b"", &[b"NOOP\r\n", record]).await,
            (record.to_vec(), noop.clone(), false)
        );
        assert_eq!(
            screen(b"", &[b"NOOP\r\n\x16", b"\x03\x03\x00\x02ab"]).await,
            (record.to_vec(), noop.clone(), false)
        );
        let (passed, aside, refused) = screen(b"", &[b"500 no TLS here\r\n"]).await;
        assert_eq!(
            (passed, aside.as_deref(), refused),
            (vec![], Some("500 no TLS here\\r\\n"), true)
        );
        let (passed, _, refused) = screen(b"", &[&[b'x'; 200]]).await;
        assert_eq!((passed, refused), (vec![], true));
        // Too late is too late, in however few reads it comes.
        let (passed, _, refused) = screen(b"", &[&[&[b'x'; 200], record].concat()]).await;
        assert_eq!((passed, refused), (vec![], true));
        // Everything passes once TLS has begun, whatever it looks like.
        let late = [record, b"NOOP\r\n"].concat();
        assert_eq!(screen(b"", &[record, b"NOOP\r\n"]).await, (late, None, false));
    }
}
