//! What hand-made hellos showed, and what `--deep` asked beside: evidence of what a server takes.
//!
//! Invariant: a version or suite stands here as taken only where the ServerHello named one that was
//! offered and ServerHelloDone came ([RFC 5246 §7.4.5]); no key was proved by any of it.
//!
//! [RFC 5246 §7.4.5]: https://www.rfc-editor.org/rfc/rfc5246#section-7.4.5

use super::{requirement::TlsVersion, session::Der};
use crate::wire::hello::CertificateKind;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How deep an endpoint is looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Depth {
    /// Everything it takes, one session after another.
    Deep,
    /// What the requirement needs.
    #[default]
    Shallow,
}

/// One hand-made hello after the TLS library had failed, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloTried {
    /// What it offered.
    pub offered: HelloOffer,
    /// What the server made of it.
    pub outcome: HelloOutcome,
}

/// What a hand-made hello offered. The order is that in which they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HelloOffer {
    /// TLS 1.2 at most, with the suites the TLS library lacks.
    OtherSuites,
    /// An old version at most, with every suite it may use but the anonymous ones.
    Legacy(TlsVersion),
    /// TLS 1.3 at most, with every suite and curve but the anonymous ones.
    Everything,
    /// TLS 1.2 at most, without a certificate.
    Anonymous,
}

impl fmt::Display for HelloOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherSuites => f.write_str("TLSv1.2 with suites the TLS library lacks"),
            Self::Legacy(version) => write!(f, "{version} at most"),
            Self::Everything => f.write_str("TLSv1.3 at most, every suite with a certificate"),
            Self::Anonymous => f.write_str("TLSv1.2 at most, suites without a certificate"),
        }
    }
}

/// What a server made of a hand-made hello.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HelloOutcome {
    /// It chose from the offer, at the version offered, and came to the end of its part. In words.
    Accepted(String),
    /// The same, at an older version.
    Older(TlsVersion),
    /// It sent this alert.
    Refused(String),
    /// Nothing that says whether it would, in words.
    Unclear(String),
    /// The hello was not sent, in words.
    Unsent(String),
}

impl fmt::Display for HelloOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted(seen) => write!(f, "accepted: {seen}"),
            Self::Older(version) => write!(f, "answered with {version}"),
            Self::Refused(alert) => write!(f, "refused with the alert {alert}"),
            Self::Unclear(why) => write!(f, "unclear: {why}"),
            Self::Unsent(why) => write!(f, "not sent: {why}"),
        }
    }
}

/// What `--deep` saw of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Deep {
    /// The versions below TLS 1.2 that the server takes, newest first.
    pub legacy_versions: Vec<TlsVersion>,
    /// Weak suites the server takes, by IANA name, worst class first; not every one of a class.
    pub weak_suites: Vec<String>,
    /// The finite-field exchange it chooses, where it has one.
    pub dh: Option<DhSeen>,
    /// The chains shown for each kind of key.
    pub certificates: Vec<KindShown>,
    /// Whether a command in clear, sent with STARTTLS, was answered inside TLS; none where not tried.
    pub piggyback: Option<Piggyback>,
    /// What well-known senders would get.
    pub senders: Vec<SenderSeen>,
    /// Each question and its outcome, in words.
    pub asked: Vec<Asked>,
}

/// A finite-field Diffie-Hellman exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhSeen {
    /// The suite, by its IANA name.
    pub cipher_suite: String,
    /// Size of the prime in bits.
    pub bits: usize,
}

/// The chain shown to a client that takes one kind of key alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindShown {
    /// The kind.
    pub kind: CertificateKind,
    /// Leaf first.
    pub chain: Vec<Der>,
}

/// What became of a NOOP sent in clear in the same packet as STARTTLS ([RFC 3207 §4.2], CVE-2011-0411).
///
/// [RFC 3207 §4.2]: https://www.rfc-editor.org/rfc/rfc3207#section-4.2
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Piggyback {
    /// The server answered it inside TLS.
    Answered(String),
    /// TLS came to be, and nothing answered.
    Forgotten,
    /// No TLS came to be, in words.
    Unclear(String),
}

/// What one well-known sender would get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderSeen {
    /// Its name.
    pub name: String,
    /// What it would agree on; none where it would not.
    pub negotiated: Option<Agreed>,
    /// What came of its hello, in words.
    pub outcome: String,
}

/// Version, suite and group, by their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreed {
    /// The version.
    pub version: TlsVersion,
    /// The suite.
    pub cipher_suite: String,
    /// The group, where the exchange has one with a name.
    pub group: Option<String>,
}

/// One question of a deep look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// What was offered or done.
    pub question: String,
    /// What came of it.
    pub outcome: String,
}
