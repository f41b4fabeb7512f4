//! The roots of canary certificates on disk: made once, kept, never replaced.
//!
//! Invariant: a root whose files are there is never made anew, because senders were told to trust it.

use super::{CanaryError, certificates::set_validity};
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, RsaKeySize,
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

const DAY: SignedDuration = SignedDuration::from_hours(24);
const ROOT_DAYS: i32 = 20 * 365;

/// A root with its key.
#[derive(Debug)]
pub(super) struct Root {
    pem: String,
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Root {
    /// Reads `NAME.pem` and `NAME.key`, or makes both.
    pub(super) fn open(
        folder: &Path,
        name: &str,
        subject: &str,
        now: Timestamp,
    ) -> Result<Self, CanaryError> {
        let certificate_file = folder.join(format!("{name}.pem"));
        let key_file = folder.join(format!("{name}.key"));
        match std::fs::read_to_string(&certificate_file) {
            Ok(pem) => Self::load(&certificate_file, &key_file, pem),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Self::make(&certificate_file, &key_file, subject, now)
            }
            Err(source) => Err(CanaryError::File { path: certificate_file, source }),
        }
    }

    fn load(certificate_file: &Path, key_file: &Path, pem: String) -> Result<Self, CanaryError> {
        let key = std::fs::read_to_string(key_file)
            .map_err(|source| CanaryError::File { path: key_file.to_owned(), source })?;
        let broken = |source| CanaryError::Root { path: certificate_file.to_owned(), source };
        let key = KeyPair::from_pem(&key).map_err(broken)?;
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|source| CanaryError::Pem { path: certificate_file.to_owned(), source })?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(broken)?;
        Ok(Self { pem, certificate, issuer })
    }

    fn make(
        certificate_file: &Path,
        key_file: &Path,
        subject: &str,
        now: Timestamp,
    ) -> Result<Self, CanaryError> {
        let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048)
            .map_err(CanaryError::Make)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, subject);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(&mut params, now, -DAY, DAY * ROOT_DAYS);
        let made = params.self_signed(&key).map_err(CanaryError::Make)?;
        // The key first: a certificate on disk means that its key is there too.
        write(key_file, key.serialize_pem().as_bytes(), 0o600)?;
        write(certificate_file, made.pem().as_bytes(), 0o644)?;
        let certificate = made.der().clone();
        Ok(Self { pem: made.pem(), certificate, issuer: Issuer::new(params, key) })
    }

    /// A leaf of this root, and the root behind it.
    pub(super) fn issue(
        &self,
        params: CertificateParams,
        key: &KeyPair,
    ) -> Result<Vec<CertificateDer<'static>>, CanaryError> {
        let leaf = params.signed_by(key, &self.issuer).map_err(CanaryError::Make)?;
        Ok(vec![leaf.der().clone(), self.certificate.clone()])
    }

    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    pub(super) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }
}

/// Makes the directory, for its owner alone.
pub(super) fn make_folder(folder: &Path) -> Result<(), CanaryError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| CanaryError::File { path: folder.to_owned(), source })
}

/// Writes a whole file or none: under another name first, made anew, so that nobody holds it open.
fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), CanaryError> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let aside = PathBuf::from(aside);
    let written = || -> io::Result<()> {
        match std::fs::remove_file(&aside) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&aside)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&aside, path)?;
        // The name is on disk only once its directory is.
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    written().map_err(|source| CanaryError::File { path: path.to_owned(), source })
}
