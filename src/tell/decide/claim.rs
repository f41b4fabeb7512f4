//! One claim, and what one channel knows of it.

use super::{Scene, Silence, Speech, Wish, is_flapping, passed, span};
use crate::model::{
    alert::AlertChannel,
    finding::{FindingId, Severity},
    obstacle::ObstacleId,
    standing::Standing,
    state::State,
    told::{Change, Owed, Reason, Told, Topic},
};
use std::collections::{BTreeMap, BTreeSet};

/// The wishes of every claim, and of those that are not claimed any more.
pub(super) fn wishes(
    scene: &Scene<'_>,
    channel: &AlertChannel,
    wishes: &mut Vec<(Topic, Wish)>,
    owed: &mut Vec<Change>,
) {
    for standing in scene.standings {
        let topic = Topic::Claim { partner: standing.partner.clone(), claim: standing.claim };
        let told = scene.told(channel, &topic);
        let mut known = told.clone();
        let wish = Look { scene, channel, standing }.wish(&mut known);
        if known != told {
            let channel = channel.name.clone();
            owed.push(Change::Told { channel, topic: topic.clone(), told: known });
        }
        wishes.push((topic, wish));
    }
    withdrawn(scene, channel, wishes);
}

/// Open incidents of claims that the configuration does not hold any more: a channel with a memory of its own would
/// keep them for ever. Without any standing nothing is known yet, and nothing is withdrawn.
fn withdrawn(scene: &Scene<'_>, channel: &AlertChannel, wishes: &mut Vec<(Topic, Wish)>) {
    if scene.standings.is_empty() {
        return;
    }
    let claimed: BTreeSet<_> = scene
        .standings
        .iter()
        .map(|standing| (standing.partner.as_str(), standing.claim))
        .collect();
    let told: Option<&BTreeMap<Topic, Told>> = scene.memory.told.get(&channel.name);
    for (topic, told) in told.into_iter().flatten() {
        let Topic::Claim { partner, claim } = topic else { continue };
        let Some(state) = told.state.filter(|_| !claimed.contains(&(partner.as_str(), *claim)))
        else {
            continue;
        };
        let since = told.since.unwrap_or(scene.now);
        let becomes = Told {
            at: Some(scene.now),
            reason: Some(Reason::NoLongerClaimed),
            cause: told.cause.clone(),
            ..Told::default()
        };
        let speech = Speech {
            reason: Reason::NoLongerClaimed,
            severity: weight(state),
            cause: told.cause.clone(),
            since,
            before: told.clone(),
            becomes,
        };
        wishes.push((topic.clone(), Ok(speech)));
    }
}

fn weight(state: State) -> Severity {
    match state {
        State::Compliant => Severity::Info,
        State::Unknown => Severity::Warning,
        State::Violated => Severity::Violation,
    }
}

/// One claim before one channel.
struct Look<'a> {
    scene: &'a Scene<'a>,
    channel: &'a AlertChannel,
    standing: &'a Standing,
}

