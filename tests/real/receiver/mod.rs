//! `mxwarden verify` with real mail systems as receivers: what Postfix and Exim refuse, and why.
//!
//! Setup: a Postfix and an Exim, one address for each way of demanding TLS or not; grey-listers and other policies that
//! Postfix asks ([`policy`]); one configuration in which every one of them is where a partner's mail comes in.
//! Test: one `verify` over all of them, and for each the state it deserves. The three that matter most: a grey-lister
//! never enforces, a rate limit is never a violation, and who enforces for another domain only is caught.

mod exim;
mod policy;
mod postfix;
mod world;

use world::{Client, Receiver, round};

/// The state, and the ids of violations and obstacles, of one partner.
#[track_caller]
fn assert_claim(name: &str, state: &str, violations: &[&str], obstacles: &[&str]) {
    let claim = round().claim(name);
    assert_eq!(claim["state"], state, "{name}: {claim:#}");
    let ids = |list: &str, severity: Option<&str>| {
        let told = claim[list].as_array().unwrap().iter();
        let mut ids: Vec<_> = told
            .filter(|one| severity.is_none_or(|severity| one["severity"] == severity))
            .map(|one| one["id"].as_str().unwrap())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    assert_eq!(ids("findings", Some("violation")), violations, "{name}: {claim:#}");
    assert_eq!(ids("obstacles", None), obstacles, "{name}: {claim:#}");
}

#[track_caller]
fn assert_compliant(name: &str) {
    assert_claim(name, "compliant", &[], &[]);
}

#[track_caller]
fn assert_violated(name: &str, violation: &str) {
    assert_claim(name, "violated", &[violation], &[]);
}

#[track_caller]
fn assert_unknown(name: &str, obstacles: &[&str]) {
    assert_claim(name, "unknown", &[], obstacles);
}

/// What one probe of a partner came to, and the class of its refusal.
#[track_caller]
fn assert_probe(name: &str, kind: &str, phase: &str, class: &str) {
    let claim = round().claim(name);
    let probes = claim["probes"].as_array().unwrap();
    let probe = probes.iter().find(|probe| probe["kind"] == kind);
    let probe = probe.unwrap_or_else(|| panic!("{name}: no {kind}: {claim:#}"));
    assert_eq!(probe["outcome"], "refused", "{name}: {claim:#}");
    assert_eq!(probe["phase"], phase, "{name}: {claim:#}");
    assert_eq!(probe["class"], class, "{name}: {claim:#}");
}
