//! What a chain is worth: trust, dates and name, each on its own ([RFC 5280 §6], [RFC 9525]).
//!
//! 1. The leaf is described; what cannot be read is `invalid`.
//! 2. Path validation at `now` for a TLS server; where that fails, with any usage and with broken
//!    digests, which are findings of their own.
//! 3. Where that fails too, the same at the instants at which the chain may be in date: trust and
//!    dates are two answers.
//! 4. Leaves that path validation will not look at (CA:TRUE, version 1) are followed signature by
//!    signature, through issuers that may sign.
//! 5. A path that ends nowhere is told apart: self-signed, incomplete, unknown issuer, bad signature.
//!
//! Invariant: the verdict depends on the chain, the roots and `now` alone; a certificate that is not on the
//! path changes nothing.
//!
//! [RFC 5280 §6]: https://www.rfc-editor.org/rfc/rfc5280#section-6
//! [RFC 9525]: https://www.rfc-editor.org/rfc/rfc9525

use super::{
    algorithms,
    issuer::{End, Trail},
    ocsp,
};
use crate::model::{
    report::{NameMatch, Revocation, Trust, Validity},
    roots::{Root, Roots},
    session::Der,
};
use crate::wire::{
    name::NamePattern,
    x509::{Certificate, Usage},
};
use jiff::Timestamp;
use rustls_pki_types::{
    CertificateDer, Der as RawDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime,
};
use std::{sync::Arc, time::Duration};
use webpki::{EndEntityCert, Error, ExtendedKeyUsageValidator, KeyPurposeIdIter, KeyUsage};

/// Longer chains are nobody's, and each instant costs a search for a path.
const MOST_INSTANTS: usize = 16;

/// What a chain is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The certificates that could be read, in the order sent, leaf first.
    pub certificates: Vec<Arc<Certificate>>,
    /// Those of them that lead to the root, or as far as they lead, leaf first: what was sent beside
    /// them (roots, cross-signed copies, strangers) bears on nothing.
    pub path: Vec<Arc<Certificate>>,
    /// Whether it ends at a trusted root.
    pub trust: Trust,
    /// In words, where it does not.
    pub trust_detail: String,
    /// Whether `now` lies within its dates.
    pub validity: Validity,
    /// Which certificate's dates decide that, where `now` is outside.
    pub out_of_date: Option<Arc<Certificate>>,
    /// What the stapled OCSP response says.
    pub revocation: Revocation,
}

impl Verdict {
    /// The leaf, where it could be read.
    pub fn leaf(&self) -> Option<&Certificate> {
        self.certificates.first().map(AsRef::as_ref)
    }

    /// Whether one of the leaf's names meets one of the required.
    pub fn name(&self, required: &[NamePattern]) -> NameMatch {
        let names = self.leaf().map(Certificate::names).unwrap_or_default();
        if names.is_empty() {
            return NameMatch::NoName;
        }
        let met = |pattern: &NamePattern| names.iter().any(|name| pattern.is_met_by(name));
        if required.iter().any(met) { NameMatch::Match } else { NameMatch::Mismatch }
    }
}

/// Judges a chain as sent, leaf first, with what was stapled to it.
pub fn judge(chain: &[Der], stapled: Option<&Der>, roots: &Roots, now: Timestamp) -> Verdict {
    let read = |der: &Der| Certificate::parse(&der.0).ok().map(Arc::new);
    let read: Vec<Option<Arc<Certificate>>> = chain.iter().map(read).collect();
    let (Some(leaf_der), Some(Some(leaf))) = (chain.first(), read.first()) else {
        let trust = if chain.is_empty() { Trust::None } else { Trust::Invalid };
        return Verdict {
            certificates: Vec::new(),
            path: Vec::new(),
            trust,
            trust_detail: "the server sent no certificate that can be read".to_owned(),
            validity: Validity::Ok,
            out_of_date: None,
            revocation: Revocation::NotChecked,
        };
    };
    let search = Search { chain, read: &read, leaf, roots, now };
    let Path { path, mut trust, mut trust_detail } = search.path();
    let out_of_date = path.iter().find(|one| dates(one, now) != Validity::Ok).cloned();
    let validity = out_of_date.as_ref().map_or(Validity::Ok, |one| dates(one, now));
    let revocation = match (trust, stapled) {
        (Trust::Ok, Some(response)) => ocsp::revocation(&response.0, leaf_der, chain, roots, now),
        _ => Revocation::NotChecked,
    };
    if revocation == Revocation::Revoked {
        trust = Trust::Revoked;
        trust_detail = format!("the stapled OCSP response says that {} is revoked", leaf.subject);
    }
    let certificates = read.into_iter().flatten().collect();
    Verdict { certificates, path, trust, trust_detail, validity, out_of_date, revocation }
}

/// The way from a leaf to a root, or as far as it goes.
struct Path {
    path: Vec<Arc<Certificate>>,
    trust: Trust,
    trust_detail: String,
}

/// One chain on its way to a root.
struct Search<'a> {
    chain: &'a [Der],
    /// What could be read of each, in the same order.
    read: &'a [Option<Arc<Certificate>>],
    leaf: &'a Arc<Certificate>,
    roots: &'a Roots,
    now: Timestamp,
}

