use super::*;
use crate::model::{
    imported::{ConnectorType, Forced, OutboundRecord, PolicyMode},
    requirement::Level,
};
use proptest::prelude::*;
use std::path::Path;

fn file(name: &str) -> ExportFile {
    let path = Path::new("tests/data/exchange").join(name);
    ExportFile { bytes: std::fs::read(&path).unwrap(), path: name.into() }
}

fn import(names: &[&str]) -> Result<Read, ImportErrors> {
    let files: Vec<ExportFile> = names.iter().map(|name| file(name)).collect();
    read(&files, Timestamp::UNIX_EPOCH)
}

fn sole(name: &str) -> OutboundRecord {
    let read = import(&[name]).unwrap_or_else(|errors| panic!("{errors}"));
    let [record] = read.imported.outbound.unwrap().try_into().unwrap();
    record
}

/// However PowerShell wrote it, it is the same record.
#[test]
fn every_shape_is_the_same_record() {
    let expect = sole("shape-object.json");
    assert_eq!(expect.name, "To Fabrikam");
    assert_eq!(expect.forced, Some(Forced::At(Level::Name)));
    assert_eq!(expect.names, ["*.fabrikam.test".parse().unwrap()]);
    assert_eq!(expect.domains, ["fabrikam.test".parse().unwrap()]);
    assert_eq!(expect.connector_type, Some(ConnectorType::Partner));
    assert_eq!(expect.mta_sts, Some(PolicyMode::Opportunistic));
    assert_eq!((expect.enabled, expect.test_mode), (Some(true), Some(false)));
    assert_eq!(expect.changed_at.unwrap().to_string(), "2026-07-24T19:01:54Z");
    let mut shapes = 0;
    for entry in std::fs::read_dir("tests/data/exchange").unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.starts_with("shape-") {
            assert_eq!(sole(&name), expect, "{name}");
            shapes += 1;
        }
    }
    assert!(shapes >= 12, "only {shapes} shapes");
}

#[test]
fn a_number_that_was_taken_is_told() {
    let notes = import(&["shape-powershell-5.json"]).unwrap().notes;
    assert_eq!(notes.len(), 1);
    assert!(
        notes[0]
            .to_string()
            .contains("To Fabrikam: TlsSettings: the number 3 is taken for DomainValidation")
    );
}

#[test]
fn what_is_absent_is_not_reported() {
    let record = sole("absent.json");
    assert_eq!((record.enabled, record.test_mode, record.rule_scoped), (None, None, None));
    assert_eq!((record.connector_type, record.mta_sts, record.dane), (None, None, None));
}

