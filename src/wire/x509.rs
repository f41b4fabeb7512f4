//! Describes a certificate ([RFC 5280 §4.1]), once, for everyone who shows or judges one.
//!
//! 1. x509-parser reads the DER; it takes X.509 v1 and oddities that path validation refuses.
//! 2. What was read becomes a [`Certificate`] of plain values; the DER itself stays with the evidence.
//!
//! Invariant: describing never judges: dates are not compared with any clock, names with any name.
//!
//! [RFC 5280 §4.1]: https://www.rfc-editor.org/rfc/rfc5280#section-4.1

mod signed;

pub use signed::{Authority, PublicKeyInfo, Signed, key_of_info, public_key_info, signed_parts};

use crate::wire::text::{hex, printable_within};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::fmt;
use x509_parser::{
    certificate::X509Certificate,
    der_parser::{asn1_rs::Oid, oid},
    extensions::{GeneralName, ParsedExtension},
    parse_x509_certificate,
    public_key::PublicKey,
    x509::X509Version,
};

/// The bytes are no certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no X.509 certificate: {0}")]
pub struct NotACertificate(String);

/// What one certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The subject's distinguished name, as text.
    pub subject: String,
    /// The issuer's distinguished name, as text.
    pub issuer: String,
    /// Whether subject and issuer are the same name, octet by octet.
    pub self_issued: bool,
    /// The SAN dNSNames, in the order given.
    pub dns_names: Vec<String>,
    /// The subject's last common name.
    pub common_name: Option<String>,
    /// Whether there is a subjectAltName extension at all.
    pub has_san: bool,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// The subject's key.
    pub key: Key,
    /// The algorithm the issuer signed with.
    pub signature: Signature,
    /// 1, 2 or 3.
    pub version: u32,
    /// basicConstraints CA:TRUE.
    pub is_ca: bool,
    /// What the extended key usage allows.
    pub usage: Usage,
    /// Where the issuer's certificate can be fetched, as the certificate says (AIA caIssuers).
    pub issuer_urls: Vec<String>,
    /// Serial number, hexadecimal.
    pub serial: String,
    /// SHA-256 of the DER, hexadecimal.
    pub sha256: String,
    /// SHA-256 of the subject public key info, hexadecimal: what pins and DANE-EE(3) SPKI(1) name.
    pub spki_sha256: String,
}

/// A public key's kind and size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// An elliptic curve by its usual name, with its size in bits.
    Ec {
        /// Such as `P-256`.
        curve: String,
        /// Field size.
        bits: usize,
    },
    /// Edwards curve 25519.
    Ed25519,
    /// Anything else, by object identifier.
    Other(String),
    /// RSA with its modulus size in bits.
    Rsa(usize),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ec { curve, .. } => write!(f, "EC-{curve}"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Other(oid) => f.write_str(oid),
            Self::Rsa(bits) => write!(f, "RSA-{bits}"),
        }
    }
}

/// A signature algorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// As OpenSSL names it, such as `sha256WithRSAEncryption`; else the object identifier.
    pub name: String,
    /// Whether the digest is one that collisions have been made for (MD2, MD5, SHA-1).
    pub is_broken: bool,
}

/// What extended key usage says about a TLS server ([RFC 5280 §4.2.1.12]).
///
/// [RFC 5280 §4.2.1.12]: https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.12
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Usage {
    /// No such extension: any use.
    Unrestricted,
    /// serverAuth or anyExtendedKeyUsage is listed.
    Server,
    /// The extension lists other uses only.
    NotServer(Vec<String>),
}

impl Certificate {
    /// Reads one certificate; bytes behind it are refused.
    pub fn parse(der: &[u8]) -> Result<Self, NotACertificate> {
        let (rest, parsed) = parse_x509_certificate(der)
            .map_err(|error| NotACertificate(error.to_string().chars().take(200).collect()))?;
        if !rest.is_empty() {
            return Err(NotACertificate(format!("{} octets behind the certificate", rest.len())));
        }
        Ok(describe(der, &parsed))
    }

