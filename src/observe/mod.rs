//! Looks at the world: the only module that touches the network to look.
//!
//! Invariant: whatever a peer does comes back as evidence; an `Err` means that we ourselves are broken.

pub mod dns;
