//! The files a configuration names: where they are, and whether they hold what they should.
//!
//! 1. While the text is read, every path is made absolute and remembered with its place.
//! 2. When all is read, the files are opened, and what is wrong with them is told beside the other mistakes.
//! 3. A secret below `$CREDENTIALS_DIRECTORY`, where that is not set, is not opened: it fails where it is used.
//!
//! Invariant: no content of a file is ever part of a message.

use super::{
    section::Section,
    told::{Place, Told},
};
use crate::model::{
    connector::CertificateFiles,
    imported::{self, Imported},
};
use crate::wire::x509::Certificate;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use secrecy::SecretString;
use std::{
    cell::RefCell,
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    /// Certificates in PEM form.
    Certificates,
    /// The chain that goes with a private key, in PEM form.
    CertificatesOfKey,
    /// A private key in PEM form.
    Key,
    /// Imported connectors.
    Records,
    /// A password or token.
    Secret,
    /// A template of a message.
    Template,
    /// A DNSSEC trust anchor.
    TrustAnchor,
}

impl FileKind {
    fn is_secret(self) -> bool {
        match self {
            // The chain may well lie beside its key.
            Self::CertificatesOfKey | Self::Key | Self::Secret => true,
            Self::Certificates | Self::Records | Self::Template | Self::TrustAnchor => false,
        }
    }
}

/// Where secrets are that cannot be looked at: at the root, where nobody but root could put something else.
const UNSEEN: &str = "/$CREDENTIALS_DIRECTORY";
/// How to look at them all the same.
const HINT: &str = "systemd sets it for the service alone; as root: CREDENTIALS_DIRECTORY=/run/credentials/mxwarden.service mxwarden …";

/// Whether a path of a configuration leads below `$CREDENTIALS_DIRECTORY`, which was not set.
pub fn is_unseen(path: &Path) -> bool {
    path.starts_with(UNSEEN)
}

/// The files of one configuration.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    credentials: Option<PathBuf>,
    used: RefCell<Vec<(Place, PathBuf, FileKind)>>,
}

impl Files {
    /// Relative paths are relative to the folder of the configuration.
    pub(super) fn of(config: &Path, credentials: Option<PathBuf>) -> Self {
        let folder = config.parent().unwrap_or_else(|| Path::new("")).to_owned();
        Self { folder, credentials, used: RefCell::default() }
    }

    /// The file under this key.
    pub(super) fn file(
        &self,
        section: &Section<'_>,
        key: &'static str,
        kind: FileKind,
    ) -> Option<PathBuf> {
        let path = section.path(key)?;
        self.take(section.told(), &path.place, &path.value, kind)
    }

    /// The files under this key.
    pub(super) fn files(
        &self,
        section: &Section<'_>,
        key: &'static str,
        kind: FileKind,
    ) -> Vec<PathBuf> {
        let paths = section.list_by(key, "", |text| match text.trim() {
            "" => Err("is empty".to_owned()),
            text => Ok(PathBuf::from(text)),
        });
        let taken =
            paths.iter().map(|path| self.take(section.told(), &path.place, &path.value, kind));
        taken.flatten().collect()
    }

    /// `{ chain_file, key_file }`.
    pub(super) fn certificate(
        &self,
        section: &Section<'_>,
        key: &'static str,
    ) -> Option<CertificateFiles> {
        let files = section.section(key);
        let chain_file = self.file(&files, "chain_file", FileKind::CertificatesOfKey);
        let key_file = self.file(&files, "key_file", FileKind::Key);
        if files.is_there() {
            let hint = "a certificate is { chain_file = \"…\", key_file = \"…\" }";
            for key in ["chain_file", "key_file"] {
                if !files.has(key) {
                    files.missing(key, hint);
                }
            }
        }
        Some(CertificateFiles { chain_file: chain_file?, key_file: key_file? })
    }

    /// A path that need not exist.
    pub(super) fn absolute(&self, path: PathBuf) -> PathBuf {
        self.folder.join(path)
    }

    fn take(&self, told: &Told<'_>, place: &Place, path: &Path, kind: FileKind) -> Option<PathBuf> {
        let prefixes = ["$CREDENTIALS_DIRECTORY", "${CREDENTIALS_DIRECTORY}"];
        let below = prefixes.iter().find_map(|prefix| path.strip_prefix(prefix).ok());
        let path = match (below, &self.credentials) {
            (Some(below), Some(credentials)) => credentials.join(below),
            (Some(below), None) if kind.is_secret() => {
                let what = "$CREDENTIALS_DIRECTORY is not set: it cannot be looked at here";
                told.unseen(place, what, HINT);
                return Some(Path::new(UNSEEN).join(below));
            }
            (Some(_), None) => {
                let hint = "systemd sets it for a service with LoadCredential=; this file holds no secret, so it may lie elsewhere";
                told.mistake(place, "$CREDENTIALS_DIRECTORY is not set", hint);
                return None;
            }
            (None, _) => self.folder.join(path),
        };
        self.used.borrow_mut().push((place.clone(), path.clone(), kind));
        Some(path)
    }

