use super::*;
use crate::model::{
    event::Happening,
    finding::{Finding, FindingId},
};
use crate::tell::decide::tests::{World, minute, standing, violation};

const OFFERS: Claim = Claim::OUTBOUND_RECEIVER_OFFERS;

/// The messages of the next two minutes.
fn messages(world: &mut World, from: i64) -> Vec<Message> {
    let mut messages = Vec::new();
    for at in from..from + 2 {
        let memory = world.memory.clone();
        let (groups, _) = world.round(minute(at));
        let words = Words {
            now: minute(at),
            organisation: "Contoso",
            base_url: Some("https://mxwarden.contoso.test"),
            standings: world
                .standings
                .iter()
                .map(|one| ((one.partner.as_str(), one.claim), one))
                .collect(),
            certificates: crate::tell::decide::certificates(&world.standings),
            events: memory.notices.iter().map(|(id, one)| (id.as_str(), &one.event)).collect(),
            told: memory.told.get("ops"),
        };
        messages.extend(groups.iter().map(|group| compose(&words, group)));
    }
    messages
}

/// The message as one reads it.
fn read(message: &Message) -> String {
    let mut out = format!("{} [{}]\n", message.headline, message.severity);
    for part in &message.parts {
        let _ = writeln!(out, "- {}", part.title);
        for line in &part.lines {
            let _ = writeln!(out, "{}: {}", line.label, line.text);
        }
    }
    out
}

#[test]
fn a_violation_is_told_with_everything_one_needs() {
    let mut world = World::new(vec![standing("Fabrikam", OFFERS)]);
    world.breaks(0, 0, FindingId::CertExpired, "mx.fabrikam.test [192.0.2.1]:25");
    world.claim(0).summary = "1 of 1 endpoints falls short: certificate expired".to_owned();
    world.claim(0).findings[0].seen = "not_after 2026-03-01T00:00:00Z".to_owned();
    let messages = messages(&mut world, 0);
    insta::assert_snapshot!(read(&messages[0]));
    assert_eq!(
        messages[0].parts[0].link.as_deref(),
        Some("https://mxwarden.contoso.test/partner/Fabrikam")
    );
}

#[test]
fn a_recovery_says_how_long_it_lasted() {
    let mut world = World::new(vec![standing("Fabrikam", OFFERS)]);
    world.breaks(0, 0, FindingId::CertExpired, "mx.fabrikam.test [192.0.2.1]:25");
    messages(&mut world, 0);
    world.recovers(0, 200);
    insta::assert_snapshot!(read(&messages(&mut world, 200)[0]));
}

#[test]
fn many_causes_are_told_in_brief() {
    let names = ["A", "B", "C", "D", "E"];
    let mut world = World::new(names.iter().map(|name| standing(name, OFFERS)).collect());
    for index in 0..5 {
        world.breaks(index, 0, FindingId::CertExpired, &format!("mx{index}.test"));
    }
    let messages = messages(&mut world, 0);
    assert_eq!(messages.len(), 1);
    insta::assert_snapshot!(read(&messages[0]));
}

#[test]
fn nobody_is_written_to_about_our_own_fault() {
    let inbound = "inbound/receiver-enforces".parse().unwrap();
    let mut world = World::new(vec![standing("Fabrikam", inbound)]);
    world.breaks(0, 0, FindingId::PlaintextAccepted, "mx.contoso.test [192.0.2.1]:25");
    let messages = messages(&mut world, 0);
    assert!(!read(&messages[0]).contains("Dear postmaster"), "{}", read(&messages[0]));
}

#[test]
fn what_strangers_say_cannot_forge_a_line() {
    let mut world = World::new(vec![standing("Fabrikam\r\nBcc: x@y", OFFERS)]);
    world.breaks(0, 0, FindingId::CertExpired, "mx\r\nSubject: x");
    world.claim(0).findings[0].seen = "\u{202e}\u{1b}[31m\nWhat to do: nothing".to_owned();
    for message in messages(&mut world, 0) {
        let texts = message.parts.iter().flat_map(|part| {
            part.lines.iter().map(|line| line.text.as_str()).chain([part.title.as_str()])
        });
        for text in texts.chain([message.headline.as_str()]) {
            assert!(!text.contains(|c: char| c.is_control() || c == '\u{202e}'), "{text:?}");
        }
    }
}

#[test]
fn a_second_try_has_the_id_of_the_first() {
    let mut world = World::new(vec![standing("Fabrikam", OFFERS)]);
    world.breaks(0, 0, FindingId::CertExpired, "mx");
    let mut again = World::new(vec![standing("Fabrikam", OFFERS)]);
    again.breaks(0, 0, FindingId::CertExpired, "mx");
    assert_eq!(messages(&mut world, 0)[0].id, messages(&mut again, 5)[0].id);
}

#[test]
fn every_happening_that_is_told_has_words() {
    let mut world = World::new(vec![standing("Fabrikam", OFFERS)]);
    let mut happens = |id: &str, partner: Option<&str>, what| {
        let partner = partner.map(str::to_owned);
        let claim = partner.is_some().then_some(OFFERS);
        let event = Event { id: id.to_owned(), at: minute(0), partner, claim, what };
        world.happens(event).unwrap();
    };
    let finding = Finding {
        severity: Severity::Warning,
        ..violation(FindingId::MxSetChanged, "fabrikam.test")
    };
    happens("01A", Some("Fabrikam"), Happening::Noticed { finding });
    happens("01B", None, Happening::SelfOutageBegan { detail: "no beacon answers".to_owned() });
    happens("01C", None, Happening::SelfOutageEnded { detail: "all beacons answer".to_owned() });
    let all: Vec<String> = messages(&mut world, 0).iter().map(read).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn spans_are_told_in_two_units() {
    #[track_caller]
    fn check(seconds: i64, expect: &str) {
        assert_eq!(lasted(SignedDuration::from_secs(seconds)), expect);
    }
    check(-5, "less than a minute");
    check(59, "less than a minute");
    check(60, "1 minute");
    check(3600, "1 hour");
    check(3660 * 2, "2 hours 2 minutes");
    check(86_400, "1 day");
    check(90_061, "1 day 1 hour");
    check(86_400 * 3 + 59, "3 days");
}
