//! What counts as a change, on stored evidence: everything a person would call one, and nothing that passes by itself.

use super::{words::steady, *};
use proptest::prelude::*;
use std::{fs, path::PathBuf};

fn stored(name: &str) -> Value {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/evidence");
    serde_json::from_str(&fs::read_to_string(folder.join(name)).unwrap()).unwrap()
}

fn of(value: &Value) -> [u8; 16] {
    fingerprint(value.to_string().as_bytes())
}

/// Whether a stored example has another fingerprint once `change` was made at `place`, which must be there.
#[track_caller]
fn check(name: &str, place: &str, change: Value, is_another: bool) {
    let before = stored(name);
    let mut after = before.clone();
    let found = after.pointer_mut(place).unwrap_or_else(|| panic!("{name} has no {place}"));
    assert_ne!(*found, change, "{name} {place}: that is no change");
    *found = change;
    assert_eq!(of(&before) != of(&after), is_another, "{name} {place}");
}

const OFFERS: &str = "healthy.json";
const ENFORCES: &str = "receiver-encrypt.json";
const SENDER: &str = "sender-drained.json";

#[test]
fn what_passes_by_itself_is_no_change() {
    let same = |name: &str, place: &str, change: Value| check(name, place, change, false);
    let later = || Value::from("2027-01-01T00:00:00Z");
    same(OFFERS, "/started_at", later());
    same(OFFERS, "/finished_at", later());
    same(OFFERS, "/sessions/0/started_at", later());
    same(OFFERS, "/sessions/0/spent_ms", serde_json::json!([["connect", 977]]));
    same(OFFERS, "/sessions/0/transcript", serde_json::json!(["S: 220 something else"]));
    same(OFFERS, "/vantage/port25_tried", Value::from(11));
    same(ENFORCES, "/endpoints/0/experiments/0/started_at", later());
    same(SENDER, "/probes/0/id", Value::from("ffffffffffffffffffff"));
    same(SENDER, "/probes/0/created_at", later());
    same(SENDER, "/probes/0/expires_at", later());
    same(SENDER, "/sessions/0/peer", Value::from("192.0.2.25:1"));
    same(SENDER, "/sessions/0/finished_at", later());
    same(SENDER, "/sessions/0/transcript", serde_json::json!(["C: EHLO x"]));
}

#[test]
fn a_real_change_is_one() {
    let another = |name: &str, place: &str, change: Value| check(name, place, change, true);
    another(OFFERS, "/sessions/0/tls/chain/0", Value::from("MIIB"));
    another(OFFERS, "/sessions/0/tls/version", Value::from("TLSv1.0"));
    another(OFFERS, "/sessions/0/banner/lines/0", Value::from("mx9.example.org ESMTP Exim"));
    another(OFFERS, "/sessions/0/banner/code", Value::from(554));
    another(OFFERS, "/sessions/0/starttls", Value::from("not-offered"));
    another(OFFERS, "/sessions/0/ending", serde_json::json!({"deadline": "ehlo"}));
    another(OFFERS, "/resolution/exchanges/0/preference", Value::from(99));
    another(OFFERS, "/resolution/exchanges", serde_json::json!([]));
    let mail = "/endpoints/0/experiments/0/attempts/1/envelope/mail";
    another(ENFORCES, &format!("{mail}/code"), Value::from(250));
    another(ENFORCES, &format!("{mail}/lines/0"), Value::from("2.1.0 Ok, as you like"));
    another(ENFORCES, "/demand/envelope/rcpt_to", Value::from("somebody@contoso.test"));
    another(SENDER, "/sessions/0/reached", Value::from("starttls"));
    another(SENDER, "/sessions/0/acting", Value::from("something"));
    another(SENDER, "/connector", Value::from("another"));
}

#[test]
fn sessions_at_canaries_are_a_set() {
    let before = stored(SENDER);
    let mut after = before.clone();
    let sessions = after["sessions"].as_array_mut().unwrap();
    assert!(sessions.len() > 1);
    sessions.reverse();
    assert_eq!(of(&before), of(&after));
    after["sessions"].as_array_mut().unwrap().pop();
    assert_ne!(of(&before), of(&after));
}