impl Search<'_> {
    fn path(&self) -> Path {
        let mut last = Error::UnknownIssuer;
        for instant in self.instants() {
            // A path without broken digests and for servers is what others will find, where there is one.
            let strict = self.validate(instant, algorithms::sound(), KeyUsage::server_auth());
            match strict.or_else(|_| self.validate(instant, algorithms::all(), AnyUsage)) {
                Ok(path) => return Path { path, trust: Trust::Ok, trust_detail: String::new() },
                Err(error) => last = error,
            }
        }
        let trail = Trail::follow(self.chain, self.roots);
        let (trust, trust_detail) = self.name_failure(&last, &trail);
        let path = trail.certificates().into_iter().map(Arc::new).collect();
        Path { path, trust, trust_detail }
    }

    /// `now`, then every instant at which certificates may begin to be in date together.
    fn instants(&self) -> Vec<Timestamp> {
        let begins = self.read.iter().flatten().map(|certificate| certificate.not_before);
        let mut instants = vec![self.now];
        for begin in begins.take(MOST_INSTANTS) {
            if !instants.contains(&begin) {
                instants.push(begin);
            }
        }
        instants
    }

    /// The certificates of a path that is good at an instant, the root left out.
    fn validate(
        &self,
        instant: Timestamp,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
        usage: impl ExtendedKeyUsageValidator,
    ) -> Result<Vec<Arc<Certificate>>, Error> {
        let sent: Vec<CertificateDer<'_>> =
            self.chain.iter().map(|der| CertificateDer::from(der.0.as_slice())).collect();
        let [leaf, others @ ..] = sent.as_slice() else { return Err(Error::UnknownIssuer) };
        let anchors = anchors(self.roots, &sent);
        let leaf = EndEntityCert::try_from(leaf)?;
        let instant = unix(instant);
        let found =
            leaf.verify_for_usage(algorithms, &anchors, others, instant, usage, None, None)?;
        let mut path = vec![Arc::clone(self.leaf)];
        let read_as = |issuer: &[u8]| {
            let at = self.chain.iter().position(|der| der.0 == issuer)?;
            self.read.get(at)?.clone()
        };
        path.extend(found.intermediate_certificates().filter_map(|one| read_as(&one.der())));
        Ok(path)
    }

    /// What a failed validation means, in the contract's words.
    fn name_failure(&self, error: &Error, trail: &Trail) -> (Trust, String) {
        // Path validation does not look at such leaves, whatever else they are.
        let is_odd = self.leaf.is_ca || self.leaf.version < 3;
        let issuer = trail.top().map_or("nobody", |top| top.issuer.as_str());
        match trail.end {
            End::Anchor if is_odd && trail.is_sound() => (Trust::Ok, String::new()),
            // Signatures lead to a root, but what lies between may not sign.
            End::Anchor => (Trust::Invalid, in_words(error)),
            End::BadSignature => {
                (Trust::BadSignature, format!("not signed with the key of `{issuer}`"))
            }
            End::MissingIssuer => {
                (Trust::Incomplete, format!("the certificate of `{issuer}` was not sent"))
            }
            End::NotCheckable => {
                let with = trail.top().map_or("", |top| top.signature.name.as_str());
                (Trust::Invalid, format!("the signature of `{issuer}` cannot be checked ({with})"))
            }
            End::SelfSigned if trail.top() == Some(self.leaf.as_ref()) => {
                (Trust::SelfSigned, "the certificate is signed by itself".to_owned())
            }
            End::SelfSigned | End::Unknown => {
                (Trust::UnknownIssuer, format!("`{issuer}` is not trusted here"))
            }
        }
    }
}

/// Why signatures that lead to a root make no path.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "webpki's errors are many and non-exhaustive; those that happen stand here"
)]
fn in_words(error: &Error) -> String {
    match error {
        Error::CertExpired { .. } | Error::CertNotValidYet { .. } => {
            "the certificates of the chain are never in date together".to_owned()
        }
        Error::CaUsedAsEndEntity
        | Error::EndEntityUsedAsCa
        | Error::PathLenConstraintViolated
        | Error::UnsupportedCertVersion => {
            "a certificate in the chain is signed by one that may not sign it".to_owned()
        }
        Error::NameConstraintViolation => {
            "the names in the certificate are outside what its issuer may sign for".to_owned()
        }
        other => format!("path validation: {other:?}"),
    }
}

/// Whether `now` lies within a certificate's dates ([RFC 5280 §4.1.2.5], both ends included).
///
/// [RFC 5280 §4.1.2.5]: https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5
pub fn dates(certificate: &Certificate, now: Timestamp) -> Validity {
    if now < certificate.not_before {
        Validity::NotYetValid
    } else if now > certificate.not_after {
        Validity::Expired
    } else {
        Validity::Ok
    }
}

/// Whether the leaf may be a TLS server's.
pub fn is_for_servers(leaf: &Certificate) -> bool {
    match &leaf.usage {
        Usage::Server | Usage::Unrestricted => true,
        Usage::NotServer(_) => false,
    }
}

/// Takes any usage: whether it is the right one is a question of its own.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        Ok(())
    }
}

/// The roots that a certificate names as its issuer: path validation looks at no others, and to hand it all
/// of them costs as much as reading a certificate.
fn anchors<'a>(roots: &'a Roots, sent: &[CertificateDer<'_>]) -> Vec<TrustAnchor<'a>> {
    let read: Vec<EndEntityCert<'_>> =
        sent.iter().filter_map(|der| EndEntityCert::try_from(der).ok()).collect();
    let is_named = |root: &&Root| read.iter().any(|one| one.issuer() == root.subject);
    roots
        .anchors
        .iter()
        .filter(is_named)
        .map(|root| TrustAnchor {
            subject: RawDer::from_slice(&root.subject),
            subject_public_key_info: RawDer::from_slice(&root.spki),
            name_constraints: root.name_constraints.as_deref().map(RawDer::from_slice),
        })
        .collect()
}

pub(super) fn unix(instant: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(
        u64::try_from(instant.as_second()).unwrap_or_default(),
    ))
}

#[cfg(test)]
pub(super) mod tests;
