//! The long form of every id: what `mxwarden explain` prints, and where advice and references stand.
//!
//! 1. `findings` and `obstacles` are dictionaries: one exhaustive match each, so an id without an
//!    explanation does not compile.
//! 2. [`closest`] helps with a mistyped id.
//!
//! Invariant: the texts serve a terminal and JSON alike: plain sentences, backticks around what is
//! typed or shown literally, and no other markup.

mod findings;
mod obstacles;
#[cfg(test)]
mod tests;

pub(super) use findings::finding;
pub(super) use obstacles::obstacle;

use super::finding::FindingId;
use super::obstacle::ObstacleId;

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

/// How many letters may be wrong, missing or too many in an id that is still recognised.
const NEAR: usize = 3;

/// The id that `text` was most likely meant to be, finding or obstacle, whatever its case; none where
/// more than three letters differ.
pub fn closest(text: &str) -> Option<&'static str> {
    let findings = FindingId::ALL.iter().map(|id| id.as_str());
    let obstacles = ObstacleId::ALL.iter().map(|id| id.as_str());
    crate::wire::text::closest(&text.trim().to_lowercase(), findings.chain(obstacles), NEAR)
}
