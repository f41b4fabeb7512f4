use super::{Explanation, Kind, closest, lookup};
use crate::model::{
    canary::Personality, claim::Claim, finding::FindingId, obstacle::ObstacleId, report::Channel,
    requirement::Level, state::State,
};
use std::collections::HashSet;

/// Every explanation, with its word.
fn all() -> Vec<(String, &'static Explanation)> {
    super::all().into_iter().map(|entry| (entry.word, entry.explanation)).collect()
}

/// Whether it leads somewhere: a section, a vendor's cmdlet, or an entry of the CVE list.
fn is_reference(text: &str) -> bool {
    let section = |rest: &str| {
        let digits = rest.chars().take_while(char::is_ascii_digit).count();
        digits > 0 && !rest.ends_with('.')
    };
    if let Some(rest) = text.strip_prefix("RFC ") {
        return rest.split_once(" §").is_some_and(|(number, rest)| {
            !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()) && section(rest)
        });
    }
    if let Some(rest) = text.strip_prefix("mxwarden contract §") {
        return section(rest);
    }
    ["Microsoft: ", "CVE-"]
        .iter()
        .any(|prefix| text.len() > prefix.len() && text.starts_with(prefix))
}

#[test]
fn every_id_is_explained() {
    let of = |kind| super::all().iter().filter(|entry| entry.kind == kind).count();
    assert_eq!(of(Kind::Finding), FindingId::ALL.len());
    assert_eq!(of(Kind::Obstacle), ObstacleId::ALL.len());
    for (id, Explanation { title, meaning, why, advice, reference }) in all() {
        assert!(is_reference(reference), "{id}: `{reference}` leads nowhere");
        assert!(!title.is_empty() && !title.ends_with('.'), "{id}: title `{title}`");
        assert!(title.chars().count() <= 80, "{id}: the title is more than a line");
        for text in [meaning, why, advice] {
            assert!(text.ends_with('.') && text.len() > 1, "{id}: no full stop: `{text}`");
        }
    }
}

#[test]
fn every_text_is_clean() {
    for (id, Explanation { title, meaning, why, advice, reference }) in all() {
        for text in [title, meaning, why, advice, reference] {
            assert!(!text.contains("  "), "{id}: two spaces in `{text}`");
            assert_eq!(text.trim(), *text, "{id}: space around a text");
            assert!(!text.contains(char::is_control), "{id}: control character in `{text}`");
            assert_eq!(text.matches('`').count() % 2, 0, "{id}: a lone backtick in `{text}`");
        }
    }
}

#[test]
fn titles_and_words_of_a_kind_are_unique() {
    let titles: HashSet<_> = all().iter().map(|(_, explanation)| explanation.title).collect();
    assert_eq!(titles.len(), all().len());
    let words: HashSet<_> =
        super::all().into_iter().map(|entry| (entry.kind.as_str(), entry.word)).collect();
    assert_eq!(words.len(), all().len());
}

#[test]
fn every_word_of_the_tables_is_found() {
    let kinds = |word: &str| {
        lookup(word).iter().map(|entry| entry.kind.as_str()).collect::<Vec<_>>().join(" ")
    };
    let check = |word: &str, expect: &str| assert_eq!(kinds(word), expect, "{word}");
    for word in Personality::ALL {
        assert!(kinds(word.as_str()).starts_with("canary"), "{word:?}");
    }
    for word in Level::ALL {
        check(word.as_str(), "level");
    }
    for word in Channel::ALL {
        check(word.as_str(), "channel");
    }
    for word in State::ALL {
        check(word.as_str(), "state");
    }
    for word in Claim::all() {
        check(&word.to_string(), "claim");
    }
    check("sender-enforces", "claim");
    check(" Sender-Enforces\n", "claim");
    check("level", "word");
    check("channel", "word");
    // One word, two things: both are told.
    check("starttls-broken", "canary finding");
    check("dane-mismatch", "canary finding");
    check("cert-expired", "finding");
    check("stale", "obstacle");
    check("sideways/sender-enforces", "");
    check("", "");
}

