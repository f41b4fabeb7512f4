//! A thousand endpoints at once: wall, CPU and peak memory of full probes, held against bare handshakes.
//!
//! 1. Each contestant runs in a fresh process, so that the peak is its own.
//! 2. For wall and CPU the servers answer at once; for memory they keep silent inside TLS until every
//!    contestant's connection stands, so that a thousand of them are held at the same time.
//! 3. Memory is the peak less what the same process had before the first connection.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has nothing to say")]
#![expect(clippy::indexing_slicing, reason = "lengths are constants here")]
#![expect(clippy::print_stdout, reason = "printing is what a bench does")]

mod world;

use std::{
    net::SocketAddr,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};
use tokio::{io::BufStream, runtime::Runtime};
use world::{Bare, Full, Keys, World, at_once_each, connect, cpu, hear, micros};

/// Endpoints, all at once.
const ENDPOINTS: usize = 1000;

/// How long the servers keep silent where memory is measured: longer than a thousand handshakes take.
const PATIENCE: Duration = Duration::from_secs(8);

/// Fresh processes of each contestant.
const TURNS: usize = 5;

/// The argument that makes the bench one contestant.
const RUN: &str = "run";

const CONTESTANTS: [(&str, &str); 3] = [
    ("bare", "bare handshake, path, name"),
    ("smtp", "the same amid SMTP"),
    ("full", "full probe"),
];

fn main() {
    if world::is_server() || is_contestant() {
        return;
    }
    let quick = World::start(Keys::P256, ENDPOINTS, Duration::ZERO);
    println!("{ENDPOINTS} endpoints at once (P-256), medians of {TURNS} processes");
    println!("  {:30} {:>8} {:>12}", "", "wall ms", "CPU µs each");
    for (name, words) in CONTESTANTS {
        let [wall, cpu, _] = medians(&quick, name, TURNS);
        println!("  {words:30} {:8.0} {cpu:12.0}", wall / 1e3);
    }
    drop(quick);
    let slow = World::start(Keys::P256, ENDPOINTS, PATIENCE);
    println!("\npeak memory, all {ENDPOINTS} held at once, medians of 3 processes");
    println!("  {:30} {:>8} {:>12}", "", "KB each", "beyond bare");
    let mut bare = None;
    for (name, words) in CONTESTANTS {
        let [_, _, memory] = medians(&slow, name, 3);
        let beyond = memory - *bare.get_or_insert(memory);
        println!("  {words:30} {memory:8.1} {beyond:12.1}");
    }
}

/// Wall in microseconds, CPU in microseconds an endpoint, memory in KB an endpoint.
fn medians(world: &World, contestant: &str, turns: usize) -> [f64; 3] {
    let mut seen: Vec<Vec<f64>> = (0..turns).map(|_| turn(world, contestant)).collect();
    [0, 1, 2].map(|at| {
        seen.sort_by(|one, other| one[at].total_cmp(&other[at]));
        seen[turns / 2][at]
    })
}

fn turn(world: &World, contestant: &str) -> Vec<f64> {
    let [smtp, tls] = [world.smtp()[0].port(), world.tls()[0].port()].map(|port| port.to_string());
    let mut command = Command::new(std::env::current_exe().unwrap());
    let run = command.args([RUN, contestant]).arg(world.root()).args([smtp, tls]);
    let output = run.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let words = String::from_utf8(output.stdout).unwrap();
    words.split_whitespace().map(|word| word.parse().unwrap()).collect()
}

/// Where this process was started as one contestant: runs it, and prints what it took.
fn is_contestant() -> bool {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, mode, contestant, root, smtp, tls] = arguments.as_slice() else { return false };
    if mode != RUN {
        return false;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let smtp = world::at_port(ENDPOINTS, smtp.parse().unwrap());
    let tls = world::at_port(ENDPOINTS, tls.parse().unwrap());
    let run: Box<dyn FnOnce(&Runtime)> = contestant_of(contestant, Path::new(root), smtp, tls);
    let (memory, spent, begin) = (peak_kb(), cpu(), now());
    run(&runtime);
    let (wall, spent, memory) = (begin.elapsed(), cpu() - spent, peak_kb() - memory);
    let each = |sum: f64| sum / f64::from(u32::try_from(ENDPOINTS).unwrap());
    println!("{} {} {}", micros(wall), each(micros(spent)), each(memory));
    true
}

/// What a contestant does, with everything that is made once already made.
fn contestant_of(
    contestant: &str,
    root: &Path,
    smtp: Vec<SocketAddr>,
    tls: Vec<SocketAddr>,
) -> Box<dyn FnOnce(&Runtime)> {
    let bare = Bare::new(root);
    match contestant {
        "bare" => Box::new(move |runtime| runtime.block_on(hold(&bare, &tls))),
        "smtp" => Box::new(move |runtime| runtime.block_on(bare.smtp_pass(&smtp, ENDPOINTS))),
        _ => {
            let full = Full::new(root, ENDPOINTS);
            Box::new(move |runtime| runtime.block_on(full.pass(&smtp, ENDPOINTS)))
        }
    }
}

/// A handshake with each, held until the server speaks.
async fn hold(bare: &Bare, addresses: &[SocketAddr]) {
    at_once_each(addresses, ENDPOINTS, |address| {
        let bare = bare.clone();
        async move {
            let stream = bare.shake(connect(address).await).await;
            hear(&mut BufStream::with_capacity(512, 512, stream)).await;
        }
    })
    .await;
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn now() -> Instant {
    Instant::now()
}

/// The most memory this process ever had (proc_pid_status(5)).
fn peak_kb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
