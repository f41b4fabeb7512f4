//! The roots a chain may end at, as plain bytes, so that judging needs no files and no network.

use serde::{Deserialize, Serialize};

/// What path validation takes from a root certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// The subject, DER without its outer tag.
    pub subject: Vec<u8>,
    /// The subject public key info, DER without its outer tag.
    pub spki: Vec<u8>,
    /// Name constraints, DER, where the root carries any.
    pub name_constraints: Option<Vec<u8>>,
}

/// A set of roots, and what a person calls it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roots {
    /// Such as `mozilla` or the files they came from.
    pub source: String,
    /// The roots.
    pub anchors: Vec<Root>,
}
