//! Connectors imported and held against an agreement: a record for every finding, and what is never told of one.

mod command;
mod scope;

use jiff::Timestamp;
use mxwarden::{
    config::{exchange, import::ExportFile},
    judge::configured::{self, Agreement, Standard},
    model::{
        claim::Direction,
        connector::MailTarget,
        finding::{FindingId, Severity},
        imported::{Imported, Platform},
        judgement::Judgement,
        requirement::{Level, MinVersion, Requirement},
        state::State,
    },
    wire::name::{Domain, NamePattern},
};
use serde_json::{Value, json};
use std::{path::PathBuf, time::Duration};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/exchange");

/// A record of a fixture, with properties in place of its own; `null` takes one out where it is `"absent"`.
fn record(file: &str, patch: Value) -> Value {
    let text = std::fs::read_to_string(format!("{FOLDER}/{file}")).unwrap();
    let mut record = match serde_json::from_str(&text).unwrap() {
        Value::Array(records) => records[0].clone(),
        record => record,
    };
    for (key, value) in patch.as_object().unwrap() {
        if value == "absent" {
            record.as_object_mut().unwrap().remove(key);
        } else {
            record[key] = value.clone();
        }
    }
    record
}

fn outbound(patch: Value) -> Value {
    record("outbound.json", patch)
}

fn inbound(patch: Value) -> Value {
    record("inbound.json", patch)
}

fn rule(patch: Value) -> Value {
    record("rules-route.json", patch)
}

/// Another connector beside the one of the fixture.
fn another(name: &str, mut record: Value) -> Value {
    record["Name"] = json!(name);
    record["Guid"] = json!(format!("guid of {name}"));
    record
}

const EXPORTED_AT: &str = "2026-08-01T12:00:00Z";

fn import(files: &[(&str, Vec<Value>)]) -> Imported {
    let files: Vec<ExportFile> = files
        .iter()
        .map(|(name, records)| ExportFile {
            path: PathBuf::from(name),
            bytes: serde_json::to_vec(records).unwrap(),
            written_at: EXPORTED_AT.parse().unwrap(),
        })
        .collect();
    let read = exchange::read(&files, EXPORTED_AT.parse().unwrap());
    read.unwrap().imported
}

/// What was agreed: level name for `*.fabrikam.test` out, a certificate for it in.
struct Agreed {
    requirement: Requirement,
    client_names: Vec<NamePattern>,
    domains: Vec<Domain>,
    targets: Vec<MailTarget>,
    now: &'static str,
}

impl Default for Agreed {
    fn default() -> Self {
        let names = vec!["*.fabrikam.test".parse().unwrap()];
        Self {
            requirement: Requirement { names: names.clone(), ..Requirement::of(Level::Name) },
            client_names: names,
            domains: vec!["fabrikam.test".parse().unwrap()],
            targets: vec![MailTarget::Mx],
            now: "2026-08-02T12:00:00Z",
        }
    }
}

impl Agreed {
    fn judge(&self, imported: &Imported, direction: Direction) -> Judgement {
        let connector = match direction {
            Direction::Inbound => "From Fabrikam",
            Direction::Outbound => "To Fabrikam",
        };
        let inbound =
            Requirement { level: Level::Encrypt, names: Vec::new(), ..self.requirement.clone() };
        let agreement = Agreement {
            direction,
            connector,
            requirement: match direction {
                Direction::Inbound => &inbound,
                Direction::Outbound => &self.requirement,
            },
            client_names: &self.client_names,
            domains: &self.domains,
            targets: &self.targets,
            ours: &["contoso.test".parse().unwrap()],
        };
        let max_age = Duration::from_secs(30 * 24 * 3600);
        let standard = Standard { now: self.now.parse().unwrap(), max_age };
        configured::judge(std::slice::from_ref(imported), &agreement, &standard)
    }
}

