//! The claims, explained, and how each is proved in either direction.

use super::Explanation;
use crate::model::claim::{Direction, Statement};

/// What a claim states.
pub(super) fn statement(statement: Statement) -> &'static Explanation {
    match statement {
        Statement::Configured => &Explanation {
            title: "our connector says what the agreement says",
            meaning: "The imported record of the connector is compared with what is configured \
                      for the partner: level, names, lowest version, domains.",
            why: "A connector that is off, for other domains or weaker than agreed forces \
                  nothing. A record alone does not show what happens to mail: the other claims \
                  do.",
            advice: "Import the records with `mxwarden import exchange FILE` or `mxwarden import \
                     postfix FILE`, and again after each change.",
            reference: "mxwarden contract §3",
        },
        Statement::ReceiverEnforces => &Explanation {
            title: "the receiver refuses anything less than agreed",
            meaning: "Mail is offered in clear, over an old TLS version or without the agreed \
                      certificate, beside a control that does all that is asked. The control \
                      must be taken and the rest refused.",
            why: "A receiver that offers TLS and also takes mail in clear protects nobody: \
                  whoever strips STARTTLS on the way reads the mail.",
            advice: "See `mxwarden explain plaintext-accepted` for what to do where it is \
                     violated. At a partner's receiver it is probed by agreement alone \
                     (`[partner.receiver_enforces]`).",
            reference: "mxwarden contract §3",
        },
        Statement::ReceiverOffers => &Explanation {
            title: "the receiver can do what is required",
            meaning: "Each endpoint of the targets is connected to as a sender would, up to a \
                      finished handshake: STARTTLS, version, chain, dates, name, and TLSA or \
                      MTA-STS where the level needs them.",
            why: "A sender that forces TLS delivers only to a receiver that can do it. That it \
                  can does not show that it refuses less.",
            advice: "`mxwarden check DOMAIN` looks at it at once; each finding says what to tell \
                     the operator.",
            reference: "mxwarden contract §3",
        },
        Statement::SenderEnforces => &Explanation {
            title: "the sender refuses a receiver that does less than agreed",
            meaning: "Probe mail goes to canaries, receivers of ours that each misbehave in one \
                      way. The good one must be delivered to, and at each of the \
                      others that the level forbids the sender must be seen to leave before MAIL.",
            why: "It is the only proof that forced TLS works: that mail arrives over TLS on a \
                  good day shows nothing about a bad one.",
            advice: "Set up the canaries with `mxwarden canary zone` and `[[canary]]`, and prove \
                     it with `mxwarden verify --claim outbound/sender-enforces`.",
            reference: "mxwarden contract §3",
        },
    }
}

/// How a claim is proved in one direction, with the direction's name.
pub(super) fn proof(statement: Statement, direction: Direction) -> (&'static str, &'static str) {
    let how = match (statement, direction) {
        (Statement::Configured, Direction::Outbound) => {
            "the imported connector for mail to the partner is compared with the requirement"
        }
        (Statement::Configured, Direction::Inbound) => {
            "the imported connector for mail from the partner is compared with the requirement"
        }
        (Statement::ReceiverEnforces, Direction::Outbound) => {
            "MAIL and RCPT as us at the partner's MX, never DATA, only by agreement"
        }
        (Statement::ReceiverEnforces, Direction::Inbound) => {
            "MAIL and RCPT, and DATA to our own probe mailbox, as the partner at our MX"
        }
        (Statement::ReceiverOffers, Direction::Outbound) => {
            "every endpoint of the partner's targets is probed"
        }
        (Statement::ReceiverOffers, Direction::Inbound) => {
            "every endpoint of our own targets is probed"
        }
        (Statement::SenderEnforces, Direction::Outbound) => {
            "probe mail through our own mail system to the canaries"
        }
        (Statement::SenderEnforces, Direction::Inbound) => {
            "an echo address at the partner answers to the canaries, only by agreement"
        }
    };
    (direction.as_str(), how)
}
