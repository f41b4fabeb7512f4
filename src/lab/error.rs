//! What keeps the lab itself from working; a peer that misbehaves on purpose is no error.

use crate::model::requirement::TlsVersion;
use std::{io, net::SocketAddr};

/// The lab could not be set up as asked.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A certificate could not be made.
    #[error("cannot make the certificate")]
    Certificate(#[from] rcgen::Error),
    /// A date beyond what a certificate holds.
    #[error("a date out of range")]
    Date(#[from] jiff::Error),
    /// A certificate or key could not be read.
    #[error("cannot read the certificate or key: {0}")]
    Read(String),
    /// The TLS library refuses the identity or the options.
    #[error("cannot serve TLS so")]
    Tls(#[from] rustls::Error),
    /// A version the TLS library does not speak.
    #[error("a lab peer speaks no {0}")]
    Version(TlsVersion),
}
