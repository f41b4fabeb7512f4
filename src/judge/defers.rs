//! Why Exchange Online did not deliver, by a table of what it says (`defers.txt`); and any reply that was pasted.
//!
//! 1. A defer's reason is taken out of the trace it stands in: `{LED=…};{MSG=…};{FQDN=…};{IP=…};{LRT=…}`.
//! 2. The table is asked, from the most specific row down; what it does not know is asked as a receiver's reply.
//!
//! Invariant: a transport that failed is never taken for a policy that held.

use super::replies::ReplyTable;
use crate::model::{enforcement::ReplyClass, explain::Explanation, session::Phase};
use crate::wire::{
    enhanced_status::EnhancedStatus,
    smtp::{ExchangeTrailer, Reply},
};

mod words;

const TABLE: &str = include_str!("defers.txt");

/// What kept a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeferClass {
    /// The certificate's chain.
    CertificateChain,
    /// Its dates.
    CertificateExpired,
    /// Its name.
    CertificateName,
    /// DANE.
    Dane,
    /// The message's time was over.
    Expired,
    /// The handshake failed.
    Handshake,
    /// The connection was lost.
    Lost,
    /// MTA-STS.
    MtaSts,
    /// There is no STARTTLS.
    NoStarttls,
    /// It does not say.
    Unclear,
    /// The receiver cannot be reached.
    Unreachable,
}

impl DeferClass {
    /// Every class with its word, in alphabetical order.
    pub const ALL: [(&'static str, Self); 11] = [
        ("certificate-chain", Self::CertificateChain),
        ("certificate-expired", Self::CertificateExpired),
        ("certificate-name", Self::CertificateName),
        ("dane", Self::Dane),
        ("expired", Self::Expired),
        ("handshake", Self::Handshake),
        ("lost", Self::Lost),
        ("mta-sts", Self::MtaSts),
        ("no-starttls", Self::NoStarttls),
        ("unclear", Self::Unclear),
        ("unreachable", Self::Unreachable),
    ];
}

/// What a pasted text turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pasted {
    /// What it is about, in a word.
    pub class: &'static str,
    /// What that means.
    pub explanation: &'static Explanation,
    /// What the text names besides: a server, an address, the session by which support finds it.
    pub details: Vec<(&'static str, String)>,
}

/// Explains a reply, a defer's reason or the diagnosis of an NDR; none where the text is none of these.
pub fn explain(text: &str, table: &ReplyTable) -> Option<Pasted> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let reason = between(&text, "LED=", "}").unwrap_or(&text);
    let (code, rest) = code(reason)?;
    let mut details = details(&text, reason);
    if let Some(class) = classify(reason) {
        let explanation = words::defer(class);
        let class =
            DeferClass::ALL.iter().find(|(_, known)| *known == class).map_or("", |(word, _)| word);
        return Some(Pasted { class, explanation, details });
    }
    let reply = Reply { code, lines: vec![rest.to_owned()] };
    let classified = table.classify(&reply, Phase::Rcpt);
    if let Some(source) = classified.line.filter(|_| classified.class != ReplyClass::Unrecognised) {
        details.push(("Known from", source.to_owned()));
    }
    let class = classified.class;
    Some(Pasted { class: class.as_str(), explanation: words::reply(class), details })
}

/// What a defer's reason, or an NDR's, is about; none where the table does not know it.
pub fn classify(reason: &str) -> Option<DeferClass> {
    let lower = reason.to_lowercase();
    let status = enhanced(reason);
    TABLE.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).find_map(
        |line| {
            let mut columns = line.split(" | ");
            let (class, wanted, pattern) = (columns.next()?, columns.next()?, columns.next()?);
            let has_status = wanted == "*"
                || status.is_some_and(|status| {
                    format!("{}.{}", status.subject, status.detail) == wanted
                });
            let is_in = pattern == "*" || lower.contains(&pattern.to_lowercase());
            let class = DeferClass::ALL.iter().find(|(word, _)| *word == class)?.1;
            (has_status && is_in).then_some(class)
        },
    )
}

/// The reply code, and what stands behind it. An enhanced status alone stands for its class.
fn code(reason: &str) -> Option<(u16, &str)> {
    let first = reason.split_whitespace().next()?;
    // NDRs write `#550 5.7.51`, or a dash behind the code.
    let digits = first.trim_start_matches('#').trim_end_matches('-');
    match (digits.len(), digits.parse::<u16>()) {
        (3, Ok(code @ 200..=599)) => Some((code, reason.get(first.len()..)?.trim_start())),
        _ => match EnhancedStatus::leading(digits)?.class {
            class @ (2 | 4 | 5) => Some((u16::from(class) * 100 + 50, reason)),
            _ => None,
        },
    }
}

fn enhanced(reason: &str) -> Option<EnhancedStatus> {
    reason
        .split_whitespace()
        .take(2)
        .find_map(|word| EnhancedStatus::leading(word.trim_start_matches('#')))
}

