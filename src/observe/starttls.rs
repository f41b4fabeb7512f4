//! One look at one endpoint: the SMTP dialogue up to TLS and back ([RFC 3207]).
//!
//! 1. Up to the 220 that agrees to TLS, as every session (`approach`).
//! 2. Handshake, whatever the certificate; EHLO again; QUIT.
//! 3. What is transient (4xx, a lost connection) is tried once more; a hello with a post-quantum key
//!    share that got no answer is tried once without it.
//! 4. A handshake that failed in a way that may be only the TLS library's limits is followed by
//!    hand-made hellos (`legacy`).
//!
//! Invariant: every wait lies within one deadline, and a peer's failure is a [`Session`], never an `Err`.
//!
//! [RFC 3207]: https://www.rfc-editor.org/rfc/rfc3207

use super::{
    approach::{Approach, Command, Stage, accept, farewell},
    clock::Clock,
    dialogue::{Dialogue, Transcript},
    identity::ClientIdentity,
    legacy,
    screen::Screen,
    tls::{Hello as TlsHello, KeyShare, Presented, Shaken, Sni, TlsClient, Versions},
};
use crate::model::{
    limits::Limits,
    session::{
        ConnectFailure, Ending, Endpoint, HandshakeFailure, Lost, Phase, Session, StartTls, Tls,
        WithoutSni,
    },
};
use crate::wire::name::Host;
use std::{net::IpAddr, time::Duration};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_rustls::client::TlsStream;

/// How a session begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Opening {
    /// With TLS on port 465, in clear elsewhere.
    #[default]
    ByPort,
    /// In clear.
    Clear,
    /// With TLS.
    Tls,
}

/// How sessions are held.
#[derive(Debug, Clone)]
pub struct StartTlsPlan {
    /// How we introduce ourselves; without a name, by our address ([RFC 5321 §4.1.4]).
    ///
    /// [RFC 5321 §4.1.4]: https://www.rfc-editor.org/rfc/rfc5321#section-4.1.4
    pub ehlo: Option<Host>,
    /// All of one endpoint: tries, pauses and retries.
    pub deadline: Duration,
    /// What comes first.
    pub opening: Opening,
    /// Pause before a second try.
    pub retry_after: Duration,
    /// Bounds on what a peer may send.
    pub limits: Limits,
}

/// Looks at endpoints, one session after another.
#[derive(Debug, Clone)]
pub struct Prober {
    pub(super) tls: TlsClient,
    pub(super) clock: Clock,
    pub(super) plan: StartTlsPlan,
    /// The local address sessions go out from; without one, the system's choice.
    pub(super) source: Option<IpAddr>,
}

/// One try at TLS, and how it is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Try<'a> {
    pub(super) key_share: KeyShare,
    pub(super) versions: Versions,
    pub(super) sni: Sni,
    pub(super) identity: Option<&'a ClientIdentity>,
    pub(super) until: Instant,
}

impl Try<'_> {
    /// With everything the TLS library has.
    pub(super) fn by(until: Instant) -> Self {
        let (key_share, versions) = (KeyShare::PostQuantum, Versions::All);
        Self { key_share, versions, sni: Sni::Sent, identity: None, until }
    }
}

impl Prober {
    /// A prober; `tls` and `clock` are the process's own.
    pub fn new(tls: TlsClient, clock: Clock, plan: StartTlsPlan) -> Self {
        Self { tls, clock, plan, source: None }
    }

    /// The same, with sessions that go out from this local address.
    pub fn bound_to(&self, source: Option<IpAddr>) -> Self {
        Self { source, ..self.clone() }
    }

    /// The clock sessions are stamped with.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// One look: a handshake, and hand-made hellos where it failed as only the TLS library may.
    pub async fn look(&self, endpoint: &Endpoint) -> Session {
        let until = Instant::now() + self.plan.deadline;
        let mut session = self.look_by_handshake(endpoint, until).await;
        if legacy::may_be_our_limits(&session) {
            // Boxed, as all that is rare: every look would carry the room for it.
            Box::pin(self.look_by_hello(&mut session, until)).await;
        }
        session
    }

