//! mxwarden
pub mod cli;
pub mod model;
pub mod wire;
