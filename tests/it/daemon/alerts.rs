//! Alerts of a daemon that takes over from one that died: what was recorded and told to nobody is told, once.

use super::{HOUR, Lab, MINUTE};
use mxwarden::{
    daemon::{
        control::{Reply, Request, ask},
        run::RunError,
    },
    lab::smtp::Script,
    model::{
        event::{Event, Happening},
        finding::{Finding, FindingId, Severity},
        order::Order,
        state::State::{Compliant, Violated},
    },
    record::{Commit, Record},
};
use rusqlite::Connection;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};

/// Takes every message, and remembers why it was sent.
struct Collector {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let it = Self { port: listener.local_addr().unwrap().port(), heard: Arc::default() };
        let heard = Arc::clone(&it.heard);
        tokio::spawn(async move {
            while let Ok((peer, _)) = listener.accept().await {
                let reason = take(peer).await;
                heard.lock().unwrap().extend(reason);
            }
        });
        it
    }

    fn channel(&self) -> String {
        format!(
            "[[alert.channel]]\nname = \"ops\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{}\"\n",
            self.port
        )
    }

    /// Since it was last asked.
    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

/// The reason of one message.
async fn take(mut peer: TcpStream) -> Option<String> {
    let mut request = Vec::new();
    let body: Value = loop {
        if peer.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&request);
        let (_, body) = text.split_once("\r\n\r\n").unwrap_or_default();
        if let Ok(body) = serde_json::from_str(body) {
            break body;
        }
    };
    peer.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await.ok()?;
    Some(body["reason"].as_str()?.to_owned())
}

