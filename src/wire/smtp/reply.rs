//! SMTP replies ([RFC 5321 §4.2]), read from a byte stream without trusting it.
//!
//! 1. Bytes go in as they come; a reply comes out when its last line is whole.
//! 2. What follows the reply stays with the caller: behind the 220 to STARTTLS it is evidence.
//! 3. A line, a reply and a number of lines too long are refused before they are stored.
//!
//! smtp-proto's receiver is not used here: it caps a reply at 4 KiB, merges the lines and drops the
//! code of all but the first, all of which is evidence to us.
//!
//! [RFC 5321 §4.2]: https://www.rfc-editor.org/rfc/rfc5321#section-4.2

use crate::wire::{enhanced_status::EnhancedStatus, text};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How much of a reply is read before the peer is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyLimits {
    /// Octets in one line, its end included. RFC 5321 §4.5.3.1.5 asks for 512; servers send more.
    pub line: usize,
    /// Lines in one reply.
    pub lines: usize,
    /// Octets in one reply.
    pub reply: usize,
}

/// A whole reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The three digits.
    pub code: u16,
    /// The text of each line behind the code, made printable.
    pub lines: Vec<String>,
}

impl Reply {
    /// The lines as they are written to a client, with their ends; nothing where there are no lines.
    pub fn to_wire(&self) -> String {
        let last = self.lines.len().saturating_sub(1);
        let mark = |at| if at == last { ' ' } else { '-' };
        let lines = self.lines.iter().enumerate();
        lines.map(|(at, text)| format!("{}{}{text}\r\n", self.code, mark(at))).collect()
    }

    /// The enhanced status code the reply begins with, where it has one.
    pub fn enhanced(&self) -> Option<EnhancedStatus> {
        self.lines.first().and_then(|line| EnhancedStatus::leading(line))
    }

    /// 2xx: done.
    pub fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// 4xx: not now ([RFC 5321 §4.2.1]).
    ///
    /// [RFC 5321 §4.2.1]: https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1
    pub fn is_transient(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// 5xx: no.
    pub fn is_permanent(&self) -> bool {
        (500..600).contains(&self.code)
    }
}

impl fmt::Display for Reply {
    /// One line: the code and every line's text, joined by ` / `.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        for (at, line) in self.lines.iter().enumerate() {
            let gap = if at == 0 { " " } else { " / " };
            write!(f, "{gap}{line}")?;
        }
        Ok(())
    }
}

/// What the peer sent is no reply, or too much of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The lines of one reply carry different codes ([RFC 5321 §4.2.1] forbids it).
    ///
    /// [RFC 5321 §4.2.1]: https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1
    #[error("the code changed from {first} to {then} within one reply")]
    CodeChanged {
        /// The first line's code.
        first: u16,
        /// The other one.
        then: u16,
    },
    /// A line without end.
    #[error("a line of more than {limit} octets, beginning `{start}`")]
    LineTooLong {
        /// Octets allowed.
        limit: usize,
        /// How it begins.
        start: String,
    },
    /// A line that does not begin with a reply code.
    #[error("`{0}` is no SMTP reply")]
    NotAReply(String),
    /// A NUL octet.
    #[error("a NUL octet in `{0}`")]
    Nul(String),
    /// More octets than a reply may have.
    #[error("a reply of more than {limit} octets")]
    ReplyTooLong {
        /// Octets allowed.
        limit: usize,
    },
    /// More lines than a reply may have.
    #[error("a reply of more than {limit} lines")]
    TooManyLines {
        /// Lines allowed.
        limit: usize,
    },
}

impl ReplyError {
    /// Whether the peer sent too much, rather than something else.
    pub fn is_excess(&self) -> bool {
        match self {
            Self::LineTooLong { .. } | Self::ReplyTooLong { .. } | Self::TooManyLines { .. } => {
                true
            }
            Self::CodeChanged { .. } | Self::NotAReply(_) | Self::Nul(_) => false,
        }
    }
}

/// Room made for a line at once; longer ones make more.
const USUAL_LINE: usize = 128;

/// Gathers one reply after another.
#[derive(Debug)]
pub struct ReplyReader {
    limits: ReplyLimits,
    line: Vec<u8>,
    lines: Vec<String>,
    code: Option<u16>,
    octets: usize,
}

impl ReplyReader {
    /// A reader that gives up at `limits`.
    pub fn new(limits: ReplyLimits) -> Self {
        Self { limits, line: Vec::new(), lines: Vec::new(), code: None, octets: 0 }
    }

