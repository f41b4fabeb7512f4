//! What a server presents, and the key it proves it with.

use crate::lab::LabError;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// A chain, leaf first, with the leaf's key.
#[derive(Debug)]
pub struct Identity {
    /// The certificates as sent: the leaf, then its issuers, the root left out.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's key, PKCS #8.
    pub key: PrivateKeyDer<'static>,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

impl Identity {
    /// From PEM texts, such as the files under `tests/data/certs`.
    pub fn from_pem(chain: &str, key: &str) -> Result<Self, LabError> {
        let read = |error: rustls::pki_types::pem::Error| LabError::Read(error.to_string());
        let chain = CertificateDer::pem_slice_iter(chain.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(read)?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(read)?;
        Ok(Self { chain, key })
    }

    /// The first certificate, DER; empty where there is none.
    pub fn leaf(&self) -> &[u8] {
        self.chain.first().map_or(&[], |leaf| leaf.as_ref())
    }

    /// The leaf alone: what a server sends whose postmaster forgot the intermediate.
    #[must_use]
    pub fn without_intermediates(mut self) -> Self {
        self.chain.truncate(1);
        self
    }

    /// The same with one bit of the leaf's signature turned.
    #[must_use]
    pub fn with_bad_signature(mut self) -> Self {
        if let Some(leaf) = self.chain.first_mut() {
            let mut der = leaf.to_vec();
            // The signature is the last element, so its last octet is the last of all.
            if let Some(last) = der.last_mut() {
                *last ^= 1;
            }
            *leaf = der.into();
        }
        self
    }
}
