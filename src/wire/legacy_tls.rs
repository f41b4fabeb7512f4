//! The server side of TLS 1.0 and TLS 1.1 ([RFC 2246], [RFC 4346]). **It protects nothing and must never be made to.**
//!
//! No other part of this program may carry anything over it that anybody would mind seeing in clear, or rely on who is at
//! the other end. It exists for one purpose: so that a canary can see whether a mail system goes on to MAIL over
//! versions of TLS that were given up in [RFC 8996]. To see that, the handshake must be brought to its end, because a
//! mail system that merely began one has delivered nothing; and no TLS library we would use for anything else can do that.
//! What it takes is what those versions are given up for: RSA key exchange without forward secrecy, CBC with the MAC
//! inside, MD5 and SHA-1.
//!
//! 1. A [`LegacyServer`] is fed what came off the network and gives back what to send: no sockets, no waiting, no clock.
//! 2. The hello is answered with the highest of the two versions that the client offers, and AES-CBC-SHA under RSA key
//!    exchange. Nothing in common is a fatal alert, and [`Progress`] says what was missing.
//! 3. A client certificate is asked for, kept, and not judged. Both Finished are checked as they must be: a handshake
//!    counts as finished only where both sides have the same keys.
//! 4. From there on it carries lines, until either side says close_notify.
//!
//! It takes what a careful server would not, wherever only a careless sender would be turned away by care: a sender that
//! our strictness stops looks like one that refuses, and would be called safe.
//!
//! Invariant: no bytes panic; a message has 64 KiB at most, a record what [RFC 4346 §6.2] allows, and a client gets a
//! bounded number of messages.
//! Invariant: how the network cuts the bytes changes nothing.
//! Invariant: randomness is an argument.
//!
//! [RFC 2246]: https://www.rfc-editor.org/rfc/rfc2246
//! [RFC 4346]: https://www.rfc-editor.org/rfc/rfc4346
//! [RFC 4346 §6.2]: https://www.rfc-editor.org/rfc/rfc4346#section-6.2
//! [RFC 8996]: https://www.rfc-editor.org/rfc/rfc8996

mod cipher;
mod handshake;
mod identity;
mod keys;
mod message;
mod progress;
mod record;
mod server;
#[cfg(test)]
mod tests;

pub use identity::{IdentityError, LegacyIdentity};
pub use progress::{End, Fault, Phase, Progress};
pub use server::{LegacyServer, NotOpen, Random};
