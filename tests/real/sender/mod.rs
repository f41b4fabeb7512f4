//! `mxwarden verify` with real mail systems as senders: what Postfix and Exim do at canaries that misbehave.
//!
//! Setup: a Postfix and an Exim that relay for this machine, one transport for each way of demanding TLS; a real unbound
//! at port 53, which a mount namespace of their own makes the senders' resolver; one configuration in which every
//! transport at every level asked about is a partner with a connector of its own and nine canaries at port 25. The
//! senders trust the canaries' own CA, as an operator would let them.
//! Test: one round over all of them, and for each the state that its setting deserves.

mod exim;
mod postfix;
mod world;

use crate::daemon::{Daemon, free_address};
use mxwarden::{
    model::event::Happening,
    record::{EventQuery, Reader},
};
use world::{Partner, round};

/// The state of `sender-enforces` for one partner, with the ids of its violations.
#[track_caller]
fn assert_state(name: &str, state: &str, violations: &[&str]) {
    let claim = round().claim(name);
    assert_eq!(claim["state"], state, "{name}: {claim:#}");
    let mut seen: Vec<&str> = claim["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["severity"] == "violation")
        .map(|finding| finding["id"].as_str().unwrap())
        .collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, violations, "{name}: {claim:#}");
}

/// What a sender is set to, and what we demand of it.
const PARTNERS: &[Partner] = &[
    Partner::postfix("none", "encrypt"),
    Partner::postfix("may", "encrypt"),
    Partner::postfix("may", "ca"),
    Partner::postfix("may", "name"),
    Partner::postfix("encrypt", "encrypt"),
    Partner::postfix("encrypt-floor", "encrypt"),
    Partner::postfix("encrypt-floor", "ca"),
    Partner::postfix("encrypt-floor", "name"),
    Partner::postfix("verify-floor", "encrypt"),
    Partner::postfix("verify-floor", "name"),
    Partner::postfix("secure", "name"),
    Partner::postfix("secure-floor", "ca"),
    Partner::postfix("secure-floor", "name"),
    Partner::postfix("stopped", "encrypt"),
    Partner::exim("default", "encrypt"),
    Partner::exim("require", "encrypt"),
    Partner::exim("require-floor", "encrypt"),
    Partner::exim("require-floor", "name"),
    Partner::exim("verify-floor", "name"),
];

/// Those whose connectors a daemon proves, round after round.
const DAEMONS: &[Partner] = &[
    Partner::postfix("may", "encrypt").of_daemon(),
    Partner::postfix("secure-floor", "name").of_daemon(),
];

const PLAIN: &str = "delivered-in-plaintext";
const UNVERIFIED: &str = "delivered-over-unverified-tls";
const LEGACY: &str = "delivered-over-legacy-tls";

/// Setup: `smtp_tls_security_level = none`.
/// Test: nothing ever comes over TLS, the control neither, and clear is clear.
#[test]
fn postfix_none_delivers_in_clear() {
    assert_state("postfix-none-encrypt", "violated", &[PLAIN]);
}

/// Setup: `smtp_tls_security_level = may`.
/// Test: violated at every level: in clear at once, in clear on the retry after a failed handshake, over anything else.
#[test]
fn postfix_may_is_violated_at_every_level() {
    assert_state("postfix-may-encrypt", "violated", &[PLAIN, LEGACY]);
    assert_state("postfix-may-ca", "violated", &[PLAIN, LEGACY, UNVERIFIED]);
    assert_state("postfix-may-name", "violated", &[PLAIN, LEGACY, UNVERIFIED]);
}

/// Setup: `smtp_tls_security_level = encrypt`, Debian's own floor, which is none.
/// Test: it delivers over TLS 1.0 with RSA key exchange.
#[test]
fn postfix_encrypt_without_a_floor_delivers_over_legacy_tls() {
    assert_state("postfix-encrypt-encrypt", "violated", &[LEGACY]);
}

/// Setup: `encrypt` with `smtp_tls_mandatory_protocols = >=TLSv1.2`.
/// Test: what `encrypt` asks for, and no more.
#[test]
fn postfix_encrypt_with_the_floor_is_compliant_at_encrypt_alone() {
    assert_state("postfix-encrypt-floor-encrypt", "compliant", &[]);
    assert_state("postfix-encrypt-floor-ca", "violated", &[UNVERIFIED]);
    assert_state("postfix-encrypt-floor-name", "violated", &[UNVERIFIED]);
}

/// Setup: `verify`, which matches the MX host, with the floor.
/// Test: compliant where the canary's certificate is for its MX host.
#[test]
fn postfix_verify_with_the_floor_is_compliant() {
    assert_state("postfix-verify-floor-encrypt", "compliant", &[]);
    assert_state("postfix-verify-floor-name", "compliant", &[]);
}

