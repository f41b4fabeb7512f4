use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

fn told(text: &str) -> Option<(&'static str, Speaker)> {
    explain(text, &ReplyTable::built_in()).map(|pasted| (pasted.class, pasted.by))
}

#[track_caller]
fn check(text: &str, by: Speaker, class: &str) {
    assert_eq!(told(text), Some((class, by)), "{text}");
}

#[test]
fn what_exchange_online_says_of_others() {
    let check = |text, class| check(text, Speaker::Exchange, class);
    check(
        "450 4.4.317 Cannot connect to remote server [Message=451 5.7.3 STARTTLS is required to send mail]",
        "no-starttls",
    );
    check(
        "{LED=451 5.7.3 STARTTLS is required to send mail};{MSG=};{FQDN=mx.contoso.com}",
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
    check("450 4.4.317 Cannot connect to remote server [Message=Expired]", "certificate-expired");
    check("450 4.7.320 Certificate validation failed [Message=Revoked]", "certificate-revocation");
    check(
        "450 4.7.320 Certificate validation failed [Message=SubjectMismatch]",
        "certificate-name",
    );
    // Chain, dates or name: it does not say.
    check("450 4.7.320 Certificate validation failed", "certificate");
    check(
        "{LED=450 4.7.320 Certificate validation failed};{MSG=UntrustedRoot};",
        "certificate-chain",
    );
    check(
        "450 4.4.317 Cannot connect to remote server [Message=Security status InvalidToken]",
        "handshake",
    );
    check("Security status InvalidToken", "handshake");
    check("450 4.4.318 Connection was closed abruptly (SuspiciousRemoteServerError)", "lost");
    check("450 4.4.312 DNS query failed", "unreachable");
    check("450 4.4.315 Connection timed out", "unreachable");
    check("450 4.4.316 Connection refused [Message=Socket error code 10061]", "unreachable");
    check("550 4.4.7 QUEUE.Expired; message expired", "expired");
    check("5.4.300 Message expired", "expired");
    check("550 5.4.317 Message expired, cannot connect to remote server", "unclear");
    check("450 4.4.317 Cannot connect to remote server", "unclear");
    check("450 4.4.317 …", "unclear");
    check(
        "Reason: [{LED=450 4.7.320 Certificate validation failed [Message=SubjectMismatch] [LastAttemptedServerName=mail.contoso.com]};{MSG=SubjectMismatch};{FQDN=mail.contoso.com};{IP=192.0.2.1};{LRT=11/1/2017 12:12:45 PM}]. OutboundProxyTargetIP: ",
        "certificate-name",
    );
    check("Diagnostic-Code: smtp;550 5.4.318 Message expired, connection reset", "lost");
    check("Remote Server returned '550 5.4.312 Message expired, DNS query failed'", "unreachable");
    check("Tls cipher strength is too weak", "weak-cipher");
    check(
        "Connector is configured to send mail only over TLS connections and remote doesn't support TLS",
        "no-starttls",
    );
}

#[test]
fn the_ways_of_dane_and_mta_sts_say_nothing_of_a_connector() {
    let table = ReplyTable::built_in();
    for (text, class) in [
        (
            "4.7.321 starttls-not-supported: Destination mail server must support TLS to receive mail.",
            "dane-no-starttls",
        ),
        (
            "starttls-not-supported: Destination mail server must support TLS to receive mail.",
            "dane-no-starttls",
        ),
        ("5.7.322 certificate-expired", "dane-expired"),
        ("550 5.7.323 tlsa-invalid: x", "dane-tlsa"),
        ("450 4.7.324 dnssec-invalid", "dane-dnssec"),
        (
            "5.7.325 certificate-host-mismatch: Remote certificate MUST have a common name",
            "dane-name",
        ),
        ("5.4.8 MX hosts of contoso.com failed MTA-STS validation", "mta-sts"),
        (
            "550 5.7.5 Remote certificate failed MTA-STS validation. Reason: SubjectMismatch",
            "mta-sts",
        ),
    ] {
        check(text, Speaker::Exchange, class);
        let said = explain(text, &table).unwrap().explanation;
        assert!(said.why.contains("nothing of a connector"), "{text}: {}", said.why);
        assert!(!said.meaning.contains("451") && !said.why.contains("connector that"), "{text}");
    }
    let dane = explain("4.7.321 starttls-not-supported", &table).unwrap().explanation;
    assert!(dane.meaning.starts_with("The domain publishes TLSA records"), "{}", dane.meaning);
}

#[test]
fn what_postfix_and_others_say_who_send() {
    use Speaker::{Exim, Postfix, SendGrid, Sender};
    check(
        "4.7.4 TLS is required, but was not offered by host mx.x.test[192.0.2.1]",
        Postfix,
        "no-starttls",
    );
    check(
        "TLS is required, but was not offered by host mx.x.test[192.0.2.1]",
        Postfix,
        "no-starttls",
    );
    check(
        "Diagnostic-Code: X-Postfix; TLS is required, but was not offered by host\n    mx.x.test[192.0.2.1]",
        Postfix,
        "no-starttls",
    );
    check(
        "Status: 4.7.4\nDiagnostic-Code: X-Postfix; TLS is required, but was not offered by host mx.x.test[192.0.2.1]",
        Postfix,
        "no-starttls",
    );
    check(
        "postfix/smtp[7]: 4A: to=<a@x.test>, relay=none, dsn=4.7.4, status=deferred (TLS is required, but was not offered by host mx.x.test[192.0.2.1])",
        Postfix,
        "no-starttls",
    );
    check(
        "4.7.0 TLS is required, but host mx.x.test[192.0.2.1] refused to start TLS: 454 4.7.0 TLS not available",
        Postfix,
        "starttls-refused",
    );
    check("refused to start TLS: 454 4.7.0 TLS not available", Postfix, "starttls-refused");
    check(
        "5.5.1 TLS is required, but host mx.x.test refused to start TLS: 502 5.5.1 x",
        Postfix,
        "starttls-refused",
    );
    check(
        "4.4.2 lost connection with mx.x.test while receiving the STARTTLS response",
        Postfix,
        "lost",
    );
    check("4.7.5 Cannot start TLS: handshake failure", Postfix, "handshake");
    check("4.7.5 Server certificate not verified", Postfix, "certificate");
    check(
        "a TLS session is required, but the server did not offer TLS support",
        Exim,
        "no-starttls",
    );
    check(
        "a TLS session is required, but an attempt to start TLS failed",
        Exim,
        "starttls-refused",
    );
    check(
        "H=mx.x.test [192.0.2.1]: a TLS session is required, but the server did not offer TLS support",
        Exim,
        "no-starttls",
    );
    check("Remote host closed connection in response to STARTTLS", Exim, "lost");
    check(
        "TLS session: (gnutls_handshake): Handshake failed: delivering unencrypted to H=mx.x.test (not in hosts_require_tls)",
        Exim,
        "delivered-in-clear",
    );
    check("TLS session: (gnutls_handshake): Handshake failed", Exim, "handshake");
    check(
        "TLS session: (certificate verification failed): certificate invalid",
        Exim,
        "certificate",
    );
    check(
        "DANE attempt failed; TLS connection to mx.x.test: The certificate differs.",
        Exim,
        "dane",
    );
    check("DANE error: tlsa lookup DEFER", Exim, "dane-lookup");
    check("5.0.0 retry timeout exceeded", Exim, "expired");
    check("retry timeout exceeded", Exim, "expired");
    check("TLS required but not supported", SendGrid, "no-starttls");
    check("4.4.7 Message expired", Sender, "expired");
}

#[test]
fn what_receivers_say_is_a_receivers() {
    let check = |text, class| check(text, Speaker::Receiver, class);
    // The same words that Exchange Online puts between brackets, of Exchange Online as it receives.
    check(
        "451 5.7.3 STARTTLS is required to send mail [PA7P264CA0250.FRAP264.PROD.OUTLOOK.COM 2026-03-05T11:41:09.483Z 08DE7A509B86EADD]",
        "tls-required",
    );
    check("451 5.7.3 STARTTLS is required to send mail", "tls-required");
    check("550 5.7.1 Your access was revoked", "unrecognised");
    check(
        "550 5.7.51 TenantInboundAttribution; There is a partner connector configured that matched the message's recipient domain. [CH3PEPF00000016.namprd21.prod.outlook.com 2025-01-29T19:07:30.476Z 08DD3FA5DBC8F401]",
        "certificate-or-address",
    );
    check("450 4.7.1 Session encryption is required", "tls-required");
    check("550-5.7.1 Session encryption\n550 5.7.1 is required", "unrecognised"); // cut in two
    check("550-5.7.1 Session encryption is required\n550 5.7.1 Go away", "tls-required");
    check(
        "host mx.x.test[192.0.2.1] said: 450 4.7.1 Session encryption is required (in reply to RCPT TO command)",
        "tls-required",
    );
    check(
        "SMTP error from remote mail server after RCPT TO:<a@x.test>: 550 Encryption required",
        "tls-required",
    );
    check("Diagnostic-Code: smtp; 530 5.7.0 Must issue a STARTTLS command first", "tls-required");
    check("#550 5.1.1 User unknown", "recipient-unknown");
    check("250 2.0.0 Ok", "no-refusal");
    check("235 2.7.0 Authentication successful", "no-refusal");
    check(
        "535 5.7.3 Authentication unsuccessful [SN2PR00CA0018.namprd00.prod.outlook.com]",
        "login-refused",
    );
    check("535 5.7.3", "login-refused");
    check(
        "550 5.7.30 Basic authentication is not supported for Client Submission",
        "basic-auth-off",
    );
    check("550 5.7.30", "basic-auth-off");
    check("550 5.7.30 REQUIRETLS support required", "requiretls");
    check("530 5.7.57 Client not authenticated to send mail", "login-missing");
    check("550 5.7.60 Client does not have permissions to send as this sender", "send-as");
    check(
        "538 5.7.11 Encryption required for requested authentication mechanism",
        "login-needs-tls",
    );
    check(
        "550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources",
        "direct-send",
    );
    check("454 4.7.0 TLS not available due to local problem", "starttls-unavailable");
    check("554 5.7.3 Unable to initialize security subsystem", "starttls-unavailable");
    check("454 4.7.5 Certificate validation failure", "certificate-required");
    check(
        "454 4.7.0 Temporary authentication failure because negotiated Tls cipher strength is too weak",
        "tls-required",
    );
    check("554 5.7.1 <a@x.test>: Recipient address rejected: Access denied", "access-denied");
    check(
        "550 5.4.1 [a@x.test]: Recipient address rejected: Access denied. AS(201806281)",
        "recipient-unknown",
    );
    check(
        "450 4.1.1 <a@x.test>: Recipient address rejected: unverified address: TLS is required, but was not offered by host mx.inner.test[192.0.2.1]",
        "onward-tls",
    );
    check("host mx.x.test said: 450 4.7.320 x", "unrecognised");
    check("550 TLS is not required", "unrecognised");
}

/// What stands in the table of receivers is a receiver's, each as it is judged or in more words.
#[test]
fn no_receivers_words_are_turned_around() {
    let said = include_str!("../../../tests/data/replies.txt");
    let told = |text: &str| explain(text, &ReplyTable::built_in()).unwrap();
    for line in said.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.splitn(3, ' ');
        let (class, _, said) = (words.next().unwrap(), words.next(), words.next().unwrap());
        let pasted = told(&said.replace('|', " "));
        // Whoever waits for mail to be delivered sends it, whatever the code that the NDR repeats.
        if pasted.class == "expired" {
            continue;
        }
        assert_eq!(pasted.by, Speaker::Receiver, "{said}");
        if ["tls-required", "certificate-required", "certificate-or-address"].contains(&class) {
            assert_eq!(pasted.class, class, "{said}");
        }
    }
}

