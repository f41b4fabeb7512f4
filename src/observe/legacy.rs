//! After a handshake that failed as only the TLS library may have failed: what does the server speak?
//!
//! 1. TLS 1.2 with the suites the library lacks; then TLS 1.1, 1.0 and SSL 3.0 at most. One session
//!    each, politely apart, until one is taken. A server that answers with an older version than
//!    was offered is asked for that one next.
//! 2. Where all of that was refused: every suite and curve up to TLS 1.3, and last those without a
//!    certificate, so that "nothing in common" is never said of a server that others can talk to.
//! 3. What the server showed becomes the session's [`Tls`]; how the handshake ended stays.
//!
//! Invariant: all of it lies within the endpoint's deadline, and every hello is in the evidence.
//!
//! [`Tls`]: crate::model::session::Tls

use super::{
    hello::{HelloSession, Version, is_taken, tls_of},
    starttls::Prober,
};
use crate::model::{
    deep::{HelloOffer, HelloOutcome, HelloTried},
    session::{Der, Ending, Endpoint, HandshakeFailure, SeenBy, Session, WithoutSni},
};
use crate::wire::{
    hello::{Offer, TlsVersion, Weakness},
    name::Host,
};
use tokio::time::Instant;

/// The hellos of the first round, in the order in which they are tried.
const FIRST_ROUND: [HelloOffer; 4] = [
    HelloOffer::OtherSuites,
    HelloOffer::Legacy(TlsVersion::Tls11),
    HelloOffer::Legacy(TlsVersion::Tls10),
    HelloOffer::Legacy(TlsVersion::Ssl3),
];

/// Before anybody says that nothing is shared.
const LAST_ROUND: [HelloOffer; 2] = [HelloOffer::Everything, HelloOffer::Anonymous];

/// Whether a failed handshake may be due to what the TLS library does not speak.
pub(super) fn may_be_our_limits(session: &Session) -> bool {
    // Once a certificate was seen the library and the server did understand each other. Bytes in
    // clear before a failure are judged for what they are.
    if session.tls.is_some() || session.injected.is_some() {
        return false;
    }
    match &session.ending {
        Ending::Handshake(HandshakeFailure::Alert(name)) => matches!(
            name.as_str(),
            "decode_error"
                | "handshake_failure"
                | "illegal_parameter"
                | "insufficient_security"
                // OpenSSL, where its own settings leave no version.
                | "internal_error"
                | "missing_extension"
                | "protocol_version"
                | "unsupported_extension"
        ),
        Ending::Handshake(
            HandshakeFailure::Protocol(_)
            | HandshakeFailure::Unsupported(_)
            | HandshakeFailure::VersionTooOld(_),
        ) => true,
        Ending::Handshake(
            HandshakeFailure::Lost(_) | HandshakeFailure::NotTls(_) | HandshakeFailure::TimedOut,
        )
        | Ending::Connect(_)
        | Ending::Deadline(_)
        | Ending::Internal(_)
        | Ending::Lost(..)
        | Ending::NotTried(_)
        | Ending::Protocol(..)
        | Ending::Quit
        | Ending::Refused(..)
        | Ending::TooMuchData(..) => false,
    }
}

/// The offer by which the server's TLS was seen, where a hand-made hello saw it.
pub(super) fn accepted(session: &Session) -> Option<HelloOffer> {
    session.tls.as_ref().filter(|tls| tls.seen_by == SeenBy::Hello)?;
    let taken = |tried: &&HelloTried| matches!(tried.outcome, HelloOutcome::Accepted(_));
    session.hellos.iter().find(taken).map(|tried| tried.offered)
}

pub(super) fn offer_of(offered: HelloOffer, host: Option<Host>) -> Offer {
    let offer = match offered {
        HelloOffer::OtherSuites => Offer::not_rustls(),
        HelloOffer::Legacy(version) => Offer::up_to(version),
        HelloOffer::Everything => Offer::up_to(TlsVersion::Tls13),
        HelloOffer::Anonymous => Offer::weak(Weakness::Anonymous, TlsVersion::Tls12),
    };
    offer.to_host(host)
}

