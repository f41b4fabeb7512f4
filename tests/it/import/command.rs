//! `mxwarden import` as people meet it: what is written, what is kept, and that it can be used.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");

/// Exit code, standard output, standard error.
fn mxwarden(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mxwarden"));
    let output = command.args(args).current_dir(folder).stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A folder with these files of the fixtures.
fn folder(files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let name = Path::new(file).file_name().unwrap();
        fs::copy(format!("{DATA}/{file}"), folder.path().join(name)).unwrap();
    }
    folder
}

const EXCHANGE: [&str; 5] = [
    "exchange/outbound.json",
    "exchange/inbound.json",
    "exchange/rules.json",
    "exchange/domains.json",
    "exchange/transport.json",
];
const FILES: [&str; 5] =
    ["outbound.json", "inbound.json", "rules.json", "domains.json", "transport.json"];

/// `UPDATE=1` takes what is written now.
#[track_caller]
fn golden(name: &str, is: &str) {
    let path = format!("{DATA}/{name}");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, is).unwrap();
    }
    assert_eq!(
        is,
        fs::read_to_string(&path).unwrap_or_default(),
        "UPDATE=1 takes what is written now"
    );
}

fn import_exchange(folder: &Path) -> String {
    let args: Vec<&str> =
        ["import", "exchange"].into_iter().chain(FILES).chain(["-o", "mxwarden.toml"]).collect();
    let (code, out, err) = mxwarden(folder, &args);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    out
}

