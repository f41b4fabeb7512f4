//! Loads the roots a chain may end at: built in, the system's, or files.

use crate::model::roots::{Root, Roots};
use rustls::pki_types::{CertificateDer, TrustAnchor, pem::PemObject};
use std::path::{Path, PathBuf};

/// Roots could not be had.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// A file holds no certificate.
    #[error("{} holds no certificate in PEM form", .0.display())]
    Empty(PathBuf),
    /// A certificate that is no root.
    #[error("certificate {at} in {} cannot be a root", path.display())]
    NotARoot {
        /// Which file.
        path: PathBuf,
        /// Its place in the file, from 1.
        at: usize,
        /// What is wrong with it.
        source: webpki::Error,
    },
    /// A file cannot be read.
    #[error("cannot read certificates from {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls::pki_types::pem::Error,
    },
}

/// Mozilla's roots, as they were when this program was built.
pub fn mozilla() -> Roots {
    let anchors = webpki_roots::TLS_SERVER_ROOTS.iter().map(root).collect();
    Roots { source: "Mozilla's roots".to_owned(), anchors }
}

/// The roots in these PEM files, and no others.
pub fn files(paths: &[PathBuf]) -> Result<Roots, RootsError> {
    let mut anchors = Vec::new();
    for path in paths {
        anchors.extend(file(path)?);
    }
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    Ok(Roots { source: names.join(", "), anchors })
}

fn file(path: &Path) -> Result<Vec<Root>, RootsError> {
    let read = |source| RootsError::Read { path: path.to_owned(), source };
    let mut anchors = Vec::new();
    for (at, certificate) in CertificateDer::pem_file_iter(path).map_err(read)?.enumerate() {
        let certificate = certificate.map_err(read)?;
        let anchor = webpki::anchor_from_trusted_cert(&certificate)
            .map_err(|source| RootsError::NotARoot { path: path.to_owned(), at: at + 1, source })?;
        anchors.push(root(&anchor));
    }
    if anchors.is_empty() {
        return Err(RootsError::Empty(path.to_owned()));
    }
    Ok(anchors)
}

/// A root certificate as plain bytes.
pub fn root(anchor: &TrustAnchor<'_>) -> Root {
    Root {
        subject: anchor.subject.to_vec(),
        spki: anchor.subject_public_key_info.to_vec(),
        name_constraints: anchor.name_constraints.as_ref().map(|constraints| constraints.to_vec()),
    }
}
