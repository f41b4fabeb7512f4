//! The control socket: how commands ask the daemon that holds the state directory.
//!
//! 1. `control.sock` in the state directory, for its owner alone (0600).
//! 2. One request, a line of JSON; one reply, a line of JSON; then it is closed.
//!
//! Invariant: a request is bounded in octets and time, and whoever asks many at once waits.

use super::{
    alerts::{self, Alerts, MuteError},
    rota::{self, Ask},
    run::Speaker,
};
use crate::model::{
    order::Order,
    report::{self, PartnerReport, Report, Subjects, Tool},
    state::State,
};
use crate::observe::clock::Clock;
use crate::tell::message::time;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::{Semaphore, mpsc, oneshot},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// The socket in the state directory.
const FILE: &str = "control.sock";
/// Octets of one request.
const REQUEST: u64 = 64 << 10;
/// Octets of one reply.
const REPLY: u64 = 64 << 20;
/// How long a request may take to be said.
const SAID_WITHIN: Duration = Duration::from_secs(10);
/// Requests at once.
const REQUESTS: usize = 16;
/// Behind what an order may take: to be judged and told.
const A_LITTLE_MORE: Duration = Duration::from_secs(30);

/// What a command asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// What is to be done.
    pub order: Order,
    /// How a report is to be told: a format of the command line.
    pub format: String,
    /// Whether it is to be told at length.
    pub verbose: bool,
}

/// What the daemon replies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// What belongs on standard output.
    pub out: String,
    /// Why it could not be done; none where it was.
    pub refused: Option<String>,
    /// The exit code.
    pub code: u8,
}

/// How reports are told: the command line knows, and lies above this.
pub trait Teller: Send + Sync {
    /// A report in words, and the exit code.
    ///
    /// # Errors
    ///
    /// There is no such format.
    fn told(&self, report: &Report, request: &Request) -> Result<(String, u8), String>;
}

/// The daemon cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The socket.
    #[error("cannot use the control socket {}", path.display())]
    Socket {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// What came is no reply.
    #[error("the daemon's reply cannot be read; is it another version?")]
    Reply(#[source] serde_json::Error),
    /// It ended meanwhile.
    #[error("the daemon closed the connection without a reply; see its log")]
    Closed,
    /// It took too long.
    #[error("the daemon did not reply in time; see its log")]
    TimedOut,
}

/// What the socket leads to.
pub struct Desk {
    /// The loop.
    pub asks: mpsc::Sender<Ask>,
    /// The alerts.
    pub speaker: Speaker,
    /// How reports are told.
    pub teller: Arc<dyn Teller>,
    /// The clock.
    pub clock: Clock,
}

/// Listens in the state directory, which must be held.
///
/// # Errors
///
/// The socket cannot be made.
pub fn listen(state_dir: &Path) -> Result<UnixListener, ControlError> {
    let path = state_dir.join(FILE);
    let failed = |source| ControlError::Socket { path: path.clone(), source };
    // One that was left behind by a process that is no more: the state directory is ours.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&path).map_err(failed)?;
    fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

/// Serves until it is stopped.
pub async fn serve(listener: UnixListener, desk: Desk, stop: CancellationToken) {
    let desk = Arc::new(desk);
    let room = Arc::new(Semaphore::new(REQUESTS));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let Ok((stream, _)) = accepted else {
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (desk, stop) = (Arc::clone(&desk), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                served = one(stream, &desk) => {
                    if let Err(error) = served {
                        tracing::debug!(%error, "a control request came to nothing");
                    }
                }
                () = stop.cancelled() => {}
            }
            drop(place);
        });
    }
}

async fn one(stream: UnixStream, desk: &Desk) -> io::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut line = String::new();
    let mut reading = BufReader::new(reading).take(REQUEST);
    timeout(SAID_WITHIN, reading.read_line(&mut line)).await??;
    let reply = match serde_json::from_str::<Request>(&line) {
        Ok(request) => desk.obey(request).await,
        Err(error) => refused(format!("the request cannot be read: {error}")),
    };
    let mut reply = serde_json::to_vec(&reply)?;
    reply.push(b'\n');
    timeout(A_LITTLE_MORE, writing.write_all(&reply)).await??;
    writing.shutdown().await
}

fn done(out: String) -> Reply {
    Reply { out, refused: None, code: 0 }
}

/// What the configuration says beside what was asked for.
fn still_muted(alerts: &Alerts, partner: &str) -> String {
    let muted = alerts.muted();
    muted.get(partner).map_or_else(String::new, |muted| {
        let until = time(muted.until);
        format!("a [[mute]] of the configuration keeps it silent until {until}: {}\n", muted.why)
    })
}

fn refused(why: impl Into<String>) -> Reply {
    Reply { out: String::new(), refused: Some(why.into()), code: 2 }
}

impl Desk {
    async fn obey(&self, request: Request) -> Reply {
        match request.order.clone() {
            Order::AlertTest { channel } => self.test(channel.as_deref()).await,
            Order::Mute { partner, within, why } => self.mute(&partner, within, &why).await,
            Order::MuteEnd { partner } => self.unmute(&partner).await,
            Order::MuteList => self.muted(),
            Order::Probe { .. } => refused("a probe is asked for over HTTP: /probe"),
            Order::Verify { partners, claims, within } => {
                let order = rota::Order { partners, claims, within };
                self.verify(order, &request).await
            }
        }
    }

