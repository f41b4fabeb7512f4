//! The addresses of pages, in one place: what an alert links to is what is served.
//!
//! Each is told from the dashboard on, without a slash before it, so that it holds wherever a proxy puts us.

use std::fmt::Write as _;

/// The page of a partner.
pub fn partner(name: &str) -> String {
    format!("partner/{}", segment(name))
}

/// The evidence of this digest.
pub fn evidence(digest: &str) -> String {
    format!("evidence/{}", segment(digest))
}

/// RFC 3986 §2.3: what may stand as it is; the rest is percent-encoded.
fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
