//! What an import becomes in a configuration: connectors and partners as TOML, each line that needs a person marked.
//!
//! 1. Nothing that is written already is touched: a connector of that name, a partner with that domain. What was
//!    agreed is the operator's to say, and a record that got weaker must not weaken what it is held against.
//! 2. What is new is put behind what is there; without a configuration a whole one is made.
//! 3. What was found is told in a table, and how the canaries come under the connectors in PowerShell.
//!
//! Invariant: importing the same records again changes nothing.

mod canaries;
mod powershell;
mod write;

pub use powershell::Script;

use crate::model::imported::{DomainPattern, Imported, InboundRecord, OutboundRecord, Platform};
use crate::wire::name::Domain;
use std::{collections::BTreeSet, fmt::Write as _};
use toml::de::{DeTable, DeValue};

/// What is written, and what there is to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The whole configuration, with what was there before.
    pub toml: String,
    /// What was found, in the order of the records.
    pub found: Vec<Found>,
    /// What a person has to do besides, in words.
    pub remarks: Vec<String>,
    /// How the canary domains come under the connectors, and away again; none where the platform is another.
    pub script: Option<Script>,
}

/// One record, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// `outbound` or `inbound`.
    pub direction: &'static str,
    /// Its name.
    pub name: String,
    /// The domains it is for.
    pub domains: String,
    /// What it demands, in the platform's words.
    pub said: String,
    /// What was made of it.
    pub became: &'static str,
}

/// Where a draft goes, and what stands there.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The configuration as it is; none where there is none yet.
    pub existing: Option<&'a str>,
    /// The file of the records, as `[imported]` names it.
    pub records: &'a str,
    /// The domain under which canary domains are made; none where nobody has said.
    pub canaries: Option<&'a Domain>,
}

/// The configuration that stands there is no TOML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration that is there is no TOML: {0}")]
pub struct NotToml(String);

/// Drafts a configuration for an import.
///
/// # Errors
///
/// The configuration that is there cannot be read.
pub fn draft(imported: &Imported, around: Surroundings<'_>) -> Result<Draft, NotToml> {
    let known = match around.existing {
        Some(text) => Known::read(text)?,
        None => Known::default(),
    };
    let base = canaries::base(imported, around.canaries);
    let mut toml = around.existing.unwrap_or_default().to_owned();
    if !toml.is_empty() && !toml.ends_with('\n') {
        toml.push('\n');
    }
    let mut remarks = Vec::new();
    if !known.has_organisation {
        write::organisation(&mut toml, imported, around.records);
    } else if !known.has_imported {
        let _ = write!(toml, "\n[imported]\nrecords = [{}]\n", write::text(around.records));
    } else if !known.records.contains(around.records) {
        remarks.push(format!("add {} to `records` of [imported]", write::text(around.records)));
    }
    let mut draft = Draft { toml, found: Vec::new(), remarks, script: None };
    let mut names = known.connectors.clone();
    for record in imported.outbound.iter().flatten() {
        draft.outbound(imported, record, &base, &mut names);
    }
    for record in imported.inbound.iter().flatten() {
        draft.inbound(imported, record, &mut names);
    }
    partners(imported, &known, &mut draft);
    draft.script = match imported.platform {
        Platform::ExchangeOnline => Some(powershell::script(imported, &base)),
        Platform::Postfix => None,
    };
    if imported.transport.as_ref().is_some_and(|t| t.allows_legacy_clients == Some(true)) {
        let what = "clients may speak TLS 1.0 and 1.1: `Set-TransportConfig -AllowLegacyTLSClients $false`";
        draft.remarks.push(what.to_owned());
    }
    Ok(draft)
}

impl Draft {
    fn outbound(
        &mut self,
        imported: &Imported,
        record: &OutboundRecord,
        base: &str,
        names: &mut BTreeSet<String>,
    ) {
        let became = if !is_for_partners(imported, &record.domains) {
            "left out: it is for no partner's domain"
        } else if names.contains(&record.name) {
            "kept as it stands"
        } else {
            names.insert(record.name.clone());
            write::outbound(&mut self.toml, imported, record, base);
            "new"
        };
        self.found.push(Found {
            direction: "outbound",
            name: record.name.clone(),
            domains: listed(&record.domains),
            said: record.said.clone(),
            became,
        });
    }

    fn inbound(
        &mut self,
        imported: &Imported,
        record: &InboundRecord,
        names: &mut BTreeSet<String>,
    ) {
        let became = if !is_for_partners(imported, &record.domains) {
            "left out: it is for no partner's domain"
        } else if names.contains(&record.name) {
            "kept as it stands"
        } else {
            names.insert(record.name.clone());
            write::inbound(&mut self.toml, imported, record);
            "new"
        };
        self.found.push(Found {
            direction: "inbound",
            name: record.name.clone(),
            domains: listed(&record.domains),
            said: write::said(record),
            became,
        });
    }
}

