//! What our mail system did with probe mail to the canaries: what `sender-enforces` is judged by.
//!
//! Invariant: everything here was seen, asked or sent, nothing is a judgement; a message's body is never kept.

use super::{
    canary::{Acting, Personality},
    connector::{SenderMarks, SendsSni, Timing},
    requirement::{Requirement, TlsVersion},
    session::{Der, Phase},
};
use crate::wire::{
    hello::ClientHello,
    mailbox::Mailbox,
    name::{Domain, Host},
};
use core::net::{IpAddr, SocketAddr};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One round of probes under one connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryEvidence {
    /// [`super::evidence::FORMAT`].
    pub format: String,
    /// The connector under test.
    pub connector: String,
    /// What it must demand, when the probes were sent.
    pub requirement: Requirement,
    /// How far the proof reaches.
    pub scope: Scope,
    /// Whether our sender sends SNI.
    pub sni: SendsSni,
    /// How its connections are recognised.
    pub sender: SenderMarks,
    /// When what was expected.
    pub timing: Timing,
    /// When the round began.
    pub started_at: Timestamp,
    /// The last instant at which something was looked for.
    pub finished_at: Timestamp,
    /// The canaries of the connector, as a sender saw them before the round.
    pub canaries: Vec<CanaryLook>,
    /// What was sent, one a personality at most.
    pub probes: Vec<Probe>,
    /// Who came to the canaries of the connector, in the order they came.
    pub sessions: Vec<CanarySession>,
}

/// How far a proof for a connector reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Nothing was imported: that partner and canaries lie under one connector is assumed.
    Assumed,
    /// The imported connector does not cover the canaries or the partner, in words.
    NotCovered(String),
    /// The canaries lie under this clone, which the import shows to be equal.
    OnClone(String),
    /// The imported connector covers partner and canaries.
    Proved,
}

/// One canary before a round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryLook {
    /// Which.
    pub personality: Personality,
    /// Its recipient domain.
    pub domain: Domain,
    /// Its MX host.
    pub hostname: Host,
    /// The addresses senders should see.
    pub addresses: Vec<IpAddr>,
    /// Whether it can prove anything in this round.
    pub fitness: Fitness,
    /// Whether the root of its certificate is that of `good`'s; none for a canary without a certificate or with
    /// one that ends nowhere on purpose.
    pub shares_root: Option<bool>,
}

/// Whether a canary can prove anything in this round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fitness {
    /// A probe was sent.
    Fit,
    /// Nothing was sent: its DNS is not as a sender must see it, or its certificate will not do, in words.
    NotTestable(String),
    /// Nothing was sent: an older probe may still be in our mail system's queue, in words.
    Occupied(String),
}

/// One probe message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Its id, as in its token: 20 hexadecimal digits.
    pub id: String,
    /// Which canary it is for.
    pub personality: Personality,
    /// The connector it proves.
    pub connector: String,
    /// What the connector had to demand when it was sent.
    pub requirement: Requirement,
    /// Envelope sender.
    pub mail_from: Mailbox,
    /// Envelope recipient; its local part is the token.
    pub rcpt_to: Mailbox,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when a delivery of it counts.
    pub expires_at: Timestamp,
    /// What our mail system said to it; none while it was not yet submitted.
    pub submission: Option<Submission>,
}

/// What came of a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Submission {
    /// Taken.
    Accepted {
        /// When.
        at: Timestamp,
        /// The reply, one line.
        reply: String,
        /// The queue id it names.
        queue_id: Option<String>,
    },
    /// Not taken, in words: a refusal with the reply, or a failure on the way.
    Failed {
        /// When.
        at: Timestamp,
        /// The reply or the failure.
        detail: String,
    },
    /// The connection was lost behind the message: it may have been taken.
    Unclear {
        /// When.
        at: Timestamp,
        /// What happened.
        detail: String,
    },
}

/// One connection to a canary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanarySession {
    /// The personality of the canary.
    pub personality: Personality,
    /// How it acted in this session.
    pub acting: Acting,
    /// The canary's MX host.
    pub hostname: Host,
    /// Our end.
    pub local: SocketAddr,
    /// The other end.
    pub peer: SocketAddr,
    /// When it connected.
    pub started_at: Timestamp,
    /// When it was over.
    pub finished_at: Timestamp,
    /// The highest phase the sender reached.
    pub reached: Phase,
    /// What it introduced itself with, last.
    pub ehlo: Option<String>,
    /// Whether our reply to EHLO in clear was written whole.
    pub ehlo_answered: bool,
    /// Whether it asked for STARTTLS, and what we said.
    pub starttls: Option<u16>,
    /// What it said first in TLS.
    pub client_hello: Option<ClientHello>,
    /// The handshake, once a hello had come.
    pub tls: Option<CanaryTls>,
    /// The envelope sender as written, empty for `<>`; none without MAIL.
    pub mail_from: Option<String>,
    /// Whether MAIL came in clear.
    pub is_mail_in_clear: bool,
    /// The recipients as written that we took, lower case.
    pub rcpt_to: Vec<String>,
    /// The id of the probe whose token a recipient carried.
    pub probe: Option<String>,
    /// The message, hashed and thrown away.
    pub message: Option<MessageSeen>,
    /// Who ended it, and how.
    pub ending: CanaryEnding,
    /// What was said.
    pub transcript: Vec<String>,
}

/// The handshake of a sender with a canary.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CanaryTls {
    /// The version agreed on.
    pub version: Option<TlsVersion>,
    /// The suite agreed on, by its IANA name.
    pub cipher_suite: Option<String>,
    /// The group agreed on, by its IANA name.
    pub group: Option<String>,
    /// The certificate the sender showed, leaf first.
    pub client_chain: Vec<Der>,
    /// Whether our ServerHello was sent.
    pub server_hello_sent: bool,
    /// Whether both sides finished.
    pub completed: bool,
    /// The fatal alert we sent, by its name in RFC 8446 §6.
    pub our_alert: Option<String>,
    /// The fatal alert the sender sent, likewise.
    pub their_alert: Option<String>,
    /// Why it failed otherwise, in words.
    pub failure: Option<String>,
}

/// A message that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageSeen {
    /// Octets.
    pub octets: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

/// Who ended a session with a canary, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CanaryEnding {
    /// The sender closed the connection in order, QUIT or not; with a TLS alert, [`CanaryTls`] has it.
    Closed,
    /// We ended it, short of what there was to see: a limit, a restart, an error, in words.
    Ours(String),
    /// The sender said QUIT.
    Quit,
    /// The sender reset the connection.
    Reset,
    /// The sender said nothing for so long that we closed.
    TimedOut,
}