#[test]
fn a_claim_tells_how_it_is_proved_each_way() {
    let notes = |word| lookup(word)[0].notes.clone();
    let both = notes("sender-enforces");
    assert_eq!(both.iter().map(|(way, _)| *way).collect::<Vec<_>>(), ["outbound", "inbound"]);
    assert_eq!(notes("outbound/sender-enforces"), both[..1]);
    assert_eq!(notes("inbound/sender-enforces"), both[1..]);
}

/// Whoever pastes a command that stops a partner's mail has read before it what to do first.
#[test]
fn caution_stands_before_the_command_that_stops_mail() {
    let stops = [
        "-RestrictDomainsToCertificate $true",
        "-RequireTls $true",
        "-Enabled $true",
        "-TestMode $false",
        "-IsTransportRuleScoped $false",
        "-SmtpDaneMode Mandatory",
        "-TlsSettings",
        "-ConnectorType Partner",
        "New-OutboundConnector",
        "New-InboundConnector",
        "check_ccert_access",
        "reject_plaintext_session",
        "smtpd_tls_security_level = encrypt",
        "deny !encrypted",
        "hosts_require_tls",
        "tls_verify_hosts",
        "secure match=NAME",
        "`encrypt` or better",
        ">=TLSv1.2",
        "smtpd_tls_exclude_ciphers = ",
    ];
    // How to put a name into `names`, not how to force anything.
    let told_only = [FindingId::DnsInsecure, FindingId::ClientCertRequired];
    let mut seen = 0;
    for id in FindingId::ALL.iter().filter(|id| !told_only.contains(id)) {
        let advice = id.explanation().advice;
        for at in stops.iter().filter_map(|stop| advice.find(stop)) {
            seen += 1;
            let before = advice[..at].to_lowercase();
            let is_cautious = ["first", "agree on the date", "when testing is over"]
                .iter()
                .any(|word| before.contains(word));
            assert!(is_cautious, "{id}: `{}` comes without a word before it", &advice[at..]);
        }
    }
    assert!(seen >= 25, "{seen}");
}

/// What a look at an obstacle must never suggest (contract §1).
#[test]
fn obstacles_do_not_judge() {
    for id in ObstacleId::ALL {
        let Explanation { title, meaning, .. } = id.explanation();
        for word in ["compliant", "violat"] {
            assert!(!title.contains(word) && !meaning.contains(word), "{id} judges");
        }
    }
}

#[test]
fn references_are_told_from_text() {
    let check = |text, expect| assert_eq!(is_reference(text), expect, "{text}");
    check("RFC 5280 §4.1.2.5", true);
    check("RFC 8996 §4 and §5", true);
    check("mxwarden contract §4", true);
    check("Microsoft: Set-OutboundConnector, TestMode", true);
    check("CVE-2021-38371", true);
    check("RFC 5280", false);
    check("RFC 5280 §", false);
    check("RFC 5280 4.1", false);
    check("rfc 5280 §4.1", false);
    check("RFC 5280 §4.1.", false);
    check("mxwarden contract §", false);
    check("Microsoft: ", false);
    check("", false);
}

#[test]
fn a_mistyped_id_is_recognised() {
    let check = |text: &str, expect| assert_eq!(closest(text), expect, "{text}");
    check("cert-expired", Some("cert-expired"));
    check("cert-exipred", Some("cert-expired")); // two letters swapped count as two
    check("cert_expired", Some("cert-expired"));
    check(" CERT-EXPIRED\n", Some("cert-expired"));
    check("certexpired", Some("cert-expired"));
    check("nomx", Some("no-mx"));
    check("starttls-not-offerd", Some("starttls-not-offered"));
    check("connection-timeout", Some("connect-timeout")); // three letters too many
    check("connections-timeout", None); // four
    check("greylisting", Some("greylisted")); // obstacles as well
    check("port-25-blocked", Some("port25-blocked"));
    check("no-startls", Some("no-starttls"));
    check("sender-enforce", Some("sender-enforces"));
    check("complaint", Some("compliant"));
    check("ok", None); // not `ca`
    check("100", None); // nor `no-mx`
    check("", None);
    check("certificate has expired", None);
    check("550 5.7.1 TLS required", None);
    check(&"cert-expired".repeat(10_000), None);
}
