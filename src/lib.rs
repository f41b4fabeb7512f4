//! mxwarden
pub mod judge;
pub mod model;
pub mod observe;
pub mod wire;
