//! `mxwarden alert test [CHANNEL]`: a sample, through the very channels the daemon speaks to.
//!
//! 1. A daemon that holds the state directory is asked; its channels are the ones that count.
//! 2. Without one the sample is sent from here.

use super::{
    Failure,
    args::{AlertArgs, AlertCommand, AlertTestArgs},
    ask,
    config::load,
};
use crate::config::Config;
use crate::daemon::{alerts, means};
use crate::model::order::Order;
use crate::observe::clock::Clock;
use crate::wire::text::closest;
use std::{io::Write, sync::Arc};

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
    let order = Order::AlertTest { channel: args.channel.clone() };
    if let Some(reply) = ask::ask(&config, &ask::order(order))? {
        return ask::tell(&reply, out);
    }
    let outcomes = from_here(&config, args.channel.as_deref())?;
    out.write_all(alerts::in_words(&outcomes).as_bytes())?;
    out.flush()?;
    let is_failed = outcomes.iter().any(|(_, outcome)| outcome.is_err());
    Ok(if is_failed { EXIT_FAILED } else { 0 })
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

fn from_here(config: &Config, channel: Option<&str>) -> Result<alerts::Outcomes, Failure> {
    let plan = alerts::AlertPlan::of(config, Arc::new(means::roots_of(config, &[])?));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(alerts::test(&plan, channel, Clock::system().now())))
}
