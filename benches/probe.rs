//! CPU per endpoint of a full probe, held against a bare rustls handshake and against other programs.
//!
//! 1. In this process, turn about: bare handshakes with path and name check; the same with the words of SMTP
//!    around them; full probes. Medians of the turns are compared.
//! 2. Other programs look at the same server, one process an endpoint or one daemon for all, as they are made.
//!
//! The servers run in another process, so that their CPU does not count.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has nothing to say")]
#![expect(clippy::indexing_slicing, reason = "lengths are constants here")]
#![expect(clippy::print_stdout, reason = "printing is what a bench does")]

mod outsiders;
mod world;

use mxwarden::{
    daemon::look,
    model::{claim::Claim, target::Target},
};
use std::{hint::black_box, net::SocketAddr, time::Duration};
use tokio::runtime::Runtime;
use world::{Bare, Full, Keys, World, at_once_each, connect, cpu, micros};

/// Endpoints of one turn.
const ENDPOINTS: usize = 400;

/// Turns of each contestant, the first left out.
const TURNS: usize = 9;

fn main() {
    if world::is_server() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("CPU (user + system) per endpoint, µs; median of {} turns × {ENDPOINTS}", TURNS - 1);
    let mut full = Duration::ZERO;
    for keys in [Keys::Rsa2048, Keys::P256] {
        let world = World::start(keys, ENDPOINTS, Duration::ZERO);
        for at_once in [1, 64] {
            full = contest(&runtime, &world, keys, at_once);
        }
        parts(&runtime, &world);
    }
    let world = World::start(Keys::P256, ENDPOINTS, Duration::ZERO);
    println!("\nother programs on the same server (P-256), CPU per endpoint");
    outsiders::compare(&world, full);
}

/// Turn about; the cost of a full probe.
fn contest(runtime: &Runtime, world: &World, keys: Keys, at_once: usize) -> Duration {
    let bare = Bare::new(&world.root());
    let (smtp, tls) = (world.smtp(), world.tls());
    let mut costs = [const { Vec::new() }; 3];
    for turn in 0..TURNS {
        let full = Full::new(&world.root(), at_once);
        let before = cpu();
        runtime.block_on(shake(&bare, &tls, at_once));
        let after_bare = cpu();
        runtime.block_on(bare.smtp_pass(&smtp, at_once));
        let after_smtp = cpu();
        runtime.block_on(full.pass(&smtp, at_once));
        let after_full = cpu();
        if turn > 0 {
            costs[0].push(after_bare - before);
            costs[1].push(after_smtp - after_bare);
            costs[2].push(after_full - after_smtp);
        }
    }
    let [bare, smtp, full] = costs.map(|costs| median(costs) / u32::try_from(ENDPOINTS).unwrap());
    println!("\n{}, {at_once} at once", keys.as_str());
    println!("  bare handshake, path, name   {:7.0}", micros(bare));
    println!("  the same amid SMTP           {:7.0}  {:.2}×", micros(smtp), ratio(smtp, bare));
    println!("  full probe                   {:7.0}  {:.2}×", micros(full), ratio(full, bare));
    full
}

/// A handshake with each, so many at once, and nothing else.
async fn shake(bare: &Bare, addresses: &[SocketAddr], at_once: usize) {
    at_once_each(addresses, at_once, |address| {
        let bare = bare.clone();
        async move { drop(bare.shake(connect(address).await).await) }
    })
    .await;
}

/// What of a full probe is not the network: the same evidence judged again and again.
fn parts(runtime: &Runtime, world: &World) {
    let full = Full::new(&world.root(), 1);
    let address: SocketAddr = world.smtp()[0];
    let target = Target::Address { address: address.ip(), port: Some(address.port()) };
    let evidence = runtime.block_on(look::look(&full.observer, &target, &full.standard));
    let cost = |work: &dyn Fn()| {
        let before = cpu();
        (0..1000).for_each(|_| work());
        micros(cpu() - before) / 1000.0
    };
    let judged = cost(&|| drop(black_box(full.standard.judge(&evidence))));
    let digested = cost(&|| drop(black_box(mxwarden::daemon::round::digest(&evidence))));
    let claim = Claim::OUTBOUND_RECEIVER_OFFERS;
    let reported = cost(&|| {
        drop(black_box(look::report(target.to_string(), claim, &full.standard, &evidence)));
    });
    println!("  of which: judge {judged:.0}, digest {digested:.0}, report with both {reported:.0}");
}

fn median(mut costs: Vec<Duration>) -> Duration {
    costs.sort_unstable();
    costs[costs.len() / 2]
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}
