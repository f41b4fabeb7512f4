//! The rule for mail from us against the agreement.

use super::{
    Agreement, Seen,
    demand::{demand, expected, parameters},
    finding, on,
    repair::{quoted, set_outbound},
    route::{self, Route, fit, is_at_work, is_called},
};
use crate::model::{
    connector::MailTarget,
    finding::{Finding, FindingId, Severity},
    imported::{Imported, OutboundRecord, Platform, RuleRecord},
    requirement::Level,
};
use crate::wire::name::{Domain, Host};

/// One of the partner's domains.
pub(super) fn look(import: &Imported, agreement: &Agreement<'_>, domain: &Domain, seen: &mut Seen) {
    let ways = route::ways(import, domain);
    let (before, open) = (seen.findings.len(), seen.obstacles.len());
    let at_work: Vec<&OutboundRecord> = match &ways.route {
        Route::One(record) => vec![*record],
        Route::Several(records) => records.clone(),
        Route::None | Route::Rule(_) | Route::Lost(..) => Vec::new(),
    };
    for record in &at_work {
        demand(import, record, agreement, seen);
        seen.rules.push(format!("connector {}: {}", quoted(&record.name), record.said));
    }
    match &ways.route {
        Route::None | Route::One(_) => {}
        Route::Rule(rule) => by_rule(rule, agreement, domain, seen),
        Route::Lost(rule, name) => seen.incomplete(
            name,
            format!(
                "the mail flow rule {} sends mail to it, and no record of it was imported",
                quoted(&rule.name)
            ),
        ),
        Route::Several(records) => {
            ambiguous(import.platform, records, domain, weighs(&seen.findings, before), seen);
        }
    }
    let has_way = !matches!(ways.route, Route::None | Route::Lost(..));
    let meets = has_way && weighs(&seen.findings, before) != Severity::Violation;
    others(import, agreement, domain, &at_work, meets, seen);
    for rule in ways.sometimes {
        sometimes(import, rule, agreement, domain, seen);
    }
    if !has_way && (seen.findings.len(), seen.obstacles.len()) == (before, open) {
        missing(import, domain, seen);
    }
}

/// How much the worst of the findings from `before` on weighs.
fn weighs(findings: &[Finding], before: usize) -> Severity {
    let new = findings.get(before..).unwrap_or_default();
    new.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Info)
}

/// A mail flow rule that demands TLS and nothing of the certificate.
fn by_rule(rule: &RuleRecord, agreement: &Agreement<'_>, domain: &Domain, seen: &mut Seen) {
    let said =
        format!("the mail flow rule {} demands TLS, with any certificate", quoted(&rule.name));
    seen.rules.push(said.clone());
    if agreement.requirement.level != Level::Encrypt {
        let repair = format!(
            "`New-OutboundConnector -Name {} -ConnectorType Partner -RecipientDomains {domain} {}`.",
            quoted(agreement.connector),
            parameters(agreement.requirement)
        );
        let expected = expected(agreement.requirement);
        let subject = domain.as_str();
        seen.findings.push(finding(
            FindingId::ConnectorWeaker,
            Severity::Violation,
            subject,
            said,
            expected,
            Some(repair),
        ));
    }
}

fn ambiguous(
    platform: Platform,
    records: &[&OutboundRecord],
    domain: &Domain,
    worst: Severity,
    seen: &mut Seen,
) {
    let names: Vec<String> = records.iter().map(|record| quoted(&record.name)).collect();
    let severity =
        if worst == Severity::Violation { Severity::Violation } else { Severity::Warning };
    let spare = records.last().and_then(|record| {
        let name = quoted(&record.name);
        on(
            platform,
            || format!("`Set-OutboundConnector -Identity {name} -RecipientDomains @{{Remove='{domain}'}}`, or on the other one."),
            || format!("Leave one line for `{domain}` in the tables of `smtp_tls_policy_maps`."),
        )
    });
    seen.findings.push(finding(
        FindingId::ConnectorAmbiguous,
        severity,
        domain.as_str(),
        format!("{} are for it equally", names.join(" and ")),
        "one connector",
        spare,
    ));
}

