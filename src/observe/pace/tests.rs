use super::*;
use std::net::Ipv4Addr;
use tokio::{
    task::JoinSet,
    time::{advance, sleep, timeout},
};

fn endpoint(host: &str, address: &str) -> Endpoint {
    Endpoint { host: host.parse().ok(), address: address.parse().unwrap(), port: 25 }
}

/// One of many hosts of one operator.
fn host(at: u8) -> Endpoint {
    endpoint("mx.example.com", &format!("203.0.113.{at}"))
}

/// Limits with which nothing but sessions a minute is in the way.
fn a_minute(per_operator_per_minute: u32) -> Limits {
    Limits { per_operator_per_minute, sessions_per_operator: 100, ..Limits::default() }
}

/// When sessions with these hosts began, each over at once.
async fn begun(pace: &Pace, hosts: impl IntoIterator<Item = u8>) -> Vec<Instant> {
    let mut sessions = JoinSet::new();
    for at in hosts {
        let pace = pace.clone();
        sessions.spawn(async move {
            drop(pace.leave(&host(at)).await);
            Instant::now()
        });
    }
    let mut begun = sessions.join_all().await;
    begun.sort();
    begun
}

fn sizes(pace: &Pace) -> (usize, usize) {
    (lock(&pace.0.operators).len(), lock(&pace.0.addresses).len())
}

