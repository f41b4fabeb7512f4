//! A real Prometheus: its tool judges our rules and our metrics, and it scrapes our own server over TLS, with a token,
//! loads our rules, and answers every question of our dashboard.

use crate::shown;
use mxwarden::{
    lab::ca::{Ca, LeafSpec},
    model::{
        claim::Claim,
        connector::CertificateFiles,
        report::ClaimReport,
        requirement::{Level, Requirement},
        state::State,
        told::Muted,
    },
    observe::clock::Clock,
    tell::{
        metrics::{Metrics, Probed, probed},
        web::{Certificate, Shared, Silences, Snapshot, WebPlan, serve},
    },
    wire::text::base64,
};
use secrecy::SecretString;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    thread::sleep,
    time::Duration,
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path)
}

#[track_caller]
fn passes(output: &Output) {
    let told = [output.stdout.as_slice(), &output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&told));
}

fn promtool(arguments: &[&str], file: &Path) -> Output {
    Command::new("promtool").args(arguments).arg(file).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn promtool_takes_the_rules_and_their_cases() {
    passes(&promtool(&["check", "rules", "--lint-fatal"], &shipped("prometheus/rules.yml")));
    passes(&promtool(&["test", "rules"], &shipped("prometheus/tests.yml")));
}

/// Parses and lints the text format; anything it says is a complaint.
fn check_metrics(text: &str) -> (bool, String) {
    let mut tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    tool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    let told = [output.stdout.as_slice(), &output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&told).into_owned())
}

#[test]
fn promtool_finds_nothing_to_say_of_the_metrics() {
    let now = Clock::system().now();
    let clean = |text: &str| assert_eq!(check_metrics(text), (true, String::new()), "{text}");
    clean(&shown::metrics(now).encode().unwrap());
    clean(&probed(Probed::Late, Duration::from_secs(1)).unwrap());
    let fabrikam = shown::standings(now).swap_remove(0);
    let report = ClaimReport {
        claim: Claim::OUTBOUND_RECEIVER_OFFERS,
        state: State::Violated,
        requirement: Requirement::of(Level::Name),
        summary: String::new(),
        findings: fabrikam.findings,
        obstacles: fabrikam.obstacles,
        endpoints: Vec::new(),
        probes: Vec::new(),
        proven_at: None,
        evidence: String::new(),
    };
    clean(&probed(Probed::Report(&report), Duration::from_secs(1)).unwrap());
    // It would say so.
    let (_, told) = check_metrics("# TYPE mxwarden_things counter\nmxwarden_things 1\n");
    assert!(!told.is_empty());
}

fn pem(label: &str, der: &[u8]) -> String {
    let encoded = base64(der);
    let lines: Vec<_> =
        encoded.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line)).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Nobody is.
#[derive(Debug)]
struct NobodyIsMuted;

impl Silences for NobodyIsMuted {
    fn muted(&self) -> BTreeMap<String, Muted> {
        BTreeMap::new()
    }
}

/// Our own server, in this process, over TLS and behind a token.
fn serve_metrics(
    scratch: &Path,
    metrics: Metrics,
    runtime: &tokio::runtime::Runtime,
    shutdown: &CancellationToken,
) -> SocketAddr {
    let ca = Ca::new("Operator CA", Clock::system().now()).unwrap();
    let identity = ca.issue(&LeafSpec::host("mxwarden.test")).unwrap();
    let files = CertificateFiles {
        chain_file: scratch.join("chain.pem"),
        key_file: scratch.join("key.pem"),
    };
    fs::write(&files.chain_file, pem("CERTIFICATE", identity.leaf())).unwrap();
    fs::write(&files.key_file, pem("PRIVATE KEY", identity.key.secret_der())).unwrap();
    fs::write(scratch.join("ca.pem"), ca.pem()).unwrap();
    fs::write(scratch.join("token"), "a token\n").unwrap();
    let plan = WebPlan {
        read_token: Some(SecretString::from("a token".to_owned())),
        certificate: Some(Arc::new(Certificate::load(files).unwrap())),
        ..WebPlan::loopback()
    };
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let (_, snapshot) = watch::channel(Arc::new(Snapshot::default()));
    let (orders, _) = mpsc::channel(1);
    let shared = Shared {
        metrics: Arc::new(metrics),
        snapshot,
        orders,
        state_dir: scratch.to_owned(),
        silences: Arc::new(NobodyIsMuted),
    };
    drop(runtime.spawn(serve(listener, plan, Arc::new(shared), shutdown.clone())));
    address
}

/// A Prometheus that ends with its test.
pub(crate) struct Prometheus {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    fn start(scratch: &Path, target: SocketAddr) -> Self {
        let job = format!(
            "scheme: https\n\
             \x20 authorization: {{ credentials_file: {folder}/token }}\n\
             \x20 tls_config: {{ ca_file: {folder}/ca.pem, server_name: mxwarden.test }}\n\
             \x20 static_configs: [{{ targets: ['{target}'] }}]",
            folder = scratch.display(),
        );
        Self::start_with(scratch, &job)
    }

