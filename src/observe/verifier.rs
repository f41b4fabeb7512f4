//! Accepts every certificate and records what was shown; judging comes later, from the record.
//!
//! 1. The chain, the stapled OCSP response and the version are kept as soon as the server shows them.
//! 2. The server's signature over the handshake is verified with the key in its certificate, whatever
//!    else the certificate is: version 1, CA:TRUE or 1024 bits are for a judge, not a reason to hang up.
//! 3. A signature that is wrong ends the handshake: whoever sent it does not hold the key.
//!
//! Invariant: no certificate is refused here for what it says, and no handshake completes whose signature was checked and found wrong.

use crate::model::requirement::TlsVersion;
use crate::model::session::{Der, HandshakeFailure, Lost};
use crate::wire::{text, x509};
use rsa::{PublicKey, pkcs1::DecodeRsaPublicKey, signature::Verifier, traits::PublicKeyParts};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, InvalidMessage, PeerIncompatible,
    PeerMisbehaved, SignatureScheme,
    client::{
        ResolvesClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    sign::CertifiedKey,
};
use sha2::{Sha256, Sha384, Sha512};
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

/// What one handshake showed, whether or not it was finished.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown {
    pub(super) chain: Vec<Der>,
    pub(super) ocsp: Option<Der>,
    pub(super) version: Option<TlsVersion>,
    pub(super) key_proved: bool,
    pub(super) client_certificate_requested: bool,
    pub(super) client_certificate_sent: bool,
}

/// Records one handshake. Both halves of a client configuration that hear of certificates.
#[derive(Debug)]
pub(super) struct Recorder {
    algorithms: WebPkiSupportedAlgorithms,
    chain_limit: usize,
    identity: Option<Arc<CertifiedKey>>,
    shown: Mutex<Shown>,
}

impl Recorder {
    pub(super) fn new(algorithms: WebPkiSupportedAlgorithms, chain_limit: usize) -> Arc<Self> {
        Self::presenting(None, algorithms, chain_limit)
    }

    /// One that presents this identity where the server asks for one.
    pub(super) fn presenting(
        identity: Option<Arc<CertifiedKey>>,
        algorithms: WebPkiSupportedAlgorithms,
        chain_limit: usize,
    ) -> Arc<Self> {
        Arc::new(Self { algorithms, chain_limit, identity, shown: Mutex::default() })
    }

