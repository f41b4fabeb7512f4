//! The handshake, message by message ([RFC 4346 §7.3]).
//!
//! 1. ClientHello: versions and suites are compared; our flight answers it.
//! 2. Certificate, or none: kept. ClientKeyExchange: the master secret follows. CertificateVerify: hashed, not judged.
//! 3. ChangeCipherSpec, which is no message: from here on the client is read with its keys.
//! 4. Finished: compared with what it must be; ours answers it.
//!
//! [RFC 4346 §7.3]: https://www.rfc-editor.org/rfc/rfc4346#section-7.3

use super::{
    Fault, LegacyIdentity, Phase, Random,
    cipher::{Opener, Sealer},
    keys::{Master, Side, Transcript},
    message::{
        self, Agreement, CERTIFICATE, CERTIFICATE_VERIFY, CLIENT_HELLO, CLIENT_KEY_EXCHANGE,
        Choice, FINISHED,
    },
};
use crate::wire::hello::{ClientHello, HelloError};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use std::sync::Arc;

/// What to do about a message.
pub(super) enum Step {
    /// Nothing yet.
    More,
    /// Send these messages.
    Send(Vec<u8>),
    /// Send ChangeCipherSpec, then this message under our new keys.
    Finish(Vec<u8>),
    /// The client wants to begin anew, and is told that there is no such thing here.
    NoRenegotiation,
}

/// Both directions, keyed.
pub(super) struct Ciphers {
    pub(super) opener: Opener,
    pub(super) sealer: Sealer,
}

/// What is known of a handshake; it grows.
pub(super) struct Handshake {
    identity: Arc<LegacyIdentity>,
    state: State,
    transcript: Transcript,
    hello: Option<ClientHello>,
    choice: Option<Choice>,
    certificates: Vec<Vec<u8>>,
    phase: Phase,
}

/// What may come next.
#[derive(Clone)]
enum State {
    Hello,
    /// Certificate, or, from clients that have none and do not say so, ClientKeyExchange.
    Certificate(Agreed),
    KeyExchange(Agreed),
    /// CertificateVerify, or ChangeCipherSpec.
    Change(Agreed, Master),
    Finished(Master),
    Done,
}

#[derive(Clone, Copy)]
struct Agreed {
    choice: Choice,
    client: [u8; 32],
    server: [u8; 32],
}

impl Handshake {
    pub(super) fn new(identity: Arc<LegacyIdentity>) -> Self {
        Self {
            identity,
            state: State::Hello,
            transcript: Transcript::new(),
            hello: None,
            choice: None,
            certificates: Vec::new(),
            phase: Phase::AwaitingHello,
        }
    }

    pub(super) fn hello(&self) -> Option<&ClientHello> {
        self.hello.as_ref()
    }

    pub(super) fn choice(&self) -> Option<&Choice> {
        self.choice.as_ref()
    }

    pub(super) fn certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// Takes one whole message, header included.
    pub(super) fn take(&mut self, message: &[u8], random: &mut Random) -> Result<Step, Fault> {
        let (kind, body) = message::parts(message).ok_or(Fault::Malformed("message"))?;
        match (self.state.clone(), kind) {
            (State::Hello, CLIENT_HELLO) => self.take_hello(message, body, random),
            (State::Certificate(agreed), CERTIFICATE) => {
                self.transcript.add(message);
                self.certificates = message::parse_certificates(body)?;
                self.state = State::KeyExchange(agreed);
                Ok(Step::More)
            }
            (State::Certificate(agreed) | State::KeyExchange(agreed), CLIENT_KEY_EXCHANGE) => {
                self.transcript.add(message);
                let master = self.master(&agreed, message::parse_key_exchange(body)?, random);
                self.state = State::Change(agreed, master);
                self.phase = Phase::KeysExchanged;
                Ok(Step::More)
            }
            (State::Change(..), CERTIFICATE_VERIFY) if !self.certificates.is_empty() => {
                self.transcript.add(message);
                Ok(Step::More)
            }
            (State::Finished(master), FINISHED) => self.take_finished(message, body, &master),
            (State::Done, CLIENT_HELLO) => Ok(Step::NoRenegotiation),
            (_, kind) => Err(Fault::Unexpected(message::name(kind))),
        }
    }

    /// The client's ChangeCipherSpec.
    pub(super) fn change_cipher(&mut self) -> Result<Ciphers, Fault> {
        let State::Change(agreed, master) = &self.state else {
            return Err(Fault::Unexpected("ChangeCipherSpec"));
        };
        let Choice { version, suite, .. } = agreed.choice;
        let keys = master.keys(&agreed.client, &agreed.server, suite.key());
        let opener = Opener::new(version, &keys.client)?;
        let sealer = Sealer::new(version, &keys.server)?;
        self.state = State::Finished(master.clone());
        Ok(Ciphers { opener, sealer })
    }

    fn take_hello(
        &mut self,
        message: &[u8],
        body: &[u8],
        random: &mut Random,
    ) -> Result<Step, Fault> {
        self.transcript.add(message);
        let hello = ClientHello::parse(body).map_err(|error| match error {
            HelloError::Malformed(what) => Fault::Malformed(what),
            HelloError::Incomplete | HelloError::NotAHello | HelloError::TooLong => {
                Fault::Malformed("ClientHello")
            }
        })?;
        let choice = Choice::from(&hello);
        self.hello = Some(hello);
        self.phase = Phase::HelloRead;
        let choice = choice?;
        // RFC 4346 §7.4.1.2: the random stands behind the version.
        let client = body.get(2..).and_then(<[u8]>::first_chunk);
        let client = *client.ok_or(Fault::Malformed("ClientHello"))?;
        let mut server = [0; 32];
        random(&mut server);
        let flight = message::flight(&choice, &server, self.identity.chain());
        self.transcript.add(&flight);
        self.choice = Some(choice);
        self.state = State::Certificate(Agreed { choice, client, server });
        self.phase = Phase::FlightSent;
        Ok(Step::Send(flight))
    }

    fn master(&self, agreed: &Agreed, encrypted: &[u8], random: &mut Random) -> Master {
        let mut otherwise = [0; 48];
        random(&mut otherwise);
        let premaster = self.identity.premaster(encrypted, otherwise);
        match agreed.choice.extended_master_secret {
            Agreement::Agreed => Master::of_session(&premaster, &self.transcript),
            Agreement::Absent => Master::of_randoms(&premaster, &agreed.client, &agreed.server),
        }
    }

    fn take_finished(
        &mut self,
        message: &[u8],
        body: &[u8],
        master: &Master,
    ) -> Result<Step, Fault> {
        let expected = master.finished(Side::Client, &self.transcript);
        verify_slices_are_equal(&expected, body).map_err(|_| Fault::Finished)?;
        self.transcript.add(message);
        let ours = message::finished(&master.finished(Side::Server, &self.transcript));
        self.state = State::Done;
        self.phase = Phase::Finished;
        Ok(Step::Finish(ours))
    }
}
