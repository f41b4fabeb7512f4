//! At our own MX, STARTTLS that is missing from one of our addresses is looked for from another before it counts: a
//! firewall on our own way may take it out.
//!
//! Invariant: nothing gets better than it was seen; a violation that another address does not confirm is `unknown`.

use super::{
    look::Standard,
    matrix::Work,
    means::Means,
    round::{self, Patience, Proved},
};
use crate::judge::outage::{self, Kind, Outage};
use crate::model::{
    claim::{Claim, Direction},
    finding::{Finding, FindingId, Severity},
    report::ClaimReport,
    target::Target,
};
use std::{collections::BTreeSet, net::IpAddr};

/// Addresses that are asked beside the first.
const OTHERS: usize = 2;

/// The look, or what is left of it once another of our addresses was asked.
pub(super) async fn confirmed(
    means: &Means,
    work: &Work,
    standard: &Standard,
    targets: &[Target],
    patience: &Patience,
    mut proved: Proved,
) -> Proved {
    let Some((_, claim)) = work.claims.first().filter(|(_, claim)| is_ours(*claim)) else {
        return proved;
    };
    let Some(missing) = missing(&proved.report) else { return proved };
    let seen = missing.seen.clone();
    for source in sources(means).into_iter().filter(|one| !seen.contains(&one.to_string())).take(OTHERS) {
        let observer = means.observer_from(source);
        let other = round::offers::round(&observer, *claim, standard, targets, patience).await;
        if self::missing(&other.report).is_some() {
            return proved;
        }
        let detail = format!(
            "{seen}; as seen from {source}: {}. Something on our own way may take STARTTLS out",
            other.report.summary
        );
        let outage = Outage { kind: Kind::Starttls, detail };
        proved.report = outage::withhold(&proved.report, &outage);
        return proved;
    }
    proved
}

fn is_ours(claim: Claim) -> bool {
    claim.direction == Direction::Inbound
}

fn missing(report: &ClaimReport) -> Option<&Finding> {
    let is_missing = |finding: &&Finding| {
        finding.id == FindingId::StarttlsNotOffered && finding.severity == Severity::Violation
    };
    report.findings.iter().find(is_missing)
}

/// Every address the configuration lets us probe our own MX from.
fn sources(means: &Means) -> BTreeSet<IpAddr> {
    let probes = means.config.inbound.iter().filter_map(|connector| connector.probe.as_ref());
    probes.flat_map(|probe| probe.source_addresses.iter().copied()).collect()
}
