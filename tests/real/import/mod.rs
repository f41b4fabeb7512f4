//! `mxwarden import postfix` against the real thing: what the real `postconf` prints is read, whole or with `-n`, what
//! is made of a table is what the real `postmap` answers, and the configuration drives `verify` against the lab's
//! Postfix.
//!
//! Setup: a main.cf of its own with a policy table; the lab for DNS and receivers.
//! Test: import, `config check`, `verify`.

use crate::lab::{SMTP_PORT, lab, succeed};
use std::{fs, path::Path, process::Command};

const MAIN_CF: &str = "compatibility_level = 3.6\n\
    myhostname = mx.contoso.test\n\
    mydomain = contoso.test\n\
    mydestination = $myhostname, localhost.$mydomain, localhost, $mydomain\n\
    smtp_tls_security_level = may\n\
    smtp_tls_mandatory_protocols = >=TLSv1.2\n\
    smtp_tls_policy_maps =\n\
    \ttexthash:";

const TABLE: &str = "# Partners.\n\
    DOMAIN\tsecure\n\
    \tmatch=mx.DOMAIN\n\
    fabrikam.test encrypt protocols=>=TLSv1.3\n\
    northwind.test may\n";

/// A domain of the lab whose one MX is flawless.
const DOMAIN: &str = "good-rsa.test";

fn mxwarden(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mxwarden"));
    let output = command.current_dir(folder).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn what_postconf_prints_becomes_a_configuration_that_proves() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let table = at.join("tls_policy");
    fs::write(&table, TABLE.replace("DOMAIN", DOMAIN)).unwrap();
    fs::write(at.join("main.cf"), format!("{MAIN_CF}{}\n", table.display())).unwrap();
    fs::write(at.join("master.cf"), "").unwrap();

    // Whole or with -n, the records are the same.
    let mut records = Vec::new();
    for flag in [None, Some("-n")] {
        let printed = succeed(Command::new("postconf").arg("-c").arg(at).args(flag));
        fs::write(at.join("postconf.txt"), printed).unwrap();
        let (code, _, err) = mxwarden(
            at,
            &["import", "postfix", "postconf.txt", "tls_policy", "-o", "mxwarden.toml"],
        );
        assert_eq!(code, Some(0), "{flag:?}: {err}");
        let json: serde_json::Value =
            serde_json::from_slice(&fs::read(at.join("postfix.json")).unwrap()).unwrap();
        records.push((json["outbound"].clone(), json["accepted_domains"].clone()));
    }
    assert_eq!(records[0], records[1]);

    // Each entry is what Postfix itself finds.
    let outbound = records[0].0.as_array().unwrap();
    assert_eq!(outbound.len(), 4, "three entries, and the level of all others");
    for record in &outbound[..3] {
        let name = record["name"].as_str().unwrap();
        let map = format!("texthash:{}", table.display());
        let answer = succeed(Command::new("postmap").arg("-c").arg(at).args(["-q", name, &map]));
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(record["said"].as_str().unwrap()), words(&answer), "{name}");
    }

    // It passes its check, and proves: the record by itself, and the receiver in the lab.
    let toml = fs::read_to_string(at.join("mxwarden.toml")).unwrap();
    let lab_tables = format!(
        "{toml}\n[dns]\nresolvers = [\"{}\"]\nallow_private = true\n\n[probe]\nsmtp_port = {SMTP_PORT}\n\n[tls]\nroots = \"none\"\nca_files = [\"{}\"]\n",
        lab().resolver(),
        lab().pki.root().display()
    );
    fs::write(at.join("mxwarden.toml"), lab_tables).unwrap();
    let (code, _, err) = mxwarden(at, &["config", "check", "mxwarden.toml"]);
    assert_eq!(code, Some(0), "{err}");
    let (code, out, err) =
        mxwarden(at, &["verify", DOMAIN, "--config", "mxwarden.toml", "--format", "json"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    let claims = report["partners"][0]["claims"].as_array().unwrap();
    let told: Vec<_> = claims
        .iter()
        .map(|claim| (claim["claim"].as_str().unwrap(), claim["state"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [("outbound/configured", "compliant"), ("outbound/receiver-offers", "compliant")]
    );

    // The rule is taken out of the table: the agreement stays, and is broken.
    fs::write(&table, "fabrikam.test encrypt\n").unwrap();
    let (code, out, err) =
        mxwarden(at, &["import", "postfix", "postconf.txt", "tls_policy", "-o", "mxwarden.toml"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        out.contains(&format!("changed since the last import: connector '{DOMAIN}': is gone")),
        "{out}"
    );
    let arguments = [
        "verify",
        DOMAIN,
        "--config",
        "mxwarden.toml",
        "--claim",
        "outbound/configured",
        "--format",
        "json",
    ];
    let (code, out, _) = mxwarden(at, &arguments);
    assert_eq!(code, Some(1), "{out}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["partners"][0]["claims"][0]["findings"][0]["id"], "connector-weaker");
}
