//! From the connection to the 220 that agrees to TLS: the way every session with a mail server begins ([RFC 3207 §4]).
//!
//! 1. Connect; wait for the 220, never speak first.
//! 2. EHLO with an honest name; HELO where EHLO is refused.
//! 3. STARTTLS where it is offered; bytes in clear behind its 220 are set aside.
//!
//! Invariant: what was said so far is in the session and its transcript, however it ends.
//!
//! [RFC 3207 §4]: https://www.rfc-editor.org/rfc/rfc3207#section-4

use super::{
    dialogue::{Dialogue, Transcript},
    screen::Screen,
    starttls::{Opening, Prober},
};
use crate::model::session::{
    ConnectFailure, Ehlo, Ending, Endpoint, Hello, NotTried, Phase, Session, StartTls,
};
use crate::wire::smtp::{Capabilities, Reply};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpSocket, TcpStream},
    time::{Instant, timeout},
};

/// How long a peer may take to answer QUIT; nothing depends on it.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);

/// Where the approach led.
pub(super) enum Approach {
    /// TLS may begin.
    Agreed(Screen<TcpStream>),
    /// STARTTLS is not offered; we took leave.
    NotOffered,
}

/// How a session began.
pub(super) enum Arrival {
    /// The server has answered EHLO in clear.
    Greeted(Dialogue<TcpStream>),
    /// On this port TLS comes first.
    InTls(TcpStream),
}

/// How TLS is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    /// STARTTLS, and nothing before its answer.
    Alone,
    /// With a NOOP in the same write, to see whether it is forgotten (RFC 3207 §4.2).
    WithNoop,
}

impl Command {
    fn as_line(self) -> &'static str {
        match self {
            Self::Alone => "STARTTLS",
            Self::WithNoop => "STARTTLS\r\nNOOP",
        }
    }
}

impl Prober {
    /// Whether TLS comes first.
    pub(super) fn is_implicit(&self, port: u16) -> bool {
        match self.plan.opening {
            // RFC 8314 §3.3: on port 465 TLS comes first.
            Opening::ByPort => port == 465,
            Opening::Clear => false,
            Opening::Tls => true,
        }
    }

    /// Up to the point at which a ClientHello may be sent.
    pub(super) async fn approach(
        &self,
        session: &mut Session,
        stage: &mut Stage,
        command: Command,
        until: Instant,
    ) -> Result<Approach, Ending> {
        let injected = self.plan.limits.injected;
        let mut smtp = match self.arrive(session, stage, until).await? {
            Arrival::Greeted(smtp) => smtp,
            Arrival::InTls(tcp) => {
                return Ok(Approach::Agreed(Screen::new(tcp, Vec::new(), injected)));
            }
        };
        if session.starttls == StartTls::NotOffered {
            farewell(&mut smtp, stage).await;
            return Ok(Approach::NotOffered);
        }
        Ok(Approach::Agreed(self.agree(smtp, session, stage, command).await?))
    }

    /// STARTTLS, and the 220 that agrees to it.
    pub(super) async fn agree(
        &self,
        mut smtp: Dialogue<TcpStream>,
        session: &mut Session,
        stage: &mut Stage,
        command: Command,
    ) -> Result<Screen<TcpStream>, Ending> {
        stage.enter(session, Phase::Starttls);
        let reply = smtp.ask(command.as_line(), Phase::Starttls, &mut stage.log).await?;
        // RFC 3207 §4: 220 alone agrees.
        if reply.code != 220 {
            session.starttls = StartTls::Refused(reply.clone());
            if reply.code != 421 {
                farewell(&mut smtp, stage).await;
            }
            return Err(Ending::Refused(Phase::Starttls, reply));
        }
        session.starttls = StartTls::Agreed(reply);
        let (tcp, behind) = smtp.into_parts();
        Ok(Screen::new(tcp, behind, self.plan.limits.injected))
    }

