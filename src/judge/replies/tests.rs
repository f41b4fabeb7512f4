use super::*;
use std::collections::BTreeSet;

fn reply(code: u16, text: &str) -> Reply {
    Reply { code, lines: text.split('|').map(str::to_owned).collect() }
}

fn parsed(line: &str) -> Reply {
    let (code, text) = line.split_once(' ').unwrap();
    reply(code.parse().unwrap(), text)
}

fn class_at(line: &str, phase: Phase) -> ReplyClass {
    ReplyTable::built_in().classify(&parsed(line), phase).class
}

/// What servers say, word for word, a class a paragraph.
const SAID: &str = include_str!("../../../tests/data/replies.txt");

#[test]
fn what_servers_say_is_known() {
    let mut wrong = String::new();
    for line in SAID.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (class, rest) = line.split_once(' ').unwrap();
        let (phase, said) = rest.split_once(' ').unwrap();
        let found = class_at(said, parse_phase(phase).unwrap());
        if found.as_str() != class {
            wrong.push_str(&format!("\n{said}\n  expected {class}, is {found}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_row_can_be_read_and_is_reached() {
    let table = ReplyTable::built_in();
    assert_eq!(table.rows.len(), lines().count(), "a row that cannot be read");
    for (at, row) in table.rows.iter().enumerate() {
        let code = match row.codes.first() {
            None => 550,
            Some(code) if *code < 10 => code * 100 + 50,
            Some(code) => *code,
        };
        let status = row.enhanced.map_or(String::new(), |enhanced| {
            format!("{}.{}.{} ", code / 100, enhanced.subject, enhanced.first)
        });
        let text = row.pattern.0.join(" x ");
        let phase = row.phases.first().copied().unwrap_or(Phase::Rcpt);
        let made = reply(code, &format!("{status}{text}"));
        // Behind a broader row of the same class a row only tells who says so.
        assert_eq!(table.classify(&made, phase).class, row.class, "row {at}: {made}");
    }
}

#[test]
fn every_class_has_a_row() {
    let classes: BTreeSet<&str> =
        ReplyTable::built_in().rows.iter().map(|row| row.class.as_str()).collect();
    assert_eq!(classes.len(), ReplyClass::ALL.len());
}

#[test]
fn what_we_wrote_ourselves_is_no_reason() {
    let check =
        |line, expect: ReplyClass| assert_eq!(class_at(line, Phase::Rcpt), expect, "{line}");
    check(
        "554 5.7.1 <tls-required@greylist.test>: Recipient address rejected: Access denied",
        ReplyClass::Unrecognised,
    );
    check(
        "550 5.1.1 <requires-starttls@x.test>: Recipient address rejected: User unknown",
        ReplyClass::RecipientUnknown,
    );
    check(
        "554 5.7.1 <spam.blacklist.test[192.0.2.1]>: Client host rejected: Access denied",
        ReplyClass::Unrecognised,
    );
    check(
        "550 no [SPAMHAUS.GREYLIST.TEST 2026-03-05T11:41:09.483Z 08DE]",
        ReplyClass::Unrecognised,
    );
}

#[test]
fn what_refuses_nothing_has_no_class() {
    let table = ReplyTable::with(&[("*".to_owned(), ReplyClass::TlsRequired)]);
    for line in ["250 2.1.5 TLS is required", "354 STARTTLS is required", "220 greylisted"] {
        let found = table.classify(&parsed(line), Phase::Rcpt);
        assert_eq!((found.class, found.line), (ReplyClass::Unrecognised, None));
    }
}

#[test]
fn added_patterns_are_asked_first() {
    let extra = [
        ("550 5.7.1 rule * applies".to_owned(), ReplyClass::TlsRequired),
        ("SESSION ENCRYPTION".to_owned(), ReplyClass::PolicyOther),
        ("<tls@x.test>".to_owned(), ReplyClass::Reputation),
    ];
    let table = ReplyTable::with(&extra);
    let check = |line, class, source| {
        let found = table.classify(&parsed(line), Phase::Rcpt);
        assert_eq!((found.class, found.line), (class, source), "{line}");
    };
    check("550 5.7.1 Rule 4711 applies", ReplyClass::TlsRequired, Some(CONFIGURED));
    check("450 4.7.1 Session encryption is required", ReplyClass::PolicyOther, Some(CONFIGURED));
    check("550 <TLS@x.test> no", ReplyClass::Reputation, Some(CONFIGURED)); // addresses as well
    check("550 5.7.1 applies rule 4", ReplyClass::Unrecognised, None); // in this order
    check("451 greylisted", ReplyClass::Greylisted, Some("Postgrey, milter-greylist, Exim"));
}

#[test]
fn the_trailer_is_told() {
    let said = "451 5.7.3 STARTTLS is required to send mail [A.PROD.OUTLOOK.COM 2026-03-05T11:41:09.483Z 08DE7A509B86EADD]";
    let found = ReplyTable::built_in().classify(&parsed(said), Phase::Mail);
    assert_eq!((found.class, found.line), (ReplyClass::TlsRequired, Some("Exchange")));
    let trailer = found.trailer.unwrap();
    assert_eq!(
        (trailer.server.as_str(), trailer.id.as_str()),
        ("A.PROD.OUTLOOK.COM", "08DE7A509B86EADD")
    );
}

#[test]
fn a_reply_of_many_lines_is_one_text() {
    let said = "550-5.7.1";
    let lines = "5.7.1 Your mail was not sent over|5.7.1 a TLS connection";
    let found = ReplyTable::built_in().classify(&reply(550, lines), Phase::Data);
    assert_eq!(found.class, ReplyClass::TlsRequired, "{said}");
}
