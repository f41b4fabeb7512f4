//! Our own nouns: what mxwarden knows, as plain values.
//!
//! Two serial forms, each with a version: evidence ([`evidence`], the input of every judgement, stored)
//! and the report ([`report`], an output, never parsed back).
//!
//! Invariant: no I/O, no clock; a state, finding or obstacle has the one name the contract gives it.

pub mod alert;
pub mod canary;
pub mod claim;
pub mod connector;
pub mod deep;
pub mod delivery;
pub mod enforcement;
pub mod event;
pub mod evidence;
pub mod explain;
pub mod finding;
pub mod imported;
pub mod judgement;
pub mod limits;
pub mod obstacle;
pub mod order;
pub mod partner;
pub mod report;
pub mod requirement;
pub mod resolution;
pub mod roots;
pub mod session;
pub mod signal;
pub mod standing;
pub mod state;
pub mod target;
pub mod told;
