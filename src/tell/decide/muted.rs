//! Who is muted now, for people who wonder about the silence.

use super::Labels;
use crate::model::{alert::Mute, told::Muted};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The partners about whom nothing is told now; of several silences the one that lasts longest.
pub fn muted(mutes: &[Mute], labels: &Labels, now: Timestamp) -> BTreeMap<String, Muted> {
    let mut muted = BTreeMap::new();
    for (partner, labels) in labels {
        let about = mutes.iter().filter(|mute| mute.whom.is(partner, labels));
        let holding = about.filter_map(|mute| Some((mute.when.at(now).until?, mute)));
        if let Some((until, mute)) = holding.max_by_key(|(until, _)| *until) {
            muted.insert(partner.clone(), Muted { until, why: mute.why.clone() });
        }
    }
    muted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::alert::{When, Whom};
    use crate::tell::decide::tests::minute;

    #[test]
    fn of_several_silences_the_longest_is_told() {
        let mute = |whom, until, why: &str| Mute {
            whom,
            when: When::Once { from: minute(0), until: minute(until) },
            why: why.to_owned(),
        };
        let tier: BTreeMap<String, String> = [("tier".to_owned(), "1".to_owned())].into();
        let labels: Labels =
            [("A".to_owned(), tier.clone()), ("B".to_owned(), BTreeMap::new())].into();
        let mutes = [
            mute(Whom::Labels(tier), 30, "tier"),
            mute(Whom::Partner("A".to_owned()), 20, "A"),
            mute(Whom::Partner("B".to_owned()), 20, "B"),
        ];
        let told = |at| -> Vec<(String, String)> {
            let muted = muted(&mutes, &labels, minute(at));
            muted.into_iter().map(|(partner, muted)| (partner, muted.why)).collect()
        };
        let pair = |partner: &str, why: &str| (partner.to_owned(), why.to_owned());
        assert_eq!(told(10), [pair("A", "tier"), pair("B", "B")]);
        assert_eq!(told(20), [pair("A", "tier")]);
        assert_eq!(told(30), []);
    }
}
