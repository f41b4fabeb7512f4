//! Partners to look at, in a process of their own: each a domain with two mail hosts, each host with an address and a
//! certificate of its own, and the DNS that leads there.
//!
//! Invariant: everything is on loopback; the servers end with the bench, which holds their standard input.

#![expect(clippy::print_stdout, reason = "printing is what a bench does")]

use crate::running::program;
use mxwarden::{
    lab::{
        ca::{Ca, LeafSpec},
        dns::{LabDns, Zone},
        smtp::{Peer, Script},
    },
    observe::clock,
};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// Mail hosts of a partner.
pub(crate) const HOSTS: usize = 2;

/// The argument that makes the bench the servers instead.
const SERVE: &str = "serve";

/// The servers, and what leads to them.
pub(crate) struct Partners {
    servers: Child,
    directory: TempDir,
    dns: SocketAddr,
    smtp_port: u16,
}

impl Partners {
    /// Starts so many.
    pub(crate) fn start(count: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut servers = Command::new(std::env::current_exe().unwrap())
            .arg(SERVE)
            .arg(directory.path())
            .arg(count.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = String::new();
        BufReader::new(servers.stdout.take().unwrap()).read_line(&mut told).unwrap();
        let (dns, port) = told.trim().split_once(' ').unwrap();
        let (dns, smtp_port) = (dns.parse().unwrap(), port.parse().unwrap());
        Self { servers, directory, dns, smtp_port }
    }

    /// What all of them are asked by one `check`.
    pub(crate) fn check(&self, count: usize) -> Command {
        let list = self.directory.path().join("list");
        let lines: String = (0..count).map(|at| domain(at) + "\n").collect();
        fs::write(&list, lines).unwrap();
        let mut command = program();
        command.args(["check", "--require", "name", "--ehlo", "probe.bench.test"]);
        command.args(["--allow-private", "--resolver", &self.dns.to_string()]);
        command.args(["--port", &self.smtp_port.to_string(), "--format", "jsonl"]);
        command.arg("--ca-file").arg(root_in(self.directory.path())).arg("--file").arg(list);
        command
    }

    /// A configuration of the first of them, as an operator would write it.
    pub(crate) fn config(&self, count: usize, terms: &Terms<'_>) -> String {
        let Terms { state_dir, http, interval } = terms;
        let (dns, port) = (self.dns, self.smtp_port);
        let root = root_in(self.directory.path());
        let head = format!(
            r#"state_dir = {state_dir:?}
[organisation]
name = "Contoso"
domains = ["contoso.test"]
ehlo = "probe.bench.test"
[dns]
resolvers = ["{dns}"]
allow_private = true
[tls]
ca_files = [{root:?}]
[probe]
smtp_port = {port}
[http]
listen = "{http}"
[claims.receiver-offers]
interval = "{interval}"
[[connector]]
name = "forced"
direction = "outbound"
level = "name"
"#
        );
        let partner = |at| {
            let domain = domain(at);
            format!(
                "[[partner]]\nname = \"{domain}\"\ndomains = [\"{domain}\"]\noutbound = \"forced\"\n"
            )
        };
        head + &(0..count).map(partner).collect::<String>()
    }
}

impl Drop for Partners {
    fn drop(&mut self) {
        drop(self.servers.stdin.take());
        let _ = self.servers.wait();
    }
}

/// What differs from one run of the daemon to the next.
pub(crate) struct Terms<'a> {
    /// Where the record is.
    pub(crate) state_dir: &'a Path,
    /// Where it serves.
    pub(crate) http: SocketAddr,
    /// From one look to the next.
    pub(crate) interval: &'a str,
}

fn root_in(directory: &Path) -> PathBuf {
    directory.join("root.pem")
}

fn domain(at: usize) -> String {
    format!("partner{at:03}.bench.test")
}

/// The hosts of a partner, and their addresses.
fn hosts(at: usize) -> impl Iterator<Item = (String, Ipv4Addr)> {
    (0..HOSTS).map(move |host| {
        let number = at * HOSTS + host;
        let [high, low] = [number / 200, number % 200 + 1].map(|part| u8::try_from(part).unwrap());
        (format!("mx{host}.{}", domain(at)), Ipv4Addr::new(127, 21, high, low))
    })
}

/// Where this process was started as the servers: serves until standard input ends, and says so.
pub(crate) fn is_server() -> bool {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, mode, directory, count] = arguments.as_slice() else { return false };
    if mode != SERVE {
        return false;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let serving = runtime.block_on(serve(Path::new(directory), count.parse().unwrap()));
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    drop(serving);
    runtime.shutdown_background();
    true
}

async fn serve(directory: &Path, count: usize) -> (LabDns, Vec<Peer>) {
    let root = Ca::new("Bench Root", clock::of_the_machine()).unwrap();
    fs::write(root_in(directory), root.pem()).unwrap();
    let ca = root.intermediate("Bench Issuer").unwrap();
    let (mut zone, mut peers, mut port) = (Zone::new(), Vec::new(), 0);
    for at in 0..count {
        for (host, address) in hosts(at) {
            let identity = ca.issue(&LeafSpec::host(&host)).unwrap();
            let listen = (address, port).into();
            let peer = Peer::start(listen, Script::healthy(identity)).await.unwrap();
            port = peer.address().port();
            peers.push(peer);
            zone = zone.mx(&domain(at), 10, &host).a(&host, address);
        }
    }
    let dns = LabDns::start(zone).await.unwrap();
    println!("{} {port}", dns.address());
    std::io::stdout().flush().unwrap();
    (dns, peers)
}
