//! Reads one attempt: taken, refused, or kept from either.
//!
//! 1. Taken: the reply to the last thing the probe says, 2xx, over a channel that is what the attempt is about.
//! 2. Refused: the first 4xx or 5xx of the envelope, or the one that ended the session, or a TLS alert, or a
//!    connection closed; each with what it weighs.
//! 3. All else is an obstacle.
//!
//! Invariant: a half handshake is never taken; what came before the attempt differed from the control is no
//! refusal of the difference.

use super::attempt::{Came, Mark, Refusal, Tried, Weight};
use crate::judge::replies::ReplyTable;
use crate::model::{
    connector::{KeyedOn, Until},
    deep::{HelloOffer, HelloOutcome, HelloTried},
    enforcement::{Attempt, AttemptKind, Demand, ReplyClass},
    obstacle::ObstacleId,
    requirement::TlsVersion,
    session::{ConnectFailure, Ending, HandshakeFailure, NotTried, Phase, StartTls},
};
use crate::wire::smtp::Reply;
use core::net::IpAddr;

/// Reads one attempt.
pub(super) fn read<'a>(attempt: &'a Attempt, demand: &Demand, replies: &ReplyTable) -> Tried<'a> {
    let reader = Reader { attempt, demand, replies };
    let came = reader.came();
    // What kept it from an answer says more than where it came from.
    let is_answered = !matches!(came, Came::Hindered(..));
    let misplaced = if is_answered { reader.misplaced() } else { None };
    let came = misplaced.unwrap_or(came);
    Tried { attempt, came }
}

struct Reader<'a> {
    attempt: &'a Attempt,
    demand: &'a Demand,
    replies: &'a ReplyTable,
}

