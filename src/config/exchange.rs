//! Exchange Online's connectors, as PowerShell exports them, into [`model::imported`](crate::model::imported).
//!
//! 1. Each file is brought to text and to records (`shape`); what kind they are, their properties tell.
//! 2. Each record is read property by property (`fields`, `records`).
//! 3. When it was exported it says itself; where it does not, its file's time counts. The oldest holds for all.
//! 4. A connector that stands in two files is one, by its Guid: test-mode connectors are exported apart.
//!
//! Invariant: every mistake of every file is told at once, and with one nothing is imported.

mod fields;
mod records;
pub(super) mod shape;
#[cfg(test)]
mod tests;

use super::import::{ExportFile, ImportErrors, LARGEST, Remark};
use crate::model::imported::{Dated, Imported, Platform};
use fields::{Fields, Told};
use jiff::Timestamp;
use shape::{Export, Kind};

/// What to run in PowerShell, 5.1 or 7, so that the files hold everything, each with the time it was made.
///
/// A list within an object is a list with one record and with none as well, `[]`, in both. A cmdlet that fails ends its
/// line before the file is begun: a session that has expired must not look like a tenant without connectors.
pub const EXPORT: &str = "\
Connect-ExchangeOnline
$ErrorActionPreference = 'Stop'
function Now { [DateTime]::UtcNow.ToString('o') }
ConvertTo-Json -Depth 6 -InputObject @{ ExportedAt = Now; value = @(
  Get-OutboundConnector -ErrorAction Stop
  Get-OutboundConnector -IsTransportRuleScoped $true -ErrorAction Stop
  Get-OutboundConnector -IncludeTestModeConnectors $true -ErrorAction Stop
) } | Out-File outbound.json -Encoding utf8
ConvertTo-Json -Depth 6 -InputObject @{ ExportedAt = Now; value = @(
  Get-InboundConnector -ErrorAction Stop
) } | Out-File inbound.json -Encoding utf8
ConvertTo-Json -Depth 6 -InputObject @{ ExportedAt = Now; value = @(
  Get-TransportRule -ResultSize Unlimited -ErrorAction Stop
) } | Out-File rules.json -Encoding utf8
ConvertTo-Json -Depth 6 -InputObject @{ ExportedAt = Now; value = @(
  Get-AcceptedDomain -ErrorAction Stop
) } | Out-File domains.json -Encoding utf8
ConvertTo-Json -Depth 6 -InputObject @{ ExportedAt = Now; value = @(
  Get-TransportConfig -ErrorAction Stop
) } | Out-File transport.json -Encoding utf8";

/// What was read, and what there is to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The records.
    pub imported: Imported,
    /// What a person should think about.
    pub notes: Vec<Remark>,
}

/// Reads exports, by a clock that says `now`.
///
/// # Errors
///
/// Every mistake of every file.
pub fn read(files: &[ExportFile], now: Timestamp) -> Result<Read, ImportErrors> {
    let told = Told::default();
    let mut imported = Imported::empty(Platform::ExchangeOnline, now);
    imported.dated = Dated::ByExport;
    for file in files {
        take(file, now, &mut imported, &told);
    }
    imported.exported_at = whole_seconds(imported.exported_at);
    let (mistakes, notes) = (told.mistakes.into_inner(), told.notes.into_inner());
    if mistakes.is_empty() {
        Ok(Read { imported, notes })
    } else {
        Err(ImportErrors { mistakes, notes })
    }
}

/// Records are told to the second.
pub(super) fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

