//! What a configuration does not claim of a partner, and what the claim would need: silence must not pass for proof.

use super::Config;
use crate::model::{
    claim::{Claim, Direction, Statement, Unclaimed},
    partner::Partner,
};

impl Config {
    /// The claims that are not configured for a partner, in the order of the contract, and why each is not.
    pub fn unclaimed(&self, partner: &Partner) -> Vec<Unclaimed> {
        let claimed = self.claims_of(partner);
        let absent = Claim::all().filter(|claim| !claimed.contains(claim));
        absent.map(|claim| Unclaimed { claim, why: self.lacking(partner, claim) }).collect()
    }

    fn lacking(&self, partner: &Partner, claim: Claim) -> &'static str {
        let outbound = partner.outbound.as_deref().and_then(|name| self.outbound(name));
        match (claim.direction, claim.statement) {
            (Direction::Outbound, _) if outbound.is_none() => "no outbound connector",
            (Direction::Inbound, _) if partner.inbound.is_none() => "no inbound connector",
            (_, Statement::Configured) => "nothing imported",
            (Direction::Outbound, Statement::ReceiverEnforces) => "no [partner.receiver_enforces]",
            (Direction::Outbound, Statement::SenderEnforces) => {
                let original = outbound.and_then(|one| one.proved_on.as_deref());
                let proving = original.and_then(|name| self.outbound(name)).or(outbound);
                match proving {
                    Some(one) if one.submit.is_some() => "no [connector.canaries]",
                    Some(one) if !one.canaries.is_empty() => "no [connector.submit]",
                    Some(_) | None => "no [connector.submit], no [connector.canaries]",
                }
            }
            (Direction::Inbound, Statement::ReceiverEnforces) => "no [connector.probe]",
            (Direction::Inbound, Statement::SenderEnforces) => "not in this version",
            (_, Statement::ReceiverOffers) => "no connector",
        }
    }
}

/// What a claim needs of the configuration, in words.
pub fn needs(claim: Claim) -> &'static str {
    match (claim.direction, claim.statement) {
        (Direction::Outbound, Statement::Configured) => {
            "configured needs an outbound connector of the partner, and `files` in [imported] that speak of it"
        }
        (Direction::Inbound, Statement::Configured) => {
            "configured needs an inbound connector of the partner, and `files` in [imported] that speak of it"
        }
        (Direction::Outbound, Statement::ReceiverOffers) => {
            "receiver-offers needs `outbound` in the [[partner]], which names a [[connector]]"
        }
        (Direction::Inbound, Statement::ReceiverOffers) => {
            "receiver-offers needs `inbound` in the [[partner]], which names a [[connector]]"
        }
        (Direction::Outbound, Statement::ReceiverEnforces) => {
            "receiver-enforces needs an outbound connector of the partner, and [partner.receiver_enforces]"
        }
        (Direction::Inbound, Statement::ReceiverEnforces) => {
            "receiver-enforces needs an inbound connector of the partner, with [connector.probe]"
        }
        (Direction::Outbound, Statement::SenderEnforces) => {
            "sender-enforces needs [connector.submit], [connector.canaries] and their [[canary]]"
        }
        (Direction::Inbound, Statement::SenderEnforces) => {
            "sender-enforces of the partner needs an echo address, which is not in this version"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const LEAST: &str = include_str!("../../config/minimal.toml");

    fn told(text: &str) -> String {
        let config = Config::parse(text, Path::new("mxwarden.toml")).unwrap().config;
        Unclaimed::in_words(&config.unclaimed(&config.partners[0]))
    }

    #[test]
    fn each_claim_that_is_not_made_is_told_with_what_it_lacks() {
        assert_eq!(
            told(LEAST),
            "not claimed: outbound/configured (nothing imported), outbound/receiver-enforces (no \
             [partner.receiver_enforces]), outbound/sender-enforces (no [connector.submit], no \
             [connector.canaries]), inbound (no inbound connector)"
        );
        let submit = "[connector.submit]\nurl = \"smtps://mail.contoso.test\"\nfrom = \"a@contoso.test\"\n\n[[partner]]";
        let more = told(&LEAST.replace("[[partner]]", submit));
        assert!(more.contains("outbound/sender-enforces (no [connector.canaries])"), "{more}");
        let inbound = "[[connector]]\nname = \"from-all\"\ndirection = \"inbound\"\nlevel = \"encrypt\"\n[[partner]]\ninbound = \"from-all\"";
        let both = told(&LEAST.replace("[[partner]]", inbound));
        assert!(both.starts_with("not claimed: configured (nothing imported), "), "{both}");
        assert!(both.contains("inbound/receiver-enforces (no [connector.probe])"), "{both}");
        assert!(both.ends_with("inbound/sender-enforces (not in this version)"), "{both}");
    }

    #[test]
    fn what_is_told_as_lacking_is_what_is_not_claimed() {
        let config = Config::parse(Config::example(), Path::new("mxwarden.toml")).unwrap().config;
        for partner in &config.partners {
            let claimed = config.claims_of(partner);
            let absent = config.unclaimed(partner);
            assert_eq!(claimed.len() + absent.len(), Claim::all().count());
            assert!(absent.iter().all(|one| !claimed.contains(&one.claim)));
        }
    }
}