/// Setup: `secure`, with and without the floor.
/// Test: the floor makes the difference.
#[test]
fn postfix_secure_is_compliant_only_with_the_floor() {
    assert_state("postfix-secure-name", "violated", &[LEGACY]);
    assert_state("postfix-secure-floor-ca", "compliant", &[]);
    assert_state("postfix-secure-floor-name", "compliant", &[]);
}

/// Setup: a Postfix that takes mail and sends none, while strangers and health checks come to the canaries: bare
/// connects, and EHLO and QUIT, from an address that is not the sender's.
/// Test: nothing was seen of our sender, so nothing is known; a stranger who leaves refuses nothing.
#[test]
fn a_stopped_sender_is_unknown_whoever_else_comes() {
    assert_state("postfix-stopped-encrypt", "unknown", &[]);
    let claim = round().claim("postfix-stopped-encrypt");
    let obstacles = claim["obstacles"].as_array().unwrap();
    assert!(obstacles.iter().any(|one| one["id"] == "control-not-arrived"), "{claim:#}");
}

/// Setup: a second round under the connector of `secure` with the floor, while the refused probes of the first are in
/// Postfix's queue.
/// Before it a round that is over as soon as it has begun, as if the canaries had been stopped in the middle.
/// Test: the short round knows nothing. In the next the canaries turn good for what is queued until it has arrived, and it
/// proves the same; in the queue are the new probes alone.
#[test]
fn the_next_round_drains_the_queue_and_proves_again() {
    let name = "postfix-secure-floor-name";
    assert_state(name, "compliant", &[]);
    let cut = round().again(name, "1s");
    assert_eq!(cut["state"], "unknown", "{cut:#}");
    let again = round().again(name, "150s");
    assert_eq!(again["state"], "compliant", "{again:#}");
    let left = postfix::queued(&round().grounds, "postfix-secure-floor-name.canary.test");
    assert!(left <= 8, "{left} probes in the queue after two rounds of 8 refusals each");
}

/// Setup: Exim as it comes.
/// Test: in clear within a second, over anything.
#[test]
fn exim_as_it_comes_is_violated() {
    assert_state("exim-default-encrypt", "violated", &[PLAIN, LEGACY]);
}

/// Setup: `hosts_require_tls = *`, with and without GnuTLS priorities that leave out TLS 1.0 and 1.1.
/// Test: as Postfix's `encrypt`.
#[test]
fn exim_that_requires_tls_is_compliant_at_encrypt_with_the_floor() {
    assert_state("exim-require-encrypt", "violated", &[LEGACY]);
    assert_state("exim-require-floor-encrypt", "compliant", &[]);
    assert_state("exim-require-floor-name", "violated", &[UNVERIFIED]);
}

/// Setup: `hosts_require_tls = *`, `tls_verify_hosts = *` and the floor.
/// Test: as Postfix's `verify`.
#[test]
fn exim_that_verifies_is_compliant_at_name() {
    assert_state("exim-verify-floor-name", "compliant", &[]);
}

/// Setup: `mxwarden run` with two connectors of the real Postfix, `may` and `secure` with the floor, due again as soon as
/// the queue is empty.
/// Test: over three rounds and a restart between them, the one stays violated and the other compliant, and what was
/// refused is drained from Postfix's queue between rounds.
#[test]
fn a_daemon_proves_round_after_round() {
    let http = free_address();
    let config = world::daemon_configuration(&round().grounds, http);
    let mut daemon = Daemon::start(&config, http);
    let claim = "outbound/sender-enforces";
    let ended = |state: &str, count: u32| {
        format!("mxwarden_probes_total{{kind=\"sender-enforces\",outcome=\"{state}\"}} {count}")
    };
    daemon.until_state("postfix-may-encrypt-daemon", claim, "violated", 150);
    daemon.until_state("postfix-secure-floor-name-daemon", claim, "compliant", 150);
    daemon.until(&ended("compliant", 2), 240);
    drop(daemon);
    let mut daemon = Daemon::start(&config, http);
    // What stood stands, before anything is sent.
    daemon.until_state("postfix-may-encrypt-daemon", claim, "violated", 30);
    daemon.until_state("postfix-secure-floor-name-daemon", claim, "compliant", 30);
    daemon.until(&ended("compliant", 1), 240);
    let state = config.with_file_name("state");
    let events = Reader::open(&state).unwrap().events(&EventQuery::default()).unwrap();
    let changed = events.into_iter().filter_map(|event| match event.what {
        Happening::StateChanged { to, .. } => Some((event.partner?, to.as_str())),
        _ => None,
    });
    let mut changed: Vec<_> = changed.collect();
    changed.sort();
    let first = |name: &str, state| (name.to_owned(), state);
    assert_eq!(
        changed,
        [
            first("postfix-may-encrypt-daemon", "violated"),
            first("postfix-secure-floor-name-daemon", "compliant"),
        ]
    );
    let left = postfix::queued(&round().grounds, "postfix-secure-floor-name-daemon.canary.test");
    assert!(left <= 16, "{left} probes in the queue");
}
