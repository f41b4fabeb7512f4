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
    assert!(out.ends_with("valid: 2 partners, 4 connectors, 0 canaries\n"), "{out}");
    // Without -o the same is printed, and nothing is written.
    let args: Vec<&str> = ["import", "exchange"].into_iter().chain(FILES).collect();
    let (code, printed, err) = mxwarden(folder.path(), &args);
    assert_eq!((code, printed), (Some(0), toml));
    assert!(err.contains("Nothing was written"), "{err}");
}

/// What a person fills in is valid as well: the lines behind `#`.
#[test]
fn what_needs_a_person_is_valid_once_it_is_filled_in() {
    let folder = folder(&EXCHANGE);
    import_exchange(folder.path());
    let path = folder.path().join("mxwarden.toml");
    let toml = fs::read_to_string(&path).unwrap();
    fs::write(folder.path().join("secret"), "geheim\n").unwrap();
    let filled: Vec<String> = toml
        .lines()
        // Certificates and clones need more than a line.
        .filter(|line| !line.contains("client_certificate") && !line.starts_with("#proved_on"))
        .map(|line| match line.strip_prefix('#') {
            Some(key) if !key.starts_with(' ') => {
                key.replace("client_secret_file = \"…\"", "client_secret_file = \"secret\"")
            }
            _ => line.to_owned(),
        })
        .collect();
    fs::write(&path, filled.join("\n")).unwrap();
    let (code, _, err) = mxwarden(folder.path(), &["config", "check", "mxwarden.toml"]);
    assert_eq!(code, Some(0), "{err}");
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
    assert!(out.ends_with("valid: 3 partners, 3 connectors, 0 canaries\n"), "{out}");
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
            "no-starttls (reply): the receiver offers no STARTTLS, and the sender demands it\n"
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
