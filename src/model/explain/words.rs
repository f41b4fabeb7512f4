//! The words of the tables: states, levels, channels, and what all of these are called.

use super::Explanation;
use crate::model::{report::Channel, requirement::Level, state::State};

const STATES: &str = "mxwarden contract §1";
const LEVELS: &str = "mxwarden contract §2";
const REPORT: &str = "mxwarden contract §6";

/// What the others are called.
pub(super) static WORDS: &[(&str, Explanation)] = &[
    (
        "canary",
        Explanation {
            title: "a receiver of ours that misbehaves on purpose, in one way",
            meaning: "An SMTP receiver that looks like a partner with one fault, its \
                      personality, such as `no-starttls`. A delivery that must not be is \
                      accepted, counted and thrown away.",
            why: "Only where a sender is seen to refuse a bad receiver is it proved that it \
                  would.",
            advice: "Configure them as `[[canary]]`; `mxwarden canary zone` prints the DNS \
                     records they need.",
            reference: "mxwarden contract §4",
        },
    ),
    (
        "channel",
        Explanation {
            title: "what a session with an endpoint reached",
            meaning: "One of `none`, `plain`, `encrypted`, `trusted` and `matched`; each \
                      includes what those before it say.",
            why: "It tells at a glance how well mail to this endpoint could be protected, \
                  whatever the level asks for.",
            advice: "Compare it with the level: `encrypt` needs `encrypted`, `ca` needs \
                     `trusted`, `name` needs `matched`.",
            reference: REPORT,
        },
    ),
    (
        "claim",
        Explanation {
            title: "one provable statement about one partner",
            meaning: "A direction and one of `configured`, `receiver-offers`, \
                      `receiver-enforces` and `sender-enforces`, written \
                      `outbound/receiver-offers`.",
            why: "Each is proved in its own way and has its own state. The state of a partner is \
                  the worst of its claims.",
            advice: "`mxwarden verify` proves all that are configured, `--claim` one of them.",
            reference: "mxwarden contract §3",
        },
    ),
    (
        "connector",
        Explanation {
            title: "the rule on our side that is supposed to force TLS",
            meaning: "A connector of Exchange Online, an entry in Postfix's policy table, a \
                      compliance setting at Google. It has one direction.",
            why: "It is what has to be proved: that it is there, that it says what was agreed, \
                  and that it does so.",
            advice: "Import the records with `mxwarden import`, or write `[[connector]]` by hand.",
            reference: STATES,
        },
    ),
    (
        "control",
        Explanation {
            title: "a probe that must succeed, beside the one that must fail",
            meaning: "The same sender, recipient and source address, with everything as agreed.",
            why: "A refusal means something only where the control got through: otherwise the \
                  reason may be grey-listing, a block list or an outage.",
            advice: "Where it fails, look at its own obstacle first: `control-refused` or \
                     `control-not-arrived`.",
            reference: STATES,
        },
    ),
    (
        "evidence",
        Explanation {
            title: "everything that was seen, as a value",
            meaning: "DNS answers, the dialogue, certificates and times. Bodies of messages and \
                      secrets are never in it.",
            why: "Each state follows from evidence that is kept, so that it can be shown, and \
                  judged again by later rules.",
            advice: "`mxwarden rejudge` judges old evidence by today's rules, `mxwarden audit \
                     export` bundles it.",
            reference: REPORT,
        },
    ),
    (
        "finding",
        Explanation {
            title: "a fact that breaks or weakens a claim",
            meaning: "It has an id, a severity (`violation`, `warning` or `info`), what was \
                      seen, what was expected, advice and a reference.",
            why: "A `violation` makes the claim `violated`; a `warning` and an `info` do not.",
            advice: "`mxwarden explain ID` tells more of each.",
            reference: STATES,
        },
    ),
    (
        "level",
        Explanation {
            title: "how much the receiver must show",
            meaning: "One of `encrypt`, `ca`, `name`, `pinned`, `dane` and `mta-sts`.",
            why: "It decides what is a violation and which canaries must be refused. `encrypt` \
                  keeps out those who listen, and not those who put themselves in between.",
            advice: "Choose what was agreed with the partner, `name` where nothing speaks \
                     against it.",
            reference: LEVELS,
        },
    ),
    (
        "obstacle",
        Explanation {
            title: "a fact that kept us from knowing",
            meaning: "It has an id and a detail, such as `connect-timeout`.",
            why: "It never makes a claim compliant and never violated: the claim is `unknown` \
                  until it is out of the way.",
            advice: "`mxwarden explain ID` tells what to do about each.",
            reference: STATES,
        },
    ),
    (
        "personality",
        Explanation {
            title: "the one way in which a canary misbehaves",
            meaning: "One of ten, from `good`, the control, to `dane-mismatch`. It differs from \
                      `good` in its defect alone.",
            why: "Each shows one thing that a sender must not put up with at the agreed level.",
            advice: "`mxwarden explain NAME` tells of each; `mxwarden explain not-testable` of \
                     those that are missing.",
            reference: "mxwarden contract §4",
        },
    ),
    (
        "requirement",
        Explanation {
            title: "what a connector must guarantee: a level and a lowest TLS version",
            meaning: "The level, the names or pins that belong to it, and `min_version`, which \
                      is 1.2 unless said otherwise.",
            why: "Everything is judged by it. When it changes, old proofs count no longer.",
            advice: "Write it into the `[[connector]]`, as it was agreed with the partner.",
            reference: LEVELS,
        },
    ),
    (
        "state",
        Explanation {
            title: "what is known about a claim",
            meaning: "One of `compliant`, `violated` and `unknown`; nothing else.",
            why: "What could not be proved is `unknown`, never green and never red.",
            advice: "Look at the findings where it is `violated`, at the obstacles where it is \
                     `unknown`.",
            reference: STATES,
        },
    ),
];