impl Reader<'_> {
    fn came(&self) -> Came {
        let envelope = &self.demand.envelope;
        if let Some(reply) = self.taken() {
            if let Some(fault) = self.fault() {
                return fault;
            }
            // Where a message is what others send, an envelope is not all that could be refused.
            let is_by_message = envelope.decides == Until::Data || envelope.until == Until::Data;
            let waits = is_by_message && self.demand.until(self.attempt.kind) == Until::Rcpt;
            return if waits && self.attempt.kind != AttemptKind::Control {
                Came::EnvelopeTaken(reply.clone())
            } else {
                Came::Accepted(reply.clone())
            };
        }
        if self.attempt.kind == AttemptKind::LegacyTls
            && let Some(came) = self.hello()
        {
            return came;
        }
        if let Some((phase, reply)) = self.refused() {
            return self.reply(phase, reply);
        }
        self.ending()
    }

    /// The reply that took the last thing the probe says.
    fn taken(&self) -> Option<&Reply> {
        let envelope = &self.attempt.envelope;
        let last = match self.demand.until(self.attempt.kind) {
            Until::Data => &envelope.message,
            Until::Rcpt => &envelope.rcpt,
        };
        last.as_ref().filter(|reply| reply.is_positive())
    }

    /// Why what was taken says nothing: it was not what the attempt is about.
    fn fault(&self) -> Option<Came> {
        let (session, kind) = (&self.attempt.session, self.attempt.kind);
        let envelope = &self.demand.envelope;
        let sender = self.attempt.mail_from.as_ref();
        let is_partner = sender == Some(&envelope.mail_from);
        let is_sender = match kind {
            AttemptKind::Control => {
                is_partner || (sender.is_some() && sender == envelope.control_mail_from.as_ref())
            }
            AttemptKind::NullSender => sender.is_none(),
            AttemptKind::ForeignAddress
            | AttemptKind::LegacyTls
            | AttemptKind::NoClientCert
            | AttemptKind::OtherClientCert
            | AttemptKind::Plaintext
            | AttemptKind::SelfMadeClientCert => is_partner,
        };
        if !is_sender {
            return hindered(ObstacleId::InternalError, "another envelope sender was used");
        }
        let meets_kind = match kind {
            AttemptKind::ForeignAddress => return None,
            AttemptKind::NullSender | AttemptKind::Plaintext => {
                let is_clear =
                    !session.has_completed_tls() && session.starttls != StartTls::Implicit;
                return if is_clear {
                    None
                } else {
                    hindered(ObstacleId::InternalError, "TLS was used where none was meant")
                };
            }
            AttemptKind::LegacyTls => |version, lowest| version < lowest,
            AttemptKind::Control
            | AttemptKind::NoClientCert
            | AttemptKind::OtherClientCert
            | AttemptKind::SelfMadeClientCert => |version, lowest| version >= lowest,
        };
        if session.starttls == StartTls::NotOffered {
            return hindered(ObstacleId::NotTestable, NO_STARTTLS);
        }
        if !session.has_completed_tls() {
            return hindered(ObstacleId::InternalError, "no TLS was used where it was meant");
        }
        let lowest = self.demand.floor.min_version.version();
        match session.tls.as_ref().and_then(|tls| tls.version) {
            Some(version) if meets_kind(version, lowest) => None,
            Some(version) => {
                let detail = format!("{version} was agreed on, and the lowest version is {lowest}");
                hindered(ObstacleId::NotTestable, &detail)
            }
            None => hindered(ObstacleId::NotTestable, "the TLS version is not known"),
        }
    }

    /// With `keyed_on = "address"` the rule is for certain places: what others saw says nothing of it.
    fn misplaced(&self) -> Option<Came> {
        let by_address = self.demand.envelope.keyed_on == KeyedOn::Address;
        if !by_address || self.attempt.kind == AttemptKind::Control {
            return None;
        }
        let from = self.attempt.session.local_address.or(self.attempt.source);
        let is_covered = |from: IpAddr| self.demand.networks.iter().any(|net| net.contains(&from));
        if from.is_some_and(is_covered) {
            return None;
        }
        let from = from.map_or_else(|| "an unknown address".to_owned(), |from| from.to_string());
        let detail = format!("probed from {from}, which is not in the connector's networks");
        hindered(ObstacleId::NotTestable, &detail)
    }

    /// What a hello below the lowest version showed.
    fn hello(&self) -> Option<Came> {
        let session = &self.attempt.session;
        if session.has_completed_tls() {
            return None;
        }
        let lowest = self.demand.floor.min_version.version();
        let seen = session.tls.as_ref().and_then(|tls| tls.version);
        let by_hellos = session.hellos.iter().find_map(answered);
        if let Some(version) = seen.or(by_hellos).filter(|version| *version < lowest) {
            // The TLS library speaks 1.2 to the end: what broke off midway was not seen through.
            if version == TlsVersion::Tls12 {
                let detail = format!("{version} was answered, and the handshake not finished");
                return hindered(ObstacleId::Undecided, &detail);
            }
            return Some(Came::Answered(version));
        }
        let refused = |outcome: &HelloOutcome| match outcome {
            HelloOutcome::Refused(alert) => Some(alert.clone()),
            HelloOutcome::Accepted(_)
            | HelloOutcome::Older(_)
            | HelloOutcome::Unclear(_)
            | HelloOutcome::Unsent(_) => None,
        };
        let alerts: Option<Vec<String>> =
            session.hellos.iter().map(|tried| refused(&tried.outcome)).collect();
        let alert = alerts?.into_iter().next_back()?;
        Some(self.alert(&alert))
    }

    /// The first refusal of the envelope, or the one that ended the session.
    fn refused(&self) -> Option<(Phase, &Reply)> {
        let envelope = &self.attempt.envelope;
        let steps = [
            (Phase::Mail, &envelope.mail),
            (Phase::Rcpt, &envelope.rcpt),
            (Phase::Data, &envelope.data),
            (Phase::Data, &envelope.message),
        ];
        let ended = match &self.attempt.session.ending {
            Ending::Refused(phase, reply) => Some((*phase, reply)),
            Ending::Connect(_)
            | Ending::Deadline(_)
            | Ending::Handshake(_)
            | Ending::Internal(_)
            | Ending::Lost(..)
            | Ending::NotTried(_)
            | Ending::Protocol(..)
            | Ending::Quit
            | Ending::TooMuchData(..) => None,
        };
        let said = steps.into_iter().filter_map(|(phase, reply)| Some((phase, reply.as_ref()?)));
        said.chain(ended).find(|(_, reply)| reply.is_transient() || reply.is_permanent())
    }

    fn reply(&self, phase: Phase, reply: &Reply) -> Came {
        let class = self.replies.classify(reply, phase).class;
        let weight = match class {
            // Before the receiver could know, not even words of TLS are about what the attempt lacks.
            _ if !self.is_shown(phase) && class != ReplyClass::TlsRequired => Weight::Other,
            ReplyClass::TlsRequired if !self.is_shown(phase) && !self.is_in_clear() => {
                Weight::Other
            }
            ReplyClass::CertificateRequired | ReplyClass::TlsRequired => Weight::AtOnce,
            ReplyClass::CertificateOrAddress => Weight::Beside,
            ReplyClass::Unrecognised => {
                Weight::Silent(Mark { phase, reply: Some((reply.code, reply.enhanced())) })
            }
            ReplyClass::Greylisted
            | ReplyClass::PolicyOther
            | ReplyClass::RateLimited
            | ReplyClass::RecipientUnknown
            | ReplyClass::RelayDenied
            | ReplyClass::Reputation => Weight::Other,
        };
        Came::Refused(Refusal { phase, said: reply.to_string(), class: Some(class), weight })
    }

    fn is_in_clear(&self) -> bool {
        matches!(self.attempt.kind, AttemptKind::NullSender | AttemptKind::Plaintext)
    }

    /// Whether by then the receiver could tell the attempt from the control.
    fn is_shown(&self, phase: Phase) -> bool {
        match self.attempt.kind {
            AttemptKind::Control | AttemptKind::ForeignAddress => true,
            AttemptKind::NullSender | AttemptKind::Plaintext => phase >= Phase::Mail,
            AttemptKind::LegacyTls
            | AttemptKind::NoClientCert
            | AttemptKind::OtherClientCert
            | AttemptKind::SelfMadeClientCert => phase >= Phase::Handshake,
        }
    }

    fn ending(&self) -> Came {
        let session = &self.attempt.session;
        let (id, detail) = match &session.ending {
            Ending::Connect(ConnectFailure::TimedOut(detail)) => {
                (ObstacleId::ConnectTimeout, detail.clone())
            }
            Ending::Connect(ConnectFailure::Refused(detail) | ConnectFailure::Other(detail)) => {
                (ObstacleId::ConnectRefused, detail.clone())
            }
            Ending::Deadline(phase) => (ObstacleId::Deadline, format!("out of time at {phase}")),
            Ending::Handshake(failure) => return self.handshake(failure),
            Ending::Internal(detail) => (ObstacleId::InternalError, detail.clone()),
            Ending::Lost(phase, how) => return self.closed(*phase, format!("connection {how}")),
            Ending::NotTried(NotTried::FamilyUnavailable(detail)) => {
                (ObstacleId::FamilyUnavailable, detail.clone())
            }
            Ending::NotTried(NotTried::PrivateAddress) => {
                let detail = "not connected to: the address is private (--allow-private connects)";
                (ObstacleId::NotTestable, detail.to_owned())
            }
            Ending::Protocol(phase, detail) => {
                (ObstacleId::ProtocolError, format!("at {phase}: {detail}"))
            }
            Ending::Quit if session.starttls == StartTls::NotOffered && !self.is_in_clear() => {
                (ObstacleId::NotTestable, NO_STARTTLS.to_owned())
            }
            Ending::Quit => {
                (ObstacleId::Undecided, "the session ended before the envelope did".to_owned())
            }
            Ending::Refused(phase, reply) => {
                (ObstacleId::ProtocolError, format!("at {phase}: {reply}"))
            }
            Ending::TooMuchData(phase, detail) => {
                (ObstacleId::TooMuchData, format!("at {phase}: {detail}"))
            }
        };
        Came::Hindered(id, detail)
    }

    fn handshake(&self, failure: &HandshakeFailure) -> Came {
        let id = match failure {
            HandshakeFailure::Alert(name) => return self.alert(name),
            HandshakeFailure::Lost(how) => {
                return self.closed(Phase::Handshake, format!("connection {how}"));
            }
            HandshakeFailure::NotTls(_) | HandshakeFailure::Protocol(_) => {
                ObstacleId::ProtocolError
            }
            HandshakeFailure::TimedOut => ObstacleId::Deadline,
            HandshakeFailure::Unsupported(_) | HandshakeFailure::VersionTooOld(_) => {
                ObstacleId::NotTestable
            }
        };
        Came::Hindered(id, failure.to_string())
    }

    /// A fatal alert: of the certificate, of the version, or of nothing we can tell.
    fn alert(&self, name: &str) -> Came {
        // RFC 8446 §6.2, RFC 5246 §7.4.6: a TLS 1.2 server without a certificate to like says handshake_failure.
        const OF_CERTIFICATE: [&str; 8] = [
            "access_denied",
            "bad_certificate",
            "certificate_expired",
            "certificate_required",
            "certificate_revoked",
            "certificate_unknown",
            "unknown_ca",
            "unsupported_certificate",
        ];
        const OF_VERSION: [&str; 4] = [
            "handshake_failure",
            "inappropriate_fallback",
            "insufficient_security",
            "protocol_version",
        ];
        let tls = self.attempt.session.tls.as_ref();
        let is_asked = tls.is_some_and(|tls| tls.client_certificate_requested);
        let class = match self.attempt.kind {
            AttemptKind::LegacyTls => OF_VERSION.contains(&name).then_some(ReplyClass::TlsRequired),
            AttemptKind::NoClientCert
            | AttemptKind::OtherClientCert
            | AttemptKind::SelfMadeClientCert => (OF_CERTIFICATE.contains(&name)
                || (name == "handshake_failure" && is_asked))
                .then_some(ReplyClass::CertificateRequired),
            AttemptKind::Control
            | AttemptKind::ForeignAddress
            | AttemptKind::NullSender
            | AttemptKind::Plaintext => None,
        };
        let silent = Weight::Silent(Mark { phase: Phase::Handshake, reply: None });
        Came::Refused(Refusal {
            phase: Phase::Handshake,
            said: format!("the server sent the TLS alert {name}"),
            class,
            weight: if class.is_some() { Weight::AtOnce } else { silent },
        })
    }

    /// In TLS 1.3 a refused certificate shows after the handshake, so that its end and what comes next are one.
    fn closed(&self, phase: Phase, how: String) -> Came {
        if !self.is_shown(phase) || self.attempt.kind == AttemptKind::Control {
            return Came::Hindered(ObstacleId::ConnectionLost, format!("{how} at {phase}"));
        }
        let mark = if phase == Phase::EhloTls { Phase::Handshake } else { phase };
        let weight = Weight::Silent(Mark { phase: mark, reply: None });
        Came::Refused(Refusal { phase, said: format!("{how} at {phase}"), class: None, weight })
    }
}

const NO_STARTTLS: &str = "STARTTLS is not offered";

/// The version a hand-made hello was answered with.
fn answered(tried: &HelloTried) -> Option<TlsVersion> {
    match (&tried.outcome, tried.offered) {
        (HelloOutcome::Older(version), _) => Some(*version),
        (HelloOutcome::Accepted(_), HelloOffer::Legacy(version)) => Some(version),
        (
            HelloOutcome::Accepted(_)
            | HelloOutcome::Refused(_)
            | HelloOutcome::Unclear(_)
            | HelloOutcome::Unsent(_),
            _,
        ) => None,
    }
}

fn hindered(id: ObstacleId, detail: &str) -> Option<Came> {
    Some(Came::Hindered(id, detail.to_owned()))
}
