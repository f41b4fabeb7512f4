//! Bytes in, values out: every format a stranger sends us, parsed once, for everyone.
//!
//! Invariant: nothing here does I/O, reads a clock or panics, whatever the bytes are; a parser that
//! refuses says where and what, and the raw text is kept by whoever called it.

pub mod address;
pub mod enhanced_status;
pub mod hello;
pub mod legacy_tls;
pub mod mailbox;
pub mod name;
pub mod ocsp;
pub mod smtp;
pub mod text;
pub mod token;
pub mod x509;
