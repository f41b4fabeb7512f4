//! A client that does as it is told, rules or no rules. It shares keys and records with the server; that those are right
//! is what the recorded sessions show.

use super::{IDENTITY, LegacyServer, server};
use crate::wire::{
    hello::{TlsVersion, Width, block, put},
    legacy_tls::{
        cipher::{Opener, Sealer},
        keys::{Master, Side, Transcript},
        message::{self, take_message},
        record::{ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, RecordReader},
    },
};
use aws_lc_rs::rsa::{Pkcs1PublicEncryptingKey, PublicEncryptingKey};
use x509_parser::parse_x509_certificate;

/// A client and its server.
pub(super) struct Client {
    pub(super) server: LegacyServer,
    version: TlsVersion,
    transcript: Transcript,
    reader: RecordReader,
    messages: Vec<u8>,
    opener: Option<Opener>,
    pub(super) sealer: Option<Sealer>,
    /// Whether the server has changed to its keys.
    is_sealed: bool,
    /// What the server said inside TLS.
    pub(super) heard: Vec<u8>,
    /// Its alerts: level and description.
    pub(super) alerts: Vec<Vec<u8>>,
}

const RANDOM: [u8; 32] = [5; 32];
/// What [`server`] has for one.
const SERVER_RANDOM: [u8; 32] = [7; 32];
const PREMASTER: [u8; 48] = [6; 48];

impl Client {
    pub(super) fn new(version: TlsVersion) -> Self {
        Self {
            server: server(),
            version,
            transcript: Transcript::new(),
            reader: RecordReader::default(),
            messages: Vec::new(),
            opener: None,
            sealer: None,
            is_sealed: false,
            heard: Vec::new(),
            alerts: Vec::new(),
        }
    }

    /// One that has a flight in hand.
    pub(super) fn greeted(version: TlsVersion) -> Self {
        let mut client = Self::new(version);
        let hello = client.hello();
        client.say(&hello);
        client
    }

    /// One that has sent its secret.
    pub(super) fn keyed(version: TlsVersion) -> Self {
        let mut client = Self::greeted(version);
        client.say(&certificates(&[]));
        client.exchange(&secret(&PREMASTER));
        client
    }

    /// One whose handshake is finished.
    pub(super) fn connected(version: TlsVersion) -> Self {
        let mut client = Self::keyed(version);
        client.finish();
        client
    }

    /// A ClientHello without extensions, for AES-128.
    pub(super) fn hello(&self) -> Vec<u8> {
        let mut body = Vec::new();
        put(&mut body, self.version.to_wire());
        body.extend_from_slice(&RANDOM);
        body.extend_from_slice(&[0, 0, 2, 0, 0x2f, 1, 0]);
        of_type(1, &body)
    }

    /// ClientKeyExchange with these octets for the encrypted secret.
    pub(super) fn exchange(&mut self, encrypted: &[u8]) {
        self.say(&key_exchange(encrypted));
        let keys = master().keys(&RANDOM, &SERVER_RANDOM, 16);
        self.opener = Some(Opener::new(self.version, &keys.server).unwrap());
        self.sealer = Some(Sealer::new(self.version, &keys.client).unwrap());
    }

    /// ChangeCipherSpec and Finished.
    pub(super) fn finish(&mut self) {
        self.record(CHANGE_CIPHER_SPEC, &[1]);
        let finished = self.finished();
        self.sealed(HANDSHAKE, &finished);
    }

    pub(super) fn finished(&mut self) -> Vec<u8> {
        let finished = message::finished(&master().finished(Side::Client, &self.transcript));
        self.transcript.add(&finished);
        finished
    }

    /// A handshake message in clear, in one record.
    pub(super) fn say(&mut self, message: &[u8]) {
        self.say_cut(message, message.len());
    }

    /// A handshake message in clear, in records of that many octets.
    pub(super) fn say_cut(&mut self, message: &[u8], octets: usize) {
        self.transcript.add(message);
        for part in message.chunks(octets) {
            self.record(HANDSHAKE, part);
        }
    }

    /// A record under the client's keys.
    pub(super) fn sealed(&mut self, kind: u8, content: &[u8]) {
        let body = self.sealer.as_mut().unwrap().seal(kind, content, [3; 16]).unwrap();
        self.record(kind, &body);
    }

    /// A record with this body.
    pub(super) fn record(&mut self, kind: u8, body: &[u8]) {
        let mut bytes = vec![kind];
        put(&mut bytes, self.version.to_wire());
        block(&mut bytes, Width::U16, |content| content.extend_from_slice(body));
        self.server.take_in(&bytes);
        self.listen();
    }

    /// Reads what the server has to say.
    pub(super) fn listen(&mut self) {
        let output = self.server.output();
        let mut rest = output.as_slice();
        while let Some(record) = self.reader.take_from(&mut rest).unwrap() {
            let content = match &mut self.opener {
                Some(opener) if self.is_sealed => opener.open(record.kind, &record.body).unwrap(),
                _ => record.body,
            };
            match record.kind {
                CHANGE_CIPHER_SPEC => self.is_sealed = true,
                HANDSHAKE => self.messages.extend_from_slice(&content),
                ALERT => self.alerts.push(content),
                APPLICATION_DATA => self.heard.extend_from_slice(&content),
                other => panic!("a record of kind {other}"),
            }
            while let Some(message) = take_message(&mut self.messages).unwrap() {
                if message[0] == message::FINISHED {
                    let ours = master().finished(Side::Server, &self.transcript);
                    assert_eq!(message[4..], ours);
                }
                self.transcript.add(&message);
            }
        }
    }
}

fn master() -> Master {
    Master::of_randoms(&PREMASTER, &RANDOM, &SERVER_RANDOM)
}

pub(super) fn of_type(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    block(&mut message, Width::U24, |content| content.extend_from_slice(body));
    message
}

pub(super) fn certificates(chain: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::new();
    block(&mut body, Width::U24, |list| {
        for certificate in chain {
            block(list, Width::U24, |der| der.extend_from_slice(certificate));
        }
    });
    of_type(11, &body)
}

pub(super) fn key_exchange(encrypted: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    block(&mut body, Width::U16, |secret| secret.extend_from_slice(encrypted));
    of_type(16, &body)
}

/// A secret under the server's key.
pub(super) fn secret(premaster: &[u8]) -> Vec<u8> {
    let (_, leaf) = parse_x509_certificate(&IDENTITY.chain()[0]).unwrap();
    let public = PublicEncryptingKey::from_der(leaf.public_key().raw).unwrap();
    let key = Pkcs1PublicEncryptingKey::new(public).unwrap();
    let mut room = vec![0; key.ciphertext_size()];
    key.encrypt(premaster, &mut room).unwrap().to_vec()
}
