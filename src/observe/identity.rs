//! Who we are in a TLS handshake: a certificate chain and its key, read from files or made on the spot.
//!
//! Invariant: no error and no debug output holds anything of a key.

use crate::model::connector::CertificateFiles;
use crate::wire::name::NamePattern;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd,
};
use rustls::{
    Error, InconsistentKeys,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem, pem::PemObject},
    sign::CertifiedKey,
};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A client certificate ready to be presented.
#[derive(Clone)]
pub struct ClientIdentity(Arc<CertifiedKey>);

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientIdentity({} certificates)", self.0.cert.len())
    }
}

/// A client certificate could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ClientIdentityError {
    /// No certificate in the file.
    #[error("{} holds no certificate in PEM form", .0.display())]
    Empty(PathBuf),
    /// A key of a kind or form that cannot sign.
    #[error("the key in {} cannot be used: it must be RSA, ECDSA or Ed25519", .0.display())]
    Key(PathBuf),
    /// A certificate could not be made.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// The key is another certificate's.
    #[error("the key in {} does not belong to the first certificate in {}", key.display(), chain.display())]
    Mismatch {
        /// The file with the certificates.
        chain: PathBuf,
        /// The file with the key.
        key: PathBuf,
    },
    /// No key in the file.
    #[error("{} holds no private key in PEM form: PKCS#8, PKCS#1 or SEC1, not encrypted", .0.display())]
    NoKey(PathBuf),
    /// PEM that cannot be read.
    #[error("certificate {at} in {} cannot be read", path.display())]
    Pem {
        /// Which file.
        path: PathBuf,
        /// Which certificate in it, from 1.
        at: usize,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl ClientIdentity {
    /// The chain, leaf first, and the leaf's key.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or holds something else; a key that is not the leaf's.
    pub fn read(files: &CertificateFiles) -> Result<Self, ClientIdentityError> {
        let CertificateFiles { chain_file, key_file } = files;
        let mut chain = Vec::new();
        for (at, found) in CertificateDer::pem_slice_iter(&bytes(chain_file)?).enumerate() {
            let told =
                |source| ClientIdentityError::Pem { path: chain_file.clone(), at: at + 1, source };
            chain.push(found.map_err(told)?);
        }
        if chain.is_empty() {
            return Err(ClientIdentityError::Empty(chain_file.clone()));
        }
        // The parser's own words could quote the file, so they are left out.
        let key = PrivateKeyDer::from_pem_slice(&bytes(key_file)?)
            .map_err(|_| ClientIdentityError::NoKey(key_file.clone()))?;
        let identity =
            certified(chain, key).map_err(|_| ClientIdentityError::Key(key_file.clone()))?;
        match identity.0.keys_match() {
            Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                Err(ClientIdentityError::Mismatch {
                    chain: chain_file.clone(),
                    key: key_file.clone(),
                })
            }
            // A certificate the library cannot read is still one a receiver may know.
            _ => Ok(identity),
        }
    }

    /// A self-signed certificate for this name (`mail.suffix` for `*.suffix`), good from yesterday for a
    /// week: what anybody can make who knows the name.
    pub(super) fn self_made(
        name: &NamePattern,
        now: Timestamp,
    ) -> Result<Self, ClientIdentityError> {
        let name = match name {
            NamePattern::Exact(host) => host.to_string(),
            NamePattern::Under(suffix) => format!("mail.{suffix}"),
        };
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![name.clone()])?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        // rcgen's dates are the `time` crate's; this is a way there without naming it.
        let epoch = date_time_ymd(1970, 1, 1);
        let at = |after: SignedDuration| {
            let at = now.saturating_add(after).unwrap_or(now).as_second();
            epoch + Duration::from_secs(u64::try_from(at).unwrap_or(0))
        };
        params.not_before = at(-DAY);
        params.not_after = at(DAY * 7);
        let chain = vec![params.self_signed(&key)?.der().clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        certified(chain, key)
            .map_err(|_| ClientIdentityError::Make(rcgen::Error::CouldNotParseKeyPair))
    }

    pub(super) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0)
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, ClientIdentityError> {
    std::fs::read(path)
        .map_err(|source| ClientIdentityError::Read { path: path.to_owned(), source })
}

/// Without `CertifiedKey::from_der`, which refuses certificates it cannot read.
fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ClientIdentity, Error> {
    let key = aws_lc_rs::default_provider().key_provider.load_private_key(key)?;
    Ok(ClientIdentity(Arc::new(CertifiedKey::new(chain, key))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::x509::{Certificate, Usage};

    fn files(chain: &str, key: &str) -> CertificateFiles {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/certs");
        CertificateFiles { chain_file: folder.join(chain), key_file: folder.join(key) }
    }

    #[test]
    fn files_are_read_and_mistakes_are_told_without_the_key() {
        #[track_caller]
        fn check(chain: &str, key: &str, expect: &str) {
            let said = match ClientIdentity::read(&files(chain, key)) {
                Ok(identity) => format!("{identity:?}"),
                Err(error) => {
                    error.to_string().replace(concat!(env!("CARGO_MANIFEST_DIR"), "/"), "")
                }
            };
            assert_eq!(said, expect);
        }
        check("client-auth.pem", "client-auth.key", "ClientIdentity(2 certificates)");
        check("v1.pem", "v1.key", "ClientIdentity(2 certificates)"); // the library cannot read it
        check("self-signed.pem", "self-signed.key", "ClientIdentity(1 certificates)");
        check(
            "self-signed.key",
            "self-signed.key",
            "tests/data/certs/self-signed.key holds no certificate in PEM form",
        );
        check(
            "self-signed.pem",
            "self-signed.pem",
            "tests/data/certs/self-signed.pem holds no private key in PEM form: PKCS#8, PKCS#1 or SEC1, not encrypted",
        );
        check(
            "self-signed.pem",
            "good.key",
            "the key in tests/data/certs/good.key does not belong to the first certificate in tests/data/certs/self-signed.pem",
        );
        check("none.pem", "good.key", "cannot read tests/data/certs/none.pem");
        check(
            "p192.pem",
            "p192.key",
            "the key in tests/data/certs/p192.key cannot be used: it must be RSA, ECDSA or Ed25519",
        );
    }

    #[test]
    fn what_we_make_ourselves_carries_the_name_and_no_trust() {
        #[track_caller]
        fn check(pattern: &str, expect: &str) {
            let now = "2026-01-31T12:00:00Z".parse().unwrap();
            let made = ClientIdentity::self_made(&pattern.parse().unwrap(), now).unwrap();
            let made = Certificate::parse(&made.0.cert[0]).unwrap();
            assert_eq!(made.dns_names, [expect]);
            assert_eq!(made.common_name.as_deref(), Some(expect));
            assert!(made.self_issued && !made.is_ca);
            assert_ne!(made.usage, Usage::Unrestricted);
            assert!(made.not_before < now && now < made.not_after);
        }
        check("mail.fabrikam.test", "mail.fabrikam.test");
        check("*.fabrikam.test", "mail.fabrikam.test");
    }
}
