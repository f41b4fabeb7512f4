//! Spans of time as the contract writes them: `30s`, `5m`, `24h`, `7d`.

use std::time::Duration;

/// `30s`, `5m`, `24h`, `7d`, `10y` (of 365 days); a century at most.
pub fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit = text.chars().last()?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        'y' => 365 * 24 * 3600,
        _ => return None,
    };
    let digits = text.strip_suffix(unit)?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let total = digits.parse::<u64>().ok()?.checked_mul(seconds)?;
    (total <= 100 * 365 * 24 * 3600).then(|| Duration::from_secs(total))
}

/// A time as it is written.
pub(super) fn written(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [(24 * 3600, 'd'), (3600, 'h'), (60, 'm')];
    let fitting = units.iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    match fitting {
        Some((unit, letter)) => format!("{}{letter}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_a_number_and_a_unit() {
        #[track_caller]
        fn check(text: &str, seconds: Option<u64>) {
            assert_eq!(duration(text), seconds.map(Duration::from_secs), "{text}");
        }
        check("30s", Some(30));
        check("5m", Some(300));
        check("24h", Some(86_400));
        check("7d", Some(604_800));
        check("10y", Some(315_360_000));
        check(" 1h ", Some(3600));
        check("0s", Some(0));
        check("", None);
        check("5", None);
        check("h", None);
        check("1.5h", None);
        check("-1h", None);
        check("+1h", None);
        check("1h30m", None);
        check("5 m", None);
        check("5M", None);
        check("5µ", None);
        check("101y", None); // beyond what anybody means
        check("99999999999999999999s", None);
        check("9999999999999999999y", None);
        assert_eq!(written(Duration::from_secs(90)), "90s");
        assert_eq!(written(Duration::from_secs(0)), "0s");
        assert_eq!(written(Duration::from_secs(7200)), "2h");
        assert_eq!(written(Duration::from_secs(172_800)), "2d");
    }
}
