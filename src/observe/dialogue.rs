//! One side of an SMTP conversation: commands out, one write each; replies in, bounded; all of it written down.
//!
//! Invariant: a reply is waited for after every command (no pipelining), and nothing is said before the peer spoke.

use super::verifier;
use crate::model::{
    limits::Limits,
    session::{Ending, HandshakeFailure, Lost, Phase},
};
use crate::wire::{
    smtp::{Reply, ReplyReader},
    text::printable_within,
};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Octets asked of the socket at a time. A reply is seldom longer.
const CHUNK: usize = 2 << 10;

/// A conversation over any stream.
#[derive(Debug)]
pub(super) struct Dialogue<S> {
    io: S,
    reader: ReplyReader,
    unread: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Dialogue<S> {
    pub(super) fn new(io: S, limits: &Limits) -> Self {
        Self { io, reader: ReplyReader::new(limits.reply), unread: Vec::new() }
    }

    /// Sends one command line, unless the peer has spoken out of turn: its words would pass for the reply.
    pub(super) async fn say(
        &mut self,
        line: &str,
        phase: Phase,
        log: &mut Transcript,
    ) -> Result<(), Ending> {
        self.check_turn(phase, log)?;
        log.client(line);
        self.send(&format!("{line}\r\n"), phase, log).await
    }

    /// One command that nobody else may read, and its reply: `shown` stands for it in the transcript.
    pub(super) async fn ask_in_secret(
        &mut self,
        line: &str,
        shown: &str,
        phase: Phase,
        log: &mut Transcript,
    ) -> Result<Reply, Ending> {
        log.client(shown);
        self.say(line, phase, &mut Transcript::within(0)).await?;
        self.hear(phase, log).await
    }

    /// Sends a message, dots stuffed and the end marked, and waits for the reply; the transcript gets its
    /// header.
    pub(super) async fn deliver(
        &mut self,
        message: &str,
        phase: Phase,
        log: &mut Transcript,
    ) -> Result<Reply, Ending> {
        self.check_turn(phase, log)?;
        for line in message.lines().take_while(|line| !line.is_empty()) {
            log.client(line);
        }
        log.note("the body of the message, and the dot");
        let mut stuffed = String::with_capacity(message.len() + 64);
        for line in message.lines() {
            // RFC 5321 §4.5.2: a line that begins with a dot gets one more.
            if line.starts_with('.') {
                stuffed.push('.');
            }
            stuffed.push_str(line);
            stuffed.push_str("\r\n");
        }
        stuffed.push_str(".\r\n");
        self.send(&stuffed, phase, log).await?;
        self.hear(phase, log).await
    }

    fn check_turn(&self, phase: Phase, log: &mut Transcript) -> Result<(), Ending> {
        if self.unread.is_empty() {
            return Ok(());
        }
        let early = printable_within(&self.unread, 200);
        let detail = format!("the peer spoke before it was asked: `{early}`");
        log.note(&detail);
        Err(Ending::Protocol(phase, detail))
    }

    async fn send(&mut self, text: &str, phase: Phase, log: &mut Transcript) -> Result<(), Ending> {
        let sent = async {
            self.io.write_all(text.as_bytes()).await?;
            self.io.flush().await
        };
        match sent.await {
            Ok(()) => Ok(()),
            // The peer may have said why before it closed.
            Err(error) => match self.hear(phase, log).await {
                Ok(reply) => Err(Ending::Refused(phase, reply)),
                Err(_) => Err(ended(&error, phase)),
            },
        }
    }

    /// Waits for one reply.
    pub(super) async fn hear(
        &mut self,
        phase: Phase,
        log: &mut Transcript,
    ) -> Result<Reply, Ending> {
        loop {
            let mut input = self.unread.as_slice();
            let outcome = self.reader.take_from(&mut input);
            let used = self.unread.len() - input.len();
            self.unread.drain(..used);
            match outcome {
                Ok(Some(reply)) => {
                    log.server(&reply);
                    return Ok(reply);
                }
                Ok(None) => {}
                Err(error) => {
                    log.note(&error.to_string());
                    let ending =
                        if error.is_excess() { Ending::TooMuchData } else { Ending::Protocol };
                    return Err(ending(phase, error.to_string()));
                }
            }
            // Nothing is unread where a reply is not whole yet; the room is made once.
            self.unread.reserve(CHUNK);
            match self.io.read_buf(&mut self.unread).await {
                Ok(0) => {
                    if let Some(partial) = self.reader.unfinished() {
                        log.note(&format!("the peer closed within a line: {partial}"));
                    }
                    return Err(Ending::Lost(phase, Lost::Eof));
                }
                Ok(_) => {}
                Err(error) => return Err(ended(&error, phase)),
            }
        }
    }

    /// One command and its reply.
    pub(super) async fn ask(
        &mut self,
        line: &str,
        phase: Phase,
        log: &mut Transcript,
    ) -> Result<Reply, Ending> {
        self.say(line, phase, log).await?;
        self.hear(phase, log).await
    }

    /// The stream, and what was read behind the last reply.
    pub(super) fn into_parts(self) -> (S, Vec<u8>) {
        (self.io, self.unread)
    }
}

/// How a failed read or write ended the session.
fn ended(error: &io::Error, phase: Phase) -> Ending {
    match verifier::failure(error) {
        HandshakeFailure::Lost(how) => Ending::Lost(phase, how),
        failure => Ending::Handshake(failure),
    }
}

/// What was said, bounded.
#[derive(Debug)]
pub(super) struct Transcript {
    lines: Vec<String>,
    room: usize,
}

impl Transcript {
    pub(super) fn new(limits: &Limits) -> Self {
        Self::within(limits.transcript)
    }

