//! The command line: reads what is asked, runs the very code the daemon runs, and says what came of it.
//!
//! Results go to standard output, everything else to standard error.
//!
//! Invariant: no protocol logic and no rules of its own.

mod alert;
pub mod args;
mod ask;
mod canary;
mod check;
mod config;
mod demo;
mod doctor;
mod explain;
mod history;
mod import;
mod manual;
mod mute;
mod reader;
pub mod render;
mod run;
mod verify;

use crate::config::{ConfigError, SecretError};
use crate::observe::canary::CanaryError;
use args::{Cli, Command};
use clap::Parser;
use reader::Reader;
use std::{
    fmt,
    io::{self, Write as _},
    process::ExitCode,
};

/// Exit code for usage and configuration errors (contract §5).
const EXIT_USAGE: u8 = 2;
/// Exit code when something could not be known.
const EXIT_UNKNOWN: u8 = 3;

/// Runs the program and gives its exit code.
pub fn main() -> ExitCode {
    let tongue = Tongue::of(std::env::args_os());
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(asked) if !asked.use_stderr() => {
            // --help and --version: an answer, whoever reads it.
            let printed = asked.print();
            let is_lost = printed.is_err_and(|error| error.kind() != io::ErrorKind::BrokenPipe);
            return ExitCode::from(u8::from(is_lost));
        }
        Err(error) => return tongue.refuse(&error.render().ansi(), &error.kind()),
    };
    // Thousands of targets need sockets; where the limit stays low, probes end as internal errors and say so.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let mut out = Reader::of(anstream::AutoStream::auto(io::stdout().lock()));
    let outcome = match &cli.command {
        Command::Alert(args) => alert::run(args, &mut out),
        Command::Canary(args) => canary::run(args, &mut out),
        Command::Check(args) => check::run(args, &mut out),
        Command::Completions(args) => manual::completions(args, &mut out),
        Command::Config(args) => config::run(args, &mut out),
        // It goes on for as long as somebody reads; with --once its exit code says what was found.
        Command::Demo(args) if !args.once => demo::run(args, out.inner()),
        Command::Demo(args) => demo::run(args, &mut out),
        Command::Doctor(args) => doctor::run(args, &mut out),
        Command::Explain(args) => explain::run(args, &mut out),
        Command::Manpages(args) => manual::manpages(args),
        Command::History(args) => history::run(args, &mut out),
        Command::Run(args) => run::run(args),
        Command::Mute(args) => mute::run(args, &mut out),
        Command::Import(args) => import::run(args, &mut out),
        Command::Verify(args) => verify::run(args, &mut out),
    };
    drop(out);
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) if failure.is_reader_gone() => ExitCode::SUCCESS,
        Err(failure) => tongue.refuse(&failure, &format_args!("{:#}", failure.error)),
    }
}

/// To whom an error is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tongue {
    /// A monitor that reads standard output and takes 2 for CRITICAL.
    Nagios,
    /// A person, or a script that knows the contract.
    Plain,
}

impl Tongue {
    /// Found before the flags are parsed: they may be what is wrong.
    fn of(arguments: impl Iterator<Item = std::ffi::OsString>) -> Self {
        let nagios =
            |argument: std::ffi::OsString| argument == "nagios" || argument == "--format=nagios";
        if arguments.into_iter().any(nagios) { Self::Nagios } else { Self::Plain }
    }

    /// Tells an error and gives the exit code. A mistake of ours must not look like a partner's breach.
    fn refuse(self, error: &dyn fmt::Display, in_short: &dyn fmt::Display) -> ExitCode {
        // Where nobody reads it, the exit code has to do.
        let _ = write!(anstream::stderr(), "{error}");
        match self {
            Self::Plain => ExitCode::from(EXIT_USAGE),
            Self::Nagios => {
                let line =
                    crate::wire::text::printable_within(in_short.to_string().as_bytes(), 300);
                let _ = writeln!(io::stdout(), "MXWARDEN UNKNOWN - {}", line.replace('|', "/"));
                ExitCode::from(EXIT_UNKNOWN)
            }
        }
    }
}

/// Why a command could not do what was asked.
#[derive(Debug)]
struct Failure {
    error: anyhow::Error,
    hint: Option<String>,
}

impl Failure {
    fn usage(what: impl fmt::Display, hint: impl Into<String>) -> Self {
        Self { error: anyhow::anyhow!("{what}"), hint: Some(hint.into()) }
    }

    /// Whether it is only that nobody reads our output any more.
    fn is_reader_gone(&self) -> bool {
        let broken_pipe = |cause: &(dyn std::error::Error + 'static)| {
            cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
        };
        self.error.chain().any(broken_pipe)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {:#}", self.error)?;
        match &self.hint {
            Some(hint) => writeln!(f, "hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let hint = error.chain().find_map(what_to_do).map(str::to_owned);
        Self { error, hint }
    }
}

/// What to do about an error that says what is wrong and not how to go on.
fn what_to_do(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    if let Some(ConfigError::Read { source, .. }) = error.downcast_ref()
        && source.kind() == io::ErrorKind::NotFound
    {
        return Some("write one (`mxwarden config example`), or name it with `--config FILE`");
    }
    if let Some(SecretError::Unseen { .. }) = error.downcast_ref() {
        return Some(
            "systemd sets it for the service alone; as root: CREDENTIALS_DIRECTORY=/run/credentials/mxwarden.service mxwarden …",
        );
    }
    match error.downcast_ref() {
        Some(CanaryError::Listen { source, .. }) => match source.kind() {
            io::ErrorKind::AddrInUse => {
                Some("`ss -ltnp` says who listens there; port 25 without root: docs/canaries.md")
            }
            io::ErrorKind::PermissionDenied => Some("port 25 without root: docs/canaries.md"),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::{means::MeansError, run::RunError};

    #[test]
    fn who_cannot_listen_is_told_what_to_do_however_deep_it_lies() {
        let failed = |kind: io::ErrorKind| {
            let address = "127.0.0.1:25".parse().unwrap();
            CanaryError::Listen { address, source: kind.into() }
        };
        #[track_caller]
        fn check(failure: Failure, expect: Option<&str>) {
            assert_eq!(failure.hint.as_deref(), expect);
        }
        let taken = || MeansError::from(failed(io::ErrorKind::AddrInUse));
        let ss = Some("`ss -ltnp` says who listens there; port 25 without root: docs/canaries.md");
        check(taken().into(), ss);
        check(RunError::from(taken()).into(), ss);
        let denied = failed(io::ErrorKind::PermissionDenied);
        check(denied.into(), Some("port 25 without root: docs/canaries.md"));
        check(failed(io::ErrorKind::AddrNotAvailable).into(), None);
        let source = SecretError::Unseen { path: "/$CREDENTIALS_DIRECTORY/x".into() };
        let unseen = MeansError::Password { connector: "to-banks".to_owned(), source };
        assert!(Failure::from(unseen).hint.unwrap().contains("/run/credentials/mxwarden.service"));
    }
}
