//! mxwarden
pub mod cli;
pub mod daemon;
pub mod judge;
pub mod lab;
pub mod model;
pub mod observe;
pub mod wire;
