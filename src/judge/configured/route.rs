//! Which outbound rule takes mail for a domain, as Exchange Online and Postfix choose it.
//!
//! 1. A mail flow rule that routes goes before connectors.
//! 2. Among connectors that are on, not scoped to rules and not in test mode, the one that fits closest.
//! 3. Two that fit equally well are told as two: no tie-break is documented.
//!
//! Invariant: where the records leave open which rule it is, no rule is named.

use crate::model::imported::{Fit, Imported, OutboundRecord, RuleRecord};
use crate::wire::name::Domain;

/// The rule that takes mail for a domain.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Route<'a> {
    /// None does.
    None,
    /// This connector.
    One(&'a OutboundRecord),
    /// A mail flow rule demands TLS, and no connector takes the mail.
    Rule(&'a RuleRecord),
    /// A rule names a connector that is not among the records.
    Lost(&'a RuleRecord, &'a str),
    /// These fit equally well.
    Several(Vec<&'a OutboundRecord>),
}

/// Where mail for a domain may go.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ways<'a> {
    /// Where it goes but for what `sometimes` takes.
    pub(super) route: Route<'a>,
    /// Rules whose conditions the records alone do not settle.
    pub(super) sometimes: Vec<&'a RuleRecord>,
}

/// Where mail for a domain goes.
pub(super) fn ways<'a>(import: &'a Imported, domain: &Domain) -> Ways<'a> {
    let records = import.outbound.as_deref().unwrap_or_default();
    let mut rules: Vec<&RuleRecord> =
        import.rules.iter().flatten().filter(|rule| concerns(rule, domain)).collect();
    rules.sort_by_key(|rule| rule.priority.unwrap_or(i64::MAX));
    let sometimes = rules
        .iter()
        .copied()
        .filter(|rule| !is_certain(rule) && rule.routes_to.is_some())
        .collect();
    let certain = |rule: &&&RuleRecord| is_certain(rule);
    let routed =
        rules.iter().filter(certain).find_map(|rule| Some((*rule, rule.routes_to.as_deref()?)));
    let route = match routed {
        Some((rule, name)) => match records.iter().find(|record| is_called(record, name)) {
            Some(record) => Route::One(record),
            None => Route::Lost(rule, name),
        },
        None => {
            match (closest(records, domain), rules.iter().filter(certain).find(|r| demands_tls(r)))
            {
                (Route::None, Some(rule)) => Route::Rule(rule),
                (route, _) => route,
            }
        }
    };
    Ways { route, sometimes }
}

fn demands_tls(rule: &RuleRecord) -> bool {
    rule.requires_tls == Some(true)
}

/// Rules name a connector by its name or its Guid.
pub(super) fn is_called(record: &OutboundRecord, name: &str) -> bool {
    let guid = record.guid.as_deref().is_some_and(|guid| guid.eq_ignore_ascii_case(name));
    guid || record.name.eq_ignore_ascii_case(name)
}

/// Whether a rule may be about mail for a domain.
fn concerns(rule: &RuleRecord, domain: &Domain) -> bool {
    let is_for = rule.recipient_domains.is_empty() || rule.recipient_domains.contains(domain);
    rule.active != Some(false) && is_for
}

/// Whether a rule takes all the mail it is about.
fn is_certain(rule: &RuleRecord) -> bool {
    rule.active == Some(true) && rule.other_conditions.is_empty()
}

fn closest<'a>(records: &'a [OutboundRecord], domain: &Domain) -> Route<'a> {
    let mut best: Vec<&OutboundRecord> = Vec::new();
    let mut closest: Option<Fit> = None;
    for record in records.iter().filter(|record| is_at_work(record)) {
        let Some(fit) = fit(record, domain) else { continue };
        match Some(fit).cmp(&closest) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => best.push(record),
            std::cmp::Ordering::Greater => {
                closest = Some(fit);
                best = vec![record];
            }
        }
    }
    match best.as_slice() {
        [] => Route::None,
        [one] => Route::One(one),
        _ => Route::Several(best),
    }
}

/// How closely a record fits a domain.
pub(super) fn fit(record: &OutboundRecord, domain: &Domain) -> Option<Fit> {
    record.domains.iter().filter_map(|pattern| pattern.fit(domain)).max()
}

/// Whether mail comes to it without a rule. What is not reported does not keep it from work here; it is told where
/// the record is judged.
pub(super) fn is_at_work(record: &OutboundRecord) -> bool {
    record.enabled != Some(false)
        && record.rule_scoped != Some(true)
        && record.test_mode != Some(true)
}
