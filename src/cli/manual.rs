//! `mxwarden completions SHELL` and `mxwarden manpages DIR`: made of the very definition that is parsed by.

use super::{
    Failure,
    args::{Cli, CompletionsArgs, ManpagesArgs},
};
use anyhow::Context as _;
use clap::CommandFactory;
use std::{fs, io::Write};

/// What completes commands and flags in a shell, to standard output.
pub(super) fn completions(args: &CompletionsArgs, out: &mut dyn Write) -> Result<u8, Failure> {
    // Into memory first: clap_complete panics where nobody reads what it writes.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "mxwarden", &mut script);
    out.write_all(&script)?;
    out.flush()?;
    Ok(0)
}

/// A page for each command: mxwarden.1, mxwarden-check.1, mxwarden-config-check.1…
pub(super) fn manpages(args: &ManpagesArgs) -> Result<u8, Failure> {
    let directory = &args.directory;
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    clap_mangen::generate_to(Cli::command(), directory)
        .with_context(|| format!("cannot write manual pages into {}", directory.display()))?;
    Ok(0)
}
