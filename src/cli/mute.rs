//! `mxwarden mute PARTNER --for 2h --why …`: a silence with an end, in the daemon that runs; its end, and who is muted.
//!
//! 1. The daemon that holds the state directory is asked: it alone decides to speak.
//! 2. Without one there is nobody to ask for silence; who would be muted is read from the record and the configuration.

use super::{Failure, args::MuteArgs, ask, check::tell, config::load};
use crate::config::Config;
use crate::daemon::alerts::mutes_in_words;
use crate::model::{alert::Mute, order::Order, told::AskedMute};
use crate::observe::clock::Clock;
use crate::record::{Reader, RecordError};
use crate::tell::decide::muted;
use crate::wire::text::{closest, printable_within};
use std::io::Write;

/// Runs the command; the exit code.
pub(super) fn run(args: &MuteArgs, out: &mut dyn Write) -> Result<u8, Failure> {
    let config = load(&args.config)?;
    let Some(partner) = &args.partner else { return list(&config, out) };
    refuse_a_stranger(partner, &config)?;
    let partner = partner.clone();
    let order = match (args.lasts, &args.why) {
        (Some(within), Some(why)) if !why.trim().is_empty() => {
            Order::Mute { partner, within, why: why.trim().to_owned() }
        }
        (None, None) => Order::MuteEnd { partner },
        _ => {
            let hint = "--for 2h --why \"moves its servers\"";
            return Err(Failure::usage("a mute needs a time and a reason", hint));
        }
    };
    match ask::ask(&config, &ask::order(order))? {
        Some(reply) => ask::tell(&reply, out),
        None => Err(Failure::usage(
            format_args!("no daemon runs on {}", config.state_dir.display()),
            "start `mxwarden run`, or change the [[mute]] of the configuration",
        )),
    }
}

fn refuse_a_stranger(partner: &str, config: &Config) -> Result<(), Failure> {
    if config.partner(partner).is_some() {
        return Ok(());
    }
    let names = config.partners.iter().map(|partner| partner.name.as_str());
    let hint = match closest(partner, names, 3) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "a [[partner]] is named by its `name`".to_owned(),
    };
    let shown = printable_within(partner.as_bytes(), 80);
    Err(Failure::usage(format_args!("no partner is called `{shown}`"), hint))
}

fn list(config: &Config, out: &mut dyn Write) -> Result<u8, Failure> {
    if let Some(reply) = ask::ask(config, &ask::order(Order::MuteList))? {
        return ask::tell(&reply, out);
    }
    tell("no daemon runs: this is what the next one would keep to");
    let now = Clock::system().now();
    let asked = match Reader::open(&config.state_dir).and_then(|reader| reader.asked_mutes(now)) {
        Ok(asked) => asked,
        // Nothing was ever asked for.
        Err(RecordError::Missing(_)) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let asked = asked.iter().map(AskedMute::as_mute);
    let mutes: Vec<Mute> = config.alerting.mutes.iter().cloned().chain(asked).collect();
    let partners = config.partners.iter();
    let labels = partners.map(|one| (one.name.clone(), one.labels.clone())).collect();
    out.write_all(mutes_in_words(&muted(&mutes, &labels, now)).as_bytes())?;
    out.flush()?;
    Ok(0)
}
