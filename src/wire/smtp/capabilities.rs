//! What a server says it can do, in its reply to EHLO ([RFC 5321 §4.1.1.1]).
//!
//! [RFC 5321 §4.1.1.1]: https://www.rfc-editor.org/rfc/rfc5321#section-4.1.1.1

use super::Reply;
use serde::{Deserialize, Serialize};

/// The lines of an EHLO reply behind the first, as sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Capabilities(Vec<String>);

impl Capabilities {
    /// Those of a positive reply to EHLO; the first line is the server's greeting, not a capability.
    pub fn of(reply: &Reply) -> Self {
        Self(reply.lines.iter().skip(1).map(|line| line.trim().to_owned()).collect())
    }

    /// Whether the keyword is offered, without regard to case and whatever parameters follow it.
    pub fn has(&self, keyword: &str) -> bool {
        self.0
            .iter()
            .filter_map(|line| line.split([' ', '=']).next())
            .any(|offered| offered.eq_ignore_ascii_case(keyword))
    }

    /// The lines as sent.
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyword_is_a_whole_word_of_a_later_line() {
        #[track_caller]
        fn check(lines: &[&str], expect: bool) {
            let lines = lines.iter().map(|line| (*line).to_owned()).collect();
            assert_eq!(Capabilities::of(&Reply { code: 250, lines }).has("STARTTLS"), expect);
        }
        check(&["mx", "PIPELINING", "STARTTLS"], true);
        check(&["mx", "starttls"], true);
        check(&["mx", "STARTTLS "], true);
        check(&["STARTTLS"], false); // the greeting, whatever the host is called
        check(&["mx", "XXXXXXXA"], false); // what stripping firewalls leave
        check(&["mx", "STARTTLSX"], false);
        check(&["mx", "HELP STARTTLS"], false);
        check(&["mx"], false);
    }
}
