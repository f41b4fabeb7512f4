//! What is different from one import to the next, where it has to do with TLS or with which mail a rule takes.

use super::{names::listed, repair::quoted};
use crate::model::{
    finding::{Finding, FindingId, Severity},
    imported::{Imported, InboundRecord, OutboundRecord, Platform},
};
use jiff::Timestamp;
use std::fmt::Debug;

/// One finding a connector that was added, removed or changed.
///
/// A direction that one of the two did not export is not compared.
pub fn changes(old: &Imported, new: &Imported) -> Vec<Finding> {
    let mut findings = Vec::new();
    let platform = new.platform;
    if let (Some(old), Some(new)) = (&old.outbound, &new.outbound) {
        let old: Vec<_> = old.iter().map(Facts::of_outbound).collect();
        let new: Vec<_> = new.iter().map(Facts::of_outbound).collect();
        compare(&old, &new, &culprit(platform, "OutboundConnector"), &mut findings);
    }
    if let (Some(old), Some(new)) = (&old.inbound, &new.inbound) {
        let old: Vec<_> = old.iter().map(Facts::of_inbound).collect();
        let new: Vec<_> = new.iter().map(Facts::of_inbound).collect();
        compare(&old, &new, &culprit(platform, "InboundConnector"), &mut findings);
    }
    findings
}

/// What counts of a record, in words.
struct Facts {
    name: String,
    guid: Option<String>,
    changed_at: Option<Timestamp>,
    source: Option<String>,
    facts: Vec<(&'static str, String)>,
}

impl Facts {
    fn of_outbound(record: &OutboundRecord) -> Self {
        Self {
            name: record.name.clone(),
            guid: record.guid.clone(),
            changed_at: record.changed_at,
            source: record.source.clone(),
            facts: vec![
                ("name", record.name.clone()),
                ("type", debug(&record.connector_type)),
                ("enabled", flag(record.enabled)),
                ("test mode", flag(record.test_mode)),
                ("rule-scoped", flag(record.rule_scoped)),
                ("all mail via on-premises", flag(record.all_mail_via_on_premises)),
                ("domains", joined(&record.domains)),
                ("uses MX", flag(record.uses_mx)),
                ("smart hosts", record.smart_hosts.join(", ")),
                ("demands", record.said.clone()),
                ("names", listed(&record.names)),
                ("pins", debug(&record.pins)),
                ("lowest version", debug(&record.lowest)),
                ("MTA-STS", debug(&record.mta_sts)),
                ("DANE", debug(&record.dane)),
            ],
        }
    }

    fn of_inbound(record: &InboundRecord) -> Self {
        Self {
            name: record.name.clone(),
            guid: record.guid.clone(),
            changed_at: record.changed_at,
            source: record.source.clone(),
            facts: vec![
                ("name", record.name.clone()),
                ("type", debug(&record.connector_type)),
                ("enabled", flag(record.enabled)),
                ("requires TLS", flag(record.requires_tls)),
                ("certificate name", record.certificate_name.clone().unwrap_or_default()),
                ("restricted to certificate", flag(record.restricted_to_certificate)),
                ("restricted to addresses", flag(record.restricted_to_addresses)),
                ("domains", joined(&record.domains)),
                ("networks", joined(&record.networks)),
                ("our domains", joined(&record.accepted_domains)),
                ("lowest version", debug(&record.lowest)),
            ],
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (&self.guid, &other.guid) {
            (Some(one), Some(other)) => one == other,
            (None, _) | (_, None) => self.name == other.name,
        }
    }
}

fn flag(flag: Option<bool>) -> String {
    match flag {
        Some(true) => "yes",
        Some(false) => "no",
        None => "not reported",
    }
    .to_owned()
}

fn debug(value: &impl Debug) -> String {
    format!("{value:?}").trim_start_matches("Some(").trim_end_matches(')').to_owned()
}

fn joined(values: &[impl ToString]) -> String {
    let mut values: Vec<String> = values.iter().map(ToString::to_string).collect();
    values.sort();
    values.join(", ")
}

/// Where it stands who changed a record.
fn culprit(platform: Platform, cmdlet: &str) -> String {
    match platform {
        Platform::ExchangeOnline => {
            let operations = ["New", "Set", "Remove"].map(|verb| format!("{verb}-{cmdlet}"));
            format!(
                "Who changed it is in the audit log: `Search-UnifiedAuditLog -StartDate … -EndDate … -Operations {}`.",
                operations.join(",")
            )
        }
        Platform::Postfix => {
            "Who changed it is where the history of main.cf and of its tables is kept, if it is."
                .to_owned()
        }
    }
}

fn compare(old: &[Facts], new: &[Facts], culprit: &str, findings: &mut Vec<Finding>) {
    for record in new {
        let Some(before) = old.iter().find(|before| before.is_same(record)) else {
            findings.push(changed(
                record,
                "was not there".to_owned(),
                "is new".to_owned(),
                culprit,
            ));
            continue;
        };
        let differ = |(one, other): &(&(&str, String), &(&str, String))| one != other;
        let pairs: Vec<_> = before.facts.iter().zip(&record.facts).filter(differ).collect();
        if pairs.is_empty() {
            continue;
        }
        let told = |facts: Vec<&(&str, String)>| {
            let told: Vec<String> =
                facts.iter().map(|(key, value)| format!("{key}: {value}")).collect();
            told.join("; ")
        };
        let was = told(pairs.iter().map(|(old, _)| *old).collect());
        let is = told(pairs.iter().map(|(_, new)| *new).collect());
        findings.push(changed(record, was, is, culprit));
    }
    for record in old.iter().filter(|record| !new.iter().any(|one| one.is_same(record))) {
        findings.push(changed(record, "was there".to_owned(), "is gone".to_owned(), culprit));
    }
}

fn changed(record: &Facts, was: String, is: String, culprit: &str) -> Finding {
    let mut seen = is;
    if let Some(at) = record.changed_at {
        seen.push_str(&format!(" (WhenChangedUTC {at}"));
        if let Some(source) = &record.source {
            seen.push_str(&format!(", made by {source}"));
        }
        seen.push(')');
    }
    let subject = format!("connector {}", quoted(&record.name));
    let mut finding =
        Finding::new(FindingId::ConnectorChanged, Severity::Warning, subject, seen, was);
    finding.advice = format!("{culprit} {}", finding.advice);
    finding
}
