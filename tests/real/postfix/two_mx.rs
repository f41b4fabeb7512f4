//! Two MX hosts.

use super::Listener;
use crate::{check::check, oracle, pki::Leaf};

pub(super) const LISTENERS: &[Listener] = &[
    Listener::new("two-mx.test", "mx1.two-mx.test", Leaf::good("mx1.two-mx.test")),
    Listener {
        preference: 20,
        ..Listener::new(
            "two-mx.test",
            "mx2.two-mx.test",
            Leaf { not_after: "20210101000000Z", ..Leaf::good("mx2.two-mx.test") },
        )
    },
];

/// Setup: the first is good, the certificate of the second ran out.
/// Test: mail may go to either, so one is enough to violate; each is told on its own.
#[test]
fn two_mx_one_bad() {
    assert_eq!(oracle::posttls_finger("mx1.two-mx.test", None), "Verified");
    assert_eq!(oracle::posttls_finger("mx2.two-mx.test", None), "Untrusted");

    for level in ["ca", "name"] {
        let report = check(&["two-mx.test", "--require", level]);
        report.assert_state(level, "violated");
        report.assert_finding(level, ("cert-expired", "violation"));
        report.assert_summary(level, "1 of 2 endpoints");
        let endpoints = report.claim()["endpoints"].as_array().unwrap();
        assert_eq!(endpoints.len(), 2, "{report}");
        for (endpoint, (mx, state, channel)) in endpoints.iter().zip([
            ("mx1.two-mx.test", "compliant", "matched"),
            ("mx2.two-mx.test", "violated", "encrypted"),
        ]) {
            assert_eq!(endpoint["mx"], mx, "{report}");
            assert_eq!(endpoint["state"], state, "{report}");
            assert_eq!(endpoint["channel"], channel, "{report}");
        }
    }

    let report = check(&["two-mx.test", "--require", "encrypt"]);
    report.assert_state("encrypt", "compliant");
    report.assert_finding("encrypt", ("cert-expired", "info"));
}
