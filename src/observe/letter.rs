//! The message of a probe that goes on to DATA: short, and plain about what it is and whom to ask.
//!
//! 1. From us; only MAIL FROM is the partner's.
//! 2. Auto-Submitted and its kin, so that nothing answers it ([RFC 3834 §5]).
//! 3. A kind and a token, by which its arrival can be told from every other.
//!
//! Invariant: no line is longer than 998 octets ([RFC 5322 §2.1.1]) or holds a control character, and no
//! configured text can begin a header.
//!
//! [RFC 3834 §5]: https://www.rfc-editor.org/rfc/rfc3834#section-5
//! [RFC 5322 §2.1.1]: https://www.rfc-editor.org/rfc/rfc5322#section-2.1.1

use crate::model::enforcement::AttemptKind;
use crate::wire::{mailbox::Mailbox, text};
use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};

/// Octets of a line of base64 (RFC 2045 §6.8).
const ENCODED: usize = 76;

/// Who we say we are in the messages of probes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letterhead {
    /// Our organisation's name, as a person writes it.
    pub organisation: String,
    /// The From of the message, an address of ours.
    pub from: Mailbox,
    /// Whom to ask about it, such as an address or a telephone number.
    pub contact: String,
}

impl Letterhead {
    /// The message, with its lines ended by a line feed alone.
    pub(super) fn message(
        &self,
        to: &Mailbox,
        kind: AttemptKind,
        token: &str,
        now: Timestamp,
    ) -> String {
        let domain = self.from.domain();
        // A time before year 0 has no such form; then there is no Date.
        let date = DateTimePrinter::new().timestamp_to_string(&now).unwrap_or_default();
        let (encoding, body) = encoded(&self.body());
        [
            format!("From: <{}>", self.from),
            format!("To: <{to}>"),
            "Subject: mxwarden probe: please ignore".to_owned(),
            format!("Date: {date}"),
            format!("Message-ID: <{token}@{domain}>"),
            "Auto-Submitted: auto-generated".to_owned(),
            "X-Auto-Response-Suppress: All".to_owned(),
            format!("List-Id: mxwarden probes <mxwarden.{domain}>"),
            format!("X-Mxwarden-Probe: {kind}"),
            format!("X-Mxwarden-Token: {token}"),
            "MIME-Version: 1.0".to_owned(),
            "Content-Type: text/plain; charset=utf-8".to_owned(),
            format!("Content-Transfer-Encoding: {encoding}"),
            String::new(),
            body,
        ]
        .join("\n")
    }

    fn body(&self) -> String {
        let organisation = text::printable_within(self.organisation.trim().as_bytes(), 200);
        let contact = text::printable_within(self.contact.trim().as_bytes(), 200);
        format!(
            "This message is an automatic probe by {organisation}: it tests whether a mail server refuses mail\n\
             that is not protected as agreed, and it can be deleted unread.\n\
             Questions about it are answered by {contact}.\n"
        )
    }
}

/// As it is where it is ASCII; otherwise in base64, because not every server takes eight bits (RFC 6152).
pub(super) fn encoded(body: &str) -> (&'static str, String) {
    if body.is_ascii() {
        return ("7bit", body.to_owned());
    }
    let mut lines = String::new();
    for (at, letter) in text::base64(body.as_bytes()).chars().enumerate() {
        if at > 0 && at % ENCODED == 0 {
            lines.push('\n');
        }
        lines.push(letter);
    }
    lines.push('\n');
    ("base64", lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(organisation: &str, contact: &str) -> String {
        let letterhead = Letterhead {
            organisation: organisation.to_owned(),
            from: "postmaster@contoso.test".parse().unwrap(),
            contact: contact.to_owned(),
        };
        let to = "tls-probe@contoso.test".parse().unwrap();
        let now = "2026-01-31T12:00:00Z".parse().unwrap();
        letterhead.message(&to, AttemptKind::Plaintext, "00ff", now)
    }

    #[test]
    fn a_letter_says_what_it_is_and_whom_to_ask() {
        let expect = "\
From: <postmaster@contoso.test>
To: <tls-probe@contoso.test>
Subject: mxwarden probe: please ignore
Date: Sat, 31 Jan 2026 12:00:00 -0000
Message-ID: <00ff@contoso.test>
Auto-Submitted: auto-generated
X-Auto-Response-Suppress: All
List-Id: mxwarden probes <mxwarden.contoso.test>
X-Mxwarden-Probe: plaintext
X-Mxwarden-Token: 00ff
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 7bit

This message is an automatic probe by Contoso: it tests whether a mail server refuses mail
that is not protected as agreed, and it can be deleted unread.
Questions about it are answered by security@contoso.test.
";
        assert_eq!(letter("Contoso", "security@contoso.test"), expect);
    }

    #[test]
    fn nothing_configured_breaks_out_of_its_line() {
        let broken = letter("Contoso\r\n.\r\nQUIT", "security@contoso.test");
        assert!(broken.contains("Contoso\\r\\n.\\r\\nQUIT:"), "{broken}");
        for letter in [broken, letter("Contoso", &"x".repeat(5000))] {
            assert!(letter.lines().all(|line| line.len() < 998 && !line.starts_with('.')));
        }
    }

    #[test]
    fn what_is_not_ascii_is_encoded() {
        let letter = letter("Müller & Söhne", "hilfe@contoso.test");
        let (header, body) = letter.split_once("\n\n").unwrap();
        assert!(header.ends_with("Content-Transfer-Encoding: base64") && letter.is_ascii());
        let body = text::from_base64(&body.replace('\n', "")).unwrap();
        assert!(String::from_utf8(body).unwrap().contains("by Müller & Söhne: it tests"));
    }
}
