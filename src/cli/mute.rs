//! `mxwarden mute PARTNER --for 2h --why …`: a silence with an end, in the daemon that runs.
//!
//! A daemon alone decides to speak, so there is nobody to ask for silence without one.

use super::{Failure, args::MuteArgs, ask, config::load};
use crate::model::order::Order;
use crate::wire::text::closest;
use std::io::Write;

/// Runs the command; the exit code.
pub(super) fn run(args: &MuteArgs, out: &mut dyn Write) -> Result<u8, Failure> {
    let config = load(&args.config)?;
    if config.partner(&args.partner).is_none() {
        let names = config.partners.iter().map(|partner| partner.name.as_str());
        let hint = match closest(&args.partner, names, 3) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "a [[partner]] is named by its `name`".to_owned(),
        };
        return Err(Failure::usage(format_args!("no partner is called `{}`", args.partner), hint));
    }
    if args.lasts.is_zero() || args.why.trim().is_empty() {
        return Err(Failure::usage(
            "a mute needs a time and a reason",
            "--for 2h --why \"moves its servers\"",
        ));
    }
    let order =
        Order::Mute { partner: args.partner.clone(), within: args.lasts, why: args.why.clone() };
    match ask::ask(&config, &ask::order(order))? {
        Some(reply) => ask::tell(&reply, out),
        None => Err(Failure::usage(
            format_args!("no daemon runs on {}", config.state_dir.display()),
            "start `mxwarden run`, or write a [[mute]] into the configuration",
        )),
    }
}
