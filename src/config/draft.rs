//! What an import becomes in a configuration: connectors and partners as TOML, each line that needs a person marked.
//!
//! 1. Nothing that is written already is touched: a connector of that name, a partner with that domain. What was
//!    agreed is the operator's to say, and a record that got weaker must not weaken what it is held against.
//! 2. What is new is put behind what is there; without a configuration a whole one is made.
//! 3. What is ours is nobody's partner: our domains, what lies below them, and canaries' domains (`ground`). It is
//!    left out and told.
//! 4. What was found is told in a table, and how the canaries come under the connectors in PowerShell.
//!
//! Invariant: importing the same records again changes nothing; a drafted line is valid where it stands once its `#` is
//! taken away.

mod canaries;
mod ground;
mod powershell;
mod write;

pub use powershell::Script;

use crate::model::{
    canary::Personality,
    imported::{DomainPattern, Imported, InboundRecord, OutboundRecord, Platform},
};
use crate::wire::name::Domain;
use ground::{Ground, Whose, domain_of};
use std::{collections::BTreeSet, fmt::Write as _};
use toml::de::{DeTable, DeValue};

/// What is written, and what there is to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The whole configuration, with what was there before.
    pub toml: String,
    /// What was found, in the order of the records.
    pub found: Vec<Found>,
    /// Domains of which no partner was made, in words.
    pub left_out: Vec<String>,
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
    let ground = Ground::new(imported, &known, around.canaries);
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
    let mut draft = Draft { toml, found: Vec::new(), left_out: Vec::new(), remarks, script: None };
    let mut names = known.connectors.clone();
    for record in imported.outbound.iter().flatten() {
        draft.outbound(&ground, record, &mut names);
    }
    for record in imported.inbound.iter().flatten() {
        draft.inbound(&ground, record, &mut names);
    }
    partners(&ground, &known, &mut draft);
    left_out(&ground, &mut draft);
    draft.script = match imported.platform {
        Platform::ExchangeOnline => powershell::script(&ground),
        Platform::Postfix => None,
    };
    let is_open = |record: &OutboundRecord| {
        ground.is_for_partners(&record.domains) && ground.zone(record).is_none()
    };
    if imported.platform == Platform::ExchangeOnline
        && imported.outbound.iter().flatten().any(is_open)
    {
        let what = "canary domains: nothing says below which domain; give --canaries DOMAIN, or domains.json";
        draft.remarks.push(what.to_owned());
    }
    if imported.transport.as_ref().is_some_and(|t| t.allows_legacy_clients == Some(true)) {
        let what = "clients may speak TLS 1.0 and 1.1: `Set-TransportConfig -AllowLegacyTLSClients $false`";
        draft.remarks.push(what.to_owned());
    }
    Ok(draft)
}

impl Draft {
    fn outbound(
        &mut self,
        ground: &Ground<'_>,
        record: &OutboundRecord,
        names: &mut BTreeSet<String>,
    ) {
        let became = if names.contains(&record.name) {
            "kept as it stands"
        } else if !ground.is_for_partners(&record.domains) {
            nobodys(ground, &record.domains)
        } else {
            names.insert(record.name.clone());
            write::outbound(&mut self.toml, ground, record);
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
        ground: &Ground<'_>,
        record: &InboundRecord,
        names: &mut BTreeSet<String>,
    ) {
        let name = ground.inbound_name(record);
        let became = if names.contains(&name) {
            "kept as it stands"
        } else if !ground.is_for_partners(&record.domains) {
            nobodys(ground, &record.domains)
        } else {
            names.insert(name);
            write::inbound(&mut self.toml, ground, record);
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

/// Why no connector is made of a rule that is for no partner.
fn nobodys(ground: &Ground<'_>, domains: &[DomainPattern]) -> &'static str {
    let whose = domains.iter().filter_map(domain_of).map(|domain| ground.whose(domain)).min();
    match whose {
        Some(Whose::Canary) => "left out: a canary's domain",
        Some(Whose::OursBelow) => "left out: below our own domains",
        Some(Whose::Ours | Whose::Partner) | None => "left out: it is for no partner's domain",
    }
}

/// Tells the domains that are ours and stand beside partners' in a rule.
fn left_out(ground: &Ground<'_>, draft: &mut Draft) {
    let imported = ground.imported;
    let out = imported.outbound.iter().flatten().map(|record| &record.domains);
    let inward = imported.inbound.iter().flatten().map(|record| &record.domains);
    let beside = out.chain(inward).filter(|domains| ground.is_for_partners(domains));
    let domains: BTreeSet<&Domain> = beside.flatten().filter_map(domain_of).collect();
    for (whose, what) in
        [(Whose::Canary, "a canary's domain"), (Whose::OursBelow, "below our own domains")]
    {
        let own: Vec<&str> = domains
            .iter()
            .filter(|domain| ground.whose(domain) == whose)
            .map(|domain| domain.as_str())
            .collect();
        if !own.is_empty() {
            draft.left_out.push(format!("{what}: {}", own.join(", ")));
        }
    }
}

/// One partner a domain: whose domains belong together, no record tells.
fn partners(ground: &Ground<'_>, known: &Known, draft: &mut Draft) {
    let imported = ground.imported;
    let out = imported.outbound.iter().flatten().flat_map(|record| &record.domains);
    let inward = imported.inbound.iter().flatten().flat_map(|record| &record.domains);
    let mut domains: Vec<&Domain> = Vec::new();
    for domain in out.chain(inward).filter_map(|pattern| ground.partner_domain(pattern)) {
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
            write::partner(&mut draft.toml, ground, &name, domain, outbound, inbound);
            continue;
        };
        for (key, record, is_written) in [
            ("outbound", outbound.map(|record| record.name.clone()), partner.has_outbound),
            ("inbound", inbound.map(|record| ground.inbound_name(record)), partner.has_inbound),
        ] {
            if let (Some(record), false) = (record, is_written) {
                let what = format!(
                    "partner {}: {key} = {} would claim what the record {} is for",
                    write::text(&partner.name),
                    write::text(&record),
                    write::text(&record),
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
    /// Our mail domains.
    ours: BTreeSet<String>,
    /// Canaries' domains, those of drafted lines that nobody has filled in yet as well.
    canaries: BTreeSet<String>,
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
        let table = |key: &str| root.get(key).and_then(|value| value.get_ref().as_table());
        let imported = table("imported");
        let mut canaries = drafted_canaries(text);
        for connector in tables("connector") {
            let own = connector.get("canaries").and_then(|value| value.get_ref().as_table());
            let own = own.into_iter().flat_map(|table| table.values());
            canaries.extend(own.filter_map(|one| one.get_ref().as_str()).map(str::to_lowercase));
        }
        canaries.extend(tables("canary").flat_map(|canary| texts(canary.get("domains"))));
        Ok(Self {
            ours: texts(table("organisation").and_then(|table| table.get("domains"))),
            canaries,
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

/// The canary domains of lines that were drafted and wait for a person: they stand under connectors, perhaps, and not
/// yet in the configuration.
fn drafted_canaries(text: &str) -> BTreeSet<String> {
    let domain = |line: &str| {
        let (key, value) = line.strip_prefix('#')?.split_once('=')?;
        let is_personality = Personality::ALL.iter().any(|one| one.as_str() == key.trim());
        let domain = value.trim().strip_prefix('"')?.split('"').next()?;
        is_personality.then(|| domain.to_lowercase())
    };
    text.lines().filter_map(domain).collect()
}
