//! Due times, without waiting for them.

use super::*;
use proptest::prelude::*;

fn now() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

fn times(interval: u64, max_age: u64) -> Times {
    Times { interval: Duration::from_secs(interval), max_age: Duration::from_secs(max_age) }
}

const HOUR: u64 = 3600;

fn offers() -> Times {
    times(HOUR, 6 * HOUR)
}

fn seconds(at: Timestamp) -> i64 {
    at.duration_since(now()).as_secs()
}

#[test]
fn each_reason_has_its_wait() {
    #[track_caller]
    fn check(times: Times, again: Again, streak: u32, jitter: f64, expected: i64) {
        assert_eq!(seconds(due_after(times, again, streak, now(), jitter)), expected);
    }
    let usual = offers();
    check(usual, Again::AtInterval, 0, 0.5, 3600);
    check(usual, Again::AtInterval, 7, 0.0, 3240);
    check(usual, Again::AtInterval, 0, 1.0, 3960);
    check(usual, Again::Confirm, 0, 0.5, 60);
    check(usual, Again::Confirm, 1, 0.5, 120);
    check(usual, Again::Confirm, 2, 0.5, 180);
    check(usual, Again::Confirm, 99, 0.5, 180);
    check(usual, Again::Sooner, 0, 0.5, 300);
    check(usual, Again::Sooner, 1, 0.5, 600);
    check(usual, Again::Sooner, 2, 0.5, 1200);
    check(usual, Again::Sooner, 4, 0.5, 3600);
    check(usual, Again::Sooner, u32::MAX, 0.5, 3600);
    // A lab that looks every ten seconds.
    let lab = times(10, 60);
    check(lab, Again::Confirm, 0, 0.5, 10);
    check(lab, Again::Sooner, 0, 0.5, 10);
    // A proof is renewed before it is too old.
    check(times(HOUR, HOUR), Again::AtInterval, 0, 1.0, 3240);
    check(usual, Again::AtInterval, 0, f64::NAN, 3240);
}

#[test]
fn nobody_is_asked_more_often_than_it_was_agreed() {
    let partners = "outbound/receiver-enforces".parse().unwrap();
    let day = times(24 * HOUR, 72 * HOUR);
    for again in [Again::AtInterval, Again::Confirm, Again::Sooner] {
        for jitter in [0.0, 0.5, 1.0] {
            let due = seconds(due_of(partners, day, again, 0, now(), jitter));
            assert!((86_400..=91_000).contains(&due), "{again:?} {jitter}: {due}");
        }
    }
    let ours = "inbound/receiver-enforces".parse().unwrap();
    assert_eq!(seconds(due_of(ours, offers(), Again::Confirm, 0, now(), 0.5)), 60);
    let mail = "outbound/sender-enforces".parse().unwrap();
    assert_eq!(seconds(due_of(mail, day, Again::Confirm, 0, now(), 0.5)), 900);
    assert_eq!(seconds(due_of(mail, day, Again::AtInterval, 0, now(), 0.5)), 86_400);
}

#[test]
fn due_times_survive_a_restart_and_nothing_comes_at_one_instant() {
    let at = |seconds| Some(now() + SignedDuration::from_secs(seconds));
    #[track_caller]
    fn check(stored: Option<Timestamp>, arrival: Arrival, jitter: f64, expected: i64) {
        assert_eq!(seconds(first_due(stored, arrival, offers(), now(), jitter)), expected);
    }
    check(at(1234), Arrival::Known, 0.7, 1234);
    // Overdue: spread.
    check(at(-1), Arrival::Known, 0.0, 0);
    check(at(-99_999), Arrival::Known, 0.5, 150);
    check(at(0), Arrival::Known, 1.0, 300);
    // New or changed: at once, and a little apart.
    check(None, Arrival::Known, 1.0, 15);
    check(at(3000), Arrival::NewOrChanged, 0.0, 0);
    check(at(3000), Arrival::NewOrChanged, 1.0, 15);
    // Further away than the interval allows.
    check(at(99_999), Arrival::Known, 0.5, 3600);
}

#[test]
fn a_start_is_no_thundering_herd() {
    let mut in_second = std::collections::BTreeMap::new();
    for number in 0..1000 {
        let jitter = jitter_of(&format!("partner {number}"), Claim::OUTBOUND_RECEIVER_OFFERS);
        let due = first_due(Some(now()), Arrival::Known, offers(), now(), jitter);
        *in_second.entry(seconds(due)).or_insert(0) += 1;
    }
    let most = in_second.values().max().copied().unwrap();
    assert!(most < 20, "{most} of 1000 claims in one second");
}

#[test]
fn a_place_is_always_the_same_and_seldom_shared() {
    let claim = Claim::OUTBOUND_RECEIVER_OFFERS;
    assert_eq!(jitter_of("Fabrikam", claim), jitter_of("Fabrikam", claim));
    let other = "inbound/receiver-offers".parse().unwrap();
    let places =
        [jitter_of("Fabrikam", claim), jitter_of("Fabrikan", claim), jitter_of("Fabrikam", other)];
    assert!(places.iter().all(|place| (0.0..1.0).contains(place)));
    assert!((places[0] - places[1]).abs() > 0.001 && (places[0] - places[2]).abs() > 0.001);
}

#[test]
fn a_jump_of_the_clock_leaves_the_wait_as_it_was() {
    let due = now() + SignedDuration::from_secs(100);
    assert_eq!(seconds(replan(due, SignedDuration::from_secs(3600))), 3700);
    assert_eq!(seconds(replan(due, SignedDuration::from_secs(-3600))), -3500);
    assert_eq!(replan(due, SignedDuration::MAX), Timestamp::MAX);
    assert_eq!(replan(due, SignedDuration::MIN), Timestamp::MIN);
}

proptest! {
    #[test]
    fn every_wait_lies_ahead_and_within_the_interval(
        interval in 1u64..1_000_000,
        factor in 1u64..5,
        streak in any::<u32>(),
        jitter in any::<f64>(),
        again in prop::sample::select(vec![Again::AtInterval, Again::Confirm, Again::Sooner]),
    ) {
        let times = times(interval, interval * factor);
        let due = due_after(times, again, streak, now(), jitter);
        prop_assert!(due > now());
        let waited = due.duration_since(now()).as_secs_f64();
        prop_assert!(waited <= interval as f64 * 1.1 + 1.0);
        prop_assert!(again == Again::Confirm || waited <= (interval * factor) as f64 * 0.9 + 1.0);
    }

    #[test]
    fn everything_is_total(
        times in (any::<u64>(), any::<u64>()),
        at in any::<i64>(),
        streak in any::<u32>(),
        jitter in any::<f64>(),
    ) {
        let times = self::times(times.0, times.1);
        let at = Timestamp::from_second(at % 100_000_000_000).unwrap();
        for claim in Claim::all() {
            let _ = due_of(claim, times, Again::Sooner, streak, at, jitter);
        }
        let _ = first_due(Some(at), Arrival::Known, times, now(), jitter);
    }
}