/// A null TlsSettings is opportunistic; an absent one says nothing.
#[test]
fn null_is_not_absent() {
    let take = |json: &str| {
        let file = ExportFile { path: "outbound.json".into(), bytes: json.as_bytes().to_vec() };
        let [record] = read(&[file], Timestamp::UNIX_EPOCH)
            .unwrap()
            .imported
            .outbound
            .unwrap()
            .try_into()
            .unwrap();
        let OutboundRecord { forced, .. } = record;
        forced
    };
    assert_eq!(
        take(r#"{"Name": "a", "RecipientDomains": ["a.test"], "TlsSettings": null}"#),
        Some(Forced::Not)
    );
    assert_eq!(take(r#"{"Name": "a", "RecipientDomains": ["a.test"]}"#), None);
}

#[test]
fn mistakes_name_file_record_and_property() {
    #[track_caller]
    fn check(name: &str, expect: &str) {
        let errors = import(&[name]).unwrap_err();
        let told: Vec<String> = errors.mistakes.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(&format!("{name}: {expect}")), "{}", told[0]);
    }
    check(
        "bad-unknown-integer.json",
        "To Fabrikam: TlsSettings: `7` is not known; known are EncryptionOnly",
    );
    check("bad-type-integer.json", "To Fabrikam: ConnectorType: `1` is not known");
    check("bad-unknown-word.json", "To Fabrikam: TlsSettings: `TlsOrElse` is not known");
    check(
        "bad-depth.json",
        "To Fabrikam: RecipientDomains: holds `System.Collections.ArrayList` in place of its values\nhint: export it again with `ConvertTo-Json -Depth 5`",
    );
    check("bad-selection.json", "To Fabrikam: RecipientDomains: is missing");
    check("bad-not-json.json", "is no JSON: expected value at line 1 column 1");
    check("bad-not-records.json", "holds a text where a record belongs");
    check("bad-other-records.json", "somebody: is neither connector");
    check("bad-pattern.json", "To Fabrikam: RecipientDomains: `a.*.fabrikam.test` holds `*`");
    check("bad-half-utf16.json", "is UTF-16 and ends within a character");
}

#[test]
fn every_mistake_of_every_file_is_told() {
    let errors =
        import(&["bad-unknown-integer.json", "inbound.json", "bad-depth.json"]).unwrap_err();
    assert_eq!(errors.mistakes.len(), 2, "{errors}");
}

#[test]
fn a_connector_in_two_files_is_one() {
    let read = import(&["outbound.json", "outbound.json", "inbound.json"]).unwrap();
    assert_eq!(read.imported.outbound.unwrap().len(), 3);
    assert_eq!(read.imported.inbound.unwrap().len(), 2);
    let errors = import(&["shape-object.json", "shape-list.json", "outbound.json"]);
    assert!(errors.is_ok(), "the same record, whatever its shape");
    let changed = ExportFile {
        path: "later.json".into(),
        bytes: String::from_utf8(file("shape-object.json").bytes)
            .unwrap()
            .replace("DomainValidation", "EncryptionOnly")
            .into_bytes(),
    };
    let errors = super::read(&[file("outbound.json"), changed], Timestamp::UNIX_EPOCH).unwrap_err();
    assert!(
        errors.to_string().contains("later.json: To Fabrikam: Guid: stands in the files twice"),
        "{errors}"
    );
}

#[test]
fn an_empty_export_says_that_there_is_none_where_its_name_says_of_what() {
    let empty = |name: &str| {
        let file = ExportFile { path: name.into(), bytes: Vec::new() };
        read(&[file], Timestamp::UNIX_EPOCH).unwrap()
    };
    assert_eq!(empty("outbound.json").imported.outbound, Some(Vec::new()));
    assert_eq!(empty("x/Inbound.json").imported.inbound, Some(Vec::new()));
    let unsure = empty("export.json");
    assert_eq!((unsure.imported.outbound, unsure.imported.inbound), (None, None));
    assert_eq!(unsure.notes.len(), 1);
}

#[test]
fn rules_domains_and_transport_are_read() {
    let read = import(&["rules-route.json", "domains.json", "transport.json"]).unwrap();
    let [rule] = read.imported.rules.unwrap().try_into().unwrap();
    assert_eq!((rule.routes_to.as_deref(), rule.active), (Some("To Fabrikam"), Some(true)));
    assert_eq!(rule.recipient_domains, ["fabrikam.test".parse().unwrap()]);
    assert!(rule.other_conditions.is_empty(), "{:?}", rule.other_conditions);
    assert_eq!(read.imported.accepted_domains.unwrap().len(), 2);
    let transport = read.imported.transport.unwrap();
    assert_eq!(transport.message_expires_after, Some(86_400));
    assert_eq!(transport.allows_legacy_clients, None);
    assert_eq!(import(&["rules.json"]).unwrap().imported.rules, Some(Vec::new()));
}

proptest! {
    #[test]
    fn nothing_in_a_file_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let file = ExportFile { path: "x".into(), bytes };
        let _ = read(&[file], Timestamp::UNIX_EPOCH);
    }

    /// Any value under any property is read or refused.
    #[test]
    fn nothing_in_a_property_panics(at in 0usize..27, which in 0usize..6) {
        let mut record: serde_json::Value = serde_json::from_slice(&file("shape-object.json").bytes).unwrap();
        let key = record.as_object().unwrap().keys().nth(at).unwrap().clone();
        let values = [serde_json::json!(null), serde_json::json!(7), serde_json::json!("\u{0}*;x"),
            serde_json::json!([[[1]]]), serde_json::json!({"a": 1}), serde_json::json!(false)];
        record[&key] = values[which].clone();
        let bytes = serde_json::to_vec(&record).unwrap();
        let _ = read(&[ExportFile { path: "x".into(), bytes }], Timestamp::UNIX_EPOCH);
    }
}
