//! Which looks count: the old standing of a claim + one look → the new standing, and what happened.
//!
//! 1. What a look proves is held against its age and its own words (`look`): a proof too old, or none at all, is unknown.
//! 2. A look that met nothing but our own outage says nothing of the partner: unknown at once, and what waited
//!    for confirmation waits on.
//! 3. The first look at a claim that was never proved counts; so does one that finds again what was last known
//!    when only time or our own outage lay between. There is nothing that they change.
//! 4. A forbidden delivery counts at once, and so does a violation met at one address in two of its last ten
//!    looks, whatever lay between (`held`, by `memory`). What was read from a file needs no second reading.
//! 5. What one look doubts because it may be a moment's failure is proved by another, ten minutes later (`transient`).
//! 6. Any other look that differs waits until `confirm` looks in a row agree. Until then the claim is unknown,
//!    `unconfirmed`; after five looks without agreement `witnesses-disagree`.
//! 7. What a look that counts shows is held against the best that was ever shown (`super::posture`).
//!
//! Invariant: compliant needs a look that proved it, no older than `max_age`, and never rests on memory.
//! Invariant: while a change is unconfirmed the state is unknown: neither the old one nor the new one.
//! Invariant: one `StateChanged` where the state changed, and none where it did not.

mod held;
mod memory;
mod seen;
mod transient;

pub(super) use self::memory::{face, place};
use self::{held::Held, seen::Seen};
use super::posture;
use crate::model::{
    claim::{Claim, Statement},
    event::Happening,
    finding::{Finding, FindingId, Severity},
    obstacle::{Obstacle, ObstacleId},
    requirement::Requirement,
    standing::{AddressMemory, EndpointStanding, LastKnown, Look, Pending, Posture, Standing},
    state::State,
};
use jiff::{SignedDuration, Timestamp};
use std::{cmp::Reverse, time::Duration};

/// So many looks within minutes may try to confirm a change; then it is told that they do not agree.
pub const CONFIRMING_LOOKS: u32 = 5;

/// What a look is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// The instant ages are held against. After the clock jumped: by the clock the proofs were made by, until the
    /// claim has been looked at again, so that a jump makes nothing stale.
    pub now: Timestamp,
    /// A proof older than this is none.
    pub max_age: Duration,
    /// Looks that must agree before a change counts; none is as good as one.
    pub confirm: u32,
}

/// When a claim is looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Again {
    /// When its interval is over.
    AtInterval,
    /// Within minutes: a change waits for another look.
    Confirm,
    /// Sooner than its interval, and later each time it ends alike.
    Sooner,
}

/// What a look makes of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// How the claim stands now.
    pub standing: Standing,
    /// What happened, in order.
    pub happenings: Vec<Happening>,
    /// When to look again.
    pub again: Again,
}

/// A claim that nobody has looked at.
pub fn begin(
    partner: &str,
    claim: Claim,
    requirement: &Requirement,
    basis: &str,
    now: Timestamp,
) -> Standing {
    let detail = "not looked at yet";
    Standing {
        partner: partner.to_owned(),
        claim,
        requirement: requirement.clone(),
        basis: basis.to_owned(),
        state: State::Unknown,
        since: now,
        summary: detail.to_owned(),
        findings: Vec::new(),
        obstacles: vec![Obstacle::new(ObstacleId::Undecided, claim, detail)],
        endpoints: Vec::new(),
        proven_at: None,
        last_known: None,
        evidence: String::new(),
        looked_at: None,
        pending: None,
        memory: Vec::new(),
        posture: Posture::default(),
    }
}

