use super::*;
use crate::model::{
    imported::{ConnectorType, Forced, OutboundRecord, PolicyMode},
    requirement::Level,
};
use proptest::prelude::*;
use std::path::Path;

fn file(name: &str) -> ExportFile {
    let path = Path::new("tests/data/exchange").join(name);
    export(name, std::fs::read(&path).unwrap())
}

fn export(name: &str, bytes: impl Into<Vec<u8>>) -> ExportFile {
    ExportFile { path: name.into(), bytes: bytes.into(), written_at: Timestamp::UNIX_EPOCH }
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
        let [record] = read(&[export("outbound.json", json)], Timestamp::UNIX_EPOCH)
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
    let text = String::from_utf8(file("shape-object.json").bytes).unwrap();
    let changed = export("later.json", text.replace("DomainValidation", "EncryptionOnly"));
    let errors = super::read(&[file("outbound.json"), changed], Timestamp::UNIX_EPOCH).unwrap_err();
    assert!(
        errors.to_string().contains("later.json: To Fabrikam: Guid: stands in the files twice"),
        "{errors}"
    );
}

#[test]
fn an_empty_list_says_that_there_is_none_where_the_name_says_of_what() {
    let empty = |name: &str| read(&[export(name, "[\r\n\r\n]")], Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(empty("outbound.json").imported.outbound, Some(Vec::new()));
    assert_eq!(empty("x/Inbound.json").imported.inbound, Some(Vec::new()));
    let unsure = empty("export.json");
    assert_eq!((unsure.imported.outbound, unsure.imported.inbound), (None, None));
    assert_eq!(unsure.notes.len(), 1);
}

/// A session that has expired leaves a file without a word: that is not "there are none".
#[test]
fn a_file_that_holds_nothing_is_a_failed_export() {
    for bytes in [&b""[..], b"\xef\xbb\xbf", b"\xff\xfe", b"\xef\xbb\xbf\r\n"] {
        let errors = read(&[export("outbound.json", bytes)], Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(
            errors.to_string().contains(
                "outbound.json: is empty: the export failed, or there are none; then it must hold `[]`"
            ),
            "{errors}"
        );
    }
}

const NOW: &str = "2026-11-26T12:00:00Z";

fn dated(files: &[(&str, &str)]) -> Result<(String, Dated), ImportErrors> {
    let file = |(name, text): &(&str, &str)| ExportFile {
        written_at: "2026-11-25T08:00:00.5Z".parse().unwrap(),
        ..export(name, *text)
    };
    let files: Vec<ExportFile> = files.iter().map(file).collect();
    let read = read(&files, NOW.parse().unwrap())?;
    Ok((read.imported.exported_at.to_string(), read.imported.dated))
}

#[test]
fn an_export_that_says_when_it_was_made_is_believed_and_the_oldest_counts() {
    #[track_caller]
    fn check(files: &[(&str, &str)], at: &str, expect: Dated) {
        assert_eq!(dated(files).unwrap(), (at.to_owned(), expect));
    }
    let new = r#"{"ExportedAt": "2026-11-26T11:00:00.1234567Z", "value": []}"#;
    let old = r#"{"value": [], "ExportedAt": "2026-08-01T11:00:00.1234567Z"}"#;
    check(&[("outbound.json", new)], "2026-11-26T11:00:00Z", Dated::ByExport);
    check(&[("outbound.json", new), ("rules.json", old)], "2026-08-01T11:00:00Z", Dated::ByExport);
    // In each record, by another script.
    let each = |at: &str| {
        format!(
            r#"[{{"DomainName": "a.test", "DomainType": "x"{at}}},
        {{"DomainName": "b.test", "DomainType": "x", "ExportedAt": "2026-08-02T11:00:00Z"}}]"#
        )
    };
    let all = each(r#", "ExportedAt": "2026-08-01T11:00:00Z""#);
    check(&[("domains.json", &all)], "2026-08-01T11:00:00Z", Dated::ByExport);
    check(&[("domains.json", &each(""))], "2026-08-02T11:00:00Z", Dated::ByFile);
    // One that does not say has the time of its file.
    check(&[("rules.json", "[]")], "2026-11-25T08:00:00Z", Dated::ByFile);
    check(&[("outbound.json", new), ("rules.json", "[]")], "2026-11-25T08:00:00Z", Dated::ByFile);
    check(&[("outbound.json", old), ("rules.json", "[]")], "2026-08-01T11:00:00Z", Dated::ByFile);
    // Two clocks are never quite the same.
    let ahead = r#"{"ExportedAt": "2026-11-26T12:04:00Z", "value": []}"#;
    check(&[("outbound.json", ahead)], NOW, Dated::ByExport);
}

#[test]
fn a_time_that_cannot_be_is_refused() {
    #[track_caller]
    fn check(at: &str, expect: &str) {
        let text = format!(r#"{{"ExportedAt": {at}, "value": []}}"#);
        let errors = dated(&[("rules.json", &text)]).unwrap_err().to_string();
        assert!(errors.contains(&format!("rules.json: ExportedAt: {expect}")), "{errors}");
    }
    check(r#""2026-11-26T12:06:00Z""#, "2026-11-26T12:06:00Z lies in the future");
    check(r#""11/26/2026 12:00""#, "`11/26/2026 12:00` is no time that is known");
    check("null", "`null` is no time that is known");
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
        let _ = read(&[export("x", bytes)], Timestamp::UNIX_EPOCH);
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
        let _ = read(&[export("x", bytes)], Timestamp::UNIX_EPOCH);
    }
}
