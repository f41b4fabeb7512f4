//! `mxwarden config` as people and scripts meet it.

use std::process::{Command, Stdio};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/config");

/// Exit code, standard output, standard error.
fn config(args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mxwarden"));
    command.arg("config").args(args).current_dir(FOLDER).stdin(Stdio::null());
    command.env_remove("CREDENTIALS_DIRECTORY");
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_valid_configuration_is_counted() {
    let (code, out, err) = config(&["check", "../../../config/minimal.toml"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    insta::assert_snapshot!(out, @r"
    ../../../config/minimal.toml: valid: 1 partner, 1 connector, 0 canaries
    Fabrikam: not claimed: outbound/configured (nothing imported), outbound/receiver-enforces (no [partner.receiver_enforces]), outbound/sender-enforces (no [connector.submit], no [connector.canaries]), inbound (no inbound connector)
    ");
}

#[test]
fn warnings_are_told_beside() {
    let (code, out, err) = config(&["check", "warns-unused.toml"]);
    assert_eq!(code, Some(0));
    let first = "warns-unused.toml: valid: 1 partner, 3 connectors, 1 canary\n";
    assert!(out.starts_with(first), "{out}");
    for told in ["5: connector.sender.networks: is missing", "9: connector.names: "] {
        assert!(err.contains(&format!("warning: warns-unused.toml:{told}")), "{err}");
    }
}

#[test]
fn every_mistake_is_told() {
    let (code, out, err) = config(&["check", "invalid-unknown-keys.toml"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    insta::assert_snapshot!(err, @r"
    error: invalid-unknown-keys.toml is not valid: 5 mistakes
    invalid-unknown-keys.toml:1: state_dri: unknown key
    hint: did you mean `state_dir`?
    invalid-unknown-keys.toml:5: organisation.domain: unknown key
    hint: did you mean `domains`?
    invalid-unknown-keys.toml:11: connector.min_tls: unknown key
    hint: `mxwarden config example` prints every key there is
    invalid-unknown-keys.toml:18: round: unknown key
    hint: did you mean `rounds`?
    invalid-unknown-keys.toml:21: alrt: unknown key
    hint: did you mean `alert`?
    ");
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let (code, out, err) = config(&["check", "absent.toml"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    insta::assert_snapshot!(err, @r"
    error: cannot read the configuration absent.toml: No such file or directory (os error 2)
    hint: write one (`mxwarden config example`), or name it with `--config FILE`
    ");
}

#[test]
fn the_file_may_be_named_as_every_other_command_takes_it() {
    let (code, out, err) = config(&["check", "--config", "../../../config/minimal.toml"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.starts_with("../../../config/minimal.toml: valid"), "{out}");
    let both = config(&["check", "a.toml", "--config", "b.toml"]);
    assert_eq!(both.0, Some(2));
    assert!(both.2.contains("cannot be used with"), "{}", both.2);
}

#[test]
fn a_secret_that_cannot_be_looked_at_here_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mxwarden.toml");
    let minimal = include_str!("../../config/minimal.toml");
    let token = "[http]\nread_token_file = \"$CREDENTIALS_DIRECTORY/token\"\n";
    std::fs::write(&file, format!("{token}{minimal}")).unwrap();
    let (code, out, err) = config(&["check", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains(": valid: "), "{out}");
    let told =
        "http.read_token_file: $CREDENTIALS_DIRECTORY is not set: it cannot be looked at here";
    assert!(err.contains(told), "{err}");
    // The daemon needs every one of them.
    let mut run = Command::new(env!("CARGO_BIN_EXE_mxwarden"));
    run.arg("run").arg("--config").arg(&file).env_remove("CREDENTIALS_DIRECTORY");
    let output = run.stdin(Stdio::null()).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("$CREDENTIALS_DIRECTORY is not set"), "{err}");
}

#[test]
fn the_example_passes_its_own_check() {
    let (code, example, err) = config(&["example"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mxwarden.toml");
    std::fs::write(&file, example).unwrap();
    let (code, out, err) = config(&["check", file.to_str().unwrap()]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("valid: 1 partner, 2 connectors, 0 canaries\n"), "{out}");
}
