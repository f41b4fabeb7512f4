//! The demo as people meet it: the whole loop in one process, and nothing left of it.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
};
use tempfile::TempDir;

/// The program, with a temporary folder of its own.
fn mxwarden(scratch: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mxwarden"));
    command.args(args).env("TMPDIR", scratch).stdin(Stdio::null());
    for variable in ["CLICOLOR_FORCE", "CLICOLOR", "NO_COLOR", "COLUMNS", "RUST_LOG", "http_proxy"]
    {
        command.env_remove(variable);
    }
    command
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn is_empty(scratch: &TempDir) -> bool {
    fs::read_dir(scratch.path()).unwrap().next().is_none()
}

fn interrupt(child: &Child) {
    let told = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(told.success());
}

#[track_caller]
fn stands(told: &str, who: &str, state: &str, what: &str) {
    let line = told.lines().find(|line| line.contains(&format!(" {who} ")));
    let is_so = line.is_some_and(|line| line.contains(state) && line.contains(what));
    assert!(is_so, "{who} {state} {what}: {told}");
}

#[test]
fn the_demo_finds_everybody_as_they_were_made() {
    let scratch = tempfile::tempdir().unwrap();
    let output = mxwarden(scratch.path(), &["demo", "--once"]).output().unwrap();
    let (told, error) = (out(&output), String::from_utf8(output.stderr.clone()).unwrap());
    assert_eq!((output.status.code(), error.as_str()), (Some(0), ""), "{told}");
    assert!(!told.contains("NOT AS IT SHOULD BE"), "{told}");
    assert!(told.contains("All 19 claims are as they should be."), "{told}");
    stands(&told, "healthy.test", "✓ compliant", "all 4 claims are proved");
    stands(&told, "expired.test", "✗ violated", "cert-expired: ");
    stands(&told, "lost-starttls.test", "✗ violated", "starttls-not-offered: ");
    stands(&told, "wrong-name.test", "✗ violated", "cert-name-mismatch: ");
    stands(&told, "one-of-two.test", "✗ violated", "cert-self-signed: 1 of 2 endpoints");
    stands(&told, "busy.test", "? unknown", "rate-limited: ");
    stands(&told, "trusted.test", "✗ violated", "inbound/receiver-enforces, plaintext-accepted: ");
    // The same canaries, the same mail system, and two connectors that are not alike.
    stands(&told, "really-forced", "✓ compliant", "enforced: the control arrived");
    stands(
        &told,
        "looks-forced",
        "✗ violated",
        "delivered-in-plaintext: not enforced at no-starttls",
    );
    assert!(told.lines().count() <= 12, "{told}");
    assert!(is_empty(&scratch));
}

/// A demo that keeps running, up to where it says where to look.
fn begun(scratch: &TempDir) -> (Child, BufReader<ChildStdout>, String) {
    let mut command = mxwarden(scratch.path(), &["demo"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut reading = BufReader::new(child.stdout.take().unwrap());
    let mut told = String::new();
    while !told.contains("mxwarden check ") {
        assert_ne!(reading.read_line(&mut told).unwrap(), 0, "{told}");
    }
    (child, reading, told)
}

/// What stands behind a word, up to the next blank.
fn behind<'a>(told: &'a str, word: &str) -> &'a str {
    let rest = told.split_once(word).map(|(_, rest)| rest).unwrap();
    rest.split_whitespace().next().unwrap()
}

#[test]
fn while_it_runs_every_command_works_on_it() {
    let scratch = tempfile::tempdir().unwrap();
    let (mut child, mut reading, told) = begun(&scratch);
    let http = behind(&told, "Look at http://").trim_end_matches('/').to_owned();
    let config = behind(&told, "history --config ").to_owned();
    let ports = [http.as_str(), behind(&told, "--resolver "), behind(&told, "--port ")];
    for port in ports {
        let port = port.rsplit(':').next().unwrap();
        assert!(port.parse::<u16>().unwrap() >= 1024, "{port}");
    }
    let text = fs::read_to_string(&config).unwrap();
    let listen = text.lines().filter_map(|line| line.strip_prefix("listen = "));
    let mut listens = 0;
    for address in listen.map(|line| line.trim_matches(['[', ']', '"'])) {
        let address: std::net::SocketAddr = address.parse().unwrap();
        assert!(address.ip().is_loopback() && address.port() >= 1024, "{address}");
        listens += 1;
    }
    assert_eq!(listens, 19, "18 canaries, and the pages");

    let mut page = TcpStream::connect(&http).unwrap();
    write!(page, "GET /metrics HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n\r\n").unwrap();
    let mut metrics = String::new();
    page.read_to_string(&mut metrics).unwrap();
    for (partner, claim, state) in [
        ("healthy.test", "outbound/sender-enforces", "compliant"),
        ("trusted.test", "outbound/sender-enforces", "violated"),
        ("busy.test", "outbound/receiver-offers", "unknown"),
    ] {
        let labels = [
            format!("partner=\"{partner}\""),
            format!("claim=\"{claim}\""),
            format!("state=\"{state}\""),
        ];
        let is_it = |line: &&str| {
            line.starts_with("mxwarden_claim_state{") && labels.iter().all(|one| line.contains(one))
        };
        let line = metrics.lines().find(is_it);
        assert!(line.is_some_and(|line| line.ends_with(" 1")), "{labels:?}: {line:?}");
    }

    let history = mxwarden(scratch.path(), &["history", "--config", &config, "trusted.test"]);
    let history = { history }.output().unwrap();
    assert_eq!(history.status.code(), Some(0));
    let changed = out(&history);
    let sends = changed.lines().find(|line| line.contains("outbound/sender-enforces"));
    assert!(sends.is_some_and(|line| line.contains("unknown → violated")), "{changed}");
    let mut verify = mxwarden(scratch.path(), &["verify", "--config", &config, "trusted.test"]);
    let verified = verify.output().unwrap();
    assert_eq!(verified.status.code(), Some(1), "{}", out(&verified));
    // Our own server was looked at for both, and one was asked about.
    assert!(!out(&verified).contains("healthy.test"), "{}", out(&verified));
    let command = told.lines().find_map(|line| line.trim().strip_prefix("mxwarden check "));
    let args: Vec<&str> = ["check"].into_iter().chain(command.unwrap().split(' ')).collect();
    let checked = mxwarden(scratch.path(), &args).output().unwrap();
    assert_eq!(checked.status.code(), Some(1), "{}", out(&checked));
    assert!(out(&checked).contains("1 of 2 endpoints"), "{}", out(&checked));

    interrupt(&child);
    let mut rest = String::new();
    reading.read_to_string(&mut rest).unwrap();
    let mut error = String::new();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!((child.wait().unwrap().code(), error.as_str()), (Some(0), ""), "{rest}");
    assert!(is_empty(&scratch));
}

/// Before anything was found, too.
#[test]
fn an_interrupted_demo_leaves_nothing_behind() {
    let scratch = tempfile::tempdir().unwrap();
    let mut command = mxwarden(scratch.path(), &["demo", "--once"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut reading = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    reading.read_line(&mut first).unwrap();
    assert!(!is_empty(&scratch), "it has a place of its own");
    interrupt(&child);
    // Nothing was proved: that is no success.
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(is_empty(&scratch));
}
