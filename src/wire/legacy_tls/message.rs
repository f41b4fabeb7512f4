//! Handshake messages, as bytes ([RFC 4346 §7.4]).
//!
//! [RFC 4346 §7.4]: https://www.rfc-editor.org/rfc/rfc4346#section-7.4

use super::Fault;
use crate::wire::hello::{ClientHello, TlsVersion, Width, block, put, u24};

pub(super) const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
pub(super) const CERTIFICATE: u8 = 11;
const CERTIFICATE_REQUEST: u8 = 13;
const SERVER_HELLO_DONE: u8 = 14;
pub(super) const CERTIFICATE_VERIFY: u8 = 15;
pub(super) const CLIENT_KEY_EXCHANGE: u8 = 16;
pub(super) const FINISHED: u8 = 20;

/// Octets of a handshake message's body.
const MESSAGE_MOST: usize = 64 << 10;
/// Octets of its header.
const HEADER: usize = 4;

const RENEGOTIATION_INFO: u16 = 0xff01;
/// RFC 5746 §3.3: the extension, as a suite.
const RENEGOTIATION_SCSV: u16 = 0x00ff;
const EXTENDED_MASTER_SECRET: u16 = 23;

/// A suite we have: AES-CBC with SHA-1 under RSA key exchange ([RFC 3268 §2]).
///
/// [RFC 3268 §2]: https://www.rfc-editor.org/rfc/rfc3268#section-2
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suite {
    Aes128,
    Aes256,
}

impl Suite {
    const ALL: [Self; 2] = [Self::Aes128, Self::Aes256];

    pub(super) fn number(self) -> u16 {
        match self {
            Self::Aes128 => 0x002f,
            Self::Aes256 => 0x0035,
        }
    }

    /// Octets of its key.
    pub(super) fn key(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes256 => 32,
        }
    }
}

/// An extension that both sides have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agreement {
    Absent,
    Agreed,
}

/// What is agreed on with a client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    pub(super) version: TlsVersion,
    pub(super) suite: Suite,
    /// RFC 5746: renegotiation would be safe. There is none; a client that insists on the answer gets it.
    pub(super) renegotiation_info: Agreement,
    /// RFC 7627.
    pub(super) extended_master_secret: Agreement,
}

impl Choice {
    /// The highest of our versions that is offered, and the first suite offered that we have.
    ///
    /// RFC 7507 §3: TLS_FALLBACK_SCSV is of no account, since we speak nothing higher.
    pub(super) fn from(hello: &ClientHello) -> Result<Self, Fault> {
        let version = [TlsVersion::Tls11, TlsVersion::Tls10]
            .into_iter()
            .find(|version| hello.is_offering(*version))
            .ok_or(Fault::NoSharedVersion)?;
        let known = |number: &u16| Suite::ALL.into_iter().find(|suite| suite.number() == *number);
        let suite = hello
            .suites
            .iter()
            .find_map(known)
            .ok_or_else(|| Fault::NoSharedSuite(hello.suites.clone()))?;
        let agreed = |is_offered| if is_offered { Agreement::Agreed } else { Agreement::Absent };
        let can_renegotiate =
            hello.has_extension(RENEGOTIATION_INFO) || hello.suites.contains(&RENEGOTIATION_SCSV);
        Ok(Self {
            version,
            suite,
            renegotiation_info: agreed(can_renegotiate),
            extended_master_secret: agreed(hello.has_extension(EXTENDED_MASTER_SECRET)),
        })
    }
}

