//! A DNS server for tests and the demo: answers from a map, on UDP and TCP, and fails where it is told to.
//!
//! 1. A [`Zone`] says what stands at each name; it may be exchanged while the server runs.
//! 2. [`LabDns`] answers from it: records, aliases followed inside the map, NODATA, NXDOMAIN with an SOA.
//! 3. Every question is counted, so that a test can tell an answer from memory.
//!
//! Invariant: it listens on loopback alone, and is gone when the value is dropped.

mod zone;

pub use hickory_server::proto::rr::RecordType;
pub use zone::{Failure, Zone};

use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::net::xfer::Protocol;
use hickory_server::proto::op::{Edns, Header, HeaderCounts, Metadata, ResponseCode};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io, time::Duration};
use tokio::net::{TcpListener, UdpSocket};
use zone::{Said, key, written};

/// A running DNS server. Dropping it stops it.
pub struct LabDns {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    _server: Server<Handler>,
}

#[derive(Default)]
struct State {
    zone: Zone,
    asked: HashMap<(String, RecordType), usize>,
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Nothing is half done when a panic elsewhere poisons it.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LabDns {
    /// Serves the zone on a free port of 127.0.0.1, the same for UDP and TCP.
    pub async fn start(zone: Zone) -> io::Result<Self> {
        let (tcp, udp) = listeners().await?;
        let address = udp.local_addr()?;
        let state = Arc::new(Mutex::new(State { zone, asked: HashMap::new() }));
        let mut server = Server::new(Handler { state: Arc::clone(&state) });
        server.register_socket(udp);
        server.register_listener(tcp, Duration::from_secs(30), 32);
        Ok(Self { address, state, _server: server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Puts another zone in place, from the next question on.
    pub fn set(&self, zone: Zone) {
        locked(&self.state).zone = zone;
    }

    /// How often this was asked, over UDP and TCP together.
    pub fn asked(&self, name: &str, record_type: RecordType) -> usize {
        locked(&self.state).asked.get(&(key(name), record_type)).copied().unwrap_or_default()
    }

    /// How many questions came in all.
    pub fn questions(&self) -> usize {
        locked(&self.state).asked.values().sum()
    }
}

impl fmt::Debug for LabDns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LabDns").field("address", &self.address).finish_non_exhaustive()
    }
}

async fn listeners() -> io::Result<(TcpListener, UdpSocket)> {
    // A port that is free for TCP may be taken for UDP.
    let mut tries = 0;
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        match UdpSocket::bind(tcp.local_addr()?).await {
            Ok(udp) => return Ok((tcp, udp)),
            Err(error) if tries >= 32 => return Err(error),
            Err(_) => tries += 1,
        }
    }
}

struct Handler {
    state: Arc<Mutex<State>>,
}

impl Handler {
    fn said(&self, request: &Request) -> Option<Said> {
        let info = request.request_info().ok()?;
        let name = written(info.query.name());
        let record_type = info.query.query_type();
        let mut state = locked(&self.state);
        *state.asked.entry((key(&name), record_type)).or_default() += 1;
        Some(state.zone.answer(&name, record_type))
    }

    async fn respond<R: ResponseHandler>(&self, request: &Request, mut to: R) -> ResponseInfo {
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.recursion_available = true;
        let mut said = self.said(request).unwrap_or_else(|| Said::code(ResponseCode::FormErr));
        metadata.response_code = said.code;
        let unsent = ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() });
        match said.failure {
            Some(Failure::Timeout) => return unsent,
            Some(Failure::Truncate) if request.protocol() == Protocol::Udp => {
                metadata.truncation = true;
                said.answers.clear();
            }
            Some(Failure::Refused | Failure::ServFail | Failure::Truncate) | None => {}
        }
        let mut edns = Edns::new();
        edns.set_max_payload(request.edns.as_ref().map_or(512, Edns::max_payload));
        let mut builder = MessageResponseBuilder::from_message_request(request);
        if request.edns.is_some() {
            builder.edns(&edns);
        }
        let response = builder.build(metadata, &said.answers, [], &said.soa, []);
        to.send_response(response).await.unwrap_or(unsent)
    }
}

impl RequestHandler for Handler {
    // Written out as the `async_trait` macro of the trait writes it: the one method is not worth the crate.
    fn handle_request<'life0, 'life1, 'async_trait, R, T>(
        &'life0 self,
        request: &'life1 Request,
        response_handle: R,
    ) -> Pin<Box<dyn Future<Output = ResponseInfo> + Send + 'async_trait>>
    where
        R: 'async_trait + ResponseHandler,
        T: 'async_trait + Time,
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(self.respond(request, response_handle))
    }
}
