//! Recorded sessions of real clients, a client of ours that misbehaves in ways they do not, and properties.
//!
//! The recorded sessions are those of `tests/real/legacy_server.rs` (OpenSSL 3.0.19, GnuTLS 3.7.9), against a server with
//! the chain `v1` of `tests/data/certs` whose randomness was 7 over and over. What a client sends depends on nothing else
//! of ours, so they can be played again; they are the fuzzer's corpus as well.

mod client;
mod misbehaviour;

use super::{keys::prf, *};
use crate::wire::{hello::Alert, text};
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};

static IDENTITY: LazyLock<Arc<LegacyIdentity>> =
    LazyLock::new(|| Arc::new(LegacyIdentity::new(chain("v1"), &key("v1")).unwrap()));

fn pem(file: &str) -> Vec<Vec<u8>> {
    let path = format!("{}/tests/data/certs/{file}", env!("CARGO_MANIFEST_DIR"));
    let pem = std::fs::read_to_string(path).unwrap();
    let bodies = pem.split("-----END").filter_map(|part| part.split("-----\n").last());
    let bodies = bodies.map(|body| text::from_base64(&body.replace('\n', "")).unwrap());
    bodies.filter(|der| !der.is_empty()).collect()
}

fn chain(name: &str) -> Vec<Vec<u8>> {
    pem(&format!("{name}.pem"))
}

fn key(name: &str) -> Vec<u8> {
    pem(&format!("{name}.key")).remove(0)
}

fn server() -> LegacyServer {
    LegacyServer::new(Arc::clone(&IDENTITY), Box::new(|bytes| bytes.fill(7)))
}

/// How a session came out, in one line.
fn told(server: &LegacyServer) -> String {
    let Progress { phase, warnings, end } = server.progress();
    let mut words = vec![format!("{phase:?}")];
    words.extend(server.version().map(|version| version.to_string()));
    words.extend(server.suite_name());
    if !server.client_certificates().is_empty() {
        words.push(format!("certificates={}", server.client_certificates().len()));
    }
    words.extend(warnings.iter().map(|warning| format!("warning={warning}")));
    words.push(match end {
        None => "open".to_owned(),
        Some(End::ClientAlert(alert)) => format!("client={alert}"),
        Some(End::ClientClosed) => "closed".to_owned(),
        Some(End::OurAlert { alert, why }) => format!("ours={alert} ({why})"),
        Some(End::WeClosed) => "closed by us".to_owned(),
    });
    words.join(" ")
}

macro_rules! session {
    ($name:literal) => {
        include_bytes!(concat!("../../../fuzz/corpus/legacy_tls/", $name)).as_slice()
    };
}

const AES_128: &str = "TLS_RSA_WITH_AES_128_CBC_SHA";
const AES_256: &str = "TLS_RSA_WITH_AES_256_CBC_SHA";

#[test]
fn recorded_sessions_come_out_as_they_did() {
    #[track_caller]
    fn check(session: &[u8], expect: &str, said: &str) {
        let mut server = server();
        server.take_in(session);
        assert_eq!(told(&server), expect);
        assert_eq!(String::from_utf8(server.plaintext()).unwrap(), said);
    }
    const SAID: &str = "ehlo mx.legacy.test\n";
    let through = |version: &str, suite: &str| format!("Finished {version} {suite} closed");
    check(session!("openssl-tls10-aes128"), &through("TLSv1.0", AES_128), SAID);
    check(session!("openssl-tls10-aes256"), &through("TLSv1.0", AES_256), SAID);
    check(session!("openssl-tls10-bugs"), &through("TLSv1.0", AES_128), SAID);
    check(session!("openssl-tls11-aes128"), &through("TLSv1.1", AES_128), SAID);
    check(session!("openssl-default"), &through("TLSv1.1", AES_256), SAID);
    check(session!("gnutls-tls10-aes128"), &through("TLSv1.0", AES_128), SAID);
    check(session!("gnutls-tls11-aes256"), &through("TLSv1.1", AES_256), SAID);
    check(session!("gnutls-no-extensions"), &through("TLSv1.1", AES_256), SAID);
    check(
        session!("openssl-tls11-small-records"),
        &through("TLSv1.1", AES_256),
        &format!("{}\n", "noop ".repeat(700)),
    );
    check(
        session!("openssl-tls10-certificate"),
        &format!("Finished TLSv1.0 {AES_128} certificates=1 closed"),
        SAID,
    );
    check(
        session!("openssl-tls11-certificate"),
        &format!("Finished TLSv1.1 {AES_128} certificates=1 closed"),
        SAID,
    );
    check(
        session!("openssl-renegotiation"),
        &format!("Finished TLSv1.1 {AES_128} client=handshake_failure"),
        "",
    );
    let nothing_shared = "HelloRead ours=protocol_version (no version in common)";
    check(session!("openssl-floor-12-and-13"), nothing_shared, "");
    check(session!("openssl-tls13"), nothing_shared, "");
    check(session!("gnutls-floor-12-and-13"), nothing_shared, "");
    // These do not say that they speak nothing lower, so they are answered, and leave.
    let left = format!("FlightSent TLSv1.1 {AES_256} client=protocol_version");
    check(session!("openssl-tls12"), &left, "");
    check(session!("gnutls-floor-12"), &left, "");
    check(
        session!("openssl-no-suite"),
        "HelloRead ours=handshake_failure (no suite in common)",
        "",
    );
    check(
        session!("openssl-unknown-ca"),
        &format!("FlightSent TLSv1.0 {AES_128} client=unknown_ca"),
        "",
    );
}

