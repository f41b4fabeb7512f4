//! How far a client came, and how it ended: what a canary is there to see.

use crate::wire::hello::Alert;

/// How far the handshake came. The order matters: each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// No whole ClientHello yet.
    AwaitingHello,
    /// The hello was read; where it ends here, we had nothing in common with it.
    HelloRead,
    /// ServerHello to ServerHelloDone are on their way.
    FlightSent,
    /// The client sent its secret: it goes on.
    KeysExchanged,
    /// Both sides finished. What follows is protected as well as these versions can, which is not well.
    Finished,
}

/// How far, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// How far the handshake came.
    pub phase: Phase,
    /// Alerts of the client that ended nothing, in the order in which they came.
    pub warnings: Vec<Alert>,
    /// How it ended within TLS; none while it goes on, or where the connection was closed without a word.
    pub end: Option<End>,
}

/// How it ended within TLS. What comes first counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The client sent a fatal alert.
    ClientAlert(Alert),
    /// The client sent close_notify.
    ClientClosed,
    /// We sent a fatal alert.
    OurAlert {
        /// The alert.
        alert: Alert,
        /// Why.
        why: Fault,
    },
    /// We sent close_notify.
    WeClosed,
}

/// Why we gave up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A record that does not decrypt to something with the right MAC.
    #[error("a record that does not decrypt")]
    Decrypt,
    /// The client's Finished is another than ours would be: both sides have different keys, or saw different messages.
    #[error("a Finished that does not verify")]
    Finished,
    /// Something failed in us.
    #[error("{0} failed")]
    Internal(&'static str),
    /// A part that is not as its type says.
    #[error("a malformed {0}")]
    Malformed(&'static str),
    /// The client offers no suite that we have; these it offers.
    #[error("no suite in common")]
    NoSharedSuite(Vec<u16>),
    /// The client offers neither TLS 1.0 nor TLS 1.1.
    #[error("no version in common")]
    NoSharedVersion,
    /// The bytes are no TLS: they begin so, made printable.
    #[error("the client sent bytes that are no TLS: `{0}`")]
    NotTls(String),
    /// A hello in the form of SSL 2.0 ([RFC 2246 §E]), which old clients send to say that they speak newer versions too.
    ///
    /// [RFC 2246 §E]: https://www.rfc-editor.org/rfc/rfc2246#appendix-E
    #[error("a ClientHello in the form of SSL 2.0")]
    Ssl2Hello,
    /// More than is read.
    #[error("more than {limit} {what}")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// How much is read.
        limit: usize,
    },
    /// Something that has no place here.
    #[error("{0} out of place")]
    Unexpected(&'static str),
}

impl Fault {
    /// The alert that tells the client ([RFC 4346 §7.2.2]).
    ///
    /// [RFC 4346 §7.2.2]: https://www.rfc-editor.org/rfc/rfc4346#section-7.2.2
    pub(super) fn alert(&self) -> Alert {
        let description = match self {
            Self::Unexpected(_) | Self::NotTls(_) | Self::Ssl2Hello => 10,
            // One alert for bad padding and a bad MAC alike.
            Self::Decrypt => 20,
            Self::TooMuch { .. } => 22,
            Self::NoSharedSuite(_) => 40,
            Self::Malformed(_) => 50,
            Self::Finished => 51,
            Self::NoSharedVersion => 70,
            Self::Internal(_) => 80,
        };
        Alert { level: FATAL, description }
    }
}

pub(super) const WARNING: u8 = 1;
pub(super) const FATAL: u8 = 2;
