//! Politeness in the daemon: with whom it is in session before a reload, it is in session behind it.
//!
//! On loopback nothing is paced, but sessions are bounded as everywhere: what is shared shows in when they come.

use super::{Lab, MINUTE};
use mxwarden::{
    config::Config,
    daemon::means::{Flags, Means},
    lab::smtp::Script,
    model::{state::State::Compliant, target::Target},
};
use std::time::Duration;
use tokio::time::Instant;

/// How long a receiver that is slow takes to greet: well within the deadline of a look.
const SLOW: Duration = Duration::from_secs(5);
const TWO_AT_ONCE: &str = "[rounds]\nsessions_per_address = 2\n";

async fn slow() -> Lab {
    let lab = Lab::of(&["fabrikam"]).await;
    let script = Script::greets_late(lab.world.good(), SLOW);
    lab.world.peer(0).set(script).unwrap();
    lab
}

fn came_at(lab: &Lab) -> Vec<Instant> {
    lab.world.peer(0).heard().iter().map(|session| session.came_at).collect()
}

/// How long behind the first session the second one comes, where a reload brings a second partner with the same receiver
/// while the first is being looked at.
async fn second_behind_first(before: &str, after: &str) -> Duration {
    let mut lab = slow().await;
    lab.more = before.to_owned();
    lab.start().await;
    lab.until("the first session", MINUTE, |lab| lab.world.peer(0).sessions() == 1).await;
    lab.partners.push("other".to_owned());
    lab.world.mx("other", "fabrikam");
    lab.more = after.to_owned();
    lab.write_config();
    lab.reload().await;
    for partner in ["other", "fabrikam"] {
        lab.until_state(partner, Compliant, 2 * MINUTE).await;
    }
    lab.stop().await;
    let came_at = came_at(&lab);
    assert_eq!(came_at.len(), 2);
    came_at[1] - came_at[0]
}

#[tokio::test(start_paused = true)]
async fn a_reload_begins_nothing_beside_a_session_that_is_under_way() {
    let apart = second_behind_first("", "").await;
    assert!(apart >= SLOW, "{apart:?}");
}

#[tokio::test(start_paused = true)]
async fn limits_that_a_reload_changes_count_for_the_next_session() {
    let wider = second_behind_first("", TWO_AT_ONCE).await;
    assert!(wider < SLOW, "{wider:?}");
    let narrower = second_behind_first(TWO_AT_ONCE, "").await;
    assert!(narrower >= SLOW, "{narrower:?}");
}

#[tokio::test(start_paused = true)]
async fn all_that_looks_shares_one_pace_whose_limits_change_once_means_are_taken() {
    let mut lab = slow().await;
    let build = |lab: &Lab, pace| {
        lab.write_config();
        let flags = Flags { deadline: MINUTE, pace, ..Flags::default() };
        Means::build(Config::read(&lab.config_file()).unwrap().config, flags).unwrap()
    };
    let before = build(&lab, None);
    lab.more = TWO_AT_ONCE.to_owned();
    let after = build(&lab, Some(before.pace()));
    let receiver = lab.world.peer(0).address();
    let target = Target::Address { address: receiver.ip(), port: Some(receiver.port()) };
    tokio::join!(
        before.observer.offers(&target),
        before.strangers.offers(&target),
        after.observer.offers(&target),
        after.strangers.offers(&target),
    );
    let one_by_one = came_at(&lab);
    assert_eq!(one_by_one.len(), 4);
    for two in one_by_one.windows(2) {
        assert!(two[1] - two[0] >= SLOW, "{one_by_one:?}");
    }
    after.set_the_pace();
    let now = Some(Instant::now());
    tokio::join!(
        before.observer.offers_after(&target, now),
        after.strangers.offers_after(&target, now)
    );
    let at_once = came_at(&lab);
    assert!(at_once[5] - at_once[4] < SLOW, "{at_once:?}");
}