/// ServerHello to ServerHelloDone.
pub(super) fn flight(choice: &Choice, random: &[u8; 32], chain: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    message(&mut out, SERVER_HELLO, |body| {
        put(body, choice.version.to_wire());
        body.extend_from_slice(random);
        // No session id: there is nothing to resume. No compression.
        body.push(0);
        put(body, choice.suite.number());
        body.push(0);
        put_extensions(body, choice);
    });
    message(&mut out, CERTIFICATE, |body| {
        block(body, Width::U24, |list| {
            for certificate in chain {
                block(list, Width::U24, |der| der.extend_from_slice(certificate));
            }
        });
    });
    message(&mut out, CERTIFICATE_REQUEST, |body| {
        // rsa_sign and ecdsa_sign (RFC 8422 §5.5), of whatever authority.
        block(body, Width::U8, |kinds| kinds.extend_from_slice(&[1, 64]));
        block(body, Width::U16, |_| {});
    });
    message(&mut out, SERVER_HELLO_DONE, |_| {});
    out
}

/// RFC 5246 §7.4.1.4: nothing is answered that was not asked; without any the block is left out, as old servers do.
fn put_extensions(body: &mut Vec<u8>, choice: &Choice) {
    let mut extensions = Vec::new();
    if choice.renegotiation_info == Agreement::Agreed {
        put(&mut extensions, RENEGOTIATION_INFO);
        // RFC 5746 §3.6: no renegotiated connection, as an empty list.
        block(&mut extensions, Width::U16, |data| data.push(0));
    }
    if choice.extended_master_secret == Agreement::Agreed {
        put(&mut extensions, EXTENDED_MASTER_SECRET);
        block(&mut extensions, Width::U16, |_| {});
    }
    if !extensions.is_empty() {
        block(body, Width::U16, |list| list.extend_from_slice(&extensions));
    }
}

pub(super) fn finished(verify_data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    message(&mut out, FINISHED, |body| body.extend_from_slice(verify_data));
    out
}

fn message(out: &mut Vec<u8>, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(kind);
    block(out, Width::U24, body);
}

/// The first message off what handshake records brought, header included, if it is whole.
pub(super) fn take_message(handshake: &mut Vec<u8>) -> Result<Option<Vec<u8>>, Fault> {
    let Some(([_, length @ ..], _)) = handshake.split_first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let length = u24(*length);
    if length > MESSAGE_MOST {
        return Err(Fault::TooMuch { what: "octets of a message", limit: MESSAGE_MOST });
    }
    if handshake.len() < HEADER + length {
        return Ok(None);
    }
    let rest = handshake.split_off(HEADER + length);
    Ok(Some(std::mem::replace(handshake, rest)))
}

/// A message's type and body.
pub(super) fn parts(message: &[u8]) -> Option<(u8, &[u8])> {
    let ([kind, ..], body) = message.split_first_chunk::<HEADER>()?;
    Some((*kind, body))
}

/// A client's certificates, leaf first; none where it has none.
pub(super) fn parse_certificates(body: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
    let malformed = Fault::Malformed("Certificate");
    let Some((mut list, [])) = split_block(body) else { return Err(malformed) };
    let mut found = Vec::new();
    while !list.is_empty() {
        let Some((certificate, rest)) = split_block(list) else { return Err(malformed) };
        found.push(certificate.to_vec());
        list = rest;
    }
    Ok(found)
}

/// What stands behind a length in three octets, and what follows it.
fn split_block(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<3>()?;
    rest.split_at_checked(u24(*length))
}

/// The encrypted premaster secret (RFC 4346 §7.4.7.1).
pub(super) fn parse_key_exchange(body: &[u8]) -> Result<&[u8], Fault> {
    match body.split_first_chunk::<2>() {
        Some((length, rest)) if usize::from(u16::from_be_bytes(*length)) == rest.len() => Ok(rest),
        _ => Err(Fault::Malformed("ClientKeyExchange")),
    }
}

/// A type's name, for people.
pub(super) fn name(kind: u8) -> &'static str {
    match kind {
        0 => "HelloRequest",
        CLIENT_HELLO => "ClientHello",
        SERVER_HELLO => "ServerHello",
        CERTIFICATE => "Certificate",
        CERTIFICATE_VERIFY => "CertificateVerify",
        CLIENT_KEY_EXCHANGE => "ClientKeyExchange",
        FINISHED => "Finished",
        _ => "a message of another kind",
    }
}
