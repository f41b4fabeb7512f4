//! What hand-made hellos are worth: an endpoint the TLS library could not shake hands with.
//!
//! 1. A server that took a hello is judged for what it showed; but half a handshake proves no key, so
//!    it is never compliant by that alone, and it is violated only by what is bad whoever holds the key.
//! 2. A server that took none has nothing in common with anybody only where every hello was refused
//!    in as many words.
//! 3. Where that is not clear, what a hello would have shown is not known.
//!
//! Invariant: no compliant endpoint and no `tls-no-common-cipher` from a hello that got no clear answer.

use super::endpoint::Draft;
use crate::model::{
    deep::{HelloOffer, HelloOutcome, HelloTried},
    finding::{FindingId, Severity},
    obstacle::ObstacleId,
    requirement::TlsVersion,
    session::{Ending, HandshakeFailure, SeenBy, Session, Tls},
};
use crate::wire::hello::{suite_by_name, weakness};

/// Added to what a finding saw, where no handshake was finished.
pub(super) const BY_HELLO: &str = " (seen in a hand-made hello, no key proved)";

/// RFC 9325 §4.5: a shorter prime is within reach of those who can pay for it.
pub(super) const LEAST_DH_BITS: usize = 2048;

/// What the hellos after a failed handshake say of the server.
pub(super) enum Hellos {
    /// One was taken: `Session::tls` holds what was seen.
    Taken,
    /// All of them were refused, those of old versions included.
    NothingShared,
    /// Everything from TLS 1.2 on was refused; older versions may be taken or not.
    NothingCurrent,
    /// Every one of them was met with an alert, whatever it says: TLS comes to be with nobody.
    OnlyAlerts,
    /// It is not clear.
    Unclear,
    /// None was tried.
    None,
}

pub(super) fn hellos(session: &Session) -> Hellos {
    if session.tls.as_ref().is_some_and(|tls| tls.seen_by == SeenBy::Hello) {
        return Hellos::Taken;
    }
    if session.hellos.is_empty() {
        return Hellos::None;
    }
    let refused = |offered: HelloOffer| {
        let mut tried = session.hellos.iter().filter(|tried| tried.offered == offered);
        tried.any(is_refused)
    };
    let current = [HelloOffer::OtherSuites, HelloOffer::Everything, HelloOffer::Anonymous];
    let legacy = [TlsVersion::Tls11, TlsVersion::Tls10, TlsVersion::Ssl3];
    match (
        current.into_iter().all(refused),
        legacy.into_iter().map(HelloOffer::Legacy).all(refused),
    ) {
        (true, true) => Hellos::NothingShared,
        (true, false) => Hellos::NothingCurrent,
        (false, _) if is_only_alerts(session) => Hellos::OnlyAlerts,
        (false, _) => Hellos::Unclear,
    }
}

/// Whether all hellos there are were tried, and each ended in an alert.
fn is_only_alerts(session: &Session) -> bool {
    let tried = |offered| session.hellos.iter().any(|tried| tried.offered == offered);
    tried(HelloOffer::Everything)
        && tried(HelloOffer::Anonymous)
        && session.hellos.iter().all(|tried| matches!(tried.outcome, HelloOutcome::Refused(_)))
}

/// Whether the server said that it shares nothing with the offer.
fn is_refused(tried: &HelloTried) -> bool {
    match &tried.outcome {
        HelloOutcome::Refused(alert) => is_nothing_shared(alert),
        HelloOutcome::Accepted(_)
        | HelloOutcome::Older(_)
        | HelloOutcome::Unclear(_)
        | HelloOutcome::Unsent(_) => false,
    }
}

/// RFC 5246 §7.2.2: the alerts of a server that finds nothing acceptable in a hello.
pub(super) fn is_nothing_shared(alert: &str) -> bool {
    matches!(alert, "handshake_failure" | "insufficient_security" | "protocol_version")
}

