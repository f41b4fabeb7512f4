//! What is looked at: a domain by its MX records, or a host or address without them.

use crate::wire::name::{Domain, Host, NameError};
use core::net::IpAddr;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// One target of `check`, or one of a partner's `targets`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// `[ADDRESS]:PORT`: this address, no DNS at all.
    Address {
        /// Where to connect.
        address: IpAddr,
        /// TCP port; none means the port of the run.
        port: Option<u16>,
    },
    /// A mail domain, by its MX records.
    Domain(Domain),
    /// `host:NAME[:PORT]`: this host's addresses, no MX lookup.
    Host {
        /// Whose addresses.
        host: Host,
        /// TCP port; none means the port of the run.
        port: Option<u16>,
    },
}

/// Why a text is no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not an address between the brackets.
    #[error(
        "`{0}` holds no IP address between its brackets; write [192.0.2.1]:25 or [2001:db8::1]:25"
    )]
    Address(String),
    /// An address where a domain belongs.
    #[error("`{0}` is an IP address; write [{0}]:25 to probe an address")]
    BareAddress(String),
    /// No name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// No port.
    #[error("`{0}` does not end in a port from 1 to 65535")]
    Port(String),
}

fn port(text: &str, whole: &str) -> Result<u16, TargetError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err(TargetError::Port(whole.chars().take(80).collect())),
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix('[') {
            let refuse = || TargetError::Address(text.chars().take(80).collect());
            let (address, rest) = rest.split_once(']').ok_or_else(refuse)?;
            // RFC 5321 §4.1.3 writes IPv6 literals with a tag.
            let address = address.strip_prefix("IPv6:").unwrap_or(address);
            let address = address.parse().map_err(|_| refuse())?;
            let port = match rest.strip_prefix(':') {
                Some(digits) => Some(port(digits, text)?),
                None if rest.is_empty() => None,
                None => return Err(refuse()),
            };
            return Ok(Self::Address { address, port });
        }
        if let Some(rest) = text.strip_prefix("host:") {
            return Ok(match rest.split_once(':') {
                Some((host, digits)) => {
                    Self::Host { host: host.parse()?, port: Some(port(digits, text)?) }
                }
                None => Self::Host { host: rest.parse()?, port: None },
            });
        }
        if text.parse::<IpAddr>().is_ok() {
            return Err(TargetError::BareAddress(text.to_owned()));
        }
        Ok(Self::Domain(text.parse()?))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = match self {
            Self::Address { address, port } => {
                write!(f, "[{address}]")?;
                port
            }
            Self::Domain(domain) => return write!(f, "{domain}"),
            Self::Host { host, port } => {
                write!(f, "host:{host}")?;
                port
            }
        };
        match port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_and_written_back() {
        #[track_caller]
        fn good(text: &str, expect: &str) {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), expect);
        }
        #[track_caller]
        fn bad(text: &str, expect: &str) {
            assert_eq!(text.parse::<Target>().unwrap_err().to_string(), expect);
        }
        good("Example.ORG.", "example.org");
        good(" bücher.example ", "xn--bcher-kva.example");
        good("host:MX.example.org", "host:mx.example.org");
        good("host:mx.example.org:2525", "host:mx.example.org:2525");
        good("[192.0.2.1]:25", "[192.0.2.1]:25");
        good("[2001:db8::1]:25", "[2001:db8::1]:25");
        good("[IPv6:2001:db8::1]", "[2001:db8::1]");
        bad("192.0.2.1", "`192.0.2.1` is an IP address; write [192.0.2.1]:25 to probe an address");
        bad("host:mx.a.test:0", "`host:mx.a.test:0` does not end in a port from 1 to 65535");
        bad("host:mx.a.test:+25", "`host:mx.a.test:+25` does not end in a port from 1 to 65535");
        bad("host:mx.a.test:smtp", "`host:mx.a.test:smtp` does not end in a port from 1 to 65535");
        bad(
            "[mx.a.test]:25",
            "`[mx.a.test]:25` holds no IP address between its brackets; write [192.0.2.1]:25 or [2001:db8::1]:25",
        );
        bad("host:192.0.2.1", "`192.0.2.1` is an IP address, not a name");
        bad("a@b.test", "`a@b.test` holds `@`, which no host name may");
        bad("", "`` has an empty label");
    }
}
