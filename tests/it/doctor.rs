//! `mxwarden doctor` on hosts that are well, and on hosts that are not.

use crate::world::World;
use mxwarden::{
    lab::smtp::{Say, Script},
    record::Record,
    wire::text,
};
use serde_json::Value;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, UdpSocket},
    path::Path,
    process::{Command, Stdio},
};

const PASSWORD: &str = "Correct+Horse+Battery+Staple";

/// Exit code, standard output, standard error. On a thread of its own: servers of the test must go on meanwhile.
async fn doctor(config: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mxwarden"));
    command.arg("doctor").arg("--config").arg(config).args(arguments);
    command.stdin(Stdio::null()).env_remove("CREDENTIALS_DIRECTORY");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Everything told of one kind: its state, and what was seen.
fn told(diagnosis: &Value, kind: &str) -> Vec<(String, String)> {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let checks = diagnosis["checks"].as_array().unwrap().iter();
    let of_kind = checks.filter(|check| check["check"] == kind);
    of_kind.map(|check| (word(&check["state"]), word(&check["seen"]))).collect()
}

fn states(diagnosis: &Value, kind: &str) -> Vec<String> {
    told(diagnosis, kind).into_iter().map(|(state, _)| state).collect()
}

/// A host with everything that can be examined, and its configuration.
struct Bench {
    world: World,
    folder: tempfile::TempDir,
    mail: usize,
    canary: SocketAddr,
    password_file: &'static str,
    beacon: &'static str,
}

impl Bench {
    async fn new(auth: &str) -> Self {
        let mut world = World::new().await;
        let ehlo = ["mail.lab.test", "AUTH PLAIN"];
        let mail = Script::healthy(world.good())
            .in_clear("EHLO", Say::lines(250, ["mail.lab.test", "STARTTLS"]))
            .in_tls("EHLO", Say::lines(250, ehlo))
            .in_tls("AUTH", Say::line(auth));
        let mail = world.host("mail", mail).await;
        world.host("beacon", Script::healthy(world.good())).await;
        let greeting = Say::line("220 canary.lab.test ESMTP");
        let canary = world.host("canary", Script::healthy(world.good()).greeting(greeting)).await;
        let canary = world.peer(canary).address();
        world.write(|zone| {
            zone.mx("contoso.test", 10, "beacon.lab.test")
                .mx("good.canary.test", 10, "canary.lab.test")
                .a("probe.lab.test", "127.0.0.1".parse().unwrap())
                .ptr("1.0.0.127.in-addr.arpa", "probe.lab.test")
        });
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("state")).unwrap();
        fs::write(folder.path().join("password"), PASSWORD).unwrap();
        let root = text::base64(world.root.certificate());
        let root = format!("-----BEGIN CERTIFICATE-----\n{root}\n-----END CERTIFICATE-----\n");
        fs::write(folder.path().join("root.pem"), root).unwrap();
        let (password_file, beacon) = ("password", "beacon.lab.test");
        Self { world, folder, mail, canary, password_file, beacon }
    }

    /// Writes the configuration, with these resolvers beside the lab's, and examines.
    async fn examine(&self, resolvers: &str) -> (Option<i32>, Value, String) {
        let (dns, port, canary) = (self.world.dns.address(), self.world.port(), self.canary);
        let (password_file, beacon) = (self.password_file, self.beacon);
        let config = format!(
            r#"
state_dir = "state"
[organisation]
name = "Contoso"
domains = ["contoso.test"]
ehlo = "probe.lab.test"
[dns]
resolvers = ["{dns}"{resolvers}]
allow_private = true
[tls]
roots = "none"
ca_files = ["root.pem"]
[rounds]
beacons = ["host:{beacon}:{port}"]
warn_days = 1
[[connector]]
name = "to-banks"
direction = "outbound"
level = "name"
[connector.submit]
url = "smtp+starttls://mail.lab.test:{port}"
from = "tls-probe@contoso.test"
username = "prober"
password_file = "{password_file}"
[connector.canaries]
good = "good.canary.test"
[[canary]]
personality = "good"
listen = ["{canary}"]
domains = ["good.canary.test"]
hostname = "canary.lab.test"
[[partner]]
name = "Fabrikam"
domains = ["fabrikam.test"]
outbound = "to-banks"
"#
        );
        let file = self.folder.path().join("mxwarden.toml");
        fs::write(&file, config).unwrap();
        let (code, out, err) = doctor(&file, &["--format", "json", "--timeout", "20"]).await;
        assert!(!out.is_empty(), "{err}");
        (code, serde_json::from_str(&out).unwrap(), out + &err)
    }
}

