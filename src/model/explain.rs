//! The long form of every id: what `mxwarden explain` prints, and where advice and references stand.

use super::{finding::FindingId, obstacle::ObstacleId};

/// One id, explained to a postmaster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// One line: the fact.
    pub title: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What to do, and what to tell the partner.
    pub advice: &'static str,
    /// The section that makes it one, such as `RFC 5280 §4.1.2.5`.
    pub reference: &'static str,
}

const PENDING: Explanation =
    Explanation { title: "", meaning: "", why: "", advice: "", reference: "" };

pub(super) fn finding(_id: FindingId) -> &'static Explanation {
    &PENDING
}

pub(super) fn obstacle(_id: ObstacleId) -> &'static Explanation {
    &PENDING
}
