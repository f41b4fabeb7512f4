//! The daemon itself, as its users run it: the binary, its signals, its pages, its record; at real mail servers.
//!
//! Setup: `mxwarden run` over partners whose MX is a real Postfix of the lab, with short intervals; a real Prometheus
//! that scrapes it.

use crate::{
    lab::{SMTP_PORT, finish, lab},
    prometheus::Prometheus,
};
use mxwarden::record::{EventQuery, Reader};
use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::Duration,
};
use tempfile::TempDir;

/// A daemon that ends with its test.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) http: SocketAddr,
    pub(crate) config: PathBuf,
    log: PathBuf,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address nobody listens at now; whoever takes it in between makes the start fail, and the test say so.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Daemon {
    pub(crate) fn start(config: &Path, http: SocketAddr) -> Self {
        Self::start_with(config, http, &[])
    }

    /// The same, with more in its environment.
    pub(crate) fn start_with(config: &Path, http: SocketAddr, more: &[(&str, &OsStr)]) -> Self {
        let log = config.with_extension("log");
        let mut log_file = File::options().create(true).append(true).open(&log).unwrap();
        writeln!(log_file, "-- a start").unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_mxwarden"))
            .args(["run", "--config"])
            .arg(config)
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log_file)
            .spawn()
            .unwrap();
        Self { child, http, config: config.to_owned(), log }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// How it ended, once it has.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        for _ in 0..400 {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            sleep(Duration::from_millis(100));
        }
        panic!("it does not end:\n{}", self.log());
    }

    /// The body of a page; none while nobody answers.
    pub(crate) fn page(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.http).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let host = self.http;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    /// Waits until the metrics hold this line.
    #[track_caller]
    pub(crate) fn until(&mut self, line: &str, seconds: u32) {
        for _ in 0..seconds * 4 {
            let page = self.page("/metrics");
            if page.is_some_and(|(_, text)| text.lines().any(|one| one == line)) {
                return;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("it ended ({status}) before `{line}`:\n{}", self.log());
            }
            sleep(Duration::from_millis(250));
        }
        let metrics = self.page("/metrics").map(|(_, text)| text).unwrap_or_default();
        panic!("`{line}` does not come in {seconds} s:\n{metrics}\n{}", self.log());
    }

    /// Waits until a claim is in this state.
    #[track_caller]
    pub(crate) fn until_state(&mut self, partner: &str, claim: &str, state: &str, seconds: u32) {
        let labels = format!("claim=\"{claim}\",partner=\"{partner}\",state=\"{state}\"");
        self.until(&format!("mxwarden_claim_state{{{labels}}} 1"), seconds);
    }
}

const OFFERS: &str = "outbound/receiver-offers";

/// Partners of the lab: a good one, and one whose server offers no TLS.
const PARTNERS: [(&str, &str, &str); 2] =
    [("Good", "good-rsa.test", "compliant"), ("Clear", "no-tls.test", "violated")];

fn configuration(state: &Path, http: SocketAddr, interval: &str, partners: usize) -> String {
    let mut text = format!(
        "state_dir = {state:?}\n[organisation]\nname = \"Contoso\"\ndomains = [\"contoso.test\"]\n\
         ehlo = \"probe.contoso.test\"\n[dns]\nresolvers = [\"{}\"]\nallow_private = true\n\
         [tls]\nroots = \"none\"\nca_files = [{:?}]\n[probe]\nsmtp_port = {SMTP_PORT}\n\
         [http]\nlisten = \"{http}\"\n[claims.receiver-offers]\ninterval = \"{interval}\"\nmax_age = \"1h\"\n\
         [[connector]]\nname = \"out\"\ndirection = \"outbound\"\nlevel = \"ca\"\n",
        lab().resolver(),
        lab().pki.root(),
    );
    for (name, domain, _) in PARTNERS.iter().take(partners) {
        text += &format!(
            "[[partner]]\nname = \"{name}\"\ndomains = [\"{domain}\"]\noutbound = \"out\"\n"
        );
    }
    text
}

/// A place for a daemon, with its configuration.
fn place(interval: &str, partners: usize) -> (TempDir, PathBuf, SocketAddr) {
    let place = tempfile::tempdir().unwrap();
    let (config, http) = (place.path().join("mxwarden.toml"), free_address());
    fs::write(&config, configuration(&place.path().join("state"), http, interval, partners))
        .unwrap();
    (place, config, http)
}

