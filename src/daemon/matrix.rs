//! The matrix of claims: what is to be proved about whom, and which proofs they share.
//!
//! 1. Each partner has the claims its connectors and agreements configure; what is not configured is absent.
//! 2. Claims that rest on the same look are one [`Work`]: partners behind one connector are proved by one round.
//!
//! Invariant: the same configuration and choice give the same works in the same order.

use crate::config::settings::ImportedRecords;
use crate::model::{
    claim::{Claim, Direction, Statement},
    connector::{
        Floor, InboundConnector, InboundProbe, KeyedOn, MailTarget, OutboundConnector,
        ProbeEnvelope, Until,
    },
    enforcement::{Demand, Place},
    partner::{AgreedProbe, Organisation, Partner},
    requirement::Requirement,
    target::Target,
};
use crate::wire::name::{Domain, NamePattern};
use std::collections::BTreeMap;

/// One thing to prove, with the claims it is proved for.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// What is done.
    pub proof: Proof,
    /// Whose claims rest on it: the partner's name, and the claim.
    pub claims: Vec<(String, Claim)>,
}

impl Work {
    /// What its claims are judged by.
    pub fn requirement(&self) -> &Requirement {
        match &self.proof {
            Proof::NotTestable { requirement, .. }
            | Proof::ReceiverOffers { requirement, .. }
            | Proof::SenderEnforces { requirement, .. } => requirement,
            Proof::Configured(said) => &said.requirement,
            Proof::ReceiverEnforces(enforce) => &enforce.requirement,
        }
    }

    /// The connector whose canaries prove it; none where it is not proved by probe mail.
    pub fn canaries_of(&self) -> Option<&str> {
        match &self.proof {
            Proof::SenderEnforces { proved_on, .. } => Some(proved_on),
            Proof::Configured(_)
            | Proof::NotTestable { .. }
            | Proof::ReceiverEnforces(_)
            | Proof::ReceiverOffers { .. } => None,
        }
    }

    /// Whether a partner's receiver is probed, which is done by agreement and once a day.
    pub fn is_at_partners(&self) -> bool {
        match &self.proof {
            Proof::ReceiverEnforces(enforce) => enforce.demand.place == Place::Partners,
            Proof::Configured(_)
            | Proof::NotTestable { .. }
            | Proof::ReceiverOffers { .. }
            | Proof::SenderEnforces { .. } => false,
        }
    }
}

/// What is done to prove a claim.
#[derive(Debug, Clone, PartialEq)]
pub enum Proof {
    /// The imported connector is held against the agreement.
    Configured(Box<Said>),
    /// It cannot be proved in this version.
    NotTestable {
        /// What it stands for.
        requirement: Requirement,
        /// Why not.
        why: String,
    },
    /// Every endpoint is looked at.
    ReceiverOffers {
        /// What it must offer.
        requirement: Requirement,
        /// Where.
        targets: Vec<Target>,
    },
    /// Less than the agreed TLS is tried at every endpoint.
    ReceiverEnforces(Box<Enforce>),
    /// Probe mail goes through our mail system to the canaries of this outbound connector.
    SenderEnforces {
        /// The connector whose claim it is.
        connector: String,
        /// The connector whose canaries are used: the same, or the clone it is proved on.
        proved_on: String,
        /// What it must demand.
        requirement: Requirement,
    },
}

/// What is tried at a receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct Enforce {
    /// What is asked of it.
    pub demand: Demand,
    /// The requirement the claim stands for.
    pub requirement: Requirement,
    /// Where.
    pub targets: Vec<Target>,
    /// How we probe as the partner; none at a partner's receiver.
    pub probe: Option<InboundProbe>,
}

/// What a connector is held against.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Which way the mail goes.
    pub direction: Direction,
    /// The connector's name.
    pub connector: String,
    /// What it must demand.
    pub requirement: Requirement,
    /// Inbound: what the client certificate must be for.
    pub client_names: Vec<NamePattern>,
    /// The partner's mail domains.
    pub domains: Vec<Domain>,
    /// Where the partner receives.
    pub targets: Vec<MailTarget>,
}

/// What the matrix is made of.
#[derive(Debug, Clone, Copy)]
pub struct Agreements<'a> {
    /// Us.
    pub organisation: &'a Organisation,
    /// The connectors for mail from us.
    pub outbound: &'a [OutboundConnector],
    /// The connectors for mail to us.
    pub inbound: &'a [InboundConnector],
    /// Outbound connectors whose submission is not in this version, with what it is.
    pub not_yet: &'a BTreeMap<String, String>,
    /// What our mail systems say of their own connectors.
    pub imported: &'a ImportedRecords,
    /// The partners asked about.
    pub partners: &'a [&'a Partner],
}

