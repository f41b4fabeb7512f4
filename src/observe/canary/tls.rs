//! The TLS that a canary speaks as any good receiver does, with the certificate of its personality.
//!
//! 1. What does not change is made once a canary: the provider, the versions, the certificate with its key.
//! 2. What a session needs of its own is made for it: who keeps the certificate that the sender shows.
//!
//! Invariant: no tickets and no resumption, so every session shows its whole handshake.
//! Invariant: a client certificate is asked for, never required, and none is refused for what it says.

use super::certificates::CanaryIdentity;
use crate::model::session::Der;
use crate::observe::verifier::{Proof, prove};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme, SupportedProtocolVersion,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, UnixTime},
    server::{
        NoServerSessionStorage,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::{CertifiedKey, SingleCertAndKey},
    version::{TLS12, TLS13},
};
use std::sync::{Arc, Mutex, PoisonError};

/// Which versions are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Versions {
    /// TLS 1.2 and 1.3.
    Good,
    /// TLS 1.2 alone, where that is below the lowest.
    Tls12,
}

impl Versions {
    fn supported(self) -> Vec<&'static SupportedProtocolVersion> {
        match self {
            Self::Good => vec![&TLS13, &TLS12],
            Self::Tls12 => vec![&TLS12],
        }
    }
}

/// One certificate and how it is shown.
#[derive(Debug, Clone)]
pub(super) struct TlsSide {
    provider: Arc<CryptoProvider>,
    shown: Arc<SingleCertAndKey>,
    versions: Versions,
}

impl TlsSide {
    /// # Errors
    ///
    /// A key that is none, or belongs to another certificate.
    pub(super) fn new(identity: &CanaryIdentity, versions: Versions) -> Result<Self, Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let key = provider.key_provider.load_private_key(identity.key().clone_key())?;
        let certified = CertifiedKey::new(identity.chain().to_vec(), key);
        match certified.keys_match() {
            // A certificate of version 1 cannot be asked; it is shown as the operator wants it.
            Ok(()) | Err(Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(Error::InvalidCertificate(_)) => {}
            Err(error) => return Err(error),
        }
        Ok(Self { provider, shown: Arc::new(certified.into()), versions })
    }

    /// The configuration of one session, and what keeps the certificate its sender shows.
    pub(super) fn config(&self) -> Result<(Arc<ServerConfig>, Arc<AnySender>), Error> {
        let sender =
            Arc::new(AnySender { provider: Arc::clone(&self.provider), chain: Mutex::default() });
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&self.versions.supported())?
            .with_client_cert_verifier(Arc::<AnySender>::clone(&sender))
            .with_cert_resolver(Arc::<SingleCertAndKey>::clone(&self.shown));
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok((Arc::new(config), sender))
    }
}

/// Takes any client certificate, or none, and keeps it.
#[derive(Debug)]
pub(super) struct AnySender {
    provider: Arc<CryptoProvider>,
    chain: Mutex<Vec<Der>>,
}

impl AnySender {
    /// What was shown, leaf first.
    pub(super) fn chain(&self) -> Vec<Der> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A key that cannot be tried is for a judge; a signature that is wrong is somebody else's certificate.
    fn check(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        match prove(algorithms, message, certificate, signed) {
            Proof::Held | Proof::NotCheckable => Ok(HandshakeSignatureValid::assertion()),
            Proof::Wrong => Err(Error::InvalidCertificate(CertificateError::BadSignature)),
        }
    }
}

impl ClientCertVerifier for AnySender {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let chain = std::iter::once(leaf).chain(rest).map(|one| Der(one.to_vec())).collect();
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
