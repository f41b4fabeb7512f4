//! Which canary domains a connector needs, and whether the connector itself can carry them.

use crate::model::{
    canary::Personality,
    imported::{Forced, Imported, OutboundRecord},
    requirement::Level,
};
use crate::wire::name::Domain;

/// The domain under which canary domains are made: the one that was said, else one below ours. Where neither is
/// known it is one that nobody can have: it stands in comments and scripts alone.
pub(super) fn base(imported: &Imported, said: Option<&Domain>) -> String {
    if let Some(said) = said {
        return said.to_string();
    }
    let ours = || imported.accepted_domains.iter().flatten();
    let default = ours().find(|ours| ours.is_default == Some(true)).or_else(|| ours().next());
    default.map_or_else(|| "canary.example".to_owned(), |ours| format!("canary.{}", ours.domain))
}

/// What a record asks for; one that asks for nothing is drafted at the least level there is.
pub(super) fn level(record: &OutboundRecord) -> Level {
    match record.forced {
        Some(Forced::At(level)) => level,
        Some(Forced::Not) | None => Level::Encrypt,
    }
}

/// The canary domains of one connector: a domain belongs to one connector and one personality.
pub(super) fn domains(record: &OutboundRecord, base: &str) -> Vec<(Personality, String)> {
    let level = level(record);
    let zone = zone(record, base);
    let wanted = |one: &Personality| *one == Personality::Good || !one.is_allowed_at(level);
    let all = Personality::ALL.into_iter().filter(wanted);
    all.map(|one| (one, format!("{one}.{zone}"))).collect()
}

/// The zone of one connector's canaries.
pub(super) fn zone(record: &OutboundRecord, base: &str) -> String {
    format!("{}.{base}", label(&record.name))
}

/// A name as one label of a domain.
fn label(name: &str) -> String {
    let letters =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    let mut label = String::new();
    for letter in letters {
        if letter != '-' || !label.is_empty() && !label.ends_with('-') {
            label.push(letter);
        }
    }
    let label: String = label.trim_end_matches('-').chars().take(40).collect();
    if label.is_empty() { "connector".to_owned() } else { label }
}

/// Why the connector itself cannot carry the canaries; none where it can, which is the better proof.
pub(super) fn needs_clone(record: &OutboundRecord, base: &str) -> Option<&'static str> {
    let good = format!("mx.{}.{}", Personality::Good, zone(record, base));
    let refuses_good = level(record) == Level::Name
        && !record.names.is_empty()
        && !record.names.iter().any(|name| name.is_met_by(&good));
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
