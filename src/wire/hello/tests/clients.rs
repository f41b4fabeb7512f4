//! Clients' hellos: what is read of real ones, what is refused, and fingerprints that others computed.

use super::*;
use crate::wire::name::Host;

const FRESH: Fresh = Fresh { random: [7; 32], session_id: [8; 32], key_share: [9; 32] };

/// Versions, SNI and what else is seldom, in one line.
fn told(hello: &ClientHello) -> String {
    let versions = hello.supported_versions.iter().flatten();
    let versions: Vec<String> = versions.map(|version| format!("{version:04x}")).collect();
    format!(
        "{:04x} [{}] {:?} {}",
        hello.legacy_version,
        versions.join(" "),
        hello.server_name,
        hello.ja4()
    )
}

fn composed(sender: usize, host: Option<&str>) -> ClientHello {
    let offer = senders()[sender].offer.clone();
    let offer = offer.to_host(host.map(|host| host.parse::<Host>().unwrap()));
    ClientHello::parse_records(&offer.to_records(&FRESH)).unwrap()
}

#[test]
fn what_we_say_ourselves_is_read_back() {
    for sender in senders() {
        let host = "mx.example.org".parse::<Host>().unwrap();
        let offer = sender.offer.clone().to_host(Some(host));
        let hello = ClientHello::parse_records(&offer.to_records(&FRESH)).unwrap();
        assert_eq!(hello.suites, offer.suites);
        assert_eq!(hello.groups, offer.groups);
        assert_eq!(hello.signature_algorithms, offer.signature_algorithms);
        assert_eq!(hello.highest_version(), Some(offer.version));
        let lists_name = offer.extensions.contains(&Extension::ServerName);
        assert_eq!(hello.server_name.as_deref(), lists_name.then_some("mx.example.org"));
        let stored = serde_json::to_string(&hello).unwrap();
        assert_eq!(serde_json::from_str::<ClientHello>(&stored).unwrap(), hello);
    }
}

#[test]
fn a_real_sender_is_known() {
    let records =
        unhex(include_str!("../../../../tests/data/hellos/postfix-3.7-openssl-3.0-may.hex"));
    let hello = ClientHello::parse_records(&records).unwrap();
    assert_eq!(
        told(&hello),
        "0303 [0304 0303 0302 0301] None t13i871000_c66346c74e42_24695f2957a7"
    );
    assert!(hello.is_offering(TlsVersion::Tls10));
    assert!(!hello.is_offering(TlsVersion::Ssl3));
    assert_eq!(hello.suite_names()[0], "TLS_AES_256_GCM_SHA384");
    // Records cut in the middle of the message, and what follows the hello.
    let (header, body) = records.split_at(5);
    let mut cut = Vec::new();
    for part in body.chunks(3) {
        cut.extend_from_slice(&[22, 3, 1, 0, part.len().try_into().unwrap()]);
        cut.extend_from_slice(part);
    }
    assert_eq!(header[0], 22);
    cut.extend_from_slice(b"anything");
    assert_eq!(ClientHello::parse_records(&cut), Ok(hello));
}

/// A hello that says nothing but versions.
fn of_versions(legacy_version: u16, listed: Option<&[u16]>) -> ClientHello {
    ClientHello {
        legacy_version,
        supported_versions: listed.map(<[u16]>::to_vec),
        suites: Vec::new(),
        extensions: Vec::new(),
        groups: Vec::new(),
        signature_algorithms: Vec::new(),
        server_name: None,
        alpn: Vec::new(),
    }
}

