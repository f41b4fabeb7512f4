//! OCSP responses ([RFC 6960 §4.2.1]) to be stapled, signed by the CA itself.
//!
//! Written by hand: x509-ocsp can encode, but shows none of the types its values are built from.
//!
//! [RFC 6960 §4.2.1]: https://www.rfc-editor.org/rfc/rfc6960#section-4.2.1

use super::der::{
    BIT_STRING, ENUMERATED, GENERALIZED_TIME, INTEGER, OCTET_STRING, OID, SEQUENCE, element,
};
use crate::lab::LabError;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use jiff::Timestamp;
use x509_parser::parse_x509_certificate;

/// What the response says of the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OcspStatus {
    /// Not revoked.
    Good,
    /// Revoked, at this instant.
    Revoked(Timestamp),
}

/// When a response holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) this_update: Timestamp,
    pub(super) next_update: Timestamp,
}

/// The part that is signed: tbsResponseData.
pub(super) fn response_data(
    issuer: &[u8],
    leaf: &[u8],
    status: OcspStatus,
    valid: Validity,
) -> Result<Vec<u8>, LabError> {
    let unreadable = |error: x509_parser::nom::Err<_>| LabError::Read(format!("{error}"));
    let (_, issuer) = parse_x509_certificate(issuer).map_err(unreadable)?;
    let (_, leaf) = parse_x509_certificate(leaf).map_err(unreadable)?;
    let sha1 =
        |bytes: &[u8]| element(OCTET_STRING, &[digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref()]);
    let name_hash = sha1(issuer.subject().as_raw());
    let key_hash = sha1(&issuer.public_key().subject_public_key.data);
    let algorithm = element(SEQUENCE, &[&[OID, 5, 0x2b, 0x0e, 0x03, 0x02, 0x1a], &[0x05, 0x00]]);
    let serial = element(INTEGER, &[leaf.raw_serial()]);
    let cert_id = element(SEQUENCE, &[&algorithm, &name_hash, &key_hash, &serial]);
    let status = match status {
        OcspStatus::Good => element(0x80, &[]),
        OcspStatus::Revoked(at) => element(0xa1, &[&time(at)]),
    };
    let next_update = element(0xa0, &[&time(valid.next_update)]);
    let single = element(SEQUENCE, &[&cert_id, &status, &time(valid.this_update), &next_update]);
    let responder = element(0xa2, &[&key_hash]);
    let responses = element(SEQUENCE, &[&single]);
    Ok(element(SEQUENCE, &[&responder, &time(valid.this_update), &responses]))
}

/// The whole OCSPResponse, as a server staples it.
pub(super) fn response(
    data: &[u8],
    algorithm: &[u8],
    signature: &[u8],
    responder: Option<&[u8]>,
) -> Vec<u8> {
    let signature = element(BIT_STRING, &[&[0], signature]);
    let sent = responder.map(|one| element(0xa0, &[&element(SEQUENCE, &[one])]));
    let basic = element(SEQUENCE, &[data, algorithm, &signature, &sent.unwrap_or_default()]);
    // id-pkix-ocsp-basic, 1.3.6.1.5.5.7.48.1.1.
    let kind = element(OID, &[&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01]]);
    let bytes = element(SEQUENCE, &[&kind, &element(OCTET_STRING, &[&basic])]);
    element(SEQUENCE, &[&element(ENUMERATED, &[&[0]]), &element(0xa0, &[&bytes])])
}

fn time(at: Timestamp) -> Vec<u8> {
    element(GENERALIZED_TIME, &[at.strftime("%Y%m%d%H%M%SZ").to_string().as_bytes()])
}
