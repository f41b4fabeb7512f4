//! The sentences that several formats share.

use crate::model::finding::Finding;
use crate::model::obstacle::Obstacle;
use crate::model::report::{
    CertificateReport, ClaimReport, EndpointReport, PartnerReport, Report, Subjects,
};
use crate::model::requirement::{MinVersion, Requirement};
use crate::model::session::Endpoint;
use crate::model::state::State;
use crate::wire::text;
use jiff::Timestamp;
use std::cmp::Reverse;

/// One line fit to be shown, whatever it was.
pub(super) fn clean(line: &str) -> String {
    // XML 1.0 §2.2: neither of the two is a character, and no font has one either.
    text::printable(line.as_bytes())
        .replace('\u{fffe}', "\\u{fffe}")
        .replace('\u{ffff}', "\\u{ffff}")
}

/// `mx1.example.org [192.0.2.1]:25`, as findings name their subject.
pub(super) fn place(endpoint: &EndpointReport) -> String {
    let EndpointReport { mx, address, port, .. } = endpoint;
    Endpoint { host: mx.clone(), address: *address, port: *port }.to_string()
}

/// `level name, TLS 1.2 or newer`.
pub(super) fn level(requirement: &Requirement) -> String {
    let version = match requirement.min_version {
        MinVersion::Tls12 => "TLS 1.2 or newer",
        MinVersion::Tls13 => "TLS 1.3 or newer",
    };
    format!("level {}, {version}", requirement.level)
}

/// `3 targets: 1 violated, 1 unknown, 1 compliant`: what is worst first, what is none not at all.
pub(super) fn counts(report: &Report) -> String {
    let of = |state| report.partners.iter().filter(|partner| partner.state == state).count();
    let told: Vec<String> = [State::Violated, State::Unknown, State::Compliant]
        .into_iter()
        .filter_map(|state| match of(state) {
            0 => None,
            count => Some(format!("{count} {state}")),
        })
        .collect();
    let noun = match report.subjects {
        Subjects::Partners => "partner",
        Subjects::Targets => "target",
    };
    match report.partners.len() {
        0 => format!("0 {noun}s: nothing was looked at"),
        1 => format!("1 {noun}: {}", told.join(", ")),
        all => format!("{all} {noun}s: {}", told.join(", ")),
    }
}

/// What is known about one partner, in what follows its name and its state.
pub(super) fn gist(partner: &PartnerReport) -> String {
    match partner.claims.as_slice() {
        [] => "nothing was looked at".to_owned(),
        [claim] => format!("{} ({})", clean(&claim.summary), level(&claim.requirement)),
        claims => {
            let alike: Vec<_> =
                claims.iter().filter(|claim| claim.state == partner.state).collect();
            let first = alike.first().map_or_else(String::new, |claim| {
                format!(": {}: {}", claim.claim, clean(&claim.summary))
            });
            format!("{} of {} claims {}{first}", alike.len(), claims.len(), partner.state)
        }
    }
}

/// The partners, worst first; the order given otherwise.
pub(super) fn worst_first(report: &Report) -> Vec<&PartnerReport> {
    let mut partners: Vec<_> = report.partners.iter().collect();
    partners.sort_by_key(|partner| Reverse(partner.state));
    partners
}

/// The claims of a partner, worst first; the order of the contract otherwise.
pub(super) fn worst_claims_first(partner: &PartnerReport) -> Vec<&ClaimReport> {
    let mut claims: Vec<_> = partner.claims.iter().collect();
    claims.sort_by_key(|claim| Reverse(claim.state));
    claims
}

/// A finding in one paragraph.
pub(super) fn finding(finding: &Finding) -> String {
    let Finding { id, severity, subject, seen, expected, advice, reference } = finding;
    let mut told = format!(
        "{severity} {id} at {}: {}; expected: {}",
        clean(subject),
        clean(seen),
        clean(expected)
    );
    if !advice.is_empty() {
        told.push_str(&format!(". {}", clean(advice)));
    }
    if !reference.is_empty() {
        told.push_str(&format!(" ({})", clean(reference)));
    }
    told
}

/// An obstacle in one sentence.
pub(super) fn obstacle(obstacle: &Obstacle) -> String {
    let Obstacle { id, subject, detail } = obstacle;
    format!("obstacle {id} at {}: {}", clean(subject), clean(detail))
}

/// The certificate that speaks for the endpoint.
pub(super) fn leaf(endpoint: &EndpointReport) -> Option<&CertificateReport> {
    endpoint.tls.as_ref().and_then(|tls| tls.certificates.first())
}

/// The day, in UTC.
pub(super) fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}
