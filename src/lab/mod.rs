//! A small world of our own, for tests and the demo: DNS, a CA, a mail system, and mail servers that behave, and
//! misbehave, as they are told.
//!
//! Invariant: everything listens on loopback and is gone when its value is dropped; only `cli` (for the
//! demo) and tests import this module, which imports `wire` and `model` alone.

pub mod ca;
pub mod dns;
mod error;
pub mod mta;
pub mod smtp;

pub use error::LabError;