/// Every work that proves one of the claims asked for; all of them where `only` is empty.
pub fn works(agreements: Agreements<'_>, only: &[Claim]) -> Vec<Work> {
    let mut works: Vec<Work> = Vec::new();
    for partner in agreements.partners {
        for (claim, proof) in claims(agreements, partner) {
            if !only.is_empty() && !only.contains(&claim) {
                continue;
            }
            let claim = (partner.name.clone(), claim);
            match works.iter_mut().find(|work| work.proof == proof) {
                Some(work) => work.claims.push(claim),
                None => works.push(Work { proof, claims: vec![claim] }),
            }
        }
    }
    works
}

/// The claims of one partner, in the order of the contract.
fn claims(agreements: Agreements<'_>, partner: &Partner) -> Vec<(Claim, Proof)> {
    let named = |name: &Option<String>| name.clone().unwrap_or_default();
    let outbound = named(&partner.outbound);
    let inbound = named(&partner.inbound);
    let outbound = agreements.outbound.iter().find(|one| one.name == outbound);
    let inbound = agreements.inbound.iter().find(|one| one.name == inbound);
    let mut claims = Vec::new();
    if let Some(connector) = outbound {
        claims.extend(claims_out(connector, agreements, partner));
    }
    if let Some(connector) = inbound {
        claims.extend(claims_in(connector, agreements, partner));
    }
    claims
}

fn claim(direction: Direction, statement: Statement) -> Claim {
    Claim { direction, statement }
}

fn claims_out(
    connector: &OutboundConnector,
    Agreements { outbound: all, not_yet, imported, .. }: Agreements<'_>,
    partner: &Partner,
) -> Vec<(Claim, Proof)> {
    let mut claims = Vec::new();
    if imported.speaks_of(Direction::Outbound, &connector.name) {
        let said = Said {
            direction: Direction::Outbound,
            connector: connector.name.clone(),
            requirement: connector.requirement.clone(),
            client_names: Vec::new(),
            domains: partner.domains.clone(),
            targets: partner.targets.clone(),
        };
        let proof = Proof::Configured(Box::new(said));
        claims.push((claim(Direction::Outbound, Statement::Configured), proof));
    }
    let offers = Proof::ReceiverOffers {
        requirement: connector.requirement.clone(),
        targets: targets(&partner.targets, &partner.domains),
    };
    claims.push((claim(Direction::Outbound, Statement::ReceiverOffers), offers));
    if let Some(agreed) = &partner.receiver_enforces {
        let enforce = at_partner(agreed, connector, partner);
        let proof = Proof::ReceiverEnforces(Box::new(enforce));
        claims.push((claim(Direction::Outbound, Statement::ReceiverEnforces), proof));
    }
    let proved_on = connector.proved_on.as_ref();
    let canaries = match proved_on {
        Some(clone) => all.iter().find(|one| one.name == *clone).unwrap_or(connector),
        None => connector,
    };
    if canaries.submit.is_some() && !canaries.canaries.is_empty() {
        let proof = Proof::SenderEnforces {
            connector: connector.name.clone(),
            proved_on: canaries.name.clone(),
            requirement: connector.requirement.clone(),
        };
        claims.push((claim(Direction::Outbound, Statement::SenderEnforces), proof));
    } else if let Some(what) = not_yet.get(&canaries.name) {
        let requirement = connector.requirement.clone();
        let why = format!("{what} is not in this version");
        let proof = Proof::NotTestable { requirement, why };
        claims.push((claim(Direction::Outbound, Statement::SenderEnforces), proof));
    }
    claims
}

fn claims_in(
    connector: &InboundConnector,
    Agreements { organisation: ours, imported, .. }: Agreements<'_>,
    partner: &Partner,
) -> Vec<(Claim, Proof)> {
    let mut claims = Vec::new();
    if imported.speaks_of(Direction::Inbound, &connector.name) {
        let said = Said {
            direction: Direction::Inbound,
            connector: connector.name.clone(),
            requirement: connector.requirement.clone(),
            client_names: connector.client_names.clone(),
            domains: partner.domains.clone(),
            targets: Vec::new(),
        };
        let proof = Proof::Configured(Box::new(said));
        claims.push((claim(Direction::Inbound, Statement::Configured), proof));
    }
    let offers = Proof::ReceiverOffers {
        requirement: ours.offers.clone(),
        targets: targets(&ours.targets, &ours.domains),
    };
    claims.push((claim(Direction::Inbound, Statement::ReceiverOffers), offers));
    if let Some(probe) = &connector.probe {
        let proof = Proof::ReceiverEnforces(Box::new(at_ours(probe, connector)));
        claims.push((claim(Direction::Inbound, Statement::ReceiverEnforces), proof));
    }
    if partner.echo.is_some() {
        let why = "echo addresses are not in this version".to_owned();
        let proof = Proof::NotTestable { requirement: connector.requirement.clone(), why };
        claims.push((claim(Direction::Inbound, Statement::SenderEnforces), proof));
    }
    claims
}

