//! Suites, hellos and senders.

use super::{super::*, unhex};
use crate::wire::text;
use proptest::prelude::*;

const FRESH: Fresh = Fresh { random: [7; 32], session_id: [8; 32], key_share: [9; 32] };

#[test]
fn suites_are_named_and_judged() {
    #[track_caller]
    fn check(suite: u16, name: &str, weak: Option<Weakness>) {
        assert_eq!((suite_name(suite).as_str(), weakness(suite)), (name, weak));
    }
    check(0x1302, "TLS_AES_256_GCM_SHA384", None);
    check(0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", None);
    check(0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", None); // CBC alone is not weak
    check(0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", None);
    check(0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA", Some(Weakness::RsaKeyExchange));
    check(0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA", Some(Weakness::TripleDes));
    check(0xc011, "TLS_ECDHE_RSA_WITH_RC4_128_SHA", Some(Weakness::Rc4));
    check(0x0009, "TLS_RSA_WITH_DES_CBC_SHA", Some(Weakness::DesOrIdea));
    check(0x0003, "TLS_RSA_EXPORT_WITH_RC4_40_MD5", Some(Weakness::Export));
    check(0x0019, "TLS_DH_anon_EXPORT_WITH_DES40_CBC_SHA", Some(Weakness::Anonymous));
    check(0x00a6, "TLS_DH_anon_WITH_AES_128_GCM_SHA256", Some(Weakness::Anonymous));
    check(0xc018, "TLS_ECDH_anon_WITH_AES_128_CBC_SHA", Some(Weakness::Anonymous));
    check(0xc015, "TLS_ECDH_anon_WITH_NULL_SHA", Some(Weakness::Null));
    check(0x003b, "TLS_RSA_WITH_NULL_SHA256", Some(Weakness::Null));
    check(0xc0b4, "TLS_SHA256_SHA256", Some(Weakness::Null)); // TLS 1.3, RFC 9150
    check(0xc031, "TLS_ECDH_RSA_WITH_AES_128_GCM_SHA256", Some(Weakness::StaticDiffieHellman));
    check(0x00ff, "TLS_EMPTY_RENEGOTIATION_INFO_SCSV", None);
    check(0x0a0a, "0x0A0A", None);
    assert_eq!(group_name(0x11ec), "X25519MLKEM768");
    assert_eq!(group_name(0x0a0a), "0x0A0A");
    assert_eq!(
        (alert_name(46), alert_name(71)),
        ("certificate_unknown".into(), "insufficient_security".into())
    );
    assert_eq!(alert_name(200), "alert_200");
}

#[test]
fn first_hellos_keep_to_their_rules() {
    let first = [RUSTLS_TLS12, NOT_RUSTLS_TLS12].concat();
    for suite in &first {
        assert!(is_usable_at(*suite, TlsVersion::Tls12), "{}", suite_name(*suite));
        assert!(weakness(*suite) > Some(Weakness::Export) || weakness(*suite).is_none());
    }
    let mut sorted = first.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), first.len(), "a suite stands twice");
    for version in TlsVersion::ALL {
        let offer = Offer::up_to(version);
        assert!(offer.suites.iter().all(|suite| weakness(*suite) != Some(Weakness::Anonymous)));
        assert!(!offer.groups.iter().any(|group| (256..512).contains(group)));
    }
    for weak in Weakness::ALL {
        let offered = Offer::weak(weak, TlsVersion::Tls12).suites;
        let (_, suites) = offered.split_last().unwrap();
        assert!(!suites.is_empty());
        assert!(suites.iter().all(|suite| weakness(*suite) == Some(weak)), "{weak}");
    }
    assert!(Offer::dhe(TlsVersion::Tls10).suites.contains(&0x0033));
    assert!(Offer::for_certificate(CertificateKind::Ecdsa).suites.contains(&0xc02b));
    assert!(!Offer::for_certificate(CertificateKind::Rsa).suites.contains(&0xc02b));
}

/// Version, suites and extension numbers of a hello, as another parser reads them.
fn parsed(records: &[u8]) -> (u16, Vec<u16>, Vec<u16>) {
    use tls_parser::*;
    let (rest, record) = parse_tls_plaintext(records).unwrap();
    assert!(rest.is_empty());
    let [TlsMessage::Handshake(TlsMessageHandshake::ClientHello(hello))] = record.msg.as_slice()
    else {
        panic!("no ClientHello")
    };
    let (rest, extensions) =
        parse_tls_client_hello_extensions(hello.ext.unwrap_or_default()).unwrap();
    assert!(rest.is_empty());
    let numbers = extensions.iter().map(|e| TlsExtensionType::from(e).0).collect();
    (hello.version.0, hello.ciphers.iter().map(|suite| suite.0).collect(), numbers)
}

#[test]
fn hellos_are_well_formed() {
    let host = "mx.example.org".parse().ok();
    for version in TlsVersion::ALL {
        let offer = Offer::up_to(version).to_host(host.clone());
        let (named, suites, extensions) = parsed(&offer.to_records(&FRESH));
        assert_eq!(named, version.min(TlsVersion::Tls12).to_wire());
        assert_eq!(suites, offer.suites);
        let expect: &[u16] = match version {
            TlsVersion::Ssl3 => &[],
            TlsVersion::Tls10 | TlsVersion::Tls11 => &[0, 5, 10, 11, 23],
            TlsVersion::Tls12 => &[0, 5, 10, 11, 13, 23],
            TlsVersion::Tls13 => &[0, 5, 10, 11, 13, 23, 43, 45, 51],
        };
        assert_eq!(extensions, expect, "{version}");
    }
    for sender in senders() {
        let offer = sender.offer_to(&"mx.example.org".parse().unwrap());
        let (_, suites, extensions) = parsed(&offer.to_records(&FRESH));
        assert_eq!(suites, sender.offer.suites);
        assert_eq!(extensions.contains(&0), sender.sends_sni, "{}", sender.name);
        // The post-quantum share makes a hello that does not fit one packet.
        assert_eq!(offer.to_records(&FRESH).len() > 1400, sender.name.starts_with("Gmail"));
    }
}

#[test]
fn a_recorded_hello_comes_out_octet_for_octet() {
    let recorded =
        unhex(include_str!("../../../../tests/data/hellos/postfix-3.7-openssl-3.0-may.hex"));
    let at = |from: usize| recorded[from..from + 32].try_into().unwrap();
    let share = recorded.windows(6).position(|w| w == [0, 0x24, 0, 0x1d, 0, 0x20]).unwrap() + 6;
    let fresh = Fresh { random: at(11), session_id: at(44), key_share: at(share) };
    let postfix = senders().into_iter().find(|s| s.name.starts_with("Postfix")).unwrap();
    assert_eq!(text::hex(&postfix.offer.to_records(&fresh)), text::hex(&recorded));
}

proptest! {
    #[test]
    fn any_offer_is_well_formed(suites in prop::collection::vec(any::<u16>(), 0..200), groups in prop::collection::vec(any::<u16>(), 1..40)) {
        let mut offer = Offer::up_to(TlsVersion::Tls13);
        offer.suites = suites.clone();
        offer.groups = groups;
        prop_assert_eq!(parsed(&offer.to_records(&FRESH)).1, suites);
    }
}
