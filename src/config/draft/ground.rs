//! What the drafting of one import goes by: whose a domain is, and where canaries have their domains.

use super::{
    Known,
    canaries::{clone_name, label},
};
use crate::model::{
    canary::Personality,
    imported::{DomainPattern, Imported, InboundRecord, OutboundRecord},
};
use crate::wire::name::Domain;
use std::collections::BTreeSet;

/// Whose a domain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whose {
    /// A canary's: it misbehaves on purpose, and as a partner's it would be violated by design.
    Canary,
    /// One of ours.
    Ours,
    /// It lies below one of ours.
    OursBelow,
    /// A partner's.
    Partner,
}

/// One import, and what was known before.
pub(super) struct Ground<'a> {
    pub(super) imported: &'a Imported,
    known: &'a Known,
    /// The domain below which canary domains are made; none where nobody has said, and no domain of ours is known.
    base: Option<String>,
}

impl<'a> Ground<'a> {
    pub(super) fn new(imported: &'a Imported, known: &'a Known, said: Option<&Domain>) -> Self {
        let mut ground = Self { imported, known, base: said.map(ToString::to_string) };
        if ground.base.is_none() {
            ground.base = ground.drafted_base();
        }
        if ground.base.is_none() {
            ground.base = ground.our_domain().map(|ours| format!("canary.{ours}"));
        }
        ground
    }

    /// The domain that was said at an import before: `good.CONNECTOR.BASE` stands there.
    fn drafted_base(&self) -> Option<String> {
        let good = format!("{}.", Personality::Good);
        let mut drafted = self.known.canaries.iter().filter_map(|one| one.strip_prefix(&good));
        drafted.find_map(|zone| {
            let (own, base) = zone.split_once('.')?;
            let mut records = self.imported.outbound.iter().flatten();
            records.any(|record| label(&record.name) == own).then(|| base.to_owned())
        })
    }

    /// The mail domain of ours that addresses are drafted in; none where none is known.
    pub(super) fn our_domain(&self) -> Option<&str> {
        let accepted = || self.imported.accepted_domains.iter().flatten();
        let default =
            accepted().find(|ours| ours.is_default == Some(true)).or_else(|| accepted().next());
        let written = || self.known.ours.iter().map(String::as_str).find(|one| is_real(one));
        default.map(|ours| ours.domain.as_str()).or_else(written)
    }

    pub(super) fn whose(&self, domain: &Domain) -> Whose {
        let domain = domain.as_str();
        let is_below = |base: &str| {
            domain
                .strip_suffix(base)
                .is_some_and(|before| before.len() > 1 && before.ends_with('.'))
        };
        let accepted = self.imported.accepted_domains.iter().flatten();
        let ours: BTreeSet<&str> = accepted
            .map(|ours| ours.domain.as_str())
            .chain(self.known.ours.iter().map(String::as_str))
            .collect();
        let is_canarys = self.known.canaries.contains(domain)
            || self.base.as_deref().is_some_and(|base| base == domain || is_below(base));
        if is_canarys {
            Whose::Canary
        } else if ours.contains(domain) {
            Whose::Ours
        } else if ours.into_iter().any(is_below) {
            Whose::OursBelow
        } else {
            Whose::Partner
        }
    }

    /// The partner's domain of a pattern; none where it is not a partner's, or everybody's.
    pub(super) fn partner_domain<'b>(&self, pattern: &'b DomainPattern) -> Option<&'b Domain> {
        domain_of(pattern).filter(|domain| self.whose(domain) == Whose::Partner)
    }

    pub(super) fn is_for_partners(&self, domains: &[DomainPattern]) -> bool {
        domains.iter().any(|pattern| self.partner_domain(pattern).is_some())
    }

    /// The zone of one connector's canaries; none where it is not known below which domain.
    ///
    /// A domain belongs to one connector: two whose names are one label have a zone each.
    pub(super) fn zone(&self, record: &OutboundRecord) -> Option<String> {
        let own = label(&record.name);
        let before = self.imported.outbound.iter().flatten();
        let before = before.take_while(|one| one.name != record.name);
        let same = before.filter(|one| label(&one.name) == own).count();
        let number = if same == 0 { String::new() } else { format!("-{}", same + 1) };
        Some(format!("{own}{number}.{}", self.base.as_deref()?))
    }

    /// What an inbound record is called in the configuration, where both directions share their names.
    pub(super) fn inbound_name(&self, record: &InboundRecord) -> String {
        let is_taken =
            |one: &OutboundRecord| one.name == record.name && self.is_for_partners(&one.domains);
        if self.imported.outbound.iter().flatten().any(is_taken) {
            format!("{} (inbound)", record.name)
        } else {
            record.name.clone()
        }
    }

    /// Whether the clone of a connector is there already.
    pub(super) fn has_clone(&self, record: &OutboundRecord) -> bool {
        let name = clone_name(record);
        self.imported.outbound.iter().flatten().any(|one| one.name == name)
    }
}

/// Whether it is no name that stands where a person was to write one.
fn is_real(domain: &str) -> bool {
    domain != super::write::CHANGE_ME
}

/// The domain of a pattern; none where it is for all.
pub(super) fn domain_of(pattern: &DomainPattern) -> Option<&Domain> {
    match pattern {
        DomainPattern::All => None,
        DomainPattern::Exact(domain) | DomainPattern::Under(domain) => Some(domain),
    }
}
