//! Says what was found: metrics, pages, notifications. Deciding and wording are pure; sending is not.
//!
//! Invariant: nothing is marked as said before a channel took it; orders to the daemon go through a bounded channel.

pub mod decide;
pub mod message;
pub mod metrics;
pub mod send;
pub mod web;
