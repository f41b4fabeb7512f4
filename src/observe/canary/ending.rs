//! Who ended a session, and how, as the connection tells it.
//!
//! Invariant: what cannot be told for the sender's own leaving is never called that.

use super::{patience::Halt, visit::Visit};
use crate::model::delivery::CanaryEnding;
use crate::observe::verifier;
use std::io::{self, ErrorKind};

impl Halt {
    /// The ending it makes, where the connection itself did not fail.
    pub(super) fn ending(&self) -> CanaryEnding {
        match self {
            Self::Failed(error) => CanaryEnding::Ours(error.to_string()),
            Self::Overtime => CanaryEnding::Ours("the session took too long".to_owned()),
            Self::Silent => CanaryEnding::TimedOut,
            Self::Stopped => CanaryEnding::Ours("the canary was stopped".to_owned()),
        }
    }
}

/// What a failed read or write says. An alert is kept, whatever becomes of the connection behind it: the sender said
/// that it leaves.
pub(super) fn ended(error: &io::Error, visit: &mut Visit) -> CanaryEnding {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::AlertReceived(alert)) => {
            let name = verifier::alert_name(*alert);
            visit.note(&format!("the sender sent the TLS alert {name}"));
            visit.tls().their_alert = Some(name);
            CanaryEnding::Closed
        }
        Some(other) => {
            let words = verifier::words(other);
            visit.tls().failure = Some(words.clone());
            CanaryEnding::Ours(format!("TLS failed: {words}"))
        }
        None => match error.kind() {
            // Linux says EPIPE where the other end had closed in order before it reset, ECONNRESET where not.
            ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => CanaryEnding::Closed,
            ErrorKind::ConnectionReset => CanaryEnding::Reset,
            ErrorKind::QuotaExceeded => {
                CanaryEnding::Ours("the sender sent more than is read".to_owned())
            }
            ErrorKind::TimedOut => CanaryEnding::TimedOut,
            _ => CanaryEnding::Ours(error.to_string()),
        },
    }
}