    /// With at most one retry for what is transient.
    async fn look_by_handshake(&self, endpoint: &Endpoint, until: Instant) -> Session {
        let first = Try::by(until);
        let session = self.session(endpoint, first).await;
        if is_silence_after_hello(&session) {
            return Box::pin(self.look_classical(session, first)).await;
        }
        let pause = self.plan.retry_after;
        if !is_transient(&session.ending) || !self.pause(pause, until, endpoint).await {
            return session;
        }
        let mut second = self.session(endpoint, first).await;
        second.earlier.push(in_words(&session));
        second
    }

    /// The certificate shown to those who send no SNI, as most real senders do; looked at in the way
    /// in which `seen` saw the one with SNI; none where no hello was answered.
    pub async fn look_without_sni(&self, seen: &Session) -> Option<WithoutSni> {
        let until = Instant::now() + self.plan.deadline;
        if let Some(offer) = legacy::accepted(seen) {
            return self.ask_without_sni(&seen.endpoint, offer, until).await;
        }
        let bare = Try { sni: Sni::Withheld, ..Try::by(until) };
        let session = self.session(&seen.endpoint, bare).await;
        match session.tls {
            Some(tls) if !tls.chain.is_empty() => Some(WithoutSni::Chain(tls.chain)),
            // A 421, a lost connection or silence says nothing of SNI.
            _ if !is_answer_to_hello(&session.ending) => None,
            _ => Some(WithoutSni::Failed(in_words(&session))),
        }
    }

    /// After a hello with a post-quantum key share was met with a reset or silence: once without it, and
    /// where that went well once more with it.
    async fn look_classical(&self, failed: Session, first: Try<'_>) -> Session {
        if !self.pause(self.plan.retry_after, first.until, &failed.endpoint).await {
            return failed;
        }
        let classical = Try { key_share: KeyShare::Classical, ..first };
        let mut second = self.session(&failed.endpoint, classical).await;
        if !second.has_completed_tls() {
            second.earlier.push(in_words(&failed));
            return second;
        }
        // A reset may be chance: the key share is to blame only where it fails again.
        if self.pause(self.plan.retry_after, first.until, &failed.endpoint).await {
            let mut third = self.session(&failed.endpoint, first).await;
            if third.has_completed_tls() {
                third.earlier.push(in_words(&failed));
                return third;
            }
        }
        second.post_quantum_refused = Some(in_words(&failed));
        second
    }

    /// Waits before another try; false when the deadline leaves no room for one.
    pub(super) async fn pause(&self, pause: Duration, until: Instant, endpoint: &Endpoint) -> bool {
        // Politeness is for other people's servers.
        let pause = if endpoint.address.is_loopback() { Duration::ZERO } else { pause };
        if Instant::now() + pause + Duration::from_millis(500) > until {
            return false;
        }
        sleep(pause).await;
        true
    }

    async fn session(&self, endpoint: &Endpoint, attempt: Try<'_>) -> Session {
        let mut session = Session::new(endpoint.clone(), self.clock.now());
        let mut stage = Stage::new(Transcript::new(&self.plan.limits));
        let until = half_way(attempt.until);
        let talk = self.talk(&mut session, &mut stage, Try { until, ..attempt });
        let ending = match timeout_at(until, talk).await {
            Ok(Ok(())) => Ending::Quit,
            Ok(Err(ending)) => ending,
            Err(_) => out_of_time(&session),
        };
        end(&mut session, ending);
        stage.finish(&mut session);
        session
    }

    async fn talk(
        &self,
        session: &mut Session,
        stage: &mut Stage,
        attempt: Try<'_>,
    ) -> Result<(), Ending> {
        match self.approach(session, stage, Command::Alone, attempt.until).await? {
            Approach::Agreed(screen) => {
                let mut smtp = self.shake(session, stage, screen, attempt).await?;
                farewell(&mut smtp, stage).await;
                Ok(())
            }
            Approach::NotOffered => Ok(()),
        }
    }