impl Look<'_> {
    /// Whether to speak; a worse state that is due is written into `told` as owed.
    fn wish(&self, told: &mut Told) -> Wish {
        let Standing { partner, state, .. } = self.standing;
        if !self.channel.takes_partner(partner, self.scene.labels_of(partner)) {
            return Err(Silence::NotRouted);
        }
        let is_muted = self.scene.quiet(partner).until.is_some();
        if *state == State::Violated
            && let Some(owed) = self.worse(told)
        {
            if !self.channel.takes_severity(Severity::Violation) {
                return Err(Silence::NotRouted);
            }
            if is_muted {
                return Err(Silence::Muted);
            }
            told.owed = Some(owed);
        }
        let reason = match (state, &told.owed) {
            (State::Violated | State::Unknown, Some(owed)) => Ok(owed.reason),
            (State::Compliant, Some(_)) => Ok(Reason::Recovered),
            (State::Compliant, None) => self.ended(told),
            (State::Unknown, None) => self.unknown(told),
            (State::Violated, None) => self.reminder(told),
        };
        match reason {
            Ok(_) if is_muted => Err(Silence::Muted),
            Ok(reason) => self.speech(reason, told),
            Err(silence) => Err(silence),
        }
    }

    /// What of a violation this channel neither knows nor is owed.
    fn worse(&self, told: &Told) -> Option<Owed> {
        let breaks = self.violations();
        let reason = match (told.state, &told.owed) {
            (_, Some(owed)) => {
                let findings: BTreeSet<_> = owed.findings.union(&breaks).copied().collect();
                return Some(Owed { findings, ..owed.clone() });
            }
            (Some(State::Violated), None) if breaks.is_subset(&told.findings) => return None,
            (Some(State::Violated | State::Unknown), None) => Reason::Worse,
            _ if told.recovered_at.is_some() => Reason::Regressed,
            _ => Reason::FirstSeen,
        };
        Some(Owed { reason, since: self.standing.since, findings: breaks })
    }

    fn violations(&self) -> BTreeSet<FindingId> {
        let breaks = self.standing.findings.iter();
        breaks.filter(|one| one.severity == Severity::Violation).map(|one| one.id).collect()
    }

    /// An incident is open: whether it is time to say so again.
    fn reminder(&self, told: &Told) -> Result<Reason, Silence> {
        let quiet = self.scene.quiet(&self.standing.partner);
        if self.scene.is_reminder_due(told, quiet) {
            Ok(Reason::StillBroken)
        } else {
            Err(Silence::AlreadyTold)
        }
    }

    fn unknown(&self, told: &Told) -> Result<Reason, Silence> {
        let is = |id| self.standing.obstacles.iter().any(|obstacle| obstacle.id == id);
        if told.state.is_some() {
            // Violated and then unknown: the incident stays open.
            return match self.reminder(told) {
                Err(Silence::AlreadyTold) if is(ObstacleId::Unconfirmed) => {
                    Err(Silence::Unconfirmed)
                }
                reminder => reminder,
            };
        }
        if is(ObstacleId::SelfOutage) {
            return Err(Silence::OurOutage);
        }
        let Self { scene, standing, channel } = self;
        if passed(standing.since, scene.now) < span(scene.rules.unknown_after) {
            let is_pending = is(ObstacleId::Unconfirmed) || standing.pending.is_some();
            return Err(if is_pending { Silence::Unconfirmed } else { Silence::NotYet });
        }
        if channel.takes_severity(Severity::Warning) {
            Ok(Reason::CannotTell)
        } else {
            Err(Silence::NotRouted)
        }
    }

    /// The claim is compliant: whether something ended by that.
    fn ended(&self, told: &Told) -> Result<Reason, Silence> {
        let reason = match told.state {
            Some(State::Violated) => Reason::Recovered,
            Some(State::Unknown) => Reason::KnownAgain,
            Some(State::Compliant) | None if self.standing.pending.is_some() => {
                return Err(Silence::Unconfirmed);
            }
            Some(State::Compliant) | None => return Err(Silence::NothingNew),
        };
        // The incident stays open for the channel, so that the next change is no news either.
        if is_flapping(self.scene, &self.standing.partner, self.standing.claim) {
            return Err(Silence::Flapping);
        }
        Ok(reason)
    }

    fn speech(&self, reason: Reason, told: &Told) -> Wish {
        let since = match (told.since, &told.owed) {
            (Some(since), _) if told.state == Some(State::Violated) => since,
            (_, Some(owed)) => owed.since,
            (Some(since), None) if told.state.is_some() => since,
            _ => self.standing.since,
        };
        let owed = told.owed.as_ref();
        let is_known = told.state.is_some() && reason != Reason::Worse;
        let cause = if is_known { told.cause.clone() } else { self.cause() };
        let state = match reason {
            Reason::CannotTell => Some(State::Unknown),
            Reason::StillBroken => told.state,
            Reason::FirstSeen | Reason::Regressed | Reason::Worse => Some(State::Violated),
            Reason::Changed
            | Reason::ChannelFailed
            | Reason::ChannelWorks
            | Reason::ExpiresSoon
            | Reason::KnownAgain
            | Reason::NoLongerClaimed
            | Reason::Recovered
            | Reason::Sample
            | Reason::SelfOutage
            | Reason::SelfOutageOver => None,
        };
        let findings = match state {
            None => BTreeSet::new(),
            Some(_) => told
                .findings
                .iter()
                .chain(owed.into_iter().flat_map(|owed| &owed.findings))
                .copied()
                .collect(),
        };
        let becomes = Told {
            at: Some(self.scene.now),
            reason: Some(reason),
            state,
            since: state.map(|_| since),
            findings,
            recovered_at: if reason == Reason::Recovered {
                Some(self.scene.now)
            } else {
                told.recovered_at
            },
            step: None,
            cause: cause.clone(),
            thread: told.thread.clone(),
            owed: None,
        };
        let heavier = told.state.max(state).unwrap_or(State::Violated);
        let severity = weight(if owed.is_some() { State::Violated } else { heavier });
        Ok(Speech { reason, severity, cause, since, before: told.clone(), becomes })
    }

    /// What brings it about: the worst finding or the first obstacle, and where. Partners behind one broken host have
    /// it in common.
    fn cause(&self) -> String {
        let worst = self.standing.findings.iter().max_by(|one, other| {
            // Of several as bad the first: they come worst first.
            one.severity.cmp(&other.severity).then(core::cmp::Ordering::Greater)
        });
        let broken = worst.filter(|finding| finding.severity == Severity::Violation);
        let claim = self.standing.claim;
        match (broken, self.standing.obstacles.first()) {
            (Some(finding), _) => format!("{claim}: {}@{}", finding.id, finding.subject),
            (None, Some(obstacle)) => format!("{claim}: {}@{}", obstacle.id, obstacle.subject),
            (None, None) => claim.to_string(),
        }
    }
}
