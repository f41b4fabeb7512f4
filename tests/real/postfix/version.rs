//! TLS versions.

use super::Listener;
use crate::{
    check::{Scenario, Tls, check},
    pki::Leaf,
};

pub(super) const LISTENERS: &[Listener] = &[
    Listener {
        options: &[("smtpd_tls_protocols", ">=TLSv1.3")],
        ..Listener::new("tls-1-3.test", "mx.tls-1-3.test", Leaf::good("mx.tls-1-3.test"))
    },
    Listener {
        options: &[("smtpd_tls_protocols", ">=TLSv1.2, <=TLSv1.2")],
        ..Listener::new("tls-1-2.test", "mx.tls-1-2.test", Leaf::good("mx.tls-1-2.test"))
    },
];

/// Setup: TLS 1.3 and nothing else.
/// Test: good, also where 1.3 is required.
#[test]
fn tls_1_3_only() {
    Scenario::good("tls-1-3.test").assert();
    let report = check(&["tls-1-3.test", "--require", "ca", "--min-tls", "1.3"]);
    report.assert_state("TLS 1.3 required", "compliant");
}

/// Setup: TLS 1.2 and nothing else.
/// Test: good, unless 1.3 is required.
#[test]
fn tls_1_2_only() {
    let tls = Tls { version: "TLSv1.2", ..Tls::GOOD };
    Scenario { tls: Some(tls), ..Scenario::good("tls-1-2.test") }.assert();
    for level in ["encrypt", "ca"] {
        let report = check(&["tls-1-2.test", "--require", level, "--min-tls", "1.3"]);
        report.assert_state("TLS 1.3 required", "violated");
        report.assert_findings("TLS 1.3 required", &[("tls-version-too-old", "violation")]);
    }
}
