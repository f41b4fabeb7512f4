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
    let text = text.trim().to_lowercase();
    let length = text.chars().count();
    let findings = FindingId::ALL.iter().map(|id| id.as_str());
    let obstacles = ObstacleId::ALL.iter().map(|id| id.as_str());
    findings
        .chain(obstacles)
        // Also keeps the cost of a pasted page of text at nothing.
        .filter(|name| name.len().abs_diff(length) <= NEAR)
        .map(|name| (distance(&text, name), name))
        .filter(|(distance, _)| *distance <= NEAR)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The Levenshtein distance: insertions, deletions and replacements that turn one text into the other.
fn distance(from: &str, to: &str) -> usize {
    // The row of the classic table, without its first cell, which is the row's number.
    let mut row: Vec<usize> = (1..=to.chars().count()).collect();
    for (number, ours) in from.chars().enumerate() {
        let mut diagonal = number;
        let mut left = number + 1;
        for (cell, theirs) in row.iter_mut().zip(to.chars()) {
            let replaced = diagonal + usize::from(ours != theirs);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_else(|| from.chars().count())
}
