//! What an MX record points at, and which hosts are followed.
//!
//! 1. One record with an empty host: the domain takes no mail ([RFC 7505 §3]).
//! 2. Otherwise the hosts by preference, then name; a host named twice counts at its lowest preference.
//! 3. A text that is an address or no host name is kept as what it is, and never asked for.
//!
//! [RFC 7505 §3]: https://www.rfc-editor.org/rfc/rfc7505#section-3

use super::answer::Outcome;
use crate::model::resolution::{Addresses, ExchangeHost};
use crate::wire::name::Host;
use crate::wire::text::printable_within;
use hickory_net::proto::rr::{Name, RData};
use std::net::IpAddr;

/// The hosts of an MX RRset.
#[derive(Debug, PartialEq)]
pub(super) enum Candidates {
    /// These are followed; so many more are not.
    Hosts { hosts: Vec<(u16, ExchangeHost)>, left_out: usize },
    /// RFC 7505: the domain takes no mail.
    NullMx,
}

impl Candidates {
    pub(super) fn new(records: &[RData], limit: usize) -> Self {
        let mx = |record: &RData| match record {
            RData::MX(mx) => Some((mx.preference, mx.exchange.clone())),
            _ => None,
        };
        let records: Vec<(u16, Name)> = records.iter().filter_map(mx).collect();
        // RFC 7505 §3: preference 0. The empty host alone says what is meant, whatever the number.
        if let [(_, host)] = records.as_slice()
            && host.is_root()
        {
            return Self::NullMx;
        }
        let mut hosts: Vec<(u16, ExchangeHost)> =
            records.iter().map(|(preference, name)| (*preference, exchange_host(name))).collect();
        hosts.sort_by_cached_key(|(preference, host)| (*preference, host.shown()));
        let mut seen = Vec::new();
        hosts.retain(|(_, host)| {
            let new = !seen.contains(host);
            if new {
                seen.push(host.clone());
            }
            new
        });
        let left_out = hosts.len().saturating_sub(limit);
        hosts.truncate(limit);
        Self::Hosts { hosts, left_out }
    }
}

/// Reads the name an MX or CNAME record points at.
pub(super) fn exchange_host(name: &Name) -> ExchangeHost {
    if name.is_root() {
        return ExchangeHost::Invalid(".".to_owned());
    }
    // Labels hold any octet (RFC 2181 §11), so they are joined by hand: hickory would escape or translate them.
    let mut bytes = Vec::with_capacity(name.len());
    let mut has_inner_dot = false;
    for label in name.iter() {
        if !bytes.is_empty() {
            bytes.push(b'.');
        }
        has_inner_dot |= label.contains(&b'.');
        bytes.extend_from_slice(label);
    }
    let invalid = || ExchangeHost::Invalid(printable_within(&bytes, 255));
    let Ok(text) = str::from_utf8(&bytes) else { return invalid() };
    if let Some(address) = literal(text) {
        return ExchangeHost::Address(address);
    }
    // Raw UTF-8 is no host name either: reading it as IDNA would make another name of it.
    if has_inner_dot || !text.is_ascii() {
        return invalid();
    }
    text.parse::<Host>().map_or_else(|_| invalid(), ExchangeHost::Name)
}

/// RFC 5321 §5.1 wants a domain name here; what people write instead is `192.0.2.1` or `[IPv6:2001:db8::1]`.
fn literal(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    let bare = match bare.split_at_checked(5) {
        Some((tag, rest)) if tag.eq_ignore_ascii_case("IPv6:") => rest,
        _ => bare,
    };
    bare.parse().ok()
}

/// The addresses of one family, sorted, each once, at most `limit`; and how many more there are.
pub(super) fn addresses(outcome: Outcome, limit: usize) -> (Addresses, usize) {
    let records = match outcome {
        Outcome::Failed(failure) => return (Addresses::Failed(failure), 0),
        Outcome::NoData | Outcome::Nxdomain => return (Addresses::None, 0),
        Outcome::Records(records) => records,
    };
    let mut addresses: Vec<IpAddr> = records.iter().filter_map(RData::ip_addr).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let left_out = addresses.len().saturating_sub(limit);
    addresses.truncate(limit);
    let found = if addresses.is_empty() { Addresses::None } else { Addresses::Found(addresses) };
    (found, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mx_host_is_what_it_is() {
        #[track_caller]
        fn check(labels: &[&[u8]], expect: &str) {
            let name = Name::from_labels(labels.iter().copied()).unwrap();
            let host = match exchange_host(&name) {
                ExchangeHost::Address(address) => format!("address {address}"),
                ExchangeHost::Invalid(text) => format!("invalid {text}"),
                ExchangeHost::Name(host) => format!("name {host}"),
            };
            assert_eq!(host, expect);
        }
        check(&[], "invalid .");
        check(&[b"MX", b"A", b"test"], "name mx.a.test");
        check(&[b"_mx", b"a", b"test"], "name _mx.a.test");
        check(&[b"xn--mx-xka", b"test"], "name xn--mx-xka.test");
        check(&[b"192", b"0", b"2", b"1"], "address 192.0.2.1");
        check(&[b"192.0.2.1"], "address 192.0.2.1"); // escaped dots
        check(&[b"[192", b"0", b"2", b"1]"], "address 192.0.2.1");
        check(&[b"2001:db8::1"], "address 2001:db8::1");
        check(&[b"[ipv6:2001:db8::1]"], "address 2001:db8::1");
        check(&[b"mx.a", b"test"], "invalid mx.a.test"); // not the host mx.a.test
        check(&[b"m x", b"test"], "invalid m x.test");
        check(&[b"mx\n", b"test"], "invalid mx\\n.test");
        check(&[b"m\xff", b"test"], "invalid m\\xff.test");
        check(&["bücher".as_bytes(), b"test"], "invalid bücher.test");
        check(&[b"http://mx", b"test"], "invalid http://mx.test");
    }
}
