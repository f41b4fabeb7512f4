//! `mxwarden demo`: the whole loop on this machine alone, with nothing to configure.
//!
//! 1. DNS, mail servers of every kind, our own mail system with two rules, and a CA start in this process, on loopback,
//!    on ports of their own (`world`); a configuration is written as an operator would write it (`written`).
//! 2. The daemon runs on it: the very code, with its record, its canaries, its pages and its alerts.
//! 3. What the record says of every claim is held against what each was made to be (`expected`).
//! 4. A partner is broken, and mended: regression, alert and recovery are told as they come.
//!
//! Invariant: nothing leaves this machine, and nothing is left behind, also where it is interrupted.

mod expected;
mod heard;
mod place;
mod told;
mod world;
mod written;

use super::{
    EXIT_UNKNOWN, Failure,
    args::DemoArgs,
    check::plain_style,
    run::{Ends, Words, build},
};
use crate::config::Config;
use crate::daemon::{
    control::{self, Request},
    means::Flags,
    run::{Life, RunError, RunPlan, run as run_daemon},
};
use crate::model::{event::Event, order::Order, standing::Standing, state::State};
use crate::observe::{canary::CanaryCa, clock, clock::Clock};
use crate::record::{EventQuery, Reader};
use expected::{BROKEN, OFFERS, amiss};
use heard::Alerts;
use jiff::Timestamp;
use place::Place;
use std::{io::Write, net::TcpListener, path::Path, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use world::World;

/// How long every claim may take to be decided, and one change to be seen.
const DECIDED_WITHIN: Duration = Duration::from_secs(90);
/// When a partner is broken, counted from the beginning, and from when what was found is told.
const BROKEN_AFTER: Duration = Duration::from_secs(20);
const READ_WITHIN: Duration = Duration::from_secs(5);
/// How long the alert stands before the partner is mended.
const MENDED_AFTER: Duration = Duration::from_secs(5);
/// How often the record is read.
const TICK: Duration = Duration::from_millis(200);
/// The time for one endpoint, retries included.
const DEADLINE: Duration = Duration::from_secs(20);

/// Runs the command; the exit code.
pub(super) fn run(args: &DemoArgs, out: &mut dyn Write) -> Result<u8, Failure> {
    begin_to_log();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(whole(args, out));
    runtime.shutdown_background();
    code
}

/// Silent, unless `RUST_LOG` asks for more: the demo tells what there is to tell.
fn begin_to_log() {
    if let Ok(filter) = EnvFilter::try_from_default_env() {
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        // Somebody else logs already: a test.
        drop(log.try_init());
    }
}

async fn whole(args: &DemoArgs, out: &mut dyn Write) -> Result<u8, Failure> {
    // Before there is anything that would be left behind.
    let mut ends = Ends::hear()?;
    let place = Place::make()?;
    let stage = tokio::select! {
        stage = Stage::set(place, out) => stage?,
        () = ends.next() => return Ok(EXIT_UNKNOWN),
    };
    let mut stage = stage;
    let code = tokio::select! {
        code = stage.play(args, out) => code,
        () = ends.next() => Ok(if args.once { EXIT_UNKNOWN } else { 0 }),
    };
    stage.strike(&mut ends).await?;
    code
}

/// Everything that runs, in the order in which it is dropped.
struct Stage {
    daemon: Daemon,
    alerts: Alerts,
    world: World,
    place: Place,
    began: Instant,
    http: std::net::SocketAddr,
}

struct Daemon {
    stop: CancellationToken,
    /// Held, so that nobody else asks for it.
    _reload: mpsc::Sender<()>,
    task: JoinHandle<Result<(), RunError>>,
}

impl Stage {
    async fn set(place: Place, out: &mut dyn Write) -> Result<Self, Failure> {
        let (began, clock) = (Instant::now(), Clock::system());
        let root = CanaryCa::open(&place.state_dir(), clock.now())?.root();
        let world = World::start(clock.now(), root.0).await?;
        told::beginning(out, &world)?;
        let alerts = Alerts::listen().await?;
        let roots = place.write("root.pem", &world.ca.pem())?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let http = listener.local_addr()?;
        let text = written::config(&world, &place, http, &alerts, &roots)?;
        let config_file = place.write("mxwarden.toml", &text)?;
        let daemon = Daemon::start(&config_file, listener, clock)?;
        Ok(Self { daemon, alerts, world, place, began, http })
    }

    async fn play(&mut self, args: &DemoArgs, out: &mut dyn Write) -> Result<u8, Failure> {
        let style = plain_style();
        self.prove_all_now().await?;
        let standings = self.until(DECIDED_WITHIN, |all| amiss(all).is_empty()).await?;
        told::found(out, &standings, style)?;
        let code = u8::from(!amiss(&standings).is_empty());
        if args.once || code != 0 {
            return Ok(code);
        }
        told::where_to_look(out, self.http, &self.world, &self.place)?;
        let read = Instant::now() + READ_WITHIN;
        sleep_until(read.max(self.began + BROKEN_AFTER)).await;
        let mut news = News { since: clock::of_the_machine(), told: Vec::new() };
        self.world.spoil()?;
        told::done(out, "Now the certificate of mx2.healthy.test expires.")?;
        self.tell_until(out, &mut news, State::Violated).await?;
        sleep(MENDED_AFTER).await;
        self.world.repair()?;
        told::done(out, "Now it is renewed.")?;
        self.tell_until(out, &mut news, State::Compliant).await?;
        told::done(out, "The daemon goes on. Ctrl-C ends it, and nothing is left behind.")?;
        loop {
            self.tell(out, &mut news)?;
            self.watch_the_daemon()?;
            sleep(TICK).await;
        }
    }

    /// Asks the daemon, as `mxwarden verify` does, rather than wait for its timetable.
    async fn prove_all_now(&self) -> Result<(), Failure> {
        let order =
            Order::Verify { partners: Vec::new(), claims: Vec::new(), within: DECIDED_WITHIN };
        let request = Request { order, format: "json".to_owned(), verbose: false };
        let until = Instant::now() + DECIDED_WITHIN;
        let state_dir = self.place.state_dir();
        while Instant::now() < until {
            self.watch_the_daemon()?;
            let left = until.saturating_duration_since(Instant::now());
            match timeout(left, control::ask(&state_dir, &request)).await {
                Ok(Ok(Some(_))) | Err(_) => return Ok(()),
                Ok(Err(error)) => return Err(error.into()),
                // It is not up yet: its canaries make their keys.
                Ok(Ok(None)) => sleep(TICK).await,
            }
        }
        Ok(())
    }

    /// What the record says, once it is so or the time is over.
    async fn until(
        &self,
        within: Duration,
        is_so: impl Fn(&[Standing]) -> bool,
    ) -> Result<Vec<Standing>, Failure> {
        let until = Instant::now() + within;
        loop {
            self.watch_the_daemon()?;
            let standings = self.reader()?.standings()?;
            if is_so(&standings) || Instant::now() >= until {
                return Ok(standings);
            }
            sleep(TICK).await;
        }
    }

    fn reader(&self) -> Result<Reader, Failure> {
        Ok(Reader::open(&self.place.state_dir())?)
    }

    /// Tells what changes until the partner that was broken stands so and the alert of it has come.
    async fn tell_until(
        &mut self,
        out: &mut dyn Write,
        news: &mut News,
        state: State,
    ) -> Result<(), Failure> {
        let until = Instant::now() + DECIDED_WITHIN;
        let mut has_come = false;
        while Instant::now() < until {
            self.watch_the_daemon()?;
            has_come |= self.tell(out, news)?;
            let of_broken = |one: &Standing| one.partner == BROKEN && one.claim == OFFERS;
            let standings = self.reader()?.standings()?;
            let stands = standings.iter().find(|one| of_broken(one)).map(|one| one.state);
            if has_come && stands == Some(state) {
                return Ok(());
            }
            sleep(TICK).await;
        }
        told::done(
            out,
            &format!("NOT AS IT SHOULD BE: {BROKEN} was not found {state}, or nobody was told."),
        )?;
        Ok(())
    }

    /// Tells what is new; whether an alert came.
    fn tell(&mut self, out: &mut dyn Write, news: &mut News) -> Result<bool, Failure> {
        for event in news.of(&self.reader()?)? {
            told::changed(out, &event, plain_style())?;
        }
        let alerts = self.alerts.news();
        for alert in &alerts {
            told::alerted(out, alert)?;
        }
        Ok(!alerts.is_empty())
    }

    fn watch_the_daemon(&self) -> Result<(), Failure> {
        if self.daemon.task.is_finished() {
            return Err(Failure::usage("the daemon has ended", "RUST_LOG=info says more"));
        }
        Ok(())
    }

    /// Ends all of it in order; asked a second time, at once.
    async fn strike(self, ends: &mut Ends) -> Result<(), Failure> {
        let Self { daemon, alerts: _alerts, world: _world, place: _place, .. } = self;
        daemon.stop.cancel();
        tokio::select! {
            ended = daemon.task => match ended {
                Ok(ended) => Ok(ended?),
                Err(error) => Err(error.into()),
            },
            () = ends.next() => Ok(()),
        }
    }
}

impl Daemon {
    fn start(config_file: &Path, http: TcpListener, clock: Clock) -> Result<Self, Failure> {
        let (reload, asked) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let plan = RunPlan {
            config: Config::read(config_file)?.config,
            config_file: config_file.to_owned(),
            flags: Flags { deadline: DEADLINE, ..Flags::default() },
            only: Vec::new(),
            http,
            canaries: Vec::new(),
            build: build(),
            teller: Arc::new(Words),
            clock,
            wall: Some(clock::of_the_machine),
        };
        let task = tokio::spawn(run_daemon(plan, Life { stop: stop.clone(), reload: asked }));
        Ok(Self { stop, _reload: reload, task })
    }
}

/// What was told of the record.
struct News {
    since: Timestamp,
    told: Vec<String>,
}

impl News {
    /// Events that were not told yet, oldest first.
    fn of(&mut self, reader: &Reader) -> Result<Vec<Event>, Failure> {
        let query = EventQuery { since: Some(self.since), ..EventQuery::default() };
        let mut events = reader.events(&query)?;
        events.reverse();
        events.retain(|event| !self.told.contains(&event.id));
        self.told.extend(events.iter().map(|event| event.id.clone()));
        Ok(events)
    }
}

#[cfg(test)]
mod tests;
