//! A certificate authority for tests and the demo.
//!
//! 1. [`Ca::new`] makes a root, [`Ca::intermediate`] one below it.
//! 2. [`Ca::issue`] makes what a [`LeafSpec`] asks for; [`Ca::ocsp`] says whether it was revoked.
//!
//! What rcgen cannot make (RSA-1024, SHA-1, MD5, version 1, small curves) lies under `tests/data/certs`.
//!
//! Invariant: no clock: every date is counted from the `now` the root was made with.

mod der;
mod identity;
mod leaf;
mod ocsp;

pub use identity::Identity;
pub use leaf::{KeyKind, LeafSpec, LeafUsage, Role, Signer};
pub use ocsp::OcspStatus;

use crate::lab::LabError;
use crate::wire::text;
use der::{OID, SEQUENCE, element};
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, RsaKeySize, SanType,
    SigningKey, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::time::Duration;

const YEAR: SignedDuration = SignedDuration::from_hours(365 * 24);

/// A root or intermediate that issues.
#[derive(Debug)]
pub struct Ca {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    kind: KeyKind,
    /// What stands between its leaves and the root, itself first; empty at a root.
    above: Vec<CertificateDer<'static>>,
    now: Timestamp,
}

impl Ca {
    /// A root with a key on P-256, valid from a year before `now` to ten years after.
    pub fn new(name: &str, now: Timestamp) -> Result<Self, LabError> {
        Self::with_key(name, KeyKind::P256, now)
    }

    /// A root with another kind of key.
    pub fn with_key(name: &str, kind: KeyKind, now: Timestamp) -> Result<Self, LabError> {
        let key = generate(kind)?;
        let params = ca_params(name, now)?;
        let certificate = params.self_signed(&key)?.der().clone();
        Ok(Self { certificate, issuer: Issuer::new(params, key), kind, above: Vec::new(), now })
    }

    /// A CA below this one, with the same kind of key.
    pub fn intermediate(&self, name: &str) -> Result<Self, LabError> {
        let key = generate(self.kind)?;
        let mut params = ca_params(name, self.now)?;
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?.der().clone();
        let mut above = vec![certificate.clone()];
        above.extend(self.above.iter().cloned());
        let issuer = Issuer::new(params, key);
        Ok(Self { certificate, issuer, kind: self.kind, above, now: self.now })
    }

    /// Issues with the key of a certificate of its own issuing, whether that is a CA's or not: what an
    /// intruder does who holds any certificate at all.
    pub fn issuing_with(&self, spec: &LeafSpec) -> Result<Self, LabError> {
        let Identity { chain, key } = self.issue(spec)?;
        let certificate = chain.first().cloned().ok_or(LabError::Read("no certificate".into()))?;
        let key = KeyPair::try_from(key.secret_der())?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key)?;
        Ok(Self { certificate, issuer, kind: spec.key, above: chain, now: self.now })
    }

    /// A certificate and its key, with what stands between it and the root.
    pub fn issue(&self, spec: &LeafSpec) -> Result<Identity, LabError> {
        let key = generate(spec.key)?;
        let mut params = leaf_params(spec, self.now)?;
        let mut chain = Vec::new();
        match spec.signer {
            Signer::Ca => {
                params.use_authority_key_identifier_extension = true;
                chain.push(params.signed_by(&key, &self.issuer)?.der().clone());
                chain.extend(self.above.iter().cloned());
            }
            Signer::Itself => chain.push(params.self_signed(&key)?.der().clone()),
        }
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(Identity { chain, key })
    }

    /// A whole OCSP response about a leaf this CA issued, ready to be stapled.
    pub fn ocsp(
        &self,
        leaf: &Identity,
        status: OcspStatus,
        this_update: Timestamp,
        next_update: Timestamp,
    ) -> Result<Vec<u8>, LabError> {
        let valid = ocsp::Validity { this_update, next_update };
        let data = ocsp::response_data(&self.certificate, leaf.leaf(), status, valid)?;
        let signature = self.issuer.key().sign(&data)?;
        Ok(ocsp::response(&data, &signature_algorithm(self.kind), &signature, None))
    }

    /// The same, good for a day, signed by somebody else, whose certificate goes along.
    pub fn ocsp_by(&self, responder: &Self, leaf: &Identity) -> Result<Vec<u8>, LabError> {
        let (this_update, next_update) = (self.now, self.now.checked_add(YEAR / 365)?);
        let valid = ocsp::Validity { this_update, next_update };
        let data = ocsp::response_data(&self.certificate, leaf.leaf(), OcspStatus::Good, valid)?;
        let signature = responder.issuer.key().sign(&data)?;
        let algorithm = signature_algorithm(responder.kind);
        Ok(ocsp::response(&data, &algorithm, &signature, Some(responder.certificate.as_ref())))
    }

    /// Its own certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Its own certificate as PEM: what a `--ca-file` holds.
    pub fn pem(&self) -> String {
        let encoded = text::base64(&self.certificate);
        let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
        for (at, letter) in encoded.chars().enumerate() {
            if at > 0 && at % 64 == 0 {
                text.push('\n');
            }
            text.push(letter);
        }
        text.push_str("\n-----END CERTIFICATE-----\n");
        text
    }

    /// The instant every date is counted from.
    pub fn now(&self) -> Timestamp {
        self.now
    }
}

