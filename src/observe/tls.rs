//! The client side of a TLS handshake that accepts whatever certificate comes, and says what it saw.
//!
//! 1. One configuration for the process; a probe gets a shallow copy with a recorder of its own.
//! 2. X25519MLKEM768 is offered first; the same without it is a second configuration, TLS 1.2 alone a third.
//! 3. A client certificate is presented where there is one and the server asks.
//!
//! Invariant: no session is ever resumed, so every look sees the certificates of today.

use super::{
    identity::ClientIdentity,
    screen::Screen,
    verifier::{self, Recorder},
};
use crate::model::requirement::TlsVersion;
use crate::model::session::{HandshakeFailure, SeenBy, Tls};
use crate::wire::{hello, name::Host};
use rustls::{
    ALL_VERSIONS, ClientConfig, NamedGroup, ProtocolVersion, SupportedProtocolVersion,
    client::Resumption,
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs},
    pki_types::ServerName,
    version::TLS12,
};
use std::{net::IpAddr, sync::Arc};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// We cannot speak TLS at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the TLS library")]
pub struct TlsError(#[from] rustls::Error);

/// Whether the hello carries a post-quantum key share: 1,545 octets instead of 319.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyShare {
    Classical,
    PostQuantum,
}

/// Which versions the hello offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Versions {
    /// TLS 1.2 and 1.3.
    All,
    /// TLS 1.2 alone, without a post-quantum key share: there is none below TLS 1.3.
    Tls12,
}

/// What the hello says of the name asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sni {
    Sent,
    Withheld,
}

/// Everything a handshake needs that is the same for all of them.
#[derive(Debug, Clone)]
pub struct TlsClient {
    post_quantum: Arc<ClientConfig>,
    classical: Arc<ClientConfig>,
    tls12: Arc<ClientConfig>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl TlsClient {
    /// Built once a process.
    pub fn new() -> Result<Self, TlsError> {
        let provider = aws_lc_rs::default_provider();
        let algorithms = provider.signature_verification_algorithms;
        let mut classical = provider.clone();
        classical.kx_groups.retain(|group| !is_post_quantum(group.name()));
        Ok(Self {
            post_quantum: Arc::new(config(provider, algorithms, ALL_VERSIONS)?),
            tls12: Arc::new(config(classical.clone(), algorithms, &[&TLS12])?),
            classical: Arc::new(config(classical, algorithms, ALL_VERSIONS)?),
            algorithms,
        })
    }

    /// Shakes hands over `io`. What was seen is returned whether or not it was finished.
    pub(super) async fn shake<S>(&self, io: Screen<S>, hello: Hello<'_>) -> Shaken<S>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let base = match (hello.versions, hello.key_share) {
            (Versions::Tls12, _) => &self.tls12,
            (Versions::All, KeyShare::PostQuantum) => &self.post_quantum,
            (Versions::All, KeyShare::Classical) => &self.classical,
        };
        let identity = hello.identity.map(ClientIdentity::certified);
        let recorder = Recorder::presenting(identity, self.algorithms, hello.chain_limit);
        let mut config = ClientConfig::clone(base);
        config.dangerous().set_certificate_verifier(Arc::<Recorder>::clone(&recorder));
        config.client_auth_cert_resolver = Arc::<Recorder>::clone(&recorder);
        config.enable_sni = hello.sni == Sni::Sent;
        let name = server_name(hello.host, hello.address);
        let connector = TlsConnector::from(Arc::new(config));
        match connector.connect(name, io).into_fallible().await {
            Ok(stream) => {
                let tls = completed(&stream, &recorder);
                let stream = Box::new(stream);
                let sent = recorder.shown().client_certificate_sent;
                Shaken::Done(stream, tls, if sent { Presented::Ours } else { Presented::Nothing })
            }
            Err((error, io)) => {
                let tls = recorded(&recorder);
                let tls = (!tls.chain.is_empty() || tls.version.is_some()).then_some(tls);
                let failure = match io.refused() {
                    Some(start) => HandshakeFailure::NotTls(start),
                    None => verifier::failure(&error),
                };
                Shaken::Failed { failure, tls }
            }
        }
    }
}

/// What one hello says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hello<'a> {
    pub(super) host: Option<&'a Host>,
    pub(super) address: IpAddr,
    pub(super) key_share: KeyShare,
    pub(super) versions: Versions,
    pub(super) sni: Sni,
    pub(super) identity: Option<&'a ClientIdentity>,
    pub(super) chain_limit: usize,
}

/// What the server got to see of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presented {
    /// No certificate: none was asked for, none was had, or none fitted.
    Nothing,
    /// Our certificate.
    Ours,
}

/// The outcome of a handshake.
pub(super) enum Shaken<S> {
    /// Both sides finished.
    Done(Box<TlsStream<Screen<S>>>, Tls, Presented),
    /// They did not; what was seen until then.
    Failed { failure: HandshakeFailure, tls: Option<Tls> },
}

fn config(
    provider: CryptoProvider,
    algorithms: WebPkiSupportedAlgorithms,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)?
        .dangerous()
        .with_custom_certificate_verifier(Recorder::new(algorithms, 0))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn is_post_quantum(group: NamedGroup) -> bool {
    matches!(
        group,
        NamedGroup::X25519MLKEM768
            | NamedGroup::secp256r1MLKEM768
            | NamedGroup::MLKEM512
            | NamedGroup::MLKEM768
            | NamedGroup::MLKEM1024
    )
}

/// An address as server name sends no SNI (RFC 6066 §3 forbids it).
fn server_name(host: Option<&Host>, address: IpAddr) -> ServerName<'static> {
    host.and_then(|host| ServerName::try_from(host.as_str().to_owned()).ok())
        .unwrap_or_else(|| ServerName::IpAddress(address.into()))
}

fn recorded(recorder: &Recorder) -> Tls {
    let shown = recorder.shown();
    Tls {
        seen_by: SeenBy::Handshake,
        version: shown.version,
        chain: shown.chain,
        ocsp: shown.ocsp,
        client_certificate_requested: shown.client_certificate_requested,
        key_proved: shown.key_proved,
        ..Tls::default()
    }
}

fn completed<S>(stream: &TlsStream<Screen<S>>, recorder: &Recorder) -> Tls {
    let (_, connection) = stream.get_ref();
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => Some(TlsVersion::Tls13),
        Some(ProtocolVersion::TLSv1_2) => Some(TlsVersion::Tls12),
        _ => None,
    };
    let suite = connection.negotiated_cipher_suite().map(|suite| suite_name(suite.suite()));
    let group = connection.negotiated_key_exchange_group().map(|group| group_name(group.name()));
    Tls { version, cipher_suite: suite, group, completed: true, ..recorded(recorder) }
}

/// The IANA name: rustls spells TLS 1.3 suites `TLS13_…`.
pub(super) fn suite_name(suite: rustls::CipherSuite) -> String {
    let name = suite.as_str().map_or_else(|| format!("{suite:?}"), str::to_owned);
    match name.strip_prefix("TLS13_") {
        Some(rest) => format!("TLS_{rest}"),
        None => name,
    }
}

/// The IANA name: rustls spells some otherwise, as `X25519`.
pub(super) fn group_name(group: NamedGroup) -> String {
    hello::group_name(u16::from(group))
}