#[test]
fn only_a_list_tells_the_lowest_version() {
    #[track_caller]
    fn check(legacy: u16, listed: Option<&[u16]>, highest: Option<TlsVersion>, floor_12: bool) {
        let hello = of_versions(legacy, listed);
        assert_eq!(hello.highest_version(), highest);
        assert_eq!(hello.lists_nothing_below(TlsVersion::Tls12), floor_12);
    }
    check(0x0303, Some(&[0x0304, 0x0303]), Some(TlsVersion::Tls13), true);
    check(0x0303, Some(&[0x1a1a, 0x0304]), Some(TlsVersion::Tls13), true);
    check(0x0303, Some(&[0x0304, 0x0303, 0x0302]), Some(TlsVersion::Tls13), false);
    // A highest version alone says nothing of the lowest.
    check(0x0303, None, Some(TlsVersion::Tls12), false);
    check(0x0304, None, Some(TlsVersion::Tls12), false);
    check(0x0301, None, Some(TlsVersion::Tls10), false);
    // Nothing, nothing known, and a version nobody knows.
    check(0x0303, Some(&[]), None, false);
    check(0x0303, Some(&[0x2a2a]), None, false);
    check(0x0303, Some(&[0x0304, 0xfefd]), Some(TlsVersion::Tls13), false);
    // A draft of 1.3.
    check(0x0303, Some(&[0x7f1c, 0x0303]), Some(TlsVersion::Tls12), true);
    check(0x0200, None, None, false);
    check(0xfefd, None, None, false);
}

#[test]
fn a_malformed_hello_is_refused() {
    /// A body with one extension.
    fn with(number: u16, data: &[u8]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend_from_slice(&[7; 32]);
        body.extend_from_slice(&[0, 0, 2, 0, 0x2f, 1, 0]);
        block(&mut body, Width::U16, |list| {
            put(list, number);
            block(list, Width::U16, |content| content.extend_from_slice(data));
        });
        body
    }
    #[track_caller]
    fn check(body: &[u8], expect: Option<&'static str>) {
        let parsed = ClientHello::parse(body).map(drop);
        assert_eq!(parsed, expect.map_or(Ok(()), |what| Err(HelloError::Malformed(what))));
    }
    check(&with(43, &[2, 3, 4]), None);
    check(&with(43, &[2, 3]), Some("supported_versions"));
    check(&with(43, &[1, 3]), Some("supported_versions"));
    check(&with(43, &[]), Some("supported_versions"));
    check(&with(10, &[0, 3, 0, 29, 0]), Some("supported_groups"));
    check(&with(13, &[0, 4, 4, 3]), Some("signature_algorithms"));
    check(&with(0, &[0, 4, 0, 0, 1, b'a']), None);
    check(&with(0, &[0, 4, 0, 0, 2, b'a']), Some("server_name"));
    check(&with(0, &[0, 4, 9, 0, 1, b'a']), Some("server_name"));
    check(&with(16, &[0, 3, 2, b'h', b'2']), None);
    check(&with(16, &[0, 3, 3, b'h', b'2']), Some("application_layer_protocol_negotiation"));
    // Unknown ones may hold anything.
    check(&with(0x1a1a, &[1]), None);
    let whole = with(43, &[2, 3, 4]);
    check(&whole[..whole.len() - 1], Some("ClientHello"));
    check(&[whole.as_slice(), &[0]].concat(), Some("ClientHello"));
    check(&[], Some("ClientHello"));

    #[track_caller]
    fn check_records(bytes: &[u8], expect: HelloError) {
        assert_eq!(ClientHello::parse_records(bytes), Err(expect));
    }
    check_records(b"", HelloError::Incomplete);
    check_records(&[22, 3, 1], HelloError::Incomplete);
    check_records(&[22, 3, 1, 0, 4, 1, 0, 0, 9], HelloError::Incomplete);
    check_records(&[22, 3, 1, 0, 4, 2, 0, 0, 0], HelloError::NotAHello);
    check_records(&[22, 3, 1, 0, 4, 1, 2, 0, 0], HelloError::TooLong);
    check_records(b"QUIT\r\n", HelloError::NotAHello);
    check_records(&[21, 3, 1, 0, 2, 2, 40], HelloError::NotAHello);
}

