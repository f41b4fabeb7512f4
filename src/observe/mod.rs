//! Looks at the world: the only module that touches the network to see.
//!
//! Invariant: returns evidence whatever the peer does; an error means that *we* are broken.

pub mod clock;
mod dialogue;
pub mod dns;
pub mod offers;
mod pace;
pub mod roots;
mod screen;
pub mod starttls;
pub mod tls;
mod verifier;
