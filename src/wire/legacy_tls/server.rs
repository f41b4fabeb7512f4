//! The server: bytes in, bytes out, and what a canary wants to know in between.
//!
//! 1. Records are put together and decrypted, handshake messages across records ([`super::handshake`] takes them).
//! 2. Alerts are kept; what breaks the rules ends it with an alert of ours.
//! 3. What the client says after Finished is plain text to whoever asks for it.

use super::{
    End, Fault, LegacyIdentity, Phase, Progress,
    cipher::{Opener, Sealer},
    handshake::{Handshake, Step},
    message::take_message,
    progress::WARNING,
    record::{
        ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, CONTENT_MOST, HANDSHAKE, Record, RecordReader,
    },
};
use crate::wire::hello::{Alert, ClientHello, TlsVersion, suite_name};
use std::{fmt, sync::Arc};

/// Where randomness comes from: fills what it is given.
pub type Random = Box<dyn FnMut(&mut [u8]) + Send>;

/// Messages and alerts a client may send: three times what a handshake takes.
const MESSAGES_MOST: usize = 32;
/// Records without content in a row. OpenSSL sends one before each with content, against an attack on TLS 1.0.
const EMPTY_MOST: usize = 32;

const CLOSE_NOTIFY: u8 = 0;
const NO_RENEGOTIATION: u8 = 100;

/// One connection.
pub struct LegacyServer {
    random: Random,
    records: RecordReader,
    /// Handshake octets that are no whole message yet.
    messages: Vec<u8>,
    /// The first octet of an alert whose second has not come.
    alert: Option<u8>,
    handshake: Handshake,
    /// How the client is read; in clear until its ChangeCipherSpec.
    opener: Option<Opener>,
    /// How we write; in clear until ours.
    sealer: Option<Sealer>,
    /// What we write with once we have sent ChangeCipherSpec.
    next_sealer: Option<Sealer>,
    counted: usize,
    empty: usize,
    output: Vec<u8>,
    plaintext: Vec<u8>,
    warnings: Vec<Alert>,
    end: Option<End>,
}

/// Nothing can be sent: the handshake is not finished, or the connection has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no TLS to send over")]
pub struct NotOpen;

impl LegacyServer {
    /// A server that waits for a ClientHello.
    pub fn new(identity: Arc<LegacyIdentity>, random: Random) -> Self {
        Self {
            random,
            records: RecordReader::default(),
            messages: Vec::new(),
            alert: None,
            handshake: Handshake::new(identity),
            opener: None,
            sealer: None,
            next_sealer: None,
            counted: 0,
            empty: 0,
            output: Vec::new(),
            plaintext: Vec::new(),
            warnings: Vec::new(),
            end: None,
        }
    }

    /// Takes what came off the network. What follows an end is not looked at.
    pub fn take_in(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while self.end.is_none() {
            let taken = match self.records.take_from(&mut rest) {
                Ok(None) => return,
                Ok(Some(record)) => self.take_record(record),
                Err(fault) => Err(fault),
            };
            if let Err(fault) = taken {
                self.fail(fault);
            }
        }
    }

