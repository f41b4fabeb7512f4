//! The words of a draft.

use super::canaries::{clone_name, domains, host, level, needs_clone};
use super::ground::Ground;
use crate::model::{
    imported::{DomainPattern, Forced, Imported, InboundRecord, OutboundRecord, Platform},
    requirement::{Level, TlsVersion},
};
use crate::wire::{
    name::{Domain, Host, NamePattern},
    text::printable_within,
};
use std::{collections::BTreeSet, fmt::Write as _};

/// Stands where nothing is known of our domains.
pub(super) const CHANGE_ME: &str = "change-me.invalid";

/// Where Exchange Online's mail comes from, as Microsoft publishes it.
const EXCHANGE_NETWORKS: [&str; 6] = [
    "40.92.0.0/15",
    "40.107.0.0/16",
    "52.100.0.0/14",
    "104.47.0.0/17",
    "2a01:111:f400::/48",
    "2a01:111:f403::/48",
];

/// A text as TOML takes it.
pub(super) fn text(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

fn texts(list: impl IntoIterator<Item = impl ToString>) -> String {
    let list: Vec<String> = list.into_iter().map(|one| text(&one.to_string())).collect();
    format!("[{}]", list.join(", "))
}

/// What a comment may hold.
fn comment(text: &str) -> String {
    printable_within(text.as_bytes(), 300)
}

fn line(toml: &mut String, words: std::fmt::Arguments<'_>) {
    // A string never refuses.
    let _ = toml.write_fmt(words);
    toml.push('\n');
}

/// A configuration from its beginning.
pub(super) fn organisation(toml: &mut String, imported: &Imported, records: &str) {
    let ours: Vec<String> =
        imported.accepted_domains.iter().flatten().map(|ours| ours.domain.to_string()).collect();
    line(
        toml,
        format_args!(
            "# Drafted from {}'s own records. A line that says \"needs a person\" does.",
            imported.platform
        ),
    );
    line(toml, format_args!("\n[organisation]"));
    line(toml, format_args!("name = \"Our organisation\"  # needs a person: what people call it"));
    if ours.is_empty() {
        line(
            toml,
            format_args!(
                "domains = [\"{CHANGE_ME}\"]  # needs a person: our mail domains; Get-AcceptedDomain was not imported"
            ),
        );
    } else {
        line(toml, format_args!("domains = {}", texts(&ours)));
    }
    line(
        toml,
        format_args!(
            "#ehlo = \"probe.example.org\"  # needs a person: the name of this host, as its PTR record has it"
        ),
    );
    line(toml, format_args!("\n[imported]\nrecords = [{}]", text(records)));
}

/// A rule for mail from us.
pub(super) fn outbound(toml: &mut String, ground: &Ground<'_>, record: &OutboundRecord) {
    line(
        toml,
        format_args!(
            "\n# {}: {}, for {}.",
            comment(&record.name),
            comment(&record.said),
            super::listed(&record.domains)
        ),
    );
    line(toml, format_args!("[[connector]]"));
    line(toml, format_args!("name = {}", text(&record.name)));
    line(toml, format_args!("direction = \"outbound\""));
    requirement(toml, record);
    if ground.imported.platform == Platform::ExchangeOnline {
        proved(toml, ground, record);
    } else {
        line(
            toml,
            format_args!(
                "# Needs a person: [connector.submit], [connector.canaries] and [connector.sender], as in `mxwarden config example`."
            ),
        );
    }
}

fn requirement(toml: &mut String, record: &OutboundRecord) {
    let level = level(record);
    let doubt = match record.forced {
        Some(Forced::At(_)) => {
            "needs a person: is this what was agreed? It is what the record says today"
        }
        Some(Forced::Not) => {
            "needs a person: the least an agreement can be, and more than the record says today, which demands no TLS: violated at the first run"
        }
        None => "needs a person: the export does not say what is demanded",
    };
    line(toml, format_args!("level = \"{level}\"  # {doubt}"));
    if level == Level::Name && !record.names.is_empty() {
        line(toml, format_args!("names = {}", texts(&record.names)));
    }
    if level == Level::Pinned {
        line(toml, format_args!("pins = {}", texts(record.pins.iter().map(|pin| pin.as_hex()))));
    }
    if record.lowest == Some(TlsVersion::Tls13) {
        line(toml, format_args!("min_version = \"1.3\""));
    }
}

/// What proves a rule for mail from us: its own canaries, or those of its clone.
fn proved(toml: &mut String, ground: &Ground<'_>, record: &OutboundRecord) {
    let Some(zone) = ground.zone(record) else {
        line(
            toml,
            format_args!(
                "# Needs a person: canaries; `mxwarden import exchange --canaries DOMAIN` drafts them for a connector that does not stand here yet."
            ),
        );
        sender(toml, "");
        timing(toml, ground, "");
        return;
    };
    // What belongs to a clone that is not there yet stands behind `#`, like the clone.
    let mut mark = "";
    if let Some(why) = needs_clone(ground, record) {
        mark = "#";
        let clone = text(&clone_name(record));
        line(
            toml,
            format_args!(
                "# Needs a person: this connector cannot carry canaries, because {why}. Its clone does, once it is there."
            ),
        );
        line(toml, format_args!("#proved_on = {clone}"));
        line(toml, format_args!("#[[connector]]"));
        line(toml, format_args!("#name = {clone}"));
        line(toml, format_args!("#direction = \"outbound\""));
        line(toml, format_args!("#level = \"{}\"", level(record)));
        if level(record) == Level::Name {
            line(toml, format_args!("#names = [\"*.{zone}\"]"));
        }
    }
    sender(toml, mark);
    timing(toml, ground, mark);
    submit(toml, ground);
    canaries(toml, record, &zone);
}

/// Both marks must fit: the networks alone are those of every other tenant's mail as well.
fn sender(toml: &mut String, mark: &str) {
    line(toml, format_args!("{mark}[connector.sender]"));
    line(toml, format_args!("{mark}ehlo = [\"*.outbound.protection.outlook.com\"]"));
    line(
        toml,
        format_args!(
            "# Microsoft's published list as of 2026: compare it (https://learn.microsoft.com/microsoft-365/enterprise/urls-and-ip-address-ranges)."
        ),
    );
    line(toml, format_args!("{mark}networks = {}", texts(EXCHANGE_NETWORKS)));
}

fn timing(toml: &mut String, ground: &Ground<'_>, mark: &str) {
    let transport = ground.imported.transport.as_ref();
    let expires = transport.and_then(|transport| transport.message_expires_after);
    if let Some(seconds) = expires.filter(|seconds| *seconds >= 12 * 3600) {
        // An hour beyond its end, so that a last attempt is not missed.
        line(toml, format_args!("{mark}[connector.timing]"));
        line(toml, format_args!("{mark}queue_lifetime = \"{}h\"", seconds.div_ceil(3600) + 1));
    }
}

/// How probe mail enters: nobody but a person knows.
fn submit(toml: &mut String, ground: &Ground<'_>) {
    let ours = ground.our_domain().unwrap_or(CHANGE_ME);
    line(
        toml,
        format_args!(
            "# Needs a person: the mailbox that probes are sent as, and the client that may send as it."
        ),
    );
    line(toml, format_args!("#[connector.submit]"));
    line(toml, format_args!("#url = \"smtp+starttls://smtp.office365.com:587\""));
    line(toml, format_args!("#from = \"tls-probe@{ours}\""));
    line(toml, format_args!("#username = \"tls-probe@{ours}\""));
    line(
        toml,
        format_args!(
            "#oauth2 = {{ token_url = \"https://login.microsoftonline.com/TENANT/oauth2/v2.0/token\", client_id = \"…\", client_secret_file = \"…\", scope = \"https://outlook.office365.com/.default\" }}"
        ),
    );
}

/// The canary domains, and the receivers that take them.
fn canaries(toml: &mut String, record: &OutboundRecord, zone: &str) {
    let all = domains(record, zone);
    line(
        toml,
        format_args!(
            "# Needs a person: the canary domains, once they are among the RecipientDomains of this connector."
        ),
    );
    line(toml, format_args!("#[connector.canaries]"));
    for (personality, domain) in &all {
        line(toml, format_args!("#{personality} = \"{domain}\""));
    }
    line(
        toml,
        format_args!(
            "# Needs a person: {} addresses, one for each canary, in place of these; and the certificates that docs/verify.md asks for.",
            all.len()
        ),
    );
    // Those of other connectors have addresses of their own.
    let before = toml.matches("[[canary]]").count();
    for (at, (personality, domain)) in all.iter().enumerate() {
        let at = (before + at) % 254;
        line(toml, format_args!("#[[canary]]"));
        line(toml, format_args!("#personality = \"{personality}\""));
        line(toml, format_args!("#listen = [\"192.0.2.{}:25\"]", at + 1));
        line(toml, format_args!("#domains = [\"{domain}\"]"));
        line(toml, format_args!("#hostname = \"{}\"", host(*personality, zone)));
    }
}

/// A rule for mail to us.
pub(super) fn inbound(toml: &mut String, ground: &Ground<'_>, record: &InboundRecord) {
    line(
        toml,
        format_args!(
            "\n# {}: {}, for {}.",
            comment(&record.name),
            comment(&said(record)),
            super::listed(&record.domains)
        ),
    );
    line(toml, format_args!("[[connector]]"));
    line(toml, format_args!("name = {}", text(&ground.inbound_name(record))));
    line(toml, format_args!("direction = \"inbound\""));
    let doubt = match record.requires_tls {
        Some(true) => "needs a person: is this what was agreed? It is what the record says today",
        Some(false) => {
            "needs a person: the least an agreement can be, and more than the record says today, which demands no TLS: violated at the first run"
        }
        None => "needs a person: the export does not say what is demanded",
    };
    line(toml, format_args!("level = \"encrypt\"  # {doubt}"));
    let name = record.certificate_name.as_deref().map(|name| (name, name.parse::<NamePattern>()));
    match name {
        Some((name, Ok(_))) => {
            let doubt = match record.restricted_to_certificate {
                Some(true) => "",
                Some(false) => {
                    "  # needs a person: named in the record, and not insisted on there, as it is with RestrictDomainsToCertificate: violated at the first run"
                }
                None => {
                    "  # needs a person: named in the record; whether it is insisted on, the export does not say"
                }
            };
            line(toml, format_args!("client_names = {}{doubt}", texts([name])));
        }
        Some((name, Err(_))) => {
            line(
                toml,
                format_args!(
                    "#client_names = [\"*.{}\"]  # needs a person: TlsSenderCertificateName is {}",
                    partner_of(ground, record),
                    comment(name)
                ),
            );
        }
        None => {}
    }
    to_us(toml, ground, record);
}

/// The first domain of the partner's.
fn partner_of(ground: &Ground<'_>, record: &InboundRecord) -> String {
    let domain = record.domains.iter().find_map(|one| ground.partner_domain(one));
    domain.map_or_else(|| "partner.invalid".to_owned(), ToString::to_string)
}

/// What nobody but a person knows of a rule for mail to us.
fn to_us(toml: &mut String, ground: &Ground<'_>, record: &InboundRecord) {
    let ours = ground.our_domain().unwrap_or(CHANGE_ME);
    let partner = partner_of(ground, record);
    line(
        toml,
        format_args!(
            "# Needs a person: as whom we probe, and the mailbox of ours that takes the probes."
        ),
    );
    line(toml, format_args!("#[connector.probe]"));
    line(toml, format_args!("#mail_from = \"tls-probe@{partner}\""));
    line(toml, format_args!("#rcpt_to = \"tls-probe@{ours}\""));
    if let (Platform::ExchangeOnline, Some(ours)) = (ground.imported.platform, ground.our_domain())
    {
        // Whoever knows the tenant's own host may deliver there, whatever the MX records say.
        let tenant = format!("{}.mail.protection.outlook.com", ours.replace('.', "-"));
        line(toml, format_args!("#targets = [\"mx\", \"host:{tenant}\"]"));
    }
    let is_named = record.certificate_name.is_some();
    let keyed_on = if is_named && record.restricted_to_certificate == Some(true) {
        "certificate"
    } else if record.restricted_to_addresses == Some(true) {
        "address"
    } else {
        "sender"
    };
    line(toml, format_args!("#keyed_on = \"{keyed_on}\""));
    if !record.networks.is_empty() {
        line(toml, format_args!("#networks = {}", texts(&record.networks)));
    }
    if keyed_on == "certificate" {
        line(
            toml,
            format_args!(
                "#client_certificate = {{ chain_file = \"…\", key_file = \"…\" }}  # a certificate for {}",
                comment(record.certificate_name.as_deref().unwrap_or("it"))
            ),
        );
        line(
            toml,
            format_args!(
                "#control_mail_from = \"tls-probe@elsewhere.example\"  # where no such certificate can be had"
            ),
        );
    }
}

/// The other side.
pub(super) fn partner(
    toml: &mut String,
    ground: &Ground<'_>,
    name: &str,
    domain: &Domain,
    outbound: Option<&OutboundRecord>,
    inbound: Option<&InboundRecord>,
) {
    line(toml, format_args!("\n[[partner]]"));
    line(
        toml,
        format_args!(
            "name = {}  # needs a person: what people call it; domains of one partner may stand together",
            text(name)
        ),
    );
    let covers =
        |domains: &[DomainPattern]| domains.iter().any(|pattern| pattern.fit(domain).is_some());
    let is_bare = outbound.is_none_or(|record| covers(&record.domains))
        && inbound.is_none_or(|record| covers(&record.domains));
    let doubt = if is_bare {
        ""
    } else {
        "  # needs a person: the record is for *.DOMAIN, which is not said to be for DOMAIN itself"
    };
    line(toml, format_args!("domains = [\"{domain}\"]{doubt}"));
    let uses_hosts =
        |record: &&OutboundRecord| record.uses_mx != Some(true) && !record.smart_hosts.is_empty();
    if let Some(record) = outbound.filter(uses_hosts) {
        let (names, others): (Vec<_>, Vec<_>) =
            record.smart_hosts.iter().partition(|host| host.parse::<Host>().is_ok());
        if !names.is_empty() {
            line(
                toml,
                format_args!(
                    "targets = {}",
                    texts(names.iter().map(|host| format!("host:{host}")))
                ),
            );
        }
        if !others.is_empty() {
            let others: Vec<&str> = others.iter().map(|host| host.as_str()).collect();
            line(
                toml,
                format_args!(
                    "# Needs a person: a target is a name, and this smart host is none: {}",
                    comment(&others.join(", "))
                ),
            );
        }
    }
    for (key, name) in [
        ("outbound", outbound.map(|record| record.name.clone())),
        ("inbound", inbound.map(|record| ground.inbound_name(record))),
    ] {
        if let Some(name) = name {
            line(toml, format_args!("{key} = {}", text(&name)));
        }
    }
}

/// A partner's name that no other has.
pub(super) fn free_name(wanted: &str, taken: &BTreeSet<String>) -> String {
    let mut name = wanted.to_owned();
    let mut number = 2;
    while taken.contains(&name) {
        name = format!("{wanted} ({number})");
        number += 1;
    }
    name
}

/// What an inbound record demands, in the platform's words.
pub(super) fn said(record: &InboundRecord) -> String {
    let mut said = match record.requires_tls {
        Some(true) => "RequireTls".to_owned(),
        Some(false) => "RequireTls $false".to_owned(),
        None => "RequireTls not reported".to_owned(),
    };
    if let Some(name) = &record.certificate_name {
        let _ = write!(said, ", TlsSenderCertificateName {name}");
    }
    if record.restricted_to_certificate == Some(true) {
        said.push_str(", RestrictDomainsToCertificate");
    }
    if record.restricted_to_addresses == Some(true) {
        said.push_str(", RestrictDomainsToIPAddresses");
    }
    said
}