fn generate(kind: KeyKind) -> Result<KeyPair, LabError> {
    Ok(match kind {
        KeyKind::Ed25519 => KeyPair::generate_for(&rcgen::PKCS_ED25519)?,
        KeyKind::P256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?,
        KeyKind::P384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384)?,
        KeyKind::Rsa2048 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048)?,
    })
}

/// The AlgorithmIdentifier rcgen signs with.
fn signature_algorithm(kind: KeyKind) -> Vec<u8> {
    match kind {
        KeyKind::Ed25519 => element(SEQUENCE, &[&[OID, 3, 0x2b, 0x65, 0x70]]),
        KeyKind::P256 => {
            element(SEQUENCE, &[&[OID, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]])
        }
        KeyKind::P384 => {
            element(SEQUENCE, &[&[OID, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03]])
        }
        KeyKind::Rsa2048 => {
            let oid = [OID, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
            element(SEQUENCE, &[&oid, &[0x05, 0x00]])
        }
    }
}

fn ca_params(name: &str, now: Timestamp) -> Result<CertificateParams, LabError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, now.checked_sub(YEAR)?, now.checked_add(YEAR * 10)?);
    Ok(params)
}

fn leaf_params(spec: &LeafSpec, now: Timestamp) -> Result<CertificateParams, LabError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    if let Some(name) = &spec.common_name {
        params.distinguished_name.push(DnType::CommonName, name.as_str());
    }
    for name in &spec.dns_names {
        params.subject_alt_names.push(SanType::DnsName(name.as_str().try_into()?));
    }
    params.is_ca = match spec.role {
        Role::Ca => IsCa::Ca(BasicConstraints::Unconstrained),
        Role::Leaf => IsCa::ExplicitNoCa,
    };
    params.extended_key_usages = match spec.usage {
        LeafUsage::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
        LeafUsage::OcspSigning => vec![ExtendedKeyUsagePurpose::OcspSigning],
        LeafUsage::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
        LeafUsage::Unrestricted => Vec::new(),
    };
    if let Some(url) = &spec.issuer_url {
        // RFC 5280 §4.2.2.1: id-pe-authorityInfoAccess with one id-ad-caIssuers.
        let method = element(OID, &[&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02]]);
        let access = element(SEQUENCE, &[&method, &element(0x86, &[url.as_bytes()])]);
        params.custom_extensions.push(CustomExtension::from_oid_content(
            &[1, 3, 6, 1, 5, 5, 7, 1, 1],
            element(SEQUENCE, &[&access]),
        ));
    }
    set_validity(&mut params, now.checked_add(spec.not_before)?, now.checked_add(spec.not_after)?);
    Ok(params)
}

fn set_validity(params: &mut CertificateParams, not_before: Timestamp, not_after: Timestamp) {
    // rcgen's dates are the `time` crate's; this is a way there without naming it.
    let epoch = date_time_ymd(1970, 1, 1);
    let span = |at: Timestamp| Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0));
    params.not_before = epoch + span(not_before);
    params.not_after = epoch + span(not_after);
}

#[cfg(test)]
mod tests;
