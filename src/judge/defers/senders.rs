//! What each saying of a sender means: a dictionary.
//!
//! Invariant: a rule is said to have held only where the sender would have delivered without it.

use super::{Saying, Speaker};
use crate::model::explain::Explanation;

const NDR: &str = "Microsoft: NDR codes of Exchange Online";
const LEVELS: &str = "Postfix: postconf(5), smtp_tls_security_level";
const EXIM: &str = "Exim: the smtp transport, hosts_require_tls";

/// Everything that is known.
pub(super) static SAYINGS: &[Saying] = &[
    Saying {
        class: "certificate",
        by: Speaker::Exchange,
        explanation: Explanation {
            title: "the sender did not accept the receiver's certificate",
            meaning: "Exchange Online finished the handshake, did not accept the certificate, and went away without MAIL. Whether chain, dates or name failed this text does not say: it would stand between `[Message=` and `]`.",
            why: "A connector that demands a certificate that passes held.",
            advice: "Paste the whole text, with everything in brackets. If it is a canary, that is what was wanted; if it is a partner, `mxwarden check DOMAIN` shows what is wrong.",
            reference: NDR,
        },
    },
    Saying {
        class: "certificate-chain",
        by: Speaker::Exchange,
        explanation: Explanation {
            title: "the sender did not accept the receiver's certificate chain",
            meaning: "Exchange Online finished the handshake, could not follow the receiver's certificate to a root it trusts, and went away without MAIL.",
            why: "A connector that demands a certificate of a trusted authority held.",
            advice: "If it is a canary, that is what was wanted. If it is a partner, tell its operator to send the whole chain; `mxwarden check DOMAIN` shows what is missing.",
            reference: NDR,
        },
    },
    Saying {
        class: "certificate-expired",
        by: Speaker::Exchange,
        explanation: Explanation {
            title: "the receiver's certificate is out of date",
            meaning: "Exchange Online finished the handshake, found the certificate expired, and went away without MAIL.",
            why: "A connector that demands a certificate in date held.",
            advice: "If it is a canary, that is what was wanted. If it is a partner, tell its operator to renew; `mxwarden check DOMAIN` shows the dates.",
            reference: NDR,
        },
    },
    Saying {
        class: "certificate-name",
        by: Speaker::Exchange,
        explanation: Explanation {
            title: "the receiver's certificate is for another name",
            meaning: "Exchange Online compared the certificate with the connector's TlsDomain, found no match, and went away without MAIL.",
            why: "DomainValidation held. For a partner's real receiver it means that mail has stopped.",
            advice: "Compare TlsDomain (`Get-OutboundConnector | Format-List Name,TlsDomain`) with the names `mxwarden check DOMAIN` shows, and agree on one with the partner.",
            reference: NDR,
        },
    },
    Saying {
        class: "certificate-revocation",
        by: Speaker::Exchange,
        explanation: Explanation {
            title: "the receiver's certificate is revoked, or that could not be looked up",
            meaning: "Exchange Online finished the handshake, asked whether the certificate was revoked, did not like the answer or got none, and went away without MAIL.",
            why: "A connector that demands a certificate that passes held. `RevocationOffline` says nothing against the certificate: its list could not be had.",
            advice: "Tell the operator: a revoked certificate must be replaced at once; for one whose list cannot be had, ask its issuer.",
            reference: NDR,
        },
    },
    Saying {
        class: "dane-dnssec",
        by: Speaker::Exchange,
        explanation: Explanation {
            title: "DNSSEC of the receiver's domain is broken",
            meaning: "The domain is signed, and Exchange Online found an answer that does not validate; it does not deliver on forged or broken DNS.",
            why: "It is the way of DANE, which Exchange Online goes by itself. It says nothing of a connector.",
            advice: "Tell the operator of the domain; `delv MX DOMAIN` and `delv TLSA _25._tcp.HOST` show which answer fails.",
            reference: "RFC 7672 §2.1.1",
        },
    },
    Saying {
        class: "dane-expired",
        by: Speaker::Exchange,
        explanation: Explanation {
            title: "the receiver does DANE, and its certificate is out of date",
            meaning: "The domain publishes TLSA records, and Exchange Online found the certificate behind them expired.",
            why: "It is the way of DANE, which Exchange Online goes by itself. It says nothing of a connector.",
            advice: "Tell the operator to renew, with the new TLSA record published before; `mxwarden check DOMAIN` shows the dates.",
            reference: NDR,
        },
    },
    Saying {
        class: "dane-name",
        by: Speaker::Exchange,
        explanation: Explanation {
            title: "the receiver does DANE, and its certificate is for another name",
            meaning: "The domain publishes TLSA records that ask for a matching name, and the certificate does not name the host.",
            why: "It is the way of DANE, which Exchange Online goes by itself. It says nothing of a connector.",
            advice: "Tell the operator: with usage DANE-TA(2) the certificate must name the MX host; `3 1 1` records do not ask for a name.",
            reference: "RFC 7672 §3.2.2",
        },
    },
    Saying {
        class: "dane-no-starttls",
        by: Speaker::Exchange,
        explanation: Explanation {
            title: "the receiver publishes TLSA records and has no usable STARTTLS",
            meaning: "The domain publishes TLSA records, so that every sender that does DANE insists on TLS. Exchange Online found no STARTTLS, or one whose handshake failed, and did not deliver.",
            why: "It is the way of DANE, which Exchange Online goes by itself: it says nothing of a connector, and a canary without TLSA records may still show that none forces TLS.",
            advice: "If it is a partner, tell its operator: STARTTLS also vanishes where the server's certificate cannot be loaded. `mxwarden check DOMAIN` shows what is offered.",
            reference: "RFC 7672 §2.2",
        },
    },
    Saying {
        class: "dane-tlsa",
        by: Speaker::Exchange,
        explanation: Explanation {
            title: "the receiver's TLSA records do not match, or cannot be used",
            meaning: "The domain publishes TLSA records, and Exchange Online found none that fits the certificate shown.",
            why: "It is the way of DANE, which Exchange Online goes by itself. It says nothing of a connector. Mail waits until records and certificate agree, and comes back after a day.",
            advice: "Tell the operator which of the two changed; `delv TLSA _25._tcp.HOST` shows the records.",
            reference: "RFC 7672 §2.2",
        },
    },
    Saying {
        class: "expired",
        by: Speaker::Exchange,
        explanation: Explanation {
            title: "the message waited until its time was over",
            meaning: "Exchange Online tried for a day, or what MessageExpiration says, and gave up.",
            why: "It says that nothing was delivered, and not why: the last defer before it does.",
            advice: "Look at the Defer events of the message with `Get-MessageTraceDetailV2`, and explain their reason.",
            reference: NDR,
        },
    },
    Saying {
        class: "handshake",
        by: Speaker::Exchange,
        explanation: Explanation {
            title: "the TLS handshake failed",
            meaning: "STARTTLS was agreed, and no TLS session came of it.",
            why: "It does not show which rule would have held after it, nor that a later attempt is not made in clear.",
            advice: "Look at the receiver with `mxwarden check --deep DOMAIN`: versions, suites and certificate.",
            reference: NDR,
        },
    },
    Saying {
        class: "lost",
        by: Speaker::Exchange,
        explanation: Explanation {
            title: "the receiver closed the connection",
            meaning: "The session ended in the middle, by the receiver's doing or the network's.",
            why: "It proves nothing about TLS.",
            advice: "Try again later, and look at the receiver's log at that time.",
            reference: NDR,
        },
    },
    Saying {
        class: "mta-sts",
        by: Speaker::Exchange,
        explanation: Explanation {
            title: "the receiver did not meet its own MTA-STS policy",
            meaning: "The domain publishes a policy in mode enforce, and the MX is not in it or its certificate does not pass.",
            why: "The policy held. It says nothing of a connector.",
            advice: "Tell the operator to compare `mx:` of the policy with the MX records, and the certificate with the MX name.",
            reference: "RFC 8461 §5",
        },
    },
    Saying {
        class: "no-starttls",
        by: Speaker::Exchange,
        explanation: Explanation {
            title: "the receiver offers no STARTTLS, and the sender demands it",
            meaning: "Exchange Online found no STARTTLS in the reply to EHLO and went away without MAIL. A 451 in the text is its own and not the receiver's.",
            why: "What forces TLS for this mail held: the connector, or a mail flow rule.",
            advice: "If it is a canary, that is what was wanted. If it is a partner, tell its operator: STARTTLS also vanishes where the server's certificate cannot be loaded.",
            reference: NDR,
        },
    },
    Saying {
        class: "unclear",
        by: Speaker::Exchange,
        explanation: Explanation {
            title: "the receiver could not be used, and the text does not say why",
            meaning: "4.4.317 stands for a connection that did not come to mail. What is between `[Message=` and `]` tells the reason, and is not there or not known.",
            why: "It proves neither that a rule held nor that it did not.",
            advice: "Paste the whole text, with everything in brackets.",
            reference: NDR,
        },
    },
    Saying {
        class: "unreachable",
        by: Speaker::Exchange,
        explanation: Explanation {
            title: "the receiver could not be reached",
            meaning: "DNS did not answer, or the connection was refused or timed out.",
            why: "It proves nothing about TLS.",
            advice: "Look at DNS and reachability with `mxwarden check DOMAIN`.",
            reference: NDR,
        },
    },
    Saying {
        class: "weak-cipher",
        by: Speaker::Exchange,
        explanation: Explanation {
            title: "the receiver's cipher is too weak for the sender",
            meaning: "Exchange finished the handshake with a suite of fewer than 128 bits and went away without MAIL.",
            why: "What forces TLS for this mail held.",
            advice: "Tell the receiver's operator to allow current suites; `mxwarden check --deep DOMAIN` shows what it offers.",
            reference: NDR,
        },
    },
    Saying {
        class: "certificate",
        by: Speaker::Postfix,
        explanation: Explanation {
            title: "Postfix did not accept the receiver's certificate",
            meaning: "Postfix finished the handshake, found that the certificate does not pass, and left without MAIL. Whether chain, dates or name failed stands in its log. It tries the next MX and keeps the message.",
            why: "The level (`verify`, `secure`, `fingerprint` or `dane-only`) that is set for this destination held.",
            advice: "If it is a canary, that is what was wanted. If it is a partner, `mxwarden check DOMAIN` shows what is wrong; with hosted mail `secure` needs `match=` for the provider's name.",
            reference: LEVELS,
        },
    },
    Saying {
        class: "handshake",
        by: Speaker::Postfix,
        explanation: Explanation {
            title: "the TLS handshake of Postfix failed",
            meaning: "The host answered 220 to STARTTLS, and no TLS session came of it. Postfix puts the message off, whatever its level.",
            why: "It proves nothing yet: with level `may` Postfix says the same at first, and delivers in clear at a later attempt, some ten minutes after with its own timers.",
            advice: "Look at the later attempts in the log, and at the receiver with `mxwarden check --deep DOMAIN`.",
            reference: LEVELS,
        },
    },
    Saying {
        class: "lost",
        by: Speaker::Postfix,
        explanation: Explanation {
            title: "the receiver closed the connection at STARTTLS",
            meaning: "Postfix said STARTTLS, and the connection ended without a reply. It puts the message off, whatever its level.",
            why: "It proves nothing about TLS: an opportunistic Postfix does the same, and may deliver in clear to the next MX.",
            advice: "Look at the receiver's log at that time, and at `mxwarden check DOMAIN`.",
            reference: LEVELS,
        },
    },
    Saying {
        class: "no-starttls",
        by: Speaker::Postfix,
        explanation: Explanation {
            title: "the receiver offers no STARTTLS, and Postfix demands it",
            meaning: "Postfix found no STARTTLS in the EHLO reply of the host it names, and left without MAIL. It tries the next MX and keeps the message. These are its own words, not the receiver's.",
            why: "What forces TLS for this destination held: a level of `encrypt` or better, or TLSA records where the level is `dane`. It says nothing of how certificates are looked at.",
            advice: "If it is a canary, that is what was wanted. If it is a partner, tell its operator; `mxwarden check DOMAIN` shows what is offered.",
            reference: LEVELS,
        },
    },
    Saying {
        class: "starttls-refused",
        by: Speaker::Postfix,
        explanation: Explanation {
            title: "the receiver refused STARTTLS, and Postfix demands it",
            meaning: "The host offered STARTTLS and answered it with the reply behind the colon; Postfix left without MAIL. With a 4 in front it tries again, with a 5 it bounces the message at once.",
            why: "What forces TLS for this destination held: a level of `encrypt` or better, or TLSA records where the level is `dane`.",
            advice: "If it is a canary, that is what was wanted. If it is a partner, tell its operator the reply: its certificate or key cannot be loaded, most often.",
            reference: LEVELS,
        },
    },
    Saying {
        class: "certificate",
        by: Speaker::Exim,
        explanation: Explanation {
            title: "Exim did not accept the receiver's certificate",
            meaning: "Exim looked at the certificate as `tls_verify_hosts` demands, and left.",
            why: "Where the message was put off with these words, the rule held. Where `hosts_require_tls` does not name the host as well, Exim may deliver in clear right after: the log's next line tells.",
            advice: "Look at what became of the message. If it is a partner, `mxwarden check DOMAIN` shows what is wrong with the certificate.",
            reference: "Exim: the smtp transport, tls_verify_hosts",
        },
    },
    Saying {
        class: "dane",
        by: Speaker::Exim,
        explanation: Explanation {
            title: "DANE did not hold, and Exim did not deliver",
            meaning: "The receiver's domain publishes TLSA records, and the certificate matches none of them.",
            why: "DANE held. Exim does it by itself where its resolver validates: it says nothing of `hosts_require_tls`.",
            advice: "Tell the operator which of the two changed; `delv TLSA _25._tcp.HOST` shows the records.",
            reference: "RFC 7672 §2.2",
        },
    },
    Saying {
        class: "dane-lookup",
        by: Speaker::Exim,
        explanation: Explanation {
            title: "the receiver's TLSA records could not be looked up",
            meaning: "DNS gave no answer for the TLSA records, so Exim did not even connect.",
            why: "It proves nothing about a rule for TLS: it is DNS that failed.",
            advice: "Look at DNS with `delv TLSA _25._tcp.HOST`; a name server that does not answer for TLSA is the usual cause.",
            reference: "RFC 7672 §2.1.1",
        },
    },
    Saying {
        class: "delivered-in-clear",
        by: Speaker::Exim,
        explanation: Explanation {
            title: "Exim gave up TLS and delivers in clear",
            meaning: "The handshake failed, and since the host is not in `hosts_require_tls` Exim hands the message over in clear, on a second connection.",
            why: "TLS is not forced for this host. Whoever can break the handshake can read the mail.",
            advice: "Agree on the date with the partner and see that its TLS works (`mxwarden check DOMAIN`), since mail waits from then on where it does not; then put the host into `hosts_require_tls` of the transport.",
            reference: EXIM,
        },
    },
    Saying {
        class: "expired",
        by: Speaker::Exim,
        explanation: Explanation {
            title: "the message waited until its time was over",
            meaning: "Exim tried as long as its retry rules say, and gave up.",
            why: "It says that nothing was delivered to this host of late, and not why: the lines of the log before it do.",
            advice: "Look at the log for the message's id (`exigrep ID`), and explain the reason that stands there.",
            reference: "Exim: retry configuration",
        },
    },
    Saying {
        class: "handshake",
        by: Speaker::Exim,
        explanation: Explanation {
            title: "the TLS handshake of Exim failed",
            meaning: "The host answered 220 to STARTTLS, and no TLS session came of it; what stands behind the brackets is the library's reason.",
            why: "It proves nothing by itself: where `hosts_require_tls` names the host the message is put off, and where it does not Exim delivers in clear right after.",
            advice: "Look at what became of the message, and at the receiver with `mxwarden check --deep DOMAIN`.",
            reference: EXIM,
        },
    },
    Saying {
        class: "lost",
        by: Speaker::Exim,
        explanation: Explanation {
            title: "the receiver closed the connection at STARTTLS",
            meaning: "Exim said STARTTLS, and the connection ended without a reply. It puts the message off, whatever its settings.",
            why: "It proves nothing about TLS: an opportunistic Exim does the same, and delivers in clear to the next MX.",
            advice: "Look at the receiver's log at that time, and at `mxwarden check DOMAIN`.",
            reference: EXIM,
        },
    },
    Saying {
        class: "no-starttls",
        by: Speaker::Exim,
        explanation: Explanation {
            title: "the receiver offers no STARTTLS, and Exim demands it",
            meaning: "Exim found no STARTTLS in the reply to EHLO and left without MAIL. It tries the next MX and keeps the message. These are its own words, not the receiver's.",
            why: "What forces TLS for this host held: `hosts_require_tls`, or TLSA records, which Exim goes by where its resolver validates.",
            advice: "If it is a canary, that is what was wanted. If it is a partner, tell its operator; `mxwarden check DOMAIN` shows what is offered.",
            reference: EXIM,
        },
    },
    Saying {
        class: "starttls-refused",
        by: Speaker::Exim,
        explanation: Explanation {
            title: "TLS could not be started, and Exim demands it",
            meaning: "Exim could not start TLS with the host (it refused STARTTLS, most often) and left without MAIL. It keeps the message. These are its own words, not the receiver's.",
            why: "What forces TLS for this host held: `hosts_require_tls`, or TLSA records, which Exim goes by where its resolver validates.",
            advice: "If it is a canary, that is what was wanted. If it is a partner, tell its operator; `mxwarden check DOMAIN` shows what STARTTLS is answered with.",
            reference: EXIM,
        },
    },
    Saying {
        class: "no-starttls",
        by: Speaker::SendGrid,
        explanation: Explanation {
            title: "the receiver does no TLS, and SendGrid's settings demand it",
            meaning: "SendGrid dropped the message and made a block event of it. These are its own words, not the receiver's.",
            why: "The setting for enforced TLS held.",
            advice: "If it is a partner, tell its operator; `mxwarden check DOMAIN` shows what is offered.",
            reference: "SendGrid: enforced TLS, require_tls",
        },
    },
    Saying {
        class: "expired",
        by: Speaker::Sender,
        explanation: Explanation {
            title: "the message waited until its time was over",
            meaning: "The sending system tried as long as it keeps mail, and gave up.",
            why: "It says that nothing was delivered, and not why: the last defer before it does.",
            advice: "Look at what the sending system says of the attempts before, and explain that.",
            reference: "RFC 3463 §3.5",
        },
    },
];
