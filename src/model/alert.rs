//! What the operator wants to be told, where, and when not: plain values that the configuration makes.

use super::{
    connector::{SubmitHost, SubmitSecurity},
    finding::Severity,
};
use crate::wire::mailbox::Mailbox;
use jiff::{SignedDuration, Timestamp};
use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

/// `[alert]`, its channels, and `[[mute]]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Alerting {
    /// When to speak.
    pub rules: AlertRules,
    /// Where the dashboard is, for links; no links without it.
    pub base_url: Option<String>,
    /// Where to speak.
    pub channels: Vec<AlertChannel>,
    /// When not to.
    pub mutes: Vec<Mute>,
}

/// `[alert]`: when to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlertRules {
    /// From one message about an open incident to the next.
    pub reminder: Duration,
    /// How long a claim may be unknown before that is told.
    pub unknown_after: Duration,
    /// How long the first news waits for more of its kind.
    pub group_wait: Duration,
    /// From one message about a cause to the next partner it hits.
    pub group_interval: Duration,
    /// The time in which changes of a claim are counted.
    pub flap_window: Duration,
    /// So many changes in that time, and recoveries are not told before it is calm.
    pub flap_changes: usize,
}

impl Default for AlertRules {
    fn default() -> Self {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        Self {
            reminder: hours(24),
            unknown_after: hours(6),
            group_wait: Duration::from_secs(30),
            group_interval: Duration::from_secs(300),
            flap_window: hours(6),
            flap_changes: 4,
        }
    }
}

/// `[[alert.channel]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertChannel {
    /// What people call it.
    pub name: String,
    /// What it is told of.
    pub severities: Vec<Severity>,
    /// The partners it is told of; all where there are none.
    pub partners: Vec<String>,
    /// The labels a partner must carry for it to be told.
    pub labels: BTreeMap<String, String>,
    /// How it is spoken to.
    pub kind: ChannelKind,
}

impl AlertChannel {
    /// Whether it is told of this partner.
    pub fn takes_partner(&self, partner: &str, labels: &BTreeMap<String, String>) -> bool {
        (self.partners.is_empty() || self.partners.iter().any(|name| name == partner))
            && self.labels.iter().all(|(key, value)| labels.get(key) == Some(value))
    }

    /// Whether it is told of what weighs so much.
    pub fn takes_severity(&self, severity: Severity) -> bool {
        self.severities.contains(&severity)
    }
}

/// How a channel is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelKind {
    /// Alertmanager's API, version 2.
    Alertmanager(HttpTarget),
    /// Mail, by a way of its own.
    Mail(MailTarget),
    /// PagerDuty's Events API, version 2.
    PagerDuty {
        /// Where.
        http: HttpTarget,
        /// The integration key.
        routing_key_file: PathBuf,
    },
    /// An incoming webhook of Slack.
    Slack(HttpTarget),
    /// A workflow of Microsoft Teams that takes an Adaptive Card.
    Teams(HttpTarget),
    /// JSON, to whoever asks for it.
    Webhook {
        /// Where.
        http: HttpTarget,
        /// The key that bodies are signed with.
        secret_file: Option<PathBuf>,
        /// What the body is made by, in place of ours.
        template_file: Option<PathBuf>,
    },
}

impl ChannelKind {
    /// The word of the configuration.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Alertmanager(_) => "alertmanager",
            Self::Mail(_) => "mail",
            Self::PagerDuty { .. } => "pagerduty",
            Self::Slack(_) => "slack",
            Self::Teams(_) => "teams",
            Self::Webhook { .. } => "webhook",
        }
    }
}

/// Where an HTTP request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTarget {
    /// The address.
    pub url: UrlSource,
    /// A token sent as `Authorization: Bearer`.
    pub token_file: Option<PathBuf>,
    /// The roots its certificate must end at, in place of those of `[tls]`.
    pub ca_file: Option<PathBuf>,
    /// Whether it may be spoken to in clear.
    pub clear: ClearHttp,
}

/// An address, or the file it stands in: whoever knows the address of a webhook can write to it.
#[derive(Clone, PartialEq, Eq)]
pub enum UrlSource {
    /// The file.
    File(PathBuf),
    /// The address itself.
    Plain(String),
}

impl fmt::Debug for UrlSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            // It may end up in a log.
            Self::Plain(_) => f.write_str("Plain(…)"),
        }
    }
}

/// Whether HTTP may go without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClearHttp {
    /// To anybody: the operator has said so.
    Anywhere,
    /// To this host alone.
    #[default]
    Loopback,
}

/// Where alert mail goes, and by which way: never by the one under test, if there is another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailTarget {
    /// How the connection is protected.
    pub security: SubmitSecurity,
    /// The smart host.
    pub host: SubmitHost,
    /// TCP port.
    pub port: u16,
    /// Sender.
    pub from: Mailbox,
    /// Recipients.
    pub to: Vec<Mailbox>,
    /// Who we say we are.
    pub login: Option<SmtpLogin>,
    /// The roots its certificate must end at, in place of this host's.
    pub ca_file: Option<PathBuf>,
}