/// What a state says.
pub(super) fn state(state: State) -> &'static Explanation {
    match state {
        State::Compliant => &Explanation {
            title: "proved to hold",
            meaning: "Everything that the claim needs was seen, and no proof is older than its \
                      `max_age`.",
            why: "It needs proof: that nothing bad was seen is none. It may carry warnings.",
            advice: "Nothing. `proven_at` tells how old the oldest proof is.",
            reference: STATES,
        },
        State::Unknown => &Explanation {
            title: "neither proved to hold nor proved broken",
            meaning: "An obstacle kept us from knowing, a proof has become too old, or not all \
                      that is needed was seen.",
            why: "It is no alarm and no assurance. A time-out, a grey-lister or an outage of our \
                  own must not look like either.",
            advice: "Look at the obstacles, and ask `mxwarden explain` about each.",
            reference: STATES,
        },
        State::Violated => &Explanation {
            title: "proved broken",
            meaning: "A finding of severity `violation` was seen, and in the daemon seen again.",
            why: "Mail may go unprotected, or not go at all. One violation outweighs everything \
                  else that was seen.",
            advice: "Each violation says what to do, and what to tell the partner.",
            reference: STATES,
        },
    }
}

/// What a level asks of the receiver.
pub(super) fn level(level: Level) -> &'static Explanation {
    match level {
        Level::Ca => &Explanation {
            title: "TLS, and a certificate of a trusted authority",
            meaning: "The receiver must complete STARTTLS and present a chain that is complete, \
                      in date and ends at a trusted root. Its name is not looked at.",
            why: "`CertificateValidation` at Exchange Online. Anybody can have such a \
                  certificate for a name of his own.",
            advice: "Prefer `name` where the partner's names are known.",
            reference: LEVELS,
        },
        Level::Dane => &Explanation {
            title: "TLS, and a certificate that matches secure TLSA records",
            meaning: "Every MX must have usable, DNSSEC-secure TLSA records and match them.",
            why: "`SmtpDaneMode Mandatory` at Exchange Online, `dane-only` in Postfix. It needs \
                  no authority, and signed DNS at the partner.",
            advice: "This version does not validate DNSSEC: a claim at this level is `unknown`. Look \
                     at the records with `delv TLSA _25._tcp.HOST`.",
            reference: LEVELS,
        },
        Level::Encrypt => &Explanation {
            title: "TLS, with any certificate",
            meaning: "The receiver must complete STARTTLS at the lowest version or better.",
            why: "`EncryptionOnly` at Exchange Online, `encrypt` in Postfix. It keeps out those \
                  who listen, and not those who put themselves in between.",
            advice: "Prefer `name`, once the partner's certificate passes.",
            reference: LEVELS,
        },
        Level::MtaSts => &Explanation {
            title: "TLS, and what the domain's MTA-STS policy says",
            meaning: "The domain must publish a policy in mode `enforce` that lists the MX, and \
                      the MX must pass it.",
            why: "Senders that know MTA-STS protect mail by it without an agreement. Postfix and \
                  Exim do not know it by themselves.",
            advice: "This version does not judge by it: a claim at this level is `unknown`. What the \
                     domain publishes is at `https://mta-sts.DOMAIN/.well-known/mta-sts.txt`.",
            reference: LEVELS,
        },
        Level::Name => &Explanation {
            title: "TLS, a certificate of a trusted authority, and the right name",
            meaning: "As `ca`, and the certificate must match one of `names`, or the MX host's \
                      name where none is given.",
            why: "`DomainValidation` with `TlsDomain` at Exchange Online, `verify` or `secure` \
                  in Postfix. Without `names` over unsigned DNS a forged MX would pass.",
            advice: "Agree with the partner on the names, and put them into `names`.",
            reference: LEVELS,
        },
        Level::Pinned => &Explanation {
            title: "TLS, and a certificate or key that was agreed beforehand",
            meaning: "The receiver must complete STARTTLS and match one of `pins`, the SHA-256 \
                      of its certificate or of its public key.",
            why: "`fingerprint` in Postfix. It needs no authority; each change of key has to be \
                  told before.",
            advice: "Pin the public key, which outlives renewals, and the next one beside it.",
            reference: LEVELS,
        },
    }
}

