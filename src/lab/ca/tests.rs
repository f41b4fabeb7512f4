use super::*;
use crate::wire::x509::{Certificate, Key, Usage};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

fn now() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

fn parse(identity: &Identity) -> Certificate {
    Certificate::parse(identity.leaf()).unwrap()
}

/// What path validation says at `now`.
fn verify(root: &CertificateDer<'_>, identity: &Identity) -> Result<(), webpki::Error> {
    let anchor = anchor_from_trusted_cert(root)?;
    let leaf = identity.chain[0].clone();
    let seconds = u64::try_from(now().as_second()).unwrap();
    EndEntityCert::try_from(&leaf)?
        .verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &[anchor],
            &identity.chain[1..],
            rustls::pki_types::UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
            KeyUsage::server_auth(),
            None,
            None,
        )
        .map(|_| ())
}

#[test]
fn a_leaf_says_what_was_asked_for() {
    let ca = Ca::new("Lab Root", now()).unwrap().intermediate("Lab Intermediate").unwrap();
    let spec = LeafSpec::host("mx.example.test").names(&["mx.example.test", "*.example.test"]);
    let leaf = parse(&ca.issue(&spec.issuer_url("http://ca.test/i.der")).unwrap());
    assert_eq!(leaf.subject, "CN=mx.example.test");
    assert_eq!(leaf.issuer, "CN=Lab Intermediate");
    assert_eq!(leaf.dns_names, ["mx.example.test", "*.example.test"]);
    assert_eq!(leaf.issuer_urls, ["http://ca.test/i.der"]);
    assert_eq!(leaf.not_before.to_string(), "2026-01-30T12:00:00Z");
    assert_eq!(leaf.not_after.to_string(), "2026-05-01T12:00:00Z");
    assert!(!leaf.is_ca);
    assert_eq!(leaf.usage, Usage::Server);

    let odd = LeafSpec::host("mx.example.test").no_san().ca_true().usage(LeafUsage::Client);
    let odd = parse(&ca.issue(&odd.self_signed()).unwrap());
    assert!(!odd.has_san && odd.is_ca && odd.self_issued);
    assert_eq!(odd.usage, Usage::NotServer(vec!["clientAuth".into()]));
}

#[test]
fn every_kind_of_key_signs_and_is_signed() {
    #[track_caller]
    fn check(kind: KeyKind, expect: &Key) {
        let root = Ca::with_key("Lab Root", kind, now()).unwrap();
        let leaf = root.issue(&LeafSpec::host("mx.example.test").key(kind)).unwrap();
        assert_eq!(parse(&leaf).key, *expect);
        assert_eq!(verify(root.certificate(), &leaf), Ok(()));
    }
    check(KeyKind::Ed25519, &Key::Ed25519);
    check(KeyKind::P256, &Key::Ec { curve: "P-256".into(), bits: 256 });
    check(KeyKind::P384, &Key::Ec { curve: "P-384".into(), bits: 384 });
    check(KeyKind::Rsa2048, &Key::Rsa(2048));
}

#[test]
fn each_defect_is_the_one_asked_for() {
    let root = Ca::new("Lab Root", now()).unwrap();
    let ca = root.intermediate("Lab Intermediate").unwrap();
    let issue = |spec: LeafSpec| ca.issue(&spec).unwrap();
    let host = || LeafSpec::host("mx.example.test");
    let check = |identity: Identity| match verify(root.certificate(), &identity) {
        Ok(()) => "ok".to_owned(),
        Err(error) => format!("{error:?}").split([' ', '(']).next().unwrap().to_owned(),
    };
    assert_eq!(check(issue(host())), "ok");
    assert_eq!(check(issue(host().expired())), "CertExpired");
    assert_eq!(check(issue(host().not_yet_valid())), "CertNotValidYet");
    assert_eq!(check(issue(host().expires_in_days(10))), "ok");
    assert_eq!(check(issue(host().self_signed())), "UnknownIssuer");
    assert_eq!(check(issue(host().ca_true())), "CaUsedAsEndEntity");
    assert_eq!(check(issue(host()).without_intermediates()), "UnknownIssuer");
    assert_eq!(check(issue(host().usage(LeafUsage::Client))), "RequiredEkuNotFoundContext");
    assert_eq!(check(issue(host().usage(LeafUsage::Unrestricted))), "ok");
    // What signature failure in the search for a path ends in is webpki's business.
    assert_ne!(check(issue(host()).with_bad_signature()), "ok");
    let stranger = Ca::new("Lab Root", now()).unwrap();
    assert_ne!(check(stranger.issue(&host()).unwrap()), "ok");
}

