//! From the octets of an export to its records, in every shape PowerShell gives them.
//!
//! 1. UTF-8, or UTF-16 of either order where a BOM says so: Windows PowerShell's `>` writes the latter.
//! 2. One object, a list of them, or a list wrapped in `value`, beside which the time of the export may stand.
//! 3. What kind of records they are is told by the properties that only this kind has.

use crate::config::import::ExportFile;
use serde_json::{Map, Value};

/// What an export holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `Get-AcceptedDomain`.
    AcceptedDomain,
    /// `Get-InboundConnector`.
    Inbound,
    /// `Get-OutboundConnector`.
    Outbound,
    /// `Get-TransportRule`.
    Rule,
    /// `Get-TransportConfig`.
    Transport,
}

/// Properties that tell a kind, in the order they are asked.
const MARKS: [(&str, Kind); 12] = [
    ("RecipientDomains", Kind::Outbound),
    ("SmartHosts", Kind::Outbound),
    ("TlsSettings", Kind::Outbound),
    ("SenderDomains", Kind::Inbound),
    ("RequireTls", Kind::Inbound),
    ("TlsSenderCertificateName", Kind::Inbound),
    ("RouteMessageOutboundConnector", Kind::Rule),
    ("RouteMessageOutboundRequireTls", Kind::Rule),
    ("DomainType", Kind::AcceptedDomain),
    ("MessageExpiration", Kind::Transport),
    ("AllowLegacyTLSClients", Kind::Transport),
    ("SmtpClientAuthenticationDisabled", Kind::Transport),
];

/// The kind of a record; none where it has no property that tells.
pub(super) fn kind(record: &Map<String, Value>) -> Option<Kind> {
    let has = |name: &str| record.keys().any(|key| key.eq_ignore_ascii_case(name));
    MARKS.iter().find(|(name, _)| has(name)).map(|(_, kind)| *kind)
}

/// An export without records says nothing of its kind, but its name may.
pub(super) fn kind_of_empty(file: &ExportFile) -> Option<Kind> {
    let name = file.path.file_name()?.to_str()?.to_ascii_lowercase();
    let marks = [("outbound", Kind::Outbound), ("inbound", Kind::Inbound), ("rule", Kind::Rule)];
    marks.iter().find(|(mark, _)| name.contains(mark)).map(|(_, kind)| *kind)
}

/// An export.
pub(super) struct Export {
    /// What stands beside the list of records, where that is wrapped.
    pub(super) around: Map<String, Value>,
    /// Its records.
    pub(super) records: Vec<Map<String, Value>>,
}

/// Reads an export; why it is none, in words.
pub(super) fn read(bytes: &[u8]) -> Result<Export, String> {
    let text = text(bytes)?;
    // A session that has expired leaves such a file: it does not say that there are none.
    if text.trim().is_empty() {
        let what = "is empty: the export failed, or there are none; then it must hold `[]`";
        return Err(what.to_owned());
    }
    let mut around = Map::new();
    let value: Value =
        serde_json::from_str(&text).map_err(|error| format!("is no JSON: {error}"))?;
    let items = match value {
        Value::Array(items) => items,
        Value::Object(mut object) => match (kind(&object), wrapped(&mut object)) {
            (None, Some(items)) => {
                around = object;
                items
            }
            (None, None) | (Some(_), _) => vec![Value::Object(object)],
        },
        other => return Err(format!("holds {} where records belong", sort(&other))),
    };
    let records = items.into_iter().map(|item| match item {
        Value::Object(object) => Ok(object),
        other => Err(format!("holds {} where a record belongs", sort(&other))),
    });
    Ok(Export { around, records: records.collect::<Result<_, _>>()? })
}

/// `{ "value": [ … ] }`: what our own commands make, PowerShell 5.1 of some lists, and the REST service of all.
fn wrapped(object: &mut Map<String, Value>) -> Option<Vec<Value>> {
    match object.get_mut("value") {
        Some(Value::Array(items)) => Some(std::mem::take(items)),
        // PowerShell 5.1 again, within what we made.
        Some(Value::Object(inner)) => match inner.get_mut("value") {
            Some(Value::Array(items)) => Some(std::mem::take(items)),
            _ => None,
        },
        _ => None,
    }
}

/// What a person calls the sort of a value.
pub(super) fn sort(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The text of an export or table.
pub(in crate::config) fn text(bytes: &[u8]) -> Result<String, String> {
    let wide = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, []) = rest.as_chunks() else {
            return Err("is UTF-16 and ends within a character".to_owned());
        };
        char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
            .collect::<Result<String, _>>()
            .map_err(|_| "is UTF-16 that is damaged".to_owned())
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] | rest => String::from_utf8(rest.to_vec())
            .map_err(|error| format!("is no UTF-8 at octet {}", error.utf8_error().valid_up_to())),
    }
}
