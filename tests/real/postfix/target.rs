//! Other ways to name a target, against the good server.

use crate::{
    check::{check, command},
    lab::{SMTP_PORT, finish, lab, succeed},
};
use std::process::Command;

const HOST: &str = "mx.good-rsa.test";

fn address() -> String {
    format!("[{}]:{SMTP_PORT}", lab().host(HOST).address)
}

/// Setup: the host itself, without MX.
/// Test: its own name is the one required, so a forged MX does not come into it.
#[test]
fn host() {
    for target in [format!("host:{HOST}"), format!("host:{HOST}:{SMTP_PORT}")] {
        let report = check(&[&target]);
        report.assert_state(&target, "compliant");
        report.assert_findings(&target, &[]);
        assert_eq!(report.claim()["requirement"]["level"], "name", "{report}");
        assert_eq!(report.claim()["endpoints"][0]["channel"], "matched", "{report}");
    }
}

/// Setup: an address.
/// Test: good for the name given, bad for another; without a name there is nothing to hold it to: a usage error.
#[test]
fn address_and_name() {
    let report = check(&[&address(), "--name", HOST]);
    report.assert_state("address with its name", "compliant");
    let report = check(&[&address(), "--name", "mx.elsewhere.test"]);
    report.assert_state("address with another name", "violated");
    report.assert_findings("address with another name", &[("cert-name-mismatch", "violation")]);

    let said = finish(command().arg(address()));
    assert_eq!(said.status, Some(2), "{said:?}");
    assert_eq!(said.stdout, "", "{said:?}");
    assert!(said.stderr.contains("--name"), "{said:?}");
}

/// Setup: names required beside the MX host's own.
/// Test: one that is met is enough; a pattern covers what lies under it; with names given the MX need not be signed.
#[test]
fn required_names() {
    for name in ["MX.good-rsa.test", "*.good-rsa.test", "*.test"] {
        let report = check(&["good-rsa.test", "--name", name]);
        report.assert_state(name, "compliant");
        report.assert_findings(name, &[]);
    }
    let report = check(&["good-rsa.test", "--name", "elsewhere.test", "--name", HOST]);
    report.assert_state("one of two names", "compliant");
    let report = check(&["good-rsa.test", "--name", "good-rsa.test"]);
    report.assert_state("the domain's own name", "violated");
    report.assert_findings("the domain's own name", &[("cert-name-mismatch", "violation")]);
}

/// Setup: pins, as `openssl` computes them.
/// Test: of the certificate or of its key, either is met; another is a violation.
#[test]
fn pinned() {
    let certificate = lab().pki.path(&format!("{HOST}.pem"));
    let digest = "openssl x509 -in \"$1\" -outform DER | sha256sum";
    let key_digest =
        "openssl x509 -in \"$1\" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum";
    for script in [digest, key_digest] {
        let hex = succeed(Command::new("sh").args(["-c", script, "sh"]).arg(&certificate));
        let hex = hex.split_whitespace().next().unwrap();
        let report = check(&["good-rsa.test", "--require", "pinned", "--pin", hex]);
        report.assert_state(script, "compliant");
    }
    let report = check(&["good-rsa.test", "--require", "pinned", "--pin", &"00".repeat(32)]);
    report.assert_state("another pin", "violated");
    report.assert_finding("another pin", ("cert-pin-mismatch", "violation"));
}

/// Setup: `smtpd_tls_wrappermode` on port 465.
/// Test: TLS comes first (RFC 8314 §3.3): nothing is said in clear, STARTTLS is not asked for, and the certificate is
/// judged as anywhere. On port 2525 of the same server the same name is judged by STARTTLS.
#[test]
fn implicit_tls() {
    let report = check(&[&format!("host:{HOST}:465")]);
    report.assert_state("port 465", "compliant");
    let endpoint = &report.claim()["endpoints"][0];
    assert_eq!(endpoint["port"], 465, "{report}");
    assert_eq!(endpoint["channel"], "matched", "{report}");
    assert_eq!(endpoint["starttls"], "offered", "{report}");
    assert_eq!(endpoint["capabilities"].as_array().unwrap().len(), 0, "{report}");
    assert_ne!(endpoint["capabilities_tls"].as_array().unwrap().len(), 0, "{report}");
    let report = check(&[&format!("host:{HOST}:465"), "--name", "elsewhere.test"]);
    report.assert_state("port 465, another name", "violated");
}
