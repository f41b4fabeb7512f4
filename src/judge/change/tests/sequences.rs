//! What becomes of a claim in the life of a partner.

use super::{
    make::{BASIS, PARTNER, Play, World, endpoint, look, look_at, start},
    *,
};
use crate::model::{
    claim::Direction,
    enforcement::AttemptKind,
    report::{Outcome, ProbeKind, ProbeReport},
    requirement::MinVersion,
    session::Phase,
};

#[test]
fn a_partner_breaks_and_recovers() {
    let mut world = World::new();
    assert_eq!(world.all("CC"), "cc");
    assert_eq!(world.again, Again::AtInterval);
    let proved = world.standing.proven_at;

    world.play(Play::Bad);
    assert_eq!(world.again, Again::Confirm);
    assert_eq!(world.standing.proven_at, proved, "the last proof is kept while unknown");
    assert_eq!(world.standing.last_known.map(|known| known.state), Some(State::Compliant));
    // Nothing that is unknown weighs as a violation.
    assert_eq!(world.standing.findings[0].severity, Severity::Info);
    assert_eq!(world.standing.findings[0].id, FindingId::CertExpired);
    let unconfirmed = &world.standing.obstacles[0];
    assert_eq!(unconfirmed.id, ObstacleId::Unconfirmed);
    assert!(unconfirmed.detail.contains("compliant; 1 of the 2"), "{}", unconfirmed.detail);

    world.play(Play::Bad);
    assert_eq!(world.standing.state, State::Violated);
    assert_eq!(world.again, Again::Sooner);
    assert_eq!(world.standing.since, world.rules.now);
    assert_eq!(world.standing.findings[0].severity, Severity::Violation);
    world.all("VVV");

    assert_eq!(world.all("CC"), "?c");
    assert_eq!(
        world.changes(),
        [
            "unknown>compliant",
            "compliant>unknown",
            "unknown>violated",
            "violated>unknown",
            "unknown>compliant"
        ]
    );
}

#[test]
fn what_may_be_a_moments_failure_counts_when_it_lasts() {
    let busy = |at: Timestamp| {
        let mut endpoint = endpoint("192.0.2.1", Play::Silent);
        endpoint.obstacles = vec![ObstacleId::Unconfirmed];
        let subject = place(&endpoint);
        let mut look = look_at(at, vec![endpoint]);
        let id = FindingId::StarttlsRefused;
        let finding = Finding::new(id, Severity::Info, subject, "454 4.7.0", "a TLS handshake");
        look.report.findings.push(finding);
        look
    };
    #[track_caller]
    fn check(busy: impl Fn(Timestamp) -> Look, minutes: &[i64], expected: &str) -> World {
        let mut world = World::new();
        let mut stands = String::new();
        stands.push(world.play(Play::Good));
        for minutes in minutes {
            world.rules.now += SignedDuration::from_mins(minutes.abs());
            let at = world.rules.now;
            // A negative wait ends in a good look.
            stands.push(world.look(&if *minutes < 0 { look(Play::Good, at) } else { busy(at) }));
        }
        assert_eq!(stands, expected);
        world
    }
    // Unknown throughout: it may be a moment's failure, and the look says so itself.
    check(busy, &[1, 1, 5], "c???");
    // Ten minutes after the first: proved, and confirmed like any change.
    let world = check(busy, &[1, 1, 5, 5, 1], "c????v");
    assert_eq!(world.standing.findings[0].id, FindingId::StarttlsRefused);
    assert_eq!(world.standing.findings[0].severity, Severity::Violation);
    assert!(world.standing.obstacles.is_empty());
    // Nine minutes are not enough, nor ten with a good look between.
    check(busy, &[1, 1, 8], "c???");
    check(busy, &[1, 1, -5, 5, 1], "c?????");
}

#[test]
fn a_partner_disappears() {
    let mut world = World::new();
    world.all("CC");
    world.rules.now += SignedDuration::from_mins(1);
    let gone = look_at(world.rules.now, Vec::new());
    assert_eq!(world.look(&gone), '?');
    assert_eq!(world.standing.endpoints.len(), 1, "endpoints stay as they were last seen");
    assert_eq!(world.look(&gone), 'u');
    assert_eq!(world.standing.obstacles[0].id, ObstacleId::Nxdomain);
    assert_eq!(world.again, Again::Sooner);
}

#[test]
fn one_bad_backend_of_four_is_told_with_both_certificates() {
    let mut world = World::new();
    assert_eq!(world.all("CCVCCV"), "cc??ci");
    let finding = world
        .standing
        .findings
        .iter()
        .find(|finding| finding.id == FindingId::Intermittent)
        .unwrap();
    assert_eq!(finding.severity, Severity::Violation);
    assert_eq!(finding.subject, "mx.fabrikam.test [192.0.2.1]:25");
    for part in ["2 of the last 6", "cert-expired", &"a".repeat(64), &"b".repeat(64)] {
        assert!(finding.seen.contains(part), "{}", finding.seen);
    }
    // A good look changes nothing, and the proof is that of the last bad one.
    let bad_at = world.rules.now;
    assert_eq!(world.play(Play::Good), 'i');
    assert_eq!(world.standing.proven_at, Some(bad_at));
    assert_eq!(world.standing.last_known.map(|known| known.state), Some(State::Violated));
    // Nor does a silent one.
    assert_eq!(world.play(Play::Silent), 'i');
}

