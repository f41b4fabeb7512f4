//! One hand-made hello in one session: the approach, the hello, and what the server says in clear.
//!
//! 1. A session up to the point at which TLS may begin, as every other.
//! 2. The hello, in one write; the server's part is read until it ends, or time does.
//! 3. The connection is closed: after a hello there is nobody to say QUIT to.
//!
//! Invariant: a server takes an offer only if it chose from it and its part came to the end
//! ([RFC 5246 §7.4.5]); everything else is a refusal or unclear.
//!
//! [RFC 5246 §7.4.5]: https://www.rfc-editor.org/rfc/rfc5246#section-7.4.5

use super::{
    approach::{Approach, Command, Stage},
    dialogue::Transcript,
    screen::Screen,
    starttls::{self, Prober, half_way},
};
use crate::model::{
    deep::HelloOutcome,
    session::{Der, Ending, Endpoint, Phase, SeenBy, Session, Tls},
};
use crate::wire::{
    hello::{Flight, FlightLimits, FlightReader, Fresh, Offer, TlsVersion, group_name, suite_name},
    text::printable_within,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{Instant, timeout_at},
};

/// What came of one hello.
#[derive(Debug)]
pub(super) enum Answer {
    /// The server's part came to its end.
    Whole(Flight),
    /// It did not: what came of it, and why no more.
    Cut(Flight, String),
    /// The hello was not sent, in words.
    Unsent(String),
}

/// One session with a hand-made hello.
#[derive(Debug)]
pub(super) struct HelloSession {
    pub(super) answer: Answer,
    pub(super) session: Session,
}

impl Prober {
    /// Opens a session and sends the hello.
    pub(super) async fn ask(
        &self,
        endpoint: &Endpoint,
        offer: &Offer,
        until: Instant,
    ) -> HelloSession {
        let mut session = Session::new(endpoint.clone(), self.clock.now());
        let mut stage = Stage::new(Transcript::new(&self.plan.limits));
        let until = half_way(until);
        let approach = self.approach(&mut session, &mut stage, Command::Alone, until);
        let answer = match timeout_at(until, approach).await {
            Ok(Ok(Approach::Agreed(screen))) => {
                stage.enter(&mut session, Phase::Handshake);
                let limits = FlightLimits::around(self.plan.limits.chain);
                exchange(screen, offer, limits, until).await
            }
            Ok(Ok(Approach::NotOffered)) => Answer::Unsent("STARTTLS was not offered".to_owned()),
            Ok(Err(ending)) => {
                session.ending = ending;
                Answer::Unsent(starttls::in_words(&session))
            }
            Err(_) => {
                session.ending = Ending::Deadline(session.reached);
                Answer::Unsent(starttls::in_words(&session))
            }
        };
        stage.log.note(&format!("a hand-made hello: {}", answer.in_words()));
        stage.finish(&mut session);
        HelloSession { answer, session }
    }
}

impl Answer {
    /// What the server made of `offer`; with [`Version::Any`] an older version than offered will do too.
    pub(super) fn outcome(&self, offer: &Offer, version: Version) -> HelloOutcome {
        let flight = match self {
            Self::Unsent(why) => return HelloOutcome::Unsent(why.clone()),
            // The peer may have closed behind an alert.
            Self::Cut(flight, why) if flight.alert.is_none() => {
                return HelloOutcome::Unclear(why.clone());
            }
            Self::Cut(flight, _) | Self::Whole(flight) => flight,
        };
        let is_older = is_taken(flight, offer) && !flight.is_accepting(offer);
        match (flight.alert, flight.version) {
            _ if flight.is_accepting(offer) => HelloOutcome::Accepted(seen(flight)),
            (_, Some(older)) if is_older => match version {
                Version::Any => HelloOutcome::Accepted(seen(flight)),
                Version::Offered => HelloOutcome::Older(older),
            },
            (Some(alert), _) => HelloOutcome::Refused(alert.name().into_owned()),
            (None, _) => HelloOutcome::Unclear(format!("{}, which was not offered", seen(flight))),
        }
    }

    /// What came of the server's part.
    pub(super) fn flight(&self) -> Option<&Flight> {
        match self {
            Self::Whole(flight) | Self::Cut(flight, _) => Some(flight),
            Self::Unsent(_) => None,
        }
    }

