//! One test for each reason, and for each silence.

use super::*;
use crate::model::standing::Pending;

const EXPIRED: FindingId = FindingId::CertExpired;
const HOST: &str = "mx.fabrikam.test [192.0.2.1]:25";
const DAY: i64 = 24 * 60;

#[test]
fn a_break_is_told_once_reminded_of_and_its_recovery_told() {
    let mut world = fabrikam();
    assert_eq!(world.run(0, 2), [""; 0]);
    world.breaks(0, 3, EXPIRED, HOST);
    assert_eq!(
        world.run(3, 2 * DAY),
        ["4 ops first-seen 1", &format!("{} ops still-broken 1", DAY + 5)]
    );
    world.recovers(0, 2 * DAY + 1);
    assert_eq!(world.run(2 * DAY + 1, 5 * DAY), [format!("{} ops recovered 1", 2 * DAY + 2)]);
}

#[test]
fn a_worse_state_is_told_at_once() {
    let mut world = fabrikam();
    world.breaks(0, 0, EXPIRED, HOST);
    assert_eq!(world.run(0, 10), ["1 ops first-seen 1"]);
    world.breaks(0, 11, FindingId::StarttlsNotOffered, HOST);
    assert_eq!(world.run(11, 20), ["12 ops worse 1"]);
    // What is known already is no news when it comes back.
    world.breaks(0, 21, EXPIRED, HOST);
    assert_eq!(world.run(21, 30), [""; 0]);
}

#[test]
fn a_relapse_is_told_as_one() {
    let mut world = fabrikam();
    world.breaks(0, 0, EXPIRED, HOST);
    world.run(0, 9);
    world.recovers(0, 10);
    assert_eq!(world.run(10, 19), ["11 ops recovered 1"]);
    world.breaks(0, 20, EXPIRED, HOST);
    assert_eq!(world.run(20, 29), ["21 ops regressed 1"]);
}

#[test]
fn violated_and_then_unknown_stays_open() {
    let mut world = fabrikam();
    world.breaks(0, 0, EXPIRED, HOST);
    world.run(0, 9);
    world.is_unknown(0, 10, ObstacleId::ConnectTimeout);
    assert_eq!(world.run(10, 2 * DAY), [format!("{} ops still-broken 1", DAY + 2)]);
    world.breaks(0, 2 * DAY + 1, EXPIRED, HOST);
    assert_eq!(
        world.run(2 * DAY + 1, 2 * DAY + 9),
        [format!("{} ops still-broken 1", 2 * DAY + 3)]
    );
    world.is_unknown(0, 2 * DAY + 10, ObstacleId::ConnectTimeout);
    world.recovers(0, 2 * DAY + 20);
    assert_eq!(
        world.run(2 * DAY + 20, 2 * DAY + 30),
        [format!("{} ops recovered 1", 2 * DAY + 21)]
    );
}

#[test]
fn unknown_is_told_when_it_lasts() {
    let mut world = fabrikam();
    world.is_unknown(0, 0, ObstacleId::ConnectTimeout);
    assert_eq!(world.silence(1), Silence::NotYet);
    assert_eq!(world.run(2, 400), ["361 ops cannot-tell 1"]);
    // Known, and bad: that is worse.
    world.breaks(0, 401, EXPIRED, HOST);
    assert_eq!(world.run(401, 410), ["402 ops worse 1"]);
    world.recovers(0, 411);
    assert_eq!(world.run(411, 420), ["412 ops recovered 1"]);
}

#[test]
fn unknown_and_then_compliant_is_no_recovery() {
    let mut world = fabrikam();
    world.is_unknown(0, 0, ObstacleId::ConnectTimeout);
    assert_eq!(world.run(0, 400), ["361 ops cannot-tell 1"]);
    world.recovers(0, 401);
    assert_eq!(world.run(401, 410), ["402 ops known-again 1"]);
    // Short blindness is nobody's news.
    world.is_unknown(0, 411, ObstacleId::ConnectTimeout);
    world.run(411, 420);
    world.recovers(0, 421);
    assert_eq!(world.run(421, 430), [""; 0]);
}