/// The exit code repeats the worst state; 2 is for mistakes.
fn code(diagnosis: &Value) -> Option<i32> {
    let words = ["ok", "problem", "usage", "unclear"];
    words.iter().position(|word| diagnosis["state"] == *word).and_then(|at| at.try_into().ok())
}

#[tokio::test]
async fn a_host_that_is_well_is_called_so() {
    let bench = Bench::new("235 2.7.0 Authentication successful").await;
    let (exit, diagnosis, whole) = bench.examine("").await;
    assert_eq!(exit, code(&diagnosis));
    assert_eq!(diagnosis["format"], "mxwarden-doctor/1");
    for kind in ["config", "store", "daemon", "roots", "resolver", "port25", "submit"] {
        let told = told(&diagnosis, kind);
        assert!(
            !told.is_empty() && told.iter().all(|(state, _)| state == "ok"),
            "{kind}: {told:?}"
        );
    }
    // Its record, its address, and who greets there.
    assert_eq!(states(&diagnosis, "canary"), ["ok", "ok", "ok"], "{whole}");
    // A machine on the Internet itself would rightly miss its own address here.
    assert_eq!(told(&diagnosis, "name")[0].1, "name, address and PTR record agree");
    assert!(!whole.contains(PASSWORD));
    // Nothing was handed over.
    let heard = bench.world.peer(bench.mail).heard();
    assert_eq!(heard.len(), 1);
    let said: Vec<&str> =
        heard[0].in_tls.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(said, ["EHLO", "AUTH", "QUIT"]);
}

#[tokio::test]
async fn each_thing_that_is_wrong_is_told_with_its_repair() {
    let echo = format!("535 5.7.8 no such password: {PASSWORD}");
    let mut bench = Bench::new(&echo).await;
    bench.world.write(|zone| {
        zone.without("1.0.0.127.in-addr.arpa")
            .ptr("1.0.0.127.in-addr.arpa", "host.elsewhere.test")
            .without("good.canary.test")
            .mx("good.canary.test", 10, "beacon.lab.test")
    });
    let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    fs::write(bench.folder.path().join("state/mxwarden.sqlite"), "no database").unwrap();
    let (exit, diagnosis, whole) = bench.examine(&format!(", \"{gone}\"")).await;
    assert_eq!((exit, &diagnosis["state"]), (Some(1), &"problem".into()));
    assert_eq!(states(&diagnosis, "resolver"), ["ok", "problem"]);
    assert_eq!(states(&diagnosis, "store"), ["ok", "problem"]);
    let name = &told(&diagnosis, "name")[0];
    assert_eq!(name.1, "1.0.0.127.in-addr.arpa points at host.elsewhere.test");
    let canary = &told(&diagnosis, "canary")[0];
    assert_eq!(
        canary.1,
        "the MX record of good.canary.test points at beacon.lab.test, not at canary.lab.test"
    );
    let submit = &told(&diagnosis, "submit")[0];
    assert!(
        submit.0 == "problem" && submit.1.contains("authentication refused: 535"),
        "{submit:?}"
    );
    assert!(!whole.contains(PASSWORD), "{whole}");
    // What is not well has a repair, and what is has none.
    for check in diagnosis["checks"].as_array().unwrap() {
        assert_eq!(check["state"] == "ok", check["repair"].is_null(), "{check}");
    }
}

/// What could not be looked up is not called wrong.
#[tokio::test]
async fn what_cannot_be_seen_is_unclear() {
    use mxwarden::lab::dns::Failure;
    let mut bench = Bench::new("235 2.7.0 Ok").await;
    bench.world.write(|zone| {
        zone.fail("good.canary.test", Failure::ServFail).fail("probe.lab.test", Failure::ServFail)
    });
    let (_, diagnosis, whole) = bench.examine("").await;
    assert_eq!(states(&diagnosis, "canary"), ["unclear", "ok", "ok"], "{whole}");
    assert_eq!(states(&diagnosis, "name"), ["unclear"], "{whole}");
}

