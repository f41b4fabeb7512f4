//! Alerts at real receivers: an Alertmanager that receives and resolves, a Postfix that takes mail and delivers it.
//!
//! Setup: the dispatcher in this process, without a record; each program below the scratch directory.
//! Test: a claim breaks and recovers, and what the other side has of it is read back from there.

mod alertmanager;
mod mail;

use mxwarden::{
    config::Config,
    daemon::alerts::{AlertPlan, Alerts, Keep},
    model::{
        roots::Roots,
        standing::Standing,
        told::{Change, Memory},
    },
    observe::clock::Clock,
};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    thread::sleep,
    time::Duration,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::lab::{Said, finish, lab};

/// A folder of this world, and the configuration in it.
fn configure(name: &str, channel: &str) -> PathBuf {
    let folder = lab().scratch().join(format!("alerts-{name}"));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("mxwarden.toml");
    let text = format!(
        "state_dir = \"{folder}/state\"\n\
         [organisation]\nname = \"Contoso\"\ndomains = [\"contoso.test\"]\n\
         [[connector]]\nname = \"to-fabrikam\"\ndirection = \"outbound\"\nlevel = \"name\"\n\
         [[partner]]\nname = \"Fabrikam\"\ndomains = [\"fabrikam.test\"]\noutbound = \"to-fabrikam\"\n\
         [alert]\ngroup_wait = \"0s\"\ngroup_interval = \"0s\"\n\
         [[alert.channel]]\n{channel}",
        folder = folder.display()
    );
    std::fs::write(&file, text).unwrap();
    file
}

/// `mxwarden alert test`.
fn sample(config: &Path) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mxwarden"));
    finish(command.args(["alert", "test", "--config"]).arg(config))
}

/// Fabrikam's claim.
fn standing(state: &str, since: &str, findings: Value) -> Standing {
    let standing = json!({
        "partner": "Fabrikam", "claim": "outbound/receiver-offers",
        "requirement": { "level": "name", "names": [], "min_version": "1.2" },
        "basis": "", "state": state, "since": since, "summary": "1 of 1 endpoints was looked at",
        "findings": findings, "obstacles": [], "endpoints": [], "proven_at": null, "last_known": null,
        "evidence": "sha256:00ff", "looked_at": since, "pending": null, "memory": [],
        "posture": { "mx_set": [], "endpoints": [] }
    });
    serde_json::from_value(standing).unwrap()
}

fn violated() -> Standing {
    let finding = json!({
        "id": "cert-expired", "severity": "violation", "subject": "mx.fabrikam.test [192.0.2.1]:25",
        "seen": "not_after 2026-01-01 <b>", "expected": "in date", "advice": "Renew it.", "reference": "RFC 5280 §4.1.2.5"
    });
    standing("violated", "2026-02-01T00:00:00Z", json!([finding]))
}

/// Breaks the claim, waits for `then`, lets it recover and waits again.
fn break_and_recover(config: &Path, mut then: impl FnMut(&str)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let config = Config::read(config).unwrap().config;
    let plan = AlertPlan::of(&config, Arc::new(Roots::default()));
    let keep: Keep = Arc::new(|_: &[Change]| Ok(()));
    let (shutdown, tracker) = (CancellationToken::new(), TaskTracker::new());
    let alerts = {
        let _inside = runtime.enter();
        let clock = Clock::system();
        Alerts::start(plan, Memory::default(), keep, clock, |_| {}, shutdown.clone(), &tracker)
    };
    alerts.on(Arc::new(vec![violated()]), vec![]);
    then("violated");
    let recovered = standing("compliant", "2026-02-01T02:05:00Z", json!([]));
    alerts.on(Arc::new(vec![recovered]), vec![]);
    then("compliant");
    shutdown.cancel();
    tracker.close();
    runtime.block_on(tracker.wait());
}

/// What is there after a while; half a minute at most.
#[track_caller]
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..300 {
        if let Some(found) = look() {
            return found;
        }
        sleep(Duration::from_millis(100));
    }
    panic!("{what} never came");
}
