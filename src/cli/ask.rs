//! Asks the daemon that holds the state directory, where one does.

use super::Failure;
use crate::config::Config;
use crate::daemon::control::{self, Reply, Request};
use crate::model::order::Order;
use std::io::Write;

/// What the daemon replies; none where no daemon holds the state directory.
pub(super) fn ask(config: &Config, request: &Request) -> Result<Option<Reply>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(control::ask(&config.state_dir, request))?)
}

/// An order that is answered in words.
pub(super) fn order(order: Order) -> Request {
    Request { order, format: "text".to_owned(), verbose: false }
}

/// Tells what it replied; the exit code.
pub(super) fn tell(reply: &Reply, out: &mut dyn Write) -> Result<u8, Failure> {
    if let Some(why) = &reply.refused {
        return Err(Failure::usage(why, "the daemon that holds the state directory says so"));
    }
    out.write_all(reply.out.as_bytes())?;
    out.flush()?;
    Ok(reply.code)
}