    /// In words, whatever was offered.
    fn in_words(&self) -> String {
        match self {
            Self::Unsent(why) => format!("not sent: {why}"),
            Self::Cut(flight, why) => format!("{}; {why}", seen(flight)),
            Self::Whole(flight) => seen(flight),
        }
    }
}

/// Which version counts as an answer to an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// The one offered, or one older than it.
    Any,
    /// The highest one offered.
    Offered,
}

/// Whether the server chose from the offer, at whatever version, and came to the end of its part.
pub(super) fn is_taken(flight: &Flight, offer: &Offer) -> bool {
    flight.is_within(offer) && (flight.done || flight.version == Some(TlsVersion::Tls13))
}

/// What a flight shows, as evidence. No key was proved by it.
pub(super) fn tls_of(flight: &Flight) -> Tls {
    Tls {
        seen_by: SeenBy::Hello,
        version: flight.version,
        cipher_suite: flight.suite.map(suite_name),
        group: flight.group.map(group_name),
        dh_bits: flight.dh_bits,
        chain: flight.certificates.iter().cloned().map(Der).collect(),
        ocsp: flight.ocsp.clone().map(Der),
        client_certificate_requested: flight.client_certificate_requested,
        key_proved: false,
        completed: false,
    }
}

/// A flight in words.
fn seen(flight: &Flight) -> String {
    let mut words: Vec<String> = flight.negotiated().iter().map(ToString::to_string).collect();
    words.extend(flight.dh_bits.map(|bits| format!("a prime of {bits} bits")));
    words.extend(flight.alert.map(|alert| format!("alert {alert}")));
    if words.is_empty() { "no ServerHello".to_owned() } else { words.join(", ") }
}

/// Sends the hello and reads what follows.
async fn exchange<S>(
    mut screen: Screen<S>,
    offer: &Offer,
    limits: FlightLimits,
    until: Instant,
) -> Answer
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(fresh) = fresh() else {
        return Answer::Unsent("this machine gives no random bytes".to_owned());
    };
    let mut reader = FlightReader::new(limits);
    let hello = offer.to_records(&fresh);
    let send = async {
        screen.write_all(&hello).await?;
        screen.flush().await
    };
    match timeout_at(until, send).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Answer::Cut(Flight::default(), error.to_string()),
        Err(_) => return Answer::Cut(Flight::default(), "the hello could not be sent".to_owned()),
    }
    let answer = read(&mut screen, &mut reader, until).await;
    // Whatever the server makes of it: all was seen.
    let _ = timeout_at(until, screen.shutdown()).await;
    answer
}

async fn read<S>(screen: &mut Screen<S>, reader: &mut FlightReader, until: Instant) -> Answer
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut chunk = Vec::with_capacity(4 << 10);
    loop {
        chunk.clear();
        let why = match timeout_at(until, screen.read_buf(&mut chunk)).await {
            Ok(Ok(0)) => match reader.unfinished() {
                Some(partial) => format!("the server closed within a record: {partial}"),
                None => "the server closed without an end to its answer".to_owned(),
            },
            Ok(Ok(_)) => match reader.take_from(&mut chunk.as_slice()) {
                Ok(Some(flight)) => return Answer::Whole(flight),
                Ok(None) => continue,
                Err(error) => error.to_string(),
            },
            Ok(Err(error)) => match screen.refused() {
                Some(start) => format!("the server sent bytes that are no TLS: `{start}`"),
                None => printable_within(error.to_string().as_bytes(), 200),
            },
            Err(_) => "no end to the server's answer in time".to_owned(),
        };
        return Answer::Cut(reader.so_far().clone(), why);
    }
}

/// What differs from hello to hello. RFC 5246 §7.4.1.2 asks for a secure generator; nothing rests on it here.
fn fresh() -> Option<Fresh> {
    let mut fresh = Fresh { random: [0; 32], session_id: [0; 32], key_share: [0; 32] };
    for part in [&mut fresh.random, &mut fresh.session_id, &mut fresh.key_share] {
        aws_lc_rs::rand::fill(part).ok()?;
    }
    Some(fresh)
}
