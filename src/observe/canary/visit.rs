//! One connection as it is written down: what it is worth as evidence, and what was said.

use super::CanaryLimits;
use crate::model::{
    canary::{Acting, Personality},
    delivery::{CanaryEnding, CanarySession, CanaryTls},
    session::Phase,
};
use crate::observe::dialogue::Transcript;
use crate::wire::{
    name::Host,
    smtp::{Command, Envelope, Reply},
};
use core::net::SocketAddr;
use jiff::Timestamp;

/// What a conversation goes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// Nothing.
    Clear,
    /// A handshake that both sides finished.
    Tls,
}

/// Who came to whom.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) personality: Personality,
    pub(super) acting: Acting,
    pub(super) hostname: Host,
    pub(super) local: SocketAddr,
    pub(super) peer: SocketAddr,
}

/// A session that is going on.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) session: CanarySession,
    log: Transcript,
}

impl Visit {
    pub(super) fn new(caller: &Caller, limits: &CanaryLimits, now: Timestamp) -> Self {
        let session = CanarySession {
            personality: caller.personality,
            acting: caller.acting,
            hostname: caller.hostname.clone(),
            local: caller.local,
            peer: caller.peer,
            started_at: now,
            finished_at: now,
            reached: Phase::Connect,
            ehlo: None,
            ehlo_answered: false,
            starttls: None,
            client_hello: None,
            tls: None,
            mail_from: None,
            is_mail_in_clear: false,
            rcpt_to: Vec::new(),
            probe: None,
            message: None,
            ending: CanaryEnding::Closed,
            transcript: Vec::new(),
        };
        Self { session, log: Transcript::within(limits.transcript) }
    }

    /// The session, over.
    pub(super) fn end(mut self, ending: CanaryEnding, now: Timestamp) -> CanarySession {
        if let CanaryEnding::Ours(why) = &ending {
            self.log.note(why);
        }
        self.session.transcript = self.log.into_lines();
        CanarySession { ending, finished_at: now, ..self.session }
    }

    /// The sender came this far, if it had not come further.
    pub(super) fn reach(&mut self, phase: Phase) {
        self.session.reached = self.session.reached.max(phase);
    }

    /// The handshake, which there is from now on.
    pub(super) fn tls(&mut self) -> &mut CanaryTls {
        self.session.tls.get_or_insert_default()
    }

    pub(super) fn client(&mut self, line: &[u8]) {
        self.log.client_octets(line);
    }

    pub(super) fn server(&mut self, reply: &Reply) {
        self.log.server(reply);
    }

    pub(super) fn note(&mut self, text: &str) {
        self.log.note(text);
    }

    /// What a sender said that nobody answers: in clear where it should have spoken TLS, or before it went. An
    /// envelope that was sent in clear was sent. Says whether QUIT is among it.
    pub(super) fn overhear(&mut self, octets: &[u8], over: Over) -> bool {
        let mut has_quit = false;
        for line in octets.split(|byte| *byte == b'\n') {
            let line = line.trim_ascii_end();
            if line.is_empty() {
                continue;
            }
            self.client(line);
            match Command::parse(line) {
                Command::Mail(Envelope { path: Some(path), .. }) => self.mail(path, over),
                Command::Quit => has_quit = true,
                _ => {}
            }
        }
        has_quit
    }

    /// An envelope sender was named. The first counts; but a call-out must not hide what comes behind it.
    pub(super) fn mail(&mut self, path: String, over: Over) {
        self.reach(Phase::Mail);
        self.session.is_mail_in_clear |= over == Over::Clear;
        let from = &mut self.session.mail_from;
        if from.as_deref().unwrap_or_default().is_empty() {
            *from = Some(path);
        }
    }
}
