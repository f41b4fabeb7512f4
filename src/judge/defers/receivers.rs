//! What each class of a reply means, and what receivers say in more words: a dictionary.
//!
//! Invariant: what is said here is told and never judged by; `replies.txt` is.

use super::{Saying, Speaker};
use crate::model::{enforcement::ReplyClass, explain::Explanation};

const RECEIVER: Speaker = Speaker::Receiver;

/// What begins with 2 or 3.
pub(super) static NO_REFUSAL: Saying = Saying {
    class: "no-refusal",
    by: RECEIVER,
    explanation: Explanation {
        title: "a reply that refuses nothing",
        meaning: "What begins with 2 says yes to the command before it; what begins with 3 waits for more.",
        why: "Which command it was decides: a 250 to the message itself, in clear, shows that TLS is not forced.",
        advice: "Look at the command before it, and at whether STARTTLS came first.",
        reference: "RFC 5321 §4.2",
    },
};

/// Everything that needs more words than its class.
pub(super) static SAYINGS: &[Saying] = &[
    Saying {
        class: "access-denied",
        by: RECEIVER,
        explanation: Explanation {
            title: "refused by an access list, without a reason",
            meaning: "Postfix answers so wherever a list says REJECT: of addresses, of networks, or of client certificates (`check_ccert_access`). The text does not say which.",
            why: "The words alone prove nothing about TLS or certificates. A probe that was refused so counts only where its control was taken.",
            advice: "Look at the receiver's log. If you are the partner, present the agreed certificate, and see that sender and recipient are the agreed ones.",
            reference: "Postfix: access(5)",
        },
    },
    Saying {
        class: "basic-auth-off",
        by: RECEIVER,
        explanation: Explanation {
            title: "refused: the server takes no passwords any more",
            meaning: "Exchange Online does not take a user name and password for handing in mail (SMTP AUTH with basic authentication), for this mailbox or at all.",
            why: "Probes cannot be handed in so. It proves nothing about TLS.",
            advice: "Use `oauth2` in `[connector.submit]` in place of `password_file`; `mxwarden config example` shows how.",
            reference: "mxwarden contract §8",
        },
    },
    Saying {
        class: "direct-send",
        by: RECEIVER,
        explanation: Explanation {
            title: "refused: mail in the tenant's own name is not taken from outside",
            meaning: "The envelope sender lies in one of the tenant's own domains, and the tenant rejects Direct Send.",
            why: "It proves nothing about TLS: the same mail is refused over any connection.",
            advice: "Probe as the partner: `mail_from` of `[connector.probe]` must lie in the partner's domain.",
            reference: "Microsoft: Set-OrganizationConfig, RejectDirectSend",
        },
    },
    Saying {
        class: "login-missing",
        by: RECEIVER,
        explanation: Explanation {
            title: "refused: the sender has not logged in",
            meaning: "The server takes mail of those alone who have logged in, as `smtp.office365.com` does.",
            why: "It proves nothing about TLS.",
            advice: "Where probes are handed in here, give `[connector.submit]` a login: `oauth2` at Exchange Online. Where it was meant to be the MX, check the host and the port.",
            reference: "mxwarden contract §8",
        },
    },
    Saying {
        class: "login-needs-tls",
        by: RECEIVER,
        explanation: Explanation {
            title: "refused: no login without TLS",
            meaning: "The server takes no user name and password in clear. Of mail without a login it says nothing.",
            why: "It does not prove that mail in clear is refused.",
            advice: "Hand in with `smtp+starttls://` or `smtps://` in `[connector.submit]`.",
            reference: "RFC 4954 §6",
        },
    },
    Saying {
        class: "login-refused",
        by: RECEIVER,
        explanation: Explanation {
            title: "refused: the login was not accepted",
            meaning: "User name, password or token do not pass, or the account may not log in this way: Exchange Online has SMTP AUTH off in newer tenants, and under security defaults.",
            why: "Probes cannot be handed in so. It proves nothing about TLS.",
            advice: "At Exchange Online use `oauth2` in `[connector.submit]` rather than a password, and see that the application may send as the mailbox. Elsewhere check `username` and `password_file`.",
            reference: "mxwarden contract §8",
        },
    },
    Saying {
        class: "onward-tls",
        by: RECEIVER,
        explanation: Explanation {
            title: "the receiver could not hand it on: there is no TLS behind it",
            meaning: "These are the words of a mail system that sends. Behind a reply code the receiver repeats them: it asked a server behind it, or hands on while it takes, and that one fell short.",
            why: "It says nothing about what the receiver itself demands of you.",
            advice: "Tell the receiver's operator. If the text was taken out of your own sender's log, paste it without the code in front.",
            reference: "RFC 5321 §4.2",
        },
    },
    Saying {
        class: "requiretls",
        by: RECEIVER,
        explanation: Explanation {
            title: "refused: the message asked for TLS all the way",
            meaning: "The message carries REQUIRETLS, and the server cannot promise to keep it.",
            why: "It is about this message alone, and not about what the receiver demands of others.",
            advice: "Send without REQUIRETLS, or by a server that supports it.",
            reference: "RFC 8689 §5",
        },
    },
    Saying {
        class: "send-as",
        by: RECEIVER,
        explanation: Explanation {
            title: "refused: the account may not send as this sender",
            meaning: "The login passed, and the sender is neither the mailbox itself nor one it may send as.",
            why: "Probes cannot be handed in so. It proves nothing about TLS.",
            advice: "Let `from` in `[connector.submit]` be the mailbox that logs in, or grant it SendAs.",
            reference: "mxwarden contract §8",
        },
    },
    Saying {
        class: "starttls-unavailable",
        by: RECEIVER,
        explanation: Explanation {
            title: "the server cannot start TLS",
            meaning: "It is the answer to STARTTLS of a server that offers it and cannot do it: its certificate or key cannot be loaded, most often.",
            why: "It demands nothing. A sender that forces TLS does not deliver here; one that does not goes on in clear.",
            advice: "Tell the operator the reply and the time; `mxwarden explain starttls-refused` says more.",
            reference: "RFC 3207 §4",
        },
    },
];

/// What a class of the table that judges means.
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
            advice: "Look at the text for the reason, and at the receiver's log. Where it begins with 4, try again later.",
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
            advice: "Where it was a probe in clear, that is what was wanted. Where it was mail, the sending system must use STARTTLS for this receiver, with TLS 1.2 or newer.",
            reference: "RFC 3207 §4",
        },
        ReplyClass::Unrecognised => &Explanation {
            title: "no words that are known",
            meaning: "The text is a reply, and no row of the table knows what it is about.",
            why: "The words alone prove nothing. A probe that was refused so counts only where its control was taken and the same was seen twice.",
            advice: "Ask the receiver's operator. Where you know what it means, say so with `[[reply]]` in the configuration.",
            reference: SOURCE,
        },
    }
}
