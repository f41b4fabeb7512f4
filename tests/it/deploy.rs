//! What is shipped beside the program speaks of what the program has: rules, their runbooks, the dashboard.

use crate::shown;
use mxwarden::model::{canary::Personality, finding::FindingId, obstacle::ObstacleId};
use std::{collections::BTreeSet, fs, path::Path};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The names of our metrics that stand in a text; comments do not count.
fn names(text: &str) -> BTreeSet<String> {
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    code.join("\n")
        .split(|letter| !is_of_name(letter))
        .filter(|word| word.starts_with("mxwarden_"))
        .map(str::to_owned)
        .collect()
}

/// The names of everything a daemon exposes.
fn exposed() -> BTreeSet<String> {
    let text = shown::metrics(jiff::Timestamp::UNIX_EPOCH).encode().unwrap();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

/// The expressions of the dashboard.
fn expressions() -> Vec<String> {
    let dashboard: serde_json::Value = serde_json::from_str(&read("deploy/grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn rules_and_dashboard_ask_for_metrics_that_exist() {
    let exposed = exposed();
    let dashboard = expressions().join("\n");
    for (place, text) in [("rules", read("deploy/prometheus/rules.yml")), ("dashboard", dashboard)]
    {
        let unknown: Vec<_> = names(&text).difference(&exposed).cloned().collect();
        // Where the words of a description name a metric, it is one as well.
        assert!(unknown.is_empty(), "{place}: {unknown:?}");
        assert!(names(&text).len() > 8, "{place}");
    }
    // The cases are about series that a daemon has, or they prove nothing.
    let cases: BTreeSet<_> = names(&read("deploy/prometheus/tests.yml"));
    assert!(cases.is_subset(&exposed), "{:?}", cases.difference(&exposed));
}

#[test]
fn the_dashboard_shows_every_metric() {
    let shown = names(&expressions().join("\n"));
    let whole = |name: &str| {
        let ends = ["_bucket", "_sum", "_count"];
        ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned()
    };
    let shown: BTreeSet<_> = shown.iter().map(|name| whole(name)).collect();
    let ours = exposed().into_iter().filter(|name| name.starts_with("mxwarden_"));
    // Times of their own: the first is in the states over time, the others are for rules.
    let not_shown = [
        "mxwarden_claim_state_since_timestamp_seconds",
        "mxwarden_claim_interval_seconds",
        "mxwarden_claim_max_age_seconds",
    ];
    let left: BTreeSet<_> = ours.map(|name| whole(&name)).filter(|n| !shown.contains(n)).collect();
    assert_eq!(left, not_shown.map(str::to_owned).into());
}

#[test]
fn the_contract_names_whatever_others_read() {
    let contract = read("docs/contract.md");
    let is_named = |name: &str| contract.contains(&format!("`{name}`"));
    let findings = FindingId::ALL.iter().map(|id| id.as_str());
    let obstacles = ObstacleId::ALL.iter().map(|id| id.as_str());
    let personalities = Personality::ALL.iter().map(|one| one.as_str());
    let left: Vec<_> =
        findings.chain(obstacles).chain(personalities).filter(|name| !is_named(name)).collect();
    assert!(left.is_empty(), "{left:?}");
    let whole = exposed();
    let named = names(&contract);
    let is_of = |name: &String| {
        let ends = ["_bucket", "_sum", "_count"];
        ends.iter().find_map(|end| name.strip_suffix(end)).is_some_and(|one| named.contains(one))
    };
    let ours = whole.iter().filter(|name| name.starts_with("mxwarden_"));
    let left: Vec<_> = ours.filter(|name| !named.contains(*name) && !is_of(name)).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn every_alert_has_a_severity_words_a_runbook_and_cases_both_ways() {
    let rules = read("deploy/prometheus/rules.yml");
    let runbooks = read("docs/runbooks.md");
    let cases = read("deploy/prometheus/tests.yml");
    let mut alerts = BTreeSet::new();
    for rule in rules.split("\n      - alert: ").skip(1) {
        let alert = rule.lines().next().unwrap();
        alerts.insert(alert);
        for key in ["          severity: ", "          summary: ", "          description: "] {
            assert!(rule.contains(key), "{alert}: {key}");
        }
        let anchor = alert.to_ascii_lowercase();
        let link = format!(
            "          runbook_url: https://github.com/mxwarden/mxwarden/blob/main/docs/runbooks.md#{anchor}\n"
        );
        assert!(format!("{rule}\n").contains(&link), "{alert}");
    }
    let sections: BTreeSet<_> =
        runbooks.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert_eq!(sections, alerts);
    for section in runbooks.split("\n## ").skip(1) {
        for part in ["**Means.**", "**Look at**", "\n    ", "**Do.**", "**Tell the partner**"] {
            assert!(section.contains(part), "{part}: {section}");
        }
    }
    for alert in alerts {
        let of_alert = |case: &&str| case.lines().next() == Some(alert);
        let cases: Vec<_> = cases.split("- alertname: ").skip(1).filter(of_alert).collect();
        let quiet = cases.iter().filter(|case| case.contains("exp_alerts: []")).count();
        assert!(quiet > 0 && quiet < cases.len(), "{alert} is tried one way only");
    }
}
