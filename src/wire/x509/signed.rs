//! The parts of a certificate that a signature check by hand needs, and what it lets its subject sign.
//!
//! Invariant: octets are handed on as they stand in the certificate, never encoded anew.

use der::{Decode, Reader, SliceReader, asn1::AnyRef};
use x509_parser::{certificate::X509Certificate, parse_x509_certificate, x509::X509Version};

/// A public key as it stands in a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKeyInfo {
    /// The whole subject public key info, DER.
    pub der: Vec<u8>,
    /// The subject public key alone: the octets of its bit string.
    pub key: Vec<u8>,
}

/// The public key of a certificate, whatever else is odd about it.
pub fn public_key_info(der: &[u8]) -> Option<PublicKeyInfo> {
    let (_, parsed) = parse_x509_certificate(der).ok()?;
    let info = parsed.public_key();
    Some(PublicKeyInfo { der: info.raw.to_vec(), key: info.subject_public_key.data.to_vec() })
}

/// What is needed to check by hand who signed a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The signed part, DER.
    pub message: Vec<u8>,
    /// The signature algorithm identifier, DER without its outer tag.
    pub algorithm: Vec<u8>,
    /// The signature's octets.
    pub signature: Vec<u8>,
    /// Issuer name, DER without its outer tag.
    pub issuer: Vec<u8>,
    /// Subject name, DER without its outer tag.
    pub subject: Vec<u8>,
    /// The subject's key algorithm identifier, DER without its outer tag.
    pub key_algorithm: Vec<u8>,
    /// The subject's key.
    pub key: Vec<u8>,
    /// What the subject may sign.
    pub authority: Authority,
}

/// What a certificate lets its subject sign ([RFC 5280 §4.2.1.3, §4.2.1.9, §4.2.1.10]).
///
/// [RFC 5280 §4.2.1.3, §4.2.1.9, §4.2.1.10]: https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// Certificates; with at most so many CAs below it, where it says so.
    Certificates(Option<u32>),
    /// Certificates for some names only.
    ForSomeNames,
    /// No certificates.
    Nothing,
}

/// The parts of a certificate that a signature check by hand needs.
pub fn signed_parts(der: &[u8]) -> Option<Signed> {
    let (_, parsed) = parse_x509_certificate(der).ok()?;
    // One signature must not have several forms.
    if parsed.signature_value.unused_bits != 0 {
        return None;
    }
    // Certificate ::= SEQUENCE { tbs, signatureAlgorithm, signature } (RFC 5280 §4.1).
    // x509-parser looks at the number of the outermost tag and not at its class; others do.
    let mut whole = inside(tagged(der, SEQUENCE)?)?;
    tagged(whole.tlv_bytes().ok()?, SEQUENCE)?;
    let algorithm = contents(tagged(whole.tlv_bytes().ok()?, SEQUENCE)?)?;
    tagged(whole.tlv_bytes().ok()?, BIT_STRING)?;
    if !whole.is_finished() {
        return None;
    }
    let key_algorithm = contents(inside(parsed.public_key().raw)?.tlv_bytes().ok()?)?;
    Some(Signed {
        message: parsed.tbs_certificate.as_ref().to_vec(),
        algorithm: algorithm.to_vec(),
        signature: parsed.signature_value.data.to_vec(),
        issuer: contents(parsed.issuer().as_raw())?.to_vec(),
        subject: contents(parsed.subject().as_raw())?.to_vec(),
        key_algorithm: key_algorithm.to_vec(),
        key: parsed.public_key().subject_public_key.data.to_vec(),
        authority: authority(&parsed),
    })
}

/// Key algorithm and key of a subject public key info that lacks its outer tag, as trust anchors are kept.
pub fn key_of_info(info: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut info = SliceReader::new(info).ok()?;
    let algorithm = contents(info.tlv_bytes().ok()?)?;
    // A BIT STRING begins with the number of its unused bits: none in a key.
    let key = contents(info.tlv_bytes().ok()?)?.strip_prefix(&[0])?;
    Some((algorithm, key))
}

/// Tags of the universal class, as octets ([X.690 §8.1.2]).
///
/// [X.690 §8.1.2]: https://www.itu.int/rec/T-REC-X.690
const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;

/// The same bytes, if they begin with this tag.
fn tagged(der: &[u8], tag: u8) -> Option<&[u8]> {
    (der.first() == Some(&tag)).then_some(der)
}

/// The contents of the first DER element.
fn contents(der: &[u8]) -> Option<&[u8]> {
    Some(AnyRef::decode(&mut SliceReader::new(der).ok()?).ok()?.value())
}

/// A reader of what the first DER element holds.
fn inside(der: &[u8]) -> Option<SliceReader<'_>> {
    SliceReader::new(contents(der)?).ok()
}

fn authority(certificate: &X509Certificate<'_>) -> Authority {
    // RFC 5280 §4.2.1.9: where there is no such extension, the key signs no certificates; version 1 has none.
    let Ok(Some(constraints)) = certificate.basic_constraints() else { return Authority::Nothing };
    let may_sign = match certificate.key_usage() {
        Ok(Some(usage)) => usage.value.key_cert_sign(),
        Ok(None) => true,
        Err(_) => false,
    };
    if certificate.version() != X509Version::V3 || !constraints.value.ca || !may_sign {
        return Authority::Nothing;
    }
    match certificate.name_constraints() {
        Ok(None) => Authority::Certificates(constraints.value.path_len_constraint),
        Ok(Some(_)) | Err(_) => Authority::ForSomeNames,
    }
}
