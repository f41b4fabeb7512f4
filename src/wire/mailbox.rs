//! A mailbox as it stands in MAIL FROM and RCPT TO ([RFC 5321 §4.1.2]).
//!
//! Invariant: what parses can be written between angle brackets as it is; no blank, bracket, quote or control
//! character can break out of a command line.
//!
//! [RFC 5321 §4.1.2]: https://www.rfc-editor.org/rfc/rfc5321#section-4.1.2

use super::name::{Domain, NameError};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// RFC 5321 §4.5.3.1.1: octets of a local part.
const LOCAL_PART: usize = 64;

/// `local@domain`, the local part a dot-string.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mailbox {
    local: String,
    domain: Domain,
}

/// Why a text is no mailbox we would write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailboxError {
    /// No `@`.
    #[error("`{0}` has no `@`; write local@domain")]
    At(String),
    /// The domain is none.
    #[error(transparent)]
    Domain(#[from] NameError),
    /// The local part is empty, too long or needs quotes.
    #[error(
        "the part before `@` of `{0}` is no plain local part: 1 to 64 letters, digits and !#$%&'*+-/=?^_`{{|}}~ with single dots"
    )]
    Local(String),
}

impl Mailbox {
    /// `local` at `domain`.
    ///
    /// # Errors
    ///
    /// A local part that is no dot-string.
    pub fn new(local: &str, domain: Domain) -> Result<Self, MailboxError> {
        // RFC 5321 §4.1.2: Dot-string = Atom *("." Atom); quoted local parts are left out on purpose.
        let is_atom = |atom: &str| {
            !atom.is_empty()
                && atom
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
        };
        if local.len() > LOCAL_PART || !local.split('.').all(is_atom) {
            let shown: String = local.chars().take(80).collect();
            return Err(MailboxError::Local(format!("{shown}@{domain}")));
        }
        Ok(Self { local: local.to_owned(), domain })
    }

    /// What stands before the `@`, as given.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// What stands behind the `@`.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }
}

impl FromStr for Mailbox {
    type Err = MailboxError;

    fn from_str(text: &str) -> Result<Self, MailboxError> {
        let text = text.trim();
        let (local, domain) = text
            .rsplit_once('@')
            .ok_or_else(|| MailboxError::At(text.chars().take(80).collect()))?;
        Self::new(local, domain.parse()?)
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

impl TryFrom<String> for Mailbox {
    type Error = MailboxError;

    fn try_from(text: String) -> Result<Self, MailboxError> {
        text.parse()
    }
}

impl From<Mailbox> for String {
    fn from(mailbox: Mailbox) -> Self {
        mailbox.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailboxes_are_read_and_written_back() {
        #[track_caller]
        fn check(text: &str, expect: Option<&str>) {
            assert_eq!(text.parse::<Mailbox>().ok().map(|m| m.to_string()).as_deref(), expect);
        }
        check("tls-probe@Contoso.TEST", Some("tls-probe@contoso.test"));
        check("A.b+c@contoso.test", Some("A.b+c@contoso.test"));
        check("a@bücher.test", Some("a@xn--bcher-kva.test"));
        check("contoso.test", None);
        check("@contoso.test", None);
        check("a..b@contoso.test", None);
        check("a b@contoso.test", None);
        check("a>\r\nDATA@contoso.test", None);
        check("\"a b\"@contoso.test", None);
        check("a@", None);
        check(&format!("{}@contoso.test", "a".repeat(65)), None);
    }
}
