//! What a client says it can do, as a value that is kept as evidence ([RFC 5246 §7.4.1.2], [RFC 8446 §4.1.2]).
//!
//! 1. A ClientHello is read, from a handshake message's body or from the records that carry it.
//! 2. What tells one sender from another is kept, in the order given; numbers stay numbers, so that a suite
//!    nobody has registered yet is kept too.
//! 3. What a sender accepts is asked of the value: its versions, and its fingerprint ([`super::ja4`]).
//!
//! Invariant: no bytes panic; a hello that is refused is refused whole.
//!
//! [RFC 5246 §7.4.1.2]: https://www.rfc-editor.org/rfc/rfc5246#section-7.4.1.2
//! [RFC 8446 §4.1.2]: https://www.rfc-editor.org/rfc/rfc8446#section-4.1.2

use super::{TlsVersion, flight::split_extensions, suite_name};
use crate::wire::text;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;
use tls_parser::parse_tls_handshake_client_hello;

pub(super) const SERVER_NAME: u16 = 0;
const SUPPORTED_GROUPS: u16 = 10;
const SIGNATURE_ALGORITHMS: u16 = 13;
pub(super) const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;

/// The most octets of a hello that is read from records.
const MESSAGE_MOST: usize = 64 << 10;
/// RFC 1035 §2.3.4: no host name is longer.
const NAME_MOST: usize = 255;

/// A client's offer. What it leaves out is empty or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientHello {
    /// The version field: the highest version, unless `supported_versions` is there.
    pub legacy_version: u16,
    /// The versions of the extension that replaced the field ([RFC 8446 §4.2.1]), most wanted first.
    ///
    /// [RFC 8446 §4.2.1]: https://www.rfc-editor.org/rfc/rfc8446#section-4.2.1
    pub supported_versions: Option<Vec<u16>>,
    /// The suites, most wanted first, signals included.
    pub suites: Vec<u16>,
    /// The numbers of the extensions, in the order in which they came.
    pub extensions: Vec<u16>,
    /// The key exchange groups, most wanted first.
    pub groups: Vec<u16>,
    /// The signature algorithms, most wanted first.
    pub signature_algorithms: Vec<u16>,
    /// The host asked for ([RFC 6066 §3]), made printable.
    ///
    /// [RFC 6066 §3]: https://www.rfc-editor.org/rfc/rfc6066#section-3
    pub server_name: Option<String>,
    /// The application protocols ([RFC 7301 §3.1]), most wanted first. Mail has none.
    ///
    /// [RFC 7301 §3.1]: https://www.rfc-editor.org/rfc/rfc7301#section-3.1
    pub alpn: Vec<ProtocolName>,
}

/// The bytes are no ClientHello.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HelloError {
    /// The records end before the hello does.
    #[error("a ClientHello that is cut short")]
    Incomplete,
    /// A part that is not as its type says.
    #[error("a malformed {0}")]
    Malformed(&'static str),
    /// Records of another kind, a message of another kind, or no TLS at all.
    #[error("no ClientHello")]
    NotAHello,
    /// More than is read.
    #[error("a ClientHello of more than {MESSAGE_MOST} octets")]
    TooLong,
}

impl ClientHello {
    /// Reads the body of a handshake message of type 1.
    pub fn parse(body: &[u8]) -> Result<Self, HelloError> {
        let malformed = || HelloError::Malformed("ClientHello");
        let (rest, hello) = parse_tls_handshake_client_hello(body).map_err(|_| malformed())?;
        // tls-parser takes a block of extensions that is cut short for none at all.
        if !rest.is_empty() {
            return Err(malformed());
        }
        let extensions = split_extensions(hello.ext.unwrap_or_default())
            .ok_or(HelloError::Malformed("block of extensions"))?;
        // RFC 8446 §4.2: none comes twice. The first counts, as with most servers.
        let find =
            |wanted| extensions.iter().find(|(number, _)| *number == wanted).map(|(_, d)| *d);
        let numbers = |wanted, what| match find(wanted) {
            Some(data) => numbers(data, what),
            None => Ok(Vec::new()),
        };
        Ok(Self {
            legacy_version: hello.version.0,
            supported_versions: find(SUPPORTED_VERSIONS).map(versions).transpose()?,
            suites: hello.ciphers.iter().map(|suite| suite.0).collect(),
            groups: numbers(SUPPORTED_GROUPS, "supported_groups")?,
            signature_algorithms: numbers(SIGNATURE_ALGORITHMS, "signature_algorithms")?,
            server_name: find(SERVER_NAME).map(server_name).transpose()?,
            alpn: find(ALPN).map(protocols).transpose()?.unwrap_or_default(),
            extensions: extensions.iter().map(|(number, _)| *number).collect(),
        })
    }

    /// Reads the hello off the front of a client's bytes as they came off the network, record headers
    /// included; what follows it is not looked at.
    pub fn parse_records(bytes: &[u8]) -> Result<Self, HelloError> {
        let mut message = Vec::new();
        let mut rest = bytes;
        loop {
            if let Some(([kind, length @ ..], body)) = message.split_first_chunk::<4>() {
                let length = u24(*length);
                if *kind != 1 {
                    return Err(HelloError::NotAHello);
                }
                if length > MESSAGE_MOST {
                    return Err(HelloError::TooLong);
                }
                if let Some(body) = body.get(..length) {
                    return Self::parse(body);
                }
            }
            let Some(([kind, major, _, high, low], behind)) = rest.split_first_chunk::<5>() else {
                let is_handshake = rest.first().is_none_or(|kind| *kind == 22);
                return Err(if is_handshake {
                    HelloError::Incomplete
                } else {
                    HelloError::NotAHello
                });
            };
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            if *kind != 22 || *major != 3 || length == 0 || length > 1 << 14 {
                return Err(HelloError::NotAHello);
            }
            let (fragment, behind) = behind.split_at_checked(length).unwrap_or((behind, &[]));
            message.extend_from_slice(fragment);
            rest = behind;
        }
    }

