//! The rule for mail to us against the agreement.
//!
//! Exchange Online looks first for a connector that is restricted to a certificate or to addresses, and then for
//! one by the sender's domain; among several, for the closest.

use super::{
    Agreement, Seen, finding, finding_with_care,
    names::{are_within, listed},
    on,
    repair::{quoted, set_inbound},
};
use crate::model::{
    finding::{Finding, FindingId, Severity},
    imported::{ConnectorType, DomainPattern, Fit, Imported, InboundRecord, Platform},
    requirement::Level,
};
use crate::wire::name::{Domain, NamePattern};

/// One of the partner's domains.
pub(super) fn look(import: &Imported, agreement: &Agreement<'_>, domain: &Domain, seen: &mut Seen) {
    let records = import.inbound.as_deref().unwrap_or_default();
    let at_work = closest(import.platform, records, domain);
    let before = seen.findings.len();
    for record in &at_work {
        demand(import.platform, record, agreement, seen);
        seen.rules.push(format!("connector {}: {}", quoted(&record.name), said(record)));
    }
    let new = seen.findings.get(before..).unwrap_or_default();
    let is_weaker = new.iter().any(|finding| finding.severity == Severity::Violation);
    let meets = !at_work.is_empty() && !is_weaker;
    let severity = if meets { Severity::Warning } else { Severity::Violation };
    if at_work.len() > 1 {
        let names: Vec<String> = at_work.iter().map(|record| quoted(&record.name)).collect();
        let spare = at_work.last().and_then(|record| {
            on(
                import.platform,
                || {
                    set_inbound(
                        &record.name,
                        &format!("-SenderDomains @{{Remove='smtp:{domain};1'}}"),
                    )
                },
                || format!("Leave one line for `{domain}` in the tables of `check_sender_access`."),
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
    let mut idle = false;
    for record in records.iter().filter(|record| !at_work.contains(record)) {
        let is_named = record.name == agreement.connector;
        let is_for = fit(record, domain).is_some();
        if is_for && record.enabled == Some(false) && (is_named || at_work.is_empty()) {
            seen.findings.push(disabled(record, severity));
            idle = true;
        } else if is_for
            && is_on_premises(import.platform, record)
            && (is_named || at_work.is_empty())
        {
            seen.findings.push(not_partner(record, severity));
            idle = true;
        } else if is_named && !at_work.is_empty() {
            shadowed(import.platform, record, &at_work, domain, severity, seen);
        }
    }
    if at_work.is_empty() && !idle {
        missing(import.platform, records, domain, seen);
    }
}

/// The rules that take mail from a domain: more than one where nothing says which.
fn closest<'a>(
    platform: Platform,
    records: &'a [InboundRecord],
    domain: &Domain,
) -> Vec<&'a InboundRecord> {
    let rank = |record: &InboundRecord| {
        let fit = fit(record, domain)?;
        let is_restricted = record.restricted_to_certificate == Some(true)
            || record.restricted_to_addresses == Some(true);
        Some((is_restricted, fit))
    };
    let usable = |record: &&InboundRecord| {
        record.enabled != Some(false) && !is_on_premises(platform, record)
    };
    let best = records.iter().filter(usable).filter_map(rank).max();
    records.iter().filter(usable).filter(|record| best.is_some() && rank(record) == best).collect()
}

fn fit(record: &InboundRecord, domain: &Domain) -> Option<Fit> {
    record.domains.iter().filter_map(|pattern| pattern.fit(domain)).max()
}

fn is_on_premises(platform: Platform, record: &InboundRecord) -> bool {
    platform == Platform::ExchangeOnline && record.connector_type == Some(ConnectorType::OnPremises)
}

fn demand(platform: Platform, record: &InboundRecord, agreement: &Agreement<'_>, seen: &mut Seen) {
    let subject = subject(record);
    if platform == Platform::ExchangeOnline {
        for (is_reported, name) in [
            (record.enabled.is_some(), "Enabled"),
            (record.connector_type.is_some(), "ConnectorType"),
        ] {
            if !is_reported {
                seen.incomplete(&subject, format!("{name} is not reported"));
            }
        }
    }
    match record.requires_tls {
        Some(true) => {}
        Some(false) => seen.findings.push(finding(
            FindingId::ConnectorWeaker,
            Severity::Violation,
            &subject,
            word(platform, "RequireTls $false", "mail in clear is taken"),
            word(platform, "RequireTls $true", "mail in clear is refused"),
            on(
                platform,
                || set_inbound(&record.name, "-RequireTls $true"),
                || {
                    "Put `reject_plaintext_session` where this sender's restrictions are."
                        .to_owned()
                },
            ),
        )),
        None => seen.incomplete(
            &subject,
            word(platform, "RequireTls is not reported", "whether TLS is demanded is not reported"),
        ),
    }
    certificate(record, agreement, seen);
    match record.lowest {
        None => seen.incomplete(&subject, "the lowest TLS version is not reported"),
        Some(lowest) if lowest < agreement.requirement.min_version.version() => {
            let repair = on(
                platform,
                || {
                    "Exchange Online has no setting for it: it takes TLS 1.2 and 1.3. Agree on 1.2."
                        .to_owned()
                },
                || "Set `smtpd_tls_mandatory_protocols`.".to_owned(),
            );
            seen.findings.push(finding(
                FindingId::ConnectorWeaker,
                Severity::Violation,
                &subject,
                format!("the lowest version is {lowest}"),
                format!("{} or better", agreement.requirement.min_version.version()),
                repair,
            ));
        }
        Some(_) => {}
    }
    let limited: Vec<&Domain> =
        agreement.ours.iter().filter(|ours| !record.accepted_domains.contains(ours)).collect();
    if let (false, Some(first)) = (record.accepted_domains.is_empty(), limited.first()) {
        let detail =
            format!("AssociatedAcceptedDomains limits it: mail to {first} does not take it");
        seen.incomplete(&subject, detail);
    }
}

/// The certificate a partner's sender must show.
fn certificate(record: &InboundRecord, agreement: &Agreement<'_>, seen: &mut Seen) {
    let subject = subject(record);
    let agreed = agreement.client_names;
    let is_needed = !agreed.is_empty()
        || match agreement.requirement.level {
            Level::Ca | Level::Name | Level::Pinned => true,
            Level::Dane | Level::Encrypt | Level::MtaSts => false,
        };
    let wanted = agreed.first().map_or_else(|| "NAME".to_owned(), ToString::to_string);
    let repair = set_inbound(
        &record.name,
        &format!("-TlsSenderCertificateName '{wanted}' -RestrictDomainsToCertificate $true"),
    );
    let Some(name) = &record.certificate_name else {
        if is_needed {
            seen.findings.push(finding_with_care(
                FindingId::ConnectorWeaker,
                Severity::Violation,
                &subject,
                "no TlsSenderCertificateName: no certificate is asked for",
                format!("a certificate for {wanted}"),
                &repair,
            ));
        }
        return;
    };
    match (name.parse::<NamePattern>(), agreed) {
        (_, []) => {}
        (Ok(said), agreed) if are_within(std::slice::from_ref(&said), agreed) => {}
        (Ok(_), agreed) => seen.findings.push(finding_with_care(
            FindingId::ConnectorWeaker,
            Severity::Violation,
            &subject,
            format!("TlsSenderCertificateName {name}"),
            listed(agreed),
            &repair,
        )),
        // Hybrid connectors write issuer and subject in full.
        (Err(_), _) => {
            seen.incomplete(
                &subject,
                format!("TlsSenderCertificateName `{name}` is no domain name"),
            );
        }
    }
    match record.restricted_to_certificate {
        Some(true) => {}
        Some(false) => seen.findings.push(finding_with_care(
            FindingId::ConnectorCertNotRestricted,
            if is_needed { Severity::Violation } else { Severity::Warning },
            &subject,
            "RestrictDomainsToCertificate $false",
            "RestrictDomainsToCertificate $true",
            &set_inbound(&record.name, "-RestrictDomainsToCertificate $true"),
        )),
        None if is_needed => {
            seen.incomplete(&subject, "RestrictDomainsToCertificate is not reported")
        }
        None => {}
    }
}

fn shadowed(
    platform: Platform,
    record: &InboundRecord,
    at_work: &[&InboundRecord],
    domain: &Domain,
    severity: Severity,
    seen: &mut Seen,
) {
    let taken: Vec<String> = at_work.iter().map(|record| quoted(&record.name)).collect();
    let catches_all = at_work.iter().any(|record| record.domains.contains(&DomainPattern::All));
    let what = if catches_all {
        format!(
            "{} is for all senders and is restricted to a certificate or addresses: it goes before",
            taken.join(" or ")
        )
    } else {
        format!("{} takes the mail from {domain}", taken.join(" or "))
    };
    let repair = if fit(record, domain).is_none() {
        set_inbound(&record.name, &format!("-SenderDomains @{{Add='smtp:{domain};1'}}"))
    } else {
        format!(
            "`Get-InboundConnector {} | Format-List`.",
            taken.first().map_or("", String::as_str)
        )
    };
    seen.findings.push(finding(
        FindingId::ConnectorShadowed,
        severity,
        &subject(record),
        what,
        format!("{} takes it", quoted(&record.name)),
        on(
            platform,
            || repair,
            || format!("Look which table of `check_sender_access` knows `{domain}` first."),
        ),
    ));
}

fn missing(platform: Platform, records: &[InboundRecord], domain: &Domain, seen: &mut Seen) {
    let near =
        records.iter().find(|record| record.domains.iter().any(|pattern| pattern.is_below(domain)));
    let (what, repair) = match near {
        Some(record) => (
            format!(
                "{} is for *.{domain}, which is not said to be for {domain} itself",
                quoted(&record.name)
            ),
            set_inbound(&record.name, &format!("-SenderDomains @{{Add='smtp:{domain};1'}}")),
        ),
        None => (
            "no record is for it".to_owned(),
            format!(
                "`New-InboundConnector -Name NAME -ConnectorType Partner -SenderDomains {domain} -RequireTls $true`."
            ),
        ),
    };
    let repair = on(
        platform,
        || repair,
        || {
            "Write the sender's domain into a table of `check_sender_access` that ends in `reject_plaintext_session`.".to_owned()
        },
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

fn word(platform: Platform, exchange: &str, postfix: &str) -> String {
    match platform {
        Platform::ExchangeOnline => exchange.to_owned(),
        Platform::Postfix => postfix.to_owned(),
    }
}

fn subject(record: &InboundRecord) -> String {
    format!("connector {}", quoted(&record.name))
}

fn said(record: &InboundRecord) -> String {
    let mut said = match record.requires_tls {
        Some(true) => "RequireTls".to_owned(),
        Some(false) => "RequireTls $false".to_owned(),
        None => "RequireTls not reported".to_owned(),
    };
    if let Some(name) = &record.certificate_name {
        said.push_str(&format!(", TlsSenderCertificateName {name}"));
    }
    if record.restricted_to_certificate == Some(true) {
        said.push_str(", RestrictDomainsToCertificate");
    }
    if record.restricted_to_addresses == Some(true) {
        said.push_str(", RestrictDomainsToIPAddresses");
    }
    said
}

fn disabled(record: &InboundRecord, severity: Severity) -> Finding {
    let repair = Some(set_inbound(&record.name, "-Enabled $true"));
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

fn not_partner(record: &InboundRecord, severity: Severity) -> Finding {
    finding(
        FindingId::ConnectorNotPartner,
        severity,
        &subject(record),
        "ConnectorType OnPremises: RequireTls and SenderDomains are ignored",
        "ConnectorType Partner",
        Some(set_inbound(&record.name, "-ConnectorType Partner")),
    )
}
