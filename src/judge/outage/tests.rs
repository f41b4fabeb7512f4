//! Rounds in which it is us, and rounds in which it only looks so.

use super::*;
use crate::judge::change::tests::make::{BASIS, Play, endpoint, look_at, rules, start, tls};
use crate::judge::change::{begin, next};
use crate::model::{
    report::Validity,
    requirement::{Level, Requirement},
};

/// The endpoint of the partner of this number: each has its own operator.
fn at(number: usize, play: Play) -> EndpointReport {
    let mut endpoint = endpoint(&format!("192.0.2.{number}"), play);
    endpoint.mx = format!("mx.partner{number}.test").parse().ok();
    endpoint
}

fn look_of(number: usize, endpoints: Vec<EndpointReport>) -> Look {
    let mut look = look_at(start(), endpoints);
    look.partner = format!("partner{number}");
    look
}

/// How the partner stood before: after a look that met this, or never looked at.
fn before(number: usize, play: Option<Play>) -> Standing {
    let partner = format!("partner{number}");
    let requirement = Requirement::of(Level::Name);
    let claim = Claim::OUTBOUND_RECEIVER_OFFERS;
    let new = begin(&partner, claim, &requirement, BASIS, start());
    match play {
        None => new,
        Some(play) => {
            next(&new, &look_of(number, vec![at(number, play)]), &rules(start())).standing
        }
    }
}

fn stripped(number: usize) -> EndpointReport {
    let mut endpoint = at(number, Play::Bad);
    endpoint.starttls = StartTlsState::NotOffered;
    endpoint.channel = Channel::Plain;
    endpoint.tls = None;
    endpoint.findings = vec![FindingId::StarttlsNotOffered];
    endpoint
}

fn proxied(number: usize) -> EndpointReport {
    let mut endpoint = at(number, Play::Bad);
    let mut tls = tls("e", Trust::UnknownIssuer, Validity::Ok);
    tls.certificates[0].issuer = "CN=Corporate Proxy".to_owned();
    endpoint.tls = Some(tls);
    endpoint.findings = vec![FindingId::CertUnknownIssuer];
    endpoint
}

/// What a round came to.
struct Round {
    looks: Vec<Look>,
    before: Vec<Standing>,
    beacons: Vec<Beacon>,
    resolver: Option<bool>,
    good_canary: Option<bool>,
}

impl Round {
    /// Each partner's endpoint now, and what was met there before.
    fn of(partners: impl IntoIterator<Item = (EndpointReport, Option<Play>)>) -> Self {
        let (mut looks, mut standings) = (Vec::new(), Vec::new());
        for (at, (endpoint, play)) in partners.into_iter().enumerate() {
            looks.push(look_of(at, vec![endpoint]));
            standings.push(before(at, play));
        }
        Self { looks, before: standings, beacons: Vec::new(), resolver: None, good_canary: None }
    }

    fn beacon(mut self, answered: bool) -> Self {
        self.beacons.push(Beacon { name: "mx.contoso.test".to_owned(), answered });
        self
    }

    fn judge(&self) -> Option<Outage> {
        let looks: Vec<&Look> = self.looks.iter().collect();
        let before: Vec<&Standing> = self.before.iter().collect();
        judge(&Vantage {
            looks: &looks,
            beacons: &self.beacons,
            resolver: self.resolver,
            good_canary: self.good_canary,
            before: &before,
        })
    }
}

const WELL: Option<Play> = Some(Play::Good);

#[track_caller]
fn check(round: Round, expected: Option<Kind>) {
    assert_eq!(round.judge().map(|outage| outage.kind), expected);
}

/// So many partners, each with this endpoint, and this before.
fn all(
    many: usize,
    now: impl Fn(usize) -> EndpointReport,
    before: Option<Play>,
) -> Vec<(EndpointReport, Option<Play>)> {
    (0..many).map(|number| (now(number), before)).collect()
}

