//! From a premaster secret to keys ([RFC 2246 §5], [RFC 2246 §6.3], [RFC 2246 §8.1]; TLS 1.1 does the same).
//!
//! [RFC 2246 §5]: https://www.rfc-editor.org/rfc/rfc2246#section-5
//! [RFC 2246 §6.3]: https://www.rfc-editor.org/rfc/rfc2246#section-6.3
//! [RFC 2246 §8.1]: https://www.rfc-editor.org/rfc/rfc2246#section-8.1

use aws_lc_rs::{
    digest::{Context, SHA1_FOR_LEGACY_USE_ONLY},
    hmac,
};
use md5::{Digest, Md5};

/// Octets of a master secret.
const MASTER: usize = 48;
/// Octets of a Finished.
const VERIFY_DATA: usize = 12;
/// Octets of HMAC-SHA1, and of its key.
pub(super) const MAC: usize = 20;
/// Octets of an AES block.
pub(super) const BLOCK: usize = 16;

/// Every handshake message so far, hashed both ways.
#[derive(Clone)]
pub(super) struct Transcript {
    md5: Md5,
    sha1: Context,
}

impl Transcript {
    pub(super) fn new() -> Self {
        Self { md5: Md5::new(), sha1: Context::new(&SHA1_FOR_LEGACY_USE_ONLY) }
    }

    pub(super) fn add(&mut self, message: &[u8]) {
        self.md5.update(message);
        self.sha1.update(message);
    }

    /// The MD5 hash, and the SHA-1 hash behind it.
    pub(super) fn hash(&self) -> Vec<u8> {
        let mut hash = self.md5.clone().finalize().to_vec();
        hash.extend_from_slice(self.sha1.clone().finish().as_ref());
        hash
    }
}

/// The secret that both sides derive.
#[derive(Clone)]
pub(super) struct Master(Vec<u8>);

/// Who says Finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

impl Master {
    /// The master secret as it first was.
    pub(super) fn of_randoms(premaster: &[u8], client: &[u8; 32], server: &[u8; 32]) -> Self {
        Self(prf(premaster, b"master secret", &[client, server], MASTER))
    }

    /// RFC 7627 §4: bound to all that was said before, ClientKeyExchange included.
    pub(super) fn of_session(premaster: &[u8], session: &Transcript) -> Self {
        Self(prf(premaster, b"extended master secret", &[&session.hash()], MASTER))
    }

    /// What a side's Finished must say after these messages.
    pub(super) fn finished(&self, side: Side, transcript: &Transcript) -> Vec<u8> {
        let label: &[u8] = match side {
            Side::Client => b"client finished",
            Side::Server => b"server finished",
        };
        prf(&self.0, label, &[&transcript.hash()], VERIFY_DATA)
    }

    /// The keys of both sides for AES with keys of `key` octets.
    pub(super) fn keys(&self, client: &[u8; 32], server: &[u8; 32], key: usize) -> KeyBlock {
        let block =
            prf(&self.0, b"key expansion", &[server, client], 2 * MAC + 2 * key + 2 * BLOCK);
        let mut rest = block.as_slice();
        let mut cut = |length: usize| {
            let (part, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            rest = behind;
            part.to_vec()
        };
        // RFC 2246 §6.3: both MAC keys, then both keys, then both IVs; the client's first.
        let (client_mac, server_mac) = (cut(MAC), cut(MAC));
        let (client_key, server_key) = (cut(key), cut(key));
        let (client_iv, server_iv) = (cut(BLOCK), cut(BLOCK));
        KeyBlock {
            client: Keys { mac: client_mac, key: client_key, iv: client_iv },
            server: Keys { mac: server_mac, key: server_key, iv: server_iv },
        }
    }
}

/// The keys of both sides.
pub(super) struct KeyBlock {
    pub(super) client: Keys,
    pub(super) server: Keys,
}

/// The keys a side writes with.
pub(super) struct Keys {
    pub(super) mac: Vec<u8>,
    pub(super) key: Vec<u8>,
    /// The first IV; TLS 1.1 has none, and sends one with each record.
    pub(super) iv: Vec<u8>,
}

/// RFC 2246 §5: one half of the secret goes through MD5, the other through SHA-1; where its length is odd they share an octet.
pub(super) fn prf(secret: &[u8], label: &[u8], seeds: &[&[u8]], length: usize) -> Vec<u8> {
    let half = secret.len().div_ceil(2);
    let first = secret.get(..half).unwrap_or(secret);
    let second = secret.get(secret.len() - half..).unwrap_or(secret);
    let mut seed = label.to_vec();
    seeds.iter().for_each(|part| seed.extend_from_slice(part));
    let mut out = expand(|parts| hmac_md5(first, parts), &seed, length);
    let other = expand(|parts| hmac_sha1(second, parts), &seed, length);
    out.iter_mut().zip(other).for_each(|(octet, other)| *octet ^= other);
    out
}

/// P_hash: A(0) is the seed, A(i) the MAC of A(i-1), and the output the MACs of each A(i) with the seed behind it.
fn expand(mac: impl Fn(&[&[u8]]) -> Vec<u8>, seed: &[u8], length: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut chained = mac(&[seed]);
    while out.len() < length {
        out.extend(mac(&[&chained, seed]));
        chained = mac(&[&chained]);
    }
    out.truncate(length);
    out
}

fn hmac_sha1(secret: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let mut context = hmac::Context::with_key(&key);
    parts.iter().for_each(|part| context.update(part));
    context.sign().as_ref().to_vec()
}

/// RFC 2104 §2, by hand: aws-lc has no HMAC over MD5, and this is its one use.
fn hmac_md5(secret: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let hashed = Md5::digest(secret);
    let secret = if secret.len() > 64 { hashed.as_slice() } else { secret };
    let mut block = [0; 64];
    block.iter_mut().zip(secret).for_each(|(octet, key)| *octet = *key);
    let mut inner = Md5::new();
    inner.update(block.map(|octet| octet ^ 0x36));
    parts.iter().for_each(|part| inner.update(part));
    let mut outer = Md5::new();
    outer.update(block.map(|octet| octet ^ 0x5c));
    outer.update(inner.finalize());
    outer.finalize().to_vec()
}
