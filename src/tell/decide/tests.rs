//! A timetable of one world: what is seen, and what a channel is told at which minute.

mod property;
mod timetable;

use super::*;
use crate::model::{
    alert::{ChannelKind, ClearHttp, HttpTarget, UrlSource, When, Whom},
    obstacle::{Obstacle, ObstacleId},
    report::{Channel as Reached, NameMatch, StartTlsState, Trust, Validity},
    requirement::{Level, MinVersion, Requirement},
    standing::{EndpointStanding, LastKnown, Leaf, Posture, TlsStanding},
    state::State,
};

/// The moment a timetable begins at.
pub(crate) fn start() -> Timestamp {
    "2026-03-02T00:00:00Z".parse().unwrap()
}

/// So many minutes later.
pub(crate) fn minute(minutes: i64) -> Timestamp {
    start() + SignedDuration::from_mins(minutes)
}

pub(crate) fn requirement() -> Requirement {
    Requirement {
        level: Level::Name,
        names: vec![],
        pins: vec![],
        min_version: MinVersion::default(),
    }
}

/// A claim as it stands: compliant since the beginning.
pub(crate) fn standing(partner: &str, claim: Claim) -> Standing {
    Standing {
        partner: partner.to_owned(),
        claim,
        requirement: requirement(),
        basis: "basis".to_owned(),
        state: State::Compliant,
        since: start(),
        summary: "all endpoints offer what is required".to_owned(),
        findings: vec![],
        obstacles: vec![],
        endpoints: vec![],
        proven_at: Some(start()),
        last_known: Some(LastKnown { state: State::Compliant, since: start() }),
        evidence: "sha256:00ff".to_owned(),
        looked_at: Some(start()),
        pending: None,
        memory: vec![],
        posture: Posture::default(),
    }
}

pub(crate) fn violation(id: FindingId, subject: &str) -> Finding {
    Finding::new(id, Severity::Violation, subject, "what was seen", "what was expected")
}

pub(crate) fn webhook(name: &str, url: &str) -> AlertChannel {
    AlertChannel {
        name: name.to_owned(),
        severities: vec![Severity::Warning, Severity::Violation],
        partners: vec![],
        labels: BTreeMap::new(),
        kind: ChannelKind::Webhook {
            http: HttpTarget {
                url: UrlSource::Plain(url.to_owned()),
                token_file: None,
                ca_file: None,
                clear: ClearHttp::Loopback,
            },
            secret_file: None,
            template_file: None,
        },
    }
}

pub(crate) fn endpoint(host: &str, sha256: &str, not_after: Timestamp) -> EndpointStanding {
    EndpointStanding {
        mx: Some(host.parse().unwrap()),
        preference: Some(10),
        address: "192.0.2.1".parse().unwrap(),
        port: 25,
        state: State::Compliant,
        channel: Reached::Matched,
        starttls: StartTlsState::Offered,
        banner: None,
        tls: Some(TlsStanding {
            version: None,
            cipher_suite: None,
            group: None,
            leaf: Some(Leaf {
                subject: format!("CN={host}"),
                issuer: "CN=Root".to_owned(),
                not_after,
                key: "RSA-2048".to_owned(),
                sha256: sha256.to_owned(),
                spki_sha256: "spki".to_owned(),
            }),
            trust: Trust::Ok,
            validity: Validity::Ok,
            name: NameMatch::Match,
        }),
        findings: vec![],
    }
}

use crate::model::finding::Finding;

/// A world in which every channel takes everything, unless it is down.
pub(crate) struct World {
    pub(crate) rules: AlertRules,
    pub(crate) channels: Vec<AlertChannel>,
    pub(crate) mutes: Vec<Mute>,
    pub(crate) labels: Labels,
    pub(crate) standings: Vec<Standing>,
    pub(crate) memory: Memory,
    pub(crate) waiting: BTreeMap<String, Timestamp>,
    pub(crate) health: BTreeMap<String, Health>,
    /// Channels that take nothing.
    pub(crate) down: BTreeSet<String>,
    pub(crate) now: Timestamp,
}

impl World {
    pub(crate) fn new(standings: Vec<Standing>) -> Self {
        let labels = standings.iter().map(|one| (one.partner.clone(), BTreeMap::new())).collect();
        Self {
            rules: AlertRules::default(),
            channels: vec![webhook("ops", "http://127.0.0.1:1")],
            mutes: vec![],
            labels,
            standings,
            memory: Memory::default(),
            waiting: BTreeMap::new(),
            health: BTreeMap::new(),
            down: BTreeSet::new(),
            now: start(),
        }
    }