/// How a claim stands after a look at it.
///
/// A look on another basis than the standing's was begun before something changed, and counts for nothing.
pub fn next(before: &Standing, look: &Look, rules: &Rules) -> Next {
    if look.basis != before.basis {
        return Next {
            standing: before.clone(),
            happenings: Vec::new(),
            again: usual(before.state, before.claim),
        };
    }
    let seen = Seen::of(look, rules);
    if seen.is_blind() {
        return blind(before, look, seen);
    }
    let look = &transient::settled(&before.memory, look);
    let seen = Seen::of(look, rules);
    let memory = memory::remember(&before.memory, look);
    let held = held::held(before, &memory, look, rules);
    let turn = Turn { before, look, seen: &seen, memory: &memory, held: held.as_ref(), rules };
    let weight = turn.weigh();
    let usual = usual(turn.found(), before.claim);
    let mut standing = Standing {
        endpoints: endpoints(before, look),
        evidence: look.report.evidence.clone(),
        looked_at: Some(look.at),
        pending: None,
        memory,
        ..before.clone()
    };
    let mut noticed = noticed(before, &seen.findings);
    let again = if let Weight::Waits(pending) = weight {
        wait(&mut standing, before, seen, pending, rules);
        if is_in_dispute(pending, rules) { Again::Sooner } else { Again::Confirm }
    } else {
        let remembered = posture::remember(&before.posture, &before.memory, look);
        noticed.extend(remembered.told);
        standing.posture = remembered.posture;
        let is_nearly_over = held.as_ref().is_some_and(|held| held.is_nearly_over);
        count(&mut standing, look.at, seen, held, remembered.findings);
        if is_nearly_over { Again::Confirm } else { usual }
    };
    Next { happenings: happened(before, &standing, noticed), standing, again }
}

/// Why a look counts now, or what it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// It cannot be a fluke: it was read from a file, or a message came where it must not.
    Certain,
    /// So many looks in a row agree.
    Confirmed,
    /// Nothing was ever proved: there is nothing that it changes.
    First,
    /// What is remembered of an address stands, whatever this look found.
    Held,
    /// What stood by memory is over, and the looks that it took agree.
    Released,
    /// The same address was met so before, not long ago.
    Repeated,
    /// It finds again what was last known, and only time or our own outage lay between.
    Resumed,
    /// It agrees with what counts.
    Same,
    /// Not until more agree.
    Waits(Pending),
}

/// One look, and all it is weighed by.
struct Turn<'a> {
    before: &'a Standing,
    look: &'a Look,
    seen: &'a Seen,
    memory: &'a [AddressMemory],
    held: Option<&'a Held>,
    rules: &'a Rules,
}

impl Turn<'_> {
    /// What the claim would be, if the look counts.
    fn found(&self) -> State {
        if self.held.is_some() { State::Violated } else { self.seen.state }
    }

    fn weigh(&self) -> Weight {
        let Turn { before, look, seen, memory, rules, .. } = *self;
        let found = self.found();
        if self.held.is_some() {
            return Weight::Held;
        }
        let Some(known) = before.last_known else { return Weight::First };
        if before.claim.statement == Statement::Configured || seen.is_forbidden_delivery {
            return Weight::Certain;
        }
        if found == State::Violated && held::is_repeated(memory, look, rules) {
            return Weight::Repeated;
        }
        let was_held = held::was_held(before);
        if found == State::Compliant && was_held && held::is_settled(memory, rules) {
            return Weight::Released;
        }
        let Some(pending) = before.pending else {
            let is_not_theirs = before.obstacles.iter().any(|one| is_not_theirs(one.id));
            return if found == before.state {
                Weight::Same
            } else if is_not_theirs && known.state == found {
                Weight::Resumed
            } else {
                self.wait_or_count(Pending { state: found, agreed: 1, looks: 1, since: look.at })
            };
        };
        let agreed = if pending.state == found { pending.agreed.saturating_add(1) } else { 1 };
        let looks = pending.looks.saturating_add(1);
        self.wait_or_count(Pending { state: found, agreed, looks, since: pending.since })
    }

    fn wait_or_count(&self, pending: Pending) -> Weight {
        if pending.agreed >= self.rules.confirm {
            Weight::Confirmed
        } else {
            Weight::Waits(pending)
        }
    }
}

/// What says nothing of the partner: time went by, or we could not see.
fn is_not_theirs(id: ObstacleId) -> bool {
    matches!(id, ObstacleId::ClockUnsure | ObstacleId::SelfOutage | ObstacleId::Stale)
}

fn is_in_dispute(pending: Pending, rules: &Rules) -> bool {
    pending.looks >= CONFIRMING_LOOKS.max(rules.confirm)
}

