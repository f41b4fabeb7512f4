//! Who can tell whether an outage is ours: our resolver, our own `good` canary, and the beacons.
//!
//! Invariant: asked only when something failed, and never for longer than a few seconds.

use super::means::Means;
use crate::judge::outage::Beacon;
use crate::model::{canary::Personality, resolution::Route, session::Session, target::Target};
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::timeout};

/// How long a witness has to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What they said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Witnesses {
    /// Whether our resolver answered; none where nothing could be asked.
    pub resolver: Option<bool>,
    /// Whether our `good` canary greeted us at the address senders see; none without one.
    pub good_canary: Option<bool>,
    /// Each beacon.
    pub beacons: Vec<Beacon>,
}

/// Asks them all, side by side.
pub async fn ask(means: Arc<Means>) -> Witnesses {
    let mut beacons = JoinSet::new();
    for beacon in &means.config.rounds.beacons {
        let target = Target::Host { host: beacon.host.clone(), port: beacon.port };
        let (name, means) = (beacon.host.to_string(), Arc::clone(&means));
        beacons.spawn(async move {
            let looked = timeout(PATIENCE, means.observer.offers(&target)).await;
            let answered = looked.is_ok_and(|evidence| evidence.sessions.iter().any(has_answered));
            Beacon { name, answered }
        });
    }
    let (resolver, good_canary) = tokio::join!(resolver(&means), good_canary(&means));
    let mut beacons: Vec<Beacon> = beacons.join_all().await;
    beacons.sort_by(|one, other| one.name.cmp(&other.name));
    Witnesses { resolver, good_canary, beacons }
}

/// Any greeting is an answer, whatever it says.
fn has_answered(session: &Session) -> bool {
    session.banner.is_some()
}

async fn resolver(means: &Means) -> Option<bool> {
    let domain = means.config.organisation.domains.first()?;
    let looked = timeout(PATIENCE, means.resolver().resolve(&Target::Domain(domain.clone()))).await;
    Some(looked.is_ok_and(|resolution| !matches!(resolution.route, Route::Failed(_))))
}

async fn good_canary(means: &Means) -> Option<bool> {
    let canaries = means.canaries()?;
    let stand = canaries.stands().find(|stand| stand.personality == Personality::Good)?;
    let (address, listen) = (*stand.addresses.first()?, stand.listen.first()?);
    let target = Target::Address { address, port: Some(listen.port()) };
    let looked = timeout(PATIENCE, means.observer.offers(&target)).await;
    Some(looked.is_ok_and(|evidence| evidence.sessions.iter().any(has_answered)))
}
