//! Names: mail domains, host names, and the patterns a certificate's names are held against.
//!
//! 1. A name is parsed once, into lower-case A-labels without the trailing dot (IDNA, [RFC 5891]).
//! 2. From then on names are compared as plain strings.
//! 3. A certificate's name meets a required one by the three rules of [`NamePattern::is_met_by`].
//!
//! Invariant: no value of these types holds an upper-case letter, an empty label or a label above 63 octets.
//!
//! [RFC 5891]: https://www.rfc-editor.org/rfc/rfc5891

use core::net::IpAddr;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// An IP address where a name belongs.
    #[error("`{0}` is an IP address, not a name")]
    Address(String),
    /// A character that no host name holds.
    #[error("`{name}` holds `{character}`, which no host name may")]
    Character {
        /// The name as given.
        name: String,
        /// The first character that is refused.
        character: char,
    },
    /// Nothing, or nothing between two dots.
    #[error("`{0}` has an empty label")]
    EmptyLabel(String),
    /// IDNA refuses the name.
    #[error("`{0}` is no valid internationalised name")]
    Idna(String),
    /// Longer than 253 octets, or a label longer than 63.
    #[error("`{0}` is longer than a name may be (253 octets, 63 a label)")]
    TooLong(String),
}

fn parse(text: &str) -> Result<String, NameError> {
    let shown = || crate::wire::text::printable_within(text.as_bytes(), 80);
    let bare = text.strip_suffix('.').unwrap_or(text);
    if bare.parse::<IpAddr>().is_ok() {
        return Err(NameError::Address(shown()));
    }
    if bare.is_empty() || bare.split('.').any(str::is_empty) {
        return Err(NameError::EmptyLabel(shown()));
    }
    // A plain ASCII name is taken as it is: IDNA would refuse the hyphens in `ab--c`, DNS does not.
    let ascii = if bare.is_ascii() {
        bare.to_ascii_lowercase()
    } else {
        idna::domain_to_ascii_cow(bare.as_bytes(), idna::AsciiDenyList::EMPTY)
            .map_err(|_| NameError::Idna(shown()))?
            .into_owned()
    };
    // Checked on what came out: IDNA maps some characters to blanks and dots.
    // Underscores are no part of a host name, but MX records point at such hosts and mail reaches them.
    let refused = |c: &char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if let Some(character) = ascii.chars().find(refused) {
        return Err(NameError::Character { name: shown(), character });
    }
    if ascii.split('.').any(str::is_empty) {
        return Err(NameError::EmptyLabel(shown()));
    }
    // RFC 1035 §2.3.4, less the root label and its length octet.
    if ascii.len() > 253 || ascii.split('.').any(|label| label.len() > 63) {
        return Err(NameError::TooLong(shown()));
    }
    Ok(ascii)
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name in lower-case A-labels, without a trailing dot.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The name as a person writes it: U-labels where there are any.
            pub fn to_unicode(&self) -> String {
                let (unicode, outcome) = idna::domain_to_unicode(&self.0);
                if outcome.is_ok() { unicode } else { self.0.clone() }
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                parse(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// A mail domain: what stands behind the `@`.
    Domain
}

name! {
    /// The name of a host: what an MX record points at.
    Host
}

impl From<Domain> for Host {
    fn from(domain: Domain) -> Self {
        Self(domain.0)
    }
}

impl Host {
    /// Whoever runs this host, as far as a name can tell: the registrable domain, else the name itself.
    /// Politeness is counted by operator, because ten MX names may be one company's machines.
    pub fn operator(&self) -> &str {
        psl::domain_str(&self.0).unwrap_or(&self.0)
    }
}

/// A required name: a host name, or `*.suffix`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum NamePattern {
    /// Exactly this name.
    Exact(Host),
    /// `*.suffix`: any name under the suffix, at any depth, but not the bare suffix.
    Under(Host),
}

impl NamePattern {
    /// Whether a certificate's name meets this requirement.
    ///
    /// 1. Equal without regard to case.
    /// 2. The certificate's is a wildcard that covers the required name ([RFC 9525 §6.3]: it stands
    ///    for exactly one whole left-most label).
    /// 3. The required one is `*.suffix`, and the certificate's is `*.suffix` or lies under it.
    ///
    /// [RFC 9525 §6.3]: https://www.rfc-editor.org/rfc/rfc9525#section-6.3
    pub fn is_met_by(&self, certificate_name: &str) -> bool {
        let presented = certificate_name.trim_end_matches('.').to_ascii_lowercase();
        let (wildcard, rest) = match presented.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, presented.as_str()),
        };
        // A star anywhere else is no wildcard (RFC 9525 §6.3), and no name either.
        if rest.is_empty() || rest.contains('*') || rest.split('.').any(str::is_empty) {
            return false;
        }
        match self {
            Self::Exact(required) if wildcard => required
                .as_str()
                .split_once('.')
                .is_some_and(|(label, parent)| !label.is_empty() && parent == rest),
            Self::Exact(required) => required.as_str() == presented,
            Self::Under(suffix) if wildcard && rest == suffix.as_str() => true,
            Self::Under(suffix) => rest
                .strip_suffix(suffix.as_str())
                .and_then(|below| below.strip_suffix('.'))
                .is_some_and(|below| !below.is_empty()),
        }
    }
}

