//! The SMTP dialogue as values: commands, replies and capabilities, without any I/O ([RFC 5321]).
//!
//! Invariant: what a peer sends is bounded here, in bytes, lines and line length, whoever reads the socket.
//!
//! [RFC 5321]: https://www.rfc-editor.org/rfc/rfc5321

mod capabilities;
mod command;
mod reply;
mod trailer;

pub use capabilities::Capabilities;
pub use command::{Command, Envelope, Parameter};
pub use reply::{Reply, ReplyError, ReplyLimits, ReplyReader};
pub use trailer::ExchangeTrailer;