/// `state: violation id, warning id, …; obstacle id, …`
fn told(judgement: &Judgement) -> String {
    let findings = judgement.findings().iter().map(|f| match f.severity {
        Severity::Violation => format!(" {}", f.id),
        Severity::Warning => format!(" ({})", f.id),
        Severity::Info => format!(" [{}]", f.id),
    });
    let obstacles = judgement.obstacles().iter().map(|o| format!(" ?{}", o.id));
    format!("{}{}", judgement.state(), findings.chain(obstacles).collect::<String>())
}

#[track_caller]
fn check_out(records: Vec<Value>, expect: &str) {
    let imported = import(&[("outbound.json", records), ("rules.json", Vec::new())]);
    assert_eq!(told(&Agreed::default().judge(&imported, Direction::Outbound)), expect);
}

#[track_caller]
fn check_in(records: Vec<Value>, expect: &str) {
    let imported = import(&[("inbound.json", records)]);
    assert_eq!(told(&Agreed::default().judge(&imported, Direction::Inbound)), expect);
}

#[test]
fn what_was_agreed_and_is_said_is_proved() {
    let imported = import(&[
        ("outbound.json", vec![outbound(json!({}))]),
        ("rules.json", vec![]),
        ("inbound.json", vec![inbound(json!({}))]),
    ]);
    for direction in [Direction::Outbound, Direction::Inbound] {
        let judgement = Agreed::default().judge(&imported, direction);
        assert_eq!(told(&judgement), "compliant");
        // A proof is as old as the export, not as the comparison.
        assert_eq!(judgement.proven_at(), Some(EXPORTED_AT.parse::<Timestamp>().unwrap()));
    }
}

#[test]
fn the_rule_for_mail_from_us_has_a_finding_for_everything() {
    let one = |patch| vec![outbound(patch)];
    // Missing, and what only looks as if it were for the domain.
    check_out(vec![], "violated connector-missing");
    check_out(one(json!({"RecipientDomains": ["northwind.test"]})), "violated connector-missing");
    check_out(one(json!({"RecipientDomains": ["*.fabrikam.test"]})), "violated connector-missing");
    check_out(one(json!({"RecipientDomains": ["*"]})), "compliant");
    // Looks right and is not at work.
    check_out(one(json!({"Enabled": false})), "violated connector-disabled");
    check_out(one(json!({"TestMode": true})), "violated connector-test-mode");
    check_out(one(json!({"ConnectorType": "OnPremises"})), "violated connector-not-partner");
    check_out(one(json!({"IsTransportRuleScoped": true})), "violated connector-rule-scoped");
    // Says less.
    check_out(one(json!({"TlsSettings": null})), "violated connector-weaker");
    check_out(one(json!({"TlsSettings": "EncryptionOnly"})), "violated connector-weaker");
    check_out(one(json!({"TlsSettings": "CertificateValidation"})), "violated connector-weaker");
    check_out(one(json!({"TlsDomain": "*.northwind.test"})), "violated connector-weaker");
    check_out(one(json!({"TlsDomain": "mx.fabrikam.test"})), "compliant"); // narrower
    // Policies.
    check_out(one(json!({"MtaStsMode": "None"})), "compliant (connector-policy-off)");
    check_out(one(json!({"SmtpDaneMode": "None"})), "compliant (connector-policy-off)");
    // Another way.
    check_out(
        one(json!({"UseMXRecord": false, "SmartHosts": ["gw.fabrikam.test"]})),
        "compliant (connector-rerouted)",
    );
    check_out(
        vec![
            outbound(json!({})),
            another(
                "Hybrid",
                outbound(json!({"ConnectorType": "OnPremises", "RecipientDomains": ["*"],
                "RouteAllMessagesViaOnPremises": true})),
            ),
        ],
        "unknown (connector-rerouted) ?record-incomplete",
    );
    // Absent is neither on nor off.
    check_out(one(json!({"Enabled": "absent"})), "unknown ?record-incomplete");
    check_out(one(json!({"IsTransportRuleScoped": "absent"})), "unknown ?record-incomplete");
    check_out(one(json!({"ConnectorType": "absent"})), "unknown ?record-incomplete");
    check_out(one(json!({"TlsSettings": "absent"})), "unknown ?record-incomplete");
    check_out(one(json!({"TestMode": "absent"})), "unknown ?record-incomplete");
}

