//! Makes bytes from strangers fit to be shown: on a terminal, in a log, in JSON.
//!
//! Invariant: the output holds no control character, so nothing a peer sends can move a cursor,
//! forge a line or colour a terminal.

use std::fmt::Write as _;

/// Renders bytes as one printable line: valid UTF-8 stays, control characters and invalid bytes
/// become `\n`, `\r`, `\t` or `\xNN`.
pub fn printable(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        if chunk.valid().bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            out.push_str(chunk.valid());
        } else {
            chunk.valid().chars().for_each(|character| push_printable(&mut out, character));
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// As [`printable`], cut after `limit` characters with an ellipsis.
pub fn printable_within(bytes: &[u8], limit: usize) -> String {
    // A character takes at most four bytes, so this never cuts more than the limit asks for.
    let text = printable(bytes.get(..limit.saturating_mul(4)).unwrap_or(bytes));
    if text.len() <= limit {
        return text;
    }
    let mut cut: String = text.chars().take(limit).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

fn push_printable(out: &mut String, character: char) {
    match character {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        // Bidirectional overrides reorder what a person reads.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            let _ = write!(out, "\\u{{{:04x}}}", u32::from(character));
        }
        c if c.is_control() => {
            let _ = write!(out, "\\x{:02x}", u32::from(c));
        }
        c => out.push(c),
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// Reads hexadecimal of either case; colons between bytes are allowed, as `openssl` prints them.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|b| *b != b':').collect();
    data_encoding::HEXLOWER_PERMISSIVE.decode(&digits).ok()
}

/// Base64 with padding ([RFC 4648 §4]).
///
/// [RFC 4648 §4]: https://www.rfc-editor.org/rfc/rfc4648#section-4
pub fn base64(bytes: &[u8]) -> String {
    data_encoding::BASE64.encode(bytes)
}

/// Reads base64 with padding.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    data_encoding::BASE64.decode(text.as_bytes()).ok()
}

/// The name that `text` was most likely meant to be; none where more than `near` letters differ.
pub fn closest<'a>(
    text: &str,
    names: impl IntoIterator<Item = &'a str>,
    near: usize,
) -> Option<&'a str> {
    let length = text.chars().count();
    names
        .into_iter()
        // Also keeps the cost of a pasted page of text at nothing.
        .filter(|name| name.len().abs_diff(length) <= near)
        .map(|name| (distance(text, name), name))
        .filter(|(distance, _)| *distance <= near)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The Levenshtein distance: insertions, deletions and replacements that turn one text into the other.
fn distance(from: &str, to: &str) -> usize {
    // The row of the classic table, without its first cell, which is the row's number.
    let mut row: Vec<usize> = (1..=to.chars().count()).collect();
    for (number, ours) in from.chars().enumerate() {
        let mut diagonal = number;
        let mut left = number + 1;
        for (cell, theirs) in row.iter_mut().zip(to.chars()) {
            let replaced = diagonal + usize::from(ours != theirs);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_else(|| from.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_never_survive() {
        #[track_caller]
        fn check(input: &[u8], expect: &str) {
            assert_eq!(printable(input), expect);
        }
        check(b"220 mx ready", "220 mx ready");
        check(b"a\x1b[31mred", "a\\x1b[31mred");
        check(b"nul\0", "nul\\x00");
        check(b"\xff\xfe", "\\xff\\xfe");
        check("grüß".as_bytes(), "grüß");
        check("\u{202e}evil".as_bytes(), "\\u{202e}evil");
        check(b"two\r\nlines", "two\\r\\nlines");
    }

    #[test]
    fn hex_goes_there_and_back() {
        assert_eq!(from_hex("DE:AD:be:ef"), Some(vec![0xde, 0xad, 0xbe, 0xef]));
        assert_eq!(from_hex("abc"), None);
        assert_eq!(from_hex("zz"), None);
        assert_eq!(from_hex("+1"), None);
        assert_eq!(hex(&[0, 255]), "00ff");
    }

    #[test]
    fn distances_are_those_of_levenshtein() {
        let check = |from, to, expect| {
            assert_eq!(distance(from, to), expect, "{from} {to}");
            assert_eq!(distance(to, from), expect, "{to} {from}");
        };
        check("", "", 0);
        check("", "abc", 3);
        check("kitten", "sitting", 3);
        check("flaw", "lawn", 2);
        check("stale", "stale", 0);
        check("é", "e", 1);
    }
}
