//! What each class of a defer or reply means: a dictionary.

use super::DeferClass;
use crate::model::{enforcement::ReplyClass, explain::Explanation};

const SOURCE: &str = "Microsoft: NDR codes of Exchange Online";

pub(super) fn defer(class: DeferClass) -> &'static Explanation {
    match class {
        DeferClass::CertificateChain => &Explanation {
            title: "the sender did not accept the receiver's certificate chain",
            meaning: "Exchange Online finished the handshake, could not follow the receiver's certificate to a root it trusts, and went away without MAIL.",
            why: "Its connector, or DANE, demands a certificate that can be verified: of this receiver the rule held.",
            advice: "If it is a canary, that is what was wanted. If it is a partner, tell its operator to send the whole chain; `mxwarden check DOMAIN` shows what is missing.",
            reference: SOURCE,
        },
        DeferClass::CertificateExpired => &Explanation {
            title: "the receiver's certificate is out of date",
            meaning: "Exchange Online finished the handshake, found the certificate expired, and went away without MAIL.",
            why: "The rule that demands a certificate in date held.",
            advice: "If it is a partner, tell its operator to renew; `mxwarden check DOMAIN` shows the dates.",
            reference: SOURCE,
        },
        DeferClass::CertificateName => &Explanation {
            title: "the receiver's certificate is for another name",
            meaning: "Exchange Online compared the certificate with the connector's TlsDomain, found no match, and went away without MAIL.",
            why: "DomainValidation held. For a partner's real receiver it means that mail has stopped.",
            advice: "Compare TlsDomain (`Get-OutboundConnector | Format-List Name,TlsDomain`) with the names `mxwarden check DOMAIN` shows, and agree on one with the partner.",
            reference: SOURCE,
        },
        DeferClass::Dane => &Explanation {
            title: "DANE did not hold",
            meaning: "The receiver's domain publishes TLSA records, and Exchange Online found them, their DNSSEC or the certificate not as they must be.",
            why: "Mail waits until records and certificate agree, and comes back after a day.",
            advice: "Tell the operator which of the two changed; `delv TLSA _25._tcp.HOST` shows the records.",
            reference: "RFC 7672 §2.2",
        },
        DeferClass::Expired => &Explanation {
            title: "the message waited until its time was over",
            meaning: "Exchange Online tried for a day, or what MessageExpiration says, and gave up.",
            why: "It says that nothing was delivered, and not why: the last defer before it does.",
            advice: "Look at the Defer events of the message with `Get-MessageTraceDetailV2`, and explain their reason.",
            reference: SOURCE,
        },
        DeferClass::Handshake => &Explanation {
            title: "the TLS handshake failed",
            meaning: "STARTTLS was agreed, and no TLS session came of it.",
            why: "Where TLS is forced the message waits. It does not show which rule would have held after it.",
            advice: "Look at the receiver with `mxwarden check --deep DOMAIN`: versions, suites and certificate.",
            reference: SOURCE,
        },
        DeferClass::Lost => &Explanation {
            title: "the receiver closed the connection",
            meaning: "The session ended in the middle, by the receiver's doing or the network's.",
            why: "It proves nothing about TLS.",
            advice: "Try again later, and look at the receiver's log at that time.",
            reference: SOURCE,
        },
        DeferClass::MtaSts => &Explanation {
            title: "the receiver did not meet its own MTA-STS policy",
            meaning: "The domain publishes a policy in mode enforce, and the MX is not in it or its certificate does not pass.",
            why: "The policy held.",
            advice: "Tell the operator to compare `mx:` of the policy with the MX records, and the certificate with the MX name.",
            reference: "RFC 8461 §5",
        },
        DeferClass::NoStarttls => &Explanation {
            title: "the receiver offers no STARTTLS, and the sender demands it",
            meaning: "Exchange Online found no STARTTLS in the reply to EHLO and went away without MAIL. The 451 in the text is its own.",
            why: "The connector that forces TLS held.",
            advice: "If it is a canary, that is what was wanted. If it is a partner, tell its operator: STARTTLS also vanishes where the server's certificate cannot be loaded.",
            reference: SOURCE,
        },
        DeferClass::Unclear => &Explanation {
            title: "the receiver could not be used, and the text does not say why",
            meaning: "4.4.317 stands for a connection that did not come to mail. What is between `[Message=` and `]` tells the reason, and is not there or not known.",
            why: "It proves neither that a rule held nor that it did not.",
            advice: "Paste the whole text, with everything in brackets.",
            reference: SOURCE,
        },
        DeferClass::Unreachable => &Explanation {
            title: "the receiver could not be reached",
            meaning: "DNS did not answer, or the connection was refused or timed out.",
            why: "It proves nothing about TLS.",
            advice: "Look at DNS and reachability with `mxwarden check DOMAIN`.",
            reference: SOURCE,
        },
    }
}

