//! The operator's certificate, taken anew when its files change.
//!
//! Invariant: a certificate that cannot be used never replaces one that can.

use crate::model::connector::CertificateFiles;
use rustls::{ServerConfig, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _};
use sha2::{Digest as _, Sha256};
use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

/// Octets read of either file.
const FILE_LIMIT: u64 = 1 << 20;

/// A certificate and its key, by file.
#[derive(Debug)]
pub struct Certificate {
    files: CertificateFiles,
    held: Mutex<Held>,
}

struct Held {
    config: Arc<ServerConfig>,
    /// Of the files as they were last read, whatever came of it.
    digest: [u8; 32],
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

/// What came of another look at the files.
#[derive(Debug)]
pub enum Renewed {
    /// The new one cannot be used, so the old one stays.
    Kept(CertificateError),
    /// Nothing has changed since the last look.
    Same,
    /// The new one is used from now on.
    Taken,
}

/// A certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Not PEM, or not the right kind.
    #[error("cannot read {what} in {path}")]
    Pem {
        /// A chain or a key.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// Not read.
    #[error("cannot read {path}")]
    Read {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Far too long for what it should be.
    #[error("{path} is longer than 1 MiB")]
    TooLong {
        /// Where.
        path: PathBuf,
    },
    /// The key is another's, or of a kind that is not spoken.
    #[error("cannot serve TLS with {path} and its key")]
    Unusable {
        /// The chain.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

impl Certificate {
    /// Reads the files. Blocks.
    pub fn load(files: CertificateFiles) -> Result<Self, CertificateError> {
        let texts = Texts::read(&files)?;
        let held = Held { config: texts.config(&files)?, digest: texts.digest() };
        Ok(Self { files, held: Mutex::new(held) })
    }

    /// Reads the files again, and takes what is new. Blocks.
    pub fn renew(&self) -> Renewed {
        let texts = match Texts::read(&self.files) {
            Ok(texts) => texts,
            Err(error) => return Renewed::Kept(error),
        };
        let digest = texts.digest();
        if self.held().digest == digest {
            return Renewed::Same;
        }
        let read = texts.config(&self.files);
        let mut held = self.held();
        // Remembered also where it is bad, so that it is told once and not at every look.
        held.digest = digest;
        match read {
            Ok(config) => {
                held.config = config;
                Renewed::Taken
            }
            Err(error) => Renewed::Kept(error),
        }
    }

    /// What the next connection is served with.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.held().config))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Both files, as read.
struct Texts {
    chain: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl Texts {
    fn read(files: &CertificateFiles) -> Result<Self, CertificateError> {
        let key = Zeroizing::new(read(&files.key_file)?);
        Ok(Self { chain: read(&files.chain_file)?, key })
    }

    fn digest(&self) -> [u8; 32] {
        // Each by its own digest first, so that no octet can pass from one file to the other.
        let both = [Sha256::digest(&self.chain), Sha256::digest(&*self.key)];
        Sha256::digest(both.concat()).into()
    }

    fn config(&self, files: &CertificateFiles) -> Result<Arc<ServerConfig>, CertificateError> {
        let bad = |what, path: &Path| {
            let path = path.to_owned();
            move |source| CertificateError::Pem { what, path, source }
        };
        let chain = CertificateDer::pem_slice_iter(&self.chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(bad("a certificate chain", &files.chain_file))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(bad("a private key", &files.key_file))?;
        let unusable =
            |source| CertificateError::Unusable { path: files.chain_file.clone(), source };
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(unusable)?
                .with_no_client_auth()
                .with_single_cert(chain, key)
                .map_err(unusable)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let refuse = |source| CertificateError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(refuse)?;
    let mut text = Vec::new();
    file.take(FILE_LIMIT + 1).read_to_end(&mut text).map_err(refuse)?;
    if text.len() as u64 > FILE_LIMIT {
        return Err(CertificateError::TooLong { path: path.to_owned() });
    }
    Ok(text)
}
