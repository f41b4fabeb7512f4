//! What comes behind the 220 to STARTTLS: where most personalities show.
//!
//! 1. The ClientHello is read whole and kept, whatever comes of it.
//! 2. `starttls-broken` answers it with a fatal alert. `legacy-tls` answers it with a version that was given up. All
//!    others shake hands as good receivers do.
//! 3. Where our alert ends it at the defect, the sender is left to close, and what else it does is seen.
//! 4. Inside TLS the conversation goes on, and is read to its end: a sender may turn a certificate down after the
//!    handshake seems done.
//!
//! Invariant: a handshake counts as completed only once the sender's Finished was checked.

use super::{
    ending::ended,
    legacy::LegacyStream,
    line::Line,
    patience::{Halt, Patience},
    receiver::Receiver,
    session::{Desk, Then, dialogue},
    tap::{Sent, Tap},
    tls::TlsSide,
    visit::{Over, Visit},
};
use crate::model::{
    canary::{Acting, Personality},
    delivery::CanaryEnding,
    requirement::TlsVersion,
    session::{Der, Phase},
};
use crate::observe::tls::{group_name, suite_name};
use crate::wire::{
    hello::{self, ClientHello, HelloError, RUSTLS_TLS12},
    legacy_tls::LegacyIdentity,
    text,
};
use rustls::ProtocolVersion;
use std::{io, sync::Arc};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// What a canary does about TLS.
#[derive(Debug, Clone)]
pub(super) enum Handshake {
    /// Agrees, and answers the hello with an alert.
    Breaks,
    /// Does not offer it.
    Hidden,
    /// Speaks versions below the lowest only.
    Legacy {
        /// TLS 1.0 and 1.1.
        old: Arc<LegacyIdentity>,
        /// TLS 1.2, where that is below the lowest as well.
        newer: Option<TlsSide>,
    },
    /// Offers it, and answers 454.
    Refused,
    /// Shakes hands.
    Shakes(TlsSide),
}

/// Octets that are looked at of what a sender says behind our alert.
const AFTERMATH: usize = 16 << 10;
/// handshake_failure, fatal, in a record of TLS 1.2 (RFC 5246 §7.2).
const HANDSHAKE_FAILURE: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];

/// Everything from the 220 on.
pub(super) async fn shake<S>(
    mut line: Line<S>,
    handshake: &Handshake,
    receiver: &mut Receiver,
    visit: &mut Visit,
    desk: &Desk,
    patience: &Patience,
) -> CanaryEnding
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let hello = match read_hello(&mut line).await {
        Ok(Some(hello)) => hello,
        Ok(None) => {
            let has_quit = visit.overhear(line.unread(), Over::Clear);
            visit.note("the connection was closed where a ClientHello should have come");
            return if has_quit { CanaryEnding::Quit } else { CanaryEnding::Closed };
        }
        Err(halt) => return halted(halt, visit),
    };
    match &hello {
        Ok(hello) => {
            visit.reach(Phase::Handshake);
            visit.note(&format!("ClientHello {}", hello.ja4()));
            visit.session.client_hello = Some(hello.clone());
            visit.tls();
        }
        Err(why) => visit.note(&format!("behind STARTTLS came {why}")),
    }
    if line.unread().first().is_some_and(|first| is_text(*first)) {
        visit.overhear(line.unread(), Over::Clear);
        return CanaryEnding::Ours("what came behind STARTTLS is no TLS".to_owned());
    }
    match handshake {
        Handshake::Breaks => breaks(line, visit).await,
        Handshake::Hidden | Handshake::Refused => {
            CanaryEnding::Ours("no handshake was agreed to".to_owned())
        }
        Handshake::Legacy { old, newer } => {
            let newer = newer.as_ref().filter(|_| hello.is_ok_and(|hello| is_for_tls12(&hello)));
            match newer {
                Some(side) => modern(line, side, receiver, visit, desk, patience).await,
                None => legacy(line, old, receiver, visit, desk, patience).await,
            }
        }
        Handshake::Shakes(side) => modern(line, side, receiver, visit, desk, patience).await,
    }
}

/// A record of TLS begins with 20 to 23, a hello in the form of SSL 2.0 with 0x80 and above.
fn is_text(octet: u8) -> bool {
    matches!(octet, b'\t' | b'\n' | b'\r' | 0x20..=0x7e)
}

/// Whether TLS 1.2 as we speak it would be agreed on, with our RSA key.
fn is_for_tls12(hello: &ClientHello) -> bool {
    hello.is_offering(TlsVersion::Tls12)
        && RUSTLS_TLS12
            .iter()
            .filter(|suite| hello::suite_name(**suite).contains("_ECDHE_RSA_"))
            .any(|suite| hello.suites.contains(suite))
}

