//! Who signed whom, checked signature by signature: for leaves that path validation will not look at
//! (CA:TRUE, X.509 v1), and to tell the ways apart in which a chain ends nowhere.

use super::algorithms;
use crate::model::{roots::Roots, session::Der};
use crate::wire::x509::{self, Certificate, Signed};

/// Longer chains are nobody's.
const LONGEST: usize = 8;

/// Where a chain ends, followed issuer by issuer from its leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// At a trusted root.
    Anchor,
    /// At a certificate whose issuer was not sent, and which says where that can be fetched.
    MissingIssuer,
    /// At a certificate that is signed by itself and trusted by nobody here.
    SelfSigned,
    /// At a certificate whose issuer is unknown.
    Unknown,
}

/// Whether the certificate's own key signed it.
pub(super) fn is_self_signed(der: &[u8]) -> bool {
    x509::signed_parts(der).is_some_and(|parts| signed_by(&parts, &parts))
}

/// Follows signatures from the leaf up. Names, constraints and dates are not looked at.
pub(super) fn end_of(chain: &[Der], roots: &Roots) -> End {
    let parts: Vec<Signed> = chain.iter().filter_map(|der| x509::signed_parts(&der.0)).collect();
    let Some(mut current) = parts.first() else { return End::Unknown };
    for _ in 0..LONGEST {
        if is_anchored(current, roots) {
            return End::Anchor;
        }
        if signed_by(current, current) {
            return End::SelfSigned;
        }
        let issuer = parts.iter().find(|other| *other != current && signed_by(current, other));
        match issuer {
            Some(issuer) => current = issuer,
            None => break,
        }
    }
    let top = chain
        .iter()
        .find(|der| x509::signed_parts(&der.0).as_ref() == Some(current))
        .and_then(|der| Certificate::parse(&der.0).ok());
    match top {
        Some(top) if !top.issuer_urls.is_empty() => End::MissingIssuer,
        _ => End::Unknown,
    }
}

fn signed_by(subject: &Signed, issuer: &Signed) -> bool {
    subject.issuer == issuer.subject
        && algorithms::is_signed(
            &subject.algorithm,
            &issuer.key_algorithm,
            &issuer.key,
            &subject.message,
            &subject.signature,
        )
}

fn is_anchored(subject: &Signed, roots: &Roots) -> bool {
    roots.anchors.iter().filter(|root| root.subject == subject.issuer).any(|root| {
        x509::key_of_info(&root.spki).is_some_and(|(key_algorithm, key)| {
            algorithms::is_signed(
                &subject.algorithm,
                key_algorithm,
                key,
                &subject.message,
                &subject.signature,
            )
        })
    })
}