fn take(file: &ExportFile, now: Timestamp, imported: &mut Imported, told: &Told) {
    let path = file.path.as_path();
    if file.bytes.len() as u64 > LARGEST {
        let what = format!("is larger than {} MiB", LARGEST / 1024 / 1024);
        told.mistake(path, String::new(), what, "export the connectors alone");
        return;
    }
    let export = match shape::read(&file.bytes) {
        Ok(export) => export,
        Err(what) => {
            let hint = "`mxwarden import exchange --help` prints the commands that make it";
            told.mistake(path, String::new(), what, hint);
            return;
        }
    };
    date(file, &export, now, imported, told);
    let objects = export.records;
    if objects.is_empty() {
        match shape::kind_of_empty(file) {
            Some(kind) => begin(kind, imported),
            None => {
                let hint = "where there really is none, call the file outbound.json, inbound.json or rules.json";
                told.note(path, String::new(), "holds no record, and what of is not known", hint);
            }
        }
    }
    for (at, object) in objects.iter().enumerate() {
        let fields = Fields::of(path, at, object, told);
        match shape::kind(object) {
            Some(kind) => add(kind, &fields, imported),
            None => {
                let what = "is neither connector, mail flow rule, accepted domain nor transport configuration";
                told.mistake(path, fields.name.clone(), what, "");
            }
        }
    }
}

/// The oldest export counts, and one that does not say when it was made has the time of its file.
fn date(file: &ExportFile, export: &Export, now: Timestamp, imported: &mut Imported, told: &Told) {
    let path = file.path.as_path();
    let of_all = Fields::around(path, &export.around, told).exported_at(now);
    let of_each: Vec<Option<Timestamp>> = export
        .records
        .iter()
        .enumerate()
        .map(|(at, record)| Fields::of(path, at, record, told).exported_at(now))
        .collect();
    let oldest = of_all.into_iter().chain(of_each.iter().copied().flatten()).min();
    let is_told = of_all.is_some() || !of_each.is_empty() && of_each.iter().all(Option::is_some);
    let by_file = if is_told { None } else { Some(file.written_at) };
    if by_file.is_some() {
        imported.dated = Dated::ByFile;
    }
    let exported_at = oldest.into_iter().chain(by_file).min().unwrap_or(now);
    imported.exported_at = imported.exported_at.min(exported_at);
}

/// This kind was exported, whatever was in it.
fn begin(kind: Kind, imported: &mut Imported) {
    match kind {
        Kind::AcceptedDomain => drop(imported.accepted_domains.get_or_insert_default()),
        Kind::Inbound => drop(imported.inbound.get_or_insert_default()),
        Kind::Outbound => drop(imported.outbound.get_or_insert_default()),
        Kind::Rule => drop(imported.rules.get_or_insert_default()),
        Kind::Transport => {}
    }
}

fn add(kind: Kind, fields: &Fields<'_>, imported: &mut Imported) {
    match kind {
        Kind::AcceptedDomain => {
            imported.accepted_domains.get_or_insert_default().extend(records::accepted(fields));
        }
        Kind::Inbound => {
            let known = imported.inbound.get_or_insert_default();
            let record = records::inbound(fields).filter(|_| fields.are_good());
            let Some(record) = record else { return };
            let own = (&record.guid, &record.name);
            match known.iter().find(|one| is_same((&one.guid, &one.name), own)) {
                Some(same) if *same != record => differs(fields),
                Some(_) => {}
                None => known.push(record),
            }
        }
        Kind::Outbound => {
            let known = imported.outbound.get_or_insert_default();
            let record = records::outbound(fields).filter(|_| fields.are_good());
            let Some(record) = record else { return };
            let own = (&record.guid, &record.name);
            match known.iter().find(|one| is_same((&one.guid, &one.name), own)) {
                Some(same) if *same != record => differs(fields),
                Some(_) => {}
                None => known.push(record),
            }
        }
        Kind::Rule => {
            imported.rules.get_or_insert_default().extend(records::rule(fields));
        }
        Kind::Transport => imported.transport = Some(records::transport(fields)),
    }
}

/// Whether two records are of one connector: by Guid where both have one, else by name.
fn is_same(one: (&Option<String>, &String), other: (&Option<String>, &String)) -> bool {
    match (one.0, other.0) {
        (Some(one), Some(other)) => one == other,
        (None, _) | (_, None) => one.1 == other.1,
    }
}

fn differs(fields: &Fields<'_>) {
    let what = "stands in the files twice, and not with the same properties";
    fields.mistake("Guid", what, "import exports that were made at the same time");
}