impl Lab {
    /// What a daemon leaves that is killed between the two: the event is in the record, and nobody has heard of it.
    fn was_killed_behind(&self, id: &str) {
        let seen = "mx.fabrikam.test, mx.elsewhere.test";
        let changed = FindingId::MxSetChanged;
        let finding =
            Finding::new(changed, Severity::Warning, "fabrikam.test", seen, "mx.fabrikam.test");
        let event = Event {
            id: id.to_owned(),
            at: self.clock.now(),
            partner: Some("fabrikam".to_owned()),
            claim: None,
            what: Happening::Noticed { finding },
        };
        let record = Record::open(&self.state_dir()).unwrap();
        record.commit(&Commit { events: vec![event], ..Commit::default() }).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_recorded_before_a_kill_is_told_once_by_the_next_daemon() {
    let mut lab = Lab::of(&["fabrikam", "other"]).await;
    let ops = Collector::start().await;
    lab.more = ops.channel();
    lab.start().await;
    lab.until_state("fabrikam", Compliant, MINUTE).await;
    lab.stop().await;
    lab.was_killed_behind("01A");
    lab.start().await;
    lab.until("it is told", 5 * MINUTE, |_| !ops.heard.lock().unwrap().is_empty()).await;
    assert_eq!(ops.heard(), ["changed"]);
    // Nor by a reload, which begins the alerts anew, or a restart.
    lab.reload().await;
    sleep(HOUR).await;
    lab.stop().await;
    lab.start().await;
    sleep(HOUR).await;
    assert_eq!(ops.heard(), [""; 0]);
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_first_channel_is_told_nothing_of_what_happened_before_it_was_there() {
    let mut lab = Lab::of(&["fabrikam", "other"]).await;
    let ops = Collector::start().await;
    lab.start().await;
    lab.until_state("fabrikam", Compliant, MINUTE).await;
    lab.stop().await;
    lab.was_killed_behind("01A");
    lab.start().await;
    sleep(MINUTE).await;
    lab.more = ops.channel();
    lab.write_config();
    lab.reload().await;
    sleep(HOUR).await;
    assert_eq!(ops.heard(), [""; 0]);
    lab.world.peer(0).set(Script::no_starttls()).unwrap();
    lab.until_state("fabrikam", Violated, 3 * HOUR).await;
    lab.until("it is told", 5 * MINUTE, |_| !ops.heard.lock().unwrap().is_empty()).await;
    assert_eq!(ops.heard(), ["first-seen"]);
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_can_tell_nobody_any_more_ends() {
    let mut lab = Lab::of(&["fabrikam"]).await;
    let ops = Collector::start().await;
    lab.more = ops.channel();
    lab.start().await;
    lab.until_state("fabrikam", Compliant, MINUTE).await;
    // What was told before is read when alerts are begun anew, and cannot be.
    let record = Connection::open(lab.state_dir().join("mxwarden.sqlite")).unwrap();
    let damaged = "INSERT INTO alert_told (channel, topic, body) VALUES ('ops', 'no topic', '')";
    record.execute(damaged, []).unwrap();
    lab.reload().await;
    let ended = lab.running.take().unwrap().task.await.unwrap();
    assert!(matches!(ended, Err(RunError::Defect("the alerts"))), "{ended:?}");
}

impl Lab {
    async fn ask(&self, order: Order) -> Reply {
        let request = Request { order, format: "text".to_owned(), verbose: false };
        ask(&self.state_dir(), &request).await.unwrap().unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn the_socket_says_which_mute_holds() {
    let mut lab = Lab::of(&["fabrikam"]).await;
    let ops = Collector::start().await;
    let until = "2999-01-01T00:00:00Z";
    lab.more = format!(
        "{}[[mute]]\npartner = \"fabrikam\"\nfrom = {until}\nuntil = 3000-01-01T00:00:00Z\nwhy = \"later\"\n",
        ops.channel()
    );
    lab.start().await;
    lab.until_state("fabrikam", Compliant, MINUTE).await;
    let mute = |partner: &str, within| Order::Mute {
        partner: partner.to_owned(),
        within,
        why: "moves".to_owned(),
    };
    let end = || Order::MuteEnd { partner: "fabrikam".to_owned() };
    assert_eq!(lab.ask(Order::MuteList).await.out, "no partner is muted\n");
    let none = lab.ask(end()).await;
    assert_eq!(none.refused.as_deref(), Some("nobody has muted `fabrikam`"));
    assert!(lab.ask(mute("nobody", HOUR)).await.refused.is_some());
    let first = lab.ask(mute("fabrikam", 2 * HOUR)).await;
    assert!(first.out.starts_with("fabrikam is muted until "), "{first:?}");
    assert!(!first.out.contains("in place of"), "{first:?}");
    let second = lab.ask(mute("fabrikam", HOUR)).await;
    assert!(second.out.contains(", in place of until "), "{second:?}");
    let until = second.out.split(',').next().unwrap().rsplit("until ").next().unwrap();
    let list = lab.ask(Order::MuteList).await;
    assert_eq!((list.out, list.code), (format!("fabrikam: muted until {until}: moves\n"), 0));
    let ended = lab.ask(end()).await;
    assert_eq!(ended.out, format!("fabrikam is not muted any more; it was until {until}\n"));
    assert_eq!(lab.ask(Order::MuteList).await.out, "no partner is muted\n");
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_socket_says_what_the_configuration_mutes_beside_it() {
    let mut lab = Lab::of(&["fabrikam"]).await;
    let ops = Collector::start().await;
    let always = "[[mute]]\npartner = \"fabrikam\"\nfrom = 2000-01-01T00:00:00Z\n\
                  until = 3000-01-01T00:00:00Z\nwhy = \"for ever\"\n";
    lab.more = ops.channel() + always;
    lab.start().await;
    lab.until_state("fabrikam", Compliant, MINUTE).await;
    let beside =
        "a [[mute]] of the configuration keeps it silent until 3000-01-01 00:00 UTC: for ever";
    let partner = || "fabrikam".to_owned();
    let mute = Order::Mute { partner: partner(), within: HOUR, why: "moves".to_owned() };
    let said = lab.ask(mute).await;
    assert_eq!(said.out.lines().nth(1), Some(beside), "{said:?}");
    let said = lab.ask(Order::MuteEnd { partner: partner() }).await;
    assert_eq!(said.out.lines().nth(1), Some(beside), "{said:?}");
    let said = lab.ask(Order::MuteEnd { partner: partner() }).await;
    assert_eq!(said.refused, Some(format!("nobody has muted `fabrikam`\n{beside}")));
    lab.stop().await;
}
