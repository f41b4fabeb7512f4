//! What a peer says, as plain data.

use crate::lab::ca::Identity;
use crate::lab::smtp::say::Say;
use crate::model::requirement::TlsVersion;
use std::{collections::BTreeMap, net::IpAddr};

/// The behaviour of one peer. Its named misbehaviours are constructors of this type.
#[derive(Debug, Clone)]
pub struct Script {
    /// Greetings of the first connections since the script was set, one each.
    pub first: Vec<Say>,
    /// The greeting of every other connection.
    pub greeting: Say,
    /// Whether TLS comes before the greeting, as on port 465.
    pub starts: Starts,
    /// Replies that hang on who says what, and how; the first that fits goes before the tables.
    pub rules: Vec<Rule>,
    /// What is answered in clear.
    pub in_clear: Replies,
    /// What follows a STARTTLS that was answered with 220.
    pub handshake: Handshake,
    /// What is answered inside TLS.
    pub in_tls: Replies,
}

/// A reply to one verb where all of this holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The verb, in capitals; `.` is the end of the message.
    pub verb: &'static str,
    /// What must hold; asked in this order, and no further than the first that does not.
    pub when: Vec<When>,
    /// The reply.
    pub say: Say,
}

/// Something about a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// It comes from this address.
    ComesFrom(IpAddr),
    /// It does not come from this address.
    ElsewhereThan(IpAddr),
    /// The domain of its envelope sender.
    From(&'static str),
    /// It speaks in clear.
    InClear,
    /// It speaks inside TLS.
    InTls,
    /// This address, sender and recipient were not seen together before; from now on they were.
    New,
    /// It presented no certificate for this name, or one it signed itself.
    WithoutCertificate(&'static str),
}

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starts {
    /// With STARTTLS.
    InClear,
    /// With the first octet.
    InTls,
}

/// Replies by verb, in capitals; `.` is the end of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replies(BTreeMap<String, Say>);

/// What a peer does once it has agreed to TLS.
#[derive(Debug, Clone)]
pub enum Handshake {
    /// This, once the ClientHello is read, and no TLS.
    AfterHello(Say),
    /// This without reading anything, and no TLS.
    AtOnce(Say),
    /// TLS.
    Tls(Box<Tls>),
}

/// A real handshake.
#[derive(Debug, Clone)]
pub struct Tls {
    /// What is presented without SNI, and for every name not in `by_sni`.
    pub identity: Identity,
    /// What is presented for these names instead.
    pub by_sni: BTreeMap<String, Identity>,
    /// The versions spoken: TLS 1.2 and 1.3 are possible.
    pub versions: Vec<TlsVersion>,
    /// Whether the client is asked for a certificate; whichever it shows is taken.
    pub client_certificate: ClientCertificate,
    /// The OCSP response stapled to every identity.
    pub ocsp: Option<Vec<u8>>,
    /// What a ClientHello is answered with that offers such an old version at most; those not here get an
    /// alert.
    pub legacy: BTreeMap<TlsVersion, Vec<u8>>,
    /// Octets sent in clear between the ClientHello and the ServerHello.
    pub injected: Vec<u8>,
    /// A first ClientHello record of more octets is answered so, and not with TLS.
    pub intolerance: Option<Intolerance>,
    /// What is done right after the handshake, before the client has its turn.
    pub afterwards: Option<Say>,
}

/// A peer, or a box in front of it, that cannot take a large ClientHello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intolerance {
    /// Octets it can take, record header included.
    pub octets: usize,
    /// What it does with more.
    pub then: Say,
    /// In how many connections, from the first on; afterwards it is cured.
    pub connections: usize,
}

/// Whether a client certificate is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificate {
    /// No.
    NotAsked,
    /// Yes, but none is taken too.
    Optional,
    /// Yes, and none ends the handshake with an alert (in TLS 1.3 after the client believes it done).
    Required,
}

impl Tls {
    /// TLS 1.2 and 1.3 with one identity and nothing odd.
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            by_sni: BTreeMap::new(),
            versions: vec![TlsVersion::Tls12, TlsVersion::Tls13],
            client_certificate: ClientCertificate::NotAsked,
            ocsp: None,
            legacy: BTreeMap::new(),
            injected: Vec::new(),
            intolerance: None,
            afterwards: None,
        }
    }
}

impl Replies {
    /// What a sound receiver answers, with these lines in its reply to EHLO.
    pub fn sound(capabilities: &[&str]) -> Self {
        let mut ehlo = vec!["mx.lab.test"];
        ehlo.extend(capabilities);
        let lines = [
            (".", "250 2.0.0 Ok: taken"),
            ("DATA", "354 End data with <CR><LF>.<CR><LF>"),
            ("HELO", "250 mx.lab.test"),
            ("MAIL", "250 2.1.0 Ok"),
            ("NOOP", "250 2.0.0 Ok"),
            ("RCPT", "250 2.1.5 Ok"),
            ("RSET", "250 2.0.0 Ok"),
        ];
        let replies = lines.into_iter().map(|(verb, line)| (verb.to_owned(), Say::line(line)));
        Self(replies.collect())
            .with("EHLO", Say::lines(250, ehlo))
            .with("QUIT", Say::last_line("221 2.0.0 Bye"))
    }

    /// With another reply to one verb.
    #[must_use]
    pub fn with(mut self, verb: &str, say: Say) -> Self {
        self.set(verb, say);
        self
    }

    /// Sets the reply to one verb.
    pub fn set(&mut self, verb: &str, say: Say) {
        self.0.insert(verb.to_ascii_uppercase(), say);
    }

    /// The reply to a verb; one that is not in the table is not recognised.
    pub fn to(&self, verb: &str) -> Say {
        let known = self.0.get(&verb.to_ascii_uppercase());
        known.cloned().unwrap_or_else(|| Say::line("502 5.5.2 Error: command not recognized"))
    }
}