#[test]
fn what_is_not_confirmed_waits() {
    let mut world = fabrikam();
    let pending = Pending { state: State::Violated, agreed: 1, looks: 1, since: minute(1) };
    world.claim(0).pending = Some(pending);
    assert_eq!(world.silence(1), Silence::Unconfirmed);
    world.is_unknown(0, 2, ObstacleId::Unconfirmed);
    assert_eq!(world.silence(3), Silence::Unconfirmed);
    assert_eq!(world.run(4, 300), [""; 0]);
}

#[test]
fn nothing_new_is_silence() {
    let mut world = fabrikam();
    assert_eq!(world.silence(0), Silence::NothingNew);
    world.breaks(0, 1, EXPIRED, HOST);
    assert_eq!(world.silence(1), Silence::WaitsForGroup);
    world.run(2, 3);
    assert_eq!(world.silence(4), Silence::AlreadyTold);
}

#[test]
fn flapping_keeps_recoveries_back_and_never_a_worse_state() {
    let mut world = fabrikam();
    let mut said = Vec::new();
    for at in (0..120).step_by(20) {
        world.breaks(0, at, EXPIRED, HOST);
        said.extend(world.run(at, at + 9));
        world.recovers(0, at + 10);
        said.extend(world.run(at + 10, at + 19));
    }
    // From the fourth change in six hours on the incident stays open.
    let first = ["1 ops first-seen 1", "11 ops recovered 1", "21 ops regressed 1"];
    assert_eq!(said, [&first[..], &["31 ops recovered 1", "41 ops regressed 1"]].concat());
    assert_eq!(world.silence(120), Silence::Flapping);
    // What is worse is told all the same.
    world.breaks(0, 121, FindingId::StarttlsNotOffered, HOST);
    assert_eq!(world.run(121, 125), ["122 ops worse 1"]);
    world.recovers(0, 126);
    // Calm again: fewer than four changes in the last six hours. The fourth last was at minute 100.
    assert_eq!(world.run(126, 900), ["461 ops recovered 1"]);
}

#[test]
fn muted_partners_are_not_told_of_and_nothing_is_told_again_for_it() {
    let mut world = fabrikam();
    world.breaks(0, 0, EXPIRED, HOST);
    world.run(0, 9);
    // The reminder falls into the silence, and is not made up for.
    world.mutes = vec![mute_once(Whom::Partner("Fabrikam".to_owned()), 10, 2 * DAY)];
    assert_eq!(world.run(10, 2 * DAY + 60), [""; 0]);
    assert_eq!(
        world.run(2 * DAY + 61, 3 * DAY + 10),
        [format!("{} ops still-broken 1", 3 * DAY + 1)]
    );
}

#[test]
fn what_begins_in_a_silence_and_lasts_is_told_after_it() {
    let mut world = fabrikam();
    world.mutes = vec![mute_once(Whom::Everybody, 0, 60)];
    world.breaks(0, 10, EXPIRED, HOST);
    assert_eq!(world.silence(11), Silence::Muted);
    assert_eq!(world.run(12, 70), ["61 ops first-seen 1"]);
}

#[test]
fn what_begins_and_ends_in_a_silence_is_never_told() {
    let mut world = fabrikam();
    world.mutes = vec![mute_once(Whom::Everybody, 0, 60)];
    world.breaks(0, 10, EXPIRED, HOST);
    world.run(10, 20);
    world.recovers(0, 21);
    assert_eq!(world.run(21, 2 * DAY), [""; 0]);
}

#[test]
fn a_recovery_in_a_silence_is_told_after_it() {
    let mut world = fabrikam();
    world.breaks(0, 0, EXPIRED, HOST);
    world.run(0, 9);
    world.mutes = vec![mute_once(Whom::Everybody, 10, 60)];
    world.recovers(0, 20);
    assert_eq!(world.run(10, 70), ["61 ops recovered 1"]);
}

#[test]
fn certificates_are_told_at_each_step_once() {
    let mut world = fabrikam();
    world.claim(0).endpoints = vec![endpoint("mx.fabrikam.test", "aa", minute(31 * DAY))];
    let mut said = Vec::new();
    for at in (0..=32 * DAY).step_by(10) {
        for group in world.round(minute(at)).0 {
            let Group { reason, parts, .. } = group;
            said.push(format!("{} {reason} {}", at / DAY, parts[0].1.becomes.step.unwrap()));
        }
    }
    assert_eq!(
        said,
        [
            "1 expires-soon 30",
            "17 expires-soon 14",
            "24 expires-soon 7",
            "28 expires-soon 3",
            "30 expires-soon 1"
        ]
    );
}