/// A secret that only the service can read keeps nothing else from being examined.
#[tokio::test]
async fn a_secret_of_the_service_is_not_called_wrong() {
    let mut bench = Bench::new("235 2.7.0 Ok").await;
    bench.password_file = "$CREDENTIALS_DIRECTORY/password";
    let (exit, diagnosis, whole) = bench.examine("").await;
    assert_eq!(exit, code(&diagnosis));
    let submit = told(&diagnosis, "submit");
    assert_eq!(submit.len(), 1, "{whole}");
    assert_eq!(submit[0].0, "unclear", "{whole}");
    assert!(submit[0].1.contains("$CREDENTIALS_DIRECTORY is not set"), "{whole}");
    assert!(whole.contains("CREDENTIALS_DIRECTORY=/run/credentials/mxwarden.service"), "{whole}");
    assert_eq!(states(&diagnosis, "config"), ["unclear"], "{whole}");
    for kind in ["store", "roots", "resolver", "port25"] {
        assert!(states(&diagnosis, kind).iter().all(|state| state == "ok"), "{kind}: {whole}");
    }
    let file = bench.folder.path().join("mxwarden.toml");
    assert_eq!(doctor(&file, &["--quick"]).await.0, Some(0));
}

#[tokio::test]
async fn a_beacon_that_is_in_no_dns_is_named() {
    let mut bench = Bench::new("235 2.7.0 Ok").await;
    bench.beacon = "absent.lab.test";
    let (_, diagnosis, whole) = bench.examine("").await;
    let port25 = &told(&diagnosis, "port25")[0];
    let expect = ("unclear".to_owned(), "absent.lab.test: has no address in DNS".to_owned());
    assert_eq!(*port25, expect, "{whole}");
}

/// A configuration for `--quick`, with HTTP at this address.
fn quick(folder: &Path, http: SocketAddr) -> std::path::PathBuf {
    let minimal = include_str!("../../config/minimal.toml");
    let file = folder.join("mxwarden.toml");
    let text = format!("state_dir = \"state\"\n[http]\nlisten = \"{http}\"\n{minimal}");
    fs::write(&file, text).unwrap();
    file
}

#[tokio::test]
async fn a_health_check_knows_well_and_ill_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let file = quick(folder.path(), address);
    let (code, out, _) = doctor(&file, &["--quick"]).await;
    assert_eq!(code, Some(1), "{out}");
    fs::create_dir(folder.path().join("state")).unwrap();
    // Nobody holds the state directory: that it can be written is all there is to know, and HTTP is not asked.
    let (code, out, _) = doctor(&file, &["--quick"]).await;
    assert_eq!(code, Some(0), "{out}");
    insta::with_settings!({filters => vec![(r"\S+/state", "STATE")]}, {
        insta::assert_snapshot!(out, @"
        ok: all is well

        ✓ ok       config        valid
        ✓ ok       store         STATE: can be written
        ");
    });
    // A configuration with mistakes is ill as well: 2 means something else to container engines.
    let mistaken = folder.path().join("mistaken.toml");
    fs::write(&mistaken, "stat_dir = \"x\"").unwrap();
    let (code, _, err) = doctor(&mistaken, &["--quick"]).await;
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("stat_dir: unknown key"), "{err}");
    assert_eq!(doctor(&mistaken, &[]).await.0, Some(2));
}

#[tokio::test]
async fn a_daemon_that_holds_the_directory_must_answer() {
    let folder = tempfile::tempdir().unwrap();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let file = quick(folder.path(), server.local_addr().unwrap());
    let record = Record::open(&folder.path().join("state")).unwrap();
    // As told, one answer a connection; then nobody listens any more.
    let answers =
        ["200 OK", "401 Unauthorized", "503 Service Unavailable", "302 Found\r\nlocation: /other"];
    let answering = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for status in answers {
            let (mut stream, _) = server.accept().unwrap();
            let mut heard = [0; 1024];
            let count = stream.read(&mut heard).unwrap();
            asked.push(String::from_utf8_lossy(&heard[..count]).into_owned());
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
        }
        asked
    });
    let mut codes = Vec::new();
    for _ in answers {
        codes.push(doctor(&file, &["--quick"]).await.0.unwrap());
    }
    assert_eq!(codes, [0, 0, 1, 1]);
    for asked in answering.join().unwrap() {
        assert!(asked.starts_with("GET /healthz HTTP/1.1\r\n"), "{asked}");
        assert!(!asked.to_ascii_lowercase().contains("authorization"), "{asked}");
    }
    let (code, out, _) = doctor(&file, &["--quick"]).await;
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("is held, and") && out.contains("journalctl -u mxwarden"), "{out}");
    drop(record);
    assert_eq!(doctor(&file, &["--quick"]).await.0, Some(0));
}
