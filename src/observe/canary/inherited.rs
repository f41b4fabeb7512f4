//! Listening sockets that were opened before us, by systemd ([sd_listen_fds(3)]): port 25 without a capability, and no
//! connection lost while we start again.
//!
//! 1. [`inherited`] takes them out of the environment, once a process, and keeps them open: canaries that are started
//!    again by a reload find them again, and whoever connects meanwhile waits in the queue.
//! 2. A canary that is configured to listen at the very address of one takes it; every other address is bound by us.
//! 3. One that no canary listens at is told of: whoever connects to it would wait for ever.
//!
//! Invariant: the environment is read once, whoever asks how often; what is handed out are copies of one socket.
//!
//! [sd_listen_fds(3)]: https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html

use core::net::SocketAddr;
use std::{io, net::TcpListener as StdListener, sync::OnceLock};
use tokio::net::TcpListener;

/// The listening TCP sockets this process was started with.
pub fn inherited() -> Vec<StdListener> {
    static OPEN: OnceLock<Vec<StdListener>> = OnceLock::new();
    let open = OPEN.get_or_init(from_environment);
    open.iter().filter_map(|listener| listener.try_clone().ok()).collect()
}

fn from_environment() -> Vec<StdListener> {
    let mut passed = listenfd::ListenFd::from_env();
    let mut listeners = Vec::new();
    for at in 0..passed.len() {
        match passed.take_tcp_listener(at) {
            Ok(listener) => listeners.extend(listener),
            Err(error) => {
                tracing::warn!(at, %error, "a socket we were started with is no TCP listener; it is left alone");
            }
        }
    }
    listeners
}

/// Sockets on their way to the canaries that are configured to listen at their addresses.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    sockets: Vec<(SocketAddr, StdListener)>,
}

impl Waiting {
    /// A socket without an address of its own is none of ours.
    pub(super) fn of(listeners: Vec<StdListener>) -> Self {
        let with_address = |listener: StdListener| Some((listener.local_addr().ok()?, listener));
        Self { sockets: listeners.into_iter().filter_map(with_address).collect() }
    }

    /// The socket at this very address, else a new one.
    pub(super) async fn listen(&mut self, address: SocketAddr) -> io::Result<TcpListener> {
        match self.sockets.iter().position(|(at, _)| *at == address) {
            Some(place) => {
                let (_, listener) = self.sockets.swap_remove(place);
                listener.set_nonblocking(true)?;
                TcpListener::from_std(listener)
            }
            None => TcpListener::bind(address).await,
        }
    }

    /// Says which nobody wanted.
    pub(super) fn tell_the_rest(self) {
        for (address, _) in &self.sockets {
            tracing::warn!(
                %address,
                "a socket we were started with is at an address that no [[canary]] listens at: nobody is answered there"
            );
        }
    }
}
