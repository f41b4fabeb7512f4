//! Over real TCP on loopback, by hand: what a client sends, and what comes back, octet by octet.

mod archive;
mod limits;
mod pages;
mod tls;

use super::*;
use crate::record::Record;
use crate::tell::metrics::Build;
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// Partners that are muted.
#[derive(Debug, Default)]
struct Mutes(BTreeMap<String, Muted>);

impl Silences for Mutes {
    fn muted(&self) -> BTreeMap<String, Muted> {
        self.0.clone()
    }
}

/// A web server, running, with everything a daemon would hold.
struct Running {
    address: SocketAddr,
    snapshot: watch::Sender<Arc<Snapshot>>,
    orders: mpsc::Receiver<Asked>,
    record: Record,
    state_dir: TempDir,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), WebError>>,
}

/// Orders that may wait.
const ORDERS: usize = 2;

async fn start(plan: WebPlan) -> Running {
    start_with(plan, Mutes::default()).await
}

async fn start_with(plan: WebPlan, mutes: Mutes) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let metrics = Metrics::new(Build { version: "0.1.0", revision: "" }).unwrap();
    let (snapshot, seen) = watch::channel(Arc::new(Snapshot::default()));
    let (sender, orders) = mpsc::channel(ORDERS);
    let state_dir = tempfile::tempdir().unwrap();
    let record = Record::open(state_dir.path()).unwrap();
    let shared = Shared {
        metrics: Arc::new(metrics),
        snapshot: seen,
        orders: sender,
        state_dir: state_dir.path().to_owned(),
        silences: Arc::new(mutes),
    };
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(serve(listener, plan, Arc::new(shared), shutdown.clone()));
    Running { address, snapshot, orders, record, state_dir, shutdown, task }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn get(&self, path: &str) -> Reply {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n")).await
    }

    /// Sends a head, to which the end is added here, and reads what comes until the server closes.
    async fn ask(&self, head: &str) -> Reply {
        exchange(self.connect().await, head).await
    }
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, head: &str) -> Reply {
    let request = format!("{head}connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    Reply::read(stream).await
}

/// An answer, as it came.
#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    async fn read(mut stream: impl AsyncRead + Unpin) -> Self {
        let mut text = Vec::new();
        // A server that closes what it has not read through resets the connection: what came before counts.
        let _ = stream.read_to_end(&mut text).await;
        let text = String::from_utf8(text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    #[track_caller]
    fn says(&self, field: &str) {
        assert!(self.head.lines().any(|line| line == field), "{field}\n{}", self.head);
    }
}

fn token(text: &str) -> Option<SecretString> {
    Some(SecretString::from(text.to_owned()))
}
