//! The words of a draft.

use super::canaries::{clone_name, domains, level, needs_clone, zone};
use super::partner_domain;
use crate::model::{
    imported::{DomainPattern, Forced, Imported, InboundRecord, OutboundRecord, Platform},
    requirement::{Level, TlsVersion},
};
use crate::wire::{
    name::{Domain, Host, NamePattern},
    text::printable_within,
};
use std::{collections::BTreeSet, fmt::Write as _};

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
                "domains = [\"change-me.invalid\"]  # needs a person: our mail domains; Get-AcceptedDomain was not imported"
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
pub(super) fn outbound(
    toml: &mut String,
    imported: &Imported,
    record: &OutboundRecord,
    base: &str,
) {
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
    if imported.platform == Platform::ExchangeOnline {
        exchange(toml, imported);
        from_us(toml, imported, record, base);
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
            "needs a person: the record demands no TLS; this is the least an agreement can be"
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

/// What holds for all mail that Exchange Online sends.
fn exchange(toml: &mut String, imported: &Imported) {
    line(toml, format_args!("[connector.sender]"));
    line(toml, format_args!("ehlo = [\"*.outbound.protection.outlook.com\"]"));
    let expires = imported.transport.as_ref().and_then(|transport| transport.message_expires_after);
    if let Some(seconds) = expires.filter(|seconds| *seconds >= 12 * 3600) {
        // An hour beyond its end, so that a last attempt is not missed.
        line(toml, format_args!("[connector.timing]"));
        line(toml, format_args!("queue_lifetime = \"{}h\"", seconds.div_ceil(3600) + 1));
    }
}

/// What nobody but a person knows of a rule for mail from us.
fn from_us(toml: &mut String, imported: &Imported, record: &OutboundRecord, base: &str) {
    let ours = imported.accepted_domains.iter().flatten().next();
    let ours = ours.map_or_else(|| "change-me.invalid".to_owned(), |ours| ours.domain.to_string());
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
    match needs_clone(record, base) {
        None => {
            line(
                toml,
                format_args!(
                    "# Needs a person: the canary domains, once they are among this connector's RecipientDomains."
                ),
            );
            canary_lines(toml, record, base);
        }
        Some(why) => {
            line(
                toml,
                format_args!(
                    "# Needs a person: this connector cannot carry canaries, because {why}."
                ),
            );
            line(
                toml,
                format_args!(
                    "# Its clone does, once it is there; `proved_on` belongs above the tables of this connector."
                ),
            );
            line(toml, format_args!("#proved_on = {}", text(&clone_name(record))));
            line(
                toml,
                format_args!(
                    "#[[connector]]\n#name = {}\n#direction = \"outbound\"\n#level = \"{}\"",
                    text(&clone_name(record)),
                    level(record)
                ),
            );
            if level(record) == Level::Name {
                line(toml, format_args!("#names = [\"*.{}\"]", zone(record, base)));
            }
            canary_lines(toml, record, base);
        }
    }
}

fn canary_lines(toml: &mut String, record: &OutboundRecord, base: &str) {
    line(toml, format_args!("#[connector.canaries]"));
    for (personality, domain) in domains(record, base) {
        line(toml, format_args!("#{personality} = \"{domain}\""));
    }
}

/// A rule for mail to us.
pub(super) fn inbound(toml: &mut String, imported: &Imported, record: &InboundRecord) {
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
    line(toml, format_args!("name = {}", text(&record.name)));
    line(toml, format_args!("direction = \"inbound\""));
    let doubt = match record.requires_tls {
        Some(true) => "needs a person: is this what was agreed? It is what the record says today",
        Some(false) => {
            "needs a person: the record demands no TLS; this is the least an agreement can be"
        }
        None => "needs a person: the export does not say what is demanded",
    };
    line(toml, format_args!("level = \"encrypt\"  # {doubt}"));
    let name = record.certificate_name.as_deref().map(|name| (name, name.parse::<NamePattern>()));
    match name {
        Some((name, Ok(_))) => {
            let doubt = match record.restricted_to_certificate {
                Some(true) => "",
                Some(false) | None => {
                    "  # needs a person: named in the record, and not insisted on there"
                }
            };
            line(toml, format_args!("client_names = {}{doubt}", texts([name])));
        }
        Some((name, Err(_))) => {
            line(
                toml,
                format_args!(
                    "#client_names = []  # needs a person: TlsSenderCertificateName is {}",
                    comment(name)
                ),
            );
        }
        None => {}
    }
    to_us(toml, imported, record);
}

/// What nobody but a person knows of a rule for mail to us.
fn to_us(toml: &mut String, imported: &Imported, record: &InboundRecord) {
    let default = imported.accepted_domains.iter().flatten();
    let default = default
        .clone()
        .find(|ours| ours.is_default == Some(true))
        .or_else(|| default.clone().next());
    let ours =
        default.map_or_else(|| "change-me.invalid".to_owned(), |ours| ours.domain.to_string());
    let partner = record.domains.iter().find_map(|one| partner_domain(imported, one));
    let partner = partner.map_or_else(|| "partner.invalid".to_owned(), ToString::to_string);
    line(
        toml,
        format_args!(
            "# Needs a person: as whom we probe, and the mailbox of ours that takes the probes."
        ),
    );
    line(toml, format_args!("#[connector.probe]"));
    line(toml, format_args!("#mail_from = \"tls-probe@{partner}\""));
    line(toml, format_args!("#rcpt_to = \"tls-probe@{ours}\""));
    if imported.platform == Platform::ExchangeOnline {
        // Whoever knows the tenant's own host may deliver there, whatever the MX records say.
        let tenant = format!("{}.mail.protection.outlook.com", ours.replace('.', "-"));
        line(toml, format_args!("#targets = [\"mx\", \"host:{tenant}\"]"));
    }
    let keyed_on = if record.restricted_to_certificate == Some(true) {
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
        ("outbound", outbound.map(|record| &record.name)),
        ("inbound", inbound.map(|record| &record.name)),
    ] {
        if let Some(name) = name {
            line(toml, format_args!("{key} = {}", text(name)));
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
