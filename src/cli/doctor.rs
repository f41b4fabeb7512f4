//! `mxwarden doctor`: says how this host is, and how to repair what is wrong.
//!
//! 1. A configuration with mistakes ends it: exit 2, as everywhere; with `--quick` it is a problem like any other.
//! 2. The first line is the answer; then every check, and beneath one that is not ok what to do.
//!
//! Invariant: every symptom has a repair.

use super::{
    Failure,
    args::{DoctorArgs, DoctorFormat},
    check::own_name,
};
use crate::config::Config;
use crate::daemon::doctor::{self, Check, Diagnosis, DoctorPlan, Health, Symptom};
use serde::Serialize;
use std::{io::Write, time::Duration};

/// The format of `--format json`.
const FORMAT: &str = "mxwarden-doctor/1";

/// Runs the command; the exit code.
pub(super) fn run(args: &DoctorArgs, out: &mut dyn Write) -> Result<u8, Failure> {
    let loaded = match Config::read(&args.config) {
        Ok(loaded) => loaded,
        Err(error) if args.quick => {
            // A health check knows healthy and not: 2 means something else to who runs it.
            let failure = Failure::from(error);
            let _ = write!(anstream::stderr(), "{failure}");
            return Ok(1);
        }
        Err(error) => return Err(error.into()),
    };
    let plan = DoctorPlan {
        config: loaded.config,
        warnings: loaded.warnings.len(),
        unseen: loaded.unseen.len(),
        own_name: own_name(),
        patience: Duration::from_secs(args.timeout),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let diagnosis = runtime.block_on(async {
        if args.quick { doctor::examine_quickly(plan).await } else { doctor::examine(plan).await }
    });
    runtime.shutdown_background();
    match args.format {
        DoctorFormat::Json => write_json(&diagnosis, out)?,
        DoctorFormat::Text => write_text(&diagnosis, out)?,
    }
    out.flush()?;
    Ok(match (diagnosis.health(), args.quick) {
        (Health::Ok, _) | (Health::Unclear, true) => 0,
        (Health::Problem, _) => 1,
        (Health::Unclear, false) => 3,
    })
}

fn write_text(diagnosis: &Diagnosis, out: &mut dyn Write) -> std::io::Result<()> {
    let count =
        |health| diagnosis.checks.iter().filter(|check| check.outcome.health() == health).count();
    let answer = match (count(Health::Problem), count(Health::Unclear)) {
        (0, 0) => "all is well".to_owned(),
        (0, unclear) => format!("nothing is wrong, {unclear} could not be told"),
        (problems, 0) => format!("{problems} wrong"),
        (problems, unclear) => format!("{problems} wrong, {unclear} could not be told"),
    };
    writeln!(out, "{}: {answer}\n", diagnosis.health().as_str())?;
    for check in &diagnosis.checks {
        let (mark, health) = match check.outcome.health() {
            Health::Ok => ("✓", "ok"),
            Health::Unclear => ("?", "unclear"),
            Health::Problem => ("✗", "problem"),
        };
        writeln!(out, "{mark} {health:<8} {:<13} {}", check.kind.as_str(), told(check))?;
        if let Some(symptom) = check.outcome.symptom() {
            writeln!(out, "             {}", repair(symptom))?;
        }
    }
    Ok(())
}

fn told(check: &Check) -> String {
    match check.subject.as_str() {
        "" => check.seen.clone(),
        subject => format!("{subject}: {}", check.seen),
    }
}

#[derive(Serialize)]
struct DiagnosisJson<'a> {
    format: &'static str,
    state: &'static str,
    checks: Vec<CheckJson<'a>>,
}

#[derive(Serialize)]
struct CheckJson<'a> {
    check: &'static str,
    subject: &'a str,
    state: &'static str,
    seen: &'a str,
    repair: Option<&'static str>,
}

fn write_json(diagnosis: &Diagnosis, out: &mut dyn Write) -> anyhow::Result<()> {
    let checks = diagnosis.checks.iter().map(|check| CheckJson {
        check: check.kind.as_str(),
        subject: &check.subject,
        state: check.outcome.health().as_str(),
        seen: &check.seen,
        repair: check.outcome.symptom().map(repair),
    });
    let whole = DiagnosisJson {
        format: FORMAT,
        state: diagnosis.health().as_str(),
        checks: checks.collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &whole)?;
    writeln!(out)?;
    Ok(())
}