    /// The names of the suites, by the IANA registry.
    pub fn suite_names(&self) -> Vec<String> {
        self.suites.iter().map(|suite| suite_name(*suite)).collect()
    }

    /// Whether an extension came.
    pub fn has_extension(&self, number: u16) -> bool {
        self.extensions.contains(&number)
    }

    /// Whether the client would speak this version, as far as it says.
    /// [RFC 8446 §4.2.1]: where the extension is there, the field is no offer.
    ///
    /// [RFC 8446 §4.2.1]: https://www.rfc-editor.org/rfc/rfc8446#section-4.2.1
    pub fn is_offering(&self, version: TlsVersion) -> bool {
        match &self.supported_versions {
            Some(listed) => listed.contains(&version.to_wire()),
            // 1.3 is told in the extension alone.
            None => {
                self.legacy_version >> 8 == 3
                    && version < TlsVersion::Tls13
                    && version.to_wire() <= self.legacy_version
            }
        }
    }

    /// The highest version offered that we know.
    pub fn highest_version(&self) -> Option<TlsVersion> {
        TlsVersion::ALL.into_iter().rev().find(|version| self.is_offering(*version))
    }

    /// Whether the client itself says that it speaks nothing below `version`. Only `supported_versions`
    /// can say so: the older field names a highest version and no lowest. A version nobody knows proves
    /// nothing, nor does an empty list.
    pub fn lists_nothing_below(&self, version: TlsVersion) -> bool {
        let Some(listed) = &self.supported_versions else { return false };
        let mut meant = listed.iter().filter(|number| !is_grease(**number)).peekable();
        meant.peek().is_some()
            && meant.all(|number| match TlsVersion::from_wire(*number) {
                Some(known) => known >= version,
                // RFC 8446's drafts called themselves 0x7fNN.
                None => number >> 8 == 0x7f,
            })
    }
}

/// An application protocol's name: any octets. Stored as text where it is visible ASCII, else as `0x…`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ProtocolName(pub Vec<u8>);

impl fmt::Display for ProtocolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(&self.0) {
            Ok(name) if name.bytes().all(|b| b.is_ascii_graphic()) && !name.starts_with("0x") => {
                f.write_str(name)
            }
            _ => write!(f, "0x{}", text::hex(&self.0)),
        }
    }
}

impl fmt::Debug for ProtocolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProtocolName({self})")
    }
}

impl Serialize for ProtocolName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ProtocolName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        match name.strip_prefix("0x") {
            Some(digits) => {
                text::from_hex(digits).map(Self).ok_or_else(|| D::Error::custom("not hexadecimal"))
            }
            None => Ok(Self(name.into_bytes())),
        }
    }
}

/// RFC 8701: numbers that mean nothing, sent so that servers learn to ignore what they do not know.
pub(super) fn is_grease(number: u16) -> bool {
    let [high, low] = number.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

pub(in crate::wire) fn u24([high, middle, low]: [u8; 3]) -> usize {
    usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low)
}

fn pairs(data: &[u8], what: &'static str) -> Result<Vec<u16>, HelloError> {
    let (whole, rest) = data.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(HelloError::Malformed(what));
    }
    Ok(whole.iter().map(|pair| u16::from_be_bytes(*pair)).collect())
}

/// A list behind its length in two octets, and nothing behind it.
fn list<'a>(data: &'a [u8], what: &'static str) -> Result<&'a [u8], HelloError> {
    match data.split_first_chunk::<2>() {
        Some((length, rest)) if usize::from(u16::from_be_bytes(*length)) == rest.len() => Ok(rest),
        _ => Err(HelloError::Malformed(what)),
    }
}

fn numbers(data: &[u8], what: &'static str) -> Result<Vec<u16>, HelloError> {
    pairs(list(data, what)?, what)
}

fn versions(data: &[u8]) -> Result<Vec<u16>, HelloError> {
    match data.split_first() {
        Some((length, rest)) if usize::from(*length) == rest.len() => {
            pairs(rest, "supported_versions")
        }
        _ => Err(HelloError::Malformed("supported_versions")),
    }
}

/// The first name; there is only one kind, and one of each kind (RFC 6066 §3).
fn server_name(data: &[u8]) -> Result<String, HelloError> {
    let malformed = HelloError::Malformed("server_name");
    let [0, high, low, name @ ..] = list(data, "server_name")? else { return Err(malformed) };
    let name = name.get(..usize::from(u16::from_be_bytes([*high, *low]))).ok_or(malformed)?;
    Ok(text::printable_within(name, NAME_MOST))
}

fn protocols(data: &[u8]) -> Result<Vec<ProtocolName>, HelloError> {
    let mut rest = list(data, "application_layer_protocol_negotiation")?;
    let mut found = Vec::new();
    while let Some((length, behind)) = rest.split_first() {
        let (name, behind) = behind
            .split_at_checked(usize::from(*length))
            .ok_or(HelloError::Malformed("application_layer_protocol_negotiation"))?;
        found.push(ProtocolName(name.to_vec()));
        rest = behind;
    }
    Ok(found)
}
