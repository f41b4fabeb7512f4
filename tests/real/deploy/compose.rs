//! `compose.yml`, held against the schema of the Compose Specification, and what it mounts against the programs that read it.

use super::{run, shipped, silent};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Reads YAML, holds it against a schema where one is given, and writes it as JSON.
const READ: &str = "
import json, sys, yaml, jsonschema
value = yaml.safe_load(open(sys.argv[1]))
if len(sys.argv) > 2:
    jsonschema.Draft7Validator(json.load(open(sys.argv[2]))).validate(value)
json.dump(value, sys.stdout)
";

fn python(arguments: &[&Path]) -> Command {
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-W", "ignore", "-c", READ]).args(arguments);
    command
}

fn schema() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/schemas/compose-spec.json")
}

pub(super) fn yaml(path: &Path) -> Value {
    serde_json::from_str(&silent(&mut python(&[path]))).unwrap()
}

#[test]
fn compose_keeps_to_its_schema() {
    silent(&mut python(&[&shipped("compose.yml"), &schema()]));
    // The schema would have said so.
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("compose.yml");
    let text = fs::read_to_string(shipped("compose.yml")).unwrap();
    fs::write(&wrong, text.replace("read_only: true", "readonly: true")).unwrap();
    let said = run(&mut python(&[&wrong, &schema()]));
    assert!(!said.status.success());
    assert!(String::from_utf8_lossy(&said.stderr).contains("readonly"));
}

#[test]
fn what_compose_names_is_there() {
    let compose = yaml(&shipped("compose.yml"));
    let services = compose["services"].as_object().unwrap();
    for (name, service) in services {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        for network in service["networks"].as_array().unwrap() {
            assert!(compose["networks"].get(network.as_str().unwrap()).is_some(), "{network}");
        }
        for volume in service["volumes"].as_array().unwrap() {
            let source = volume.as_str().unwrap().split(':').next().unwrap();
            match source.strip_prefix("./") {
                // The operator's.
                Some("config" | "secrets") => {}
                Some(shipped_folder) => assert!(shipped(shipped_folder).is_dir(), "{volume}"),
                None => assert!(compose["volumes"].get(source).is_some(), "{volume}"),
            }
        }
    }
    assert!(
        shipped("../").join(services["mxwarden"]["build"]["dockerfile"].as_str().unwrap()).exists()
    );
    // Whom Prometheus asks and tells are services, at the ports they listen at.
    let prometheus = yaml(&shipped("prometheus/prometheus.yml"));
    let alertmanagers = &prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"];
    let jobs = prometheus["scrape_configs"].as_array().unwrap();
    let targets = jobs.iter().map(|job| &job["static_configs"][0]["targets"]);
    for target in targets.chain([alertmanagers]).map(|targets| targets[0].as_str().unwrap()) {
        let (host, port) = target.split_once(':').unwrap();
        let service = if host == "localhost" { "prometheus" } else { host };
        let ports = services[service]["ports"].as_array().unwrap();
        assert!(
            ports.iter().any(|at| at.as_str().unwrap().ends_with(&format!(":{port}"))),
            "{target}"
        );
    }
    assert_eq!(prometheus["rule_files"], serde_json::json!(["rules.yml"]));
}

#[test]
fn prometheus_and_alertmanager_take_their_files() {
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "config"]);
    if !shipped("prometheus/rules.yml").exists() {
        promtool.arg("--syntax-only");
    }
    let promtool = run(promtool.arg(shipped("prometheus/prometheus.yml")));
    assert!(promtool.status.success(), "{promtool:?}");
    let amtool = run(Command::new("amtool")
        .arg("check-config")
        .arg(shipped("alertmanager/alertmanager.yml")));
    assert!(amtool.status.success(), "{amtool:?}");
}
