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
    insta::assert_snapshot!(out, @"../../../config/minimal.toml: valid: 1 partner, 1 connector, 0 canaries");
}

#[test]
fn warnings_are_told_beside() {
    let (code, out, err) = config(&["check", "warns-unused.toml"]);
    assert_eq!(code, Some(0));
    insta::assert_snapshot!(out, @"warns-unused.toml: valid: 1 partner, 3 connectors, 1 canary");
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
    insta::assert_snapshot!(err, @"error: cannot read the configuration absent.toml: No such file or directory (os error 2)");
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
    assert!(out.ends_with("valid: 1 partner, 2 connectors, 0 canaries\n"), "{out}");
}
