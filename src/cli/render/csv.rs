//! One row an endpoint or probe, for spreadsheets; a claim with neither has one row too.
//!
//! Invariant: no cell is a formula, whatever a banner says.

use super::words;
use crate::model::finding::FindingId;
use crate::model::obstacle::ObstacleId;
use crate::model::report::{ClaimReport, EndpointReport, PartnerReport, ProbeReport, Report};
use crate::wire::name::Host;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::{self, Write};

const HEADER: [&str; 25] = [
    "partner",
    "claim",
    "state",
    "level",
    "mx",
    "preference",
    "address",
    "port",
    "endpoint_state",
    "channel",
    "starttls",
    "tls_version",
    "cipher_suite",
    "group",
    "trust",
    "validity",
    "name",
    "not_after",
    "findings",
    "obstacles",
    "banner",
    "probe",
    "probe_target",
    "probe_outcome",
    "probe_reply",
];

pub(super) fn write(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record(HEADER)?;
    for partner in &report.partners {
        if partner.claims.is_empty() {
            rows.write_record(row(partner, None, None, None))?;
        }
        for claim in &partner.claims {
            if claim.endpoints.is_empty() && claim.probes.is_empty() {
                rows.write_record(row(partner, Some(claim), None, None))?;
            }
            for endpoint in &claim.endpoints {
                rows.write_record(row(partner, Some(claim), Some(endpoint), None))?;
            }
            for probe in &claim.probes {
                rows.write_record(row(partner, Some(claim), None, Some(probe)))?;
            }
        }
    }
    rows.flush()
}

fn row(
    partner: &PartnerReport,
    claim: Option<&ClaimReport>,
    endpoint: Option<&EndpointReport>,
    probe: Option<&ProbeReport>,
) -> [String; 25] {
    let tls = endpoint.and_then(|endpoint| endpoint.tls.as_ref());
    let [findings, obstacles] = ids(claim, endpoint);
    let state = claim.map_or(partner.state, |claim| claim.state);
    let banner = endpoint.and_then(|endpoint| endpoint.banner.as_deref());
    [
        partner.partner.clone(),
        told(claim.map(|claim| claim.claim)),
        state.to_string(),
        told(claim.map(|claim| claim.requirement.level)),
        told(endpoint.and_then(|endpoint| endpoint.mx.as_ref()).map(Host::as_str)),
        told(endpoint.and_then(|endpoint| endpoint.preference)),
        told(endpoint.map(|endpoint| endpoint.address)),
        told(endpoint.map(|endpoint| endpoint.port)),
        told(endpoint.map(|endpoint| endpoint.state)),
        told(endpoint.map(|endpoint| endpoint.channel.as_str())),
        told(endpoint.map(|endpoint| endpoint.starttls.as_str())),
        told(tls.and_then(|tls| tls.version)),
        told(tls.and_then(|tls| tls.cipher_suite.as_deref())),
        told(tls.and_then(|tls| tls.group.as_deref())),
        told(tls.map(|tls| tls.trust.as_str())),
        told(tls.map(|tls| tls.validity.as_str())),
        told(tls.map(|tls| tls.name.as_str())),
        told(endpoint.and_then(words::leaf).map(|leaf| leaf.not_after)),
        findings,
        obstacles,
        told(banner),
        told(probe.map(|probe| probe.kind)),
        told(probe.map(|probe| &probe.target)),
        told(probe.map(|probe| probe.outcome)),
        told(probe.and_then(|probe| probe.reply.as_deref())),
    ]
    .map(|cell| harmless(&cell))
}

fn told(value: Option<impl Display>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// Findings and obstacles of the endpoint, and those of the claim that stand at no endpoint: a row
/// must say why its claim has the state it has.
fn ids(claim: Option<&ClaimReport>, endpoint: Option<&EndpointReport>) -> [String; 2] {
    let endpoints = claim.map_or(&[][..], |claim| &claim.endpoints);
    let elsewhere: BTreeSet<_> = endpoints.iter().flat_map(|one| &one.findings).collect();
    let mut findings: BTreeSet<FindingId> =
        endpoint.map_or_else(BTreeSet::new, |one| one.findings.iter().copied().collect());
    let of_claim = claim.map_or(&[][..], |claim| &claim.findings).iter().map(|one| one.id);
    findings.extend(of_claim.filter(|id| !elsewhere.contains(id)));

    let elsewhere: BTreeSet<_> = endpoints.iter().flat_map(|one| &one.obstacles).collect();
    let mut obstacles: BTreeSet<ObstacleId> =
        endpoint.map_or_else(BTreeSet::new, |one| one.obstacles.iter().copied().collect());
    let of_claim = claim.map_or(&[][..], |claim| &claim.obstacles).iter().map(|one| one.id);
    obstacles.extend(of_claim.filter(|id| !elsewhere.contains(id)));

    [joined(&findings), joined(&obstacles)]
}

fn joined(ids: &BTreeSet<impl Display>) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// A spreadsheet takes a cell that begins like a formula for one, and runs it; the full-width forms
/// count where an East Asian locale is set. The quote makes it text.
pub(super) fn harmless(cell: &str) -> String {
    let cell = words::clean(cell);
    let begins = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    if cell.trim_start().starts_with(begins) { format!("'{cell}") } else { cell }
}
