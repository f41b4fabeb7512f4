//! What a peer heard from its clients.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::time::Instant;

/// Lines kept of one session; a client may send a message without end.
const LINES: usize = 4096;

/// What one session showed of its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The client's address.
    pub from: SocketAddr,
    /// When it came.
    pub came_at: Instant,
    /// The lines it sent in clear, without their ends.
    pub in_clear: Vec<String>,
    /// Octets of the record that carried its first ClientHello.
    pub hello_octets: Option<usize>,
    /// How the handshake ended: the version, or the error in words. None where there was none.
    pub handshake: Option<Result<String, String>>,
    /// The name it sent as SNI, once the handshake was done.
    pub sni: Option<String>,
    /// Certificates it presented.
    pub client_certificates: usize,
    /// The lines it sent inside TLS.
    pub in_tls: Vec<String>,
}

impl Heard {
    pub(super) fn new(from: SocketAddr) -> Self {
        Self {
            from,
            came_at: Instant::now(),
            in_clear: Vec::new(),
            hello_octets: None,
            handshake: None,
            sni: None,
            client_certificates: 0,
            in_tls: Vec::new(),
        }
    }
}

/// All sessions of one peer.
#[derive(Debug, Clone, Default)]
pub(super) struct Logs(Arc<Mutex<Vec<Heard>>>);

impl Logs {
    /// Opens the log of a new session.
    pub(super) fn open(&self, from: SocketAddr) -> Log {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Heard::new(from));
        Log { at: all.len() - 1, all: self.clone() }
    }

    /// A copy of them all, oldest first.
    pub(super) fn read(&self) -> Vec<Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Where one session is written down.
#[derive(Debug)]
pub(super) struct Log {
    all: Logs,
    at: usize,
}

impl Log {
    pub(super) fn write(&self, change: impl FnOnce(&mut Heard)) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(heard) = all.get_mut(self.at) {
            change(heard);
            heard.in_clear.truncate(LINES);
            heard.in_tls.truncate(LINES);
        }
    }
}
