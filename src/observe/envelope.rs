//! One attempt to hand over mail: a session up to the envelope, or on to a message that says what it is.
//!
//! 1. In clear, or TLS with this version and certificate; EHLO.
//! 2. MAIL, RCPT, and where it was asked for DATA and a message ([RFC 5321 §3.3]).
//! 3. RSET and QUIT, whatever was answered; after 421 nothing more is said ([RFC 5321 §3.8]).
//!
//! Nothing is tried twice: a 450 is what we came to see.
//!
//! Invariant: all of it lies within one deadline, and what the server answered is kept however the session
//! ends.
//!
//! [RFC 5321 §3.3]: https://www.rfc-editor.org/rfc/rfc5321#section-3.3
//! [RFC 5321 §3.8]: https://www.rfc-editor.org/rfc/rfc5321#section-3.8

use super::{
    approach::{Approach, Arrival, Command, FAREWELL, Stage, farewell},
    dialogue::{Dialogue, Transcript},
    identity::ClientIdentity,
    starttls::{Prober, Try, end, out_of_time},
    tls::Versions,
};
use crate::model::{
    enforcement::Envelope,
    requirement::TlsVersion,
    session::{Ending, Endpoint, Phase, Session},
};
use crate::wire::{mailbox::Mailbox, smtp::Reply};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout, timeout_at},
};

/// How mail is handed over.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way<'a> {
    /// In clear, whatever is offered.
    Clear,
    /// Inside TLS.
    Tls {
        /// What is offered.
        versions: Versions,
        /// What is presented where the server asks.
        identity: Option<&'a ClientIdentity>,
    },
}

/// What is handed over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handover<'a> {
    pub(super) way: Way<'a>,
    /// None is `<>`.
    pub(super) mail_from: Option<&'a Mailbox>,
    pub(super) rcpt_to: &'a Mailbox,
    /// The message; without one the attempt ends at RCPT.
    pub(super) message: Option<&'a str>,
}

/// What was answered so far, and how the session ended once that is known.
#[derive(Debug, Default)]
pub(super) struct Answered {
    pub(super) envelope: Envelope,
    pub(super) ending: Option<Ending>,
}

impl Prober {
    /// One attempt.
    pub(super) async fn hand_over(
        &self,
        endpoint: &Endpoint,
        handover: Handover<'_>,
    ) -> (Session, Envelope) {
        let mut session = Session::new(endpoint.clone(), self.clock.now());
        let mut stage = Stage::new(Transcript::new(&self.plan.limits));
        let mut answered = Answered::default();
        let until = Instant::now() + self.plan.deadline;
        let talk = self.talk_mail(&mut session, &mut stage, &mut answered, handover, until);
        let talked = timeout_at(until, talk).await;
        // Whatever became of the farewell: how it ended was decided before.
        let ending = match (answered.ending, talked) {
            (Some(ending), _) => ending,
            (None, Ok(Ok(()))) => Ending::Quit,
            (None, Ok(Err(ending))) => ending,
            (None, Err(_)) => out_of_time(&session),
        };
        end(&mut session, ending);
        doubt_completion(&mut session);
        stage.finish(&mut session);
        (session, answered.envelope)
    }

    async fn talk_mail(
        &self,
        session: &mut Session,
        stage: &mut Stage,
        answered: &mut Answered,
        handover: Handover<'_>,
        until: Instant,
    ) -> Result<(), Ending> {
        match handover.way {
            Way::Clear => match self.arrive(session, stage, until).await? {
                Arrival::Greeted(mut smtp) => {
                    transact(&mut smtp, session, stage, answered, handover).await
                }
                Arrival::InTls(_) => Err(Ending::Internal(format!(
                    "on port {} TLS comes first: mail cannot be offered in clear",
                    session.endpoint.port
                ))),
            },
            Way::Tls { versions, identity } => {
                let approach = self.approach(session, stage, Command::Alone, until).await?;
                let Approach::Agreed(screen) = approach else { return Ok(()) };
                let attempt = Try { versions, identity, ..Try::by(until) };
                let mut smtp = self.shake(session, stage, screen, attempt).await?;
                transact(&mut smtp, session, stage, answered, handover).await
            }
        }
    }
}