    /// The names a host is matched with: the SAN dNSNames; the common name only where no SAN exists.
    pub fn names(&self) -> &[String] {
        if self.has_san { &self.dns_names } else { self.common_name.as_slice() }
    }
}

fn describe(der: &[u8], certificate: &X509Certificate<'_>) -> Certificate {
    let mut dns_names = Vec::new();
    let mut has_san = false;
    let mut is_ca = false;
    let mut usage = Usage::Unrestricted;
    let mut issuer_urls = Vec::new();
    for extension in certificate.extensions() {
        // What cannot be read must not pass for absent: without a SAN the common name would count,
        // without an extended key usage any use.
        if extension.oid == oid!(2.5.29.17) {
            has_san = true;
        } else if extension.oid == oid!(2.5.29.37) {
            usage = Usage::NotServer(vec!["unreadable".to_owned()]);
        }
        match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => {
                dns_names.extend(names.general_names.iter().filter_map(|name| match name {
                    GeneralName::DNSName(name) => Some(printable_within(name.as_bytes(), 253)),
                    _ => None,
                }));
            }
            ParsedExtension::BasicConstraints(constraints) => is_ca = constraints.ca,
            ParsedExtension::ExtendedKeyUsage(listed) => {
                usage = if listed.server_auth || listed.any {
                    Usage::Server
                } else {
                    Usage::NotServer(usages(listed))
                };
            }
            ParsedExtension::AuthorityInfoAccess(access) => {
                issuer_urls.extend(access.accessdescs.iter().filter_map(|description| {
                    let ca_issuers = oid!(1.3.6.1.5.5.7.48.2);
                    match &description.access_location {
                        GeneralName::URI(uri) if description.access_method == ca_issuers => {
                            Some(printable_within(uri.as_bytes(), 300))
                        }
                        _ => None,
                    }
                }));
            }
            _ => {}
        }
    }
    Certificate {
        subject: printable_within(certificate.subject().to_string().as_bytes(), 500),
        issuer: printable_within(certificate.issuer().to_string().as_bytes(), 500),
        self_issued: certificate.subject().as_raw() == certificate.issuer().as_raw(),
        dns_names,
        // RFC 9525 forbids matching it; OpenSSL and GnuTLS senders still do, the last one in the list.
        common_name: certificate
            .subject()
            .iter_common_name()
            .last()
            .and_then(|name| name.as_str().ok())
            .map(|name| printable_within(name.as_bytes(), 253)),
        has_san,
        not_before: timestamp(certificate.validity().not_before.timestamp()),
        not_after: timestamp(certificate.validity().not_after.timestamp()),
        key: key(certificate),
        signature: signature(&certificate.signature_algorithm.algorithm),
        version: match certificate.version() {
            X509Version::V1 => 1,
            X509Version::V2 => 2,
            X509Version::V3 => 3,
            X509Version(other) => other.saturating_add(1),
        },
        is_ca,
        usage,
        issuer_urls,
        serial: hex(certificate.raw_serial()),
        sha256: hex(&Sha256::digest(der)),
        spki_sha256: hex(&Sha256::digest(certificate.public_key().raw)),
    }
}