impl FromStr for NamePattern {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.strip_prefix("*.") {
            Some(suffix) => suffix.parse().map(Self::Under),
            None => text.parse().map(Self::Exact),
        }
    }
}

impl TryFrom<String> for NamePattern {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<NamePattern> for String {
    fn from(pattern: NamePattern) -> Self {
        pattern.to_string()
    }
}

impl From<Host> for NamePattern {
    fn from(host: Host) -> Self {
        Self::Exact(host)
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => write!(f, "{host}"),
            Self::Under(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_parsed_once() {
        #[track_caller]
        fn good(text: &str, expect: &str) {
            assert_eq!(text.parse::<Host>().map(String::from).as_deref(), Ok(expect));
        }
        #[track_caller]
        fn bad(text: &str) {
            assert!(text.parse::<Host>().is_err(), "{text} was taken");
        }
        good("Mail.Example.ORG.", "mail.example.org");
        good("bücher.example", "xn--bcher-kva.example");
        good("BÜCHER.example", "xn--bcher-kva.example");
        good("a_b.example", "a_b.example"); // DNS has such hosts
        good("r3---sn.example", "r3---sn.example");
        good("localhost", "localhost");
        bad("");
        bad(".");
        bad("a..b");
        bad(".a");
        bad("a b.example");
        bad("192.0.2.1");
        bad("192.0.2.1."); // what a broken MX record holds
        bad("::1");
        bad("a/b");
        bad("*.example");
        bad("ﹲ"); // IDNA maps it to a blank and a vowel sign
        bad(&"a".repeat(64));
        bad(&"a.".repeat(127).repeat(2));
        assert_eq!(
            "xn--bcher-kva.example".parse::<Domain>().unwrap().to_unicode(),
            "bücher.example"
        );
    }

    #[test]
    fn certificate_names_meet_required_ones() {
        #[track_caller]
        fn check(required: &str, presented: &str, expect: bool) {
            let pattern: NamePattern = required.parse().unwrap();
            assert_eq!(pattern.is_met_by(presented), expect, "{required} by {presented}");
        }
        check("mx.a.test", "mx.a.test", true);
        check("mx.a.test", "MX.A.TEST", true);
        check("mx.a.test", "mx.a.test.", true);
        check("mx.a.test", "*.a.test", true);
        check("mx.a.test", "*.test", false); // a wildcard is one label
        check("a.test", "*.a.test", false); // and never none
        check("x.mx.a.test", "*.a.test", false);
        check("mx.a.test", "m*.a.test", false); // RFC 9525 §6.3: the whole label
        check("mx.a.test", "*x.a.test", false);
        check("mx.a.test", "*", false);
        check("mx.a.test", "*.*.test", false);
        check("mx.a.test", "", false);
        check("mx.a.test", "other.test", false);
        check("*.a.test", "*.a.test", true);
        check("*.a.test", "mx.a.test", true);
        check("*.a.test", "deep.mx.a.test", true); // at any depth
        check("*.a.test", "*.mx.a.test", true);
        check("*.a.test", "a.test", false); // not the bare suffix
        check("*.a.test", "mxa.test", false);
        check("*.a.test", "*.test", false);
        check("*.a.test", ".a.test", false);
    }

    proptest! {
        #[test]
        fn no_text_panics_and_display_parses_back(text in "\\PC*") {
            if let Ok(name) = text.parse::<Host>() {
                prop_assert_eq!(name.to_string().parse::<Host>(), Ok(name));
            }
            if let Ok(pattern) = text.parse::<NamePattern>() {
                prop_assert_eq!(pattern.to_string().parse::<NamePattern>(), Ok(pattern.clone()));
                let _ = pattern.is_met_by(&text);
            }
        }
    }
}
