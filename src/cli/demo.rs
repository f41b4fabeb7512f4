//! `mxwarden demo`.
use super::{Failure, args::DemoArgs};
use std::io::Write;

/// Runs the command; the exit code.
pub(super) fn run(_: &DemoArgs, _: &mut dyn Write) -> Result<u8, Failure> {
    Ok(0)
}
