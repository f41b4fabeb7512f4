//! What is asked of a receiver's certificate: everything, or nothing.
//!
//! TLS 1.2 and 1.3 alone: the library speaks nothing older, so a receiver that does fails the handshake.

use super::Forcing;
use crate::lab::LabError;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::{io, sync::Arc};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Both ways to look at a certificate.
#[derive(Debug)]
pub(super) struct Trust {
    everything: Arc<ClientConfig>,
    nothing: Arc<ClientConfig>,
}

impl Trust {
    pub(super) fn new(roots: &[Vec<u8>]) -> Result<Self, LabError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = || {
            ClientConfig::builder_with_provider(Arc::clone(&provider))
                .with_safe_default_protocol_versions()
        };
        let mut store = RootCertStore::empty();
        for root in roots {
            store.add(CertificateDer::from(root.clone()))?;
        }
        let everything = builder()?.with_root_certificates(store).with_no_client_auth();
        let anything = Arc::new(Anything(Arc::clone(&provider)));
        let nothing =
            builder()?.dangerous().with_custom_certificate_verifier(anything).with_no_client_auth();
        let each_anew = |mut config: ClientConfig| {
            config.resumption = Resumption::disabled();
            Arc::new(config)
        };
        Ok(Self { everything: each_anew(everything), nothing: each_anew(nothing) })
    }

    /// A handshake with this host. One that fails is ended in order.
    pub(super) async fn shake(
        &self,
        forcing: Forcing,
        host: &str,
        tcp: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let config = match forcing {
            Forcing::InAppearance => &self.nothing,
            Forcing::Really => &self.everything,
        };
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let shaken =
            TlsConnector::from(Arc::clone(config)).connect(name, tcp).into_fallible().await;
        match shaken {
            Ok(stream) => Ok(stream),
            Err((error, mut tcp)) => {
                // Our alert is on its way already.
                let _ = tcp.shutdown().await;
                Err(error)
            }
        }
    }
}

/// Takes whoever holds the key of what it shows.
#[derive(Debug)]
struct Anything(Arc<CryptoProvider>);

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
