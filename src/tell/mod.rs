//! Says what was found: metrics, pages, notifications. Deciding and wording are pure; sending is not.
//!
//! Invariant: nothing is marked as said before a channel took it; orders to the daemon go through a bounded channel.

#![warn(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]

pub mod decide;
pub mod message;
pub mod metrics;
pub mod path;
pub mod phrase;
pub mod send;
pub mod web;
