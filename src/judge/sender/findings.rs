//! What is told of a canary: findings, the obstacle, and the probe's line in the report.
//!
//! Invariant: no finding without a session of the probe.

use super::{
    attempts::Seen,
    ladder::{Case, Standing},
    shown::Shown,
    words,
};
use crate::model::{
    canary::Personality,
    delivery::{CanarySession, Fitness},
    finding::{Finding, FindingId, Severity},
    obstacle::{Obstacle, ObstacleId},
    report::{Outcome, ProbeKind, ProbeReport},
    session::Phase,
};

/// What one canary shows, one finding an id; a forbidden delivery weighs `breach`.
pub(super) fn findings(case: &Case<'_>, breach: Severity) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    if case.look.fitness != Fitness::Fit {
        // What was delivered to a canary that is not as it should be shows nothing.
        return findings;
    }
    for seen in &case.seen {
        let finding = match &seen.shown {
            Shown::Arrived if case.look.personality == Personality::Good => None,
            Shown::Arrived => Some(allowed(case, seen.session)),
            Shown::Breach(id) => Some(forbidden(case, seen.session, *id, breach)),
            Shown::CallOut => Some(call_out(case, seen.session)),
            Shown::NotTestable(_) | Shown::Refused | Shown::Undecided(_) => None,
        };
        findings.extend(finding.filter(|new| findings.iter().all(|old| old.id != new.id)));
    }
    findings
}

fn allowed(case: &Case<'_>, session: &CanarySession) -> Finding {
    Finding::new(
        FindingId::PersonalityAllowed,
        Severity::Info,
        case.subject(),
        format!("{} delivered {}", words::who(session), over(case, session)),
        "nothing else: the level allows it",
    )
}

fn call_out(case: &Case<'_>, session: &CanarySession) -> Finding {
    let transport = if session.is_mail_in_clear { "in clear" } else { "in TLS" };
    Finding::new(
        FindingId::SenderCallOut,
        Severity::Info,
        case.subject(),
        format!("{} said MAIL FROM:<> {transport}, without a message", words::who(session)),
        "no address verification, or one under the same rule as mail",
    )
}

fn forbidden(
    case: &Case<'_>,
    session: &CanarySession,
    id: FindingId,
    severity: Severity,
) -> Finding {
    let who = words::who(session);
    let seen = if session.message.is_some() || session.reached == Phase::Accepted {
        format!("{who} delivered {}", over(case, session))
    } else if session.is_mail_in_clear {
        format!("{who} said MAIL with our sender in clear; {}", words::ended(session))
    } else {
        format!("{who} said MAIL {}; {}", over(case, session), words::ended(session))
    };
    let lowest = case.probe.map(|probe| probe.requirement.min_version.version());
    let expected = match (id, lowest) {
        (FindingId::DeliveredOverLegacyTls, Some(lowest)) => {
            format!("the sender leaves before MAIL: nothing below {lowest} will do")
        }
        (FindingId::DeliveredOverUnverifiedTls, _) => {
            format!("the sender leaves before MAIL: {} will not do", defect(case))
        }
        (_, _) => "the sender leaves before MAIL: no TLS will not do".to_owned(),
    };
    Finding::new(id, severity, case.subject(), seen, expected)
}

fn defect(case: &Case<'_>) -> &'static str {
    words::defect(case.look.personality)
}

fn over(case: &Case<'_>, session: &CanarySession) -> String {
    if session.is_mail_in_clear {
        return "in clear".to_owned();
    }
    let version = session.tls.as_ref().and_then(|tls| tls.version);
    let version = version.map_or_else(|| "TLS".to_owned(), |version| version.to_string());
    if case.look.personality.is_about_certificate() {
        format!("over {version} to {}", defect(case))
    } else {
        format!("over {version}")
    }
}

/// What keeps this canary from being proved, where it must be; none where it was refused, or breached.
pub(super) fn obstacle(case: &Case<'_>) -> Option<Obstacle> {
    let (id, detail) = match &case.standing {
        Standing::Delivered if case.is_breached() => return None,
        Standing::Refused(_) => return None,
        Standing::Delivered => (ObstacleId::Undecided, "it was allowed when the probe was sent"),
        Standing::NotSeen(why) => (ObstacleId::NoAttemptSeen, why.as_str()),
        Standing::NotSubmitted(why) => (ObstacleId::SubmitFailed, why.as_str()),
        Standing::NotTestable(why) => (ObstacleId::NotTestable, why.as_str()),
        Standing::Unattributed(why) => (ObstacleId::Unattributed, why.as_str()),
        Standing::Undecided(why) => (ObstacleId::Undecided, why.as_str()),
    };
    Some(Obstacle::new(id, case.subject(), detail))
}

/// Why the control proves nothing.
pub(super) fn control_obstacle(case: &Case<'_>) -> Obstacle {
    let not_arrived = |why: &str| Obstacle::new(ObstacleId::ControlNotArrived, case.subject(), why);
    match &case.standing {
        Standing::Delivered => not_arrived("it was delivered, but not over TLS that will do"),
        Standing::NotSubmitted(why) => {
            Obstacle::new(ObstacleId::SubmitFailed, case.subject(), why.as_str())
        }
        Standing::NotTestable(why) => {
            Obstacle::new(ObstacleId::NotTestable, case.subject(), why.as_str())
        }
        Standing::NotSeen(why) | Standing::Unattributed(why) | Standing::Undecided(why) => {
            not_arrived(why)
        }
        Standing::Refused(_) => not_arrived("the sender left"),
    }
}

/// One line a canary.
pub(super) fn report(case: &Case<'_>) -> ProbeReport {
    let outcome = match &case.standing {
        Standing::Delivered => Outcome::Delivered,
        Standing::NotSeen(_) | Standing::NotSubmitted(_) => Outcome::NotSeen,
        Standing::NotTestable(_) => Outcome::NotTestable,
        Standing::Refused(_) => Outcome::Refused,
        Standing::Unattributed(_) | Standing::Undecided(_) => Outcome::Undecided,
    };
    let phase = case.seen.iter().map(|seen| seen.session.reached).max();
    let reply = match &case.standing {
        Standing::Delivered => {
            telling(case, |shown| matches!(shown, Shown::Arrived | Shown::Breach(_)))
        }
        Standing::Refused(_) => telling(case, |shown| *shown == Shown::Refused),
        Standing::NotSeen(why)
        | Standing::NotSubmitted(why)
        | Standing::NotTestable(why)
        | Standing::Unattributed(why)
        | Standing::Undecided(why) => Some(why.clone()),
    };
    ProbeReport {
        kind: ProbeKind::Personality(case.look.personality),
        target: case.look.domain.to_string(),
        outcome,
        phase: phase.unwrap_or(Phase::Connect),
        reply,
        class: None,
    }
}

/// The last session that shows such a thing, in words.
fn telling(case: &Case<'_>, is_such: impl Fn(&Shown) -> bool) -> Option<String> {
    let last = |seen: &&Seen<'_>| is_such(&seen.shown);
    let seen = case.seen.iter().rev().find(last)?;
    Some(format!("{}: {}", words::who(seen.session), words::ended(seen.session)))
}
