//! `mxwarden run`: the daemon.
//!
//! 1. The configuration is read; every mistake in it is told before anything is touched.
//! 2. SIGHUP reads it again; SIGTERM and Ctrl-C end the daemon in order, a second one at once.
//! 3. The log goes to standard error: text on a terminal, JSON elsewhere; `RUST_LOG` chooses.

use super::{
    Failure,
    args::RunArgs,
    check::own_name,
    config::load_whole,
    render::{self, Format, Style},
};
use crate::daemon::{
    control::{Request, Teller},
    means::Flags,
    run::{Life, RunPlan, run as run_daemon},
};
use crate::model::report::Report;
use crate::observe::{
    canary::inherited,
    clock::{self, Clock},
};
use crate::tell::metrics::Build;
use std::{
    io::{self, IsTerminal},
    net::TcpListener,
    sync::Arc,
    time::Duration,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// A part of the daemon died (EX_SOFTWARE of sysexits).
const EXIT_DEFECT: u8 = 70;
/// Somebody asked twice.
const EXIT_AT_ONCE: u8 = 130;
/// The time for one endpoint, retries included.
const DEADLINE: Duration = Duration::from_secs(60);

/// Runs the command; the exit code.
pub(super) fn run(args: &RunArgs) -> Result<u8, Failure> {
    let config = load_whole(&args.config)?;
    begin_to_log();
    let canaries = inherited();
    let listen = config.http.listen;
    let http = TcpListener::bind(listen).map_err(|error| {
        let error = anyhow::Error::new(error).context(format!("HTTP cannot listen at {listen}"));
        Failure {
            error,
            hint: Some("is another mxwarden running? [http] listen says where".to_owned()),
        }
    })?;
    let flags = Flags { ehlo: own_name(), deadline: DEADLINE, ..Flags::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let plan = RunPlan {
        config,
        config_file: args.config.clone(),
        flags,
        only: args.claims.clone(),
        http,
        canaries,
        build: build(),
        teller: Arc::new(Words),
        clock: Clock::system(),
        wall: Some(clock::of_the_machine),
    };
    let outcome = runtime.block_on(until_told(plan));
    runtime.shutdown_background();
    outcome
}

async fn until_told(plan: RunPlan) -> Result<u8, Failure> {
    let stop = CancellationToken::new();
    let (again, reload) = mpsc::channel(1);
    let mut hangups = signal(SignalKind::hangup())?;
    let mut ends = Ends::hear()?;
    let daemon = run_daemon(plan, Life { stop: stop.clone(), reload });
    tokio::pin!(daemon);
    loop {
        tokio::select! {
            ended = &mut daemon => {
                return match ended {
                    Ok(()) => Ok(0),
                    Err(error) if error.is_defect() => {
                        tracing::error!(%error, "the daemon ends");
                        Ok(EXIT_DEFECT)
                    }
                    Err(error) => Err(error.into()),
                };
            }
            // One that waits is as good as two.
            _ = hangups.recv() => drop(again.try_send(())),
            () = ends.next() => {
                if stop.is_cancelled() {
                    tracing::warn!("asked twice: leaving at once");
                    return Ok(EXIT_AT_ONCE);
                }
                stop.cancel();
            }
        }
    }
}

/// Which program this is.
pub(super) fn build() -> Build {
    Build {
        version: env!("CARGO_PKG_VERSION"),
        revision: option_env!("MXWARDEN_REVISION").unwrap_or_default(),
    }
}

/// The signals that end the daemon.
pub(super) struct Ends {
    term: Signal,
    int: Signal,
}

impl Ends {
    /// From now on they end nothing by themselves.
    pub(super) fn hear() -> io::Result<Self> {
        let (term, int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { term, int })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}

/// Text on a terminal, JSON elsewhere; a panic is a line of the log as well.
fn begin_to_log() {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,hickory_net=error,hickory_resolver=error"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let begun = if io::stderr().is_terminal() {
        log.with_target(false).try_init()
    } else {
        log.json().flatten_event(true).with_current_span(false).try_init()
    };
    // Somebody else logs already: a test.
    drop(begun);
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
}

/// How reports are told to commands that ask the daemon.
pub(super) struct Words;

impl Teller for Words {
    fn told(&self, report: &Report, request: &Request) -> Result<(String, u8), String> {
        let format: Format = clap::ValueEnum::from_str(&request.format, false)?;
        let style = Style { verbose: request.verbose, ..Style::default() };
        let mut out = Vec::new();
        render::report(&mut out, report, &[], format, style).map_err(|error| error.to_string())?;
        let worst = render::worst_severity(&report.partners);
        let code = render::exit_code(report.state, format, worst);
        Ok((String::from_utf8_lossy(&out).into_owned(), code))
    }
}
