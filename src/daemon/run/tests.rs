//! Parts that die: each is noticed, whichever it is by then, and none that was told to end.

use super::*;
use crate::model::{
    event::{Event, Happening},
    signal::Signal,
};
use std::{
    net::{Shutdown, TcpStream},
    os::fd::OwnedFd,
    path::Path,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Whether it has ended, as far as can be told without waiting.
async fn has_ended(what: impl Future) -> bool {
    tokio::select! {
        biased;
        _ = what => true,
        () = async {} => false,
    }
}

/// A configuration with one canary at this socket, and one channel.
fn config(place: &Path, canary: &TcpListener) -> Config {
    let text = format!(
        "state_dir = {place:?}\n\
         [organisation]\nname = \"Contoso\"\ndomains = [\"contoso.test\"]\n\
         [dns]\nresolvers = [\"127.0.0.1:1\"]\n\
         [[connector]]\nname = \"out\"\ndirection = \"outbound\"\nlevel = \"name\"\n\
         [[canary]]\npersonality = \"no-starttls\"\nlisten = [\"{}\"]\n\
         domains = [\"notls.canary.test\"]\nhostname = \"mx.notls.canary.test\"\n\
         [[alert.channel]]\nname = \"ops\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:1\"\n",
        canary.local_addr().unwrap()
    );
    Config::parse(&text, &place.join("mxwarden.toml")).unwrap().config
}

/// A record, and whoever counts: not without dying of what `kills`.
struct Ground {
    place: TempDir,
    store: Store,
    meter: Meter,
}

impl Ground {
    fn new(kills: fn(&Signal) -> bool) -> Self {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path(), |_| {}).unwrap();
        let meter = Meter::to(move |signal| assert!(!kills(signal), "it dies of {signal:?}"));
        Self { place, store, meter }
    }

    /// Means without canaries, and the socket of the one there is to be.
    fn means(&self) -> (Means, TcpListener) {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let flags = Flags { meter: self.meter.clone(), ..Flags::default() };
        let mut means = Means::build(config(self.place.path(), &socket), flags).unwrap();
        means.use_store(self.store.clone());
        (means, socket)
    }

    async fn listening(&self) -> (Arc<Means>, TcpListener) {
        let (mut means, socket) = self.means();
        means.start_canaries_with(vec![socket.try_clone().unwrap()]).await.unwrap();
        (Arc::new(means), socket)
    }
}

/// Comes and goes.
async fn visit(canary: &TcpListener) {
    let mut stream = tokio::net::TcpStream::connect(canary.local_addr().unwrap()).await.unwrap();
    stream.write_all(b"QUIT\r\n").await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert!(said.starts_with("220 "), "{said}");
}

#[tokio::test]
async fn a_writer_of_canary_sessions_that_panics_is_noticed_also_behind_a_reload() {
    let ground = Ground::new(|signal| matches!(signal, Signal::CanarySession { .. }));
    let (first, _socket) = ground.listening().await;
    let (current, means) = watch::channel(Arc::clone(&first));
    let mut died = std::pin::pin!(canaries_died(means));
    assert!(!has_ended(died.as_mut()).await);
    // As a reload does it: the old ones are closed, then the new ones listen in their place.
    first.canaries().unwrap().close().await;
    assert!(!has_ended(died.as_mut()).await, "they were told to end");
    let (second, socket) = ground.listening().await;
    current.send_replace(second);
    assert!(!has_ended(died.as_mut()).await);
    visit(&socket).await;
    assert_eq!(died.await, "the writer of canary sessions");
}

#[test]
fn a_canarys_listener_that_panics_is_noticed() {
    // Without timers: a listener that cannot accept rests, and dies of it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let ground = Ground::new(|_| false);
        let (means, socket) = ground.listening().await;
        let (_current, means) = watch::channel(means);
        let mut died = std::pin::pin!(canaries_died(means));
        assert!(!has_ended(died.as_mut()).await);
        TcpStream::from(OwnedFd::from(socket)).shutdown(Shutdown::Both).unwrap();
        assert_eq!(died.await, "a canary's listener");
    });
}

#[tokio::test]
async fn a_configuration_without_canaries_waits_for_those_of_the_next() {
    let ground = Ground::new(|signal| matches!(signal, Signal::CanarySession { .. }));
    let (without, _) = ground.means();
    let (current, means) = watch::channel(Arc::new(without));
    let mut died = std::pin::pin!(canaries_died(means));
    assert!(!has_ended(died.as_mut()).await);
    let (with, socket) = ground.listening().await;
    current.send_replace(with);
    visit(&socket).await;
    assert_eq!(died.await, "the writer of canary sessions");
}

#[tokio::test]
async fn alerts_that_panic_are_noticed_also_behind_a_reload() {
    let ground = Ground::new(|signal| *signal == Signal::RecordError);
    let (means, _) = ground.means();
    let speaker = Speaker::new(ground.store.clone(), ground.meter.clone());
    let mut died = std::pin::pin!(speaker.died());
    assert!(!has_ended(died.as_mut()).await, "nobody speaks yet");
    speaker.begin(&means, GRACE).await.unwrap();
    assert!(!has_ended(died.as_mut()).await);
    speaker.begin(&means, GRACE).await.unwrap();
    assert!(!has_ended(died.as_mut()).await, "the first were told to end");
    // What cannot be written down is counted.
    ground.store.clone().close(GRACE).await.unwrap();
    let event = Event {
        id: "01J".to_owned(),
        at: means.clock().now(),
        partner: None,
        claim: None,
        what: Happening::SelfOutageBegan { detail: "no beacon answers".to_owned() },
    };
    speaker.alerts().unwrap().on(Arc::default(), vec![event]);
    died.await;
}

#[tokio::test]
async fn alerts_that_were_told_to_end_have_not_died() {
    let ground = Ground::new(|_| false);
    let (means, _) = ground.means();
    let speaker = Speaker::new(ground.store.clone(), ground.meter.clone());
    speaker.begin(&means, GRACE).await.unwrap();
    let alerts = speaker.alerts().unwrap();
    speaker.end(GRACE).await;
    assert!(!has_ended(alerts.died()).await && !has_ended(speaker.died()).await);
}