#[test]
fn a_certificate_first_seen_late_is_told_once() {
    let mut world = fabrikam();
    world.claim(0).endpoints = vec![
        endpoint("mx1.fabrikam.test", "aa", minute(5 * DAY)),
        endpoint("mx2.fabrikam.test", "aa", minute(5 * DAY)),
    ];
    assert_eq!(world.run(0, DAY), ["1 ops expires-soon 1"]);
    // Renewed.
    world.claim(0).endpoints = vec![endpoint("mx1.fabrikam.test", "bb", minute(95 * DAY))];
    assert_eq!(world.run(DAY + 1, 5 * DAY), [""; 0]);
}

#[test]
fn where_any_certificate_will_do_its_end_is_info() {
    let mut world = fabrikam();
    world.claim(0).requirement.level = Level::Encrypt;
    world.claim(0).endpoints = vec![endpoint("mx.fabrikam.test", "aa", minute(5 * DAY))];
    assert_eq!(world.run(0, DAY), [""; 0]);
    world.channels[0].severities.push(Severity::Info);
    assert_eq!(world.run(DAY + 1, DAY + 5), [format!("{} ops expires-soon 1", DAY + 2)]);
}

fn noticed(id: &str, at: i64, finding: Finding) -> Event {
    Event {
        id: id.to_owned(),
        at: minute(at),
        partner: Some("Fabrikam".to_owned()),
        claim: Some(OFFERS),
        what: Happening::Noticed { finding },
    }
}

fn changed(id: FindingId) -> Finding {
    Finding::new(id, Severity::Warning, HOST, "another", "the same")
}

#[test]
fn changes_are_told_once_to_whom_they_concern() {
    let mut world = fabrikam();
    world.happens(noticed("01A", 0, changed(FindingId::MxSetChanged))).unwrap();
    assert_eq!(world.run(0, DAY), ["1 ops changed 1"]);
    let soon = noticed("01B", 0, changed(FindingId::CertExpiresSoon));
    assert_eq!(world.happens(soon), Err(Silence::NothingNew));
    let info = Finding { severity: Severity::Info, ..changed(FindingId::CertChanged) };
    assert_eq!(world.happens(noticed("01C", 0, info)), Err(Silence::NotRouted));
    world.mutes = vec![mute_once(Whom::Everybody, 0, 9 * DAY)];
    world.now = minute(DAY);
    let in_silence = noticed("01D", DAY, changed(FindingId::CertChanged));
    assert_eq!(world.happens(in_silence), Err(Silence::Muted));
}

#[test]
fn our_own_outage_is_told_once_and_not_for_each_claim() {
    let mut world = fabrikam();
    let event =
        |id: &str, what| Event { id: id.to_owned(), at: start(), partner: None, claim: None, what };
    let detail = "no beacon answers".to_owned();
    world.happens(event("01A", Happening::SelfOutageBegan { detail: detail.clone() })).unwrap();
    world.is_unknown(0, 0, ObstacleId::SelfOutage);
    assert_eq!(world.run(0, DAY), ["1 ops self-outage 1"]);
    assert_eq!(world.silence(DAY + 1), Silence::OurOutage);
    world.happens(event("01B", Happening::SelfOutageEnded { detail })).unwrap();
    world.recovers(0, DAY + 2);
    assert_eq!(world.run(DAY + 2, 2 * DAY), [format!("{} ops self-outage-over 1", DAY + 3)]);
}

#[test]
fn ten_partners_behind_one_host_are_one_message() {
    let names: Vec<String> = (0..10).map(|n| format!("Partner {n}")).collect();
    let mut world = World::new(names.iter().map(|name| standing(name, OFFERS)).collect());
    for index in 0..10 {
        world.breaks(index, 0, EXPIRED, "mx.shared.test [192.0.2.9]:25");
    }
    assert_eq!(world.run(0, 10), ["1 ops first-seen 10"]);
}

#[test]
fn the_next_partner_with_the_same_cause_waits_for_more() {
    let names = ["A", "B", "C"];
    let mut world = World::new(names.iter().map(|name| standing(name, OFFERS)).collect());
    world.breaks(0, 0, EXPIRED, "mx.shared.test");
    assert_eq!(world.run(0, 1), ["1 ops first-seen 1"]);
    world.breaks(1, 2, EXPIRED, "mx.shared.test");
    assert_eq!(world.run(2, 3), [""; 0]);
    world.breaks(2, 4, EXPIRED, "mx.shared.test");
    assert_eq!(world.run(4, 10), ["7 ops first-seen 2"]);
}