    pub(super) fn shown(&self) -> Shown {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn record(&self, change: impl FnOnce(&mut Shown)) {
        change(&mut self.shown.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn check_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
        version: TlsVersion,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.record(|shown| shown.version = Some(version));
        let key_proved = match prove(&self.algorithms, message, certificate, signed) {
            Proof::Held => true,
            Proof::NotCheckable => false,
            Proof::Wrong => {
                return Err(Error::InvalidCertificate(CertificateError::BadSignature));
            }
        };
        self.record(|shown| shown.key_proved = key_proved);
        Ok(HandshakeSignatureValid::assertion())
    }
}

/// Whether a signature was made with a certificate's key.
pub(super) enum Proof {
    Held,
    NotCheckable,
    Wrong,
}

/// Whether the signature was made with the certificate's key.
pub(super) fn prove(
    algorithms: &WebPkiSupportedAlgorithms,
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Proof {
    let Some(info) = x509::public_key_info(certificate) else { return Proof::NotCheckable };
    if let Some(key) = small_rsa(&info.key) {
        return prove_small_rsa(key, message, signed);
    }
    let spki = SubjectPublicKeyInfoDer::from(info.der.as_slice());
    let Ok(entity) = webpki::RawPublicKeyEntity::try_from(&spki) else {
        return Proof::NotCheckable;
    };
    let candidates = algorithms.mapping.iter().filter(|(scheme, _)| *scheme == signed.scheme);
    let mut outcome = Proof::NotCheckable;
    for algorithm in candidates.flat_map(|(_, algorithms)| algorithms.iter()) {
        match entity.verify_signature(*algorithm, message, signed.signature()) {
            Ok(()) => return Proof::Held,
            Err(webpki::Error::InvalidSignatureForPublicKey) => outcome = Proof::Wrong,
            Err(_) => {}
        }
    }
    outcome
}

/// An RSA key below 2048 bits, which aws-lc refuses to verify with.
fn small_rsa(key: &[u8]) -> Option<PublicKey> {
    // Reading a key prepares arithmetic with it, which costs as much as a signature: a modulus of 256
    // octets behind its sign octet is not small (RSAPublicKey of RFC 8017 §A.1.1, both lengths long).
    if let [0x30, 0x82, _, _, 0x02, 0x82, high, low, 0x00, first, ..] = key
        && u16::from_be_bytes([*high, *low]) > 256
        && *first >= 0x80
    {
        return None;
    }
    let key = PublicKey::from_pkcs1_der(key).ok()?;
    (key.n_bits_precision() < 2048 && key.size() < 256).then_some(key)
}

fn prove_small_rsa(key: PublicKey, message: &[u8], signed: &DigitallySignedStruct) -> Proof {
    use rsa::{pkcs1v15, pss};
    let bytes = signed.signature();
    let pkcs1 = pkcs1v15::Signature::try_from(bytes);
    let probabilistic = pss::Signature::try_from(bytes);
    let verified = match (signed.scheme, pkcs1, probabilistic) {
        (SignatureScheme::RSA_PKCS1_SHA256, Ok(s), _) => {
            pkcs1v15::VerifyingKey::<Sha256>::new(key).verify(message, &s)
        }
        (SignatureScheme::RSA_PKCS1_SHA384, Ok(s), _) => {
            pkcs1v15::VerifyingKey::<Sha384>::new(key).verify(message, &s)
        }
        (SignatureScheme::RSA_PKCS1_SHA512, Ok(s), _) => {
            pkcs1v15::VerifyingKey::<Sha512>::new(key).verify(message, &s)
        }
        (SignatureScheme::RSA_PSS_SHA256, _, Ok(s)) => {
            pss::VerifyingKey::<Sha256>::new(key).verify(message, &s)
        }
        (SignatureScheme::RSA_PSS_SHA384, _, Ok(s)) => {
            pss::VerifyingKey::<Sha384>::new(key).verify(message, &s)
        }
        (SignatureScheme::RSA_PSS_SHA512, _, Ok(s)) => {
            pss::VerifyingKey::<Sha512>::new(key).verify(message, &s)
        }
        _ => return Proof::NotCheckable,
    };
    if verified.is_ok() { Proof::Held } else { Proof::Wrong }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp_response: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = || std::iter::once(leaf).chain(others);
        let octets: usize = chain().map(|certificate| certificate.len()).sum();
        if octets > self.chain_limit {
            // Half a chain would be judged as if the server had sent no more.
            return Err(Error::General(format!("a certificate chain of {octets} octets")));
        }
        let chain: Vec<Der> = chain().map(|certificate| Der(certificate.to_vec())).collect();
        self.record(|shown| {
            shown.chain = chain;
            shown.ocsp = (!ocsp_response.is_empty()).then(|| Der(ocsp_response.to_vec()));
        });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, certificate, signed, TlsVersion::Tls12)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, certificate, signed, TlsVersion::Tls13)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ResolvesClientCert for Recorder {
    /// The server's list of issuers does not choose: what it makes of ours is what we came to see.
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let usable = |identity: &&Arc<CertifiedKey>| identity.key.choose_scheme(schemes).is_some();
        let identity = self.identity.as_ref().filter(usable);
        self.record(|shown| {
            shown.client_certificate_requested = true;
            shown.client_certificate_sent = identity.is_some();
        });
        identity.cloned()
    }

    fn has_certs(&self) -> bool {
        self.identity.is_some()
    }
}

/// What an error of the TLS stream says about the peer. The one place that reads rustls's errors.
pub(super) fn failure(error: &io::Error) -> HandshakeFailure {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(error) => failure_of(error),
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof => HandshakeFailure::Lost(Lost::Eof),
            io::ErrorKind::TimedOut => HandshakeFailure::TimedOut,
            _ => HandshakeFailure::Lost(Lost::Reset),
        },
    }
}

