//! Where the demo's alerts arrive: a webhook's other end, as small as can be.
//!
//! Invariant: it listens on loopback; a request is bounded in octets and time, and answered whatever is in it.

use serde::Deserialize;
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::AbortHandle,
    time::{sleep, timeout},
};

/// Octets of one request.
const REQUEST: u64 = 1 << 20;
const SAID_WITHIN: Duration = Duration::from_secs(10);

/// As much of `mxwarden-alert/1` as is shown.
#[derive(Debug, Deserialize)]
pub(super) struct Alert {
    pub(super) headline: String,
    pub(super) resolved: bool,
    #[serde(default)]
    pub(super) parts: Vec<Part>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Part {
    #[serde(default)]
    pub(super) lines: Vec<Line>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Line {
    pub(super) label: String,
    pub(super) text: String,
}

/// Alerts as they come.
#[derive(Debug)]
pub(super) struct Alerts {
    address: SocketAddr,
    came: mpsc::Receiver<Alert>,
    task: AbortHandle,
}

impl Alerts {
    pub(super) async fn listen() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (out, came) = mpsc::channel(16);
        let task = tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        // One after another: there is one channel, which sends one message at a time.
                        if let Ok(Ok(alert)) = timeout(SAID_WITHIN, take(stream)).await {
                            let _ = out.send(alert).await;
                        }
                    }
                    Err(_) => sleep(Duration::from_millis(50)).await,
                }
            }
        });
        Ok(Self { address, came, task: task.abort_handle() })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Those that have come since.
    pub(super) fn news(&mut self) -> Vec<Alert> {
        std::iter::from_fn(|| self.came.try_recv().ok()).collect()
    }
}

impl Drop for Alerts {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(stream: TcpStream) -> io::Result<Alert> {
    let (reading, mut writing) = stream.into_split();
    let mut reading = BufReader::new(reading).take(REQUEST);
    let mut octets = 0;
    loop {
        let mut line = String::new();
        if reading.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(length) = line.strip_prefix("content-length:") {
            octets = length.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = Vec::new();
    reading.take(octets).read_to_end(&mut body).await?;
    let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
    writing.write_all(answer).await?;
    writing.shutdown().await?;
    serde_json::from_slice(&body).map_err(io::Error::other)
}
