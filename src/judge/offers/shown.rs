//! How an endpoint's TLS is told in the report.
//!
//! Invariant: tells what was seen and judged, and judges nothing.

use crate::judge::certificate::Verdict;
use crate::model::{
    deep::{Deep, SenderSeen},
    report::{CertificateReport, SenderReport, TlsReport},
    requirement::TlsVersion,
    session::Tls,
};
use crate::wire::{
    hello::{suite_by_name, weakness},
    name::NamePattern,
};

/// What the handshake and the hellos showed, as it is told.
pub(super) fn tls_report(
    tls: &Tls,
    verdict: &Verdict,
    required: &[NamePattern],
    deep: Option<&Deep>,
) -> TlsReport {
    let certificates = verdict.certificates.iter().map(|certificate| CertificateReport {
        subject: certificate.subject.clone(),
        issuer: certificate.issuer.clone(),
        names: certificate.names().to_vec(),
        not_before: certificate.not_before,
        not_after: certificate.not_after,
        key: certificate.key.to_string(),
        signature: certificate.signature.name.clone(),
        sha256: certificate.sha256.clone(),
        spki_sha256: certificate.spki_sha256.clone(),
        serial: certificate.serial.clone(),
    });
    TlsReport {
        version: tls.version,
        cipher_suite: tls.cipher_suite.clone(),
        group: tls.group.clone(),
        seen_by: tls.seen_by,
        key_proved: tls.key_proved,
        client_certificate_requested: tls.client_certificate_requested,
        legacy_versions: deep.map(|deep| deep.legacy_versions.clone()).unwrap_or_default(),
        weak_ciphers: weak_ciphers(tls, deep),
        senders: senders(deep),
        certificates: certificates.collect(),
        trust: verdict.trust,
        validity: verdict.validity,
        name: verdict.name(required),
        revocation: verdict.revocation,
    }
}

/// The weak suites seen: those of a deep look, and the one a failed handshake's hello was answered with.
fn weak_ciphers(tls: &Tls, deep: Option<&Deep>) -> Vec<String> {
    let mut weak = deep.map(|deep| deep.weak_suites.clone()).unwrap_or_default();
    let chosen = tls
        .cipher_suite
        .iter()
        .find(|suite| suite_by_name(suite).and_then(weakness).is_some() && !weak.contains(suite));
    weak.extend(chosen.cloned());
    weak
}

/// What well-known senders would get, best first.
fn senders(deep: Option<&Deep>) -> Vec<SenderReport> {
    let mut seen: Vec<&SenderSeen> = deep.iter().flat_map(|deep| &deep.senders).collect();
    seen.sort_by_key(|seen| std::cmp::Reverse(strength(seen)));
    seen.into_iter().map(sender_report).collect()
}

/// How good an agreement is: none least; then by version, by weakness of the suite, by the group.
fn strength(seen: &SenderSeen) -> Option<(TlsVersion, bool, u8)> {
    let agreed = seen.negotiated.as_ref()?;
    let is_sound = suite_by_name(&agreed.cipher_suite).and_then(weakness).is_none();
    let group = match agreed.group.as_deref() {
        None => 0,
        Some(group) if group.contains("MLKEM") => 2,
        Some(_) => 1,
    };
    Some((agreed.version, is_sound, group))
}

fn sender_report(seen: &SenderSeen) -> SenderReport {
    let agreed = seen.negotiated.as_ref();
    SenderReport {
        name: seen.name.clone(),
        version: agreed.map(|agreed| agreed.version),
        cipher_suite: agreed.map(|agreed| agreed.cipher_suite.clone()),
        group: agreed.and_then(|agreed| agreed.group.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::deep::Agreed;

    #[test]
    fn senders_stand_best_first() {
        let sender = |name: &str, version, suite: &str, group: Option<&str>| SenderSeen {
            name: name.to_owned(),
            negotiated: Some(Agreed {
                version,
                cipher_suite: suite.to_owned(),
                group: group.map(str::to_owned),
            }),
            outcome: String::new(),
        };
        let (tls12, tls13) = (TlsVersion::Tls12, TlsVersion::Tls13);
        let nobody =
            SenderSeen { name: "none".to_owned(), negotiated: None, outcome: String::new() };
        let deep = Deep {
            senders: vec![
                nobody,
                sender("rsa", tls12, "TLS_RSA_WITH_AES_128_GCM_SHA256", None),
                sender("classical", tls13, "TLS_AES_128_GCM_SHA256", Some("X25519")),
                sender("1.2", tls12, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", Some("secp256r1")),
                sender("hybrid", tls13, "TLS_AES_128_GCM_SHA256", Some("X25519MLKEM768")),
            ],
            ..Deep::default()
        };
        let names: Vec<String> =
            senders(Some(&deep)).into_iter().map(|sender| sender.name).collect();
        assert_eq!(names, ["hybrid", "classical", "1.2", "rsa", "none"]);
    }
}