#[test]
fn among_several_rules_the_closest_is_judged() {
    let weak = || outbound(json!({"TlsSettings": "EncryptionOnly"}));
    let all = |mut record: Value| {
        record["RecipientDomains"] = json!(["*"]);
        record
    };
    // A catch-all masks nothing closer, weak or not.
    check_out(vec![outbound(json!({})), another("All", all(weak()))], "compliant");
    // It takes over where the closer one is off.
    check_out(
        vec![outbound(json!({"Enabled": false})), another("All", all(weak()))],
        "violated connector-weaker connector-disabled",
    );
    check_out(
        vec![outbound(json!({"Enabled": false})), another("All", all(outbound(json!({}))))],
        "compliant (connector-disabled)",
    );
    // A closer one goes before the one the agreement names.
    check_out(
        vec![all(outbound(json!({}))), another("Near", weak())],
        "violated connector-weaker connector-shadowed",
    );
    check_out(
        vec![all(outbound(json!({}))), another("Near", outbound(json!({})))],
        "compliant (connector-shadowed)",
    );
    // No tie-break is documented.
    check_out(
        vec![outbound(json!({})), another("Twin", weak())],
        "violated connector-weaker connector-ambiguous",
    );
    check_out(
        vec![outbound(json!({})), another("Twin", outbound(json!({})))],
        "compliant (connector-ambiguous)",
    );
}

#[test]
fn mail_flow_rules_go_before_connectors() {
    #[track_caller]
    fn check(connectors: Vec<Value>, rules: Option<Vec<Value>>, expect: &str) {
        let mut files = vec![("outbound.json", connectors)];
        files.extend(rules.map(|rules| ("rules.json", rules)));
        let imported = import(&files);
        assert_eq!(told(&Agreed::default().judge(&imported, Direction::Outbound)), expect);
    }
    let scoped = || vec![outbound(json!({"IsTransportRuleScoped": true}))];
    check(scoped(), Some(vec![rule(json!({}))]), "compliant");
    check(scoped(), None, "unknown (connector-rule-scoped) ?record-incomplete");
    check(scoped(), Some(vec![]), "violated connector-rule-scoped");
    check(
        scoped(),
        Some(vec![rule(json!({"State": "Disabled"}))]),
        "violated connector-rule-scoped",
    );
    check(scoped(), Some(vec![rule(json!({"Mode": "Audit"}))]), "violated connector-rule-scoped");
    check(
        scoped(),
        Some(vec![rule(json!({"RecipientDomainIs": ["northwind.test"]}))]),
        "violated connector-rule-scoped",
    );
    let conditional =
        json!({"Conditions": ["x.RecipientDomainIsPredicate", "x.SubjectContainsPredicate"]});
    check(
        scoped(),
        Some(vec![rule(conditional.clone())]),
        "unknown (connector-rule-scoped) ?record-incomplete",
    );
    check(
        scoped(),
        Some(vec![rule(json!({"ExceptIfFrom": ["ceo@contoso.test"]}))]),
        "unknown (connector-rule-scoped) ?record-incomplete",
    );
    // Some of the mail goes elsewhere: harmless only where as much is demanded there.
    let elsewhere = |patch: Value| vec![outbound(json!({})), another("Side", outbound(patch))];
    let mut to_side = rule(conditional);
    to_side["RouteMessageOutboundConnector"] = json!("Side");
    let side = |level: &str| json!({"IsTransportRuleScoped": true, "TlsSettings": level});
    check(
        elsewhere(side("EncryptionOnly")),
        Some(vec![to_side.clone()]),
        "unknown (connector-rule-scoped) ?record-incomplete",
    );
    check(elsewhere(side("DomainValidation")), Some(vec![to_side]), "compliant");
}

