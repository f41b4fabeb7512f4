//! TLS 1.0 and 1.1 as a stream, for the one personality that speaks them ([`crate::wire::legacy_tls`], which protects
//! nothing).
//!
//! Invariant: what the server has to say goes out before more is read.

use crate::model::delivery::CanaryTls;
use crate::model::session::Der;
use crate::wire::legacy_tls::{End, LegacyIdentity, LegacyServer, Phase};
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

/// Octets asked of the connection at a time.
const CHUNK: usize = 4 << 10;

/// A connection under TLS 1.0 or 1.1.
#[derive(Debug)]
pub(super) struct LegacyStream<S> {
    io: S,
    server: LegacyServer,
    /// Octets that are still to go out.
    out: Vec<u8>,
    /// Plain text that nobody has asked for.
    plain: Vec<u8>,
    /// What the caller's write became has gone into `out`.
    accepted: Option<usize>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> LegacyStream<S> {
    /// A server on `io`.
    pub(super) fn new(io: S, identity: Arc<LegacyIdentity>) -> Self {
        let server = LegacyServer::new(identity, Box::new(random));
        Self { io, server, out: Vec::new(), plain: Vec::new(), accepted: None }
    }

    /// Shakes hands. Whether both sides finished, and if not why, is told by [`Self::seen`].
    pub(super) async fn shake(&mut self) -> io::Result<()> {
        loop {
            let out = self.server.output();
            self.io.write_all(&out).await?;
            self.io.flush().await?;
            let progress = self.server.progress();
            if progress.end.is_some() || progress.phase == Phase::Finished {
                return Ok(());
            }
            let mut chunk = Vec::with_capacity(CHUNK);
            if self.io.read_buf(&mut chunk).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.server.take_in(&chunk);
        }
    }

    /// What there is to tell of it so far.
    pub(super) fn seen(&self) -> CanaryTls {
        let progress = self.server.progress();
        let mut tls = CanaryTls {
            version: self.server.version(),
            cipher_suite: self.server.suite_name(),
            client_chain: self.server.client_certificates().iter().cloned().map(Der).collect(),
            server_hello_sent: progress.phase >= Phase::FlightSent,
            completed: progress.phase == Phase::Finished,
            ..CanaryTls::default()
        };
        match progress.end {
            Some(End::ClientAlert(alert)) => tls.their_alert = Some(alert.name().into_owned()),
            Some(End::OurAlert { alert, why }) => {
                tls.our_alert = Some(alert.name().into_owned());
                tls.failure = Some(why.to_string());
            }
            Some(End::ClientClosed | End::WeClosed) | None => {}
        }
        tls
    }

    /// The connection below.
    pub(super) fn into_inner(self) -> S {
        self.io
    }

    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.out.append(&mut self.server.output());
        while !self.out.is_empty() {
            let count = ready!(Pin::new(&mut self.io).poll_write(cx, &self.out))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out.drain(..count);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for LegacyStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut plain = self.server.plaintext();
            self.plain.append(&mut plain);
            if !self.plain.is_empty() {
                let count = self.plain.len().min(buf.remaining());
                let rest = self.plain.split_off(count);
                buf.put_slice(&self.plain);
                self.plain = rest;
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_out(cx))?;
            match self.server.progress().end {
                None => {}
                Some(End::OurAlert { why, .. }) => return Poll::Ready(Err(io::Error::other(why))),
                Some(End::ClientAlert(_) | End::ClientClosed | End::WeClosed) => {
                    return Poll::Ready(Ok(()));
                }
            }
            let mut chunk = [0; CHUNK];
            let mut read = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.server.take_in(read.filled());
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for LegacyStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        // Sealed once: a second poll of the same write must not send it twice.
        if self.accepted.is_none() {
            let taken = octets.get(..octets.len().min(CHUNK)).unwrap_or(octets);
            if self.server.send(taken).is_err() {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            self.accepted = Some(taken.len());
        }
        ready!(self.poll_out(cx))?;
        Poll::Ready(Ok(self.accepted.take().unwrap_or_default()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_out(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.server.close();
        ready!(self.poll_out(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// A server that could not be random would be no worse than one that is: nothing here protects anything. So a failure
/// leaves zeros.
fn random(room: &mut [u8]) {
    let _ = aws_lc_rs::rand::fill(room);
}