/// Records that look as if they were the rule, and are not at work.
fn others(
    import: &Imported,
    agreement: &Agreement<'_>,
    domain: &Domain,
    at_work: &[&OutboundRecord],
    meets: bool,
    seen: &mut Seen,
) {
    let severity = if meets { Severity::Warning } else { Severity::Violation };
    for record in import.outbound.iter().flatten() {
        let is_named = record.name == agreement.connector;
        let is_for = fit(record, domain).is_some();
        let is_idle = !at_work.contains(&record);
        if !is_idle || !(is_named || is_for && !is_at_work(record)) {
            continue;
        }
        let subject = subject(record);
        if record.enabled == Some(false) {
            seen.findings.push(disabled(record, severity));
        }
        if record.test_mode == Some(true) {
            seen.findings.push(test_mode(record, severity));
        }
        if record.rule_scoped == Some(true) && import.rules.is_none() {
            // That they are missing is told once, for all connectors.
            seen.findings.push(rule_scoped(record, Severity::Warning));
        } else if record.rule_scoped == Some(true) && !is_reached(import, record, domain) {
            seen.findings.push(rule_scoped(record, severity));
        }
        if is_named && is_at_work(record) && !at_work.is_empty() {
            let taken: Vec<String> = at_work.iter().map(|record| quoted(&record.name)).collect();
            seen.findings.push(finding(
                FindingId::ConnectorShadowed,
                severity,
                &subject,
                format!("{} takes the mail for {domain}", taken.join(" or ")),
                format!("{} takes it", quoted(&record.name)),
                on(
                    import.platform,
                    || set_outbound(&record.name, &format!("-RecipientDomains @{{Add='{domain}'}}")),
                    || format!("Give the line for `{domain}` in `smtp_tls_policy_maps` the agreed level."),
                ),
            ));
        }
    }
}

/// Whether a rule may send mail for a domain to a record.
fn is_reached(import: &Imported, record: &OutboundRecord, domain: &Domain) -> bool {
    import.rules.iter().flatten().any(|rule| {
        let is_for = rule.recipient_domains.is_empty() || rule.recipient_domains.contains(domain);
        let routes = rule.routes_to.as_deref().is_some_and(|name| is_called(record, name));
        routes && is_for && rule.active != Some(false)
    })
}

/// A rule takes some of the mail to a connector: what that one demands must do as well.
fn sometimes(
    import: &Imported,
    rule: &RuleRecord,
    agreement: &Agreement<'_>,
    domain: &Domain,
    seen: &mut Seen,
) {
    let name = rule.routes_to.as_deref().unwrap_or_default();
    let target = import.outbound.iter().flatten().find(|record| is_called(record, name));
    let mut on_it = Seen::default();
    if let Some(record) = target {
        demand(import, record, agreement, &mut on_it);
    }
    let is_good = on_it.obstacles.is_empty()
        && on_it.findings.iter().all(|finding| finding.severity != Severity::Violation);
    // Whether it takes the mail or not, the same is demanded, where anything takes it for certain.
    let has_way = !matches!(route::ways(import, domain).route, Route::None | Route::Lost(..));
    if target.is_some() && is_good && has_way {
        return;
    }
    let conditions = match rule.other_conditions.as_slice() {
        [] => "whether it is on is not reported".to_owned(),
        conditions => format!("it depends on {}", conditions.join(", ")),
    };
    let detail = format!(
        "the mail flow rule {} sends some of the mail for {domain} to {}; {conditions}",
        quoted(&rule.name),
        quoted(name)
    );
    seen.incomplete(domain.as_str(), detail);
    if let Some(record) = target {
        seen.findings.push(rule_scoped(record, Severity::Warning));
    }
}

fn missing(import: &Imported, domain: &Domain, seen: &mut Seen) {
    let near =
        |record: &&OutboundRecord| record.domains.iter().any(|pattern| pattern.is_below(domain));
    let near = import.outbound.iter().flatten().find(near);
    let what = match near {
        Some(record) => format!(
            "{} is for *.{domain}, which is not said to be for {domain} itself",
            quoted(&record.name)
        ),
        None => "no record is for it".to_owned(),
    };
    let name = near.map_or("NAME", |record| record.name.as_str());
    let repair = on(
        import.platform,
        || match near {
            Some(_) => set_outbound(name, &format!("-RecipientDomains @{{Add='{domain}'}}")),
            None => format!(
                "`New-OutboundConnector -Name NAME -ConnectorType Partner -RecipientDomains {domain} -TlsSettings …`."
            ),
        },
        || format!("Add a line for `{domain}` to the table of `smtp_tls_policy_maps`."),
    );
    seen.findings.push(finding(
        FindingId::ConnectorMissing,
        Severity::Violation,
        domain.as_str(),
        what,
        format!("a connector for {domain}"),
        repair,
    ));
}