#[test]
fn what_is_not_known_is_not_told() {
    for none in [
        "",
        "cert-expired",
        "hello there",
        "12 monkeys",
        "999 no",
        "starttls-not-supported",
        "revoked",
        "Diagnostic-Code: X-Postfix; something else",
        "STARTTLS is required to send mail",
    ] {
        assert_eq!(told(none), None, "{none}");
    }
}

#[test]
fn passwords_that_are_not_taken_lead_to_oauth() {
    for text in [
        "535 5.7.3 Authentication unsuccessful",
        "550 5.7.30 Basic authentication is not supported",
    ] {
        let pasted = explain(text, &ReplyTable::built_in()).unwrap();
        assert!(pasted.explanation.advice.contains("`oauth2`"), "{text}");
    }
}

#[test]
fn what_a_text_names_besides_is_told() {
    let text = "{LED=450 4.7.320 Certificate validation failed [LastAttemptedServerName=mail.contoso.com] [LastAttemptedIP=192.0.2.1:25]};{LRT=x}";
    let pasted = explain(text, &ReplyTable::built_in()).unwrap();
    let expect = [("Server", "mail.contoso.com"), ("Address", "192.0.2.1:25"), ("Last retry", "x")];
    assert_eq!(pasted.details, expect.map(|(name, value)| (name, value.to_owned())));
}

