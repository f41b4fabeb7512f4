//! Whether a stapled OCSP response may be believed, and what it then says ([RFC 6960 §3.2]).
//!
//! 1. It names this leaf: serial, and digests of its issuer's name and key.
//! 2. It is signed by the issuer, or by a responder whose certificate the issuer signed for that use.
//! 3. It is fresh.
//!
//! Invariant: anything short of all three is `not-checked`, never `good` and never `revoked`.
//!
//! [RFC 6960 §3.2]: https://www.rfc-editor.org/rfc/rfc6960#section-3.2

use super::algorithms::{self, Checked};
use crate::model::{report::Revocation, roots::Roots, session::Der};
use crate::wire::{
    ocsp::{Answer, Response, Status},
    x509::{self, Certificate, Signed, Usage},
};
use aws_lc_rs::digest;
use jiff::{SignedDuration, Timestamp};

/// Clocks differ this much.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// How long a response without an end of its own is relied on.
const OLDEST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What the response says of the leaf, where it may be believed.
pub(super) fn revocation(
    response: &[u8],
    leaf: &Der,
    chain: &[Der],
    roots: &Roots,
    now: Timestamp,
) -> Revocation {
    let revocation = || {
        let response = Response::parse(response)?;
        let leaf = x509::signed_parts(&leaf.0)?;
        let issuer = Issuer::of(&leaf, chain, roots)?;
        let serial = Certificate::parse(&chain.first()?.0).ok()?.serial;
        let answer = response
            .answers
            .iter()
            .find(|answer| same_serial(&answer.serial, &serial) && issuer.is_named_by(answer))?;
        if !is_fresh(answer, now) || !is_believable(&response, &issuer, now) {
            return None;
        }
        match answer.status {
            Status::Good => Some(Revocation::Good),
            Status::Revoked => Some(Revocation::Revoked),
            Status::Unknown => None,
        }
    };
    revocation().unwrap_or(Revocation::NotChecked)
}

/// Whoever signed the leaf: name (DER without outer tag), key algorithm and key.
struct Issuer {
    name: Vec<u8>,
    key_algorithm: Vec<u8>,
    key: Vec<u8>,
}

impl Issuer {
    fn of(leaf: &Signed, chain: &[Der], roots: &Roots) -> Option<Self> {
        let sent = chain.iter().skip(1).filter_map(|der| x509::signed_parts(&der.0));
        let sent = sent.filter(|other| other.subject == leaf.issuer).map(|other| Self {
            name: other.subject,
            key_algorithm: other.key_algorithm,
            key: other.key,
        });
        let anchored = roots.anchors.iter().filter(|root| root.subject == leaf.issuer);
        let anchored = anchored.filter_map(|root| {
            let (key_algorithm, key) = x509::key_of_info(&root.spki)?;
            Some(Self {
                name: root.subject.clone(),
                key_algorithm: key_algorithm.to_vec(),
                key: key.to_vec(),
            })
        });
        sent.chain(anchored).find(|issuer| issuer.has_signed(leaf))
    }

    fn has_signed(&self, signed: &Signed) -> bool {
        let checked = algorithms::check(
            &signed.algorithm,
            &self.key_algorithm,
            &self.key,
            &signed.message,
            &signed.signature,
        );
        checked == Checked::Good
    }

    fn is_named_by(&self, answer: &Answer) -> bool {
        let algorithm = match answer.hash.as_str() {
            "1.3.14.3.2.26" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            "2.16.840.1.101.3.4.2.1" => &digest::SHA256,
            _ => return false,
        };
        let name = sequence(&self.name);
        digest::digest(algorithm, &name).as_ref() == answer.issuer_name_hash
            && digest::digest(algorithm, &self.key).as_ref() == answer.issuer_key_hash
    }
}

fn is_believable(response: &Response, issuer: &Issuer, now: Timestamp) -> bool {
    let signed_with = |key_algorithm: &[u8], key: &[u8]| {
        let checked = algorithms::check(
            &response.algorithm,
            key_algorithm,
            key,
            &response.message,
            &response.signature,
        );
        checked == Checked::Good
    };
    if signed_with(&issuer.key_algorithm, &issuer.key) {
        return true;
    }
    // RFC 6960 §4.2.2.2: a delegate, certified by the issuer itself, for OCSP signing.
    response.certificates.iter().any(|der| {
        let (Some(parts), Ok(certificate)) = (x509::signed_parts(der), Certificate::parse(der))
        else {
            return false;
        };
        let may_sign = match &certificate.usage {
            Usage::NotServer(uses) => uses.iter().any(|usage| usage == "OCSPSigning"),
            Usage::Server | Usage::Unrestricted => false,
        };
        may_sign
            && parts.issuer == issuer.name
            && issuer.has_signed(&parts)
            && certificate.not_before <= now
            && now <= certificate.not_after
            && signed_with(&parts.key_algorithm, &parts.key)
    })
}

fn is_fresh(answer: &Answer, now: Timestamp) -> bool {
    let begins = answer.this_update.saturating_sub(SKEW).unwrap_or(answer.this_update);
    let ends = match answer.next_update {
        Some(next) => next.saturating_add(SKEW),
        None => answer.this_update.saturating_add(OLDEST),
    };
    begins <= now && ends.is_ok_and(|ends| now <= ends)
}

/// Serial numbers may carry a leading zero octet, or not.
fn same_serial(one: &str, other: &str) -> bool {
    one.trim_start_matches('0') == other.trim_start_matches('0')
}

/// Puts the outer SEQUENCE tag back.
fn sequence(contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    let mut der = vec![0x30];
    if length < 0x80 {
        der.push(u8::try_from(length).unwrap_or_default());
    } else {
        let octets: Vec<u8> =
            length.to_be_bytes().into_iter().skip_while(|octet| *octet == 0).collect();
        der.push(0x80 | u8::try_from(octets.len()).unwrap_or_default());
        der.extend(octets);
    }
    der.extend_from_slice(contents);
    der
}