    async fn verify(&self, order: rota::Order, request: &Request) -> Reply {
        let started_at = self.clock.now();
        let (reply, told) = oneshot::channel();
        if self.asks.send(Ask::Verify { order, reply }).await.is_err() {
            return refused("the daemon is ending");
        }
        match told.await {
            Ok(Ok(partners)) => self.told(started_at, partners, request),
            Ok(Err(why)) => refused(why),
            Err(_) => refused("the daemon is ending"),
        }
    }

    fn told(&self, started_at: Timestamp, partners: Vec<PartnerReport>, by: &Request) -> Reply {
        let report = Report {
            format: report::FORMAT,
            tool: Tool::THIS,
            started_at,
            finished_at: self.clock.now(),
            subjects: Subjects::Partners,
            state: State::worst(partners.iter().map(|partner| partner.state)),
            partners,
        };
        match self.teller.told(&report, by) {
            Ok((out, code)) => Reply { out, refused: None, code },
            Err(why) => refused(why),
        }
    }

    async fn test(&self, channel: Option<&str>) -> Reply {
        let Some(alerts) = self.speaker.alerts() else {
            return refused("no channel is configured; write [[alert.channel]]");
        };
        let told = alerts.test(channel).await;
        let failed = told.iter().any(|(_, outcome)| outcome.is_err());
        Reply { out: alerts::in_words(&told), refused: None, code: u8::from(failed) }
    }

    async fn mute(&self, partner: &str, within: Duration, why: &str) -> Reply {
        let Some(alerts) = self.speaker.alerts() else {
            return refused("no channel is configured; there is nothing to mute");
        };
        let now = self.clock.now();
        let within = SignedDuration::try_from(within).unwrap_or(SignedDuration::MAX);
        let until = now.saturating_add(within).unwrap_or(Timestamp::MAX);
        match alerts.mute(partner, until, why).await {
            Ok(held) => {
                let instead = held.map(|held| format!(", in place of until {}", time(held.until)));
                let instead = instead.unwrap_or_default();
                let mut out = format!("{partner} is muted until {}{instead}\n", time(until));
                // The end that was asked for is not the end.
                if alerts.muted().get(partner).is_some_and(|muted| muted.until > until) {
                    out.push_str(&still_muted(&alerts, partner));
                }
                done(out)
            }
            Err(error) => refused(error.to_string()),
        }
    }

    async fn unmute(&self, partner: &str) -> Reply {
        let Some(alerts) = self.speaker.alerts() else {
            return refused("no channel is configured; nobody is muted");
        };
        match alerts.unmute(partner).await {
            Ok(held) => {
                let until = time(held.until);
                let out = format!("{partner} is not muted any more; it was until {until}\n");
                done(out + &still_muted(&alerts, partner))
            }
            Err(error @ MuteError::NotMuted(_)) => {
                let more = still_muted(&alerts, partner);
                refused(format!("{error}\n{more}").trim_end())
            }
            Err(error) => refused(error.to_string()),
        }
    }

    fn muted(&self) -> Reply {
        match self.speaker.alerts() {
            Some(alerts) => done(alerts::mutes_in_words(&alerts.muted())),
            None => refused("no channel is configured; nobody is muted"),
        }
    }
}

/// Asks the daemon that holds this state directory; none where no daemon does.
///
/// # Errors
///
/// There is one, and it does not reply.
pub async fn ask(state_dir: &Path, request: &Request) -> Result<Option<Reply>, ControlError> {
    let path = state_dir.join(FILE);
    let failed = |source| ControlError::Socket { path: path.clone(), source };
    let stream = match UnixStream::connect(&path).await {
        Ok(stream) => stream,
        Err(error) if is_nobody(&error) => return Ok(None),
        Err(source) => return Err(failed(source)),
    };
    let (reading, mut writing) = stream.into_split();
    let mut said = serde_json::to_vec(request).map_err(ControlError::Reply)?;
    said.push(b'\n');
    writing.write_all(&said).await.map_err(failed)?;
    let mut line = String::new();
    let mut reading = BufReader::new(reading).take(REPLY);
    let within = match &request.order {
        Order::Verify { within, .. } => within.saturating_add(A_LITTLE_MORE),
        Order::AlertTest { .. }
        | Order::Mute { .. }
        | Order::MuteEnd { .. }
        | Order::MuteList
        | Order::Probe { .. } => A_LITTLE_MORE * 4,
    };
    match timeout(within, reading.read_line(&mut line)).await {
        Err(_) => Err(ControlError::TimedOut),
        Ok(Err(source)) => Err(failed(source)),
        Ok(Ok(0)) => Err(ControlError::Closed),
        Ok(Ok(_)) => serde_json::from_str(&line).map(Some).map_err(ControlError::Reply),
    }
}

/// No socket, or one that nobody listens at any more.
fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}
