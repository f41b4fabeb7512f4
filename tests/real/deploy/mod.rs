//! What is shipped in `deploy/`, held against the programs that will read it.

mod booted;
mod compose;
mod container;
mod notify;
mod stack;
mod systemd;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A file of `deploy/`.
fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

/// Runs a program that has to be there; what it came to.
#[track_caller]
fn run(command: &mut Command) -> Output {
    let output = command.output();
    output
        .unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}; tests/run installs it"))
}

/// Runs a program that must succeed and have nothing to say on standard error; what it says on standard output.
#[track_caller]
fn silent(command: &mut Command) -> String {
    let output = run(command);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.is_empty(),
        "{command:?}: {}\n{out}{said}",
        output.status
    );
    out
}

/// What the configuration says of one canary that listens here, of its connector and of a partner under that.
fn one_canary(listen: &str) -> String {
    format!(
        r#"
[[connector]]
name = "to-banks"
direction = "outbound"
level = "encrypt"
[connector.submit]
url = "smtp+plain://127.0.0.1:1"
from = "tls-probe@contoso.test"
[connector.canaries]
good = "good.canary.test"
[[canary]]
personality = "good"
listen = ["{listen}"]
domains = ["good.canary.test"]
hostname = "mx.good.canary.test"
[[partner]]
name = "Fabrikam"
domains = ["fabrikam.test"]
outbound = "to-banks"
"#
    )
}
