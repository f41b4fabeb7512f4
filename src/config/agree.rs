//! Holds the tables of a configuration against each other.
//!
//! 1. Names are unique, and lead somewhere of the right direction.
//! 2. A canary domain belongs to one connector and one personality (contract §4), and to no partner.
//! 3. Probes write as whom they should, to whom they may.

use super::{
    canary::ReadCanary,
    connector::{ReadConnector, Rule},
    partner::ReadPartner,
    told::{Place, Placed, Told},
};
use crate::model::{
    canary::{Need, Personality},
    claim::Direction,
    connector::KeyedOn,
    partner::Organisation,
};
use crate::wire::name::Domain;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that was read and refers to something else.
pub(super) struct Tables<'a> {
    pub(super) told: &'a Told<'a>,
    pub(super) organisation: Option<&'a Organisation>,
    pub(super) connectors: &'a [ReadConnector],
    pub(super) partners: &'a [ReadPartner],
    pub(super) canaries: &'a [ReadCanary],
}

impl Tables<'_> {
    /// Tells what does not agree.
    pub(super) fn check(&self) {
        self.unique("connector", self.connectors.iter().filter_map(|read| read.name.as_ref()));
        self.unique("partner", self.partners.iter().filter_map(|read| read.name.as_ref()));
        for partner in self.partners {
            self.leads_to(partner.outbound.as_ref(), Direction::Outbound);
            self.leads_to(partner.inbound.as_ref(), Direction::Inbound);
            self.formerly(partner);
            self.writes_as_us(partner);
        }
        for connector in self.connectors {
            self.clone_of(connector);
            self.canaries_enough(connector);
            self.probes_as_partner(connector);
            self.probes_us(connector);
            self.is_used(connector);
        }
        self.canary_domains();
        self.partners_are_no_canaries();
    }

    fn unique<'b>(&self, kind: &str, names: impl Iterator<Item = &'b Placed<String>>) {
        let mut seen = Vec::new();
        for name in names {
            if seen.contains(&name.value.as_str()) {
                let what = format!("another {kind} is called `{}` as well", name.value);
                self.told.mistake(&name.place, what, "every one needs a name of its own");
            }
            seen.push(name.value.as_str());
        }
    }

    fn called(&self, name: &str) -> Option<&ReadConnector> {
        let is_it = |read: &&ReadConnector| read.name.as_ref().is_some_and(|n| n.value == name);
        self.connectors.iter().find(is_it)
    }

    /// Tells a name that leads nowhere, or the wrong way.
    fn leads_to(&self, name: Option<&Placed<String>>, direction: Direction) {
        let Some(name) = name else { return };
        let Some(connector) = self.called(&name.value) else {
            let names = self.connectors.iter().filter_map(|read| read.name.as_ref());
            let names = names.map(|name| name.value.as_str());
            let hint = match crate::wire::text::closest(&name.value, names, 3) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "a [[connector]] is named by its `name`".to_owned(),
            };
            let what = format!("no connector is called `{}`", name.value);
            self.told.mistake(&name.place, what, &hint);
            return;
        };
        if connector.direction().is_some_and(|is| is != direction) {
            let (is, wanted) = match direction {
                Direction::Inbound => ("outbound", "inbound"),
                Direction::Outbound => ("inbound", "outbound"),
            };
            let what = format!("the connector `{}` is {is}", name.value);
            self.told.mistake(
                &name.place,
                what,
                &format!("name one with direction = \"{wanted}\""),
            );
        }
    }

    fn formerly(&self, partner: &ReadPartner) {
        let Some(formerly) = &partner.formerly else { return };
        let names = self.partners.iter().filter_map(|read| read.name.as_ref());
        if names.map(|name| &name.value).any(|name| *name == formerly.value) {
            let what = format!("`{}` is the name of a partner of today", formerly.value);
            self.told.mistake(&formerly.place, what, "its history stays with it");
        }
    }

    fn writes_as_us(&self, partner: &ReadPartner) {
        let (Some(organisation), Some(mail_from)) = (self.organisation, &partner.mail_from) else {
            return;
        };
        if !organisation.domains.contains(mail_from.value.domain()) {
            let what = format!("`{}` is none of our mail domains", mail_from.value.domain());
            self.told.warn(
                &mail_from.place,
                what,
                "a partner's rule for mail from us will not apply",
            );
        }
    }

    fn clone_of(&self, connector: &ReadConnector) {
        let (Some(place), Some(Rule::Outbound(rule))) = (&connector.proved_on, &connector.rule)
        else {
            return;
        };
        let Some(original) = &rule.proved_on else { return };
        if *original == rule.name {
            self.told.mistake(place, "is this connector itself", "leave it out");
            return;
        }
        let name = Placed { value: original.clone(), place: place.clone() };
        self.leads_to(Some(&name), Direction::Outbound);
        if !connector.canaries.is_empty() {
            let what = "the connector has canaries of its own, which prove more";
            self.told.warn(place, what, "leave one of the two out");
        }
        if let Some(Rule::Outbound(other)) = self.called(original).and_then(|c| c.rule.as_ref())
            && other.canaries.is_empty()
        {
            let what = format!("`{original}` has no canaries, so it proves nothing");
            self.told.warn(place, what, "");
        }
    }

    /// What the level needs besides, so that `sender-enforces` can be proved.
    fn canaries_enough(&self, connector: &ReadConnector) {
        let (Some(first), Some(Rule::Outbound(rule))) =
            (connector.canaries.first(), &connector.rule)
        else {
            return;
        };
        let level = rule.requirement.level;
        let there: Vec<Personality> =
            connector.canaries.iter().map(|canary| canary.value.0).collect();
        let needs = Need::at(level).into_iter().filter(|need| !need.is_met_by(&there));
        let missing: Vec<String> = needs.map(|need| need.to_string()).collect();
        if !missing.is_empty() {
            let key = first.place.key.rsplit_once('.').map_or("", |(table, _)| table).to_owned();
            let place = Place { at: first.place.at, key };
            let what = format!("level {level} also needs {}", missing.join(", "));
            let hint = "without them sender-enforces stays unknown";
            self.told.warn(&place, what, hint);
        }
    }

    /// With `keyed_on = "sender"` the rule under test is only met in the partner's name.
    fn probes_as_partner(&self, connector: &ReadConnector) {
        let (Some(place), Some(Rule::Inbound(rule))) = (&connector.mail_from, &connector.rule)
        else {
            return;
        };
        let Some(envelope) = rule.probe.as_ref().map(|probe| &probe.envelope) else { return };
        let partners = self.partners.iter().filter_map(|read| read.partner.as_ref());
        let mut own = partners.filter(|p| p.inbound.as_deref() == Some(&rule.name)).peekable();
        let domain = envelope.mail_from.domain();
        if envelope.keyed_on == KeyedOn::Sender
            && own.peek().is_some()
            && !own.any(|partner| partner.domains.contains(domain))
        {
            let what = format!("`{domain}` is no domain of a partner that uses this connector");
            let hint = "the connector recognises the partner by its sender, so it would not apply";
            self.told.warn(place, what, hint);
        }
    }

    fn probes_us(&self, connector: &ReadConnector) {
        let (Some(place), Some(Rule::Inbound(rule))) = (&connector.rcpt_to, &connector.rule) else {
            return;
        };
        let (Some(probe), Some(organisation)) = (&rule.probe, self.organisation) else { return };
        let domain = probe.envelope.rcpt_to.domain();
        if !organisation.domains.contains(domain) {
            let what = format!("`{domain}` is none of [organisation] domains");
            let hint = "probes in a partner's name go to our own mailboxes and nowhere else";
            self.told.mistake(place, what, hint);
        }
    }

    fn is_used(&self, connector: &ReadConnector) {
        let Some(name) = &connector.name else { return };
        let names = |read: &ReadPartner| {
            [&read.outbound, &read.inbound]
                .into_iter()
                .flatten()
                .any(|used| used.value == name.value)
        };
        let proves = |read: &ReadConnector| match &read.rule {
            Some(Rule::Outbound(rule)) => rule.proved_on.as_ref() == Some(&name.value),
            Some(Rule::Inbound(_)) | None => false,
        };
        if !self.partners.iter().any(names) && !self.connectors.iter().any(proves) {
            let what = format!("nothing is proved for `{}`: no partner names it", name.value);
            self.told.warn(&connector.place, what, "");
        }
    }

    fn canary_domains(&self) {
        let mut used: BTreeMap<&Domain, (&str, Personality)> = BTreeMap::new();
        for connector in self.connectors {
            let name = connector.name.as_ref().map_or("", |name| name.value.as_str());
            for canary in &connector.canaries {
                let (personality, domain) = &canary.value;
                if let Some((other, stated)) = used.get(domain) {
                    let what = if *other == name {
                        format!("`{domain}` is stated as {stated} already")
                    } else {
                        format!("`{domain}` is a canary domain of the connector `{other}` already")
                    };
                    let hint = "a canary domain belongs to one connector and one personality";
                    self.told.mistake(&canary.place, what, hint);
                } else {
                    used.insert(domain, (name, *personality));
                }
                if self.organisation.is_some_and(|us| us.domains.contains(domain)) {
                    let what = format!("`{domain}` is one of our own mail domains");
                    self.told.mistake(&canary.place, what, "mail to it would never leave");
                }
            }
        }
        let mut received: BTreeMap<&Domain, Option<Personality>> = BTreeMap::new();
        for canary in self.canaries {
            for domain in &canary.domains {
                self.canary_domain(domain, canary.personality, &used);
                if received.insert(&domain.value, canary.personality).is_some() {
                    let what = format!("another [[canary]] takes `{}` as well", domain.value);
                    self.told.mistake(&domain.place, what, "one domain, one canary");
                }
            }
        }
        for canary in self.connectors.iter().flat_map(|connector| &connector.canaries) {
            let (personality, domain) = &canary.value;
            if !received.contains_key(domain) {
                let what = format!("no [[canary]] takes `{domain}`");
                let hint =
                    format!("a [[canary]] with personality = \"{personality}\" and this domain");
                self.told.warn(&canary.place, what, &hint);
            }
        }
    }

    /// A canary misbehaves: as a partner's domain it would be violated by design.
    fn partners_are_no_canaries(&self) {
        let stated = self.connectors.iter().flat_map(|connector| &connector.canaries);
        let taken = self.canaries.iter().flat_map(|canary| &canary.domains);
        let canaries: BTreeSet<&Domain> =
            stated.map(|canary| &canary.value.1).chain(taken.map(|domain| &domain.value)).collect();
        for domain in self.partners.iter().flat_map(|partner| &partner.domains) {
            if canaries.contains(&domain.value) {
                let what = format!("`{}` is a canary's domain", domain.value);
                let hint =
                    "take it out of `domains`: what it receives is judged at sender-enforces alone";
                self.told.mistake(&domain.place, what, hint);
            }
        }
    }

    fn canary_domain(
        &self,
        domain: &Placed<Domain>,
        personality: Option<Personality>,
        used: &BTreeMap<&Domain, (&str, Personality)>,
    ) {
        match (used.get(&domain.value), personality) {
            (None, _) => {
                let what = format!("no connector sends probes to `{}`", domain.value);
                let hint = "name it in the [connector.canaries] of a connector";
                self.told.warn(&domain.place, what, hint);
            }
            (Some((name, stated)), Some(personality)) if *stated != personality => {
                let what = format!(
                    "`{}` is {personality} here and {stated} in the connector `{name}`",
                    domain.value
                );
                let hint = "a canary domain has one personality";
                self.told.mistake(&domain.place, what, hint);
            }
            (Some(_), _) => {}
        }
    }
}
