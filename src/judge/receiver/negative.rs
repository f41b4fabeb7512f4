//! One negative over all experiments: refused twice alike, or why it is still open.
//!
//! Invariant: two refusals that do not say why count only from the same address and sender, in experiments whose
//! controls passed and differed in nothing but TLS, and far enough apart.

use super::{
    attempt::{Came, Refusal, Tried, Weight},
    experiment::{Judged, Key},
    told,
};
use crate::model::{enforcement::AttemptKind, obstacle::ObstacleId};
use jiff::{SignedDuration, Timestamp};

/// Grey-listers let us pass by then, most of them.
pub(super) const TRANSIENT_GAP: SignedDuration = SignedDuration::from_mins(10);
const OTHER_GAP: SignedDuration = SignedDuration::from_mins(1);
/// Later than this a grey-lister may have forgotten the first try, and would refuse the second alike.
const TRANSIENT_MOST: SignedDuration = SignedDuration::from_hours(4);

/// A negative, with its experiment.
pub(super) type Time<'a> = (&'a Judged<'a>, &'a Tried<'a>);

/// Every time this negative was tried, oldest first.
pub(super) fn times<'a>(experiments: &'a [Judged<'a>], key: &Key) -> Vec<Time<'a>> {
    let each = experiments.iter();
    each.filter_map(|experiment| {
        let found = experiment.keyed().find(|(other, _)| other == key);
        found.map(|(_, tried)| (experiment, tried))
    })
    .collect()
}

/// RFC 5321 §4.5.4.1: what is refused for now may be taken later, so it is asked again, and not too soon.
pub(super) fn twice_alike(times: &[Time<'_>]) -> Option<Timestamp> {
    let silent = |(experiment, tried): &Time<'_>| {
        let Weight::Silent(mark) = tried.refusal()?.weight else { return None };
        (experiment.is_sound() && experiment.is_only_tls(tried)).then_some(mark)
    };
    let is_pair = |first: &Time<'_>, second: &Time<'_>| {
        let (Some(one), Some(two)) = (silent(first), silent(second)) else { return false };
        let (before, after) = (first.1, second.1);
        let apart =
            after.attempt.session.started_at.duration_since(before.attempt.session.started_at);
        let is_apart = if one.is_transient() {
            (TRANSIENT_GAP..=TRANSIENT_MOST).contains(&apart)
        } else {
            apart >= OTHER_GAP
        };
        one == two
            && is_apart
            && before.source() == after.source()
            && before.attempt.mail_from == after.attempt.mail_from
    };
    times.iter().enumerate().rev().find_map(|(at, second)| {
        let first = times.iter().take(at).rev().find(|first| is_pair(first, second))?;
        Some(first.0.started_at())
    })
}

/// Why a negative is not known, and when a second experiment could tell.
pub(super) fn open(
    experiment: &Judged<'_>,
    tried: &Tried<'_>,
) -> (Vec<(ObstacleId, String)>, Option<Timestamp>) {
    let kind = tried.attempt.kind;
    let started_at = tried.attempt.session.started_at;
    match &tried.came {
        Came::Accepted(reply) if kind == AttemptKind::ForeignAddress => {
            let detail = format!(
                "{kind}: taken over TLS ({reply}): whether the rule covers other addresses is not known"
            );
            (vec![(ObstacleId::NotTestable, detail)], None)
        }
        // Taken where no control passed: that is told there.
        Came::Accepted(_) | Came::Answered(_) => (Vec::new(), None),
        Came::EnvelopeTaken(_) => {
            let detail = format!("{kind}: envelope accepted, DATA not tried");
            (vec![(ObstacleId::Undecided, detail)], None)
        }
        Came::Hindered(id, detail) => {
            let again = is_passing(*id).then(|| gap(started_at, OTHER_GAP)).flatten();
            (vec![(*id, format!("{kind}: {detail}"))], again)
        }
        Came::Refused(refusal) => open_refusal(experiment, tried, refusal),
    }
}

fn open_refusal(
    experiment: &Judged<'_>,
    tried: &Tried<'_>,
    refusal: &Refusal,
) -> (Vec<(ObstacleId, String)>, Option<Timestamp>) {
    let said = format!("{}: at {}: {}", tried.attempt.kind, refusal.phase, refusal.said);
    match refusal.weight {
        // It counts where the controls pass; that they did not is told already.
        Weight::AtOnce => (Vec::new(), None),
        Weight::Beside if !experiment.is_sound() => (Vec::new(), None),
        Weight::Beside => {
            let detail = format!(
                "{said}; it counts only where a control as the partner passes from the same address"
            );
            (vec![(ObstacleId::RefusedForOtherReason, detail)], None)
        }
        Weight::Other => (told::other_reason(refusal.class, &said), None),
        Weight::Silent(mark) if experiment.is_only_tls(tried) => {
            let (span, words) = if mark.is_transient() {
                (TRANSIENT_GAP, "10 minutes")
            } else {
                (OTHER_GAP, "a minute")
            };
            let detail = format!(
                "{said}; it counts when another experiment, at least {words} later, ends alike"
            );
            let again = gap(tried.attempt.session.started_at, span);
            (vec![(ObstacleId::Undecided, detail)], again)
        }
        Weight::Silent(_) => {
            let detail = format!(
                "{said}; it says nothing of TLS, and the control differed in more than TLS"
            );
            (vec![(ObstacleId::Undecided, detail)], None)
        }
    }
}

/// Whether an obstacle may be gone at the next try.
fn is_passing(id: ObstacleId) -> bool {
    matches!(
        id,
        ObstacleId::ConnectRefused
            | ObstacleId::ConnectTimeout
            | ObstacleId::ConnectionLost
            | ObstacleId::Deadline
    )
}

pub(super) fn gap(from: Timestamp, span: SignedDuration) -> Option<Timestamp> {
    from.checked_add(span).ok()
}
