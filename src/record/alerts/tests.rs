//! What was heard, whichever is written first: the event, or that somebody heard of it.

use super::*;
use crate::model::event::{Event, Happening};
use crate::record::{Commit, samples::*};

fn open() -> (tempfile::TempDir, Record) {
    let dir = tempfile::tempdir().unwrap();
    let record = Record::open(dir.path()).unwrap();
    (dir, record)
}

fn event(id: &str, minutes: i64) -> Event {
    about_us(id, minutes, Happening::SelfOutageBegan { detail: "no beacon answers".to_owned() })
}

fn happen(record: &Record, events: &[Event]) {
    record.commit(&Commit { events: events.to_vec(), ..Commit::default() }).unwrap();
}

fn heard(event: &Event) -> Change {
    Change::Heard { event: event.id.clone(), at: event.at }
}

fn unheard(record: &Record) -> Vec<Event> {
    record.read().alert_memory(noon()).unwrap().unheard
}

#[test]
fn what_nobody_heard_of_comes_back_oldest_first() {
    let (_dir, record) = open();
    // Ids in the order of time but where the clock was set.
    let (first, second, third) = (event("01C", 1), event("01A", 2), event("01B", 2));
    happen(&record, &[third.clone(), second.clone(), first.clone()]);
    assert_eq!(unheard(&record), [first.clone(), second.clone(), third.clone()]);
    record.keep_alerts(&[heard(&second)]).unwrap();
    assert_eq!(unheard(&record), [first.clone(), third.clone()]);
    record.keep_alerts(&[heard(&first), heard(&second), heard(&third)]).unwrap();
    assert_eq!(unheard(&record), []);
}

#[test]
fn an_event_may_be_heard_before_it_is_written() {
    let (dir, record) = open();
    let early = event("01A", 0);
    record.keep_alerts(&[heard(&early)]).unwrap();
    assert_eq!(unheard(&record), []);
    happen(&record, &[early, event("01B", 1)]);
    assert_eq!(unheard(&record), [event("01B", 1)]);
    drop(record);
    let record = Record::open(dir.path()).unwrap();
    assert_eq!(unheard(&record), [event("01B", 1)]);
}

#[test]
fn it_is_heard_together_with_what_came_of_it_or_not_at_all() {
    let (_dir, record) = open();
    let detail = "no beacon answers ".repeat(10_000);
    let what = Happening::SelfOutageBegan { detail };
    let event = about_us("01A", 0, what);
    happen(&record, std::slice::from_ref(&event));
    let waiting = ["ops".to_owned()].into();
    let notice = Notice { event: event.clone(), waiting };
    let changes = [heard(&event), Change::Noticed(notice.clone())];
    fill(&record);
    record.keep_alerts(&changes).unwrap_err();
    make_room(&record);
    let memory = record.read().alert_memory(noon()).unwrap();
    assert_eq!((memory.unheard, memory.notices.len()), (vec![event], 0));
    record.keep_alerts(&changes).unwrap();
    let memory = record.read().alert_memory(noon()).unwrap();
    assert_eq!(memory.unheard, []);
    assert_eq!(memory.notices.into_values().collect::<Vec<_>>(), [notice]);
}

#[test]
fn where_nobody_is_to_be_told_everything_was_heard() {
    let (_dir, record) = open();
    let (old, new) = (event("01A", 0), event("01B", 1));
    happen(&record, std::slice::from_ref(&old));
    record.hear_all().unwrap();
    assert_eq!(unheard(&record), []);
    let untold = vec![(new.id.clone(), new.at)];
    record.commit(&Commit { events: vec![new], heard: untold, ..Commit::default() }).unwrap();
    assert_eq!(unheard(&record), []);
    // Only what has happened.
    happen(&record, &[event("01C", 2)]);
    assert_eq!(unheard(&record), [event("01C", 2)]);
}

#[test]
fn a_partner_that_was_renamed_is_told_of_by_its_name() {
    let (_dir, record) = open();
    let old = changed("01A", "Fabrikam", 0, crate::model::state::State::Violated, "");
    happen(&record, std::slice::from_ref(&old));
    record.rename_partner("Fabrikam", "Fabrikam Bank").unwrap();
    let partner = Some("Fabrikam Bank".to_owned());
    assert_eq!(unheard(&record), [Event { partner, ..old }]);
}

#[test]
fn too_many_are_heard_in_turns() {
    let (_dir, record) = open();
    let all: Vec<Event> =
        (0..10_002).map(|number| event(&format!("{number:026}"), number)).collect();
    happen(&record, &all);
    let found = unheard(&record);
    assert_eq!(found, all[..10_000]);
    record.keep_alerts(&found.iter().map(heard).collect::<Vec<_>>()).unwrap();
    assert_eq!(unheard(&record), all[10_000..]);
}
