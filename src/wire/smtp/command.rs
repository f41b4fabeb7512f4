//! SMTP commands ([RFC 5321 §4.1]), read from a line that a stranger sent.
//!
//! 1. The verb is read without regard to case, and what it needs behind it.
//! 2. An envelope address is taken out even where the line around it is wrong: once it was sent in clear, it
//!    was sent, and that is what is looked for.
//! 3. Whether a command may come now is for whoever holds the conversation.
//!
//! Invariant: every line gives a command; what is kept of it is printable and bounded.
//!
//! [RFC 5321 §4.1]: https://www.rfc-editor.org/rfc/rfc5321#section-4.1

use crate::wire::text::printable_within;

/// RFC 5321 §4.5.3.1.3 allows 256 octets to a path; more is kept, so that an evidence shows what was sent.
const PATH_SHOWN: usize = 320;
/// Characters kept of a verb, a name or a parameter.
const WORD_SHOWN: usize = 255;

/// One command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// BDAT ([RFC 3030 §2]).
    ///
    /// [RFC 3030 §2]: https://www.rfc-editor.org/rfc/rfc3030#section-2
    Bdat {
        /// Octets that follow the line.
        octets: u64,
        /// Whether the message ends with them.
        last: bool,
    },
    /// DATA.
    Data,
    /// EHLO with what it names; empty where it names nothing.
    Ehlo(String),
    /// HELO, likewise.
    Helo(String),
    /// HELP.
    Help,
    /// MAIL.
    Mail(Envelope),
    /// A verb we know with something wrong behind it.
    Malformed(&'static str),
    /// NOOP.
    Noop,
    /// QUIT.
    Quit,
    /// RCPT.
    Rcpt(Envelope),
    /// RSET.
    Rset,
    /// STARTTLS ([RFC 3207 §4]).
    ///
    /// [RFC 3207 §4]: https://www.rfc-editor.org/rfc/rfc3207#section-4
    StartTls,
    /// Anything else.
    Unknown,
    /// VRFY.
    Vrfy,
}

/// What stands behind MAIL and RCPT.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Envelope {
    /// What stands between the angle brackets, made printable, a source route left out; empty for `<>`.
    /// None where there is nothing like an address.
    pub path: Option<String>,
    /// The parameters, keywords in upper case.
    pub parameters: Vec<Parameter>,
    /// What is wrong with the line, if anything.
    pub defect: Option<&'static str>,
}

/// `KEYWORD` or `KEYWORD=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// In upper case.
    pub keyword: String,
    /// Behind the `=`.
    pub value: Option<String>,
}

impl Envelope {
    /// The local part and the domain, split at the last `@`.
    pub fn address(&self) -> Option<(&str, &str)> {
        self.path.as_deref()?.rsplit_once('@')
    }
}

impl Command {
    /// Reads a line without its end.
    pub fn parse(line: &[u8]) -> Self {
        let line = line.trim_ascii_end();
        let end = line.iter().position(|b| b" \t:".contains(b)).unwrap_or(line.len());
        let (verb, rest) = line.split_at_checked(end).unwrap_or((line, &[]));
        let rest = rest.trim_ascii_start();
        match verb.to_ascii_uppercase().as_slice() {
            b"BDAT" => parse_chunk(rest),
            b"DATA" => alone(rest, Self::Data),
            b"EHLO" => Self::Ehlo(printable_within(rest, WORD_SHOWN)),
            b"HELO" => Self::Helo(printable_within(rest, WORD_SHOWN)),
            b"HELP" => Self::Help,
            b"MAIL" => behind(rest, b"FROM:", Self::Mail),
            // RFC 5321 §4.1.1.9: NOOP takes any string and ignores it.
            b"NOOP" => Self::Noop,
            b"QUIT" => alone(rest, Self::Quit),
            b"RCPT" => behind(rest, b"TO:", Self::Rcpt),
            b"RSET" => alone(rest, Self::Rset),
            b"STARTTLS" => alone(rest, Self::StartTls),
            b"VRFY" => Self::Vrfy,
            _ => Self::Unknown,
        }
    }
}

fn alone(rest: &[u8], command: Command) -> Command {
    if rest.is_empty() { command } else { Command::Malformed("the command takes no argument") }
}

