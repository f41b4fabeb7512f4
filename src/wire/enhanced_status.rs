//! Enhanced mail system status codes, such as `5.7.0` ([RFC 3463 §2]).
//!
//! [RFC 3463 §2]: https://www.rfc-editor.org/rfc/rfc3463#section-2

use serde::{Deserialize, Serialize};
use std::fmt;

/// A status code `class.subject.detail`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EnhancedStatus {
    /// 2 success, 4 persistent transient failure, 5 permanent failure.
    pub class: u8,
    /// What the code is about, 0 to 999.
    pub subject: u16,
    /// The precise condition, 0 to 999.
    pub detail: u16,
}

impl EnhancedStatus {
    /// Reads a code at the very start of a reply's text; it must be followed by white space or the end.
    pub fn leading(text: &str) -> Option<Self> {
        text.split_ascii_whitespace().next().filter(|first| text.starts_with(first))?.parse().ok()
    }
}

/// The text is no enhanced status code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no enhanced status code such as 5.7.0")]
pub struct NotAStatus(String);

impl std::str::FromStr for EnhancedStatus {
    type Err = NotAStatus;

    fn from_str(text: &str) -> Result<Self, NotAStatus> {
        let refuse = || NotAStatus(text.chars().take(40).collect());
        let number = |part: &str| {
            // RFC 3463 §2: each of subject and detail is one to three digits.
            let plain = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
            if plain { part.parse::<u16>().ok() } else { None }
        };
        let mut parts = text.split('.');
        let (Some(class), Some(subject), Some(detail), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(refuse());
        };
        let class = match class {
            "2" => 2,
            "4" => 4,
            "5" => 5,
            _ => return Err(refuse()),
        };
        let (Some(subject), Some(detail)) = (number(subject), number(detail)) else {
            return Err(refuse());
        };
        Ok(Self { class, subject, detail })
    }
}

impl TryFrom<String> for EnhancedStatus {
    type Error = NotAStatus;

    fn try_from(text: String) -> Result<Self, NotAStatus> {
        text.parse()
    }
}

impl From<EnhancedStatus> for String {
    fn from(status: EnhancedStatus) -> Self {
        status.to_string()
    }
}

impl fmt::Display for EnhancedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_only_at_the_start() {
        #[track_caller]
        fn check(text: &str, expect: Option<&str>) {
            assert_eq!(EnhancedStatus::leading(text).map(|s| s.to_string()).as_deref(), expect);
        }
        check("5.7.0 Must issue a STARTTLS command first", Some("5.7.0"));
        check("4.7.500 Server busy", Some("4.7.500"));
        check("2.0.0", Some("2.0.0"));
        check("3.0.0 no such class", None);
        check("5.7", None);
        check("5.7.0.1 an address", None);
        check("5.7.1234 too long", None);
        check("Ready 5.7.0", None);
        check(" 5.7.0", None);
        check("", None);
    }
}