/// What to do.
fn repair(symptom: Symptom) -> &'static str {
    match symptom {
        Symptom::AddressNotHere => {
            "Give an interface of this host the address, free its port, or correct listen and public in [[canary]]."
        }
        Symptom::CanaryElsewhere => {
            "Run mxwarden doctor on the host of that canary, or write its addresses into public."
        }
        Symptom::CanarySilent => {
            "Canaries listen while mxwarden run or verify runs. Then look from outside: connect to port 25 of this address from your mail system."
        }
        Symptom::CertificateEndsSoon => "Renew it; a new file is read at the next reload or start.",
        Symptom::CertificateOutOfDate => "Renew it, and check that this host's clock is right.",
        Symptom::CertificateUnreadable => {
            "Write PEM certificates into it that the user mxwarden runs as can read."
        }
        Symptom::ClockBackwards => {
            "Set the clock right: certificates and the age of every proof are judged by it. Where it is right now, wait until the time of that file is past."
        }
        Symptom::ClockNotTold => {
            "Install chrony or systemd-timesyncd, or look yourself: timedatectl, or chronyc tracking as root."
        }
        Symptom::DaemonSilent => {
            "See what it says: journalctl -u mxwarden. Where another command holds the directory, wait for its end."
        }
        Symptom::DiskFull => {
            "Make room on the file system of state_dir: nothing is proved until it can be written."
        }
        Symptom::DnsUnseen => "Repair the resolver, then look again.",
        Symptom::DnsWrong => "Publish what mxwarden canary zone prints.",
        Symptom::ForeignFiles => {
            "Stop mxwarden, chown these files to the owner of the directory, and run commands as that user: sudo -u mxwarden mxwarden …"
        }
        Symptom::HostUnfound => {
            "Correct the name in beacons, or see why the resolver does not find it."
        }
        Symptom::NameWithoutAddress => {
            "Publish an A or AAAA record for it, with the address probes leave from."
        }
        Symptom::NoName => "Write ehlo = \"probe.YOUR.DOMAIN\" into [organisation].",
        Symptom::NobodyToTry => {
            "Name a host on the Internet that you may probe: beacons = [\"host:NAME\"] in [rounds]."
        }
        Symptom::OutOfTime => "Look again with a longer --timeout.",
        Symptom::Port25Blocked => "Ask your network or cloud provider to let port 25 out.",
        Symptom::Port25Unanswered => {
            "Name a second host in beacons: where both are silent it is this host's network, where one is it is that host."
        }
        Symptom::PtrWrong => {
            "Ask whoever gave you the address for a PTR record with that name; receivers refuse senders without."
        }
        Symptom::ReadOnly => "Let state_dir lie on a file system that is mounted to be written.",
        Symptom::RecordUnusable => "Do what is said there; keep the damaged file.",
        Symptom::ResolverSilent => {
            "Check that it is reached over UDP and TCP port 53, or name another in [dns] resolvers."
        }
        Symptom::RootsOld => "Update mxwarden, or write roots = \"system\" into [tls].",
        Symptom::SecretUnseen => {
            "Credentials are shown to the service alone. Name their folder yourself, as root: CREDENTIALS_DIRECTORY=/run/credentials/mxwarden.service mxwarden doctor."
        }
        Symptom::SourceNotOurs => {
            "Add that address to the records of the name, or let probes leave from one of them."
        }
        Symptom::StateDirMissing => {
            "systemd makes it (StateDirectory=mxwarden); by hand: install -d -m 700 -o mxwarden -g mxwarden DIRECTORY."
        }
        Symptom::StateDirNotOurs => {
            "Run as the user it belongs to: sudo -u mxwarden mxwarden doctor; or chown it."
        }
        Symptom::SubmitFails => {
            "Correct [connector.submit], or let the mail system take this host and user."
        }
        Symptom::SubmitNotYet => {
            "Use smtp://, smtps:// or smtp+starttls:// with username and password_file."
        }
        Symptom::Unusable => "Correct what is named there.",
    }
}
