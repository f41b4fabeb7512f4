//! A small mail system: takes mail on loopback and delivers it by real SMTP and real TLS, or tries again.
//!
//! 1. Whoever connects hands mail over (`intake`); what is taken waits in memory, in a bounded queue.
//! 2. Its connector is found by the recipient's domain, as a policy map of a real mail system does; without one it
//!    is not taken.
//! 3. MX and address are asked of the DNS server it was given, by real questions over UDP (`route`).
//! 4. One connection a try (`deliver`), two where a sender that only looks as if it forced TLS falls back to clear.
//! 5. What was not taken is tried again after a pause that grows, until its lifetime is over; nothing bounces.
//!
//! Invariant: under [`Forcing::Really`] nothing is said behind EHLO outside a verified handshake but STARTTLS and QUIT.
//! Invariant: it listens on loopback, and everything it does ends when the value is dropped.

mod deliver;
mod intake;
mod route;
mod talk;
mod trust;

use crate::lab::LabError;
use deliver::{Delivery, Failed};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep, timeout},
};
use trust::Trust;

/// Letters in the queue.
const QUEUE: usize = 256;
/// Sessions with those who hand mail over.
const SESSIONS: usize = 16;
/// How long one of them may take.
const HANDED_OVER_WITHIN: Duration = Duration::from_secs(60);
/// How long one try may take, connections and handshakes included.
const TRIED_WITHIN: Duration = Duration::from_secs(20);

/// What a mail system does about TLS where it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forcing {
    /// It tries STARTTLS, takes any certificate, and sends in clear where it comes to nothing.
    InAppearance,
    /// STARTTLS with TLS 1.2 or newer and a chain in date to a known root, for the very MX host; else it leaves before
    /// MAIL.
    Really,
}

/// A rule for some recipient domains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MtaConnector {
    /// These domains, and all below them.
    pub domains: Vec<String>,
    /// What is done about TLS.
    pub forcing: Forcing,
}

impl MtaConnector {
    fn covers(&self, domain: &str) -> bool {
        self.domains.iter().any(|own| {
            let above = domain.strip_suffix(own.as_str());
            above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
        })
    }
}

/// When mail that was not taken is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// The first pause; each is twice as long as the last.
    pub first: Duration,
    /// The longest pause.
    pub most: Duration,
    /// When it is given up.
    pub lifetime: Duration,
}

/// What a mail system is made of.
#[derive(Debug, Clone)]
pub struct MtaPlan {
    /// How it introduces itself.
    pub ehlo: String,
    /// The DNS server it asks.
    pub dns: SocketAddr,
    /// The port MX hosts listen on.
    pub port: u16,
    /// Its rules; the first that covers a domain counts.
    pub connectors: Vec<MtaConnector>,
    /// The roots it knows, DER.
    pub roots: Vec<Vec<u8>>,
    /// When it tries again.
    pub retries: Retries,
}

/// A mail system that is running. Dropping it ends it, and forgets its queue.
#[derive(Debug)]
pub struct Mta {
    address: SocketAddr,
    room: Arc<Semaphore>,
    task: AbortHandle,
}

/// One letter to one recipient.
#[derive(Debug, Clone)]
struct Letter {
    from: String,
    to: String,
    domain: String,
    forcing: Forcing,
    /// As it came: dots doubled, the last line a dot.
    body: Arc<Vec<u8>>,
}

/// A letter, and its place in the queue.
type Queued = (Letter, OwnedSemaphorePermit);

/// What sessions and deliveries share.
#[derive(Debug)]
struct House {
    plan: MtaPlan,
    trust: Trust,
    room: Arc<Semaphore>,
}

impl House {
    fn connector(&self, domain: &str) -> Option<&MtaConnector> {
        self.plan.connectors.iter().find(|connector| connector.covers(domain))
    }
}

impl Mta {
    /// Listens on a loopback address (port 0: any free one).
    ///
    /// # Errors
    ///
    /// The address cannot be listened on; a root that is none.
    pub async fn start(address: SocketAddr, plan: MtaPlan) -> Result<Self, LabError> {
        let trust = Trust::new(&plan.roots)?;
        let bind = |source| LabError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let room = Arc::new(Semaphore::new(QUEUE));
        let house = Arc::new(House { plan, trust, room: Arc::clone(&room) });
        let task = tokio::spawn(serve(listener, house)).abort_handle();
        Ok(Self { address, room, task })
    }

    /// Where it takes mail.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Letters that are not delivered yet.
    pub fn queued(&self) -> usize {
        QUEUE.saturating_sub(self.room.available_permits())
    }
}

impl Drop for Mta {
    fn drop(&mut self) {
        // The task holds sessions and deliveries in sets, which end them when they are dropped.
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, house: Arc<House>) {
    let (out, mut letters) = mpsc::channel::<Queued>(QUEUE);
    let (mut sessions, mut deliveries) = (JoinSet::new(), JoinSet::new());
    loop {
        tokio::select! {
            accepted = listener.accept(), if sessions.len() < SESSIONS => {
                let Ok((tcp, _)) = accepted else {
                    // Out of descriptors, or the client was gone already: others may still come.
                    sleep(Duration::from_millis(5)).await;
                    continue;
                };
                let (house, out) = (Arc::clone(&house), out.clone());
                sessions.spawn(async move {
                    // A client that leaves in the middle, or says nothing, hands nothing over.
                    let _ = timeout(HANDED_OVER_WITHIN, intake::session(tcp, &house, &out)).await;
                });
            }
            Some((letter, place)) = letters.recv() => {
                deliveries.spawn(keep_trying(Arc::clone(&house), letter, place));
            }
            Some(_) = sessions.join_next() => {}
            Some(_) = deliveries.join_next() => {}
        }
    }
}

/// Until it is taken, refused for good, or too old.
async fn keep_trying(house: Arc<House>, letter: Letter, _place: OwnedSemaphorePermit) {
    let Retries { first, most, lifetime } = house.plan.retries;
    let given_up_at = Instant::now() + lifetime;
    let mut pause = first;
    loop {
        let to = letter.to.as_str();
        match timeout(TRIED_WITHIN, attempt(&house, &letter)).await {
            Ok(Ok(())) => return tracing::debug!(to, "delivered"),
            Ok(Err(Failed::Never(why))) => return tracing::debug!(to, why, "refused for good"),
            Ok(Err(Failed::Later(why))) => tracing::debug!(to, why, "deferred"),
            Err(_) => tracing::debug!(to, "deferred: the try took too long"),
        }
        if Instant::now() + pause >= given_up_at {
            return tracing::debug!(to, "given up");
        }
        sleep(pause).await;
        pause = pause.saturating_mul(2).min(most);
    }
}

async fn attempt(house: &House, letter: &Letter) -> Result<(), Failed> {
    let MtaPlan { ehlo, dns, port, .. } = &house.plan;
    let hops = route::hops(*dns, &letter.domain, *port).await?;
    Delivery { ehlo, trust: &house.trust, letter }.to_first_of(&hops).await
}

#[cfg(test)]
mod tests;