/// A rule that nobody exported may send the mail to a weaker connector, or to a stronger one.
#[test]
fn without_mail_flow_rules_nothing_is_known_of_mail_from_us() {
    #[track_caller]
    fn check(records: Vec<Value>, expect: &str) {
        let imported = import(&[("outbound.json", records)]);
        let judgement = Agreed::default().judge(&imported, Direction::Outbound);
        assert_eq!(told(&judgement), expect);
        assert_eq!(judgement.proven_at(), None);
        assert!(judgement.summary().contains("rules.json"), "{}", judgement.summary());
    }
    check(vec![outbound(json!({}))], "unknown ?record-incomplete");
    let weaker = outbound(json!({"TlsSettings": "EncryptionOnly"}));
    check(vec![weaker], "unknown (connector-weaker) ?record-incomplete");
    check(vec![], "unknown (connector-missing) ?record-incomplete");
    // Rules have no say in mail to us: a connector decides before them.
    let imported = import(&[("inbound.json", vec![inbound(json!({}))])]);
    assert_eq!(told(&Agreed::default().judge(&imported, Direction::Inbound)), "compliant");
}

#[test]
fn the_rule_for_mail_to_us_has_a_finding_for_everything() {
    let one = |patch| vec![inbound(patch)];
    check_in(vec![], "violated connector-missing");
    check_in(
        one(json!({"SenderDomains": ["smtp:*.fabrikam.test;1"]})),
        "violated connector-missing",
    );
    check_in(one(json!({"SenderDomains": ["smtp:*;1"]})), "compliant");
    check_in(one(json!({"Enabled": false})), "violated connector-disabled");
    check_in(one(json!({"ConnectorType": "OnPremises"})), "violated connector-not-partner");
    check_in(one(json!({"RequireTls": false})), "violated connector-weaker");
    check_in(one(json!({"RequireTls": "absent"})), "unknown ?record-incomplete");
    check_in(one(json!({"TlsSenderCertificateName": null})), "violated connector-weaker");
    check_in(
        one(json!({"TlsSenderCertificateName": "*.northwind.test"})),
        "violated connector-weaker",
    );
    check_in(
        one(json!({"TlsSenderCertificateName": "<I>CN=x<S>CN=y"})),
        "unknown ?record-incomplete",
    );
    check_in(
        one(json!({"RestrictDomainsToCertificate": false})),
        "violated connector-cert-not-restricted",
    );
    check_in(one(json!({"RestrictDomainsToCertificate": "absent"})), "unknown ?record-incomplete");
    check_in(
        one(json!({"AssociatedAcceptedDomains": ["contoso.example"]})),
        "unknown ?record-incomplete",
    );
    check_in(one(json!({"AssociatedAcceptedDomains": ["contoso.test"]})), "compliant");
    // A catch-all that is restricted goes before one by sender.
    let gateway = || {
        another(
            "Only our gateway",
            inbound(json!({"SenderDomains": ["smtp:*;1"], "RestrictDomainsToIPAddresses": true,
            "SenderIPAddresses": ["192.0.2.0/24"], "RestrictDomainsToCertificate": false, "TlsSenderCertificateName": null})),
        )
    };
    let by_sender = inbound(json!({"RestrictDomainsToCertificate": false}));
    check_in(vec![by_sender, gateway()], "violated connector-weaker connector-shadowed");
    check_in(vec![inbound(json!({})), gateway()], "compliant");
    check_in(
        vec![inbound(json!({})), another("Twin", inbound(json!({})))],
        "compliant (connector-ambiguous)",
    );
}

#[test]
fn a_name_that_is_set_and_not_demanded_is_a_warning_where_none_was_agreed() {
    let imported =
        import(&[("inbound.json", vec![inbound(json!({"RestrictDomainsToCertificate": false}))])]);
    let agreed = Agreed { client_names: Vec::new(), ..Agreed::default() };
    assert_eq!(
        told(&agreed.judge(&imported, Direction::Inbound)),
        "compliant (connector-cert-not-restricted)"
    );
}

