//! Examines this host: whether what mxwarden needs of it is there (`mxwarden doctor`).
//!
//! 1. What is on the disk: state directory, record, certificates, roots, clock.
//! 2. What the network says: resolvers, our own name, the records of canaries.
//! 3. What gets through: port 25, the canaries' addresses, the way into our mail system.
//! 4. [`examine_quickly`] asks the disk and loopback alone, for health checks.
//!
//! Invariant: nobody is connected to who is not configured, and no mail is sent.
//! Invariant: every check ends, within the patience given; what it cannot tell is told as that.

mod canaries;
mod disk;
mod names;
mod reach;

use super::means::{Flags, Means};
use crate::config::Config;
use crate::observe::{clock::Clock, dns::Families};
use crate::wire::name::Host;
use std::{future::Future, sync::Arc, time::Duration};
use tokio::time::timeout;

/// What is examined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The configuration.
    Config,
    /// The state directory and the record in it.
    Store,
    /// The daemon, where one holds the state directory.
    Daemon,
    /// The clock.
    Clock,
    /// The roots a chain may end at.
    Roots,
    /// Our own certificates.
    Certificates,
    /// Whom we ask for names.
    Resolver,
    /// How we introduce ourselves.
    Name,
    /// Whether port 25 leaves this host.
    Port25,
    /// Our receivers, as senders see them.
    Canary,
    /// The way into our mail system.
    Submit,
}

impl Kind {
    /// The word it is called by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Store => "store",
            Self::Daemon => "daemon",
            Self::Clock => "clock",
            Self::Roots => "roots",
            Self::Certificates => "certificates",
            Self::Resolver => "resolver",
            Self::Name => "name",
            Self::Port25 => "port25",
            Self::Canary => "canary",
            Self::Submit => "submit",
        }
    }
}

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is as it should be.
    Ok,
    /// It is not, and this is what is wrong.
    Problem(Symptom),
    /// It cannot be told from here, and this is why.
    Unclear(Symptom),
}

impl Outcome {
    /// Its health.
    pub fn health(self) -> Health {
        match self {
            Self::Ok => Health::Ok,
            Self::Unclear(_) => Health::Unclear,
            Self::Problem(_) => Health::Problem,
        }
    }

    /// What is wrong, or why nothing can be told.
    pub fn symptom(self) -> Option<Symptom> {
        match self {
            Self::Ok => None,
            Self::Problem(symptom) | Self::Unclear(symptom) => Some(symptom),
        }
    }
}

/// How well this host is; the order matters, worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// All of it was seen to be as it should be.
    Ok,
    /// Something could not be told, and nothing is wrong.
    Unclear,
    /// Something is wrong.
    Problem,
}

impl Health {
    /// The word it is called by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unclear => "unclear",
            Self::Problem => "problem",
        }
    }
}

/// What is wrong, or why nothing can be told; each has one repair, in `cli/doctor.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symptom {
    /// No interface of this host has the address of a canary.
    AddressNotHere,
    /// A canary is on another host.
    CanaryElsewhere,
    /// Nobody answers at a canary's address.
    CanarySilent,
    /// A certificate ends soon.
    CertificateEndsSoon,
    /// A certificate is expired or not yet valid.
    CertificateOutOfDate,
    /// A certificate cannot be read.
    CertificateUnreadable,
    /// The clock is behind what was written by it.
    ClockBackwards,
    /// Nobody says whether the clock is kept right.
    ClockNotTold,
    /// The daemon holds the state directory and does not answer.
    DaemonSilent,
    /// No space is left.
    DiskFull,
    /// A name could not be looked up.
    DnsUnseen,
    /// A canary's records are not what a sender needs to find it.
    DnsWrong,
    /// Files in the state directory belong to another user than the directory.
    ForeignFiles,
    /// A host that port 25 could be tried at cannot be found.
    HostUnfound,
    /// Our name has no address.
    NameWithoutAddress,
    /// We have no name that others could look up.
    NoName,
    /// Nobody is configured to whom port 25 could be tried.
    NobodyToTry,
    /// A check took longer than it may.
    OutOfTime,
    /// Nobody answers on port 25, whoever is tried.
    Port25Blocked,
    /// The one host that was tried on port 25 does not answer.
    Port25Unanswered,
    /// The address has no PTR record with our name.
    PtrWrong,
    /// The file system of the state directory is read-only.
    ReadOnly,
    /// The record cannot be used.
    RecordUnusable,
    /// A resolver does not answer.
    ResolverSilent,
    /// The built-in roots are old.
    RootsOld,
    /// A secret lies where only the service can read it.
    SecretUnseen,
    /// Probes leave from an address that is none of our name's.
    SourceNotOurs,
    /// The state directory is not there.
    StateDirMissing,
    /// The state directory cannot be written by this user.
    StateDirNotOurs,
    /// Probe mail would not be taken.
    SubmitFails,
    /// A way of submission that is not in this version.
    SubmitNotYet,
    /// What looks at the world cannot be set up.
    Unusable,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was examined.
    pub kind: Kind,
    /// Which one of them.
    pub subject: String,
    /// What it came to.
    pub outcome: Outcome,
    /// What was seen, in words. No secret is in it.
    pub seen: String,
}

