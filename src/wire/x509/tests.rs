use super::*;
use crate::lab::ca::{Ca, LeafSpec, LeafUsage};
use proptest::prelude::*;

fn now() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

/// The leaf of a fixture, DER.
fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/data/certs/{name}.pem", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().skip(1).take_while(|line| !line.starts_with('-'));
    crate::wire::text::from_base64(&lines.collect::<String>()).unwrap()
}

#[test]
fn certificates_say_what_they_are() {
    #[track_caller]
    fn check(name: &str, expect: &str) {
        let leaf = Certificate::parse(&fixture(name)).unwrap();
        let usage = match &leaf.usage {
            Usage::Unrestricted => "any".to_owned(),
            Usage::Server => "server".to_owned(),
            Usage::NotServer(uses) => uses.join("+"),
        };
        let (key, signature) = (&leaf.key, &leaf.signature.name);
        let (broken, ca) = (leaf.signature.is_broken, leaf.is_ca);
        let names = leaf.names().join("+");
        let told = format!("v{} {key} {signature} {usage} {names}", leaf.version);
        let marks = [(broken, "broken"), (ca, "ca"), (leaf.self_issued, "self")];
        let marks = marks.iter().filter(|(set, _)| *set).map(|(_, mark)| format!(" {mark}"));
        assert_eq!(told + &marks.collect::<String>(), expect);
    }
    let good = "v3 RSA-2048 sha256WithRSAEncryption server mx.example.test";
    check("good", good);
    check("expired", good);
    check("rsa1024", "v3 RSA-1024 sha256WithRSAEncryption server mx.example.test");
    check("p192", "v3 EC-P-192 sha256WithRSAEncryption server mx.example.test");
    check("p224", "v3 EC-P-224 sha256WithRSAEncryption server mx.example.test");
    check("sha1", "v3 RSA-2048 sha1WithRSAEncryption server mx.example.test broken");
    check("md5", "v3 RSA-2048 md5WithRSAEncryption server mx.example.test broken");
    check("v1", "v1 RSA-2048 sha256WithRSAEncryption any mx.example.test");
    check("client-auth", "v3 RSA-2048 sha256WithRSAEncryption clientAuth mx.example.test");
    check("no-san", good); // the common name, where there is no SAN
    check("wildcard", "v3 RSA-2048 sha256WithRSAEncryption server *.example.test");
    check("self-signed", "v3 RSA-2048 sha256WithRSAEncryption any mx.example.test self");
    check("ca-true", "v3 RSA-2048 sha256WithRSAEncryption any mx.example.test ca self");
    check("root", "v3 RSA-2048 sha256WithRSAEncryption any Lab Root ca self");
}

#[test]
fn digests_are_those_others_print() {
    // `openssl x509 -fingerprint -sha256`; `openssl x509 -pubkey | openssl pkey -pubin -outform der | sha256sum`.
    let good = Certificate::parse(&fixture("good")).unwrap();
    assert_eq!(good.sha256, "a001a2f5b8f20d3552e39d5071ef1fc2f197855f4ae285ee5cf70f1760ae2369");
    assert_eq!(
        good.spki_sha256,
        "277ded3acb0c1d3fb447ca62716cbfff537faddcf88f8fca7d814792913ffbaf"
    );
    assert_eq!(
        (good.subject.as_str(), good.issuer.as_str()),
        ("CN=mx.example.test", "CN=Lab Intermediate")
    );
    assert_eq!(good.serial, "1002");
}

/// What an extension holds that nobody can read must not pass for a certificate without it.
#[test]
fn unreadable_extensions_are_not_absent_ones() {
    let mut der = fixture("good");
    let broken = |der: &mut Vec<u8>, oid: &[u8]| {
        let at = der.windows(oid.len()).position(|window| window == oid).unwrap();
        // Behind the identifier stands the OCTET STRING, and in it the SEQUENCE that becomes a NULL.
        der[at + oid.len() + 2] = 0x05;
    };
    broken(&mut der, &[0x06, 3, 0x55, 0x1d, 0x11]);
    broken(&mut der, &[0x06, 3, 0x55, 0x1d, 0x25]);
    let leaf = Certificate::parse(&der).unwrap();
    assert_eq!(leaf.common_name.as_deref(), Some("mx.example.test"));
    assert!(leaf.has_san && leaf.names().is_empty());
    assert_eq!(leaf.usage, Usage::NotServer(vec!["unreadable".to_owned()]));
}

#[test]
fn bytes_behind_a_certificate_are_refused() {
    let mut der = fixture("good");
    der.push(0);
    assert_eq!(
        Certificate::parse(&der).unwrap_err().to_string(),
        "no X.509 certificate: 1 octets behind the certificate"
    );
    assert!(Certificate::parse(&[]).is_err());
}

#[test]
fn authority_is_what_the_extensions_give() {
    let root = Ca::new("Root", now()).unwrap();
    let of = |der: &[u8]| signed_parts(der).unwrap().authority;
    let issue = |spec: LeafSpec| of(root.issue(&spec).unwrap().leaf());
    assert_eq!(of(root.certificate()), Authority::Certificates(None));
    assert_eq!(of(&fixture("intermediate")), Authority::Certificates(None));
    assert_eq!(issue(LeafSpec::host("a.test")), Authority::Nothing);
    assert_eq!(issue(LeafSpec::host("a.test").ca_true()), Authority::Certificates(None));
    assert_eq!(issue(LeafSpec::host("a.test").usage(LeafUsage::Client)), Authority::Nothing);
    assert_eq!(of(&fixture("v1")), Authority::Nothing);
}

#[test]
fn the_signed_parts_are_the_certificates_own_octets() {
    let der = fixture("good");
    let parts = signed_parts(&der).unwrap();
    let info = public_key_info(&der).unwrap();
    assert!(der.windows(parts.message.len()).any(|window| window == parts.message));
    assert!(der.ends_with(&parts.signature) && parts.signature.len() == 256);
    assert_eq!(hex(&parts.algorithm), "06092a864886f70d01010b0500");
    assert_eq!(hex(&parts.key_algorithm), "06092a864886f70d0101010500");
    assert_eq!(parts.key, info.key);
    // The info without its outer tag and length (4 octets), as trust anchors are kept.
    assert_eq!(
        key_of_info(&info.der[4..]),
        Some((parts.key_algorithm.as_slice(), parts.key.as_slice()))
    );
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = Certificate::parse(&bytes);
        let _ = signed_parts(&bytes);
        let _ = key_of_info(&bytes);
    }

    #[test]
    fn no_changed_certificate_panics(
        at in any::<prop::sample::Index>(),
        octet in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut der = fixture("good");
        let place = at.index(der.len());
        der[place] = octet;
        let _ = (Certificate::parse(&der), signed_parts(&der), public_key_info(&der));
        der.truncate(cut.index(der.len()));
        prop_assert!(Certificate::parse(&der).is_err());
        let _ = (signed_parts(&der), key_of_info(&der));
    }
}