/// What is about all of the partner's mail.
pub(super) fn look_around(import: &Imported, agreement: &Agreement<'_>, seen: &mut Seen) {
    let mut at_work: Vec<&OutboundRecord> = Vec::new();
    for domain in agreement.domains {
        match route::ways(import, domain).route {
            Route::One(record) => at_work.push(record),
            Route::Several(records) => at_work.extend(records),
            Route::None | Route::Rule(_) | Route::Lost(..) => {}
        }
    }
    let central = |record: &&OutboundRecord| {
        record.all_mail_via_on_premises == Some(true) && record.enabled != Some(false)
    };
    if let Some(record) = import.outbound.iter().flatten().find(central) {
        let what = "RouteAllMessagesViaOnPremises: mail leaves through our own servers, which decide the last hop";
        seen.findings.push(finding(
            FindingId::ConnectorRerouted,
            Severity::Warning,
            &subject(record),
            what,
            "mail to partners takes the partner's connector",
            Some(set_outbound(&record.name, "-RouteAllMessagesViaOnPremises $false")),
        ));
        let detail =
            "all mail leaves through our own servers; what they demand is not in these records";
        seen.incomplete(&subject(record), detail);
    }
    for record in at_work {
        elsewhere(record, agreement.targets, seen);
    }
}

/// Mail that goes elsewhere than where the partner is looked at.
fn elsewhere(record: &OutboundRecord, targets: &[MailTarget], seen: &mut Seen) {
    let uses_hosts =
        record.uses_mx == Some(false) || record.uses_mx.is_none() && !record.smart_hosts.is_empty();
    let hosts: Vec<&str> =
        record.smart_hosts.iter().map(String::as_str).filter(|_| uses_hosts).collect();
    let is_target = |name: &str| {
        name.parse::<Host>().is_ok_and(|name| {
            targets
                .iter()
                .any(|target| matches!(target, MailTarget::Host { host, .. } if *host == name))
        })
    };
    let strange: Vec<&str> = hosts.iter().copied().filter(|name| !is_target(name)).collect();
    if !strange.is_empty() {
        // A target cannot be an address, so one can only be told.
        let is_name = |host: &&&str| host.parse::<Host>().is_ok();
        let severity = if strange.iter().any(|host| is_name(&host)) {
            Severity::Warning
        } else {
            Severity::Info
        };
        seen.findings.push(finding(
            FindingId::ConnectorRerouted,
            severity,
            &subject(record),
            format!("it sends to the smart host {}", strange.join(", ")),
            "the partner's `targets`",
            None,
        ));
    }
    if record.uses_mx == Some(true) && !targets.contains(&MailTarget::Mx) {
        seen.findings.push(finding(
            FindingId::ConnectorRerouted,
            Severity::Warning,
            &subject(record),
            "it sends where the MX records lead",
            "the partner's `targets`, which are hosts alone",
            None,
        ));
    }
}

pub(super) fn subject(record: &OutboundRecord) -> String {
    format!("connector {}", quoted(&record.name))
}

pub(super) fn disabled(record: &OutboundRecord, severity: Severity) -> Finding {
    let repair = Some(set_outbound(&record.name, "-Enabled $true"));
    let subject = subject(record);
    finding(
        FindingId::ConnectorDisabled,
        severity,
        &subject,
        "Enabled $false",
        "Enabled $true",
        repair,
    )
}

pub(super) fn test_mode(record: &OutboundRecord, severity: Severity) -> Finding {
    let repair = Some(set_outbound(&record.name, "-TestMode $false"));
    let subject = subject(record);
    finding(
        FindingId::ConnectorTestMode,
        severity,
        &subject,
        "TestMode $true",
        "TestMode $false",
        repair,
    )
}

fn rule_scoped(record: &OutboundRecord, severity: Severity) -> Finding {
    finding(
        FindingId::ConnectorRuleScoped,
        severity,
        &subject(record),
        "IsTransportRuleScoped $true",
        "a connector for the partner's domains, or a rule that sends all of their mail to it",
        Some(set_outbound(&record.name, "-IsTransportRuleScoped $false")),
    )
}
