//! Who breaks, recovers, flaps and disappears, and when that is known.

use super::{HOUR, Lab, MINUTE};
use jiff::Timestamp;
use mxwarden::observe::clock::Clock;
use mxwarden::{
    daemon::run::RunError,
    lab::smtp::Script,
    model::{
        event::Happening,
        finding::FindingId,
        obstacle::ObstacleId,
        state::State::{Compliant, Unknown, Violated},
    },
};
use std::{
    cell::RefCell,
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
};
use tokio::time::{Instant, sleep, sleep_until};

#[tokio::test(start_paused = true)]
async fn a_partner_breaks_and_recovers_and_no_state_is_kept_that_is_not_proved() {
    let mut lab = Lab::of(&["fabrikam", "other"]).await;
    lab.start().await;
    // The first look counts at once.
    let first = lab.until_state("fabrikam", Compliant, MINUTE).await;
    assert!(first < MINUTE);
    lab.until_state("other", Compliant, MINUTE).await;
    sleep(2 * HOUR).await;
    assert_eq!(lab.states("fabrikam"), [Compliant]);
    lab.world.peer(0).set(Script::no_starttls()).unwrap();
    lab.until_state("fabrikam", Unknown, 2 * HOUR).await;
    let unconfirmed = lab.offers("fabrikam").unwrap();
    assert!(unconfirmed.obstacles.iter().any(|one| one.id == ObstacleId::Unconfirmed));
    // Confirmed within minutes, not at the next hour.
    lab.until_state("fabrikam", Violated, 10 * MINUTE).await;
    let broken = lab.offers("fabrikam").unwrap();
    let missing = broken.findings.iter().find(|one| one.id == FindingId::StarttlsNotOffered);
    assert!(missing.is_some_and(|one| one.seen.contains("as seen from 127.")), "{missing:?}");
    let good = Script::healthy(lab.world.good());
    lab.world.peer(0).set(good).unwrap();
    lab.until_state("fabrikam", Compliant, 2 * HOUR).await;
    assert_eq!(lab.states("fabrikam"), [Compliant, Unknown, Violated, Unknown, Compliant]);
    assert_eq!(lab.states("other"), [Compliant]);
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_bad_look_among_good_ones_is_never_a_violation() {
    let mut lab = Lab::of(&["fabrikam", "other"]).await;
    lab.start().await;
    lab.until_state("fabrikam", Compliant, MINUTE).await;
    let good = Script::healthy(lab.world.good());
    lab.world.peer(0).set(Script::no_starttls()).unwrap();
    lab.until_state("fabrikam", Unknown, 2 * HOUR).await;
    lab.world.peer(0).set(good).unwrap();
    lab.until_state("fabrikam", Compliant, HOUR).await;
    assert_eq!(lab.states("fabrikam"), [Compliant, Unknown, Compliant]);
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_disappears_is_unknown_and_a_time_out_is_no_violation() {
    let mut lab = Lab::of(&["fabrikam", "other"]).await;
    lab.start().await;
    lab.until_state("fabrikam", Compliant, MINUTE).await;
    lab.world.write(|zone| zone.without("fabrikam.test"));
    lab.until_state("fabrikam", Unknown, 2 * HOUR).await;
    sleep(12 * HOUR).await;
    assert_eq!(lab.offers("fabrikam").unwrap().state, Unknown);
    assert!(!lab.states("fabrikam").contains(&Violated));
    assert_eq!(lab.states("other"), [Compliant]);
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn where_starttls_is_gone_at_everybody_at_once_it_is_us() {
    let names = ["one", "two", "three", "four"];
    let mut lab = Lab::of(&[]).await;
    // Operators that have nothing to do with each other.
    for name in names {
        let identity =
            lab.world.issue(&mxwarden::lab::ca::LeafSpec::host(&format!("mx.{name}.test")));
        lab.world.stranger(name, Script::healthy(identity)).await;
        lab.partners.push(name.to_owned());
    }
    lab.start().await;
    for name in names {
        lab.until_state(name, Compliant, MINUTE).await;
    }
    let good: Vec<Script> = names
        .iter()
        .map(|name| {
            let spec = mxwarden::lab::ca::LeafSpec::host(&format!("mx.{name}.test"));
            Script::healthy(lab.world.issue(&spec))
        })
        .collect();
    for at in 0..names.len() {
        lab.world.peer(at).set(Script::no_starttls()).unwrap();
    }
    sleep(3 * HOUR).await;
    for name in names {
        assert!(!lab.states(name).contains(&Violated), "{name}: {:?}", lab.states(name));
    }
    let began = |lab: &Lab| {
        lab.events()
            .iter()
            .filter(|one| matches!(one.what, Happening::SelfOutageBegan { .. }))
            .count()
    };
    assert_eq!(began(&lab), 1, "{:#?}", lab.events());
    let withheld = names
        .iter()
        .filter_map(|name| lab.offers(name))
        .filter(|standing| standing.obstacles.iter().any(|one| one.id == ObstacleId::SelfOutage));
    assert!(withheld.count() >= 3);
    for (at, script) in good.into_iter().enumerate() {
        lab.world.peer(at).set(script).unwrap();
    }
    for name in names {
        lab.until_state(name, Compliant, 2 * HOUR).await;
    }
    let ended = |lab: &Lab| {
        lab.events().iter().any(|one| matches!(one.what, Happening::SelfOutageEnded { .. }))
    };
    lab.until("our outage ends", 2 * HOUR, ended).await;
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_keeps_what_stands_and_what_is_due() {
    let mut lab = Lab::of(&["fabrikam", "other"]).await;
    lab.start().await;
    lab.until_state("fabrikam", Compliant, MINUTE).await;
    lab.until_state("other", Compliant, MINUTE).await;
    sleep(10 * MINUTE).await;
    lab.stop().await;
    let (looked_at, since) = {
        let standing = lab.offers("fabrikam").unwrap();
        (standing.looked_at, standing.since)
    };
    lab.start().await;
    sleep(15 * MINUTE).await;
    let standing = lab.offers("fabrikam").unwrap();
    assert_eq!((standing.looked_at, standing.since), (looked_at, since), "nothing was due");
    assert_eq!(lab.states("fabrikam"), [Compliant]);
    sleep(HOUR).await;
    assert!(lab.offers("fabrikam").unwrap().looked_at > looked_at);
    lab.stop().await;
    // Away for longer than a proof holds: it is stale until it is looked at again.
    sleep(24 * HOUR).await;
    lab.start().await;
    lab.until("it is proved again", 10 * MINUTE, |lab| {
        lab.states("fabrikam") == [Compliant, Unknown, Compliant]
    })
    .await;
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_reload_is_taken_whole_or_not_at_all() {
    let mut lab = Lab::of(&["fabrikam", "other"]).await;
    lab.partners.pop();
    lab.start().await;
    lab.until_state("fabrikam", Compliant, MINUTE).await;
    // Wrong: nothing changes.
    lab.partners = vec!["fabrikam".to_owned(), "other".to_owned()];
    lab.more = "[rounds]\nnonsense = 1\n".to_owned();
    lab.write_config();
    lab.reload().await;
    sleep(10 * MINUTE).await;
    assert!(lab.offers("other").is_none());
    // Right: the new partner is looked at at once, the old one's proof stands.
    lab.more.clear();
    lab.write_config();
    lab.reload().await;
    let took = lab.until_state("other", Compliant, 2 * MINUTE).await;
    assert!(took < MINUTE, "{took:?}");
    assert_eq!(lab.states("fabrikam"), [Compliant]);
    // Gone: nothing stands for it, and its history stays.
    lab.partners = vec!["other".to_owned()];
    lab.write_config();
    lab.reload().await;
    lab.until("fabrikam is gone", MINUTE, |lab| lab.offers("fabrikam").is_none()).await;
    assert_eq!(lab.states("fabrikam"), [Compliant]);
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_partner_delays_nobody() {
    let mut lab = Lab::of(&["slow", "fabrikam"]).await;
    let silent = Script { greeting: mxwarden::lab::smtp::Say::Nothing, ..Script::no_starttls() };
    lab.world.peer(0).set(silent).unwrap();
    lab.start().await;
    let began = Instant::now();
    lab.until_state("fabrikam", Compliant, MINUTE).await;
    sleep_until(began + 5 * MINUTE).await;
    assert!(!lab.states("slow").contains(&Violated));
    lab.stop().await;
}

/// Shared hosts are looked at once for all partners, and held for a moment; a change is confirmed by what is seen anew.
#[tokio::test(start_paused = true)]
async fn one_look_is_never_two_however_soon_the_second_comes() {
    let mut lab = Lab::of(&["fabrikam", "other"]).await;
    lab.more = "[claims.receiver-offers]\ninterval = \"10s\"\nmax_age = \"5m\"\n".to_owned();
    lab.start().await;
    lab.until_state("fabrikam", Compliant, MINUTE).await;
    let good = Script::healthy(lab.world.good());
    lab.world.peer(0).set(Script::no_starttls()).unwrap();
    let bad = |lab: &Lab| {
        let heard = lab.world.peer(0).heard();
        heard.iter().any(|one| one.in_clear.iter().any(|line| line == "QUIT"))
    };
    lab.until("the bad look was taken", MINUTE, bad).await;
    lab.world.peer(0).set(good).unwrap();
    lab.until_state("fabrikam", Compliant, 5 * MINUTE).await;
    sleep(5 * MINUTE).await;
    assert!(!lab.states("fabrikam").contains(&Violated), "{:?}", lab.states("fabrikam"));
    lab.stop().await;
}

thread_local! {
    /// Another clock, which a test sets; the runtime of a test has this thread alone.
    static OTHER: RefCell<Option<Clock>> = const { RefCell::new(None) };
}

fn other() -> Timestamp {
    OTHER.with_borrow(|clock| clock.as_ref().unwrap().now())
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_makes_nothing_stale_and_no_certificate_expired() {
    let mut lab = Lab::of(&["fabrikam", "other"]).await;
    OTHER.set(Some(Clock::starting_at(lab.clock.now())));
    lab.wall = Some(other);
    lab.start().await;
    lab.until_state("fabrikam", Compliant, MINUTE).await;
    // Ten years on, by a clock that is wrong: every certificate has ended, and every proof is old.
    let ahead = lab.clock.now() + 24 * 3650 * HOUR;
    OTHER.with_borrow(|clock| clock.as_ref().unwrap().set(ahead));
    sleep(10 * MINUTE).await;
    let standing = lab.offers("fabrikam").unwrap();
    let met = |id| standing.obstacles.iter().any(|one| one.id == id);
    assert!(met(ObstacleId::ClockUnsure) && !met(ObstacleId::Stale), "{standing:#?}");
    // And back.
    OTHER.with_borrow(|clock| clock.as_ref().unwrap().set(ahead - 24 * 3650 * HOUR));
    lab.until_state("fabrikam", Compliant, HOUR).await;
    assert!(!lab.states("fabrikam").contains(&Violated), "{:?}", lab.states("fabrikam"));
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_begins_in_the_past_calls_no_certificate_early() {
    let mut lab = Lab::of(&["fabrikam", "other"]).await;
    lab.start().await;
    lab.until_state("fabrikam", Compliant, MINUTE).await;
    lab.stop().await;
    lab.clock.set(lab.clock.now() - 24 * 3650 * HOUR);
    lab.start().await;
    sleep(10 * MINUTE).await;
    assert!(!lab.states("fabrikam").contains(&Violated), "{:?}", lab.states("fabrikam"));
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_flaps_is_never_shown_well_for_long() {
    let mut lab = Lab::of(&["fabrikam", "other"]).await;
    lab.start().await;
    lab.until_state("fabrikam", Compliant, MINUTE).await;
    // Again and again a look meets the backend that lost STARTTLS.
    for _ in 0..3 {
        let known = lab.states("fabrikam").len();
        lab.world.peer(0).set(Script::no_starttls()).unwrap();
        lab.until("a bad look", 2 * HOUR, |lab| lab.states("fabrikam").len() > known).await;
        let good = Script::healthy(lab.world.good());
        lab.world.peer(0).set(good).unwrap();
        if lab.states("fabrikam").contains(&Violated) {
            break;
        }
        lab.until_state("fabrikam", Compliant, 2 * HOUR).await;
    }
    let standing = lab.offers("fabrikam").unwrap();
    assert!(lab.states("fabrikam").contains(&Violated), "{:?}", lab.states("fabrikam"));
    assert!(standing.findings.iter().any(|one| one.id == FindingId::Intermittent), "{standing:#?}");
    lab.stop().await;
}

/// Another address that is taken: the old canary listens again. Where it cannot either, nothing is as it was.
#[tokio::test(start_paused = true)]
async fn canaries_that_no_reload_brings_back_end_the_daemon() {
    let mut lab = Lab::of(&["fabrikam"]).await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let certificate = tempfile::tempdir().unwrap();
    let pem = |name: &str| certificate.path().join(name);
    for name in ["good.pem", "good.key"] {
        fs::copy(Path::new("tests/data/certs").join(name), pem(name)).unwrap();
    }
    let canary = |listen: SocketAddr| {
        format!(
            "[[canary]]\npersonality = \"no-starttls\"\nlisten = [\"{listen}\"]\n\
             domains = [\"notls.canary.test\"]\nhostname = \"mx.notls.canary.test\"\n"
        )
    };
    let files = format!(
        "certificate = {{ chain_file = {:?}, key_file = {:?} }}\n",
        pem("good.pem"),
        pem("good.key")
    );
    lab.more = canary(free) + &files;
    lab.start().await;
    lab.until_state("fabrikam", Compliant, MINUTE).await;
    lab.more = canary(taken.local_addr().unwrap());
    lab.write_config();
    lab.reload().await;
    sleep(MINUTE).await;
    TcpStream::connect(free).unwrap();
    certificate.close().unwrap();
    lab.reload().await;
    let ended = lab.running.take().unwrap().task.await.unwrap();
    assert!(matches!(ended, Err(RunError::Defect("the canaries"))), "{ended:?}");
}
