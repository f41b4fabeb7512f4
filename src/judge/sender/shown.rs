//! What one session of our mail system with a canary shows.
//!
//! 1. A message that was taken, or an envelope with our probe's sender in clear or over TLS below the lowest
//!    version: what it went over decides whether that is right.
//! 2. `MAIL FROM:<>` without a message: an address verification.
//! 3. No MAIL: a refusal, where the sender itself left at the defect. Any other end shows nothing.
//!
//! Invariant: a reset, a time-out and an end of ours are no refusal.

use super::{attribution, words};
use crate::model::{
    canary::{Personality, is_legacy},
    delivery::{CanaryEnding, CanarySession, CanaryTls, Probe},
    finding::FindingId,
    requirement::{Level, MinVersion, TlsVersion},
    session::Phase,
};

/// What one session shows, under the requirement its probe was sent under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shown {
    /// The message arrived, as it may.
    Arrived,
    /// It was delivered where it must not be, and how.
    Breach(FindingId),
    /// An address was verified.
    CallOut,
    /// This sender cannot be tested by this canary, in words.
    NotTestable(String),
    /// The sender left at the defect.
    Refused,
    /// It shows nothing, in words.
    Undecided(String),
}

impl Shown {
    /// What was delivered where it must not be.
    pub(super) fn breach(&self) -> Option<FindingId> {
        match self {
            Self::Breach(id) => Some(*id),
            Self::Arrived
            | Self::CallOut
            | Self::NotTestable(_)
            | Self::Refused
            | Self::Undecided(_) => None,
        }
    }
}

/// What an envelope went over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carried {
    Clear,
    Tls(TlsVersion),
    /// Neither can be told.
    Unclear,
}

/// What `session`, which belongs to `probe`, shows.
pub(super) fn shown(session: &CanarySession, probe: &Probe) -> Shown {
    let Some(mail_from) = &session.mail_from else { return left(session, probe) };
    let is_taken = session.message.is_some() || session.reached == Phase::Accepted;
    // Without a token a message cannot be told from any other.
    if is_taken && session.probe.is_some() {
        return delivered(session, probe);
    }
    if mail_from.is_empty() && !is_taken {
        return Shown::CallOut;
    }
    let is_ours = session.probe.is_some() || attribution::is_from(session, probe);
    match carried(session) {
        Carried::Clear if is_ours => Shown::Breach(FindingId::EnvelopeInPlaintext),
        // What speaks MAIL there has no floor.
        Carried::Tls(version) if is_ours && is_legacy(version, lowest(probe)) => {
            Shown::Breach(FindingId::DeliveredOverLegacyTls)
        }
        Carried::Clear | Carried::Tls(_) | Carried::Unclear => {
            Shown::Undecided(format!("it said MAIL, and then {}", words::ended(session)))
        }
    }
}

fn lowest(probe: &Probe) -> MinVersion {
    probe.requirement.min_version
}

fn carried(session: &CanarySession) -> Carried {
    if session.is_mail_in_clear {
        return Carried::Clear;
    }
    match &session.tls {
        Some(CanaryTls { completed: true, version: Some(version), .. }) => Carried::Tls(*version),
        Some(_) | None => Carried::Unclear,
    }
}

/// What the message went over decides, at every canary alike: one that arrives in clear at `good` was not
/// sent under a rule that forces TLS either.
fn delivered(session: &CanarySession, probe: &Probe) -> Shown {
    let level = probe.requirement.level;
    let by_canary = |personality: Personality| match personality {
        Personality::Good => Shown::Arrived,
        Personality::DaneMismatch
        | Personality::Expired
        | Personality::SelfSigned
        | Personality::UnknownCa
        | Personality::WrongName => by_certificate(personality, level),
        Personality::LegacyTls
        | Personality::NoStarttls
        | Personality::StarttlsBroken
        | Personality::StarttlsRefused => {
            Shown::Undecided("it was delivered over TLS that this canary should not have".into())
        }
    };
    match carried(session) {
        Carried::Clear => Shown::Breach(FindingId::DeliveredInPlaintext),
        Carried::Tls(version) if is_legacy(version, lowest(probe)) => {
            Shown::Breach(FindingId::DeliveredOverLegacyTls)
        }
        Carried::Tls(_) => by_canary(session.personality),
        Carried::Unclear => {
            Shown::Undecided("it was delivered, and what it went over is not known".into())
        }
    }
}