/// The mail transaction and the farewell.
pub(super) async fn transact<S: AsyncRead + AsyncWrite + Unpin>(
    smtp: &mut Dialogue<S>,
    session: &mut Session,
    stage: &mut Stage,
    answered: &mut Answered,
    handover: Handover<'_>,
) -> Result<(), Ending> {
    let ending = match offer(smtp, session, stage, &mut answered.envelope, handover).await {
        Ok(()) => Ending::Quit,
        Err(ending) => ending,
    };
    let may_speak = match &ending {
        Ending::Quit => true,
        Ending::Refused(_, reply) => reply.code != 421,
        _ => false,
    };
    answered.ending = Some(ending);
    if may_speak {
        let _ = timeout(FAREWELL, smtp.ask("RSET", session.reached, &mut stage.log)).await;
        farewell(smtp, stage).await;
    }
    Ok(())
}

/// MAIL, RCPT and what follows; the first refusal ends it.
async fn offer<S: AsyncRead + AsyncWrite + Unpin>(
    smtp: &mut Dialogue<S>,
    session: &mut Session,
    stage: &mut Stage,
    envelope: &mut Envelope,
    handover: Handover<'_>,
) -> Result<(), Ending> {
    stage.enter(session, Phase::Mail);
    let sender = handover.mail_from.map(ToString::to_string).unwrap_or_default();
    let mail = smtp.ask(&format!("MAIL FROM:<{sender}>"), Phase::Mail, &mut stage.log).await?;
    check(Phase::Mail, envelope.mail.insert(mail), Reply::is_positive)?;
    stage.enter(session, Phase::Rcpt);
    let rcpt = format!("RCPT TO:<{}>", handover.rcpt_to);
    let rcpt = smtp.ask(&rcpt, Phase::Rcpt, &mut stage.log).await?;
    check(Phase::Rcpt, envelope.rcpt.insert(rcpt), Reply::is_positive)?;
    let Some(message) = handover.message else { return Ok(()) };
    stage.enter(session, Phase::Data);
    let data = smtp.ask("DATA", Phase::Data, &mut stage.log).await?;
    // RFC 5321 §3.3: 354 alone asks for the message.
    check(Phase::Data, envelope.data.insert(data), |reply| reply.code == 354)?;
    let taken = smtp.deliver(message, Phase::Data, &mut stage.log).await?;
    check(Phase::Data, envelope.message.insert(taken), Reply::is_positive)?;
    stage.enter(session, Phase::Accepted);
    Ok(())
}

/// A reply that lets us go on, or the ending.
fn check(phase: Phase, reply: &Reply, is_yes: impl Fn(&Reply) -> bool) -> Result<(), Ending> {
    if is_yes(reply) {
        return Ok(());
    }
    if reply.is_transient() || reply.is_permanent() {
        return Err(Ending::Refused(phase, reply.clone()));
    }
    Err(Ending::Protocol(phase, format!("answered {reply}")))
}

/// In TLS 1.3 the client is done before the server has seen its certificate: what the server thinks of it
/// shows only in what it says next (RFC 8446 §4.4.2.4). Where it said nothing, it has not finished.
fn doubt_completion(session: &mut Session) {
    let is_silent = matches!(session.reached, Phase::Handshake | Phase::EhloTls)
        && matches!(session.ending, Ending::Handshake(_) | Ending::Lost(..) | Ending::Deadline(_));
    // A reply to EHLO or a greeting came from inside TLS; the greeting counts on port 465 alone.
    let is_answered =
        session.ehlo_tls.is_some() || (session.ehlo.is_none() && session.banner.is_some());
    if let Some(tls) = &mut session.tls
        && tls.version == Some(TlsVersion::Tls13)
        && is_silent
        && !is_answered
    {
        tls.completed = false;
    }
}
