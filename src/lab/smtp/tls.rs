//! The TLS side of a peer: a script's [`Tls`] as a rustls configuration.

use crate::lab::{
    LabError,
    ca::Identity,
    smtp::script::{ClientCertificate, Tls},
};
use crate::model::requirement::TlsVersion;
use rustls::{
    DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
    SupportedProtocolVersion,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, UnixTime},
    server::{
        ClientHello, ResolvesServerCert,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
};
use std::{collections::BTreeMap, sync::Arc};

/// The configuration that does what the script says.
pub(super) fn config(tls: &Tls) -> Result<ServerConfig, LabError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let certify = |identity: &Identity| certified(identity, tls.ocsp.clone(), &provider);
    let by_sni = tls
        .by_sni
        .iter()
        .map(|(name, identity)| Ok((name.to_ascii_lowercase(), certify(identity)?)))
        .collect::<Result<_, LabError>>()?;
    let shown = Shown { otherwise: certify(&tls.identity)?, by_sni };
    let versions = tls.versions.iter().map(|version| supported(*version));
    let versions = versions.collect::<Result<Vec<_>, _>>()?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)?;
    let builder = match tls.client_certificate {
        ClientCertificate::NotAsked => builder.with_no_client_auth(),
        asks @ (ClientCertificate::Optional | ClientCertificate::Required) => {
            builder.with_client_cert_verifier(Arc::new(AnyClient { asks, provider }))
        }
    };
    Ok(builder.with_cert_resolver(Arc::new(shown)))
}

fn supported(version: TlsVersion) -> Result<&'static SupportedProtocolVersion, LabError> {
    match version {
        TlsVersion::Tls12 => Ok(&rustls::version::TLS12),
        TlsVersion::Tls13 => Ok(&rustls::version::TLS13),
        TlsVersion::Ssl3 | TlsVersion::Tls10 | TlsVersion::Tls11 => Err(LabError::Version(version)),
    }
}

/// Without `CertifiedKey::from_der`, which refuses certificates of version 1.
fn certified(
    identity: &Identity,
    ocsp: Option<Vec<u8>>,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, LabError> {
    let key = provider.key_provider.load_private_key(identity.key.clone_key())?;
    let mut certified = CertifiedKey::new(identity.chain.clone(), key);
    certified.ocsp = ocsp;
    Ok(Arc::new(certified))
}

/// Which certificate is shown to whom.
#[derive(Debug)]
struct Shown {
    otherwise: Arc<CertifiedKey>,
    by_sni: BTreeMap<String, Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|name| self.by_sni.get(name));
        Some(Arc::clone(named.unwrap_or(&self.otherwise)))
    }
}

/// Takes any client certificate whose key signs the handshake.
#[derive(Debug)]
struct AnyClient {
    asks: ClientCertificate,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        self.asks == ClientCertificate::Required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