fn silent(number: usize) -> EndpointReport {
    at(number, Play::Silent)
}

fn good(number: usize) -> EndpointReport {
    at(number, Play::Good)
}

#[test]
fn when_everything_fails_at_once_it_is_us() {
    let us = || Some(Kind::Everything);
    check(Round::of(all(3, silent, WELL)), us());
    check(Round::of(all(2, silent, WELL)), us());
    // One partner alone is never us, nor are those that never answered.
    check(Round::of(all(1, silent, WELL)), None);
    check(Round::of(all(5, silent, None)), None);
    check(Round::of(Vec::new()), None);
    // Somebody was reached.
    let mut some = all(5, silent, WELL);
    some.push((good(5), WELL));
    check(Round::of(some), None);
    let mut some = all(5, silent, WELL);
    some.push((at(5, Play::Bad), WELL));
    check(Round::of(some), None);
    // Beacons decide.
    check(Round::of(all(5, silent, WELL)).beacon(true), None);
    check(Round::of(all(5, silent, WELL)).beacon(false).beacon(true), None);
    check(Round::of(all(1, silent, WELL)).beacon(false), us());
    check(Round::of(all(3, silent, None)).beacon(false), us());
    check(Round::of(vec![(good(0), WELL), (silent(1), WELL)]).beacon(false), None);
    // So do our resolver, and our canary beside more than one partner.
    let mut round = Round::of(all(1, silent, WELL));
    round.resolver = Some(false);
    check(round, us());
    let mut round = Round::of(all(2, silent, None));
    round.good_canary = Some(false);
    check(round, us());
    let mut round = Round::of(all(1, silent, WELL));
    round.good_canary = Some(false);
    check(round, None);
    // Witnesses of ours that are well do not clear us: port 25 may be closed on the way out.
    let mut round = Round::of(all(3, silent, WELL));
    (round.resolver, round.good_canary) = (Some(true), Some(true));
    check(round, us());
}

#[test]
fn partners_of_one_operator_are_one() {
    let mut round = Round::of(all(3, silent, WELL));
    for (look, before) in round.looks.iter_mut().zip(&mut round.before) {
        look.report.endpoints[0].mx = format!("{}.hoster.test", look.partner).parse().ok();
        before.endpoints[0].mx = look.report.endpoints[0].mx.clone();
    }
    check(round, None);
}

#[test]
fn a_look_that_came_to_no_endpoint_is_counted_by_where_it_came_before() {
    let mut round = Round::of(all(3, silent, WELL));
    for look in &mut round.looks {
        look.report.endpoints.clear();
        look.report.obstacles =
            vec![Obstacle::new(ObstacleId::DnsFailure, "partner.test", "no resolver answered")];
    }
    check(round, Some(Kind::Everything));
}

#[test]
fn starttls_that_is_gone_at_unrelated_operators_is_us() {
    let us = || Some(Kind::Starttls);
    check(Round::of(all(3, stripped, WELL)), us());
    check(Round::of(all(2, stripped, WELL)), us());
    check(Round::of(all(1, stripped, WELL)), None);
    // Many convict us whatever others show; two only where more are hit than spared.
    let mut many = all(3, stripped, WELL);
    many.extend((3..10).map(|number| (good(number), WELL)));
    check(Round::of(many), us());
    let mut two = all(2, stripped, WELL);
    two.push((good(2), WELL));
    check(Round::of(two.clone()), us());
    two.push((good(3), WELL));
    check(Round::of(two), None);
    // Nothing known from before: three, and nobody spared.
    check(Round::of(all(3, stripped, None)), us());
    check(Round::of(all(2, stripped, None)), None);
    let mut new = all(3, stripped, None);
    new.push((good(3), None));
    check(Round::of(new), None);
    // A beacon that answers says nothing of STARTTLS.
    check(Round::of(all(3, stripped, WELL)).beacon(true), us());
}

