//! What one attempt came to, and what that weighs.

use crate::model::{
    deep::HelloOffer,
    enforcement::{Attempt, ReplyClass},
    obstacle::ObstacleId,
    requirement::TlsVersion,
    session::{Phase, SeenBy},
};
use crate::wire::{enhanced_status::EnhancedStatus, smtp::Reply};
use core::net::IpAddr;

/// One attempt, read.
pub(super) struct Tried<'a> {
    pub(super) attempt: &'a Attempt,
    pub(super) came: Came,
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Came {
    /// Taken, by this reply.
    Accepted(Reply),
    /// A hello at this version, below the lowest, was answered; mail was not tried.
    Answered(TlsVersion),
    /// RCPT was taken by a receiver that decides after the message, which was not sent.
    EnvelopeTaken(Reply),
    /// Neither taken nor refused.
    Hindered(ObstacleId, String),
    /// Turned away.
    Refused(Refusal),
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// What was refused.
    pub(super) phase: Phase,
    /// The reply as one line, or the ending in words.
    pub(super) said: String,
    /// What it is about, where it was said.
    pub(super) class: Option<ReplyClass>,
    /// What it counts for.
    pub(super) weight: Weight,
}

/// What a refusal counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// It says itself that it is about TLS or the certificate.
    AtOnce,
    /// Of the certificate or the address: counts beside a control that passed from the same address.
    Beside,
    /// It is about something else.
    Other,
    /// It does not say: counts when it happens again, and only to what lacks TLS.
    Silent(Mark),
}

/// What two refusals that say nothing are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) phase: Phase,
    /// None for a connection that was closed, or an alert.
    pub(super) reply: Option<(u16, Option<EnhancedStatus>)>,
}

impl Mark {
    /// Whether it was a refusal for now.
    pub(super) fn is_transient(&self) -> bool {
        self.reply.is_some_and(|(code, _)| code < 500)
    }
}

impl Tried<'_> {
    /// The local address it came from, as far as known.
    pub(super) fn source(&self) -> Option<IpAddr> {
        self.attempt.session.local_address.or(self.attempt.source)
    }

    /// Whether it ended before the receiver was told the sender.
    pub(super) fn is_anonymous(&self) -> bool {
        self.attempt.session.reached < Phase::Mail
            && self.attempt.envelope.mail.is_none()
            && self.refusal().is_none_or(|refusal| refusal.phase < Phase::Mail)
    }

    /// Which of its kind it is, where the kind has several: the hello it tried.
    pub(super) fn offer(&self) -> Option<HelloOffer> {
        self.attempt.session.hellos.first().map(|tried| tried.offered)
    }

    /// Whether TLS was tried by hand-made hellos, which prove no acceptance.
    pub(super) fn is_by_hello(&self) -> bool {
        let session = &self.attempt.session;
        !session.hellos.is_empty()
            || session.tls.as_ref().is_some_and(|tls| tls.seen_by == SeenBy::Hello)
    }

    /// The refusal, where it is one.
    pub(super) fn refusal(&self) -> Option<&Refusal> {
        match &self.came {
            Came::Refused(refusal) => Some(refusal),
            Came::Accepted(_) | Came::Answered(_) | Came::EnvelopeTaken(_) | Came::Hindered(..) => {
                None
            }
        }
    }
}