fn at_ours(probe: &InboundProbe, connector: &InboundConnector) -> Enforce {
    let demand = Demand {
        place: Place::Ours,
        envelope: probe.envelope.clone(),
        floor: Floor {
            min_version: connector.requirement.min_version,
            client_names: connector.client_names.clone(),
        },
        has_client_certificate: probe.client_certificate.is_some(),
        networks: probe.networks.clone(),
    };
    Enforce {
        demand,
        requirement: connector.requirement.clone(),
        // Mail for the recipient goes to the MX of its own domain, and nowhere else.
        targets: targets(&probe.targets, std::slice::from_ref(probe.envelope.rcpt_to.domain())),
        probe: Some(probe.clone()),
    }
}

fn at_partner(agreed: &AgreedProbe, connector: &OutboundConnector, partner: &Partner) -> Enforce {
    let envelope = ProbeEnvelope {
        mail_from: agreed.mail_from.clone(),
        rcpt_to: agreed.rcpt_to.clone(),
        control_mail_from: None,
        keyed_on: KeyedOn::Sender,
        until: Until::Rcpt,
        decides: agreed.decides,
    };
    let demand = Demand {
        place: Place::Partners,
        envelope,
        floor: Floor { min_version: connector.requirement.min_version, client_names: Vec::new() },
        has_client_certificate: false,
        networks: Vec::new(),
    };
    Enforce {
        demand,
        requirement: connector.requirement.clone(),
        targets: targets(&partner.targets, std::slice::from_ref(agreed.rcpt_to.domain())),
        probe: None,
    }
}

fn targets(mail: &[MailTarget], domains: &[Domain]) -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::new();
    for target in mail.iter().flat_map(|one| one.targets(domains)) {
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        connector::{SenderMarks, SendsSni, Timing},
        requirement::Level,
    };

    fn organisation() -> Organisation {
        Organisation {
            name: "Contoso".to_owned(),
            domains: vec!["contoso.test".parse().unwrap(), "contoso.example".parse().unwrap()],
            targets: vec![MailTarget::Mx],
            ehlo: None,
            offers: Requirement::of(Level::Name),
        }
    }

    fn to_banks() -> OutboundConnector {
        OutboundConnector {
            name: "to-banks".to_owned(),
            requirement: Requirement::of(Level::Ca),
            sni: SendsSni::Unknown,
            proved_on: None,
            submit: None,
            canaries: BTreeMap::new(),
            sender: SenderMarks::default(),
            timing: Timing::default(),
        }
    }

    fn from_banks() -> InboundConnector {
        let envelope = ProbeEnvelope {
            mail_from: "probe@fabrikam.test".parse().unwrap(),
            rcpt_to: "probe@contoso.example".parse().unwrap(),
            control_mail_from: None,
            keyed_on: KeyedOn::Sender,
            until: Until::Rcpt,
            decides: Until::Rcpt,
        };
        let probe = InboundProbe {
            envelope,
            targets: vec![MailTarget::Mx],
            client_certificate: None,
            other_client_certificate: None,
            networks: Vec::new(),
            source_addresses: Vec::new(),
        };
        InboundConnector {
            name: "from-banks".to_owned(),
            requirement: Requirement::of(Level::Encrypt),
            client_names: Vec::new(),
            probe: Some(probe),
        }
    }

    fn partner(name: &str) -> Partner {
        Partner {
            name: name.to_owned(),
            formerly: None,
            domains: vec![format!("{name}.test").parse().unwrap()],
            targets: vec![MailTarget::Mx],
            labels: BTreeMap::new(),
            outbound: Some("to-banks".to_owned()),
            inbound: Some("from-banks".to_owned()),
            receiver_enforces: None,
            echo: None,
        }
    }

    fn told(only: &[Claim]) -> Vec<String> {
        let (a, b) = (partner("a"), partner("b"));
        let agreements = Agreements {
            organisation: &organisation(),
            outbound: &[to_banks()],
            inbound: &[from_banks()],
            partners: &[&a, &b],
            not_yet: &BTreeMap::new(),
            imported: &ImportedRecords::default(),
        };
        let claims = |work: &Work| {
            let claims: Vec<_> =
                work.claims.iter().map(|(name, claim)| format!("{name} {claim}")).collect();
            claims.join(", ")
        };
        works(agreements, only).iter().map(claims).collect()
    }

    #[test]
    fn what_rests_on_one_look_is_one_work() {
        assert_eq!(
            told(&[]),
            [
                "a outbound/receiver-offers",
                "a inbound/receiver-offers, b inbound/receiver-offers",
                "a inbound/receiver-enforces, b inbound/receiver-enforces",
                "b outbound/receiver-offers",
            ]
        );
        assert_eq!(
            told(&[Claim::OUTBOUND_RECEIVER_OFFERS]),
            ["a outbound/receiver-offers", "b outbound/receiver-offers"]
        );
    }

    #[test]
    fn a_probe_goes_to_the_mx_of_its_recipient_alone() {
        let enforce = at_ours(from_banks().probe.as_ref().unwrap(), &from_banks());
        assert_eq!(enforce.targets, [Target::Domain("contoso.example".parse().unwrap())]);
    }
}
