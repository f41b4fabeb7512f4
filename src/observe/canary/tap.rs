//! A stream that gives back what was read ahead, and watches what we say in clear while shaking hands.
//!
//! 1. What stood behind STARTTLS was read to see the hello; the TLS library reads it again from here.
//! 2. Of our records, the ServerHello and alerts in clear are looked at: the library does not say whether they went
//!    out where a handshake failed.
//!
//! Invariant: what is kept of our records is bounded.

use crate::wire::hello::{Alert, Flight, FlightLimits, FlightReader};
use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;
/// The most octets of a record, what encryption adds included (RFC 5246 §6.2.3).
const RECORD: usize = 5 + (1 << 14) + 2048;

/// What we sent in clear. Outlives the stream, because a handshake that hangs is dropped with it.
#[derive(Debug, Clone, Default)]
pub(super) struct Sent(Arc<Mutex<Watched>>);

#[derive(Debug, Default)]
struct Watched {
    /// A record that is not whole.
    record: Vec<u8>,
    flight: Flight,
    alert: Option<Alert>,
}

impl Sent {
    fn with<T>(&self, look: impl FnOnce(&mut Watched) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Our ServerHello; none while only another hello was asked for.
    pub(super) fn hello(&self) -> Option<Flight> {
        self.with(|watched| {
            let flight = &watched.flight;
            (flight.version.is_some() && !flight.hello_retry).then(|| flight.clone())
        })
    }

    /// The fatal alert we sent in clear.
    pub(super) fn alert(&self) -> Option<Alert> {
        self.with(|watched| watched.alert)
    }
}

impl Watched {
    fn take(&mut self, mut octets: &[u8]) {
        while !octets.is_empty() {
            let missing = self.wanted().saturating_sub(self.record.len());
            let (taken, rest) = octets.split_at_checked(missing).unwrap_or((octets, &[]));
            self.record.extend_from_slice(taken);
            octets = rest;
            if self.record.len() >= self.wanted() {
                let record = std::mem::take(&mut self.record);
                self.look(&record);
            }
        }
    }

    fn wanted(&self) -> usize {
        let length = self.record.get(3..5).unwrap_or_default();
        (5 + length.iter().fold(0, |sum, b| sum << 8 | usize::from(*b))).min(RECORD)
    }

    fn look(&mut self, record: &[u8]) {
        match *record {
            [ALERT, _, _, 0, 2, level, description] => {
                let alert = Alert { level, description };
                if alert.level == 2 {
                    self.alert = Some(alert);
                }
            }
            // A second one follows where the first only asked for another hello; then all is encrypted.
            [HANDSHAKE, _, _, _, _, SERVER_HELLO, ..]
                if self.flight.version.is_none() || self.flight.hello_retry =>
            {
                let mut reader = FlightReader::new(FlightLimits::around(RECORD));
                let mut input = record;
                self.flight = match reader.take_from(&mut input) {
                    Ok(Some(flight)) => flight,
                    _ => reader.so_far().clone(),
                };
            }
            _ => {}
        }
    }
}

/// The stream.
#[derive(Debug)]
pub(super) struct Tap<S> {
    io: S,
    ahead: Vec<u8>,
    sent: Sent,
}

impl<S> Tap<S> {
    /// Gives back `ahead` before anything else is read, and tells `sent` what is written.
    pub(super) fn new(io: S, ahead: Vec<u8>, sent: Sent) -> Self {
        Self { io, ahead, sent }
    }

    /// The stream below.
    pub(super) fn into_inner(self) -> S {
        self.io
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let count = self.ahead.len().min(buf.remaining());
        let rest = self.ahead.split_off(count);
        buf.put_slice(&self.ahead);
        self.ahead = rest;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.io).poll_write(cx, octets))?;
        let written = octets.get(..count).unwrap_or(octets);
        self.sent.with(|watched| watched.take(written));
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