/// The hello, or what is wrong with it; none where the sender closes before its end.
async fn read_hello<S>(line: &mut Line<S>) -> Result<Option<Result<ClientHello, HelloError>>, Halt>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut read = None;
    loop {
        // Read again only where a record more is whole: a sender that drips octets costs no more than another.
        let (records, _) = whole_records(line.unread(), |_| true);
        if !line.unread().is_empty() && read != Some(records) {
            read = Some(records);
            match ClientHello::parse_records(line.unread()) {
                Err(HelloError::Incomplete) => {}
                hello => return Ok(Some(hello)),
            }
        }
        if !line.more().await? {
            return Ok(None);
        }
    }
}

/// The records of this kind that stand whole at the beginning, and their octets.
fn whole_records(octets: &[u8], is_wanted: impl Fn(u8) -> bool) -> (usize, usize) {
    let (mut rest, mut count) = (octets, 0);
    while let Some(([kind, _, _, high, low], behind)) = rest.split_first_chunk::<5>() {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(behind) = behind.get(length..).filter(|_| is_wanted(*kind)) else { break };
        (rest, count) = (behind, count + 1);
    }
    (count, octets.len() - rest.len())
}

/// `starttls-broken`: one fatal alert, and the sender closes, or does not.
async fn breaks<S>(mut line: Line<S>, visit: &mut Visit) -> CanaryEnding
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // An alert instead of a hello stays where the aftermath finds it.
    if visit.session.client_hello.is_some() {
        // What came behind the hello is for the aftermath as well.
        let (_, octets) = whole_records(line.unread(), |kind| kind == 22);
        line.take(octets);
        if let Err(halt) = line.write(&HANDSHAKE_FAILURE).await {
            return halted(halt, visit);
        }
        visit.tls().our_alert = Some(hello::alert_name(40).into_owned());
        visit.note("we sent the TLS alert handshake_failure");
    }
    aftermath(line, visit).await
}

/// What a sender does once we have sent our alert: it is left to close.
async fn aftermath<S>(mut line: Line<S>, visit: &mut Visit) -> CanaryEnding
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let ending = loop {
        if line.unread().len() > AFTERMATH {
            break CanaryEnding::Ours("the sender goes on behind our alert".to_owned());
        }
        match line.more().await {
            Ok(true) => {}
            Ok(false) => break CanaryEnding::Closed,
            Err(halt) => break halted(halt, visit),
        }
    };
    let mut rest = line.unread();
    while let Some(([21, 3, _, 0, 2, level, description], behind)) = rest.split_first_chunk::<7>() {
        let alert = hello::Alert { level: *level, description: *description };
        visit.note(&format!("the sender sent the TLS alert {alert}"));
        if alert.level == 2 {
            visit.tls().their_alert = Some(alert.name().into_owned());
        }
        rest = behind;
    }
    let has_quit = match rest.first() {
        Some(first) if is_text(*first) => visit.overhear(rest, Over::Clear),
        Some(_) => {
            visit.note(&format!("the sender sent `{}`", text::printable_within(rest, 100)));
            false
        }
        None => false,
    };
    let has_alerted = visit.session.tls.as_ref().is_some_and(|tls| tls.their_alert.is_some());
    match ending {
        CanaryEnding::Closed | CanaryEnding::Reset if has_quit => CanaryEnding::Quit,
        // It said that it leaves before it did.
        CanaryEnding::Reset if has_alerted => CanaryEnding::Closed,
        ending => ending,
    }
}

/// No conversation to end: nothing may be said in clear.
fn halted(halt: Halt, visit: &mut Visit) -> CanaryEnding {
    match halt {
        Halt::Failed(error) => ended(&error, visit),
        Halt::Overtime | Halt::Silent | Halt::Stopped => halt.ending(),
    }
}

/// TLS 1.2 and 1.3, by the library.
async fn modern<S>(
    line: Line<S>,
    side: &TlsSide,
    receiver: &mut Receiver,
    visit: &mut Visit,
    desk: &Desk,
    patience: &Patience,
) -> CanaryEnding
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (io, ahead) = line.into_parts();
    let sent = Sent::default();
    let (config, sender) = match side.config() {
        Ok(made) => made,
        Err(error) => return CanaryEnding::Ours(format!("TLS cannot be set up: {error}")),
    };
    let accepting = TlsAcceptor::from(config).accept(Tap::new(io, ahead, sent.clone()));
    let accepted = patience.until(accepting.into_fallible()).await;
    tell(&sent, sender.chain(), visit);
    match accepted {
        Ok(Ok(stream)) => {
            completed(&stream, visit);
            let mut line = Line::new(stream, &desk.limits, patience.clone());
            inside(&mut line, receiver, visit).await
        }
        Ok(Err((error, tap))) => {
            let line = Line::new(tap.into_inner(), &desk.limits, patience.clone());
            failed(&error, line, visit).await
        }
        Err(halt) => halted(halt, visit),
    }
}

