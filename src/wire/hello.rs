//! The TLS that rustls cannot speak, as bytes and values.

mod version;

pub use version::TlsVersion;
