//! A server that wants a certificate from us, and we have none.

use super::Listener;
use crate::{
    check::{Judged, Scenario, Tls},
    pki::Leaf,
};

pub(super) const LISTENERS: &[Listener] = &[
    Listener {
        options: &[
            ("smtpd_tls_security_level", "encrypt"),
            ("smtpd_tls_req_ccert", "yes"),
            ("smtpd_tls_CAfile", "$lab_root"),
        ],
        ..Listener::new(
            "client-cert.test",
            "mx.client-cert.test",
            Leaf::good("mx.client-cert.test"),
        )
    },
    Listener {
        options: &[
            ("smtpd_tls_security_level", "encrypt"),
            ("smtpd_tls_req_ccert", "yes"),
            ("smtpd_tls_CAfile", "$lab_root"),
            ("smtpd_tls_mandatory_protocols", ">=TLSv1.2, <=TLSv1.2"),
        ],
        ..Listener::new(
            "client-cert-1-2.test",
            "mx.client-cert-1-2.test",
            Leaf::good("mx.client-cert-1-2.test"),
        )
    },
];

const TOLD: Judged = Judged::compliant(&[("client-cert-required", "info")]);

/// Setup: `smtpd_tls_req_ccert`, TLS 1.3: Postfix completes the handshake and answers EHLO with 421.
/// Test: TLS, chain and name were seen before that and are judged.
#[test]
fn client_certificate_required() {
    Scenario { at_encrypt: TOLD, at_ca: TOLD, at_name: TOLD, ..Scenario::good("client-cert.test") }
        .assert();
}

/// Setup: the same with TLS 1.2, where Postfix does the same.
/// Test: likewise.
#[test]
fn client_certificate_required_tls_1_2() {
    Scenario {
        tls: Some(Tls { version: "TLSv1.2", ..Tls::GOOD }),
        at_encrypt: TOLD,
        at_ca: TOLD,
        at_name: TOLD,
        ..Scenario::good("client-cert-1-2.test")
    }
    .assert();
}
