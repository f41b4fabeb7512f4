//! The demo's configuration, as an operator would write it: an ordinary file that every command can read.
//!
//! What differs from a real one are short times, private addresses and the port.

use super::{
    expected::{BROKEN, PARTNERS, SENDING, TRUSTED},
    heard::Alerts,
    place::Place,
    world::{OURS, PROBE, SENDER, World},
};
use std::{
    fmt::{self, Write},
    net::SocketAddr,
    path::Path,
};

/// What the file says.
pub(super) fn config(
    world: &World,
    place: &Place,
    http: SocketAddr,
    alerts: &Alerts,
    roots: &Path,
) -> Result<String, fmt::Error> {
    let mut text = String::new();
    write!(
        text,
        r#"# The configuration of `mxwarden demo`; it is gone when the demo ends.
state_dir = {state_dir:?}
[organisation]
name = "Contoso"
domains = ["{OURS}"]
ehlo = "probe.{OURS}"
[dns]
resolvers = ["{dns}"]
allow_private = true
[tls]
roots = "none"
ca_files = [{roots:?}]
[probe]
smtp_port = {port}
[http]
listen = "{http}"
[claims.receiver-offers]
interval = "5s"
max_age = "5m"
[claims.receiver-enforces]
interval = "30s"
max_age = "10m"
[claims.sender-enforces]
interval = "2m"
max_age = "30m"
[alert]
group_wait = "1s"
flap_changes = 60
base_url = "http://{http}"
[[alert.channel]]
name = "terminal"
kind = "webhook"
url = "{alerts}"
partners = ["{BROKEN}"]
"#,
        state_dir = place.state_dir(),
        dns = world.dns.address(),
        port = world.port,
        alerts = alerts.url(),
    )?;
    for sending in SENDING {
        write!(
            text,
            r#"[[connector]]
name = "{name}"
direction = "outbound"
level = "name"
[connector.submit]
url = "smtp+plain://{mta}"
from = "{PROBE}"
[connector.sender]
networks = ["127.0.0.0/8"]
ehlo = ["{SENDER}"]
[connector.timing]
first_attempt_within = "30s"
attempts = 2
queue_lifetime = "10m"
drain_after = "20s"
[connector.canaries]
"#,
            name = sending.name,
            mta = world.mta.address(),
        )?;
        for canary in world.canaries.iter().filter(|canary| canary.under == sending) {
            writeln!(text, "{} = \"{}\"", canary.personality, canary.domain)?;
        }
    }
    for canary in &world.canaries {
        writeln!(
            text,
            "[[canary]]\npersonality = \"{}\"\nlisten = [\"{}\"]\ndomains = [\"{}\"]\nhostname = \"{}\"",
            canary.personality, canary.address, canary.domain, canary.host
        )?;
    }
    for partner in [BROKEN, TRUSTED] {
        writeln!(
            text,
            "[[connector]]\nname = \"from-{partner}\"\ndirection = \"inbound\"\nlevel = \"encrypt\"\n\
             [connector.probe]\nmail_from = \"tls-probe@{partner}\"\nrcpt_to = \"{PROBE}\""
        )?;
    }
    for partner in &PARTNERS {
        let domain = partner.domain;
        writeln!(
            text,
            "[[partner]]\nname = \"{domain}\"\ndomains = [\"{domain}\"]\noutbound = \"{}\"",
            partner.outbound.name
        )?;
        if [BROKEN, TRUSTED].contains(&domain) {
            writeln!(text, "inbound = \"from-{domain}\"")?;
        }
        if domain == BROKEN {
            writeln!(
                text,
                "[partner.receiver_enforces]\nagreed = \"by whoever started the demo\"\n\
                 mail_from = \"{PROBE}\"\nrcpt_to = \"postmaster@{domain}\""
            )?;
        }
    }
    Ok(text)
}
