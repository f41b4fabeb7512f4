//! A chain as a server sends it, to its verdict. Shared by the fuzzer and `tests/it/fuzz.rs`.

use mxwarden::{
    judge::certificate,
    model::{report::Trust, roots::Roots, session::Der},
};

/// DER certificates, each behind its length in two octets. Nobody's roots are trusted here, so nothing can be.
pub(crate) fn run(bytes: &[u8]) {
    let mut chain = Vec::new();
    let mut rest = bytes;
    while let [high, low, behind @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(behind.len());
        let (der, next) = behind.split_at(length);
        chain.push(Der(der.to_vec()));
        rest = next;
    }
    let now = jiff::Timestamp::UNIX_EPOCH;
    let verdict = certificate::judge(&chain, None, &Roots::default(), now);
    assert_ne!(verdict.trust, Trust::Ok, "{verdict:?}");
    assert!(verdict.certificates.len() <= chain.len());
    for name in verdict.certificates.iter().flat_map(|certificate| certificate.names()) {
        assert!(!name.chars().any(char::is_control), "{name:?}");
    }
}