#[test]
fn partners_that_never_offered_starttls_are_no_outage() {
    let mut round = Round::of(all(4, stripped, WELL));
    for before in &mut round.before {
        before.endpoints[0].starttls = StartTlsState::NotOffered;
    }
    check(round, None);
}

#[test]
fn one_unknown_issuer_at_unrelated_operators_is_us() {
    let us = || Some(Kind::Issuer("CN=Corporate Proxy".to_owned()));
    check(Round::of(all(2, proxied, WELL)), us());
    check(Round::of(all(3, proxied, None)), us());
    check(Round::of(all(1, proxied, WELL)), None);
    // Each with an issuer of its own, or signed by itself: theirs.
    let own = |number| {
        let mut endpoint = proxied(number);
        let tls = endpoint.tls.as_mut().unwrap();
        tls.certificates[0].issuer = format!("CN=Private CA {number}");
        endpoint
    };
    check(Round::of(all(5, own, WELL)), None);
    let panel = |number| {
        let mut endpoint = proxied(number);
        endpoint.tls.as_mut().unwrap().trust = Trust::SelfSigned;
        endpoint
    };
    check(Round::of(all(5, panel, WELL)), None);
    // The private authority of a whole trade was there before.
    let mut round = Round::of(all(4, proxied, WELL));
    for (look, before) in round.looks.iter().zip(&mut round.before) {
        let leaf = &look.report.endpoints[0].tls.as_ref().unwrap().certificates[0];
        let old = before.endpoints[0].tls.as_mut().unwrap().leaf.as_mut().unwrap();
        old.issuer = leaf.issuer.clone();
    }
    check(round, None);
}

#[test]
fn what_the_outage_explains_is_withheld_and_nothing_else() {
    #[track_caller]
    fn check(endpoints: Vec<EndpointReport>, kind: Kind, expected: State) -> ClaimReport {
        let outage = Outage { kind, detail: "it is us".to_owned() };
        let look = look_of(0, endpoints);
        let held = withhold(&look.report, &outage);
        assert_eq!(held.state, expected);
        if outage.affects(&look) {
            assert_eq!(held.obstacles[0].id, ObstacleId::SelfOutage);
        } else {
            assert_eq!(held, look.report, "what is not explained stays as it was");
        }
        held
    }
    let proxy = || Kind::Issuer("CN=Corporate Proxy".to_owned());
    check(vec![silent(0)], Kind::Everything, State::Unknown);
    check(vec![good(0)], Kind::Everything, State::Compliant);
    check(vec![at(0, Play::Bad)], Kind::Everything, State::Violated);
    let held = check(vec![stripped(0)], Kind::Starttls, State::Unknown);
    assert_eq!(held.findings[0].severity, Severity::Info);
    assert_eq!((held.endpoints[0].state, held.proven_at), (State::Unknown, None));
    // Another violation beside it stands.
    let held = check(vec![stripped(0), at(1, Play::Bad)], Kind::Starttls, State::Violated);
    let severities: Vec<_> = held.findings.iter().map(|one| (one.id, one.severity)).collect();
    let expected = [
        (FindingId::CertExpired, Severity::Violation),
        (FindingId::StarttlsNotOffered, Severity::Info),
    ];
    assert_eq!(severities, expected);
    check(vec![at(0, Play::Bad)], Kind::Starttls, State::Violated);
    check(vec![proxied(0)], proxy(), State::Unknown);
    check(vec![stripped(0)], proxy(), State::Violated);
    // Where any certificate will do, one that a proxy shows is no proof either.
    let mut compliant = proxied(0);
    compliant.state = State::Compliant;
    compliant.findings.clear();
    check(vec![compliant], proxy(), State::Unknown);
}

