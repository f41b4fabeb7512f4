//! `mxwarden canary zone`: the DNS records that the configured canaries need.

use super::{
    Failure,
    args::{CanaryArgs, CanaryCommand},
    config::load,
};
use crate::config::Config;
use crate::observe::{canary::CanaryCa, clock::Clock};
use std::{
    io::Write,
    net::{IpAddr, SocketAddr},
};

/// Runs the command; the exit code.
pub(super) fn run(args: &CanaryArgs, out: &mut dyn Write) -> Result<u8, Failure> {
    match &args.command {
        CanaryCommand::Zone(zone) => {
            let config = load(&zone.config)?;
            write_zone(&config, out)
        }
    }
}

/// One MX and one address a canary, and where the root is that our mail system must trust.
fn write_zone(config: &Config, out: &mut dyn Write) -> Result<u8, Failure> {
    if config.canaries.is_empty() {
        return Err(Failure::usage("no canary is configured", "canaries stand in [[canary]]"));
    }
    writeln!(out, "; canaries: each domain has one MX, each MX one address")?;
    let mut own = false;
    for canary in &config.canaries {
        own |= canary.certificate.is_none();
        for domain in &canary.domains {
            writeln!(out, "{domain}. 300 IN MX 10 {}.", canary.hostname)?;
        }
        let listens: Vec<IpAddr> = canary.listen.iter().map(SocketAddr::ip).collect();
        for address in if canary.public.is_empty() { &listens } else { &canary.public } {
            let kind = if address.is_ipv4() { "A" } else { "AAAA" };
            writeln!(out, "{}. 300 IN {kind} {address}", canary.hostname)?;
        }
    }
    if own {
        // Opened here, so that it is there to be trusted before the first round.
        CanaryCa::open(&config.state_dir, Clock::system().now())?;
        let root = config.state_dir.join("canary").join("root.pem");
        writeln!(
            out,
            "; canaries without a certificate of their own end at {}: your mail system must trust it",
            root.display()
        )?;
    }
    out.flush()?;
    Ok(0)
}