#[test]
fn one_bad_backend_of_four_seldom_looks_well() {
    let mut world = World::new();
    let mut seed = 7u64;
    let (mut well, mut longest, mut run) = (0, 0, 0);
    for _ in 0..2000 {
        // Knuth's MMIX generator: the same disorder in every run.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let play = if seed >> 62 == 0 { Play::Bad } else { Play::Good };
        if world.play(play) == 'c' {
            well += 1;
            run += 1;
            longest = longest.max(run);
        } else {
            run = 0;
        }
    }
    assert!(well < 2000 * 3 / 10, "shown compliant after {well} of 2000 looks");
    // Thirty good looks in a row past one of four are met once in five thousand.
    assert!(longest < 30, "shown compliant for {longest} looks in a row");
}

#[test]
fn attempts_at_a_receiver_are_remembered_by_address_too() {
    let claim = Claim { direction: Direction::Inbound, statement: Statement::ReceiverEnforces };
    let target = "mx.contoso.test [2001:db8::25]:25";
    let look = |at: Timestamp, state: State| {
        let mut look = look_at(at, Vec::new());
        look.report.claim = claim;
        look.report.state = state;
        look.report.obstacles.clear();
        look.report.proven_at = Some(at);
        look.report.probes.push(ProbeReport {
            kind: ProbeKind::Attempt(AttemptKind::Plaintext),
            target: target.to_owned(),
            outcome: Outcome::Refused,
            phase: Phase::Rcpt,
            reply: None,
            class: None,
        });
        if state == State::Violated {
            let id = FindingId::PlaintextAccepted;
            let finding = Finding::new(id, Severity::Violation, target, "250", "a refusal");
            look.report.findings.push(finding);
        }
        look
    };
    let mut world = World::new();
    world.standing.claim = claim;
    use State::{Compliant as C, Violated as V};
    let stands: String = [C, V, C, V, C, C]
        .into_iter()
        .map(|state| {
            world.rules.now += SignedDuration::from_mins(1);
            world.look(&look(world.rules.now, state))
        })
        .collect();
    assert_eq!(stands, "c??iii");
    assert_eq!(world.standing.findings[0].subject, target);
}

#[test]
fn a_bad_address_that_dns_shows_in_turns_is_not_forgotten() {
    let mut world = World::new();
    let mut step = |addresses: &[(&str, Play)]| {
        world.rules.now += SignedDuration::from_mins(1);
        let endpoints = addresses.iter().map(|(address, play)| endpoint(address, *play));
        let look = look_at(world.rules.now, endpoints.collect());
        world.look(&look)
    };
    let good = [("192.0.2.1", Play::Good)];
    let bad = [("192.0.2.1", Play::Good), ("192.0.2.9", Play::Bad)];
    let stands: String = [&good[..], &bad, &good, &bad, &good, &good, &good, &good, &good]
        .map(&mut step)
        .iter()
        .collect();
    assert_eq!(stands, "c??iiiiic");
    let is_gone = (0..10).all(|_| step(&good) == 'c');
    assert!(is_gone);
    assert_eq!(world.standing.memory.len(), 1, "an address that is gone for good is forgotten");
}

#[test]
fn hosts_that_share_an_address_are_one_face_of_it() {
    let mut world = World::new();
    let mut other = endpoint("192.0.2.1", Play::Bad);
    other.mx = "mx.contoso.test".parse().ok();
    for _ in 0..3 {
        world.rules.now += SignedDuration::from_mins(1);
        let endpoints = vec![endpoint("192.0.2.1", Play::Good), other.clone()];
        let look = look_at(world.rules.now, endpoints);
        assert_eq!(world.look(&look), 'v');
    }
    assert_eq!(world.standing.memory[0].looks.len(), 3);
}

#[test]
fn a_proof_grows_old() {
    let mut world = World::new();
    world.all("C");
    assert_eq!(world.wait(6 * 60), 'c');
    assert_eq!(world.wait(1), 's');
    assert_eq!(world.changes(), ["unknown>compliant", "compliant>unknown"]);
    assert!(world.standing.proven_at.is_some(), "when it was proved is still told");
    assert_eq!(age(&world.standing, &world.rules), None, "told once");
    // Only time lay between: the same found again is no change.
    assert_eq!(world.play(Play::Good), 'c');
    // A violation grows old as well.
    let mut world = World::new();
    world.all("V");
    assert_eq!(world.wait(7 * 60), 's');
    assert_eq!(world.standing.findings[0].severity, Severity::Info);
    assert_eq!(world.all("CC"), "?c");
}

