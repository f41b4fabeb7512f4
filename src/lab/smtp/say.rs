//! One utterance of a peer, and how it may go wrong.

use std::{io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

/// What a peer speaks over: TCP, or TLS over it.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {
    /// The connection beneath.
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// What a peer does when it is its turn to speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Say {
    /// These octets, in one write.
    Bytes(Vec<u8>),
    /// Nothing more: an orderly close (inside TLS with its close_notify).
    Close,
    /// These octets, one at a time.
    Drip(Vec<u8>, Duration),
    /// These octets again and again, until the client leaves.
    Endless(Vec<u8>),
    /// These octets, filled up to this many with `x`, and no line end.
    Flood(Vec<u8>, u64),
    /// The same after a wait.
    Late(Duration, Box<Self>),
    /// These octets, then an orderly close.
    Last(Vec<u8>),
    /// Nothing at all, with the connection kept open.
    Nothing,
    /// Nothing more: a reset.
    Reset,
}

/// Whether the session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It is the client's turn.
    GoOn,
    /// The connection is gone.
    Over,
}

impl Say {
    /// One reply line.
    pub fn line(text: &str) -> Self {
        Self::Bytes(format!("{text}\r\n").into_bytes())
    }

    /// One reply line, then an orderly close.
    pub fn last_line(text: &str) -> Self {
        Self::Last(format!("{text}\r\n").into_bytes())
    }

    /// A reply of several lines under one code.
    pub fn lines<'a>(code: u16, lines: impl IntoIterator<Item = &'a str>) -> Self {
        let mut out = String::new();
        let mut lines = lines.into_iter().peekable();
        while let Some(line) = lines.next() {
            let mark = if lines.peek().is_some() { '-' } else { ' ' };
            out.push_str(&format!("{code}{mark}{line}\r\n"));
        }
        Self::Bytes(out.into_bytes())
    }

    /// The same after a wait.
    #[must_use]
    pub fn late(self, wait: Duration) -> Self {
        Self::Late(wait, Box::new(self))
    }

    /// The octets it begins with; none where it says nothing.
    pub fn start(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes)
            | Self::Drip(bytes, _)
            | Self::Endless(bytes)
            | Self::Flood(bytes, _)
            | Self::Last(bytes) => bytes,
            Self::Late(_, say) => say.start(),
            Self::Close | Self::Nothing | Self::Reset => &[],
        }
    }

    /// Does it.
    pub(super) async fn to(&self, wire: &mut impl Wire) -> io::Result<Next> {
        let mut say = self;
        while let Self::Late(wait, then) = say {
            tokio::time::sleep(*wait).await;
            say = then;
        }
        match say {
            Self::Bytes(bytes) => wire.write_all(bytes).await?,
            Self::Close => return close(wire).await,
            Self::Drip(bytes, every) => {
                for byte in bytes {
                    wire.write_all(&[*byte]).await?;
                    wire.flush().await?;
                    tokio::time::sleep(*every).await;
                }
            }
            Self::Endless(bytes) => loop {
                wire.write_all(bytes).await?;
                // A loop that never waits would keep its task from being stopped.
                tokio::task::yield_now().await;
            },
            Self::Flood(bytes, octets) => flood(wire, bytes, *octets).await?,
            Self::Last(bytes) => {
                wire.write_all(bytes).await?;
                return close(wire).await;
            }
            Self::Late(..) | Self::Nothing => {}
            Self::Reset => {
                wire.tcp().set_zero_linger()?;
                return Ok(Next::Over);
            }
        }
        wire.flush().await?;
        Ok(Next::GoOn)
    }
}

async fn flood(wire: &mut impl Wire, start: &[u8], octets: u64) -> io::Result<()> {
    wire.write_all(start).await?;
    let mut left = octets.saturating_sub(start.len() as u64);
    let padding = [b'x'; 16 << 10];
    while left > 0 {
        let now = usize::try_from(left).map_or(padding.len(), |left| left.min(padding.len()));
        wire.write_all(padding.get(..now).unwrap_or_default()).await?;
        left -= now as u64;
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Closes our side and waits for the client to close its own: octets left unread would turn the close
/// into a reset.
pub(super) async fn close(wire: &mut impl Wire) -> io::Result<Next> {
    wire.shutdown().await?;
    drain(wire).await?;
    Ok(Next::Over)
}

/// Reads until the client leaves.
pub(super) async fn drain(wire: &mut impl Wire) -> io::Result<()> {
    let mut waste = [0; 4096];
    while wire.read(&mut waste).await? > 0 {}
    Ok(())
}
