//! How far a proof by canaries reaches: whether partner and canaries lie under one imported rule.

use super::{
    import_of,
    repair::quoted,
    route::{self, Route},
};
use crate::model::{
    claim::Direction,
    connector::OutboundConnector,
    delivery::Scope,
    imported::{Forced, Imported, OutboundRecord, Platform},
    requirement::Level,
};
use crate::wire::name::Domain;

/// The scope of a proof of `connector` for mail to `partners`, by the canaries of `prover`: the same connector, or
/// the one it is proved on.
pub fn scope(
    imports: &[Imported],
    connector: &OutboundConnector,
    prover: &OutboundConnector,
    partners: &[Domain],
) -> Scope {
    let Some(import) = import_of(imports, Direction::Outbound, &connector.name) else {
        return Scope::Assumed;
    };
    let mut own: Option<&OutboundRecord> = None;
    for domain in partners {
        match sole(import, domain) {
            Err(why) => return Scope::NotCovered(why),
            Ok(record) if own.is_some_and(|own| own != record) => {
                let what = format!(
                    "the partners' domains lie under different connectors, {domain} under {}",
                    quoted(&record.name)
                );
                return Scope::NotCovered(what);
            }
            Ok(record) => own = Some(record),
        }
    }
    let Some(own) = own else { return Scope::Assumed };
    let mut clone: Option<&OutboundRecord> = None;
    for domain in prover.canaries.values() {
        match sole(import, domain) {
            Err(why) => return Scope::NotCovered(why),
            Ok(record) if record == own => {}
            Ok(record) => match difference(own, record) {
                Some(what) => {
                    return Scope::NotCovered(format!(
                        "the canary {domain} lies under {}, which differs from {}: {what}",
                        quoted(&record.name),
                        quoted(&own.name)
                    ));
                }
                None => clone = Some(record),
            },
        }
    }
    match clone {
        Some(record) => Scope::OnClone(record.name.clone()),
        // A mail flow rule may send the partner's mail another way.
        None if import.platform == Platform::ExchangeOnline && import.rules.is_none() => {
            Scope::Assumed
        }
        None => Scope::Proved,
    }
}

/// The one connector that takes all mail for a domain.
fn sole<'a>(import: &'a Imported, domain: &Domain) -> Result<&'a OutboundRecord, String> {
    let ways = route::ways(import, domain);
    match ways.route {
        Route::One(_) if !ways.sometimes.is_empty() => {
            Err(format!("mail flow rules send some of the mail for {domain} another way"))
        }
        Route::One(record) => Ok(record),
        Route::None => Err(format!("no imported connector is for {domain}")),
        Route::Rule(rule) => {
            Err(format!("a mail flow rule alone, {}, is for {domain}", quoted(&rule.name)))
        }
        Route::Lost(_, name) => {
            Err(format!("mail for {domain} goes to {}, which was not imported", quoted(name)))
        }
        Route::Several(_) => Err(format!("several imported connectors are for {domain} equally")),
    }
}

/// What makes a record no clone of another; none where the two do the same.
fn difference(own: &OutboundRecord, other: &OutboundRecord) -> Option<&'static str> {
    // With a name of its own each clone asks for the name of its canaries.
    let same_names = own.forced == Some(Forced::At(Level::Name))
        && own.names.is_empty() == other.names.is_empty()
        || own.names == other.names;
    let facts = [
        (own.connector_type == other.connector_type, "its type"),
        (own.enabled == other.enabled, "Enabled"),
        (own.test_mode == other.test_mode, "TestMode"),
        (own.rule_scoped == other.rule_scoped, "IsTransportRuleScoped"),
        (own.forced == other.forced && own.forced.is_some(), "its level"),
        (same_names, "its names"),
        (own.pins == other.pins, "its pins"),
        (own.lowest == other.lowest, "its lowest TLS version"),
        (own.mta_sts == other.mta_sts, "MtaStsMode"),
        (own.dane == other.dane, "SmtpDaneMode"),
    ];
    facts.into_iter().find(|(is_same, _)| !is_same).map(|(_, what)| what)
}
