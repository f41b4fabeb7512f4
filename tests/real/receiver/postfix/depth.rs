//! Receivers that decide at DATA or after the message, and how far a probe goes.

use super::PLAIN;
use crate::receiver::{
    Receiver, assert_compliant, assert_probe, assert_unknown, assert_violated, round,
};

const DATA: &str = "until = \"data\"\ndecides = \"data\"\n";

pub(super) const RECEIVERS: &[Receiver] = &[
    Receiver::new("at-data", &[("smtpd_data_restrictions", "reject_plaintext_session")])
        .probed(DATA),
    Receiver::new(
        "after-data",
        &[("smtpd_end_of_data_restrictions", "check_policy_service $lab_tls_alone")],
    )
    .probed(DATA),
    Receiver::new("takes-the-message", &[]).probed(DATA),
    Receiver::new(
        "after-data-not-tried",
        &[("smtpd_end_of_data_restrictions", "check_policy_service $lab_tls_alone")],
    )
    .probed("until = \"rcpt\"\ndecides = \"data\"\n"),
    Receiver::new(
        "after-data-not-declared",
        &[("smtpd_end_of_data_restrictions", "check_policy_service $lab_tls_alone")],
    ),
];

/// Setup: clear is refused at DATA, and after the message.
/// Test: compliant where the probe goes as far.
#[test]
fn refusal_at_data_is_compliant() {
    for name in ["at-data", "after-data"] {
        assert_compliant(name);
        assert_probe(name, "plaintext", "data", "tls-required");
        // It stops at RCPT, so nothing can be said of it.
        let findings = round().claim(name)["findings"].as_array().unwrap();
        assert!(!findings.iter().any(|finding| finding["id"] == PLAIN), "{findings:?}");
    }
}

/// Setup: nothing is refused, and the probe sends a message.
/// Test: the 250 after the dot is the violation.
#[test]
fn message_taken_in_clear_is_violated() {
    assert_violated("takes-the-message", PLAIN);
}

/// Setup: clear is refused after the message, and the probe ends at RCPT.
/// Test: an envelope is not a message.
#[test]
fn refusal_after_data_is_undecided_at_rcpt() {
    assert_unknown("after-data-not-tried", &["undecided"]);
}

/// Setup: the same, and nobody told us that it decides so late.
/// Test: violated, as far as an envelope goes, which is told.
#[test]
fn envelope_taken_in_clear_is_violated() {
    assert_violated("after-data-not-declared", PLAIN);
    let findings = &round().claim("after-data-not-declared")["findings"];
    let seen = findings[0]["seen"].as_str().unwrap();
    assert!(seen.ends_with("; envelope accepted, DATA not tried"), "{findings:#}");
}
