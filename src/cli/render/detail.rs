//! What `--verbose` adds: per endpoint what it said, what it offers, its chain and the transcript.
//!
//! Nothing here is wrapped: digests and dialogue are there to be copied and searched.

use super::layout::Page;
use super::words;
use crate::model::report::{CertificateReport, ClaimReport, EndpointReport, Revocation, TlsReport};
use crate::model::session::SeenBy;
use crate::wire::smtp::Capabilities;

pub(super) fn write<'a>(
    page: &mut Page,
    indent: usize,
    claim: &ClaimReport,
    transcript: impl Fn(&str) -> &'a [String],
) {
    for one in &claim.endpoints {
        let place = words::place(one);
        page.line(indent, &format!("{place}, looked at for {} ms", one.duration_ms));
        endpoint(page, indent + 4, one);
        let said = transcript(&place);
        if !said.is_empty() {
            page.line(indent + 4, "transcript");
            said.iter().for_each(|line| page.line(indent + 8, &words::clean(line)));
        }
        page.blank();
    }
    let proved = match claim.proven_at {
        Some(at) => format!("proved at {at}"),
        None => "never proved".to_owned(),
    };
    page.line(indent, &format!("{proved}; evidence {}", words::clean(&claim.evidence)));
    page.blank();
}

fn endpoint(page: &mut Page, indent: usize, endpoint: &EndpointReport) {
    let inside = endpoint.capabilities_tls.as_ref();
    let mut rows = vec![
        ("banner", endpoint.banner.as_deref().map_or_else(String::new, words::clean)),
        ("offers in clear", capabilities(&endpoint.capabilities)),
        ("offers inside TLS", inside.map_or_else(String::new, capabilities)),
    ];
    let Some(tls) = &endpoint.tls else { return page.facts(indent, &rows) };
    rows.extend(handshake(tls));
    page.facts(indent, &rows);
    for (position, shown) in tls.certificates.iter().enumerate() {
        page.line(indent, &format!("certificate {position}"));
        certificate(page, indent + 4, shown);
    }
}

fn capabilities(offered: &Capabilities) -> String {
    words::clean(&offered.lines().join(", "))
}

fn handshake(tls: &TlsReport) -> [(&'static str, String); 5] {
    let version = tls.version.map(|version| version.to_string());
    let chosen: Vec<_> =
        [version, tls.cipher_suite.clone(), tls.group.clone()].into_iter().flatten().collect();
    let seen_by = match tls.seen_by {
        SeenBy::Handshake => "",
        SeenBy::Hello => " (seen in a hello only)",
    };
    let older: Vec<_> = tls.legacy_versions.iter().map(ToString::to_string).collect();
    let asked = if tls.client_certificate_requested { "asked for" } else { "" };
    let revocation = match tls.revocation {
        Revocation::Good => "good",
        Revocation::NotChecked => "not-checked",
        Revocation::Revoked => "revoked",
    };
    [
        ("TLS", format!("{}{seen_by}", words::clean(&chosen.join(" ")))),
        ("also accepts", older.join(", ")),
        ("weak suites", words::clean(&tls.weak_ciphers.join(", "))),
        ("client certificate", asked.to_owned()),
        ("revocation", revocation.to_owned()),
    ]
}

fn certificate(page: &mut Page, indent: usize, shown: &CertificateReport) {
    let CertificateReport { subject, issuer, names, not_before, not_after, .. } = shown;
    let CertificateReport { key, signature, sha256, spki_sha256, serial, .. } = shown;
    let rows = [
        ("subject", words::clean(subject)),
        ("issuer", words::clean(issuer)),
        ("names", words::clean(&names.join(", "))),
        ("valid", format!("{not_before} to {not_after}")),
        ("key", words::clean(key)),
        ("signature", words::clean(signature)),
        ("serial", words::clean(serial)),
        ("sha256", words::clean(sha256)),
        ("spki sha256", words::clean(spki_sha256)),
    ];
    page.facts(indent, &rows);
}
