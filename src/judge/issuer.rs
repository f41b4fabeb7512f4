//! Who signed whom, checked signature by signature: for leaves that path validation will not look at
//! (CA:TRUE, X.509 v1), and to tell the ways apart in which a chain ends nowhere.
//!
//! Invariant: a trail proves signatures alone; it stands for a path only where [`Trail::is_sound`], since
//! whoever holds any certificate at all can sign others with its key.

use super::algorithms::{self, Checked};
use crate::model::{
    roots::{Root, Roots},
    session::Der,
};
use crate::wire::x509::{self, Authority, Certificate, Signed};

/// Longer chains are nobody's.
const LONGEST: usize = 8;

/// Where a chain ends, followed issuer by issuer from its leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// At a trusted root.
    Anchor,
    /// At a certificate that names an issuer which did not sign it.
    BadSignature,
    /// At a certificate whose issuer was not sent, and which says where that can be fetched.
    MissingIssuer,
    /// At a certificate signed with what nobody checks any more.
    NotCheckable,
    /// At a certificate that is signed by itself and trusted by nobody here.
    SelfSigned,
    /// At a certificate whose issuer is unknown.
    Unknown,
}

/// The certificates that signed one another, leaf first.
pub(super) struct Trail {
    steps: Vec<Step>,
    pub(super) end: End,
    is_root_constrained: bool,
}

#[derive(Clone)]
struct Step {
    parts: Signed,
    certificate: Certificate,
}

impl Trail {
    /// Follows signatures from the leaf up. Names, constraints and dates are not looked at.
    pub(super) fn follow(chain: &[Der], roots: &Roots) -> Self {
        let mut trail = Self { steps: Vec::new(), end: End::Unknown, is_root_constrained: false };
        // A leaf that cannot be read whole has no trail: it must not begin at an issuer of somebody else's.
        let Some(leaf) = chain.first().and_then(|der| Step::read(&der.0)) else { return trail };
        let sent: Vec<Step> = chain.iter().filter_map(|der| Step::read(&der.0)).collect();
        let mut next = Some(&leaf);
        while let Some(current) = next {
            trail.steps.push(current.clone());
            if let Some(root) = current.anchor(roots) {
                trail.is_root_constrained = root.name_constraints.is_some();
                trail.end = End::Anchor;
                return trail;
            }
            // Cross-signed issuers come in several copies: one that a root signed leads on.
            let issuers = || {
                let others = sent.iter().filter(|other| other.parts != current.parts);
                others.filter(|other| current.signed_by(other) == Checked::Good)
            };
            let anchored = issuers().find(|issuer| issuer.anchor(roots).is_some());
            next = match current.signed_by(current) {
                Checked::Good => None,
                Checked::NotCheckable | Checked::Wrong => anchored.or_else(|| issuers().next()),
            };
            if next.is_none() || trail.steps.len() >= LONGEST {
                trail.end = current.end(&sent, roots);
                return trail;
            }
        }
        trail
    }

    /// The certificates on it, leaf first.
    pub(super) fn certificates(&self) -> Vec<Certificate> {
        self.steps.iter().map(|step| step.certificate.clone()).collect()
    }

    /// The certificate it ends at.
    pub(super) fn top(&self) -> Option<&Certificate> {
        self.steps.last().map(|step| &step.certificate)
    }

    /// Whether every issuer on it may sign what it signed ([RFC 5280 §6.1.4]). Constraints on names
    /// are not followed by hand: where there are any, the answer is no.
    ///
    /// [RFC 5280 §6.1.4]: https://www.rfc-editor.org/rfc/rfc5280#section-6.1.4
    pub(super) fn is_sound(&self) -> bool {
        let may_sign = |(below, issuer): (usize, &Step)| match issuer.parts.authority {
            Authority::Certificates(None) => true,
            Authority::Certificates(Some(most)) => usize::try_from(most).is_ok_and(|m| below <= m),
            Authority::ForSomeNames | Authority::Nothing => false,
        };
        !self.is_root_constrained && self.steps.iter().skip(1).enumerate().all(may_sign)
    }
}

impl Step {
    fn read(der: &[u8]) -> Option<Self> {
        let certificate = Certificate::parse(der).ok()?;
        Some(Self { parts: x509::signed_parts(der)?, certificate })
    }

    /// Whether the issuer's key signed this; not checkable where it has another name.
    fn signed_by(&self, issuer: &Self) -> Checked {
        if self.parts.issuer != issuer.parts.subject {
            return Checked::NotCheckable;
        }
        self.check(&issuer.parts.key_algorithm, &issuer.parts.key)
    }

    fn signed_by_root(&self, root: &Root) -> Checked {
        match x509::key_of_info(&root.spki) {
            Some((key_algorithm, key)) if self.parts.issuer == root.subject => {
                self.check(key_algorithm, key)
            }
            _ => Checked::NotCheckable,
        }
    }

    fn check(&self, key_algorithm: &[u8], key: &[u8]) -> Checked {
        let parts = &self.parts;
        algorithms::check(&parts.algorithm, key_algorithm, key, &parts.message, &parts.signature)
    }

    fn anchor<'a>(&self, roots: &'a Roots) -> Option<&'a Root> {
        roots.anchors.iter().find(|root| self.signed_by_root(root) == Checked::Good)
    }

    /// Why there is no way on from here.
    fn end(&self, sent: &[Self], roots: &Roots) -> End {
        let by_itself = self.signed_by(self);
        if by_itself == Checked::Good
            || (by_itself == Checked::NotCheckable && self.certificate.self_issued)
        {
            return End::SelfSigned;
        }
        let named = sent.iter().filter(|other| other.parts.subject == self.parts.issuer);
        let roots = roots.anchors.iter().filter(|root| root.subject == self.parts.issuer);
        let checks: Vec<Checked> = named
            .map(|other| self.signed_by(other))
            .chain(roots.map(|root| self.signed_by_root(root)))
            .collect();
        if checks.contains(&Checked::Wrong) {
            End::BadSignature
        } else if checks.contains(&Checked::NotCheckable) {
            End::NotCheckable
        } else if self.certificate.issuer_urls.is_empty() {
            End::Unknown
        } else {
            End::MissingIssuer
        }
    }
}