impl Check {
    fn ok(kind: Kind, subject: impl Into<String>, seen: impl Into<String>) -> Self {
        Self { kind, subject: subject.into(), outcome: Outcome::Ok, seen: seen.into() }
    }

    fn problem(
        kind: Kind,
        subject: impl Into<String>,
        symptom: Symptom,
        seen: impl Into<String>,
    ) -> Self {
        let outcome = Outcome::Problem(symptom);
        Self { kind, subject: subject.into(), outcome, seen: seen.into() }
    }

    fn unclear(
        kind: Kind,
        subject: impl Into<String>,
        symptom: Symptom,
        seen: impl Into<String>,
    ) -> Self {
        let outcome = Outcome::Unclear(symptom);
        Self { kind, subject: subject.into(), outcome, seen: seen.into() }
    }
}

/// Everything that was examined, in the order of [`Kind`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// The checks.
    pub checks: Vec<Check>,
}

impl Diagnosis {
    fn of(mut checks: Vec<Check>) -> Self {
        checks.sort_by_key(|check| check.kind);
        Self { checks }
    }

    /// The worst of all checks.
    pub fn health(&self) -> Health {
        self.checks.iter().map(|check| check.outcome.health()).max().unwrap_or(Health::Ok)
    }
}

/// What to examine, and how long each check may take.
#[derive(Debug)]
pub struct DoctorPlan {
    /// The configuration, which is valid.
    pub config: Config,
    /// How many warnings it has.
    pub warnings: usize,
    /// How many of its secrets cannot be looked at here.
    pub unseen: usize,
    /// This host's name, where the configuration gives none.
    pub own_name: Option<Host>,
    /// How long one check may take.
    pub patience: Duration,
}

impl DoctorPlan {
    fn config_check(&self) -> Check {
        let seen = match self.warnings {
            0 => "valid".to_owned(),
            1 => "valid, with 1 warning".to_owned(),
            many => format!("valid, with {many} warnings"),
        };
        match self.unseen {
            0 => Check::ok(Kind::Config, "", seen),
            unseen => {
                let seen = format!(
                    "{seen}; $CREDENTIALS_DIRECTORY is not set, so {unseen} of its secrets cannot be looked at here"
                );
                Check::unclear(Kind::Config, "", Symptom::SecretUnseen, seen)
            }
        }
    }
}

/// Examines everything.
pub async fn examine(plan: DoctorPlan) -> Diagnosis {
    let patience = plan.patience;
    let now = Clock::system().now();
    let mut checks = vec![plan.config_check(), disk::clock(&plan.config.state_dir, now)];
    checks.extend(disk::store(&plan.config.state_dir));
    checks.extend(disk::roots(&plan.config, now));
    checks.extend(disk::certificates(&plan.config, now));
    let daemon = reach::daemon(&plan.config, patience).await;
    checks.push(
        daemon.unwrap_or_else(|| Check::ok(Kind::Daemon, "", "none holds the state directory now")),
    );
    let flags = Flags {
        families: Families::Both,
        ehlo: plan.own_name.clone(),
        deadline: patience,
        ..Flags::default()
    };
    let own_name = plan.config.organisation.ehlo.clone().or_else(|| plan.own_name.clone());
    let means = match Means::build(plan.config, flags) {
        Ok(means) => Arc::new(means),
        Err(error) => {
            let seen = super::verify::chain(&error);
            checks.push(Check::problem(Kind::Resolver, "", Symptom::Unusable, seen));
            return Diagnosis::of(checks);
        }
    };
    let (resolvers, name, port25, canaries, submit) = tokio::join!(
        in_time(Kind::Resolver, patience, names::resolvers(&means, patience)),
        in_time(Kind::Name, patience, names::own_name(&means, own_name)),
        in_time(Kind::Port25, patience, reach::port25(&means)),
        in_time(Kind::Canary, patience, canaries::canaries(&means, patience)),
        in_time(Kind::Submit, patience, reach::submissions(&means, patience)),
    );
    checks.extend([resolvers, name, port25, canaries, submit].into_iter().flatten());
    Diagnosis::of(checks)
}

/// Examines what a health check may: the state directory, and the daemon where it has it. Nothing beyond this host.
pub async fn examine_quickly(plan: DoctorPlan) -> Diagnosis {
    let mut checks = vec![plan.config_check()];
    match reach::daemon(&plan.config, plan.patience).await {
        // It answers: it has the state directory, and says itself when it cannot write there.
        Some(daemon) => checks.push(daemon),
        None => checks.push(disk::writable(&plan.config.state_dir)),
    }
    Diagnosis::of(checks)
}

/// The checks of a kind, or that they took too long. A little more than the patience: each has its own bound within.
async fn in_time(
    kind: Kind,
    patience: Duration,
    checks: impl Future<Output = Vec<Check>>,
) -> Vec<Check> {
    match timeout(patience * 2, checks).await {
        Ok(checks) => checks,
        Err(_) => {
            let seen = format!("not done within {} seconds", (patience * 2).as_secs());
            vec![Check::unclear(kind, "", Symptom::OutOfTime, seen)]
        }
    }
}
