//! `mxwarden history [PARTNER]`: what changed when and why, from the record.
//!
//! 1. The configuration says where the record is; it is opened to read, whoever writes to it meanwhile.
//! 2. A partner that neither the configuration nor the record knows is a mistake, and is told.
//! 3. Changes are told in the order they happened.

use super::{
    Failure,
    args::HistoryArgs,
    check::{plain_style, tell},
    config::load,
    render,
};
use crate::config::Config;
use crate::observe::clock::Clock;
use crate::record::{EventQuery, Reader};
use crate::wire::text::{closest, printable_within};
use jiff::SignedDuration;
use std::io::Write;

/// Runs the command; the exit code.
pub(super) fn run(args: &HistoryArgs, out: &mut dyn Write) -> Result<u8, Failure> {
    let config = load(&args.config)?;
    let reader = Reader::open(&config.state_dir)?;
    if let Some(partner) = &args.partner {
        refuse_a_stranger(partner, &config, &reader)?;
    }
    let since = args.since.and_then(|span| {
        // Before the first instant there is, everything is since.
        Clock::system().now().checked_sub(SignedDuration::try_from(span).ok()?).ok()
    });
    let query = EventQuery { partner: args.partner.clone(), since, until: None, limit: args.limit };
    let mut events = reader.events(&query)?;
    events.reverse();
    if events.is_empty() {
        tell("nothing changed that the record knows of");
    }
    render::history(out, &events, args.format, plain_style())?;
    Ok(0)
}

/// A partner of yesterday still has its history; a name that nobody ever had is a slip.
fn refuse_a_stranger(name: &str, config: &Config, reader: &Reader) -> Result<(), Failure> {
    let mut known = reader.partners()?;
    known.extend(config.partners.iter().map(|partner| partner.name.clone()));
    if known.iter().any(|partner| partner == name) {
        return Ok(());
    }
    let hint = match closest(name, known.iter().map(String::as_str), 2) {
        Some(close) => format!("did you mean `{close}`?"),
        None => "partners are named in [[partner]]".to_owned(),
    };
    let shown = printable_within(name.as_bytes(), 80);
    Err(Failure::usage(format!("no partner is called `{shown}`"), hint))
}
