//! The command line: reads what is asked, runs the very code the daemon runs, and says what came of it.
//!
//! Results go to standard output, everything else to standard error.
//!
//! Invariant: no protocol logic and no rules of its own.

pub mod args;
mod check;
mod demo;
mod explain;
pub mod render;

use args::{Cli, Command};
use clap::Parser;
use std::{fmt, io, process::ExitCode};

/// Exit code for usage and configuration errors (contract §5).
const EXIT_USAGE: u8 = 2;
/// Exit code when something could not be known.
const EXIT_UNKNOWN: u8 = 3;

/// Runs the program and gives its exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = anstream::AutoStream::auto(io::stdout().lock());
    let outcome = match &cli.command {
        Command::Check(args) => check::run(args, &mut out),
        Command::Demo(args) => demo::run(args, &mut out),
        Command::Explain(args) => explain::run(args, &mut out),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) => failure.told(),
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

    /// Says it on standard error. A reader that went away is no error.
    #[expect(clippy::print_stderr, reason = "the one place that tells an error to a person")]
    fn told(self) -> ExitCode {
        let gone = |cause: &(dyn std::error::Error + 'static)| {
            cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
        };
        if self.error.chain().any(gone) {
            return ExitCode::from(EXIT_UNKNOWN);
        }
        eprintln!("error: {:#}", self.error);
        if let Some(hint) = self.hint {
            eprintln!("hint: {hint}");
        }
        ExitCode::from(EXIT_USAGE)
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), hint: None }
    }
}
