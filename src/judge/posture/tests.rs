//! What got weaker, and what changed.

use crate::judge::change::tests::make::{Play, World, endpoint, look_at, start};
use crate::judge::change::{Again, rebase};
use crate::model::{
    finding::{Finding, FindingId, Severity},
    obstacle::{Obstacle, ObstacleId},
    report::{Channel, EndpointReport, StartTlsState},
    requirement::{Level, MinVersion, Requirement, TlsVersion},
    session::SeenBy,
    state::State,
};
use jiff::SignedDuration;

fn good() -> EndpointReport {
    endpoint("192.0.2.1", Play::Good)
}

fn with(change: impl FnOnce(&mut EndpointReport)) -> EndpointReport {
    let mut endpoint = good();
    change(&mut endpoint);
    endpoint
}

fn leaf(change: impl FnOnce(&mut crate::model::report::CertificateReport)) -> EndpointReport {
    with(|endpoint| {
        let leaf = &mut endpoint.tls.as_mut().unwrap().certificates[0];
        leaf.sha256 = "d".repeat(64);
        change(leaf);
    })
}

/// Looks at these endpoints, an hour later.
fn see(world: &mut World, endpoints: Vec<EndpointReport>) {
    world.rules.now += SignedDuration::from_hours(1);
    let look = look_at(world.rules.now, endpoints);
    world.look(&look);
}

fn told(world: &World) -> Vec<String> {
    let told = |finding: &Finding| format!("{} {}", finding.severity, finding.id);
    let is_change = |finding: &&Finding| {
        matches!(
            finding.id,
            FindingId::CertChanged | FindingId::MxSetChanged | FindingId::PostureRegressed
        )
    };
    world.standing.findings.iter().filter(is_change).map(told).collect()
}

/// A good endpoint that then shows this: what is told of it, as a finding and as a happening alike.
#[track_caller]
fn check(after: EndpointReport, expected: &[&str], seen: &str) {
    let mut world = World::new();
    see(&mut world, vec![good()]);
    assert!(world.noticed().is_empty(), "the first look changes nothing");
    see(&mut world, vec![after]);
    assert_eq!(world.standing.state, State::Compliant);
    assert_eq!(told(&world), expected);
    assert_eq!(world.noticed(), expected);
    let all: String = world.standing.findings.iter().map(|one| one.seen.as_str()).collect();
    assert!(all.contains(seen), "{all}");
}

fn tls(change: impl FnOnce(&mut crate::model::report::TlsReport)) -> EndpointReport {
    with(|endpoint| change(endpoint.tls.as_mut().unwrap()))
}

#[test]
fn what_is_weaker_is_told_even_where_it_will_do() {
    let regressed = &["warning posture-regressed"][..];
    check(good(), &[], "");
    check(tls(|tls| tls.version = Some(TlsVersion::Tls12)), regressed, "TLSv1.2");
    check(tls(|tls| tls.group = Some("x25519".into())), regressed, "x25519");
    check(with(|one| one.channel = Channel::Encrypted), regressed, "channel encrypted");
    // A group we were not told, a hello by hand: nothing is known to be weaker.
    check(tls(|tls| tls.group = None), &[], "");
    let by_hand = tls(|tls| {
        tls.seen_by = SeenBy::Hello;
        tls.version = Some(TlsVersion::Tls12);
    });
    check(by_hand, &[], "");
    // One that could not be reached shows nothing.
    let silent = with(|one| {
        one.channel = Channel::Plain;
        one.starttls = StartTlsState::Unknown;
    });
    check(silent, &[], "");
    let no_starttls = with(|one| {
        one.channel = Channel::Plain;
        one.starttls = StartTlsState::NotOffered;
        one.tls = None;
    });
    check(no_starttls, regressed, "no STARTTLS");
}

#[test]
fn a_mere_renewal_is_for_information() {
    check(leaf(|_| {}), &["info cert-changed"], "RSA-2048");
    check(leaf(|leaf| leaf.key = "EC-P-256".into()), &["info cert-changed"], "EC-P-256");
    check(leaf(|leaf| leaf.issuer = "CN=Other".into()), &["warning cert-changed"], "CN=Other");
    let weaker = &["warning posture-regressed", "warning cert-changed"];
    check(leaf(|leaf| leaf.key = "RSA-1024".into()), weaker, "RSA-1024");
    // Of a kind we cannot compare nothing is said.
    check(leaf(|leaf| leaf.key = "1.3.6.1.4.1".into()), &["info cert-changed"], "1.3.6");
}

#[test]
fn from_a_large_rsa_key_to_a_curve_nothing_is_lost() {
    let mut world = World::new();
    see(&mut world, vec![leaf(|leaf| leaf.key = "RSA-4096".into())]);
    see(&mut world, vec![tls(|tls| tls.certificates[0].key = "EC-P-256".into())]);
    assert_eq!(told(&world), ["info cert-changed"]);
    see(&mut world, vec![leaf(|leaf| leaf.key = "RSA-2048".into())]);
    assert!(told(&world).contains(&"warning posture-regressed".to_owned()));
}

