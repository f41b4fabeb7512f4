//! Evidence + requirement + now → state.
//!
//! Invariant: total and pure: every evidence yields a judgement, the same input the same judgement;
//! roots and `now` are arguments; no I/O, no clock, no `Result` in the public API, no `_ =>` on our enums.
#![warn(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]

mod algorithms;
pub mod canary;
pub mod certificate;
pub mod change;
pub mod configured;
pub mod defers;
mod issuer;
mod ocsp;
pub mod offers;
pub mod outage;
mod posture;
pub mod receiver;
pub mod replies;
mod route;
pub mod sender;
