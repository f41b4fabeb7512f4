//! Findings about a certificate chain, weighed by the level that is required (contract §2).

use super::Rules;
use crate::judge::certificate::{self, Verdict};
use crate::model::{
    finding::{Finding, FindingId, Severity},
    report::{NameMatch, Trust, Validity},
    requirement::Level,
    session::{Session, Tls, WithoutSni},
};
use crate::wire::{
    name::NamePattern,
    x509::{Certificate, Key, Usage},
};
use jiff::Timestamp;

/// How a fact about a certificate weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// Breaks the levels that need a path to a root.
    Path,
    /// Breaks the levels that need a name.
    Name,
    /// Never breaks anything.
    Advisory,
    /// Will break the levels that need a path to a root, once it has come true.
    Dates,
}

/// Contract §2: at `encrypt` every `cert-…` is info; at `pinned` and `dane` another proof stands in for the path.
fn severity(weight: Weight, level: Level) -> Severity {
    let breaks = match weight {
        Weight::Path => level.is_path_required(),
        Weight::Name => level.is_name_required(),
        Weight::Advisory | Weight::Dates => false,
    };
    match (breaks, weight) {
        (true, _) => Severity::Violation,
        (false, Weight::Advisory) if level != Level::Encrypt => Severity::Warning,
        (false, Weight::Dates) if level.is_path_required() => Severity::Warning,
        (false, Weight::Advisory | Weight::Dates | Weight::Name | Weight::Path) => Severity::Info,
    }
}

/// What one chain gives rise to.
pub(super) struct Chain<'a> {
    pub(super) session: &'a Session,
    pub(super) tls: &'a Tls,
    pub(super) verdict: &'a Verdict,
    pub(super) required: &'a [NamePattern],
    pub(super) rules: &'a Rules<'a>,
}

