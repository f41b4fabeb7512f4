//! `testssl.sh`: which versions and weak suites a server takes, by another's judgement.
//!
//! It makes its hellos itself, in Bash, and shares no code with ours; `openssl` it uses only to see whether anybody is
//! there. It is told to ask no name server.
//!
//! Where it and we draw lines differently, and why:
//! - It tells every version; we tell the newest and, with `--deep`, those below TLS 1.2, because no requirement depends on
//!   whether TLS 1.2 stands beside 1.3. So 1.2 is not compared where 1.3 is the newest.
//! - It has no category for suites without forward secrecy (RSA key exchange); we call them weak (RFC 9325 §4.1).
//! - A suite with neither certificate nor encryption is `NULL` and `aNULL` to it, and only the worse of both, `NULL`, to us.
//!   No server here takes such a suite without another anonymous one, so nothing comes of it.
//! - Its lists hold suites with pre-shared keys and Kerberos; we ask for none, because no mail server on the internet has
//!   either with a stranger.
//! - We ask for three suites of a class at most, in one version; it asks for all of them at once. Neither tells which of
//!   the rest are taken, so classes are compared and not suites.

use crate::lab::{SMTP_PORT, finish_within, lab};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::Command,
};

/// One run takes some ten seconds of processor time, and two run at once.
const SECONDS: u16 = 240;

/// Lets its `openssl` speak to the worst of servers.
const CONFIGURATION: &str = "openssl_conf = all\n\
    [all]\nssl_conf = ssl\n\
    [ssl]\nsystem_default = any\n\
    [any]\nMinProtocol = None\nCipherString = ALL:@SECLEVEL=0\n";

/// What it found to be offered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Offered {
    /// By our names.
    pub(super) versions: BTreeSet<String>,
    /// By its own names of its categories, those of [`WEAK`] alone.
    pub(super) weak: BTreeSet<String>,
}

/// The categories in which there is nothing good. What else it has (`AVERAGE`: CBC, `STRONG`: AEAD) we do not call weak.
const WEAK: [&str; 5] = ["NULL", "aNULL", "EXPORT", "LOW", "3DES_IDEA"];

/// Asks it about that MX host.
pub(super) fn testssl(host: &str) -> Offered {
    let directory = lab().scratch().join(format!("testssl-{host}"));
    fs::create_dir(&directory).unwrap();
    let found = directory.join("found.json");
    let mut command = Command::new("testssl");
    command.env("TMPDIR", &directory);
    command.args(["--quiet", "--color", "0", "--warnings", "off", "--nodns", "none"]);
    command.arg("--openssl").arg(openssl(&directory));
    command.arg("--jsonfile-pretty").arg(&found);
    command.args(["--protocols", "--std", "--starttls", "smtp"]);
    command.args(["--ip", &lab().host(host).address.to_string(), &format!("{host}:{SMTP_PORT}")]);
    // Its exit status counts what it dislikes.
    let said = finish_within(SECONDS, &command);
    let text = fs::read_to_string(&found).unwrap_or_default();
    let found: Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("testssl tells nothing of {host} ({error}): {said:?}"));
    let result = &found["scanResult"][0];
    let is_offered = |category: &str, id: &str| {
        let items = result[category].as_array().unwrap_or_else(|| panic!("{host}: {said:?}"));
        let item = items.iter().find(|item| item["id"] == id);
        let item =
            item.unwrap_or_else(|| panic!("testssl says nothing of {id} at {host}: {said:?}"));
        let finding = item["finding"].as_str().unwrap();
        // "TLSv1.1 is not offered, and downgraded to a weaker protocol"
        let denies = finding.contains("not offered");
        assert!(denies || finding.starts_with("offered"), "{host}: {item}");
        !denies
    };
    let versions = [
        ("SSLv2", "SSLv2"),
        ("SSLv3", "SSLv3"),
        ("TLS1", "TLSv1.0"),
        ("TLS1_1", "TLSv1.1"),
        ("TLS1_2", "TLSv1.2"),
        ("TLS1_3", "TLSv1.3"),
    ];
    let versions = versions.into_iter().filter(|(id, _)| is_offered("protocols", id));
    let weak = WEAK.into_iter().filter(|name| is_offered("ciphers", &format!("cipherlist_{name}")));
    Offered {
        versions: versions.map(|(_, name)| name.to_owned()).collect(),
        weak: weak.map(str::to_owned).collect(),
    }
}

/// Its `openssl`, which it starts with a configuration of its own choice: none.
fn openssl(directory: &std::path::Path) -> PathBuf {
    let configuration = directory.join("openssl.cnf");
    fs::write(&configuration, CONFIGURATION).unwrap();
    let wrapper = directory.join("openssl");
    let script =
        format!("#!/bin/sh\nOPENSSL_CONF={} exec openssl \"$@\"\n", configuration.display());
    fs::write(&wrapper, script).unwrap();
    fs::set_permissions(&wrapper, Permissions::from_mode(0o755)).unwrap();
    wrapper
}

/// The category of a suite, by its IANA name; none where it is no weak one, or weak in a way that testssl.sh does not count.
pub(super) fn category(suite: &str) -> Option<&'static str> {
    let is = |part: &str| suite.contains(part);
    if is("WITH_NULL") {
        Some("NULL")
    } else if is("_anon_") {
        Some("aNULL")
    } else if is("EXPORT") {
        Some("EXPORT")
    } else if is("3DES") || is("IDEA") {
        Some("3DES_IDEA")
    } else if is("RC2") || is("RC4") || is("DES") {
        Some("LOW")
    } else {
        None
    }
}