    pub(crate) fn scene(&self) -> Scene<'_> {
        Scene {
            now: self.now,
            rules: &self.rules,
            channels: &self.channels,
            mutes: &self.mutes,
            labels: &self.labels,
            standings: &self.standings,
            memory: &self.memory,
            waiting: &self.waiting,
            health: &self.health,
        }
    }

    /// One round at a time: what each channel took, as `channel reason parts`, and every silence.
    pub(crate) fn round(&mut self, now: Timestamp) -> (Vec<Group>, Vec<Decision>) {
        self.now = now;
        for change in watch(&self.memory, &self.standings, &self.rules, now) {
            self.memory.apply(change);
        }
        let decided = decide(&self.scene());
        for change in decided.owed {
            self.memory.apply(change);
        }
        self.waiting = decided.waiting;
        let mut taken = Vec::new();
        for channel in self.channels.clone() {
            let groups = group(&channel.name, &decided.decisions);
            if groups.is_empty() {
                continue;
            }
            let health = self.health.entry(channel.name.clone()).or_default();
            if self.down.contains(&channel.name) {
                health.failures += 1;
                health.failing_since.get_or_insert(now);
                continue;
            }
            *health = Health { failures: 0, failing_since: None, worked_at: Some(now) };
            self.waiting.remove(&channel.name);
            for group in groups {
                self.take(&channel.name, &group);
                taken.push(group);
            }
        }
        (taken, decided.decisions)
    }

    fn take(&mut self, channel: &str, group: &Group) {
        for (topic, speech) in &group.parts {
            if let Topic::Notice { event } = topic {
                let mut notice = self.memory.notices[event].clone();
                notice.waiting.remove(channel);
                self.memory.apply(Change::Noticed(notice));
                continue;
            }
            let channel = channel.to_owned();
            let told = speech.becomes.clone();
            self.memory.apply(Change::Told { channel, topic: topic.clone(), told });
        }
    }

    /// Rounds each minute from one to the other, both included: `minute channel reason parts`.
    pub(crate) fn run(&mut self, from: i64, to: i64) -> Vec<String> {
        let mut said = Vec::new();
        for at in from..=to {
            for group in self.round(minute(at)).0 {
                let Group { channel, reason, parts } = group;
                said.push(format!("{at} {channel} {reason} {}", parts.len()));
            }
        }
        said
    }

    pub(crate) fn claim(&mut self, index: usize) -> &mut Standing {
        &mut self.standings[index]
    }

    pub(crate) fn breaks(&mut self, index: usize, at: i64, id: FindingId, subject: &str) {
        let one = &mut self.standings[index];
        if one.state != State::Violated {
            one.since = minute(at);
        }
        one.state = State::Violated;
        one.findings = vec![violation(id, subject)];
        one.obstacles = vec![];
        one.last_known = Some(LastKnown { state: State::Violated, since: minute(at) });
    }

    pub(crate) fn recovers(&mut self, index: usize, at: i64) {
        let one = &mut self.standings[index];
        one.state = State::Compliant;
        one.since = minute(at);
        one.findings = vec![];
        one.obstacles = vec![];
    }

    pub(crate) fn is_unknown(&mut self, index: usize, at: i64, id: ObstacleId) {
        let one = &mut self.standings[index];
        one.state = State::Unknown;
        one.since = minute(at);
        one.findings = vec![];
        one.obstacles = vec![Obstacle::new(id, "mx.fabrikam.test [192.0.2.1]:25", "no answer")];
    }

    pub(crate) fn happens(&mut self, event: Event) -> Result<(), Silence> {
        let notice = notice(&self.scene(), &event)?;
        self.memory.apply(Change::Noticed(notice));
        Ok(())
    }

    /// Why the claim is not told of at one round.
    fn silence(&mut self, at: i64) -> Silence {
        let (_, decisions) = self.round(minute(at));
        let of_claim = decisions.iter().find(|one| matches!(one.topic, Topic::Claim { .. }));
        match &of_claim.unwrap().verdict {
            Verdict::Silent(silence) => *silence,
            Verdict::Speak(speech) => panic!("speaks: {speech:?}"),
        }
    }
}

const OFFERS: Claim = Claim::OUTBOUND_RECEIVER_OFFERS;

fn fabrikam() -> World {
    World::new(vec![standing("Fabrikam", OFFERS)])
}

fn mute_once(whom: Whom, from: i64, until: i64) -> Mute {
    let when = When::Once { from: minute(from), until: minute(until) };
    Mute { whom, when, why: "maintenance".to_owned() }
}