    /// The handshake, and EHLO inside TLS.
    pub(super) async fn shake(
        &self,
        session: &mut Session,
        stage: &mut Stage,
        screen: Screen<TcpStream>,
        attempt: Try<'_>,
    ) -> Result<InTls, Ending> {
        stage.enter(session, Phase::Handshake);
        let aside = screen.aside();
        let hello = TlsHello {
            host: session.endpoint.host.as_ref(),
            address: session.endpoint.address,
            key_share: attempt.key_share,
            versions: attempt.versions,
            sni: attempt.sni,
            identity: attempt.identity,
            chain_limit: self.plan.limits.chain,
        };
        // What was set aside is told even of a peer that then says nothing until the deadline.
        let patience = attempt.until.saturating_duration_since(Instant::now()) * 7 / 8;
        let shaken = timeout(patience, self.tls.shake(screen, hello)).await;
        session.injected = aside.injected();
        let Ok(shaken) = shaken else {
            return Err(Ending::Handshake(HandshakeFailure::TimedOut));
        };
        let (stream, tls, presented) = match shaken {
            Shaken::Done(stream, tls, presented) => (stream, tls, presented),
            Shaken::Failed { failure, tls } => {
                session.tls = tls;
                stage.log.note(&failure.to_string());
                return Err(Ending::Handshake(failure));
            }
        };
        stage.log.note(&described(&tls));
        if attempt.identity.is_some() {
            stage.log.note(of_ours(&tls, presented));
        }
        session.tls = Some(tls);
        let mut smtp = Dialogue::new(*stream, &self.plan.limits);
        if self.is_implicit(session.endpoint.port) {
            let banner = smtp.hear(Phase::EhloTls, &mut stage.log).await?;
            session.banner = Some(banner.clone());
            accept(&mut smtp, banner, Phase::EhloTls, stage).await?;
        }
        stage.enter(session, Phase::EhloTls);
        session.ehlo_tls =
            Some(self.greet(&mut smtp, &self.introduction(session), Phase::EhloTls, stage).await?);
        Ok(smtp)
    }
}

/// A conversation inside TLS.
pub(super) type InTls = Dialogue<TlsStream<Screen<TcpStream>>>;

/// What became of the certificate we hold.
fn of_ours(tls: &Tls, presented: Presented) -> &'static str {
    match (presented, tls.client_certificate_requested) {
        (Presented::Ours, _) => "our client certificate was presented",
        (Presented::Nothing, true) => {
            "the server asked for a client certificate; ours fits none of the signatures it takes"
        }
        (Presented::Nothing, false) => "the server did not ask for a client certificate",
    }
}

/// Writes down how a session ended, and what that says of STARTTLS.
pub(super) fn end(session: &mut Session, ending: Ending) {
    if matches!(ending, Ending::Deadline(Phase::Starttls)) || is_lost_at_starttls(&ending) {
        session.starttls = StartTls::Unanswered;
    }
    session.ending = ending;
}

fn described(tls: &Tls) -> String {
    let version = tls.version.map_or_else(|| "TLS".to_owned(), |version| version.to_string());
    let suite = tls.cipher_suite.as_deref().unwrap_or("unknown suite");
    let group = tls.group.as_deref().unwrap_or("no group");
    format!("{version} {suite} {group}, {} certificates", tls.chain.len())
}

/// A retry must fit behind a first try that got no answer at all.
pub(super) fn half_way(until: Instant) -> Instant {
    let share = until.saturating_duration_since(Instant::now()) / 2;
    (Instant::now() + share.max(Duration::from_secs(1))).min(until)
}

/// The deadline passed: where we were says what that means.
pub(super) fn out_of_time(session: &Session) -> Ending {
    match session.reached {
        Phase::Handshake => Ending::Handshake(HandshakeFailure::TimedOut),
        phase => Ending::Deadline(phase),
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
