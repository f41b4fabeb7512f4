//! The TLS that rustls cannot speak, as bytes and values: hellos, ours and others', and what a server says
//! in clear.
//!
//! 1. An [`Offer`] becomes the bytes of a ClientHello ([RFC 5246 §7.4.1.2], [RFC 8446 §4.1.2], [RFC 6101 §5.6.1.2]).
//! 2. A [`FlightReader`] takes the answer, however the network cuts it, and gives a [`Flight`]: version,
//!    suite, certificates, key exchange, or the alert ([RFC 5246 §7.4], [RFC 8446 §4.1.3]).
//! 3. The connection is given up there: no key is ever agreed on, so nothing here protects anything,
//!    and nothing seen here proves that the server holds the key of its certificate.
//! 4. The other way round, the hello of a client that came to us is read as a [`ClientHello`].
//!
//! Invariant: no bytes panic, and what a peer may make us store is bounded.
//! Invariant: randomness is an argument.
//!
//! [RFC 5246 §7.4]: https://www.rfc-editor.org/rfc/rfc5246#section-7.4
//! [RFC 5246 §7.4.1.2]: https://www.rfc-editor.org/rfc/rfc5246#section-7.4.1.2
//! [RFC 6101 §5.6.1.2]: https://www.rfc-editor.org/rfc/rfc6101#section-5.6.1.2
//! [RFC 8446 §4.1.2]: https://www.rfc-editor.org/rfc/rfc8446#section-4.1.2
//! [RFC 8446 §4.1.3]: https://www.rfc-editor.org/rfc/rfc8446#section-4.1.3

mod alert;
mod client;
mod flight;
mod groups;
mod ja4;
mod offer;
mod probes;
mod read;
mod senders;
mod suites;
#[cfg(test)]
mod tests;
mod version;

pub use alert::{Alert, alert_name};
pub(super) use client::u24;
pub use client::{ClientHello, HelloError, ProtocolName};
pub use flight::{Flight, Negotiated};
pub use groups::group_name;
pub use offer::{Extension, Fresh, Offer};
pub(super) use offer::{Width, block, put};
pub use probes::{CertificateKind, NOT_RUSTLS_TLS12, RUSTLS_TLS12};
pub use read::{FlightError, FlightLimits, FlightReader};
pub use senders::{Sender, Source, senders};
pub use suites::{
    Weakness, is_usable_at, suite_by_name, suite_name, suites_of, suites_with_dhe, weakness,
};
pub use version::TlsVersion;