/// What stands between two marks.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(open)?;
    Some(rest.split_once(close).map_or(rest, |(inner, _)| inner))
}

fn details(text: &str, reason: &str) -> Vec<(&'static str, String)> {
    let mut details = Vec::new();
    let marks = [
        ("Server", "[LastAttemptedServerName=", "]"),
        ("Address", "[LastAttemptedIP=", "]"),
        ("Last retry", "{LRT=", "}"),
    ];
    for (name, open, close) in marks {
        details.extend(between(text, open, close).map(|value| (name, value.to_owned())));
    }
    if let Some((_, trailer)) = ExchangeTrailer::cut(reason) {
        details.push(("Session", trailer.to_string()));
    }
    details
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn class(text: &str) -> Option<&'static str> {
        explain(text, &ReplyTable::built_in()).map(|pasted| pasted.class)
    }

    #[test]
    fn what_exchange_online_says_is_known() {
        #[track_caller]
        fn check(text: &str, expect: &str) {
            assert_eq!(class(text), Some(expect), "{text}");
        }
        check(
            "450 4.4.317 Cannot connect to remote server [Message=451 5.7.3 STARTTLS is required to send mail]",
            "no-starttls",
        );
        check(
            "450 4.4.317 Cannot connect to remote server [Message=SubjectMismatch Expected Subject: *.contoso.com. Presented Subject: CN=ExchangeServer01. Thumbprint: D0AC] [LastAttemptedServerName=mail.contoso.com] [LastAttemptedIP=192.0.2.1:25] [SmtpSecurity=-1;-1]",
            "certificate-name",
        );
        check(
            "450 4.4.317 Cannot connect to remote server [Message=UntrustedRoot]",
            "certificate-chain",
        );
        check(
            "450 4.7.320 Certificate validation failed [Message=SubjectMismatch]",
            "certificate-name",
        );
        check("450 4.7.320 Certificate validation failed", "certificate-chain");
        check("450 4.4.318 Connection was closed abruptly (SuspiciousRemoteServerError)", "lost");
        check("450 4.4.312 DNS query failed", "unreachable");
        check("450 4.4.316 Connection refused [Message=Socket error code 10061]", "unreachable");
        check(
            "5.7.321 starttls-not-supported: Destination mail server must support TLS to receive mail.",
            "no-starttls",
        );
        check("550 5.7.323 tlsa-invalid: x", "dane");
        check("5.4.8 MX hosts of contoso.com failed MTA-STS validation", "mta-sts");
        check("550 4.4.7 QUEUE.Expired; message expired", "expired");
        check("450 4.4.317 Cannot connect to remote server", "unclear");
        check(
            "Reason: [{LED=450 4.7.320 Certificate validation failed [Message=SubjectMismatch] [LastAttemptedServerName=mail.contoso.com]};{MSG=SubjectMismatch};{FQDN=mail.contoso.com};{IP=192.0.2.1};{LRT=11/1/2017 12:12:45 PM}]. OutboundProxyTargetIP: ",
            "certificate-name",
        );
        // What a receiver says is asked of the other table.
        check(
            "550 5.7.51 TenantInboundAttribution; There is a partner connector configured that matched the message's recipient domain. [CH3PEPF00000016.namprd21.prod.outlook.com 2025-01-29T19:07:30.476Z 08DD3FA5DBC8F401]",
            "certificate-or-address",
        );
        check("450 4.7.1 Session encryption is required", "tls-required");
        check("#550 5.1.1 User unknown", "recipient-unknown");
        check("250 2.0.0 Ok", "unrecognised");
        for none in ["", "cert-expired", "hello there", "12 monkeys", "999 no"] {
            assert_eq!(class(none), None, "{none}");
        }
    }

    #[test]
    fn what_a_text_names_besides_is_told() {
        let text = "{LED=450 4.7.320 Certificate validation failed [LastAttemptedServerName=mail.contoso.com] [LastAttemptedIP=192.0.2.1:25]};{LRT=x}";
        let pasted = explain(text, &ReplyTable::built_in()).unwrap();
        let expect =
            [("Server", "mail.contoso.com"), ("Address", "192.0.2.1:25"), ("Last retry", "x")];
        assert_eq!(pasted.details, expect.map(|(name, value)| (name, value.to_owned())));
    }

    #[test]
    fn every_row_is_read() {
        for line in TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let columns: Vec<&str> = line.split(" | ").collect();
            assert_eq!(columns.len(), 4, "{line}");
            assert!(DeferClass::ALL.iter().any(|(word, _)| *word == columns[0]), "{line}");
            let status = if columns[1] == "*" { "7.0" } else { columns[1] };
            let pattern = if columns[2] == "*" { "" } else { columns[2] };
            assert!(classify(&format!("450 4.{status} {pattern}")).is_some(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_pasted_panics(text in ".{0,200}") {
            let _ = explain(&text, &ReplyTable::built_in());
        }
    }
}
