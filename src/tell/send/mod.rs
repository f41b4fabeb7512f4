//! Hands a message to a channel. A new kind of channel is one file here, and its arm in [`build`].
//!
//! 1. [`build`] makes a channel of what the configuration says of it; secrets are read from their files at each
//!    message, so that a new one needs no restart.
//! 2. [`Channel::send`] says whether the message was taken; it never retries.
//! 3. A channel puts the message into its own form, and escapes in it what strangers wrote.
//!
//! Invariant: no address, token or body reaches a log or an error.
//! Invariant: there is no channel that runs a program: what strangers write would become its arguments.

mod alertmanager;
mod http;
mod mail;
mod pagerduty;
mod slack;
mod teams;
#[cfg(test)]
mod tests;
mod webhook;

use super::message::Message;
use crate::model::{
    alert::{AlertChannel, ChannelKind},
    roots::Roots,
};
use std::{fmt, future::Future, path::PathBuf, pin::Pin, sync::Arc};

/// Whether a message was taken, in the end.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), SendError>> + Send + 'a>>;

/// Somewhere a message can be handed in.
pub trait Channel: fmt::Debug + Send + Sync {
    /// Hands it in, once.
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a>;
}

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The channel cannot be set up.
    #[error("cannot be set up: {0}")]
    Build(String),
    /// An address that would be spoken to in clear.
    #[error(
        "the address begins with http:// and is not on this host: anybody on the way could read and change alerts; \
         use https://, or insecure = true"
    )]
    Clear,
    /// A file that is named cannot be used.
    #[error("{} {what}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The mail could not be handed in.
    #[error("the smart host did not take the mail: {0}")]
    Mail(String),
    /// No answer, or none in time.
    #[error("no answer: {0}")]
    NoAnswer(&'static str),
    /// The answer was no.
    #[error("the answer was {0}")]
    Refused(u16),
    /// The operator's template cannot be filled.
    #[error("the template cannot be used: {0}")]
    Template(String),
}

/// What channels share.
#[derive(Debug, Clone)]
pub struct Tools {
    /// The roots of `[tls]`.
    pub roots: Arc<Roots>,
}

/// A channel that can be spoken to.
///
/// # Errors
///
/// A file that cannot be read, or roots that are none.
pub fn build(channel: &AlertChannel, tools: &Tools) -> Result<Box<dyn Channel>, SendError> {
    Ok(match &channel.kind {
        ChannelKind::Alertmanager(target) => {
            Box::new(alertmanager::Alertmanager::new(target, tools)?)
        }
        ChannelKind::Mail(target) => Box::new(mail::Mail::new(target)),
        ChannelKind::PagerDuty { http, routing_key_file } => {
            Box::new(pagerduty::PagerDuty::new(http, routing_key_file, tools)?)
        }
        ChannelKind::Slack(target) => Box::new(slack::Slack::new(target, tools)?),
        ChannelKind::Teams(target) => Box::new(teams::Teams::new(target, tools)?),
        ChannelKind::Webhook { http, secret_file, template_file } => Box::new(
            webhook::Webhook::new(http, secret_file.as_ref(), template_file.as_ref(), tools)?,
        ),
    })
}

/// Text of at most so many characters, with an ellipsis where it was cut.
fn within(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(limit.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// The parts that are told one by one, and how many more there are.
fn shown(message: &Message, limit: usize) -> (&[super::message::Part], usize) {
    match message.parts.split_at_checked(limit) {
        Some((shown, more)) => (shown, more.len()),
        None => (&message.parts, 0),
    }
}
