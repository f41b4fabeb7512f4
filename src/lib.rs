//! mxwarden
pub mod lab;
pub mod model;
pub mod wire;