#[test]
fn versions_and_policies_that_were_agreed_are_asked_for() {
    let imported = import(&[("outbound.json", vec![outbound(json!({}))]), ("rules.json", vec![])]);
    let of = |requirement: Requirement| {
        let agreed = Agreed { requirement, ..Agreed::default() };
        told(&agreed.judge(&imported, Direction::Outbound))
    };
    let newest = Requirement { min_version: MinVersion::Tls13, ..Agreed::default().requirement };
    assert_eq!(of(newest), "violated connector-weaker");
    assert_eq!(of(Requirement::of(Level::Dane)), "violated connector-weaker");
    assert_eq!(of(Requirement::of(Level::MtaSts)), "compliant");
    assert_eq!(of(Requirement::of(Level::Encrypt)), "compliant");
    assert_eq!(of(Requirement::of(Level::Ca)), "compliant");
    // There is nothing to compare TlsDomain with.
    assert_eq!(of(Requirement::of(Level::Name)), "unknown ?record-incomplete");
    let off = outbound(json!({"SmtpDaneMode": "None", "MtaStsMode": "None"}));
    let off = import(&[("outbound.json", vec![off]), ("rules.json", vec![])]);
    let agreed = Agreed { requirement: Requirement::of(Level::MtaSts), ..Agreed::default() };
    assert_eq!(
        told(&agreed.judge(&off, Direction::Outbound)),
        "violated connector-policy-off (connector-policy-off)"
    );
}

#[test]
fn every_domain_of_the_partner_counts() {
    let imported = import(&[("outbound.json", vec![outbound(json!({}))]), ("rules.json", vec![])]);
    let domains = vec!["fabrikam.test".parse().unwrap(), "fabrikam.example".parse().unwrap()];
    let agreed = Agreed { domains, ..Agreed::default() };
    let judgement = agreed.judge(&imported, Direction::Outbound);
    assert_eq!(told(&judgement), "violated connector-missing");
    assert_eq!(judgement.findings()[0].subject, "fabrikam.example");
}

#[test]
fn an_old_export_proves_nothing_and_one_not_made_neither() {
    let off = outbound(json!({"Enabled": false}));
    let imported = import(&[("outbound.json", vec![off]), ("rules.json", vec![])]);
    let agreed = Agreed { now: "2026-09-02T12:00:00Z", ..Agreed::default() };
    let judgement = agreed.judge(&imported, Direction::Outbound);
    assert_eq!(judgement.state(), State::Unknown);
    assert_eq!(judgement.obstacles()[0].id.as_str(), "stale");
    assert_eq!(
        told(&Agreed::default().judge(&imported, Direction::Inbound)),
        "unknown ?record-incomplete"
    );
}

/// Each finding's advice is the command that repairs this very connector, once, and what comes before it.
#[test]
fn advice_is_a_command_to_paste() {
    #[track_caller]
    fn check(patch: Value, expect: &str) {
        let imported = import(&[("outbound.json", vec![outbound(patch)]), ("rules.json", vec![])]);
        let judgement = Agreed::default().judge(&imported, Direction::Outbound);
        let advice = &judgement.findings()[0].advice;
        let (before, after) = advice.split_once(&format!("`{expect}`.")).expect(advice);
        let caution = "Agree on the date with the partner and test first";
        assert!(before.starts_with(caution), "{advice}");
        assert_eq!(after, " Then import again.", "no second half of another system");
    }
    let set = "Set-OutboundConnector -Identity 'To Fabrikam'";
    check(json!({"Enabled": false}), &format!("{set} -Enabled $true"));
    check(json!({"TestMode": true}), &format!("{set} -TestMode $false"));
    check(json!({"IsTransportRuleScoped": true}), &format!("{set} -IsTransportRuleScoped $false"));
    check(json!({"ConnectorType": "OnPremises"}), &format!("{set} -ConnectorType Partner"));
    check(
        json!({"TlsSettings": "EncryptionOnly"}),
        &format!("{set} -TlsSettings DomainValidation -TlsDomain '*.fabrikam.test'"),
    );
    check(
        json!({"RecipientDomains": ["*.fabrikam.test"]}),
        &format!("{set} -RecipientDomains @{{Add='fabrikam.test'}}"),
    );
    check(json!({"MtaStsMode": "None"}), &format!("{set} -MtaStsMode Opportunistic"));
}

