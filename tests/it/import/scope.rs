//! How far a proof by canaries reaches, by the imported connectors; and what contradicts itself.

use super::{another, import, outbound};
use mxwarden::{
    judge::configured,
    model::{
        canary::Personality,
        claim::Claim,
        connector::{OutboundConnector, SenderMarks, SendsSni, Timing},
        delivery::Scope,
        report::ClaimReport,
        requirement::{Level, Requirement},
        state::State,
    },
};
use serde_json::{Value, json};

fn connector(name: &str) -> OutboundConnector {
    let canary = |personality, domain: &str| (personality, domain.parse().unwrap());
    OutboundConnector {
        name: name.to_owned(),
        requirement: Requirement::of(Level::Name),
        sni: SendsSni::Unknown,
        proved_on: None,
        submit: None,
        canaries: [
            canary(Personality::Good, "good.canary.test"),
            canary(Personality::NoStarttls, "notls.canary.test"),
        ]
        .into(),
        sender: SenderMarks::default(),
        timing: Timing::default(),
    }
}

fn scope(records: Vec<Value>) -> Scope {
    let imported = import(&[("outbound.json", records), ("rules.json", vec![])]);
    let connector = connector("To Fabrikam");
    configured::scope(&[imported], &connector, &connector, &["fabrikam.test".parse().unwrap()])
}

#[track_caller]
fn not_covered(records: Vec<Value>, why: &str) {
    let told = match scope(records) {
        Scope::NotCovered(told) => told,
        other => format!("{other:?}"),
    };
    assert!(told.contains(why), "{told}");
}

#[test]
fn canaries_under_the_same_connector_are_proof_of_it() {
    let domains = json!(["fabrikam.test", "good.canary.test", "notls.canary.test"]);
    assert_eq!(scope(vec![outbound(json!({"RecipientDomains": domains}))]), Scope::Proved);
    not_covered(vec![outbound(json!({}))], "no imported connector is for");
    let half = json!(["fabrikam.test", "good.canary.test"]);
    not_covered(
        vec![outbound(json!({"RecipientDomains": half}))],
        "no imported connector is for notls.canary.test",
    );
    not_covered(
        vec![outbound(json!({"RecipientDomains": ["northwind.test"]}))],
        "no imported connector is for fabrikam.test",
    );
}

#[test]
fn a_clone_proves_where_it_is_equal() {
    let canaries = json!(["good.canary.test", "notls.canary.test"]);
    let clone = |patch: Value| {
        let mut record = outbound(patch);
        record["RecipientDomains"] = canaries.clone();
        vec![outbound(json!({})), another("Canaries", record)]
    };
    assert_eq!(
        scope(clone(json!({"TlsDomain": "*.canary.test"}))),
        Scope::OnClone("Canaries".to_owned())
    );
    not_covered(clone(json!({"TlsSettings": "EncryptionOnly", "TlsDomain": null})), "its level");
    not_covered(clone(json!({"MtaStsMode": "None"})), "MtaStsMode");
    not_covered(clone(json!({"Enabled": false})), "no imported connector is for good.canary.test");
    not_covered(clone(json!({"TestMode": "absent"})), "TestMode");
}

/// A mail flow rule that nobody exported may send the partner's mail another way.
#[test]
fn without_the_rules_it_is_assumed() {
    let domains = json!(["fabrikam.test", "good.canary.test", "notls.canary.test"]);
    let imported =
        import(&[("outbound.json", vec![outbound(json!({"RecipientDomains": domains}))])]);
    let connector = connector("To Fabrikam");
    let partner = ["fabrikam.test".parse().unwrap()];
    assert_eq!(configured::scope(&[imported], &connector, &connector, &partner), Scope::Assumed);
}

#[test]
fn without_records_it_is_assumed() {
    let connector = connector("To Fabrikam");
    let domains = ["fabrikam.test".parse().unwrap()];
    assert_eq!(configured::scope(&[], &connector, &connector, &domains), Scope::Assumed);
}

fn claim(name: &str, state: State) -> ClaimReport {
    ClaimReport {
        claim: name.parse().unwrap(),
        state,
        requirement: Requirement::of(Level::Name),
        summary: format!("{name} is {state}"),
        findings: Vec::new(),
        obstacles: Vec::new(),
        endpoints: Vec::new(),
        probes: Vec::new(),
        proven_at: None,
        evidence: String::new(),
    }
}

#[test]
fn what_is_said_and_what_is_done_contradict_each_other_both_ways() {
    use State::{Compliant, Unknown, Violated};
    let pairs = [
        ("outbound/configured", "outbound/sender-enforces"),
        ("inbound/configured", "inbound/receiver-enforces"),
    ];
    for (said, done) in pairs {
        let told = |one, other| configured::contradictions(&[claim(said, one), claim(done, other)]);
        for (one, other) in [(Compliant, Violated), (Violated, Compliant)] {
            let [contradiction] = told(one, other).try_into().unwrap();
            assert_eq!(contradiction.claim, said.parse::<Claim>().unwrap());
            assert!(contradiction.finding.seen.contains(&format!("{done} is {other}")));
            assert!(contradiction.finding.expected.contains(&format!("{said} is {one}")));
        }
        for (one, other) in [
            (Compliant, Compliant),
            (Violated, Violated),
            (Unknown, Violated),
            (Compliant, Unknown),
        ] {
            assert!(told(one, other).is_empty(), "{one} {other}");
        }
    }
    // Nor across directions.
    let across =
        [claim("outbound/configured", Compliant), claim("inbound/receiver-enforces", Violated)];
    assert!(configured::contradictions(&across).is_empty());
}