    /// Takes bytes off the front of `input` until a reply is whole or the input is used up; what is left in `input` follows the reply.
    pub fn take_from(&mut self, input: &mut &[u8]) -> Result<Option<Reply>, ReplyError> {
        while let Some((&byte, rest)) = input.split_first() {
            *input = rest;
            self.octets += 1;
            if self.octets > self.limits.reply {
                return Err(ReplyError::ReplyTooLong { limit: self.limits.reply });
            }
            if byte != b'\n' {
                if self.line.is_empty() {
                    self.line.reserve(USUAL_LINE);
                }
                self.line.push(byte);
                if self.line.len() >= self.limits.line {
                    return Err(ReplyError::LineTooLong {
                        limit: self.limits.line,
                        start: text::printable_within(&self.line, 60),
                    });
                }
                continue;
            }
            if let Some(reply) = self.end_line()? {
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }

    /// What has come of a line that is not whole yet, made printable.
    pub fn unfinished(&self) -> Option<String> {
        (!self.line.is_empty()).then(|| text::printable_within(&self.line, 200))
    }

    fn end_line(&mut self) -> Result<Option<Reply>, ReplyError> {
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        let shown = || text::printable_within(line, 80);
        if line.contains(&0) {
            return Err(ReplyError::Nul(shown()));
        }
        let (code, is_last, rest) = split(line).ok_or_else(|| ReplyError::NotAReply(shown()))?;
        let first = *self.code.get_or_insert(code);
        if first != code {
            return Err(ReplyError::CodeChanged { first, then: code });
        }
        if self.lines.len() >= self.limits.lines {
            return Err(ReplyError::TooManyLines { limit: self.limits.lines });
        }
        self.lines.push(text::printable(rest));
        if !is_last {
            return Ok(None);
        }
        self.octets = 0;
        self.code = None;
        Ok(Some(Reply { code, lines: std::mem::take(&mut self.lines) }))
    }
}

/// Code, whether this is the last line, and the text.
fn split(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (digits, rest) = line.split_at_checked(3)?;
    // RFC 5321 §4.2: the first digit is 2 to 5; the others are not restricted, servers invent some.
    if !matches!(digits.first(), Some(b'2'..=b'5')) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = digits.iter().fold(0u16, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    match rest.split_first() {
        // RFC 5321 §4.2: a code without text is to be accepted.
        None => Some((code, true, rest)),
        Some((b' ', text)) => Some((code, true, text)),
        Some((b'-', text)) => Some((code, false, text)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: ReplyLimits = ReplyLimits { line: 64, lines: 4, reply: 200 };

    /// One whole reply as `code|line|line`, or the error's words.
    fn read(bytes: &[u8]) -> String {
        let mut input = bytes;
        match ReplyReader::new(LIMITS).take_from(&mut input) {
            Ok(None) => "more".to_owned(),
            Err(error) => error.to_string(),
            Ok(Some(reply)) => {
                format!("{}|{} +{}", reply.code, reply.lines.join("|"), input.len())
            }
        }
    }

    #[test]
    fn replies_are_read_and_refused() {
        #[track_caller]
        fn check(bytes: &[u8], expect: &str) {
            assert_eq!(read(bytes), expect);
        }
        check(b"220 mx ready\r\n", "220|mx ready +0");
        check(b"220 bare line feed\n", "220|bare line feed +0");
        check(b"220\r\n", "220| +0");
        check(b"220-one\r\n220 two\r\n", "220|one|two +0");
        check(b"220 go\r\nNOOP\r\n", "220|go +6"); // what follows is left
        check(b"220 not whole", "more");
        check(b"220-one\r\n", "more");
        check(b"220 \xff\xfe8-bit\r\n", "220|\\xff\\xfe8-bit +0");
        check(b"220 \x1b[2J\r\n", "220|\\x1b[2J +0");
        check(b"220 a\0b\r\n", "a NUL octet in `220 a\\x00b`");
        check(b"HTTP/1.1 400 Bad Request\r\n", "`HTTP/1.1 400 Bad Request` is no SMTP reply");
        check(b"22\r\n", "`22` is no SMTP reply");
        check(b"120 too low\r\n", "`120 too low` is no SMTP reply");
        check(b"220_x\r\n", "`220_x` is no SMTP reply");
        check(b"\r\n", "`` is no SMTP reply");
        check(b"250-a\r\n550 b\r\n", "the code changed from 250 to 550 within one reply");
        check(b"250-1\n250-2\n250-3\n250-4\n250 5\n", "a reply of more than 4 lines");
        check(
            &[b'2'; 100],
            "a line of more than 64 octets, beginning `222222222222222222222222222222222222222222222222222222222222…`",
        );
        check(
            &b"250-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n".repeat(5),
            "a reply of more than 200 octets",
        );
    }

    #[test]
    fn one_reader_reads_many_replies() {
        let mut reader = ReplyReader::new(LIMITS);
        let mut input: &[u8] = b"220-a\r\n220 b\r\n250 c\r\n";
        assert_eq!(reader.take_from(&mut input).unwrap().unwrap().to_string(), "220 a / b");
        assert_eq!(reader.take_from(&mut input).unwrap().unwrap().to_string(), "250 c");
        assert_eq!(reader.take_from(&mut input), Ok(None));
    }

    proptest! {
        /// However the network cuts the stream, the outcome is the same, and no bytes panic.
        #[test]
        fn cuts_do_not_matter(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 0usize..300) {
            let cut = cut.min(bytes.len());
            let (head, tail) = bytes.split_at(cut);
            let mut whole = ReplyReader::new(LIMITS);
            let mut parts = ReplyReader::new(LIMITS);
            let mut all = bytes.as_slice();
            let (mut first, mut second) = (head, tail);
            let expect = whole.take_from(&mut all);
            let got = match parts.take_from(&mut first) {
                Ok(None) => parts.take_from(&mut second),
                other => other,
            };
            prop_assert_eq!(expect, got);
        }

        #[test]
        fn what_is_written_is_read(code in 200u16..600, lines in proptest::collection::vec("[ -~]{0,20}", 1..4)) {
            let mut bytes = Vec::new();
            for (at, line) in lines.iter().enumerate() {
                let mark = if at + 1 == lines.len() { ' ' } else { '-' };
                bytes.extend_from_slice(format!("{code}{mark}{line}\r\n").as_bytes());
            }
            let mut input = bytes.as_slice();
            let reply = ReplyReader::new(LIMITS).take_from(&mut input);
            prop_assert_eq!(reply, Ok(Some(Reply { code, lines })));
        }
    }
}
