//! Whether to speak, and why: for each channel and each topic a named reason, or a named reason for silence.
//!
//! 1. Each topic is held against what the channel was told of it (`claim`, [`certificates`], notices, other channels).
//! 2. Who wants to speak and is muted, flaps or was told already is silent, by that name.
//! 3. What is left waits for its kind: the first news for `group_wait`, the next partner with the same cause for
//!    `group_interval`.
//! 4. [`group()`] puts together what is said in one message.
//!
//! Invariant: no clock and no I/O; the same scene gives the same decisions.
//! Invariant: only a compliant claim recovers; where a violated one becomes unknown the incident stays open.
//! Invariant: a violation that was confirmed and not muted is told, even where it is over before a channel takes it.

mod certificate;
mod claim;
mod group;
mod muted;
#[cfg(test)]
pub(crate) mod tests;

pub use certificate::{Expiring, STEPS, certificates};
pub use group::{Group, group};
pub use muted::muted;

use crate::model::{
    alert::{AlertChannel, AlertRules, Mute, Quiet},
    claim::Claim,
    event::{Event, Happening},
    finding::{FindingId, Severity},
    standing::Standing,
    told::{Change, Memory, Notice, Reason, Told, Topic, Watched},
};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// So many messages in a row that a channel did not take, and the others are told of it.
pub const FAILURES: u32 = 3;
/// Changes of a claim that are remembered.
const CHANGES: usize = 64;

/// Labels of every partner.
pub type Labels = BTreeMap<String, BTreeMap<String, String>>;

/// Everything a decision rests on.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The time.
    pub now: Timestamp,
    /// When to speak.
    pub rules: &'a AlertRules,
    /// Where.
    pub channels: &'a [AlertChannel],
    /// When not to.
    pub mutes: &'a [Mute],
    /// The labels of every partner.
    pub labels: &'a Labels,
    /// Every configured claim as it stands.
    pub standings: &'a [Standing],
    /// What was told.
    pub memory: &'a Memory,
    /// Since when something waits for its kind, by channel.
    pub waiting: &'a BTreeMap<String, Timestamp>,
    /// How each channel does.
    pub health: &'a BTreeMap<String, Health>,
}

/// How a channel does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    /// Messages in a row that it did not take.
    pub failures: u32,
    /// Since when it takes none.
    pub failing_since: Option<Timestamp>,
    /// When it last took one.
    pub worked_at: Option<Timestamp>,
}

/// Why nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Silence {
    /// The channel knows, and the reminder is not due.
    AlreadyTold,
    /// The claim changes too often for its recovery to mean anything.
    Flapping,
    /// Somebody asked for silence.
    Muted,
    /// Unknown, but not for long enough.
    NotYet,
    /// There is nothing to say.
    NothingNew,
    /// The channel is not told of what weighs so much.
    NotRouted,
    /// It is our own outage, which is told once and not for each claim.
    OurOutage,
    /// A change waits for looks that agree.
    Unconfirmed,
    /// It waits for more of its kind, to be told together.
    WaitsForGroup,
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Where.
    pub channel: String,
    /// About what.
    pub topic: Topic,
    /// Whether to speak.
    pub verdict: Verdict,
}

/// Whether to speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// No, and why not.
    Silent(Silence),
    /// Yes, and why.
    Speak(Box<Speech>),
}

/// What is to be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speech {
    /// Why.
    pub reason: Reason,
    /// How much it weighs.
    pub severity: Severity,
    /// What it has in common with others.
    pub cause: String,
    /// Since when it is so.
    pub since: Timestamp,
    /// What the channel knew before.
    pub before: Told,
    /// What it knows once it took the message.
    pub becomes: Told,
}

/// What came of a scene.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decided {
    /// One for each channel and topic.
    pub decisions: Vec<Decision>,
    /// What the memory has to keep even if nothing is said: a worse state that is owed.
    pub owed: Vec<Change>,
    /// Since when something waits, by channel.
    pub waiting: BTreeMap<String, Timestamp>,
}

/// A wish to speak, or why there is none.
type Wish = Result<Speech, Silence>;

