//! Does the connector say what was agreed? `configured`, by the records a mail system gave of itself.
//!
//! 1. The rule that takes the partner's mail is found the way the mail system chooses it (`route`, `inbound`).
//! 2. What it demands is held against the agreement: a weaker one is a violation.
//! 3. A record that looks right and is not the one at work (off, in test mode, shadowed, …) is told; it violates
//!    where nothing else does what was agreed.
//! 4. What the records do not say keeps the claim unknown. Exchange Online's mail flow rules go before connectors:
//!    without them nothing is known of mail from us, neither good nor bad.
//!
//! Invariant: a property that was not reported is never taken for on or off.

mod changes;
mod contradiction;
mod demand;
mod inbound;
mod names;
mod outbound;
mod repair;
mod route;
mod scope;

pub use changes::changes;
pub use contradiction::{Contradiction, contradictions};
pub use scope::scope;

use crate::model::{
    claim::Direction,
    connector::MailTarget,
    finding::{Finding, FindingId, Severity},
    imported::{Dated, Imported, Platform},
    judgement::{Judgement, Proof, Remarks, Violation},
    obstacle::{Obstacle, ObstacleId},
    requirement::Requirement,
};
use crate::wire::name::{Domain, NamePattern};
use core::time::Duration;
use jiff::{SignedDuration, Timestamp};

/// What was agreed with one partner in one direction.
#[derive(Debug, Clone, Copy)]
pub struct Agreement<'a> {
    /// Which way the mail goes.
    pub direction: Direction,
    /// The connector's name, here and in the records.
    pub connector: &'a str,
    /// What it must demand.
    pub requirement: &'a Requirement,
    /// Inbound: names, one of which the client certificate must match; empty means that none is required.
    pub client_names: &'a [NamePattern],
    /// The partner's mail domains.
    pub domains: &'a [Domain],
    /// Outbound: where the partner receives.
    pub targets: &'a [MailTarget],
    /// Inbound: our mail domains.
    pub ours: &'a [Domain],
}

/// When it is judged, and how old an export may be.
#[derive(Debug, Clone, Copy)]
pub struct Standard {
    /// Now.
    pub now: Timestamp,
    /// An export older than this proves nothing any more.
    pub max_age: Duration,
}

/// The import that speaks of this connector: the one that has a record of its name, else the first that has any
/// of its direction.
pub fn import_of<'a>(
    imports: &'a [Imported],
    direction: Direction,
    connector: &str,
) -> Option<&'a Imported> {
    let names = |import: &Imported| -> Option<Vec<String>> {
        match direction {
            Direction::Outbound => {
                Some(import.outbound.as_ref()?.iter().map(|record| record.name.clone()).collect())
            }
            Direction::Inbound => {
                Some(import.inbound.as_ref()?.iter().map(|record| record.name.clone()).collect())
            }
        }
    };
    let named = imports.iter().find(|import| {
        names(import).is_some_and(|names| names.iter().any(|name| name == connector))
    });
    named.or_else(|| imports.iter().find(|import| names(import).is_some()))
}

/// Judges one agreement by the imported records.
pub fn judge(imports: &[Imported], agreement: &Agreement<'_>, standard: &Standard) -> Judgement {
    let Some(import) = import_of(imports, agreement.direction, agreement.connector) else {
        let what = match agreement.direction {
            Direction::Inbound => "the connectors for mail to us were not imported",
            Direction::Outbound => "the connectors for mail from us were not imported",
        };
        let obstacle = Obstacle::new(ObstacleId::RecordIncomplete, agreement.connector, what);
        return unknown(obstacle, Seen::default());
    };
    let mut seen = Seen::default();
    for domain in agreement.domains {
        match agreement.direction {
            Direction::Inbound => inbound::look(import, agreement, domain, &mut seen),
            Direction::Outbound => outbound::look(import, agreement, domain, &mut seen),
        }
    }
    if agreement.direction == Direction::Outbound {
        outbound::look_around(import, agreement, &mut seen);
        if import.platform == Platform::ExchangeOnline && import.rules.is_none() {
            seen.without_rules(agreement.connector);
        }
    }
    seen.dedup();
    conclude(import, seen, standard)
}

/// What was found so far.
#[derive(Debug, Default)]
struct Seen {
    findings: Vec<Finding>,
    obstacles: Vec<Obstacle>,
    /// The rules at work, in words.
    rules: Vec<String>,
}

