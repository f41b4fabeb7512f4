//! A stapled OCSP response, taken apart for whoever verifies it ([RFC 6960 §4.2]).
//!
//! Invariant: nothing here is believed: the signature is checked by `judge`, against the issuer's key.
//!
//! [RFC 6960 §4.2]: https://www.rfc-editor.org/rfc/rfc6960#section-4.2

use crate::wire::text::hex;
use der::{Decode, Encode};
use jiff::Timestamp;
use x509_ocsp::{BasicOcspResponse, CertStatus, OcspResponse, OcspResponseStatus, SingleResponse};

/// A basic response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The signed part, DER.
    pub message: Vec<u8>,
    /// The signature algorithm identifier, DER without its outer tag.
    pub algorithm: Vec<u8>,
    /// The signature's octets.
    pub signature: Vec<u8>,
    /// Certificates sent along, DER: a delegated responder's is the first of them.
    pub certificates: Vec<Vec<u8>>,
    /// What it says of each certificate.
    pub answers: Vec<Answer>,
}

/// What a response says of one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Serial number, hexadecimal.
    pub serial: String,
    /// Digest algorithm of the two hashes, as dotted object identifier.
    pub hash: String,
    /// Digest of the issuer's name, DER with its outer tag.
    pub issuer_name_hash: Vec<u8>,
    /// Digest of the issuer's key, the octets of its bit string.
    pub issuer_key_hash: Vec<u8>,
    /// Whether it is good.
    pub status: Status,
    /// When that was known to be so.
    pub this_update: Timestamp,
    /// Until when it may be relied on, where the response says so.
    pub next_update: Option<Timestamp>,
}

/// Whether a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Not revoked.
    Good,
    /// Revoked.
    Revoked,
    /// The responder does not know it.
    Unknown,
}

impl Response {
    /// Takes a response apart; none where it is no successful basic response.
    pub fn parse(der: &[u8]) -> Option<Self> {
        let outer = OcspResponse::from_der(der).ok()?;
        if outer.response_status != OcspResponseStatus::Successful {
            return None;
        }
        let basic = BasicOcspResponse::from_der(outer.response_bytes?.response.as_bytes()).ok()?;
        let algorithm = basic.signature_algorithm.to_der().ok()?;
        let certificates = basic.certs.iter().flatten().filter_map(|c| c.to_der().ok());
        Some(Self {
            message: basic.tbs_response_data.to_der().ok()?,
            algorithm: contents(&algorithm)?,
            signature: basic.signature.as_bytes()?.to_vec(),
            certificates: certificates.collect(),
            answers: basic.tbs_response_data.responses.iter().filter_map(answer).collect(),
        })
    }
}

fn answer(single: &SingleResponse) -> Option<Answer> {
    let time = |at: &x509_ocsp::OcspGeneralizedTime| {
        Timestamp::from_second(i64::try_from(at.0.to_unix_duration().as_secs()).ok()?).ok()
    };
    Some(Answer {
        serial: hex(single.cert_id.serial_number.as_bytes()),
        hash: single.cert_id.hash_algorithm.oid.to_string(),
        issuer_name_hash: single.cert_id.issuer_name_hash.as_bytes().to_vec(),
        issuer_key_hash: single.cert_id.issuer_key_hash.as_bytes().to_vec(),
        status: match single.cert_status {
            CertStatus::Good(_) => Status::Good,
            CertStatus::Revoked(_) => Status::Revoked,
            CertStatus::Unknown(_) => Status::Unknown,
        },
        this_update: time(&single.this_update)?,
        next_update: single.next_update.as_ref().and_then(time),
    })
}

/// The contents of a short DER element.
fn contents(der: &[u8]) -> Option<Vec<u8>> {
    let any = der::asn1::AnyRef::from_der(der).ok()?;
    Some(any.value().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = Response::parse(&bytes);
        }
    }
}
