//! What a client sends to the canary's TLS 1.0 and 1.1, from its first octet on. Shared by the fuzzer and `tests/it/fuzz.rs`.
//!
//! The server's random is always the same, so that recorded sessions can be played again up to their end.

use mxwarden::wire::{
    hello::{ClientHello, TlsVersion},
    legacy_tls::{LegacyIdentity, LegacyServer, Phase, Progress},
    text,
};
use std::sync::{Arc, LazyLock};

static IDENTITY: LazyLock<Arc<LegacyIdentity>> = LazyLock::new(|| {
    let chain = decode(include_str!("../../tests/data/certs/v1.pem"));
    let key = decode(include_str!("../../tests/data/certs/v1.key"));
    Arc::new(LegacyIdentity::new(chain, &key[0]).unwrap())
});

/// What a PEM file holds.
fn decode(pem: &str) -> Vec<Vec<u8>> {
    let bodies = pem.split("-----END").filter_map(|part| part.split("-----\n").last());
    let bodies = bodies.map(|body| text::from_base64(&body.replace('\n', "")).unwrap());
    bodies.filter(|der| !der.is_empty()).collect()
}

/// Panics where an invariant does not hold.
pub(crate) fn run(bytes: &[u8]) {
    // However it comes in pieces, it is the same.
    let whole = play(bytes, bytes.len().max(1));
    assert!(whole == play(bytes, 1));
    let (progress, output, plaintext) = whole;
    assert!(plaintext.is_empty() || progress.phase == Phase::Finished);
    // Our flight, at the most, and what a bounded number of messages can make us say.
    assert!(output.len() < 8 << 10);
    assert!(plaintext.len() <= bytes.len());
    if let Ok(hello) = ClientHello::parse_records(bytes) {
        assert_eq!(hello.ja4().len(), 36);
        for version in TlsVersion::ALL {
            let is_nothing_below = TlsVersion::ALL
                .into_iter()
                .all(|other| other >= version || !hello.is_offering(other));
            assert!(is_nothing_below || !hello.lists_nothing_below(version));
        }
    }
}

fn play(bytes: &[u8], octets: usize) -> (Progress, Vec<u8>, Vec<u8>) {
    let random = |bytes: &mut [u8]| bytes.fill(7);
    let mut server = LegacyServer::new(Arc::clone(&IDENTITY), Box::new(random));
    for chunk in bytes.chunks(octets) {
        server.take_in(chunk);
    }
    (server.progress(), server.output(), server.plaintext())
}
