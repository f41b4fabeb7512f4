//! The loop that ties the verbs together: observe, judge, and later record and tell.
//!
//! Invariant: the only module that sees all four verbs; the command line runs the very code the daemon runs.

pub mod books;
pub mod alerts;
pub mod canaries;
pub mod doctor;
pub mod drains;
pub mod late;
pub mod ledger;
pub mod look;
pub mod matrix;
pub mod means;
pub mod meter;
pub mod round;
pub mod schedule;
pub mod store;
pub mod verify;
pub mod witnesses;
