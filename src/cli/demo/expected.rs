//! Who there is in the demo, how each was made, and what must be found of it.
//!
//! Invariant: every claim that the demo's configuration makes stands here, and no other.

use crate::model::{
    claim::{Claim, Direction, Statement},
    finding::FindingId,
    obstacle::ObstacleId,
    standing::Standing,
    state::State,
};

/// What a claim must be judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Because {
    /// Violated, for this.
    Broken(FindingId),
    /// Unknown, for this.
    Hidden(ObstacleId),
    /// Compliant.
    Proved,
}

impl Because {
    pub(super) fn state(self) -> State {
        match self {
            Self::Broken(_) => State::Violated,
            Self::Hidden(_) => State::Unknown,
            Self::Proved => State::Compliant,
        }
    }
}

/// A connector of our mail system for mail that it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sending {
    /// What the configuration calls it.
    pub(super) name: &'static str,
    /// The canary domains that lie under it, without what stands before.
    pub(super) canaries: &'static str,
    /// What must be found.
    pub(super) sender: Because,
}

pub(super) const REALLY: Sending = Sending {
    name: "really-forced",
    // Our mail system insists on TLS.
    canaries: "forced.canary.test",
    sender: Because::Proved,
};

pub(super) const LOOKS: Sending = Sending {
    name: "looks-forced",
    // Our mail system only looks as if it did.
    canaries: "looks.canary.test",
    sender: Because::Broken(FindingId::DeliveredInPlaintext),
};

pub(super) const SENDING: [Sending; 2] = [REALLY, LOOKS];

/// A partner, called by its domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Partner {
    pub(super) domain: &'static str,
    /// By which connector mail goes to it.
    pub(super) outbound: Sending,
    /// What its receivers must be found to offer.
    pub(super) offers: Because,
    /// What else is claimed.
    pub(super) more: &'static [(Claim, Because)],
}

/// The partner that is broken before everybody's eyes.
pub(super) const BROKEN: &str = "healthy.test";

/// The partner whose mail our own receiver takes in clear.
pub(super) const TRUSTED: &str = "trusted.test";

pub(super) const OFFERS: Claim = Claim::OUTBOUND_RECEIVER_OFFERS;
const REFUSES: Claim =
    Claim { direction: Direction::Outbound, statement: Statement::ReceiverEnforces };
pub(super) const SENDS: Claim =
    Claim { direction: Direction::Outbound, statement: Statement::SenderEnforces };
const WE_OFFER: Claim =
    Claim { direction: Direction::Inbound, statement: Statement::ReceiverOffers };
const WE_REFUSE: Claim =
    Claim { direction: Direction::Inbound, statement: Statement::ReceiverEnforces };

pub(super) const PARTNERS: [Partner; 7] = [
    Partner {
        domain: BROKEN,
        // All in order.
        outbound: REALLY,
        offers: Because::Proved,
        more: &[
            (REFUSES, Because::Proved),
            (WE_OFFER, Because::Proved),
            (WE_REFUSE, Because::Proved),
        ],
    },
    Partner {
        domain: "expired.test",
        // Nobody renewed.
        outbound: REALLY,
        offers: Because::Broken(FindingId::CertExpired),
        more: &[],
    },
    Partner {
        domain: "lost-starttls.test",
        // An update switched TLS off.
        outbound: REALLY,
        offers: Because::Broken(FindingId::StarttlsNotOffered),
        more: &[],
    },
    Partner {
        domain: "wrong-name.test",
        // A certificate for another host.
        outbound: REALLY,
        offers: Because::Broken(FindingId::CertNameMismatch),
        more: &[],
    },
    Partner {
        domain: "one-of-two.test",
        // One of two signs for itself.
        outbound: REALLY,
        offers: Because::Broken(FindingId::CertSelfSigned),
        more: &[],
    },
    Partner {
        domain: "busy.test",
        // Too busy to talk.
        outbound: REALLY,
        offers: Because::Hidden(ObstacleId::RateLimited),
        more: &[],
    },
    Partner {
        domain: TRUSTED,
        // Our own server takes its mail in clear.
        outbound: LOOKS,
        offers: Because::Proved,
        more: &[
            (WE_OFFER, Because::Proved),
            (WE_REFUSE, Because::Broken(FindingId::PlaintextAccepted)),
        ],
    },
];

impl Partner {
    /// Every claim about it, and what it must be judged by.
    pub(super) fn claims(&self) -> impl Iterator<Item = (Claim, Because)> {
        let outbound = [(OFFERS, self.offers), (SENDS, self.outbound.sender)];
        outbound.into_iter().chain(self.more.iter().copied())
    }
}

/// Whether a claim stands as it must.
pub(super) fn is_as_made(standing: &Standing, because: Because) -> bool {
    let is_found = match because {
        Because::Broken(id) => standing.findings.iter().any(|finding| finding.id == id),
        Because::Hidden(id) => standing.obstacles.iter().any(|obstacle| obstacle.id == id),
        Because::Proved => standing.proven_at.is_some(),
    };
    is_found && standing.looked_at.is_some() && standing.state == because.state()
}

/// What stands otherwise than it must, in words; nothing where all is as it was made.
pub(super) fn amiss(standings: &[Standing]) -> Vec<String> {
    let mut amiss = Vec::new();
    let mut expected = 0;
    for partner in &PARTNERS {
        for (claim, because) in partner.claims() {
            expected += 1;
            let of_claim = |one: &&Standing| one.partner == partner.domain && one.claim == claim;
            let Some(standing) = standings.iter().find(of_claim) else {
                amiss.push(format!("{} {claim}: nothing is said of it", partner.domain));
                continue;
            };
            if !is_as_made(standing, because) {
                let Standing { state, summary, .. } = standing;
                amiss.push(format!(
                    "{} {claim}: {state} and not {}, or for another reason: {summary}",
                    partner.domain,
                    because.state()
                ));
            }
        }
    }
    if standings.len() > expected {
        // What a change of the configuration has brought, and nobody looked at.
        amiss.push(format!(
            "{} claims are made that are not known here",
            standings.len() - expected
        ));
    }
    amiss
}
