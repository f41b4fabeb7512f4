//! Any sequence of states: nothing is told twice within the reminder interval, and no worse state is left out.

use super::*;
use proptest::prelude::*;

/// What a look finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Compliant,
    Unknown,
    Expired,
    NoStarttls,
}

fn seen() -> impl Strategy<Value = Vec<(Seen, bool, u16)>> {
    let one = prop_oneof![
        Just(Seen::Compliant),
        Just(Seen::Unknown),
        Just(Seen::Expired),
        Just(Seen::NoStarttls)
    ];
    // The state, whether the channel is down, and minutes until the next.
    prop::collection::vec((one, any::<bool>(), 1u16..600), 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn nothing_twice_and_nothing_worse_left_out(steps in seen()) {
        let mut world = fabrikam();
        let (mut now, mut last) = (0, None);
        let mut said: Vec<(i64, Reason, Timestamp, BTreeSet<FindingId>)> = Vec::new();
        let mut owed: BTreeSet<FindingId> = BTreeSet::new();
        for (at, (seen, is_down, minutes)) in steps.iter().enumerate() {
            if last != Some(*seen) {
                match seen {
                    Seen::Compliant => world.recovers(0, now),
                    Seen::Unknown => world.is_unknown(0, now, ObstacleId::ConnectTimeout),
                    Seen::Expired => world.breaks(0, now, FindingId::CertExpired, "mx"),
                    Seen::NoStarttls => world.breaks(0, now, FindingId::StarttlsNotOffered, "mx"),
                }
                last = Some(*seen);
            }
            // At the end the channel works, so that what is owed gets there.
            if *is_down && at + 1 < steps.len() {
                world.down.insert("ops".to_owned());
            } else {
                world.down.clear();
            }
            match seen {
                Seen::Expired => drop(owed.insert(FindingId::CertExpired)),
                Seen::NoStarttls => drop(owed.insert(FindingId::StarttlsNotOffered)),
                Seen::Compliant | Seen::Unknown => {}
            }
            let until = now + i64::from(*minutes).max(10);
            while now < until {
                for group in world.round(minute(now)).0 {
                    for (_, speech) in group.parts {
                        let mut known = speech.becomes.findings.clone();
                        // An end tells what it ends.
                        if let Some(owed) = &speech.before.owed {
                            known.extend(owed.findings.iter().copied());
                        }
                        known.extend(speech.before.findings.iter().copied());
                        said.push((now, speech.reason, speech.since, known));
                    }
                }
                now += if until - now > 40 { 20 } else { 1 };
            }
        }
        let reminder = 24 * 60;
        for (n, (at, reason, since, findings)) in said.iter().enumerate() {
            for (then, other, from, known) in &said[..n] {
                let is_same = (reason, since) == (other, from) && findings.is_subset(known);
                prop_assert!(!is_same || at - then >= reminder, "{reason} at {then} and {at}: {said:?}");
            }
        }
        let told: BTreeSet<FindingId> = said.iter().flat_map(|(_, _, _, known)| known.iter().copied()).collect();
        prop_assert!(owed.is_subset(&told), "left out: {owed:?} of {said:?}");
    }
}
