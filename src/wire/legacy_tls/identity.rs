//! What the server shows and decrypts with: a chain, and the RSA key of its leaf.

use crate::wire::x509::{Certificate, NotACertificate};
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rsa::{Pkcs1PrivateDecryptingKey, PrivateDecryptingKey};
use x509_parser::{
    certificate::X509Certificate, prelude::FromDer as _, x509::SubjectPublicKeyInfo,
};

/// Octets of certificates that are sent at the most.
const CHAIN_MOST: usize = 60 << 10;

/// A chain and the key of its leaf, checked to belong together: what does not makes every sender fail, and a canary see
/// refusals where there are none.
#[derive(Debug)]
pub struct LegacyIdentity {
    chain: Vec<Vec<u8>>,
    key: Pkcs1PrivateDecryptingKey,
}

/// Chain and key are no use for RSA key exchange.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// No key of RSA that can be read as PKCS #8, or one of less than 2048 or more than 8192 bits.
    #[error("no RSA key of 2048 to 8192 bits in PKCS #8")]
    Key,
    /// The leaf's key usage lacks keyEncipherment ([RFC 5280 §4.2.1.3]): GnuTLS would refuse it for RSA key exchange, in
    /// whatever version.
    ///
    /// [RFC 5280 §4.2.1.3]: https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.3
    #[error("the certificate's key usage lacks keyEncipherment, which RSA key exchange needs")]
    KeyUsage,
    /// The leaf belongs to another key.
    #[error("the certificate belongs to another key")]
    Mismatch,
    /// The chain is empty.
    #[error("no certificate")]
    NoCertificate,
    /// The leaf cannot be read.
    #[error(transparent)]
    NotACertificate(#[from] NotACertificate),
    /// The chain has too many octets.
    #[error("more than {CHAIN_MOST} octets of certificates")]
    TooLong,
}

impl LegacyIdentity {
    /// The chain in DER, leaf first, and the leaf's key as PKCS #8 in DER.
    pub fn new(chain: Vec<Vec<u8>>, key_pkcs8: &[u8]) -> Result<Self, IdentityError> {
        let leaf = chain.first().ok_or(IdentityError::NoCertificate)?;
        if chain.iter().map(Vec::len).sum::<usize>() > CHAIN_MOST {
            return Err(IdentityError::TooLong);
        }
        let key = PrivateDecryptingKey::from_pkcs8(key_pkcs8).map_err(|_| IdentityError::Key)?;
        let public: PublicKeyX509Der<'_> =
            key.public_key().as_der().map_err(|_| IdentityError::Key)?;
        // Reads it for its words, should there be any.
        Certificate::parse(leaf)?;
        let (_, leaf) = X509Certificate::from_der(leaf).map_err(|_| IdentityError::Mismatch)?;
        let (_, public) =
            SubjectPublicKeyInfo::from_der(public.as_ref()).map_err(|_| IdentityError::Mismatch)?;
        if leaf.public_key().subject_public_key.data != public.subject_public_key.data {
            return Err(IdentityError::Mismatch);
        }
        if let Ok(Some(usage)) = leaf.key_usage()
            && !usage.value.key_encipherment()
        {
            return Err(IdentityError::KeyUsage);
        }
        let key = Pkcs1PrivateDecryptingKey::new(key).map_err(|_| IdentityError::Key)?;
        Ok(Self { chain, key })
    }

    pub(super) fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// The premaster secret, or `otherwise` where there is none in it.
    ///
    /// RFC 4346 §7.4.7.1: nothing tells a client whether it was so; it comes out as a Finished that does not verify.
    /// Deviates from RFC 4346 §7.4.7.1: the version in the secret is not compared, because some clients write the one that
    /// was agreed on, and a sender turned away by us would look like one that refuses.
    pub(super) fn premaster(&self, encrypted: &[u8], otherwise: [u8; 48]) -> [u8; 48] {
        let mut room = vec![0; self.key.min_output_size()];
        match self.key.decrypt(encrypted, &mut room) {
            Ok(secret) => <[u8; 48]>::try_from(&*secret).unwrap_or(otherwise),
            Err(_) => otherwise,
        }
    }
}
