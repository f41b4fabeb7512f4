//! Which property of Exchange Online means what.

use super::fields::{Fields, bare};
use crate::model::{
    imported::{
        AcceptedDomain, ConnectorType, Forced, InboundRecord, OutboundRecord, PolicyMode,
        RuleRecord, TransportRecord,
    },
    requirement::{Level, TlsVersion},
};
use crate::wire::name::{Domain, NamePattern};
use core::net::IpAddr;
use ipnet::IpNet;
use serde_json::Value;
use std::str::FromStr;

/// The numbers are those of the type's declaration; `fields` tells where one was taken.
const LEVELS: [(&str, Option<u64>, Level); 3] = [
    ("EncryptionOnly", Some(1), Level::Encrypt),
    ("CertificateValidation", Some(2), Level::Ca),
    ("DomainValidation", Some(3), Level::Name),
];
/// Nobody has seen these as numbers: such a one is refused.
const TYPES: [(&str, Option<u64>, ConnectorType); 2] =
    [("Partner", None, ConnectorType::Partner), ("OnPremises", None, ConnectorType::OnPremises)];
const MODES: [(&str, Option<u64>, PolicyMode); 3] = [
    ("Opportunistic", None, PolicyMode::Opportunistic),
    ("None", None, PolicyMode::None),
    ("Mandatory", None, PolicyMode::Mandatory),
];

/// What a selection of properties is told.
const WHOLE: &str = "export whole records, without a selection of properties";

/// A rule for mail from us.
pub(super) fn outbound(fields: &Fields<'_>) -> Option<OutboundRecord> {
    let level = fields.word("TlsSettings", &LEVELS);
    let tls_domain = fields.text("TlsDomain");
    let domains = fields.parsed("RecipientDomains");
    if domains.is_none() {
        fields.mistake("RecipientDomains", "is missing", WHOLE);
    }
    let forced = match (level, fields.find("TlsSettings")) {
        (Some(level), _) => Some(Forced::At(level)),
        // Present and null: opportunistic, by Microsoft's word.
        (None, Some(Value::Null)) => Some(Forced::Not),
        (None, Some(Value::String(text))) if text.trim().is_empty() => Some(Forced::Not),
        (None, _) => None,
    };
    let said = match (level, forced) {
        (Some(Level::Name), _) => match &tls_domain {
            Some(domain) => format!("TlsSettings DomainValidation, TlsDomain {domain}"),
            None => "TlsSettings DomainValidation without TlsDomain".to_owned(),
        },
        (Some(Level::Ca), _) => "TlsSettings CertificateValidation".to_owned(),
        (Some(_), _) => "TlsSettings EncryptionOnly".to_owned(),
        (None, Some(_)) => "TlsSettings $null".to_owned(),
        (None, None) => "TlsSettings not reported".to_owned(),
    };
    // TlsDomain means something with DomainValidation only.
    let names = match (level, &tls_domain) {
        (Some(Level::Name), Some(name)) => pattern(fields, "TlsDomain", name).into_iter().collect(),
        _ => Vec::new(),
    };
    Some(OutboundRecord {
        name: named(fields)?,
        guid: fields.text("Guid"),
        connector_type: fields.word("ConnectorType", &TYPES),
        enabled: fields.flag("Enabled"),
        test_mode: fields.flag("TestMode"),
        rule_scoped: fields.flag("IsTransportRuleScoped"),
        all_mail_via_on_premises: fields.flag("RouteAllMessagesViaOnPremises"),
        all_accepted_domains: fields.flag("AllAcceptedDomains"),
        domains: domains?,
        uses_mx: fields.flag("UseMXRecord"),
        smart_hosts: fields.list("SmartHosts").unwrap_or_default(),
        forced,
        said,
        names,
        pins: Vec::new(),
        // Microsoft, January 2021: Exchange Online never sends over TLS 1.0 or 1.1; there is no setting.
        lowest: Some(TlsVersion::Tls12),
        mta_sts: fields.word("MtaStsMode", &MODES),
        dane: fields.word("SmtpDaneMode", &MODES),
        changed_at: fields.time("WhenChangedUTC"),
        source: fields.text("ConnectorSource"),
    })
}

/// A rule for mail to us.
pub(super) fn inbound(fields: &Fields<'_>) -> Option<InboundRecord> {
    let domains = fields.parsed("SenderDomains");
    if domains.is_none() {
        fields.mistake("SenderDomains", "is missing", WHOLE);
    }
    Some(InboundRecord {
        name: named(fields)?,
        guid: fields.text("Guid"),
        connector_type: fields.word("ConnectorType", &TYPES),
        enabled: fields.flag("Enabled"),
        requires_tls: fields.flag("RequireTls"),
        certificate_name: fields.text("TlsSenderCertificateName"),
        restricted_to_certificate: fields.flag("RestrictDomainsToCertificate"),
        restricted_to_addresses: fields.flag("RestrictDomainsToIPAddresses"),
        domains: domains?,
        networks: networks(fields),
        accepted_domains: fields.parsed("AssociatedAcceptedDomains").unwrap_or_default(),
        // Exchange Online takes TLS 1.2 and 1.3; there is no setting.
        lowest: Some(TlsVersion::Tls12),
        changed_at: fields.time("WhenChangedUTC"),
        source: fields.text("ConnectorSource"),
    })
}

