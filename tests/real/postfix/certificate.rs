//! One certificate a host: good ones, and each with one fault.
//!
//! At `encrypt` any certificate will do, and what is wrong with it is info; at `ca` chain and dates count, at `name` the
//! name as well. `posttls-finger` runs at OpenSSL's security level 0, as Postfix does; `s_client` at Debian's level 2.

use super::Listener;
use crate::{
    check::{Judged, Oracle, Scenario, Tls, check},
    oracle,
    pki::{Issuer, Key, Leaf},
};

pub(super) const LISTENERS: &[Listener] = &[
    Listener {
        implicit_tls: true,
        ..Listener::new("good-rsa.test", "mx.good-rsa.test", Leaf::good("mx.good-rsa.test"))
    },
    Listener::new(
        "good-ec.test",
        "mx.good-ec.test",
        Leaf { key: Key::Ec, ..Leaf::good("mx.good-ec.test") },
    ),
    Listener::new(
        "expired.test",
        "mx.expired.test",
        Leaf { not_after: "20210101000000Z", ..Leaf::good("mx.expired.test") },
    ),
    Listener::new(
        "not-yet-valid.test",
        "mx.not-yet-valid.test",
        Leaf { not_before: "20480101000000Z", ..Leaf::good("mx.not-yet-valid.test") },
    ),
    Listener::new(
        "self-signed.test",
        "mx.self-signed.test",
        Leaf { issuer: Issuer::Itself, ..Leaf::good("mx.self-signed.test") },
    ),
    Listener::new(
        "self-signed-ca.test",
        "mx.self-signed-ca.test",
        Leaf { issuer: Issuer::Itself, is_ca: true, ..Leaf::good("mx.self-signed-ca.test") },
    ),
    Listener::new(
        "unknown-ca.test",
        "mx.unknown-ca.test",
        Leaf { issuer: Issuer::Stranger, ..Leaf::good("mx.unknown-ca.test") },
    ),
    Listener::new(
        "missing-intermediate.test",
        "mx.missing-intermediate.test",
        Leaf { with_issuer: false, ..Leaf::good("mx.missing-intermediate.test") },
    ),
    Listener::new(
        "wrong-name.test",
        "mx.wrong-name.test",
        Leaf {
            file: "wrong-name",
            common_name: "mx.elsewhere.test",
            dns_name: Some("mx.elsewhere.test"),
            ..Leaf::good("mx.wrong-name.test")
        },
    ),
    Listener::new(
        "rsa-1024.test",
        "mx.rsa-1024.test",
        Leaf { key: Key::Rsa1024, ..Leaf::good("mx.rsa-1024.test") },
    ),
    Listener::new(
        "sha-1.test",
        "mx.sha-1.test",
        Leaf { digest: "sha1", ..Leaf::good("mx.sha-1.test") },
    ),
    Listener::new(
        "no-san.test",
        "mx.no-san.test",
        Leaf { dns_name: None, ..Leaf::good("mx.no-san.test") },
    ),
    Listener::new(
        "wildcard.test",
        "mx.wildcard.test",
        Leaf {
            file: "wildcard",
            common_name: "*.wildcard.test",
            dns_name: Some("*.wildcard.test"),
            ..Leaf::good("mx.wildcard.test")
        },
    ),
];

/// Setup: RSA, 2048 bits, from the intermediate, for the MX host.
/// Test: nothing to tell, at any level.
#[test]
fn good_rsa() {
    Scenario::good("good-rsa.test").assert();
}

/// Setup: ECDSA on P-256.
/// Test: as good.
#[test]
fn good_ec() {
    let tls = Tls { key: "EC-P-256", ..Tls::GOOD };
    Scenario { tls: Some(tls), ..Scenario::good("good-ec.test") }.assert();
}

/// Setup: it ran out in 2021; chain and name are good.
/// Test: only the dates are at fault, and trust and name are told as they are.
#[test]
fn expired() {
    Scenario {
        channel: "encrypted",
        tls: Some(Tls { validity: "expired", ..Tls::GOOD }),
        at_encrypt: Judged::compliant(&[("cert-expired", "info")]),
        at_ca: Judged::violated(&[("cert-expired", "violation")]),
        at_name: Judged::violated(&[("cert-expired", "violation")]),
        ..Scenario::good("expired.test")
    }
    .assert();
}

/// Setup: it begins in 2048.
/// Test: likewise.
#[test]
fn not_yet_valid() {
    Scenario {
        channel: "encrypted",
        tls: Some(Tls { validity: "not-yet-valid", ..Tls::GOOD }),
        at_encrypt: Judged::compliant(&[("cert-not-yet-valid", "info")]),
        at_ca: Judged::violated(&[("cert-not-yet-valid", "violation")]),
        at_name: Judged::violated(&[("cert-not-yet-valid", "violation")]),
        ..Scenario::good("not-yet-valid.test")
    }
    .assert();
}

/// Setup: signed by its own key.
/// Test: told apart from an unknown authority; its name is still told.
#[test]
fn self_signed() {
    Scenario {
        channel: "encrypted",
        tls: Some(Tls { trust: "self-signed", ..Tls::GOOD }),
        at_encrypt: Judged::compliant(&[("cert-self-signed", "info")]),
        at_ca: Judged::violated(&[("cert-self-signed", "violation")]),
        at_name: Judged::violated(&[("cert-self-signed", "violation")]),
        ..Scenario::good("self-signed.test")
    }
    .assert();
}

