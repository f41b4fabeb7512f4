//! What a chain is worth: trust, dates and name, each on its own ([RFC 5280 §6], [RFC 9525]).
//!
//! 1. The leaf is described; what cannot be read is `invalid`.
//! 2. Path validation at `now` for a TLS server. Where that fails because of dates, once more at an
//!    instant at which the chain is in date: trust and dates are two answers.
//! 3. Where it fails because of usage, once more with any usage: wrong usage is a third.
//! 4. Leaves that path validation will not look at (CA:TRUE, version 1) are followed signature by signature.
//! 5. A path that ends nowhere is told apart: self-signed, incomplete, unknown issuer, bad signature.
//!
//! Invariant: the verdict depends on the chain, the roots and `now` alone.
//!
//! [RFC 5280 §6]: https://www.rfc-editor.org/rfc/rfc5280#section-6
//! [RFC 9525]: https://www.rfc-editor.org/rfc/rfc9525

use super::{
    algorithms,
    issuer::{self, End},
    ocsp,
};
use crate::model::{
    report::{NameMatch, Revocation, Trust, Validity},
    roots::Roots,
    session::Der,
};
use crate::wire::{
    name::NamePattern,
    x509::{Certificate, Usage},
};
use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, Der as RawDer, TrustAnchor, UnixTime};
use std::time::Duration;
use webpki::{EndEntityCert, Error, ExtendedKeyUsageValidator, KeyPurposeIdIter};

/// What a chain is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The certificates that could be read, leaf first.
    pub certificates: Vec<Certificate>,
    /// Whether it ends at a trusted root.
    pub trust: Trust,
    /// In words, where it does not.
    pub trust_detail: String,
    /// Whether `now` lies within its dates.
    pub validity: Validity,
    /// Which certificate's dates decide that, where `now` is outside.
    pub out_of_date: Option<Certificate>,
    /// What the stapled OCSP response says.
    pub revocation: Revocation,
}

impl Verdict {
    /// The leaf, where it could be read.
    pub fn leaf(&self) -> Option<&Certificate> {
        self.certificates.first()
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
    let certificates: Vec<Certificate> =
        chain.iter().map_while(|der| Certificate::parse(&der.0).ok()).collect();
    let (Some(leaf_der), Some(leaf)) = (chain.first(), certificates.first()) else {
        let trust = if chain.is_empty() { Trust::None } else { Trust::Invalid };
        return Verdict {
            certificates,
            trust,
            trust_detail: "the server sent no certificate that can be read".to_owned(),
            validity: Validity::Ok,
            out_of_date: None,
            revocation: Revocation::NotChecked,
        };
    };
    let path = Path { chain, certificates: &certificates, roots, now };
    let today = path.validate(now);
    let (mut trust, mut trust_detail) = path.trust(&today);
    let (validity, out_of_date) = path.validity(trust, &today);
    let revocation = match (trust, stapled) {
        (Trust::Ok, Some(response)) => ocsp::revocation(&response.0, leaf_der, chain, roots, now),
        _ => Revocation::NotChecked,
    };
    if revocation == Revocation::Revoked {
        trust = Trust::Revoked;
        trust_detail = format!("the stapled OCSP response says that {} is revoked", leaf.subject);
    }
    Verdict { trust, trust_detail, validity, out_of_date, revocation, certificates }
}

/// One chain on its way to a root.
struct Path<'a> {
    chain: &'a [Der],
    certificates: &'a [Certificate],
    roots: &'a Roots,
    now: Timestamp,
}

