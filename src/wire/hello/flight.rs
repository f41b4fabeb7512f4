//! What a server says in clear before keys are agreed on ([RFC 5246 §7.4], [RFC 8446 §4.1.3]).
//!
//! [RFC 5246 §7.4]: https://www.rfc-editor.org/rfc/rfc5246#section-7.4
//! [RFC 8446 §4.1.3]: https://www.rfc-editor.org/rfc/rfc8446#section-4.1.3

use super::{
    Alert, FlightError, Offer, TlsVersion, group_name, suite_name,
    suites::{self, Parameters},
};
use std::fmt;
use tls_parser::{
    ECParametersContent, TlsHandshakeType, TlsMessageHandshake, parse_dh_params, parse_ecdh_params,
    parse_tls_handshake_certificatestatus, parse_tls_handshake_msg_certificate,
    parse_tls_handshake_server_hello,
};

/// Everything seen of one server's answer. What did not come is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flight {
    /// The version the server chose.
    pub version: Option<TlsVersion>,
    /// The suite the server chose.
    pub suite: Option<u16>,
    /// Whether the server asked for another hello, with a share of `group` ([RFC 8446 §4.1.4]).
    ///
    /// [RFC 8446 §4.1.4]: https://www.rfc-editor.org/rfc/rfc8446#section-4.1.4
    pub hello_retry: bool,
    /// The numbers of the ServerHello's extensions, as they came.
    pub extensions: Vec<u16>,
    /// The certificates as sent, leaf first, in DER; before TLS 1.3 only.
    pub certificates: Vec<Vec<u8>>,
    /// The stapled OCSP response, in DER.
    pub ocsp: Option<Vec<u8>>,
    /// Size of the Diffie-Hellman prime, in bits, where one was sent.
    pub dh_bits: Option<usize>,
    /// The curve, or in TLS 1.3 the group, of the key exchange.
    pub group: Option<u16>,
    /// Whether the server asked for a client certificate; in TLS 1.3 that is not in clear.
    pub client_certificate_requested: bool,
    /// Whether ServerHelloDone came; in TLS 1.3 there is none.
    pub done: bool,
    /// The last alert.
    pub alert: Option<Alert>,
}

/// Version, suite and group that a server chose from an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Negotiated {
    /// The version.
    pub version: TlsVersion,
    /// The suite.
    pub suite: u16,
    /// The key exchange group, where the exchange has one with a number.
    pub group: Option<u16>,
}

impl fmt::Display for Negotiated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.version, suite_name(self.suite))?;
        match self.group {
            Some(group) => write!(f, " {}", group_name(group)),
            None => Ok(()),
        }
    }
}

/// Whether more of the flight is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    End,
    More,
}

/// The random that makes a ServerHello a HelloRetryRequest (RFC 8446 §4.1.3).
const HELLO_RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

impl Flight {
    /// Whether the server accepts the highest version of an offer: its hello names that version and a
    /// suite of the offer, and its part of the handshake came to its end. Many servers answer a hello
    /// they then break off, so the hello alone proves nothing. (In TLS 1.3 all that follows is
    /// encrypted, and the hello must do.)
    pub fn is_accepting(&self, offer: &Offer) -> bool {
        self.version == Some(offer.version)
            && self.is_within(offer)
            && (self.done || self.version == Some(TlsVersion::Tls13))
    }

    /// Whether the server chose among what was offered, as it must (RFC 5246 §7.4.1.3).
    pub fn is_within(&self, offer: &Offer) -> bool {
        let lowest = match offer.version {
            TlsVersion::Tls13 => offer.lowest,
            // Before 1.3 a client cannot name its lowest.
            _ => TlsVersion::Ssl3,
        };
        self.version.is_some_and(|version| (lowest..=offer.version).contains(&version))
            && self.suite.is_some_and(|suite| offer.suites.contains(&suite))
    }

    /// What was agreed on, so far as it is seen in clear.
    pub fn negotiated(&self) -> Option<Negotiated> {
        Some(Negotiated { version: self.version?, suite: self.suite?, group: self.group })
    }

    /// Takes one whole handshake message; `chain` bounds the octets of certificates kept.
    pub(super) fn take(
        &mut self,
        kind: u8,
        body: &[u8],
        chain: usize,
    ) -> Result<Next, FlightError> {
        let kind = TlsHandshakeType(kind);
        match (kind, self.suite) {
            // RFC 5246 §7.4.1.1: may come at any time, and means nothing here.
            (TlsHandshakeType::HelloRequest, _) => return Ok(Next::More),
            (TlsHandshakeType::ServerHello, None) => return self.take_hello(body),
            (_, None) => return Err(FlightError::Unexpected(message_name(kind))),
            (_, Some(_)) => {}
        }
        match kind {
            TlsHandshakeType::Certificate if self.certificates.is_empty() => {
                self.take_certificates(body, chain)?;
            }
            TlsHandshakeType::CertificateStatus if self.ocsp.is_none() => {
                let (_, status) = parse_tls_handshake_certificatestatus(body)
                    .map_err(|_| FlightError::Malformed("CertificateStatus"))?;
                self.ocsp = Some(status.blob.to_vec());
            }
            TlsHandshakeType::ServerKeyExchange => self.take_key_exchange(body)?,
            TlsHandshakeType::CertificateRequest => self.client_certificate_requested = true,
            TlsHandshakeType::ServerDone => {
                self.done = true;
                return Ok(Next::End);
            }
            other => return Err(FlightError::Unexpected(message_name(other))),
        }
        Ok(Next::More)
    }

