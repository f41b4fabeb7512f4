//! Client certificates: asked for, required, and compared.

use super::{ENCRYPT, FLOOR};
use crate::receiver::{
    Client, Receiver, assert_claim, assert_compliant, assert_probe, assert_unknown, round,
};

const ASKS_CERTIFICATE: (&str, &str) = ("smtpd_tls_ask_ccert", "yes");
const WANTS_CERTIFICATE: (&str, &str) = ("smtpd_tls_req_ccert", "yes");

pub(super) const RECEIVERS: &[Receiver] = &[
    Receiver::new(
        "ccert-access",
        &[
            ENCRYPT,
            ASKS_CERTIFICATE,
            (
                "smtpd_recipient_restrictions",
                "check_ccert_access inline:{{$lab_client = OK}}, reject",
            ),
        ],
    )
    .with(Client::PartnersAndOther),
    Receiver::new(
        "ccert-access-in-words",
        &[
            ASKS_CERTIFICATE,
            (
                "smtpd_recipient_restrictions",
                "check_ccert_access inline:{{$lab_client = OK}}, \
                 check_sender_access static:{554 5.7.1 A client certificate is required}",
            ),
        ],
    )
    .with(Client::PartnersAndOther),
    Receiver::new("req-ccert", &[ENCRYPT, WANTS_CERTIFICATE]).with(Client::PartnersAndOther),
    Receiver::new("req-ccert-other-not-tried", &[ENCRYPT, WANTS_CERTIFICATE, FLOOR])
        .with(Client::Partners),
    Receiver::new("ask-ccert", &[ENCRYPT, ASKS_CERTIFICATE]).with(Client::Partners),
];

/// Setup: `check_ccert_access`, then `reject`, which says `554 5.7.1 … Access denied`.
/// Test: such words may be about anything; a second experiment, a minute later, would tell.
#[test]
fn certificate_access_is_undecided_at_first() {
    assert_unknown("ccert-access", &["undecided"]);
    assert_probe("ccert-access", "plaintext", "mail", "tls-required");
    for kind in ["no-client-cert", "self-made-client-cert", "other-client-cert"] {
        assert_probe("ccert-access", kind, "rcpt", "unrecognised");
    }
}

/// Setup: the same, but the refusal says what it is about.
/// Test: compliant at once, also without a demand for TLS of its own.
#[test]
fn certificate_access_in_words_is_compliant() {
    assert_compliant("ccert-access-in-words");
    for kind in ["plaintext", "no-client-cert", "self-made-client-cert", "other-client-cert"] {
        assert_probe("ccert-access-in-words", kind, "rcpt", "certificate-required");
    }
}

/// Setup: `smtpd_tls_req_ccert` and `encrypt`.
/// Test: no certificate and a self-made one are refused after the handshake; anybody's trusted one is taken. A hello
/// below TLS 1.2 fails inside OpenSSL, which cannot ask for a certificate there, with an alert that may mean anything.
#[test]
fn required_certificate_of_anybody_is_violated() {
    assert_claim("req-ccert", "violated", &["wrong-client-cert-accepted"], &["undecided"]);
    assert_probe("req-ccert", "no-client-cert", "ehlo-tls", "certificate-required");
    assert_probe("req-ccert", "self-made-client-cert", "ehlo-tls", "certificate-required");
}

/// Setup: the same, with TLS 1.2 as the floor; we have no other certificate to try.
/// Test: what was tried is refused, and what was not is told.
#[test]
fn required_certificate_of_anybody_is_told_as_not_tested() {
    assert_compliant("req-ccert-other-not-tried");
    let summary = round().claim("req-ccert-other-not-tried")["summary"].as_str().unwrap();
    assert!(summary.ends_with("; not tested: a trusted certificate for another name"), "{summary}");
}

/// Setup: `smtpd_tls_ask_ccert` alone.
/// Test: a certificate is asked for, and none is needed.
#[test]
fn asked_for_certificate_is_not_required() {
    let violations = ["client-cert-not-required", "wrong-client-cert-accepted"];
    assert_claim("ask-ccert", "violated", &violations, &[]);
}