#[test]
fn a_claim_withheld_is_unknown_at_once_and_remembers_nothing() {
    let mut round = Round::of(all(3, stripped, WELL));
    // It goes on as long as it goes on: what was there before it is not forgotten.
    for _ in 0..3 {
        let outage = round.judge().unwrap();
        let after = round.looks.iter().zip(&round.before).map(|(look, before)| {
            let held = Look { report: withhold(&look.report, &outage), ..look.clone() };
            let after = next(before, &held, &rules(start())).standing;
            assert_eq!(after.state, State::Unknown);
            assert!(after.obstacles.iter().any(|one| one.id == ObstacleId::SelfOutage));
            assert_eq!((&after.memory, &after.posture), (&before.memory, &before.posture));
            assert_eq!(after.endpoints, before.endpoints);
            after
        });
        round.before = after.collect();
    }
    // And when it is over, what was known is found again, without a second look.
    for (number, before) in round.before.iter().enumerate() {
        let well = look_of(number, vec![good(number)]);
        assert_eq!(next(before, &well, &rules(start())).standing.state, State::Compliant);
    }
}

#[test]
fn our_own_mx_is_asked_from_another_address_before_it_counts() {
    let inbound = |endpoints| {
        let mut report = look_of(0, endpoints).report;
        report.claim = "inbound/receiver-offers".parse().unwrap();
        report
    };
    assert!(is_asked_elsewhere(&inbound(vec![stripped(0), good(1)])));
    assert!(!is_asked_elsewhere(&inbound(vec![at(0, Play::Bad)])));
    assert!(!is_asked_elsewhere(&look_of(0, vec![stripped(0)]).report));
    // Seen from there as well: it stands.
    let first = inbound(vec![stripped(0)]);
    assert_eq!(with_second(&first, &inbound(vec![stripped(0)])), first);
    // Not reached from there: nobody contradicts.
    assert_eq!(with_second(&first, &inbound(vec![silent(0)])), first);
    // Offered there: one of the two ways is at fault.
    let disputed = with_second(&first, &inbound(vec![good(0)]));
    assert_eq!(disputed.state, State::Unknown);
    assert_eq!(disputed.obstacles[0].id, ObstacleId::WitnessesDisagree);
    assert_eq!(disputed.findings[0].severity, Severity::Info);
    // Another endpoint's defect stands.
    let first = inbound(vec![stripped(0), at(1, Play::Bad)]);
    let second = inbound(vec![good(0), at(1, Play::Bad)]);
    assert_eq!(with_second(&first, &second).state, State::Violated);
}

#[test]
fn a_clock_that_is_wrong_takes_back_what_hangs_on_dates() {
    #[track_caller]
    fn check(level: Level, endpoint: EndpointReport, expected: State) -> ClaimReport {
        let mut report = look_of(0, vec![endpoint]).report;
        report.requirement = Requirement::of(level);
        let held = clock_unsure(&report, "it jumped by 3 days");
        assert_eq!(held.state, expected);
        held
    }
    let expired = || at(0, Play::Bad);
    let held = check(Level::Name, expired(), State::Unknown);
    assert_eq!(held.obstacles[0].id, ObstacleId::ClockUnsure);
    assert_eq!(held.findings[0].severity, Severity::Info);
    // In date by a clock that is wrong.
    check(Level::Name, good(0), State::Unknown);
    check(Level::Ca, good(0), State::Unknown);
    // Where no date is asked for, none is missed.
    check(Level::Encrypt, good(0), State::Compliant);
    check(Level::Pinned, good(0), State::Compliant);
    // Another violation stands.
    let held = check(Level::Name, stripped(0), State::Violated);
    assert!(held.obstacles.is_empty());
    let mut both = expired();
    both.findings.push(FindingId::CertNameMismatch);
    let held = check(Level::Name, both, State::Violated);
    assert_eq!(held.findings.iter().filter(|one| one.severity == Severity::Violation).count(), 1);
    assert_eq!(held.obstacles[0].id, ObstacleId::ClockUnsure);
    // A warning is taken back where it stands beside something else.
    check(Level::Name, silent(0), State::Unknown);
}