/// What is known of a handshake whether or not it was finished.
fn tell(sent: &Sent, client_chain: Vec<Der>, visit: &mut Visit) {
    if visit.session.tls.is_none() && sent.hello().is_none() && sent.alert().is_none() {
        return;
    }
    let tls = visit.tls();
    tls.client_chain = client_chain;
    tls.our_alert = sent.alert().map(|alert| alert.name().into_owned());
    if let Some(hello) = sent.hello() {
        tls.server_hello_sent = true;
        tls.version = hello.version;
        tls.cipher_suite = hello.suite.map(hello::suite_name);
        tls.group = hello.group.map(hello::group_name);
    }
}

fn completed<S>(stream: &TlsStream<S>, visit: &mut Visit) {
    let (_, connection) = stream.get_ref();
    let tls = visit.tls();
    tls.version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => Some(TlsVersion::Tls13),
        Some(ProtocolVersion::TLSv1_2) => Some(TlsVersion::Tls12),
        _ => tls.version,
    };
    tls.cipher_suite = connection.negotiated_cipher_suite().map(|s| suite_name(s.suite()));
    tls.group = connection.negotiated_key_exchange_group().map(|group| group_name(group.name()));
    tls.completed = true;
    announce(visit);
}

fn announce(visit: &mut Visit) {
    let tls = visit.tls();
    let version = tls.version.map_or_else(String::new, |version| version.to_string());
    let words = format!("TLS: {version} {}", tls.cipher_suite.as_deref().unwrap_or_default());
    visit.note(&words);
}

/// The conversation goes on inside TLS.
async fn inside<S>(line: &mut Line<S>, receiver: &mut Receiver, visit: &mut Visit) -> CanaryEnding
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    receiver.secure();
    match dialogue(line, receiver, visit).await {
        Then::Over(ending) => ending,
        Then::StartTls => CanaryEnding::Ours("STARTTLS inside TLS".to_owned()),
    }
}

/// The library gave up.
async fn failed<S>(error: &io::Error, mut line: Line<S>, visit: &mut Visit) -> CanaryEnding
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let ending = ended(error, visit);
    let alert = visit.session.tls.as_ref().and_then(|tls| tls.our_alert.as_deref());
    if alert.is_some_and(is_about_what_is_offered) {
        let after = aftermath(line, visit).await;
        // With any other personality it was we who could not: no defect was seen.
        if visit.session.personality == Personality::LegacyTls
            && visit.session.acting == Acting::AsItself
        {
            return after;
        }
    } else {
        line.close().await;
    }
    ending
}

/// Alerts that say that there is no version or suite in common, and nothing about the rest of a handshake.
fn is_about_what_is_offered(alert: &str) -> bool {
    matches!(alert, "handshake_failure" | "protocol_version")
}

/// TLS 1.0 and 1.1, by hand.
async fn legacy<S>(
    line: Line<S>,
    identity: &Arc<LegacyIdentity>,
    receiver: &mut Receiver,
    visit: &mut Visit,
    desk: &Desk,
    patience: &Patience,
) -> CanaryEnding
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (io, ahead) = line.into_parts();
    let tap = Tap::new(io, ahead, Sent::default());
    let mut stream = LegacyStream::new(tap, Arc::clone(identity));
    let shaken = patience.until(stream.shake()).await;
    visit.session.tls = Some(stream.seen());
    let is_finished = visit.tls().completed;
    let our_alert = visit.tls().our_alert.clone();
    match shaken {
        Err(halt) => halted(halt, visit),
        Ok(Err(error)) => ended(&error, visit),
        Ok(Ok(())) if is_finished => {
            announce(visit);
            let mut line = Line::new(stream, &desk.limits, patience.clone());
            let ending = inside(&mut line, receiver, visit).await;
            // What came after the handshake, an alert above all.
            visit.session.tls = Some(line.into_parts().0.seen());
            ending
        }
        Ok(Ok(())) => match our_alert {
            Some(alert) if is_about_what_is_offered(&alert) => {
                let io = stream.into_inner().into_inner();
                aftermath(Line::new(io, &desk.limits, patience.clone()), visit).await
            }
            Some(alert) => CanaryEnding::Ours(format!("we sent the TLS alert {alert}")),
            None => CanaryEnding::Closed,
        },
    }
}