/// Which version an offer must be answered with: where another hello asks for the older ones, its own.
fn version_of(offered: HelloOffer) -> Version {
    match offered {
        HelloOffer::Legacy(_) | HelloOffer::OtherSuites => Version::Offered,
        HelloOffer::Anonymous | HelloOffer::Everything => Version::Any,
    }
}

impl Prober {
    /// Looks at the endpoint of a failed handshake with hand-made hellos.
    pub(super) async fn look_by_hello(&self, session: &mut Session, until: Instant) {
        let mut next = Some(HelloOffer::OtherSuites);
        while let Some(offered) = next {
            next = match self.try_hello(session, offered, until).await {
                HelloOutcome::Accepted(_) => return,
                HelloOutcome::Older(version) => Some(HelloOffer::Legacy(version)),
                HelloOutcome::Refused(_) | HelloOutcome::Unclear(_) => {
                    FIRST_ROUND.into_iter().skip_while(|first| *first != offered).nth(1)
                }
                // A server that no longer talks to us is left alone.
                HelloOutcome::Unsent(_) => return,
            };
            // A server may point back to what it has refused.
            if next.is_some_and(|next| session.hellos.iter().any(|tried| tried.offered == next)) {
                break;
            }
        }
        let refused = |tried: &HelloTried| matches!(tried.outcome, HelloOutcome::Refused(_));
        if !session.hellos.first().is_some_and(refused) {
            return;
        }
        for offered in LAST_ROUND {
            let outcome = self.try_hello(session, offered, until).await;
            if !matches!(outcome, HelloOutcome::Refused(_)) {
                return;
            }
        }
    }

    /// One hello, written down.
    async fn try_hello(
        &self,
        session: &mut Session,
        offered: HelloOffer,
        until: Instant,
    ) -> HelloOutcome {
        let pause = self.plan.limits.pause_per_address;
        if !self.pause(pause, until, &session.endpoint).await {
            let outcome = HelloOutcome::Unsent("the deadline left no room for it".to_owned());
            session.hellos.push(HelloTried { offered, outcome: outcome.clone() });
            return outcome;
        }
        let offer = offer_of(offered, session.endpoint.host.clone());
        let HelloSession { answer, session: asked } =
            self.ask(&session.endpoint, &offer, until).await;
        self.append(session, offered, asked.transcript);
        let outcome = answer.outcome(&offer, version_of(offered));
        if let (HelloOutcome::Accepted(_), Some(flight)) = (&outcome, answer.flight()) {
            session.tls = Some(tls_of(flight));
        }
        session.hellos.push(HelloTried { offered, outcome: outcome.clone() });
        outcome
    }

    /// The certificate shown to the same hello without SNI; none where that could not be asked.
    pub(super) async fn ask_without_sni(
        &self,
        endpoint: &Endpoint,
        offered: HelloOffer,
        until: Instant,
    ) -> Option<WithoutSni> {
        let offer = offer_of(offered, None);
        let answer = self.ask(endpoint, &offer, until).await.answer;
        let flight = answer.flight()?;
        if is_taken(flight, &offer) {
            let chain = flight.certificates.iter().cloned().map(Der).collect();
            return Some(WithoutSni::Chain(chain));
        }
        match answer.outcome(&offer, Version::Any) {
            HelloOutcome::Refused(alert) => {
                Some(WithoutSni::Failed(format!("the server sent the TLS alert {alert}")))
            }
            _ => None,
        }
    }

    /// The hello's session behind the first one's transcript, as far as there is room.
    pub(super) fn append(&self, session: &mut Session, offered: HelloOffer, lines: Vec<String>) {
        let title = format!("-- another session, with a hand-made hello: {offered}");
        let used: usize = session.transcript.iter().map(String::len).sum();
        let mut room = self.plan.limits.transcript.saturating_sub(used);
        for line in std::iter::once(title).chain(lines) {
            let Some(left) = room.checked_sub(line.len()) else { return };
            room = left;
            session.transcript.push(line);
        }
    }
}

#[cfg(test)]
mod tests;
