//! The trailer Exchange puts behind its refusals: `[server utc id]`, by which its support finds the session.
//!
//! Invariant: whatever the text, a trailer is three words in brackets at its very end, or there is none.

use super::Reply;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which server refused, when, and in which session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExchangeTrailer {
    /// The server's name.
    pub server: String,
    /// Its clock.
    pub at: Timestamp,
    /// The session, in hexadecimal.
    pub id: String,
}

impl ExchangeTrailer {
    /// The trailer of a reply's last line.
    pub fn of(reply: &Reply) -> Option<Self> {
        Self::cut(reply.lines.last()?).map(|(_, trailer)| trailer)
    }

    /// The text before the trailer, and the trailer.
    pub fn cut(line: &str) -> Option<(&str, Self)> {
        let (text, words) = line.trim_end().strip_suffix(']')?.rsplit_once('[')?;
        let mut words = words.split(' ');
        let (Some(server), Some(at), Some(id), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return None;
        };
        let is_name = |name: &str| {
            name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
                && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        };
        let is_id =
            |id: &str| !id.is_empty() && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'));
        if !is_name(server) || !at.ends_with('Z') || !is_id(id) {
            return None;
        }
        let at = at.parse().ok()?;
        Some((text.trim_end(), Self { server: server.to_owned(), at, id: id.to_owned() }))
    }
}

impl fmt::Display for ExchangeTrailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} {} {}]", self.server, self.at, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_three_words_at_the_end_are_a_trailer() {
        #[track_caller]
        fn check(line: &str, expect: Option<(&str, &str)>) {
            let cut = ExchangeTrailer::cut(line).map(|(text, found)| (text, found.to_string()));
            assert_eq!(cut.as_ref().map(|(text, found)| (*text, found.as_str())), expect);
        }
        check(
            "5.7.3 STARTTLS is required to send mail [PA7P264CA0250.FRAP264.PROD.OUTLOOK.COM 2026-03-05T11:41:09.483Z 08DE7A509B86EADD]",
            Some((
                "5.7.3 STARTTLS is required to send mail",
                "[PA7P264CA0250.FRAP264.PROD.OUTLOOK.COM 2026-03-05T11:41:09.483Z 08DE7A509B86EADD]",
            )),
        );
        check(
            "5.7.51 x set [CH3PEPF00000016.namprd21.prod.outlook.com 2025-01-29T19:07:30.476Z 08DD3FA5DBC8F401]",
            Some((
                "5.7.51 x set",
                "[CH3PEPF00000016.namprd21.prod.outlook.com 2025-01-29T19:07:30.476Z 08DD3FA5DBC8F401]",
            )),
        );
        // The server alone, as with AUTH and unknown recipients.
        check("5.7.3 Authentication unsuccessful [SN2PR00CA0018.namprd00.prod.outlook.com]", None);
        check("5.4.1 [a@b.test]: Recipient address rejected", None);
        check("x [A.B 2026-03-05T11:41:09.483Z 08de] ", None); // the id is in capitals
        check("x [A.B 2026-13-05T11:41:09Z 08DE]", None);
        check("x [A.B 2026-03-05T11:41:09 08DE]", None);
        check("x [A.B 2026-03-05T11:41:09Z 08DE] y", None);
        check("[]", None);
        check("]", None);
        check("", None);
    }

    proptest! {
        #[test]
        fn no_text_panics(line in "[ -~\\[\\]]{0,60}") {
            if let Some((text, trailer)) = ExchangeTrailer::cut(&line) {
                prop_assert!(line.starts_with(text) && !trailer.id.is_empty());
            }
        }
    }
}
