//! Grey-listers and rate limits, which refuse for now and mean nothing by it.

use super::ENCRYPT;
use crate::receiver::{Receiver, assert_probe, assert_unknown};

const NOBODY_IS_EXEMPT: (&str, &str) = ("smtpd_client_event_limit_exceptions", "");

pub(super) const RECEIVERS: &[Receiver] = &[
    Receiver::new(
        "grey-lister",
        &[("smtpd_recipient_restrictions", "check_policy_service $lab_grey_lister")],
    ),
    Receiver::new(
        "grey-lister-beside-tls",
        &[("smtpd_recipient_restrictions", "check_policy_service $lab_grey_lister_beside_tls")],
    ),
    Receiver::new(
        "wordless-grey-lister-beside-tls",
        &[("smtpd_recipient_restrictions", "check_policy_service $lab_wordless_beside_tls")],
    ),
    Receiver::new(
        "rate-limit-of-two",
        &[ENCRYPT, NOBODY_IS_EXEMPT, ("smtpd_client_connection_rate_limit", "2")],
    ),
    Receiver::new(
        "rate-limit-of-one",
        &[NOBODY_IS_EXEMPT, ("smtpd_client_connection_rate_limit", "1")],
    ),
    Receiver::new(
        "message-rate-limit",
        &[NOBODY_IS_EXEMPT, ("smtpd_client_message_rate_limit", "1")],
    ),
    Receiver::new(
        "recipient-rate-limit",
        &[NOBODY_IS_EXEMPT, ("smtpd_client_recipient_rate_limit", "1")],
    ),
    Receiver::new(
        "tls-session-rate-limit",
        &[ENCRYPT, NOBODY_IS_EXEMPT, ("smtpd_client_new_tls_session_rate_limit", "1")],
    ),
];

/// Setup: a policy that refuses every envelope once.
/// Test: the control is refused, so nothing is known; and never "enforced".
#[test]
fn grey_lister_is_unknown() {
    assert_unknown("grey-lister", &["control-refused", "greylisted"]);
    assert_probe("grey-lister", "control", "rcpt", "greylisted");
}

/// Setup: one that lets TLS pass, as some do; one says what it does, the other does not.
/// Test: what looks like a demand for TLS is not one yet.
#[test]
fn grey_lister_that_exempts_tls_is_unknown() {
    assert_unknown("grey-lister-beside-tls", &["greylisted", "refused-for-other-reason"]);
    assert_probe("grey-lister-beside-tls", "plaintext", "rcpt", "greylisted");
    assert_unknown("wordless-grey-lister-beside-tls", &["undecided"]);
    assert_probe("wordless-grey-lister-beside-tls", "plaintext", "rcpt", "unrecognised");
}

/// Setup: `smtpd_client_connection_rate_limit`, met at the third connection and at the second.
/// Test: neither a violation, nor is the refusal in clear one for want of TLS.
#[test]
fn rate_limit_is_unknown() {
    let obstacles = ["control-refused", "rate-limited", "refused-for-other-reason"];
    assert_unknown("rate-limit-of-two", &obstacles);
    assert_unknown("rate-limit-of-one", &obstacles);
    assert_probe("rate-limit-of-one", "plaintext", "connect", "rate-limited");
}

/// Setup: `smtpd_client_message_rate_limit` and `smtpd_client_recipient_rate_limit`, which the control uses up, and TLS
/// is not demanded; `smtpd_client_new_tls_session_rate_limit` where it is.
/// Test: 450 in clear is not a demand for TLS, and a proof without a second control is none.
#[test]
fn other_rate_limits_are_unknown() {
    let obstacles = ["control-refused", "rate-limited", "refused-for-other-reason"];
    assert_unknown("message-rate-limit", &obstacles);
    assert_probe("message-rate-limit", "plaintext", "mail", "rate-limited");
    assert_unknown("recipient-rate-limit", &obstacles);
    assert_probe("recipient-rate-limit", "plaintext", "rcpt", "rate-limited");
    assert_unknown("tls-session-rate-limit", &obstacles[..2]);
    assert_probe("tls-session-rate-limit", "plaintext", "mail", "tls-required");
}