    /// One with our rules and this job.
    pub(crate) fn start_with(scratch: &Path, job: &str) -> Self {
        let rules = shipped("prometheus/rules.yml");
        let config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\n\
             rule_files: [{rules}]\n\
             scrape_configs:\n\
             - job_name: mxwarden\n\
             \x20 {job}\n",
            rules = rules.display(),
        );
        let file = scratch.join("prometheus.yml");
        fs::write(&file, config).unwrap();
        // Free now; whoever takes it in between makes the start fail, and the test say so.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let log = scratch.join("prometheus.log");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", scratch.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { child, address, log }
    }

    /// The answer to a query; none while nobody answers.
    fn query(&self, expression: &str) -> Option<Value> {
        let mut encoded = String::new();
        for octet in expression.bytes() {
            encoded.push_str(&format!("%{octet:02X}"));
        }
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let head = format!(
            "GET /api/v1/query?query={encoded} HTTP/1.0\r\nhost: {}\r\nconnection: close\r\n\r\n",
            self.address
        );
        stream.write_all(head.as_bytes()).ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        serde_json::from_str(text.split_once("\r\n\r\n")?.1).ok()
    }

    /// The values of a query, once there are some.
    #[track_caller]
    pub(crate) fn values(&self, expression: &str) -> Vec<String> {
        // A minute: on a busy machine Prometheus takes seconds to begin.
        for _ in 0..300 {
            let answer = self.query(expression).unwrap_or_default();
            let found = answer["data"]["result"].as_array().cloned().unwrap_or_default();
            if !found.is_empty() {
                let value = |one: &Value| one["value"][1].as_str().unwrap().to_owned();
                return found.iter().map(value).collect();
            }
            sleep(Duration::from_millis(200));
        }
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        panic!("nothing came of {expression}\n{log}");
    }
}

/// The dashboard's questions, with its variables as they are at first.
fn questions() -> Vec<String> {
    let text = fs::read_to_string(shipped("grafana.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let expression = |target: &Value| {
        let text = target["expr"].as_str().unwrap().replace("$__rate_interval", "1m");
        let text =
            text.replace("$instance", ".*").replace("$partner", ".*").replace("$claim", ".*");
        assert!(!text.contains('$'), "{text}");
        text
    };
    targets.map(expression).collect()
}

#[test]
fn a_real_prometheus_scrapes_us_fires_our_alerts_and_answers_our_dashboard() {
    let scratch = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let shutdown = CancellationToken::new();
    let metrics = shown::metrics(Clock::system().now());
    let address = serve_metrics(scratch.path(), metrics, &runtime, &shutdown);
    let prometheus = Prometheus::start(scratch.path(), address);

    assert_eq!(prometheus.values("up{job='mxwarden'} == 1"), ["1"]);
    let fabrikam = "{partner='Fabrikam',claim='outbound/receiver-offers'";
    assert_eq!(
        prometheus.values(&format!("mxwarden_claim_state{fabrikam},state='violated'}}")),
        ["1"]
    );
    assert_eq!(prometheus.values("mxwarden_canary_up{personality='good'}"), ["1"]);
    let firing = |alert: &str| format!("ALERTS{{alertname='{alert}',alertstate='firing'}}");
    assert_eq!(prometheus.values(&firing("MxwardenClaimViolated")), ["1"]);
    // An alert that waits for its time is there as well: the certificate ended as the test began.
    let waits =
        "ALERTS{alertname='MxwardenCertificateExpiring',alertstate='pending',partner='Fabrikam'}";
    assert_eq!(prometheus.values(waits), ["1"]);
    // All is well with the rest.
    let others = "ALERTS{alertname!~'MxwardenClaimViolated|MxwardenCertificateExpiring'}";
    let answer = prometheus.query(others).unwrap();
    assert_eq!(answer["data"]["result"].as_array().map(Vec::len), Some(0), "{answer}");

    for question in questions() {
        let answer = prometheus.query(&question).unwrap();
        assert_eq!(answer["status"], "success", "{question}: {answer}");
    }
    // The matrix: Fabrikam violated, Woodgrove compliant.
    let matrix = questions().into_iter().find(|text| text.starts_with("sort_desc(2 *")).unwrap();
    assert_eq!(prometheus.values(&matrix), ["2", "0"]);
    shutdown.cancel();
}

#[test]
fn without_the_token_a_real_prometheus_sees_that_we_are_not_to_be_had() {
    let scratch = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let shutdown = CancellationToken::new();
    let metrics = shown::metrics(Clock::system().now());
    let address = serve_metrics(scratch.path(), metrics, &runtime, &shutdown);
    fs::write(scratch.path().join("token"), "another\n").unwrap();
    let prometheus = Prometheus::start(scratch.path(), address);
    assert_eq!(prometheus.values("up{job='mxwarden'} == 0"), ["0"]);
    let pending = "ALERTS{alertname='MxwardenDown',alertstate='pending'}";
    assert_eq!(prometheus.values(pending), ["1"]);
    shutdown.cancel();
}
