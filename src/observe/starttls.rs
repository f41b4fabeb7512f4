//! One look at one endpoint: the SMTP dialogue up to TLS and back ([RFC 3207]).
//!
//! 1. Connect; wait for the 220, never speak first.
//! 2. EHLO with an honest name; HELO where EHLO is refused.
//! 3. STARTTLS where it is offered; bytes in clear behind its 220 are set aside.
//! 4. Handshake, whatever the certificate; EHLO again; QUIT.
//! 5. What is transient (4xx, a lost connection) is tried once more; a hello with a post-quantum key
//!    share that got no answer is tried once without it.
//!
//! Invariant: every wait lies within one deadline, and a peer's failure is a [`Session`], never an `Err`.
//!
//! [RFC 3207]: https://www.rfc-editor.org/rfc/rfc3207

use super::{
    clock::Clock,
    dialogue::{Dialogue, Transcript},
    screen::Screen,
    tls::{Hello as TlsHello, KeyShare, Shaken, Sni, TlsClient},
};
use crate::model::{
    limits::Limits,
    session::{
        ConnectFailure, Ehlo, Ending, Endpoint, HandshakeFailure, Hello, Lost, NotTried, Phase,
        Session, StartTls, Tls, WithoutSni,
    },
};
use crate::wire::{
    name::Host,
    smtp::{Capabilities, Reply},
};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, sleep, timeout, timeout_at},
};

/// How long a peer may take to answer QUIT; nothing depends on it.
const FAREWELL: Duration = Duration::from_secs(2);

/// How sessions are held.
#[derive(Debug, Clone)]
pub struct StartTlsPlan {
    /// How we introduce ourselves; without a name, by our address ([RFC 5321 §4.1.4]).
    ///
    /// [RFC 5321 §4.1.4]: https://www.rfc-editor.org/rfc/rfc5321#section-4.1.4
    pub ehlo: Option<Host>,
    /// All of one endpoint: tries, pauses and retries.
    pub deadline: Duration,
    /// Pause before a second try.
    pub retry_after: Duration,
    /// Bounds on what a peer may send.
    pub limits: Limits,
}

/// Looks at endpoints, one session after another.
#[derive(Debug, Clone)]
pub struct Prober {
    tls: TlsClient,
    clock: Clock,
    plan: StartTlsPlan,
}

/// Whether a session is begun in clear.
fn is_implicit(port: u16) -> bool {
    // RFC 8314 §3.3: on port 465 TLS comes first.
    port == 465
}

#[derive(Debug, Clone, Copy)]
struct Try {
    key_share: KeyShare,
    sni: Sni,
    until: Instant,
}

impl Prober {
    /// A prober; `tls` and `clock` are the process's own.
    pub fn new(tls: TlsClient, clock: Clock, plan: StartTlsPlan) -> Self {
        Self { tls, clock, plan }
    }

    /// The clock sessions are stamped with.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// One look, with at most one retry for what is transient.
    pub async fn look(&self, endpoint: &Endpoint) -> Session {
        let until = Instant::now() + self.plan.deadline;
        let first = Try { key_share: KeyShare::PostQuantum, sni: Sni::Sent, until };
        let session = self.session(endpoint, first).await;
        if is_silence_after_hello(&session) {
            return self.look_classical(session, first).await;
        }
        if !is_transient(&session.ending) || !self.pause(until, endpoint).await {
            return session;
        }
        let mut second = self.session(endpoint, first).await;
        second.earlier.push(in_words(&session));
        second
    }

    /// The certificate shown to those who send no SNI, as most real senders do.
    pub async fn look_without_sni(&self, endpoint: &Endpoint) -> WithoutSni {
        let until = Instant::now() + self.plan.deadline;
        let bare = Try { key_share: KeyShare::PostQuantum, sni: Sni::Withheld, until };
        let session = self.session(endpoint, bare).await;
        match session.tls {
            Some(tls) if !tls.chain.is_empty() => WithoutSni::Chain(tls.chain),
            _ if is_answer_to_hello(&session.ending) => WithoutSni::Failed(in_words(&session)),
            _ => WithoutSni::Unseen(in_words(&session)),
        }
    }

    /// After a hello with a post-quantum key share was met with a reset or silence: once without it.
    async fn look_classical(&self, failed: Session, first: Try) -> Session {
        if !self.pause(first.until, &failed.endpoint).await {
            return failed;
        }
        let classical = Try { key_share: KeyShare::Classical, ..first };
        let mut second = self.session(&failed.endpoint, classical).await;
        if second.tls.as_ref().is_some_and(|tls| tls.completed) {
            second.post_quantum_refused = Some(in_words(&failed));
        } else {
            second.earlier.push(in_words(&failed));
        }
        second
    }