    /// Up to the reply to EHLO in clear, or to the connection where TLS comes first.
    pub(super) async fn arrive(
        &self,
        session: &mut Session,
        stage: &mut Stage,
        until: Instant,
    ) -> Result<Arrival, Ending> {
        let endpoint = session.endpoint.clone();
        let tcp = self.connect(&endpoint, until).await?;
        session.local_address = tcp.local_addr().ok().map(|local| local.ip());
        if self.is_implicit(endpoint.port) {
            session.starttls = StartTls::Implicit;
            return Ok(Arrival::InTls(tcp));
        }
        let mut smtp = Dialogue::new(tcp, &self.plan.limits);
        let banner = smtp.hear(Phase::Connect, &mut stage.log).await?;
        session.banner = Some(banner.clone());
        accept(&mut smtp, banner, Phase::Connect, stage).await?;
        stage.enter(session, Phase::Ehlo);
        let ehlo = self.greet(&mut smtp, &self.introduction(session), Phase::Ehlo, stage).await?;
        let offered = ehlo.capabilities.has("STARTTLS");
        // RFC 5321 §4.3.2: 250 alone answers EHLO. A second 220 is half a greeting, and lacks nothing.
        if !offered && ehlo.reply.code != 250 {
            let detail = format!("{:?} answered {}", ehlo.command, ehlo.reply);
            return Err(Ending::Protocol(Phase::Ehlo, detail));
        }
        session.ehlo = Some(ehlo);
        if !offered {
            session.starttls = StartTls::NotOffered;
        }
        Ok(Arrival::Greeted(smtp))
    }

    async fn connect(&self, endpoint: &Endpoint, until: Instant) -> Result<TcpStream, Ending> {
        let address = SocketAddr::new(endpoint.address, endpoint.port);
        let patience = until.saturating_duration_since(Instant::now()) * 3 / 4;
        let tcp = match self.source {
            Some(source) => timeout(patience, bound(source)?.connect(address)).await,
            None => timeout(patience, TcpStream::connect(address)).await,
        };
        match tcp {
            Ok(Ok(tcp)) => {
                // No command waits for a delayed acknowledgement. Failing to say so costs 40 ms, nothing else.
                let _ = tcp.set_nodelay(true);
                Ok(tcp)
            }
            Ok(Err(error)) => Err(no_connection(&error)),
            Err(_) => {
                let detail = format!("no answer within {} s", patience.as_secs_f32().round());
                Err(Ending::Connect(ConnectFailure::TimedOut(detail)))
            }
        }
    }

    /// Our name, or the address we come from as a literal (RFC 5321 §4.1.3).
    pub(super) fn introduction(&self, session: &Session) -> String {
        match (&self.plan.ehlo, session.local_address) {
            (Some(name), _) => name.to_string(),
            (None, Some(IpAddr::V4(address))) => format!("[{address}]"),
            (None, Some(IpAddr::V6(address))) => format!("[IPv6:{address}]"),
            (None, None) => "[127.0.0.1]".to_owned(),
        }
    }

    /// EHLO, or HELO where the server does not know EHLO.
    pub(super) async fn greet<S>(
        &self,
        smtp: &mut Dialogue<S>,
        ours: &str,
        phase: Phase,
        stage: &mut Stage,
    ) -> Result<Ehlo, Ending>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let ehlo = format!("EHLO {ours}");
        let reply = smtp.ask(&ehlo, phase, &mut stage.log).await?;
        if reply.is_positive() {
            let capabilities = Capabilities::of(&reply);
            return Ok(Ehlo { command: Hello::Ehlo, reply, capabilities });
        }
        // RFC 5321 §3.2: HELO is for servers that do not know EHLO; any other refusal is of us.
        if !matches!(reply.code, 500 | 502 | 504) {
            return Err(refused(smtp, phase, reply, stage).await);
        }
        let helo = format!("HELO {ours}");
        let second = smtp.ask(&helo, phase, &mut stage.log).await?;
        if second.is_positive() {
            let capabilities = Capabilities::default();
            return Ok(Ehlo { command: Hello::Helo, reply: second, capabilities });
        }
        Err(refused(smtp, phase, second, stage).await)
    }
}

