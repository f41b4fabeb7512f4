//! Servers of which most TLS libraries of today see nothing or not all, ours among them.
//!
//! 1. Each misbehaviour is shown by OpenSSL's own server ([`openssl`]) and by Postfix, and must be judged alike.
//! 2. What a hand-made hello sees proves no key, so nothing here is compliant by a hello alone: an old version is a
//!    violation, whoever holds the key; anything else is not known.
//! 3. With `--deep`, `testssl.sh` is asked about the same server, and must have found the same ([`testssl`]).

mod openssl;
mod testssl;

use crate::{
    check::{Found, Judged, Report, check},
    lab::{Host, Network},
    pki::Pki,
};
use serde_json::Value;
use std::{collections::BTreeSet, path::Path};
use testssl::{category, testssl};

/// Starts what is not part of another server.
pub(crate) fn start(scratch: &Path, network: &Network, pki: &Pki) -> Vec<Host> {
    openssl::start(scratch, network, pki)
}

/// What one way of being old must lead to.
struct Old {
    /// The domain's first label.
    name: &'static str,
    /// The newest version.
    version: &'static str,
    /// Who saw it: `handshake` or `hello`.
    seen_by: &'static str,
    /// What is made of the chain.
    trust: &'static str,
    /// What the endpoint reaches.
    channel: &'static str,
    /// What level `encrypt` makes of it.
    at_encrypt: Judged,
    /// What level `name` makes of it, beside `dns-insecure`.
    at_name: Judged,
    /// What keeps both from knowing.
    obstacles: &'static [&'static str],
    /// What `--deep` finds at level `encrypt`.
    deep: &'static [Found],
    /// What `--deep` makes of it at level `name`, where that differs in more than the severities.
    deep_at_name: Option<Judged>,
    /// The old versions `--deep` finds.
    legacy_versions: &'static [&'static str],
    /// Whether it takes RSA key exchange.
    rsa_exchange: bool,
    /// The other classes of weak suites, in the words of testssl.sh, which must find these and no others.
    weak: &'static [&'static str],
}

/// Judged as unknown.
const fn unknown(findings: &'static [Found]) -> Judged {
    Judged { state: "unknown", findings }
}

impl Old {
    fn assert_at(&self, program: &str) {
        let domain = format!("{}.{program}.test", self.name);
        for (level, judged) in [("encrypt", &self.at_encrypt), ("name", &self.at_name)] {
            let about = format!("{domain} at {level}");
            let report = check(&[&domain, "--require", level]);
            let mut findings = judged.findings.to_vec();
            if level == "name" {
                findings.push(("dns-insecure", "warning"));
            }
            self.assert_seen(&report, &about, judged.state, &findings);
        }

        if let Some(judged) = &self.deep_at_name {
            let about = format!("{domain} --deep at name");
            let report = check(&[&domain, "--require", "name", "--deep"]);
            self.assert_seen(&report, &about, judged.state, judged.findings);
        }
        let about = format!("{domain} --deep");
        let report = check(&[&domain, "--require", "encrypt", "--deep"]);
        self.assert_seen(&report, &about, self.at_encrypt.state, self.deep);
        let tls = &report.claim()["endpoints"][0]["tls"];
        assert_eq!(
            strings(&tls["legacy_versions"]),
            set(self.legacy_versions),
            "{about}: {report}"
        );
        let suites = strings(&tls["weak_ciphers"]);
        let weak: BTreeSet<_> = suites.iter().filter_map(|suite| category(suite)).collect();
        assert_eq!(weak, self.weak.iter().copied().collect(), "{about}: {report}");
        let rsa_exchange = suites.iter().any(|suite| suite.starts_with("TLS_RSA_WITH_AES"));
        assert_eq!(rsa_exchange, self.rsa_exchange, "{about}: {report}");

        let offered = testssl(&format!("mx.{domain}"));
        let mut versions = strings(&tls["legacy_versions"]);
        versions.insert(self.version.to_owned());
        if self.version == "TLSv1.3" {
            // Below the newest version we tell apart only what is old; every server here that speaks 1.3 speaks 1.2.
            versions.insert("TLSv1.2".to_owned());
        }
        assert_eq!(offered.versions, versions, "{about}: {report}");
        assert_eq!(offered.weak, set(self.weak), "{about}: {report}");
    }

