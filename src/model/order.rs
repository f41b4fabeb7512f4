//! What the daemon may be asked to do: over HTTP, over its control socket.

use super::{claim::Claim, requirement::Requirement, target::Target};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "kebab-case")]
pub enum Order {
    /// Send a sample through a channel, or through all of them.
    AlertTest {
        /// The channel's name.
        channel: Option<String>,
    },
    /// Be silent about a partner for a while.
    Mute {
        /// The partner.
        partner: String,
        /// How long.
        within: Duration,
        /// Why.
        why: String,
    },
    /// End the silence about a partner.
    MuteEnd {
        /// The partner.
        partner: String,
    },
    /// Tell which partners are muted.
    MuteList,
    /// Look at a target once, and tell.
    Probe {
        /// Where.
        target: Target,
        /// What it must offer.
        requirement: Requirement,
    },
    /// Prove claims now.
    Verify {
        /// Whose; all where there are none.
        partners: Vec<String>,
        /// Which; all where there are none.
        claims: Vec<Claim>,
        /// How long to wait.
        within: Duration,
    },
}