#[test]
fn five_hundred_at_once_are_a_handful_of_messages() {
    let names: Vec<String> = (0..500).map(|n| format!("Partner {n}")).collect();
    let mut world = World::new(names.iter().map(|name| standing(name, OFFERS)).collect());
    for index in 0..500 {
        world.breaks(index, 0, EXPIRED, &format!("mx{index}.test"));
    }
    assert_eq!(world.run(0, 100), ["1 ops first-seen 500"]);
    for index in 0..500 {
        world.recovers(index, 101);
    }
    assert_eq!(world.run(101, 200), ["102 ops recovered 500"]);
}

#[test]
fn a_channel_that_was_down_is_told_late_and_the_others_of_it() {
    let mut world = fabrikam();
    world.channels.push(webhook("chat", "http://127.0.0.1:2"));
    world.down.insert("ops".to_owned());
    world.breaks(0, 0, EXPIRED, HOST);
    // Over before the channel could take it: told all the same.
    let mut said = world.run(0, 9);
    world.recovers(0, 10);
    said.extend(world.run(10, 19));
    assert_eq!(said, ["1 chat first-seen 1", "5 chat channel-failed 1", "11 chat recovered 1"]);
    world.down.clear();
    assert_eq!(world.run(20, 30), ["20 ops recovered 1", "22 chat channel-works 1"]);
}

#[test]
fn what_a_down_channel_was_owed_survives_a_restart() {
    let mut world = fabrikam();
    world.down.insert("ops".to_owned());
    world.breaks(0, 0, EXPIRED, HOST);
    world.run(0, 9);
    let memory = world.memory.clone();
    let mut world = fabrikam();
    world.memory = memory;
    world.recovers(0, 10);
    assert_eq!(world.run(10, 20), ["11 ops recovered 1"]);
}

#[test]
fn a_restart_in_the_middle_tells_nothing_twice() {
    let mut world = fabrikam();
    world.breaks(0, 0, EXPIRED, HOST);
    world.run(0, 9);
    let memory = world.memory.clone();
    let mut world = fabrikam();
    world.memory = memory;
    world.breaks(0, 0, EXPIRED, HOST);
    assert_eq!(world.run(10, DAY), [""; 0]);
    assert_eq!(world.run(DAY + 1, DAY + 9), [format!("{} ops still-broken 1", DAY + 2)]);
}

#[test]
fn channels_are_told_of_what_they_are_for() {
    let mut world = World::new(vec![standing("Fabrikam", OFFERS), standing("Woodgrove", OFFERS)]);
    let tier = |tier: &str| BTreeMap::from([("tier".to_owned(), tier.to_owned())]);
    world.labels =
        BTreeMap::from([("Fabrikam".to_owned(), tier("1")), ("Woodgrove".to_owned(), tier("2"))]);
    let mut first = webhook("first", "http://127.0.0.1:1");
    first.labels = tier("1");
    let mut wood = webhook("wood", "http://127.0.0.1:1");
    wood.partners = vec!["Woodgrove".to_owned()];
    let mut pager = webhook("pager", "http://127.0.0.1:1");
    pager.severities = vec![Severity::Violation];
    world.channels = vec![first, wood, pager];
    world.breaks(0, 0, EXPIRED, HOST);
    world.is_unknown(1, 0, ObstacleId::DnsFailure);
    assert_eq!(
        world.run(0, 400),
        ["1 first first-seen 1", "1 pager first-seen 1", "361 wood cannot-tell 1"]
    );
}

#[test]
fn what_is_not_claimed_any_more_is_ended() {
    let mut world = World::new(vec![standing("Fabrikam", OFFERS), standing("Woodgrove", OFFERS)]);
    world.breaks(0, 0, EXPIRED, HOST);
    world.run(0, 9);
    let standings = std::mem::take(&mut world.standings);
    // Nothing is known yet: nothing is withdrawn.
    assert_eq!(world.run(10, 19), [""; 0]);
    world.standings = standings[1..].to_vec();
    assert_eq!(world.run(20, 30), ["21 ops no-longer-claimed 1"]);
}