#[test]
fn a_look_at_something_old_proves_nothing() {
    let mut world = World::new();
    let mut old = look(Play::Good, start() - SignedDuration::from_hours(7));
    old.at = start();
    assert_eq!(world.look(&old), 's');
    // Nor does a proof from the future, which a wrong clock made.
    let future = look(Play::Good, start() + SignedDuration::from_hours(7));
    assert_eq!(world.look(&future), 's');
    assert_eq!(world.standing.last_known, None);
}

#[test]
fn another_basis_makes_it_unknown_at_once() {
    let mut world = World::new();
    world.all("CVCV");
    let requirement = world.standing.requirement.clone();
    assert_eq!(rebase(&world.standing, &requirement, BASIS, start()), None);

    let next = rebase(&world.standing, &requirement, "other", start()).unwrap();
    assert_eq!(next.standing.state, State::Unknown);
    assert_eq!(next.standing.obstacles[0].id, ObstacleId::Stale);
    assert_eq!(next.happenings.len(), 1);
    assert_eq!(next.standing.memory, world.standing.memory, "the same requirement, the same looks");
    assert_eq!((next.standing.last_known, next.standing.proven_at), (None, None));

    let stricter = Requirement { min_version: MinVersion::Tls13, ..requirement };
    let next = rebase(&world.standing, &stricter, "other", start()).unwrap();
    assert!(next.standing.memory.is_empty());
    assert_eq!(next.standing.requirement, stricter);

    // A look that was begun before counts for nothing; the first one after it counts at once.
    world.take(next);
    assert_eq!(world.play(Play::Good), 's');
    let mut look = look(Play::Good, world.rules.now);
    look.basis = "other".to_owned();
    assert_eq!(world.look(&look), 'c');
}

#[test]
fn what_was_never_looked_at_stays_as_it_was_under_another_basis() {
    let mut world = World::new();
    let next = rebase(&world.standing, &world.standing.requirement, "other", start()).unwrap();
    assert!(next.happenings.is_empty());
    world.take(next);
    assert_eq!(world.standing.state, State::Unknown);
}

#[test]
fn a_forbidden_delivery_counts_at_once() {
    let claim = Claim { direction: Direction::Outbound, statement: Statement::SenderEnforces };
    #[track_caller]
    fn check(claim: Claim, id: FindingId, expected: char) {
        let mut world = World::new();
        world.standing.claim = claim;
        let mut proved = look_at(start(), Vec::new());
        proved.report.claim = claim;
        proved.report.state = State::Compliant;
        proved.report.obstacles.clear();
        proved.report.proven_at = Some(start());
        assert_eq!(world.look(&proved), 'c');
        let mut broken = proved;
        broken.report.state = State::Violated;
        let finding = Finding::new(id, Severity::Violation, "no-starttls", "delivered", "refused");
        broken.report.findings.push(finding);
        assert_eq!(world.look(&broken), expected, "{id}");
    }
    check(claim, FindingId::DeliveredInPlaintext, 'v');
    check(claim, FindingId::DeliveredOverLegacyTls, 'v');
    check(claim, FindingId::DeliveredOverUnverifiedTls, 'v');
    check(claim, FindingId::EnvelopeInPlaintext, 'v');
    check(claim, FindingId::PersonalityAllowed, '?');
    let receiver = Claim { direction: Direction::Outbound, statement: Statement::ReceiverEnforces };
    check(receiver, FindingId::PlaintextAccepted, '?');
    // What a file says needs no second reading.
    let configured = Claim { direction: Direction::Outbound, statement: Statement::Configured };
    check(configured, FindingId::ConnectorWeaker, 'v');
}

#[test]
fn a_look_that_contradicts_itself_proves_nothing() {
    let mut look = look(Play::Good, start());
    look.report.proven_at = None;
    assert_eq!(World::new().look(&look), 'u');
    look.report.state = State::Violated;
    look.report.proven_at = Some(start());
    assert_eq!(World::new().look(&look), 'u');
    look.report.state = State::Unknown;
    let mut world = World::new();
    assert_eq!(world.look(&look), 'u');
    assert_eq!(world.standing.obstacles[0].id, ObstacleId::Undecided);
}

#[test]
fn a_connector_that_changed_is_noticed_once() {
    let configured = Claim { direction: Direction::Outbound, statement: Statement::Configured };
    let mut world = World::new();
    world.standing.claim = configured;
    let mut look = look_at(start(), Vec::new());
    look.report.claim = configured;
    look.report.state = State::Compliant;
    look.report.obstacles.clear();
    look.report.proven_at = Some(start());
    let finding = Finding::new(FindingId::ConnectorChanged, Severity::Warning, "a", "b", "c");
    look.report.findings.push(finding);
    world.look(&look);
    world.look(&look);
    assert_eq!(world.noticed(), ["warning connector-changed"]);
    assert_eq!(world.again, Again::AtInterval);
}

#[test]
fn a_standing_survives_its_json() {
    let mut world = World::new();
    world.all("CVCVCUO");
    let json = serde_json::to_string(&world.standing).unwrap();
    assert_eq!(serde_json::from_str::<Standing>(&json).unwrap(), world.standing);
    assert_eq!(world.standing.partner, PARTNER);
}
