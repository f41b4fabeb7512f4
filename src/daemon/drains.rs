//! Between rounds: probes that were refused leave our mail system's queue, so that the next round finds it empty.
//!
//! 1. A round takes the line of its connector, which it shares with those whose canaries share addresses with its own, and
//!    drains its own probes itself.
//! 2. While nobody has the line, canaries turn good for the open probes whose time has come, also for those of rounds
//!    before a restart.
//! 3. A probe that arrived is settled in the ledger; its canary is itself again.
//!
//! Invariant: whoever takes a line finds every canary of it as itself.

use super::{canaries::Canaries, ledger::LedgerError, means::Means, round::later};
use crate::config::Config;
use crate::model::{canary::Canary, connector::OutboundConnector, delivery::Probe};
use crate::wire::name::Host;
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Mutex as Line, OwnedMutexGuard},
    time::sleep,
};

/// How often open probes are looked at, beside whenever somebody came.
const TICK: Duration = Duration::from_secs(10);

/// The lines of all connectors.
#[derive(Debug, Default)]
pub struct Drains {
    lines: Mutex<BTreeMap<String, Arc<Line<Draining>>>>,
}

/// The canaries of one connector that have turned good, by the probe they wait for.
#[derive(Debug, Default)]
struct Draining(BTreeMap<String, Host>);

/// The line of a connector, for as long as a round lasts.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "held")] OwnedMutexGuard<Draining>);

impl Drains {
    fn line(&self, connector: &str) -> Arc<Line<Draining>> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lines.entry(connector.to_owned()).or_default())
    }

    /// Takes the line of a connector for a round.
    pub async fn turn(
        &self,
        config: &Config,
        connector: &OutboundConnector,
        canaries: &Canaries,
    ) -> Turn {
        let sharing = sharing(config, connector);
        let mut line = self.line(name_of(&sharing)).lock_owned().await;
        line.0.clear();
        // All of them: a round that was broken off may have left one good.
        let domains = sharing.iter().flat_map(|connector| connector.canaries.values());
        for stand in domains.filter_map(|domain| canaries.stand(domain)) {
            canaries.end_drain(&stand.hostname);
        }
        Turn(line)
    }

    /// Drains, until nobody waits for it any more.
    pub async fn run(&self, means: &Means) {
        let Some(canaries) = means.canaries() else { return };
        let mut changes = canaries.log().changes();
        // Canaries that were made anew drain for nobody.
        for connector in &means.config.outbound {
            let sharing = sharing(&means.config, connector);
            if let Ok(mut line) = self.line(name_of(&sharing)).try_lock_owned() {
                line.0.clear();
            }
        }
        loop {
            for connector in &means.config.outbound {
                if let Err(error) = self.pass(means, canaries, connector).await {
                    let connector = connector.name.as_str();
                    tracing::warn!(connector, %error, "probes in the queue cannot be looked up");
                }
            }
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = sleep(TICK) => {}
            }
        }
    }

    async fn pass(
        &self,
        means: &Means,
        canaries: &Canaries,
        connector: &OutboundConnector,
    ) -> Result<(), LedgerError> {
        let (Some(drain_after), Some(ledger)) = (connector.timing.drain_after, means.ledger())
        else {
            return Ok(());
        };
        // A round has it.
        let sharing = sharing(&means.config, connector);
        let Ok(mut line) = self.line(name_of(&sharing)).try_lock_owned() else { return Ok(()) };
        let now = means.clock().now();
        let mut open: Vec<(Probe, &Host)> = Vec::new();
        for domain in connector.canaries.values() {
            let Some(stand) = canaries.stand(domain).filter(|stand| stand.can_drain) else {
                continue;
            };
            let probes = ledger.open_probes(domain.clone(), now).await?;
            open.extend(probes.into_iter().map(|probe| (probe, &stand.hostname)));
        }
        let waits = |host: &Host| open.iter().any(|(_, waits)| *waits == host);
        let is_open = |id: &str| open.iter().any(|(probe, _)| probe.id == id);
        let ours = |host: &Host| {
            let mut domains = connector.canaries.values();
            domains.any(|domain| canaries.stand(domain).is_some_and(|one| one.hostname == *host))
        };
        let is_over = |(id, host): &(&String, &Host)| ours(host) && !is_open(id);
        let over: Vec<String> = line.0.iter().filter(is_over).map(|(id, _)| id.clone()).collect();
        for id in over {
            if let Some(host) = line.0.remove(&id)
                && !waits(&host)
            {
                canaries.end_drain(&host);
            }
        }
        for (probe, host) in open {
            let is_due = later(probe.created_at, drain_after) <= now;
            if is_due && !line.0.contains_key(&probe.id) {
                tracing::debug!(probe = probe.id, canary = %host, "turns good for its probe");
                canaries.take_turn(host);
                canaries.drain(host, &connector.sender.networks);
                line.0.insert(probe.id, host.clone());
            }
        }
        Ok(())
    }
}

