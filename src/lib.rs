//! mxwarden
pub mod lab;
pub mod model;
pub mod observe;
pub mod wire;
