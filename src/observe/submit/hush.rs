//! What a mail system says back, without the password: some repeat in a refusal what they were told.
//!
//! Invariant: neither the password nor a form of it that was sent is in what comes out, in capitals or not.

use crate::model::session::Ending;
use crate::wire::text;
use secrecy::{ExposeSecret, SecretString};
use std::cmp::Reverse;
use zeroize::Zeroizing;

/// The text with a mark in place of the password and of what was sent for it.
pub(super) fn without_secrets(text: &str, username: &str, password: &SecretString) -> String {
    let secret = password.expose_secret();
    let plain = Zeroizing::new(format!("\0{username}\0{secret}"));
    // Without padding, which some drop. The longest first: a shorter one may lie within it.
    let mut forms = [
        Zeroizing::new(text::base64(plain.as_bytes()).trim_end_matches('=').to_owned()),
        Zeroizing::new(text::base64(secret.as_bytes()).trim_end_matches('=').to_owned()),
        Zeroizing::new(text::printable(secret.as_bytes())),
    ];
    forms.sort_by_key(|form| Reverse(form.len()));
    forms.iter().fold(text.to_owned(), |clean, form| without(&clean, form))
}

/// The text with a mark in place of a token and of the response it was sent in, whole or cut short: a server that
/// echoes a line of two thousand octets seldom echoes all of it.
pub(super) fn without_token(text: &str, response: &str, token: &SecretString) -> String {
    let secret = token.expose_secret();
    let encoded = Zeroizing::new(text::base64(secret.as_bytes()));
    let forms = [response, encoded.as_str(), secret];
    forms.iter().fold(text.to_owned(), |clean, form| without_pieces(&clean, form))
}

/// How much of a token may be told: too little to be worth anything.
const PIECE: usize = 12;

/// The text with a mark in place of every stretch of the secret that is long enough to matter, in capitals or not.
fn without_pieces(text: &str, secret: &str) -> String {
    let secret = Zeroizing::new(secret.to_ascii_lowercase());
    let pieces: std::collections::HashSet<&[u8]> = secret.as_bytes().windows(PIECE).collect();
    if pieces.is_empty() {
        return without(text, &secret);
    }
    let folded = Zeroizing::new(text.to_ascii_lowercase());
    let mut is_secret = vec![false; folded.len()];
    for (at, window) in folded.as_bytes().windows(PIECE).enumerate() {
        if pieces.contains(window) {
            is_secret.iter_mut().skip(at).take(PIECE).for_each(|octet| *octet = true);
        }
    }
    let mut clean = String::with_capacity(text.len());
    let mut was_secret = false;
    for (at, character) in text.char_indices() {
        let is = is_secret.get(at).copied().unwrap_or_default();
        match (was_secret, is) {
            (false, true) => clean.push_str("[secret]"),
            (true, true) => {}
            (_, false) => clean.push(character),
        }
        was_secret = is;
    }
    clean
}

/// The text with a mark wherever it has the secret, in capitals or not: some say commands back in capitals.
fn without(text: &str, secret: &str) -> String {
    if secret.is_empty() {
        return text.to_owned();
    }
    // ASCII letters alone change, so that places in both are the same.
    let folded = Zeroizing::new(text.to_ascii_lowercase());
    let secret = Zeroizing::new(secret.to_ascii_lowercase());
    let mut clean = String::with_capacity(text.len());
    let mut from = 0;
    for (at, found) in folded.match_indices(secret.as_str()) {
        clean.push_str(text.get(from..at).unwrap_or_default());
        clean.push_str("[secret]");
        from = at + found.len();
    }
    clean.push_str(text.get(from..).unwrap_or_default());
    clean
}

/// An answer to a secret that is no reply is told cut short, and what is left of an echo cannot be known for one.
pub(super) fn hushed(ending: Ending) -> Ending {
    match ending {
        Ending::Protocol(phase, _) => {
            Ending::Protocol(phase, "what it answered is no SMTP reply".to_owned())
        }
        Ending::TooMuchData(phase, _) => {
            Ending::TooMuchData(phase, "it answered more than a reply may have".to_owned())
        }
        other => other,
    }
}
