//! One session with a canary, over any stream, from the greeting to its evidence.
//!
//! 1. The greeting, and the conversation in clear ([`super::receiver`]).
//! 2. Behind 220 to STARTTLS the ClientHello is read ahead and kept; then the personality shows ([`super::handshake`]).
//! 3. The conversation inside TLS.
//! 4. How it ended, and who ended it, is written down as it was seen.
//!
//! Invariant: not one octet goes out in clear between the 220 to STARTTLS and the handshake.
//! Invariant: the session ends in bounded time and memory, whatever comes.
//! Invariant: where we end it short of what there was to see, the ending says so.

use super::{
    CanaryLimits, Tokens,
    ending::ended,
    handshake::{Handshake, shake},
    line::{Heard, Line},
    message::{Dots, Message},
    patience::{Halt, Patience},
    receiver::{Receiver, StartTls, Step, Taken, reply},
    visit::{Caller, Over, Visit},
};
use crate::model::delivery::{CanaryEnding, CanarySession};
use crate::observe::clock::Clock;
use crate::wire::{
    name::Domain,
    smtp::{Command, Reply},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

/// What every session of a set of canaries shares.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) limits: CanaryLimits,
    pub(super) tokens: Tokens,
    pub(super) clock: Clock,
    pub(super) stop: CancellationToken,
}

/// What one session is to do.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) caller: Caller,
    pub(super) domains: Vec<Domain>,
    pub(super) handshake: Handshake,
}

/// Plays the part over `io` and tells what was seen.
pub(super) async fn attend<S>(io: S, part: Part, desk: Desk) -> CanarySession
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut visit = Visit::new(&part.caller, &desk.limits, desk.clock.now());
    let patience = Patience::new(&desk.limits, desk.stop.clone());
    let ending = converse(io, &part, &desk, &patience, &mut visit).await;
    visit.end(ending, desk.clock.now())
}

async fn converse<S>(
    io: S,
    part: &Part,
    desk: &Desk,
    patience: &Patience,
    visit: &mut Visit,
) -> CanaryEnding
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let starttls = match &part.handshake {
        Handshake::Hidden => StartTls::Hidden,
        Handshake::Refused => StartTls::Refused,
        Handshake::Breaks | Handshake::Legacy { .. } | Handshake::Shakes(_) => StartTls::Agreed,
    };
    let mut receiver = Receiver::new(
        part.caller.hostname.clone(),
        part.domains.clone(),
        starttls,
        desk.tokens.clone(),
        desk.limits,
    );
    let mut line = Line::new(io, &desk.limits, patience.clone());
    let greeting = receiver.greeting();
    if let Err(halt) = answer(&mut line, &greeting, visit).await {
        return part_from(&mut line, halt, Over::Clear, visit).await;
    }
    match dialogue(&mut line, &mut receiver, visit).await {
        Then::Over(ending) => ending,
        Then::StartTls => shake(line, &part.handshake, &mut receiver, visit, desk, patience).await,
    }
}

/// What follows a conversation.
#[derive(Debug)]
pub(super) enum Then {
    /// Nothing.
    Over(CanaryEnding),
    /// A handshake: 220 was said.
    StartTls,
}

/// Commands and answers until one side ends it, or TLS begins.
pub(super) async fn dialogue<S>(
    line: &mut Line<S>,
    receiver: &mut Receiver,
    visit: &mut Visit,
) -> Then
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match exchange(line, receiver, visit).await {
            Ok(None) => {}
            Ok(Some(then)) => return then,
            Err(halt) => {
                return Then::Over(part_from(line, halt, receiver.over(), visit).await);
            }
        }
    }
}