/// The example of the specification, and one computed by another program from a curl of today.
#[test]
fn fingerprints_are_as_others_compute_them() {
    let chrome = ClientHello {
        suites: vec![
            0x6a6a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013,
            0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
        ],
        extensions: vec![
            0x2a2a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023,
            0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015, 0x9a9a,
        ],
        signature_algorithms: vec![0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601],
        alpn: vec![ProtocolName(b"h2".to_vec()), ProtocolName(b"http/1.1".to_vec())],
        ..of_versions(0x0303, Some(&[0x3a3a, 0x0304, 0x0303]))
    };
    assert_eq!(chrome.ja4(), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    let curl = ClientHello {
        suites: vec![
            0x1302, 0x1303, 0x1301, 0xc02c, 0xc030, 0xc02b, 0xc02f, 0xcca9, 0xcca8, 0x00ff,
        ],
        extensions: vec![0x33, 0x2d, 0x2b, 0x23, 0x17, 0x10, 0x0d, 0x0b, 0x0a, 0x05, 0x00],
        signature_algorithms: vec![
            0x0503, 0x0403, 0x0807, 0x0806, 0x0805, 0x0804, 0x0601, 0x0501, 0x0401,
        ],
        alpn: vec![ProtocolName(b"h2".to_vec())],
        ..of_versions(0x0303, Some(&[0x0304, 0x0303]))
    };
    assert_eq!(curl.ja4(), "t13d1011h2_61a7ad8aa9b6_3fcd1a44f3e3");
    assert_eq!(of_versions(0x0301, None).ja4(), "t10i000000_000000000000_000000000000");
    assert_eq!(of_versions(0x0300, None).ja4(), "ts3i000000_000000000000_000000000000");
    assert_eq!(of_versions(0x0305, None).ja4(), "t00i000000_000000000000_000000000000");
}

/// The table of the specification.
#[test]
fn protocols_that_are_no_text_are_marked_by_their_octets() {
    #[track_caller]
    fn check(name: &[u8], mark: &str, stored: &str) {
        let alpn = vec![ProtocolName(name.to_vec())];
        let hello = ClientHello { alpn, ..of_versions(0x0303, None) };
        assert_eq!(&hello.ja4()[8..10], mark);
        let json = serde_json::to_string(&hello.alpn[0]).unwrap();
        assert_eq!(json, format!("{stored:?}"));
        assert_eq!(serde_json::from_str::<ProtocolName>(&json).unwrap(), hello.alpn[0]);
    }
    check(b"http/1.1", "h1", "http/1.1");
    check(b"h", "hh", "h");
    check(&[0xab], "ab", "0xab");
    check(&[0xab, 0xcd], "ad", "0xabcd");
    check(&[0x30, 0xab], "3b", "0x30ab");
    check(&[0x30, 0x31, 0xab, 0xcd], "3d", "0x3031abcd");
    check(&[0x30, 0xab, 0xcd, 0x31], "01", "0x30abcd31");
    check(b"0x", "0x", "0x3078");
    check(b"", "00", "");
}

#[test]
fn a_sender_is_the_same_with_and_without_shuffling() {
    let hello = composed(1, Some("mx.example.org"));
    let mut other = hello.clone();
    other.extensions.reverse();
    other.suites.reverse();
    assert_eq!(other.ja4(), hello.ja4());
    assert_ne!(composed(0, None).ja4(), hello.ja4());
}

proptest! {
    #[test]
    fn no_bytes_panic_as_a_hello(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = ClientHello::parse(&bytes);
        let _ = ClientHello::parse_records(&bytes);
    }

    #[test]
    fn a_turned_hello_is_read_or_refused(at in 0_usize..300, to in any::<u8>()) {
        let mut records = senders()[2].offer.to_records(&FRESH);
        if let Some(octet) = records.get_mut(at) {
            *octet = to;
        }
        if let Ok(hello) = ClientHello::parse_records(&records) {
            prop_assert_eq!(hello.ja4().len(), 36);
            let stored = serde_json::to_string(&hello).unwrap();
            prop_assert_eq!(serde_json::from_str::<ClientHello>(&stored).unwrap(), hello);
        }
    }
}
