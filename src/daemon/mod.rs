//! The loop that ties the verbs together: observe, judge, record and tell.
//!
//! Invariant: the only module that sees all four verbs; the command line runs the very code the daemon runs.

pub mod alerts;
pub mod books;
pub mod canaries;
pub mod control;
pub mod doctor;
pub mod drains;
mod elsewhere;
pub mod late;
pub mod ledger;
pub mod look;
pub mod matrix;
pub mod means;
pub mod meter;
pub mod outlets;
pub mod rota;
pub mod round;
pub mod run;
pub mod schedule;
pub mod store;
pub mod verify;
pub mod witnesses;
