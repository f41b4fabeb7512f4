//! How much a stranger may make us read, wait and do. One table, with its defaults.

use crate::wire::smtp::ReplyLimits;
use std::time::Duration;

/// Bounds on one run, and on each peer in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// One SMTP reply.
    pub reply: ReplyLimits,
    /// Octets of certificate chain kept from one handshake.
    pub chain: usize,
    /// Octets of transcript kept of one session; then it is cut, and marked.
    pub transcript: usize,
    /// Octets taken in clear behind the 220 to STARTTLS before the peer is held to speak no TLS.
    pub injected: usize,
    /// Addresses of one MX host that are probed.
    pub addresses_per_host: usize,
    /// MX hosts of one domain that are probed.
    pub hosts_per_domain: usize,
    /// Probes at once, over all peers.
    pub probes: usize,
    /// Sessions at once with the hosts of one operator.
    pub sessions_per_operator: usize,
    /// Sessions at once with one address.
    pub sessions_per_address: usize,
    /// New sessions a minute with the hosts of one operator.
    pub per_operator_per_minute: u32,
    /// Pause between two sessions with one address.
    pub pause_per_address: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            reply: ReplyLimits { line: 2 << 10, lines: 256, reply: 64 << 10 },
            chain: 64 << 10,
            transcript: 32 << 10,
            injected: 4 << 10,
            addresses_per_host: 16,
            hosts_per_domain: 32,
            probes: 256,
            sessions_per_operator: 2,
            sessions_per_address: 1,
            per_operator_per_minute: 10,
            pause_per_address: Duration::from_secs(2),
        }
    }
}