#[test]
fn an_import_is_a_configuration_that_passes_its_check() {
    let folder = folder(&EXCHANGE);
    let out = import_exchange(folder.path());
    golden("exchange/golden.out", &out);
    let toml = fs::read_to_string(folder.path().join("mxwarden.toml")).unwrap();
    golden("exchange/golden.toml", &toml);
    let (code, out, err) = mxwarden(folder.path(), &["config", "check", "mxwarden.toml"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains(": valid: 2 partners, 4 connectors, 0 canaries\n"), "{out}");
    // Without -o the same is printed, and nothing is written.
    let args: Vec<&str> = ["import", "exchange"].into_iter().chain(FILES).collect();
    let (code, printed, err) = mxwarden(folder.path(), &args);
    assert_eq!((code, printed), (Some(0), toml));
    assert!(err.contains("Nothing was written"), "{err}");
}

/// The lines behind `#`, each where it stands.
fn uncommented(toml: &str) -> String {
    let lines = toml.lines().map(|line| match line.strip_prefix('#') {
        Some(key) if !key.starts_with(' ') => key,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A drafted line is valid where it stands, every one of them at once.
#[test]
fn what_needs_a_person_is_valid_once_it_is_uncommented() {
    let weak = r#"[
        {"Name": "To A", "RecipientDomains": ["a.test"], "TlsSettings": null, "UseMXRecord": true},
        {"Name": "to-a", "RecipientDomains": ["*.b.test"], "TlsSettings": "DomainValidation", "TlsDomain": null},
        {"Name": "C", "RecipientDomains": ["c.test"], "TlsSettings": "DomainValidation", "TlsDomain": "*.c.test"}]"#;
    let into = r#"[
        {"Name": "A", "SenderDomains": ["smtp:a.test;1"], "RequireTls": false, "RestrictDomainsToCertificate": true},
        {"Name": "B", "SenderDomains": ["smtp:b.test;1"], "RestrictDomainsToCertificate": true,
         "TlsSenderCertificateName": "<I>CN=x<S>CN=y"},
        {"Name": "C", "SenderDomains": ["smtp:c.test;1"], "RestrictDomainsToIPAddresses": true,
         "SenderIPAddresses": ["192.0.2.0/24"]}]"#;
    let folder = folder(&EXCHANGE);
    fs::write(folder.path().join("weak-outbound.json"), weak).unwrap();
    fs::write(folder.path().join("weak-inbound.json"), into).unwrap();
    let few = ["weak-outbound.json", "weak-inbound.json"];
    let with_domains = ["weak-outbound.json", "weak-inbound.json", "domains.json"];
    let with_canaries = ["weak-outbound.json", "weak-inbound.json", "--canaries", "canary.d.test"];
    for (files, canaries) in
        [(&FILES[..], 17), (&few, 0), (&with_domains, 23), (&with_canaries, 23)]
    {
        let args: Vec<&str> =
            ["import", "exchange"].into_iter().chain(files.iter().copied()).collect();
        let (code, toml, err) = mxwarden(folder.path(), &args);
        assert_eq!(code, Some(0), "{err}");
        let whole = uncommented(&toml);
        let loaded = mxwarden::config::Config::parse(&whole, Path::new("mxwarden.toml"));
        let loaded = loaded.unwrap_or_else(|errors| panic!("{errors}\n{whole}"));
        let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
        assert!(warnings.is_empty(), "{warnings:?}\n{whole}");
        assert_eq!(loaded.config.canaries.len(), canaries, "{whole}");
        // A proof by the clone is a proof of the connector.
        for connector in &loaded.config.outbound {
            let prover = connector.proved_on.as_deref().unwrap_or(&connector.name);
            let prover = loaded.config.outbound(prover).unwrap();
            assert_eq!(prover.canaries.is_empty(), canaries == 0);
            assert!(
                !prover.sender.networks.is_empty() && prover.submit.is_some() | (canaries == 0)
            );
        }
    }
}

#[test]
fn importing_again_keeps_what_was_edited_by_hand() {
    let folder = folder(&EXCHANGE);
    import_exchange(folder.path());
    let path = folder.path().join("mxwarden.toml");
    let first = fs::read_to_string(&path).unwrap();
    let out = import_exchange(folder.path());
    assert_eq!(fs::read_to_string(&path).unwrap(), first, "the same again changes nothing");
    assert!(out.contains("kept as it stands") && !out.contains("changed since"), "{out}");
    // Edited by hand, in every way.
    let edited = first
        .replace("name = \"Our organisation\"", "name = \"Contoso\"")
        .replace("names = [\"*.fabrikam.test\"]", "names = [\"mx.fabrikam.test\"]")
        .replace("name = \"fabrikam.test\"", "name = \"Fabrikam\"\nlabels = { tier = \"1\" }")
        + "\n# a remark of ours\n";
    fs::write(&path, &edited).unwrap();
    import_exchange(folder.path());
    assert_eq!(fs::read_to_string(&path).unwrap(), edited);
    // The record got weaker: what was agreed stays, and the change is told.
    let export = folder.path().join("outbound.json");
    let weaker = fs::read_to_string(&export).unwrap().replace("DomainValidation", "EncryptionOnly");
    fs::write(&export, weaker).unwrap();
    let out = import_exchange(folder.path());
    assert_eq!(fs::read_to_string(&path).unwrap(), edited);
    assert!(out.contains("changed since the last import: connector 'To Fabrikam': demands: TlsSettings EncryptionOnly"), "{out}");
    // And the claim says so, with the records alone.
    let args = [
        "verify",
        "--config",
        "mxwarden.toml",
        "--claim",
        "outbound/configured",
        "--format",
        "json",
    ];
    let (code, out, err) = mxwarden(folder.path(), &args);
    assert_eq!(code, Some(1), "{err}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["partners"][0]["partner"], "Fabrikam");
    assert_eq!(report["partners"][0]["claims"][0]["findings"][0]["id"], "connector-weaker");
    assert_eq!(report["partners"][1]["state"], "compliant");
    // A new connector comes behind what is there.
    let more = fs::read_to_string(&export)
        .unwrap()
        .replace("northwind.test", "tailspin.test")
        .replace("To Northwind", "To Tailspin");
    fs::write(&export, more).unwrap();
    import_exchange(folder.path());
    let now = fs::read_to_string(&path).unwrap();
    assert!(
        now.starts_with(&edited) && now[edited.len()..].contains("name = \"To Tailspin\""),
        "{now}"
    );
    assert_eq!(mxwarden(folder.path(), &["config", "check", "mxwarden.toml"]).0, Some(0));
}

/// Nobody pastes a domain that nobody has.
#[test]
fn without_a_domain_for_canaries_no_script_is_printed() {
    let folder = folder(&EXCHANGE);
    let args = ["import", "exchange", "outbound.json", "inbound.json", "rules.json"];
    let (code, toml, err) = mxwarden(folder.path(), &args);
    assert_eq!(code, Some(0));
    assert!(err.contains("give --canaries DOMAIN") && !err.contains("PowerShell"), "{err}");
    assert!(!toml.contains("canary.example") && !err.contains("canary.example"), "{toml}{err}");
    let args: Vec<&str> = args.into_iter().chain(["--canaries", "canary.contoso.test"]).collect();
    let (_, _, err) = mxwarden(folder.path(), &args);
    assert!(err.contains("'good.to-fabrikam.canary.contoso.test'"), "{err}");
    // What was said once holds for the imports that come.
    let with_output: Vec<&str> = args.iter().copied().chain(["-o", "mxwarden.toml"]).collect();
    assert_eq!(mxwarden(folder.path(), &with_output).0, Some(0));
    let (_, out, _) = mxwarden(folder.path(), &[&args[..5], &["-o", "mxwarden.toml"]].concat());
    assert!(out.contains("'good.to-fabrikam.canary.contoso.test'"), "{out}");
}

/// The canaries stand under the connectors by now: they are no partners, and are not put there again.
#[test]
fn canary_domains_are_no_partners() {
    #[track_caller]
    fn check(folder: &Path, args: &[&str], config: &str) -> String {
        let path = folder.join("mxwarden.toml");
        fs::write(&path, config).unwrap();
        let all: Vec<&str> = ["import", "exchange", "outbound.json", "rules.json"]
            .into_iter()
            .chain(args.iter().copied())
            .collect();
        let (code, out, err) = mxwarden(folder, &all);
        assert_eq!(code, Some(0), "{err}");
        let toml = fs::read_to_string(&path).unwrap();
        assert_eq!(toml.matches("[[partner]]").count(), 1, "{toml}");
        assert!(out.contains("left out: a canary's domain: good.x.test, notls.x.test"), "{out}");
        out
    }
    let folder = folder(&["exchange/rules.json"]);
    let outbound = r#"[
        {"Name": "To A", "RecipientDomains": ["a.test", "good.x.test", "notls.x.test"], "TlsSettings": "EncryptionOnly", "UseMXRecord": true},
        {"Name": "To A (canaries)", "RecipientDomains": ["good.x.test"], "TlsSettings": "EncryptionOnly", "UseMXRecord": true}]"#;
    fs::write(folder.path().join("outbound.json"), outbound).unwrap();
    let organisation = "[organisation]\nname = \"Contoso\"\ndomains = [\"contoso.test\"]\n";
    let canaries = "[connector.canaries]\ngood = \"good.x.test\"\nno-starttls = \"notls.x.test\"\n";
    let connector =
        "[[connector]]\nname = \"To B\"\ndirection = \"outbound\"\nlevel = \"encrypt\"\n";
    let with_output = ["-o", "mxwarden.toml"];
    // In [connector.canaries], in [[canary]], in a draft that waits for a person, below --canaries.
    check(folder.path(), &with_output, &format!("{organisation}{connector}{canaries}"));
    let canary =
        "[[canary]]\npersonality = \"good\"\ndomains = [\"good.x.test\", \"notls.x.test\"]\n";
    check(folder.path(), &with_output, &format!("{organisation}{canary}"));
    let drafted = canaries.replace("\n", "\n#");
    check(folder.path(), &with_output, &format!("{organisation}#{drafted}\n"));
    let out = check(folder.path(), &["-o", "mxwarden.toml", "--canaries", "x.test"], organisation);
    // The clone is nobody's connector, and is not to be made again.
    assert!(out.contains("TlsSettings EncryptionOnly  left out: a canary's domain\n"), "{out}");
}

/// Below our own domains nobody is a partner: docs/canaries.md asks for the entry of the canaries.
#[test]
fn what_lies_below_our_own_domains_is_no_partner() {
    let folder = folder(&["postfix/postconf.txt", "postfix/tls_policy"]);
    let table = folder.path().join("tls_policy");
    let entries = fs::read_to_string(&table).unwrap();
    let own = ".canary.contoso.test    secure match=nexthop:dot-nexthop\n";
    fs::write(&table, format!("{entries}{own}")).unwrap();
    let args = ["import", "postfix", "postconf.txt", "tls_policy", "-o", "mxwarden.toml"];
    let (code, out, err) = mxwarden(folder.path(), &args);
    assert_eq!(code, Some(0), "{err}");
    let row = out.lines().find(|line| line.contains(".canary.contoso.test")).unwrap();
    assert!(row.ends_with("left out: below our own domains"), "{out}");
    let toml = fs::read_to_string(folder.path().join("mxwarden.toml")).unwrap();
    assert!(!toml.contains("canary"), "{toml}");
}

#[test]
fn an_old_export_is_old_whenever_it_is_imported() {
    let folder = folder(&EXCHANGE);
    let file = fs::File::options().append(true).open(folder.path().join("inbound.json")).unwrap();
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    file.set_modified(old).unwrap();
    import_exchange(folder.path());
    let records = fs::read_to_string(folder.path().join("exchange.json")).unwrap();
    assert!(records.contains("\"exported_at\": \"2023-11-14T22:13:20Z\""), "{records}");
    let args = ["verify", "--config", "mxwarden.toml", "--claim", "inbound/configured"];
    let (code, out, _) = mxwarden(folder.path(), &args);
    assert_eq!(code, Some(3), "{out}");
    assert!(out.contains("stale"), "{out}");
}

/// A copy is younger than what it holds, and the export says so itself.
#[test]
fn a_copy_makes_no_export_younger() {
    let folder = folder(&EXCHANGE);
    let verified = || {
        import_exchange(folder.path());
        let args = ["verify", "--config", "mxwarden.toml", "--claim", "inbound/configured"];
        let (code, out, _) = mxwarden(folder.path(), &args);
        (code, out)
    };
    let (code, out) = verified();
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains(", file dated 20") && !out.contains("exported at"), "{out}");
    for file in FILES {
        let path = folder.path().join(file);
        let records = fs::read_to_string(&path).unwrap();
        let records = records.trim();
        let list =
            if records.starts_with('[') { records.to_owned() } else { format!("[{records}]") };
        let text = format!(r#"{{"ExportedAt": "2023-11-14T22:13:20.1234567Z", "value": {list}}}"#);
        fs::write(&path, text).unwrap();
    }
    let (code, out) = verified();
    assert_eq!(code, Some(3), "{out}");
    assert!(out.contains("the records were exported at 2023-11-14T22:13:20Z"), "{out}");
}

/// A claim that is gone without a word would look like a partner without an agreement.
#[test]
fn an_import_that_forgets_a_file_is_refused() {
    for (file, what) in [
        ("outbound.json", "outbound/configured would not be claimed any more"),
        ("inbound.json", "inbound/configured would not be claimed any more"),
        ("rules.json", "the mail flow rules of the last import are no longer there"),
        ("domains.json", "our own domains of the last import are no longer there"),
        ("transport.json", "the transport settings of the last import"),
    ] {
        let folder = folder(&EXCHANGE);
        import_exchange(folder.path());
        let before = fs::read(folder.path().join("exchange.json")).unwrap();
        let others = FILES.into_iter().filter(|one| *one != file);
        let args: Vec<&str> =
            ["import", "exchange", "-o", "mxwarden.toml"].into_iter().chain(others).collect();
        let (code, out, err) = mxwarden(folder.path(), &args);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{file}");
        assert!(err.contains(what) && err.contains("import all files at once"), "{err}");
        assert_eq!(fs::read(folder.path().join("exchange.json")).unwrap(), before);
        // Said so, it is let go.
        fs::remove_file(folder.path().join("exchange.json")).unwrap();
        assert_eq!(mxwarden(folder.path(), &args).0, Some(0), "{file}");
    }
}

#[test]
fn a_failed_export_is_no_tenant_without_connectors() {
    let folder = folder(&EXCHANGE);
    import_exchange(folder.path());
    let before = fs::read(folder.path().join("exchange.json")).unwrap();
    fs::write(folder.path().join("outbound.json"), b"\xef\xbb\xbf").unwrap();
    let args: Vec<&str> =
        ["import", "exchange"].into_iter().chain(FILES).chain(["-o", "mxwarden.toml"]).collect();
    let (code, _, err) = mxwarden(folder.path(), &args);
    assert_eq!(code, Some(2));
    assert!(
        err.contains(
            "outbound.json: is empty: the export failed, or there are none; then it must hold `[]`"
        ),
        "{err}"
    );
    assert_eq!(fs::read(folder.path().join("exchange.json")).unwrap(), before);
}

#[test]
fn a_mistake_leaves_everything_as_it_was() {
    let folder = folder(&["exchange/outbound.json", "exchange/bad-unknown-integer.json"]);
    let args =
        ["import", "exchange", "outbound.json", "bad-unknown-integer.json", "-o", "mxwarden.toml"];
    let (code, out, err) = mxwarden(folder.path(), &args);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.starts_with("error: nothing was imported: 1 mistake\nbad-unknown-integer.json: To Fabrikam: TlsSettings: `7`"), "{err}");
    assert!(
        !folder.path().join("mxwarden.toml").exists()
            && !folder.path().join("exchange.json").exists()
    );
    // Nor is a file overwritten that is none of ours.
    let args = ["import", "exchange", "outbound.json", "--records", "outbound.json"];
    let before = fs::read(folder.path().join("outbound.json")).unwrap();
    let (code, _, err) = mxwarden(folder.path(), &args);
    assert_eq!(code, Some(2));
    assert!(err.contains("outbound.json holds something else than imported records"), "{err}");
    assert_eq!(fs::read(folder.path().join("outbound.json")).unwrap(), before);
}

#[test]
fn help_holds_the_commands_to_run() {
    let folder = folder(&[]);
    let (code, out, _) = mxwarden(folder.path(), &["import", "exchange", "--help"]);
    assert_eq!(code, Some(0));
    for line in mxwarden::config::exchange::EXPORT.lines() {
        assert!(out.contains(line), "{line}\n{out}");
    }
}

#[test]
fn postfix_is_imported_by_the_same_door() {
    let folder = folder(&["postfix/postconf.txt", "postfix/tls_policy"]);
    let args = ["import", "postfix", "postconf.txt", "tls_policy", "-o", "mxwarden.toml"];
    let (code, _, err) = mxwarden(folder.path(), &args);
    assert_eq!(code, Some(0), "{err}");
    let toml = fs::read_to_string(folder.path().join("mxwarden.toml")).unwrap();
    golden("postfix/golden.toml", &toml);
    let (code, out, err) = mxwarden(folder.path(), &["config", "check", "mxwarden.toml"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains(": valid: 3 partners, 3 connectors, 0 canaries\n"), "{out}");
    let args = [
        "verify",
        "--config",
        "mxwarden.toml",
        "--claim",
        "outbound/configured",
        "--format",
        "csv",
    ];
    let (code, out, _) = mxwarden(folder.path(), &args);
    // Only the entry with a floor of its own says what was agreed: Postfix goes down to TLS 1.0.
    assert_eq!(code, Some(1), "{out}");
}

#[test]
fn a_pasted_reply_is_explained() {
    let folder = folder(&[]);
    let reply = "450 4.4.317 Cannot connect to remote server [Message=451 5.7.3 STARTTLS is required to send mail] [LastAttemptedServerName=mx.fabrikam.test]";
    let (code, out, err) = mxwarden(folder.path(), &["explain", reply]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(
        out.starts_with(
            "no-starttls (Exchange Online as sender): the receiver offers no STARTTLS, and the sender demands it\n"
        ),
        "{out}"
    );
    assert!(out.ends_with("Server: mx.fabrikam.test\n"), "{out}");
    // Without quotes as well.
    let words: Vec<&str> = ["explain"].into_iter().chain(reply.split(' ')).collect();
    assert_eq!(mxwarden(folder.path(), &words).1, out);
    let (code, _, err) = mxwarden(folder.path(), &["explain", "cert-expird"]);
    assert_eq!((code, err.contains("did you mean `cert-expired`?")), (Some(2), true), "{err}");
}