    /// Waits before another try; false when the deadline leaves no room for one.
    async fn pause(&self, until: Instant, endpoint: &Endpoint) -> bool {
        // Politeness is for other people's servers.
        let pause =
            if endpoint.address.is_loopback() { Duration::ZERO } else { self.plan.retry_after };
        if Instant::now() + pause + Duration::from_millis(500) > until {
            return false;
        }
        sleep(pause).await;
        true
    }

    async fn session(&self, endpoint: &Endpoint, attempt: Try) -> Session {
        let mut session = Session::new(endpoint.clone(), self.clock.now());
        let mut stage = Stage::new(Transcript::new(&self.plan.limits));
        // A retry must fit behind a first try that got no answer at all.
        let share = attempt.until.saturating_duration_since(Instant::now()) / 2;
        let until = Instant::now() + share.max(Duration::from_secs(1));
        let until = until.min(attempt.until);
        let talk = self.talk(&mut session, &mut stage, Try { until, ..attempt });
        let ending = match timeout_at(until, talk).await {
            Ok(Ok(())) => Ending::Quit,
            Ok(Err(ending)) => ending,
            Err(_) => out_of_time(&session),
        };
        if matches!(ending, Ending::Deadline(Phase::Starttls)) || is_lost_at_starttls(&ending) {
            session.starttls = StartTls::Unanswered;
        }
        session.ending = ending;
        stage.finish(&mut session);
        session
    }

    async fn talk(
        &self,
        session: &mut Session,
        stage: &mut Stage,
        attempt: Try,
    ) -> Result<(), Ending> {
        let endpoint = session.endpoint.clone();
        let tcp = self.connect(&endpoint, attempt.until).await?;
        session.local_address = tcp.local_addr().ok().map(|local| local.ip());
        if is_implicit(endpoint.port) {
            session.starttls = StartTls::Implicit;
            return self
                .shake(
                    session,
                    stage,
                    Screen::new(tcp, Vec::new(), self.plan.limits.injected),
                    attempt,
                )
                .await;
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
            farewell(&mut smtp, stage).await;
            return Ok(());
        }
        stage.enter(session, Phase::Starttls);
        let reply = smtp.ask("STARTTLS", Phase::Starttls, &mut stage.log).await?;
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
        self.shake(session, stage, Screen::new(tcp, behind, self.plan.limits.injected), attempt)
            .await
    }

