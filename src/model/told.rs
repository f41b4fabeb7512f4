//! What each channel was told, and what has to be known of the past to tell it right: plain values.
//!
//! Invariant: a [`Told`] says only what a channel took; what it still has to take is [`Told::owed`].

use super::{
    alert::Mute, alert::When, alert::Whom, claim::Claim, event::Event, finding::FindingId,
    state::State,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Why we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// A claim has been unknown for too long.
    CannotTell,
    /// Something changed that does not change the state.
    Changed,
    /// Another channel does not take what it is told.
    ChannelFailed,
    /// It takes it again.
    ChannelWorks,
    /// A certificate is about to expire.
    ExpiresSoon,
    /// A claim is violated.
    FirstSeen,
    /// A claim that was unknown is compliant.
    KnownAgain,
    /// A claim with an open incident is not configured any more.
    NoLongerClaimed,
    /// A violated claim is compliant.
    Recovered,
    /// A claim that had recovered is violated.
    Regressed,
    /// Somebody asked for a sample.
    Sample,
    /// Everything failed at once: it is us.
    SelfOutage,
    /// That is over.
    SelfOutageOver,
    /// An incident is still open.
    StillBroken,
    /// An open incident got worse.
    Worse,
}

impl Reason {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CannotTell => "cannot-tell",
            Self::Changed => "changed",
            Self::ChannelFailed => "channel-failed",
            Self::ChannelWorks => "channel-works",
            Self::ExpiresSoon => "expires-soon",
            Self::FirstSeen => "first-seen",
            Self::KnownAgain => "known-again",
            Self::NoLongerClaimed => "no-longer-claimed",
            Self::Recovered => "recovered",
            Self::Regressed => "regressed",
            Self::Sample => "sample",
            Self::SelfOutage => "self-outage",
            Self::SelfOutageOver => "self-outage-over",
            Self::StillBroken => "still-broken",
            Self::Worse => "worse",
        }
    }

    /// Whether it ends what another reason began.
    pub fn is_end(self) -> bool {
        match self {
            Self::ChannelWorks
            | Self::KnownAgain
            | Self::NoLongerClaimed
            | Self::Recovered
            | Self::SelfOutageOver => true,
            Self::CannotTell
            | Self::Changed
            | Self::ChannelFailed
            | Self::ExpiresSoon
            | Self::FirstSeen
            | Self::Regressed
            | Self::Sample
            | Self::SelfOutage
            | Self::StillBroken
            | Self::Worse => false,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a channel is told about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "topic", rename_all = "kebab-case")]
pub enum Topic {
    /// A certificate that a partner's claims rest on.
    Certificate {
        /// Whose.
        partner: String,
        /// SHA-256 of the certificate.
        sha256: String,
    },
    /// Another channel.
    Channel {
        /// Its name.
        name: String,
    },
    /// A claim.
    Claim {
        /// Whose.
        partner: String,
        /// Which.
        claim: Claim,
    },
    /// Something that happened.
    Notice {
        /// The id of the event.
        event: String,
    },
}

impl Topic {
    /// The partner it is about, where it names one.
    pub fn partner(&self) -> Option<&str> {
        match self {
            Self::Certificate { partner, .. } | Self::Claim { partner, .. } => Some(partner),
            Self::Channel { .. } | Self::Notice { .. } => None,
        }
    }
}

/// What one channel was told about one topic.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// When it last took something; none while it never did.
    pub at: Option<Timestamp>,
    /// Why that was said.
    pub reason: Option<Reason>,
    /// The state it knows of while an incident is open; none while none is.
    pub state: Option<State>,
    /// Since when the incident is open.
    pub since: Option<Timestamp>,
    /// The violations it knows of.
    pub findings: BTreeSet<FindingId>,
    /// When it was last told that the claim is compliant again.
    pub recovered_at: Option<Timestamp>,
    /// Days that were left of a certificate, by the step that was told last.
    pub step: Option<u32>,
    /// What the incident has in common with others: they are told together.
    pub cause: String,
    /// The id of the message that opened the incident: what a channel with a memory of its own finds it by.
    pub thread: String,
    /// Something worse that it has not taken yet. It is told even where it is over by then.
    pub owed: Option<Owed>,
}

/// A worse state that a channel has not taken yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    /// Why it is to be told.
    pub reason: Reason,
    /// Since when it is so.
    pub since: Timestamp,
    /// The violations.
    pub findings: BTreeSet<FindingId>,
}

/// How a claim has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// The state as last seen.
    pub state: State,
    /// When it changed, oldest first.
    pub changes: Vec<Timestamp>,
}

/// Something that happened, and the channels that have not taken it yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What.
    pub event: Event,
    /// Who still waits for it.
    pub waiting: BTreeSet<String>,
}

/// A silence that somebody asked for while we run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedMute {
    /// About whom.
    pub partner: String,
    /// From then on.
    pub from: Timestamp,
    /// Until then.
    pub until: Timestamp,
    /// Why.
    pub why: String,
}

