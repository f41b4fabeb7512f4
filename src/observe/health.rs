//! Whether the daemon of this host answers on its own HTTP port: one GET, without a proxy and without redirects.
//!
//! Invariant: no token is sent: whoever has taken the daemon's port must not get it. That one is asked for is an answer.

use super::tls::TlsError;
use rustls::{ClientConfig, crypto::aws_lc_rs};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// Where and how to ask.
#[derive(Debug)]
pub struct HealthPlan {
    /// Where the daemon listens.
    pub address: SocketAddr,
    /// Whether it speaks TLS there.
    pub channel: Channel,
    /// How long the answer may take.
    pub patience: Duration,
}

/// What the daemon speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// HTTP.
    Clear,
    /// HTTPS. Its certificate is for a name that others use; here only this host is asked.
    Tls,
}

/// It does not answer as it should.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// No answer.
    #[error("{0} does not answer")]
    Http(SocketAddr, #[source] reqwest::Error),
    /// An answer, and not the right one.
    #[error("{0} answers /healthz with {1}")]
    Status(SocketAddr, u16),
    /// We cannot speak TLS at all.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Asks `/healthz`.
///
/// # Errors
///
/// No answer in time, or another one than 200, or 401 where a token is asked for.
pub async fn ask(plan: &HealthPlan) -> Result<(), HealthError> {
    let HealthPlan { address, channel, patience } = plan;
    let failed = |error: reqwest::Error| HealthError::Http(*address, error.without_url());
    let scheme = match channel {
        Channel::Clear => "http",
        Channel::Tls => "https",
    };
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(*patience)
        .tls_backend_preconfigured(any_certificate()?)
        .build()
        .map_err(failed)?;
    let response =
        client.get(format!("{scheme}://{address}/healthz")).send().await.map_err(failed)?;
    match response.status().as_u16() {
        200 | 401 => Ok(()),
        other => Err(HealthError::Status(*address, other)),
    }
}

/// The answer is that of a process on this host or of whoever holds its port; the certificate would tell no more.
fn any_certificate() -> Result<ClientConfig, TlsError> {
    let provider = aws_lc_rs::default_provider();
    let verifier = super::verifier::Recorder::new(provider.signature_verification_algorithms, 0);
    Ok(ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}