fn by_certificate(personality: Personality, level: Level) -> Shown {
    if personality.is_allowed_at(level) {
        Shown::Arrived
    } else {
        Shown::Breach(FindingId::DeliveredOverUnverifiedTls)
    }
}

/// What a session without MAIL shows.
fn left(session: &CanarySession, probe: &Probe) -> Shown {
    let undecided = || Shown::Undecided(words::ended(session));
    if session.reached >= Phase::Mail {
        return undecided();
    }
    let is_refusal = match session.personality {
        Personality::Good => false,
        Personality::NoStarttls => session.ehlo_answered && has_left(session),
        Personality::StarttlsRefused => session.starttls == Some(454) && has_left(session),
        Personality::StarttlsBroken => {
            session.tls.as_ref().is_some_and(|tls| !tls.completed && tls.our_alert.is_some())
                && (has_left(session) || has_alerted(session, |_| true))
        }
        Personality::LegacyTls => return left_legacy(session, probe),
        Personality::DaneMismatch
        | Personality::Expired
        | Personality::SelfSigned
        | Personality::UnknownCa
        | Personality::WrongName => {
            session.tls.as_ref().is_some_and(|tls| tls.completed) && has_left(session)
                || has_alerted(session, is_about_certificate)
        }
    };
    if is_refusal { Shown::Refused } else { undecided() }
}

/// Whether the sender ended the connection itself, in order.
fn has_left(session: &CanarySession) -> bool {
    match session.ending {
        CanaryEnding::Closed | CanaryEnding::Quit => true,
        CanaryEnding::Ours(_) | CanaryEnding::Reset | CanaryEnding::TimedOut => false,
    }
}

/// Whether the sender sent such a fatal alert. What TCP did after it does not matter, but an end of ours does.
fn has_alerted(session: &CanarySession, is_such: impl Fn(&str) -> bool) -> bool {
    let alert = session.tls.as_ref().and_then(|tls| tls.their_alert.as_deref());
    alert.is_some_and(is_such) && !matches!(session.ending, CanaryEnding::Ours(_))
}

/// RFC 8446 §6.2: the alerts with which a client says that it will not have the certificate.
fn is_about_certificate(alert: &str) -> bool {
    matches!(
        alert,
        "bad_certificate"
            | "certificate_expired"
            | "certificate_revoked"
            | "certificate_unknown"
            | "unknown_ca"
            | "unsupported_certificate"
    )
}

/// RFC 8446 §6.2: the alerts with which a client says that our handshake was not well made. They speak of our
/// hand-made TLS and not of the version, so that a fault of ours never looks like a sender's floor.
fn is_about_handshake(alert: &str) -> bool {
    matches!(
        alert,
        "bad_record_mac"
            | "decode_error"
            | "decompression_failure"
            | "decrypt_error"
            | "decryption_failed"
            | "illegal_parameter"
            | "internal_error"
            | "missing_extension"
            | "record_overflow"
            | "unexpected_message"
            | "unsupported_extension"
    )
}

/// Leaving after our ServerHello or Finished, or a hello that rules out what the canary speaks.
fn left_legacy(session: &CanarySession, probe: &Probe) -> Shown {
    let undecided = || Shown::Undecided(words::ended(session));
    let Some(tls) = &session.tls else { return undecided() };
    if tls.server_hello_sent || tls.completed {
        let alert = tls.their_alert.as_deref();
        // A certificate that will not do says nothing of versions; `good` has one of the same kind.
        let is_other = |alert: &str| is_about_handshake(alert) || is_about_certificate(alert);
        let is_old = tls.version.is_none_or(|version| is_legacy(version, lowest(probe)));
        let is_refusal = (has_left(session) || has_alerted(session, |_| true))
            && is_old
            && !alert.is_some_and(is_other);
        return if is_refusal { Shown::Refused } else { undecided() };
    }
    let Some(hello) = &session.client_hello else { return undecided() };
    match tls.our_alert.as_deref() {
        // RFC 8446 §4.2.1: the list is all that the client would speak.
        Some("protocol_version")
            if hello.lists_nothing_below(lowest(probe).version()) && has_left(session) =>
        {
            Shown::Refused
        }
        Some("handshake_failure" | "insufficient_security") => Shown::NotTestable(format!(
            "the sender offers no cipher suite that this canary speaks: {}",
            hello.suite_names().join(" ")
        )),
        Some(_) | None => undecided(),
    }
}
