//! The certificates of canaries: the operator's, or made here.
//!
//! 1. Two roots are made once and kept in the state directory: one for senders to trust, one that nobody does.
//! 2. A leaf is made at each start, with the defect of its personality and no other; its key is RSA whatever the
//!    personality, so that no two canaries differ in that.
//!
//! Invariant: a key is written to a file that only its owner may read, before anything refers to it.

use super::{
    CanaryError,
    roots::{self, Root},
};
use crate::model::{canary::Personality, connector::CertificateFiles, session::Der};
use crate::wire::name::Host;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, RsaKeySize, SanType, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use std::{path::Path, time::Duration};

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// How long a leaf is good for. A canary that is not started for longer must be started again.
const LEAF_DAYS: i32 = 825;
/// The name that no canary has (RFC 6761 §6.4: it will never exist).
const WRONG_NAME: &str = "wrong-name.invalid";

/// What a canary shows, and the key it proves it with.
#[derive(Debug)]
pub struct CanaryIdentity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Clone for CanaryIdentity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

impl CanaryIdentity {
    /// A chain, leaf first, and the key of the leaf.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Self {
        Self { chain, key }
    }

    /// The operator's. Whether it has the defect of its personality and no other is for a judge.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or holds no certificate or no key.
    pub fn from_files(files: &CertificateFiles) -> Result<Self, CanaryError> {
        let chain = read_pem(&files.chain_file, |text| {
            let chain: Vec<_> = CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>()?;
            if chain.is_empty() {
                Err(rustls::pki_types::pem::Error::NoItemsFound)
            } else {
                Ok(chain)
            }
        })?;
        let key = read_pem(&files.key_file, PrivateKeyDer::from_pem_slice)?;
        Ok(Self { chain, key })
    }

    /// The certificates as sent, leaf first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The same as evidence keeps them.
    pub fn evidence(&self) -> Vec<Der> {
        self.chain.iter().map(|certificate| Der(certificate.to_vec())).collect()
    }

    pub(super) fn key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }
}

fn read_pem<T>(
    path: &Path,
    read: impl FnOnce(&[u8]) -> Result<T, rustls::pki_types::pem::Error>,
) -> Result<T, CanaryError> {
    let failed = |source| CanaryError::File { path: path.to_owned(), source };
    let text = std::fs::read(path).map_err(failed)?;
    read(&text).map_err(|source| CanaryError::Pem { path: path.to_owned(), source })
}

/// The authority of canaries whose operator gave them no certificate.
#[derive(Debug)]
pub struct CanaryCa {
    /// What senders are made to trust.
    trusted: Root,
    /// What nobody trusts.
    stranger: Root,
}

impl CanaryCa {
    /// Opens `STATE/canary`, and makes the roots there if this is the first time. Takes a second then.
    ///
    /// # Errors
    ///
    /// A directory or file that cannot be read or made, or that holds something else.
    pub fn open(state_dir: &Path, now: Timestamp) -> Result<Self, CanaryError> {
        let folder = state_dir.join("canary");
        roots::make_folder(&folder)?;
        let trusted = Root::open(&folder, "root", "mxwarden canary root", now)?;
        let stranger = Root::open(&folder, "stranger", "mxwarden root that nobody trusts", now)?;
        Ok(Self { trusted, stranger })
    }

    /// The root that senders are made to trust, as PEM.
    pub fn root_pem(&self) -> &str {
        self.trusted.pem()
    }

    /// The same in DER.
    pub fn root(&self) -> Der {
        Der(self.trusted.certificate().to_vec())
    }

    /// A certificate with the defect of `personality`, made anew. For those without a defect in their certificate,
    /// one that passes for `hostname`.
    ///
    /// # Errors
    ///
    /// The library fails to make it.
    pub fn identity(
        &self,
        personality: Personality,
        hostname: &Host,
        now: Timestamp,
    ) -> Result<CanaryIdentity, CanaryError> {
        let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048)
            .map_err(CanaryError::Make)?;
        let params = leaf(personality, hostname, now)?;
        let chain = match personality {
            Personality::SelfSigned => {
                vec![params.self_signed(&key).map_err(CanaryError::Make)?.der().clone()]
            }
            // The root goes along, as with all the others: what is wrong is that nobody trusts it, not that it is missing.
            Personality::UnknownCa => self.stranger.issue(params, &key)?,
            Personality::DaneMismatch
            | Personality::Expired
            | Personality::Good
            | Personality::LegacyTls
            | Personality::NoStarttls
            | Personality::StarttlsBroken
            | Personality::StarttlsRefused
            | Personality::WrongName => self.trusted.issue(params, &key)?,
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(CanaryIdentity { chain, key })
    }
}

fn leaf(
    personality: Personality,
    hostname: &Host,
    now: Timestamp,
) -> Result<CertificateParams, CanaryError> {
    let name = match personality {
        Personality::WrongName => WRONG_NAME,
        _ => hostname.as_str(),
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    // RFC 5280 §A.1: a common name has 64 characters at most; the SAN is what counts.
    if name.len() <= 64 {
        params.distinguished_name.push(DnType::CommonName, name);
    }
    params.subject_alt_names = vec![SanType::DnsName(name.try_into().map_err(CanaryError::Make)?)];
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = personality != Personality::SelfSigned;
    // RSA key exchange, which legacy-tls speaks, needs the second; all have both, to be alike.
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let (from, to) = match personality {
        Personality::Expired => (DAY * -91, -DAY),
        _ => (-DAY, DAY * LEAF_DAYS),
    };
    set_validity(&mut params, now, from, to);
    Ok(params)
}

/// A span of validity counted from `now`.
pub(super) fn set_validity(
    params: &mut CertificateParams,
    now: Timestamp,
    from: SignedDuration,
    to: SignedDuration,
) {
    // rcgen's dates are the `time` crate's; this is a way there without naming it.
    let epoch = date_time_ymd(1970, 1, 1);
    let at = |span| {
        let second = now.saturating_add(span).map_or(now.as_second(), Timestamp::as_second);
        epoch + Duration::from_secs(u64::try_from(second).unwrap_or(0))
    };
    params.not_before = at(from);
    params.not_after = at(to);
}
