//! What is said in one message: ten partners behind one broken host are one message, and so are many causes at once.

use super::{Decision, Speech, Verdict};
use crate::model::told::{Reason, Topic};
use std::collections::BTreeMap;

/// So many causes with one reason at once are told in one message.
const MANY: usize = 3;

/// What one message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The channel.
    pub channel: String,
    /// Why we speak.
    pub reason: Reason,
    /// What is told.
    pub parts: Vec<(Topic, Speech)>,
}

/// Puts together what a channel is to be told.
pub fn group(channel: &str, decisions: &[Decision]) -> Vec<Group> {
    let mut by_reason: BTreeMap<Reason, BTreeMap<String, Vec<(Topic, Speech)>>> = BTreeMap::new();
    for decision in decisions {
        if let Verdict::Speak(speech) = &decision.verdict
            && decision.channel == channel
        {
            let causes = by_reason.entry(speech.reason).or_default();
            let parts = causes.entry(speech.cause.clone()).or_default();
            parts.push((decision.topic.clone(), Speech::clone(speech)));
        }
    }
    let mut groups = Vec::new();
    for (reason, causes) in by_reason {
        let one = |parts| Group { channel: channel.to_owned(), reason, parts };
        if causes.len() > MANY {
            groups.push(one(causes.into_values().flatten().collect()));
        } else {
            groups.extend(causes.into_values().map(one));
        }
    }
    groups
}