fn behind(rest: &[u8], keyword: &[u8], command: fn(Envelope) -> Command) -> Command {
    match rest.split_at_checked(keyword.len()) {
        Some((found, path)) if found.eq_ignore_ascii_case(keyword) => command(envelope(path)),
        _ => Command::Malformed("FROM: or TO: is missing"),
    }
}

fn parse_chunk(rest: &[u8]) -> Command {
    let malformed = Command::Malformed("BDAT takes a number of octets, and LAST");
    let Ok(text) = std::str::from_utf8(rest) else { return malformed };
    let mut words = text.split_ascii_whitespace();
    let octets = words.next().filter(|word| word.bytes().all(|b| b.is_ascii_digit()));
    let Some(octets) = octets.and_then(|word| word.parse().ok()) else { return malformed };
    match (words.next(), words.next()) {
        (None, _) => Command::Bdat { octets, last: false },
        (Some(last), None) if last.eq_ignore_ascii_case("LAST") => {
            Command::Bdat { octets, last: true }
        }
        _ => malformed,
    }
}

/// A path and its parameters. A blank behind the colon is taken: RFC 5321 §3.3 forbids it, many send it.
fn envelope(text: &[u8]) -> Envelope {
    let text = text.trim_ascii_start();
    let Some(inner) = text.strip_prefix(b"<") else {
        let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
        let bare = text.get(..end).unwrap_or_default();
        let path = (!bare.is_empty()).then(|| printable_within(bare, PATH_SHOWN));
        let defect = Some("an address stands between angle brackets");
        return Envelope { path, parameters: Vec::new(), defect };
    };
    let Some(end) = closing(inner) else {
        let path = Some(printable_within(inner, PATH_SHOWN));
        return Envelope { path, parameters: Vec::new(), defect: Some("no closing bracket") };
    };
    let (path, rest) = inner.split_at_checked(end).unwrap_or((inner, &[]));
    let rest = rest.get(1..).unwrap_or_default();
    let path = without_route(path);
    let mut defect = defect_of(path);
    if !rest.is_empty() && !rest.starts_with(b" ") {
        defect = Some("a blank is missing behind the bracket");
    }
    let parameters = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let parameters = parameters.map(parameter).collect();
    Envelope { path: Some(printable_within(path, PATH_SHOWN)), parameters, defect }
}

/// Where the path ends: a bracket within quotes does not close it.
fn closing(inner: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    inner.iter().position(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return true,
            _ => {}
        }
        false
    })
}

/// RFC 5321 §4.1.1.3: a source route is to be taken and ignored.
fn without_route(path: &[u8]) -> &[u8] {
    match path.iter().position(|byte| *byte == b':') {
        Some(at) if path.starts_with(b"@") => path.get(at + 1..).unwrap_or_default(),
        _ => path,
    }
}

fn defect_of(path: &[u8]) -> Option<&'static str> {
    if path.is_empty() {
        return None;
    }
    if path.iter().any(u8::is_ascii_control) {
        return Some("a control character in the address");
    }
    if path.first() != Some(&b'"') && path.contains(&b' ') {
        return Some("a blank in the address");
    }
    let at = path.iter().rposition(|byte| *byte == b'@');
    // RFC 5321 §4.5.1: postmaster alone needs no domain.
    if at.is_none() && path.eq_ignore_ascii_case(b"postmaster") {
        return None;
    }
    match at {
        Some(at) if at > 0 && at + 1 < path.len() => None,
        _ => Some("an address is local@domain"),
    }
}