    fn assert_seen(&self, report: &Report, about: &str, state: &str, findings: &[Found]) {
        report.assert_state(about, state);
        report.assert_findings(about, findings);
        report.assert_obstacles(about, self.obstacles);
        let endpoint = &report.claim()["endpoints"][0];
        assert_eq!(endpoint["starttls"], "offered", "{about}: {report}");
        assert_eq!(endpoint["channel"], self.channel, "{about}: {report}");
        let tls = &endpoint["tls"];
        assert_eq!(tls["version"], self.version, "{about}: {report}");
        assert_eq!(tls["seen_by"], self.seen_by, "{about}: {report}");
        assert_eq!(tls["key_proved"], self.seen_by == "handshake", "{about}: {report}");
        assert_eq!(tls["trust"], self.trust, "{about}: {report}");
    }
}

fn set(strings: &[&str]) -> BTreeSet<String> {
    strings.iter().map(|&string| string.to_owned()).collect()
}

fn strings(value: &Value) -> BTreeSet<String> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

/// Setup: TLS 1.0 and nothing newer.
/// Test: a violation, seen though our TLS library cannot speak it; its certificate is judged all the same.
const TLS_1_0: Old = Old {
    name: "tls-1-0",
    version: "TLSv1.0",
    seen_by: "hello",
    trust: "ok",
    channel: "plain",
    at_encrypt: Judged::violated(&[("tls-version-too-old", "violation")]),
    at_name: Judged::violated(&[("tls-version-too-old", "violation")]),
    obstacles: &[],
    deep: &[("tls-version-too-old", "violation"), ("tls-weak-cipher", "warning")],
    deep_at_name: None,
    legacy_versions: &["TLSv1.0"],
    rsa_exchange: true,
    weak: &[],
};

/// Setup: TLS 1.1 and nothing else.
/// Test: as with TLS 1.0.
const TLS_1_1: Old =
    Old { name: "tls-1-1", version: "TLSv1.1", legacy_versions: &["TLSv1.1"], ..TLS_1_0 };

/// Setup: TLS 1.0, 1.1, 1.2 and 1.3.
/// Test: the best is good; with `--deep` the worse are told, as warnings.
const TLS_1_0_TO_1_3: Old = Old {
    name: "tls-1-0-to-1-3",
    version: "TLSv1.3",
    seen_by: "handshake",
    trust: "ok",
    channel: "matched",
    at_encrypt: Judged::FLAWLESS,
    at_name: Judged::FLAWLESS,
    obstacles: &[],
    deep: &[("tls-legacy-accepted", "warning"), ("tls-weak-cipher", "warning")],
    deep_at_name: None,
    legacy_versions: &["TLSv1.0", "TLSv1.1"],
    rsa_exchange: true,
    weak: &[],
};

/// Setup: TLS 1.2 with ECDHE and CBC, which rustls has not.
/// Test: no weakness, and nothing proved either.
const CBC: Old = Old {
    name: "cbc",
    version: "TLSv1.2",
    seen_by: "hello",
    trust: "ok",
    channel: "plain",
    at_encrypt: unknown(&[]),
    at_name: unknown(&[]),
    obstacles: &["not-testable"],
    deep: &[],
    deep_at_name: None,
    legacy_versions: &[],
    rsa_exchange: false,
    weak: &[],
};

/// Setup: TLS 1.2 with RSA key exchange alone.
/// Test: no forward secrecy: a warning, with and without `--deep`.
const RSA_EXCHANGE: Old = Old {
    name: "rsa-exchange",
    at_encrypt: unknown(&[("tls-weak-cipher", "warning")]),
    at_name: unknown(&[("tls-weak-cipher", "warning")]),
    deep: &[("tls-weak-cipher", "warning")],
    rsa_exchange: true,
    ..CBC
};