fn failure_of(error: &Error) -> HandshakeFailure {
    match error {
        Error::AlertReceived(alert) => HandshakeFailure::Alert(alert_name(*alert)),
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        ) => HandshakeFailure::VersionTooOld(
            "the server answered with a version below TLS 1.2".to_owned(),
        ),
        Error::PeerMisbehaved(
            PeerMisbehaved::SelectedUnofferedCipherSuite
            | PeerMisbehaved::SelectedUnofferedKxGroup
            | PeerMisbehaved::SelectedUnusableCipherSuiteForVersion,
        )
        | Error::PeerIncompatible(_) => HandshakeFailure::Unsupported(words(error)),
        // A chain that is too long for us, but not for everybody.
        Error::InvalidMessage(
            InvalidMessage::CertificatePayloadTooLarge | InvalidMessage::HandshakePayloadTooLarge,
        )
        // Our own troubles are not the peer's.
        | Error::EncryptError
        | Error::FailedToGetCurrentTime
        | Error::FailedToGetRandomBytes
        | Error::General(_)
        | Error::HandshakeNotComplete
        | Error::Other(_) => HandshakeFailure::Unsupported(words(error)),
        _ => HandshakeFailure::Protocol(words(error)),
    }
}

pub(super) fn words(error: &Error) -> String {
    text::printable_within(error.to_string().as_bytes(), 200)
}

/// `HandshakeFailure` → `handshake_failure`, the spelling of RFC 8446 §6.
pub(super) fn alert_name(alert: rustls::AlertDescription) -> String {
    let mut name = String::new();
    for (at, character) in format!("{alert:?}").chars().enumerate() {
        if character.is_ascii_uppercase() && at > 0 {
            name.push('_');
        }
        name.push(character.to_ascii_lowercase());
    }
    // Three names that rustls spells in its own way.
    match name.as_str() {
        "unknown_c_a" => "unknown_ca".to_owned(),
        "unknown_p_s_k_identity" => "unknown_psk_identity".to_owned(),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{AlertDescription, pki_types::pem::PemObject};

    #[test]
    fn keys_that_aws_lc_refuses_are_small() {
        #[track_caller]
        fn check(pem: &str, expect: bool) {
            let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
            let info = x509::public_key_info(&certificate).unwrap();
            assert_eq!(small_rsa(&info.key).is_some(), expect);
        }
        check(include_str!("../../tests/data/certs/rsa1024.pem"), true);
        check(include_str!("../../tests/data/certs/good.pem"), false); // RSA-2048
        check(include_str!("../../tests/data/certs/p224.pem"), false); // not RSA at all
    }

    #[test]
    fn alerts_have_the_names_of_the_rfc() {
        #[track_caller]
        fn check(alert: AlertDescription, expect: &str) {
            assert_eq!(alert_name(alert), expect);
        }
        check(AlertDescription::HandshakeFailure, "handshake_failure");
        check(AlertDescription::ProtocolVersion, "protocol_version");
        check(AlertDescription::UnknownCA, "unknown_ca");
        check(AlertDescription::CertificateRequired, "certificate_required");
        check(AlertDescription::UnrecognisedName, "unrecognised_name");
        check(AlertDescription::InternalError, "internal_error");
    }

    /// What goes wrong on our side, or is too long for us alone, says nothing against the peer.
    #[test]
    fn our_own_troubles_are_no_fault_of_the_peer() {
        #[track_caller]
        fn check(error: Error, expect: bool) {
            let is_ours = matches!(failure_of(&error), HandshakeFailure::Unsupported(_));
            assert_eq!(is_ours, expect, "{error}");
        }
        check(Error::FailedToGetRandomBytes, true);
        check(Error::General("a certificate chain of 70000 octets".to_owned()), true);
        check(Error::InvalidMessage(InvalidMessage::CertificatePayloadTooLarge), true);
        check(Error::InvalidMessage(InvalidMessage::MissingData("hello")), false);
        check(Error::DecryptError, false);
        check(Error::InvalidCertificate(CertificateError::BadSignature), false);
    }

    /// Half a chain would be judged as if the server had sent no more.
    #[test]
    fn a_chain_is_kept_whole_or_not_at_all() {
        let certificate = CertificateDer::from(vec![0; 600]);
        let name = ServerName::try_from("mx.example.test").unwrap();
        let algorithms = rustls::crypto::aws_lc_rs::default_provider();
        let algorithms = algorithms.signature_verification_algorithms;
        let show = |limit| {
            let recorder = Recorder::new(algorithms, limit);
            let others = [certificate.clone()];
            let now = UnixTime::since_unix_epoch(std::time::Duration::ZERO);
            let taken = recorder.verify_server_cert(&certificate, &others, &name, &[], now);
            (taken.is_ok(), recorder.shown().chain.len())
        };
        assert_eq!(show(1200), (true, 2));
        assert_eq!(show(1199), (false, 0));
    }
}