#[test]
fn what_was_offered_is_told() {
    let mut server = server();
    server.take_in(session!("openssl-no-suite"));
    let Some(End::OurAlert { alert, why }) = server.progress().end else { panic!() };
    assert_eq!(
        (alert, &why),
        (Alert { level: 2, description: 40 }, &Fault::NoSharedSuite(vec![0xc013, 0x00ff]))
    );
    let hello = server.client_hello().unwrap();
    assert_eq!(hello.suite_names()[0], "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA");
    assert_eq!(server.output(), [21, 3, 1, 0, 2, 2, 40]);
    assert_eq!(server.send(b"220"), Err(NotOpen));
}

/// The values of OpenSSL's own tests (`evpkdf_tls1_prf.txt`), and what `openssl kdf` gives for secrets of odd and of great length.
#[test]
fn keys_are_derived_as_others_derive_them() {
    #[track_caller]
    fn check(secret: &str, label: &str, seeds: [&str; 2], expect: &str) {
        let secret = text::from_hex(secret).unwrap();
        let seeds = seeds.map(|seed| text::from_hex(seed).unwrap());
        let derived = prf(&secret, label.as_bytes(), &[&seeds[0], &seeds[1]], expect.len() / 2);
        assert_eq!(text::hex(&derived), expect);
    }
    check(
        "bded7fa5c1699c010be23dd06ada3a48349f21e5f86263d512c0c5cc379f0e780ec55d9844b2f1db02a96453513568d0",
        "master secret",
        [
            "e5acaf549cd25c22d964c0d930fa4b5261d2507fad84c33715b7b9a864020693",
            "135e4d557fdf3aa6406d82975d5c606a9734c9334b42136e96990fbd5358cdb2",
        ],
        "2f6962dfbc744c4b2138bb6b3d33054c5ecc14f24851d9896395a44ab3964efc2090c5bf51a0891209f46c1e1e998f62",
    );
    check(
        "0102030405060708090a0b",
        "key expansion",
        ["0c0d", "0e0f"],
        "c91cfecd5f3b70e5baf0d3da27556f86c3578324",
    );
    check(
        &"5a".repeat(200),
        "long",
        ["01", "02"],
        "4b6fa97accb1edb4c834138070dee03c672b61f34196342bef070a3dc9cc701d9f743967e988b8f6a38addd5c30d259018f18beb429e3b6c97dc2b1324e1990d92f504a351a1d7798838c9f70f50d4da3a70803a00aaf33dbffd037b28dec446361c1bd2",
    );
}

#[test]
fn an_identity_is_of_one_key_fit_for_the_exchange() {
    #[track_caller]
    fn check(chain: Vec<Vec<u8>>, key: &[u8], expect: &str) {
        assert_eq!(LegacyIdentity::new(chain, key).unwrap_err().to_string(), expect);
    }
    let (own, v1) = (chain("v1"), key("v1"));
    check(Vec::new(), &v1, "no certificate");
    check(own.clone(), &key("no-san"), "the certificate belongs to another key");
    check(own.clone(), b"", "no RSA key of 2048 to 8192 bits in PKCS #8");
    check(chain("p224"), &key("p224"), "no RSA key of 2048 to 8192 bits in PKCS #8");
    check(chain("rsa1024"), &key("rsa1024"), "no RSA key of 2048 to 8192 bits in PKCS #8");
    check(
        chain("good"),
        &key("good"),
        "the certificate's key usage lacks keyEncipherment, which RSA key exchange needs",
    );
    check(vec![own[0].clone(); 90], &v1, "more than 61440 octets of certificates");
    let broken = LegacyIdentity::new(vec![vec![0x30]], &v1).unwrap_err();
    assert!(matches!(broken, IdentityError::NotACertificate(_)), "{broken}");
}

/// What may be known of a session, to compare two of them.
fn all_of(server: &mut LegacyServer) -> (String, Vec<u8>, Vec<u8>) {
    (told(server), server.output(), server.plaintext())
}

const WHOLE: [&[u8]; 4] = [
    session!("openssl-tls10-aes128"),
    session!("openssl-tls11-certificate"),
    session!("gnutls-no-extensions"),
    session!("openssl-renegotiation"),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        server().take_in(&bytes);
    }

    #[test]
    fn no_bytes_panic_wherever_they_come(
        session in 0..WHOLE.len(),
        at in any::<prop::sample::Index>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut server = server();
        server.take_in(&WHOLE[session][..at.index(WHOLE[session].len())]);
        server.take_in(&bytes);
        let _ = server.send(b"250 OK\r\n");
        server.close();
        prop_assert!(server.progress().end.is_some());
    }

    #[test]
    fn cuts_do_not_matter(session in 0..WHOLE.len(), at in any::<prop::sample::Index>()) {
        let (mut whole, mut cut) = (server(), server());
        whole.take_in(WHOLE[session]);
        let (first, second) = WHOLE[session].split_at(at.index(WHOLE[session].len()));
        cut.take_in(first);
        cut.take_in(&[]);
        cut.take_in(second);
        prop_assert_eq!(all_of(&mut whole), all_of(&mut cut));
    }

    #[test]
    fn nothing_changed_is_finished(
        session in 0..WHOLE.len(),
        at in any::<prop::sample::Index>(),
        bit in 0..8,
    ) {
        let mut changed = WHOLE[session].to_vec();
        let at = at.index(changed.len());
        changed[at] ^= 1_u8 << bit;
        let (mut as_it_was, mut server) = (server(), server());
        as_it_was.take_in(WHOLE[session]);
        server.take_in(&changed);
        // The version of a record in clear, and what is said instead of close_notify, are all a change can do to what was said.
        let (said, heard) = (as_it_was.plaintext(), server.plaintext());
        prop_assert!(said.starts_with(&heard), "{:?}", server.progress());
    }
}