impl Chain<'_> {
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut found = self.own_findings();
        found.extend(self.sni());
        found
    }

    /// Those of the chain itself, whatever else the server shows.
    pub(super) fn own_findings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        found.extend(self.trust());
        found.extend(self.validity());
        found.extend(self.name());
        found.extend(self.pin());
        found.extend(self.leaf());
        found.extend(self.weaknesses());
        found
    }

    fn finding(&self, id: FindingId, weight: Weight, seen: String, expected: &str) -> Finding {
        let severity = severity(weight, self.rules.requirement.level);
        Finding::new(id, severity, &self.session.endpoint, seen, expected)
    }

    fn trust(&self) -> Option<Finding> {
        let id = match self.verdict.trust {
            Trust::Ok => return None,
            Trust::BadSignature => FindingId::CertBadSignature,
            Trust::Incomplete => FindingId::CertChainIncomplete,
            Trust::Invalid | Trust::None => FindingId::CertInvalid,
            Trust::Revoked => FindingId::CertRevoked,
            Trust::SelfSigned => FindingId::CertSelfSigned,
            Trust::UnknownIssuer => FindingId::CertUnknownIssuer,
        };
        let seen = match self.verdict.leaf() {
            Some(leaf) => format!("{} (subject `{}`)", self.verdict.trust_detail, leaf.subject),
            None => self.verdict.trust_detail.clone(),
        };
        let expected = format!("a chain to a trusted root ({})", self.rules.roots.source);
        Some(self.finding(id, Weight::Path, seen, &expected))
    }

    fn validity(&self) -> Option<Finding> {
        let bad = self.verdict.out_of_date.as_ref();
        match self.verdict.validity {
            Validity::Expired => {
                let seen = bad.map_or_else(
                    || "the path to the root is out of date".to_owned(),
                    |bad| format!("not_after {}{}", bad.not_after, self.whose(bad)),
                );
                Some(self.finding(FindingId::CertExpired, Weight::Path, seen, "in date"))
            }
            Validity::NotYetValid => {
                let seen = bad.map_or_else(String::new, |bad| {
                    format!("not_before {}{}", bad.not_before, self.whose(bad))
                });
                Some(self.finding(FindingId::CertNotYetValid, Weight::Path, seen, "in date"))
            }
            Validity::Ok => self.expires_soon(),
        }
    }

    fn expires_soon(&self) -> Option<Finding> {
        let first = below_root(self.verdict).min_by_key(|certificate| certificate.not_after)?;
        let days = days_between(self.rules.now, first.not_after);
        (days < i64::from(self.rules.warn_days)).then(|| {
            let seen =
                format!("{days} days left: not_after {}{}", first.not_after, self.whose(first));
            let expected = format!("at least {} days", self.rules.warn_days);
            self.finding(FindingId::CertExpiresSoon, Weight::Dates, seen, &expected)
        })
    }

    /// Says which certificate is meant where it is not the leaf.
    fn whose(&self, certificate: &Certificate) -> String {
        if self.verdict.leaf() == Some(certificate) {
            String::new()
        } else {
            format!(" (of the issuer `{}`)", certificate.subject)
        }
    }

    fn name(&self) -> Option<Finding> {
        let leaf = self.verdict.leaf()?;
        let expected =
            self.required.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        if self.required.is_empty() {
            return None;
        }
        match self.verdict.name(self.required) {
            NameMatch::Match if leaf.has_san => None,
            // RFC 9525 §2: the common name is no identity; OpenSSL and GnuTLS senders still take it.
            NameMatch::Match => {
                let seen = format!("no subjectAltName; common name {}", leaf.names().join(", "));
                let id = FindingId::CertNoSan;
                Some(self.finding(id, Weight::Advisory, seen, "a subjectAltName"))
            }
            NameMatch::Mismatch => {
                let seen = listed(leaf.names());
                Some(self.finding(FindingId::CertNameMismatch, Weight::Name, seen, &expected))
            }
            NameMatch::NoName => {
                let seen = "the certificate carries no DNS name".to_owned();
                Some(self.finding(FindingId::CertNameMismatch, Weight::Name, seen, &expected))
            }
        }
    }

    fn pin(&self) -> Option<Finding> {
        let requirement = self.rules.requirement;
        if requirement.level != Level::Pinned {
            return None;
        }
        let seen = match self.verdict.leaf() {
            Some(leaf) => {
                let digests = [&leaf.sha256, &leaf.spki_sha256];
                if requirement.pins.iter().any(|pin| digests.iter().any(|d| *d == pin.as_hex())) {
                    return None;
                }
                format!("certificate {}, key {}", leaf.sha256, leaf.spki_sha256)
            }
            None => self.verdict.trust_detail.clone(),
        };
        let subject = &self.session.endpoint;
        let id = FindingId::CertPinMismatch;
        let expected = format!("one of {} pins", requirement.pins.len());
        Some(Finding::new(id, Severity::Violation, subject, seen, expected))
    }

    /// What is odd about the leaf itself.
    fn leaf(&self) -> Vec<Finding> {
        let Some(leaf) = self.verdict.leaf() else { return Vec::new() };
        let mut found = Vec::new();
        // An issuer's usage binds what it signs: an S/MIME CA's certificates are no servers'.
        let wrong = below_root(self.verdict).find_map(|certificate| match &certificate.usage {
            Usage::NotServer(uses) => Some((certificate, uses)),
            Usage::Server | Usage::Unrestricted => None,
        });
        if let Some((certificate, uses)) = wrong {
            let whose = self.whose(certificate);
            let seen = format!("extended key usage {}{whose}", uses.join(", "));
            found.push(self.finding(FindingId::CertWrongUsage, Weight::Path, seen, "serverAuth"));
        }
        if leaf.is_ca {
            let seen = "basicConstraints CA:TRUE".to_owned();
            found.push(self.finding(FindingId::CertIsCa, Weight::Advisory, seen, "CA:FALSE"));
        }
        if leaf.version < 3 {
            let seen = format!("X.509 version {}", leaf.version);
            found.push(self.finding(FindingId::CertVersion, Weight::Advisory, seen, "version 3"));
        }
        found
    }

    /// Weak keys and signatures anywhere below the root.
    fn weaknesses(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        for certificate in below_root(self.verdict) {
            let weak = match &certificate.key {
                Key::Rsa(bits) => *bits < 2048,
                Key::Ec { bits, .. } => *bits < 256,
                Key::Ed25519 | Key::Other(_) => false,
            };
            if weak {
                let seen = format!("{}{}", certificate.key, self.whose(certificate));
                let expected = "RSA of 2048 bits or more, or an elliptic curve of 256 or more";
                found.push(self.finding(FindingId::CertWeakKey, Weight::Advisory, seen, expected));
            }
            if is_weakly_signed(certificate) {
                let seen = format!("{}{}", certificate.signature.name, self.whose(certificate));
                let id = FindingId::CertWeakSignature;
                found.push(self.finding(id, Weight::Path, seen, "SHA-256 or better"));
            }
        }
        found
    }

    /// Most real senders send no SNI: what they are shown must do as well.
    fn sni(&self) -> Option<Finding> {
        let without = self.session.without_sni.as_ref()?;
        let leaf = self.tls.chain.first()?;
        let seen = match without {
            WithoutSni::Chain(chain) if chain.first() == Some(leaf) => return None,
            WithoutSni::Chain(chain) => {
                let shown = chain.first().and_then(|der| Certificate::parse(&der.0).ok());
                let names = shown.map_or_else(
                    || "another certificate".to_owned(),
                    |certificate| format!("a certificate for {}", listed(certificate.names())),
                );
                let verdict = certificate::judge(chain, None, self.rules.roots, self.rules.now);
                format!("{names} without SNI (trust {})", verdict.trust.as_str())
            }
            WithoutSni::Failed(why) => format!("no handshake without SNI: {why}"),
        };
        let expected = "the same certificate with and without SNI";
        Some(self.finding(FindingId::CertDependsOnSni, Weight::Advisory, seen, expected))
    }
}

/// Whether the chain meets what level `ca` asks of it: path, dates, usage, and no broken signature on the way.
pub(super) fn is_good(verdict: &Verdict) -> bool {
    verdict.trust == Trust::Ok
        && verdict.validity == Validity::Ok
        && below_root(verdict).all(|certificate| {
            certificate::is_for_servers(certificate) && !is_weakly_signed(certificate)
        })
}

/// The path without a root that was sent along.
fn below_root(verdict: &Verdict) -> impl Iterator<Item = &Certificate> {
    let is_below = |(at, certificate): &(usize, &Certificate)| *at == 0 || !certificate.self_issued;
    let path = verdict.path.iter().map(AsRef::as_ref);
    path.enumerate().filter(is_below).map(|(_, certificate)| certificate)
}

/// What a certificate says of itself is not what anybody relies on.
fn is_weakly_signed(certificate: &Certificate) -> bool {
    certificate.signature.is_broken && !certificate.self_issued
}

/// A few names, for a sentence.
fn listed(names: &[String]) -> String {
    match names {
        [] => "no name".to_owned(),
        [one, two, three, rest @ ..] if !rest.is_empty() => {
            format!("{one}, {two}, {three} and {} more", rest.len())
        }
        few => few.join(", "),
    }
}

/// Whole days from one instant to another; negative when it is past.
fn days_between(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_hours().div_euclid(24)
}
