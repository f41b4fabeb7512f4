//! The canary personalities, explained.

use super::Explanation;
use crate::model::canary::Personality;

const REFERENCE: &str = "mxwarden contract §4";

/// What one of our receivers does wrong, and what a sender should do.
pub(super) fn personality(personality: Personality) -> &'static Explanation {
    match personality {
        Personality::DaneMismatch => &Explanation {
            title: "a canary whose certificate matches none of its TLSA records",
            meaning: "The certificate passes for the canary's own host, and its domain publishes \
                      DNSSEC-secure TLSA records that say another one.",
            why: "At level `dane` it must not be delivered to. At any other level delivery is \
                  right and told as info.",
            advice: "This version publishes no TLSA records, so it is `not-testable`: leave it out.",
            reference: REFERENCE,
        },
        Personality::Expired => &Explanation {
            title: "a canary whose certificate has expired",
            meaning: "An expired certificate of an otherwise good chain, for the right name.",
            why: "At levels `ca`, `name`, `mta-sts` and `pinned` it must not be delivered to. It \
                  counts only where it ends at the same root as the certificate of `good`.",
            advice: "Keep a certificate of the canary's host after it has ended, and give it \
                     with `certificate` in `[[canary]]`.",
            reference: REFERENCE,
        },
        Personality::Good => &Explanation {
            title: "the canary that does everything right: the control",
            meaning: "STARTTLS, TLS 1.2 and 1.3, and a certificate that passes. The probe to it \
                      must arrive.",
            why: "A refusal at the other canaries means something only when mail to this one got \
                  through in the same round.",
            advice: "Where its probe does not arrive, look at the way there first: submission, \
                     routing, the canary's DNS and port 25 (`mxwarden doctor`).",
            reference: REFERENCE,
        },
        Personality::LegacyTls => &Explanation {
            title: "a canary that speaks only TLS versions below the lowest",
            meaning: "TLS 1.0 and 1.1 (and TLS 1.2, where `min_version` is 1.3), with a \
                      certificate that passes for its host.",
            why: "At every level it must not be delivered to. Many senders that force TLS have \
                  no floor for the version and deliver.",
            advice: "See `mxwarden explain delivered-over-legacy-tls` for the floor.",
            reference: REFERENCE,
        },
        Personality::NoStarttls => &Explanation {
            title: "a canary that does not offer STARTTLS",
            meaning: "Its reply to EHLO lists no STARTTLS, as if somebody on the way had taken \
                      it out.",
            why: "At every level it must not be delivered to: a sender that delivers here sends \
                  in clear whenever TLS is stripped.",
            advice: "See `mxwarden explain delivered-in-plaintext` where it was delivered to.",
            reference: REFERENCE,
        },
        Personality::SelfSigned => &Explanation {
            title: "a canary with a self-signed certificate",
            meaning: "STARTTLS works, and the certificate is signed with its own key.",
            why: "At levels `ca`, `name`, `mta-sts` and `pinned` it must not be delivered to. At \
                  `encrypt` and `dane` delivery is right and told as info.",
            advice: "See `mxwarden explain delivered-over-unverified-tls` where it was delivered \
                     to.",
            reference: REFERENCE,
        },
        Personality::StarttlsBroken => &Explanation {
            title: "a canary whose TLS handshake fails",
            meaning: "It answers 220 to STARTTLS, reads the hello and fails the handshake with a \
                      fatal alert.",
            why: "At every level it must not be delivered to. Leaving once is no refusal: \
                  opportunistic senders leave too, and deliver in clear later.",
            advice: "Leave `attempts` of `[connector.timing]` at 2 or more; see `mxwarden \
                     explain delivered-in-plaintext` where it was delivered to.",
            reference: REFERENCE,
        },
        Personality::StarttlsRefused => &Explanation {
            title: "a canary that offers STARTTLS and refuses it",
            meaning: "It lists STARTTLS and answers the command 454.",
            why: "At every level it must not be delivered to. Opportunistic senders go on in \
                  clear in the same connection.",
            advice: "See `mxwarden explain delivered-in-plaintext` where it was delivered to.",
            reference: REFERENCE,
        },
        Personality::UnknownCa => &Explanation {
            title: "a canary with a chain to a root that nobody trusts",
            meaning: "STARTTLS works, and the certificate, for the right name and in date, comes \
                      from an authority of our own making.",
            why: "At levels `ca`, `name`, `mta-sts` and `pinned` it must not be delivered to. At \
                  `encrypt` and `dane` delivery is right and told as info.",
            advice: "See `mxwarden explain delivered-over-unverified-tls` where it was delivered \
                     to.",
            reference: REFERENCE,
        },
        Personality::WrongName => &Explanation {
            title: "a canary with a good certificate for another name",
            meaning: "STARTTLS works, and the certificate passes for a host that this one is \
                      not.",
            why: "At levels `name`, `mta-sts` and `pinned` it must not be delivered to: anybody \
                  can have a good certificate for a name of his own. At `encrypt`, `ca` and \
                  `dane` delivery is right and told as info.",
            advice: "Give it a certificate that ends at the same root as the one of `good`. See \
                     `mxwarden explain delivered-over-unverified-tls` where it was delivered to.",
            reference: REFERENCE,
        },
    }
}