impl Scene<'_> {
    fn labels_of(&self, partner: &str) -> &BTreeMap<String, String> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        self.labels.get(partner).unwrap_or(&NONE)
    }

    fn quiet(&self, partner: &str) -> Quiet {
        let labels = self.labels_of(partner);
        let about = self.mutes.iter().filter(|mute| mute.whom.is(partner, labels));
        about.map(|mute| mute.when.at(self.now)).fold(Quiet::default(), Quiet::and)
    }

    fn told(&self, channel: &AlertChannel, topic: &Topic) -> Told {
        self.memory.told(&channel.name, topic).cloned().unwrap_or_default()
    }

    /// Whether the reminder is due. A silence that has ended begins the interval anew: what was told before it is
    /// not told again because of it.
    fn is_reminder_due(&self, told: &Told, quiet: Quiet) -> bool {
        told.at.is_some_and(|at| {
            passed(at.max(quiet.ended.unwrap_or(at)), self.now) >= span(self.rules.reminder)
        })
    }
}

fn span(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

fn passed(from: Timestamp, to: Timestamp) -> SignedDuration {
    to.duration_since(from)
}

/// Decides for every channel and topic.
pub fn decide(scene: &Scene<'_>) -> Decided {
    let mut decided = Decided::default();
    let certificates = certificates(scene.standings);
    for channel in scene.channels {
        let mut wishes: Vec<(Topic, Wish)> = Vec::new();
        claim::wishes(scene, channel, &mut wishes, &mut decided.owed);
        certificate::wishes(scene, channel, &certificates, &mut wishes);
        notices(scene, channel, &mut wishes);
        others(scene, channel, &mut wishes);
        settle(scene, channel, wishes, &mut decided);
    }
    decided
}

/// Lets wishes wait for their kind.
fn settle(
    scene: &Scene<'_>,
    channel: &AlertChannel,
    wishes: Vec<(Topic, Wish)>,
    decided: &mut Decided,
) {
    let recent = recently(scene, channel);
    let is_apart = |speech: &Speech| {
        recent
            .get(&(speech.reason, speech.cause.as_str()))
            .is_none_or(|at| passed(*at, scene.now) >= span(scene.rules.group_interval))
    };
    let anything = wishes.iter().any(|(_, wish)| wish.as_ref().is_ok_and(is_apart));
    let since = scene.waiting.get(&channel.name).copied().unwrap_or(scene.now);
    let is_over = passed(since, scene.now) >= span(scene.rules.group_wait);
    if anything {
        decided.waiting.insert(channel.name.clone(), since);
    }
    for (topic, wish) in wishes {
        let verdict = match wish {
            Err(silence) => Verdict::Silent(silence),
            Ok(speech) if is_over && is_apart(&speech) => Verdict::Speak(Box::new(speech)),
            Ok(_) => Verdict::Silent(Silence::WaitsForGroup),
        };
        decided.decisions.push(Decision { channel: channel.name.clone(), topic, verdict });
    }
}

/// When a channel last took a message of this reason and cause, whichever topic it was about.
fn recently<'a>(
    scene: &Scene<'a>,
    channel: &AlertChannel,
) -> BTreeMap<(Reason, &'a str), Timestamp> {
    let mut recent = BTreeMap::new();
    let told = scene.memory.told.get(&channel.name).into_iter().flatten();
    for told in told.map(|(_, told)| told) {
        if let (Some(reason), Some(at)) = (told.reason, told.at)
            && passed(at, scene.now) < span(scene.rules.group_interval)
        {
            let last = recent.entry((reason, told.cause.as_str())).or_insert(at);
            *last = at.max(*last);
        }
    }
    recent
}

/// What happened and was not taken yet.
fn notices(scene: &Scene<'_>, channel: &AlertChannel, wishes: &mut Vec<(Topic, Wish)>) {
    for notice in scene.memory.notices.values() {
        if !notice.waiting.contains(&channel.name) {
            continue;
        }
        let Some((reason, severity, cause)) = news(&notice.event) else { continue };
        let topic = Topic::Notice { event: notice.event.id.clone() };
        let becomes = Told {
            at: Some(scene.now),
            reason: Some(reason),
            cause: cause.clone(),
            ..Told::default()
        };
        let since = notice.event.at;
        let before = Told::default();
        wishes.push((topic, Ok(Speech { reason, severity, cause, since, before, becomes })));
    }
}

/// What an event is news of; none where nobody is told.
fn news(event: &Event) -> Option<(Reason, Severity, String)> {
    match &event.what {
        // Told by the steps of `certificate`, each once.
        Happening::Noticed { finding } if finding.id == FindingId::CertExpiresSoon => None,
        Happening::Noticed { finding } => {
            let cause = format!("{}@{}", finding.id, finding.subject);
            Some((Reason::Changed, finding.severity, cause))
        }
        Happening::SelfOutageBegan { .. } => {
            Some((Reason::SelfOutage, Severity::Warning, "self-outage".to_owned()))
        }
        Happening::SelfOutageEnded { .. } => {
            Some((Reason::SelfOutageOver, Severity::Warning, "self-outage".to_owned()))
        }
        Happening::ConfigReloaded { .. }
        | Happening::Started { .. }
        | Happening::StateChanged { .. }
        | Happening::Stopped => None,
    }
}