/// What a session reached.
pub(super) fn channel(channel: Channel) -> &'static Explanation {
    match channel {
        Channel::None => &Explanation {
            title: "no session",
            meaning: "The endpoint could not be connected to, or did not greet.",
            why: "Nothing is known about its TLS.",
            advice: "Look at the obstacles of the endpoint.",
            reference: REPORT,
        },
        Channel::Plain => &Explanation {
            title: "a session in clear, and no TLS",
            meaning: "STARTTLS was not offered, was refused, or its handshake failed.",
            why: "Mail could be handed to it in clear alone.",
            advice: "Look at the findings of the endpoint: `starttls-not-offered`, \
                     `starttls-refused` or `starttls-broken`.",
            reference: REPORT,
        },
        Channel::Encrypted => &Explanation {
            title: "TLS, with a certificate that does not pass",
            meaning: "The handshake was completed; chain or dates of the certificate are not \
                      good.",
            why: "Enough for `encrypt`. It is not known whom one speaks to.",
            advice: "Look at the `cert-…` findings of the endpoint.",
            reference: REPORT,
        },
        Channel::Trusted => &Explanation {
            title: "TLS, with a certificate of a trusted authority",
            meaning: "Chain and dates are good; the name is not the required one.",
            why: "Enough for `ca`, and not for `name`.",
            advice: "Compare the certificate's names with `names`.",
            reference: REPORT,
        },
        Channel::Matched => &Explanation {
            title: "TLS, with a certificate that is trusted and for the right name",
            meaning: "Chain, dates and name are good.",
            why: "Enough for `name`, and the best that a session can reach.",
            advice: "Nothing.",
            reference: REPORT,
        },
    }
}
