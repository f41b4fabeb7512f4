//! What one SMTP session with one endpoint showed: transcript, handshake, and how it ended.
//!
//! Invariant: everything here was seen, nothing is a judgement; a failure of the peer is a value.

use super::{
    deep::{Deep, HelloTried},
    requirement::TlsVersion,
};
use crate::wire::{
    name::Host,
    smtp::{Capabilities, Reply},
    text,
};
use core::net::IpAddr;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};

/// How far a session came. The order is that of the dialogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Connecting, and waiting for the greeting.
    Connect,
    /// EHLO or HELO in clear.
    Ehlo,
    /// The STARTTLS command and its reply.
    Starttls,
    /// The TLS handshake.
    Handshake,
    /// EHLO inside TLS.
    EhloTls,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA.
    Data,
    /// The message was taken.
    Accepted,
}

impl Phase {
    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Ehlo => "ehlo",
            Self::Starttls => "starttls",
            Self::Handshake => "handshake",
            Self::EhloTls => "ehlo-tls",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Accepted => "accepted",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One endpoint: where a session goes, and under which name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Endpoint {
    /// The MX host, sent as SNI; none where the target is an address.
    pub host: Option<Host>,
    /// Where to connect.
    pub address: IpAddr,
    /// TCP port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    /// `mx1.example.org [192.0.2.1]:25`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(f, "{host} ")?;
        }
        write!(f, "[{}]:{}", self.address, self.port)
    }
}

/// The text names no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no endpoint: write mx1.example.org [192.0.2.1]:25, or [192.0.2.1]:25")]
pub struct NotAnEndpoint(String);

impl FromStr for Endpoint {
    type Err = NotAnEndpoint;

    /// Reads what is shown.
    fn from_str(text: &str) -> Result<Self, NotAnEndpoint> {
        let parse = || {
            let (host, place) = match text.split_once(' ') {
                Some((host, place)) => (Some(host.parse().ok()?), place),
                None => (None, text),
            };
            let (address, port) = place.strip_prefix('[')?.split_once("]:")?;
            Some(Self { host, address: address.parse().ok()?, port: port.parse().ok()? })
        };
        parse().ok_or_else(|| NotAnEndpoint(text.chars().take(80).collect()))
    }
}

/// One look at one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Where.
    pub endpoint: Endpoint,
    /// When it began.
    pub started_at: Timestamp,
    /// The local address it went out from, once connected.
    pub local_address: Option<IpAddr>,
    /// The furthest phase entered.
    pub reached: Phase,
    /// The greeting.
    pub banner: Option<Reply>,
    /// The reply to EHLO or HELO in clear; none with implicit TLS.
    pub ehlo: Option<Ehlo>,
    /// What came of asking for TLS.
    pub starttls: StartTls,
    /// Bytes that came in clear behind the 220 to STARTTLS and before the ServerHello, made printable.
    pub injected: Option<String>,
    /// The handshake, as far as it came: set as soon as the server's certificate or version was seen.
    pub tls: Option<Tls>,
    /// The reply to EHLO inside TLS.
    pub ehlo_tls: Option<Ehlo>,
    /// How it ended.
    pub ending: Ending,
    /// Earlier tries of this look that ended in something transient, oldest first, in words.
    pub earlier: Vec<String>,
    /// A try with a post-quantum key share that failed where the same try without it came further.
    pub post_quantum_refused: Option<String>,
    /// The hand-made hellos tried after the TLS library had failed, in order.
    #[serde(default)]
    pub hellos: Vec<HelloTried>,
    /// The certificate shown without SNI, where it was looked at.
    pub without_sni: Option<WithoutSni>,
    /// What a deep look showed.
    #[serde(default)]
    pub deep: Option<Deep>,
    /// Milliseconds spent in each phase, in the order of the dialogue.
    pub spent_ms: Vec<(Phase, u64)>,
    /// What was said, each line marked `C:`, `S:` or `--`.
    pub transcript: Vec<String>,
}

impl Session {
    /// Whether a TLS handshake was finished by both sides.
    pub fn has_completed_tls(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.completed)
    }

    /// A session that has not begun.
    pub fn new(endpoint: Endpoint, started_at: Timestamp) -> Self {
        Self {
            endpoint,
            started_at,
            local_address: None,
            reached: Phase::Connect,
            banner: None,
            ehlo: None,
            starttls: StartTls::NotAsked,
            injected: None,
            tls: None,
            ehlo_tls: None,
            ending: Ending::Quit,
            earlier: Vec::new(),
            post_quantum_refused: None,
            hellos: Vec::new(),
            without_sni: None,
            deep: None,
            spent_ms: Vec::new(),
            transcript: Vec::new(),
        }
    }
}

/// A greeting exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ehlo {
    /// Which command the server took.
    pub command: Hello,
    /// Its reply.
    pub reply: Reply,
    /// What it offers; empty after HELO.
    pub capabilities: Capabilities,
}

/// How we introduced ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Hello {
    /// EHLO.
    Ehlo,
    /// HELO, after EHLO was refused ([RFC 5321 §3.2]).
    ///
    /// [RFC 5321 §3.2]: https://www.rfc-editor.org/rfc/rfc5321#section-3.2
    Helo,
}