/// The response is read back by x509-parser's DER and its signature checked with the CA's key.
#[test]
fn an_ocsp_response_is_signed_by_the_ca() {
    let ca = Ca::with_key("Lab Root", KeyKind::Rsa2048, now()).unwrap();
    let leaf = ca.issue(&LeafSpec::host("mx.example.test")).unwrap();
    let good = ca.ocsp(&leaf, OcspStatus::Good, now(), now() + YEAR).unwrap();
    let revoked = ca.ocsp(&leaf, OcspStatus::Revoked(now()), now(), now() + YEAR).unwrap();
    assert_ne!(good, revoked);

    let data = ocsp::Validity { this_update: now(), next_update: now() + YEAR };
    let data = ocsp::response_data(ca.certificate(), leaf.leaf(), OcspStatus::Good, data).unwrap();
    let at = good.windows(data.len()).position(|window| window == data).unwrap();
    let signature = &good[good.len() - 256..];
    let (_, issuer) = x509_parser::parse_x509_certificate(ca.certificate()).unwrap();
    let key = aws_lc_rs::signature::UnparsedPublicKey::new(
        &aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256,
        &issuer.public_key().subject_public_key.data,
    );
    key.verify(&good[at..at + data.len()], signature).unwrap();
}

#[test]
fn the_fixtures_are_what_their_names_say() {
    #[track_caller]
    fn check(name: &str, describe: impl Fn(&Certificate) -> bool) {
        let path = |end| format!("{}/tests/data/certs/{name}.{end}", env!("CARGO_MANIFEST_DIR"));
        let read = |end| std::fs::read_to_string(path(end)).unwrap();
        let leaf = parse(&Identity::from_pem(&read("pem"), &read("key")).unwrap());
        assert!(describe(&leaf), "{name}: {leaf:#?}");
    }
    check("root", |root| root.self_issued && root.is_ca);
    check("intermediate", |ca| ca.issuer == "CN=Lab Root" && ca.is_ca);
    check("good", |leaf| leaf.dns_names == ["mx.example.test"] && leaf.key == Key::Rsa(2048));
    check("rsa1024", |leaf| leaf.key == Key::Rsa(1024));
    check("sha1", |leaf| leaf.signature.name == "sha1WithRSAEncryption");
    check("md5", |leaf| leaf.signature.name == "md5WithRSAEncryption");
    check("v1", |leaf| leaf.version == 1);
    check("p192", |leaf| leaf.key == Key::Ec { curve: "P-192".into(), bits: 192 });
    check("p224", |leaf| leaf.key == Key::Ec { curve: "P-224".into(), bits: 224 });
    check("client-auth", |leaf| leaf.usage == Usage::NotServer(vec!["clientAuth".into()]));
    check("no-san", |leaf| !leaf.has_san && leaf.names() == ["mx.example.test"]);
    check("wildcard", |leaf| leaf.dns_names == ["*.example.test"]);
    check("expired", |leaf| leaf.not_after.to_string() == "2021-01-01T00:00:00Z");
    check("ca-true", |leaf| leaf.self_issued && leaf.is_ca);
    check("self-signed", |leaf| leaf.self_issued && !leaf.is_ca);
}
