//! Loads the roots a chain may end at: built in, the system's, or files.

use crate::model::roots::{Root, Roots};
use rustls::pki_types::{CertificateDer, TrustAnchor, pem::PemObject};
use std::path::{Path, PathBuf};

/// Roots could not be had.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// No certificate.
    #[error("{0} holds no certificate in PEM form")]
    Empty(String),
    /// A certificate that is no root.
    #[error("{place} cannot be a root")]
    NotARoot {
        /// Which.
        place: String,
        /// What is wrong with it.
        source: webpki::Error,
    },
    /// No PEM.
    #[error("{place} cannot be read")]
    Pem {
        /// Which.
        place: String,
        /// What is wrong with it.
        source: rustls::pki_types::pem::Error,
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

/// When Mozilla's roots were last taken over: when the release of `webpki-roots` in `Cargo.lock` came out.
pub const MOZILLA_AS_OF: jiff::civil::Date = jiff::civil::date(2026, 10, 19);

/// Mozilla's roots, as they were when this program was built.
pub fn mozilla() -> Roots {
    let anchors = webpki_roots::TLS_SERVER_ROOTS.iter().map(root).collect();
    Roots { source: "Mozilla's roots".to_owned(), anchors }
}

/// The roots this host trusts.
pub fn system() -> Result<Roots, RootsError> {
    let loaded = rustls_native_certs::load_native_certs();
    // One certificate that is no root keeps no other from being one.
    let anchors: Vec<Root> = loaded
        .certs
        .iter()
        .filter_map(|certificate| webpki::anchor_from_trusted_cert(certificate).ok())
        .map(|anchor| root(&anchor))
        .collect();
    if anchors.is_empty() {
        return Err(RootsError::Empty("the system's root store".to_owned()));
    }
    Ok(Roots { source: "the system's roots".to_owned(), anchors })
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
    let bytes =
        std::fs::read(path).map_err(|source| RootsError::Read { path: path.to_owned(), source })?;
    anchors(&path.display().to_string(), &bytes)
}

/// The roots in these PEM bytes; `source` is what a person calls them.
pub fn pem(source: &str, bytes: &[u8]) -> Result<Roots, RootsError> {
    Ok(Roots { source: source.to_owned(), anchors: anchors(source, bytes)? })
}

fn anchors(place: &str, bytes: &[u8]) -> Result<Vec<Root>, RootsError> {
    let mut anchors = Vec::new();
    for (at, certificate) in CertificateDer::pem_slice_iter(bytes).enumerate() {
        let place = || format!("certificate {} in {place}", at + 1);
        let certificate =
            certificate.map_err(|source| RootsError::Pem { place: place(), source })?;
        let anchor = webpki::anchor_from_trusted_cert(&certificate)
            .map_err(|source| RootsError::NotARoot { place: place(), source })?;
        anchors.push(root(&anchor));
    }
    if anchors.is_empty() {
        return Err(RootsError::Empty(place.to_owned()));
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

#[cfg(test)]
mod tests {
    /// Who takes over newer roots says of when they are.
    #[test]
    fn the_date_goes_with_the_release() {
        let lock = include_str!("../../Cargo.lock");
        let (_, rest) = lock.split_once("name = \"webpki-roots\"\n").unwrap();
        let version = rest.lines().next().unwrap();
        assert_eq!(
            (version, super::MOZILLA_AS_OF.to_string().as_str()),
            ("version = \"1.0.10\"", "2026-10-19"),
            "write the day of the new release into MOZILLA_AS_OF"
        );
    }
}