/// Whether a rule names a domain that is a partner's: not ours, and not everybody's.
fn is_for_partners(imported: &Imported, domains: &[DomainPattern]) -> bool {
    domains.iter().any(|pattern| partner_domain(imported, pattern).is_some())
}

fn partner_domain<'a>(imported: &Imported, pattern: &'a DomainPattern) -> Option<&'a Domain> {
    match pattern {
        DomainPattern::All => None,
        DomainPattern::Exact(domain) | DomainPattern::Under(domain) => {
            let ours =
                imported.accepted_domains.iter().flatten().any(|ours| ours.domain == *domain);
            (!ours).then_some(domain)
        }
    }
}

/// One partner a domain: whose domains belong together, no record tells.
fn partners(imported: &Imported, known: &Known, draft: &mut Draft) {
    let out = imported.outbound.iter().flatten().flat_map(|record| &record.domains);
    let inward = imported.inbound.iter().flatten().flat_map(|record| &record.domains);
    let mut domains: Vec<&Domain> = Vec::new();
    for domain in out.chain(inward).filter_map(|pattern| partner_domain(imported, pattern)) {
        if !domains.contains(&domain) {
            domains.push(domain);
        }
    }
    for domain in domains {
        let exact = DomainPattern::Exact(domain.clone());
        let under = DomainPattern::Under(domain.clone());
        let is_for =
            |domains: &[DomainPattern]| domains.contains(&exact) || domains.contains(&under);
        let outbound = imported.outbound.iter().flatten().find(|record| is_for(&record.domains));
        let inbound = imported.inbound.iter().flatten().find(|record| is_for(&record.domains));
        let Some(partner) =
            known.partners.iter().find(|partner| partner.domains.contains(domain.as_str()))
        else {
            let name = write::free_name(domain.as_str(), &known.partner_names());
            write::partner(&mut draft.toml, &name, domain, outbound, inbound);
            continue;
        };
        for (key, record, is_written) in [
            ("outbound", outbound.map(|record| &record.name), partner.has_outbound),
            ("inbound", inbound.map(|record| &record.name), partner.has_inbound),
        ] {
            if let (Some(record), false) = (record, is_written) {
                let what = format!(
                    "partner {}: {key} = {} would claim what the record {} is for",
                    write::text(&partner.name),
                    write::text(record),
                    write::text(record),
                );
                draft.remarks.push(what);
            }
        }
    }
}

fn listed(domains: &[DomainPattern]) -> String {
    domains.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What a configuration holds already, as far as an import must know.
#[derive(Debug, Default)]
struct Known {
    has_organisation: bool,
    has_imported: bool,
    records: BTreeSet<String>,
    connectors: BTreeSet<String>,
    partners: Vec<KnownPartner>,
}

#[derive(Debug)]
struct KnownPartner {
    name: String,
    domains: BTreeSet<String>,
    has_outbound: bool,
    has_inbound: bool,
}

impl Known {
    fn read(text: &str) -> Result<Self, NotToml> {
        let tree = DeTable::parse(text).map_err(|error| NotToml(error.message().to_owned()))?;
        let root = tree.get_ref();
        let texts = |value: Option<&toml::Spanned<DeValue<'_>>>| -> BTreeSet<String> {
            let items = value.and_then(|value| value.get_ref().as_array());
            let items = items.into_iter().flat_map(|items| items.iter());
            items.filter_map(|item| item.get_ref().as_str()).map(str::to_lowercase).collect()
        };
        let name = |table: &DeTable<'_>| {
            let name = table.get("name").and_then(|value| value.get_ref().as_str());
            name.map(str::to_owned)
        };
        let tables = |key: &str| {
            let items = root.get(key).and_then(|value| value.get_ref().as_array());
            items
                .into_iter()
                .flat_map(|items| items.iter())
                .filter_map(|item| item.get_ref().as_table())
        };
        let imported = root.get("imported").and_then(|value| value.get_ref().as_table());
        Ok(Self {
            has_organisation: root.contains_key("organisation"),
            has_imported: imported.is_some(),
            records: texts(imported.and_then(|table| table.get("records"))),
            connectors: tables("connector").filter_map(name).collect(),
            partners: tables("partner")
                .map(|table| KnownPartner {
                    name: name(table).unwrap_or_default(),
                    domains: texts(table.get("domains")),
                    has_outbound: table.contains_key("outbound"),
                    has_inbound: table.contains_key("inbound"),
                })
                .collect(),
        })
    }

    fn partner_names(&self) -> BTreeSet<String> {
        self.partners.iter().map(|partner| partner.name.clone()).collect()
    }
}
