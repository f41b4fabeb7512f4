//! The long form of every word: what `mxwarden explain` prints, and where advice and references stand.
//!
//! 1. `findings`, `obstacles`, `claims`, `canaries` and `words` are dictionaries: one exhaustive match each, so an
//!    id without an explanation does not compile.
//! 2. [`lookup`] finds everything that a word stands for: a canary may be called by what it is found to do.
//! 3. [`closest`] helps with a mistyped word.
//!
//! Invariant: the texts serve a terminal and JSON alike: plain sentences, backticks around what is
//! typed or shown literally, and no other markup.

mod canaries;
mod claims;
mod findings;
mod obstacles;
#[cfg(test)]
mod tests;
mod words;

pub(super) use findings::finding;
pub(super) use obstacles::obstacle;

use super::canary::Personality;
use super::claim::{Claim, Direction, Statement};
use super::finding::FindingId;
use super::obstacle::ObstacleId;
use super::report::Channel;
use super::requirement::Level;
use super::state::State;

/// One id, explained to a postmaster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// One line: the fact.
    pub title: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// Why it matters; of an obstacle, what it does and does not prove.
    pub why: &'static str,
    /// What to do, and what to tell the partner.
    pub advice: &'static str,
    /// The section that makes it one, such as `RFC 5280 §4.1.2.5`.
    pub reference: &'static str,
}

/// What kind of word it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What an endpoint reached.
    Channel,
    /// One provable statement.
    Claim,
    /// A fact that breaks or weakens a claim.
    Finding,
    /// How much the receiver must show.
    Level,
    /// A fact that kept us from knowing.
    Obstacle,
    /// The one way in which a canary misbehaves.
    Personality,
    /// What is known about a claim.
    State,
    /// What the others are called.
    Word,
}

impl Kind {
    /// Every kind, in the order of the list.
    pub const ALL: [Self; 8] = [
        Self::Word,
        Self::State,
        Self::Claim,
        Self::Level,
        Self::Channel,
        Self::Personality,
        Self::Finding,
        Self::Obstacle,
    ];

    /// What one of them is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Claim => "claim",
            Self::Finding => "finding",
            Self::Level => "level",
            Self::Obstacle => "obstacle",
            Self::Personality => "canary",
            Self::State => "state",
            Self::Word => "word",
        }
    }

    /// What stands above the list of them.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Channel => "Channels: what a session with an endpoint reached, least first",
            Self::Claim => "Claims: what can be proved about a partner",
            Self::Finding => "Findings: facts that break or weaken a claim",
            Self::Level => "Levels: how much the receiver must show",
            Self::Obstacle => "Obstacles: facts that keep us from knowing",
            Self::Personality => "Canaries: our receivers that misbehave, each in one way",
            Self::State => "States: what is known about a claim",
            Self::Word => "Words: what the others are called",
        }
    }
}

/// A word, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As it is written.
    pub word: String,
    /// What kind of word it is.
    pub kind: Kind,
    /// What it means.
    pub explanation: &'static Explanation,
    /// What is told besides, each with its label.
    pub notes: Vec<(&'static str, &'static str)>,
}

/// Everything that is explained.
pub fn all() -> Vec<Entry> {
    let entry = |word: &str, kind, explanation| Entry {
        word: word.to_owned(),
        kind,
        explanation,
        notes: Vec::new(),
    };
    let mut all: Vec<Entry> = Vec::new();
    all.extend(words::WORDS.iter().map(|(word, said)| entry(word, Kind::Word, said)));
    all.extend(State::ALL.map(|state| entry(state.as_str(), Kind::State, words::state(state))));
    all.extend(Statement::ALL.map(|statement| {
        Entry {
            notes: [Direction::Outbound, Direction::Inbound]
                .map(|direction| claims::proof(statement, direction))
                .to_vec(),
            ..entry(statement.as_str(), Kind::Claim, claims::statement(statement))
        }
    }));
    all.extend(Level::ALL.map(|level| entry(level.as_str(), Kind::Level, words::level(level))));
    all.extend(
        Channel::ALL.map(|channel| entry(channel.as_str(), Kind::Channel, words::channel(channel))),
    );
    all.extend(
        Personality::ALL
            .map(|one| entry(one.as_str(), Kind::Personality, canaries::personality(one))),
    );
    all.extend(FindingId::ALL.iter().map(|id| entry(id.as_str(), Kind::Finding, id.explanation())));
    all.extend(
        ObstacleId::ALL.iter().map(|id| entry(id.as_str(), Kind::Obstacle, id.explanation())),
    );
    all
}

/// Everything that a word stands for, whatever its case: none, mostly one, and of a claim with its direction that
/// one alone.
pub fn lookup(text: &str) -> Vec<Entry> {
    let word = text.trim().to_lowercase();
    if let Ok(Claim { direction, statement }) = word.parse::<Claim>() {
        let explanation = claims::statement(statement);
        let notes = vec![claims::proof(statement, direction)];
        return vec![Entry { word, kind: Kind::Claim, explanation, notes }];
    }
    all().into_iter().filter(|entry| entry.word == word).collect()
}

/// How many letters may be wrong, missing or too many in a word that is still recognised.
const NEAR: usize = 3;

/// The word that `text` was most likely meant to be, whatever its case; none where more than three letters differ,
/// or as many as would make another short word of it.
pub fn closest(text: &str) -> Option<&'static str> {
    let text = text.trim().to_lowercase();
    let ids = FindingId::ALL.iter().map(|id| id.as_str());
    let ids = ids.chain(ObstacleId::ALL.iter().map(|id| id.as_str()));
    let ids = ids.chain(Personality::ALL.iter().map(|one| one.as_str()));
    let ids = ids.chain(Statement::ALL.iter().map(|statement| statement.as_str()));
    let ids = ids.chain(State::ALL.iter().map(|state| state.as_str()));
    let ids = ids.chain(Level::ALL.iter().map(|level| level.as_str()));
    let ids = ids.chain(Channel::ALL.iter().map(|channel| channel.as_str()));
    let ids = ids.chain(words::WORDS.iter().map(|(word, _)| *word));
    // Three letters make `ca` of anything that short.
    let near = NEAR.min(text.chars().count() / 3);
    crate::wire::text::closest(&text, ids, near)
}