impl Path<'_> {
    /// `today` is what validation says at `now`: each costs as many signatures as the chain is long.
    fn trust(&self, today: &Result<(), Error>) -> (Trust, String) {
        let Err(mut last) = today.clone() else { return (Trust::Ok, String::new()) };
        for instant in self.instants() {
            match self.validate(instant) {
                Ok(()) => return (Trust::Ok, String::new()),
                Err(error) => last = error,
            }
        }
        self.name_failure(&last)
    }

    /// Instants at which the chain may be in date, where it is not now.
    fn instants(&self) -> Vec<Timestamp> {
        let mut instants = Vec::new();
        if let Some(leaf) = self.certificates.first() {
            instants.extend([just_before(leaf.not_after), leaf.not_before]);
        }
        let begins = self.certificates.iter().map(|certificate| certificate.not_before).max();
        let ends = self.certificates.iter().map(|certificate| certificate.not_after).min();
        instants.extend(begins);
        instants.extend(ends.map(just_before));
        instants
    }

    fn validate(&self, instant: Timestamp) -> Result<(), Error> {
        let [leaf, others @ ..] = self.chain else { return Err(Error::UnknownIssuer) };
        let leaf = CertificateDer::from(leaf.0.as_slice());
        let others: Vec<_> =
            others.iter().map(|der| CertificateDer::from(der.0.as_slice())).collect();
        let anchors: Vec<TrustAnchor<'_>> = anchors(self.roots);
        let leaf = EndEntityCert::try_from(&leaf)?;
        leaf.verify_for_usage(
            algorithms::all(),
            &anchors,
            &others,
            unix(instant),
            AnyUsage,
            None,
            None,
        )
        .map(|_| ())
    }

    /// What a failed validation means, in the contract's words.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "webpki's errors are many and non-exhaustive; those with a word of their own stand here"
    )]
    fn name_failure(&self, error: &Error) -> (Trust, String) {
        let leaf_der = self.chain.first().map(|der| der.0.as_slice()).unwrap_or_default();
        let end = issuer::end_of(self.chain, self.roots);
        if end != End::Anchor && issuer::is_self_signed(leaf_der) {
            return (Trust::SelfSigned, "the certificate is signed by itself".to_owned());
        }
        let top = self.certificates.last().map_or("nobody", |top| top.issuer.as_str());
        match error {
            // A CA certificate or one of version 1 as leaf: path validation does not look further, we do.
            Error::CaUsedAsEndEntity | Error::UnsupportedCertVersion if end == End::Anchor => {
                (Trust::Ok, String::new())
            }
            Error::InvalidSignatureForPublicKey => {
                (Trust::BadSignature, "a signature in the chain is wrong".to_owned())
            }
            Error::UnknownIssuer | Error::CaUsedAsEndEntity | Error::UnsupportedCertVersion => {
                match end {
                    End::MissingIssuer => {
                        (Trust::Incomplete, format!("the certificate of `{top}` was not sent"))
                    }
                    End::SelfSigned | End::Unknown => {
                        (Trust::UnknownIssuer, format!("`{top}` is not trusted here"))
                    }
                    // Signatures lead to a root, but what lies between may not sign.
                    End::Anchor => (Trust::Invalid, format!("path validation: {error:?}")),
                }
            }
            other => (Trust::Invalid, format!("path validation: {other:?}")),
        }
    }

    /// The dates that decide: the leaf's; where the leaf is in date and the path is not, another's.
    fn validity(&self, trust: Trust, today: &Result<(), Error>) -> (Validity, Option<Certificate>) {
        let [leaf, others @ ..] = self.certificates else { return (Validity::Ok, None) };
        let of_leaf = dates(leaf, self.now);
        if of_leaf != Validity::Ok {
            return (of_leaf, Some(leaf.clone()));
        }
        if trust != Trust::Ok {
            return (Validity::Ok, None);
        }
        let out_of_date = others.iter().find_map(|other| {
            let state = dates(other, self.now);
            (state != Validity::Ok).then(|| (state, Some(other.clone())))
        });
        match today {
            Ok(()) => (Validity::Ok, None),
            // Followed by signatures alone: whatever was sent must be in date.
            Err(Error::CaUsedAsEndEntity | Error::UnsupportedCertVersion) => {
                out_of_date.unwrap_or((Validity::Ok, None))
            }
            // Good at another instant and not now: it is the dates, whosever they are.
            Err(_) => out_of_date.unwrap_or((Validity::Expired, None)),
        }
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

pub(super) fn anchors(roots: &Roots) -> Vec<TrustAnchor<'_>> {
    roots
        .anchors
        .iter()
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

fn just_before(instant: Timestamp) -> Timestamp {
    Timestamp::from_second(instant.as_second().saturating_sub(1)).unwrap_or(instant)
}

#[cfg(test)]
mod tests;