    /// What is to be sent, in order. To be asked for after each call; after an end, once more.
    pub fn output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// What the client said since this was asked last.
    pub fn plaintext(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.plaintext)
    }

    /// Says something to the client.
    pub fn send(&mut self, plaintext: &[u8]) -> Result<(), NotOpen> {
        if self.end.is_some() || self.handshake.phase() < Phase::Finished {
            return Err(NotOpen);
        }
        self.write(APPLICATION_DATA, plaintext);
        Ok(())
    }

    /// Says close_notify. Nothing is read or sent after it.
    pub fn close(&mut self) {
        if self.end.is_none() {
            self.write(ALERT, &[WARNING, CLOSE_NOTIFY]);
            // Writing may have failed.
            self.end.get_or_insert(End::WeClosed);
        }
    }

    /// How far it came, and how it ended.
    pub fn progress(&self) -> Progress {
        Progress {
            phase: self.handshake.phase(),
            warnings: self.warnings.clone(),
            end: self.end.clone(),
        }
    }

    /// What the client offered, once it was read.
    pub fn client_hello(&self) -> Option<&ClientHello> {
        self.handshake.hello()
    }

    /// The version, once it is chosen.
    pub fn version(&self) -> Option<TlsVersion> {
        self.handshake.choice().map(|choice| choice.version)
    }

    /// The suite's IANA name, once it is chosen.
    pub fn suite_name(&self) -> Option<String> {
        self.handshake.choice().map(|choice| suite_name(choice.suite.number()))
    }

    /// The client's certificates, leaf first, DER as it was sent: nothing of it was judged, nor whether the client holds
    /// the key.
    pub fn client_certificates(&self) -> &[Vec<u8>] {
        self.handshake.certificates()
    }

    fn take_record(&mut self, record: Record) -> Result<(), Fault> {
        let content = match &mut self.opener {
            Some(opener) => opener.open(record.kind, &record.body)?,
            None => record.body,
        };
        if content.len() > CONTENT_MOST {
            return Err(Fault::TooMuch { what: "octets in a record", limit: CONTENT_MOST });
        }
        self.empty = if content.is_empty() { self.empty + 1 } else { 0 };
        if self.empty > EMPTY_MOST {
            return Err(Fault::TooMuch { what: "empty records", limit: EMPTY_MOST });
        }
        // RFC 4346 §6.2.1: nothing stands between the parts of a message. Alerts may want to.
        let is_within_message = !self.messages.is_empty();
        match record.kind {
            HANDSHAKE => self.take_handshake(&content),
            ALERT => self.take_alerts(&content),
            CHANGE_CIPHER_SPEC if !is_within_message => self.take_change(&content),
            APPLICATION_DATA if !is_within_message && self.handshake.phase() == Phase::Finished => {
                self.plaintext.extend_from_slice(&content);
                Ok(())
            }
            CHANGE_CIPHER_SPEC => Err(Fault::Unexpected("ChangeCipherSpec")),
            _ => Err(Fault::Unexpected("application data")),
        }
    }

    fn take_handshake(&mut self, content: &[u8]) -> Result<(), Fault> {
        self.messages.extend_from_slice(content);
        while let Some(message) = take_message(&mut self.messages)? {
            self.count()?;
            match self.handshake.take(&message, &mut self.random)? {
                Step::More => {}
                Step::Send(messages) => self.write(HANDSHAKE, &messages),
                Step::Finish(finished) => {
                    self.write(CHANGE_CIPHER_SPEC, &[1]);
                    self.sealer = self.next_sealer.take();
                    self.write(HANDSHAKE, &finished);
                }
                Step::NoRenegotiation => self.write(ALERT, &[WARNING, NO_RENEGOTIATION]),
            }
        }
        Ok(())
    }

    fn take_change(&mut self, content: &[u8]) -> Result<(), Fault> {
        match content {
            [] => return Ok(()),
            [1] => {}
            _ => return Err(Fault::Malformed("ChangeCipherSpec")),
        }
        let ciphers = self.handshake.change_cipher()?;
        self.opener = Some(ciphers.opener);
        self.next_sealer = Some(ciphers.sealer);
        Ok(())
    }

    /// Two octets each; a record may hold several, or half of one.
    fn take_alerts(&mut self, content: &[u8]) -> Result<(), Fault> {
        for octet in content {
            let Some(level) = self.alert.take() else {
                self.alert = Some(*octet);
                continue;
            };
            self.count()?;
            let alert = Alert { level, description: *octet };
            if alert.description == CLOSE_NOTIFY {
                // RFC 4346 §7.2.1: answered in kind.
                self.write(ALERT, &[WARNING, CLOSE_NOTIFY]);
                self.end.get_or_insert(End::ClientClosed);
            } else if alert.is_end() {
                self.end = Some(End::ClientAlert(alert));
            } else {
                self.warnings.push(alert);
                continue;
            }
            break;
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), Fault> {
        self.counted += 1;
        if self.counted > MESSAGES_MOST {
            return Err(Fault::TooMuch { what: "messages and alerts", limit: MESSAGES_MOST });
        }
        Ok(())
    }

    /// Ends it with an alert.
    fn fail(&mut self, why: Fault) {
        let alert = why.alert();
        self.write(ALERT, &[alert.level, alert.description]);
        self.end.get_or_insert(End::OurAlert { alert, why });
    }

    /// Appends records to the output.
    fn write(&mut self, kind: u8, content: &[u8]) {
        // RFC 4346 §6.2.1: before there is a version, the lowest.
        let version = self.version().unwrap_or(TlsVersion::Tls10).to_wire().to_be_bytes();
        for fragment in content.chunks(CONTENT_MOST) {
            let body = match &mut self.sealer {
                Some(sealer) => {
                    let mut iv = [0; 16];
                    (self.random)(&mut iv);
                    sealer.seal(kind, fragment, iv)
                }
                None => Ok(fragment.to_vec()),
            };
            match body {
                Ok(body) => {
                    self.output.push(kind);
                    self.output.extend_from_slice(&version);
                    let length = u16::try_from(body.len()).unwrap_or_default();
                    self.output.extend_from_slice(&length.to_be_bytes());
                    self.output.extend_from_slice(&body);
                }
                // No alert can be sent either.
                Err(why) => {
                    let alert = why.alert();
                    self.end.get_or_insert(End::OurAlert { alert, why });
                    return;
                }
            }
        }
    }
}

impl fmt::Debug for LegacyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LegacyServer")
            .field("version", &self.version())
            .field("progress", &self.progress())
            .finish_non_exhaustive()
    }
}
