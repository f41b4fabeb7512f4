//! Takes connections, gives each to the canary whose turn it is, and turns away what is too much.
//!
//! 1. Too many from one source, or in all: 421, and the connection is closed at once.
//! 2. Everybody else gets a task; when it is over, its session goes out as evidence.
//! 3. Who reads the evidence too slowly slows the sessions down: each keeps its place until it was taken.
//!
//! Invariant: nothing a stranger does stops the accepting of others.

use super::{
    CanaryLimits,
    session::{Desk, Part, attend},
    station::Station,
    visit::Visit,
};
use crate::model::delivery::{CanaryEnding, CanarySession};
use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::{
    collections::HashMap,
    io::Write as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::sleep,
};
use tokio_util::task::TaskTracker;

/// How long nothing is accepted after that failed: mostly we have too many files open.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a session that is over waits to be taken, once the canaries are being stopped.
const GRACE: Duration = Duration::from_secs(2);

/// One address, and the canaries that share it.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) address: SocketAddr,
    members: Vec<Arc<Station>>,
    turn: AtomicUsize,
}

impl Post {
    pub(super) fn new(address: SocketAddr, members: Vec<Arc<Station>>) -> Self {
        Self { address, members, turn: AtomicUsize::new(0) }
    }

    pub(super) fn members(&self) -> &[Arc<Station>] {
        &self.members
    }

    /// It is the turn of the one that fits, if there is one here.
    pub(super) fn take_turn(&self, is_wanted: impl Fn(&Station) -> bool) {
        if let Some(at) = self.members.iter().position(|station| is_wanted(station)) {
            self.turn.store(at, Ordering::Relaxed);
        }
    }

    fn part(&self, local: SocketAddr, peer: SocketAddr) -> Option<Part> {
        let station = self.members.get(self.turn.load(Ordering::Relaxed))?;
        Some(station.part(local, peer))
    }
}

/// Counts who is in.
#[derive(Debug, Default)]
pub(super) struct Door {
    inside: Mutex<HashMap<(SocketAddr, IpAddr), usize>>,
}

/// A place inside; given back when dropped.
#[derive(Debug)]
struct Place {
    door: Arc<Door>,
    guest: (SocketAddr, IpAddr),
}

impl Door {
    /// One sender may come to many canaries at once, as our own mail system does: each counts on its own.
    fn enter(
        self: &Arc<Self>,
        at: SocketAddr,
        peer: IpAddr,
        limits: &CanaryLimits,
    ) -> Result<Place, String> {
        let guest = (at, source(peer));
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if inside.values().sum::<usize>() >= limits.sessions {
            return Err(format!("more than {} sessions at once", limits.sessions));
        }
        let count = inside.entry(guest).or_default();
        if *count >= limits.sessions_per_source {
            return Err(format!("more than {} sessions at once", limits.sessions_per_source)
                + " from one source");
        }
        *count += 1;
        Ok(Place { door: Arc::clone(self), guest })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.door.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = inside.get_mut(&self.guest) {
            *count -= 1;
            if *count == 0 {
                inside.remove(&self.guest);
            }
        }
    }
}

/// One source: an IPv4 address, or the 64 bits of an IPv6 address that one customer has at least (RFC 6177 §2).
fn source(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

/// Accepts at one address until told to stop.
pub(super) async fn serve(
    listener: TcpListener,
    post: Arc<Post>,
    desk: Desk,
    door: Arc<Door>,
    tasks: TaskTracker,
    out: mpsc::Sender<CanarySession>,
) {
    let mut is_failing = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = desk.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (tcp, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Said once, however long it lasts.
                if !is_failing {
                    let address = post.address;
                    tracing::warn!(%address, %error, "a canary takes no connections, and tries on");
                }
                is_failing = true;
                sleep(PAUSE).await;
                continue;
            }
        };
        is_failing = false;
        // A socket for both families shows IPv4 as a part of IPv6.
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let local = tcp.local_addr().unwrap_or(post.address);
        let local = SocketAddr::new(local.ip().to_canonical(), local.port());
        let Some(part) = post.part(local, peer) else { continue };
        match door.enter(post.address, peer.ip(), &desk.limits) {
            Ok(place) => {
                drop(tasks.spawn(session(tcp, part, desk.clone(), place, out.clone())));
            }
            Err(why) => {
                // Nothing is proved by it, so where nobody takes it, nothing is lost; waiting would keep others out.
                let _ = out.try_send(turn_away(tcp, &part, &desk, why));
            }
        }
    }
}

async fn session(
    tcp: TcpStream,
    part: Part,
    desk: Desk,
    place: Place,
    out: mpsc::Sender<CanarySession>,
) {
    // Replies are small and waited for.
    let _ = tcp.set_nodelay(true);
    let stop = desk.stop.clone();
    let over = attend(tcp, part, desk).await;
    let stopped = async {
        stop.cancelled().await;
        sleep(GRACE).await;
    };
    tokio::select! {
        _ = out.send(over) => {}
        () = stopped => {}
    }
    drop(place);
}

fn turn_away(tcp: TcpStream, part: &Part, desk: &Desk, why: String) -> CanarySession {
    let now = desk.clock.now();
    let mut visit = Visit::new(&part.caller, &desk.limits, now);
    // Not waited for: whether it arrives is of no consequence.
    let said = tcp.into_std().and_then(|mut tcp| tcp.write(b"421 4.7.0 Too many sessions\r\n"));
    if said.is_ok() {
        visit.note("answered 421");
    }
    visit.end(CanaryEnding::Ours(why), now)
}
