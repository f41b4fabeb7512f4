//! Scripted SMTP receivers that behave, and misbehave, as they are told.
//!
//! 1. A [`Script`] says what the peer does; each misbehaviour with a name has a constructor.
//! 2. [`Peer::start`] listens and plays it to every connection; [`Peer::set`] changes it for the next ones.
//! 3. [`Peer::heard`] tells what the clients said. Dropping the peer ends it and its sessions.
//!
//! Invariant: a session waits for nothing but its client and the waits its script asks for.

mod enforcing;
mod heard;
mod say;
mod script;
mod serve;
mod table;
mod tls;
mod visitor;

pub use heard::Heard;
pub use say::Say;
pub use script::{
    ClientCertificate, Handshake, Intolerance, Replies, Rule, Script, Starts, Tls, When,
};

use crate::lab::LabError;
use heard::Logs;
use rustls::ServerConfig;
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};
use visitor::Known;

/// A peer that is listening.
#[derive(Debug)]
pub struct Peer {
    address: SocketAddr,
    script: Arc<Mutex<Arc<Loaded>>>,
    logs: Logs,
    task: AbortHandle,
}

/// A script ready to be played.
#[derive(Debug)]
struct Loaded {
    script: Script,
    tls: Option<Arc<ServerConfig>>,
    greeted: AtomicUsize,
    known: Known,
}

impl Loaded {
    fn new(script: Script) -> Result<Arc<Self>, LabError> {
        let tls = match &script.handshake {
            Handshake::Tls(options) => Some(Arc::new(tls::config(options)?)),
            Handshake::AfterHello(_) | Handshake::AtOnce(_) => None,
        };
        Ok(Arc::new(Self { script, tls, greeted: AtomicUsize::new(0), known: Known::default() }))
    }

    /// The greeting of the next connection.
    fn greeting(&self) -> &Say {
        let at = self.greeted.fetch_add(1, Ordering::Relaxed);
        self.script.first.get(at).unwrap_or(&self.script.greeting)
    }
}

impl Peer {
    /// Listens on a loopback address (port 0: any free one) and plays the script.
    pub async fn start(address: SocketAddr, script: Script) -> Result<Self, LabError> {
        let loaded = Arc::new(Mutex::new(Loaded::new(script)?));
        let bind = |source| LabError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let logs = Logs::default();
        let serving = serve(listener, Arc::clone(&loaded), logs.clone());
        let task = tokio::spawn(serving).abort_handle();
        Ok(Self { address, script: loaded, logs, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections came.
    pub fn sessions(&self) -> usize {
        self.logs.read().len()
    }

    /// What was heard, session by session.
    pub fn heard(&self) -> Vec<Heard> {
        self.logs.read()
    }

    /// Plays another script to the connections to come.
    pub fn set(&self, script: Script) -> Result<(), LabError> {
        let loaded = Loaded::new(script)?;
        *self.script.lock().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The task holds its sessions in a set, which ends them when it is dropped.
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, script: Arc<Mutex<Arc<Loaded>>>, logs: Logs) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((tcp, from)) = accepted else {
                    // Out of descriptors, or the client was gone already: others may still come.
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    continue;
                };
                let loaded = Arc::clone(&script.lock().unwrap_or_else(PoisonError::into_inner));
                sessions.spawn(play(tcp, from, loaded, logs.clone()));
            }
            Some(_) = sessions.join_next() => {}
        }
    }
}

async fn play(tcp: TcpStream, from: SocketAddr, loaded: Arc<Loaded>, logs: Logs) {
    let log = logs.open(from);
    // A client that leaves in the middle is no failure of the peer.
    let _ = serve::session(tcp, &loaded, &log).await;
}

#[cfg(test)]
mod tests;