pub(super) fn reply(class: ReplyClass) -> &'static Explanation {
    const SOURCE: &str = "RFC 5321 §4.2";
    match class {
        ReplyClass::CertificateOrAddress => &Explanation {
            title: "refused: a connector asks for a certificate or an address",
            meaning: "The receiver has a rule for this sender that is restricted to a client certificate or to networks, and neither fits. Which of the two it does not say.",
            why: "The restriction holds for this session.",
            advice: "If you are the partner, present the agreed certificate with its whole chain, or send from the agreed network.",
            reference: "Microsoft: Set-InboundConnector, RestrictDomainsToCertificate",
        },
        ReplyClass::CertificateRequired => &Explanation {
            title: "refused: a client certificate is asked for",
            meaning: "The receiver wants a client certificate that it accepts.",
            why: "The rule that asks for one holds for this session.",
            advice: "Present the agreed certificate with its whole chain.",
            reference: SOURCE,
        },
        ReplyClass::Greylisted => &Explanation {
            title: "put off: the sender is new",
            meaning: "The receiver takes mail of strangers at the second attempt only.",
            why: "It proves nothing about TLS.",
            advice: "Try again after the time it names, or after a quarter of an hour.",
            reference: "RFC 6647 §2",
        },
        ReplyClass::PolicyOther => &Explanation {
            title: "refused by another rule, or by trouble of the receiver's own",
            meaning: "The receiver refuses for a reason that has nothing to do with TLS.",
            why: "It proves nothing about TLS: the same mail might be refused over any connection.",
            advice: "Look at the text for the reason, and at the receiver's log.",
            reference: SOURCE,
        },
        ReplyClass::RateLimited => &Explanation {
            title: "put off: too much at once",
            meaning: "The receiver limits connections or messages.",
            why: "It proves nothing about TLS.",
            advice: "Try again later and less often.",
            reference: SOURCE,
        },
        ReplyClass::RecipientUnknown => &Explanation {
            title: "refused: no such recipient",
            meaning: "The receiver knows no such mailbox.",
            why: "It proves nothing about TLS.",
            advice: "Probe with a mailbox that exists.",
            reference: SOURCE,
        },
        ReplyClass::RelayDenied => &Explanation {
            title: "refused: the receiver does not relay",
            meaning: "The recipient's domain is none of the receiver's, or the sender may not send through it.",
            why: "It proves nothing about TLS.",
            advice: "Check that the MX is the one of the recipient's domain.",
            reference: SOURCE,
        },
        ReplyClass::Reputation => &Explanation {
            title: "refused: for who the sender is thought to be",
            meaning: "The receiver thinks little of the sender's address, name or message.",
            why: "It proves nothing about TLS.",
            advice: "Probe from a static IPv4 address with a PTR record that agrees with the EHLO name.",
            reference: SOURCE,
        },
        ReplyClass::TlsRequired => &Explanation {
            title: "refused: TLS is asked for",
            meaning: "The receiver does not take this mail without TLS, or without enough of it.",
            why: "The rule that forces TLS holds for this session.",
            advice: "Where it was a probe in clear, that is what was wanted.",
            reference: "RFC 3207 §4",
        },
        ReplyClass::Unrecognised => &Explanation {
            title: "no words that are known",
            meaning: "The text is a reply, and no row of the table knows what it is about.",
            why: "What it proves is not decided by it.",
            advice: "Where you know what it means, say so with `[[reply]]` in the configuration.",
            reference: SOURCE,
        },
    }
}
