//! The token in the recipient of a probe: a canary knows its own by it, without asking anyone.
//!
//! 1. Version, probe id and expiry, then the first half of their HMAC-SHA-256 under the key of the installation.
//! 2. Base32 in lower case without padding ([RFC 4648 §6]): 52 characters, which fit a local part and survive
//!    a mail system that changes case.
//!
//! Invariant: a token that was altered in any bit, or made under another key, is none.
//!
//! [RFC 4648 §6]: https://www.rfc-editor.org/rfc/rfc4648#section-6

use super::text;
use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// What the first octet says. Another layout gets another number.
const VERSION: u8 = 1;
/// What is authenticated besides the token, so that the key can never be made to sign anything else.
const PURPOSE: &[u8] = b"mxwarden probe token\0";
const ID: usize = 10;
const EXPIRY: usize = 5;
const TAG: usize = 16;
/// Characters of a token.
const LENGTH: usize = 52;

/// What probe tokens of this installation are made and known by.
#[derive(Clone)]
pub struct TokenKey(Zeroizing<[u8; 64]>);

/// What a token says, once it was found to be ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The id of the probe: 20 hexadecimal digits.
    pub id: String,
    /// Until when a delivery of it counts, to the second.
    pub expires_at: Timestamp,
}

impl TokenKey {
    /// The key with these octets, which should come from a random generator.
    pub fn new(key: &[u8; 32]) -> Self {
        // RFC 2104 §2: a key shorter than a block is filled up with zeros.
        let mut block = Zeroizing::new([0; 64]);
        for (to, from) in block.iter_mut().zip(key) {
            *to = *from;
        }
        Self(block)
    }

    /// The token of a probe, 52 characters; `expires_at` is cut to the second.
    pub fn mint(&self, id: [u8; ID], expires_at: Timestamp) -> String {
        // Before 1970 nothing expires, and 40 bits last for 34,000 years.
        let seconds = u64::try_from(expires_at.as_second()).unwrap_or_default();
        let [_, _, _, expiry @ ..] = seconds.to_be_bytes();
        let mut bytes = Vec::with_capacity(1 + ID + EXPIRY + TAG);
        bytes.push(VERSION);
        bytes.extend(id);
        bytes.extend(expiry);
        let tag = self.mac(&bytes).finalize().into_bytes();
        bytes.extend(tag.iter().take(TAG));
        BASE32_NOPAD.encode(&bytes).to_ascii_lowercase()
    }

    /// Reads the local part of a recipient, in whatever case; none where it is no token of ours.
    /// Whether it has expired is for the caller, who has the clock.
    pub fn verify(&self, local_part: &str) -> Option<Token> {
        if local_part.len() != LENGTH {
            return None;
        }
        // Spare bits behind the last octet must be zero: the decoder sees to it.
        let bytes = BASE32_NOPAD.decode(local_part.to_ascii_uppercase().as_bytes()).ok()?;
        let (said, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG)?)?;
        let (version, rest) = said.split_first()?;
        let (id, expiry) = rest.split_at_checked(ID)?;
        let expiry: [u8; EXPIRY] = expiry.try_into().ok()?;
        if *version != VERSION {
            return None;
        }
        // Compares in constant time, so that a stranger cannot feel his way to a tag.
        self.mac(said).verify_truncated_left(tag).ok()?;
        let seconds = expiry.iter().fold(0, |sum, octet| (sum << 8) | i64::from(*octet));
        Some(Token { id: text::hex(id), expires_at: Timestamp::from_second(seconds).ok()? })
    }

    fn mac(&self, said: &[u8]) -> Hmac<Sha256> {
        Hmac::<Sha256>::new((&*self.0).into()).chain_update(PURPOSE).chain_update(said)
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID_OF_ONE: [u8; ID] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x10, 0x32];

    fn key() -> TokenKey {
        TokenKey::new(&[7; 32])
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_token_is_what_the_format_says() {
        // As Python's hmac and base64 make it of the layout in the head of this module.
        let token = key().mint(ID_OF_ONE, at("2026-01-31T12:00:00.9Z"));
        assert_eq!(token, "aeasgrlhrgv433yqgiags7poyb54pp7vcuyfgemjeaosqg3stodq");
        let read = key().verify(&token).unwrap();
        let expires_at = at("2026-01-31T12:00:00Z");
        assert_eq!(read, Token { id: "0123456789abcdef1032".into(), expires_at });
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let token = key().mint(ID_OF_ONE, at("2026-01-31T12:00:00Z"));
        #[track_caller]
        fn check(local_part: &str) {
            assert_eq!(key().verify(local_part), None, "{local_part}");
        }
        check("");
        check("postmaster");
        check(&token[1..]);
        check(&format!("{token}a"));
        check(&format!(" {}", &token[1..]));
        check(&format!("{}=", &token[..51]));
        check(&"a".repeat(52));
        check(&"ß".repeat(26));
        assert_eq!(TokenKey::new(&[8; 32]).verify(&token), None);
    }

    #[test]
    fn another_version_is_refused_under_the_right_key() {
        let mut bytes = vec![2; 16];
        let tag = key().mac(&bytes).finalize().into_bytes();
        bytes.extend(&tag[..TAG]);
        assert_eq!(key().verify(&BASE32_NOPAD.encode(&bytes)), None);
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", key()), "TokenKey(…)");
    }

    proptest! {
        #[test]
        fn tokens_survive_case_and_fit(id in any::<[u8; ID]>(), seconds in 0..253_402_207_200_i64, cases in any::<u64>()) {
            let expires_at = Timestamp::from_second(seconds).unwrap();
            let token = key().mint(id, expires_at);
            prop_assert_eq!(token.len(), LENGTH);
            prop_assert!(token.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
            let mixed: String = token.chars().enumerate().map(|(at, c)| {
                if cases >> at & 1 == 1 { c.to_ascii_uppercase() } else { c }
            }).collect();
            prop_assert_eq!(key().verify(&mixed), Some(Token { id: text::hex(&id), expires_at }));
        }

        #[test]
        fn any_flipped_bit_is_refused(id in any::<[u8; ID]>(), seconds in 0..4_000_000_000_i64, bit in 0..256_usize) {
            let token = key().mint(id, Timestamp::from_second(seconds).unwrap());
            let mut bytes = BASE32_NOPAD.decode(token.to_ascii_uppercase().as_bytes()).unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(key().verify(&BASE32_NOPAD.encode(&bytes)), None);
        }

        #[test]
        fn any_other_character_is_refused(at in 0..LENGTH, other in "[a-z2-7]") {
            let token = key().mint(ID_OF_ONE, Timestamp::from_second(1).unwrap());
            let mut altered = token.clone();
            altered.replace_range(at..=at, &other);
            prop_assert_eq!(key().verify(&altered).is_some(), altered == token);
        }

        #[test]
        fn no_text_panics(text in ".*", close in "[a-zA-Z2-7]{52}") {
            prop_assert_eq!(key().verify(&text), None);
            prop_assert_eq!(key().verify(&close), None);
        }
    }
}
