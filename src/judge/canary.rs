//! Whether a canary's certificate has its defect and no other (contract §4).
//!
//! 1. Trust, dates and name are judged as everywhere, against every root a sender may know.
//! 2. Held against what the personality must show, and nothing besides.
//! 3. Whether it ends at the root of `good`: only then a refusal of it says something of its defect.
//!
//! Invariant: a canary that could be refused, or delivered to, for another reason than its defect is not fit.

use super::certificate;
use crate::model::{
    canary::Personality,
    report::{NameMatch, Trust, Validity},
    roots::Roots,
    session::Der,
};
use crate::wire::{
    name::{Domain, Host, NamePattern},
    x509::{Certificate, Key},
};
use jiff::Timestamp;

/// What a canary is checked by.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// Every root a sender may know, the canaries' own among them.
    pub roots: &'a Roots,
    /// The instant dates are held against.
    pub now: Timestamp,
    /// The names the connector requires; empty means the MX host's own.
    pub names: &'a [NamePattern],
}

/// One canary, and the chain it shows.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// How it misbehaves.
    pub personality: Personality,
    /// Its MX host.
    pub hostname: &'a Host,
    /// Its recipient domain.
    pub domain: &'a Domain,
    /// The chain, leaf first; empty for a canary that shows none.
    pub chain: &'a [Der],
}

/// What is wrong with a canary's certificate beside its defect, in words; none where it is fit.
pub fn flaw(canary: Shown<'_>, rules: Rules<'_>) -> Option<String> {
    if !has_handshake(canary.personality) {
        return None;
    }
    let verdict = certificate::judge(canary.chain, None, rules.roots, rules.now);
    let Some(leaf) = verdict.leaf() else {
        return Some("it has no certificate that can be read".to_owned());
    };
    if !matches!(leaf.key, Key::Rsa(bits) if bits >= 2048) {
        return Some(format!(
            "its key is {}; every canary has an RSA key of 2048 bits or more, so that they differ in nothing else",
            leaf.key
        ));
    }
    let own = [NamePattern::from(canary.hostname.clone())];
    let seen = (verdict.trust, verdict.validity, verdict.name(&own));
    let expected = (
        match canary.personality {
            Personality::SelfSigned => Trust::SelfSigned,
            Personality::UnknownCa => Trust::UnknownIssuer,
            Personality::DaneMismatch
            | Personality::Expired
            | Personality::Good
            | Personality::LegacyTls
            | Personality::NoStarttls
            | Personality::StarttlsBroken
            | Personality::StarttlsRefused
            | Personality::WrongName => Trust::Ok,
        },
        if canary.personality == Personality::Expired { Validity::Expired } else { Validity::Ok },
        match canary.personality {
            Personality::WrongName => NameMatch::Mismatch,
            Personality::DaneMismatch
            | Personality::Expired
            | Personality::Good
            | Personality::LegacyTls
            | Personality::NoStarttls
            | Personality::SelfSigned
            | Personality::StarttlsBroken
            | Personality::StarttlsRefused
            | Personality::UnknownCa => NameMatch::Match,
        },
    );
    if seen != expected {
        return Some(format!(
            "its certificate is `{}, {}, name {}`, not `{}, {}, name {}`",
            seen.0.as_str(),
            seen.1.as_str(),
            seen.2.as_str(),
            expected.0.as_str(),
            expected.1.as_str(),
            expected.2.as_str(),
        ));
    }
    match canary.personality {
        Personality::WrongName => met_after_all(leaf, canary, rules.names),
        Personality::DaneMismatch
        | Personality::Expired
        | Personality::Good
        | Personality::LegacyTls
        | Personality::NoStarttls
        | Personality::SelfSigned
        | Personality::StarttlsBroken
        | Personality::StarttlsRefused
        | Personality::UnknownCa => None,
    }
}

/// Whether a chain ends at the same root as `good`'s does.
pub fn shares_root(good: &[Der], other: &[Der], rules: Rules<'_>) -> bool {
    rules.roots.anchors.iter().any(|anchor| {
        let alone = Roots { source: rules.roots.source.clone(), anchors: vec![anchor.clone()] };
        let is_trusted =
            |chain| certificate::judge(chain, None, &alone, rules.now).trust == Trust::Ok;
        is_trusted(good) && is_trusted(other)
    })
}

/// Whether a sender ever sees a certificate of this canary.
fn has_handshake(personality: Personality) -> bool {
    match personality {
        Personality::NoStarttls | Personality::StarttlsBroken | Personality::StarttlsRefused => {
            false
        }
        Personality::DaneMismatch
        | Personality::Expired
        | Personality::Good
        | Personality::LegacyTls
        | Personality::SelfSigned
        | Personality::UnknownCa
        | Personality::WrongName => true,
    }
}