    async fn connect(&self, endpoint: &Endpoint, until: Instant) -> Result<TcpStream, Ending> {
        let address = SocketAddr::new(endpoint.address, endpoint.port);
        let patience = until.saturating_duration_since(Instant::now()) * 3 / 4;
        match timeout(patience, TcpStream::connect(address)).await {
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

    async fn shake(
        &self,
        session: &mut Session,
        stage: &mut Stage,
        screen: Screen<TcpStream>,
        attempt: Try,
    ) -> Result<(), Ending> {
        stage.enter(session, Phase::Handshake);
        let aside = screen.aside();
        let hello = TlsHello {
            host: session.endpoint.host.as_ref(),
            address: session.endpoint.address,
            key_share: attempt.key_share,
            sni: attempt.sni,
            chain_limit: self.plan.limits.chain,
        };
        // What was set aside is told even of a peer that then says nothing until the deadline.
        let patience = attempt.until.saturating_duration_since(Instant::now()) * 7 / 8;
        let shaken = timeout(patience, self.tls.shake(screen, hello)).await;
        session.injected = aside.injected();
        let Ok(shaken) = shaken else {
            return Err(Ending::Handshake(HandshakeFailure::TimedOut));
        };
        let (stream, tls) = match shaken {
            Shaken::Done(stream, tls) => (stream, tls),
            Shaken::Failed { failure, tls } => {
                session.tls = tls;
                stage.log.note(&failure.to_string());
                return Err(Ending::Handshake(failure));
            }
        };
        stage.log.note(&described(&tls));
        session.tls = Some(tls);
        let mut smtp = Dialogue::new(*stream, &self.plan.limits);
        if is_implicit(session.endpoint.port) {
            let banner = smtp.hear(Phase::EhloTls, &mut stage.log).await?;
            session.banner = Some(banner.clone());
            accept(&mut smtp, banner, Phase::EhloTls, stage).await?;
        }
        stage.enter(session, Phase::EhloTls);
        session.ehlo_tls =
            Some(self.greet(&mut smtp, &self.introduction(session), Phase::EhloTls, stage).await?);
        farewell(&mut smtp, stage).await;
        Ok(())
    }

    /// Our name, or the address we come from as a literal (RFC 5321 §4.1.3).
    fn introduction(&self, session: &Session) -> String {
        match (&self.plan.ehlo, session.local_address) {
            (Some(name), _) => name.to_string(),
            (None, Some(IpAddr::V4(address))) => format!("[{address}]"),
            (None, Some(IpAddr::V6(address))) => format!("[IPv6:{address}]"),
            (None, None) => "[127.0.0.1]".to_owned(),
        }
    }

    /// EHLO, or HELO where the server does not know EHLO.
    async fn greet<S>(
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
        // RFC 5321 §3.2: a client that meets 5xx to EHLO may try HELO. 554 is a refusal of us, not of EHLO.
        if !reply.is_permanent() || reply.code == 554 {
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
struct Stage {
    log: Transcript,
    entered: Instant,
}

impl Stage {
    fn new(log: Transcript) -> Self {
        Self { log, entered: Instant::now() }
    }

    fn enter(&mut self, session: &mut Session, phase: Phase) {
        self.close(session);
        session.reached = phase;
    }

    fn close(&mut self, session: &mut Session) {
        let spent = u64::try_from(self.entered.elapsed().as_millis()).unwrap_or(u64::MAX);
        session.spent_ms.push((session.reached, spent));
        self.entered = Instant::now();
    }

    fn finish(mut self, session: &mut Session) {
        self.close(session);
        session.transcript = self.log.into_lines();
    }
}

/// A greeting that lets us in, or the ending.
async fn accept<S>(
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

async fn farewell<S: AsyncRead + AsyncWrite + Unpin>(smtp: &mut Dialogue<S>, stage: &mut Stage) {
    // The phase of a farewell is nobody's business: all was seen before it.
    let _ = timeout(FAREWELL, smtp.ask("QUIT", Phase::Ehlo, &mut stage.log)).await;
}

fn described(tls: &Tls) -> String {
    let version = tls.version.map_or_else(|| "TLS".to_owned(), |version| version.to_string());
    let suite = tls.cipher_suite.as_deref().unwrap_or("unknown suite");
    let group = tls.group.as_deref().unwrap_or("no group");
    format!("{version} {suite} {group}, {} certificates", tls.chain.len())
}

/// The deadline passed: where we were says what that means.
fn out_of_time(session: &Session) -> Ending {
    match session.reached {
        Phase::Handshake => Ending::Handshake(HandshakeFailure::TimedOut),
        phase => Ending::Deadline(phase),
    }
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

/// A reset, a close or silence where the ServerHello should come: what a middlebox does to a hello too large for it.
fn is_silence_after_hello(session: &Session) -> bool {
    session.tls.is_none()
        && session.injected.is_none()
        && matches!(
            session.ending,
            Ending::Handshake(HandshakeFailure::Lost(_) | HandshakeFailure::TimedOut)
        )
}

/// Whether the server answered the hello, if only to refuse it; a 421 or a lost connection answers nothing.
fn is_answer_to_hello(ending: &Ending) -> bool {
    match ending {
        Ending::Handshake(HandshakeFailure::Lost(_) | HandshakeFailure::TimedOut) => false,
        ending => matches!(ending, Ending::Handshake(_)),
    }
}

fn is_lost_at_starttls(ending: &Ending) -> bool {
    matches!(ending, Ending::Lost(Phase::Starttls, _))
}

/// Whether the same may end otherwise in a moment.
fn is_transient(ending: &Ending) -> bool {
    match ending {
        Ending::Refused(Phase::Connect | Phase::Ehlo | Phase::Starttls, reply) => {
            reply.is_transient()
        }
        Ending::Lost(Phase::Connect | Phase::Ehlo | Phase::Starttls, Lost::Eof | Lost::Reset)
        | Ending::Connect(ConnectFailure::TimedOut(_)) => true,
        _ => false,
    }
}

/// A session's ending in a few words, for the record of earlier tries.
pub(super) fn in_words(session: &Session) -> String {
    match &session.ending {
        Ending::Connect(
            ConnectFailure::Other(detail)
            | ConnectFailure::Refused(detail)
            | ConnectFailure::TimedOut(detail),
        ) => format!("no connection: {detail}"),
        Ending::Deadline(phase) => format!("out of time at {phase}"),
        Ending::Handshake(failure) => failure.to_string(),
        Ending::Internal(detail) => format!("internal error: {detail}"),
        Ending::Lost(phase, how) => format!("connection {how} at {phase}"),
        Ending::NotTried(_) => "not tried".to_owned(),
        Ending::Protocol(phase, detail) | Ending::TooMuchData(phase, detail) => {
            format!("at {phase}: {detail}")
        }
        Ending::Quit => "all was seen".to_owned(),
        Ending::Refused(phase, reply) => format!("at {phase}: {reply}"),
    }
}
