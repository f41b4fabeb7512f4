//! Which canary domains a connector needs, and whether the connector itself can carry them.

use super::ground::Ground;
use crate::model::{
    canary::Personality,
    imported::{Forced, OutboundRecord},
    requirement::Level,
};

/// What a record asks for; one that asks for nothing is drafted at the least level there is.
pub(super) fn level(record: &OutboundRecord) -> Level {
    match record.forced {
        Some(Forced::At(level)) => level,
        Some(Forced::Not) | None => Level::Encrypt,
    }
}

/// The canaries of one connector: each personality and its domain. A domain belongs to one connector and one
/// personality.
pub(super) fn domains(record: &OutboundRecord, zone: &str) -> Vec<(Personality, String)> {
    let level = level(record);
    let wanted = |one: &Personality| *one == Personality::Good || !one.is_allowed_at(level);
    let all = Personality::ALL.into_iter().filter(wanted);
    all.map(|one| (one, format!("{one}.{zone}"))).collect()
}

/// The MX host of a canary. It lies one label below the zone: that a sender takes `*.zone` for more labels than one is
/// nowhere said.
pub(super) fn host(personality: Personality, zone: &str) -> String {
    format!("mx-{personality}.{zone}")
}

/// A name as one label of a domain.
pub(super) fn label(name: &str) -> String {
    let letters =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    let mut label = String::new();
    for letter in letters {
        if letter != '-' || !label.is_empty() && !label.ends_with('-') {
            label.push(letter);
        }
    }
    let label: String = label.chars().take(40).collect();
    let label = label.trim_end_matches('-');
    if label.is_empty() { "connector".to_owned() } else { label.to_owned() }
}

/// Why the connector itself cannot carry the canaries; none where it can, which is the better proof.
pub(super) fn needs_clone(ground: &Ground<'_>, record: &OutboundRecord) -> Option<&'static str> {
    let covers_host = |zone: &str| {
        let all = format!("*.{zone}");
        record.names.iter().any(|name| name.to_string() == all)
    };
    let refuses_good = level(record) == Level::Name
        && !record.names.is_empty()
        && !ground.zone(record).is_some_and(|zone| covers_host(&zone));
    let uses_hosts =
        record.uses_mx == Some(false) || record.uses_mx.is_none() && !record.smart_hosts.is_empty();
    if uses_hosts {
        Some("it sends everything to its smart hosts, so that probes would go to the partner")
    } else if refuses_good {
        Some("its TlsDomain refuses the control as well")
    } else {
        None
    }
}

/// The name of a clone.
pub(super) fn clone_name(record: &OutboundRecord) -> String {
    format!("{} (canaries)", record.name)
}