/// When a claim in this settled state is looked at again.
fn usual(state: State, claim: Claim) -> Again {
    match (state, claim.statement) {
        // What was read from a file stays as it is until it is imported again.
        (_, Statement::Configured) | (State::Compliant, _) => Again::AtInterval,
        (State::Unknown | State::Violated, _) => Again::Sooner,
    }
}

/// The look counts.
fn count(
    standing: &mut Standing,
    at: Timestamp,
    seen: Seen,
    held: Option<Held>,
    brought: Vec<Finding>,
) {
    let Seen { state, summary, mut findings, obstacles, proven_at, .. } = seen;
    standing.summary = summary;
    let mut proven_at = proven_at;
    let mut found = state;
    if let Some(held) = held {
        if state != State::Violated {
            found = State::Violated;
            proven_at = Some(held.last_at);
            standing.summary = held.summary;
        }
        findings.extend(held.findings);
    }
    findings.extend(brought);
    findings.sort_by_key(|finding| Reverse(finding.severity));
    standing.findings = findings;
    standing.obstacles = obstacles;
    if found != State::Unknown {
        standing.proven_at = proven_at;
        standing.last_known = Some(match standing.last_known {
            Some(known) if known.state == found => known,
            _ => LastKnown { state: found, since: at },
        });
    }
    become_(standing, found, at);
}

/// The look waits for others: nothing is known.
fn wait(standing: &mut Standing, before: &Standing, seen: Seen, pending: Pending, rules: &Rules) {
    let Pending { state, agreed, looks, since } = pending;
    let known = before.last_known.map_or(State::Unknown, |known| known.state);
    let (id, detail) = if is_in_dispute(pending, rules) {
        let detail = format!(
            "last known {known}; {looks} looks since {since} do not agree, and the last found it {state}"
        );
        (ObstacleId::WitnessesDisagree, detail)
    } else {
        let needed = rules.confirm;
        let detail = format!(
            "last known {known}; {agreed} of the {needed} looks in a row that must agree found it {state}"
        );
        (ObstacleId::Unconfirmed, detail)
    };
    standing.summary = format!("not confirmed: {}", seen.summary);
    standing.findings = without_violations(seen.findings);
    standing.obstacles = vec![Obstacle::new(id, before.claim, detail)];
    standing.obstacles.extend(seen.obstacles);
    standing.pending = Some(pending);
    become_(standing, State::Unknown, standing.looked_at.unwrap_or(since));
}

/// We could not see: nothing is known, and nothing is remembered of the partner.
fn blind(before: &Standing, look: &Look, seen: Seen) -> Next {
    // The endpoints stay as they were last seen: what our own side showed in their place is not theirs.
    let mut standing = Standing {
        summary: seen.summary,
        findings: without_violations(seen.findings),
        obstacles: seen.obstacles,
        evidence: look.report.evidence.clone(),
        looked_at: Some(look.at),
        ..before.clone()
    };
    become_(&mut standing, State::Unknown, look.at);
    let happenings = happened(before, &standing, Vec::new());
    Next { standing, happenings, again: Again::Sooner }
}

/// The standing of a claim whose proof has grown too old; none where nothing changes.
///
/// A proof from the future is one that a wrong clock made: beyond `max_age` it counts as little as an old one.
pub fn age(before: &Standing, rules: &Rules) -> Option<Next> {
    if before.state == State::Unknown {
        return None;
    }
    let (summary, detail) = match before.proven_at {
        Some(at) if is_within(at, rules) => return None,
        Some(at) => (
            format!("the last proof is too old: it is of {at}"),
            format!("proved {} at {at}, and not again since", before.state),
        ),
        None => ("nothing shows when it was proved".to_owned(), "it has no proof".to_owned()),
    };
    Some(stale(before.clone(), before, summary, detail, rules.now))
}

