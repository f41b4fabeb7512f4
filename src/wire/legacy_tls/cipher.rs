//! AES-CBC with HMAC-SHA1 inside, one direction at a time ([RFC 2246 §6.2.3.2], [RFC 4346 §6.2.3.2]).
//!
//! The versions differ in the IV alone: 1.0 goes on with the last block of the record before, 1.1 sends one in front.
//!
//! [RFC 2246 §6.2.3.2]: https://www.rfc-editor.org/rfc/rfc2246#section-6.2.3.2
//! [RFC 4346 §6.2.3.2]: https://www.rfc-editor.org/rfc/rfc4346#section-6.2.3.2

use super::{
    Fault,
    keys::{BLOCK, Keys, MAC},
};
use crate::wire::hello::TlsVersion;
use aws_lc_rs::{
    cipher::{
        AES_128, AES_256, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext,
        UnboundCipherKey,
    },
    constant_time::verify_slices_are_equal,
    hmac,
    iv::FixedLength,
};

/// Encrypts what one side sends.
pub(super) struct Sealer {
    key: EncryptingKey,
    half: Half,
}

/// Decrypts what one side sends.
pub(super) struct Opener {
    key: DecryptingKey,
    half: Half,
}

/// What both directions have.
struct Half {
    version: TlsVersion,
    mac: hmac::Key,
    /// The IV of the next record, in 1.0.
    iv: [u8; BLOCK],
    sequence: u64,
}

impl Sealer {
    pub(super) fn new(version: TlsVersion, keys: &Keys) -> Result<Self, Fault> {
        let key = EncryptingKey::cbc(unbound(keys)?).map_err(|_| Fault::Internal("AES"))?;
        Ok(Self { key, half: Half::new(version, keys) })
    }

    /// The body of the next record. `fresh` is what 1.1 sends in front; 1.0 has no use for it.
    pub(super) fn seal(
        &mut self,
        kind: u8,
        plain: &[u8],
        fresh: [u8; BLOCK],
    ) -> Result<Vec<u8>, Fault> {
        let mut body = plain.to_vec();
        body.extend_from_slice(self.half.mac(kind, plain).as_ref());
        // As little padding as there can be: 1 to 16 octets, each of which says how many others there are.
        let padding = BLOCK - 1 - body.len() % BLOCK;
        body.resize(body.len() + padding + 1, u8::try_from(padding).unwrap_or_default());
        let has_own_iv = self.half.has_own_iv();
        let iv = if has_own_iv { fresh } else { self.half.iv };
        self.key
            .less_safe_encrypt(&mut body, EncryptionContext::Iv128(FixedLength::from(iv)))
            .map_err(|_| Fault::Internal("AES"))?;
        self.half.end_record(&body);
        if has_own_iv {
            body.splice(..0, iv);
        }
        Ok(body)
    }
}

impl Opener {
    pub(super) fn new(version: TlsVersion, keys: &Keys) -> Result<Self, Fault> {
        let key = DecryptingKey::cbc(unbound(keys)?).map_err(|_| Fault::Internal("AES"))?;
        Ok(Self { key, half: Half::new(version, keys) })
    }

    /// What the next record's body says. Padding and MAC are looked at alike in every case, so that neither tells which was
    /// wrong; the time it takes does, a little, and nothing here is worth finding that out.
    pub(super) fn open(&mut self, kind: u8, body: &[u8]) -> Result<Vec<u8>, Fault> {
        let (iv, sealed) = if self.half.has_own_iv() {
            let (iv, sealed) = body.split_first_chunk().ok_or(Fault::Decrypt)?;
            (*iv, sealed)
        } else {
            (self.half.iv, body)
        };
        // A MAC and an octet of padding at the least.
        if sealed.len() <= MAC || !sealed.len().is_multiple_of(BLOCK) {
            return Err(Fault::Decrypt);
        }
        let mut opened = sealed.to_vec();
        self.key
            .decrypt(&mut opened, DecryptionContext::Iv128(FixedLength::from(iv)))
            .map_err(|_| Fault::Internal("AES"))?;
        let (is_padded, padding) = padding(&opened);
        let content = opened.len().saturating_sub(padding + MAC);
        let (plain, behind) = opened.split_at_checked(content).ok_or(Fault::Decrypt)?;
        let mac = behind.get(..MAC).ok_or(Fault::Decrypt)?;
        let is_authentic =
            verify_slices_are_equal(self.half.mac(kind, plain).as_ref(), mac).is_ok();
        if !(is_padded & is_authentic) {
            return Err(Fault::Decrypt);
        }
        self.half.end_record(sealed);
        Ok(plain.to_vec())
    }
}

impl Half {
    fn new(version: TlsVersion, keys: &Keys) -> Self {
        let mut iv = [0; BLOCK];
        iv.iter_mut().zip(&keys.iv).for_each(|(octet, key)| *octet = *key);
        let mac = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &keys.mac);
        Self { version, mac, iv, sequence: 0 }
    }

    fn has_own_iv(&self) -> bool {
        self.version > TlsVersion::Tls10
    }

    /// RFC 2246 §6.2.3.1: over the number of the record and its header as it would be in clear.
    fn mac(&self, kind: u8, plain: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.mac);
        context.update(&self.sequence.to_be_bytes());
        context.update(&[kind]);
        context.update(&self.version.to_wire().to_be_bytes());
        context.update(&u16::try_from(plain.len()).unwrap_or(u16::MAX).to_be_bytes());
        context.update(plain);
        context.sign()
    }

    fn end_record(&mut self, sealed: &[u8]) {
        // Nobody sends 2^64 records.
        self.sequence = self.sequence.wrapping_add(1);
        if let Some(last) = sealed.last_chunk() {
            self.iv = *last;
        }
    }
}

/// Whether the padding is right, and how many octets to take off; none where it is wrong.
fn padding(opened: &[u8]) -> (bool, usize) {
    let last = opened.last().copied().unwrap_or_default();
    let length = usize::from(last) + 1;
    let fits = length + MAC <= opened.len();
    let tail = opened.get(opened.len().saturating_sub(length)..).unwrap_or(opened);
    let differs = tail.iter().fold(0, |differs, octet| differs | (octet ^ last));
    let is_padded = fits & (differs == 0);
    (is_padded, if is_padded { length } else { 0 })
}

fn unbound(keys: &Keys) -> Result<UnboundCipherKey, Fault> {
    let algorithm = if keys.key.len() == 16 { &AES_128 } else { &AES_256 };
    UnboundCipherKey::new(algorithm, &keys.key).map_err(|_| Fault::Internal("AES"))
}
