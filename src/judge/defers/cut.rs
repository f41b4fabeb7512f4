//! The saying, taken out of what it was pasted with.
//!
//! Invariant: nothing is added: every part is a piece of the text.

use crate::wire::enhanced_status::EnhancedStatus;

/// What somebody said, and what stands in front of it.
pub(super) struct Core<'a> {
    /// All of it, codes included.
    pub text: &'a str,
    /// Behind the reply code.
    pub words: &'a str,
    /// The reply code, where one leads.
    pub code: Option<u16>,
    /// The enhanced status, where one leads or stands behind the code.
    pub status: Option<EnhancedStatus>,
    /// What a sender puts between `[Message=` and `]`, or `{MSG=` and `}`.
    pub messages: Vec<&'a str>,
    /// Whether it stood in `{LED=…}`.
    pub is_led: bool,
    /// Whether a sender quotes it as the receiver's: `host … said:`.
    pub is_quoted: bool,
}

impl<'a> Core<'a> {
    /// Of a text whose blanks are single ones.
    pub(super) fn of(text: &'a str) -> Self {
        let led = between(text, "LED=", "}");
        let reason = led.unwrap_or_else(|| bare(text));
        // Postfix and Exim.
        let said = behind(reason, " said: ")
            .or_else(|| behind(behind(reason, "error from remote mail server after ")?, ": "));
        let text_alone = said.unwrap_or(reason).trim_start_matches(['\'', '"', '(', '<']);
        let (code, words) = code(text_alone);
        let marks = [("[Message=", "]"), ("MSG=", "}")];
        Self {
            text: text_alone,
            words,
            code,
            status: EnhancedStatus::leading(words.trim_start_matches('#')),
            messages: marks
                .into_iter()
                .filter_map(|(open, close)| between(text, open, close))
                .collect(),
            is_led: led.is_some(),
            is_quoted: said.is_some(),
        }
    }
}

/// Without what an NDR or a log writes before it.
fn bare(text: &str) -> &str {
    let text = behind(text, "Diagnostic-Code: ").unwrap_or(text);
    let text = match text.split_once(';') {
        // RFC 3464 §2.3.6: the type of the diagnosis comes first.
        Some((kind, rest))
            if ["smtp", "x-exim", "x-postfix", "x-unix"]
                .iter()
                .any(|known| kind.eq_ignore_ascii_case(known)) =>
        {
            rest.trim_start()
        }
        _ => text,
    };
    ["status=deferred (", "status=bounced (", " returned '"]
        .into_iter()
        .find_map(|mark| behind(text, mark))
        .unwrap_or(text)
}

/// The reply code, and what stands behind it.
fn code(text: &str) -> (Option<u16>, &str) {
    // NDRs write `#550 5.7.51`; a reply of many lines has a dash behind the code.
    let plain = text.trim_start_matches('#');
    let is_code = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit());
    match plain.split_at_checked(3) {
        Some((digits, rest))
            if is_code(digits) && (rest.is_empty() || rest.starts_with([' ', '-'])) =>
        {
            match digits.parse::<u16>() {
                Ok(code @ 200..=599) => (Some(code), rest.trim_start_matches(['-', ' '])),
                _ => (None, text),
            }
        }
        _ => (None, plain),
    }
}

/// What stands behind the first `mark`, without regard to case.
fn behind<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    // In ASCII, so that no place moves.
    let at = text.to_ascii_lowercase().find(&mark.to_ascii_lowercase())?;
    text.get(at + mark.len()..)
}

/// What stands between two marks; to the end where the second was cut off.
pub(super) fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(open)?;
    Some(rest.split_once(close).map_or(rest, |(inner, _)| inner))
}