fn parameter(word: &[u8]) -> Parameter {
    let at = word.iter().position(|byte| *byte == b'=');
    let (keyword, value) = match at.and_then(|at| word.split_at_checked(at)) {
        Some((keyword, value)) => (keyword, value.get(1..)),
        None => (word, None),
    };
    Parameter {
        keyword: printable_within(&keyword.to_ascii_uppercase(), WORD_SHOWN),
        value: value.map(|value| printable_within(value, WORD_SHOWN)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn commands_are_read_without_regard_to_case() {
        #[track_caller]
        fn check(line: &str, expect: Command) {
            assert_eq!(Command::parse(line.as_bytes()), expect, "{line}");
        }
        check("EHLO mx.a.test", Command::Ehlo("mx.a.test".into()));
        check("ehlo  [127.0.0.1] ", Command::Ehlo("[127.0.0.1]".into()));
        check("EHLO", Command::Ehlo(String::new()));
        check("helo a", Command::Helo("a".into()));
        check("STARTTLS", Command::StartTls);
        check("STARTTLS now", Command::Malformed("the command takes no argument"));
        check("DATA ", Command::Data);
        check("NOOP what ever", Command::Noop);
        check("VRFY postmaster", Command::Vrfy);
        check("HELP", Command::Help);
        check("RSET", Command::Rset);
        check("QUIT", Command::Quit);
        check("BDAT 0", Command::Bdat { octets: 0, last: false });
        check("bdat 1000 last", Command::Bdat { octets: 1000, last: true });
        check("BDAT", Command::Malformed("BDAT takes a number of octets, and LAST"));
        check("BDAT -1", Command::Malformed("BDAT takes a number of octets, and LAST"));
        check("BDAT +1", Command::Malformed("BDAT takes a number of octets, and LAST"));
        check("BDAT 1 LAST x", Command::Malformed("BDAT takes a number of octets, and LAST"));
        check(
            "BDAT 99999999999999999999",
            Command::Malformed("BDAT takes a number of octets, and LAST"),
        );
        check("MAIL <a@b>", Command::Malformed("FROM: or TO: is missing"));
        check("GET / HTTP/1.1", Command::Unknown);
        check("", Command::Unknown);
    }

    #[test]
    fn an_envelope_is_taken_out_of_any_line() {
        #[track_caller]
        fn check(line: &str, path: Option<&str>, parameters: &[(&str, Option<&str>)], ok: bool) {
            let parsed = Command::parse(line.as_bytes());
            let (Command::Mail(found) | Command::Rcpt(found)) = parsed else {
                panic!("{line}: {parsed:?}")
            };
            assert_eq!(found.path.as_deref(), path, "{line}");
            let got: Vec<_> = found
                .parameters
                .iter()
                .map(|one| (one.keyword.as_str(), one.value.as_deref()))
                .collect();
            assert_eq!(got, parameters, "{line}");
            assert_eq!(found.defect.is_none(), ok, "{line}: {:?}", found.defect);
        }
        check("MAIL FROM:<a@b.test>", Some("a@b.test"), &[], true);
        check("mail from: <a@b.test>", Some("a@b.test"), &[], true); // many send the blank
        check("MAIL FROM:<>", Some(""), &[], true);
        check(
            "MAIL FROM:<> size=10 BODY=8bitmime SMTPUTF8",
            Some(""),
            &[("SIZE", Some("10")), ("BODY", Some("8bitmime")), ("SMTPUTF8", None)],
            true,
        );
        check("RCPT TO:<@x,@y:a@b.test>", Some("a@b.test"), &[], true); // a source route
        check("RCPT TO:<Postmaster>", Some("Postmaster"), &[], true);
        check("RCPT TO:<\"a>b\"@c.test>", Some("\"a>b\"@c.test"), &[], true);
        check("RCPT TO:<\"a\\\">\"@c.test> X", Some("\"a\\\">\"@c.test"), &[("X", None)], true);
        check("RCPT TO:<bücher@c.test>", Some("bücher@c.test"), &[], true);
        // Wrong, and sent in clear all the same.
        check("MAIL FROM:a@b.test", Some("a@b.test"), &[], false);
        check("MAIL FROM:<a@b.test", Some("a@b.test"), &[], false);
        check("MAIL FROM:<a@b.test>SIZE=1", Some("a@b.test"), &[("SIZE", Some("1"))], false);
        check("MAIL FROM:<a b@b.test>", Some("a b@b.test"), &[], false);
        check("MAIL FROM:<a@>", Some("a@"), &[], false);
        check("MAIL FROM:<a>", Some("a"), &[], false);
        check("MAIL FROM:", None, &[], false);
        check("MAIL FROM:<a\u{1b}@b>", Some("a\\x1b@b"), &[], false);
    }

    proptest! {
        #[test]
        fn no_line_panics(line in proptest::collection::vec(any::<u8>(), 0..300)) {
            Command::parse(&line);
            Command::parse(&[b"MAIL FROM:<", line.as_slice()].concat());
            Command::parse(&[b"RCPT TO:", line.as_slice()].concat());
            Command::parse(&[b"BDAT ", line.as_slice()].concat());
        }
    }
}