/// `[[mute]]`: a silence with an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mute {
    /// About whom.
    pub whom: Whom,
    /// When.
    pub when: When,
    /// Why.
    pub why: String,
}

/// About whom nothing is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// About anybody.
    Everybody,
    /// About partners with these labels.
    Labels(BTreeMap<String, String>),
    /// About this partner.
    Partner(String),
}

impl Whom {
    /// Whether it is this one.
    pub fn is(&self, partner: &str, labels: &BTreeMap<String, String>) -> bool {
        match self {
            Self::Everybody => true,
            Self::Labels(wanted) => {
                wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
            }
            Self::Partner(name) => name == partner,
        }
    }
}

/// When nothing is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// Once.
    Once {
        /// From then on.
        from: Timestamp,
        /// Until then.
        until: Timestamp,
    },
    /// Every week.
    Weekly {
        /// The times it begins at.
        starts: Vec<WeekTime>,
        /// How long it lasts; a week at most.
        lasts: Duration,
    },
}

/// A minute of the week, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WeekTime {
    /// Minutes since Monday, 00:00 UTC.
    pub minute: u32,
}

/// How a silence stands at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quiet {
    /// It holds, until then.
    pub until: Option<Timestamp>,
    /// It last ended then.
    pub ended: Option<Timestamp>,
}

impl Quiet {
    /// Both.
    pub fn and(self, other: Self) -> Self {
        Self { until: self.until.max(other.until), ended: self.ended.max(other.ended) }
    }
}

const WEEK: i64 = 7 * 24 * 3600;
/// 1970-01-01 was a Thursday.
const EPOCH_IN_WEEK: i64 = 3 * 24 * 3600;

impl When {
    /// How it stands now.
    pub fn at(&self, now: Timestamp) -> Quiet {
        match self {
            Self::Once { from, until } if *until <= now && from < until => {
                Quiet { until: None, ended: Some(*until) }
            }
            Self::Once { from, until } => {
                Quiet { until: (*from <= now && now < *until).then_some(*until), ended: None }
            }
            Self::Weekly { starts, lasts } => {
                let lasts = SignedDuration::try_from(*lasts).unwrap_or(SignedDuration::MAX);
                starts
                    .iter()
                    .map(|start| weekly(*start, lasts, now))
                    .fold(Quiet::default(), Quiet::and)
            }
        }
    }
}

fn weekly(start: WeekTime, lasts: SignedDuration, now: Timestamp) -> Quiet {
    let in_week = (now.as_second() + EPOCH_IN_WEEK).rem_euclid(WEEK);
    let passed = (in_week - i64::from(start.minute) * 60).rem_euclid(WEEK);
    let began = now.as_second() - passed;
    let end = |began: i64| Timestamp::from_second(began.saturating_add(lasts.as_secs())).ok();
    match end(began) {
        Some(until) if now < until => Quiet { until: Some(until), ended: end(began - WEEK) },
        ended => Quiet { until: None, ended },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_has_an_end() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        #[track_caller]
        fn check(when: &When, now: &str, until: Option<&str>, ended: Option<&str>) {
            let parse = |text: &str| text.parse::<Timestamp>().unwrap();
            let quiet = when.at(parse(now));
            assert_eq!((quiet.until, quiet.ended), (until.map(parse), ended.map(parse)), "{now}");
        }
        let once =
            When::Once { from: time("2026-03-02T10:00:00Z"), until: time("2026-03-02T12:00:00Z") };
        check(&once, "2026-03-02T09:59:59Z", None, None);
        check(&once, "2026-03-02T10:00:00Z", Some("2026-03-02T12:00:00Z"), None);
        check(&once, "2026-03-02T12:00:00Z", None, Some("2026-03-02T12:00:00Z"));
        // 2026-03-01 was a Sunday; a window of four hours from Sunday 22:00 leads into the next week.
        let sunday = WeekTime { minute: (6 * 24 + 22) * 60 };
        let weekly = When::Weekly { starts: vec![sunday], lasts: Duration::from_secs(4 * 3600) };
        check(&weekly, "2026-03-01T21:59:59Z", None, Some("2026-02-23T02:00:00Z"));
        check(
            &weekly,
            "2026-03-01T22:00:00Z",
            Some("2026-03-02T02:00:00Z"),
            Some("2026-02-23T02:00:00Z"),
        );
        check(
            &weekly,
            "2026-03-02T01:59:59Z",
            Some("2026-03-02T02:00:00Z"),
            Some("2026-02-23T02:00:00Z"),
        );
        check(&weekly, "2026-03-02T02:00:00Z", None, Some("2026-03-02T02:00:00Z"));
    }
}

/// Who we say we are to the smart host: SMTP AUTH PLAIN or LOGIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpLogin {
    /// The user.
    pub username: String,
    /// The file the password is read from.
    pub password_file: PathBuf,
}
