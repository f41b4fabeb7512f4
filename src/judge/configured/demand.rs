//! What one rule for mail from us demands, against what was agreed.

use super::{
    Agreement, Seen, finding,
    names::{are_within, listed},
    on,
    outbound::{disabled, subject, test_mode},
    repair::set_outbound,
};
use crate::model::{
    finding::{FindingId, Severity},
    imported::{ConnectorType, Forced, Imported, OutboundRecord, Platform, PolicyMode},
    requirement::{Level, Requirement},
};

/// What one record demands, against what was agreed.
pub(super) fn demand(
    import: &Imported,
    record: &OutboundRecord,
    agreement: &Agreement<'_>,
    seen: &mut Seen,
) {
    let subject = subject(record);
    let requirement = agreement.requirement;
    if import.platform == Platform::ExchangeOnline {
        match record.connector_type {
            Some(ConnectorType::Partner) => {}
            Some(ConnectorType::OnPremises) => seen.findings.push(finding(
                FindingId::ConnectorNotPartner,
                Severity::Violation,
                &subject,
                "ConnectorType OnPremises",
                "ConnectorType Partner",
                Some(set_outbound(&record.name, "-ConnectorType Partner")),
            )),
            None => seen.incomplete(&subject, "ConnectorType is not reported"),
        }
        for (value, name) in [
            (record.enabled, "Enabled"),
            (record.rule_scoped, "IsTransportRuleScoped"),
            (record.test_mode, "TestMode"),
        ] {
            if value.is_none() {
                seen.incomplete(&subject, format!("{name} is not reported"));
            }
        }
        if record.enabled == Some(false) {
            seen.findings.push(disabled(record, Severity::Violation));
        }
        if record.test_mode == Some(true) {
            seen.findings.push(test_mode(record, Severity::Violation));
        }
    }
    level(import.platform, record, requirement, seen);
    match record.lowest {
        None => seen.incomplete(&subject, "the lowest TLS version is not reported"),
        Some(lowest) if lowest < requirement.min_version.version() => {
            let repair = on(
                import.platform,
                || {
                    "Exchange Online has no setting for it: it sends over TLS 1.2 and 1.3. Agree on 1.2.".to_owned()
                },
                || {
                    let version = requirement.min_version.version();
                    format!(
                        "Add `protocols=>={version}` to its entry in `smtp_tls_policy_maps`, or `smtp_tls_mandatory_protocols = >={version}` to main.cf."
                    )
                },
            );
            seen.findings.push(finding(
                FindingId::ConnectorWeaker,
                Severity::Violation,
                &subject,
                format!("the lowest version is {lowest}"),
                format!("{} or better", requirement.min_version.version()),
                repair,
            ));
        }
        Some(_) => {}
    }
    policies(record, requirement, seen);
}

fn level(platform: Platform, record: &OutboundRecord, requirement: &Requirement, seen: &mut Seen) {
    let subject = subject(record);
    let Some(forced) = record.forced else {
        return seen.incomplete(&subject, "how much TLS it demands is not reported");
    };
    let weaker = |seen: &mut Seen, what: String| {
        seen.findings.push(finding(
            FindingId::ConnectorWeaker,
            Severity::Violation,
            &subject,
            what,
            expected(requirement),
            on(platform, || repair(record, requirement), || entry(requirement)),
        ));
    };
    let is_dane = forced == Forced::At(Level::Dane) || record.dane == Some(PolicyMode::Mandatory);
    let meets = match requirement.level {
        Level::Encrypt => forced != Forced::Not || is_dane,
        Level::Ca => matches!(forced, Forced::At(Level::Ca | Level::Name)),
        Level::Name => forced == Forced::At(Level::Name),
        Level::Pinned => {
            let agreed = |pin| requirement.pins.contains(pin);
            forced == Forced::At(Level::Pinned)
                && !record.pins.is_empty()
                && record.pins.iter().all(agreed)
        }
        Level::Dane => is_dane,
        // No platform demands a policy; a connector that honours one demands it where it is published.
        Level::MtaSts => match record.mta_sts {
            Some(PolicyMode::Mandatory | PolicyMode::Opportunistic) => true,
            Some(PolicyMode::None) => return,
            None => return seen.incomplete(&subject, "MtaStsMode is not reported"),
        },
    };
    if !meets {
        return weaker(seen, record.said.clone());
    }
    if requirement.level != Level::Name {
        return;
    }
    match (record.names.as_slice(), requirement.names.as_slice()) {
        ([], []) if platform == Platform::Postfix => {}
        ([], []) => seen.incomplete(
            &subject,
            "DomainValidation without a TlsDomain: what it compares with is not known",
        ),
        ([], _) => {
            weaker(seen, format!("{}: any name the MX record leads to will do", record.said))
        }
        (said, []) => seen.incomplete(
            &subject,
            format!("the agreement has no `names` to compare {} with", listed(said)),
        ),
        (said, agreed) if are_within(said, agreed) => {}
        (said, _) => weaker(seen, format!("{} (accepts {})", record.said, listed(said))),
    }
}

