//! A small world of our own, for tests and the demo: servers that behave, and misbehave, as they are told.
//!
//! Invariant: everything listens on loopback, port 0, and is gone when its value is dropped; only tests
//! and the demo import this module.

pub mod dns;