impl Seen {
    fn dedup(&mut self) {
        let mut findings: Vec<Finding> = Vec::new();
        for finding in self.findings.drain(..) {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
        self.findings = findings;
        let mut obstacles: Vec<Obstacle> = Vec::new();
        for obstacle in self.obstacles.drain(..) {
            if !obstacles.contains(&obstacle) {
                obstacles.push(obstacle);
            }
        }
        self.obstacles = obstacles;
        self.rules.sort();
        self.rules.dedup();
    }

    /// A mail flow rule may send the mail to a weaker connector, and as well to a stronger one: what was found holds
    /// only where there is none.
    fn without_rules(&mut self, connector: &str) {
        let detail = "mail flow rules go before connectors, and they were not imported: \
                      rules.json (Get-TransportRule) is missing; import all files at once";
        self.obstacles.insert(0, Obstacle::new(ObstacleId::RecordIncomplete, connector, detail));
        for finding in &mut self.findings {
            finding.severity = finding.severity.min(Severity::Warning);
        }
    }

    fn incomplete(&mut self, subject: &str, detail: impl Into<String>) {
        self.obstacles.push(Obstacle::new(ObstacleId::RecordIncomplete, subject, detail));
    }
}

/// A finding whose advice is the very command that repairs it, behind what must come before it. What is said of
/// its kind in general, which is of other systems as well, is left out then.
fn finding(
    id: FindingId,
    severity: Severity,
    subject: &str,
    seen: impl Into<String>,
    expected: impl Into<String>,
    repair: Option<String>,
) -> Finding {
    let mut finding = Finding::new(id, severity, subject, seen, expected);
    if let Some(repair) = repair {
        // What is typed or written somewhere stands between backticks.
        let caution = if stops_mail(id) && repair.contains('`') {
            "Agree on the date with the partner and test first: mail that does not meet it stops from then on. "
        } else {
            ""
        };
        finding.advice = format!("{caution}{repair} Then import again.");
    }
    finding
}

/// Whether the repair may turn mail away that goes through now.
fn stops_mail(id: FindingId) -> bool {
    matches!(
        id,
        FindingId::ConnectorDisabled
            | FindingId::ConnectorMissing
            | FindingId::ConnectorNotPartner
            | FindingId::ConnectorPolicyOff
            | FindingId::ConnectorRuleScoped
            | FindingId::ConnectorShadowed
            | FindingId::ConnectorTestMode
            | FindingId::ConnectorWeaker
    )
}

/// A finding whose repair stops mail of a partner that is not ready for it: what comes before it is told before it.
fn finding_with_care(
    id: FindingId,
    severity: Severity,
    subject: &str,
    seen: impl Into<String>,
    expected: impl Into<String>,
    repair: &str,
) -> Finding {
    let mut finding = Finding::new(id, severity, subject, seen, expected);
    finding.advice = format!(
        "First agree on the date with the partner, and see that all its servers present the certificate with its \
         whole chain: from the next command on all other mail is refused. Then {repair} Then import again."
    );
    finding
}

/// What a command for this platform looks like; none where it is not known.
fn on(
    platform: Platform,
    exchange: impl FnOnce() -> String,
    postfix: impl FnOnce() -> String,
) -> Option<String> {
    Some(match platform {
        Platform::ExchangeOnline => exchange(),
        Platform::Postfix => postfix(),
    })
}

fn conclude(import: &Imported, seen: Seen, standard: &Standard) -> Judgement {
    let violation = seen.findings.iter().find_map(Violation::of);
    let age = standard.now.duration_since(import.exported_at);
    let max_age = SignedDuration::try_from(standard.max_age).unwrap_or(SignedDuration::MAX);
    if age > max_age {
        let detail = match import.dated {
            Dated::ByExport => format!(
                "the records were exported at {}, and what they say is not taken for true any more",
                import.exported_at
            ),
            Dated::ByFile => format!(
                "the oldest file of the records is dated {}, and what they say is not taken for true any more",
                import.exported_at
            ),
        };
        return unknown(Obstacle::new(ObstacleId::Stale, import.platform, detail), seen);
    }
    if let Some(violation) = violation {
        let summary = summary_of(&seen);
        return Judgement::violated(violation, import.exported_at, remarks(summary, seen));
    }
    if let Some(first) = seen.obstacles.first().cloned() {
        return unknown(first, seen);
    }
    let dated = match import.dated {
        Dated::ByExport => "as exported at",
        Dated::ByFile => "file dated",
    };
    let summary = format!("{}, {dated} {}", seen.rules.join("; "), import.exported_at);
    Judgement::compliant(Proof::since(import.exported_at), remarks(summary, seen))
}

fn summary_of(seen: &Seen) -> String {
    let mut violations = seen.findings.iter().filter(|one| one.severity == Severity::Violation);
    match (violations.next(), violations.count()) {
        (Some(first), 0) => format!("{}: {}", first.id.explanation().title, first.seen),
        (Some(first), more) => {
            format!("{}: {}; and {more} more", first.id.explanation().title, first.seen)
        }
        (None, _) => String::new(),
    }
}

fn unknown(first: Obstacle, seen: Seen) -> Judgement {
    let summary = first.detail.clone();
    Judgement::unknown(first, remarks(summary, seen))
}

fn remarks(summary: String, seen: Seen) -> Remarks {
    Remarks { summary, findings: seen.findings, obstacles: seen.obstacles, ..Remarks::default() }
}