#[test]
fn a_regression_is_told_once_and_stays_in_sight() {
    let weaker = || tls(|tls| tls.version = Some(TlsVersion::Tls12));
    let mut world = World::new();
    see(&mut world, vec![good()]);
    for _ in 0..3 {
        see(&mut world, vec![weaker()]);
        assert_eq!(told(&world), ["warning posture-regressed"]);
    }
    // Back and forth, as several machines behind one address would have it.
    see(&mut world, vec![good()]);
    assert!(told(&world).is_empty());
    see(&mut world, vec![weaker()]);
    assert_eq!(world.noticed().len(), 1);
    // Something else that gets weaker is told.
    let both = tls(|tls| {
        tls.version = Some(TlsVersion::Tls12);
        tls.group = Some("x25519".into());
    });
    see(&mut world, vec![both]);
    assert_eq!(world.noticed().len(), 2);
    // A day at its best, and it is news again.
    (0..25).for_each(|_| see(&mut world, vec![good()]));
    see(&mut world, vec![weaker()]);
    assert_eq!(world.noticed().len(), 3);
}

#[test]
fn where_it_breaks_the_claim_the_change_of_state_tells_it() {
    let broken = with(|one| {
        one.state = State::Violated;
        one.channel = Channel::Plain;
        one.starttls = StartTlsState::NotOffered;
        one.tls = None;
        one.findings = vec![FindingId::StarttlsNotOffered];
    });
    let mut world = World::new();
    see(&mut world, vec![good()]);
    see(&mut world, vec![broken.clone()]);
    assert!(told(&world).is_empty(), "nothing is told of what is not confirmed");
    see(&mut world, vec![broken]);
    assert_eq!(world.standing.state, State::Violated);
    assert_eq!(told(&world), ["warning posture-regressed"]);
    assert!(world.noticed().is_empty());
}

#[test]
fn certificates_that_take_turns_are_told_once_each() {
    let mut world = World::new();
    for _ in 0..4 {
        see(&mut world, vec![good()]);
        see(&mut world, vec![leaf(|_| {})]);
    }
    assert_eq!(world.noticed(), ["info cert-changed"]);
}

#[test]
fn mx_hosts_that_come_and_go_are_told() {
    let other = || {
        let mut other = endpoint("192.0.2.2", Play::Good);
        other.mx = "mx2.fabrikam.test".parse().ok();
        other
    };
    let mut world = World::new();
    see(&mut world, vec![good()]);
    see(&mut world, vec![good(), other()]);
    assert_eq!(told(&world), ["warning mx-set-changed"]);
    assert_eq!(world.standing.findings[0].seen, "new: mx2.fabrikam.test");
    assert_eq!(world.standing.findings[0].expected, "as before: mx.fabrikam.test");
    see(&mut world, vec![good(), other()]);
    assert!(told(&world).is_empty());
    // What was not seen may still be there.
    world.rules.now += SignedDuration::from_hours(1);
    let mut partial = look_at(world.rules.now, vec![good()]);
    partial.report.state = State::Unknown;
    let failure = Obstacle::new(ObstacleId::DnsFailure, "mx2.fabrikam.test A", "SERVFAIL");
    partial.report.obstacles.push(failure);
    world.look(&partial);
    assert_eq!(world.again, Again::Confirm);
    world.look(&partial);
    assert!(told(&world).is_empty());
    assert_eq!(world.standing.posture.mx_set.len(), 2);
    // A host without an address is a host all the same.
    world.rules.now += SignedDuration::from_hours(1);
    let mut bare = look_at(world.rules.now, vec![good()]);
    bare.report.state = State::Violated;
    let id = FindingId::MxNoAddress;
    bare.report.findings.push(Finding::new(id, Severity::Violation, "mx2.fabrikam.test", "", ""));
    world.look(&bare);
    world.look(&bare);
    assert!(!told(&world).contains(&"warning mx-set-changed".to_owned()));
    world.look(&look_at(world.rules.now, vec![good()]));
    world.look(&look_at(world.rules.now, vec![good()]));
    assert!(told(&world).contains(&"warning mx-set-changed".to_owned()));
    assert_eq!(world.noticed().len(), 2);
}

#[test]
fn another_requirement_forgets_what_trust_meant() {
    let mut world = World::new();
    see(&mut world, vec![good()]);
    let stricter =
        Requirement { min_version: MinVersion::Tls13, ..Requirement::of(Level::Encrypt) };
    let next = rebase(&world.standing, &stricter, "basis", start()).unwrap();
    world.take(next);
    see(&mut world, vec![with(|one| one.channel = Channel::Encrypted)]);
    assert!(told(&world).is_empty());
    see(&mut world, vec![tls(|tls| tls.version = Some(TlsVersion::Tls12))]);
    assert_eq!(told(&world), ["warning posture-regressed"]);
}

#[test]
fn other_claims_leave_it_to_this_one() {
    let mut world = World::new();
    let claim = "outbound/receiver-enforces".parse().unwrap();
    world.standing.claim = claim;
    for endpoints in [vec![good()], vec![leaf(|_| {})]] {
        let mut look = look_at(world.rules.now, endpoints);
        look.report.claim = claim;
        world.look(&look);
    }
    assert!(world.noticed().is_empty());
    assert_eq!(world.standing.posture, Default::default());
}
