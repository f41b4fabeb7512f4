//! The canaries of a configuration: made, checked, and listening.
//!
//! 1. Each gets its certificate: the operator's, or one of the canaries' own CA.
//! 2. Our own judge must find its defect and no other; what is not fit proves nothing, and says why.
//! 3. They listen, and whoever comes is written into one log that every round reads.
//!
//! Invariant: a canary turns good for draining only where a certificate passes for its host.

use crate::judge::canary::{self, Rules, Shown};
use crate::model::{
    canary::{Canary, Personality},
    connector::OutboundConnector,
    delivery::CanarySession,
    requirement::MinVersion,
    roots::Roots,
    session::Der,
};
use crate::observe::{
    canary::{CanaryCa, CanaryError, CanaryIdentity, CanaryLimits, CanarySpec},
    clock::Clock,
};
use crate::wire::{
    name::{Domain, Host, NamePattern},
    token::TokenKey,
};
use ipnet::IpNet;
use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{mpsc, watch};

/// One canary, as a round needs to know it.
#[derive(Debug, Clone)]
pub struct Stand {
    /// How it misbehaves.
    pub personality: Personality,
    /// Its recipient domain.
    pub domain: Domain,
    /// Its MX host.
    pub hostname: Host,
    /// Where it listens.
    pub listen: Vec<SocketAddr>,
    /// The addresses senders should see.
    pub addresses: Vec<IpAddr>,
    /// What is wrong with its certificate beside its defect.
    pub flaw: Option<String>,
    /// Whether its certificate ends at the root of `good`'s.
    pub shares_root: Option<bool>,
    /// Whether it can turn good.
    pub can_drain: bool,
}