/// Where a session stands: its transcript and how long each phase took.
pub(super) struct Stage {
    pub(super) log: Transcript,
    entered: Instant,
}

impl Stage {
    pub(super) fn new(log: Transcript) -> Self {
        Self { log, entered: Instant::now() }
    }

    pub(super) fn enter(&mut self, session: &mut Session, phase: Phase) {
        self.close(session);
        session.reached = phase;
    }

    fn close(&mut self, session: &mut Session) {
        let spent = u64::try_from(self.entered.elapsed().as_millis()).unwrap_or(u64::MAX);
        session.spent_ms.push((session.reached, spent));
        self.entered = Instant::now();
    }

    pub(super) fn finish(mut self, session: &mut Session) {
        self.close(session);
        session.transcript = self.log.into_lines();
    }
}

/// A greeting that lets us in, or the ending.
pub(super) async fn accept<S>(
    smtp: &mut Dialogue<S>,
    banner: Reply,
    phase: Phase,
    stage: &mut Stage,
) -> Result<(), Ending>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if banner.code == 220 {
        return Ok(());
    }
    Err(refused(smtp, phase, banner, stage).await)
}

/// Takes leave of a server that refused, unless it has already gone (421), and says how it ended.
async fn refused<S>(smtp: &mut Dialogue<S>, phase: Phase, reply: Reply, stage: &mut Stage) -> Ending
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // RFC 5321 §3.1: after 554 the client should still send QUIT; after 421 the server closes (§3.8).
    if reply.code != 421 {
        farewell(smtp, stage).await;
    }
    Ending::Refused(phase, reply)
}

pub(super) async fn farewell<S: AsyncRead + AsyncWrite + Unpin>(
    smtp: &mut Dialogue<S>,
    stage: &mut Stage,
) {
    // The phase of a farewell is nobody's business: all was seen before it.
    let _ = timeout(FAREWELL, smtp.ask("QUIT", Phase::Ehlo, &mut stage.log)).await;
}

/// A socket that goes out from this address. That it cannot be had is this host's doing.
fn bound(source: IpAddr) -> Result<TcpSocket, Ending> {
    let socket = match source {
        IpAddr::V4(_) => TcpSocket::new_v4(),
        IpAddr::V6(_) => TcpSocket::new_v6(),
    };
    let bind = |socket: TcpSocket| socket.bind(SocketAddr::new(source, 0)).map(|()| socket);
    socket.and_then(bind).map_err(|error| {
        Ending::Internal(format!("this host cannot send from its address {source}: {error}"))
    })
}

fn no_connection(error: &io::Error) -> Ending {
    let detail = error.to_string();
    // EMFILE, ENFILE: out of descriptors. EACCES, EPERM: this host's own firewall. Neither is the peer's doing.
    if matches!(error.raw_os_error(), Some(1 | 13 | 23 | 24)) {
        return Ending::Internal(format!("this host could not connect: {detail}"));
    }
    match error.kind() {
        // ENETUNREACH, EADDRNOTAVAIL, EAFNOSUPPORT: this host has no way there.
        io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::Unsupported => Ending::NotTried(NotTried::FamilyUnavailable(detail)),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => {
            Ending::Connect(ConnectFailure::Refused(detail))
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::TimedOut => {
            Ending::Connect(ConnectFailure::TimedOut(detail))
        }
        _ if error.raw_os_error() == Some(97) => {
            // EAFNOSUPPORT has no kind of its own on Linux.
            Ending::NotTried(NotTried::FamilyUnavailable(detail))
        }
        _ => Ending::Connect(ConnectFailure::Other(detail)),
    }
}