/// Setup: a real Prometheus scrapes a daemon that looks at two real Postfix servers.
/// Test: every claim has its series from the first scrape on; then the states are what the servers deserve, and
/// `/readyz`, `/probe`, `history` and `verify` say the same.
#[test]
fn a_real_prometheus_scrapes_a_daemon_that_looks_at_real_servers() {
    let (place, config, http) = place("1h", 2);
    let mut daemon = Daemon::start(&config, http);
    let job = format!("static_configs: [{{ targets: ['{http}'] }}]");
    let prometheus = Prometheus::start_with(place.path(), &job);
    assert_eq!(prometheus.values("count(mxwarden_claim_state)"), ["6"]);
    for (name, _, state) in PARTNERS {
        daemon.until_state(name, OFFERS, state, 60);
        let query = format!("mxwarden_claim_state{{partner='{name}',state='{state}'}} == 1");
        assert_eq!(prometheus.values(&query), ["1"]);
    }
    let at = "mxwarden_certificate_not_after_timestamp_seconds{partner='Good'} > time()";
    assert_eq!(prometheus.values(at).len(), 1);
    assert_eq!(daemon.page("/readyz").map(|(code, _)| code), Some(200));
    let (code, probed) = daemon.page("/probe?target=good-rsa.test&require=ca").unwrap();
    assert!(code == 200 && probed.contains("mxwarden_probe_success 1"), "{code} {probed}");
    let (code, refused) = daemon.page("/probe?target=elsewhere.test").unwrap();
    assert_eq!(code, 403, "{refused}");

    let mxwarden = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mxwarden"));
        finish(command.args(arguments).arg("--config").arg(&daemon.config))
    };
    let history = mxwarden(&["history", "Clear"]);
    assert_eq!(history.status, Some(0), "{history:?}");
    assert!(history.stdout.contains("unknown → violated"), "{history:?}");
    // Another process cannot hold the state directory: the daemon proves, and says so in the format asked for.
    let verify = mxwarden(&["verify", "Good", "--format", "json"]);
    assert_eq!(verify.status, Some(0), "{verify:?}");
    let report: serde_json::Value = serde_json::from_str(&verify.stdout).unwrap();
    assert_eq!(report["partners"][0]["state"], "compliant", "{report:#}");
    let verify = mxwarden(&["verify"]);
    assert_eq!(verify.status, Some(1), "{verify:?}");
    let wrong = mxwarden(&["mute", "Nobody", "--for", "2h", "--why", "x"]);
    assert_eq!(wrong.status, Some(2), "{wrong:?}");

    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0), "{}", daemon.log());
}

/// Setup: a daemon under load, its intervals a second long; its configuration is made wrong, right, and larger.
/// Test: a wrong one changes nothing and is told; a right one is taken, also while proofs are under way.
#[test]
fn a_hangup_takes_a_configuration_whole_or_not_at_all() {
    let (place, config, http) = place("1s", 1);
    let mut daemon = Daemon::start(&config, http);
    daemon.until_state("Good", OFFERS, "compliant", 60);
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}nonsense = 1\n")).unwrap();
    daemon.signal("HUP");
    daemon.until("mxwarden_config_last_reload_successful 0", 30);
    assert!(daemon.log().contains("nonsense"), "{}", daemon.log());
    fs::write(&config, configuration(&place.path().join("state"), http, "1s", 2)).unwrap();
    for _ in 0..5 {
        daemon.signal("HUP");
    }
    daemon.until("mxwarden_config_last_reload_successful 1", 30);
    daemon.until_state("Clear", OFFERS, "violated", 60);
    daemon.until_state("Good", OFFERS, "compliant", 30);
    assert!(!daemon.page("/metrics").unwrap().1.contains("mxwarden_panics_total 1"));
    daemon.signal("INT");
    assert_eq!(daemon.ended().code(), Some(0), "{}", daemon.log());
}

/// Setup: a daemon whose claims are due every second is killed twelve times, a little later each time.
/// Test: after each kill the record is whole and holds everything that was there before; the daemon goes on with it,
/// and what stood still stands.
#[test]
fn a_daemon_that_is_killed_goes_on_where_it_was() {
    let (place, config, http) = place("1s", 2);
    let state = place.path().join("state");
    let mut known: Vec<String> = Vec::new();
    for kill in 0..12u64 {
        let mut daemon = Daemon::start(&config, http);
        if kill == 0 {
            daemon.until_state("Clear", OFFERS, "violated", 60);
            daemon.until_state("Good", OFFERS, "compliant", 60);
        } else {
            sleep(Duration::from_millis(60 * kill));
        }
        daemon.signal("KILL");
        daemon.ended();
        let reader = Reader::open(&state).unwrap_or_else(|error| panic!("kill {kill}: {error}"));
        let events = reader.events(&EventQuery::default()).unwrap();
        let ids: Vec<String> = events.into_iter().map(|event| event.id).collect();
        let lost: Vec<_> = known.iter().filter(|id| !ids.contains(id)).collect();
        assert!(lost.is_empty(), "kill {kill} lost {lost:?}");
        known = ids;
        for standing in reader.standings().unwrap() {
            let (_, _, state) = PARTNERS.iter().find(|one| one.0 == standing.partner).unwrap();
            assert_eq!(standing.state.as_str(), *state, "kill {kill}: {standing:#?}");
        }
    }
    assert!(!known.is_empty());
    let check = Command::new(env!("CARGO_BIN_EXE_mxwarden"))
        .args(["history", "--config"])
        .arg(&config)
        .output()
        .unwrap();
    assert!(check.status.success(), "{check:?}");
}

/// Setup: what a beginner gets wrong.
/// Test: exit 2 with every error, and nothing is touched.
#[test]
fn a_wrong_configuration_ends_the_daemon_before_it_begins() {
    let (place, config, http) = place("1h", 1);
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("level = \"ca\"", "level = \"cb\"") + "typo = 1\n").unwrap();
    let mut daemon = Daemon::start(&config, http);
    assert_eq!(daemon.ended().code(), Some(2), "{}", daemon.log());
    let log = daemon.log();
    assert!(log.contains("`cb`") && log.contains("typo"), "{log}");
    assert!(!place.path().join("state").exists());
}
