//! Prometheus and Alertmanager, started as `compose.yml` says, beside the demo: what it plants is told, and resolved.
//!
//! Setup: each program lies in a root of its own, with what its service mounts and no more: read-only, without
//! capabilities, by a user without a name. The names of services lead to addresses of this test, by `/etc/hosts` there.
//! Behind `mxwarden:9843` a forwarder leads to the demo, whose port is another each time; the smart host that
//! `alertmanager.yml` names is a peer of the lab.
//! Test: what the demo breaks before everybody's eyes comes to Alertmanager, and is resolved once it is mended; what
//! stays broken is told by mail, over TLS.
//!
//! The demo leaves its partner broken for ten seconds, and Prometheus asks every thirty. Rather than change either, the
//! demo is made to stand still with the partner broken, until it is asked. The alert of it then lasts from one evaluation to
//! the next, half of `group_wait`: too short for a mail, and Alertmanager itself is asked for it.

use super::{compose::yaml, shipped};
use mxwarden::{
    lab::{
        ca::{Ca, LeafSpec},
        smtp::{Heard, Peer, Script},
    },
    observe::clock::Clock,
};
use serde_json::Value;
use std::{
    fmt::Write as _,
    fs::{self, File, Permissions},
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::fs::{PermissionsExt as _, chown, symlink},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Arc, OnceLock, mpsc},
    thread,
    time::Duration,
};
use tempfile::TempDir;

/// Whoever runs in a service: `nobody`, as in the images that compose names.
const USER: u32 = 65534;

/// Whom the shipped files name, by the last octet of the address here.
const NAMES: [(&str, u8); 5] =
    [("mxwarden", 1), ("prometheus", 2), ("localhost", 2), ("alertmanager", 3), (SMART_HOST, 4)];
const SMART_HOST: &str = "mail.contoso.test";

/// The partner that the demo breaks and mends, and one that stays broken.
const PLANTED: &str = "healthy.test";
const BROKEN: &str = "expired.test";
const OFFERS: &str = "outbound/receiver-offers";

/// One of 127.24.N.0/24, below the lab's networks; whoever listens as mxwarden holds it.
struct Network {
    third_octet: u8,
}

impl Network {
    fn take() -> (Self, TcpListener) {
        for third_octet in 1..=250 {
            let network = Self { third_octet };
            if let Ok(held) = TcpListener::bind(network.at("mxwarden", 9843)) {
                return (network, held);
            }
        }
        panic!("no loopback network is free");
    }

    fn at(&self, name: &str, port: u16) -> SocketAddr {
        let (_, last) = NAMES.into_iter().find(|one| one.0 == name).unwrap();
        SocketAddr::from((Ipv4Addr::new(127, 24, self.third_octet, last), port))
    }

    fn hosts(&self) -> String {
        NAMES.into_iter().fold(String::new(), |mut text, (name, _)| {
            writeln!(text, "{} {name}", self.at(name, 0).ip()).unwrap();
            text
        })
    }
}

/// A service of `compose.yml` that ends with its test, however that ends.
struct Service {
    child: Child,
    root: TempDir,
    _volume: TempDir,
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    /// Starts a service by its command, with what has to be said of the address beside.
    fn start(network: &Network, roots: &str, name: &str, program: &str, listen: &[String]) -> Self {
        const ENTER: &str = r#"set -e
            mount --bind "$ROOT" "$ROOT"
            mount --rbind /usr "$ROOT/usr"
            mount --bind /proc "$ROOT/proc"
            mount --bind "$FILES" "$ROOT$FILES_AT"
            mount -o remount,ro,bind "$ROOT$FILES_AT"
            mount -o remount,ro,bind "$ROOT"
            mount --bind "$VOLUME" "$ROOT$VOLUME_AT"
            exec chroot "$ROOT" setpriv --reuid="$USER" --regid="$USER" --clear-groups --bounding-set=-all \
                --inh-caps=-all --no-new-privs --pdeathsig=KILL "$@""#;
        let service = yaml(&shipped("compose.yml"))["services"][name].clone();
        let words =
            |key: &str| -> Vec<String> { serde_json::from_value(service[key].clone()).unwrap() };
        let [files, volume]: [String; 2] = words("volumes").try_into().unwrap();
        let (files, files_at) = files.strip_suffix(":ro").unwrap().split_once(':').unwrap();
        let (_, volume_at) = volume.split_once(':').unwrap();
        let root = tempfile::tempdir().unwrap();
        lay_out(&root, &[files_at, volume_at]);
        fs::write(root.path().join("etc/hosts"), network.hosts()).unwrap();
        fs::write(root.path().join("etc/ssl/certs/ca-certificates.crt"), roots).unwrap();
        let at = tempfile::tempdir().unwrap();
        chown(at.path(), Some(USER), Some(USER)).unwrap();
        let child = Command::new("unshare")
            .args(["--mount", "sh", "-c", ENTER, "sh", program])
            .args(words("command"))
            .args(listen)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("USER", USER.to_string())
            .env("ROOT", root.path())
            .env("FILES", shipped(files))
            .env("FILES_AT", files_at)
            .env("VOLUME", at.path())
            .env("VOLUME_AT", volume_at)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log(&root)).unwrap())
            .spawn()
            .unwrap();
        Self { child, root, _volume: at }
    }

    /// What it said.
    fn log(&self) -> String {
        fs::read_to_string(log(&self.root)).unwrap_or_default()
    }
}