#[tokio::test(start_paused = true)]
async fn two_sessions_with_one_address_are_apart() {
    let pace = Pace::new(Limits::default());
    let mx = endpoint("mx.a.test", "203.0.113.1");
    let begin = Instant::now();
    drop(pace.leave(&mx).await);
    drop(pace.leave(&mx).await);
    assert!(begin.elapsed() >= Duration::from_secs(2), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn one_operator_is_met_ten_times_in_any_minute() {
    let pace = Pace::new(a_minute(10));
    let begin = Instant::now();
    let begun = begun(&pace, 0..35).await;
    for eleven in begun.windows(11) {
        assert!(eleven[10] - eleven[0] >= MINUTE, "{eleven:?}");
    }
    assert!(begun[34] - begin < 4 * MINUTE, "nobody waits for longer than that takes");
    // Another operator does not wait for this one.
    let begin = Instant::now();
    drop(pace.leave(&endpoint("mx.example.net", "203.0.113.99")).await);
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn what_happened_before_counts_under_new_limits() {
    let pace = Pace::new(a_minute(10));
    let begin = Instant::now();
    begun(&pace, 0..10).await;
    sleep(MINUTE / 2).await;
    // More room: two more begin at once, and no third.
    pace.keep_to(a_minute(12));
    let more = begun(&pace, 20..23).await;
    assert_eq!(more[1] - begin, MINUTE / 2);
    assert_eq!(more[2] - begin, MINUTE);
    // Less: not before all but two of the last minute are gone.
    pace.keep_to(a_minute(3));
    let less = begun(&pace, 30..33).await;
    assert_eq!(less[0] - begin, MINUTE * 3 / 2);
}

#[tokio::test(start_paused = true)]
async fn new_limits_count_for_who_waits_already() {
    let pace = Pace::new(Limits { sessions_per_operator: 3, ..a_minute(100) });
    let mut inside: Vec<Leave> = Vec::new();
    for at in 0..3 {
        inside.push(pace.leave(&host(at)).await);
    }
    let (waiting, next) = (pace.clone(), host(9));
    let waiting = tokio::spawn(async move { waiting.leave(&next).await });
    sleep(MINUTE).await;
    pace.keep_to(Limits { sessions_per_operator: 1, ..a_minute(100) });
    for left in inside {
        assert!(!waiting.is_finished());
        drop(left);
        sleep(MINUTE).await;
    }
    assert!(waiting.is_finished());
}

#[tokio::test(start_paused = true)]
async fn all_that_is_at_once_is_bounded() {
    let limits = Limits { probes: 2, sessions_per_operator: 2, ..Limits::default() };
    let pace = Pace::new(limits);
    let has_room = async |of: &Endpoint| timeout(Duration::from_secs(5), pace.leave(of)).await.ok();
    let (one, other) = (endpoint("mx.a.test", "203.0.113.1"), endpoint("mx.a.test", "203.0.113.2"));
    let held = has_room(&one).await;
    assert!(held.is_some() && has_room(&one).await.is_none(), "one with an address");
    let second = has_room(&other).await;
    assert!(second.is_some());
    let third = endpoint("mx.a.test", "203.0.113.3");
    assert!(has_room(&third).await.is_none(), "two with an operator");
    drop(second);
    let second = has_room(&endpoint("mx.b.test", "203.0.113.4")).await;
    assert!(second.is_some());
    assert!(has_room(&third).await.is_none(), "two over all");
    drop(held);
    assert!(has_room(&third).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn who_comes_first_begins_first_and_who_gives_up_takes_nothing() {
    let pace = Pace::new(a_minute(1));
    drop(pace.leave(&host(0)).await);
    let mut sessions = JoinSet::new();
    for at in 1..=6u8 {
        let pace = pace.clone();
        // Those in the middle wait for half a minute at most.
        let patience = if matches!(at, 2..=4) { MINUTE / 2 } else { MINUTE * 10 };
        sessions.spawn(async move {
            timeout(patience, pace.leave(&host(at))).await.ok().map(|_| (at, Instant::now()))
        });
        sleep(Duration::from_millis(1)).await;
    }
    let begin = Instant::now();
    let mut met: Vec<_> = sessions.join_all().await.into_iter().flatten().collect();
    met.sort_by_key(|(_, at)| *at);
    assert_eq!(met.iter().map(|(who, _)| *who).collect::<Vec<_>>(), [1, 5, 6]);
    let last = met[2].1 - begin;
    assert!(last <= 3 * MINUTE, "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn whom_nobody_meets_any_more_is_forgotten() {
    let pace = Pace::new(a_minute(100));
    let held = pace.leave(&host(200)).await;
    for at in 0..500u16 {
        let [high, low] = at.to_be_bytes();
        let address = IpAddr::from(Ipv4Addr::new(198, 51, high, low));
        let host = format!("mx.stranger{at}.test").parse().ok();
        drop(pace.leave(&Endpoint { host, address, port: 25 }).await);
    }
    assert_eq!(sizes(&pace), (501, 501));
    advance(2 * MINUTE).await;
    drop(pace.leave(&endpoint("mx.a.test", "203.0.113.1")).await);
    assert_eq!(sizes(&pace), (2, 2), "the one in session, and the one just met");
    // Who is in session is known, however long it takes.
    advance(60 * MINUTE).await;
    assert!(timeout(MINUTE, pace.leave(&host(200))).await.is_err());
    drop(held);
    // And the pause behind it is kept.
    let begin = Instant::now();
    drop(pace.leave(&host(200)).await);
    assert!(begin.elapsed() >= Duration::from_secs(2), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_is_long_is_not_forgotten() {
    let pause_per_address = 10 * MINUTE;
    let pace = Pace::new(Limits { pause_per_address, ..Limits::default() });
    let mx = endpoint("mx.a.test", "203.0.113.1");
    let begin = Instant::now();
    drop(pace.leave(&mx).await);
    sleep(5 * MINUTE).await;
    drop(pace.leave(&mx).await);
    assert!(begin.elapsed() >= pause_per_address, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn loopback_is_bounded_and_not_paced() {
    let pace = Pace::new(Limits::default());
    let begin = Instant::now();
    let lab = endpoint("mx.a.test", "127.0.0.9");
    for _ in 0..50 {
        drop(pace.leave(&lab).await);
    }
    assert_eq!(begin.elapsed(), Duration::ZERO);
    let _held = pace.leave(&lab).await;
    assert!(timeout(MINUTE, pace.leave(&lab)).await.is_err());
}
