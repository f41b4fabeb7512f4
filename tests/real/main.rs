//! `mxwarden` against the world: real Postfix, real Exim, real Dovecot, real unbound and real Prometheus on this machine's loopback.
//!
//! 1. [`lab`] makes a scratch directory, takes a loopback network of its own, has [`pki`] make every certificate with
//!    the `openssl` tool and starts the servers; once a run, whichever test comes first.
//! 2. Each test states one misbehaviour by name, what our tool must make of it at each level, and what two other
//!    programs that have judged mail servers for decades ([`oracle`]) must make of the very same server. What only
//!    old clients speak has a third oracle ([`legacy`]).
//! 3. However the run ends, the servers end with it (see [`lab`]).
//! 4. [`deploy`] needs none of them: what is shipped, held against systemd, buildah, Prometheus and Alertmanager.
//!
//! Needs root (Postfix does) and what `tests/run` installs. What is missing makes the tests fail; nothing is skipped.
//! Nothing leaves 127.0.0.0/8: the resolver knows the zone `test.` and answers NXDOMAIN to everything else.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod alerts;
mod check;
mod daemon;
mod deploy;
mod disk;
mod dns;
mod dovecot;
mod exim;
mod import;
mod lab;
mod legacy;
mod legacy_server;
mod oracle;
mod pki;
mod postfix;
mod prometheus;
mod receiver;
mod sender;

#[path = "../it/shown.rs"]
mod shown;