/// The standing of a claim that is proved by something else than before: its requirement, its targets, the
/// connector's record, the set of canaries. None where all is as it was.
///
/// No older proof counts, so the next look is the first. What was seen at addresses under another requirement is
/// forgotten, and of the best ever shown what only means something under the old one.
pub fn rebase(
    before: &Standing,
    requirement: &Requirement,
    basis: &str,
    now: Timestamp,
) -> Option<Next> {
    let is_required_alike = before.requirement == *requirement;
    if is_required_alike && before.basis == basis {
        return None;
    }
    let changed = Standing {
        requirement: requirement.clone(),
        basis: basis.to_owned(),
        proven_at: None,
        last_known: None,
        pending: None,
        memory: if is_required_alike { before.memory.clone() } else { Vec::new() },
        posture: if is_required_alike {
            posture::elsewhere(&before.posture)
        } else {
            posture::otherwise(&before.posture)
        },
        ..before.clone()
    };
    let what = if is_required_alike {
        "the targets, the connector's record or the canaries changed"
    } else {
        "the requirement changed"
    };
    let summary = format!("not proved since {what}");
    let detail = format!("{what} at {now}, and it was not proved since");
    Some(stale(changed, before, summary, detail, now))
}

fn stale(
    mut standing: Standing,
    before: &Standing,
    summary: String,
    detail: String,
    now: Timestamp,
) -> Next {
    standing.summary = summary;
    standing.findings = without_violations(standing.findings);
    standing.obstacles = vec![Obstacle::new(ObstacleId::Stale, before.claim, detail)];
    become_(&mut standing, State::Unknown, now);
    let happenings = happened(before, &standing, Vec::new());
    Next { standing, happenings, again: Again::Sooner }
}

/// The state, since when it is so.
fn become_(standing: &mut Standing, state: State, at: Timestamp) {
    if standing.state != state {
        standing.state = state;
        standing.since = at;
    }
}

/// What an unknown claim may still tell: where nothing is proved, nothing weighs as a violation.
fn without_violations(findings: Vec<Finding>) -> Vec<Finding> {
    let lowered = findings.into_iter().map(|finding| match finding.severity {
        Severity::Violation => Finding { severity: Severity::Info, ..finding },
        Severity::Info | Severity::Warning => finding,
    });
    let mut lowered: Vec<Finding> = lowered.collect();
    lowered.sort_by_key(|finding| Reverse(finding.severity));
    lowered
}

/// Endpoints as they were last seen: a look that came to none takes nothing back.
fn endpoints(before: &Standing, look: &Look) -> Vec<EndpointStanding> {
    if look.report.endpoints.is_empty() && look.report.state == State::Unknown {
        return before.endpoints.clone();
    }
    look.report.endpoints.iter().map(EndpointStanding::from).collect()
}

/// Changes that the look tells itself, and that were not told by the one before it.
fn noticed(before: &Standing, findings: &[Finding]) -> Vec<Finding> {
    let is_change = |finding: &&Finding| finding.id == FindingId::ConnectorChanged;
    let is_new = |finding: &&Finding| {
        before.findings.iter().all(|old| {
            (old.id, &old.subject, &old.seen) != (finding.id, &finding.subject, &finding.seen)
        })
    };
    findings.iter().filter(is_change).filter(is_new).cloned().collect()
}

fn happened(before: &Standing, standing: &Standing, noticed: Vec<Finding>) -> Vec<Happening> {
    let changed = (before.state != standing.state).then(|| Happening::StateChanged {
        from: before.state,
        to: standing.state,
        summary: standing.summary.clone(),
        findings: once(standing.findings.iter().map(|finding| finding.id)),
        obstacles: once(standing.obstacles.iter().map(|obstacle| obstacle.id)),
        evidence: standing.evidence.clone(),
    });
    let noticed = noticed.into_iter().map(|finding| Happening::Noticed { finding });
    changed.into_iter().chain(noticed).collect()
}

/// Each id once, in order.
fn once<T: PartialEq>(ids: impl Iterator<Item = T>) -> Vec<T> {
    ids.fold(Vec::new(), |mut all, id| {
        if !all.contains(&id) {
            all.push(id);
        }
        all
    })
}

/// Whether a proof of this instant still holds.
fn is_within(at: Timestamp, rules: &Rules) -> bool {
    let max_age = SignedDuration::try_from(rules.max_age).unwrap_or(SignedDuration::MAX);
    rules.now.duration_since(at).abs() <= max_age
}

#[cfg(test)]
pub(super) mod tests;
