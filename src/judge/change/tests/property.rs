//! Whatever is seen, in whatever order: what is never said.

use super::{
    make::{Play, World, endpoint, letter, look, look_at, start},
    *,
};
use crate::model::{report::Channel, standing::Look};
use proptest::{collection::vec, prelude::*, sample::select};

const STATES: [State; 3] = [State::Compliant, State::Unknown, State::Violated];

/// One step: so many minutes pass, then a look, sensible or not.
#[derive(Debug, Clone)]
struct Step {
    minutes: i64,
    plays: Vec<(u8, Play)>,
    /// Says something else than its endpoints.
    lie: Option<State>,
    is_on_other_basis: bool,
    is_proof_missing: bool,
    proof_age: i64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (
        prop_oneof![6 => 1i64..90, 1 => 300i64..500],
        vec((0u8..3, select(Play::ALL.to_vec())), 0..3),
        prop_oneof![6 => Just(None), 1 => select(STATES.to_vec()).prop_map(Some)],
        prop::bool::weighted(0.05),
        prop::bool::weighted(0.05),
        prop_oneof![6 => Just(0i64), 1 => -500i64..500],
    );
    let step = step.prop_map(|(minutes, plays, lie, is_on_other_basis, missing, proof_age)| Step {
        minutes,
        plays,
        lie,
        is_on_other_basis,
        is_proof_missing: missing,
        proof_age,
    });
    vec(step, 1..60)
}

fn look_of(step: &Step, at: Timestamp) -> Look {
    let endpoints = step.plays.iter().map(|(last, play)| {
        let mut endpoint = endpoint(&format!("192.0.2.{last}"), *play);
        if *last == 2 {
            endpoint.mx = None;
            endpoint.channel = Channel::Plain;
        }
        endpoint
    });
    let mut look = look_at(at, endpoints.collect());
    if let Some(lie) = step.lie {
        look.report.state = lie;
        look.report.proven_at = Some(at);
    }
    if step.is_on_other_basis {
        look.basis.push('2');
    }
    if step.is_proof_missing {
        look.report.proven_at = None;
    }
    look.report.proven_at =
        look.report.proven_at.map(|at| at - SignedDuration::from_mins(step.proof_age));
    look
}

fn holds(standing: &Standing) {
    let weighs = |finding: &Finding| finding.severity == Severity::Violation;
    match standing.state {
        State::Compliant => assert!(standing.proven_at.is_some()),
        State::Unknown => assert!(!standing.obstacles.is_empty()),
        State::Violated => assert!(standing.proven_at.is_some()),
    }
    let is_violated = standing.state == State::Violated;
    assert_eq!(is_violated, standing.findings.iter().any(weighs), "{standing:?}");
    if standing.pending.is_some() {
        assert_eq!(standing.state, State::Unknown);
        assert!("?dok".contains(letter(standing)), "{standing:?}");
    }
    assert!(standing.memory.iter().all(|one| one.looks.len() <= 10));
    let severities: Vec<Severity> = standing.findings.iter().map(|one| one.severity).collect();
    assert!(severities.is_sorted_by(|one, two| one >= two), "worst first");
}

fn is_told_once(before: &Standing, next: &Next) {
    let changes: Vec<(State, State)> = next
        .happenings
        .iter()
        .filter_map(|happened| match happened {
            Happening::StateChanged { from, to, .. } => Some((*from, *to)),
            _ => None,
        })
        .collect();
    let expected =
        (before.state != next.standing.state).then_some((before.state, next.standing.state));
    assert_eq!(changes, Vec::from_iter(expected));
    if before.state == next.standing.state {
        assert_eq!(before.since, next.standing.since);
    }
}