/// What came of asking for TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartTls {
    /// The server agreed; the handshake began.
    Agreed(Reply),
    /// TLS from the first octet (port 465).
    Implicit,
    /// The session did not come that far.
    NotAsked,
    /// The server does not offer it.
    NotOffered,
    /// The server offered it and answered with something other than 220.
    Refused(Reply),
    /// The server offered it and did not answer.
    Unanswered,
}

/// What a TLS handshake showed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tls {
    /// How it was seen.
    pub seen_by: SeenBy,
    /// The version the server chose.
    pub version: Option<TlsVersion>,
    /// The suite the server chose, by its IANA name.
    pub cipher_suite: Option<String>,
    /// The key exchange group, by its IANA name.
    pub group: Option<String>,
    /// Size of the Diffie-Hellman prime, in bits, where a finite-field exchange was seen in clear.
    pub dh_bits: Option<usize>,
    /// The certificates as sent, leaf first, DER in base64 when stored.
    pub chain: Vec<Der>,
    /// The stapled OCSP response.
    pub ocsp: Option<Der>,
    /// Whether the server asked for a client certificate.
    pub client_certificate_requested: bool,
    /// Whether the server proved that it holds the leaf's key: its signature over the handshake held.
    pub key_proved: bool,
    /// Whether both sides finished.
    pub completed: bool,
}

/// How a handshake was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeenBy {
    /// A whole handshake by the TLS library.
    #[default]
    Handshake,
    /// A hand-made hello: what the server sends in clear, no key proved.
    Hello,
}

/// DER bytes; base64 when stored.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Der(pub Vec<u8>);

impl fmt::Debug for Der {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Der({} octets)", self.0.len())
    }
}

impl Serialize for Der {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&text::base64(&self.0))
    }
}

impl<'de> Deserialize<'de> for Der {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let encoded = String::deserialize(deserializer)?;
        text::from_base64(&encoded).map(Self).ok_or_else(|| D::Error::custom("not base64"))
    }
}

/// What the server showed when no SNI was sent, as most real senders do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WithoutSni {
    /// This chain, leaf first.
    Chain(Vec<Der>),
    /// The server refused the handshake, in words.
    Failed(String),
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Nobody listened, or nothing answered.
    Connect(ConnectFailure),
    /// The endpoint's deadline passed.
    Deadline(Phase),
    /// The handshake failed.
    Handshake(HandshakeFailure),
    /// We failed, in words.
    Internal(String),
    /// The peer closed or reset the connection.
    Lost(Phase, Lost),
    /// Not connected to, on purpose.
    NotTried(NotTried),
    /// The peer broke the protocol, in words.
    Protocol(Phase, String),
    /// We saw all we came for, and said QUIT.
    Quit,
    /// The peer refused to go on.
    Refused(Phase, Reply),
    /// The peer sent more than we read, in words.
    TooMuchData(Phase, String),
}

/// Why there was no connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectFailure {
    /// Anything else, in words.
    Other(String),
    /// Refused, or reset while connecting.
    Refused(String),
    /// Nothing answered in time, or the network said there is no such host.
    TimedOut(String),
}

/// How a connection was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lost {
    /// An orderly close.
    Eof,
    /// A reset.
    Reset,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eof => "closed by the peer",
            Self::Reset => "reset by the peer",
        })
    }
}

/// Why an endpoint was not tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotTried {
    /// This host has no route for the address family, in words.
    FamilyUnavailable(String),
    /// The address lies in private, loopback or reserved space.
    PrivateAddress,
}

/// How a handshake failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HandshakeFailure {
    /// The server sent this fatal alert (the name of [RFC 8446 §6]).
    ///
    /// [RFC 8446 §6]: https://www.rfc-editor.org/rfc/rfc8446#section-6
    Alert(String),
    /// The peer closed or reset the connection.
    Lost(Lost),
    /// The bytes are no TLS: they begin so, made printable.
    NotTls(String),
    /// The server sent TLS that breaks the protocol, in words.
    Protocol(String),
    /// The server wants something the TLS library does not speak, in words.
    Unsupported(String),
    /// The server chose a version older than TLS 1.2.
    VersionTooOld(String),
    /// Nothing came in time.
    TimedOut,
}

impl fmt::Display for HandshakeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alert(name) => write!(f, "the server sent the TLS alert {name}"),
            Self::Lost(how) => write!(f, "connection {how} in the TLS handshake"),
            Self::NotTls(start) => write!(f, "the server sent bytes that are no TLS: `{start}`"),
            Self::Protocol(detail) => write!(f, "the server broke the TLS protocol: {detail}"),
            Self::Unsupported(detail) => write!(f, "no TLS in common: {detail}"),
            Self::VersionTooOld(detail) => write!(f, "the server's TLS is too old: {detail}"),
            Self::TimedOut => f.write_str("no answer to the TLS hello in time"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_read_as_it_is_shown() {
        for good in
            ["mx1.example.org [192.0.2.1]:25", "[192.0.2.1]:2525", "mx.test [2001:db8::1]:25"]
        {
            assert_eq!(good.parse::<Endpoint>().unwrap().to_string(), good);
        }
        for bad in
            ["", "mx.test", "notls.canary.test", "[192.0.2.1]", "[x]:25", "mx.test  [192.0.2.1]:25"]
        {
            assert!(bad.parse::<Endpoint>().is_err(), "{bad}");
        }
    }
}