fn networks(fields: &Fields<'_>) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for text in fields.list("SenderIPAddresses").unwrap_or_default() {
        let alone = || IpAddr::from_str(&text).ok().map(IpNet::from);
        match text.parse().ok().or_else(alone) {
            Some(network) => networks.push(network),
            None => fields.mistake("SenderIPAddresses", format!("`{text}` is no network"), ""),
        }
    }
    networks
}

/// A mail flow rule; none where it has nothing to do with the way mail leaves.
pub(super) fn rule(fields: &Fields<'_>) -> Option<RuleRecord> {
    let routes_to = fields.text("RouteMessageOutboundConnector");
    let requires_tls = fields.flag("RouteMessageOutboundRequireTls");
    if routes_to.is_none() && requires_tls != Some(true) {
        return None;
    }
    let is = |key: &str, word: &str| fields.text(key).map(|text| text.eq_ignore_ascii_case(word));
    let active = match (is("State", "Enabled"), is("Mode", "Enforce")) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        (None, _) | (_, None) => None,
    };
    let priority = fields.find("Priority").and_then(Value::as_i64);
    Some(RuleRecord {
        name: named(fields)?,
        active,
        priority,
        routes_to,
        requires_tls,
        recipient_domains: fields.parsed("RecipientDomainIs").unwrap_or_default(),
        other_conditions: other_conditions(fields),
        changed_at: fields.time("WhenChangedUTC"),
    })
}

/// Conditions beside the recipient's domain, and exceptions. Both are told twice in a record: as a list of
/// predicates, and as a property each.
fn other_conditions(fields: &Fields<'_>) -> Vec<String> {
    let mut others = Vec::new();
    for key in ["Conditions", "Exceptions"] {
        let predicates = fields.list(key).unwrap_or_default();
        for predicate in predicates {
            let short = predicate.rsplit('.').next().unwrap_or_default().to_owned();
            let short = short.trim_end_matches("Predicate").to_owned();
            let is_known = short == "RecipientDomainIs" || short == "SentToScope";
            if key == "Exceptions" || !is_known {
                others.push(short);
            }
        }
    }
    for (key, value) in fields.all() {
        let is_set = match value {
            Value::Null => false,
            Value::Bool(flag) => *flag,
            Value::Number(_) => true,
            Value::String(text) => !text.trim().is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Object(object) => !object.is_empty(),
        };
        if is_set && key.starts_with("ExceptIf") && !key.contains('@') {
            others.push(key.to_owned());
        }
    }
    if fields.find("Conditions").is_none() {
        others.push("conditions that were not exported".to_owned());
    }
    others.sort();
    others.dedup();
    others
}

/// One of our mail domains.
pub(super) fn accepted(fields: &Fields<'_>) -> Option<AcceptedDomain> {
    let text = fields.text("DomainName").or_else(|| fields.text("Name"))?;
    match bare(&text).parse::<Domain>() {
        Ok(domain) => Some(AcceptedDomain { domain, is_default: fields.flag("Default") }),
        Err(error) => {
            fields.mistake("DomainName", error.to_string(), "");
            None
        }
    }
}

/// What holds for all mail.
pub(super) fn transport(fields: &Fields<'_>) -> TransportRecord {
    let expires = fields.find("MessageExpiration").and_then(|value| match value {
        Value::String(text) => span(text),
        // Windows PowerShell takes a span apart.
        Value::Object(object) => {
            let ticks = object.get("Ticks").and_then(Value::as_u64);
            ticks.map(|ticks| ticks / 10_000_000)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    });
    TransportRecord {
        message_expires_after: expires,
        allows_legacy_clients: fields.flag("AllowLegacyTLSClients"),
    }
}

/// `1.00:00:00` or `12:00:00`, in seconds.
fn span(text: &str) -> Option<u64> {
    let (days, clock) = match text.split_once('.') {
        Some((days, clock)) if days.bytes().all(|b| b.is_ascii_digit()) => {
            (days.parse::<u64>().ok()?, clock)
        }
        _ => (0, text),
    };
    let mut parts = clock.split(':').map(|part| part.parse::<u64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    // A span is at most a few days: what does not fit is none.
    let hours = days.checked_mul(24)?.checked_add(hours)?;
    hours.checked_mul(60)?.checked_add(minutes)?.checked_mul(60)?.checked_add(seconds)
}

fn named(fields: &Fields<'_>) -> Option<String> {
    let name = fields.text("Name").or_else(|| fields.text("Identity"));
    if name.is_none() {
        fields.mistake("Name", "is missing", WHOLE);
    }
    name
}

fn pattern(fields: &Fields<'_>, key: &str, text: &str) -> Option<NamePattern> {
    match text.parse() {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            fields.mistake(key, format!("{error}"), "");
            None
        }
    }
}