/// One command and what comes of it.
async fn exchange<S>(
    line: &mut Line<S>,
    receiver: &mut Receiver,
    visit: &mut Visit,
) -> Result<Option<Then>, Halt>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let step = match line.hear().await? {
        Heard::Line(octets) => {
            visit.client(&octets);
            receiver.hear(Command::parse(&octets), visit)
        }
        Heard::TooLong => receiver.hear_too_long(visit),
        Heard::End(unfinished) => {
            visit.overhear(&unfinished, receiver.over());
            return Ok(Some(Then::Over(CanaryEnding::Closed)));
        }
    };
    let said = match step {
        Step::Say(said) => said,
        Step::Ehlo(said) => {
            answer(line, &said, visit).await?;
            visit.session.ehlo_answered |= receiver.over() == Over::Clear;
            return Ok(None);
        }
        Step::Leave(said, ending) => {
            // Who leaves does not always wait for the answer.
            let _ = answer(line, &said, visit).await;
            line.close().await;
            return Ok(Some(Then::Over(ending)));
        }
        Step::StartTls(said) => return start_tls(line, &said, visit).await.map(Some),
        Step::Data(said) => {
            answer(line, &said, visit).await?;
            let Some(message) = message(line).await? else { return Ok(Some(closed(visit))) };
            receiver.end_message(message, visit)
        }
        Step::Chunk { octets, last, taken } => {
            if !chunk(line, receiver, octets, &taken).await? {
                return Ok(Some(closed(visit)));
            }
            match taken {
                Taken::No(refusal) => refusal,
                Taken::Yes if last => receiver.end_last_chunk(visit),
                Taken::Yes => receiver.end_chunk(),
            }
        }
    };
    answer(line, &said, visit).await.map(|()| None)
}

fn closed(visit: &mut Visit) -> Then {
    visit.note("the sender closed the connection within the message");
    Then::Over(CanaryEnding::Closed)
}

pub(super) async fn answer<S>(
    line: &mut Line<S>,
    said: &Reply,
    visit: &mut Visit,
) -> Result<(), Halt>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    line.say(said).await?;
    visit.server(said);
    Ok(())
}

/// RFC 3207 §6: what a man in the middle put behind STARTTLS must not be taken for the sender's. It is not even
/// tried: the session ends, and proves nothing.
async fn start_tls<S>(line: &mut Line<S>, said: &Reply, visit: &mut Visit) -> Result<Then, Halt>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if line.unread().is_empty() {
        answer(line, said, visit).await?;
        return Ok(Then::StartTls);
    }
    visit.overhear(line.unread(), Over::Clear);
    let refusal = reply(501, "5.5.4 Nothing may follow STARTTLS");
    visit.session.starttls = Some(refusal.code);
    answer(line, &refusal, visit).await?;
    line.close().await;
    Ok(Then::Over(CanaryEnding::Ours("something followed STARTTLS in clear".to_owned())))
}

/// A message behind DATA; none where the sender closes before its end.
async fn message<S>(line: &mut Line<S>) -> Result<Option<Message>, Halt>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut dots, mut message) = (Dots::default(), Message::default());
    loop {
        let taken = dots.take(line.unread(), &mut message);
        line.take(taken);
        if dots.is_over() {
            return Ok(Some(message));
        }
        if !line.more().await? {
            return Ok(None);
        }
    }
}

/// The octets behind BDAT, which are there whatever was answered (RFC 3030 §2); `false` where the sender closes.
async fn chunk<S>(
    line: &mut Line<S>,
    receiver: &mut Receiver,
    octets: u64,
    taken: &Taken,
) -> Result<bool, Halt>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut left = octets;
    while left > 0 {
        if line.unread().is_empty() && !line.more().await? {
            return Ok(false);
        }
        let here = line.take(usize::try_from(left).unwrap_or(usize::MAX));
        left = left.saturating_sub(here.len() as u64);
        match taken {
            Taken::Yes => receiver.take(&here),
            Taken::No(_) => {}
        }
    }
    Ok(true)
}

/// The conversation cannot go on.
async fn part_from<S>(line: &mut Line<S>, halt: Halt, over: Over, visit: &mut Visit) -> CanaryEnding
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let said = match halt {
        Halt::Failed(error) => {
            let has_quit = visit.overhear(line.unread(), over);
            return match ended(&error, visit) {
                // It left in words; that it did not wait is its own affair.
                CanaryEnding::Closed | CanaryEnding::Reset if has_quit => CanaryEnding::Quit,
                ending => ending,
            };
        }
        Halt::Silent | Halt::Overtime => reply(421, "4.4.2 Too slow"),
        Halt::Stopped => reply(421, "4.3.2 Shutting down"),
    };
    if line.farewell(&said).await {
        visit.server(&said);
    }
    halt.ending()
}