impl Draft<'_> {
    /// A handshake failed, and hand-made hellos were tried after it; whether they decide.
    pub(super) fn after_hellos(&mut self, failure: &HandshakeFailure) -> bool {
        let words = || {
            let tried = self.session.hellos.iter();
            let each = tried.map(|tried| format!("{}: {}", tried.offered, tried.outcome));
            each.collect::<Vec<String>>().join("; ")
        };
        match (hellos(self.session), failure) {
            (Hellos::None, _) => false,
            // What was seen is judged with the certificate.
            (Hellos::Taken, _) => true,
            (Hellos::NothingShared, HandshakeFailure::Alert(alert)) if is_nothing_shared(alert) => {
                self.find(
                    FindingId::TlsNoCommonCipher,
                    Severity::Violation,
                    format!("{failure}; so it does with every hand-made hello ({})", words()),
                    "a version and a suite that current clients offer",
                );
                true
            }
            (Hellos::NothingCurrent | Hellos::NothingShared, HandshakeFailure::Unsupported(_)) => {
                self.hinder_hello(format!("{failure}; {}", words()));
                true
            }
            // The failure stands for what it is: nothing current was taken by any hello.
            (Hellos::NothingCurrent | Hellos::NothingShared | Hellos::OnlyAlerts, _) => false,
            // RFC 5246 §E.1: a server answers with the newest version it speaks, or says that none will do.
            (Hellos::Unclear, HandshakeFailure::VersionTooOld(_)) => false,
            (Hellos::Unclear, HandshakeFailure::Alert(alert)) if alert == "protocol_version" => {
                false
            }
            (Hellos::Unclear, _) => {
                self.hinder_hello(format!(
                    "{failure}; whether the server speaks TLS to other clients is not clear: {}",
                    words()
                ));
                true
            }
        }
    }

    /// An endpoint that a hand-made hello alone has seen.
    pub(super) fn seen_by_hello(&mut self, tls: &Tls) {
        let version = tls.version.map_or_else(|| "TLS".to_owned(), |version| version.to_string());
        let suite = tls.cipher_suite.as_deref();
        if let (Some(suite), Some(weak)) = (suite, suite.and_then(suite_by_name).and_then(weakness))
        {
            self.find(
                FindingId::TlsWeakCipher,
                Severity::Warning,
                format!("{suite}: {weak}{BY_HELLO}"),
                "suites with forward secrecy and authenticated encryption",
            );
        }
        if let (Some(suite), Some(bits)) = (suite, tls.dh_bits.filter(|b| *b < LEAST_DH_BITS)) {
            self.weak_dh(suite, bits);
        }
        let lowest = self.rules.requirement.min_version.version();
        if let Some(seen) = tls.version.filter(|seen| *seen < lowest && self.is_newest(*seen)) {
            self.too_old(format!("{seen} is the newest the server speaks{BY_HELLO}"));
            return;
        }
        let why = self.failure().map_or_else(String::new, |failure| format!(" ({failure})"));
        self.hinder_hello(format!(
            "{version} was seen in a hand-made hello only: the key in the certificate was not \
             proved{why}"
        ));
    }

    pub(super) fn weak_dh(&mut self, suite: &str, bits: usize) {
        self.find(
            FindingId::TlsWeakDh,
            Severity::Warning,
            format!("{suite} with a prime of {bits} bits{BY_HELLO}"),
            "a prime of 2048 bits or more",
        );
    }

    fn hinder_hello(&mut self, detail: String) {
        self.hinder(ObstacleId::NotTestable, detail);
    }

    fn failure(&self) -> Option<&HandshakeFailure> {
        if let Ending::Handshake(failure) = &self.session.ending { Some(failure) } else { None }
    }

    /// Whether the server speaks nothing newer than a hello has seen: it said so itself, or clearly
    /// turned down the TLS library and every newer hello. (Whoever speaks TLS 1.3 speaks what the
    /// library offered, [RFC 8446 §9.1].)
    ///
    /// [RFC 8446 §9.1]: https://www.rfc-editor.org/rfc/rfc8446#section-9.1
    fn is_newest(&self, seen: TlsVersion) -> bool {
        let Some(failure) = self.failure() else { return false };
        let is_down = |tried: &HelloTried| match &tried.outcome {
            HelloOutcome::Older(version) => *version <= seen,
            HelloOutcome::Refused(_) => is_refused(tried),
            HelloOutcome::Accepted(_) => true,
            HelloOutcome::Unclear(_) | HelloOutcome::Unsent(_) => false,
        };
        match failure {
            HandshakeFailure::VersionTooOld(_) => true,
            HandshakeFailure::Alert(alert) if alert == "protocol_version" => true,
            HandshakeFailure::Alert(alert) if is_nothing_shared(alert) => {
                self.session.hellos.iter().all(is_down)
            }
            HandshakeFailure::Unsupported(_) => self.session.hellos.iter().all(is_down),
            HandshakeFailure::Alert(_)
            | HandshakeFailure::Lost(_)
            | HandshakeFailure::NotTls(_)
            | HandshakeFailure::Protocol(_)
            | HandshakeFailure::TimedOut => false,
        }
    }
}

#[cfg(test)]
mod tests;