    fn take_hello(&mut self, body: &[u8]) -> Result<Next, FlightError> {
        let malformed = || FlightError::Malformed("ServerHello");
        let (rest, hello) = parse_tls_handshake_server_hello(body).map_err(|_| malformed())?;
        let legacy = TlsVersion::from_wire(hello.version.0).ok_or_else(malformed)?;
        // tls-parser takes a block of extensions that is cut short for none at all, which would hide
        // TLS 1.3. RFC 6101 §5.6.1.2 allows octets behind an SSL 3.0 hello.
        if !rest.is_empty() && legacy > TlsVersion::Ssl3 {
            return Err(malformed());
        }
        let extensions = split_extensions(hello.ext.unwrap_or_default()).ok_or_else(malformed)?;
        let named = extensions.iter().find(|(number, _)| *number == 43).map(|(_, data)| *data);
        let version = match named {
            None => legacy,
            // RFC 8446 §4.2.1: only 1.3 is ever named so; drafts are not.
            Some([3, 4]) if legacy == TlsVersion::Tls12 => TlsVersion::Tls13,
            Some(_) => return Err(malformed()),
        };
        self.version = Some(version);
        self.suite = Some(hello.cipher.0);
        self.extensions = extensions.iter().map(|(number, _)| *number).collect();
        if version < TlsVersion::Tls13 {
            return Ok(Next::More);
        }
        self.hello_retry = hello.random == HELLO_RETRY;
        // RFC 8446 §4.2.8: both forms of the extension begin with the group.
        let share = extensions.iter().find(|(number, _)| *number == 51).map(|(_, data)| *data);
        self.group =
            share.and_then(|data| data.first_chunk().map(|group| u16::from_be_bytes(*group)));
        Ok(Next::End)
    }

    fn take_certificates(&mut self, body: &[u8], chain: usize) -> Result<(), FlightError> {
        let malformed = || FlightError::Malformed("Certificate");
        let (rest, message) = parse_tls_handshake_msg_certificate(body).map_err(|_| malformed())?;
        let TlsMessageHandshake::Certificate(list) = message else { return Err(malformed()) };
        let octets: usize = list.cert_chain.iter().map(|certificate| certificate.data.len()).sum();
        if octets > chain {
            return Err(FlightError::TooMuch { what: "octets of certificates", limit: chain });
        }
        // tls-parser stops in silence at a certificate that is cut short.
        if !rest.is_empty() || octets + 3 * list.cert_chain.len() + 3 != body.len() {
            return Err(malformed());
        }
        self.certificates =
            list.cert_chain.iter().map(|certificate| certificate.data.to_vec()).collect();
        Ok(())
    }

    fn take_key_exchange(&mut self, body: &[u8]) -> Result<(), FlightError> {
        let malformed = || FlightError::Malformed("ServerKeyExchange");
        match suites::parameters(self.suite.unwrap_or_default()) {
            Parameters::Curve => {
                let (_, parameters) = parse_ecdh_params(body).map_err(|_| malformed())?;
                if let ECParametersContent::NamedGroup(group) =
                    parameters.curve_params.params_content
                {
                    self.group = Some(group.0);
                }
            }
            Parameters::FiniteField => {
                let (_, parameters) = parse_dh_params(body).map_err(|_| malformed())?;
                self.dh_bits = Some(bits(parameters.dh_p));
            }
            // The temporary RSA key of an export suite, or nothing we know.
            Parameters::Other => {}
        }
        Ok(())
    }
}

/// The size of a number in bits, leading zeros apart.
fn bits(number: &[u8]) -> usize {
    let mut octets = number.iter().skip_while(|octet| **octet == 0);
    match octets.next() {
        None => 0,
        Some(first) => {
            let significant = u8::BITS.saturating_sub(first.leading_zeros());
            octets.count() * 8 + usize::try_from(significant).unwrap_or_default()
        }
    }
}

/// Number and content of each extension; none where the block is not made of whole ones.
pub(super) fn split_extensions(mut block: &[u8]) -> Option<Vec<(u16, &[u8])>> {
    let mut found = Vec::new();
    while !block.is_empty() {
        let (number, rest) = block.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (data, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        found.push((u16::from_be_bytes(*number), data));
        block = rest;
    }
    Some(found)
}

fn message_name(kind: TlsHandshakeType) -> &'static str {
    match kind {
        TlsHandshakeType::ClientHello => "ClientHello",
        TlsHandshakeType::ServerHello => "ServerHello",
        TlsHandshakeType::NewSessionTicket => "NewSessionTicket",
        TlsHandshakeType::Certificate => "Certificate",
        TlsHandshakeType::ServerKeyExchange => "ServerKeyExchange",
        TlsHandshakeType::CertificateRequest => "CertificateRequest",
        TlsHandshakeType::ServerDone => "ServerHelloDone",
        TlsHandshakeType::CertificateStatus => "CertificateStatus",
        TlsHandshakeType::Finished => "Finished",
        _ => "a message of another kind",
    }
}