fn log(root: &TempDir) -> PathBuf {
    root.path().join("log")
}

/// The folders of a root in which a program of Debian runs, and those that are mounted.
fn lay_out(root: &TempDir, mounted: &[&str]) {
    fs::set_permissions(root.path(), Permissions::from_mode(0o755)).unwrap();
    let mounted = mounted.iter().map(|at| at.trim_start_matches('/'));
    for folder in ["usr", "proc", "etc/ssl/certs"].into_iter().chain(mounted) {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    for link in ["bin", "lib", "lib64"] {
        symlink(format!("usr/{link}"), root.path().join(link)).unwrap();
    }
}

/// The demo, which ends with its test.
struct Demo {
    child: Child,
    says: BufReader<ChildStdout>,
    http: SocketAddr,
    scratch: TempDir,
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Demo {
    /// Starts it, and waits until it says where its pages are.
    fn start() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig=KILL", env!("CARGO_BIN_EXE_mxwarden"), "demo"])
            .env("TMPDIR", scratch.path())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut says = BufReader::new(child.stdout.take().unwrap());
        let mut told = String::new();
        let http = loop {
            let before = told.len();
            assert_ne!(says.read_line(&mut told).unwrap(), 0, "{told}");
            if let Some(rest) = told[before..].strip_prefix("Look at http://") {
                break rest.split('/').next().unwrap().parse().unwrap();
            }
        };
        Self { child, says, http, scratch }
    }

    /// Whether its metrics say so of the partner that it breaks.
    fn shows(&self, state: &str) -> bool {
        let labels = format!("claim=\"{OFFERS}\",partner=\"{PLANTED}\",state=\"{state}\"");
        let line = format!("mxwarden_claim_state{{{labels}}} 1");
        get(self.http, "/metrics").is_some_and(|text| text.lines().any(|one| one == line))
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Interrupts it; what it said since it began, and nothing is left of it.
    fn end(mut self) -> String {
        self.signal("INT");
        let mut told = String::new();
        self.says.read_to_string(&mut told).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{told}");
        assert_eq!(fs::read_dir(self.scratch.path()).unwrap().count(), 0);
        told
    }
}

/// Leads every request to the demo, as soon as it is there, and says of each that it came.
fn forward(from: &TcpListener, to: &OnceLock<SocketAddr>, came: &mpsc::Sender<()>) {
    for client in from.incoming().map_while(Result::ok) {
        if let Some(to) = to.get() {
            // Prometheus says what it could not have, and asks again.
            let _ = exchange(client, *to, came);
        }
    }
}

/// One request and its answer. The connection ends with it: the next request comes with one of its own, not by one that
/// the demo gave up while it stood still.
fn exchange(mut client: TcpStream, to: SocketAddr, came: &mpsc::Sender<()>) -> io::Result<()> {
    client.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut head = String::new();
    let mut reading = BufReader::new(client.try_clone()?).take(16 * 1024);
    while !head.ends_with("\r\n\r\n") {
        if reading.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    head.truncate(head.len() - 2);
    head += "connection: close\r\n\r\n";
    let mut demo = TcpStream::connect(to)?;
    demo.set_read_timeout(Some(Duration::from_secs(10)))?;
    demo.write_all(head.as_bytes())?;
    // Nobody listens any more once it has been heard.
    let _ = came.send(());
    io::copy(&mut demo, &mut client).map(drop)
}

/// The body of a page; none while nobody answers.
fn get(at: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(at).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {at}\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    head.contains(" 200 OK").then(|| body.to_owned())
}

/// The stack, running.
struct Stack {
    network: Network,
    prometheus: Service,
    alertmanager: Service,
    smart_host: Peer,
    _runtime: tokio::runtime::Runtime,
}

impl Stack {
    fn start(network: Network) -> Self {
        let ca = Ca::new("Contoso root", Clock::system().now()).unwrap();
        let script = Script::healthy(ca.issue(&LeafSpec::host(SMART_HOST)).unwrap());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let smart_host =
            runtime.block_on(Peer::start(network.at(SMART_HOST, 587), script)).unwrap();
        let service = |name: &str, program: &str, port: u16, more: &[&str]| {
            let mut listen = vec![format!("--web.listen-address={}", network.at(name, port))];
            listen.extend(more.iter().map(|&word| word.to_owned()));
            Service::start(&network, &ca.pem(), name, program, &listen)
        };
        let program = "/usr/bin/prometheus-alertmanager";
        // A cluster of one; it would ask for an address that is not this machine's alone.
        let alertmanager = service("alertmanager", program, 9093, &["--cluster.listen-address="]);
        let prometheus = service("prometheus", "/usr/bin/prometheus", 9090, &[]);
        Self { network, prometheus, alertmanager, smart_host, _runtime: runtime }
    }

    /// What is there after a while; a hundred seconds at most: thirty for each look, thirty for each evaluation.
    #[track_caller]
    fn wait_for<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        for _ in 0..1000 {
            if let Some(found) = look() {
                return found;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("{what} never came\n{}\n{}", self.prometheus.log(), self.alertmanager.log());
    }

    /// The names of the alerts that Alertmanager has of a partner; none while it does not answer.
    fn alerts(&self, partner: &str) -> Option<Vec<String>> {
        let text = get(self.network.at("alertmanager", 9093), "/api/v2/alerts")?;
        let alerts: Vec<Value> = serde_json::from_str(&text).unwrap();
        let of_partner = alerts.iter().filter(|one| one["labels"]["partner"] == partner);
        let mut names: Vec<String> =
            of_partner.map(|one| one["labels"]["alertname"].as_str().unwrap().to_owned()).collect();
        names.sort();
        Some(names)
    }

    /// Whether Prometheus holds a series with all of these in its labels, and 1 for its value.
    fn knows(&self, labels: &[&str]) -> bool {
        let path = "/federate?match[]=up&match[]=mxwarden_claim_state";
        let text = get(self.network.at("prometheus", 9090), path).unwrap_or_default();
        text.lines()
            .any(|line| line.contains("} 1 ") && labels.iter().all(|one| line.contains(one)))
    }

    /// How many alerts Alertmanager was told to be over.
    fn resolved(&self) -> Option<u32> {
        let text = get(self.network.at("alertmanager", 9093), "/metrics")?;
        let name = "alertmanager_alerts_received_total{status=\"resolved\",version=\"v2\"} ";
        text.lines().find_map(|line| line.strip_prefix(name)).map(|told| told.parse().unwrap())
    }

    /// The session in which the smart host was given this mail.
    fn mail(&self, about: &[&str]) -> Option<Heard> {
        let is_it = |line: &String| {
            line.starts_with("Subject: ") && about.iter().all(|word| line.contains(word))
        };
        self.smart_host.heard().into_iter().find(|heard| heard.in_tls.iter().any(is_it))
    }
}

#[test]
fn what_the_demo_plants_reaches_alertmanager_and_is_resolved() {
    let (network, listener) = Network::take();
    let stack = Stack::start(network);
    let (came, comes) = mpsc::channel();
    let to = Arc::new(OnceLock::new());
    let leads = Arc::clone(&to);
    thread::spawn(move || forward(&listener, &leads, &came));
    let demo = Demo::start();
    to.set(demo.http).unwrap();

    stack.wait_for("the break", || demo.shows("violated").then_some(()));
    assert_eq!(stack.alerts(PLANTED), Some(Vec::new()));
    while comes.try_recv().is_ok() {}
    demo.signal("STOP");
    let asked = comes.recv_timeout(Duration::from_secs(45));
    demo.signal("CONT");
    assert_eq!(asked, Ok(()), "{}", stack.prometheus.log());

    let told = ["MxwardenClaimViolated", "MxwardenRegression"];
    stack.wait_for("the alert", || stack.alerts(PLANTED).filter(|names| *names == told));
    stack.wait_for("its end", || stack.alerts(PLANTED).filter(Vec::is_empty));
    // It was told so, and not because nobody could be asked.
    assert!(stack.resolved() >= Some(2));
    let mended = ["mxwarden_claim_state", PLANTED, OFFERS, "\"compliant\""];
    stack.wait_for("the mended partner", || stack.knows(&mended).then_some(()));
    for instance in ["\"mxwarden:9843\"", "\"localhost:9090\""] {
        assert!(stack.knows(&["up{", instance]), "{instance}: {}", stack.prometheus.log());
    }

    let mail = stack.wait_for("mail", || stack.mail(&["FIRING", "MxwardenClaimViolated", BROKEN]));
    assert!(mail.handshake.as_ref().is_some_and(Result::is_ok), "{mail:?}");
    assert_eq!(mail.sni.as_deref(), Some(SMART_HOST), "{mail:?}");
    let says = |what: &str| mail.in_tls.iter().any(|line| line.starts_with(what));
    assert!(says("RCPT TO:<postmaster@contoso.test>"), "{mail:?}");
    assert!(says("MAIL FROM:<alertmanager@contoso.test>"), "{mail:?}");

    let said = demo.end();
    assert!(said.contains("The daemon goes on.") && !said.contains("NOT AS IT"), "{said}");
}
