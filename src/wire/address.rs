//! Which addresses belong to the public Internet, so that a partner's DNS cannot aim us at our own network.
//!
//! 1. An IPv4 address is public unless it lies in a special block of [RFC 6890]'s registry.
//! 2. An IPv6 address that carries an IPv4 one is judged by what it carries.
//! 3. Any other IPv6 address is public only inside `2000::/3`, and outside the special blocks there.
//!
//! Invariant: what the registry does not call globally reachable is never called public.
//!
//! [RFC 6890]: https://www.rfc-editor.org/rfc/rfc6890

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address can stand for a host on the public Internet ([RFC 6890] and the IANA registries it founded).
///
/// [RFC 6890]: https://www.rfc-editor.org/rfc/rfc6890
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        // RFC 791 §3.2, RFC 1918 §3, RFC 1122 §3.2.1.3, RFC 3927.
        [0 | 10 | 127, ..] | [169, 254, ..] | [172, 16..=31, ..] | [192, 168, ..] => true,
        // RFC 6598: shared by carrier-grade NAT.
        [100, 64..=127, ..] => true,
        // RFC 6890 §2.1 (protocol assignments), RFC 7526 (the retired 6to4 relays).
        [192, 0, 0, _] | [192, 88, 99, _] => true,
        // RFC 5737: documentation.
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        // RFC 2544: benchmarks.
        [198, 18..=19, ..] => true,
        // RFC 5771 (multicast), RFC 1112 §4 (reserved), RFC 919 (broadcast).
        [224..=255, ..] => true,
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // RFC 4291 §2.5.5.2 and RFC 6052 §2.1 carry an IPv4 address in the last four octets.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            is_public_v4(embedded(high, low))
        }
        // RFC 3056 §2: 6to4 carries one behind its prefix.
        [0x2002, high, low, ..] => is_public_v4(embedded(high, low)),
        // RFC 2928: protocol assignments, with Teredo (RFC 4380), benchmarks (RFC 5180) and ORCHID in them.
        [0x2001, 0..=0x1ff, ..] => false,
        // RFC 3849 and RFC 9637: documentation.
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // RFC 4291 §2.4: loopback, unspecified, unique local (RFC 4193), link-local, site-local (RFC 3879),
        // multicast and discard-only (RFC 6666) all lie outside the block that is given out.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        #[track_caller]
        fn check(address: &str, expect: bool) {
            assert_eq!(is_public(address.parse().unwrap()), expect, "{address}");
        }
        check("8.8.8.8", true);
        check("9.255.255.255", true);
        check("100.63.255.255", true);
        check("100.128.0.0", true);
        check("172.15.255.255", true);
        check("172.32.0.0", true);
        check("192.0.1.1", true);
        check("198.17.255.255", true);
        check("198.20.0.0", true);
        check("223.255.255.255", true);
        check("0.0.0.0", false); // unspecified
        check("0.1.2.3", false);
        check("10.0.0.1", false); // private
        check("172.16.0.1", false);
        check("172.31.255.255", false);
        check("192.168.1.1", false);
        check("100.64.0.1", false); // carrier-grade NAT
        check("100.127.255.255", false);
        check("127.0.0.1", false); // loopback
        check("127.255.0.9", false);
        check("169.254.169.254", false); // link-local: a cloud's secrets
        check("192.0.0.170", false); // protocol assignments
        check("192.0.2.1", false); // documentation
        check("198.51.100.1", false);
        check("203.0.113.1", false);
        check("192.88.99.1", false); // 6to4 relays
        check("198.18.0.1", false); // benchmarks
        check("198.19.255.255", false);
        check("224.0.0.1", false); // multicast
        check("239.255.255.255", false);
        check("240.0.0.1", false); // reserved
        check("255.255.255.255", false); // broadcast
        check("2a00:1450:4001::1", true);
        check("2001:200::1", true);
        check("2600::1", true);
        check("::", false);
        check("::1", false);
        check("::8.8.8.8", false); // v4-compatible, retired
        check("::ffff:8.8.8.8", true); // v4-mapped
        check("::ffff:10.0.0.1", false);
        check("::ffff:127.0.0.1", false);
        check("64:ff9b::8.8.8.8", true); // NAT64
        check("64:ff9b::192.168.0.1", false);
        check("64:ff9b:1::8.8.8.8", false); // NAT64 for local use
        check("100::1", false); // discard
        check("2001::1", false); // Teredo
        check("2001:2::1", false); // benchmarks
        check("2001:10::1", false); // ORCHID
        check("2001:20::1", false);
        check("2001:db8::1", false); // documentation
        check("3fff::1", false);
        check("3fff:1000::1", true); // just above it
        check("2002:808:808::1", true); // 6to4
        check("2002:a00:1::1", false);
        check("2002:7f00:1::1", false);
        check("4000::1", false); // not given out
        check("5f00::1", false); // segment routing
        check("fc00::1", false); // unique local
        check("fd12:3456::1", false);
        check("fe80::1", false); // link-local
        check("febf::1", false);
        check("fec0::1", false); // site-local
        check("ff02::1", false); // multicast
    }
}
