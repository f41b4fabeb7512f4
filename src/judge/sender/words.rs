//! A session in words.

use crate::model::{
    canary::Personality,
    delivery::{CanaryEnding, CanarySession, CanaryTls},
    session::Phase,
};

/// Who came: the address, and the name it introduced itself with.
pub(super) fn who(session: &CanarySession) -> String {
    let address = session.peer.ip().to_canonical();
    match &session.ehlo {
        Some(ehlo) => format!("{address} as {ehlo}"),
        None => address.to_string(),
    }
}

/// How a session ended, and where.
pub(super) fn ended(session: &CanarySession) -> String {
    let place = place(session);
    let alert = session.tls.as_ref().and_then(|tls| tls.their_alert.as_ref());
    match (&session.ending, alert) {
        (CanaryEnding::Ours(why), _) => format!("we ended it {place}: {why}"),
        (_, Some(alert)) => format!("the sender sent the alert {alert} {place}"),
        (CanaryEnding::Closed, None) => format!("the sender closed the connection {place}"),
        (CanaryEnding::Quit, None) => format!("the sender said QUIT {place}"),
        (CanaryEnding::Reset, None) => format!("the sender reset the connection {place}"),
        (CanaryEnding::TimedOut, None) => format!("the sender fell silent {place}"),
    }
}

fn place(session: &CanarySession) -> String {
    let sent = session.tls.as_ref().and_then(|tls| tls.our_alert.as_ref());
    match (session.reached, &session.tls) {
        (Phase::Accepted, _) => "after the message was taken".into(),
        (Phase::Connect, _) => "before EHLO".into(),
        (Phase::Ehlo, _) => "after EHLO".into(),
        (Phase::Starttls, _) => match session.starttls {
            Some(code) => format!("after STARTTLS, which was answered {code}"),
            None => "after STARTTLS".into(),
        },
        (Phase::Handshake, Some(tls)) if tls.completed => {
            format!("after the handshake{}", version(tls))
        }
        (Phase::Handshake, _) => match sent {
            Some(alert) => format!("after our alert {alert}"),
            None if is_answered(session) => "after our ServerHello".into(),
            None => "in the handshake".into(),
        },
        (Phase::EhloTls, _) => "after EHLO in TLS".into(),
        (Phase::Mail | Phase::Rcpt | Phase::Data, _) => {
            let transport = if session.is_mail_in_clear { "in clear" } else { "in TLS" };
            format!("after {} {transport}", session.reached.as_str().to_uppercase())
        }
    }
}

fn is_answered(session: &CanarySession) -> bool {
    session.tls.as_ref().is_some_and(|tls| tls.server_hello_sent)
}

fn version(tls: &CanaryTls) -> String {
    tls.version.map(|version| format!(" ({version})")).unwrap_or_default()
}

/// What a canary has in place of what it should have.
pub(super) fn defect(personality: Personality) -> &'static str {
    match personality {
        Personality::DaneMismatch => "a certificate that none of the TLSA records match",
        Personality::Expired => "an expired certificate",
        Personality::Good => "nothing wrong",
        Personality::LegacyTls => "versions below the lowest alone",
        Personality::NoStarttls => "no STARTTLS",
        Personality::SelfSigned => "a self-signed certificate",
        Personality::StarttlsBroken => "a handshake that fails",
        Personality::StarttlsRefused => "STARTTLS that is refused",
        Personality::UnknownCa => "a certificate of an unknown CA",
        Personality::WrongName => "a certificate for another name",
    }
}