/// Real senders match the MX host, the recipient domain or a parent of it, or what the connector names: a
/// `wrong-name` certificate that meets any of them is not wrong to them.
fn met_after_all(leaf: &Certificate, canary: Shown<'_>, names: &[NamePattern]) -> Option<String> {
    let mut wanted: Vec<NamePattern> = names.to_vec();
    let mut rest = Some(canary.domain.as_str());
    while let Some(name) = rest.filter(|name| name.contains('.')) {
        wanted.extend([name.to_owned(), format!("*.{name}")].iter().filter_map(|n| n.parse().ok()));
        rest = name.split_once('.').map(|(_, parent)| parent);
    }
    let met = |pattern: &&NamePattern| leaf.names().iter().any(|name| pattern.is_met_by(name));
    let met = wanted.iter().find(met)?;
    Some(format!("its certificate is meant to be for another name, and meets `{met}` all the same"))
}

#[cfg(test)]
mod tests {
    use super::super::certificate::tests::{chain, roots};
    use super::*;
    use crate::lab::ca::{Ca, KeyKind, LeafSpec};

    const HOST: &str = "mx.bad.canary.test";

    fn now() -> Timestamp {
        "2026-01-31T12:00:00Z".parse().unwrap()
    }

    fn ca() -> Ca {
        Ca::new("Canary CA", now()).unwrap()
    }

    fn leaf() -> LeafSpec {
        LeafSpec::host(HOST).key(KeyKind::Rsa2048)
    }

    #[track_caller]
    fn check(personality: Personality, spec: &LeafSpec, expect: Option<&str>) {
        let ca = ca();
        let issued = chain(&ca.issue(spec).unwrap());
        let shown = Shown {
            personality,
            hostname: &HOST.parse().unwrap(),
            domain: &"bad.canary.test".parse().unwrap(),
            chain: &issued,
        };
        let names = ["*.fabrikam.test".parse().unwrap()];
        let rules = Rules { roots: &roots(&[ca.certificate()]), now: now(), names: &names };
        assert_eq!(flaw(shown, rules).as_deref(), expect, "{personality}");
    }

    #[test]
    fn a_canary_has_its_defect_and_no_other() {
        use Personality::{Expired, Good, LegacyTls, NoStarttls, SelfSigned, UnknownCa, WrongName};
        check(Good, &leaf(), None);
        check(LegacyTls, &leaf(), None);
        check(Expired, &leaf().expired(), None);
        check(SelfSigned, &leaf().self_signed(), None);
        let elsewhere = LeafSpec::host("wrong-name.invalid").key(KeyKind::Rsa2048);
        check(WrongName, &elsewhere, None);
        check(NoStarttls, &leaf().expired(), None);
        let expired = "its certificate is `ok, expired, name match`, not `ok, ok, name match`";
        check(Good, &leaf().expired(), Some(expired));
        let good = "its certificate is `ok, ok, name match`, not `ok, expired, name match`";
        check(Expired, &leaf(), Some(good));
        let good = "its certificate is `ok, ok, name match`, not `unknown-issuer, ok, name match`";
        check(UnknownCa, &leaf(), Some(good));
        let met = |pattern: &str| {
            format!(
                "its certificate is meant to be for another name, and meets `{pattern}` all the same"
            )
        };
        // What a sender at Postfix's level `secure` would match: the recipient domain, or a name below a parent.
        let sibling = LeafSpec::host("mx.other.canary.test").key(KeyKind::Rsa2048);
        check(WrongName, &sibling, Some(&met("*.canary.test")));
        let partner = LeafSpec::host("mail.fabrikam.test").key(KeyKind::Rsa2048);
        check(WrongName, &partner, Some(&met("*.fabrikam.test")));
    }

    #[test]
    fn a_key_of_another_kind_is_another_difference() {
        let ec = LeafSpec::host(HOST);
        let ca = ca();
        let issued = chain(&ca.issue(&ec).unwrap());
        let shown = Shown {
            personality: Personality::Good,
            hostname: &HOST.parse().unwrap(),
            domain: &"bad.canary.test".parse().unwrap(),
            chain: &issued,
        };
        let rules = Rules { roots: &roots(&[ca.certificate()]), now: now(), names: &[] };
        assert!(flaw(shown, rules).is_some_and(|flaw| flaw.contains("RSA key")));
    }

    #[test]
    fn an_expired_certificate_may_end_at_the_root_of_good() {
        let (ours, other) = (ca(), Ca::new("Other CA", now()).unwrap());
        let rules_roots = roots(&[ours.certificate(), other.certificate()]);
        let rules = Rules { roots: &rules_roots, now: now(), names: &[] };
        let good = chain(&ours.issue(&leaf()).unwrap());
        let expired = chain(&ours.issue(&leaf().expired()).unwrap());
        let strange = chain(&other.issue(&leaf().expired()).unwrap());
        assert!(shares_root(&good, &expired, rules));
        assert!(!shares_root(&good, &strange, rules));
    }
}