/// Setup: signed by its own key, and CA:TRUE, as `openssl req -x509` makes them and partners use them.
/// Test: that it calls itself an authority does not hide that it is self-signed.
#[test]
fn self_signed_ca() {
    assert_eq!(oracle::posttls_finger("mx.self-signed-ca.test", None), "Untrusted");
    assert!(oracle::s_client("mx.self-signed-ca.test").starts_with("18 "));
    for (level, state, severity) in [
        ("encrypt", "compliant", "info"),
        ("ca", "violated", "violation"),
        ("name", "violated", "violation"),
    ] {
        let report = check(&["self-signed-ca.test", "--require", level]);
        report.assert_state(level, state);
        report.assert_finding(level, ("cert-self-signed", severity));
        let tls = &report.claim()["endpoints"][0]["tls"];
        assert_eq!(tls["trust"], "self-signed", "{report}");
        assert_eq!(tls["name"], "match", "{report}");
    }
}

/// Setup: a chain that is complete and ends at a root nobody trusts.
/// Test: `cert-unknown-issuer`, not `cert-chain-incomplete`.
#[test]
fn unknown_ca() {
    Scenario {
        channel: "encrypted",
        tls: Some(Tls { trust: "unknown-issuer", ..Tls::GOOD }),
        at_encrypt: Judged::compliant(&[("cert-unknown-issuer", "info")]),
        at_ca: Judged::violated(&[("cert-unknown-issuer", "violation")]),
        at_name: Judged::violated(&[("cert-unknown-issuer", "violation")]),
        ..Scenario::good("unknown-ca.test")
    }
    .assert();
}

/// Setup: the leaf alone; it says where its issuer's certificate can be had, as public authorities' leaves do.
/// Test: the administrator forgot a file, which is another errand than buying another certificate.
#[test]
fn missing_intermediate() {
    Scenario {
        channel: "encrypted",
        tls: Some(Tls { trust: "incomplete", ..Tls::GOOD }),
        at_encrypt: Judged::compliant(&[("cert-chain-incomplete", "info")]),
        at_ca: Judged::violated(&[("cert-chain-incomplete", "violation")]),
        at_name: Judged::violated(&[("cert-chain-incomplete", "violation")]),
        ..Scenario::good("missing-intermediate.test")
    }
    .assert();
}

/// Setup: a good chain for another name.
/// Test: violates `name` alone.
#[test]
fn wrong_name() {
    Scenario {
        channel: "trusted",
        tls: Some(Tls { name: "mismatch", ..Tls::GOOD }),
        at_encrypt: Judged::compliant(&[("cert-name-mismatch", "info")]),
        at_ca: Judged::compliant(&[("cert-name-mismatch", "info")]),
        at_name: Judged::violated(&[("cert-name-mismatch", "violation")]),
        ..Scenario::good("wrong-name.test")
    }
    .assert();
}

/// Setup: the leaf's key is RSA with 1024 bits.
/// Test: a warning: real senders deliver. It is the key that is weak; no signature is wrong.
#[test]
fn rsa_1024() {
    Scenario {
        tls: Some(Tls { key: "RSA-1024", ..Tls::GOOD }),
        at_encrypt: Judged::compliant(&[("cert-weak-key", "info")]),
        at_ca: Judged::compliant(&[("cert-weak-key", "warning")]),
        at_name: Judged::compliant(&[("cert-weak-key", "warning")]),
        s_client: Oracle::Differs {
            says: "66",
            because: "security level 2 asks for 112 bits of strength (EE certificate key too weak), Postfix's level 0 does not",
        },
        ..Scenario::good("rsa-1024.test")
    }
    .assert();
}

/// Setup: the intermediate signed the leaf's SHA-1 digest.
/// Test: no chain to rely on, whatever dates and name say.
#[test]
fn sha_1() {
    Scenario {
        channel: "encrypted",
        tls: Some(Tls { trust: "ok", ..Tls::GOOD }),
        at_encrypt: Judged::compliant(&[("cert-weak-signature", "info")]),
        at_ca: Judged::violated(&[("cert-weak-signature", "violation")]),
        at_name: Judged::violated(&[("cert-weak-signature", "violation")]),
        s_client: Oracle::Differs {
            says: "68",
            because: "OpenSSL has a number for it: CA signature digest algorithm too weak",
        },
        ..Scenario::good("sha-1.test")
    }
    .assert();
}

/// Setup: the name stands in the subject's common name alone.
/// Test: met, with a warning, as Postfix and Exim still take it.
#[test]
fn no_san() {
    Scenario {
        at_encrypt: Judged::compliant(&[("cert-no-san", "info")]),
        at_ca: Judged::compliant(&[("cert-no-san", "warning")]),
        at_name: Judged::compliant(&[("cert-no-san", "warning")]),
        ..Scenario::good("no-san.test")
    }
    .assert();
}

/// Setup: `*.wildcard.test`.
/// Test: one label is covered.
#[test]
fn wildcard() {
    Scenario::good("wildcard.test").assert();
}

/// Setup: a good certificate, and a warning asked for further ahead than it lasts.
/// Test: still compliant.
#[test]
fn expires_soon() {
    let report = check(&["good-rsa.test", "--require", "ca", "--warn-days", "20000"]);
    report.assert_state("expires soon", "compliant");
    report.assert_findings("expires soon", &[("cert-expires-soon", "warning")]);
}