/// Dates are at most year 9999 in DER, which `Timestamp` holds; anything else is clamped.
fn timestamp(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(if seconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

fn usages(listed: &x509_parser::extensions::ExtendedKeyUsage<'_>) -> Vec<String> {
    let named = [
        (listed.client_auth, "clientAuth"),
        (listed.code_signing, "codeSigning"),
        (listed.email_protection, "emailProtection"),
        (listed.time_stamping, "timeStamping"),
        (listed.ocsp_signing, "OCSPSigning"),
    ];
    let named = named.into_iter().filter(|(set, _)| *set).map(|(_, name)| name.to_owned());
    named.chain(listed.other.iter().take(8).map(Oid::to_id_string)).collect()
}

fn key(certificate: &X509Certificate<'_>) -> Key {
    let info = certificate.public_key();
    let algorithm = &info.algorithm.algorithm;
    if *algorithm == oid!(1.3.101.112) {
        return Key::Ed25519;
    }
    match info.parsed() {
        Ok(PublicKey::RSA(rsa)) => {
            // `key_size` counts whole octets; a modulus may begin with zero bits.
            let modulus: &[u8] = rsa.modulus;
            let significant = modulus.iter().position(|octet| *octet != 0).unwrap_or(modulus.len());
            let top = modulus.get(significant).map_or(0, |octet| octet.leading_zeros() as usize);
            Key::Rsa(((modulus.len() - significant) * 8).saturating_sub(top))
        }
        Ok(PublicKey::EC(point)) => {
            let curve = info.algorithm.parameters.as_ref().and_then(|p| p.as_oid().ok());
            ec(curve.as_ref(), point.key_size())
        }
        _ => Key::Other(algorithm.to_id_string()),
    }
}

fn ec(curve: Option<&Oid<'_>>, point_bits: usize) -> Key {
    let known = [
        (oid!(1.2.840.10045.3.1.1), "P-192", 192),
        (oid!(1.3.132.0.33), "P-224", 224),
        (oid!(1.2.840.10045.3.1.7), "P-256", 256),
        (oid!(1.3.132.0.34), "P-384", 384),
        (oid!(1.3.132.0.35), "P-521", 521),
        (oid!(1.3.132.0.10), "secp256k1", 256),
        (oid!(1.3.36.3.3.2.8.1.1.7), "brainpoolP256r1", 256),
        (oid!(1.3.36.3.3.2.8.1.1.11), "brainpoolP384r1", 384),
        (oid!(1.3.36.3.3.2.8.1.1.13), "brainpoolP512r1", 512),
    ];
    match curve.and_then(|curve| known.iter().find(|(oid, ..)| oid == curve)) {
        Some((_, name, bits)) => Key::Ec { curve: (*name).to_owned(), bits: *bits },
        None => Key::Ec {
            curve: curve.map_or_else(|| "explicit".to_owned(), Oid::to_id_string),
            bits: point_bits,
        },
    }
}

fn signature(algorithm: &Oid<'_>) -> Signature {
    let known = [
        (oid!(1.2.840.113549.1.1.2), "md2WithRSAEncryption", true),
        (oid!(1.2.840.113549.1.1.4), "md5WithRSAEncryption", true),
        (oid!(1.2.840.113549.1.1.5), "sha1WithRSAEncryption", true),
        (oid!(1.3.14.3.2.29), "sha1WithRSA", true),
        (oid!(1.2.840.113549.1.1.10), "rsassaPss", false),
        (oid!(1.2.840.113549.1.1.11), "sha256WithRSAEncryption", false),
        (oid!(1.2.840.113549.1.1.12), "sha384WithRSAEncryption", false),
        (oid!(1.2.840.113549.1.1.13), "sha512WithRSAEncryption", false),
        (oid!(1.2.840.113549.1.1.14), "sha224WithRSAEncryption", false),
        (oid!(1.2.840.10040.4.3), "dsa-with-SHA1", true),
        (oid!(1.2.840.10045.4.1), "ecdsa-with-SHA1", true),
        (oid!(1.2.840.10045.4.3.1), "ecdsa-with-SHA224", false),
        (oid!(1.2.840.10045.4.3.2), "ecdsa-with-SHA256", false),
        (oid!(1.2.840.10045.4.3.3), "ecdsa-with-SHA384", false),
        (oid!(1.2.840.10045.4.3.4), "ecdsa-with-SHA512", false),
        (oid!(1.3.101.112), "ED25519", false),
        (oid!(1.3.101.113), "ED448", false),
    ];
    match known.iter().find(|(oid, ..)| oid == algorithm) {
        Some((_, name, is_broken)) => Signature { name: (*name).to_owned(), is_broken: *is_broken },
        None => Signature { name: algorithm.to_id_string(), is_broken: false },
    }
}

#[cfg(test)]
mod tests;