    /// An empty one with room for so many octets.
    pub(super) fn within(room: usize) -> Self {
        Self { lines: Vec::new(), room }
    }

    pub(super) fn client(&mut self, line: &str) {
        self.client_octets(line.as_bytes());
    }

    /// What a client sent that is not ours, and may be anything.
    pub(super) fn client_octets(&mut self, line: &[u8]) {
        self.push(format!("C: {}", printable_within(line, 1000)));
    }

    pub(super) fn server(&mut self, reply: &Reply) {
        let last = reply.lines.len().saturating_sub(1);
        for (at, line) in reply.lines.iter().enumerate() {
            let mark = if at == last { ' ' } else { '-' };
            self.push(format!("S: {}{mark}{line}", reply.code));
        }
    }

    pub(super) fn note(&mut self, text: &str) {
        self.push(format!("-- {}", printable_within(text.as_bytes(), 1000)));
    }

    fn push(&mut self, line: String) {
        match self.room.checked_sub(line.len()) {
            Some(room) => {
                self.room = room;
                self.lines.push(line);
            }
            None if self.room > 0 => {
                self.room = 0;
                self.lines.push("-- the transcript is cut here".to_owned());
            }
            None => {}
        }
    }

    pub(super) fn into_lines(self) -> Vec<String> {
        self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_ends_at_its_dot_and_nowhere_before() {
        let limits = Limits::default();
        let (ours, mut theirs) = tokio::io::duplex(1 << 10);
        let (mut smtp, mut log) = (Dialogue::new(ours, &limits), Transcript::new(&limits));
        theirs.write_all(b"250 2.0.0 Ok\r\n").await.unwrap();
        let message = "Subject: a\n\n.\n..b\nc\n";
        let reply = smtp.deliver(message, Phase::Data, &mut log).await.unwrap();
        assert_eq!(reply.code, 250);
        drop(smtp);
        let mut sent = String::new();
        theirs.read_to_string(&mut sent).await.unwrap();
        assert_eq!(sent, "Subject: a\r\n\r\n..\r\n...b\r\nc\r\n.\r\n");
        let noted = "-- the body of the message, and the dot";
        assert_eq!(log.into_lines(), ["C: Subject: a", noted, "S: 250 2.0.0 Ok"]);
    }
}
