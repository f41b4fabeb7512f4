//! At our own MX, STARTTLS that is missing from one of our addresses is looked for from another before it counts: a
//! firewall on our own way may take it out. Where the first address misses nothing, no other is asked.
//!
//! Invariant: nothing gets better than it was seen; where the two addresses disagree it is `unknown`.

use super::{
    look::Standard,
    means::Means,
    round::{self, Patience, Proved},
};
use crate::judge::outage;
use crate::model::{
    finding::{Finding, FindingId},
    target::Target,
};
use std::{collections::BTreeSet, net::IpAddr};

/// The look, or what is left of it once another of our addresses was asked.
pub(super) async fn confirmed(
    means: &Means,
    standard: &Standard,
    targets: &[Target],
    patience: &Patience,
    mut first: Proved,
) -> Proved {
    if !outage::is_asked_elsewhere(&first.report) {
        return first;
    }
    let is_missing = |finding: &&Finding| finding.id == FindingId::StarttlsNotOffered;
    let seen: Vec<&str> =
        first.report.findings.iter().filter(is_missing).map(|one| one.seen.as_str()).collect();
    let words = || seen.iter().flat_map(|seen| seen.split([' ', ',', ';']));
    let is_new = |source: &IpAddr| !words().any(|word| word == source.to_string());
    let other = sources(means).into_iter().find(is_new);
    if let Some(source) = other {
        let (observer, claim) = (means.observer_from(source), first.report.claim);
        let second = round::offers::round(&observer, claim, standard, targets, patience).await;
        first.report = outage::with_second(&first.report, &second.report);
    }
    first
}

/// Every address the configuration lets us probe our own MX from.
fn sources(means: &Means) -> BTreeSet<IpAddr> {
    let probes = means.config.inbound.iter().filter_map(|connector| connector.probe.as_ref());
    probes.flat_map(|probe| probe.source_addresses.iter().copied()).collect()
}