/// Pasted in the order of the advice, nothing stops the partner's mail: the caution comes first, then one command.
#[test]
fn what_stops_mail_is_told_after_its_caution() {
    #[track_caller]
    fn check(patch: Value, expect: &str) {
        let imported = import(&[("inbound.json", vec![inbound(patch)])]);
        let judgement = Agreed::default().judge(&imported, Direction::Inbound);
        let advice = &judgement.findings()[0].advice;
        let command = format!("Then `Set-InboundConnector -Identity 'From Fabrikam' {expect}`.");
        let at = advice.find(&command).unwrap_or_else(|| panic!("{advice}"));
        assert!(advice.find("First agree on the date with the partner").unwrap() < at, "{advice}");
        assert_eq!(advice.matches("Set-InboundConnector").count(), 1, "{advice}");
    }
    check(json!({"RestrictDomainsToCertificate": false}), "-RestrictDomainsToCertificate $true");
    let both = "-TlsSenderCertificateName '*.fabrikam.test' -RestrictDomainsToCertificate $true";
    check(json!({"TlsSenderCertificateName": null}), both);
    check(json!({"TlsSenderCertificateName": "*.northwind.test"}), both);
}

#[test]
fn a_change_between_imports_is_told_with_its_time() {
    let of = |records| import(&[("outbound.json", records)]);
    let old = of(vec![outbound(json!({}))]);
    assert!(configured::changes(&old, &old).is_empty());
    // What is bookkeeping is no change.
    let touched = of(vec![outbound(
        json!({"Comment": "x", "IsValidated": false, "WhenChangedUTC": "2026-08-03T08:00:00.0000000Z"}),
    )]);
    assert!(configured::changes(&old, &touched).is_empty());
    let new = of(vec![outbound(
        json!({"TlsSettings": "EncryptionOnly", "WhenChangedUTC": "2026-08-03T08:00:00.0000000Z"}),
    )]);
    let [change] = configured::changes(&old, &new).try_into().unwrap();
    assert_eq!(change.id, FindingId::ConnectorChanged);
    assert_eq!(change.subject, "connector 'To Fabrikam'");
    assert!(
        change.seen.starts_with("demands: TlsSettings EncryptionOnly; names:"),
        "{}",
        change.seen
    );
    assert!(
        change.seen.ends_with("(WhenChangedUTC 2026-08-03T08:00:00Z, made by AdminUI)"),
        "{}",
        change.seen
    );
    assert!(
        change
            .expected
            .starts_with("demands: TlsSettings DomainValidation, TlsDomain *.fabrikam.test"),
        "{}",
        change.expected
    );
    assert!(change.advice.contains("Search-UnifiedAuditLog"), "{}", change.advice);
    // The audit log of Exchange Online knows nothing of Postfix.
    let elsewhere = |import: &Imported| Imported { platform: Platform::Postfix, ..import.clone() };
    let [change] = configured::changes(&elsewhere(&old), &elsewhere(&new)).try_into().unwrap();
    assert!(change.advice.contains("main.cf"), "{}", change.advice);
    assert!(!change.advice.contains("Search-UnifiedAuditLog"), "{}", change.advice);
    let renamed = of(vec![outbound(json!({"Name": "Fabrikam"}))]);
    assert_eq!(configured::changes(&old, &renamed).len(), 1, "the Guid stays");
    let two = of(vec![outbound(json!({})), another("New", outbound(json!({})))]);
    assert!(configured::changes(&old, &two)[0].seen.starts_with("is new"));
    assert!(configured::changes(&two, &old)[0].seen.starts_with("is gone"));
    // An export that was not made is no removal.
    assert!(configured::changes(&old, &import(&[("inbound.json", vec![])])).is_empty());
}