#[test]
fn examples_of_different_worlds_are_different() {
    let names = [
        OFFERS,
        ENFORCES,
        SENDER,
        "expired.json",
        "null-mx.json",
        "receiver-spf.json",
        "tls12.json",
    ];
    let all: std::collections::BTreeSet<_> = names.iter().map(|name| of(&stored(name))).collect();
    assert_eq!(all.len(), names.len());
    // The same world under other rules, or at another time.
    assert_eq!(of(&stored("tls12.json")), of(&stored("tls12-where-13-is-required.json")));
    assert_eq!(
        of(&stored("receiver-closed-twice.json")),
        of(&stored("receiver-closed-too-soon.json"))
    );
}

#[test]
fn replies_are_read_word_by_word() {
    #[track_caller]
    fn check(line: &str, expect: &str) {
        assert_eq!(steady(line), expect, "{line}");
    }
    // As it is, whatever digits are in it.
    for line in [
        "mx1.contoso.test ESMTP Postfix (Debian/GNU)",
        "mx1-eu-west2 ESMTP",
        "5.7.1 <tls-probe@contoso.test>: Recipient address rejected: Access denied",
        "5.7.4 Session encryption is required",
        "mx.contoso.test at your service, [192.0.2.1]",
        "mx.contoso.test Hello [2001:db8::25:1234]",
        "SIZE 157286400 8BITMIME SMTPUTF8 AUTH PLAIN XOAUTH2",
        "Exim 4.96 ready",
        "You may not pass May",
        "TLS 1.2 or newer is needed on port 25",
    ] {
        let expect = line.replace("SIZE 157286400 ", "SIZE ");
        check(line, &expect);
    }
    // Dates, in the ways servers write them.
    check("mx.test ESMTP Exim 4.96 Wed, 25 Nov 2026 22:35:45 +0000", "mx.test ESMTP Exim 4.96");
    check(
        "mx.test Sendmail 8.15.2/8.15.2; Wed, 5 May 2026 02:35:45 GMT",
        "mx.test Sendmail 8.15.2/8.15.2; GMT",
    );
    check("ready at Nov 25 22:35:45 2026", "ready at");
    check("now 2026-11-25T22:35:45.483Z.", "now");
    // Durations.
    check("4.2.0 Greylisted for 300 seconds", "4.2.0 Greylisted for");
    check("try again in 4m", "try again in");
    check("no answer within 29.5 s", "no answer within");
    // Ids.
    check("2.0.0 Ok: queued as 4XyZ", "2.0.0 Ok: queued as");
    check("2.0.0 Ok: queued as A1B2C3D4E5F", "2.0.0 Ok: queued as");
    check("OK id=1tFabc-000123-AB", "OK");
    check(
        "2.0.0 4APMZjTc012345 Message accepted for delivery",
        "2.0.0 Message accepted for delivery",
    );
    check("2.0.0 OK 1700000000 5b1f17b1804b1-43b4ab1si123.12 - gsmtp", "2.0.0 OK - gsmtp");
    check("ok 1700000000 qp 12345", "ok qp");
    check(
        "2.6.0 <0123456789abcdef1032@contoso.test> Queued mail for delivery",
        "2.6.0 Queued mail for delivery",
    );
    // Exchange: the trailer, and which of its many servers it was.
    check(
        "5.7.3 STARTTLS is required to send mail [PA7P264CA0250.FRAP264.PROD.OUTLOOK.COM 2026-03-05T11:41:09.483Z 08DE7A509B86EADD]",
        "5.7.3 STARTTLS is required to send mail",
    );
    check(
        "DB5PEPF00014B8B.mail.protection.outlook.com Microsoft ESMTP MAIL Service ready at Wed, 25 Nov 2026 22:35:45 +0000 [08DE2B1F2C3D4E5F]",
        "mail.protection.outlook.com Microsoft ESMTP MAIL Service ready at",
    );
}

proptest! {
    #[test]
    fn any_bytes_have_one_fingerprint(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(fingerprint(&bytes), fingerprint(&bytes));
    }

    #[test]
    fn no_line_panics_and_nothing_is_added(line in "\\PC{0,80}") {
        let kept = steady(&line);
        prop_assert!(kept.len() <= line.len());
    }

    #[test]
    fn no_time_of_day_is_a_change(hour in 0..24, minute in 0..60, second in 0..60, day in 1..29) {
        let line = format!("mx.test ESMTP ready; Wed, {day} Nov 2026 {hour:02}:{minute:02}:{second:02} +0100 (CET)");
        prop_assert_eq!(steady(&line), "mx.test ESMTP ready; (CET)");
    }
}
