//! No TLS to be had.

use super::Listener;
use crate::{
    check::{Judged, Scenario, check},
    pki::Leaf,
};

pub(super) const LISTENERS: &[Listener] = &[
    Listener { leaf: None, ..Listener::new("no-tls.test", "mx.no-tls.test", UNUSED) },
    Listener {
        options: &[("smtpd_client_restrictions", "reject"), ("smtpd_delay_reject", "no")],
        ..Listener::new("refusing.test", "mx.refusing.test", Leaf::good("mx.refusing.test"))
    },
];

const UNUSED: Leaf = Leaf::good("mx.no-tls.test");

const NOT_OFFERED: Judged = Judged::violated(&[("starttls-not-offered", "violation")]);

/// Setup: `smtpd_tls_security_level = none`.
/// Test: the plainest violation there is, at every level.
#[test]
fn no_tls() {
    Scenario {
        channel: "plain",
        starttls: "not-offered",
        tls: None,
        at_encrypt: NOT_OFFERED,
        at_ca: NOT_OFFERED,
        at_name: NOT_OFFERED,
        ..Scenario::good("no-tls.test")
    }
    .assert();
}

/// Setup: a good server that greets us with 554.
/// Test: it refuses us, for a reason of its own: that says nothing about TLS.
#[test]
fn refused_greeting() {
    let report = check(&["refusing.test", "--require", "encrypt"]);
    report.assert_state("554 greeting", "unknown");
    report.assert_findings("554 greeting", &[]);
    report.assert_obstacles("554 greeting", &["refused-for-other-reason"]);
}