proptest! {
    #[test]
    fn nothing_is_compliant_without_a_young_proof_and_nothing_is_told_twice(steps in steps()) {
        let mut world = World::new();
        let mut proved: Vec<Timestamp> = Vec::new();
        for step in &steps {
            world.rules.now += SignedDuration::from_mins(step.minutes);
            if let Some(next) = age(&world.standing, &world.rules) {
                is_told_once(&world.standing, &next);
                prop_assert_eq!(next.standing.state, State::Unknown);
                world.take(next);
                holds(&world.standing);
            }
            let look = look_of(step, world.rules.now);
            if look.report.state == State::Compliant && !step.is_on_other_basis {
                proved.extend(look.report.proven_at);
            }
            let before = world.standing.clone();
            let next = next(&before, &look, &world.rules);
            is_told_once(&before, &next);
            world.take(next);
            holds(&world.standing);
            if world.standing.state == State::Compliant {
                let is_young = |at: &Timestamp| {
                    world.rules.now.duration_since(*at).abs() <= SignedDuration::from_hours(6)
                };
                prop_assert!(proved.iter().any(is_young), "no look proved it");
                if look.basis == world.standing.basis {
                    prop_assert_eq!(look.report.state, State::Compliant, "the last look did not");
                }
            }
            if world.standing.state == State::Violated && look.basis == world.standing.basis {
                let is_held = letter(&world.standing) == 'i';
                prop_assert!(is_held || look.report.state == State::Violated, "the old state");
            }
            // One look changes what was known into nothing but unknown, save by memory or the first time.
            let is_flip = before.state != State::Unknown
                && world.standing.state != State::Unknown
                && before.state != world.standing.state;
            let is_by_memory = world.standing.state == State::Violated || letter(&before) == 'i';
            prop_assert!(!is_flip || is_by_memory);
        }
        let json = serde_json::to_string(&world.standing).unwrap();
        prop_assert_eq!(serde_json::from_str::<Standing>(&json).unwrap(), world.standing);
    }

    #[test]
    fn what_is_mended_recovers_within_five_looks(
        plays in vec(select(Play::ALL.to_vec()), 0..40),
        with in select(vec![Play::Good, Play::Good2]),
    ) {
        let mut world = World::new();
        for play in plays {
            world.play(play);
        }
        let needed = (1..=10).find(|_| world.play(with) == 'c');
        prop_assert!(needed.is_some_and(|looks| looks <= 5), "{needed:?}");
        for _ in 0..20 {
            prop_assert_eq!(world.play(with), 'c', "and stays so");
        }
    }

    #[test]
    fn what_was_broken_all_along_recovers_at_once(bad in 2usize..40, silent in 0usize..3) {
        let mut world = World::new();
        for play in std::iter::repeat_n(Play::Bad, bad).chain(std::iter::repeat_n(Play::Silent, silent)) {
            world.play(play);
        }
        world.play(Play::Good);
        prop_assert_eq!(world.play(Play::Good), 'c');
    }

    #[test]
    fn a_bad_backend_that_was_met_twice_is_never_shown_compliant_when_met(
        backends in vec(0u8..4, 10..80),
    ) {
        let mut world = World::new();
        let mut met: Vec<bool> = Vec::new();
        for backend in backends {
            let is_bad = backend == 0;
            met.push(is_bad);
            let stands = world.play(if is_bad { Play::Bad } else { Play::Good });
            prop_assert!(!is_bad || stands != 'c');
            let ten = &met[met.len().saturating_sub(10)..];
            let bad: Vec<usize> = (0..ten.len()).filter(|at| ten[*at]).collect();
            let is_apart = bad.windows(2).any(|pair| pair[1] - pair[0] > 1);
            let good_run = ten.iter().rev().take_while(|bad| !**bad).count();
            if is_bad && bad.len() >= 2 {
                prop_assert!(matches!(stands, 'i' | 'v'), "{ten:?} {stands}");
            }
            if is_apart && good_run < 5 {
                prop_assert_eq!(stands, 'i', "{:?}", ten);
            }
        }
    }

    #[test]
    fn looks_that_come_twice_change_nothing(plays in vec(select(Play::ALL.to_vec()), 1..20)) {
        let mut world = World::new();
        for play in plays {
            world.play(play);
        }
        // A settled claim stays as it is when the same is seen again.
        if world.standing.pending.is_none() && world.standing.state == State::Compliant {
            let look = look(Play::Good, world.rules.now);
            prop_assert_eq!(world.look(&look), 'c');
            prop_assert!(world.standing.since >= start());
        }
    }
}
