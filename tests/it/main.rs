//! Storeys 3 and 5: real looks at servers that misbehave, and the real binary.
//!
//! Everything listens on loopback; nothing needs root, a network or another program.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::indexing_slicing, reason = "a test may panic")]

mod alerts;
mod canary;
mod cli;
mod config;
mod daemon;
mod demo;
mod deploy;
mod docs;
mod doctor;
mod enforces;
mod fuzz;
mod history;
mod import;
mod kills;
mod peers;
mod record;
mod shown;
mod submit;
mod world;