    /// Opens every file and tells what is wrong with it.
    pub(super) fn check(&self, told: &Told<'_>) {
        for (place, path, kind) in self.used.borrow().iter() {
            let shown = path.display();
            let bytes = match fs::read(path) {
                Ok(bytes) => bytes,
                Err(error) => {
                    let hint = "a relative path begins at the folder of this file";
                    let hint = if error.kind() == io::ErrorKind::NotFound { hint } else { "" };
                    told.mistake(place, format!("cannot read {shown}: {}", plain(&error)), hint);
                    continue;
                }
            };
            if let Err((what, hint)) = fits(&bytes, *kind) {
                told.mistake(place, format!("{shown} {what}"), hint);
            }
            let is_secret = matches!(kind, FileKind::Key | FileKind::Secret);
            if is_secret && is_open_to_others(path) {
                told.warn(
                    place,
                    format!("{shown} can be read by everybody on this host"),
                    &format!("chmod o-rwx {shown}"),
                );
            }
        }
    }
}

/// The error without the number that only a programmer reads.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

fn is_open_to_others(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

/// What is wrong with a file's content, and a hint.
fn fits(bytes: &[u8], kind: FileKind) -> Result<(), (&'static str, &'static str)> {
    match kind {
        FileKind::Certificates | FileKind::CertificatesOfKey => {
            let mut any = false;
            for certificate in CertificateDer::pem_slice_iter(bytes) {
                let certificate = certificate.map_err(|_| ("holds damaged PEM", ""))?;
                Certificate::parse(&certificate)
                    .map_err(|_| ("holds something that is no X.509 certificate", ""))?;
                any = true;
            }
            let hint = "PEM begins with -----BEGIN CERTIFICATE-----";
            any.then_some(()).ok_or(("holds no certificate in PEM form", hint))
        }
        FileKind::Key => PrivateKeyDer::from_pem_slice(bytes).map(drop).map_err(|_| {
            let hint = "PKCS#8, PKCS#1 or SEC1, without a passphrase";
            ("holds no private key in PEM form", hint)
        }),
        FileKind::Records => {
            let hint = "`mxwarden import` writes it";
            records_in(bytes).map(drop).ok_or(("holds no imported connectors", hint))
        }
        FileKind::Secret => secret_in(bytes).map(drop).map_err(|what| (what, "")),
        FileKind::Template if str::from_utf8(bytes).is_err() => Err(("is no UTF-8 text", "")),
        FileKind::Template | FileKind::TrustAnchor => {
            (!bytes.trim_ascii().is_empty()).then_some(()).ok_or(("is empty", ""))
        }
    }
}

/// The imported connectors in a file; none where there is something else in it, or another form of them.
fn records_in(bytes: &[u8]) -> Option<Imported> {
    let imported: Imported = serde_json::from_slice(bytes).ok()?;
    (imported.format == imported::FORMAT).then_some(imported)
}

/// The imported connectors in a file that was found good.
pub(super) fn records(path: &Path) -> Option<Imported> {
    records_in(&fs::read(path).ok()?)
}

fn secret_in(bytes: &[u8]) -> Result<SecretString, &'static str> {
    let text = str::from_utf8(bytes).map_err(|_| "is no UTF-8 text")?;
    // Editors and `echo` end a file with a line end that is no part of the secret.
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err("is empty");
    }
    if text.contains(char::is_control) {
        return Err("holds more than one line, or a control character");
    }
    Ok(SecretString::from(text))
}

/// A secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// What is in the file is no password and no token.
    #[error("{} {what}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It lies below a folder that nobody named.
    #[error("$CREDENTIALS_DIRECTORY is not set, so {} cannot be read", shown(path))]
    Unseen {
        /// Which file.
        path: PathBuf,
    },
}

/// As it stands in the configuration.
fn shown(path: &Path) -> String {
    path.strip_prefix("/").unwrap_or(path).display().to_string()
}

/// Reads a password or token from its file, without the line end.
///
/// # Errors
///
/// A file that cannot be read, is empty or holds more than one line.
pub fn secret(path: &Path) -> Result<SecretString, SecretError> {
    if is_unseen(path) {
        return Err(SecretError::Unseen { path: path.to_owned() });
    }
    let bytes =
        fs::read(path).map_err(|source| SecretError::Read { path: path.to_owned(), source })?;
    secret_in(&bytes).map_err(|what| SecretError::Content { path: path.to_owned(), what })
}