/// How a silence stands that holds now, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Muted {
    /// Until then.
    pub until: Timestamp,
    /// Why.
    pub why: String,
}

impl AskedMute {
    /// Puts it in the place of every earlier one about the partner: the last one asked for holds. Those end where it
    /// begins, and still shift reminders; one that ends where it begins only ends them. The one that held, if one did.
    pub fn put_into(self, mutes: &mut Vec<Self>) -> Option<Self> {
        let is_earlier = |one: &Self| one.partner == self.partner && self.from < one.until;
        let held = mutes.iter().filter(|one| is_earlier(one) && one.from <= self.from);
        let held = held.max_by_key(|one| one.until).cloned();
        for one in mutes.iter_mut().filter(|one| is_earlier(one)) {
            one.until = self.from;
        }
        mutes.push(self);
        mutes.retain(|one| one.from < one.until);
        held
    }

    /// The same as the configuration would say it.
    pub fn as_mute(&self) -> Mute {
        Mute {
            whom: Whom::Partner(self.partner.clone()),
            when: When::Once { from: self.from, until: self.until },
            why: self.why.clone(),
        }
    }
}

/// Everything that must outlive us so that nothing is told twice, and nothing is left untold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Memory {
    /// What each channel was told.
    pub told: BTreeMap<String, BTreeMap<Topic, Told>>,
    /// How each claim has changed.
    pub watched: BTreeMap<(String, Claim), Watched>,
    /// What happened, by the id of the event.
    pub notices: BTreeMap<String, Notice>,
    /// Silences that somebody asked for.
    pub mutes: Vec<AskedMute>,
    /// What happened and was recorded, and nobody has taken notice of before the memory was read; oldest first.
    pub unheard: Vec<Event>,
}

/// One change of the memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Notice was taken of an event, whether or not anybody is told of it.
    Heard {
        /// Its id.
        event: String,
        /// When it happened.
        at: Timestamp,
    },
    /// A silence was asked for, in place of an earlier one; one without any length ends that alone.
    Muted(AskedMute),
    /// Something happened, or a channel took it; gone where nobody waits any more.
    Noticed(Notice),
    /// A channel took a message: for people who ask later what was said.
    Said(Said),
    /// What a channel knows.
    Told {
        /// The channel.
        channel: String,
        /// The topic.
        topic: Topic,
        /// What it knows.
        told: Told,
    },
    /// How a claim has changed.
    Watched {
        /// Whose.
        partner: String,
        /// Which.
        claim: Claim,
        /// How.
        watched: Watched,
    },
}

/// A message that a channel took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// When.
    pub at: Timestamp,
    /// Which channel.
    pub channel: String,
    /// The id of the message.
    pub message: String,
    /// Why.
    pub reason: Reason,
    /// About what.
    pub topics: Vec<Topic>,
}

impl Memory {
    /// What a channel was told about a topic.
    pub fn told(&self, channel: &str, topic: &Topic) -> Option<&Told> {
        self.told.get(channel)?.get(topic)
    }

    /// The memory with a change.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Muted(mute) => {
                mute.put_into(&mut self.mutes);
            }
            Change::Noticed(notice) if notice.waiting.is_empty() => {
                self.notices.remove(&notice.event.id);
            }
            Change::Noticed(notice) => {
                self.notices.insert(notice.event.id.clone(), notice);
            }
            Change::Heard { .. } | Change::Said(_) => {}
            Change::Told { channel, topic, told } => {
                self.told.entry(channel).or_default().insert(topic, told);
            }
            Change::Watched { partner, claim, watched } => {
                self.watched.insert((partner, claim), watched);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_mute_asked_for_holds_and_an_empty_one_ends_it() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mute = |partner: &str, from, until| AskedMute {
            partner: partner.to_owned(),
            from: at(from),
            until: at(until),
            why: String::new(),
        };
        #[track_caller]
        fn check(
            before: &[AskedMute],
            put: AskedMute,
            held: Option<&AskedMute>,
            after: &[AskedMute],
        ) {
            let mut mutes = before.to_vec();
            assert_eq!(put.put_into(&mut mutes).as_ref(), held);
            assert_eq!(mutes, after);
        }
        let (a, b, other) = (mute("A", 10, 100), mute("A", 20, 30), mute("B", 10, 100));
        check(&[], a.clone(), None, std::slice::from_ref(&a));
        // Shorter or longer: the last one holds.
        let both = [a.clone(), other.clone()];
        check(&both, b.clone(), Some(&a), &[mute("A", 10, 20), other.clone(), b.clone()]);
        check(&both, mute("A", 20, 20), Some(&a), &[mute("A", 10, 20), other.clone()]);
        // What is over stays as it was: reminders are shifted by it.
        let over = std::slice::from_ref(&b);
        check(over, mute("A", 50, 60), None, &[b.clone(), mute("A", 50, 60)]);
        check(over, mute("A", 50, 50), None, over);
        // The clock was set back: what would begin later never does.
        check(&both, mute("A", 5, 7), None, &[other, mute("A", 5, 7)]);
    }
}
