//! How the values of the contract are written: levels, versions, targets, and the hints for them.

use super::section::{Section, shown};
use super::told::Placed;
use crate::model::{
    connector::MailTarget,
    requirement::{Level, MinVersion, Pin, Requirement},
    target::Target,
};
use crate::wire::name::{Host, NamePattern};
use core::net::{IpAddr, SocketAddr};
use ipnet::IpNet;

pub(super) const DOMAIN: &str = "a mail domain is what stands behind the @, such as contoso.test";
pub(super) const HOST: &str = "a host name is written mx.contoso.test";
pub(super) const MAILBOX: &str = "such as tls-probe@contoso.test";
pub(super) const NETWORK: &str = "a network is written 192.0.2.0/24 or 2001:db8::/32";
pub(super) const PATTERN: &str =
    "a name is written mx.fabrikam.test, or *.fabrikam.test for all below";
pub(super) const TARGET: &str = "a target is \"mx\" or \"host:NAME[:PORT]\"";

const LEVELS: [(&str, Level); 6] = [
    ("encrypt", Level::Encrypt),
    ("ca", Level::Ca),
    ("name", Level::Name),
    ("pinned", Level::Pinned),
    ("dane", Level::Dane),
    ("mta-sts", Level::MtaSts),
];

const VERSIONS: [(&str, MinVersion); 2] = [("1.2", MinVersion::Tls12), ("1.3", MinVersion::Tls13)];

/// `level`, `names`, `pins` and `min_version`. `otherwise` is the level where none is given; without it one must be.
pub(super) fn requirement(section: &Section<'_>, otherwise: Option<Level>) -> Requirement {
    let level = section.word("level", &LEVELS);
    let names = section.list::<NamePattern>("names", PATTERN);
    let pins = section.list::<Pin>("pins", "");
    let min_version = section.word("min_version", &VERSIONS).map(|word| word.value);
    if !section.has("level") && otherwise.is_none() {
        section.missing("level", "write level = \"name\", or encrypt, ca, pinned");
    }
    let known = level.as_ref().map(|level| level.value).or(otherwise);
    if let Some(level) = known {
        if level == Level::Pinned
            && pins.is_empty()
            && !section.has_items("pins")
            && section.is_list_or_absent("pins")
        {
            let hint = "pins = [\"SHA-256 of certificate or public key\"]";
            section.mistake("pins", "level pinned needs at least one pin", hint);
        }
        if level != Level::Pinned && !pins.is_empty() {
            let what = format!("level {level} does not look at pins");
            section.mistake("pins", what, "write level = \"pinned\", or leave the pins out");
        }
        if !level.is_name_required() && !names.is_empty() {
            let what = format!("level {level} does not look at names");
            section.warn("names", what, "write level = \"name\", or leave the names out");
        }
        if matches!(level, Level::Dane | Level::MtaSts) {
            let what = format!("not in this version: level {level}; the claim will be unknown");
            section.warn("level", what, "");
        }
    }
    Requirement {
        level: known.unwrap_or(Level::Name),
        names: values(names),
        pins: values(pins),
        min_version: min_version.unwrap_or_default(),
    }
}

/// `targets`, or `mx`.
pub(super) fn targets(section: &Section<'_>) -> Vec<MailTarget> {
    let targets = values(section.list_by("targets", TARGET, target));
    if !section.has("targets") {
        return vec![MailTarget::Mx];
    }
    if section.is_empty_list("targets") {
        section.mistake("targets", "must hold at least one target", TARGET);
    }
    targets
}

fn target(text: &str) -> Result<MailTarget, String> {
    if text == "mx" {
        return Ok(MailTarget::Mx);
    }
    match text.parse::<Target>().map_err(|error| error.to_string())? {
        Target::Host { host, port } => Ok(MailTarget::Host { host, port }),
        Target::Address { .. } | Target::Domain(_) => {
            Err(format!("`{}` is neither \"mx\" nor \"host:NAME[:PORT]\"", shown(text)))
        }
    }
}

/// `host:NAME[:PORT]` alone.
pub(super) fn host_target(text: &str) -> Result<(Host, Option<u16>), String> {
    match target(text) {
        Ok(MailTarget::Host { host, port }) => Ok((host, port)),
        _ => Err(format!("`{}` is not \"host:NAME[:PORT]\"", shown(text))),
    }
}

/// `IP:PORT`; `default` where the port may be left out.
pub(super) fn socket(text: &str, default: Option<u16>) -> Result<SocketAddr, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = text
        .parse::<SocketAddr>()
        .ok()
        .or_else(|| Some(SocketAddr::new(bare.parse::<IpAddr>().ok()?, default?)));
    let what = if default.is_some() { "no IP address, with or without port" } else { "no IP:PORT" };
    address
        .filter(|address| address.port() != 0)
        .ok_or_else(|| format!("`{}` is {what}", shown(text)))
}

/// An IP address alone.
pub(super) fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("`{}` is no IP address", shown(text)))
}

/// `ADDRESS/LENGTH`, or an address alone.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let alone = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(alone).ok_or_else(|| format!("`{}` is no network", shown(text)))
}

/// The values, without their places.
pub(super) fn values<T>(placed: Vec<Placed<T>>) -> Vec<T> {
    placed.into_iter().map(|placed| placed.value).collect()
}