/// The notice an event makes, with the channels that are to take it; why there is none otherwise.
///
/// What happens to a muted partner is never told: it is what the silence was asked for.
pub fn notice(scene: &Scene<'_>, event: &Event) -> Result<Notice, Silence> {
    let (_, severity, _) = news(event).ok_or(Silence::NothingNew)?;
    if event.partner.as_deref().is_some_and(|partner| scene.quiet(partner).until.is_some()) {
        return Err(Silence::Muted);
    }
    let takes = |channel: &&AlertChannel| {
        let partner = event.partner.as_deref();
        partner.is_none_or(|partner| channel.takes_partner(partner, scene.labels_of(partner)))
            && channel.takes_severity(severity)
    };
    let waiting: BTreeSet<String> =
        scene.channels.iter().filter(takes).map(|channel| channel.name.clone()).collect();
    if waiting.is_empty() {
        return Err(Silence::NotRouted);
    }
    Ok(Notice { event: event.clone(), waiting })
}

/// Channels that take nothing any more, told through the others, whatever those are routed for.
fn others(scene: &Scene<'_>, channel: &AlertChannel, wishes: &mut Vec<(Topic, Wish)>) {
    for other in scene.channels.iter().filter(|other| other.name != channel.name) {
        let topic = Topic::Channel { name: other.name.clone() };
        let told = scene.told(channel, &topic);
        let health = scene.health.get(&other.name).copied().unwrap_or_default();
        let is_told = told.state.is_some();
        let is_failing = health.failures >= FAILURES;
        let works = health.failures == 0 && health.worked_at > told.at;
        let cause = format!("channel@{}", other.name);
        let since = told.since.or(health.failing_since).unwrap_or(scene.now);
        let speech = |reason, state| Speech {
            reason,
            severity: Severity::Warning,
            cause: cause.clone(),
            since,
            before: told.clone(),
            becomes: Told {
                at: Some(scene.now),
                reason: Some(reason),
                state,
                since: Some(since),
                cause: cause.clone(),
                ..told.clone()
            },
        };
        let open = Some(crate::model::state::State::Unknown);
        let wish = match (is_told, is_failing) {
            (false, true) => Ok(speech(Reason::ChannelFailed, open)),
            (true, _) if works => Ok(speech(Reason::ChannelWorks, None)),
            (true, true) if scene.is_reminder_due(&told, Quiet::default()) => {
                Ok(speech(Reason::StillBroken, open))
            }
            (true, _) => Err(Silence::AlreadyTold),
            (false, false) => Err(Silence::NothingNew),
        };
        wishes.push((topic, wish));
    }
}

/// Which claims have changed since they were last seen: what flapping is told by.
pub fn watch(
    memory: &Memory,
    standings: &[Standing],
    rules: &AlertRules,
    now: Timestamp,
) -> Vec<Change> {
    let mut changes = Vec::new();
    for standing in standings {
        let Standing { partner, claim, state, .. } = standing;
        let known = memory.watched.get(&(partner.clone(), *claim));
        if known.is_some_and(|known| known.state == *state) {
            continue;
        }
        let mut watched = Watched { state: *state, changes: Vec::new() };
        if let Some(known) = known {
            let recent =
                known.changes.iter().filter(|at| passed(**at, now) < span(rules.flap_window));
            watched.changes = recent.copied().collect();
            watched.changes.push(now);
            let surplus = watched.changes.len().saturating_sub(CHANGES);
            watched.changes.drain(..surplus);
        }
        changes.push(Change::Watched { partner: partner.clone(), claim: *claim, watched });
    }
    changes
}

/// Whether a claim changes too often.
fn is_flapping(scene: &Scene<'_>, partner: &str, claim: Claim) -> bool {
    let key = (partner.to_owned(), claim);
    let changes = scene.memory.watched.get(&key).map_or(&[][..], |watched| &watched.changes);
    let recent =
        changes.iter().filter(|at| passed(**at, scene.now) < span(scene.rules.flap_window));
    recent.count() >= scene.rules.flap_changes
}