/// Setup: TLS 1.2 with finite-field Diffie-Hellman alone, in a group of 1024 bits.
/// Test: the prime is measured, with and without `--deep`.
const DHE_1024: Old = Old {
    name: "dhe-1024",
    at_encrypt: unknown(&[("tls-weak-dh", "warning")]),
    at_name: unknown(&[("tls-weak-dh", "warning")]),
    deep: &[("tls-weak-dh", "warning")],
    ..CBC
};

/// Setup: TLS 1.2 without a certificate.
/// Test: it is told for what it is, and `name` is violated whoever holds whatever key. OpenSSL takes primes of 1024 bits
/// for most suites without a certificate, whatever it is told.
const ANONYMOUS: Old = Old {
    name: "anonymous",
    trust: "none",
    at_encrypt: unknown(&[
        ("cert-invalid", "info"),
        ("tls-weak-cipher", "warning"),
        ("tls-weak-dh", "warning"),
    ]),
    at_name: Judged::violated(&[
        ("cert-invalid", "violation"),
        ("tls-weak-cipher", "warning"),
        ("tls-weak-dh", "warning"),
    ]),
    deep: &[("cert-invalid", "info"), ("tls-weak-cipher", "warning"), ("tls-weak-dh", "warning")],
    weak: &["aNULL"],
    ..CBC
};

/// Setup: an ECDSA certificate that is good beside an RSA certificate that ran out in 2021.
/// Test: whoever takes ECDSA sees nothing wrong; `--deep` asks for both.
const HALF_RENEWED: Old = Old {
    name: "half-renewed",
    deep: &[("cert-expired", "info"), ("tls-weak-cipher", "warning")],
    deep_at_name: Some(Judged::violated(&[
        ("cert-expired", "violation"),
        ("dns-insecure", "warning"),
        ("tls-weak-cipher", "warning"),
    ])),
    legacy_versions: &[],
    ..TLS_1_0_TO_1_3
};

/// Setup: everything that Debian's OpenSSL still has, suites without encryption among them.
/// Test: the good is good, and `--deep` tells the rest.
const EVERYTHING: Old = Old { name: "everything", weak: &["NULL", "aNULL"], ..TLS_1_0_TO_1_3 };

/// Setup: Exim on GnuTLS, with what GnuTLS still has of the old: TLS 1.0, triple DES, RC4. No Debian OpenSSL has the last two.
/// Test: as above; `--deep` tells which.
const WEAK_CIPHERS: Old =
    Old { name: "weak-ciphers", weak: &["3DES_IDEA", "LOW"], ..TLS_1_0_TO_1_3 };

/// Setup: nothing told to Postfix about TLS but its certificate.
/// Test: compliant, and `--deep` tells what most of the world's Postfix servers take too.
const DEFAULTS: Old = Old { name: "defaults", weak: &["aNULL"], ..TLS_1_0_TO_1_3 };

macro_rules! at_both {
    ($($test:ident: $old:ident),+ $(,)?) => {
        mod at_openssl {
            $(#[test] fn $test() { super::$old.assert_at("openssl"); })+
        }

        mod at_postfix {
            $(#[test] fn $test() { super::$old.assert_at("postfix"); })+
        }
    };
}

at_both! {
    tls_1_0: TLS_1_0,
    tls_1_1: TLS_1_1,
    tls_1_0_to_1_3: TLS_1_0_TO_1_3,
    cbc: CBC,
    rsa_exchange: RSA_EXCHANGE,
    dhe_1024: DHE_1024,
    anonymous: ANONYMOUS,
    half_renewed: HALF_RENEWED,
}

#[test]
fn everything_at_openssl() {
    EVERYTHING.assert_at("openssl");
}

#[test]
fn weak_ciphers_at_exim() {
    WEAK_CIPHERS.assert_at("exim");
}

#[test]
fn defaults_at_postfix() {
    DEFAULTS.assert_at("postfix");
}
