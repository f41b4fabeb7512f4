//! A message on its way in: hashed, counted and thrown away.
//!
//! 1. Behind DATA, dots are taken off as [RFC 5321 §4.5.2] says; the end is CRLF, dot, CRLF and nothing else.
//! 2. Behind BDAT, octets are octets ([RFC 3030 §2]).
//!
//! Invariant: no part of a message is kept.
//!
//! [RFC 3030 §2]: https://www.rfc-editor.org/rfc/rfc3030#section-2
//! [RFC 5321 §4.5.2]: https://www.rfc-editor.org/rfc/rfc5321#section-4.5.2

use crate::model::delivery::MessageSeen;
use crate::wire::text;
use sha2::{Digest, Sha256};

/// What is kept of a message while it comes.
#[derive(Debug, Clone, Default)]
pub(super) struct Message {
    hash: Sha256,
    octets: u64,
}

impl Message {
    /// Takes octets of the message itself.
    pub(super) fn take(&mut self, octets: &[u8]) {
        self.hash.update(octets);
        self.octets = self.octets.saturating_add(octets.len() as u64);
    }

    /// How long it is so far.
    pub(super) fn octets(&self) -> u64 {
        self.octets
    }

    /// What is kept of it.
    pub(super) fn seen(self) -> MessageSeen {
        MessageSeen { octets: self.octets, sha256: text::hex(&self.hash.finalize()) }
    }
}

/// Finds the end of a message behind DATA, however the network cuts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Dots {
    /// Behind a CR.
    AfterCr,
    /// Behind a dot that begins a line.
    AfterDot,
    /// Behind a dot that begins a line, and a CR.
    AfterDotCr,
    /// At the beginning of a line.
    #[default]
    LineStart,
    /// The end was seen.
    Over,
    /// Within a line.
    Within,
}

impl Dots {
    /// Takes octets off the front until the message ends or they are used up; says how many were taken.
    pub(super) fn take(&mut self, octets: &[u8], message: &mut Message) -> usize {
        let mut plain = Vec::with_capacity(octets.len());
        let mut taken = 0;
        for octet in octets {
            if self.is_over() {
                break;
            }
            taken += 1;
            *self = self.after(*octet, &mut plain);
        }
        message.take(&plain);
        taken
    }

    /// Whether the end was seen.
    pub(super) fn is_over(self) -> bool {
        self == Self::Over
    }

    fn after(self, octet: u8, plain: &mut Vec<u8>) -> Self {
        match (self, octet) {
            (Self::LineStart, b'.') => return Self::AfterDot,
            (Self::AfterDot, b'\r') => return Self::AfterDotCr,
            (Self::AfterDotCr, b'\n') => return Self::Over,
            // The dot is gone, the CR was not the end.
            (Self::AfterDotCr, _) => plain.push(b'\r'),
            _ => {}
        }
        plain.push(octet);
        match (self, octet) {
            (_, b'\r') => Self::AfterCr,
            (Self::AfterCr, b'\n') => Self::LineStart,
            _ => Self::Within,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_ends_at_its_dot_and_nowhere_else() {
        #[track_caller]
        fn check(sent: &[u8], expect: &[u8], left: &[u8], is_over: bool) {
            let mut whole = Message::default();
            whole.take(expect);
            // However it is cut.
            for size in 1..=sent.len() {
                let (mut dots, mut message, mut taken) = (Dots::default(), Message::default(), 0);
                for chunk in sent.chunks(size) {
                    taken += dots.take(chunk, &mut message);
                }
                assert_eq!(dots.is_over(), is_over);
                assert_eq!(message.octets(), expect.len() as u64);
                assert_eq!(message.seen(), whole.clone().seen(), "in chunks of {size}");
                assert_eq!(&sent[taken..], left);
            }
        }
        check(b"a\r\n.\r\n", b"a\r\n", b"", true);
        check(b".\r\nQUIT\r\n", b"", b"QUIT\r\n", true);
        check(b"a\r\n..\r\n.\r\n", b"a\r\n.\r\n", b"", true);
        check(b"a\r\n.b\r\n.\r\n", b"a\r\nb\r\n", b"", true);
        check(b"a\n.\nb\r\n", b"a\n.\nb\r\n", b"", false); // what smuggles elsewhere
        check(b"a\n.\r\nb\r\n", b"a\n.\r\nb\r\n", b"", false);
        check(b"a\r.\r\n", b"a\r.\r\n", b"", false);
        check(b"a\r\n.\rb\r\n.\r\n", b"a\r\n\rb\r\n", b"", true);
        check(b"a\r\n.\r\r\n.\r\n", b"a\r\n\r\r\n", b"", true);
        check(b"a\r\r\n.\r\n", b"a\r\r\n", b"", true);
    }
}
