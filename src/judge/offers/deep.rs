//! What a deep look adds: old versions, weak suites, second certificates ([RFC 9325 §3.1.1, §4]).
//!
//! Invariant: weak offers beside good ones are warnings (contract §2); only a certificate is judged by
//! the level that is required, whatever kind its key is of.
//!
//! [RFC 9325 §3.1.1, §4]: https://www.rfc-editor.org/rfc/rfc9325#section-4

use super::{
    chain::Chain,
    endpoint::Draft,
    hello::{BY_HELLO, LEAST_DH_BITS},
    required_names,
};
use crate::judge::certificate;
use crate::model::{
    deep::{Deep, KindShown, Piggyback},
    finding::{FindingId, Severity},
    requirement::TlsVersion,
    session::Tls,
};
use crate::wire::hello::{suite_by_name, weakness};

/// Names in one sentence.
const MOST_NAMED: usize = 12;

impl Draft<'_> {
    pub(super) fn deep(&mut self, deep: &Deep) {
        self.legacy_versions(deep);
        if !deep.weak_suites.is_empty() {
            let seen = format!("{}{BY_HELLO}", weak(&deep.weak_suites));
            let expected = "suites with forward secrecy and authenticated encryption";
            // One finding an endpoint: this one names what a failed handshake's hello has seen, and more.
            self.findings.retain(|finding| finding.id != FindingId::TlsWeakCipher);
            self.find(FindingId::TlsWeakCipher, Severity::Warning, seen, expected);
        }
        let is_told = self.findings.iter().any(|finding| finding.id == FindingId::TlsWeakDh);
        if let Some(dh) = deep.dh.as_ref().filter(|dh| dh.bits < LEAST_DH_BITS && !is_told) {
            self.weak_dh(&dh.cipher_suite, dh.bits);
        }
        match &deep.piggyback {
            Some(Piggyback::Answered(reply)) => self.find(
                FindingId::StarttlsInjection,
                Severity::Warning,
                format!("a NOOP sent in clear with STARTTLS was answered inside TLS: `{reply}`"),
                "whatever was sent before TLS is forgotten (CVE-2011-0411)",
            ),
            Some(Piggyback::Forgotten | Piggyback::Unclear(_)) | None => {}
        }
        for shown in &deep.certificates {
            self.second_certificate(shown);
        }
    }

    fn legacy_versions(&mut self, deep: &Deep) {
        let newest = self.session.tls.as_ref().and_then(|tls| tls.version);
        // An old version is no second one where it is all there is.
        let beside_good = newest >= Some(TlsVersion::Tls12);
        if deep.legacy_versions.is_empty() || !beside_good {
            return;
        }
        let versions: Vec<String> = deep.legacy_versions.iter().map(ToString::to_string).collect();
        self.find(
            FindingId::TlsLegacyAccepted,
            Severity::Warning,
            format!("{} accepted{BY_HELLO}", versions.join(", ")),
            "TLSv1.2 or newer only",
        );
    }

    /// The certificate of the other kind of key: half-renewed pairs show here.
    fn second_certificate(&mut self, shown: &KindShown) {
        let first = self.session.tls.as_ref().and_then(|tls| tls.chain.first());
        let is_known = shown.chain.first().is_none_or(|leaf| Some(leaf) == first);
        if is_known {
            return;
        }
        let rules = self.rules;
        let tls = Tls { chain: shown.chain.clone(), ..Tls::default() };
        let verdict = certificate::judge(&shown.chain, None, rules.roots, rules.now);
        let required = required_names(rules, self.session);
        let chain = Chain {
            session: self.session,
            tls: &tls,
            verdict: &verdict,
            required: &required,
            rules,
        };
        for mut finding in chain.own_findings() {
            finding.subject = format!("{} ({} certificate)", finding.subject, shown.kind);
            finding.seen.push_str(BY_HELLO);
            self.findings.push(finding);
        }
    }
}

/// Suites with what is wrong with them, worst first as they were asked for.
fn weak(suites: &[String]) -> String {
    let named =
        suites.iter().take(MOST_NAMED).map(|suite| match suite_by_name(suite).and_then(weakness) {
            Some(weak) => format!("{suite} ({weak})"),
            None => suite.clone(),
        });
    let mut sentence = named.collect::<Vec<String>>().join(", ");
    if let Some(more) = suites.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
        sentence.push_str(&format!(" and {more} more"));
    }
    sentence
}