/// The connectors whose canaries share addresses with those of this one, itself among them: they take turns.
fn sharing<'a>(config: &'a Config, of: &OutboundConnector) -> Vec<&'a OutboundConnector> {
    let listens = |connector: &OutboundConnector| -> BTreeSet<SocketAddr> {
        let is_its = |canary: &&Canary| {
            canary.domains.iter().any(|domain| connector.canaries.values().any(|one| one == domain))
        };
        config.canaries.iter().filter(is_its).flat_map(|canary| canary.listen.clone()).collect()
    };
    let mut known = listens(of);
    loop {
        let shares = |connector: &&OutboundConnector| {
            connector.name == of.name || !listens(connector).is_disjoint(&known)
        };
        let sharing: Vec<&OutboundConnector> = config.outbound.iter().filter(shares).collect();
        let all: BTreeSet<SocketAddr> = sharing.iter().flat_map(|one| listens(one)).collect();
        if all.len() == known.len() {
            return sharing;
        }
        known = all;
    }
}

/// The name of the line of these connectors.
fn name_of<'a>(sharing: &[&'a OutboundConnector]) -> &'a str {
    sharing.first().map_or("", |connector| connector.name.as_str())
}

/// Until when canaries of a connector are taken by probes of earlier rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupied {
    /// Our mail system will be told to deliver the last of them then.
    UntilDrained(Timestamp),
    /// Our mail system gives the last of them up then: its canary cannot turn good, or never should.
    UntilGivenUp(Timestamp),
}

/// Until when the canaries of a connector are taken; none where they are free.
///
/// # Errors
///
/// The record cannot be read.
pub async fn empty_at(
    means: &Means,
    connector: &OutboundConnector,
) -> Result<Option<Occupied>, LedgerError> {
    let (Some(canaries), Some(ledger)) = (means.canaries(), means.ledger()) else {
        return Ok(None);
    };
    let now = means.clock().now();
    let (mut drained, mut given_up): (Option<Timestamp>, Option<Timestamp>) = (None, None);
    for domain in connector.canaries.values() {
        let stand = canaries.stand(domain);
        let drain_after = stand.filter(|stand| stand.can_drain).and(connector.timing.drain_after);
        for probe in ledger.open_probes(domain.clone(), now).await? {
            match drain_after {
                Some(after) => {
                    let at = later(probe.created_at, after).min(probe.expires_at);
                    drained = drained.max(Some(at));
                }
                None => given_up = given_up.max(Some(probe.expires_at)),
            }
        }
    }
    Ok(match (given_up, drained) {
        (Some(at), drained) => Some(Occupied::UntilGivenUp(at.max(drained.unwrap_or(at)))),
        (None, Some(at)) => Some(Occupied::UntilDrained(at)),
        (None, None) => None,
    })
}