fn policies(record: &OutboundRecord, requirement: &Requirement, seen: &mut Seen) {
    let modes = [
        ("MtaStsMode", record.mta_sts, requirement.level == Level::MtaSts),
        ("SmtpDaneMode", record.dane, requirement.level == Level::Dane),
    ];
    for (name, mode, is_agreed) in modes {
        if mode == Some(PolicyMode::None) {
            let severity = if is_agreed { Severity::Violation } else { Severity::Warning };
            let wanted =
                if is_agreed && name == "SmtpDaneMode" { "Mandatory" } else { "Opportunistic" };
            seen.findings.push(finding(
                FindingId::ConnectorPolicyOff,
                severity,
                &subject(record),
                format!("{name} None"),
                format!("{name} {wanted}"),
                Some(set_outbound(&record.name, &format!("-{name} {wanted}"))),
            ));
        }
    }
}

pub(super) fn expected(requirement: &Requirement) -> String {
    match requirement.names.as_slice() {
        [] => format!("level {}", requirement.level),
        names => format!("level {} with {}", requirement.level, listed(names)),
    }
}

pub(super) fn parameters(requirement: &Requirement) -> String {
    match requirement.level {
        Level::Encrypt | Level::Pinned | Level::MtaSts => "-TlsSettings EncryptionOnly".to_owned(),
        Level::Ca => "-TlsSettings CertificateValidation".to_owned(),
        Level::Name => {
            let name =
                requirement.names.first().map_or_else(|| "NAME".to_owned(), ToString::to_string);
            format!("-TlsSettings DomainValidation -TlsDomain '{name}'")
        }
        Level::Dane => "-SmtpDaneMode Mandatory".to_owned(),
    }
}

fn repair(record: &OutboundRecord, requirement: &Requirement) -> String {
    match requirement.level {
        Level::Pinned => {
            "Exchange Online cannot pin a certificate: agree on level name.".to_owned()
        }
        Level::Ca | Level::Dane | Level::Encrypt | Level::MtaSts | Level::Name => {
            set_outbound(&record.name, &parameters(requirement))
        }
    }
}

/// The same for a table of Postfix.
fn entry(requirement: &Requirement) -> String {
    let value = match requirement.level {
        Level::Ca => {
            return "Postfix has no level between encrypt and verify: agree on level name."
                .to_owned();
        }
        Level::Encrypt => "encrypt".to_owned(),
        Level::Name => {
            let names: Vec<String> = requirement
                .names
                .iter()
                .map(|name| name.to_string().trim_start_matches('*').to_owned())
                .collect();
            if names.is_empty() {
                "verify".to_owned()
            } else {
                format!("secure match={}", names.join(":"))
            }
        }
        Level::Pinned => "fingerprint match=…".to_owned(),
        Level::Dane => "dane-only".to_owned(),
        Level::MtaSts => {
            return "Postfix needs a policy service, such as postfix-mta-sts-resolver.".to_owned();
        }
    };
    format!("Write `{value}` for the domain in the table of `smtp_tls_policy_maps`.")
}
