//! The units, as systemd itself reads them; no systemd need run.
//!
//! Setup: units are copied, with the program that was just built in place of /usr/bin/mxwarden.
//! Test: a canary answers at a port that systemd opened for it; `systemd-analyze verify` has nothing to say; the exposure is 2.0 or less, with the drop-in for port 25 too, and what
//! is not closed is argued in the unit; the user and the directories are what the unit needs.

use super::{one_canary, run, shipped, silent};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The most that `systemd-analyze security` may give.
const EXPOSURE: f64 = 2.0;

/// The service with the program under test, and more lines behind it.
fn service(folder: &Path, more: &str) -> PathBuf {
    let text = fs::read_to_string(shipped("mxwarden.service")).unwrap();
    let text = text.replace("/usr/bin/mxwarden", env!("CARGO_BIN_EXE_mxwarden"));
    let path = folder.join("mxwarden.service");
    fs::write(&path, text + more).unwrap();
    path
}

#[test]
fn units_are_what_systemd_understands() {
    let folder = tempfile::tempdir().unwrap();
    let service = service(folder.path(), "");
    let socket = folder.path().join("mxwarden-canary.socket");
    fs::copy(shipped("mxwarden-canary.socket"), &socket).unwrap();
    let verify = |units: &[&Path]| {
        let mut command = Command::new("systemd-analyze");
        command.args(["verify", "--man=no"]).args(units).current_dir(folder.path());
        command
    };
    assert_eq!(silent(&mut verify(&[&service, &socket])), "");
    // It would have said so.
    fs::write(&service, fs::read_to_string(&service).unwrap() + "\n[Service]\nNoSuchKey=1\n")
        .unwrap();
    let said = run(&mut verify(&[&service])).stderr;
    assert!(String::from_utf8_lossy(&said).contains("NoSuchKey"));
}

fn security(unit: &Path, more: &[&str]) -> String {
    silent(
        Command::new("systemd-analyze").args(["security", "--offline=true"]).args(more).arg(unit),
    )
}

fn exposure(unit: &Path) -> f64 {
    let said = security(unit, &[]);
    let line = said.lines().find(|line| line.contains("Overall exposure level")).unwrap();
    let number = line.split("mxwarden.service: ").nth(1).unwrap();
    number.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn the_service_is_closed_as_far_as_its_work_allows() {
    let folder = tempfile::tempdir().unwrap();
    let unit = service(folder.path(), "");
    let without = exposure(&unit);
    assert!(without <= EXPOSURE, "{without}");
    let with_port_25 = "\n[Service]\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n\
                        CapabilityBoundingSet=CAP_NET_BIND_SERVICE\nPrivateUsers=no\n";
    let with = exposure(&service(folder.path(), with_port_25));
    assert!(without < with && with <= EXPOSURE, "{with}");
}

#[test]
fn what_is_left_open_is_argued() {
    let folder = tempfile::tempdir().unwrap();
    let unit = service(folder.path(), "");
    let text = fs::read_to_string(shipped("mxwarden.service")).unwrap();
    let rows: Value = serde_json::from_str(&security(&unit, &["--json=short"])).unwrap();
    let open: Vec<&str> = rows
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["set"] == false && !row["exposure"].is_null())
        .map(|row| row["name"].as_str().unwrap().split('=').next().unwrap())
        .collect();
    assert!(open.contains(&"PrivateNetwork"), "{open:?}");
    let argued: String = text.lines().filter(|line| line.starts_with('#')).collect();
    // Its comment stands above the line itself.
    let silent: Vec<_> = open
        .iter()
        .filter(|name| !argued.contains(**name) && **name != "RestrictAddressFamilies")
        .collect();
    assert!(silent.is_empty(), "the unit says nothing of {silent:?}");
}

/// The drop-in that the unit's comment gives is the one that is tested above.
#[test]
fn the_capability_is_given_in_a_comment_alone() {
    let text = fs::read_to_string(shipped("mxwarden.service")).unwrap();
    let lines: Vec<&str> =
        text.lines().filter(|line| line.contains("CAP_NET_BIND_SERVICE")).collect();
    assert_eq!(
        lines,
        [
            "#   AmbientCapabilities=CAP_NET_BIND_SERVICE",
            "#   CapabilityBoundingSet=CAP_NET_BIND_SERVICE"
        ]
    );
    for line in ["Type=notify", "WatchdogSec=60", "User=mxwarden", "StateDirectory=mxwarden"] {
        assert!(text.lines().any(|have| have == line), "{line}");
    }
    assert!(text.lines().any(|line| line.starts_with("LoadCredential=")));
}

#[test]
fn user_and_directories_are_made() {
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path);
    let in_root = |tool: &str| {
        let mut command = Command::new(tool);
        command.arg(format!("--root={}", root.path().display()));
        command
    };
    fs::create_dir_all(at("etc/mxwarden")).unwrap();
    let users = run(in_root("systemd-sysusers").arg(shipped("mxwarden.sysusers")));
    assert!(users.status.success(), "{users:?}");
    let passwd = fs::read_to_string(at("etc/passwd")).unwrap();
    let user: Vec<&str> =
        passwd.lines().find(|line| line.starts_with("mxwarden:")).unwrap().split(':').collect();
    assert_eq!(user[5..], ["/var/lib/mxwarden", "/usr/sbin/nologin"]);
    let (uid, gid): (u32, u32) = (user[2].parse().unwrap(), user[3].parse().unwrap());
    // What an administrator copied there, readable by all.
    fs::write(at("etc/mxwarden/mxwarden.toml"), "").unwrap();
    silent(in_root("systemd-tmpfiles").arg("--create").arg(shipped("mxwarden.tmpfiles")));
    let made = |path: &str| {
        let metadata = fs::metadata(at(path)).unwrap();
        (metadata.mode() & 0o7777, metadata.uid(), metadata.gid())
    };
    assert_eq!(made("etc/mxwarden"), (0o750, 0, gid));
    assert_eq!(made("etc/mxwarden/mxwarden.toml"), (0o640, 0, gid));
    assert_eq!(made("etc/mxwarden/secrets"), (0o700, 0, 0));
    assert_eq!(made("var/lib/mxwarden"), (0o700, uid, gid));
}

/// Listens as mxwarden-canary.socket does, and starts the program with the first connection, which waits until then.
#[test]
fn a_canary_takes_its_port_from_systemd() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody answers here: the round waits, and canaries stand meanwhile.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let dns = silent.local_addr().unwrap();
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (at, http) = (free(), free());
    let config = format!(
        r#"
state_dir = "state"
[organisation]
name = "Contoso"
domains = ["contoso.test"]
[dns]
resolvers = ["{dns}"]
[http]
listen = "{http}"
"#
    ) + &one_canary(&at.to_string());
    let file = folder.path().join("mxwarden.toml");
    fs::write(&file, config).unwrap();
    let mut activated = Command::new("systemd-socket-activate")
        .args(["--listen", &at.to_string(), env!("CARGO_BIN_EXE_mxwarden"), "run", "--config"])
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(activated.stderr.take().unwrap()).lines();
    let listening = said.find(|line| line.as_ref().unwrap().contains("Listening on")).unwrap();
    assert!(listening.unwrap().contains(&at.to_string()));
    let mut sender = TcpStream::connect(at).unwrap();
    let mut greeting = String::new();
    BufReader::new(&mut sender).read_line(&mut greeting).unwrap();
    activated.kill().unwrap();
    activated.wait().unwrap();
    let rest: Vec<String> = said.map_while(Result::ok).collect();
    assert_eq!(greeting, "220 mx.good.canary.test ESMTP\r\n", "{rest:?}");
}
