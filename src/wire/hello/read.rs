//! A server's answer in clear, read from a byte stream without trusting it ([RFC 5246 §6.2.1], [RFC 8446 §5.1]).
//!
//! 1. Bytes go in as they come; records are put together, and handshake messages across records.
//! 2. A flight comes out at ServerHelloDone, at the ServerHello of TLS 1.3, or at an alert that ends it.
//! 3. Too many octets, messages or certificates are refused before they are stored.
//!
//! [RFC 5246 §6.2.1]: https://www.rfc-editor.org/rfc/rfc5246#section-6.2.1
//! [RFC 8446 §5.1]: https://www.rfc-editor.org/rfc/rfc8446#section-5.1

use super::{Alert, Flight, TlsVersion, flight::Next};
use crate::wire::text;

/// How much of an answer is read before the peer is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlightLimits {
    /// Octets of certificates.
    pub chain: usize,
    /// Octets in all, record headers included.
    pub octets: usize,
    /// Handshake messages and alerts.
    pub messages: usize,
}

impl FlightLimits {
    /// Room for a chain of this size and what stands around it: a request for a client certificate
    /// may name hundreds of authorities.
    pub fn around(chain: usize) -> Self {
        Self { chain, octets: chain.saturating_mul(2), messages: 32 }
    }
}

/// The peer's bytes are no answer to a hello, or too many.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlightError {
    /// A part that is not as its type says.
    #[error("a malformed {0}")]
    Malformed(&'static str),
    /// The bytes are no TLS: they begin so, made printable.
    #[error("the server sent bytes that are no TLS: `{0}`")]
    NotTls(String),
    /// More than is read.
    #[error("more than {limit} {what}")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// How much is read.
        limit: usize,
    },
    /// Something that has no place here.
    #[error("{0} out of place")]
    Unexpected(&'static str),
}

impl FlightError {
    /// Whether the peer sent too much, rather than something else.
    pub fn is_excess(&self) -> bool {
        match self {
            Self::TooMuch { .. } => true,
            Self::Malformed(_) | Self::NotTls(_) | Self::Unexpected(_) => false,
        }
    }
}

/// Octets of a record's header, and of a handshake message's.
const RECORD_HEADER: usize = 5;
const MESSAGE_HEADER: usize = 4;
/// RFC 5246 §6.2.3: what encryption may add included.
const RECORD_MOST: usize = (1 << 14) + 2048;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// Gathers one flight. After an error it is of no use but for [`Self::so_far`].
#[derive(Debug)]
pub struct FlightReader {
    limits: FlightLimits,
    /// A record that is not whole yet.
    record: Vec<u8>,
    /// Handshake octets that are no whole message yet.
    handshake: Vec<u8>,
    octets: usize,
    messages: usize,
    flight: Flight,
}

impl FlightReader {
    /// A reader that gives up at `limits`.
    pub fn new(limits: FlightLimits) -> Self {
        Self {
            limits,
            record: Vec::new(),
            handshake: Vec::new(),
            octets: 0,
            messages: 0,
            flight: Flight::default(),
        }
    }

    /// Takes bytes off the front of `input` until a flight is whole or the input is used up; what is
    /// left in `input` follows the record in which the flight ended, or the octets that were refused.
    pub fn take_from(&mut self, input: &mut &[u8]) -> Result<Option<Flight>, FlightError> {
        loop {
            let wanted = self.wanted()?;
            let missing = wanted.saturating_sub(self.record.len());
            let (taken, rest) = input.split_at_checked(missing).unwrap_or((*input, &[]));
            self.record.extend_from_slice(taken);
            *input = rest;
            if self.record.len() < wanted {
                return Ok(None);
            }
            if wanted > RECORD_HEADER && self.end_record()? == Next::End {
                let limits = self.limits;
                return Ok(Some(std::mem::replace(self, Self::new(limits)).flight));
            }
        }
    }

    /// What has been understood of a flight that is not whole: all there is when the peer closes or errs.
    pub fn so_far(&self) -> &Flight {
        &self.flight
    }

    /// The octets of a record that is not whole yet, made printable.
    pub fn unfinished(&self) -> Option<String> {
        (!self.record.is_empty()).then(|| text::printable_within(&self.record, 60))
    }

    /// How long the record must grow: to its header, then to its end.
    fn wanted(&self) -> Result<usize, FlightError> {
        let Some((header, _)) = self.record.split_first_chunk::<RECORD_HEADER>() else {
            return Ok(RECORD_HEADER);
        };
        let [kind, major, minor, high, low] = *header;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let is_record = (CHANGE_CIPHER_SPEC..=APPLICATION_DATA).contains(&kind)
            && TlsVersion::from_wire(u16::from_be_bytes([major, minor])).is_some()
            && length <= RECORD_MOST;
        if !is_record && self.octets == 0 {
            return Err(FlightError::NotTls(text::printable(header)));
        }
        // RFC 5246 §6.2.1: an empty record may carry application data alone.
        if !is_record || length == 0 {
            return Err(FlightError::Malformed("record"));
        }
        let whole = RECORD_HEADER + length;
        if self.octets.saturating_add(whole) > self.limits.octets {
            return Err(FlightError::TooMuch { what: "octets", limit: self.limits.octets });
        }
        Ok(whole)
    }

    fn end_record(&mut self) -> Result<Next, FlightError> {
        let record = std::mem::take(&mut self.record);
        self.octets = self.octets.saturating_add(record.len());
        let kind = record.first().copied().unwrap_or_default();
        let body = record.get(RECORD_HEADER..).unwrap_or_default();
        match kind {
            ALERT => self.take_alert(body),
            HANDSHAKE => {
                self.handshake.extend_from_slice(body);
                self.take_messages()
            }
            CHANGE_CIPHER_SPEC => Err(FlightError::Unexpected("ChangeCipherSpec")),
            _ => Err(FlightError::Unexpected("application data")),
        }
    }

    fn take_alert(&mut self, body: &[u8]) -> Result<Next, FlightError> {
        self.count()?;
        let [level, description, ..] = *body else {
            return Err(FlightError::Malformed("alert"));
        };
        let alert = Alert { level, description };
        self.flight.alert = Some(alert);
        Ok(if alert.is_end() { Next::End } else { Next::More })
    }

    fn take_messages(&mut self) -> Result<Next, FlightError> {
        let gathered = std::mem::take(&mut self.handshake);
        let mut rest = gathered.as_slice();
        while let Some((header, behind)) = rest.split_first_chunk::<MESSAGE_HEADER>() {
            let [kind, length @ ..] = *header;
            let length = length.iter().fold(0, |sum, octet| (sum << 8) | usize::from(*octet));
            if length > self.limits.octets {
                return Err(FlightError::TooMuch { what: "octets", limit: self.limits.octets });
            }
            let Some((body, after)) = behind.split_at_checked(length) else { break };
            self.count()?;
            if self.flight.take(kind, body, self.limits.chain)? == Next::End {
                return Ok(Next::End);
            }
            rest = after;
        }
        self.handshake = rest.to_vec();
        Ok(Next::More)
    }

    fn count(&mut self) -> Result<(), FlightError> {
        self.messages += 1;
        if self.messages > self.limits.messages {
            return Err(FlightError::TooMuch { what: "messages", limit: self.limits.messages });
        }
        Ok(())
    }
}
