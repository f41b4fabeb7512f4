//! Looks at the world: the only module that touches the network to see.
//!
//! Invariant: returns evidence whatever the peer does; an error means that *we* are broken.

mod approach;
pub mod canary;
pub mod canary_dns;
pub mod clock;
mod deep;
mod dialogue;
pub mod dns;
pub mod enforces;
mod envelope;
pub mod health;
mod hello;
pub mod host;
pub mod identity;
mod legacy;
pub mod letter;
mod memory;
pub mod oauth;
pub mod offers;
pub mod pace;
pub mod roots;
mod screen;
pub mod starttls;
pub mod submit;
pub mod tls;
mod verifier;
pub mod vigil;
