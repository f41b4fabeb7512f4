//! A certificate that depends on SNI. We ask for the MX host; most real senders ask for nothing.

use super::Listener;
use crate::{
    check::{Judged, Oracle, Scenario, Tls, check},
    oracle,
    pki::Leaf,
};

pub(super) const LISTENERS: &[Listener] = &[
    Listener {
        leaf_by_sni: Some(Leaf::good("mx.sni-good.test")),
        ..Listener::new(
            "sni-good.test",
            "mx.sni-good.test",
            Leaf {
                file: "sni-good-default",
                common_name: "default.test",
                dns_name: Some("default.test"),
                ..Leaf::good("mx.sni-good.test")
            },
        )
    },
    Listener {
        leaf_by_sni: Some(Leaf {
            file: "sni-expired",
            not_after: "20210101000000Z",
            ..Leaf::good("mx.sni-expired.test")
        }),
        ..Listener::new(
            "sni-expired.test",
            "mx.sni-expired.test",
            Leaf::good("mx.sni-expired.test"),
        )
    },
];

/// Setup: by SNI the MX host's certificate, without it another host's.
/// Test: what is asked for by name is good. The difference is looked for with `--deep`.
#[test]
fn good_by_sni() {
    Scenario {
        posttls_finger: Oracle::Differs {
            says: "Untrusted",
            because: "it sends no SNI below level dane, and so sees the other certificate",
        },
        ..Scenario::good("sni-good.test")
    }
    .assert();
    let asked = oracle::posttls_finger("mx.sni-good.test", Some("mx.sni-good.test"));
    assert_eq!(asked, "Verified");

    let report = check(&["sni-good.test", "--require", "ca", "--deep"]);
    report.assert_state("good by SNI, --deep", "compliant");
    report.assert_finding("good by SNI, --deep", ("cert-depends-on-sni", "warning"));
}

/// Setup: by SNI an expired certificate, without it a good one.
/// Test: violated, and why most senders may not notice.
#[test]
fn expired_by_sni() {
    Scenario {
        channel: "encrypted",
        tls: Some(Tls { validity: "expired", ..Tls::GOOD }),
        at_encrypt: Judged::compliant(&[("cert-expired", "info")]),
        at_ca: Judged::violated(&[
            ("cert-expired", "violation"),
            ("cert-depends-on-sni", "warning"),
        ]),
        at_name: Judged::violated(&[
            ("cert-expired", "violation"),
            ("cert-depends-on-sni", "warning"),
        ]),
        posttls_finger: Oracle::Differs {
            says: "Verified",
            because: "it sends no SNI below level dane, and so sees the good certificate",
        },
        ..Scenario::good("sni-expired.test")
    }
    .assert();
    let asked = oracle::posttls_finger("mx.sni-expired.test", Some("mx.sni-expired.test"));
    assert_eq!(asked, "Untrusted");
}
