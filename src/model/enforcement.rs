//! What was seen when less than the agreed TLS was tried at a receiver: what `receiver-enforces` is judged by.
//!
//! One experiment at an endpoint is a control, the negatives, and a control again, all with the same source
//! address, envelope sender and recipient, so that grey-listing, rate limits and outages show as obstacles and
//! never as refusals.
//!
//! Invariant: everything here was seen or asked, nothing is a judgement.

use super::{
    connector::{Floor, ProbeEnvelope, Until},
    resolution::Resolution,
    session::{Endpoint, Session},
    target::Target,
};
use crate::wire::{mailbox::Mailbox, smtp::Reply};
use core::net::IpAddr;
use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Everything seen for one claim so far, first experiments first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnforcesEvidence {
    /// [`super::evidence::FORMAT`].
    pub format: String,
    /// What was asked, and what the receiver is to refuse.
    pub demand: Demand,
    /// When the first experiment began.
    pub started_at: Timestamp,
    /// When the last was over.
    pub finished_at: Timestamp,
    /// Where the targets' mail goes.
    pub routes: Vec<Routed>,
    /// One an endpoint, in the order of the exchanges.
    pub endpoints: Vec<EndpointExperiments>,
}

/// What a claim asks of a receiver, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// Whose receiver it is.
    pub place: Place,
    /// Who writes to whom, and how far.
    pub envelope: ProbeEnvelope,
    /// The lowest version, and the client certificate.
    pub floor: Floor,
    /// Whether we hold the certificate of the control.
    pub has_client_certificate: bool,
    /// Networks the connector recognises the partner by.
    pub networks: Vec<IpNet>,
}

impl Demand {
    /// How far an attempt goes: never to DATA at a partner's MX, whatever was asked, nor with `MAIL FROM:<>`.
    pub fn until(&self, kind: AttemptKind) -> Until {
        match (self.place, kind) {
            (Place::Partners, _) | (Place::Ours, AttemptKind::NullSender) => Until::Rcpt,
            (
                Place::Ours,
                AttemptKind::Control
                | AttemptKind::ForeignAddress
                | AttemptKind::LegacyTls
                | AttemptKind::NoClientCert
                | AttemptKind::OtherClientCert
                | AttemptKind::Plaintext
                | AttemptKind::SelfMadeClientCert,
            ) => self.envelope.until,
        }
    }
}

/// Whose receiver is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Ours, as the partner.
    Ours,
    /// The partner's, as us, by agreement; never DATA.
    Partners,
}

/// Where one target's mail goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routed {
    /// The target.
    pub target: Target,
    /// What DNS told.
    pub resolution: Resolution,
}

/// What was tried at one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointExperiments {
    /// Where.
    pub endpoint: Endpoint,
    /// One after another, oldest first.
    pub experiments: Vec<Experiment>,
}

/// Control, negatives, control.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Experiment {
    /// When it began.
    pub started_at: Timestamp,
    /// In the order they were made; the first and the last are controls, unless there was no second one.
    pub attempts: Vec<Attempt>,
}

/// One session with an envelope in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What was tried.
    pub kind: AttemptKind,
    /// The envelope sender; none is `<>`.
    pub mail_from: Option<Mailbox>,
    /// The local address asked for, where one was.
    pub source: Option<IpAddr>,
    /// The session up to the envelope, and how it ended.
    pub session: Session,
    /// What the receiver said to the envelope.
    pub envelope: Envelope,
}

/// The replies to an envelope, as far as it came.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Envelope {
    /// To MAIL.
    pub mail: Option<Reply>,
    /// To RCPT.
    pub rcpt: Option<Reply>,
    /// To DATA.
    pub data: Option<Reply>,
    /// To the message.
    pub message: Option<Reply>,
}

/// What one attempt tried (contract §6, `kind`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptKind {
    /// As the agreement wants it.
    Control,
    /// From an address outside the connector's networks.
    ForeignAddress,
    /// TLS below the lowest version.
    LegacyTls,
    /// TLS without a client certificate.
    NoClientCert,
    /// In clear, with `MAIL FROM:<>`.
    NullSender,
    /// TLS with a trusted certificate for another name.
    OtherClientCert,
    /// In clear.
    Plaintext,
    /// TLS with a certificate for the right name that we made ourselves.
    SelfMadeClientCert,
}

impl AttemptKind {
    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::ForeignAddress => "foreign-address",
            Self::LegacyTls => "legacy-tls",
            Self::NoClientCert => "no-client-cert",
            Self::NullSender => "null-sender",
            Self::OtherClientCert => "other-client-cert",
            Self::Plaintext => "plaintext",
            Self::SelfMadeClientCert => "self-made-client-cert",
        }
    }
}

impl fmt::Display for AttemptKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a refusal was about (contract §6, `class`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplyClass {
    /// Of the certificate or the address: which of the two it does not say.
    CertificateOrAddress,
    /// Of the client certificate.
    CertificateRequired,
    /// For now, because we are new to it.
    Greylisted,
    /// Another rule of the receiver's.
    PolicyOther,
    /// Because we come too often.
    RateLimited,
    /// There is no such recipient.
    RecipientUnknown,
    /// We may not relay through it.
    RelayDenied,
    /// Because of who we are thought to be.
    Reputation,
    /// Because there is no TLS, or not enough of it.
    TlsRequired,
    /// It does not say, in words we know.
    Unrecognised,
}

impl ReplyClass {
    /// Every class, in alphabetical order.
    pub const ALL: [Self; 10] = [
        Self::CertificateOrAddress,
        Self::CertificateRequired,
        Self::Greylisted,
        Self::PolicyOther,
        Self::RateLimited,
        Self::RecipientUnknown,
        Self::RelayDenied,
        Self::Reputation,
        Self::TlsRequired,
        Self::Unrecognised,
    ];

    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CertificateOrAddress => "certificate-or-address",
            Self::CertificateRequired => "certificate-required",
            Self::Greylisted => "greylisted",
            Self::PolicyOther => "policy-other",
            Self::RateLimited => "rate-limited",
            Self::RecipientUnknown => "recipient-unknown",
            Self::RelayDenied => "relay-denied",
            Self::Reputation => "reputation",
            Self::TlsRequired => "tls-required",
            Self::Unrecognised => "unrecognised",
        }
    }
}

impl fmt::Display for ReplyClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