#[test]
fn every_row_is_read_and_every_saying_has_one() {
    let lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    assert_eq!(rows().count(), lines.count(), "a row that cannot be read");
    for row in rows() {
        assert!(saying(row.class, row.by).is_some(), "{} of {:?}", row.class, row.by);
    }
    let mut told = HashSet::new();
    for saying in senders::SAYINGS.iter().chain(receivers::SAYINGS) {
        let key = (saying.class, saying.by.as_str());
        assert!(told.insert(key), "{key:?} twice");
        let has_row = rows().any(|row| row.class == saying.class && row.by == saying.by);
        assert!(has_row, "no row leads to {key:?}");
        let Explanation { title, meaning, why, advice, reference } = &saying.explanation;
        assert!(title.chars().count() <= 80 && !title.ends_with('.'), "{key:?}: {title}");
        for text in [meaning, why, advice] {
            assert!(text.ends_with('.') && text.matches('`').count() % 2 == 0, "{key:?}: {text}");
        }
        assert!(!reference.is_empty(), "{key:?}");
    }
}

proptest! {
    #[test]
    fn nothing_that_is_pasted_panics(text in ".{0,200}") {
        let _ = explain(&text, &ReplyTable::built_in());
    }

    #[test]
    fn no_saying_panics_wherever_it_stands(before in ".{0,40}", mark in "(LED=|\\[Message=| said: |Diagnostic-Code: |status=deferred \\()", after in ".{0,40}") {
        let _ = explain(&format!("{before}{mark}{after}"), &ReplyTable::built_in());
    }
}
