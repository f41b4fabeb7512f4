//! The daemon in this process, under paused time: hours pass in no time, and every look is a real session with a
//! scripted server.

mod alerts;
mod elsewhere;
mod mail;
mod pace;
mod timetable;

use crate::world::World;
use mxwarden::{
    config::Config,
    daemon::{
        control::{Request, Teller},
        means::Flags,
        rota::Wall,
        run::{Life, RunError, RunPlan, run},
    },
    lab::smtp::Script,
    model::{
        claim::Claim,
        event::{Event, Happening},
        report::Report,
        standing::Standing,
        state::State,
    },
    observe::clock::Clock,
    record::{EventQuery, Reader, RecordError},
    tell::metrics::Build,
};
use std::{fs, net::TcpListener, path::PathBuf, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

/// One daemon and the world it looks at.
struct Lab {
    world: World,
    place: TempDir,
    clock: Clock,
    partners: Vec<String>,
    more: String,
    /// Tables of the connector.
    connector: String,
    /// The claims that are proved; all where there are none.
    only: Vec<Claim>,
    /// What the clock is held against.
    wall: Option<Wall>,
    running: Option<Running>,
}

struct Running {
    stop: CancellationToken,
    reload: mpsc::Sender<()>,
    task: JoinHandle<Result<(), RunError>>,
}

/// No command asks here.
struct Mute;

impl Teller for Mute {
    fn told(&self, _: &Report, _: &Request) -> Result<(String, u8), String> {
        Err("nobody asks".to_owned())
    }
}

impl Lab {
    /// A world of healthy partners, one server each, and no daemon yet.
    async fn of(partners: &[&str]) -> Self {
        let mut world = World::new().await;
        for partner in partners {
            let script = Script::healthy(world.good());
            world.domain(partner, script).await;
        }
        let clock = world.clock.clone();
        Self {
            world,
            place: tempfile::tempdir().unwrap(),
            clock,
            partners: partners.iter().map(|&partner| partner.to_owned()).collect(),
            more: String::new(),
            connector: String::new(),
            only: Vec::new(),
            wall: None,
            running: None,
        }
    }

    fn state_dir(&self) -> PathBuf {
        self.place.path().join("state")
    }

    fn config_file(&self) -> PathBuf {
        self.place.path().join("mxwarden.toml")
    }

    fn write_config(&self) {
        let roots = self.place.path().join("root.pem");
        fs::write(&roots, self.world.root.pem()).unwrap();
        let mut text = format!(
            "state_dir = {:?}\n[organisation]\nname = \"Contoso\"\ndomains = [\"contoso.test\"]\n\
             ehlo = \"probe.contoso.test\"\n[dns]\nresolvers = [\"{}\"]\nallow_private = true\n\
             [tls]\nroots = \"none\"\nca_files = [{roots:?}]\n[probe]\nsmtp_port = {}\n\
             [http]\nlisten = \"127.0.0.1:1\"\n\
             [[connector]]\nname = \"out\"\ndirection = \"outbound\"\nlevel = \"name\"\n",
            self.state_dir(),
            self.world.dns.address(),
            self.world.port(),
        );
        text += &self.connector;
        for partner in &self.partners {
            text += &format!(
                "[[partner]]\nname = \"{partner}\"\ndomains = [\"{partner}.test\"]\noutbound = \"out\"\n"
            );
        }
        text += &self.more;
        fs::write(self.config_file(), text).unwrap();
    }

    /// Starts a daemon with the configuration as it is now.
    async fn start(&mut self) {
        self.write_config();
        let config = Config::read(&self.config_file()).unwrap().config;
        let (again, reload) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let plan = RunPlan {
            config,
            config_file: self.config_file(),
            flags: Flags { deadline: Duration::from_secs(20), ..Flags::default() },
            only: self.only.clone(),
            http: TcpListener::bind("127.0.0.1:0").unwrap(),
            canaries: Vec::new(),
            build: Build { version: "0", revision: "" },
            teller: Arc::new(Mute),
            clock: self.clock.clone(),
            wall: self.wall,
        };
        let task = tokio::spawn(run(plan, Life { stop: stop.clone(), reload }));
        self.running = Some(Running { stop, reload: again, task });
    }

    /// Ends it in order.
    async fn stop(&mut self) {
        let running = self.running.take().unwrap();
        running.stop.cancel();
        running.task.await.unwrap().unwrap();
    }

    async fn reload(&self) {
        self.running.as_ref().unwrap().reload.send(()).await.unwrap();
    }

    fn reader(&self) -> Result<Reader, RecordError> {
        Reader::open(&self.state_dir())
    }

    fn events(&self) -> Vec<Event> {
        let query = EventQuery::default();
        let mut events =
            self.reader().map(|reader| reader.events(&query).unwrap()).unwrap_or_default();
        events.sort_by(|one, other| one.id.cmp(&other.id));
        events
    }

    /// Every state a partner's claim went through, in order.
    fn states(&self, partner: &str) -> Vec<State> {
        let changed = |event: Event| match event.what {
            Happening::StateChanged { to, .. } => Some(to),
            _ => None,
        };
        let events = self.events().into_iter();
        events
            .filter(|event| event.partner.as_deref() == Some(partner))
            .filter_map(changed)
            .collect()
    }

    fn standing(&self, partner: &str, claim: Claim) -> Option<Standing> {
        let standings = self.reader().ok()?.standings().unwrap();
        standings.into_iter().find(|one| one.partner == partner && one.claim == claim)
    }

    fn offers(&self, partner: &str) -> Option<Standing> {
        self.standing(partner, Claim::OUTBOUND_RECEIVER_OFFERS)
    }

    /// Waits until something is so; how long it took, by the daemon's clock.
    async fn until(&self, what: &str, within: Duration, is_so: impl Fn(&Self) -> bool) -> Duration {
        let began = Instant::now();
        while !is_so(self) {
            assert!(
                began.elapsed() < within,
                "not within {within:?}: {what}; events: {:#?}",
                self.events()
            );
            let running = self.running.as_ref();
            assert!(running.is_none_or(|running| !running.task.is_finished()), "it ended: {what}");
            sleep(Duration::from_secs(1)).await;
        }
        began.elapsed()
    }

    async fn until_state(&self, partner: &str, state: State, within: Duration) -> Duration {
        self.until(&format!("{partner} {state}"), within, |lab| {
            lab.offers(partner)
                .is_some_and(|standing| standing.state == state && standing.looked_at.is_some())
        })
        .await
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
